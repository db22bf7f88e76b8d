"""The benchmark's region and boundary measures on cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.bench.davis import contour, region


def square(left: int, top: int = 100, side: int = 100) -> NDArray[np.uint8]:
    mask = np.zeros((480, 854), np.uint8)
    mask[top : top + side, left : left + side] = 255
    return mask


def test_equal_mattes_score_one_and_disjoint_ones_zero() -> None:
    assert region(square(100), square(100)) == contour(square(100), square(100)) == 1
    assert region(square(100), square(400)) == contour(square(100), square(400)) == 0


def test_two_empty_mattes_agree_and_one_empty_matte_does_not() -> None:
    empty = np.zeros((480, 854), np.uint8)
    assert region(empty, empty) == contour(empty, empty) == 1
    assert region(empty, square(100)) == contour(empty, square(100)) == contour(square(100), empty) == 0


def test_half_overlap_is_one_third() -> None:
    assert region(square(100), square(150)) == pytest.approx(1 / 3)


def test_the_boundary_tolerance_is_eight_pixels() -> None:
    assert contour(square(100), square(108)) == 1
    # One pixel further both upright sides are missed in full, save for their ends.
    assert contour(square(100), square(109)) == pytest.approx(0.5, abs=0.1)
