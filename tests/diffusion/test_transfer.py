"""Diffuse small, apply large: known grades come back, errors of single frames don't flicker, nothing runs away."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.transfer.apply import TransferTrack, apply_large
from gen2studio.raster import measures
from tests.diffusion.test_conditioning import clip

Picture = NDArray[np.uint8]


def psnr(a: Picture, b: Picture) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, ((a.astype(float) - b) ** 2).mean())))


def dusk(picture: Picture, amount: float = 1.0) -> Picture:
    """A relight that varies over the picture: dark cool ground, a warm glow at the horizon, in linear light."""
    unit = picture / 255.0
    y, x = np.linspace(0, 1, picture.shape[0])[:, None, None], np.linspace(0, 1, picture.shape[1])[None, :, None]
    glow = np.array([0.9, 0.4, 0.15]) * 0.25 * np.exp(-((y - 0.35) ** 2 + (x - 0.7) ** 2) / 0.08)
    light = unit**2.2
    made = np.clip(light * (1 - 0.55 * y) * np.array([0.875, 0.525, 0.385]) + glow * (0.3 + light), 0, 1) ** (1 / 2.2)
    return np.rint(255 * (unit + amount * (made - unit))).astype(np.uint8)


def small(picture: Picture) -> Picture:
    size = (round(picture.shape[1] * 128 / picture.shape[0] / 16) * 16, 128)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.fixture(scope="module")
def park(media_root: Path) -> list[Picture]:
    return clip(media_root / "clips" / "sam2_juggle_person_10s.mp4", 60, 13, 288)


@pytest.mark.parametrize("method", ["affine", "grid"])
def test_a_known_relight_comes_back_at_full_size(park: list[Picture], method: str) -> None:
    source, truth = park[0], dusk(park[0])
    made = apply_large(small(source), small(truth), source, method=method)
    enlarged = cv2.resize(small(truth), (source.shape[1], source.shape[0]), interpolation=cv2.INTER_CUBIC)
    assert psnr(made, truth) > 38 > psnr(enlarged, truth) + 8
    assert measures.detail(made) == pytest.approx(measures.detail(truth), rel=0.1)


def test_five_diffused_frames_drive_a_clip_without_flicker(park: list[Picture]) -> None:
    random = np.random.default_rng(3)
    truth = [dusk(frame, 0.4 + 0.05 * i) for i, frame in enumerate(park)]

    def blotched(picture: Picture) -> Picture:
        noise = random.normal(0, 8, (picture.shape[0] // 16, picture.shape[1] // 16, 3)).astype(np.float32)
        noise = cv2.resize(noise, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_CUBIC)
        return np.clip(picture + noise, 0, 255).astype(np.uint8)

    sources = [small(frame) for frame in park]
    results = [blotched(small(frame)) for frame in truth]
    each = [apply_large(s, r, f) for s, r, f in zip(sources, results, park, strict=True)]
    at = [0, 3, 6, 9, 12]
    track = TransferTrack([sources[i] for i in at], [results[i] for i in at], at)
    driven = [track.apply(i, frame) for i, frame in enumerate(park)]
    floor = measures.flicker(truth)
    assert measures.flicker(driven) < floor + 0.2 * (measures.flicker(each) - floor)
    assert np.mean([psnr(a, b) for a, b in zip(driven, truth, strict=True)]) > 32
    assert psnr(track.apply(4, park[4], strength=0.0), park[4]) > 60


def test_colours_stay_within_what_the_small_result_holds(park: list[Picture]) -> None:
    source = park[0].copy()
    result = np.full_like(small(source), 118)
    source[100:104, 200:204] = 255
    made = apply_large(small(park[0]), result, source)
    assert abs(made.astype(int) - 118).max() <= 32
    flat = apply_large(np.full((64, 64, 3), 90, np.uint8), np.full((64, 64, 3), 30, np.uint8), park[0])
    assert flat.max() <= 30 + 32, "a result without any range leaves none to the footage"


def test_new_objects_are_pasted_where_asked(park: list[Picture]) -> None:
    tiny = small(park[0])
    result, matte = tiny.copy(), np.zeros(tiny.shape[:2], np.uint8)
    cv2.circle(result, (60, 60), 18, (230, 20, 20), -1)
    cv2.circle(matte, (60, 60), 18, 255, -1)
    made = apply_large(tiny, result, park[0], objects=matte)
    scale = park[0].shape[0] / 128
    assert np.abs(made[round(60 * scale), round(60 * scale)].astype(int) - (230, 20, 20)).max() < 12


def test_what_does_not_fit_together_is_refused(park: list[Picture]) -> None:
    tiny = small(park[0])
    with pytest.raises(GenerationError, match="differ in size"):
        apply_large(tiny, tiny[:-8], park[0])
    with pytest.raises(GenerationError, match="don't fit together"):
        TransferTrack([tiny, tiny], [tiny, tiny], [4, 2])
    with pytest.raises(GenerationError, match="transfer called"):
        apply_large(tiny, tiny, park[0], method="magic")
