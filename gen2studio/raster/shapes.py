"""Regions as antialiased coverage: polygons, rectangles, ellipses, and fills of a matte or of the picture by colour.

Outlines are rasterised by scan lines, eight a pixel row: exact coverage along x, an eighth of a pixel along y. Points
are media pixels (x, y); the picture's top left corner is (0, 0) and the centre of its first pixel (0.5, 0.5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.mask_raster import TILE
from gen2studio.raster.brush import EMPTY, lay
from gen2studio.raster.tiles import Mask

Points = Sequence[tuple[float, float]] | NDArray[np.float64]
_EDGE = 64
"""Widest soft edge in pixels that a fill goes under."""
_LINES = 8
"""Scan lines in a row of pixels."""


def polygon(extent: Extent, points: Points) -> tuple[Rect, Mask]:
    """Coverage of a closed outline (even-odd rule) and where it lies: (rectangle, (h, w) uint8).

    The rectangle is clipped to the picture and empty for fewer than three points.
    """
    if len(points) < 3:
        return EMPTY, np.zeros((0, 0), np.uint8)
    outline = np.asarray(points, np.float64)
    x0, y0 = (math.floor(v) for v in outline.min(0))
    x1, y1 = (math.ceil(v) for v in outline.max(0))
    area = Rect(x0, y0, x1 - x0, y1 - y0).intersected(Rect.of(extent))
    if area.empty:
        return EMPTY, np.zeros((0, 0), np.uint8)
    lines, crossings = _crossings(outline - (area.x, area.y), area.height * _LINES)
    # Pairs of crossings bound what is inside. A pair adds its share to the cell it starts in and the rest to the next,
    # and takes both away where it ends: the running sum is the covered length of every cell. It changes at crossings
    # only, so that between them whole runs of one level are laid.
    width = area.width + 2
    where = np.clip(crossings, 0.0, area.width)
    cell = np.floor(where).astype(np.int64)
    share = where - cell
    sign = np.where(np.arange(len(where)) % 2 == 0, 1.0, -1.0)
    flat = (lines // _LINES) * width + cell
    cells = np.concatenate([flat, flat + 1])
    order = np.argsort(cells, kind="stable")
    changes = np.concatenate([sign * (1.0 - share), sign * share])[order]
    starts, first = np.unique(cells[order], return_index=True)
    if not len(starts):
        return EMPTY, np.zeros((0, 0), np.uint8)
    covered = np.cumsum(np.add.reduceat(changes, first))
    levels = np.rint(covered * (255.0 / _LINES)).clip(0, 255).astype(np.uint8)
    runs = np.diff(starts, prepend=0, append=area.height * width)
    out = np.repeat(np.concatenate([np.zeros(1, np.uint8), levels]), runs)
    return area, np.ascontiguousarray(out.reshape(area.height, width)[:, : area.width])


def _crossings(outline: NDArray[np.float64], count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(line, x) of every crossing of the closed outline with scan lines 0 … ``count``, sorted by line, then x.

    Scan line k lies at y = (k + ½)/_LINES. Every line is crossed an even number of times.
    """
    ends = np.roll(outline, -1, 0)
    swap = outline[:, 1] > ends[:, 1]
    upper = np.where(swap[:, None], ends, outline)
    lower = np.where(swap[:, None], outline, ends)
    first = np.clip(np.ceil(upper[:, 1] * _LINES - 0.5), 0, count).astype(np.int64)
    stop = np.clip(np.ceil(lower[:, 1] * _LINES - 0.5), 0, count).astype(np.int64)
    lengths = np.maximum(stop - first, 0)
    edge = np.repeat(np.arange(len(outline)), lengths)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    line = first[edge] + step
    rise = lower[edge, 1] - upper[edge, 1]
    t = ((line + 0.5) / _LINES - upper[edge, 1]) / rise
    x = upper[edge, 0] + t * (lower[edge, 0] - upper[edge, 0])
    order = np.lexsort((x, line))
    return line[order], x[order]


def rectangle(extent: Extent, x0: float, y0: float, x1: float, y1: float) -> tuple[Rect, Mask]:
    """Exact coverage of an upright rectangle between two opposite corners."""
    x0, x1 = sorted((x0, x1))
    y0, y1 = sorted((y0, y1))
    area = Rect(math.floor(x0), math.floor(y0), math.ceil(x1) - math.floor(x0), math.ceil(y1) - math.floor(y0))
    area = area.intersected(Rect.of(extent))
    if area.empty:
        return EMPTY, np.zeros((0, 0), np.uint8)
    columns = _share(area.x, area.width, x0, x1)
    rows = _share(area.y, area.height, y0, y1)
    # At most three kinds of rows: the first, the last, and all between.
    kinds, kind = np.unique(rows, return_inverse=True)
    return area, np.rint(np.outer(kinds, columns) * 255.0).astype(np.uint8)[kind]


def _share(first: int, count: int, start: float, stop: float) -> NDArray[np.float64]:
    """How much of each of ``count`` unit cells from ``first`` on lies in [start, stop]."""
    cells = np.arange(first, first + count, dtype=np.float64)
    return np.clip(np.minimum(cells + 1, stop) - np.maximum(cells, start), 0.0, 1.0)


def ellipse(extent: Extent, x0: float, y0: float, x1: float, y1: float) -> tuple[Rect, Mask]:
    """Coverage of the ellipse inscribed in the rectangle between two opposite corners."""
    centre_x, centre_y = (x0 + x1) / 2, (y0 + y1) / 2
    radius_x, radius_y = abs(x1 - x0) / 2, abs(y1 - y0) / 2
    if min(radius_x, radius_y) <= 0:
        return EMPTY, np.zeros((0, 0), np.uint8)
    # Enough corners to stay within 1/50 pixel of the curve.
    count = max(24, math.ceil(math.pi / math.acos(max(0.5, 1 - 0.02 / max(1.0, radius_x, radius_y)))))
    angles = np.linspace(0.0, 2 * math.pi, count, endpoint=False)
    outline = np.stack([centre_x + radius_x * np.cos(angles), centre_y + radius_y * np.sin(angles)], 1)
    return polygon(extent, [(float(x), float(y)) for x, y in outline])


def simplified(points: Points, tolerance: float = 0.25) -> list[tuple[float, float]]:
    """Fewer points for the same outline, none further than ``tolerance`` px from it (Douglas and Peucker, 1973)."""
    if len(points) < 4:
        return [(float(x), float(y)) for x, y in points]
    line = np.asarray(points, np.float32).reshape(-1, 1, 2)
    kept = cv2.approxPolyDP(line, tolerance, True).reshape(-1, 2)
    return [(float(x), float(y)) for x, y in kept]


def put(mask: Mask, area: Rect, coverage: Mask, *, subtract: bool = False) -> Rect:
    """Add a region to a matte in place (or take it away). Returns the rectangle that may have changed."""
    inside = area.intersected(Rect(0, 0, mask.shape[1], mask.shape[0]))
    if inside.empty:
        return EMPTY
    shift_x, shift_y = inside.x - area.x, inside.y - area.y
    for row in range(0, inside.height, TILE):
        for column in range(0, inside.width, TILE):
            height, width = min(TILE, inside.height - row), min(TILE, inside.width - column)
            x, y = shift_x + column, shift_y + row
            part = coverage[y : y + height, x : x + width]
            most = part.max()
            if most == 0:
                continue
            x, y = inside.x + column, inside.y + row
            window = mask[y : y + height, x : x + width]
            if most == 255 and part.min() == 255:
                window[:] = 0 if subtract else 255
            else:
                lay(window.copy(), np.ascontiguousarray(part), window, erase=subtract)
    return inside


def fill_matte(mask: Mask, x: int, y: int) -> Mask:
    """(H, W) uint8, 255 in the hole around (x, y): 4-connected pixels below one half, bounded by painted ones.

    The region goes on under the soft edge of what bounds it, so that no seam is left. Painted pixels under the seed
    give an empty region: there is nothing to fill.
    """
    height, width = mask.shape
    region = np.zeros((height, width), np.uint8)
    if not (0 <= x < width and 0 <= y < height) or mask[y, x] >= 128:
        return region
    barrier = np.ones((height + 2, width + 2), np.uint8)
    np.greater_equal(mask, 128, out=barrier[1:-1, 1:-1].view(np.bool_))
    cv2.floodFill(region, barrier, (x, y), (255,), flags=4)
    return _under_edges(region, mask)


def _under_edges(region: Mask, mask: Mask) -> Mask:
    """``region`` grown over neighbouring half-painted pixels, uphill until fully painted ones stop it."""
    soft = np.asarray(cv2.inRange(mask, 128.0, 254.0), np.uint8)  # type: ignore[call-overload]
    x, y, width, height = cv2.boundingRect(soft)
    if not width:
        return region
    # Nothing but soft pixels can be gained: look at where they are, and a pixel around.
    x0, y0 = max(0, x - 1), max(0, y - 1)
    window = np.s_[y0 : y + height + 1, x0 : x + width + 1]
    edge, part = np.ascontiguousarray(soft[window]), np.ascontiguousarray(region[window])
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    for _ in range(_EDGE):
        grown = cv2.bitwise_or(part, cv2.bitwise_and(cv2.dilate(part, cross), edge))
        if np.array_equal(grown, part):
            break
        part = np.asarray(grown, np.uint8)
    region[window] = part
    return region


def fill_painted(mask: Mask, x: int, y: int) -> Mask:
    """(H, W) uint8, 255 over the painted island around (x, y) with its soft edge; empty where nothing is painted."""
    height, width = mask.shape
    if not (0 <= x < width and 0 <= y < height) or mask[y, x] == 0:
        return np.zeros((height, width), np.uint8)
    return _connected(np.asarray(cv2.threshold(mask, 0, 255, cv2.THRESH_BINARY)[1], np.uint8), x, y)


def fill_colour(picture: NDArray[np.uint8], x: int, y: int, tolerance: int = 24, contiguous: bool = True) -> Mask:
    """(H, W) uint8, 255 where the (H, W, 3 or 4) picture is within ``tolerance`` levels per channel of that at (x, y).

    ``contiguous`` keeps only what is connected to the seed.
    """
    height, width = picture.shape[:2]
    if not (0 <= x < width and 0 <= y < height):
        return np.zeros((height, width), np.uint8)
    seed = picture[y, x].astype(np.float64)
    low, high = seed - tolerance, seed + tolerance
    low[3:], high[3:] = 0, 255  # alike in colour, whatever the alpha
    alike = np.asarray(cv2.inRange(picture, low.clip(0, 255), high.clip(0, 255)), np.uint8)
    if not contiguous:
        return alike
    return _connected(alike, x, y)


def softened(picture: NDArray[np.uint8], region: Mask, x: int, y: int, tolerance: int) -> Mask:
    """``region`` of :func:`fill_colour` with the pixels around it as far inside as their colour is mixed.

    A pixel beside the region that is between one and two tolerances away from the colour at (x, y) is covered in part.
    """
    band = cv2.bitwise_and(cv2.dilate(region, np.ones((3, 3), np.uint8)), cv2.bitwise_not(region))
    rows, columns = np.nonzero(band)
    seed = picture[y, x, :3].astype(np.int32)
    away = np.abs(picture[rows, columns, :3].astype(np.int32) - seed).max(1)
    width = max(4, tolerance)
    level = np.rint(255.0 * (1.0 - (away - tolerance) / width)).clip(0, 255)
    out = region.copy()
    out[rows, columns] = level.astype(np.uint8)
    return out


def _connected(region: Mask, x: int, y: int) -> Mask:
    """The 4-connected part of a 0/255 region around (x, y)."""
    height, width = region.shape
    filled = np.zeros((height + 2, width + 2), np.uint8)
    cv2.floodFill(region, filled, (x, y), (0,), flags=4 | cv2.FLOODFILL_MASK_ONLY | (255 << 8))
    return np.ascontiguousarray(filled[1:-1, 1:-1])
