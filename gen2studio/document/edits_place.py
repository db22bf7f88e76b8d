"""Laying clips down and taking them away: place, insert, overwrite, move, razor, lift, extract, ripple delete."""

from __future__ import annotations

import enum
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from gen2studio.core.errors import EditRefused
from gen2studio.core.ids import new_id
from gen2studio.core.media_info import MediaKind
from gen2studio.core.records import dataclass
from gen2studio.document.clip_shapes import shifted
from gen2studio.document.draft import Draft, tracks_of
from gen2studio.document.lookup import free, gap_at, start_of, together
from gen2studio.document.lookup import linked as with_linked
from gen2studio.document.lookup import track as track_by_id
from gen2studio.document.model import Clip, MediaItem, Sequence, Track, TrackKind
from gen2studio.document.transition_fit import with_transition

STILL_SECONDS = Fraction(5)
"""How long a still lasts when it is placed without a source range."""


class Collision(enum.Enum):
    """What happens to clips that are in the way."""

    REFUSE = "refuse"
    OVERWRITE = "overwrite"
    INSERT = "insert"
    """Later material on every unlocked track is pushed to make room."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A clip (with its start) and the track it shall lie on."""

    track_id: str
    clip: Clip


class Placed(NamedTuple):
    sequence: Sequence
    clip_ids: tuple[str, ...]
    """The new clips, picture first."""


# -- new clips -------------------------------------------------------------------------------------------------------


def clips_of(
    item: MediaItem,
    rate: Fraction,
    start: int = 0,
    *,
    source: tuple[Fraction, Fraction] | None = None,
    video: bool = True,
    audio: bool = True,
) -> tuple[Clip | None, Clip | None]:
    """New (picture, sound) clips of a media item at sequence frame ``start``; linked when both exist.

    ``source`` is a range in media seconds [in, out); None = the whole file, or :data:`STILL_SECONDS` of a still.
    Raises EditRefused for a range outside the file or shorter than a frame.
    """
    info = item.info
    endless = info.kind is MediaKind.STILL or info.duration <= 0
    begin, end = source if source is not None else (Fraction(0), STILL_SECONDS if endless else info.duration)
    if begin < 0 or (not endless and end > info.duration):
        raise EditRefused(f"“{item.name}” does not have that range.", "Choose in and out points inside the file.")
    # Every frame must show an existing moment; the last one may end after the file does.
    duration = -((begin - end) * rate).__floor__()
    if duration < 1:
        raise EditRefused(f"That range of “{item.name}” is shorter than a frame.", "Move its in and out points apart.")
    with_picture = video and info.has_video
    with_sound = audio and (info.kind is MediaKind.AUDIO or info.audio is not None)
    if not with_picture and not with_sound:
        raise EditRefused(f"“{item.name}” has nothing to place there.", "Place its picture or its sound.")
    link = new_id("link") if with_picture and with_sound else ""

    def clip() -> Clip:
        return Clip(
            id=new_id("clip"),
            media_id=item.id,
            name=item.name,
            start=start,
            duration=duration,
            source_in=begin,
            link=link,
        )

    return clip() if with_picture else None, clip() if with_sound else None


# -- placing ---------------------------------------------------------------------------------------------------------


def place(sequence: Sequence, placements: Iterable[Placement]) -> Sequence:
    """Lay clips down where nothing is in the way; refuses otherwise."""
    draft = Draft(sequence)
    for placement in placements:
        _check_kind(sequence, placement)
        draft.put(placement.track_id, placement.clip)
    return draft.result()


def overwrite(sequence: Sequence, placements: Iterable[Placement]) -> Sequence:
    """Lay clips down over whatever is there: covered clips go, clips across the edges are trimmed or split."""
    draft = Draft(sequence)
    chosen = tuple(placements)
    for placement in chosen:
        _check_kind(sequence, placement)
        draft.punch(placement.track_id, placement.clip.start, placement.clip.end)
    draft.relink_halves()
    for placement in chosen:
        draft.put(placement.track_id, placement.clip)
    return draft.result()


def insert(sequence: Sequence, placements: Iterable[Placement], *, tracks: Collection[str] | None = None) -> Sequence:
    """Lay clips down and push everything behind their common start by their common length.

    ``tracks`` names the tracks that are pushed (None = every unlocked one); clips across the insertion point are split.
    """
    draft = Draft(sequence)
    chosen = tuple(placements)
    if not chosen:
        return sequence
    for placement in chosen:
        _check_kind(sequence, placement)
    _make_room(draft, [p.clip for p in chosen], {p.track_id for p in chosen}, tracks)
    for placement in chosen:
        draft.put(placement.track_id, placement.clip)
    return draft.result()


def _make_room(draft: Draft, clips: list[Clip], targets: set[str], tracks: Collection[str] | None) -> None:
    start = min(c.start for c in clips)
    length = max(c.end for c in clips) - start
    pushed = (set(draft.unlocked()) if tracks is None else set(tracks)) | targets
    for track_id in pushed:
        draft.cut(track_id, start)
    draft.relink_halves()
    draft.shift(pushed, start, length)
    if tracks is None:
        draft.everywhere_opened(start, length)


def _check_kind(sequence: Sequence, placement: Placement) -> Track:
    track = track_by_id(sequence, placement.track_id)
    if placement.clip.start < 0:
        raise EditRefused("Nothing can start before the timeline does.", "Place it at frame 0 or later.")
    return track


def _put(sequence: Sequence, placements: list[Placement], collision: Collision) -> Sequence:
    if collision is Collision.OVERWRITE:
        return overwrite(sequence, placements)
    return insert(sequence, placements) if collision is Collision.INSERT else place(sequence, placements)


def place_media(
    sequence: Sequence,
    item: MediaItem,
    frame: int,
    *,
    collision: Collision = Collision.OVERWRITE,
    video_track: str = "",
    audio_track: str = "",
    source: tuple[Fraction, Fraction] | None = None,
    video: bool = True,
    audio: bool = True,
) -> Placed:
    """Place a media item as a linked pair. An empty track id means the first unlocked track of that kind.

    When the sequence has no track for the sound (or picture), only the other half is placed.
    """
    picture, sound = clips_of(item, sequence.rate, max(0, frame), source=source, video=video, audio=audio)
    placements: list[Placement] = []
    for clip, track_id, kind in ((picture, video_track, TrackKind.VIDEO), (sound, audio_track, TrackKind.AUDIO)):
        if clip is not None and (target := _target(sequence, track_id, kind)):
            placements.append(Placement(target, clip))
    if not placements:
        raise EditRefused("There is no unlocked track for that.", "Add a track or unlock one.")
    if len(placements) == 1:
        placements = [Placement(placements[0].track_id, replace(placements[0].clip, link=""))]
    return Placed(_put(sequence, placements, collision), tuple(p.clip.id for p in placements))


def append_media(
    sequence: Sequence,
    item: MediaItem,
    *,
    video_track: str = "",
    audio_track: str = "",
    source: tuple[Fraction, Fraction] | None = None,
    video: bool = True,
    audio: bool = True,
) -> Placed:
    """Place a media item behind the last clip of the tracks it goes to."""
    targets = [_target(sequence, video_track, TrackKind.VIDEO), _target(sequence, audio_track, TrackKind.AUDIO)]
    used = [t for t in targets if t]
    end = max((c.end for t in sequence.tracks if t.id in used for c in t.clips[-1:]), default=0)
    return place_media(
        sequence,
        item,
        end,
        collision=Collision.REFUSE,
        video_track=video_track,
        audio_track=audio_track,
        source=source,
        video=video,
        audio=audio,
    )


def _target(sequence: Sequence, track_id: str, kind: TrackKind) -> str:
    if track_id:
        track = track_by_id(sequence, track_id)
        if track.kind is not kind:
            raise EditRefused(f"{track.name} is not a track for {kind.value}.", f"Choose a track for {kind.value}.")
        return track_id
    return next((t.id for t in sequence.tracks if t.kind is kind and not t.locked), "")


# -- moving ----------------------------------------------------------------------------------------------------------


def move(
    sequence: Sequence,
    clip_ids: Collection[str],
    frames: int,
    *,
    track_steps: int = 0,
    kind: TrackKind = TrackKind.VIDEO,
    collision: Collision = Collision.REFUSE,
    linked: bool = True,
) -> Sequence:
    """Move clips by ``frames``, and those of ``kind`` also by ``track_steps`` tracks (+1 = the next listed: up for
    video, down for audio). Linked partners and the rest of their groups move in time but keep their tracks unless they
    are of ``kind`` and chosen.

    ``linked=False`` moves nothing else, and takes the clips out of their links first.
    """
    chosen = set(clip_ids)
    everyone = together(sequence, chosen) if linked else frozenset(chosen)
    by_track = tracks_of(sequence, chosen | everyone)
    if not frames and not track_steps:
        return sequence
    lanes = [t.id for t in sequence.tracks if t.kind is kind]
    placements: list[Placement] = []
    draft = Draft(sequence)
    for track_id, clips in by_track.items():
        for clip in clips:
            target = track_id
            if track_steps and clip.id in chosen and track_id in lanes:
                lane = lanes.index(track_id) + track_steps
                if not 0 <= lane < len(lanes):
                    raise EditRefused(f"There is no {kind.value} track there.", "Add a track or move it less far.")
                target = lanes[lane]
            moved = shifted(clip, frames)
            if moved.start < 0:
                raise EditRefused("Nothing can start before the timeline does.", "Move it less far to the left.")
            placements.append(Placement(target, moved if linked or not clip.link else replace(moved, link="")))
        draft.remove(track_id, {c.id for c in clips})
    if collision is Collision.OVERWRITE:
        for placement in placements:
            draft.punch(placement.track_id, placement.clip.start, placement.clip.end)
    elif collision is Collision.INSERT:
        _make_room(draft, [p.clip for p in placements], {p.track_id for p in placements}, None)
    draft.relink_halves()
    for placement in placements:
        draft.put(placement.track_id, placement.clip)
    return draft.result()


def duplicate(
    sequence: Sequence, clip_ids: Collection[str], frames: int, *, collision: Collision = Collision.OVERWRITE
) -> Placed:
    """Copies of the clips on their own tracks, ``frames`` later, with fresh ids, links and groups of their own;
    transitions between them are copied too."""
    links: dict[str, str] = {}
    groups: dict[str, str] = {}
    copies: dict[str, str] = {}
    placements: list[Placement] = []
    for track_id, clips in tracks_of(sequence, clip_ids).items():
        for clip in clips:
            link = links.setdefault(clip.link, new_id("link")) if clip.link else ""
            group = groups.setdefault(clip.group, new_id("group")) if clip.group else ""
            copy = replace(shifted(clip, frames), id=new_id("clip"), link=link, group=group)
            copies[clip.id] = copy.id
            placements.append(Placement(track_id, copy))
    made = _put(sequence, placements, collision)
    for track in sequence.tracks:
        for join in track.transitions:
            if join.left in copies and join.right in copies:
                new = replace(join, id=new_id("cross"), left=copies[join.left], right=copies[join.right])
                made = with_transition(made, track.id, new, None)
    return Placed(made, tuple(p.clip.id for p in placements))


# -- cutting ---------------------------------------------------------------------------------------------------------


def razor(sequence: Sequence, frame: int, *, tracks: Collection[str] | None = None, linked: bool = True) -> Sequence:
    """Cut the clips that span ``frame`` on ``tracks`` (None = every unlocked track) and their linked partners.

    The right halves of a linked group get a fresh common link. Refuses when there is nothing to cut.
    """
    chosen = [t for t in sequence.tracks if (not t.locked if tracks is None else t.id in tracks)]
    hit = [c for t in chosen for c in _spanning(t, frame)]
    if not hit:
        raise EditRefused("There is no clip to cut at this frame.", "Put the playhead inside a clip.")
    return razor_clips(sequence, {c.id for c in hit}, frame, linked=linked)


def razor_clips(sequence: Sequence, clip_ids: Collection[str], frame: int, *, linked: bool = True) -> Sequence:
    """Cut the given clips (and their linked partners) at ``frame``; those that do not span it stay whole."""
    everyone = with_linked(sequence, clip_ids) if linked else frozenset(clip_ids)
    draft = Draft(sequence)
    cuts = [
        draft.cut(track_id, frame)
        for track_id, clips in tracks_of(sequence, everyone).items()
        if any(c.start < frame < c.end for c in clips)
    ]
    if not any(cuts):
        raise EditRefused("There is no clip to cut at this frame.", "Put the playhead inside a clip.")
    return draft.result()


def _spanning(track: Track, frame: int) -> tuple[Clip, ...]:
    index = bisect_left(track.clips, frame, key=start_of) - 1
    return track.clips[index : index + 1] if index >= 0 and track.clips[index].end > frame else ()


# -- taking away -----------------------------------------------------------------------------------------------------


def lift(sequence: Sequence, clip_ids: Collection[str], *, linked: bool = True) -> Sequence:
    """Delete clips and leave gaps."""
    everyone = with_linked(sequence, clip_ids) if linked else frozenset(clip_ids)
    draft = Draft(sequence)
    for track_id, clips in tracks_of(sequence, everyone or clip_ids).items():
        draft.remove(track_id, {c.id for c in clips})
    return draft.result()


def lift_range(sequence: Sequence, start: int, stop: int, *, tracks: Collection[str] | None = None) -> Sequence:
    """Clear [start, stop) on ``tracks`` (None = every unlocked one) and leave a gap."""
    draft = Draft(sequence)
    _punch_range(draft, start, stop, draft.unlocked() if tracks is None else tracks)
    return draft.result()


def extract_range(sequence: Sequence, start: int, stop: int, *, tracks: Collection[str] | None = None) -> Sequence:
    """Clear [start, stop) on ``tracks`` (None = every unlocked one) and close the gap."""
    draft = Draft(sequence)
    chosen = draft.unlocked() if tracks is None else tracks
    _punch_range(draft, start, stop, chosen)
    draft.relink_halves()
    draft.shift(chosen, stop, start - stop)
    if tracks is None:
        draft.everywhere_closed([(start, stop)])
    return draft.result()


def _punch_range(draft: Draft, start: int, stop: int, tracks: Collection[str]) -> None:
    if start < 0 or stop <= start:
        raise EditRefused("That range is empty.", "Set an in point before the out point.")
    for track in draft.sequence.tracks:
        if track.id in tracks and not free(track.clips, start, stop):
            draft.punch(track.id, start, stop)


def ripple_delete(
    sequence: Sequence, clip_ids: Collection[str], *, all_tracks: bool = False, linked: bool = True
) -> Sequence:
    """Delete clips and close the gaps they leave.

    Without ``all_tracks`` only their own tracks close up, and those of linked partners of what moves; with it every
    unlocked track does. Refuses when another clip is in the way (extract cuts through it instead).
    """
    everyone = with_linked(sequence, clip_ids) if linked else frozenset(clip_ids)
    by_track = tracks_of(sequence, everyone or clip_ids)
    draft = Draft(sequence)
    spans = {track_id: _merged((c.start, c.end) for c in clips) for track_id, clips in by_track.items()}
    for track_id, clips in by_track.items():
        draft.remove(track_id, {c.id for c in clips})
    common = _merged(span for runs in spans.values() for span in runs)
    first = common[0][0]
    if all_tracks:
        closing = {track_id: common for track_id in {*draft.unlocked(), *by_track}}
    else:
        grown = draft.with_partners(by_track, first)
        closing = {track_id: spans.get(track_id, common) for track_id in grown}
    for track in sequence.tracks:
        if track.id in closing:
            _close(draft, track, closing[track.id])
    if all_tracks:
        draft.everywhere_closed(common)
    return draft.result()


def close_gap(sequence: Sequence, track_id: str, frame: int, *, all_tracks: bool = False) -> Sequence:
    """Close the gap around ``frame`` on a track; with ``all_tracks`` every unlocked track moves along."""
    draft = Draft(sequence)
    gap = gap_at(track_by_id(sequence, track_id), frame)
    if gap is None:
        raise EditRefused("There is no gap to close at this frame.", "Click into the space between two clips.")
    chosen = {*draft.unlocked(), track_id} if all_tracks else draft.with_partners([track_id], gap[1])
    for track in sequence.tracks:
        if track.id in chosen:
            _close(draft, track, [gap])
    if all_tracks:
        draft.everywhere_closed([gap])
    return draft.result()


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def _close(draft: Draft, track: Track, spans: list[tuple[int, int]]) -> None:
    """Take the empty ``spans`` out of one track in a single pass."""
    current = list(draft.peek(track))
    first = bisect_left(current, spans[0][0], key=start_of)
    for start, stop in spans:
        if not free(current, start, stop):
            raise EditRefused(
                f"Clips on {track.name} are in the way of closing the gap.",
                "Use Extract, which cuts through all tracks.",
            )
    if first == len(current):
        return
    stops = [stop for _, stop in spans]
    total = [0]
    for start, stop in spans:
        total.append(total[-1] + stop - start)
    clips = draft.clips(track.id)
    clips[first:] = [shifted(c, -delta) if (delta := total[bisect_right(stops, c.start)]) else c for c in clips[first:]]
