"""What families share that edit one picture at a time: the footage's frame and references in, words, a frame out.

They draw stills of footage; a clip is made of key frames that are carried (:mod:`gen2studio.engine.keyframed`). A
region is the composite's matter: the whole frame is drawn, and the engine keeps the footage outside the matte. No torch
here.
"""

from __future__ import annotations

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.families.contract import Clip, Conditions, FrameRule, PipelineInputs
from gen2studio.diffusion.families.footage_start import footage_start
from gen2studio.engine.events import Picture
from gen2studio.engine.requests import GenerateRequest

MODES = ("stylize", "mask", "render")
CONTROLS = frozenset(
    ["prompt", "styles", "seed", "steps", "guidance", "strength", "region", "grow", "feather", "adapters"]
)
"""``guidance`` where the checkpoint is not distilled: its manifest narrows it."""
WHY_NOT = (
    ("keys", "it draws single frames; painted ones are followed where frames are carried"),
    ("consistency", "it draws single frames; how they are held together counts where they are carried"),
    ("structure", "the model sees the frame itself; say in the prompt how freely it may draw"),
    ("structure_source", "the model sees the frame itself, not a depth or line picture of it"),
    ("depth_pass", "the model sees the frame itself, not a depth picture of it"),
    ("control_scale", "there is no control picture whose weight could change"),
    ("fill", "the whole frame is drawn and kept inside the mask only"),
    ("outpaint", "it edits the frame it is shown and draws nothing around it"),
    ("motion", "it draws single frames; their motion is the footage's own"),
)
ONE_FRAME = FrameRule(1, 1)
MOST_REFERENCES = 3
"""Pictures beside the frame itself."""


def edit_inputs(title: str, request: GenerateRequest, clip: Clip, conditions: Conditions) -> PipelineInputs:
    """The frame to edit, what to match, and where to start from. Raises GenerationError for more than one frame."""
    if len(clip) != 1:
        raise GenerationError(
            f"{title} draws single frames.", "Choose “Key frames by the model”: the frames between are carried."
        )
    if not conditions.source:
        raise GenerationError(f"{title} edits frames of footage.", "Choose a clip, or a model that makes shots.")
    strength, start, _ = footage_start(request, clip, conditions, ONE_FRAME)
    return PipelineInputs(
        task="variation" if start else "structure",
        width=clip.width,
        height=clip.height,
        frames=1,
        video=conditions.source,
        references=references_of(request, conditions),
        # A strength that changes over the clip is a number on one frame.
        strength=min(strength, request.control("strength", clip.frames[0])) if start else 1.0,
        start=start,
    )


def references_of(request: GenerateRequest, conditions: Conditions) -> tuple[Picture, ...]:
    """The style images and, of a key frame, the one before: it comes last and always counts."""
    found = conditions.references
    if len(found) <= MOST_REFERENCES:
        return found
    return (*found[: MOST_REFERENCES - 1], found[-1]) if request.key_spacing else found[:MOST_REFERENCES]


def instruction(prompt: str, references: int) -> str:
    """What the model is told to do: the prompt, and what the pictures beside the frame are for.

    These models are told in words which picture plays which part; without any they would be mixed at will.
    """
    said, references = prompt.strip(), min(references, MOST_REFERENCES)
    if not references:
        return said
    names = " and ".join(f"image {number + 2}" for number in range(references))
    match = f"Keep the subjects, the pose and the composition of image 1; take colours, light and texture from {names}."
    if not said:
        return match
    return f"{said if said[-1] in '.!?' else f'{said}.'} {match}"
