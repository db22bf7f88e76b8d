"""Mattes on screen: a part equals the same part of a whole redraw, and tints have the right strength."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gen2studio.raster import compositing, views


def picture_matte() -> np.ndarray:
    mask = np.zeros((300, 400), np.uint8)
    cv2.circle(mask, (180, 150), 90, 255, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(mask, (9, 9), 2)


@pytest.mark.parametrize("scale", [0.13, 0.4, 0.77, 1.0, 1.6, 3.0, 7.5])
def test_a_dirty_part_equals_the_whole_redraw(scale: float) -> None:
    mask = picture_matte()
    whole = views.sample(mask, scale, -20.25, -10.5, 320, 240)
    for x, y, width, height in ((0, 0, 50, 60), (101, 73, 37, 41), (200, 100, 120, 140)):
        part = views.sample(mask, scale, -20.25 + x / scale, -10.5 + y / scale, width, height)
        gap = np.abs(part.astype(int) - whole[y : y + height, x : x + width].astype(int))
        # OpenCV's linear sampling works in 1/32 pixels.
        assert gap.max() <= (0 if scale == 1.0 else 8)
        assert gap.mean() < 0.15


def test_sampling_lands_on_the_right_pixels() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 30:45] = 255
    assert np.array_equal(views.sample(mask, 1.0, 0, 0, 60, 40), mask)
    assert np.array_equal(views.sample(mask, 4.0, 0, 0, 240, 160), np.kron(mask, np.ones((4, 4), np.uint8)))
    half = views.sample(mask, 0.5, 0, 0, 30, 20)
    assert half[6, 16] == 255
    assert half[4, 16] == 0
    assert abs(half.astype(float).mean() - mask.mean()) < 1.0
    assert not views.sample(mask, 1.0, 500, 500, 30, 20).any()


def test_the_tints_of_an_overlay_are_as_strong_as_asked() -> None:
    table = views.tints((255, 92, 10), 0.5)
    assert len(table) == 256
    assert table[0] >> 24 == 0
    assert table[128] == 64 << 24 | 255 << 16 | 92 << 8 | 10
    assert table[255] >> 24 == 128


def test_matte_and_checker_hide_what_they_should() -> None:
    matte = np.array([[0, 255]], np.uint8)
    assert views.matte(matte).tolist() == [[[0, 0, 0, 255], [255, 255, 255, 255]]]
    board = compositing.checkerboard(2, 1)
    shown = views.checker(matte, board)
    assert shown[0, 0].tolist() == board[0, 0].tolist()
    assert shown[0, 1].tolist() == [0, 0, 0, 0]


def test_the_outline_runs_along_the_edge_only() -> None:
    matte = views.sample(picture_matte(), 1.0, -3, -3, 406, 306)
    line = views.outline(matte, (255, 0, 0))
    assert line.shape == (300, 400, 4)
    ys, xs = np.nonzero(line[..., 2] > 100)
    radius = np.hypot(xs - 180, ys - 150)
    assert radius.min() > 86
    assert radius.max() < 94
    assert len(xs) > 2 * np.pi * 90
    assert (line[..., :3] <= line[..., 3:]).all()


@pytest.mark.parametrize(
    ("scale", "left", "top"), [(0.5, 0.0, 0.0), (0.73, -20.3, -11.0), (2.0, 10.25, 20.0), (0.3, 390.0, 290.0)]
)
def test_quick_samples_are_the_pixels_under_the_screen(scale: float, left: float, top: float) -> None:
    mask = np.random.default_rng(5).integers(1, 256, (300, 400), dtype=np.uint8)
    sampled = views.sample(mask, scale, left, top, 60, 50, quick=True)
    for row, column in ((0, 0), (49, 59), (20, 31)):
        x, y = left + (column + 0.5) / scale, top + (row + 0.5) / scale
        inside = 0 <= x < 400 and 0 <= y < 300
        assert sampled[row, column] == (mask[int(y), int(x)] if inside else 0)
