"""Edits on mask objects: pure functions ``Document → Document`` that raise EditRefused.

Anchors are frames a person drew or corrected. Propagation fills the frames between them and never changes an anchor.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping
from dataclasses import replace

from gen2studio.core.errors import EditRefused
from gen2studio.core.frozen import frozen_map, with_item, without
from gen2studio.core.ids import new_id
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.mask_refinement import Refinement
from gen2studio.document.edits_tracks import named
from gen2studio.document.model import Document, MaskBlend, MaskFrame, MaskObject

PALETTE: tuple[tuple[int, int, int], ...] = (
    (255, 92, 92), (86, 180, 233), (240, 200, 60), (90, 210, 140), (200, 120, 240), (255, 150, 60), (120, 220, 220),
    (240, 130, 190),
)  # fmt: skip
"""Overlay tints given to new objects in turn (sRGB); told apart by people with colour-vision deficiency."""


# -- objects ---------------------------------------------------------------------------------------------------------


def mask_of(document: Document, object_id: str) -> MaskObject:
    """The object with this id. Raises EditRefused."""
    found = document.masks.get(object_id)
    if found is None:
        raise EditRefused("That mask is no longer there.", "Choose a mask in the list or add one.")
    return found


def add_object(
    document: Document,
    media_id: str,
    name: str = "",
    colour: tuple[int, int, int] | None = None,
    object_id: str = "",
) -> Document:
    """Add an empty object for a media item. Pass ``object_id`` (``new_id("mask")``) to know it afterwards."""
    item = document.media.get(media_id)
    if item is None or not item.info.has_video:
        raise EditRefused("A mask belongs to a picture.", "Select a clip with a picture first.")
    others = document.masks_of(media_id)
    taken = {m.name for m in others}
    fallback = next(f"Subject {n}" for n in range(1, len(others) + 2) if f"Subject {n}" not in taken)
    used = {m.colour for m in others}
    tint = colour or next((c for c in PALETTE if c not in used), PALETTE[len(others) % len(PALETTE)])
    mask = MaskObject(id=object_id or new_id("mask"), media_id=media_id, name=name.strip() or fallback, colour=tint)
    if mask.id in document.masks:
        raise EditRefused("That mask is already there.", "Give the new one its own id.")
    return with_mask(document, mask)


def rename_object(document: Document, object_id: str, name: str) -> Document:
    return with_mask(document, replace(mask_of(document, object_id), name=named(name, "A mask")))


def recolour(document: Document, object_id: str, colour: tuple[int, int, int]) -> Document:
    if any(not 0 <= channel <= 255 for channel in colour):
        raise EditRefused("A colour has three channels of 0 to 255.", "Choose another colour.")
    return with_mask(document, replace(mask_of(document, object_id), colour=colour))


def set_visible(document: Document, object_id: str, visible: bool) -> Document:
    return with_mask(document, replace(mask_of(document, object_id), visible=visible))


def set_locked(document: Document, object_id: str, locked: bool) -> Document:
    """A locked object's mattes can't be changed."""
    return with_mask(document, replace(mask_of(document, object_id), locked=locked))


def set_blend(document: Document, object_id: str, blend: MaskBlend) -> Document:
    """How the object changes the region of the objects above it in the list."""
    return with_mask(document, replace(mask_of(document, object_id), blend=blend))


def set_refinement(document: Document, object_id: str, refinement: Refinement) -> Document:
    """Another refine stack; what was painted stays. Raises EditRefused for a locked object."""
    return with_mask(document, replace(unlocked(document, object_id), refinement=refinement))


def move_object(document: Document, object_id: str, place: int) -> Document:
    """Put an object at ``place`` (0 = top) in the list of its media. Objects of other media keep their places."""
    moved = mask_of(document, object_id)
    own = [mask for mask in document.masks_of(moved.media_id) if mask.id != object_id]
    own.insert(max(0, min(place, len(own))), moved)
    following = iter(own)
    order = [next(following) if mask.media_id == moved.media_id else mask for mask in document.masks.values()]
    if [mask.id for mask in order] == list(document.masks):
        return document
    return replace(document, masks=frozen_map({mask.id: mask for mask in order}))


def duplicate_object(document: Document, object_id: str, new_object_id: str) -> Document:
    """A copy with mattes, shapes and refine stack right below the object, unlocked and in a colour of its own."""
    old = mask_of(document, object_id)
    others = document.masks_of(old.media_id)
    taken, used = {m.name for m in others}, {m.colour for m in others}
    names = (f"{old.name} copy{f' {n}' if n > 1 else ''}" for n in range(1, len(others) + 2))
    name = next(found for found in names if found not in taken)
    tint = next((c for c in PALETTE if c not in used), PALETTE[len(others) % len(PALETTE)])
    copied = replace(
        old,
        id=new_object_id,
        name=name,
        colour=tint,
        locked=False,
        shapes=tuple(replace(shape, id=new_id("shape")) for shape in old.shapes),
    )
    place = next(i for i, mask in enumerate(others) if mask.id == object_id)
    return move_object(with_mask(document, copied), new_object_id, place + 1)


def remove_object(document: Document, object_id: str) -> Document:
    """Remove an object with all its mattes, and its name from the looks that chose it."""
    unlocked(document, object_id)
    return replace(document, masks=without(document.masks, object_id))


# -- mattes ----------------------------------------------------------------------------------------------------------


def raster_at(mask: MaskObject, frame: int) -> MaskRaster | None:
    """The matte of one media frame, or None where none was made."""
    found = mask.frames.get(frame)
    return found.raster if found is not None else None


def set_frame(
    document: Document,
    object_id: str,
    frame: int,
    raster: MaskRaster,
    *,
    anchor: bool = True,
    confidence: float = 1.0,
) -> Document:
    """Set one frame's matte. An anchor always wins; a propagated matte never replaces an anchor."""
    return set_frames(
        document,
        object_id,
        {frame: MaskFrame(raster=raster, anchor=anchor, confidence=1.0 if anchor else confidence)},
    )


def set_frames(document: Document, object_id: str, frames: Mapping[int, MaskFrame]) -> Document:
    """Set many mattes at once. Propagated ones on an anchor's frame are left out."""
    mask = unlocked(document, object_id)
    changed: dict[int, MaskFrame] = {}
    for index, frame in frames.items():
        if index < 0:
            raise EditRefused("A mask can't lie before the first frame.", "Choose a frame of the clip.")
        old = mask.frames.get(index)
        if old is not None and old.anchor and not frame.anchor:
            continue
        if old != frame:
            changed[index] = frame
    if not changed:
        return document
    return with_mask(document, replace(mask, frames=frozen_map({**mask.frames, **changed})))


def clear_frame(document: Document, object_id: str, frame: int) -> Document:
    """Forget one frame's matte, anchor or not."""
    mask = unlocked(document, object_id)
    if frame not in mask.frames:
        return document
    return with_mask(document, replace(mask, frames=without(mask.frames, frame)))


def release_anchor(document: Document, object_id: str, frame: int) -> Document:
    """Let propagation change a frame again: its matte stays until then."""
    mask = unlocked(document, object_id)
    found = mask.frames.get(frame)
    if found is None or not found.anchor:
        raise EditRefused("This frame has no correction.", "Go to a frame that was drawn by hand.")
    return with_mask(document, replace(mask, frames=with_item(mask.frames, frame, replace(found, anchor=False))))


def drop_propagated(document: Document, object_id: str, start: int | None = None, stop: int | None = None) -> Document:
    """Forget the propagated mattes in [start, stop) (None = open); anchors stay."""
    mask = unlocked(document, object_id)
    kept = {
        index: frame
        for index, frame in mask.frames.items()
        if frame.anchor or (start is not None and index < start) or (stop is not None and index >= stop)
    }
    if len(kept) == len(mask.frames):
        return document
    return with_mask(document, replace(mask, frames=frozen_map(kept)))


def unlocked(document: Document, object_id: str) -> MaskObject:
    """The object, if it may be changed. Raises EditRefused."""
    mask = mask_of(document, object_id)
    if mask.locked:
        raise EditRefused(f"The mask “{mask.name}” is locked.", "Unlock it in the mask list first.")
    return mask


def with_mask(document: Document, mask: MaskObject) -> Document:
    """The document with this state of the object; the same document where nothing differs."""
    if document.masks.get(mask.id) == mask:
        return document
    return replace(document, masks=with_item(document.masks, mask.id, mask))


# -- spans between corrections ---------------------------------------------------------------------------------------


def next_anchor(mask: MaskObject, frame: int) -> int | None:
    """The first anchor after ``frame``."""
    anchors = mask.anchors
    index = bisect_right(anchors, frame)
    return anchors[index] if index < len(anchors) else None


def previous_anchor(mask: MaskObject, frame: int) -> int | None:
    """The last anchor before ``frame``."""
    anchors = mask.anchors
    index = bisect_left(anchors, frame) - 1
    return anchors[index] if index >= 0 else None


def spans_between_anchors(mask: MaskObject, start: int, stop: int) -> tuple[tuple[int, int], ...]:
    """The runs [a, b) of [start, stop) without anchors: what propagation may fill, in order."""
    runs: list[tuple[int, int]] = []
    cursor = start
    for anchor in mask.anchors:
        if start <= anchor < stop:
            if anchor > cursor:
                runs.append((cursor, anchor))
            cursor = anchor + 1
    if cursor < stop:
        runs.append((cursor, stop))
    return tuple(runs)


def to_next_correction(mask: MaskObject, frame: int, stop: int) -> tuple[int, int]:
    """The range [frame, end) for "propagate to the next correction": up to and with the next anchor, or to ``stop``."""
    anchor = next_anchor(mask, frame)
    return frame, min(stop, anchor + 1) if anchor is not None else stop


def from_previous_correction(mask: MaskObject, frame: int, start: int) -> tuple[int, int]:
    """The range [begin, frame + 1) for "propagate back to the previous correction": from that anchor, or ``start``."""
    anchor = previous_anchor(mask, frame)
    return max(start, anchor) if anchor is not None else start, frame + 1


def covered(mask: MaskObject, frames: Collection[int] | range) -> int:
    """How many of ``frames`` have a matte."""
    return sum(frame in mask.frames for frame in frames)
