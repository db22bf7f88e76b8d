"""How a take is divided among machines so that it is, to the bit, the one that a single machine makes.

Every task runs the frozen request of the whole clip and keeps only its own frames, just as a resumed render does: no
statistic, seed or plan depends on the window. What a generator carries from frame to frame (strokes, keys) is laid down
by one task first and read by the others. Generators that make frames together get the clip in one piece.
"""

from __future__ import annotations

from gen2studio.core.records import dataclass
from gen2studio.engine.generators import Abilities
from gen2studio.engine.requests import GenerateRequest

AUTOMATIC = 0
"""As many frames a task as are worth a machine of their own."""
FRAMES = 24
"""Frames of a task, unless the artist says otherwise."""
_WORTH_DIVIDING = 1280 * 720
"""Pixels of a frame. Strokes of a painting, carried from key to key in order, took 26 of 28 seconds at 512 × 512 and
20 of 44 at 1920 × 1080 (one core): dividing small frames keeps more machines busy and ends later."""
MOST_TASKS = 1024
"""Values that a task parameter may list (Open Job Description 2023-09, section 3.4.1)."""


@dataclass(frozen=True, slots=True)
class Division:
    """The tasks of one take."""

    windows: tuple[tuple[int, int], ...]
    """Media frames [start, stop) of each."""
    ahead: bool
    """One task comes before them."""
    why: str
    """In a sentence, for the artist."""


def divided(request: GenerateRequest, abilities: Abilities, frames: int = AUTOMATIC) -> Division:
    """The tasks of ``request``, which ``abilities`` serves, of at most ``frames`` frames each."""
    whole = ((request.start, request.stop),)
    count = request.stop - request.start
    if request.parts:
        return Division(whole, False, "One task: looks by object are laid over each other, over the whole clip.")
    ability = abilities.mode(request.mode)
    if ability is None or ability.spans != "frames":
        return Division(whole, False, f"One task: {abilities.title} makes the frames of a clip together.")
    if frames == AUTOMATIC and request.width * request.height < _WORTH_DIVIDING:
        size = f"{request.width}×{request.height}"
        return Division(whole, False, f"One task: at {size} most of the work is carried from frame to frame, in order.")
    frames = frames or FRAMES
    if count <= frames:
        return Division(whole, False, f"One task: {_frames(count)}.")
    windows = tuple((first, min(first + frames, request.stop)) for first in range(request.start, request.stop, frames))
    return Division(
        windows, True, f"{len(windows)} tasks of up to {_frames(frames)}, after one that lays down what they share."
    )


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"
