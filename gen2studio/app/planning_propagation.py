"""What a propagation has to carry, and what it may leave as it is.

A carried matte knows its basis: the drawn frames on both sides of it and the engine that carried it. As long as that is
still true the matte is settled, and a correction costs only the spans on its two sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from gen2studio.core.errors import GenerationError
from gen2studio.core.hashing import canonical_digest
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.document.masks import mask_of
from gen2studio.document.model import Document
from gen2studio.engine.requests import AnchorTrack, MaskTrackRef, PropagateRequest


def propagation(
    document: Document, media_id: str, object_ids: Sequence[str], wanted: PropagateRequest
) -> PropagateRequest:
    """``wanted`` (a request without objects) with the objects' anchors, their settled frames and what lies beside them.

    Anchors inside the range take part, and the nearest one on either side of it. Frames that were carried from the same
    anchors by the same engine are settled. Raises GenerationError when nothing is drawn, or nothing is left to carry.
    """
    start, stop = max(0, wanted.start), min(wanted.stop, wanted.source.frame_count)
    if stop <= start:
        raise GenerationError("There is no frame to carry the mask to.", "Choose a longer range.")
    request = replace(wanted, start=start, stop=stop)
    objects: list[AnchorTrack] = []
    for object_id in object_ids:
        mask = mask_of(document, object_id)
        anchors = mask.anchors
        before = [a for a in anchors if a < start][-1:]
        after = [a for a in anchors if a >= stop][:1]
        used = [*before, *(a for a in anchors if start <= a < stop), *after]
        if used:
            track = AnchorTrack(object_id=object_id, anchors=tuple((a, mask.frames[a].raster) for a in used))
            settled = tuple(
                (index, frame.raster)
                for index, frame in sorted(mask.frames.items())
                if start <= index < stop and not frame.anchor and frame.basis == carried_from(request, track, index)
            )
            objects.append(replace(track, settled=settled))
    if not objects:
        raise GenerationError("There is no painted frame to start from.", "Paint the subject on one frame first.")
    first = max(start, request.from_frame) if request.direction == "forward" else start
    last = min(stop - 1, request.from_frame) if request.direction == "backward" else stop - 1
    if all(_is_settled(track, range(first, last + 1)) for track in objects):
        raise GenerationError(
            "These mattes are already carried from the frames that are drawn.",
            "Correct a frame, or remove the propagated mattes to carry them afresh.",
        )
    return replace(request, objects=tuple(objects), beside=_beside(document, media_id, objects, range(start, stop)))


def carried_from(request: PropagateRequest, track: AnchorTrack, frame: int) -> str:
    """The basis of a matte on ``frame``: a digest of the drawn frames on both sides of it and of how it is carried."""
    before = max((a for a in track.anchors if a[0] < frame), default=None, key=lambda a: a[0])
    after = min((a for a in track.anchors if a[0] > frame), default=None, key=lambda a: a[0])
    return _basis(request.engine, request.moving_subject, before, after)


@lru_cache(maxsize=512)
def _basis(
    engine: str, moving: bool, before: tuple[int, MaskRaster] | None, after: tuple[int, MaskRaster] | None
) -> str:
    return canonical_digest((engine, moving, before, after))[:16]


def _is_settled(track: AnchorTrack, frames: range) -> bool:
    done = {frame for frame, _ in (*track.anchors, *track.settled)}
    return all(frame in done for frame in frames)


def _beside(
    document: Document, media_id: str, objects: Sequence[AnchorTrack], frames: range
) -> tuple[MaskTrackRef, ...]:
    """The mattes of the visible objects that are not carried."""
    carried = {track.object_id for track in objects}
    tracks = (
        (mask.id, tuple((i, f.raster) for i, f in sorted(mask.frames.items()) if i in frames))
        for mask in document.masks_of(media_id)
        if mask.id not in carried and mask.visible
    )
    return tuple(MaskTrackRef(object_id=name, frames=kept) for name, kept in tracks if kept)
