"""Ramps and the magic wand's edge."""

from __future__ import annotations

import numpy as np
import pytest

from gen2studio.core.geometry import Extent
from gen2studio.raster import gradients, shapes

EXTENT = Extent(100, 60)


def test_a_linear_ramp_falls_evenly_between_its_two_lines() -> None:
    found = gradients.linear(EXTENT, 20, 30, 70, 30)
    assert (found[:, :20] == 255).all() and (found[:, 70:] == 0).all()
    assert np.abs(found[5, 20:70].astype(float) - 255 * (1 - (np.arange(50) + 0.5) / 50)).max() <= 0.5
    assert (found == found[0]).all()
    slanted = gradients.linear(EXTENT, 0, 0, 60, 60)
    assert slanted[30, 30] == pytest.approx(255 * (1 - 30.5 / 60), abs=0.6) and slanted[10, 50] == slanted[50, 10]
    assert (gradients.linear(EXTENT, 5, 5, 5, 5) == 255).all()


def test_a_radial_ramp_falls_evenly_around_its_point() -> None:
    found = gradients.radial(EXTENT, 50.5, 30.5, 20)
    assert found[30, 50] == 255 and found[30, 60] == found[40, 50] == 128 and found[30, 70] == found[5, 5] == 0


def test_a_line_is_turned_to_eighths() -> None:
    assert gradients.snapped(0, 0, 10, 1) == pytest.approx((10, 0), abs=1e-6)
    assert gradients.snapped(0, 0, 9, 11) == pytest.approx((10, 10), abs=1e-6)


def test_mixed_pixels_along_the_edge_are_taken_in_part() -> None:
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[:, :10] = 200
    picture[:, 10] = 165
    region = shapes.fill_colour(picture, 3, 3, 24)
    soft = shapes.softened(picture, region, 3, 3, 24)
    assert (region[:, 10] == 0).all() and (soft[:, :10] == 255).all() and (soft[:, 11:] == 0).all()
    assert 0 < soft[5, 10] < 255
