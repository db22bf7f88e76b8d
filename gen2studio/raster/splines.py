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


def matte_with_shapes(painted: Mask | None, shapes: Sequence[MaskShape], frame: int, extent: Extent) -> Mask:
    """What was painted with the shapes that count on ``frame`` added, subtracted and intersected in order.

    ``painted`` is (H, W) uint8 or None for nothing; it is never changed, and is the answer itself where no shape counts
    on the frame. Otherwise a new (H, W) uint8 array. Shapes join like sets with soft edges (Zadeh, "Fuzzy sets", 1965):
    the larger value, the smaller of one and the other's rest, the smaller value; so a shape laid twice changes nothing.
    """
    height, width = extent.height, extent.width
    if painted is not None and painted.shape != (height, width):
        raise ValueError(f"the matte is {painted.shape[1]}x{painted.shape[0]}, the picture {width}x{height}")
    alive = [shape for shape in shapes if shape.lives_at(frame)]
    if not alive:
        return painted if painted is not None else np.zeros((height, width), np.uint8)
    out = painted.copy() if painted is not None else np.zeros((height, width), np.uint8)
    for shape in alive:
        area, coverage = rasterise(shape, frame, extent)
        window = out[area.y : area.bottom, area.x : area.right]
        if shape.operation == "add":
            if not area.empty:
                cv2.max(window, coverage, window)
        elif shape.operation == "subtract":
            if not area.empty:
                cv2.min(window, cv2.bitwise_not(coverage), window)
        else:
            kept = cv2.min(window, coverage) if not area.empty else None
            out[:] = 0
            if kept is not None:
                window[:] = kept
    return out


def rasterise(shape: MaskShape, frame: int, extent: Extent) -> tuple[Rect, Mask]:
    """Coverage of one shape on a frame and where it lies: (rectangle inside the picture, (h, w) uint8).

    Visibility and life span are not asked. The rectangle is empty for fewer than three points or outside the picture.
    """
    return coverage(outline(shape.kind, shape.points_at(frame)), extent)


def outline(kind: str, points: Sequence[ShapePoint], flatness: float = FLATNESS) -> Floats:
    """(N, 3) float64: x, y and feather along the closed outline, at most ``flatness`` px from the true curve."""
    if len(points) < 2:
        return np.zeros((0, 3))
    return flattened(segments(kind, points), flatness)


def segments(kind: str, points: Sequence[ShapePoint]) -> Floats:
    """(N, 4, 3) float64 cubic bezier segments of the closed outline: x, y and feather of their four controls.

    Segment i starts at point i (beside it, for a B-spline). Feather runs evenly from point to point.
    """
    count = len(points)
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


def flattened(curves: Floats, flatness: float = FLATNESS) -> Floats:
    """(M, 3) points along (N, 4, 3) cubic segments, the end of the last left out. Straight ones are one piece."""
    bend = np.abs(np.diff(curves[:, :, :2], 2, axis=1))
    bend = np.hypot(bend[:, :, 0], bend[:, :, 1]).max(1)
    chord = np.linalg.norm(curves[:, 3, :2] - curves[:, 0, :2], axis=1)
    pieces = np.ceil(np.sqrt(0.75 * bend / flatness)).astype(np.int64).clip(1, 4096)
    # A straight segment needs no cuts even where its handles make the parameter run unevenly.
    pieces[_straight(curves, chord)] = 1
    which = np.repeat(np.arange(len(curves)), pieces)
    step = np.arange(len(which)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    t = (step / pieces[which])[:, None]
    a, b, c, d = (curves[which, i] for i in range(4))
    s = 1.0 - t
    return s * s * s * a + 3.0 * s * s * t * b + 3.0 * s * t * t * c + t * t * t * d


def _straight(curves: Floats, chord: Floats) -> NDArray[np.bool_]:
    """Segments whose controls are all one (a point) or which have no handles at all."""
    first = np.abs(curves[:, 1, :2] - curves[:, 0, :2]).max(1)
    second = np.abs(curves[:, 2, :2] - curves[:, 3, :2]).max(1)
    return (first == 0.0) & (second == 0.0) | (chord + first + second == 0.0)


def coverage(line: Floats, extent: Extent) -> tuple[Rect, Mask]:
    """Coverage of a closed (N, 3) outline of x, y, feather, and where it lies."""
    if len(line) < 3:
        return EMPTY, np.zeros((0, 0), np.uint8)
    reach = math.ceil(max(0.0, float(line[:, 2].max())) + 0.5) if line[:, 2].max() > 0 else 0
    low, high = np.floor(line[:, :2].min(0)), np.ceil(line[:, :2].max(0))
    whole = Rect(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
    area = whole.grown(reach).intersected(Rect.of(extent))
    if area.empty:
        return EMPTY, np.zeros((0, 0), np.uint8)
    inner, solid = regions.polygon(extent, line[:, :2])
    if inner == area:
        out = solid
    else:
        out = np.zeros((area.height, area.width), np.uint8)
        if not inner.empty:
            y, x = inner.y - area.y, inner.x - area.x
            out[y : y + inner.height, x : x + inner.width] = solid
    if line[:, 2].any():
        out = _feathered(out, area, line)
    return area, out


def _feathered(solid: Mask, area: Rect, line: Floats) -> Mask:
    """``solid`` coverage of ``area`` with the edge of ``line`` fading over its feather."""
    starts, ends = _cut_at_zero(line)
    widest = np.where(np.abs(starts[:, 2]) > np.abs(ends[:, 2]), starts[:, 2], ends[:, 2])
    share = solid.astype(np.float32) / np.float32(255.0)
    inside = solid >= 128
    for outward in (True, False):
        chosen = widest > 0 if outward else widest < 0
        if not chosen.any():
            continue
        # Pixels from the edge in feather widths, half a pixel before the edge being 0: both sides meet in the
        # antialiased edge of no feather at all.
        far = _positions(area, starts[chosen], np.abs(widest[chosen]), ends[chosen])
        rest = np.float32(1.0) - share if outward else share
        faded = np.minimum(rest, far)
        beyond = np.minimum(rest, 2.0 * rest * far)
        result = np.where(inside, beyond, faded) if outward else np.where(inside, faded, beyond)
        share = np.float32(1.0) - result if outward else result
    return np.rint(share * np.float32(255.0)).astype(np.uint8)


def _cut_at_zero(line: Floats) -> tuple[Floats, Floats]:
    """Pieces (start, end) of the closed line, cut where the feather changes its side, those without feather left out."""
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

    Wide ramps are smooth: they are worked out on a coarser grid, a fiftieth of their width, and drawn up.
    """
    whole = np.full((area.height, area.width), _FAR, np.float32)
    scales = np.where(widths >= 192, 4, np.where(widths >= 96, 2, 1))
    for scale in (1, 2, 4):
        chosen = scales == scale
        if not chosen.any():
            continue
        if scale == 1:
            _lower(whole, area, starts[chosen], ends[chosen], 1)
            continue
        rows, columns = -(-area.height // scale), -(-area.width // scale)
        coarse = np.full((rows, columns), _FAR, np.float32)
        _lower(coarse, area, starts[chosen], ends[chosen], scale)
        fine = cv2.resize(coarse, (columns * scale, rows * scale), interpolation=cv2.INTER_LINEAR)
        np.minimum(whole, fine[: area.height, : area.width], out=whole)
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
    xs = (np.arange(columns) + 0.5) * scale + area.x
    ys = (np.arange(rows) + 0.5) * scale + area.y
    one = np.float32(1.0)
    for (x0, y0, f0), (x1, y1, f1), (left, top), (right, bottom) in zip(starts, ends, first, stop, strict=True):
        if left >= right or top >= bottom:
            continue
        dx = (xs[left:right] - x0).astype(np.float32)[None, :]
        dy = (ys[top:bottom] - y0).astype(np.float32)[:, None]
        vx, vy = x1 - x0, y1 - y0
        length = vx * vx + vy * vy
        base, slope = np.float32(abs(f0) + 1.0), np.float32(abs(f1) - abs(f0))
        if length < 1e-12:
            distance = cv2.magnitude(*np.broadcast_arrays(dx, dy))
            near: NDArray[np.float32] = (distance + np.float32(0.5)) / np.float32(max(abs(f0), abs(f1)) + 1.0)
        else:
            t = dx * np.float32(vx / length) + dy * np.float32(vy / length)
            np.clip(t, 0.0, one, out=t)
            across, down = dx - t * np.float32(vx), dy - t * np.float32(vy)
            near = np.asarray(cv2.magnitude(across, down), np.float32)
            near += np.float32(0.5)
            if slope == 0:
                near *= one / base
            else:
                t *= slope
                t += base
                near /= t
        window = field[top:bottom, left:right]
        cv2.min(window, near, window)
