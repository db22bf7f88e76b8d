"""Stable Video Diffusion (arXiv 2311.15127): one picture comes to life, without a word.

The picture is every clip's first frame, seen by a CLIP encoder and laid beside the latents of every frame. How much
moves is one number, the motion bucket. A clip has the length the checkpoint was trained for (14 or 25 frames); longer
shots go on from their last frame.
"""

from __future__ import annotations

from dataclasses import replace
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
from gen2studio.diffusion.families.words_or_picture import picture_inputs, picture_task
from gen2studio.engine.requests import GenerateRequest
from gen2studio.models.manifest import ModelManifest

if TYPE_CHECKING:
    from gen2studio.diffusion.families.driving import FamilyDriver
    from gen2studio.models.library import InstalledModel

_NO_WORDS = "Stable Video Diffusion reads no words: it moves what the picture shows"

TRAITS = FamilyTraits(
    id="svd",
    title="Stable Video Diffusion",
    pipeline="StableVideoDiffusionPipeline",
    modes=("image",),
    conditions=frozenset({"keys", "extend"}),
    controls=frozenset({"first_frame", "seed", "guidance", "steps", "motion", "lead"}),
    why_not=(
        ("prompt", _NO_WORDS),
        ("negative_prompt", _NO_WORDS),
        ("keys", "Stable Video Diffusion begins with a picture and takes none later"),
        ("last_frame", "Stable Video Diffusion begins with a picture and takes none later"),
        ("styles", "Stable Video Diffusion takes no style image: paint the first frame in the style"),
        ("consistency", "Stable Video Diffusion has no setting for single frames"),
        ("camera", "Stable Video Diffusion takes no camera move"),
        ("motion_brush", "Stable Video Diffusion takes no motion strokes, only how much moves"),
        ("adapters", "Stable Video Diffusion takes no adapters"),
    ),
    schedulers=("EulerDiscreteScheduler",),
    memory=(MemoryHint("whole", 2.0, "all weights beside the work, in 16 bits"),),
    joint_windows=1,
    known=1,
    lead=1,
    own_motion=True,
)


@dataclass(frozen=True, slots=True)
class SvdAdapter:
    """Implements :class:`gen2studio.diffusion.families.contract.FamilyAdapter`."""

    traits: FamilyTraits = TRAITS

    def task(self, request: GenerateRequest) -> str:
        return picture_task(request)

    def guidance(self, manifest: ModelManifest, task: str, asked: float = 0.0) -> float:
        """The guidance of the last frame: it rises to that from 1 at the first."""
        return guidance_in_range(manifest, asked)

    def inputs(self, request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule) -> PipelineInputs:
        made = picture_inputs(TRAITS.title, request, clip, conditions, frames)
        return replace(made, motion=request.controls.motion)

    def geometry(self, model: InstalledModel) -> LatentGeometry:
        from gen2studio.models.families.svd import LATENTS, cells_multiple, native_frames, spatial_scale

        configs = model.checkpoint().configs
        spatial = spatial_scale(configs)
        return LatentGeometry(
            spatial=spatial,
            multiple=cells_multiple(configs) * spatial,
            channels=LATENTS,
            # A clip is always whole: of any other length the model was never shown one.
            frames=FrameRule(max(1, native_frames(configs) - 1), 1),
            temporal=1,
        )

    def driver(self) -> FamilyDriver:
        from gen2studio.diffusion.families.svd_driver import SvdDriver

        return SvdDriver()


def bucket(motion: float) -> int:
    """The motion bucket of the slider: 1 at 0, the published default 127 at 5, 253 at 10."""
    return round(1 + 25.2 * min(10.0, max(0.0, motion)))
