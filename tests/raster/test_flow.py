"""Flow is a function of its two pictures, whatever the thread looked at before."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gen2studio.raster import flow


@pytest.mark.parametrize("preset", [*flow.PRESETS, *flow.SHARP])
def test_a_small_picture_leaves_the_flow_of_others_alone(preset: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (120, 214), dtype=np.uint8)
    here = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), np.uint8)
    there = np.asarray(np.roll(here, 4, 1), np.uint8)
    alone = flow.dis_flow(here, there, preset)
    flow.dis_flow(here[:20, :24].copy(), there[:20, :24].copy(), preset)
    assert np.array_equal(flow.dis_flow(here, there, preset), alone)
