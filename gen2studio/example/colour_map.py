"""Colour maps: 33³ lookup tables, fitted once per clip to a painting or built from grading values.

Fit: sliced optimal transport (Pitié, Kokaram, Dahyot 2007; Rabin et al. 2011) between colour samples in CIE Lab. A
grid of
all colours is carried through the same maps, and its displacement is smoothed where the footage has few colours, so
that
skies stay smooth. Applying it per frame costs a table lookup and can't flicker by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.example.compiled import Team
from gen2studio.example.kernels import F32
from gen2studio.example.pixel_kernels import look_up

SIZE = 33
Picture = NDArray[np.uint8]


def lattice() -> F32:
    """(33, 33, 33, 3) sRGB colours 0…1 indexed [r, g, b]."""
    steps = np.linspace(0, 1, SIZE, dtype=np.float32)
    return np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1)


def to_lab(rgb: F32) -> F32:
    """CIE Lab scaled to about −1…1 (L/100, a/110, b/110) of float sRGB 0…1, any leading shape."""
    flat = np.ascontiguousarray(rgb, np.float32).reshape(-1, 1, 3)
    lab = cv2.cvtColor(flat, cv2.COLOR_RGB2Lab) / np.array([100, 110, 110], np.float32)
    return np.asarray(lab, np.float32).reshape(rgb.shape)


def to_rgb(lab: F32) -> F32:
    """Float sRGB of :func:`to_lab` values, clipped to 0…1."""
    flat = np.ascontiguousarray(lab, np.float32).reshape(-1, 1, 3) * np.array([100, 110, 110], np.float32)
    return (
        np.clip(cv2.cvtColor(np.asarray(flat, np.float32), cv2.COLOR_Lab2RGB), 0, 1)
        .astype(np.float32)
        .reshape(lab.shape)
    )


def samples_of(pictures: Sequence[Picture], count: int, seed: int, weights: Sequence[float] | None = None) -> F32:
    """(count, 3) Lab colours drawn from ``pictures`` (uint8 RGB), each giving its share of ``weights``."""
    random = np.random.default_rng(seed)
    shares = np.asarray(weights if weights is not None else np.ones(len(pictures)), np.float64)
    shares = shares / shares.sum()
    drawn: list[F32] = []
    for picture, share in zip(pictures, shares, strict=True):
        flat = picture.reshape(-1, 3)
        number = max(1, round(count * float(share)))
        drawn.append(to_lab(flat[random.integers(0, len(flat), number)].astype(np.float32) / np.float32(255)))
    return np.concatenate(drawn)[:count]


def fit(source: F32, style: F32, *, seed: int = 1, directions: int = 24, step: float = 0.6, smooth: float = 0.7) -> F32:
    """(33, 33, 33, 3) table sRGB → sRGB that moves ``source`` colours (N, 3 Lab) onto the distribution of ``style``."""
    random = np.random.default_rng(seed)
    moved = source + random.normal(0, 0.012, source.shape).astype(np.float32)
    goal = style + random.normal(0, 0.012, style.shape).astype(np.float32)
    start = moved.copy()
    quantiles = np.linspace(0.5 / 64, 1 - 0.5 / 64, 64)
    axis = _axis()
    grid = axis.reshape(-1, 3).copy()
    for _ in range(directions):
        rotation, _ = np.linalg.qr(random.normal(size=(3, 3)))
        turn = rotation.astype(np.float32)
        here, there, lines = moved @ turn, goal @ turn, grid @ turn
        for c in range(3):
            a = np.sort(here[:, c])[(quantiles * len(here)).astype(np.int64)]
            b = np.sort(there[:, c])[(quantiles * len(there)).astype(np.int64)]
            here[:, c] += np.float32(step) * _moved(here[:, c], a, b)
            lines[:, c] += np.float32(step) * _moved(lines[:, c], a, b)
        moved, grid = here @ turn.T, lines @ turn.T
    displacement = (grid - axis.reshape(-1, 3)).reshape(axis.shape)
    return _baked(displacement, start, smooth)


def _axis() -> F32:
    light = np.linspace(0, 1, SIZE, dtype=np.float32)
    chroma = np.linspace(-1, 1, SIZE, dtype=np.float32)
    return np.stack(np.meshgrid(light, chroma, chroma, indexing="ij"), -1)


def _moved(values: NDArray, a: NDArray, b: NDArray) -> F32:
    return np.interp(values, a, b - a).astype(np.float32)


def _baked(displacement: F32, start: F32, smooth: float) -> F32:
    """Density-weighted smoothing on the Lab grid, then resampling onto the RGB lattice."""
    cells = np.stack(
        [start[:, 0] * (SIZE - 1), (start[:, 1] + 1) * (SIZE - 1) / 2, (start[:, 2] + 1) * (SIZE - 1) / 2], -1
    )
    where = np.clip(np.rint(cells).astype(np.int64), 0, SIZE - 1)
    density = np.zeros((SIZE, SIZE, SIZE), np.float32)
    np.add.at(density, (where[:, 0], where[:, 1], where[:, 2]), 1.0)
    weight = _blurred3(density / np.float32(density.max()), 1.0) + 1e-4
    total = _blurred3(weight, smooth)
    smoothed = np.stack([_blurred3(displacement[..., c] * weight, smooth) / total for c in range(3)], -1)
    colours = to_lab(lattice())
    moved = colours + _sampled(smoothed, colours)
    moved[..., 0] += _tone_limit(colours[..., 0], moved)
    return to_rgb(moved)


def _tone_limit(light: F32, moved: F32) -> F32:
    """What to add to the mapped lightness so that no tone range collapses: slopes of the grey curve stay in 0.5…2.2.

    A painting that is mostly black (or black and white only) would otherwise swallow faces.
    """
    steps = np.arange(SIZE)
    curve = np.maximum.accumulate(moved[steps, steps, steps, 0].astype(np.float64))
    place = light[steps, steps, steps].astype(np.float64)
    rise = np.clip(np.diff(curve), 0.5 * np.diff(place), 2.2 * np.diff(place))
    limited = np.concatenate([[0.0], np.cumsum(rise)])
    limited += np.mean(curve - limited)
    low, high = max(0.0, float(limited[0])), min(1.0, float(limited[-1]))
    limited = low + (limited - limited[0]) * (high - low) / max(float(limited[-1] - limited[0]), 1e-6)
    return np.interp(light, place, limited - moved[steps, steps, steps, 0]).astype(np.float32)


def _blurred3(volume: NDArray, sigma: float) -> F32:
    out = volume
    radius = max(1, int(3 * sigma + 0.5))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in range(3):
        padded = np.pad(out, [(radius, radius) if a == axis else (0, 0) for a in range(3)], mode="edge")
        total = np.zeros_like(volume)
        for i, tap in enumerate(taps):
            total += tap * np.take(padded, np.arange(i, i + SIZE), axis=axis)
        out = total
    return out


def _sampled(volume: F32, lab: F32) -> F32:
    """Trilinear value of a Lab-indexed (33³, 3) volume at ``lab``."""
    unit = (
        np.stack([lab[..., 0], (lab[..., 1] + 1) / 2, (lab[..., 2] + 1) / 2], -1).astype(np.float32).reshape(-1, 1, 3)
    )
    result = np.empty_like(unit)
    look_up(np.ascontiguousarray(unit), np.ascontiguousarray(volume), result, 0, len(unit))
    return result.reshape(lab.shape)


def apply(table: F32, picture: NDArray, team: Team) -> F32:
    """The table's colours for an (H, W, 3) float picture 0…1."""
    colours = np.ascontiguousarray(picture, np.float32)
    result = np.empty_like(colours)
    team.over(picture.shape[0], lambda a, b: look_up(colours, table, result, a, b))
    return result


def blended(table: F32, amount: float) -> F32:
    """The table with its effect scaled: 0 = no change, 1 = as fitted, above 1 goes on in the same direction (Lab)."""
    own = to_lab(lattice())
    return to_rgb(np.asarray(own + (to_lab(table) - own) * np.float32(amount), np.float32))


def after(first: F32, second: F32) -> F32:
    """One table that does ``first`` and then ``second``."""
    flat = np.ascontiguousarray(first.reshape(-1, 1, 3))
    result = np.empty_like(flat)
    look_up(flat, second, result, 0, len(flat))
    return result.reshape(first.shape)
