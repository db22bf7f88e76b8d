"""Snapping: the frames a drag is drawn to."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from collections.abc import Sequence as Points
from typing import NamedTuple

from gen2studio.document.model import Sequence


class Snap(NamedTuple):
    delta: int
    """Frames to add to the dragged span."""
    point: int
    """The frame it snapped to: where the guide line is drawn."""


def snap_points(
    sequence: Sequence,
    *,
    exclude: Collection[str] = frozenset(),
    playhead: int | None = None,
    markers: bool = True,
    extra: Collection[int] = (),
) -> list[int]:
    """Sorted frames to snap to: clip edges (but those of ``exclude``, the dragged clips), frame 0, the playhead,
    markers, in and out. Compute once at the start of a drag."""
    points = {0, *extra}
    for track in sequence.tracks:
        for clip in track.clips:
            if clip.id not in exclude:
                points.add(clip.start)
                points.add(clip.start + clip.duration)
    points.update(p for p in (playhead, sequence.in_point, sequence.out_point) if p is not None)
    if markers:
        points.update(marker.frame for marker in sequence.markers)
    return sorted(points)


def snap(frame: int, points: Points[int], tolerance: int) -> int | None:
    """The point nearest to ``frame`` within ``tolerance`` frames, or None. Ties go to the earlier point."""
    index = bisect_left(points, frame)
    near = points[max(0, index - 1) : index + 1]
    best = min(near, key=lambda point: (abs(point - frame), point), default=None)
    return best if best is not None and abs(best - frame) <= tolerance else None


def snap_span(start: int, stop: int, points: Points[int], tolerance: int) -> Snap | None:
    """How to shift a dragged span so that its start or end (whichever is nearer) lies on a point."""
    found = [
        Snap(point - edge, point) for edge in (start, stop) if (point := snap(edge, points, tolerance)) is not None
    ]
    return min(found, key=lambda item: abs(item.delta), default=None)
