"""Qwen-Image-Edit 2509 and 2511 (arXiv 2508.02324): an instruction and up to four pictures in, one picture out.

A vision-language model reads the words together with the pictures, and the pictures are tokens beside those that are
denoised. The first picture is the footage's frame; the references follow. A strength below 1 starts from the noised
frame besides (SDEdit, arXiv 2108.01073).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gen2studio.core.records import dataclass
from gen2studio.diffusion.families import image_editing
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
from gen2studio.engine.requests import GenerateRequest
from gen2studio.models.manifest import ModelManifest

if TYPE_CHECKING:
    from gen2studio.diffusion.families.driving import FamilyDriver
    from gen2studio.models.library import InstalledModel

TRAITS = FamilyTraits(
    id="qwen-image-edit",
    title="Qwen-Image-Edit",
    pipeline="QwenImageEditPlusPipeline",
    modes=image_editing.MODES,
    conditions=frozenset({"structure", "reference", "variation"}),
    controls=image_editing.CONTROLS | {"negative_prompt"},
    why_not=image_editing.WHY_NOT,
    schedulers=("FlowMatchEulerDiscreteScheduler",),
    memory=(
        MemoryHint("whole", 2.0, "all weights beside the work, in bf16"),
        MemoryHint("offloaded blocks", 0.15, "blocks of the transformer come and go"),
        MemoryHint("8 bit", 1.0, "weights kept in 8 bits, computed in bf16"),
    ),
    adapters=True,
    stills_only=True,
    reads_pictures=True,
)


@dataclass(frozen=True, slots=True)
class QwenImageEditAdapter:
    """Implements :class:`gen2studio.diffusion.families.contract.FamilyAdapter`."""

    traits: FamilyTraits = TRAITS

    def task(self, request: GenerateRequest) -> str:
        del request
        return "structure"

    def guidance(self, manifest: ModelManifest, task: str, asked: float = 0.0) -> float:
        return guidance_in_range(manifest, asked)

    def inputs(self, request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule) -> PipelineInputs:
        del frames
        return image_editing.edit_inputs(TRAITS.title, request, clip, conditions)

    def geometry(self, model: InstalledModel) -> LatentGeometry:
        from gen2studio.models.architecture import vae_scales

        channels, spatial, _ = vae_scales(model.checkpoint().configs["vae"])
        return LatentGeometry(
            # Two by two latents make one token.
            spatial=spatial, multiple=2 * spatial, channels=channels, frames=image_editing.ONE_FRAME, temporal=1
        )  # fmt: skip

    def driver(self) -> FamilyDriver:
        from gen2studio.diffusion.families.qwen_image_edit_driver import QwenImageEditDriver

        return QwenImageEditDriver()
