"""LTX-Video with conditions (arXiv 2501.00103): words, pictures at any of its frames, clips to go on from, and footage.

=============  ==========================================  ====================================================
task           conditions                                  start
=============  ==========================================  ====================================================
text           none                                        noise
keys           pictures at their frames                    noise
extend         the last 8k + 1 frames of the clip before   noise
variation      none                                        the footage, noised to the strength
mask           none                                        noise or footage inside, the footage around it
background     as mask                                     as mask, the other way round
style_frame    painted frames at their times               the footage, noised to the strength
=============  ==========================================  ====================================================

A picture at frame 0 takes the place of the first latent frame; others are tokens of their own that lie at their time.
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
    StepRecipe,
)
from gen2studio.diffusion.families.footage_start import clip_of, footage_start, guidance_in_range, region_masks
from gen2studio.engine.requests import GenerateRequest
from gen2studio.models.manifest import ModelManifest

if TYPE_CHECKING:
    from gen2studio.diffusion.families.driving import FamilyDriver
    from gen2studio.models.library import InstalledModel

DISTILLED = "eight-step distilled"
DISTILLED_TIMES = (1000.0, 993.0, 987.0, 981.0, 975.0, 909.0, 725.0, 0.03)
"""The times that 0.9.7 and 0.9.8 distilled were made for, out of their makers' description."""

TRAITS = FamilyTraits(
    id="ltx",
    title="LTX-Video",
    pipeline="LTXConditionPipeline",
    modes=("text", "image", "storyboard", "stylize", "mask"),
    conditions=frozenset({"text", "keys", "extend", "variation", "style_frame", "mask", "background"}),
    controls=frozenset(
        [
            *("prompt", "negative_prompt", "keys", "first_frame", "last_frame", "seed", "guidance", "steps"),
            *("strength", "region", "grow", "feather", "motion", "lead", "adapters"),
        ]
    ),
    why_not=(
        ("styles", "LTX-Video takes no style image: paint the first frame in the style and begin with it"),
        ("structure", "LTX-Video follows footage by its strength, not by a depth or line picture"),
        ("structure_source", "LTX-Video follows footage by its strength, not by a depth or line picture"),
        ("control_scale", "there is no control picture whose weight could change"),
        ("layout", "LTX-Video follows no layout: give the drawn panel as a key frame"),
        ("consistency", "LTX-Video's frames share their latents and can't be run one by one"),
        ("camera", "LTX-Video takes no camera move: say it in the prompt"),
        ("motion_brush", "LTX-Video takes no motion strokes: say the motion in the prompt"),
        ("fill", "how much of the old shape stays is the strength"),
        ("outpaint", "LTX-Video can't draw around a picture it has to keep"),
    ),
    schedulers=("FlowMatchEulerDiscreteScheduler",),
    recipes=(
        StepRecipe(
            DISTILLED,
            len(DISTILLED_TIMES),
            1.0,
            "FlowMatchEulerDiscreteScheduler",
            (("shift", 1.0), ("timesteps", DISTILLED_TIMES)),
            "for the checkpoints 0.9.7 and 0.9.8 distilled, without guidance",
        ),
    ),
    memory=(
        MemoryHint("whole", 2.0, "all weights beside the work, in bf16"),
        MemoryHint("offloaded blocks", 0.15, "blocks of the transformer come and go"),
        MemoryHint("8 bit", 1.0, "weights kept in 8 bits, computed in bf16"),
    ),
    adapters=True,
    # Longer shots go on from a clip condition of 8k + 1 frames.
    joint_windows=1,
    known=17,
    lead=9,
)


@dataclass(frozen=True, slots=True)
class LtxAdapter:
    """Implements :class:`gen2studio.diffusion.families.contract.FamilyAdapter`."""

    traits: FamilyTraits = TRAITS

    def task(self, request: GenerateRequest) -> str:
        if request.lead is not None:
            return "extend"
        if request.mode == "mask" or (request.masks and request.region != "all"):
            return "background" if request.region == "background" else "mask"
        if request.mode == "stylize":
            return "style_frame" if request.keys else "variation"
        return "keys" if request.keys else "text"

    def guidance(self, manifest: ModelManifest, task: str, asked: float = 0.0) -> float:
        del task
        return guidance_in_range(manifest, asked)

    def inputs(self, request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule) -> PipelineInputs:
        """Conditions and start of one run. Raises GenerationError when lengths disagree or something can't be kept."""
        count = clip_of(clip, frames)
        if conditions.border is not None:
            raise GenerationError(
                "LTX-Video can't draw around a picture it has to keep.", "Choose Wan VACE, which draws around footage."
            )
        # A clip condition has 8k + 1 frames; of fewer, the first one alone is shown.
        known = conditions.lead[:count]
        known = known[: (len(known) - 1) // frames.group * frames.group + 1] if known else ()
        strength, start, frame_strength = footage_start(request, clip, conditions, frames)
        return PipelineInputs(
            task=self.task(request),
            width=clip.width,
            height=clip.height,
            frames=count,
            video=known,
            masks=region_masks(conditions.masks, clip.height, frames.group),
            keys=tuple((at, picture) for at, picture in conditions.keys if at >= len(known)),
            strength=strength,
            start=start,
            frame_strength=frame_strength,
        )

    def geometry(self, model: InstalledModel) -> LatentGeometry:
        from gen2studio.models.families.ltx import vae_scales

        checked = model.checkpoint()
        channels, spatial, temporal = vae_scales(checked.configs["vae"])
        return LatentGeometry(
            spatial=spatial,
            # The stock pipeline insists on 32 whatever the VAE does.
            multiple=max(32, spatial),
            channels=channels,
            frames=FrameRule(temporal, temporal),
            temporal=temporal,
        )

    def driver(self) -> FamilyDriver:
        from gen2studio.diffusion.families.ltx_driver import LtxDriver

        return LtxDriver()
