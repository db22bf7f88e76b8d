"""HunyuanVideo 1.5 (arXiv 2511.18870): words to video, footage noised and drawn again, and - with checkpoints of their
own - a picture that comes to life, one of them in eight steps.

Two families, because they are two kinds of checkpoints. Diffusers' pipelines load no LoRA for either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gen2studio.core.records import dataclass
from gen2studio.diffusion.families.contract import (
    Clip,
    Conditions,
    FamilyTraits,
    FrameRule,
    LatentGeometry,
    MemoryHint,
    PipelineInputs,
)
from gen2studio.diffusion.families.footage_start import guidance_in_range
from gen2studio.diffusion.families.words_or_picture import (
    footage_inputs,
    footage_task,
    picture_inputs,
    picture_task,
)
from gen2studio.engine.requests import GenerateRequest
from gen2studio.models.manifest import ModelManifest

if TYPE_CHECKING:
    from gen2studio.diffusion.families.driving import FamilyDriver
    from gen2studio.models.library import InstalledModel

_SCHEDULERS = ("FlowMatchEulerDiscreteScheduler",)
_MEMORY = (
    MemoryHint("whole", 2.0, "all weights beside the work, in bf16"),
    MemoryHint("offloaded blocks", 0.15, "blocks of the transformer come and go"),
    MemoryHint("8 bit", 1.0, "weights kept in 8 bits, computed in bf16"),
)
_NAME = "HunyuanVideo"
_NO_STRUCTURE = f"{_NAME} follows footage by its strength, not by a depth or line picture"
_WHY_NOT = (
    ("styles", f"{_NAME} takes no style image: say the style in the prompt"),
    ("structure", _NO_STRUCTURE),
    ("structure_source", _NO_STRUCTURE),
    ("depth_pass", _NO_STRUCTURE),
    ("control_scale", "there is no control picture whose weight could change"),
    ("consistency", f"{_NAME}'s frames share their latents and can't be run one by one"),
    ("camera", f"{_NAME} takes no camera move: say it in the prompt"),
    ("motion_brush", f"{_NAME} takes no motion strokes: say the motion in the prompt"),
    ("adapters", f"the library that runs {_NAME} 1.5 has no way to load LoRA files into it"),
    ("fill", "how much of the old shape stays is the strength"),
    ("outpaint", f"{_NAME} can't draw around a picture it has to keep"),
)

TRAITS = FamilyTraits(
    id="hunyuan",
    title=f"{_NAME} 1.5",
    pipeline="HunyuanVideo15Pipeline",
    modes=("text", "stylize", "mask"),
    conditions=frozenset({"text", "variation", "mask", "background"}),
    controls=frozenset(
        [
            *("prompt", "negative_prompt", "seed", "guidance", "steps", "strength", "region", "grow", "feather"),
            "motion",
        ]
    ),
    why_not=(
        *_WHY_NOT,
        ("keys", "this checkpoint reads words alone; the image-to-video one begins with a picture"),
        ("lead", "this checkpoint can't go on from a clip; the image-to-video one goes on from a frame"),
    ),
    schedulers=_SCHEDULERS,
    memory=_MEMORY,
    # It can't be shown the frames before: however long, a shot is denoised at once, in windows.
    joint_windows=256,
)
IMAGE_TRAITS = FamilyTraits(
    id="hunyuan-image",
    title=f"{_NAME} 1.5 image to video",
    pipeline="HunyuanVideo15ImageToVideoPipeline",
    modes=("text_image", "image"),
    conditions=frozenset({"keys", "extend"}),
    controls=frozenset({"prompt", "negative_prompt", "first_frame", "seed", "guidance", "steps", "motion", "lead"}),
    why_not=(
        *_WHY_NOT,
        ("keys", f"{_NAME} begins with a picture and takes none later"),
        ("last_frame", f"{_NAME} begins with a picture and takes none later"),
    ),
    needs=frozenset({"first_frame"}),
    schedulers=_SCHEDULERS,
    memory=_MEMORY,
    joint_windows=1,
    known=1,
    lead=1,
)


@dataclass(frozen=True, slots=True)
class HunyuanAdapter:
    """Words, and footage drawn again. Implements :class:`gen2studio.diffusion.families.contract.FamilyAdapter`."""

    traits: FamilyTraits = TRAITS

    def task(self, request: GenerateRequest) -> str:
        return footage_task(request)

    def guidance(self, manifest: ModelManifest, task: str, asked: float = 0.0) -> float:
        return guidance_in_range(manifest, asked)

    def inputs(self, request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule) -> PipelineInputs:
        return footage_inputs(_NAME, request, clip, conditions, frames)

    def geometry(self, model: InstalledModel) -> LatentGeometry:
        return _geometry(model)

    def driver(self) -> FamilyDriver:
        from gen2studio.diffusion.families.hunyuan_driver import HunyuanDriver

        return HunyuanDriver()


@dataclass(frozen=True, slots=True)
class HunyuanImageAdapter:
    """A picture that comes to life. Implements :class:`gen2studio.diffusion.families.contract.FamilyAdapter`."""

    traits: FamilyTraits = IMAGE_TRAITS

    def task(self, request: GenerateRequest) -> str:
        return picture_task(request)

    def guidance(self, manifest: ModelManifest, task: str, asked: float = 0.0) -> float:
        return guidance_in_range(manifest, asked)

    def inputs(self, request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule) -> PipelineInputs:
        return picture_inputs(_NAME, request, clip, conditions, frames)

    def geometry(self, model: InstalledModel) -> LatentGeometry:
        return _geometry(model)

    def driver(self) -> FamilyDriver:
        from gen2studio.diffusion.families.hunyuan_driver import HunyuanImageDriver

        return HunyuanImageDriver()


def _geometry(model: InstalledModel) -> LatentGeometry:
    from gen2studio.models.families.hunyuan import hunyuan_shape, vae_scales

    configs = model.checkpoint().configs
    shape = hunyuan_shape(configs["transformer"])
    channels, spatial, temporal = vae_scales(configs["vae"])
    return LatentGeometry(
        spatial=spatial,
        multiple=spatial * shape.patch,
        channels=channels,
        frames=FrameRule(temporal * shape.patch_frames, temporal),
        temporal=temporal,
    )
