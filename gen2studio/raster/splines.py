"""Drawn outlines as antialiased coverage: bezier, uniform cubic B-spline and polygon shapes with per-point feather.

Every kind becomes cubic bezier segments (a B-spline span is one exactly: Böhm, "Inserting new knots into B-spline
curves", CAD 12 (4), 1980), which are cut into straight pieces by the bound of G. Wang, "The subdivision method for
finding the intersection between two Bézier curves or surfaces", Zhejiang University Journal, 1984. The inside is filled
by exact scan lines (:mod:`gen2studio.raster.shapes`).

A feathered edge is the upper envelope of cones that stand on the outline, each as wide as the feather there: the
coverage outside is the maximum over outline points q of 1 − |p − q| / feather(q), inside it is the minimum of
|p − q| / −feather(q). For one feather width that is the distance ramp; where the width changes along the outline it
stays continuous, which a ramp over the nearest point alone would not. Everything happens inside the shape's box.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.raster import shapes as regions
from gen2studio.raster.brush import EMPTY
from gen2studio.raster.tiles import Mask

FLATNESS = 0.02
"""Pixels that a straight piece may be away from its curve."""
_FAR = np.float32(4.0)
"""More than any feather position that counts (1)."""

Floats = NDArray[np.float64]


Part = tuple[str, Rect, Mask]
"""(operation, where, (h, w) uint8 coverage) of one shape on one frame."""


def matte_with_shapes(painted: Mask | None, shapes: Sequence[MaskShape], frame: int, extent: Extent) -> Mask:
    """What was painted with the shapes that count on ``frame`` added, subtracted and intersected in order.

    ``painted`` is (H, W) uint8 or None for nothing; it is never changed, and is the answer itself where no shape counts
    on the frame. Otherwise a new (H, W) uint8 array. Shapes join like sets with soft edges (Zadeh, "Fuzzy sets", 1965):
    the larger value, the smaller of one and the other's rest, the smaller value; so a shape laid twice changes nothing.
    """
    height, width = extent.height, extent.width
    if painted is not None and painted.shape != (height, width):
        raise ValueError(f"the matte is {painted.shape[1]}x{painted.shape[0]}, the picture {width}x{height}")
    parts = [(shape.operation, *rasterise(shape, frame, extent)) for shape in shapes if shape.lives_at(frame)]
    if painted is None:
        painted = np.zeros((height, width), np.uint8)
    return laid(painted, parts) if parts else painted


def rasterise(shape: MaskShape, frame: int, extent: Extent) -> tuple[Rect, Mask]:
    """Coverage of one shape on a frame and where it lies: (rectangle inside the picture, (h, w) uint8).

    Visibility and life span are not asked. The rectangle is empty for fewer than three points or outside the picture.
    """
    return coverage(segments(shape.kind, shape.points_at(frame)), extent)


def laid(painted: Mask, parts: Sequence[Part]) -> Mask:
    """A new matte: ``painted`` with the ``parts`` laid on in order."""
    out = np.empty_like(painted)
    lay_parts(out, painted, parts, Rect(0, 0, painted.shape[1], painted.shape[0]))
    return out


def lay_parts(out: Mask, painted: Mask, parts: Sequence[Part], area: Rect) -> None:
    """Set ``area`` of ``out`` to ``painted`` with the ``parts`` laid on in order; the rest stays."""
    if area.empty:
        return
    target = out[area.y : area.bottom, area.x : area.right]
    target[:] = painted[area.y : area.bottom, area.x : area.right]
    for operation, where, cover in parts:
        spot = where.intersected(area)
        window = out[spot.y : spot.bottom, spot.x : spot.right]
        part = cover[spot.y - where.y : spot.bottom - where.y, spot.x - where.x : spot.right - where.x]
        if operation == "add":
            if not spot.empty:
                cv2.max(window, part, window)
        elif operation == "subtract":
            if not spot.empty:
                cv2.min(window, cv2.bitwise_not(part), window)
        else:
            kept = cv2.min(window, part) if not spot.empty else None
            target[:] = 0
            if kept is not None:
                window[:] = kept


def outline(kind: str, points: Sequence[ShapePoint], flatness: float = FLATNESS) -> Floats:
    """(N, 3) float64: x, y and feather along the closed outline, at most ``flatness`` px from the true curve."""
    return flattened(segments(kind, points), flatness)


def segments(kind: str, points: Sequence[ShapePoint]) -> Floats:
    """(N, 4, 3) float64 cubic bezier segments of the closed outline: x, y and feather of their four controls.

    Segment i starts at point i (beside it, for a B-spline). Feather runs evenly from point to point.
    """
    count = len(points)
    if count < 2:
        return np.zeros((0, 4, 3))
    table = np.array([(p.x, p.y, p.in_x, p.in_y, p.out_x, p.out_y, p.feather) for p in points], np.float64)
    table = table.reshape(count, 7)
    here, after = table, np.roll(table, -1, 0)
    out = np.empty((count, 4, 3))
    if kind == "bspline":
        own = table[:, [0, 1, 6]]
        before, following = np.roll(own, 1, 0), np.roll(own, -1, 0)
        start = (before + 4.0 * own + following) / 6.0
        out[:, 0] = start
        out[:, 1] = (2.0 * own + following) / 3.0
        out[:, 2] = (own + 2.0 * following) / 3.0
        out[:, 3] = np.roll(start, -1, 0)
        return out
    out[:, 0, :2] = here[:, :2]
    out[:, 3, :2] = after[:, :2]
    curved = 1.0 if kind == "bezier" else 0.0
    out[:, 1, :2] = here[:, :2] + curved * here[:, 4:6]
    out[:, 2, :2] = after[:, :2] + curved * after[:, 2:4]
    low, high = here[:, 6], after[:, 6]
    out[:, :, 2] = low[:, None] + (high - low)[:, None] * np.array([0.0, 1.0, 2.0, 3.0]) / 3.0
    return out


def flattened(curves: Floats, flatness: float | Floats = FLATNESS) -> Floats:
    """(M, 3) points along (N, 4, 3) cubic segments, the end of the last left out; ``flatness`` may be one a segment."""
    bend = np.abs(np.diff(curves[:, :, :2], 2, axis=1))
    bend = np.hypot(bend[:, :, 0], bend[:, :, 1]).max(1, initial=0.0)
    pieces = np.ceil(np.sqrt(0.75 * bend / flatness)).astype(np.int64).clip(1, 4096)
    # A segment without handles is straight, however unevenly its parameter runs.
    handles = np.abs(curves[:, 1:3, :2] - curves[:, ::3, :2]).max((1, 2), initial=0.0)
    pieces[handles == 0.0] = 1
    which = np.repeat(np.arange(len(curves)), pieces)
    step = np.arange(len(which)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    t = (step / pieces[which])[:, None]
    a, b, c, d = (curves[which, i] for i in range(4))
    s = 1.0 - t
    return s * s * s * a + 3.0 * s * s * t * b + 3.0 * s * t * t * c + t * t * t * d


def reach(curves: Floats) -> Rect:
    """Pixels that (N, 4, 3) segments may cover, feather and antialiasing included; EMPTY without segments."""
    if not len(curves):
        return EMPTY
    soft = max(0.0, float(curves[:, :, 2].max())) + 1.5
    low = np.floor(curves[:, :, :2].min((0, 1)) - soft)
    high = np.ceil(curves[:, :, :2].max((0, 1)) + soft)
    return Rect(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))


def changed(old: Floats, new: Floats) -> Rect:
    """Pixels whose coverage may differ between two outlines. Where only some segments moved it is the box of those: the
    coverage changes between the old and the new course of a segment and in reach of its feather, nowhere else."""
    if old.shape != new.shape:
        return reach(old).united(reach(new))
    moved = (old != new).any((1, 2))
    if not moved.any():
        return EMPTY
    inwards = -min(0.0, float(old[moved][:, :, 2].min()), float(new[moved][:, :, 2].min()))
    return reach(old[moved]).united(reach(new[moved])).grown(math.ceil(inwards))


def coverage(curves: Floats, extent: Extent) -> tuple[Rect, Mask]:
    """Coverage of a closed outline of (N, 4, 3) cubic segments, and where it lies inside the picture."""
    line = flattened(curves)
    if len(line) < 3:
        return EMPTY, np.zeros((0, 0), np.uint8)
    area = reach(curves).intersected(Rect.of(extent))
    if area.empty:
        return EMPTY, np.zeros((0, 0), np.uint8)
    return area, _covered(curves, line, area)


def patched(curves: Floats, extent: Extent, old: tuple[Rect, Mask], where: Rect) -> tuple[Rect, Mask]:
    """:func:`coverage` of an outline that differs from that of ``old`` inside ``where`` only."""
    line = flattened(curves)
    area = reach(curves).intersected(Rect.of(extent))
    if len(line) < 3 or area.empty:
        return EMPTY, np.zeros((0, 0), np.uint8)
    out = np.zeros((area.height, area.width), np.uint8)
    kept = old[0].intersected(area)
    _window(out, area, kept)[:] = _window(old[1], old[0], kept)
    fresh = where.intersected(area)
    if not fresh.empty:
        _window(out, area, fresh)[:] = _covered(curves, line, fresh)
    return area, out


def _window(mask: Mask, area: Rect, part: Rect) -> Mask:
    """``part`` of the mask of ``area``."""
    return mask[part.y - area.y : part.bottom - area.y, part.x - area.x : part.right - area.x]


def _covered(curves: Floats, line: Floats, area: Rect) -> Mask:
    """(h, w) coverage of ``area`` by a closed outline, which is ``line`` cut fine enough for its edge."""
    out = np.zeros((area.height, area.width), np.uint8)
    inner, solid = regions.polygon(Extent(area.width, area.height), line[:, :2] - (area.x, area.y))
    if not inner.empty:
        out[inner.y : inner.bottom, inner.x : inner.right] = solid
    if line[:, 2].any():
        # A wide ramp hides what a coarser curve does to it.
        width = np.abs(curves[:, :, 2]).min(1)
        _feather(out, area, flattened(curves, np.maximum(FLATNESS, width / 128.0)))
    return out


def _feather(solid: Mask, area: Rect, line: Floats) -> None:
    """Let the edge of ``solid``, the coverage of ``area``, fade over the feather of ``line``. Changes it in place."""
    starts, ends = _cut_at_zero(line)
    widest = np.where(np.abs(starts[:, 2]) > np.abs(ends[:, 2]), starts[:, 2], ends[:, 2])
    pixels = solid.reshape(-1)
    one, two = np.float32(1.0), np.float32(2.0)
    for outward in (True, False):
        chosen = widest > 0 if outward else widest < 0
        if not chosen.any():
            continue
        # How far from the edge in feather widths, half a pixel before the edge being 0: so both sides meet in the
        # antialiased edge of no feather at all.
        field = _positions(area, starts[chosen], np.abs(widest[chosen]), ends[chosen]).reshape(-1)
        near = np.flatnonzero(field < one)
        far, level = field[near], pixels[near]
        share = level * np.float32(1.0 / 255.0)
        rest = one - share if outward else share
        # On the side that keeps its pixels only the antialiased edge itself joins the ramp.
        far = np.where((level >= 128) == outward, two * rest * far, far)
        rest = np.minimum(rest, far, out=rest)
        share = one - rest if outward else rest
        pixels[near] = np.rint(share * np.float32(255.0)).astype(np.uint8)


def _cut_at_zero(line: Floats) -> tuple[Floats, Floats]:
    """Pieces (start, end) of the closed line, cut where the feather changes its side; those without feather are left
    out."""
    starts, ends = line, np.roll(line, -1, 0)
    crossing = starts[:, 2] * ends[:, 2] < 0
    if crossing.any():
        a, b = starts[crossing], ends[crossing]
        t = (a[:, 2] / (a[:, 2] - b[:, 2]))[:, None]
        middle = a + t * (b - a)
        middle[:, 2] = 0.0
        starts = np.concatenate([starts[~crossing], a, middle])
        ends = np.concatenate([ends[~crossing], middle, b])
    soft = (starts[:, 2] != 0) | (ends[:, 2] != 0)
    return starts[soft], ends[soft]


def _positions(area: Rect, starts: Floats, widths: Floats, ends: Floats) -> NDArray[np.float32]:
    """(h, w) float32: the least (distance + ½) / (feather + 1) over the pieces; large where none is near.

    Wide ramps are smooth: they are worked out on a coarser grid, a thirty-second of their width, and drawn up.
    """
    whole = np.full((area.height, area.width), _FAR, np.float32)
    scales = np.select([widths >= 256, widths >= 128, widths >= 64], [8, 4, 2], 1)
    for scale in (1, 2, 4, 8):
        chosen = scales == scale
        if not chosen.any():
            continue
        if scale == 1:
            _lower(whole, area, starts[chosen], ends[chosen], 1)
            continue
        # The coarse grid is that of the picture, with a cell to spare: parts of an outline fit together.
        x, y = (area.x // scale - 1) * scale, (area.y // scale - 1) * scale
        columns, rows = -(-(area.right - x) // scale) + 1, -(-(area.bottom - y) // scale) + 1
        coarse = np.full((rows, columns), _FAR, np.float32)
        _lower(coarse, Rect(x, y, columns * scale, rows * scale), starts[chosen], ends[chosen], scale)
        fine = cv2.resize(coarse, (columns * scale, rows * scale), interpolation=cv2.INTER_LINEAR)
        left, top = area.x - x, area.y - y
        np.minimum(whole, fine[top : top + area.height, left : left + area.width], out=whole)
    return whole


def _lower(field: NDArray[np.float32], area: Rect, starts: Floats, ends: Floats, scale: int) -> None:
    """Lower ``field`` to (distance + ½) / (feather + 1) of every piece, within reach of it. Cells are ``scale`` px."""
    rows, columns = field.shape
    soft = np.maximum(np.abs(starts[:, 2]), np.abs(ends[:, 2]))
    low = np.minimum(starts[:, :2], ends[:, :2]) - soft[:, None] - 1.0
    high = np.maximum(starts[:, :2], ends[:, :2]) + soft[:, None] + 1.0
    corner = np.array([area.x, area.y], np.float64)
    first = np.floor((low - corner) / scale).astype(int).clip(0, [columns, rows])
    stop = np.ceil((high - corner) / scale).astype(int).clip(0, [columns, rows])
    xs = ((np.arange(columns) + 0.5) * scale + area.x).astype(np.float32)
    ys = ((np.arange(rows) + 0.5) * scale + area.y).astype(np.float32)
    one = np.float32(1.0)
    seen = (first < stop).all(1)
    starts, ends, first, stop = starts[seen], ends[seen], first[seen], stop[seen]
    half = np.float32(0.5)
    rows_of = zip(starts.tolist(), ends.tolist(), first.tolist(), stop.tolist(), strict=True)
    for (x0, y0, f0), (x1, y1, f1), (left, top), (right, bottom) in rows_of:
        dx, dy = xs[None, left:right] - np.float32(x0), ys[top:bottom, None] - np.float32(y0)
        vx, vy = x1 - x0, y1 - y0
        length = max(1e-12, vx * vx + vy * vy)
        t = dx * np.float32(vx / length) + dy * np.float32(vy / length)
        np.clip(t, 0.0, one, out=t)
        near = cv2.magnitude(dx - t * np.float32(vx), dy - t * np.float32(vy))
        near += half
        low_width, high_width = abs(f0) + 1.0, abs(f1) + 1.0
        if low_width == high_width:
            near *= np.float32(1.0 / low_width)
        else:
            t *= np.float32(high_width - low_width)
            t += np.float32(low_width)
            near /= t
        window = field[top:bottom, left:right]
        np.minimum(window, near, out=window)
