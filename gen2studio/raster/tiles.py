"""Content-addressed mask tiles: the pixels behind every :class:`~gen2studio.core.mask_raster.MaskRaster`.

Copy on write falls out of content addressing: a stroke writes new tiles and the old ones stay for undo.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Rect
from gen2studio.core.hashing import bytes_digest
from gen2studio.core.mask_raster import TILE, MaskRaster

Mask = NDArray[np.uint8]
"""(H, W) uint8, 0 = outside … 255 = inside."""


class TileBacking(Protocol):
    """Where compressed tiles persist (the project folder). Both calls may come from any thread."""

    def load_tile(self, digest: str) -> bytes | None: ...

    def save_tile(self, digest: str, packed: bytes) -> None: ...


class TileStore:
    """Digest → zlib-packed tile. Thread-safe; grows with what was painted and is shared by undo, engine and saving."""

    def __init__(self, backing: TileBacking | None = None) -> None:
        self._packed: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._backing = backing

    def put(self, tile: Mask) -> str:
        """Store one (256, 256) uint8 tile and return its digest."""
        if tile.shape != (TILE, TILE) or tile.dtype != np.uint8:
            raise ValueError(f"a mask tile is {TILE}x{TILE} uint8, got {tile.shape} {tile.dtype}")
        raw = np.ascontiguousarray(tile).tobytes()
        digest = bytes_digest(raw)
        with self._lock:
            known = digest in self._packed
        if not known:
            packed = zlib.compress(raw, 1)
            with self._lock:
                self._packed[digest] = packed
            if self._backing is not None:
                self._backing.save_tile(digest, packed)
        return digest

    def put_packed(self, digest: str, packed: bytes) -> None:
        """Adopt a tile read from disk. Raises ValueError when its bytes do not match ``digest``."""
        raw = zlib.decompress(packed)
        if len(raw) != TILE * TILE or bytes_digest(raw) != digest:
            raise ValueError(f"mask tile {digest} is damaged")
        with self._lock:
            self._packed[digest] = packed

    def packed(self, digest: str) -> bytes:
        """The zlib bytes of a tile. Raises KeyError when neither memory nor the backing has it."""
        with self._lock:
            found = self._packed.get(digest)
        if found is None and self._backing is not None:
            found = self._backing.load_tile(digest)
            if found is not None:
                self.put_packed(digest, found)
        if found is None:
            raise KeyError(digest)
        return found

    def get(self, digest: str) -> Mask:
        """A writable (256, 256) uint8 copy of a tile."""
        return np.frombuffer(zlib.decompress(self.packed(digest)), np.uint8).reshape(TILE, TILE).copy()

    def __contains__(self, digest: str) -> bool:
        with self._lock:
            return digest in self._packed

    # -- whole mattes -------------------------------------------------------------------------------------------

    def pack(
        self, mask: Mask, base: MaskRaster | None = None, touched: Iterable[tuple[int, int]] | None = None
    ) -> MaskRaster:
        """Store a whole (H, W) uint8 matte, or only its ``touched`` (column, row) tiles over ``base``."""
        height, width = mask.shape
        tiles = base.tile_map() if base is not None and touched is not None else {}
        for column, row in touched if touched is not None else all_tiles(width, height):
            block = mask[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
            if not block.any():
                tiles.pop((column, row), None)
                continue
            if block.shape != (TILE, TILE):
                padded = np.zeros((TILE, TILE), np.uint8)
                padded[: block.shape[0], : block.shape[1]] = block
                block = padded
            tiles[(column, row)] = self.put(block)
        return MaskRaster.from_map(width, height, tiles)

    def unpack(self, raster: MaskRaster) -> Mask:
        """The (H, W) uint8 matte of ``raster``. Raises KeyError when a tile is missing."""
        mask = np.zeros((raster.height, raster.width), np.uint8)
        for column, row, digest in raster.tiles:
            y, x = row * TILE, column * TILE
            target = mask[y : y + TILE, x : x + TILE]
            target[:] = self.get(digest)[: target.shape[0], : target.shape[1]]
        return mask


def all_tiles(width: int, height: int) -> list[tuple[int, int]]:
    """Every (column, row) of a picture."""
    return [(c, r) for r in range(-(-height // TILE)) for c in range(-(-width // TILE))]


def tiles_touching(rect: Rect, width: int, height: int) -> list[tuple[int, int]]:
    """The (column, row) tiles a pixel rectangle overlaps, clipped to the picture."""
    clipped = rect.intersected(Rect(0, 0, width, height))
    if clipped.empty:
        return []
    return [
        (c, r)
        for r in range(clipped.y // TILE, (clipped.bottom - 1) // TILE + 1)
        for c in range(clipped.x // TILE, (clipped.right - 1) // TILE + 1)
    ]
