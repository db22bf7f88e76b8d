"""Dabs against a brute-force reference in double precision, opacity per stroke, undo byte for byte."""

from __future__ import annotations

import numpy as np
import pytest

from gen2studio.core.geometry import Rect
from gen2studio.raster.brush import Brush, Stroke, falloff, stamp
from gen2studio.raster.tiles import TileStore


def reference(mask: np.ndarray, dabs: list[tuple[float, float]], brush: Brush) -> np.ndarray:
    """Every pixel of the picture against every dab, in float64."""
    ys, xs = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
    coverage = np.zeros(mask.shape, np.float64)
    for x, y in dabs:
        tip = np.rint(falloff(np.hypot(xs - x, ys - y), brush.radius, brush.hardness) * 255)
        np.maximum(coverage, np.rint(tip * round(255 * brush.opacity) / 255), out=coverage)
    if brush.erase:
        return np.rint(mask * (255 - coverage) / 255).astype(np.uint8)
    return (255 - np.rint((255.0 - mask) * (255 - coverage) / 255)).astype(np.uint8)


def test_a_tip_fades_as_its_hardness_says() -> None:
    hard = falloff(np.array([0.0, 4.5, 4.75, 5.0, 5.5, 9.0]), 5.0, 1.0)
    assert hard.tolist() == [1.0, 1.0, 0.75, 0.5, 0.0, 0.0], "one straight pixel"
    soft = falloff(np.array([0.0, 2.625, 5.25, 7.875, 10.5]), 10.0, 0.0)
    assert soft.tolist() == [1.0, 0.84375, 0.5, 0.15625, 0.0], "a smooth step from the middle"


@pytest.mark.parametrize("erase", [False, True])
@pytest.mark.parametrize("opacity", [1.0, 0.4])
@pytest.mark.parametrize(("radius", "hardness"), [(3.0, 1.0), (7.5, 0.3), (20.0, 0.85), (40.0, 0.0)])
def test_dabs_equal_the_brute_force_reference(radius: float, hardness: float, opacity: float, erase: bool) -> None:
    rng = np.random.default_rng(3)
    mask = rng.integers(0, 256, (90, 120), dtype=np.uint8)
    before = mask.copy()
    brush = Brush(radius=radius, hardness=hardness, opacity=opacity, erase=erase)
    stroke = Stroke(mask, brush)
    # Whole-pixel centres and a length of whole steps: the reference needs no rounding of positions.
    stroke.press(30.5, 40.5)
    step = max(0.5, radius / 4)
    places = [(30.5, 40.5)]
    if radius >= 16:
        stroke.move(30.5 + 4 * step, 40.5)
        places += [(30.5 + k * step, 40.5) for k in range(1, 5)]
    assert stroke.dabs == len(places)
    assert np.array_equal(mask, reference(before, places, brush))


def test_crossing_itself_never_exceeds_the_stroke_opacity() -> None:
    mask = np.zeros((100, 100), np.uint8)
    stroke = Stroke(mask, Brush(radius=12, opacity=0.5))
    stroke.press(50, 50)
    for x, y in [(70, 50), (30, 50), (50, 70), (50, 30), (50, 50)]:
        stroke.move(x, y)
    assert mask.max() == 128
    second = Stroke(mask, Brush(radius=12, opacity=0.5))
    second.press(50, 50)
    assert mask.max() == 192  # another stroke adds to it


def test_dirty_rectangles_hold_every_change() -> None:
    rng = np.random.default_rng(5)
    mask = np.zeros((300, 400), np.uint8)
    stroke = Stroke(mask, Brush(radius=18, hardness=0.2))
    shown = mask.copy()
    area = stroke.press(50, 60)
    for _ in range(40):
        shown[area.y : area.bottom, area.x : area.right] = mask[area.y : area.bottom, area.x : area.right]
        assert np.array_equal(shown, mask)
        area = stroke.move(float(rng.uniform(-30, 430)), float(rng.uniform(-30, 330)), float(rng.uniform(0.2, 1)))
    assert Rect(0, 0, 400, 300).intersected(stroke.dirty) == stroke.dirty


def test_pressure_changes_size_and_opacity() -> None:
    wide, thin = np.zeros((80, 80), np.uint8), np.zeros((80, 80), np.uint8)
    Stroke(wide, Brush(radius=20)).press(40, 40, 1.0)
    Stroke(thin, Brush(radius=20)).press(40, 40, 0.5)
    assert 3.5 < np.count_nonzero(wide) / np.count_nonzero(thin) < 4.5
    faint = np.zeros((80, 80), np.uint8)
    Stroke(faint, Brush(radius=20, pressure_size=False, pressure_opacity=True)).press(40, 40, 0.25)
    assert faint.max() == 64


def test_spacing_does_not_depend_on_how_often_the_pen_reports() -> None:
    often, seldom = np.zeros((100, 300), np.uint8), np.zeros((100, 300), np.uint8)
    fine, coarse = Stroke(often, Brush(radius=16)), Stroke(seldom, Brush(radius=16))
    fine.press(20.5, 50.5)
    coarse.press(20.5, 50.5)
    for x in range(22, 261, 2):
        fine.move(x + 0.5, 50.5)
    coarse.move(260.5, 50.5)
    assert fine.dabs == coarse.dabs
    assert np.array_equal(often, seldom)


def test_cancel_and_tile_undo_of_200_dabs_are_byte_exact() -> None:
    rng = np.random.default_rng(7)
    mask = rng.integers(0, 256, (700, 900), dtype=np.uint8)
    before, tiles = mask.copy(), TileStore()
    base = tiles.pack(mask)
    stroke = Stroke(mask, Brush(radius=25, hardness=0.5, opacity=0.7))
    stroke.press(100, 100)
    while stroke.dabs < 200:
        stroke.move(float(rng.uniform(0, 900)), float(rng.uniform(0, 700)))
    changed = tiles.pack(mask, base, stroke.touched)
    assert np.array_equal(tiles.unpack(changed), mask)  # no changed tile was left out
    assert np.array_equal(tiles.unpack(base), before)  # undo
    stroke.cancel()
    assert np.array_equal(mask, before)


def test_stamps_are_shared_and_cannot_be_painted_on() -> None:
    assert stamp(30.0, 0.5) is stamp(30.0, 0.5)
    with pytest.raises(ValueError, match="read-only"):
        stamp(30.0, 0.5)[0, 0] = 1
    with pytest.raises(ValueError, match="uint8"):
        Stroke(np.zeros((4, 4), np.float32), Brush())  # type: ignore[arg-type]
