"""Which frames a propagation walks over, in which direction, and what each frame's matte is made from."""

from __future__ import annotations

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


def spans_of(object_id: str, anchors: list[int], wanted: range) -> list[Span]:
    """The spans one object needs: outward from its outer anchors, and both ways between neighbouring anchors.

    Only spans that touch ``wanted`` are walked, and no further than its far end.
    """
    if not anchors or not len(wanted):
        return []
    anchors = sorted(anchors)
    first, last = wanted[0], wanted[-1]
    spans: list[Span] = []
    if first < anchors[0]:
        spans.append(Span(object_id, anchors[0], first, BACKWARD))
    for before, after in pairwise(anchors):
        low, high = max(before + 1, first), min(after - 1, last)
        if low <= high:
            spans.append(Span(object_id, before, high, FORWARD))
            spans.append(Span(object_id, after, low, BACKWARD))
    if last > anchors[-1]:
        spans.append(Span(object_id, anchors[-1], last, FORWARD))
    return spans


def blend_share(frame: int, before: int, after: int) -> float:
    """How much the later anchor counts at ``frame``: 0 at ``before`` … 1 at ``after``."""
    return (frame - before) / (after - before)
