"""Geometry of the points of one shape key: splitting, smoothing and converting closed outlines, without pixels.

A segment whose two handles are both zero is a straight line run through evenly, whatever the kind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from gen2studio.core.mask_shape import ShapePoint

Points = tuple[ShapePoint, ...]
Spot = tuple[float, float]

_POLYGON_TOLERANCE = 0.25
"""Pixels that a polygon may be away from the curve it is made of."""


_ROUND = 0.5522847498307936
"""Handles of this share of the radius make a quarter of a circle, 0.03 % off at most."""


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Points:
    """The corners of an upright rectangle, clockwise."""
    left, right = sorted((x0, x1))
    top, bottom = sorted((y0, y1))
    return (ShapePoint(left, top), ShapePoint(right, top), ShapePoint(right, bottom), ShapePoint(left, bottom))


def ellipse(x0: float, y0: float, x1: float, y1: float) -> Points:
    """Four smooth points on the ellipse inside a rectangle, clockwise from the top."""
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    rx, ry = abs(x1 - x0) / 2, abs(y1 - y0) / 2
    kx, ky = rx * _ROUND, ry * _ROUND
    return (
        ShapePoint(x, y - ry, -kx, 0.0, kx, 0.0),
        ShapePoint(x + rx, y, 0.0, -ky, 0.0, ky),
        ShapePoint(x, y + ry, kx, 0.0, -kx, 0.0),
        ShapePoint(x - rx, y, 0.0, ky, 0.0, -ky),
    )


def split(kind: str, points: Points, segment: int, t: float) -> Points:
    """One point more, ``t`` along the segment after point ``segment``; the outline stays (de Casteljau, 1959)."""
    t = min(1.0, max(0.0, t))
    before, after = points[segment], points[(segment + 1) % len(points)]
    feather = before.feather + (after.feather - before.feather) * t
    if kind != "bezier" or is_straight(before, after):
        middle = ShapePoint(*_mix((before.x, before.y), (after.x, after.y), t), feather=feather)
        return (*points[: segment + 1], middle, *points[segment + 1 :])
    p0, p3 = (before.x, before.y), (after.x, after.y)
    p1, p2 = (before.x + before.out_x, before.y + before.out_y), (after.x + after.in_x, after.y + after.in_y)
    a, b, c = _mix(p0, p1, t), _mix(p1, p2, t), _mix(p2, p3, t)
    d, e = _mix(a, b, t), _mix(b, c, t)
    x, y = _mix(d, e, t)
    middle = ShapePoint(x, y, d[0] - x, d[1] - y, e[0] - x, e[1] - y, feather)
    made = list(points)
    made[segment] = replace(before, out_x=a[0] - p0[0], out_y=a[1] - p0[1])
    end = (segment + 1) % len(points)
    made[end] = replace(made[end], in_x=c[0] - p3[0], in_y=c[1] - p3[1])
    made.insert(segment + 1, middle)
    return tuple(made)


def is_straight(before: ShapePoint, after: ShapePoint) -> bool:
    """Whether the bezier segment between two points has no handles."""
    return before.out_x == before.out_y == after.in_x == after.in_y == 0.0


def refined(points: Points) -> Points:
    """The control points of the same closed uniform cubic B-spline with every span halved.

    J. M. Lane and R. F. Riesenfeld, "A theoretical development for the computer generation and display of piecewise
    polynomial surfaces", PAMI 2 (1), 1980.
    """
    made: list[ShapePoint] = []
    count = len(points)
    for i, here in enumerate(points):
        before, after = points[i - 1], points[(i + 1) % count]
        made.append(_weighted(((before, 0.125), (here, 0.75), (after, 0.125))))
        made.append(_weighted(((here, 0.5), (after, 0.5))))
    return tuple(made)


def smoothed(points: Points, index: int) -> ShapePoint:
    """Point ``index`` with handles along the line between its neighbours, a third of the way to each."""
    before, here, after = points[index - 1], points[index], points[(index + 1) % len(points)]
    along_x, along_y = after.x - before.x, after.y - before.y
    length = math.hypot(along_x, along_y)
    if length == 0.0:
        return here
    along_x, along_y = along_x / length, along_y / length
    back = math.hypot(here.x - before.x, here.y - before.y) / 3.0
    on = math.hypot(after.x - here.x, after.y - here.y) / 3.0
    return replace(here, in_x=-along_x * back, in_y=-along_y * back, out_x=along_x * on, out_y=along_y * on)


def converted(kind: str, to: str, keys: Sequence[Points]) -> list[Points]:
    """The keys of a shape as another kind; all keep the same number of points."""
    if to == kind:
        return list(keys)
    if to == "bspline":
        return [_controls(points) for points in keys]
    curves = [_bezier_of_bspline(points) if kind == "bspline" else points for points in keys]
    if to == "bezier":
        return [tuple(_bare(p) for p in points) for points in curves] if kind == "polygon" else curves
    return _polygons(curves)


def _bare(point: ShapePoint) -> ShapePoint:
    return ShapePoint(point.x, point.y, feather=point.feather)


def _bezier_of_bspline(points: Points) -> Points:
    count = len(points)
    made: list[ShapePoint] = []
    for i, here in enumerate(points):
        before, after = points[i - 1], points[(i + 1) % count]
        on = _weighted(((before, 1 / 6), (here, 4 / 6), (after, 1 / 6)))
        x, y = (after.x - before.x) / 6.0, (after.y - before.y) / 6.0
        made.append(replace(on, in_x=-x, in_y=-y, out_x=x, out_y=y))
    return tuple(made)


def _controls(points: Points) -> Points:
    """Controls of the closed B-spline through ``points``: (before + 4·here + after) / 6 = point, solved by sweeps.

    The system is diagonally dominant: every sweep (Gauss and Seidel) more than halves what is left.
    """
    count = len(points)
    xs, ys, fs = ([getattr(p, name) for p in points] for name in ("x", "y", "feather"))
    for values in (xs, ys, fs):
        aims = list(values)
        for _ in range(64):
            for i in range(count):
                values[i] = (6.0 * aims[i] - values[i - 1] - values[(i + 1) % count]) / 4.0
    return tuple(ShapePoint(x, y, feather=f) for x, y, f in zip(xs, ys, fs, strict=True))


def _polygons(keys: Sequence[Points]) -> list[Points]:
    """Beziers cut into straight pieces, as many a segment as the key that bends most needs (Wang, 1984)."""
    count = len(keys[0])
    pieces = [1] * count
    for points in keys:
        for i in range(count):
            before, after = points[i], points[(i + 1) % count]
            if not is_straight(before, after):
                bend = _bend(before, after)
                pieces[i] = max(pieces[i], math.ceil(math.sqrt(0.75 * bend / _POLYGON_TOLERANCE)))
    made: list[Points] = []
    for points in keys:
        outline: list[ShapePoint] = []
        for i in range(count):
            before, after = points[i], points[(i + 1) % count]
            outline.extend(_on_segment(before, after, step / pieces[i]) for step in range(pieces[i]))
        made.append(tuple(outline))
    return made


def _bend(before: ShapePoint, after: ShapePoint) -> float:
    """The longest second difference of a segment's controls."""
    x0, y0, x3, y3 = before.x, before.y, after.x, after.y
    x1, y1, x2, y2 = x0 + before.out_x, y0 + before.out_y, x3 + after.in_x, y3 + after.in_y
    return max(math.hypot(x0 - 2 * x1 + x2, y0 - 2 * y1 + y2), math.hypot(x1 - 2 * x2 + x3, y1 - 2 * y2 + y3))


def _on_segment(before: ShapePoint, after: ShapePoint, t: float) -> ShapePoint:
    feather = before.feather + (after.feather - before.feather) * t
    if is_straight(before, after):
        return ShapePoint(*_mix((before.x, before.y), (after.x, after.y), t), feather=feather)
    s = 1.0 - t
    weights = (s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t)
    xs = (before.x, before.x + before.out_x, after.x + after.in_x, after.x)
    ys = (before.y, before.y + before.out_y, after.y + after.in_y, after.y)
    x = sum(w * v for w, v in zip(weights, xs, strict=True))
    y = sum(w * v for w, v in zip(weights, ys, strict=True))
    return ShapePoint(x, y, feather=feather)


def _mix(a: Spot, b: Spot, t: float) -> Spot:
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def _weighted(parts: Sequence[tuple[ShapePoint, float]]) -> ShapePoint:
    return ShapePoint(
        sum(p.x * w for p, w in parts), sum(p.y * w for p, w in parts), feather=sum(p.feather * w for p, w in parts)
    )
