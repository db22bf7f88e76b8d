"""Content-addressed mask tiles: the pixels behind every :class:`~gen2studio.core.mask_raster.MaskRaster`.

Copy on write falls out of content addressing: a stroke writes new tiles and the old ones stay for undo.
"""

from __future__ import annotations

import functools
import threading
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from gen2studio.core.geometry import Rect
from gen2studio.core.hashing import bytes_digest
from gen2studio.core.mask_raster import TILE, MaskRaster

if TYPE_CHECKING:
    from numpy.typing import NDArray

Mask: TypeAlias = "NDArray[np.uint8]"
"""(H, W) uint8, 0 = outside … 255 = inside."""


_SOLID = b"\xff" * (TILE * TILE)


_DOWN = b"\x01"
"""First byte of a tile stored as differences from row to row; a bare zlib stream starts with 0x78."""


def deflated(raw: bytes) -> bytes:
    """The stored form of a tile's 65536 bytes: every row less the one above (the "Up" filter of PNG), run-length
    coded and Huffman coded by zlib. A third smaller than a bare zlib stream for soft edges, and as quick."""
    rows = np.frombuffer(raw, np.uint8).reshape(TILE, TILE)
    down = rows.copy()
    down[1:] -= rows[:-1]
    packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    return _DOWN + packer.compress(down.tobytes()) + packer.flush()


def inflated(packed: bytes) -> bytes:
    """A tile's bytes from its stored form, or from the bare zlib stream that projects of older versions hold. Raises
    zlib.error or ValueError for anything else, before it has grown beyond a tile."""
    if packed[:1] != _DOWN:
        return _tile_bytes(packed)
    down = np.frombuffer(_tile_bytes(memoryview(packed)[1:]), np.uint8)
    return np.cumsum(down.reshape(TILE, TILE), axis=0, dtype=np.uint8).tobytes()


def _tile_bytes(packed: bytes | memoryview) -> bytes:
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(packed, TILE * TILE + 1)
    if len(raw) != TILE * TILE or not unpacker.eof:
        raise ValueError("a mask tile is damaged")
    return raw


@functools.cache
def solid_digest() -> str:
    """The digest of the tile that is inside everywhere: mattes know it without its bytes."""
    return bytes_digest(_SOLID)


class TileBacking(Protocol):
    """Where compressed tiles persist (the project folder). Both calls may come from any thread."""

    def load_tile(self, digest: str) -> bytes | None: ...

    def save_tile(self, digest: str, packed: bytes) -> None: ...


class TileStore:
    """Digest → packed tile (:func:`deflated`). Thread-safe; grows with what was painted and is shared by undo, engine
    and saving."""

    def __init__(self, backing: TileBacking | None = None) -> None:
        self._packed: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._backing = backing
        self._raw: dict[str, bytes] = {}
        """Tiles that :meth:`compress` has not packed yet."""
        self._solid = solid_digest()
        """Of the tile that is inside everywhere: most of what a region covers."""

    def put(self, tile: Mask, *, later: bool = False) -> str:
        """Store one (256, 256) uint8 tile and return its digest. ``later`` leaves packing it to :meth:`compress`."""
        if tile.shape != (TILE, TILE) or tile.dtype != np.uint8:
            raise ValueError(f"a mask tile is {TILE}x{TILE} uint8, got {tile.shape} {tile.dtype}")
        if tile[0, 0] == 255 and tile.min() == 255:
            return self._solid if self._solid in self else self._put(_SOLID, later)
        return self._put(tile.tobytes(), later)

    def _put(self, raw: bytes, later: bool) -> str:
        digest = bytes_digest(raw)
        with self._lock:
            if digest in self._packed or digest in self._raw:
                return digest
            self._raw[digest] = raw
        if not later:
            self._pack(digest, raw)
        return digest

    def compress(self) -> int:
        """Pack and persist what was put for later; any thread. Returns the number of tiles."""
        with self._lock:
            waiting = list(self._raw.items())
        for digest, raw in waiting:
            self._pack(digest, raw)
        return len(waiting)

    def _pack(self, digest: str, raw: bytes) -> None:
        packed = deflated(raw)
        if self._backing is not None:
            self._backing.save_tile(digest, packed)
        with self._lock:
            self._packed[digest] = packed
            self._raw.pop(digest, None)

    def put_packed(self, digest: str, packed: bytes) -> None:
        """Adopt a tile read from disk. Raises ValueError when its bytes do not match ``digest``."""
        raw = inflated(packed)
        if len(raw) != TILE * TILE or bytes_digest(raw) != digest:
            raise ValueError(f"mask tile {digest} is damaged")
        with self._lock:
            self._packed[digest] = packed

    def packed(self, digest: str) -> bytes:
        """The stored form of a tile. Raises KeyError when neither memory nor the backing has it."""
        with self._lock:
            found = self._packed.get(digest)
            raw = self._raw.get(digest) if found is None else None
        if raw is not None:
            return deflated(raw)
        if found is None and self._backing is not None:
            found = self._backing.load_tile(digest)
            if found is not None:
                self.put_packed(digest, found)
        if found is None:
            raise KeyError(digest)
        return found

    def get(self, digest: str) -> Mask:
        """A writable (256, 256) uint8 copy of a tile."""
        with self._lock:
            raw = self._raw.get(digest)
        if raw is not None:
            return np.frombuffer(raw, np.uint8).reshape(TILE, TILE).copy()
        return np.frombuffer(inflated(self.packed(digest)), np.uint8).reshape(TILE, TILE).copy()

    def __contains__(self, digest: str) -> bool:
        with self._lock:
            return digest in self._packed or digest in self._raw

    # -- whole mattes -------------------------------------------------------------------------------------------

    def pack(
        self,
        mask: Mask,
        base: MaskRaster | None = None,
        touched: Iterable[tuple[int, int]] | None = None,
        *,
        later: bool = False,
    ) -> MaskRaster:
        """Store a whole (H, W) uint8 matte, or only its ``touched`` (column, row) tiles over ``base``.

        ``later`` leaves the packing to :meth:`compress`: what is left is a hash per tile that isn't plain.
        """
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
            tiles[(column, row)] = self.put(block, later=later)
        return MaskRaster.from_map(width, height, tiles)

    def unpack(self, raster: MaskRaster) -> Mask:
        """The (H, W) uint8 matte of ``raster``. Raises KeyError when a tile is missing."""
        mask = np.zeros((raster.height, raster.width), np.uint8)
        for column, row, digest in raster.tiles:
            y, x = row * TILE, column * TILE
            target = mask[y : y + TILE, x : x + TILE]
            target[:] = 255 if digest == self._solid else self.get(digest)[: target.shape[0], : target.shape[1]]
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
