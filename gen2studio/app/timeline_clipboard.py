"""Copied clips: a stretch of several tracks that can be put down elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from gen2studio.core.errors import EditRefused
from gen2studio.core.ids import new_id
from gen2studio.core.records import dataclass
from gen2studio.document import edits
from gen2studio.document.composition import Transition
from gen2studio.document.lookup import Media
from gen2studio.document.model import Clip, Sequence, Track, TrackKind
from gen2studio.document.transition_fit import with_transition


@dataclass(frozen=True, slots=True)
class CopiedClip:
    kind: TrackKind
    step: int
    """Tracks away from the lowest copied track of its kind."""
    clip: Clip
    """Its start counts from the start of the copied stretch."""


@dataclass(frozen=True, slots=True)
class ClipboardClips:
    clips: tuple[CopiedClip, ...]
    span: int
    """Frames from the first start to the last end."""
    joins: tuple[Transition, ...] = ()
    """Transitions between two of them."""


def copied(sequence: Sequence, clip_ids: Collection[str]) -> ClipboardClips:
    """The clips with their places relative to each other."""
    found = [
        (kind, index, clip)
        for kind, tracks in ((TrackKind.VIDEO, sequence.video_tracks), (TrackKind.AUDIO, sequence.audio_tracks))
        for index, track in enumerate(tracks)
        for clip in track.clips
        if clip.id in clip_ids
    ]
    start = min(clip.start for _, _, clip in found)
    lowest = {kind: min(i for k, i, _ in found if k is kind) for kind in {k for k, _, _ in found}}
    clips = tuple(
        CopiedClip(kind, index - lowest[kind], replace(clip, start=clip.start - start)) for kind, index, clip in found
    )
    joins = tuple(
        join for track in sequence.tracks for join in track.transitions if {join.left, join.right} <= set(clip_ids)
    )
    return ClipboardClips(clips, max(c.clip.end for c in clips), joins)


def placements(
    board: ClipboardClips, sequence: Sequence, frame: int, target: Track | None
) -> tuple[edits.Placement, ...]:
    """Where the copied clips land at ``frame``, from the target track on, with fresh ids, links and groups."""
    links: dict[str, str] = {}
    groups: dict[str, str] = {}
    places: list[edits.Placement] = []
    for copy in board.clips:
        tracks = sequence.video_tracks if copy.kind is TrackKind.VIDEO else sequence.audio_tracks
        first = tracks.index(target) if target is not None and target in tracks else 0
        if first + copy.step >= len(tracks):
            raise EditRefused("There are not enough tracks to paste on.", "Add a track or choose a lower target track.")
        old = copy.clip.link
        link = links.setdefault(old, new_id("link")) if old else ""
        group = groups.setdefault(copy.clip.group, new_id("group")) if copy.clip.group else ""
        clip = replace(copy.clip, id=new_id("clip"), start=frame + copy.clip.start, link=link, group=group)
        places.append(edits.Placement(tracks[first + copy.step].id, clip))
    counts = [p.clip.link for p in places]
    return tuple(
        replace(p, clip=replace(p.clip, link="")) if p.clip.link and counts.count(p.clip.link) < 2 else p
        for p in places
    )


def rejoined(board: ClipboardClips, sequence: Sequence, places: tuple[edits.Placement, ...], media: Media) -> Sequence:
    """The sequence on which ``places`` (of :func:`placements`) were laid down, with the copied transitions."""
    new = {copy.clip.id: place for copy, place in zip(board.clips, places, strict=True)}
    for join in board.joins:
        left, right = new[join.left], new[join.right]
        fresh = replace(join, id=new_id("cross"), left=left.clip.id, right=right.clip.id)
        sequence = with_transition(sequence, left.track_id, fresh, media)
    return sequence
