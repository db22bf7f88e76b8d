"""Grow, feather, holes and specks against straightforward references."""

from __future__ import annotations

import numpy as np
import pytest

from gen2studio.core.geometry import Rect
from gen2studio.raster import morphology


def disc(radius: float, size: int = 121) -> np.ndarray:
    ys, xs = np.mgrid[:size, :size] - size // 2
    return np.where(np.hypot(xs, ys) <= radius, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("by", [1, 4, 9, 23, -1, -6, -14])
def test_a_grown_disc_is_a_larger_disc(by: int) -> None:
    got = morphology.grow(disc(25), by)
    ideal = np.pi * (25 + by) ** 2
    assert abs(np.count_nonzero(got > 127) - ideal) / ideal < 0.06
    assert np.array_equal(got, got.T)


def test_half_pixels_lie_between_whole_ones() -> None:
    soft = morphology.feather(disc(25), 4)
    less, half, more = (morphology.grow(soft, by).astype(int) for by in (2, 2.5, 3))
    assert (less <= half + 1).all()
    assert (half <= more + 1).all()
    assert less.sum() < half.sum() < more.sum()


def test_the_border_does_not_eat_into_the_matte() -> None:
    mask = np.full((40, 50), 255, np.uint8)
    assert (morphology.grow(mask, -8) == 255).all()
    mask[:, :25] = 0
    shrunk = morphology.grow(mask, -8)
    assert (shrunk[:, 33:] == 255).all()
    assert (shrunk[:, :33] == 0).all()


def test_feather_keeps_the_edge_and_softens_it() -> None:
    mask = np.zeros((60, 100), np.uint8)
    mask[:, 50:] = 255
    soft = morphology.feather(mask, 6)
    assert abs((int(soft[30, 49]) + int(soft[30, 50])) / 2 - 127.5) <= 1.5
    assert (np.diff(soft[30].astype(int)) >= 0).all()
    assert soft[30, 38] < 3
    assert soft[30, 61] > 252
    assert 20 < soft[30, 47] < 110
    assert np.array_equal(morphology.feather(mask, 0), mask)


def test_small_box_work_equals_work_on_the_whole_picture() -> None:
    small, large = disc(20, 61), np.zeros((400, 500), np.uint8)
    large[150:211, 200:261] = small
    for operation in (lambda m: morphology.grow(m, 3), lambda m: morphology.feather(m, 5)):
        got = operation(large)
        assert np.array_equal(got[150:211, 200:261], operation(small))
        got[150:211, 200:261] = 0
        assert got.max() == 0


def test_holes_are_filled_and_bays_are_not() -> None:
    mask = np.zeros((60, 60), np.uint8)
    mask[10:50, 10:50] = 255
    mask[20:25, 20:25] = 0
    mask[30:40, 30:60] = 0
    mask[42:44, 12:14] = 0
    filled = morphology.fill_holes(mask)
    assert filled[22, 22] == 255
    assert filled[35, 40] == 0
    only_small = morphology.fill_holes(mask, largest=10)
    assert only_small[43, 13] == 255
    assert only_small[22, 22] == 0


def test_despeckle_removes_small_islands_only() -> None:
    mask = np.zeros((60, 60), np.uint8)
    mask[10:30, 10:30] = 200
    mask[40:44, 40:44] = 255
    clean = morphology.despeckle(mask, 64)
    assert clean[42, 42] == 0
    assert (clean[10:30, 10:30] == 200).all()


def test_empty_mattes_pass_through_and_bounds_are_tight() -> None:
    empty = np.zeros((30, 40), np.uint8)
    for operation in (
        lambda m: morphology.grow(m, 5),
        lambda m: morphology.feather(m, 5),
        morphology.fill_holes,
        morphology.despeckle,
    ):
        assert not operation(empty).any()
    assert (morphology.invert(empty) == 255).all()
    assert morphology.bounds(empty).empty
    empty[5:9, 7:20] = 3
    assert morphology.bounds(empty) == Rect(7, 5, 13, 4)
