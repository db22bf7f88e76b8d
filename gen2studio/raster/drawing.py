"""Drawing in layers: ink and eraser through a coverage plane, flood fill, layers laid on paper. No Qt.

Pictures are uint8: layers (H, W, 4) BGRA with straight alpha, results (H, W, 3) BGR. Coverage is (H, W) uint8, which is
what :class:`gen2studio.raster.brush.Stroke` makes of an empty matte.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
"""sRGB, red first."""

PAPER: Colour = (246, 244, 238)
_CLOSED = 3
"""Pixels: a fill reaches so far under the soft edge of the line that stops it."""


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A layer as it is laid: its pixels, 0…1 of them, and how."""

    pixels: Pixels
    opacity: float = 1.0
    multiply: bool = False


def empty_layer(width: int, height: int) -> Pixels:
    """A clear layer."""
    return np.zeros((height, width, 4), np.uint8)


def paper(width: int, height: int, colour: Colour = PAPER) -> Pixels:
    """(height, width, 3) of one colour."""
    return np.full((height, width, 3), colour[::-1], np.uint8)


def ink(before: Pixels, coverage: Pixels, colour: Colour, out: Pixels) -> None:
    """``out`` = ``colour`` over ``before`` (source-over, Porter and Duff 1984) as far as ``coverage`` says."""
    cover = coverage.astype(np.float32) * (1 / 255)
    alpha = before[..., 3].astype(np.float32) * (1 / 255)
    rest = alpha * (1 - cover)
    total = cover + rest
    share = np.divide(cover, total, out=np.zeros_like(cover), where=total > 0)
    tint = np.empty_like(before[..., :3])
    tint[:] = colour[::-1]
    out[..., :3] = cv2.blendLinear(
        tint, np.ascontiguousarray(before[..., :3]), np.maximum(share, 1e-6), np.maximum(1 - share, 1e-6)
    )
    out[..., 3] = np.rint(total * 255)


def rub(before: Pixels, coverage: Pixels, out: Pixels) -> None:
    """``out`` = ``before`` with ``coverage`` taken off its alpha; colours stay."""
    out[..., :3] = before[..., :3]
    out[..., 3] = cv2.multiply(
        np.ascontiguousarray(before[..., 3]), cv2.bitwise_not(np.ascontiguousarray(coverage)), scale=1 / 255
    )


def laid(ground: Pixels, sheets: Sequence[Sheet], window: tuple[slice, slice] = np.s_[:, :]) -> Pixels:
    """``sheets``, bottom first, over ``ground`` (H, W, 3) inside ``window``: a new picture of the window's size."""
    shown: Pixels = np.ascontiguousarray(ground[window])
    for sheet in sheets:
        pixels = np.ascontiguousarray(sheet.pixels[window])
        alpha = pixels[..., 3].astype(np.float32) * (sheet.opacity / 255)
        if not alpha.any():
            continue
        colour = np.ascontiguousarray(pixels[..., :3])
        if sheet.multiply:
            colour = cv2.multiply(colour, shown, scale=1 / 255)
        shown = np.asarray(cv2.blendLinear(colour, shown, alpha, 1 - alpha), np.uint8)
    return shown if sheets else shown.copy()


def flooded(picture: Pixels, x: int, y: int, tolerance: int = 24) -> Pixels:
    """Coverage of the region of like colour around a point, reaching under the soft edges that bound it.

    ``picture`` is (H, W, 3); colours within ``tolerance`` of the point's in every channel belong to it.
    """
    height, width = picture.shape[:2]
    if not (0 <= x < width and 0 <= y < height):
        return np.zeros((height, width), np.uint8)
    mask = np.zeros((height + 2, width + 2), np.uint8)
    flags = 4 | (255 << 8) | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY
    cv2.floodFill(np.ascontiguousarray(picture), mask, (x, y), (0, 0, 0), (tolerance,) * 3, (tolerance,) * 3, flags)
    found = mask[1:-1, 1:-1]
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_CLOSED, _CLOSED))
    return np.asarray(cv2.dilate(found, disc), np.uint8)


def filled(points: Sequence[tuple[float, float]], size: tuple[int, int]) -> Pixels:
    """Coverage (``size`` = width, height) of a closed polygon, its edge antialiased."""
    mask = np.zeros((size[1], size[0]), np.uint8)
    # Pixel centres lie at .5; OpenCV counts from them, in sixteenths here.
    corners = np.rint((np.asarray(points, np.float64) - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners.reshape(-1, 1, 2)], 255, cv2.LINE_AA, 4)
    return mask


def box_points(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
    """The corners of a box, closed."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]


def ellipse_points(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
    """An ellipse in a box as a closed polygon that is at most 1/32 of a pixel off."""
    cx, cy, a, b = (x0 + x1) / 2, (y0 + y1) / 2, abs(x1 - x0) / 2, abs(y1 - y0) / 2
    count = max(12, math.ceil(math.pi / math.acos(1 - min(1.0, 0.03125 / max(a, b, 0.25)))))
    return [
        (cx + a * math.cos(2 * math.pi * i / count), cy + b * math.sin(2 * math.pi * i / count))
        for i in range(count + 1)
    ]


def fitted(picture: Pixels, width: int, height: int) -> Pixels:
    """A picture of any size, (h, w, 3) or (h, w, 4), scaled to cover ``width`` × ``height`` and cut at the middle."""
    h, w = picture.shape[:2]
    if (w, h) == (width, height):
        return picture
    scale = max(width / w, height / h)
    across, down = max(width, round(w * scale)), max(height, round(h * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = np.asarray(cv2.resize(picture, (across, down), interpolation=way), np.uint8)
    x, y = (across - width) // 2, (down - height) // 2
    return np.ascontiguousarray(scaled[y : y + height, x : x + width])


def onion(picture: Pixels, tint: Colour, opacity: float) -> Pixels:
    """What to multiply a drawing by so that another one's dark lines shine through it in ``tint``: (H, W, 3)."""
    dark = (255 - cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)) * opacity
    far = (255 - np.asarray(tint[::-1], np.float32)) / 255
    return np.asarray(np.rint(255 - dark[..., None] * far), np.uint8)


def seen_by(picture: Pixels, x: float, y: float, width: float, angle: float, size: tuple[int, int]) -> Pixels:
    """What a camera frame sees of a picture, at ``size`` (width, height); beside the picture there is paper.

    The frame's centre is (``x``, ``y``) in 0…1 of the picture, ``width`` of its width, turned by ``angle`` degrees
    clockwise.
    """
    h, w = picture.shape[:2]
    out_w, out_h = size
    scale = width * w / out_w
    turn = math.radians(angle)
    cos, sin = math.cos(turn) * scale, math.sin(turn) * scale
    cx, cy = x * w - 0.5, y * h - 0.5
    mx, my = (out_w - 1) / 2, (out_h - 1) / 2
    inverse = np.array([[cos, -sin, cx - cos * mx + sin * my], [sin, cos, cy - sin * mx - cos * my]], np.float64)
    if scale > 1.5:
        # Sampling a picture this much larger would shimmer: it is made smaller first.
        smaller = 1 / scale
        shrunk = np.asarray(cv2.resize(picture, None, fx=smaller, fy=smaller, interpolation=cv2.INTER_AREA), np.uint8)
        return seen_by(shrunk, x, y, width, angle, size)
    return np.asarray(
        cv2.warpAffine(
            picture, inverse, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT,
            borderValue=PAPER[::-1],
        ),
        np.uint8,
    )  # fmt: skip


def decoded(data: bytes) -> Pixels | None:
    """An image file as (H, W, 4) BGRA, 8 bits; None when it is none that can be read."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        return None
    if image.dtype != np.uint8:
        image = np.right_shift(image, 8).astype(np.uint8) if image.dtype == np.uint16 else np.clip(image * 255, 0, 255)
        image = image.astype(np.uint8)
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGRA)
    elif image.shape[2] == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
    return np.asarray(image, np.uint8)


def png(picture: Pixels) -> bytes:
    """The PNG file of (H, W, 3) or (H, W, 4) pixels."""
    done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise ValueError("these pixels make no picture")
    return data.tobytes()
