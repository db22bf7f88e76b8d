"""Pictures moved, scaled, turned, cropped and mirrored, with clean edges, onto a canvas of another size.

A picture is placed by an affine matrix from *unit* coordinates (0…1 across and down the picture) to canvas pixels;
pixel k covers [k, k + 1). Where the picture shrinks, its pixels are averaged by area first (by the caller's decoder, or
:func:`reduced`), then interpolated; where it grows, they are interpolated bicubically. How much of a pixel the picture
covers is worked out from the distance to its four edges, so that edges move by parts of a pixel without steps.
"""

from __future__ import annotations

from math import ceil, floor, hypot

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent, Rect
from gen2studio.raster.blending import Bgra

Affine = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): x = a·u + b·v + c, y = d·u + e·v + f."""
Crop = tuple[float, float, float, float]
"""What is left of the picture in unit coordinates: (left, top, right, bottom)."""
WHOLE: Crop = (0.0, 0.0, 1.0, 1.0)
_NEAR = 1e-6
_BAND = 32
"""Rows whose edges are worked out at a time."""


def needed(matrix: Affine, picture: Extent) -> Extent:
    """The size, never above the picture's own, at which the picture has about one pixel per canvas pixel."""
    a, b, _, d, e, _ = matrix
    return Extent(
        min(picture.width, max(1, ceil(hypot(a, d) - _NEAR))), min(picture.height, max(1, ceil(hypot(b, e) - _NEAR)))
    )


def reduced(picture: Bgra, size: Extent) -> Bgra:
    """``picture`` averaged down to ``size``; sides that would grow stay as they are."""
    height, width = picture.shape[:2]
    wanted = (min(width, size.width), min(height, size.height))
    if wanted == (width, height):
        return picture
    return np.asarray(cv2.resize(picture, wanted, interpolation=cv2.INTER_AREA), np.uint8)


def outline(matrix: Affine, crop: Crop = WHOLE) -> tuple[tuple[float, float], ...]:
    """The four corners of the cropped picture on the canvas, clockwise from its upper left."""
    a, b, c, d, e, f = matrix
    left, top, right, bottom = crop
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return tuple((a * u + b * v + c, d * u + e * v + f) for u, v in corners)


def reach(matrix: Affine, canvas: Extent, crop: Crop = WHOLE) -> Rect:
    """The canvas pixels that the cropped picture touches."""
    points = outline(matrix, crop)
    x0, y0 = floor(min(x for x, _ in points) + _NEAR), floor(min(y for _, y in points) + _NEAR)
    x1, y1 = ceil(max(x for x, _ in points) - _NEAR), ceil(max(y for _, y in points) - _NEAR)
    return Rect(x0, y0, x1 - x0, y1 - y0).intersected(Rect.of(canvas))


def lies_on_pixels(matrix: Affine) -> Rect | None:
    """Where a picture lies that is upright and ends on whole pixels; None for every other placing."""
    a, b, c, d, e, f = matrix
    if abs(b) > _NEAR or abs(d) > _NEAR or a <= 0 or e <= 0:
        return None
    if any(abs(value - round(value)) > 1e-4 for value in (a, c, e, f)):
        return None
    return Rect(round(c), round(f), round(a), round(e))


def warped(picture: Bgra, matrix: Affine, area: Rect, crop: Crop = WHOLE) -> Bgra:
    """The part ``area`` (canvas pixels) of the placed picture, (area.height, area.width, 4); clear beside it."""
    a, b, c, d, e, f = matrix
    height, width = picture.shape[:2]
    determinant = a * e - b * d
    if area.empty or abs(determinant) < 1e-9:
        return np.zeros((max(0, area.height), max(0, area.width), 4), np.uint8)
    # Unit coordinates of a canvas point, and from them the index of a picture pixel: its middle lies at k + ½.
    u = np.array([e, -b, b * f - e * c]) / determinant
    v = np.array([-d, a, d * c - a * f]) / determinant
    middle = (area.x + 0.5, area.y + 0.5, 1.0)
    u[2], v[2] = u @ middle, v @ middle
    back = np.array([u * width, v * height])
    back[:, 2] -= 0.5
    grows = hypot(a, d) > width * 1.02 or hypot(b, e) > height * 1.02
    out = np.asarray(
        cv2.warpAffine(
            picture,
            back,
            (area.width, area.height),
            flags=(cv2.INTER_CUBIC if grows else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )
    if grows:
        # Bicubic overshoots: no colour may be brighter than its alpha.
        alpha = out[..., 3]
        out = np.asarray(cv2.min(out, cv2.merge([alpha, alpha, alpha, alpha])), np.uint8)
    return _covered(out, u, v, crop)


def _covered(picture: Bgra, u: NDArray[np.float64], v: NDArray[np.float64], crop: Crop) -> Bgra:
    """``picture`` times the part of each pixel that lies inside the crop."""
    height, width = picture.shape[:2]
    across = np.arange(width, dtype=np.float32)
    down = np.arange(height, dtype=np.float32)
    left, top, right, bottom = crop
    if abs(u[1]) < 1e-12 and abs(v[0]) < 1e-12:
        columns = _inside(u[0] * across + u[2], left, right, abs(u[0]))
        rows = _inside(v[1] * down + v[2], top, bottom, abs(v[1]))
        # Upright, only the pixels along the edges are covered in part.
        for y in np.flatnonzero(rows < 1):
            picture[y] = np.rint(picture[y] * rows[y])
        for x in np.flatnonzero(columns < 1):
            picture[:, x] = np.rint(picture[:, x] * columns[x])
        return picture
    for first in range(0, height, _BAND):
        rows = down[first : first + _BAND]
        place_u = (u[1] * rows + u[2]).astype(np.float32)[:, None] + (u[0] * across).astype(np.float32)[None, :]
        place_v = (v[1] * rows + v[2]).astype(np.float32)[:, None] + (v[0] * across).astype(np.float32)[None, :]
        cover = _inside(place_u, left, right, hypot(u[0], u[1]))
        cover *= _inside(place_v, top, bottom, hypot(v[0], v[1]))
        if cover.min() < 1:
            band = picture[first : first + _BAND]
            band[...] = cv2.blendLinear(band, np.zeros_like(band), cover, np.float32(1) - cover)
    return picture


def _inside(place: NDArray[np.floating], low: float, high: float, step: float) -> NDArray[np.float32]:
    """How much of a pixel at unit coordinate ``place``, ``step`` wide, lies in [low, high)."""
    if high - low < step:
        # Both edges in one pixel.
        after = np.clip((place - low) / step + 0.5, 0, 1)
        before = np.clip((high - place) / step + 0.5, 0, 1)
        return np.maximum(after + before - 1, 0).astype(np.float32)
    # The nearer edge alone decides.
    cover = np.abs(place - np.float32((low + high) / 2)).astype(np.float32, copy=False)
    cover *= np.float32(-1 / step)
    cover += np.float32((high - low) / 2 / step + 0.5)
    return np.clip(cover, 0, 1, out=cover)
