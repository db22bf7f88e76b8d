"""Document + clip + look → frozen engine requests. The engine never looks at the document; it gets all it needs here.

Frames in requests are media frame indices, found through the file's exact frame index. Everything raises
GenerationError (one sentence and what to do) when something is missing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from gen2studio.app.planning_levels import with_levels
from gen2studio.app.planning_masks import active_parts, mask_tracks
from gen2studio.app.planning_parts import (
    Adapters,
    Blobs,
    FoundAdapter,
    TakeFolders,
    adapter_refs,
    blob_ref,
    camera_move,
    depth_ref,
    lead_ref,
    motion_refs,
    take_source,
)
from gen2studio.app.planning_propagation import propagation
from gen2studio.app.recipes import look_of_recipe
from gen2studio.app.reframing import place, rooms
from gen2studio.core.errors import GenerationError, MediaError
from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.core.time import seconds_to_frames
from gen2studio.document.look import Controls, Look, LookPart, Mode, Outpaint, Region
from gen2studio.document.looks import look_of
from gen2studio.document.lookup import each_clip
from gen2studio.document.masks import mask_of
from gen2studio.document.model import Clip, Document, MediaItem
from gen2studio.engine.requests import (
    ControlValues,
    GenerateRequest,
    KeyRef,
    OperateRequest,
    PatternRef,
    PropagateRequest,
    SegmentRequest,
    SourceRef,
)
from gen2studio.media.clock import FrameClock, clock_of, regular_clock

__all__ = [
    "Adapters", "Blobs", "FoundAdapter", "TakeFolders", "frame_clock", "look_of_recipe", "media_clock",
    "media_frame", "media_range", "plan_generate", "plan_operate", "plan_preview", "plan_propagate", "plan_segment",
    "plan_stills", "sequence_frame", "still_frames",
]  # fmt: skip

FROM_NOTHING = frozenset({Mode.TEXT_TO_VIDEO, Mode.TEXT_IMAGE_TO_VIDEO, Mode.IMAGE_TO_VIDEO, Mode.STORYBOARD})
"""Modes that make a shot without footage."""


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
    ends = [clock.index_at(clip.source_time(frame, rate)) for frame in (clip.start, clip.end - 1)]
    return min(ends), max(ends) + 1


def media_frame(document: Document, clip: Clip, sequence_frame: int) -> int:
    """The media frame a clip shows at a sequence frame (clamped to the clip)."""
    rate = rate_of(document, clip)
    frame = min(max(sequence_frame, clip.start), clip.end - 1)
    return frame_clock(_item(document, clip.media_id)).index_at(clip.source_time(frame, rate))


def sequence_frame(document: Document, clip: Clip, media_frame: int) -> int:
    """The first sequence frame at which a clip shows (or is past) a media frame, clamped to the clip."""
    if clip.freeze:
        return clip.start
    rate = rate_of(document, clip)
    clock = frame_clock(_item(document, clip.media_id))
    if clip.reverse:
        shown = bisect_left(
            range(clip.duration), -media_frame, key=lambda i: -clock.index_at(clip.source_time(clip.start + i, rate))
        )
        return min(clip.start + shown, clip.end - 1)
    seconds = clock.time_of(media_frame) - clip.source_in
    frame = clip.start - seconds_to_frames(-seconds / clip.speed, rate)  # rounded up
    # A variable-rate timestamp may have been rounded past the frame boundary it stands for.
    if clock.index_at(clip.source_time(frame - 1, rate)) >= media_frame:
        frame -= 1
    return min(max(frame, clip.start), clip.end - 1)


def rate_of(document: Document, clip: Clip) -> Fraction:
    for sequence in document.sequences.values():
        if any(c.id == clip.id for _, c in each_clip(sequence)):
            return sequence.rate
    return document.sequence.rate if document.sequence is not None else Fraction(25)


def _item(document: Document, media_id: str) -> MediaItem:
    found = document.media.get(media_id)
    if found is None:
        raise GenerationError("The clip's media is no longer in the project.", "Import it again.")
    return found


def source_of(item: MediaItem) -> SourceRef:
    if not item.info.has_video:
        raise GenerationError(f"“{item.name}” has no picture.", "Choose a clip with a picture.")
    if item.nested:
        raise GenerationError(
            f"“{item.name}” is a timeline, not a file.", "Export it and restyle the film, or restyle its clips."
        )
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
    adapters: Adapters | None = None,
    takes: TakeFolders | None = None,
    revision: str = "1",
    frames: Sequence[int] | None = None,
    span: tuple[int, int] | None = None,
    seed: int | None = None,
    max_side: int | None = None,
    revision_of: Callable[[Look], str] | None = None,
) -> GenerateRequest:
    """The request for a clip: its whole media range, or the media ``span`` [start, stop) of it. A shot is always asked
    for whole, so that trimming its clip makes nothing stale.

    ``look`` None = the clip's own, else the project's default; ``frames`` asks for single media frames only;
    ``max_side`` limits the longer side of the output in pixels (None = the media's display size). ``adapters`` and
    ``takes`` find what looks with adapters and shots that go on from a take need. Looks by object become the parts of
    one request, all with its seed; ``revision_of`` tells the revision for each of them (None: ``revision``).
    """
    look = look if look is not None else look_of(document, clip)
    item = _item(document, clip.media_id)
    if look.by_object and item.shot is None and not look.outpaint.adds:
        alone: dict[str, Any] = dict(
            blobs=blobs, adapters=adapters, takes=takes, frames=frames, span=span, max_side=max_side,
            seed=look.seed if seed is None else seed,
        )  # fmt: skip
        return _plan_parts(document, clip, look, lambda part: revision_of(part) if revision_of else revision, alone)
    source = source_of(item)
    shot = item.shot
    if shot is None and look.mode in FROM_NOTHING:
        raise GenerationError("This mode makes a shot of its own.", "Make a new shot, or choose Stylization.")
    if shot is not None and look.mode not in FROM_NOTHING:
        raise GenerationError("A generated shot has no footage.", "Use its take as footage, then work on that.")
    start, stop = (0, source.frame_count) if shot is not None else media_range(document, clip, rate_of(document, clip))
    if span is not None:
        start, stop = max(start, span[0]), min(stop, span[1])
        if stop <= start:
            raise GenerationError("That range lies outside the clip.", "Choose a range inside it.")
    reframed = look.outpaint.adds and shot is None
    size = item.info.extent
    if max_side is not None:
        whole = place(look.outpaint, size) if reframed else size
        longest = max(whole.width, whole.height)
        if longest > max_side:
            # Rounded up or down with the room around it, the footage keeps its shape to a pixel.
            size = Extent(*(max(8, round(side * max_side / longest)) for side in (size.width, size.height)))
    room = rooms(look.outpaint, size) if reframed else (0, 0, 0, 0)
    wanted = None if frames is None else tuple(min(max(f, start), stop - 1) for f in frames)
    pattern = look.pattern
    request = GenerateRequest(
        mode=look.mode.value,
        generator=look.generator,
        revision=revision,
        source=source,
        start=start,
        stop=stop,
        frames=None if wanted is None else tuple(dict.fromkeys(wanted)),
        width=size.width + room[0] + room[2],
        height=size.height + room[1] + room[3],
        preset=look.preset,
        prompt=look.prompt,
        negative_prompt=look.negative_prompt,
        styles=tuple(blob_ref(style.digest, blobs, style.weight) for style in look.styles),
        keys=tuple(
            KeyRef(frame=key.frame, blob=blob_ref(key.digest, blobs))
            for key in sorted(look.keys, key=lambda key: key.frame)
            # A painting of the footage says nothing about the room around it.
            if key.frame < source.frame_count and not reframed
        ),
        pattern=None
        if pattern is None
        else PatternRef(
            kind=pattern.kind,
            base=pattern.base,
            ink=pattern.ink,
            scale=pattern.scale,
            swatch=blob_ref(pattern.swatch, blobs) if pattern.swatch else None,
        ),
        # Reframing leaves all of the footage as it is: no matte decides anything.
        region=Region.ALL.value if reframed else look.region.value,
        masks=() if reframed else mask_tracks(document, clip.media_id, look, start, stop),
        controls=_control_values(look.controls),
        seed=look.seed if seed is None else seed,
        from_nothing=shot is not None,
        structure_source=look.structure_source.value,
        depth_pass=depth_ref(look.depth_pass),
        fill=look.fill.value,
        camera=camera_move(look.camera),
        motion_regions=motion_refs(look),
        adapters=adapter_refs(look.adapters, adapters),
        layout=blob_ref(look.layout, blobs) if look.layout and shot is not None else None,
        lead=lead_ref(document, shot.lead if shot else None, lambda key: source_of(_item(document, key)), takes),
        outpaint=room,
        key_spacing=0 if shot is not None or reframed else look.key_spacing,
        key_carrier="" if shot is not None or reframed or not look.key_spacing else look.key_carrier,
    )
    return with_levels(request, look, request.frames)


def _control_values(controls: Controls) -> ControlValues:
    values = ControlValues(**{f.name: getattr(controls, f.name) for f in fields(Controls)})
    # Whoever knows the generator has settled it before (app.choosing.settled); nobody else has a better value.
    return values if values.strength >= 0 else replace(values, strength=ControlValues().strength)


def _plan_parts(
    document: Document, clip: Clip, look: Look, revision_of: Callable[[Look], str], alone: dict[str, Any]
) -> GenerateRequest:
    """One request whose parts are the looks by object, each with its object's mattes."""
    parts: list[GenerateRequest] = []
    start, stop = media_range(document, clip, rate_of(document, clip))
    if alone["span"] is not None:
        start, stop = max(start, alone["span"][0]), min(stop, alone["span"][1])
    for part, tracks in active_parts(document, clip.media_id, look, start, max(stop, start + 1)):
        bare = replace(part.look, region=Region.ALL, parts=(), outpaint=Outpaint())
        request = plan_generate(document, clip, bare, revision=revision_of(part.look), **alone)
        parts.append(replace(request, region=region_of(part).value, masks=tracks))
    return of_parts(parts)


def region_of(part: LookPart) -> Region:
    return Region.FOREGROUND if part.object_id else Region.BACKGROUND


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
    adapters: Adapters | None = None,
    takes: TakeFolders | None = None,
    revision: str = "1",
    count: int = 4,
    seed: int | None = None,
    max_side: int | None = None,
    revision_of: Callable[[Look], str] | None = None,
) -> GenerateRequest:
    """Previews at ``count`` times evenly spread over the clip."""
    frames = still_frames(*media_range(document, clip, rate_of(document, clip)), count)
    return plan_generate(
        document, clip, look, blobs=blobs, adapters=adapters, takes=takes, revision=revision, frames=frames, seed=seed,
        max_side=max_side, revision_of=revision_of,
    )  # fmt: skip


def plan_preview(
    document: Document,
    clip: Clip,
    sequence_frame: int,
    look: Look | None = None,
    *,
    blobs: Blobs,
    adapters: Adapters | None = None,
    takes: TakeFolders | None = None,
    revision: str = "1",
    seed: int | None = None,
    max_side: int | None = 640,
    revision_of: Callable[[Look], str] | None = None,
) -> GenerateRequest:
    """The one frame under the playhead, small enough to be quick."""
    frame = media_frame(document, clip, sequence_frame)
    return plan_generate(
        document, clip, look, blobs=blobs, adapters=adapters, takes=takes, revision=revision, frames=(frame,),
        seed=seed, max_side=max_side, revision_of=revision_of,
    )  # fmt: skip


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
    engine: str = "",
) -> PropagateRequest:
    """Carry the mattes of objects from their anchors over media frames [start, stop)
    (:func:`gen2studio.app.planning_propagation.propagation`)."""
    request = PropagateRequest(
        source=source_of(_item(document, media_id)),
        objects=(),
        start=start,
        stop=stop,
        from_frame=from_frame,
        direction=direction,
        moving_subject=moving_subject,
        engine=engine,
    )
    return propagation(document, media_id, object_ids, request)


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
    source = source_of(_item(document, mask.media_id))
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


# -- operators ---------------------------------------------------------------------------------------------------------


def plan_operate(
    document: Document, clip: Clip, kind: str, factor: int, *, takes: TakeFolders, operator: str = "built-in"
) -> OperateRequest:
    """Interpolate or upscale what a clip shows: its applied take where it has one, else its footage.

    ``kind`` is ``interpolate`` or ``upscale``, ``factor`` 2 or 4.
    """
    item = _item(document, clip.media_id)
    start, stop = media_range(document, clip, rate_of(document, clip))
    take = document.takes.get(clip.active_take)
    if take is not None:
        source = take_source(document, take, takes)
        runs = [(max(start, first), min(stop, last)) for first, last in take.done]
        start, stop = max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
    elif item.shot is not None:
        raise GenerationError("This shot has no finished frames yet.", "Generate it first.")
    else:
        source = source_of(item)
    if stop - start < (2 if kind == "interpolate" else 1):
        raise GenerationError("There are no frames to work on.", "Generate more of them first.")
    scale = factor if kind == "upscale" else 1
    return OperateRequest(
        kind=kind,
        source=source,
        start=start,
        stop=stop,
        factor=factor,
        width=source.width * scale,
        height=source.height * scale,
        operator=operator,
    )


def of_parts(parts: list[GenerateRequest]) -> GenerateRequest:
    """One request that says of itself what its first part says, and nothing of its own."""
    first = parts[0]
    return GenerateRequest(
        mode=first.mode,
        generator=first.generator,
        revision=first.revision,
        source=first.source,
        start=first.start,
        stop=first.stop,
        frames=first.frames,
        width=first.width,
        height=first.height,
        seed=first.seed,
        parts=tuple(parts),
    )
