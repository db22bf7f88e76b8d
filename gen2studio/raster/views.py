"""How a matte is shown: tint, levels, on a colour, on checks, outline. Premultiplied BGRA for the part of the screen
that is asked for.

Mattes are sampled straight into screen pixels, so that the cost is that of the pixels repainted, whatever the size of
the footage, and a repainted rectangle is the same to the byte as a full redraw.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.raster.tiles import Mask

Bgra = NDArray[np.uint8]
"""(H, W, 4) uint8 BGRA, premultiplied."""
_NEAREST_FROM = 4.0
"""From this magnification on single matte pixels are shown as squares."""


def sample(mask: Mask, scale: float, left: float, top: float, width: int, height: int, *, quick: bool = False) -> Mask:
    """(height, width) screen pixels of ``mask``; outside the media they are 0.

    ``scale`` = screen pixels per media pixel; (left, top) = the first screen pixel's corner in media pixels. ``quick``
    takes the nearest pixel instead of a mean.
    """
    step = 1.0 / scale
    if scale == 1.0 and left == int(left) and top == int(top):
        return _cut(mask, int(left), int(top), width, height)
    if quick:
        return _nearest(mask, left, top, step, width, height)
    near = scale >= _NEAREST_FROM
    if step >= 2.0:
        mask, left, top, step = _shrunk(mask, left, top, step, width, height)
    # Corner coordinates → OpenCV's pixel-centre coordinates.
    matrix = np.array([[step, 0.0, left + 0.5 * step - 0.5], [0.0, step, top + 0.5 * step - 0.5]])
    flags = (cv2.INTER_NEAREST if near else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(mask, matrix, (width, height), flags=flags), np.uint8)


def _nearest(mask: Mask, left: float, top: float, step: float, width: int, height: int) -> Mask:
    """The pixel under the middle of every screen pixel: whole rows are picked, then their columns."""
    columns = np.floor(left + (np.arange(width) + 0.5) * step).astype(np.intp)
    rows = np.floor(top + (np.arange(height) + 0.5) * step).astype(np.intp)
    x0, x1 = np.searchsorted(columns, (0, mask.shape[1]))
    y0, y1 = np.searchsorted(rows, (0, mask.shape[0]))
    inside = mask[rows[y0:y1]].take(columns[x0:x1], axis=1)
    if inside.shape == (height, width):
        return inside
    out = np.zeros((height, width), np.uint8)
    out[y0:y1, x0:x1] = inside
    return out


def _cut(mask: Mask, left: int, top: int, width: int, height: int) -> Mask:
    """Whole pixels, copied; 0 outside the media."""
    out = np.zeros((height, width), np.uint8)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(mask.shape[1], left + width), min(mask.shape[0], top + height)
    if x1 > x0 and y1 > y0:
        out[y0 - top : y1 - top, x0 - left : x1 - left] = mask[y0:y1, x0:x1]
    return out


def _shrunk(
    mask: Mask, left: float, top: float, step: float, width: int, height: int
) -> tuple[Mask, float, float, float]:
    """Average whole blocks first when zoomed far out; blocks lie on a fixed grid so that every part samples alike."""
    block = int(step)
    rows, columns = mask.shape
    x0 = max(0, (int(left) // block - 2) * block)
    y0 = max(0, (int(top) // block - 2) * block)
    x1 = min(columns, (int(left + width * step) // block + 3) * block)
    y1 = min(rows, (int(top + height * step) // block + 3) * block)
    if x1 <= x0 or y1 <= y0:
        return np.zeros((1, 1), np.uint8), left + 1e6, top, step
    part = mask[y0:y1, x0:x1]
    pad_x, pad_y = -part.shape[1] % block, -part.shape[0] % block
    if pad_x or pad_y:
        part = cv2.copyMakeBorder(part, 0, pad_y, 0, pad_x, cv2.BORDER_REPLICATE)
    size = (part.shape[1] // block, part.shape[0] // block)
    small = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, (left - x0) / block, (top - y0) / block, step / block


@lru_cache(maxsize=32)
def tints(colour: tuple[int, int, int], opacity: float) -> tuple[int, ...]:
    """The colour table of an overlay: for every level of a matte 0xAARRGGBB of RGB ``colour``, not premultiplied."""
    red, green, blue = colour
    return tuple(round(level * opacity) << 24 | red << 16 | green << 8 | blue for level in range(256))


def matte(sampled: Mask, opacity: float = 1.0) -> Bgra:
    """White on black, laid over the picture with ``opacity``."""
    grey = _scaled(sampled, opacity)
    return np.asarray(cv2.merge([grey, grey, grey, np.full_like(grey, round(255 * opacity))]), np.uint8)


def checker(sampled: Mask, board: Bgra, opacity: float = 1.0) -> Bgra:
    """``board`` (opaque BGRA of the same size) where the matte is *not*: the subject stands on checks."""
    outside = _scaled(np.asarray(cv2.bitwise_not(sampled), np.uint8), opacity)
    wide = cv2.merge([outside, outside, outside, outside])
    return np.asarray(cv2.multiply(board, wide, scale=1.0 / 255.0), np.uint8)


_NEARLY = 16
"""Levels from 0 and from 255 within which a pixel is nearly out or nearly in."""
HAZE = (40, 120, 255)
"""RGB of what is nearly out."""
THIN = (255, 120, 40)
"""RGB of what is nearly in."""


@lru_cache(maxsize=1)
def _alpha_colours() -> NDArray[np.uint8]:
    """(1, 256, 4) BGRA by level: black, haze in blue, greys, thin spots in orange, white."""
    table = np.empty((1, 256, 4), np.uint8)
    table[0, :, :3] = np.arange(256, dtype=np.uint8)[:, None]
    table[0, :, 3] = 255
    table[0, 1:_NEARLY, :3] = HAZE[::-1]
    table[0, 256 - _NEARLY : 255, :3] = THIN[::-1]
    return table


def alpha(sampled: Mask) -> Bgra:
    """The matte's levels, opaque. What is neither quite out nor quite in is what keys fail by: levels within 16 of 0
    are blue, within 16 of 255 orange."""
    return np.asarray(cv2.LUT(cv2.merge([sampled] * 4), _alpha_colours()), np.uint8)


def colour(sampled: Mask, backdrop: tuple[int, int, int]) -> Bgra:
    """RGB ``backdrop`` where the matte is *not*: the subject alone on a colour."""
    outside = np.asarray(cv2.bitwise_not(sampled), np.uint8)
    red, green, blue = (_scaled(outside, level / 255.0) for level in backdrop)
    return np.asarray(cv2.merge([blue, green, red, outside]), np.uint8)


OUTLINE_MARGIN = 3
"""Screen pixels that :func:`outline` needs around what it returns."""


def outline(sampled: Mask, colour: tuple[int, int, int], width: int = 2) -> Bgra:
    """The one-half contour as a line of ``width`` screen pixels (1…3) over a thin dark one.

    ``sampled`` must hold OUTLINE_MARGIN more pixels on every side than the result.
    """
    solid = np.asarray(cv2.threshold(sampled, 127, 255, cv2.THRESH_BINARY)[1], np.uint8)
    line = np.asarray(cv2.morphologyEx(solid, cv2.MORPH_GRADIENT, _disc(1 if width < 3 else 2)), np.uint8)
    if width == 2:
        line = np.asarray(cv2.blur(line, (2, 2)), np.uint8)
    shade = cv2.convertScaleAbs(cv2.dilate(line, _disc(1)), alpha=0.55)
    m = OUTLINE_MARGIN
    line, shade = line[m:-m, m:-m], shade[m:-m, m:-m]
    red, green, blue = (_scaled(line, level / 255.0) for level in colour)
    return np.asarray(cv2.merge([blue, green, red, cv2.max(line, shade)]), np.uint8)


def _disc(radius: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def _scaled(plane: Mask, factor: float) -> Mask:
    return plane if factor >= 1.0 else np.asarray(cv2.convertScaleAbs(plane, alpha=factor), np.uint8)
