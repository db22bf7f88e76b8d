"""Z-Image and Z-Image Turbo (arXiv 2511.22699): a picture from words, and footage drawn again frame by frame.

From nothing it makes stills: first frames and panels of a storyboard, each with a noise of its own. A frame of
footage, or the mock-up of a panel, is where a picture starts from (SDEdit, arXiv 2108.01073); what lies around a mask
is put back at every step. Turbo is distilled: eight steps without guidance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gen2studio.core.errors import GenerationError
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
from gen2studio.diffusion.families.footage_start import footage_start, guidance_in_range, region_masks
from gen2studio.diffusion.families.image_editing import ONE_FRAME
from gen2studio.engine.requests import GenerateRequest
from gen2studio.models.manifest import ModelManifest

if TYPE_CHECKING:
    from gen2studio.diffusion.families.driving import FamilyDriver
    from gen2studio.models.library import InstalledModel

FROM_LAYOUT = 0.85
"""How far a panel's picture begins from its mock-up: far enough that flat shapes become things."""
_STILLS = "it draws single pictures"
TRAITS = FamilyTraits(
    id="z-image",
    title="Z-Image",
    pipeline="ZImagePipeline",
    modes=("text", "storyboard", "stylize", "mask", "render"),
    conditions=frozenset({"text", "variation", "mask"}),
    controls=frozenset(
        [
            *("prompt", "negative_prompt", "seed", "steps", "guidance", "adapters"),
            *("strength", "region", "grow", "feather", "layout"),
        ]
    ),
    why_not=(
        ("styles", "Z-Image reads words alone: say the style in the prompt"),
        ("style_weight", "Z-Image reads words alone: say the style in the prompt"),
        ("keys", f"{_STILLS}; painted ones are followed where frames are carried"),
        ("first_frame", f"{_STILLS}: a first frame is what it makes"),
        ("last_frame", _STILLS),
        ("lead", f"{_STILLS} and goes on from no clip"),
        ("consistency", f"{_STILLS}; how they are held together counts where they are carried"),
        ("structure", "Z-Image follows footage by its strength, not by a depth or line picture"),
        ("structure_source", "Z-Image follows footage by its strength, not by a depth or line picture"),
        ("depth_pass", "Z-Image follows footage by its strength, not by a depth picture"),
        ("control_scale", "there is no control picture whose weight could change"),
        ("fill", "inside the mask it begins from the footage by its strength; at 1 nothing of it is left"),
        ("outpaint", "it begins from the frame it is shown and draws nothing around it"),
        ("motion", f"{_STILLS}: nothing moves in them"),
        ("camera", f"{_STILLS}: nothing moves in them"),
        ("motion_brush", f"{_STILLS}: nothing moves in them"),
    ),
    schedulers=("FlowMatchEulerDiscreteScheduler",),
    memory=(
        MemoryHint("whole", 2.0, "all weights beside the work, in bf16"),
        MemoryHint("offloaded blocks", 0.15, "blocks of the transformer come and go"),
        MemoryHint("8 bit", 1.0, "weights kept in 8 bits, computed in bf16"),
    ),
    adapters=True,
    stills_only=True,
)


@dataclass(frozen=True, slots=True)
class ZImageAdapter:
    """Implements :class:`gen2studio.diffusion.families.contract.FamilyAdapter`."""

    traits: FamilyTraits = TRAITS

    def task(self, request: GenerateRequest) -> str:
        if request.from_nothing:
            return "text"
        return "mask" if request.mode == "mask" else "variation"

    def guidance(self, manifest: ModelManifest, task: str, asked: float = 0.0) -> float:
        return guidance_in_range(manifest, asked)

    def inputs(self, request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule) -> PipelineInputs:
        """One picture: from words, from a mock-up, or from a frame. Raises GenerationError for more than one frame."""
        del frames
        if len(clip) != 1:
            raise GenerationError(
                f"{TRAITS.title} draws single pictures.",
                "Choose “Key frames by the model”: the frames between are carried.",
            )
        strength, start, _ = footage_start(request, clip, conditions, ONE_FRAME)
        if start:
            # A strength that changes over the clip is a number on one frame.
            strength = min(strength, request.control("strength", clip.frames[0]))
        elif conditions.structure and conditions.structure_kind == "layout":
            start, strength = conditions.structure, FROM_LAYOUT
        return PipelineInputs(
            task=self.task(request),
            width=clip.width,
            height=clip.height,
            frames=1,
            masks=region_masks(conditions.masks, clip.height, 1) if start else (),
            strength=strength,
            start=start,
        )

    def geometry(self, model: InstalledModel) -> LatentGeometry:
        from gen2studio.models.families.z_image import vae_scales

        channels, spatial = vae_scales(model.checkpoint().configs["vae"])
        return LatentGeometry(
            # Two by two latents make one token.
            spatial=spatial, multiple=2 * spatial, channels=channels, frames=ONE_FRAME, temporal=1
        )  # fmt: skip

    def driver(self) -> FamilyDriver:
        from gen2studio.diffusion.families.z_image_driver import ZImageDriver

        return ZImageDriver()
