"""Which frames a propagation walks over, in which direction, and what each frame's matte is made from."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from gen2studio.core.errors import StudioError
from gen2studio.engine.requests import PropagateRequest

Direction = Literal[1, -1]
FORWARD: Direction = 1
BACKWARD: Direction = -1


@dataclass(frozen=True, slots=True)
class Span:
    """One object carried from ``anchor`` towards ``last`` (inclusive) in ``direction``."""

    object_id: str
    anchor: int
    last: int
    direction: Direction

    @property
    def frames(self) -> range:
        """The carried frames in walking order, without the anchor."""
        return range(self.anchor + self.direction, self.last + self.direction, self.direction)


def wanted_range(request: PropagateRequest) -> range:
    """The media frames that shall get a matte: [start, stop), on the asked side of ``from_frame``."""
    start, stop = max(0, request.start), request.stop
    if request.source.frame_count > 0:
        stop = min(stop, request.source.frame_count)
    if request.direction == "forward":
        start = max(start, request.from_frame)
    elif request.direction == "backward":
        stop = min(stop, request.from_frame + 1)
    elif request.direction != "both":
        raise StudioError(f"“{request.direction}” is not a direction.", "Use forward, backward or both.")
    return range(start, max(start, stop))


def spans_of(object_id: str, anchors: list[int], wanted: range, settled: Collection[int] = ()) -> list[Span]:
    """The spans one object needs: outward from its outer anchors, and both ways between neighbouring anchors.

    Only spans that hold frames of ``wanted`` which are not ``settled`` are walked, and no further than the last such.
    """
    anchors = sorted(anchors)
    left = [frame for frame in wanted if frame not in settled and frame not in anchors]
    if not anchors or not left:
        return []
    spans: list[Span] = []
    if left[0] < anchors[0]:
        spans.append(Span(object_id, anchors[0], left[0], BACKWARD))
    for before, after in pairwise(anchors):
        within = left[bisect_right(left, before) : bisect_left(left, after)]
        if within:
            spans.append(Span(object_id, before, within[-1], FORWARD))
            spans.append(Span(object_id, after, within[0], BACKWARD))
    if left[-1] > anchors[-1]:
        spans.append(Span(object_id, anchors[-1], left[-1], FORWARD))
    return spans


def blend_share(frame: int, before: int, after: int) -> float:
    """How much the later anchor counts at ``frame``: 0 at ``before`` … 1 at ``after``."""
    return (frame - before) / (after - before)
