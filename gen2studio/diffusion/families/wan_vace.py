"""Wan VACE (arXiv 2503.07598): one control video, one mask video and reference images steer everything.

White mask pixels are generated, black ones kept. What lies under the white decides what happens there: grey means
"invent", a depth or line picture "follow this structure". The tasks differ only in how those frames are filled.

=============  ===========================================  ==========================  =====================
task           video                                        mask                        reference images
=============  ===========================================  ==========================  =====================
text           none                                         none
reference      none                                         none                        style or subject
keys           given frames at their times, else grey       black at the given frames   optional
structure      depth, lines, grey, flow or layout           white                       style or subject
mask           footage; inside grey or structure            the subject, white          optional
background     footage; outside grey or structure           all but the subject, white  place
outpaint       footage on a grey canvas                     the border, white           optional
extend         the last frames of the clip, then grey       black, then white           optional
style_frame    a stylised frame, else structure             black there, else white     optional
variation      as structure, started from noised footage    white                       optional
=============  ===========================================  ==========================  =====================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gen2studio.core.errors import GenerationError
from gen2studio.core.records import dataclass
from gen2studio.diffusion.families.contract import (
    TASKS,
    Clip,
    Conditions,
    FamilyTraits,
    FrameRule,
    LatentGeometry,
    Matte,
    MemoryHint,
    PipelineInputs,
)
from gen2studio.diffusion.families.footage_start import (
    FREE_MARGIN,
    LEAST,
    clip_of,
    guidance_in_range,
    of_groups,
    region_masks,
)
from gen2studio.diffusion.families.wan_recipes import RECIPES
from gen2studio.engine.events import Picture
from gen2studio.engine.requests import GenerateRequest
from gen2studio.models.architecture import vae_scales, wan_shape
from gen2studio.models.library import InstalledModel
from gen2studio.models.manifest import ModelManifest

if TYPE_CHECKING:
    from gen2studio.diffusion.families.driving import FamilyDriver

GREY = 128
"""Of "invent something here": the middle of the pipeline's −1…1 in 8 bits."""
MOST_REFERENCES = 4
_SHAPE_MARGIN = 3 / 480
"""Part of the height that a region grows by where it keeps its shape."""

CONTROLS = frozenset(
    [
        *("prompt", "negative_prompt", "styles", "keys", "first_frame", "last_frame", "region", "seed", "guidance"),
        *(
            "steps",
            "reuse",
            "structure",
            "structure_source",
            "depth_pass",
            "control_scale",
            "consistency",
            "strength",
            "motion",
        ),
        *("camera", "motion_brush", "fill", "grow", "feather", "layout", "lead", "outpaint", "adapters"),
    ]
)

TRAITS = FamilyTraits(
    id="wan-vace",
    title="Wan VACE",
    pipeline="WanVACEPipeline",
    modes=("text", "text_image", "image", "stylize", "storyboard", "mask", "render", "customize"),
    conditions=frozenset(TASKS),
    controls=CONTROLS,
    schedulers=("UniPCMultistepScheduler", "FlowMatchEulerDiscreteScheduler"),
    recipes=RECIPES,
    memory=(
        MemoryHint("whole", 2.0, "all weights beside the work, in bf16"),
        MemoryHint("offloaded blocks", 0.15, "blocks of the transformer come and go"),
        MemoryHint("8 bit", 1.0, "weights kept in 8 bits, computed in bf16"),
    ),
    frame_consistency=True,
    adapters=True,
)


@dataclass(frozen=True, slots=True)
class WanVaceAdapter:
    """Implements :class:`gen2studio.diffusion.families.contract.FamilyAdapter`."""

    traits: FamilyTraits = TRAITS

    def task(self, request: GenerateRequest) -> str:
        return task_of(request)

    def guidance(self, manifest: ModelManifest, task: str, asked: float = 0.0) -> float:
        edits = task in ("mask", "background", "outpaint")
        return guidance_in_range(manifest, asked or (manifest.guidance.mask_edit if edits else 0.0))

    def inputs(self, request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule) -> PipelineInputs:
        """The control video, masks and references of one run. Raises GenerationError when lengths or sizes disagree."""
        count = clip_of(clip, frames)
        task = task_of(request)
        canvas = _Canvas(count, clip.width, clip.height)
        if conditions.structure:
            canvas.show(conditions.structure)
        if conditions.guide:
            canvas.lay(conditions.guide, conditions.guide_masks)
        if conditions.masks:
            margin = _SHAPE_MARGIN if conditions.structure else FREE_MARGIN
            masks = region_masks(conditions.masks, clip.height, frames.group, margin)
            canvas.keep_outside(conditions.source, masks)
        if conditions.border is not None:
            canvas.keep_outside(conditions.source, [conditions.border] * count)
        for index, picture in enumerate(conditions.lead[:count]):
            canvas.pin(index, picture)
        for index, picture in conditions.keys:
            canvas.pin(index, picture)
        keyed = request.varies("strength")
        strengths = [request.control("strength", frame) for frame in clip.frames] if keyed else []
        strength = max(strengths) if keyed else request.controls.strength
        varied = bool(conditions.source) and (keyed or strength < 1.0) and task not in ("outpaint", "extend")
        return PipelineInputs(
            task="variation" if varied and task == "structure" else task,
            width=clip.width,
            height=clip.height,
            frames=count,
            video=tuple(canvas.video) if canvas.used else (),
            masks=tuple(canvas.masks) if canvas.used else (),
            references=conditions.references[:MOST_REFERENCES],
            scale=request.controls.control_scale,
            strength=max(LEAST, strength) if varied else 1.0,
            start=conditions.source if varied else (),
            frame_strength=of_groups(strengths, frames) if varied and keyed else (),
        )

    def geometry(self, model: InstalledModel) -> LatentGeometry:
        """The stock pipeline takes its scales from the length and sum of one list and encodes in chunks of 1 + 4 + 4 …
        frames whatever the real temporal factor is: lengths are always 4k + 1. Raises ModelError."""
        configs = model.checkpoint().configs
        wan = wan_shape(configs["transformer"])
        _, spatial, temporal = vae_scales(configs["vae"])
        return LatentGeometry(
            spatial=spatial,
            multiple=spatial * wan.patch[1],
            channels=wan.latent_in,
            frames=FrameRule(4, temporal),
            temporal=temporal,
            control_layers=len(wan.control_layers),
        )

    def driver(self) -> FamilyDriver:
        from gen2studio.diffusion.families.wan_vace_driver import WanVaceDriver

        return WanVaceDriver()


def task_of(request: GenerateRequest) -> str:
    """Which task a request is, from its mode and what it brings."""
    if any(request.outpaint):
        return "outpaint"
    if request.lead is not None:
        return "extend"
    if request.mode == "mask" or (request.masks and request.region != "all"):
        return "background" if request.region == "background" else "mask"
    if request.mode in ("stylize", "render"):
        return "style_frame" if request.keys else "structure"
    if request.keys:
        return "keys"
    if request.layout is not None:
        return "structure"
    return "reference" if request.styles else "text"


class _Canvas:
    """Control frames and masks while they are filled: grey and white at first."""

    def __init__(self, count: int, width: int, height: int) -> None:
        self._shape = (height, width)
        grey = np.full((height, width, 3), GREY, np.uint8)
        white = np.full((height, width), 255, np.uint8)
        self.video: list[Picture] = [grey] * count
        self.masks: list[Matte] = [white] * count
        self.used = False

    def show(self, frames: tuple[Picture, ...]) -> None:
        """Structure to follow; everything is still generated."""
        self._check(frames)
        self.video = list(frames)
        self.used = True

    def lay(self, frames: tuple[Picture, ...], masks: tuple[Matte, ...]) -> None:
        """Given pixels where ``masks`` is black over what is there."""
        self._check(frames)
        for index, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
            open_ = mask >= 128
            self.video[index] = np.where(open_[..., None], self.video[index], frame)
            self.masks[index] = np.where(open_, self.masks[index], np.uint8(0))
        self.used = True

    def keep_outside(self, source: tuple[Picture, ...], masks: Sequence[Matte]) -> None:
        """The footage itself wherever the mask is black; inside what is there already."""
        self._check(source)
        for index, mask in enumerate(masks):
            open_ = mask >= 128
            self.video[index] = np.where(open_[..., None], self.video[index], source[index])
            # Two reasons to keep add up: what either keeps is kept.
            self.masks[index] = np.where(open_, self.masks[index], np.uint8(0))
        self.used = True

    def pin(self, index: int, picture: Picture) -> None:
        """A whole frame that must come out as given."""
        if not 0 <= index < len(self.video):
            raise GenerationError(f"A key lies at frame {index} of a clip of {len(self.video)} frames.")
        self._check((picture,) * len(self.video))
        self.video[index] = picture
        self.masks[index] = np.zeros(self._shape, np.uint8)
        self.used = True

    def _check(self, frames: tuple[Picture, ...]) -> None:
        if len(frames) != len(self.video) or any(frame.shape[:2] != self._shape for frame in frames):
            raise GenerationError(
                f"The prepared frames don't fit a clip of {len(self.video)} frames of "
                f"{self._shape[1]}×{self._shape[0]} pixels."
            )
