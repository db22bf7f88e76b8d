"""Timelines inside timelines: a media item may stand for a sequence and plays like a file.

Pure functions over documents. A nested item's facts (size, rate, length, sound) follow its sequence: :func:`followed`
brings them up after an edit. No sequence holds itself, through however many others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from gen2studio.core.errors import EditRefused
from gen2studio.core.frozen import frozen_map, with_item
from gen2studio.core.ids import new_id
from gen2studio.core.media_info import AudioInfo, MediaInfo, MediaKind
from gen2studio.document.clip_shapes import head_moved, shifted, tail_moved
from gen2studio.document.composition import Transition
from gen2studio.document.draft import tracks_of
from gen2studio.document.edits_place import Collision, Placement, lift, place, place_media
from gen2studio.document.edits_tracks import add_track
from gen2studio.document.lookup import linked, where
from gen2studio.document.model import Document, MediaItem, Sequence, Track, TrackKind
from gen2studio.document.transition_fit import with_transition


def nested_in(sequence: Sequence, media: Mapping[str, MediaItem]) -> set[str]:
    """Ids of the sequences that clips of this one show."""
    used = {clip.media_id for track in sequence.tracks for clip in track.clips}
    return {item.nested for media_id in used if (item := media.get(media_id)) is not None and item.nested}


def holds_itself(media: Mapping[str, MediaItem], sequences: Iterable[Sequence]) -> bool:
    """Whether a sequence shows itself, directly or through others."""
    if not any(item.nested for item in media.values()):
        return False
    inside = {sequence.id: nested_in(sequence, media) for sequence in sequences}
    # Taken away from the innermost outwards; what is left at the end goes round in a circle.
    while inside:
        innermost = [key for key, held in inside.items() if not held & inside.keys()]
        if not innermost:
            return True
        for key in innermost:
            del inside[key]
    return False


def info_of(sequence: Sequence) -> MediaInfo:
    """What a timeline is like as a media file: its picture, and stereo sound when any of its clips sounds."""
    frames = sequence.duration
    seconds = Fraction(frames) / sequence.rate
    sounding = any(track.clips for track in sequence.audio_tracks)
    return MediaInfo(
        kind=MediaKind.VIDEO,
        container="timeline",
        width=sequence.width,
        height=sequence.height,
        coded_width=sequence.width,
        coded_height=sequence.height,
        rate=sequence.rate,
        frame_count=frames,
        exact=True,
        duration=seconds,
        has_alpha=True,
        audio=AudioInfo(sequence.sample_rate, 2, "timeline", seconds) if sounding else None,
    )


def item_of(sequence: Sequence, media: Mapping[str, MediaItem]) -> MediaItem:
    """The media item that stands for a sequence: the one there is, or a new one."""
    known = next((item for item in media.values() if item.nested == sequence.id), None)
    if known is not None:
        return known
    return MediaItem(
        id=new_id("media"),
        name=sequence.name,
        path="",
        fingerprint="",
        info=info_of(sequence),
        nested=sequence.id,
    )


def followed(document: Document) -> Document:
    """The document with nested items that are as their sequences are now. Raises EditRefused when a timeline would hold
    itself."""
    media = document.media
    changed: dict[str, MediaItem] = {}
    nested = False
    for item in media.values():
        if not item.nested:
            continue
        nested = True
        sequence = document.sequences.get(item.nested)
        if sequence is not None:
            info = info_of(sequence)
            if info != item.info:
                changed[item.id] = replace(item, info=info)
    if nested and holds_itself(media, document.sequences.values()):
        raise EditRefused("A timeline can't hold itself.", "Put it into another timeline.")
    return replace(document, media=frozen_map({**media, **changed})) if changed else document


# -- edits -------------------------------------------------------------------------------------------------------------


class Nested(NamedTuple):
    document: Document
    sequence_id: str
    """The new timeline."""
    clip_ids: tuple[str, ...]
    """The clips that show it, picture first."""


def nest(document: Document, clip_ids: Collection[str], name: str = "") -> Nested:
    """Move clips of the active timeline (with their linked partners) into a new one, and show that in their place.

    Tracks, transitions and distances stay as they are. The new clip lies on the lowest video track among theirs, its
    sound on the highest audio track. Raises EditRefused when other clips lie between them there.
    """
    sequence = document.sequence
    if sequence is None:
        raise EditRefused("There is no timeline yet.", "Drag a clip from the media pool onto it.")
    everyone = linked(sequence, clip_ids)
    by_track = tracks_of(sequence, everyone)
    start = min(clips[0].start for clips in by_track.values())
    inner_tracks: list[Track] = []
    for kind, letter in ((TrackKind.VIDEO, "V"), (TrackKind.AUDIO, "A")):
        lanes = [t for t in sequence.tracks if t.kind is kind]
        used = [i for i, t in enumerate(lanes) if t.id in by_track]
        for number, track in enumerate(lanes[used[0] : used[-1] + 1] if used else lanes[:1], 1):
            moved = tuple(shifted(clip, -start) for clip in by_track.get(track.id, ()))
            joins = tuple(t for t in track.transitions if t.left in everyone and t.right in everyone)
            inner_tracks.append(
                replace(
                    track, id=new_id("track"), name=f"{letter}{number}", clips=moved, transitions=joins, locked=False
                )
            )
    taken = {found.name for found in document.sequences.values()}
    number = next(n for n in range(1, len(taken) + 2) if f"Nested {n}" not in taken)
    inner = Sequence(
        id=new_id("seq"),
        name=name.strip() or f"Nested {number}",
        rate=sequence.rate,
        width=sequence.width,
        height=sequence.height,
        sample_rate=sequence.sample_rate,
        tracks=tuple(inner_tracks),
    )
    item = item_of(inner, document.media)
    left = lift(sequence, everyone)
    video = next((t.id for t in sequence.video_tracks if t.id in by_track), "")
    audio = next((t.id for t in sequence.audio_tracks if t.id in by_track), "")
    placed = place_media(
        left,
        item,
        start,
        collision=Collision.REFUSE,
        video_track=video,
        audio_track=audio,
        video=bool(video),
        audio=bool(audio),
    )
    document = replace(
        document,
        media=with_item(document.media, item.id, item),
        sequences=frozen_map({**document.sequences, inner.id: inner, sequence.id: placed.sequence}),
    )
    return Nested(followed(document), inner.id, placed.clip_ids)


def unnest(document: Document, clip_id: str) -> Document:
    """Lay the contents of a nested clip out in its place. The nested timeline stays in the project.

    The clip's own opacity, look and volume go with it. Raises EditRefused for a clip at another speed, backwards or at
    another rate, and where there is no room.
    """
    sequence = document.sequence
    if sequence is None:
        raise EditRefused("There is no timeline yet.", "Drag a clip from the media pool onto it.")
    _, clip = where(sequence, clip_id)
    item = document.media.get(clip.media_id)
    inner = document.sequences.get(item.nested) if item is not None and item.nested else None
    if inner is None:
        raise EditRefused("That clip shows no timeline.", "Select a nested one.")
    first = clip.source_in * sequence.rate
    if clip.speed != 1 or clip.reverse or clip.freeze or inner.rate != sequence.rate or first.denominator != 1:
        raise EditRefused(
            "Only a nested clip at its own speed and rate can be taken apart.", "Set its speed to 100 % first."
        )
    offset, stop = int(first), int(first) + clip.duration
    family = {i for i in linked(sequence, [clip_id]) if where(sequence, i)[1].media_id == clip.media_id}
    homes = {track.kind: track for track in sequence.tracks for c in track.clips if c.id in family}
    sequence = lift(sequence, family)
    links: dict[str, str] = {}
    groups: dict[str, str] = {}
    placements: list[Placement] = []
    names: dict[str, str] = {}
    joins: list[tuple[str, Transition]] = []
    for kind, home in homes.items():
        lanes = [t for t in inner.tracks if t.kind is kind]
        for step, track in enumerate(lanes):
            if not any(c.end > offset and c.start < stop for c in track.clips):
                continue
            outer = [t for t in sequence.tracks if t.kind is kind]
            base = next(i for i, t in enumerate(outer) if t.id == home.id)
            while base + step >= len(outer):
                sequence = add_track(sequence, kind)
                outer = [t for t in sequence.tracks if t.kind is kind]
            target = outer[base + step].id
            for one in track.clips:
                low, high = max(one.start, offset), min(one.end, stop)
                if high <= low:
                    continue
                part = tail_moved(one, high - one.end, sequence.rate)
                part = head_moved(part, low - one.start, sequence.rate)
                names[one.id] = new_id("clip")
                link = links.setdefault(one.link, new_id("link")) if one.link else ""
                group = groups.setdefault(one.group, new_id("group")) if one.group else ""
                part = replace(shifted(part, clip.start - offset), id=names[one.id], link=link, group=group)
                placements.append(Placement(target, part))
            joins += [(target, t) for t in track.transitions]
    if not placements:
        raise EditRefused("The nested timeline is empty there.", "Open it and put clips on it.")
    sequence = place(sequence, placements)
    for target, join in joins:
        if join.left in names and join.right in names:
            new = replace(join, id=new_id("cross"), left=names[join.left], right=names[join.right])
            sequence = with_transition(sequence, target, new, document.media)
    document = replace(document, sequences=with_item(document.sequences, sequence.id, sequence))
    return followed(document)
