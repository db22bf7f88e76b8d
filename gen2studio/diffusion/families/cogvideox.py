"""CogVideoX (arXiv 2408.06072): words to video, footage noised and drawn again, and - with checkpoints of their own -
a picture that comes to life.

Two families, because they are two kinds of checkpoints: one reads words alone and can redraw footage; the other has
the first frame's latents beside the noise and needs a picture.
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

_SCHEDULERS = ("CogVideoXDDIMScheduler", "CogVideoXDPMScheduler")
_MEMORY = (
    MemoryHint("whole", 2.0, "all weights beside the work, in 16 bits"),
    MemoryHint("offloaded blocks", 0.15, "blocks of the transformer come and go"),
    MemoryHint("8 bit", 1.0, "weights kept in 8 bits, computed in 16"),
)
_WHY_NOT = (
    ("styles", "CogVideoX takes no style image: say the style in the prompt"),
    ("structure", "CogVideoX follows footage by its strength, not by a depth or line picture"),
    ("structure_source", "CogVideoX follows footage by its strength, not by a depth or line picture"),
    ("control_scale", "there is no control picture whose weight could change"),
    ("consistency", "CogVideoX's frames share their latents and can't be run one by one"),
    ("camera", "CogVideoX takes no camera move: say it in the prompt"),
    ("motion_brush", "CogVideoX takes no motion strokes: say the motion in the prompt"),
    ("fill", "how much of the old shape stays is the strength"),
    ("outpaint", "CogVideoX can't draw around a picture it has to keep"),
)

TRAITS = FamilyTraits(
    id="cogvideox",
    title="CogVideoX",
    pipeline="CogVideoXPipeline",
    modes=("text", "stylize", "mask"),
    conditions=frozenset({"text", "variation", "mask", "background"}),
    controls=frozenset(
        [
            *("prompt", "negative_prompt", "seed", "guidance", "steps", "strength", "region", "grow", "feather"),
            *("motion", "adapters"),
        ]
    ),
    why_not=(
        *_WHY_NOT,
        ("keys", "this CogVideoX checkpoint reads words alone; its image-to-video one begins with a picture"),
        ("lead", "this CogVideoX checkpoint can't go on from a clip; its image-to-video one goes on from a frame"),
    ),
    schedulers=_SCHEDULERS,
    memory=_MEMORY,
    adapters=True,
    # It can't be shown the frames before: however long, a shot is denoised at once, in windows.
    joint_windows=256,
)
IMAGE_TRAITS = FamilyTraits(
    id="cogvideox-image",
    title="CogVideoX image to video",
    pipeline="CogVideoXImageToVideoPipeline",
    modes=("image",),
    conditions=frozenset({"keys", "extend"}),
    controls=frozenset(
        {"prompt", "negative_prompt", "first_frame", "seed", "guidance", "steps", "motion", "lead", "adapters"}
    ),
    why_not=(
        *_WHY_NOT,
        ("keys", "CogVideoX begins with a picture and takes none later"),
        ("last_frame", "CogVideoX begins with a picture and takes none later"),
    ),
    schedulers=_SCHEDULERS,
    memory=_MEMORY,
    adapters=True,
    joint_windows=1,
    known=1,
    lead=1,
)


@dataclass(frozen=True, slots=True)
class CogVideoXAdapter:
    """Words, and footage drawn again. Implements :class:`gen2studio.diffusion.families.contract.FamilyAdapter`."""

    traits: FamilyTraits = TRAITS

    def task(self, request: GenerateRequest) -> str:
        return footage_task(request)

    def guidance(self, manifest: ModelManifest, task: str, asked: float = 0.0) -> float:
        return guidance_in_range(manifest, asked)

    def inputs(self, request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule) -> PipelineInputs:
        return footage_inputs("CogVideoX", request, clip, conditions, frames)

    def geometry(self, model: InstalledModel) -> LatentGeometry:
        return _geometry(model)

    def driver(self) -> FamilyDriver:
        from gen2studio.diffusion.families.cogvideox_driver import CogVideoXDriver

        return CogVideoXDriver()


@dataclass(frozen=True, slots=True)
class CogVideoXImageAdapter:
    """A picture that comes to life. Implements :class:`gen2studio.diffusion.families.contract.FamilyAdapter`."""

    traits: FamilyTraits = IMAGE_TRAITS

    def task(self, request: GenerateRequest) -> str:
        return picture_task(request)

    def guidance(self, manifest: ModelManifest, task: str, asked: float = 0.0) -> float:
        return guidance_in_range(manifest, asked)

    def inputs(self, request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule) -> PipelineInputs:
        return picture_inputs("CogVideoX", request, clip, conditions, frames)

    def geometry(self, model: InstalledModel) -> LatentGeometry:
        return _geometry(model)

    def driver(self) -> FamilyDriver:
        from gen2studio.diffusion.families.cogvideox_driver import CogVideoXImageDriver

        return CogVideoXImageDriver()


def _geometry(model: InstalledModel) -> LatentGeometry:
    from gen2studio.models.families.cogvideox import cog_shape

    shape = cog_shape(model.checkpoint().configs)
    step = shape.native_frames - 1 if shape.fixed_size else 8 * shape.patch_frames
    return LatentGeometry(
        spatial=shape.spatial,
        multiple=shape.spatial * shape.patch,
        channels=shape.latents,
        # Its VAE works on eight frames at a time; one patch of 1.5 is two latent frames deep.
        frames=FrameRule(max(1, step), shape.temporal),
        temporal=shape.temporal,
        fixed=shape.fixed_size,
    )
