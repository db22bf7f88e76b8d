"""Pictures laid over pictures by the modes of the W3C's "Compositing and Blending Level 1" (2015, §9–13).

Pictures are (H, W, 4) uint8 BGRA with premultiplied alpha, display values. With a source (Cs, αs) over a backdrop
(Cb, αb), §10.1 gives, premultiplied, ``co = αs(1 − αb)Cs + αs·αb·B(Cb, Cs) + (1 − αs)αb·Cb`` and
``αo = αs + αb(1 − αs)``; ``B`` is what a mode is. ``add`` is the Porter–Duff operator *lighter* (§9.1.13).

Everything is rounded to nearest once per layer. Work goes through bands of rows, so that what is in hand stays in the
processor's cache.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Bgra = NDArray[np.uint8]
"""(H, W, 4) uint8 BGRA, premultiplied alpha."""
_Floats = NDArray[np.floating]
_BAND = 32
_LUMA = np.array([0.11, 0.59, 0.30], np.float32)
"""Weights of B, G and R in ``Lum`` (§10.2)."""


def _multiply(below: _Floats, above: _Floats) -> _Floats:
    return below * above


def _screen(below: _Floats, above: _Floats) -> _Floats:
    return below + above - below * above


def _hard_light(below: _Floats, above: _Floats) -> _Floats:
    return np.where(above <= 0.5, 2 * below * above, 1 - 2 * (1 - below) * (1 - above))


def _overlay(below: _Floats, above: _Floats) -> _Floats:
    return _hard_light(above, below)


def _soft_light(below: _Floats, above: _Floats) -> _Floats:
    lift = np.where(below <= 0.25, ((16 * below - 12) * below + 4) * below, np.sqrt(below))
    dark = below - (1 - 2 * above) * below * (1 - below)
    return np.where(above <= 0.5, dark, below + (2 * above - 1) * (lift - below))


def _luminosity_of(colour: _Floats) -> _Floats:
    """(H, W) ``Lum``."""
    return np.asarray(cv2.transform(colour, _LUMA[None, :]), np.float32).reshape(colour.shape[:2])


def _with_luminosity(colour: _Floats, luminosity: _Floats) -> _Floats:
    """``SetLum`` with its ``ClipColor``: moved to a luminosity, and towards it where that leaves 0…1.

    Both steps of ``ClipColor`` draw a colour towards its luminosity L by a factor of the pixel, and what they draw is
    C − Lum(C): the result is L + k(C − Lum(C)), with k from the least and the greatest channel.
    """
    own = _luminosity_of(colour)
    blue, green, red = cv2.split(colour)
    shift = luminosity - own
    low = cv2.min(cv2.min(blue, green), red) + shift
    high = cv2.max(cv2.max(blue, green), red) + shift
    under = luminosity / np.maximum(luminosity - low, 1e-6)
    above = (1 - luminosity) / np.maximum(high - luminosity, 1e-6)
    part = np.where(low < 0, under, np.float32(1)) * np.where(high > 1, above, np.float32(1))
    rest = luminosity - part * own
    return cv2.multiply(colour, _thrice(part)) + _thrice(rest)


def _thrice(plane: _Floats) -> _Floats:
    """(H, W, 3) of one plane: OpenCV is several times as quick with it as NumPy is with an axis of three."""
    return np.asarray(cv2.merge([plane, plane, plane]), np.float32)


def _colour(below: _Floats, above: _Floats) -> _Floats:
    return _with_luminosity(above, _luminosity_of(below))


def _luminosity(below: _Floats, above: _Floats) -> _Floats:
    return _with_luminosity(below, _luminosity_of(above))


_FORMULAS: dict[str, Callable[[_Floats, _Floats], _Floats]] = {
    "multiply": _multiply,
    "screen": _screen,
    "overlay": _overlay,
    "darken": np.minimum,
    "lighten": np.maximum,
    "soft_light": _soft_light,
    "hard_light": _hard_light,
    "difference": lambda below, above: np.asarray(cv2.absdiff(below, above), np.float32),
    "colour": _colour,
    "luminosity": _luminosity,
}
_WHOLE = frozenset({"colour", "luminosity"})
"""Modes that look at all channels together."""
MODES = ("normal", "add", *_FORMULAS)
"""Every mode, by the name the document gives it."""


def is_opaque(picture: Bgra) -> bool:
    """Whether every alpha is 255."""
    return int(picture[..., 3].min(initial=255)) == 255


def faded(picture: Bgra, opacity: float) -> Bgra:
    """A premultiplied picture at ``opacity`` (0…1): colour and alpha alike. A new array unless opacity is 1."""
    return picture if opacity >= 1 else np.asarray(cv2.convertScaleAbs(picture, alpha=max(0.0, opacity)), np.uint8)


def lay(canvas: Bgra, picture: Bgra, mode: str = "normal", opacity: float = 1.0, *, opaque: bool | None = None) -> None:
    """Lay ``picture`` over ``canvas`` of the same shape, in place. ``opaque`` spares a look at the picture's alpha.

    Raises KeyError for an unknown mode and ValueError when the shapes differ.
    """
    if canvas.shape != picture.shape:
        raise ValueError(f"pictures differ in shape: {canvas.shape} and {picture.shape}")
    if opacity <= 0 or not canvas.size:
        return
    if mode == "normal":
        _lay_normal(canvas, picture, opacity, is_opaque(picture) if opaque is None else opaque)
    elif mode == "add":
        canvas[...] = cv2.add(canvas, faded(picture, opacity))
    elif mode not in _WHOLE and (is_opaque(picture) if opaque is None else opaque) and is_opaque(canvas):
        _lay_solid(mode, canvas, picture, opacity)
    else:
        _lay_by(_FORMULAS[mode], canvas, picture, opacity)


def _lay_normal(canvas: Bgra, picture: Bgra, opacity: float, opaque: bool) -> None:
    if opaque and opacity >= 1:
        canvas[...] = picture
        return
    for top in range(0, canvas.shape[0], 4 * _BAND):
        below, above = canvas[top : top + 4 * _BAND], picture[top : top + 4 * _BAND]
        if opaque:
            below[...] = cv2.addWeighted(above, opacity, below, 1 - opacity, 0)
            continue
        above = faded(above, opacity)
        rest = cv2.bitwise_not(above[..., 3])
        below[...] = cv2.add(above, cv2.multiply(below, cv2.merge([rest, rest, rest, rest]), scale=1 / 255))


@functools.cache
def _table(mode: str) -> _Floats:
    """``B`` of every pair of byte values, 0…255: (65536,) by below · 256 + above."""
    values = np.arange(256, dtype=np.float32) / 255
    below, above = np.meshgrid(values, values, indexing="ij")
    out = np.ascontiguousarray(_FORMULAS[mode](below[..., None], above[..., None]) * 255, np.float32).ravel()
    out.setflags(write=False)
    return out


def _lay_solid(mode: str, canvas: Bgra, picture: Bgra, opacity: float) -> None:
    """Both opaque: a look at a table instead of the formula."""
    table = _table(mode)
    for top in range(0, canvas.shape[0], _BAND):
        below, above = canvas[top : top + _BAND], picture[top : top + _BAND]
        # Alpha goes along, because whole pixels are quicker than three quarters of them.
        pairs = below.astype(np.intp)
        pairs <<= 8
        pairs |= above
        met = table.take(pairs, mode="wrap")
        if opacity < 1:
            met = cv2.addWeighted(met, opacity, below.astype(np.float32), 1 - opacity, 0)
        below[...] = cv2.convertScaleAbs(met)
        below[..., 3] = 255


def _lay_by(formula: Callable[[_Floats, _Floats], _Floats], canvas: Bgra, picture: Bgra, opacity: float) -> None:
    for top in range(0, canvas.shape[0], _BAND):
        rows = np.s_[top : top + _BAND]
        if not picture[rows][..., 3].any():
            continue
        backdrop, under = _parted(canvas[rows], 1.0)
        source, over = _parted(picture[rows], min(1.0, opacity))
        solid = float(under.min()) == 1.0
        plain_below = backdrop if solid else _plain(backdrop, under)
        met = formula(plain_below, _plain(source, over))
        # co, colour by colour.
        out = cv2.multiply(met, _thrice(over if solid else over * under))
        out += cv2.multiply(backdrop, _thrice(1 - over))
        if not solid:
            out += cv2.multiply(source, _thrice(1 - under))
        alpha = over + under * (1 - over)
        # A sum that rounding puts a hair below 0 must not come back as its absolute value.
        whole = cv2.merge([*cv2.split(np.maximum(out, 0, out=out)), alpha])
        canvas[rows] = cv2.convertScaleAbs(whole, alpha=255)


def _parted(picture: Bgra, opacity: float) -> tuple[_Floats, _Floats]:
    """(H, W, 3) premultiplied colour and (H, W) alpha, 0…1."""
    *colour, alpha = cv2.split(picture.astype(np.float32) * np.float32(opacity / 255))
    return np.asarray(cv2.merge(colour), np.float32), np.asarray(alpha, np.float32)


def _plain(colour: _Floats, alpha: _Floats) -> _Floats:
    """A premultiplied colour without its alpha."""
    return np.minimum(cv2.divide(colour, _thrice(np.maximum(alpha, 1e-6))), 1)


def mixed(first: Bgra, second: Bgra, share: float | NDArray[np.float32]) -> Bgra:
    """``first`` · (1 − share) + ``second`` · share, premultiplied. A new array.

    ``share`` is one number or an (H, W) float32 map, 0…1.
    """
    if not isinstance(share, np.ndarray):
        return np.asarray(cv2.addWeighted(first, 1 - float(share), second, float(share), 0), np.uint8)
    return np.asarray(cv2.blendLinear(first, second, np.float32(1) - share, share), np.uint8)
