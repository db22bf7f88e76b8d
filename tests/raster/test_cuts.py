"""Where a shot ends: both layout and colours change, or one of them altogether."""

from __future__ import annotations

import numpy as np
import pytest

from gen2studio.raster import cuts

_LAB = 32 * 18 * 3


def signature_at(layout: float, colours: float) -> np.ndarray:
    """A signature so far from the one of zeros and a first colour."""
    found = np.full(_LAB + 512, layout, np.float32)
    found[_LAB:] = 0
    found[_LAB], found[_LAB + 1] = 1 - colours, colours
    return found


@pytest.mark.parametrize(
    ("layout", "colours", "bar", "cut"),
    [
        *((0.10, 0.36, 1.0, True), (0.10, 0.34, 1.0, False), (0.08, 0.36, 1.0, False)),
        *((0.21, 0.0, 1.0, True), (0.19, 0.0, 1.0, False), (0.0, 0.76, 1.0, True), (0.0, 0.74, 1.0, False)),
        *((0.08, 0.32, 0.8, True), (0.17, 0.0, 0.8, True), (0.0, 0.61, 0.8, True)),
    ],
)
def test_a_cut_is_told_by_both_signs(layout: float, colours: float, bar: float, cut: bool) -> None:
    before, after = signature_at(0, 0), signature_at(layout, colours)
    assert cuts.difference(before, after) == pytest.approx((layout, colours), abs=1e-6)
    assert cuts.is_cut(before, after, bar) is cut
