"""Blend modes against the formulas of the W3C, one pixel at a time."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
import pytest

from gen2studio.raster.blending import MODES, lay, mixed

Colour = tuple[float, float, float]


def per_channel(formula: Callable[[float, float], float]) -> Callable[[Colour, Colour], Colour]:
    return lambda b, s: (formula(b[0], s[0]), formula(b[1], s[1]), formula(b[2], s[2]))


def hard(b: float, s: float) -> float:
    return b * 2 * s if s <= 0.5 else b + (2 * s - 1) - b * (2 * s - 1)


def soft(b: float, s: float) -> float:
    if s <= 0.5:
        return b - (1 - 2 * s) * b * (1 - b)
    d = ((16 * b - 12) * b + 4) * b if b <= 0.25 else sqrt(b)
    return b + (2 * s - 1) * (d - b)


def lum(c: Colour) -> float:
    """Of (blue, green, red)."""
    return 0.3 * c[2] + 0.59 * c[1] + 0.11 * c[0]


def set_lum(c: Colour, wanted: float) -> Colour:
    d = wanted - lum(c)
    out = [v + d for v in c]
    middle, low, high = lum((out[0], out[1], out[2])), min(out), max(out)
    if low < 0:
        out = [middle + (v - middle) * middle / (middle - low) for v in out]
    if high > 1:
        out = [middle + (v - middle) * (1 - middle) / (high - middle) for v in out]
    return (out[0], out[1], out[2])


FORMULAS: dict[str, Callable[[Colour, Colour], Colour]] = {
    "normal": lambda _b, s: s,
    "multiply": per_channel(lambda b, s: b * s),
    "screen": per_channel(lambda b, s: b + s - b * s),
    "overlay": per_channel(lambda b, s: hard(s, b)),
    "darken": per_channel(min),
    "lighten": per_channel(max),
    "soft_light": per_channel(soft),
    "hard_light": per_channel(hard),
    "difference": per_channel(lambda b, s: abs(b - s)),
    "colour": lambda b, s: set_lum(s, lum(b)),
    "luminosity": lambda b, s: set_lum(b, lum(s)),
}


def expected(below: np.ndarray, above: np.ndarray, mode: str, opacity: float) -> np.ndarray:
    out = np.zeros(below.shape)
    for at in np.ndindex(below.shape[:2]):
        b, s = below[at] / 255, above[at] / 255 * opacity
        if mode == "add":
            out[at] = np.minimum(1, b + s)
            continue
        cb = tuple(b[:3] / b[3]) if b[3] else (0.0, 0.0, 0.0)
        cs = tuple(s[:3] / s[3]) if s[3] else (0.0, 0.0, 0.0)
        met = np.array(FORMULAS[mode](cb, cs))
        out[at][:3] = s[3] * (1 - b[3]) * np.array(cs) + s[3] * b[3] * met + (1 - s[3]) * b[3] * np.array(cb)
        out[at][3] = s[3] + b[3] * (1 - s[3])
    return out * 255


def pictures(seed: int, *, solid: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    straight = rng.integers(0, 256, (9, 40, 4)).astype(float)
    straight[0, :8, :3] = np.array([[0, 0, 0], [255, 255, 255]] * 4)
    straight[..., 3] = 255 if solid else rng.choice([0, 64, 128, 255], (9, 40))
    straight[..., :3] *= straight[..., 3:] / 255
    return np.rint(straight).astype(np.uint8)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("solid_below", "solid_above"), [(True, True), (True, False), (False, False)])
def test_every_mode_is_the_formula(mode: str, solid_below: bool, solid_above: bool) -> None:
    below, above = pictures(1, solid=solid_below), pictures(2, solid=solid_above)
    for opacity in (1.0, 0.37):
        out = below.copy()
        lay(out, above, mode, opacity)
        wrong = np.abs(out.astype(float) - expected(below, above, mode, opacity)).max()
        # A layer that can be seen through is rounded twice more when its opacity is applied.
        assert wrong <= (0.51 if mode not in ("normal", "add") or opacity == 1 or solid_above else 1.3), (mode, wrong)


def test_the_modes_of_the_document_are_all_there() -> None:
    from gen2studio.document.composition import BlendMode

    assert {mode.value for mode in BlendMode} == set(MODES)


def test_what_cannot_be_seen_changes_nothing() -> None:
    below = pictures(3, solid=True)
    for mode in MODES:
        out = below.copy()
        lay(out, np.zeros_like(below), mode)
        lay(out, pictures(4, solid=True), mode, 0.0)
        assert np.array_equal(out, below), mode
    with pytest.raises(ValueError, match="differ in shape"):
        lay(below.copy(), below[1:])
    with pytest.raises(KeyError):
        lay(below.copy(), below, "sepia")


def test_mixing_by_a_number_and_by_a_map() -> None:
    first, second = pictures(5, solid=False), pictures(6, solid=False)
    share = np.linspace(0, 1, first.shape[1], dtype=np.float32)[None, :].repeat(first.shape[0], 0)
    wanted = first * (1 - share[..., None]) + second * share[..., None]
    assert np.abs(mixed(first, second, share) - wanted).max() <= 0.51
    assert np.abs(mixed(first, second, 0.25) - (0.75 * first + 0.25 * second)).max() <= 0.51
