"""Transitions at cuts: added centred and as long as the media allow, changed, removed. Pure, EditRefused.

A linked cut is joined as a whole: the dissolve of a picture brings the crossfade of its sound.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from gen2studio.core.errors import EditRefused
from gen2studio.core.ids import new_id
from gen2studio.document.composition import Transition, TransitionKind
from gen2studio.document.lookup import Media, linked, neighbours, where
from gen2studio.document.model import Clip, Sequence, Track, TrackKind
from gen2studio.document.transition_fit import reach

USUAL_SECONDS = Fraction(1)
"""How long a transition becomes when nobody says."""


class Joined(NamedTuple):
    sequence: Sequence
    transition_ids: tuple[str, ...]
    """The new transitions, the one that was asked for first."""
    frames: int
    """How long that one is."""


class Room(NamedTuple):
    """The longest transition at a cut: frames before it and after it."""

    before: int
    after: int


def find_transition(sequence: Sequence, transition_id: str) -> tuple[Track, Transition]:
    """(track, transition) of an id. Raises EditRefused."""
    for track in sequence.tracks:
        for transition in track.transitions:
            if transition.id == transition_id:
                return track, transition
    raise EditRefused("That transition is no longer on the timeline.", "Select one and try again.")


def transition_room(sequence: Sequence, left_id: str, right_id: str, media: Media) -> Room:
    """How far a transition between two touching clips may reach: what both are long, what their media hold beyond the
    cut, and the transitions at their other ends. Raises EditRefused when the clips do not touch."""
    track, left, right = _cut(sequence, left_id, right_id)
    before, after = reach(left, right, sequence.rate, media)
    for other in track.transitions:
        if other.right == left_id:
            before = min(before, left.duration - other.after)
        elif other.left == right_id:
            after = min(after, right.duration - other.before)
    return Room(max(0, before), max(0, after))


def _cut(sequence: Sequence, left_id: str, right_id: str) -> tuple[Track, Clip, Clip]:
    track, left = where(sequence, left_id)
    right = neighbours(track, left_id)[1]
    if right is None or right.id != right_id or right.start != left.end:
        raise EditRefused("A transition needs two clips that touch.", "Close the gap between them first.")
    if track.locked:
        raise EditRefused(f"Track {track.name} is locked.", "Unlock it or work on another track.")
    return track, left, right


def add_transition(
    sequence: Sequence,
    left_id: str,
    right_id: str,
    media: Media,
    *,
    kind: TransitionKind = TransitionKind.DISSOLVE,
    frames: int | None = None,
    linked_too: bool = True,
    **look: object,
) -> Joined:
    """Join two touching clips over ``frames`` (None = :data:`USUAL_SECONDS`), centred on the cut where the media allow
    it, else on the side that they allow, and shortened to what there is.

    One that is there already is replaced. ``look`` may hold ``angle``, ``softness`` and ``colour``. Linked partners cut
    at the same frame are joined too, sound by a crossfade. Raises EditRefused when there is no frame of media to spare.
    """
    wanted = max(1, round(USUAL_SECONDS * sequence.rate)) if frames is None else frames
    if wanted < 1:
        raise EditRefused("A transition lasts at least one frame.", "Enter a longer one.")
    new, main, length = _join(sequence, left_id, right_id, media, kind, wanted, look)
    ids = [main]
    if linked_too:
        ours = {*linked(sequence, [left_id]), *linked(sequence, [right_id])} - {left_id, right_id}
        cut = where(sequence, right_id)[1].start
        for track in sequence.tracks:
            if track.locked or track.kind is not TrackKind.AUDIO:
                continue
            for one, two in zip(track.clips, track.clips[1:], strict=False):
                if one.end == two.start == cut and one.id in ours and two.id in ours:
                    if not any(transition_room(new, one.id, two.id, media)):
                        continue
                    new, extra, _ = _join(new, one.id, two.id, media, TransitionKind.DISSOLVE, wanted, {})
                    ids.append(extra)
    return Joined(new, tuple(ids), length)


def _join(
    sequence: Sequence, left_id: str, right_id: str, media: Media, kind: TransitionKind, wanted: int, look: object
) -> tuple[Sequence, str, int]:
    track, _, _ = _cut(sequence, left_id, right_id)
    room = transition_room(sequence, left_id, right_id, media)
    before, after = centred(wanted, room)
    if before + after < 1:
        raise EditRefused(
            "Neither clip has media beyond the cut for a transition.", "Trim the clips there, so that they overlap."
        )
    assert isinstance(look, dict)
    known = {name: value for name, value in look.items() if name in ("angle", "softness", "colour")}
    made = Transition(id=new_id("cross"), left=left_id, right=right_id, kind=kind, before=before, after=after, **known)
    others = [t for t in track.transitions if (t.left, t.right) != (left_id, right_id)]
    return _with(sequence, track, [*others, made]), made.id, made.duration


def centred(wanted: int, room: Room) -> tuple[int, int]:
    """(before, after) of a transition of ``wanted`` frames: centred, else to the side that has room."""
    before, after = wanted // 2, wanted - wanted // 2
    if min(room) == 0:
        return min(wanted, room.before), min(wanted, room.after)
    shorter = min(before, room.before), min(after, room.after)
    half = min(shorter)
    # A frame of difference is what an odd length takes.
    return (shorter[0], shorter[1]) if abs(shorter[0] - shorter[1]) <= 1 else (half, half)


def change_transition(
    sequence: Sequence,
    transition_id: str,
    media: Media,
    *,
    kind: TransitionKind | None = None,
    before: int | None = None,
    after: int | None = None,
    angle: float | None = None,
    softness: float | None = None,
    colour: tuple[int, int, int] | None = None,
) -> Sequence:
    """Change what is given. Lengths are kept within what clips and media carry, and to a frame at least."""
    track, old = find_transition(sequence, transition_id)
    room = transition_room(sequence, old.left, old.right, media)
    new_before = old.before if before is None else min(max(0, before), room.before)
    new_after = old.after if after is None else min(max(0, after), room.after)
    if new_before + new_after < 1:
        raise EditRefused("A transition lasts at least one frame.", "Delete it to have a plain cut.")
    new = replace(
        old,
        kind=old.kind if kind is None else kind,
        before=new_before,
        after=new_after,
        angle=old.angle if angle is None else float(angle) % 360,
        softness=old.softness if softness is None else min(max(float(softness), 0.0), 1.0),
        colour=old.colour if colour is None else colour,
    )
    return sequence if new == old else _with(sequence, track, [new if t is old else t for t in track.transitions])


def remove_transitions(sequence: Sequence, transition_ids: Collection[str]) -> Sequence:
    """Plain cuts again."""
    for transition_id in transition_ids:
        track, _ = find_transition(sequence, transition_id)
        if track.locked:
            raise EditRefused(f"Track {track.name} is locked.", "Unlock it or work on another track.")
        sequence = _with(sequence, track, [t for t in track.transitions if t.id != transition_id])
    return sequence


def _with(sequence: Sequence, track: Track, transitions: list[Transition]) -> Sequence:
    place = {clip.id: clip.start for clip in track.clips}
    ordered = tuple(sorted(transitions, key=lambda t: place[t.right]))
    new = replace(track, transitions=ordered)
    return replace(sequence, tracks=tuple(new if t is track else t for t in sequence.tracks))
