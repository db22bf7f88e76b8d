"""Regions as antialiased coverage: polygons, rectangles, ellipses, and fills of a matte or of the picture by colour.

Outlines are rasterised at four times the size in bands of rows and averaged down, so that coverage is the true covered
share of each pixel to 1/16 and memory stays small at any size. Points are media pixels (x, y); the top left corner of
the picture is (0, 0) and the centre of its first pixel (0.5, 0.5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent, Rect
from gen2studio.raster.brush import EMPTY, lay
from gen2studio.raster.tiles import Mask

Points = Sequence[tuple[float, float]]
_FINE = 4
_FIXED = 4
"""Fractional bits of the coordinates handed to OpenCV."""
_BAND = 128


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
    coverage = np.empty((area.height, area.width), np.uint8)
    # A sample sits in the middle of each fine cell: shift by half a cell into OpenCV's pixel-centre coordinates.
    fine = (outline - (area.x, area.y)) * _FINE - 0.5
    for top in range(0, area.height, _BAND):
        rows = min(_BAND, area.height - top)
        band = np.zeros((rows * _FINE, area.width * _FINE), np.uint8)
        fixed = np.rint((fine - (0, top * _FINE)) * (1 << _FIXED)).astype(np.int32)
        cv2.fillPoly(band, [fixed.reshape(-1, 1, 2)], 255, cv2.LINE_8, _FIXED)
        cv2.resize(band, (area.width, rows), coverage[top : top + rows], interpolation=cv2.INTER_AREA)
    return area, coverage


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
    return area, np.rint(np.outer(rows, columns) * 255.0).astype(np.uint8)


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
    window = mask[inside.y : inside.bottom, inside.x : inside.right]
    part = coverage[inside.y - area.y : inside.bottom - area.y, inside.x - area.x : inside.right - area.x]
    lay(window.copy(), np.ascontiguousarray(part), window, erase=subtract)
    return inside


def fill_matte(mask: Mask, x: int, y: int) -> Mask:
    """(H, W) uint8, 255 in the hole around (x, y): 4-connected pixels below one half, bounded by painted ones.

    Painted pixels under the seed give an empty region: there is nothing to fill.
    """
    height, width = mask.shape
    region = np.zeros((height, width), np.uint8)
    if not (0 <= x < width and 0 <= y < height) or mask[y, x] >= 128:
        return region
    barrier = np.ones((height + 2, width + 2), np.uint8)
    barrier[1:-1, 1:-1] = mask >= 128
    cv2.floodFill(region, barrier, (x, y), (255,), flags=4)
    return region


def fill_painted(mask: Mask, x: int, y: int) -> Mask:
    """(H, W) uint8, 255 over the painted island around (x, y) with its soft edge; empty where nothing is painted."""
    height, width = mask.shape
    if not (0 <= x < width and 0 <= y < height) or mask[y, x] == 0:
        return np.zeros((height, width), np.uint8)
    return _connected(np.where(mask > 0, np.uint8(255), np.uint8(0)).astype(np.uint8), x, y)


def fill_colour(picture: NDArray[np.uint8], x: int, y: int, tolerance: int = 24, contiguous: bool = True) -> Mask:
    """(H, W) uint8, 255 where the (H, W, 3 or 4) picture is within ``tolerance`` levels per channel of that at (x, y).

    ``contiguous`` keeps only what is connected to the seed.
    """
    height, width = picture.shape[:2]
    if not (0 <= x < width and 0 <= y < height):
        return np.zeros((height, width), np.uint8)
    colours = np.ascontiguousarray(picture[..., :3])
    seed = colours[y, x].astype(np.int32)
    low, high = np.clip(seed - tolerance, 0, 255), np.clip(seed + tolerance, 0, 255)
    alike = np.asarray(cv2.inRange(colours, low.astype(np.float64), high.astype(np.float64)), np.uint8)
    if not contiguous:
        return alike
    return _connected(alike, x, y)


def _connected(region: Mask, x: int, y: int) -> Mask:
    """The 4-connected part of a 0/255 region around (x, y)."""
    height, width = region.shape
    filled = region.copy()
    cv2.floodFill(filled, np.zeros((height + 2, width + 2), np.uint8), (x, y), (128,), flags=4)
    return np.where(filled == 128, np.uint8(255), np.uint8(0)).astype(np.uint8)
