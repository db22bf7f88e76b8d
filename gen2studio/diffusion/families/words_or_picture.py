"""Runs of families that come as two kinds of checkpoints: one reads words alone and draws footage again, the other
begins with a picture. ``name`` is the family's, for sentences. No torch."""

from __future__ import annotations

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.families.contract import Clip, Conditions, FrameRule, PipelineInputs
from gen2studio.diffusion.families.footage_start import clip_of, first_picture, footage_start, region_masks
from gen2studio.engine.requests import GenerateRequest


def footage_task(request: GenerateRequest) -> str:
    """Which task a run from words is: text, variation, mask or background."""
    if request.mode == "mask" or (request.masks and request.region != "all"):
        return "background" if request.region == "background" else "mask"
    return "variation" if request.mode == "stylize" else "text"


def footage_inputs(
    name: str, request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule
) -> PipelineInputs:
    """A run from words, maybe on footage. Raises GenerationError for what such a checkpoint can't be shown."""
    _no_border(name, conditions)
    if conditions.keys or conditions.lead:
        raise GenerationError(
            f"This {name} checkpoint reads words alone and can't begin with a picture.",
            f"Use {name} image to video, LTX-Video or Wan for that.",
        )
    strength, start, frame_strength = footage_start(request, clip, conditions, frames)
    return PipelineInputs(
        task=footage_task(request),
        width=clip.width,
        height=clip.height,
        frames=clip_of(clip, frames),
        masks=region_masks(conditions.masks, clip.height, frames.group) if start else (),
        strength=strength,
        start=start,
        frame_strength=frame_strength,
    )


def picture_task(request: GenerateRequest) -> str:
    """Which task a run from a picture is: extend or keys."""
    return "extend" if request.lead is not None else "keys"


def picture_inputs(
    name: str, request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule
) -> PipelineInputs:
    """A run from a picture. Raises GenerationError when there is none, or one elsewhere than at the start."""
    _no_border(name, conditions)
    return PipelineInputs(
        task=picture_task(request),
        width=clip.width,
        height=clip.height,
        frames=clip_of(clip, frames),
        keys=((0, first_picture(name, conditions)),),
    )


def _no_border(name: str, conditions: Conditions) -> None:
    if conditions.border is not None:
        raise GenerationError(
            f"{name} can't draw around a picture it has to keep.", "Choose Wan VACE, which draws around footage."
        )
