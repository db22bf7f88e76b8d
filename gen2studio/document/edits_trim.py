"""Moving edges and contents: trim, ripple trim, roll, slip, slide, speed - and how far each of them may go.

Every ``delta`` is in sequence frames, positive = later. The edits refuse outside the limits; the ``…_limits`` functions
give the same limits beforehand, so that a drag can clamp its delta and show where the media ends.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from gen2studio.core.errors import EditRefused
from gen2studio.document.clip_shapes import (
    head_moved,
    mirrored,
    source_in_at,
    stretched,
    tail_moved,
    zero_of,
)
from gen2studio.document.draft import Draft
from gen2studio.document.lookup import FAR, Media, head_room, longest, neighbours, slip_room, tail_room, together, where
from gen2studio.document.lookup import linked as with_linked
from gen2studio.document.model import Clip, Sequence, Track

SLOWEST, FASTEST = Fraction(1, 100), Fraction(100)


class Edge(enum.Enum):
    HEAD = "head"
    TAIL = "tail"


class Limits(NamedTuple):
    """The deltas an edit accepts: ``low`` ≤ delta ≤ ``high``; :data:`~gen2studio.document.lookup.FAR` = no limit."""

    low: int
    high: int

    def clamp(self, delta: int) -> int:
        return min(max(delta, self.low), self.high)

    def meet(self, other: Limits) -> Limits:
        return Limits(max(self.low, other.low), min(self.high, other.high))


ANY = Limits(-FAR, FAR)


# -- who takes part --------------------------------------------------------------------------------------------------


def _group(sequence: Sequence, clip_id: str, linked: bool) -> list[tuple[Track, Clip]]:
    """The clip first, then its linked partners."""
    main = where(sequence, clip_id)
    if not linked or not main[1].link:
        return [main]
    rest = [where(sequence, i) for i in sorted(with_linked(sequence, [clip_id])) if i != clip_id]
    return [main, *rest]


def _sharing_edge(sequence: Sequence, clip_id: str, edge: Edge, linked: bool) -> list[tuple[Track, Clip]]:
    """The clip and the partners whose same edge lies at the same frame: J and L cuts keep theirs."""
    group = _group(sequence, clip_id, linked)
    main = group[0][1]
    if edge is Edge.HEAD:
        return [member for member in group if member[1].start == main.start]
    return [member for member in group if member[1].end == main.end]


def _check(delta: int, limits: Limits, what: str) -> None:
    if delta < limits.low or delta > limits.high:
        raise EditRefused(
            f"{what} can't go that far: only {limits.low:+d} to {limits.high:+d} frames are possible here."
            if limits.high < FAR and limits.low > -FAR
            else f"{what} can't go that far.",
            "Its media or a neighbouring clip ends there.",
        )


# -- trim ------------------------------------------------------------------------------------------------------------


def _edge_limits(track: Track, clip: Clip, edge: Edge, rate: Fraction, media: Media, ripple: bool) -> Limits:
    before, after = neighbours(track, clip.id)
    if edge is Edge.HEAD:
        room = FAR if ripple else clip.start - (before.end if before else 0)
        return Limits(-min(room, head_room(clip, rate, media)), clip.duration - 1)
    room = FAR if ripple or after is None else after.start - clip.end
    return Limits(1 - clip.duration, min(room, tail_room(clip, rate, media)))


def trim_limits(
    sequence: Sequence, clip_id: str, edge: Edge, media: Media, *, ripple: bool = False, linked: bool = True
) -> Limits:
    """How far an edge may go: media, neighbours (not when rippling) and one frame of length left."""
    limits = ANY
    for track, clip in _sharing_edge(sequence, clip_id, edge, linked):
        limits = limits.meet(_edge_limits(track, clip, edge, sequence.rate, media, ripple))
    return limits


def trim_head(sequence: Sequence, clip_id: str, delta: int, media: Media, *, linked: bool = True) -> Sequence:
    """Move the head; what is shown stays in place. Partners whose head lies at the same frame follow."""
    _check(delta, trim_limits(sequence, clip_id, Edge.HEAD, media, linked=linked), "The head of this clip")
    draft = Draft(sequence)
    for track, clip in _sharing_edge(sequence, clip_id, Edge.HEAD, linked) if delta else ():
        draft.swap(track.id, head_moved(clip, delta, sequence.rate))
    return draft.result(media)


def trim_tail(sequence: Sequence, clip_id: str, delta: int, media: Media, *, linked: bool = True) -> Sequence:
    """Move the tail. Partners whose tail lies at the same frame follow."""
    _check(delta, trim_limits(sequence, clip_id, Edge.TAIL, media, linked=linked), "The tail of this clip")
    draft = Draft(sequence)
    for track, clip in _sharing_edge(sequence, clip_id, Edge.TAIL, linked) if delta else ():
        draft.swap(track.id, tail_moved(clip, delta, sequence.rate))
    return draft.result(media)


def ripple_trim_head(
    sequence: Sequence, clip_id: str, delta: int, media: Media, *, all_tracks: bool = False, linked: bool = True
) -> Sequence:
    """Trim the head, keep the clip's start and pull (or push) everything behind the clip by the change in length."""
    limits = trim_limits(sequence, clip_id, Edge.HEAD, media, ripple=True, linked=linked)
    _check(delta, limits, "The head of this clip")
    return _ripple(sequence, _sharing_edge(sequence, clip_id, Edge.HEAD, linked), Edge.HEAD, delta, all_tracks, media)


def ripple_trim_tail(
    sequence: Sequence, clip_id: str, delta: int, media: Media, *, all_tracks: bool = False, linked: bool = True
) -> Sequence:
    """Trim the tail and pull (or push) everything behind the clip along."""
    limits = trim_limits(sequence, clip_id, Edge.TAIL, media, ripple=True, linked=linked)
    _check(delta, limits, "The tail of this clip")
    return _ripple(sequence, _sharing_edge(sequence, clip_id, Edge.TAIL, linked), Edge.TAIL, delta, all_tracks, media)


def _ripple(
    sequence: Sequence, members: list[tuple[Track, Clip]], edge: Edge, delta: int, all_tracks: bool, media: Media
) -> Sequence:
    if not delta:
        return sequence
    draft = Draft(sequence)
    frame = max(clip.end for _, clip in members)
    own = {track.id for track, _ in members}
    chosen = {*draft.unlocked(), *own} if all_tracks else draft.with_partners(own, frame)
    ids = {clip.id for _, clip in members}
    for track, clip in members:
        if edge is Edge.HEAD:
            # The head moves, then the clip slides back: it shows later material from the same start.
            draft.swap(track.id, replace(head_moved(clip, delta, sequence.rate), start=clip.start))
        else:
            draft.swap(track.id, tail_moved(clip, delta, sequence.rate))
    longer = -delta if edge is Edge.HEAD else delta
    draft.shift(chosen, frame, longer, skip=ids)
    if all_tracks:
        # What comes or goes is at the edge that was trimmed.
        start = min(clip.start for _, clip in members)
        if longer > 0:
            draft.everywhere_opened(start if edge is Edge.HEAD else frame, longer)
        else:
            draft.everywhere_closed([(start, start - longer) if edge is Edge.HEAD else (frame + longer, frame)])
    return draft.result(media)


# -- roll, slip, slide -----------------------------------------------------------------------------------------------


def _rolled(sequence: Sequence, left_id: str, right_id: str, linked: bool) -> list[tuple[Track, Clip, Clip]]:
    """The cut (track, left, right) and the cuts of linked partners at the same frame."""
    left_track, left = where(sequence, left_id)
    right_track, right = where(sequence, right_id)
    if left_track is not right_track or left.end != right.start:
        raise EditRefused("A roll needs two clips that touch.", "Choose the cut between two neighbours.")
    cuts = [(left_track, left, right)]
    if linked:
        partners = with_linked(sequence, [left_id, right_id])
        for track in sequence.tracks:
            if track is left_track:
                continue
            for one, two in zip(track.clips, track.clips[1:], strict=False):
                if one.end == two.start == left.end and one.id in partners and two.id in partners:
                    cuts.append((track, one, two))
    return cuts


def roll_limits(sequence: Sequence, left_id: str, right_id: str, media: Media, *, linked: bool = True) -> Limits:
    """How far a cut may roll."""
    limits = ANY
    for _, left, right in _rolled(sequence, left_id, right_id, linked):
        limits = limits.meet(Limits(1 - left.duration, tail_room(left, sequence.rate, media)))
        limits = limits.meet(Limits(-head_room(right, sequence.rate, media), right.duration - 1))
    return limits


def roll(sequence: Sequence, left_id: str, right_id: str, delta: int, media: Media, *, linked: bool = True) -> Sequence:
    """Move the cut between two touching clips; nothing else moves."""
    _check(delta, roll_limits(sequence, left_id, right_id, media, linked=linked), "This cut")
    draft = Draft(sequence)
    for track, left, right in _rolled(sequence, left_id, right_id, linked) if delta else ():
        draft.swap(track.id, tail_moved(left, delta, sequence.rate))
        draft.swap(track.id, head_moved(right, delta, sequence.rate))
    return draft.result(media)


def slip_limits(sequence: Sequence, clip_id: str, media: Media, *, linked: bool = True) -> Limits:
    """How far a clip's contents may slip under it."""
    limits = ANY
    for _, clip in _group(sequence, clip_id, linked):
        earlier, later = slip_room(clip, sequence.rate, media)
        limits = limits.meet(Limits(-earlier, later))
    return limits


def slip(sequence: Sequence, clip_id: str, delta: int, media: Media, *, linked: bool = True) -> Sequence:
    """Show material ``delta`` frames later (+) or earlier (−) in the same place."""
    _check(delta, slip_limits(sequence, clip_id, media, linked=linked), "The contents of this clip")
    draft = Draft(sequence)
    for track, clip in _group(sequence, clip_id, linked) if delta else ():
        moved = replace(clip, source_in=clip.source_in + Fraction(delta) / sequence.rate * clip.speed)
        draft.swap(track.id, moved if linked else replace(moved, link=""))
    return draft.result(media)


def slide_limits(sequence: Sequence, clip_id: str, media: Media, *, linked: bool = True) -> Limits:
    """How far a clip may slide between its neighbours: touching ones are trimmed, gaps are used up."""
    limits = ANY
    rate = sequence.rate
    for track, clip in _group(sequence, clip_id, linked):
        before, after = neighbours(track, clip.id)
        if before is not None and before.end == clip.start:
            limits = limits.meet(Limits(1 - before.duration, tail_room(before, rate, media)))
        else:
            limits = limits.meet(Limits((before.end if before else 0) - clip.start, FAR))
        if after is not None and clip.end == after.start:
            limits = limits.meet(Limits(-head_room(after, rate, media), after.duration - 1))
        elif after is not None:
            limits = limits.meet(Limits(-FAR, after.start - clip.end))
    return limits


def slide(sequence: Sequence, clip_id: str, delta: int, media: Media, *, linked: bool = True) -> Sequence:
    """Move a clip between its neighbours: the touching ones give and take, everything else stays."""
    _check(delta, slide_limits(sequence, clip_id, media, linked=linked), "This clip")
    draft = Draft(sequence)
    for track, clip in _group(sequence, clip_id, linked) if delta else ():
        before, after = neighbours(track, clip.id)
        moved = replace(clip, start=clip.start + delta)
        draft.swap(track.id, moved if linked else replace(moved, link=""))
        if before is not None and before.end == clip.start:
            draft.swap(track.id, tail_moved(before, delta, sequence.rate))
        if after is not None and clip.end == after.start:
            draft.swap(track.id, head_moved(after, delta, sequence.rate))
    return draft.result(media)


def move_limits(sequence: Sequence, clip_ids: Collection[str], *, linked: bool = True) -> Limits:
    """How far clips may move in time: nothing starts before frame 0."""
    everyone = together(sequence, clip_ids) if linked else frozenset(clip_ids)
    starts = [where(sequence, clip_id)[1].start for clip_id in everyone]
    return Limits(-min(starts, default=0), FAR)


# -- speed -----------------------------------------------------------------------------------------------------------


def set_speed(
    sequence: Sequence,
    clip_ids: Collection[str],
    speed: Fraction,
    media: Media,
    *,
    ripple: bool = False,
    linked: bool = True,
) -> Sequence:
    """Play the same source range at ``speed`` media seconds per second; the clips get shorter or longer.

    ``ripple`` moves everything behind on their tracks; without it a clip that gets longer needs room. ``speed`` is
    0.01…100. With ``linked=False`` the clips leave their links.
    """
    if not SLOWEST <= speed <= FASTEST:
        raise EditRefused("Speed goes from 1 % to 10,000 %.", "Enter a value in that range.")
    where_all = {clip_id: where(sequence, clip_id) for clip_id in clip_ids}
    done: set[str] = set()
    for clip_id in sorted(where_all, key=lambda i: (where_all[i][1].start, i)):
        if clip_id not in done:
            members = {clip.id for _, clip in _group(sequence, clip_id, linked)}
            sequence = _set_group_speed(sequence, clip_id, speed, media, ripple, linked)
            done |= members
    return sequence


def _set_group_speed(
    sequence: Sequence, clip_id: str, speed: Fraction, media: Media, ripple: bool, linked: bool
) -> Sequence:
    rate = sequence.rate
    group = _group(sequence, clip_id, linked)
    anchor = group[0][1]
    if all(clip.speed == speed for _, clip in group):
        return sequence
    draft = Draft(sequence)
    ends: list[tuple[int, int]] = []
    zero: Fraction | None = None
    for track, clip in group:
        scale = clip.speed / speed
        offset = -((anchor.start - clip.start) * scale).__floor__()
        changed = replace(clip, start=anchor.start + offset, speed=speed, link=clip.link if linked else "")
        if not clip.freeze:
            changed = stretched(changed, scale, max(1, round(clip.duration * scale)))
            if zero is not None and clip.media_id == anchor.media_id:
                # A partner that starts elsewhere (J or L cut) keeps showing the moment that belongs to its whole frame.
                changed = replace(changed, source_in=source_in_at(changed, zero, rate))
            if changed.reverse and changed.source_in < 0:
                over = -(changed.source_in * rate / speed).__floor__()
                changed = tail_moved(changed, -over, rate)
            changed = replace(changed, duration=max(1, min(changed.duration, longest(changed, rate, media))))
            if clip is anchor:
                zero = zero_of(changed, rate)
        ends.append((clip.end, changed.end))
        draft.swap(track.id, changed)
    if ripple:
        frame = max(old for old, _ in ends)
        delta = max(new for _, new in ends) - frame
        ids = {clip.id for _, clip in group}
        draft.shift(draft.with_partners({track.id for track, _ in group}, frame), frame, delta, skip=ids)
    return draft.result(media)


def set_reverse(
    sequence: Sequence, clip_ids: Collection[str], backwards: bool, media: Media | None = None, *, linked: bool = True
) -> Sequence:
    """Play clips backwards (or forwards again) over the same stretch of media, where they are.

    Linked partners turn with them and stay in sync. Refuses when a partner of another length (a J or L cut) would run
    out of media; with ``linked=False`` the clips leave their links.
    """
    draft = Draft(sequence)
    done: set[str] = set()
    for clip_id in sorted(clip_ids):
        if clip_id in done:
            continue
        group = _group(sequence, clip_id, linked)
        done |= {clip.id for _, clip in group}
        anchor = group[0][1]
        zero = zero_of(anchor if anchor.reverse == backwards else mirrored(anchor), sequence.rate)
        for track, clip in group:
            if clip.reverse == backwards or clip.freeze:
                continue
            turned = mirrored(clip)
            if clip is not anchor and clip.media_id == anchor.media_id:
                turned = replace(turned, source_in=source_in_at(turned, zero, sequence.rate))
                if turned.source_in < 0 or turned.duration > longest(turned, sequence.rate, media or {}):
                    raise EditRefused(
                        "The linked sound or picture has no media there to play backwards.",
                        "Give both the same length, or unlink them first.",
                    )
            draft.swap(track.id, turned if linked else replace(turned, link=""))
    return draft.result(media)
