"""Scopes: what a picture's signal is, counted. Waveform, RGB parade, vectorscope, histogram.

Pictures are display-referred (sRGB-like, full range); luma and chroma are those of ITU-R BT.709, as the exported file
has them. Levels are in 0…255, shown as 0…100 %. Pixels are picked on a grid, never averaged: averaging would show
levels that are not in the picture.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Bgra: TypeAlias = "NDArray[np.uint8]"
"""(H, W, 4) or (H, W, 3) uint8 BGR(A)."""
Counts: TypeAlias = "NDArray[np.int64]"

_MOST = 100_000
"""Pixels that are counted."""
_KR, _KB = 0.2126, 0.0722
_KG = 1 - _KR - _KB
SKIN_DEGREES = 123.0
"""Direction of the skin line on a vectorscope (the NTSC I axis), counted from Cb towards Cr."""
BAR_LEVEL = 191
"""75 % colour bars, EBU: where the targets of a vectorscope stand."""


def sampled(picture: Bgra, most: int = _MOST) -> Bgra:
    """(h, w, 3) BGR: every n-th pixel, so that at most about ``most`` are left; same shape of picture."""
    height, width = picture.shape[:2]
    step = max(1, int(np.ceil(np.sqrt(height * width / most))))
    # From the middle of each cell, so that the edges count alike.
    return np.ascontiguousarray(picture[step // 2 :: step, step // 2 :: step, :3])


def luma(bgr: Bgra) -> NDArray[np.uint8]:
    """(h, w) BT.709 luma, 0…255."""
    import cv2

    return np.asarray(cv2.transform(bgr, np.array([[_KB, _KG, _KR]], np.float32)), np.uint8).reshape(bgr.shape[:2])


def chroma(bgr: Bgra) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(Cb, Cr), each (h, w) uint8 with 128 = none, BT.709 full range."""
    import cv2

    blue, red = 0.5 / (1 - _KB), 0.5 / (1 - _KR)
    matrix = np.array(
        [[0.5, -_KG * blue, -_KR * blue, 128], [-_KB * red, -_KG * red, 0.5, 128]], np.float32
    )  # fmt: skip
    pair = np.asarray(cv2.transform(bgr, matrix), np.uint8)
    return pair[..., 0], pair[..., 1]


def waveform(plane: NDArray[np.uint8]) -> Counts:
    """(256, w) counts of one plane (h, w): row 0 is the level 255, columns are the picture's."""
    width = plane.shape[1]
    places = np.bitwise_not(plane).astype(np.intp)
    places *= width
    places += np.arange(width)
    return np.bincount(places.ravel(), minlength=256 * width).reshape(256, width)


def vectorscope(bgr: Bgra) -> Counts:
    """(256, 256) counts: columns are Cb from −½ to ½, rows Cr from ½ (top) to −½."""
    blue, red = chroma(bgr)
    places = np.bitwise_not(red).astype(np.intp)
    places <<= 8
    places |= blue
    return np.bincount(places.ravel(), minlength=65536).reshape(256, 256)


def histogram(bgr: Bgra) -> Counts:
    """(4, 256) counts of red, green, blue and luma."""
    planes = (bgr[..., 2], bgr[..., 1], bgr[..., 0], luma(bgr))
    return np.stack([np.bincount(plane.ravel(), minlength=256) for plane in planes])


def target(red: int, green: int, blue: int) -> tuple[float, float]:
    """(Cb, Cr) of a colour, each −0.5…0.5."""
    y = (_KR * red + _KG * green + _KB * blue) / 255
    return (blue / 255 - y) / (2 * (1 - _KB)), (red / 255 - y) / (2 * (1 - _KR))


# -- as pictures -----------------------------------------------------------------------------------------------------


def _light(counts: Counts, gain: float) -> NDArray[np.uint8]:
    """Light, 0…255, by count up to the highest there is."""
    top = int(counts.max()) if counts.size else 0
    return (255 * (1 - np.exp(-np.sqrt(np.arange(top + 1) * gain)))).astype(np.uint8)


def glow(counts: Counts, gain: float) -> NDArray[np.uint8]:
    """Counts as light, 0…255: a single hit can be seen, and many do not burn out."""
    return _light(counts, gain)[counts]


def waveform_picture(bgr: Bgra, *, parade: bool = False) -> Bgra:
    """(256, n, 4) premultiplied BGRA of the luma waveform, or of red, green and blue side by side."""
    height, width = bgr.shape[:2]
    gain = 120 / max(1, height)
    if not parade:
        out = np.empty((256, width, 4), np.uint8)
        _draw(out, waveform(luma(bgr)), gain, (0.86, 1.0, 0.9))
        return out
    gap = max(2, width // 40)
    out = np.zeros((256, 3 * width + 2 * gap, 4), np.uint8)
    for number, ink in enumerate(((0.34, 0.36, 1.0), (0.4, 1.0, 0.42), (1.0, 0.58, 0.4))):
        left = number * (width + gap)
        _draw(out[:, left : left + width], waveform(bgr[..., 2 - number]), gain, ink)
    return out


def _draw(out: Bgra, counts: Counts, gain: float, ink: tuple[float, float, float]) -> None:
    """Counts as light of one colour: a pixel is looked up whole."""
    light = _light(counts, gain)
    pixels = np.empty((len(light), 4), np.uint8)
    for channel, part in enumerate(ink):
        pixels[:, channel] = (np.arange(256) * part).astype(np.uint8)[light]
    pixels[:, 3] = light
    out.view(np.uint32)[..., 0] = pixels.view(np.uint32)[:, 0][counts]


def vectorscope_picture(bgr: Bgra) -> Bgra:
    """(256, 256, 4) premultiplied BGRA: each place in the hue that lies there."""
    import cv2

    light = glow(vectorscope(bgr), 20_000 / max(1, bgr.shape[0] * bgr.shape[1]))
    shown = cv2.multiply(_hues(), cv2.merge([light, light, light, light]), scale=1 / 255)
    return np.asarray(shown, np.uint8)


@cache
def _hues() -> Bgra:
    """(256, 256, 4) opaque BGRA of the chroma at each place of a vectorscope, light enough to be seen."""
    cr, cb = np.mgrid[0.5:-0.5:256j, -0.5:0.5:256j]
    y = 0.62
    red, blue = y + 2 * (1 - _KR) * cr, y + 2 * (1 - _KB) * cb
    green = (y - _KR * red - _KB * blue) / _KG
    return np.round(np.clip(np.stack([blue, green, red, np.ones_like(red)], axis=2), 0.12, 1) * 255).astype(np.uint8)
