"""The measures say what they should about pictures whose answer is known."""

from __future__ import annotations

import cv2
import numpy as np

from gen2studio.raster import measures


def _texture(seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (120, 160, 3), np.uint8)
    soft = cv2.GaussianBlur(noise, (0, 0), 3).astype(np.float32)
    return np.clip((soft - soft.mean()) * 6 + 128, 0, 255).astype(np.uint8)


def test_a_shifted_picture_has_little_warp_error_and_an_unrelated_one_much() -> None:
    first = _texture()
    frames = [np.roll(first, 2 * i, 1) for i in range(3)]
    motion = measures.held_out_motion(frames)
    steady = measures.warp_error(frames, motion)
    assert steady < 0.25 * measures.warp_error([_texture(i) for i in range(3)], motion)
    assert steady < 0.03


def test_blur_lowers_detail_and_keeps_edge_correlation_below_one() -> None:
    sharp = _texture()
    soft = cv2.GaussianBlur(sharp, (0, 0), 3)
    assert measures.detail(soft) < 0.6 * measures.detail(sharp)
    assert measures.edge_correlation(sharp, sharp) > 0.9999
    assert abs(measures.edge_correlation(sharp, _texture(9))) < 0.2


def test_flicker_drift_and_shading() -> None:
    still = _texture()
    pulse = np.clip(still.astype(int) + 40, 0, 255).astype(np.uint8)
    assert measures.flicker([still] * 4) == 0
    assert measures.flicker([still, pulse, still, pulse]) > 0.1
    assert measures.colour_drift([still, still]) == 0 and measures.colour_drift([still, pulse]) > 5
    everywhere = np.ones(still.shape[:2], bool)
    assert measures.shading_correlation(pulse, still, everywhere) > 0.95
    assert measures.difference(still, still) == 0
