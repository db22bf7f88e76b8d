"""Outside the matte the source's bytes, inside the new picture's, in between the rounded mean."""

from __future__ import annotations

import numpy as np
import pytest

from gen2studio.raster import compositing

RNG = np.random.default_rng(11)


def pictures(channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    return tuple(RNG.integers(0, 256, (70, 90, channels), dtype=np.uint8) for _ in range(2))  # type: ignore[return-value]


@pytest.mark.parametrize("channels", [3, 4])
def test_blend_is_bit_exact_outside_and_inside(channels: int) -> None:
    source, changed = pictures(channels)
    mask = np.zeros((70, 90), np.uint8)
    mask[20:50, 30:60] = 255
    mask[50:60, 30:60] = RNG.integers(1, 255, (10, 30), dtype=np.uint8)
    source.setflags(write=False)
    out = compositing.blend(source, changed, mask)
    assert np.array_equal(out[mask == 0], source[mask == 0])
    assert np.array_equal(out[mask == 255], changed[mask == 255])


def test_blend_rounds_to_nearest_for_every_level() -> None:
    levels = np.arange(256, dtype=np.uint8)
    source = np.repeat(np.repeat(levels[::5, None, None], 256, 1), 3, 2)
    changed = np.ascontiguousarray(255 - source[::-1])
    mask = np.repeat(levels[None, :], source.shape[0], 0)
    m = mask.astype(np.float64)[..., None]
    ideal = np.rint((source * (255 - m) + changed * m) / 255)
    assert np.array_equal(compositing.blend(source, changed, mask), ideal.astype(np.uint8))


def test_blend_everywhere_and_nowhere() -> None:
    source, changed = pictures()
    assert np.array_equal(compositing.blend(source, changed, None), changed)
    assert np.array_equal(compositing.blend(source, changed, np.zeros((70, 90), np.uint8)), source)
    with pytest.raises(ValueError, match="does not fit"):
        compositing.blend(source, changed, np.zeros((7, 9), np.uint8))
    with pytest.raises(ValueError, match="differ"):
        compositing.blend(source, changed[:10], None)


def test_over_is_porter_duff() -> None:
    base, top = pictures(4)
    base[..., 3] = 255
    top[..., :3] = np.minimum(top[..., :3], top[..., 3:])
    out = compositing.over(base, top)
    ideal = np.rint(top + base * (255.0 - top[..., 3:]) / 255)
    assert np.abs(out - ideal).max() <= 1
    assert (out[..., 3] == 255).all()


def test_difference_amplifies_and_fits_sizes() -> None:
    a, b = pictures(4)
    same = compositing.difference(a, a, 4)
    assert same[..., :3].max() == 0
    assert (same[..., 3] == 255).all()
    b = a.copy()
    b[..., 0] = np.where(a[..., 0] > 127, a[..., 0] - 5, a[..., 0] + 5)
    assert (compositing.difference(a, b, 4)[..., 0] == 20).all()
    assert compositing.difference(a, a[:35, :45]).shape == a.shape


def test_checkerboard_parts_fit_together() -> None:
    board = compositing.checkerboard(100, 80, 12)
    part = compositing.checkerboard(40, 30, 12, left=37, top=21)
    assert np.array_equal(board[21:51, 37:77], part)
    assert len(np.unique(board.reshape(-1, 4), axis=0)) == 2


def test_blend_leaves_a_read_only_source_alone_across_the_whole_width() -> None:
    source = np.full((130, 40, 3), 7, np.uint8)
    source.setflags(write=False)
    changed = np.full((130, 40, 3), 200, np.uint8)
    mask = np.zeros((130, 40), np.uint8)
    mask[20:100] = 255
    result = compositing.blend(source, changed, mask)
    assert (result[20:100] == 200).all()
    assert (result[:20] == 7).all()
    assert (source == 7).all()
