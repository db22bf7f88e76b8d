"""Skin protection: where skin is, and how to give it back its own colours without losing the paint."""

from __future__ import annotations

import numpy as np

from gen2studio.example import colour_map
from gen2studio.example.filters import gaussian
from gen2studio.example.kernels import F32


def skin_map(picture: F32, unit: float) -> F32:
    """(H, W) 0…1 likelihood of skin in an (H, W, 3) float sRGB picture: a Gaussian in chroma, in plausible lightness,
    smoothed.

    Chroma of skin lies close together for all complexions (Jones, Rehg 2002); sand, wood and blond fur lie near it too,
    which is why protection is a choice and not always on. ``unit`` = frame height / 288.
    """
    lab = colour_map.to_lab(gaussian(picture, max(0.6, 1.2 * unit)))
    light, a, b = lab[..., 0] * 100, lab[..., 1] * 110, lab[..., 2] * 110
    hue = np.degrees(np.arctan2(b, a))
    chroma = np.hypot(a, b)
    likely = np.exp(-0.5 * ((hue - 50) / 16) ** 2 - 0.5 * ((chroma - 24) / 12) ** 2)
    likely = likely * np.clip((light - 15) / 15, 0, 1) * np.clip((97 - light) / 8, 0, 1)
    smooth = gaussian(np.asarray(likely, np.float32), 2.0 * unit)
    return np.asarray(np.clip((smooth - 0.25) / 0.35, 0, 1), np.float32)


def protected(painted: F32, source: F32, amount: float, unit: float) -> F32:
    """``painted`` with the source's own chroma, most of its lightness and fine features back on skin, by ``amount``
    0…1."""
    if amount <= 0:
        return painted
    where = skin_map(source, unit)[..., None] * np.float32(amount)
    own, paint = colour_map.to_lab(source), colour_map.to_lab(painted)
    smooth = gaussian(own, max(0.8, 1.5 * unit))
    kept = paint.copy()
    kept[..., 1:] = smooth[..., 1:]
    relief = paint[..., 0] - gaussian(paint[..., 0], 4 * unit)
    kept[..., 0] = 0.85 * own[..., 0] + 0.15 * paint[..., 0] + 0.5 * relief
    return colour_map.to_rgb(np.asarray(paint + (kept - paint) * where, np.float32))
