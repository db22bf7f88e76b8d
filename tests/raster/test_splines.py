"""Drawn shapes as pixels: areas that are known, ramps that are known, sets that join as they should."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent
from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.document import outlines
from gen2studio.raster import splines

EXTENT = Extent(320, 240)


def shape(points: tuple[ShapePoint, ...], kind: str = "bezier", operation: str = "add", **more: object) -> MaskShape:
    return MaskShape(id="s", kind=kind, operation=operation, keys=((0, points),), **more)  # type: ignore[arg-type]


def circle(x: float, y: float, radius: float, feather: float = 0.0) -> tuple[ShapePoint, ...]:
    return tuple(
        ShapePoint(p.x, p.y, p.in_x, p.in_y, p.out_x, p.out_y, feather)
        for p in outlines.ellipse(x - radius, y - radius, x + radius, y + radius)
    )


def matte(*shapes: MaskShape, painted: NDArray[np.uint8] | None = None, frame: int = 0) -> NDArray[np.uint8]:
    return splines.matte_with_shapes(painted, shapes, frame, EXTENT)


def area_of(mask: NDArray[np.uint8]) -> float:
    return float(mask.sum(dtype=np.float64)) / 255.0


@pytest.mark.parametrize("radius", [6.0, 20.3, 77.7, 110.0])
def test_a_circle_has_the_area_of_a_circle(radius: float) -> None:
    assert area_of(matte(shape(circle(160.2, 120.7, radius)))) == pytest.approx(math.pi * radius**2, rel=0.005)


def test_a_square_is_exact_and_antialiased() -> None:
    square = outlines.rectangle(10.5, 20.25, 60.5, 70.25)
    for kind in ("polygon", "bezier"):
        found = matte(shape(square, kind))
        assert area_of(found) == pytest.approx(2500.0, rel=1e-4)
        assert found[40, 10] == found[40, 60] == 128
        assert found[20, 30] == 191 and found[70, 30] == 64
        assert found[40, 30] == 255 and found[40, 9] == 0


def test_a_bspline_of_a_square_has_the_known_area() -> None:
    # The closed uniform cubic B-spline of a square of side a: the sum over its spans of ½∫(x dy − y dx) is 61/120 a².
    found = matte(shape(outlines.rectangle(60, 40, 220, 200), "bspline"))
    t = np.linspace(0, 1, 2001)[:-1]
    corners = np.array([(60, 40), (220, 40), (220, 200), (60, 200)], float)
    line = np.concatenate([
        ((1 - t) ** 3)[:, None] / 6 * corners[i - 1] + ((3 * t**3 - 6 * t**2 + 4) / 6)[:, None] * corners[i]
        + ((-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6)[:, None] * corners[(i + 1) % 4]
        + (t**3 / 6)[:, None] * corners[(i + 2) % 4]
        for i in range(4)
    ])  # fmt: skip
    x, y = line.T
    true = abs(0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    assert area_of(found) == pytest.approx(true, rel=0.001)


@pytest.mark.parametrize("feather", [3.0, 12.0, 40.0, 90.0])
def test_a_feathered_circle_falls_evenly_outwards(feather: float) -> None:
    radius = 20.0
    found = matte(shape(circle(160, 120, radius, feather))).astype(float) / 255
    rows, columns = np.mgrid[0:240, 0:320]
    away = np.hypot(columns + 0.5 - 160, rows + 0.5 - 120) - radius
    assert np.abs(found - np.clip((feather + 0.5 - away) / (feather + 1), 0, 1)).max() < 0.05
    assert found[120, 160] == 1.0


@pytest.mark.parametrize("feather", [-3.0, -12.0, -60.0])
def test_a_feathered_circle_falls_evenly_inwards(feather: float) -> None:
    radius = 90.0
    found = matte(shape(circle(160, 120, radius, feather))).astype(float) / 255
    rows, columns = np.mgrid[0:240, 0:320]
    away = np.hypot(columns + 0.5 - 160, rows + 0.5 - 120) - radius
    assert np.abs(found - np.clip((0.5 - away) / (1 - feather), 0, 1)).max() < 0.06
    assert found[away > 1].max() == 0.0


def test_feather_grows_along_the_outline_without_a_step() -> None:
    corners = outlines.rectangle(100, 60, 220, 180)
    soft = (30.0, 0.0, -20.0, 0.0)
    points = tuple(ShapePoint(p.x, p.y, feather=f) for p, f in zip(corners, soft, strict=True))
    found = matte(shape(points, "polygon")).astype(int)
    # Nowhere a jump of more than the hard edge where the feather is nothing.
    hard = np.zeros_like(found, bool)
    hard[58:62, 190:222] = hard[150:184, 216:224] = hard[60:184, 216:224] = True
    hard[176:184, 98:140] = hard[150:184, 96:104] = hard[56:64, 180:224] = True
    steps = np.abs(np.diff(found, axis=0))[:, :-1] + np.abs(np.diff(found, axis=1))[:-1]
    assert np.quantile(steps[~hard[:-1, :-1]], 0.999) <= 90
    # Outwards at the first corner, sharp beside the second, inwards at the third.
    assert 0 < found[45, 100] < 255 and found[60 - 3, 214] == 0 and 0 < found[172, 212] < 255


def test_no_feather_and_very_little_feather_are_the_same() -> None:
    hard, soft = (matte(shape(circle(160, 120, 50, f))).astype(int) for f in (0.0, 1e-4))
    assert np.abs(hard - soft).max() <= 14


def test_shapes_join_in_order() -> None:
    painted = np.zeros((240, 320), np.uint8)
    painted[:, :160] = 200
    before = painted.copy()
    big, small = outlines.rectangle(100, 50, 220, 190), outlines.rectangle(140, 90, 180, 150)
    both = matte(shape(big), shape(small, operation="subtract"), painted=painted)
    assert (both[60, 120], both[100, 150], both[100, 210], both[10, 10], both[10, 300]) == (255, 0, 255, 200, 0)
    other = matte(shape(small, operation="subtract"), shape(big), painted=painted)
    assert other[100, 150] == 255
    cut = matte(shape(big, operation="intersect"), painted=painted)
    assert (cut[60, 120], cut[60, 200], cut[10, 10]) == (200, 0, 0)
    assert np.array_equal(painted, before)
    twice = matte(shape(circle(160, 120, 40, 9)), shape(circle(160, 120, 40, 9)))
    assert np.array_equal(twice, matte(shape(circle(160, 120, 40, 9))))


def test_what_does_not_count_changes_nothing() -> None:
    painted = np.full((240, 320), 7, np.uint8)
    for away in ({"visible": False}, {"start": 5}, {"stop": 0}):
        assert matte(shape(circle(100, 100, 30), **away), painted=painted) is painted
    outside = matte(shape(circle(-500, 100, 30)), painted=painted)
    assert np.array_equal(outside, painted)
    assert not matte(shape(circle(-500, 100, 30), operation="intersect"), painted=painted).any()
    with pytest.raises(ValueError, match="the matte is"):
        splines.matte_with_shapes(np.zeros((3, 3), np.uint8), (), 0, EXTENT)


def test_feather_reaches_into_the_picture_from_outside() -> None:
    square = tuple(ShapePoint(p.x, p.y, feather=60.0) for p in outlines.rectangle(-80, 40, -20, 200))
    found = matte(shape(square, "polygon"))
    assert found[120, 0] == pytest.approx(255 * (60.5 - 20.5) / 61, abs=3) and found[120, 60] == 0


def test_between_keys_the_shape_is_between() -> None:
    moving = MaskShape(id="s", keys=((10, circle(80, 100, 30)), (20, circle(180, 140, 30))))
    for frame, x, y in ((0, 80, 100), (10, 80, 100), (15, 130, 120), (20, 180, 140), (90, 180, 140)):
        assert np.array_equal(matte(moving, frame=frame), matte(shape(circle(x, y, 30))))


def test_parts_are_laid_where_something_changed_only() -> None:
    painted = np.random.default_rng(2).integers(0, 256, (240, 320), dtype=np.uint8)
    shapes = (shape(circle(100, 100, 40, 12)), shape(circle(130, 110, 30), operation="intersect"))
    parts = [(s.operation, *splines.rasterise(s, 0, EXTENT)) for s in shapes]
    whole = matte(*shapes, painted=painted)
    out = np.full_like(painted, 9)
    area = splines.Rect(90, 70, 60, 50)
    splines.lay_parts(out, painted, parts, area)
    window = np.s_[area.y : area.bottom, area.x : area.right]
    assert np.array_equal(out[window], whole[window])
    out[window] = 9
    assert (out == 9).all()


@pytest.mark.parametrize("feather", [0.0, 9.0, -14.0, 70.0, 140.0])
@pytest.mark.parametrize("kind", ["bezier", "bspline", "polygon"])
def test_patching_what_moved_gives_the_whole(kind: str, feather: float) -> None:
    rng = np.random.default_rng(7)
    angles = np.linspace(0, 2 * np.pi, 13)[:-1]
    points = tuple(
        ShapePoint(
            160 + 100 * math.cos(a), 120 + 90 * math.sin(a), 20 * math.sin(a), -20 * math.cos(a), -20 * math.sin(a),
            20 * math.cos(a), feather * rng.uniform(0.3, 1),
        )
        for a in angles
    )  # fmt: skip
    for _ in range(8):
        index = int(rng.integers(12))
        p = points[index]
        moved = ShapePoint(
            p.x + rng.normal() * 25, p.y + rng.normal() * 25, p.in_x, p.in_y, p.out_x, p.out_y, p.feather + rng.normal()
        )
        after = (*points[:index], moved, *points[index + 1 :])
        old, new = splines.segments(kind, points), splines.segments(kind, after)
        where = splines.changed(old, new)
        area, mask = splines.patched(new, EXTENT, splines.coverage(old, EXTENT), where)
        true_area, true = splines.coverage(new, EXTENT)
        # Sums along a row start elsewhere: the last half of a level may be rounded the other way.
        assert area == true_area and np.abs(mask.astype(int) - true).max() <= 1
        points = after
    assert splines.changed(new, new).empty
