"""Tiles put for later: there at once, packed and persisted when somebody has the time."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from gen2studio.core.mask_raster import TILE
from gen2studio.raster import tiles
from gen2studio.raster.tiles import TileStore


class Folder:
    """A backing in memory."""

    def __init__(self) -> None:
        self.saved: dict[str, bytes] = {}

    def load_tile(self, digest: str) -> bytes | None:
        return self.saved.get(digest)

    def save_tile(self, digest: str, packed: bytes) -> None:
        self.saved[digest] = packed


def matte() -> np.ndarray:
    mask = np.zeros((3 * TILE, 4 * TILE - 40), np.uint8)
    mask[100:700, 200:900] = 255
    mask[300:320, 500:520] = np.arange(20, dtype=np.uint8)
    return mask


def test_later_and_at_once_give_one_raster() -> None:
    folder = Folder()
    now, later = TileStore(), TileStore(folder)
    mask = matte()
    raster = later.pack(mask, later=True)
    assert raster == now.pack(mask)
    assert folder.saved == {}
    assert np.array_equal(later.unpack(raster), mask)
    digest = raster.tiles[0][2]
    assert later.packed(digest) == now.packed(digest)
    assert digest in later

    distinct = {d for _, _, d in raster.tiles}
    assert later.compress() == len(distinct)
    assert folder.saved.keys() == distinct
    assert later.compress() == 0
    assert np.array_equal(later.unpack(raster), mask)
    # Another session of the same folder, which has never seen the tiles.
    assert np.array_equal(TileStore(folder).unpack(raster), mask)


def test_plain_tiles_are_stored_once() -> None:
    store = TileStore(Folder())
    raster = store.pack(np.full((2 * TILE, 3 * TILE), 255, np.uint8), later=True)
    assert len({d for _, _, d in raster.tiles}) == 1
    assert store.compress() == 1
    assert store.unpack(raster).min() == 255


def test_tiles_are_small_and_those_of_older_projects_are_read() -> None:
    rows, columns = np.mgrid[0:TILE, 0:TILE]
    away = np.hypot(rows - 128, columns - 128) - 100
    noise = np.random.default_rng(3).integers(-3, 4, (TILE, TILE))
    soft = (255 * (0.5 - away / 8) + noise * (np.abs(away) < 4)).clip(0, 255).astype(np.uint8)
    raw = soft.tobytes()
    packed, older = tiles.deflated(raw), zlib.compress(raw, 1)
    assert tiles.inflated(packed) == tiles.inflated(older) == raw
    assert len(packed) < 0.85 * len(older)
    digest = TileStore().put(soft)
    for form in (packed, older):
        store = TileStore()
        store.put_packed(digest, form)
        assert np.array_equal(store.get(digest), soft)
    for broken in (b"", b"\x01", packed[:-9], b"\x02" + packed[1:], tiles.deflated(bytes(TILE * TILE))):
        with pytest.raises((ValueError, zlib.error)):
            TileStore().put_packed(digest, broken)
