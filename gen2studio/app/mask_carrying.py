"""The mask objects of a clip's look on other footage: which come along, what becomes of their pixels, and what is told.

No Qt in here. Scaling many mattes takes seconds: :func:`scaled` is for a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from gen2studio.core.geometry import Extent
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.records import dataclass
from gen2studio.document import masks
from gen2studio.document.look import Look, LookPart, Region
from gen2studio.document.mask_remap import Frames, Placement, alike, remapped, seen_alike
from gen2studio.document.model import Clip, Document, MaskObject
from gen2studio.raster.tiles import TileStore

if TYPE_CHECKING:
    from gen2studio.media.clock import FrameClock


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of the masks."""

    objects: int = 0
    dropped: int = 0
    """Mattes that no frame of the new footage plays with."""
    scaled: str = ""
    """“from 640×360 to 1280×720”, or empty."""

    @property
    def sentence(self) -> str:
        """For the artist; empty when no mask came along."""
        if not self.objects:
            return ""
        said = "Its mask came along" if self.objects == 1 else f"Its {self.objects} masks came along"
        said += f", scaled {self.scaled}" if self.scaled else ""
        if self.dropped:
            mattes = "one matte" if self.dropped == 1 else f"{self.dropped} mattes"
            said += f"; {mattes} of frames that are not in it stayed behind"
        return f"{said}."


def masks_used(document: Document, clip: Clip) -> tuple[MaskObject, ...]:
    """The objects that a clip's look speaks of, in the order of its media."""
    look = clip.look
    if look is None:
        return ()
    own = document.masks_of(clip.media_id)
    wanted = {part.object_id for part in look.parts}
    if look.region is not Region.ALL or look.mask_objects:
        wanted |= set(look.mask_objects) or {mask.id for mask in own}
    return tuple(mask for mask in own if mask.id in wanted)


def placement(document: Document, clip: Clip, media_id: str) -> Placement:
    """Where the pixels of a clip's footage lie on other media, seen at the same place of the timeline."""
    sequence = document.sequence
    old, new = document.media[clip.media_id].info.extent, document.media[media_id].info.extent
    frame = Extent(sequence.width, sequence.height) if sequence is not None else new
    return seen_alike(old, new, frame)


def scaled(
    tiles: TileStore, rasters: Iterable[MaskRaster], placed: Placement, extent: Extent
) -> dict[MaskRaster, MaskRaster]:
    """Mattes as they lie on a picture of ``extent``, by the old ones. Averages downwards, interpolates upwards."""
    return {raster: _scaled(tiles, raster, placed, extent) for raster in dict.fromkeys(rasters)}


def _scaled(tiles: TileStore, raster: MaskRaster, placed: Placement, extent: Extent) -> MaskRaster:
    import cv2
    import numpy as np

    if raster.is_empty:
        return MaskRaster(extent.width, extent.height)
    width, height = (max(1, round(side * placed.scale)) for side in (raster.width, raster.height))
    how = cv2.INTER_AREA if placed.scale < 1 else cv2.INTER_LINEAR
    matte = np.asarray(cv2.resize(tiles.unpack(raster), (width, height), interpolation=how), np.uint8)
    out = np.zeros((extent.height, extent.width), np.uint8)
    left, top = round(placed.right), round(placed.down)
    x0, y0, x1, y1 = max(0, left), max(0, top), min(extent.width, left + width), min(extent.height, top + height)
    if x1 > x0 and y1 > y0:
        out[y0:y1, x0:x1] = matte[y0 - top : y1 - top, x0 - left : x1 - left]
    return tiles.pack(out)


def frames_alike(before: FrameClock, after: FrameClock, shift: Fraction) -> Frames:
    """Which frame of one file plays with each of another, whose second s plays with second s + ``shift``."""
    found: list[int] = []
    first = 0
    for number in range(after.frame_count):
        seconds = after.time_of(number) + shift
        if seconds < 0:
            first = number + 1
        elif seconds < before.duration:
            found.append(before.index_at(seconds))
    return Frames(first, tuple(found))


def carried(
    document: Document,
    clip: Clip,
    media_id: str,
    look: Look,
    frames: Frames,
    raster: Callable[[MaskRaster], MaskRaster],
) -> tuple[Document, Look, Carried]:
    """(the document with the masks of ``clip`` on its new media, ``look`` speaking of them, what to tell).

    ``clip`` is as it was before, ``look`` what was left of its look. An object that the new media has already, with the
    very same mattes, is used.
    """
    old = clip.look or Look()
    used = masks_used(document, clip)
    if not used:
        return document, look, Carried()
    placed = placement(document, clip, media_id)
    had = bool(document.masks_of(media_id))
    names: dict[str, str] = {}
    dropped = 0
    for mask in used:
        moved, lost = remapped(mask, media_id, frames, placed, raster)
        dropped += lost
        known = next((own for own in document.masks_of(media_id) if alike(own, moved)), None)
        if known is None:
            document = masks.with_mask(document, moved)
            known = moved
        names[mask.id] = known.id
    chosen = tuple(names[i] for i in old.mask_objects if i in names)
    if not chosen and had and old.region is not Region.ALL:
        # All objects were meant, and they still are.
        chosen = tuple(names.values())
    look = replace(look, region=old.region, mask_objects=chosen, parts=_parts(old, names))
    sizes = [document.media[i].info.extent for i in (clip.media_id, media_id)]
    text = "" if placed.same else f"from {sizes[0]} to {sizes[1]}"
    return document, look, Carried(len(used), dropped, text)


def _parts(look: Look, names: dict[str, str]) -> tuple[LookPart, ...]:
    return tuple(
        replace(part, object_id=names.get(part.object_id, ""))
        for part in look.parts
        if not part.object_id or part.object_id in names
    )
