"""Coverage of regions against exact areas and dense supersampling; fills."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gen2studio.core.geometry import Extent, Rect
from gen2studio.raster import brush, shapes

EXTENT = Extent(120, 90)


def whole(area: Rect, coverage: np.ndarray) -> np.ndarray:
    out = np.zeros((EXTENT.height, EXTENT.width), np.uint8)
    out[area.y : area.bottom, area.x : area.right] = coverage
    return out


def test_polygon_coverage_follows_dense_sampling() -> None:
    points = [(10.3, 8.7), (100.2, 20.4), (70.9, 80.1), (30.5, 60.6)]
    area, coverage = shapes.polygon(EXTENT, points)
    got = whole(area, coverage).astype(float) / 255
    n = 8
    ys, xs = (np.mgrid[: EXTENT.height * n, : EXTENT.width * n] + 0.5) / n
    inside = np.zeros(xs.shape, bool)
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        crosses = (y0 > ys) != (y1 > ys)
        inside ^= crosses & (xs < (x1 - x0) * (ys - y0) / (y1 - y0) + x0)
    dense = inside.reshape(EXTENT.height, n, EXTENT.width, n).mean((1, 3))
    assert np.abs(got - dense).max() < 0.14  # a row or column of the reference's own samples
    assert abs(got.sum() - dense.sum()) / dense.sum() < 0.001


def test_rectangle_is_exact_and_clipped() -> None:
    area, coverage = shapes.rectangle(EXTENT, 20.5, 30.0, 10.25, 40.75)
    assert area == Rect(10, 30, 11, 11)
    assert coverage[0, 0] == round(0.75 * 255)
    assert coverage[5, 5] == 255
    assert coverage[-1, -1] == round(0.5 * 0.75 * 255)
    outside, _ = shapes.rectangle(EXTENT, 200, 200, 300, 300)
    assert outside.empty


@pytest.mark.parametrize("radii", [(30.0, 20.0), (3.5, 3.5), (40.0, 1.0)])
def test_ellipse_has_the_right_area(radii: tuple[float, float]) -> None:
    rx, ry = radii
    area, coverage = shapes.ellipse(EXTENT, 60 - rx, 45 - ry, 60 + rx, 45 + ry)
    got = coverage.astype(float).sum() / 255
    assert abs(got - math.pi * rx * ry) < 0.01 * math.pi * (rx + ry) + 0.1
    assert area.intersected(Rect.of(EXTENT)) == area


def test_tall_regions_have_no_seams_between_bands() -> None:
    tall = Extent(40, 700)
    area, coverage = shapes.polygon(tall, [(5, 5), (35, 5), (35, 695), (5, 695)])
    inner = coverage[1 - area.y + 5 : 690, 6 - area.x : 34 - area.x]
    assert (inner == 255).all()


def test_lines_and_points_are_no_region() -> None:
    for points in ([], [(1, 1)], [(1, 1), (5, 5)]):
        assert shapes.polygon(EXTENT, points)[0].empty


def test_put_adds_subtracts_and_reports_where() -> None:
    mask = np.zeros((90, 120), np.uint8)
    area, coverage = shapes.rectangle(EXTENT, 10, 10, 50, 50)
    assert shapes.put(mask, area, coverage) == Rect(10, 10, 40, 40)
    assert mask[10:50, 10:50].min() == 255
    assert mask.astype(int).sum() == 255 * 1600
    shapes.put(mask, *shapes.rectangle(EXTENT, 30, 10, 50, 50), subtract=True)
    assert mask[10:50, 30:50].max() == 0
    assert mask[10:50, 10:30].min() == 255


def test_fill_of_the_matte_stops_at_paint() -> None:
    mask = np.zeros((90, 120), np.uint8)
    mask[20:60, 20:60] = 255
    mask[25:55, 25:55] = 0
    hole = shapes.fill_matte(mask, 40, 40)
    assert hole.astype(bool).sum() == 30 * 30
    assert shapes.fill_matte(mask, 22, 22).max() == 0
    assert shapes.fill_matte(mask, 400, 5).max() == 0
    assert np.array_equal(shapes.fill_painted(mask, 22, 22), mask)
    assert shapes.fill_painted(mask, 40, 40).max() == 0


def test_fill_by_colour_is_connected_and_within_tolerance() -> None:
    picture = np.zeros((90, 120, 4), np.uint8)
    picture[10:30, 10:30, :3] = (100, 120, 140)
    picture[20:25, 20:25, :3] = (110, 130, 150)
    picture[60:80, 60:80, :3] = (100, 120, 140)
    near = shapes.fill_colour(picture, 12, 12, tolerance=10)
    assert near[22, 22] == 255
    assert near[70, 70] == 0
    assert near.astype(bool).sum() == 400
    everywhere = shapes.fill_colour(picture, 12, 12, tolerance=10, contiguous=False)
    assert everywhere[70, 70] == 255
    tight = shapes.fill_colour(picture, 12, 12, tolerance=5)
    assert tight[22, 22] == 0


def test_a_region_is_laid_exactly_across_tiles() -> None:
    rng = np.random.default_rng(8)
    for subtract in (False, True):
        mask = rng.integers(0, 256, (700, 900), dtype=np.uint8)
        coverage = np.zeros((600, 800), np.uint8)
        coverage[50:590, 40:700] = 255
        coverage[300:340] = rng.integers(0, 256, (40, 800), dtype=np.uint8)
        expected = mask.copy()
        window = expected[80:680, 70:870]
        brush.lay(window.copy(), coverage, window, erase=subtract)
        area = shapes.put(mask, Rect(70, 80, 800, 600), coverage, subtract=subtract)
        assert area == Rect(70, 80, 800, 600)
        assert np.array_equal(mask, expected)


def test_a_colour_fill_ignores_alpha_and_leaves_the_picture() -> None:
    picture = np.full((40, 60, 4), 90, np.uint8)
    picture[:, 30:, 3] = 7
    picture[10] = 200
    kept = picture.copy()
    region = shapes.fill_colour(picture, 5, 20, 4)
    assert region[11:].min() == 255
    assert region[:11].max() == 0
    assert np.array_equal(shapes.fill_colour(picture[..., :3].copy(), 5, 20, 4), region)
    assert np.array_equal(picture, kept)
