"""Decoded mattes in memory, and the working copy that a gesture paints on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.mask_raster import TILE, MaskRaster
from gen2studio.raster.tiles import Mask, TileStore, tiles_touching

if TYPE_CHECKING:
    from gen2studio.document.model import MaskObject

BUDGET = 128 << 20
"""Bytes of decoded mattes kept: 16 of 3840 × 2160, 64 of 1920 × 1080. Another one is there in a few milliseconds."""


class MatteCache:
    """Rasters → decoded, read-only (H, W) uint8 mattes; the least recently used go first. UI thread only."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._held = 0
        self._mattes: OrderedDict[MaskRaster, Mask] = OrderedDict()

    def get(self, raster: MaskRaster, tiles: TileStore) -> Mask:
        found = self._mattes.get(raster)
        if found is None:
            found = tiles.unpack(raster)
            self.keep(raster, found)
        self._mattes.move_to_end(raster)
        return found

    def keep(self, raster: MaskRaster, matte: Mask) -> None:
        """Remember ``matte`` as what ``raster`` decodes to. It becomes read-only."""
        matte.setflags(write=False)
        if raster not in self._mattes:
            self._held += matte.nbytes
        self._mattes[raster] = matte
        while self._held > self._budget and len(self._mattes) > 1:
            _, gone = self._mattes.popitem(last=False)
            self._held -= gone.nbytes

    def clear(self) -> None:
        self._mattes.clear()
        self._held = 0


class MatteOwner(Protocol):
    """Whose matte a gesture changes: an object's, or a region's of the motion brush."""

    matte_changed: Any
    """Signal (object id, Rect or None)."""

    def commit_edit(
        self, edit: MatteEdit, label: str, fresh: MaskObject | None, raster: MaskRaster | None = None
    ) -> None: ...


class MatteEdit:
    """One gesture on one matte: change ``mask`` in place and tell :meth:`changed`; commit or cancel ends it."""

    def __init__(
        self,
        owner: MatteOwner,
        object_id: str,
        frame: int,
        mask: Mask,
        base: MaskRaster,
        end: Callable[[], MaskObject | None],
    ) -> None:
        self.object_id = object_id
        self.frame = frame
        self.mask = mask
        """(H, W) uint8, writable, the gesture's own."""
        self.base = base
        self.touched: set[tuple[int, int]] = set()
        self._owner = owner
        self._end = end
        self._open = True

    @property
    def extent(self) -> Extent:
        return Extent(self.mask.shape[1], self.mask.shape[0])

    @property
    def is_open(self) -> bool:
        return self._open

    def changed(self, area: Rect) -> None:
        """``area`` of the mask was changed: show it, and store its tiles on commit."""
        if not area.empty:
            self.touched.update(tiles_touching(area, self.mask.shape[1], self.mask.shape[0]))
            self._owner.matte_changed.emit(self.object_id, area)

    def commit(self, label: str, raster: MaskRaster | None = None) -> None:
        """Make what was painted one undo step. Nothing touched, nothing pushed.

        ``raster`` is what the matte packs to, where somebody has packed it already.
        """
        if self._open:
            self._open = False
            self._owner.commit_edit(self, label, self._end(), raster)

    def cancel(self) -> None:
        """Forget what was painted."""
        if self._open:
            self._open = False
            self._end()
            self._owner.matte_changed.emit(self.object_id, None)


def difference(old: MaskRaster | None, new: MaskRaster | None) -> Rect | None:
    """Pixels that may differ between two rasters of one size, by their tiles; None = anything may."""
    if old is None or new is None or old.extent != new.extent:
        return None
    before, after = old.tile_map(), new.tile_map()
    area = Rect(0, 0, 0, 0)
    for column, row in before.keys() | after.keys():
        if before.get((column, row)) != after.get((column, row)):
            area = area.united(Rect(column * TILE, row * TILE, TILE, TILE))
    return area.intersected(Rect.of(new.extent))


def empty_matte(extent: Extent) -> Mask:
    matte = np.zeros((extent.height, extent.width), np.uint8)
    matte.setflags(write=False)
    return matte
