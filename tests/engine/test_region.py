"""The region that may change: united, inverted, grown, feathered inwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gen2studio.core.errors import GenerationError
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.engine.region import feather_inwards, grow, region_mask
from gen2studio.engine.requests import ControlValues, MaskTrackRef
from gen2studio.raster.tiles import TileStore
from tests.fakes.fake_engine import generate_request, source_ref


def disc(radius: float, size: int = 80) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size / 2
    return ((np.hypot(x, y) < radius) * 255).astype(np.uint8)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.0, 30.0])
def test_feather_never_reaches_outside_and_never_loses_the_inside(sigma: float) -> None:
    mask = disc(25)
    mask[40, :20] = 255
    mask[5, 5] = 90
    soft = feather_inwards(mask, sigma)
    assert not soft[mask == 0].any()
    assert (soft[mask > 0] > 0).all() and (soft <= mask).all()


def test_feather_is_the_inner_half_of_a_gaussian_edge() -> None:
    mask = np.zeros((60, 200), np.uint8)
    mask[:, 100:] = 255
    soft = feather_inwards(mask, 4.0)[30, 100:120] / 255
    from math import erf, sqrt

    expected = [erf((i + 0.5) / (4 * sqrt(2))) for i in range(20)]
    assert np.abs(soft - expected).max() < 0.01
    assert np.array_equal(feather_inwards(mask, 4.0)[:, 130:], mask[:, 130:])


def test_full_empty_and_hard_masks_stay_as_they_are() -> None:
    full = np.full((9, 9), 255, np.uint8)
    assert np.array_equal(feather_inwards(full, 5), full)
    assert not feather_inwards(np.zeros((9, 9), np.uint8), 5).any()
    assert np.array_equal(feather_inwards(disc(20), 0.0), disc(20))


def test_grow_is_round_and_undoes_itself_on_a_disc() -> None:
    assert abs(int((grow(disc(20), 5) > 0).sum()) - np.pi * 25**2) < 0.06 * np.pi * 25**2
    assert abs(int((grow(disc(20), -5) > 0).sum()) - np.pi * 15**2) < 0.09 * np.pi * 15**2
    edge = np.zeros((40, 40), np.uint8)
    edge[:, :20] = 255
    assert (grow(edge, -3)[:, 0] == 255).all(), "the picture's border does not eat into the mask"


def test_objects_that_add_make_their_maximum_at_the_output_size() -> None:
    tiles = TileStore()
    a, b = np.zeros((48, 64), np.uint8), np.zeros((48, 64), np.uint8)
    a[:24], b[:, :32] = 255, 128
    tracks = tuple(MaskTrackRef(object_id=str(m.max()), frames=((0, tiles.pack(m)),)) for m in (a, b, a * 0))
    request = generate_request(
        source=source_ref(width=64, height=48), region="foreground", masks=tracks, width=64, height=48,
        controls=ControlValues(feather=0.0),
    )  # fmt: skip
    assert np.array_equal(region_mask(request, 0, tiles.unpack), np.maximum(a, b))
    small = region_mask(replace(request, width=32, height=24), 0, tiles.unpack)
    assert small is not None
    assert small.shape == (24, 32) and small[2, 2] == 255 and small[20, 2] == 128 and small[20, 30] == 0


def test_region_scales_lengths_with_the_output_and_inverts_for_background() -> None:
    tiles = TileStore()
    mask = np.zeros((480, 640), np.uint8)
    mask[100:300, 200:500] = 255
    track = MaskTrackRef(object_id="m", frames=((4, tiles.pack(mask)),))
    source = source_ref(width=640, height=480)
    grown, hard = ControlValues(grow=20, feather=0.0), ControlValues(feather=0.0)
    request = generate_request(
        source=source, region="foreground", masks=(track,), controls=grown, width=640, height=480
    )
    background = replace(request, region="background", controls=hard, width=64, height=48)
    large = region_mask(request, 4, tiles.unpack)
    small = region_mask(replace(request, width=320, height=240), 4, tiles.unpack)
    assert large is not None and small is not None
    assert abs(int((small > 127).sum()) * 4 - int((large > 127).sum())) < 0.03 * int((large > 127).sum())
    rest = region_mask(background, 4, tiles.unpack)
    assert rest is not None and rest[0, 0] == 255 and rest[20, 30] == 0
    nothing = region_mask(request, 5, tiles.unpack)
    everything = region_mask(background, 5, tiles.unpack)
    assert nothing is not None and not nothing.any()
    assert everything is not None and (everything == 255).all()
    assert region_mask(generate_request(masks=(track,)), 4, tiles.unpack) is None


def test_lost_tiles_are_a_sentence() -> None:
    raster = MaskRaster(64, 48, ((0, 0, "gone"),))
    request = generate_request(region="foreground", masks=(MaskTrackRef(object_id="m", frames=((0, raster),)),))
    with pytest.raises(GenerationError, match="missing from the project"):
        region_mask(request, 0, TileStore().unpack)
