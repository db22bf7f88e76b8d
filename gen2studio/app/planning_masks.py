"""Mask objects as requests carry them: what they are made of, without anything that changes no pixel of the request.

A take goes stale exactly when its region does: names, ids, hidden shapes, steps of the stack that do nothing, and keys
and mattes beyond the frames that count are left out.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from typing import TypeVar

from gen2studio.core.errors import GenerationError
from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_refinement import Refinement
from gen2studio.core.mask_shape import MaskShape
from gen2studio.document.look import Look, LookPart, Region
from gen2studio.document.model import Document, MaskBlend, MaskObject
from gen2studio.engine.requests import MaskTrackRef

V = TypeVar("V")


def mask_tracks(document: Document, media_id: str, look: Look, start: int, stop: int) -> tuple[MaskTrackRef, ...]:
    """The objects whose mattes the look's region is made of, over media frames [start, stop). Raises GenerationError
    when the region needs a mask and there is none."""
    if look.region is Region.ALL:
        return ()
    chosen = [m for m in document.masks_of(media_id) if not look.mask_objects or m.id in look.mask_objects]
    tracks = tracks_of(chosen, start, stop)
    if not tracks:
        raise GenerationError(
            f"The {look.region.value} needs a mask and this clip has none.", "Paint the subject, or choose All."
        )
    return tracks


def object_tracks(document: Document, media_id: str, object_id: str, start: int, stop: int) -> tuple[MaskTrackRef, ...]:
    """One object's own part of the region: its matte, changed by what subtracts from or intersects it further down the
    list. Empty where it has no matte."""
    own = list(document.masks_of(media_id))
    at = next((i for i, mask in enumerate(own) if mask.id == object_id), -1)
    if at < 0:
        return ()
    first = replace(own[at], blend=MaskBlend.ADD)
    tracks = tracks_of([first], start, stop)
    after = [mask for mask in own[at + 1 :] if mask.blend is not MaskBlend.ADD]
    return (*tracks, *tracks_of(after, start, stop)) if tracks else ()


def active_parts(
    document: Document, media_id: str, look: Look, start: int, stop: int
) -> list[tuple[LookPart, tuple[MaskTrackRef, ...]]]:
    """The looks by object that have pixels on these frames, in the order in which they are laid down: the background
    first, then the objects from the bottom of the list to its top. Raises GenerationError when there are none."""
    by_object = {part.object_id: part for part in look.parts if part.enabled}
    own = list(document.masks_of(media_id))
    found: list[tuple[LookPart, tuple[MaskTrackRef, ...]]] = []
    if "" in by_object and (everything := tracks_of(own, start, stop)):
        found.append((by_object[""], everything))
    for mask in reversed(own):
        if mask.id in by_object and (tracks := object_tracks(document, media_id, mask.id, start, stop)):
            found.append((by_object[mask.id], tracks))
    if not found:
        raise GenerationError(
            "No object with a look of its own has a matte on this clip.", "Paint the subjects, or turn these looks off."
        )
    return found


def tracks_of(chosen: list[MaskObject], start: int, stop: int) -> tuple[MaskTrackRef, ...]:
    """Objects in list order as tracks. An object without anything on these frames counts only where it intersects."""
    tracks = [(mask, track_of(mask, start, stop)) for mask in chosen]
    kept = [
        (mask, track)
        for mask, track in tracks
        if track.frames or track.shapes or (mask.blend is MaskBlend.INTERSECT and mask is not chosen[0])
    ]
    if all(track.blend == MaskBlend.ADD.value for _, track in kept):
        # The order of objects that only add changes nothing.
        kept.sort(key=lambda pair: pair[0].id)
    return tuple(track for _, track in kept)


def track_of(mask: MaskObject, start: int, stop: int) -> MaskTrackRef:
    """One object over media frames [start, stop), and as many around them as its refine stack looks at."""
    stack = _refinement(mask.refinement, start, stop)
    reach = round(stack.chatter)
    first, last = start - reach, stop + reach
    return MaskTrackRef(
        object_id=mask.id,
        frames=tuple(
            (index, frame.raster)
            for index, frame in sorted(mask.frames.items())
            # An empty matte says nothing by itself; a stack that looks at neighbours tells it from a missing one.
            if first <= index < last and (reach > 0 or not frame.raster.is_empty)
        ),
        blend=mask.blend.value,
        shapes=tuple(found for shape in mask.shapes if (found := _shape(shape, first, last)) is not None),
        refinement=stack,
    )


def _refinement(stack: Refinement, start: int, stop: int) -> Refinement:
    """The part of a stack that changes mattes on these frames."""
    if not stack.changes_matte:
        return Refinement()
    return replace(
        stack,
        edge_detail=stack.edge_detail if stack.edge > 0 else Refinement().edge_detail,
        grow=_keyed(stack.grow, start, stop),
        feather=_keyed(stack.feather, start, stop),
        decontaminate=Keyed(0.0),
    )


def _keyed(value: Keyed, start: int, stop: int) -> Keyed:
    """The same values on these frames, in a form that no key beyond them changes."""
    if not value.keys:
        return value
    inside = {frame: level for frame, level in value.keys if start <= frame < stop}
    keys = {start: value.at(start), **inside, stop - 1: value.at(stop - 1)}
    levels = set(keys.values())
    return Keyed(levels.pop()) if len(levels) == 1 else Keyed(0.0, tuple(sorted(keys.items())))


def _shape(shape: MaskShape, start: int, stop: int) -> MaskShape | None:
    """A shape as it matters on these frames; None where it is not seen."""
    begin, end = shape.start, shape.stop
    if not shape.visible or not shape.keys or (begin or start) >= stop or (end is not None and end <= start):
        return None
    return replace(
        shape,
        id="",
        name="",
        start=None if begin is None or begin <= start else begin,
        stop=None if end is None or end >= stop else end,
        keys=_around(shape.keys, start, stop),
    )


def _around(keys: tuple[tuple[int, V], ...], start: int, stop: int) -> tuple[tuple[int, V], ...]:
    """The keys that decide values on [start, stop): those inside, and the nearest on either side."""
    frames = [frame for frame, _ in keys]
    first = max(0, bisect_right(frames, start) - 1)
    last = min(len(keys), bisect_left(frames, stop - 1) + 1)
    return keys[first:last]
