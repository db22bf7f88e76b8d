"""The saved form of one painted matte: which 256-pixel tiles it has, by content hash. No pixels in here."""

from __future__ import annotations

from gen2studio.core.geometry import Extent
from gen2studio.core.records import dataclass

TILE = 256
"""Side of a mask tile in pixels. Edge tiles are stored full size, zero outside the picture."""


@dataclass(frozen=True, slots=True)
class MaskRaster:
    """A matte of ``width`` × ``height``, coverage 0 (outside) … 255 (inside).

    ``tiles`` holds (column, row, digest) sorted by row then column; tiles that are all zero are left out. The digest is
    :func:`gen2studio.core.hashing.bytes_digest` of the tile's 65,536 raw bytes; the pixels live in a tile store.
    """

    width: int
    height: int
    tiles: tuple[tuple[int, int, str], ...] = ()

    @property
    def extent(self) -> Extent:
        return Extent(self.width, self.height)

    @property
    def is_empty(self) -> bool:
        return not self.tiles

    def tile_map(self) -> dict[tuple[int, int], str]:
        return {(column, row): digest for column, row, digest in self.tiles}

    @staticmethod
    def from_map(width: int, height: int, tiles: dict[tuple[int, int], str]) -> MaskRaster:
        ordered = sorted(tiles.items(), key=lambda item: (item[0][1], item[0][0]))
        return MaskRaster(width, height, tuple((c, r, d) for (c, r), d in ordered))
