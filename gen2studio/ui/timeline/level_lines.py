"""The level lines of a whole row as one run of points, made once and kept with the row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from gen2studio.core.curve import Curve, CurveKey, Ease
from gen2studio.document.model import Clip, TrackKind
from gen2studio.ui.timeline import handles
from gen2studio.ui.timeline.layout import Row

if TYPE_CHECKING:
    from numpy.typing import NDArray

CURVED = 16
"""Points on a stretch that is not straight."""
JUMP = 1e-6
"""Frames in which a line jumps: from clip to clip, and behind a key that holds."""


def level_values(row: Row) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(part of every clip in its middle, whether it has keys); parts as :func:`level_line` has them."""
    if row.levels is None:
        video = row.track.kind is TrackKind.VIDEO
        count = len(row.clips)
        if video:
            curves = [clip.opacity for clip in row.clips]
            parts = np.fromiter(_middles(curves, row), np.float64, count)
        else:
            curves = [clip.volume for clip in row.clips]
            parts = np.fromiter(_middles(curves, row), np.float64, count)
            parts = (parts + row.facts.gain - handles.QUIET) / (handles.LOUD - handles.QUIET)
        row.levels = parts, np.fromiter((bool(curve.keys) for curve in curves), bool, count)
    return row.levels


def level_keys(row: Row, clip: Clip) -> list[CurveKey]:
    """The keys of a clip's line that lie inside it."""
    curve = handles.level_curve(row.track, clip)
    return [key for key in curve.keys if 0 <= key.frame < clip.duration]


def _middles(curves: Iterable[Curve], row: Row) -> Iterator[float]:
    for curve, clip in zip(curves, row.clips, strict=True):
        yield curve.at(clip.duration // 2) if curve.keys else curve.value


def level_line(row: Row) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(frames, parts): points of the opacity or volume of the clips of a row that have keys, to be joined by straight
    lines. Parts are 0 at the foot … 1 at the top and may lie outside."""
    if row.line is None:
        video = row.track.kind is TrackKind.VIDEO
        frames: list[float] = []
        parts: list[float] = []
        span = handles.LOUD - handles.QUIET
        for k in np.flatnonzero(level_values(row)[1]).tolist():
            clip = row.clips[k]
            at, values = _points(clip.opacity if video else clip.volume, clip.duration)
            frames += [clip.start + f for f in at]
            parts += values if video else [(value + clip.gain_db - handles.QUIET) / span for value in values]
        row.line = np.asarray(frames), np.asarray(parts)
    return row.line


def _points(curve: Curve, duration: int) -> tuple[list[float], list[float]]:
    frames: list[float] = [0.0]
    for key, following in zip(curve.keys, (*curve.keys[1:], None), strict=True):
        frames.append(key.frame)
        if following is None or key.ease is Ease.LINEAR:
            continue
        if key.ease is Ease.HOLD:
            frames.append(following.frame - JUMP)
        else:
            length = following.frame - key.frame
            frames += [key.frame + length * step / CURVED for step in range(1, CURVED)]
    frames = sorted({f for f in frames if 0 <= f < duration} | {0.0, duration - JUMP})
    return frames, [curve.at(f) for f in frames]
