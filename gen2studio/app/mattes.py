"""Effective mattes of a document: what was painted, shapes over it, and the refine stack. What exports write and
generation uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gen2studio.app.compositor import OfflinePixels
from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent
from gen2studio.document.masks import mask_of
from gen2studio.document.model import Document, MaskObject, MediaItem
from gen2studio.raster.tiles import Mask, TileStore

Reader = Callable[[MediaItem, int], NDArray[np.uint8]]
"""(media, frame) → (H, W, 3 or 4) uint8 RGB(A) at display size. Raises MediaError."""


class MatteSource:
    """The effective mattes of one document, frame by frame. Made and used on one thread; :meth:`close` at the end.

    What neighbouring frames share is kept, so asking for frames in order is cheapest.
    """

    def __init__(self, document: Document, tiles: TileStore, reader: Reader | None = None) -> None:
        """``reader`` None opens the media's own files."""
        self._document = document
        self._tiles = tiles
        self._files = OfflinePixels(lambda _take: Path()) if reader is None else None
        self._read: Reader = reader if reader is not None else self._file_picture
        self._refiners: dict[str, Callable[[int], Mask | None]] = {}
        self._seen: dict[tuple[str, int], NDArray[np.uint8] | None] = {}

    def extent(self, object_id: str) -> Extent:
        """Width and height in pixels of an object's mattes: the display size of its media."""
        return self._item(mask_of(self._document, object_id)).info.extent

    def frames(self, object_id: str) -> range:
        """Media frames from the first to the last on which the object has anything; empty where it has nothing.

        A shape without a beginning or an end reaches over the whole clip.
        """
        owner = mask_of(self._document, object_id)
        count = max(1, self._item(owner).info.frame_count)
        spans = [(min(owner.frames), max(owner.frames) + 1)] if owner.frames else []
        spans += [
            (shape.start or 0, count if shape.stop is None else shape.stop)
            for shape in owner.shapes
            if shape.visible and shape.keys
        ]
        spans = [(a, b) for a, b in spans if b > a]
        return range(min(a for a, _ in spans), max(b for _, b in spans)) if spans else range(0)

    def matte(self, object_id: str, frame: int) -> Mask:
        """(H, W) uint8 effective matte; blank on a frame where the object has nothing. Raises EditRefused for an
        unknown object, KeyError where a tile is missing."""
        owner = mask_of(self._document, object_id)
        found = self._refiner(owner)(frame)
        extent = self._item(owner).info.extent
        return found if found is not None else np.zeros((extent.height, extent.width), np.uint8)

    def region(self, object_ids: Iterable[str], frame: int) -> Mask:
        """The objects of one media as one matte: blended in the order of the object list."""
        from gen2studio.raster.matte_refine import blended

        wanted = set(object_ids)
        united: Mask | None = None
        for owner in self._document.masks.values():
            if owner.id in wanted:
                matte = self.matte(owner.id, frame)
                united = blended(np.zeros_like(matte) if united is None else united, matte, owner.blend.value)
        if united is None:
            raise KeyError("no such objects")
        return united

    def picture(self, object_id: str, frame: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB of the object's footage for exports with colour: soft edge pixels are decontaminated as far as
        the object's refine stack asks. Raises MediaError."""
        from gen2studio.raster.matte_refine import decontaminated

        owner = mask_of(self._document, object_id)
        picture = self._read(self._item(owner), frame)[..., :3]
        amount = owner.refinement.decontaminate.at(frame) if owner.refinement.enabled else 0.0
        return decontaminated(picture, self.matte(object_id, frame), amount) if amount > 0 else picture

    def close(self) -> None:
        if self._files is not None:
            self._files.close()
        self._refiners.clear()
        self._seen.clear()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _item(self, owner: MaskObject) -> MediaItem:
        return self._document.media[owner.media_id]

    def _file_picture(self, item: MediaItem, frame: int) -> NDArray[np.uint8]:
        assert self._files is not None
        picture = self._files.source(item, frame)
        return picture.rgba() if item.info.has_alpha else picture.rgb()

    def _refiner(self, owner: MaskObject) -> Callable[[int], Mask | None]:
        found = self._refiners.get(owner.id)
        if found is None:
            from gen2studio.raster.matte_refine import MatteRefiner, with_shapes

            drawn = with_shapes(partial(self._painted, owner), owner.shapes, self._item(owner).info.extent)
            found = MatteRefiner(drawn, partial(self._picture, self._item(owner)), owner.refinement)
            self._refiners[owner.id] = found
        return found

    def _painted(self, owner: MaskObject, frame: int) -> Mask | None:
        there = owner.frames.get(frame)
        if there is None:
            return None
        from gen2studio.raster.matte_refine import at_extent

        return at_extent(self._tiles.unpack(there.raster), self._item(owner).info.extent)

    def _picture(self, item: MediaItem, frame: int) -> NDArray[np.uint8] | None:
        if not 0 <= frame < max(1, item.info.frame_count):
            return None
        key = (item.id, frame)
        if key not in self._seen:
            try:
                self._seen[key] = np.ascontiguousarray(self._read(item, frame)[..., :3])
            except MediaError:
                self._seen[key] = None
            while len(self._seen) > 4:
                self._seen.pop(next(iter(self._seen)))
        return self._seen[key]


def effective_matte(
    document: Document, object_id: str, frame: int, *, tiles: TileStore, reader: Reader | None = None
) -> Mask:
    """One effective matte; for many frames keep a :class:`MatteSource`."""
    source = MatteSource(document, tiles, reader)
    try:
        return source.matte(object_id, frame)
    finally:
        source.close()
