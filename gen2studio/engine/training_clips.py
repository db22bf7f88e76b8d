"""Which frames of a clip a training sees: windows of 4k + 1 frames, at the model's own rate or frame by frame.

Video models learn windows, not films. A clip is thinned to the rate the model was made for, so that what takes a second
takes a second, and windows are cut from that (the ways are those that artists know from other trainers):

``head``     one window, from the clip's beginning: a motion that the clip shows once.
``uniform``  up to four windows spread evenly from the beginning to the end: a subject, a style, a motion that goes on.
``chunk``    window after window, as many as fit: everything that the clip shows.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

WAYS = ("head", "uniform", "chunk")
SPREAD = 4
"""Windows of a clip that are spread evenly."""
MOST_WINDOWS = 160
"""Windows of one training set: what is encoded of them lies in memory for the whole training."""
_STEP = 4
"""Frames that a causal video VAE takes at a time, after a first one by itself."""


def frames_at(start: int, stop: int, source_rate: Fraction, rate: Fraction | None) -> tuple[int, ...]:
    """The media frames of [start, stop) that a model of ``rate`` frames per second sees, rising.

    A clip of fewer frames per second than the model's gives each of its frames once: repeating them would teach the
    model to stand still every now and then. ``rate`` None = every frame.
    """
    if rate is None or source_rate <= rate:
        return tuple(range(start, stop))
    step = source_rate / rate
    return tuple(start + int(index * step) for index in range(ceil((stop - start) / step)))


def window_length(count: int, wanted: int) -> int:
    """The longest 4k + 1 frames that are neither more than ``count`` nor than ``wanted``; at least one."""
    return (max(1, min(count, wanted)) - 1) // _STEP * _STEP + 1


def windows(frames: tuple[int, ...], wanted: int, way: str, most: int = MOST_WINDOWS) -> tuple[tuple[int, ...], ...]:
    """Windows of ``wanted`` frames out of ``frames``, by one of :data:`WAYS`, ``most`` of them at most.

    A clip that is shorter than a window gives one shorter window. Raises ValueError for another way.
    """
    if way not in WAYS:
        raise ValueError(f"there is no way “{way}” to cut windows")
    if not frames:
        return ()
    length = window_length(len(frames), wanted)
    room = len(frames) - length
    if way == "head":
        starts = [0]
    elif way == "chunk":
        starts = list(range(0, room + 1, length))
    else:
        # Windows that share more than half of their frames show nothing new.
        count = min(SPREAD, 1 + 2 * room // max(1, length))
        starts = [round(room * index / max(1, count - 1)) for index in range(count)]
    if len(starts) > most:
        starts = [starts[round(index * (len(starts) - 1) / max(1, most - 1))] for index in range(max(1, most))]
    return tuple(frames[first : first + length] for first in starts)
