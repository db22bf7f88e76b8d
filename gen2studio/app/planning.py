"""Document + clip + look → frozen engine requests. The engine never looks at the document; it gets all it needs here.

Frames in requests are media frame indices, found through the file's exact frame index. Everything raises
GenerationError (one sentence and what to do) when something is missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from gen2studio.core.errors import GenerationError, MediaError
from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.core.time import seconds_to_frames
from gen2studio.document.look import Controls, Look, Mode, PaintedKey, Pattern, Region, StyleImage
from gen2studio.document.looks import look_of
from gen2studio.document.lookup import each_clip
from gen2studio.document.masks import mask_of
from gen2studio.document.model import Clip, Document, MaskObject, MediaItem, Take
from gen2studio.engine.requests import (
    AnchorTrack,
    BlobRef,
    ControlValues,
    GenerateRequest,
    KeyRef,
    MaskTrackRef,
    PatternRef,
    PropagateRequest,
    SegmentRequest,
    SourceRef,
    request_digest,
)
from gen2studio.media.clock import FrameClock, clock_of, regular_clock

Blobs = Callable[[str], "Path | None"]
"""Digest → file of a project image, or None (:meth:`gen2studio.app.project_files.Project.find_blob`)."""


# -- time --------------------------------------------------------------------------------------------------------------


def frame_clock(item: MediaItem) -> FrameClock:
    """The exact frame index of a file; offline media gets the regular one its facts promise."""
    info = item.info
    if info.kind is MediaKind.STILL:
        return regular_clock(1, Fraction(1))
    try:
        return media_clock(Path(item.path), info)
    except (OSError, MediaError):
        return regular_clock(max(1, info.frame_count), info.rate or Fraction(25))


def media_clock(path: Path, info: MediaInfo) -> FrameClock:
    """The exact frame index of a file that is there, remembered until the file changes. Raises OSError, MediaError.

    The first time may take a pass over the file: the viewer asks for it on a thread before it shows a picture, and
    whoever plans work on what is shown finds it here.
    """
    stat = path.stat()
    return _clock(str(path), stat.st_size, stat.st_mtime_ns, info if info.kind is MediaKind.SEQUENCE else None)


@lru_cache(maxsize=64)
def _clock(path: str, size: int, changed: int, info: MediaInfo | None) -> FrameClock:
    return clock_of(Path(path), info)


def media_range(document: Document, clip: Clip, rate: Fraction) -> tuple[int, int]:
    """Media frames [start, stop) that a clip shows on a timeline of ``rate``."""
    clock = frame_clock(_item(document, clip.media_id))
    first = clock.index_at(clip.source_time(clip.start, rate))
    last = clock.index_at(clip.source_time(clip.end - 1, rate))
    return first, max(first, last) + 1


def media_frame(document: Document, clip: Clip, sequence_frame: int) -> int:
    """The media frame a clip shows at a sequence frame (clamped to the clip)."""
    rate = _rate(document, clip)
    frame = min(max(sequence_frame, clip.start), clip.end - 1)
    return frame_clock(_item(document, clip.media_id)).index_at(clip.source_time(frame, rate))


def sequence_frame(document: Document, clip: Clip, media_frame: int) -> int:
    """The first sequence frame at which a clip shows (or is past) a media frame, clamped to the clip."""
    rate = _rate(document, clip)
    clock = frame_clock(_item(document, clip.media_id))
    seconds = clock.time_of(media_frame) - clip.source_in
    frame = clip.start - seconds_to_frames(-seconds / clip.speed, rate)  # rounded up
    # A variable-rate timestamp may have been rounded past the frame boundary it stands for.
    if clock.index_at(clip.source_time(frame - 1, rate)) >= media_frame:
        frame -= 1
    return min(max(frame, clip.start), clip.end - 1)


def _rate(document: Document, clip: Clip) -> Fraction:
    for sequence in document.sequences.values():
        if any(c.id == clip.id for _, c in each_clip(sequence)):
            return sequence.rate
    return document.sequence.rate if document.sequence is not None else Fraction(25)


def _item(document: Document, media_id: str) -> MediaItem:
    found = document.media.get(media_id)
    if found is None:
        raise GenerationError("The clip's media is no longer in the project.", "Import it again.")
    return found


def _source(item: MediaItem) -> SourceRef:
    if not item.info.has_video:
        raise GenerationError(f"“{item.name}” has no picture.", "Choose a clip with a picture.")
    clock = frame_clock(item)
    return SourceRef(
        fingerprint=item.fingerprint,
        path=item.path,
        media_id=item.id,
        rate=item.info.rate or clock.rate or Fraction(25),
        frame_count=max(1, clock.frame_count),
        width=item.info.width,
        height=item.info.height,
    )


# -- generating --------------------------------------------------------------------------------------------------------


def plan_generate(
    document: Document,
    clip: Clip,
    look: Look | None = None,
    *,
    blobs: Blobs,
    revision: str = "1",
    frames: Sequence[int] | None = None,
    span: tuple[int, int] | None = None,
    seed: int | None = None,
    max_side: int | None = None,
) -> GenerateRequest:
    """The request for a clip (its whole media range, or the media ``span`` [start, stop) of it).

    ``look`` None = the clip's own, else the project's default; ``frames`` asks for single media frames only;
    ``max_side`` limits the longer side of the output in pixels (None = the media's display size).
    """
    look = look if look is not None else look_of(document, clip)
    item = _item(document, clip.media_id)
    source = _source(item)
    start, stop = media_range(document, clip, _rate(document, clip))
    if span is not None:
        start, stop = max(start, span[0]), min(stop, span[1])
        if stop <= start:
            raise GenerationError("That range lies outside the clip.", "Choose a range inside it.")
    size = item.info.extent
    if max_side is not None and max(size.width, size.height) > max_side:
        size = size.scaled_to_fit(Extent(max_side, max_side))
    wanted = None if frames is None else tuple(min(max(f, start), stop - 1) for f in frames)
    pattern = look.pattern
    return GenerateRequest(
        mode=look.mode.value,
        generator=look.generator,
        revision=revision,
        source=source,
        start=start,
        stop=stop,
        frames=None if wanted is None else tuple(dict.fromkeys(wanted)),
        width=size.width,
        height=size.height,
        preset=look.preset,
        prompt=look.prompt,
        negative_prompt=look.negative_prompt,
        styles=tuple(_blob(style.digest, blobs, style.weight) for style in look.styles),
        keys=tuple(
            KeyRef(frame=key.frame, blob=_blob(key.digest, blobs))
            for key in sorted(look.keys, key=lambda key: key.frame)
            if key.frame < source.frame_count
        ),
        pattern=None
        if pattern is None
        else PatternRef(
            kind=pattern.kind,
            base=pattern.base,
            ink=pattern.ink,
            scale=pattern.scale,
            swatch=_blob(pattern.swatch, blobs) if pattern.swatch else None,
        ),
        region=look.region.value,
        masks=_masks(document, clip, look, start, stop),
        controls=ControlValues(**{f.name: getattr(look.controls, f.name) for f in fields(Controls)}),
        seed=look.seed if seed is None else seed,
    )


def still_frames(start: int, stop: int, count: int = 4) -> tuple[int, ...]:
    """``count`` media frames evenly spread over [start, stop): the middles of equal parts, without repeats."""
    length = stop - start
    return tuple(dict.fromkeys(start + (2 * k + 1) * length // (2 * count) for k in range(count)))


def plan_stills(
    document: Document,
    clip: Clip,
    look: Look | None = None,
    *,
    blobs: Blobs,
    revision: str = "1",
    count: int = 4,
    seed: int | None = None,
    max_side: int | None = None,
) -> GenerateRequest:
    """Previews at ``count`` times evenly spread over the clip."""
    frames = still_frames(*media_range(document, clip, _rate(document, clip)), count)
    return plan_generate(
        document, clip, look, blobs=blobs, revision=revision, frames=frames, seed=seed, max_side=max_side
    )


def plan_preview(
    document: Document,
    clip: Clip,
    sequence_frame: int,
    look: Look | None = None,
    *,
    blobs: Blobs,
    revision: str = "1",
    seed: int | None = None,
    max_side: int | None = 640,
) -> GenerateRequest:
    """The one frame under the playhead, small enough to be quick."""
    frame = media_frame(document, clip, sequence_frame)
    return plan_generate(
        document, clip, look, blobs=blobs, revision=revision, frames=(frame,), seed=seed, max_side=max_side
    )


def _blob(digest: str, blobs: Blobs, weight: float = 1.0) -> BlobRef:
    path = blobs(digest)
    if path is None:
        raise GenerationError("A style image of this project is missing.", "Drop the image onto the style board again.")
    return BlobRef(digest=digest, path=path.as_posix(), weight=weight)


def _masks(document: Document, clip: Clip, look: Look, start: int, stop: int) -> tuple[MaskTrackRef, ...]:
    """The mattes the region needs: only frames of the clip, so that painting elsewhere makes nothing stale."""
    if look.region is Region.ALL:
        return ()
    chosen: list[MaskObject] = [
        mask for mask in document.masks_of(clip.media_id) if not look.mask_objects or mask.id in look.mask_objects
    ]
    tracks = tuple(
        MaskTrackRef(
            object_id=mask.id,
            frames=tuple(
                (i, f.raster) for i, f in sorted(mask.frames.items()) if start <= i < stop and not f.raster.is_empty
            ),
        )
        for mask in sorted(chosen, key=lambda mask: mask.id)
    )
    tracks = tuple(track for track in tracks if track.frames)
    if not tracks:
        raise GenerationError(
            f"The {look.region.value} needs a mask and this clip has none.", "Paint the subject, or choose All."
        )
    return tracks


# -- masks -------------------------------------------------------------------------------------------------------------


def plan_propagate(
    document: Document,
    media_id: str,
    object_ids: Sequence[str],
    *,
    from_frame: int,
    start: int,
    stop: int,
    direction: str = "both",
    moving_subject: bool = False,
) -> PropagateRequest:
    """Carry the mattes of objects from their anchors over media frames [start, stop).

    Anchors inside the range take part, and the nearest one on either side of it.
    """
    source = _source(_item(document, media_id))
    start, stop = max(0, start), min(stop, source.frame_count)
    if stop <= start:
        raise GenerationError("There is no frame to carry the mask to.", "Choose a longer range.")
    objects: list[AnchorTrack] = []
    for object_id in object_ids:
        mask = mask_of(document, object_id)
        anchors = mask.anchors
        before = [a for a in anchors if a < start][-1:]
        after = [a for a in anchors if a >= stop][:1]
        used = [*before, *(a for a in anchors if start <= a < stop), *after]
        if used:
            objects.append(AnchorTrack(object_id=object_id, anchors=tuple((a, mask.frames[a].raster) for a in used)))
    if not objects:
        raise GenerationError("There is no painted frame to start from.", "Paint the subject on one frame first.")
    return PropagateRequest(
        source=source,
        objects=tuple(objects),
        start=start,
        stop=stop,
        from_frame=from_frame,
        direction=direction,
        moving_subject=moving_subject,
    )


def plan_segment(
    document: Document,
    object_id: str,
    frame: int,
    *,
    box: Rect | None = None,
    include: Sequence[tuple[float, float]] = (),
    exclude: Sequence[tuple[float, float]] = (),
    brush_radius: float = 4.0,
) -> SegmentRequest:
    """Select the subject on one media frame, over the matte that is there."""
    mask = mask_of(document, object_id)
    source = _source(_item(document, mask.media_id))
    if not 0 <= frame < source.frame_count:
        raise GenerationError("That frame lies outside the clip.", "Move the playhead into it.")
    there = mask.frames.get(frame)
    return SegmentRequest(
        source=source,
        frame=frame,
        object_id=object_id,
        box=box,
        include=tuple(include),
        exclude=tuple(exclude),
        brush_radius=brush_radius,
        current=there.raster if there is not None else None,
    )


# -- staleness and reuse -----------------------------------------------------------------------------------------------


def is_stale(
    document: Document, clip: Clip, take: Take, *, blobs: Blobs | None = None, revision: str | None = None
) -> bool:
    """True when the clip as it stands asks for something else than what ``take`` was made from.

    The comparison is of request digests, at the take's size. ``revision`` None = the take's own (only the document is
    compared). A clip trimmed shorter stays fresh: every frame it shows was made from the same request.
    """
    recipe = _recipe(take.recipe)
    start, stop = media_range(document, clip, _rate(document, clip))
    if start < take.start or stop > take.stop:
        return True
    try:
        current = plan_generate(
            document,
            clip,
            blobs=blobs or (lambda digest: Path(digest)),
            revision=str(recipe.get("revision", "")) if revision is None else revision,
        )
        masks = _masks(document, clip, look_of(document, clip), take.start, take.stop)
    except GenerationError:
        return True
    same = replace(
        current, start=take.start, stop=take.stop, width=take.width, height=take.height, frames=None, masks=masks
    )
    return request_digest(same) != take.request_digest


def look_of_recipe(recipe_json: str) -> Look:
    """The look a recipe (of a take or an exported file) was made with. Raises GenerationError.

    A recipe names its mask only by its pixels, so the mask choice comes back as "all objects".
    """
    recipe = _recipe(recipe_json)
    try:
        controls = recipe.get("controls") or {}
        pattern = recipe.get("pattern")
        return Look(
            mode=Mode(recipe["mode"]),
            generator=str(recipe["generator"]),
            preset=str(recipe.get("preset", "")),
            styles=tuple(
                StyleImage(digest=str(s["digest"]), weight=float(s.get("weight", 1.0)))
                for s in recipe.get("styles", ())
            ),
            keys=tuple(
                PaintedKey(frame=int(k["frame"]), digest=str(k["blob"]["digest"])) for k in recipe.get("keys", ())
            ),
            pattern=None
            if pattern is None
            else Pattern(
                kind=str(pattern["kind"]),
                base=_colour(pattern["base"]),
                ink=_colour(pattern["ink"]),
                scale=float(pattern.get("scale", 1.0)),
                swatch=str((pattern.get("swatch") or {}).get("digest", "")),
            ),
            prompt=str(recipe.get("prompt", "")),
            negative_prompt=str(recipe.get("negative_prompt", "")),
            region=Region(recipe.get("region", "all")),
            controls=Controls(**{f.name: controls[f.name] for f in fields(Controls) if f.name in controls}),
            seed=int(recipe.get("seed", 1)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise GenerationError("These settings can't be read.", "They may come from another version.") from error


def _colour(value: Any) -> tuple[int, int, int]:
    red, green, blue = (int(channel) for channel in value)
    return red, green, blue


def _recipe(text: str) -> dict[str, Any]:
    try:
        found = _plain(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise GenerationError("These settings can't be read.", "They may come from another version.") from error
    if not isinstance(found, dict):
        raise GenerationError("These settings can't be read.", "They may come from another version.")
    return found


def _plain(value: Any) -> Any:
    """Undo the canonical form's markers: exact floats ``{"f": hex}``, fractions ``{"q": "n/d"}``."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        if set(value) == {"f"}:
            return float.fromhex(value["f"])
        if set(value) == {"q"}:
            return Fraction(value["q"])
        return {key: _plain(item) for key, item in value.items()}
    return value
