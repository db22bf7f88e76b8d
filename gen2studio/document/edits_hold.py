"""Freezing: a clip that holds one moment, and a hold put in at the playhead. Grouping and gaps. Pure, EditRefused."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from fractions import Fraction

from gen2studio.core.errors import EditRefused
from gen2studio.core.ids import new_id
from gen2studio.document.clip_shapes import held, zero_of
from gen2studio.document.draft import Draft, tracks_of
from gen2studio.document.edits_place import Placed
from gen2studio.document.lookup import Media, longest, together, where
from gen2studio.document.lookup import linked as with_linked
from gen2studio.document.lookup import track as track_by_id
from gen2studio.document.model import Clip, Sequence, TrackKind

HOLD_SECONDS = Fraction(2)
"""How long an inserted hold is when nobody says."""


# -- freezing --------------------------------------------------------------------------------------------------------


def set_freeze(sequence: Sequence, clip_ids: Collection[str], frozen: bool, frame: int, media: Media) -> Sequence:
    """Hold what pictures show at sequence ``frame`` (the nearest frame of each) for their whole length; unfrozen, each
    plays on from that moment, in sync with its linked sound again where it has one.

    Clips on audio tracks among ``clip_ids`` are left alone. Refuses when none of the clips is a picture, and to
    unfreeze one that is longer than what its media has from there.
    """
    draft = Draft(sequence)
    pictures = False
    for track_id, clips in tracks_of(sequence, clip_ids).items():
        if track_by_id(sequence, track_id).kind is not TrackKind.VIDEO:
            continue
        pictures = True
        for clip in clips:
            if clip.freeze == frozen:
                continue
            if frozen:
                inside = min(max(frame, clip.start), clip.end - 1)
                moment = clip.source_time(inside, sequence.rate)
                draft.swap(track_id, replace(clip, freeze=True, reverse=False, source_in=moment))
            else:
                draft.swap(track_id, _moving(sequence, clip, media))
    if not pictures:
        raise EditRefused("Only pictures can be frozen.", "Select a clip on a video track.")
    return draft.result(media)


def _moving(sequence: Sequence, clip: Clip, media: Media) -> Clip:
    moving = replace(clip, freeze=False)
    partners = [c for t in sequence.tracks for c in t.clips if clip.link and c.link == clip.link and c.id != clip.id]
    for partner in partners:
        if partner.media_id == clip.media_id and not partner.freeze:
            moving = replace(moving, speed=partner.speed, reverse=partner.reverse)
            frames = moving.start - zero_of(partner, sequence.rate)
            if partner.reverse:
                frames = zero_of(partner, sequence.rate) - (moving.end - 1)
            moving = replace(moving, source_in=frames * moving.speed / sequence.rate)
            break
    if moving.source_in < 0 or moving.duration > longest(moving, sequence.rate, media):
        raise EditRefused(
            "The media is too short for this clip from the frozen frame on.", "Make the clip shorter, then unfreeze it."
        )
    return moving


def insert_hold(sequence: Sequence, clip_id: str, frame: int, frames: int, media: Media) -> Placed:
    """Cut a picture at ``frame`` and put a hold of what it shows there in between, ``frames`` long; everything behind
    on every unlocked track moves right. The hold keeps look, takes and transform as they are at that frame."""
    track, clip = where(sequence, clip_id)
    if track.kind is not TrackKind.VIDEO:
        raise EditRefused("Only pictures can be frozen.", "Select a clip on a video track.")
    if not clip.start <= frame < clip.end:
        raise EditRefused("The playhead is not on that clip.", "Put it on the frame to hold.")
    if frames < 1:
        raise EditRefused("A hold lasts at least one frame.", "Enter a longer one.")
    offset = frame - clip.start
    hold = replace(
        held(clip, offset),
        id=new_id("clip"),
        start=frame,
        duration=frames,
        source_in=clip.source_time(frame, sequence.rate),
        reverse=False,
        freeze=True,
        link="",
        fade_in=0,
        fade_out=0,
    )
    draft = Draft(sequence)
    pushed = {*draft.unlocked(), track.id}
    for track_id in pushed:
        draft.cut(track_id, frame)
    draft.relink_halves()
    draft.shift(pushed, frame, frames)
    draft.everywhere_opened(frame, frames)
    draft.put(track.id, hold)
    return Placed(draft.result(media), (hold.id,))


# -- groups ----------------------------------------------------------------------------------------------------------


def group(sequence: Sequence, clip_ids: Collection[str]) -> Sequence:
    """Make clips (and their linked partners) select and move together. A clip is in one group at most."""
    everyone = with_linked(sequence, clip_ids)
    if len(everyone) < 2:
        raise EditRefused("Grouping needs two clips or more.", "Select several clips.")
    return _grouped(sequence, everyone, new_id("group"))


def ungroup(sequence: Sequence, clip_ids: Collection[str]) -> Sequence:
    """Take the whole groups of these clips apart."""
    everyone = {c.id for t in sequence.tracks for c in t.clips if c.group and c.id in together(sequence, clip_ids)}
    if not everyone:
        raise EditRefused("These clips are in no group.", "Select a clip of a group.")
    return _grouped(sequence, everyone, "")


def _grouped(sequence: Sequence, clip_ids: Collection[str], group_id: str) -> Sequence:
    draft = Draft(sequence)
    for track_id, clips in tracks_of(sequence, clip_ids).items():
        for clip in clips:
            if clip.group != group_id:
                draft.swap(track_id, replace(clip, group=group_id))
    return draft.result()


# -- gaps ------------------------------------------------------------------------------------------------------------


def insert_gap(sequence: Sequence, frame: int, frames: int, *, tracks: Collection[str] | None = None) -> Sequence:
    """Open a gap of ``frames`` at ``frame`` on ``tracks`` (None = every unlocked one): clips across it are cut, what
    follows moves right."""
    if frame < 0 or frames < 1:
        raise EditRefused("A gap lasts at least one frame.", "Enter a longer one.")
    draft = Draft(sequence)
    chosen = draft.unlocked() if tracks is None else list(draft.with_partners(tracks, frame))
    for track_id in chosen:
        draft.cut(track_id, frame)
    draft.relink_halves()
    draft.shift(chosen, frame, frames)
    if tracks is None:
        draft.everywhere_opened(frame, frames)
    new = draft.result()
    if new is sequence:
        raise EditRefused("Nothing lies behind this frame that could move.", "Put the playhead before a clip.")
    return new
