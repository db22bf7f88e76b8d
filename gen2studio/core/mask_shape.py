"""Outlines drawn with points: the saved form of bezier, B-spline, polygon and ellipse shapes and their keys."""

from __future__ import annotations

from bisect import bisect_left

from gen2studio.core.records import dataclass

KINDS = ("bezier", "bspline", "polygon")
OPERATIONS = ("add", "subtract", "intersect")


@dataclass(frozen=True, slots=True)
class ShapePoint:
    """A control point in display pixels of the media; the pixel (0, 0) covers 0…1.

    ``in_*`` and ``out_*`` are the bezier handles relative to the point (0, 0 = a corner); other kinds ignore them.
    """

    x: float
    y: float
    in_x: float = 0.0
    in_y: float = 0.0
    out_x: float = 0.0
    out_y: float = 0.0
    feather: float = 0.0
    """Pixels over which the edge fades at this point: outwards when positive, inwards when negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskShape:
    """One closed outline of a mask object.

    ``keys`` [(media frame, points), …] is sorted by frame and never empty; every key has the same number of points:
    a point that is added or removed is added to or removed from all keys. Between keys points, handles and feather
    move in straight lines; the outer keys hold. A shape with one key stands still.
    """

    id: str
    name: str = ""
    kind: str = "bezier"
    """bezier, bspline (uniform cubic) or polygon."""
    operation: str = "add"
    """add, subtract or intersect: how the shape changes what was painted and the shapes before it."""
    visible: bool = True
    start: int | None = None
    """First media frame it counts on; None = from the beginning."""
    stop: int | None = None
    """The media frame it no longer counts on; None = to the end."""
    keys: tuple[tuple[int, tuple[ShapePoint, ...]], ...] = ()

    def lives_at(self, frame: int) -> bool:
        after = self.start is None or frame >= self.start
        return self.visible and bool(self.keys) and after and (self.stop is None or frame < self.stop)

    def points_at(self, frame: int) -> tuple[ShapePoint, ...]:
        """The points on a media frame, between keys in straight lines; () without keys."""
        keys = self.keys
        if not keys:
            return ()
        index = bisect_left(keys, frame, key=lambda key: key[0])
        if index == len(keys):
            return keys[-1][1]
        after, high = keys[index]
        if index == 0 or after == frame:
            return high
        before, low = keys[index - 1]
        return between(low, high, (frame - before) / (after - before))


def between(low: tuple[ShapePoint, ...], high: tuple[ShapePoint, ...], t: float) -> tuple[ShapePoint, ...]:
    """Points ``t`` (0…1) of the way from ``low`` to ``high``, which have the same number."""
    s = 1.0 - t
    return tuple(
        ShapePoint(
            a.x * s + b.x * t,
            a.y * s + b.y * t,
            a.in_x * s + b.in_x * t,
            a.in_y * s + b.in_y * t,
            a.out_x * s + b.out_x * t,
            a.out_y * s + b.out_y * t,
            a.feather * s + b.feather * t,
        )
        for a, b in zip(low, high, strict=True)
    )
