"""The edits behind the handles that are drawn on clips."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from gen2studio.core.curve import Curve
from gen2studio.core.errors import EditRefused
from gen2studio.core.ids import new_id
from gen2studio.document import edits
from gen2studio.document.composition import Transition, TransitionKind
from gen2studio.document.draft import Draft
from gen2studio.document.lookup import Media, head_room, longest, track_of, where
from gen2studio.document.model import Clip, Sequence, Track, TrackKind

USUAL = Fraction(1)
"""Seconds of a transition that is made without saying how long."""


def set_fades(sequence: Sequence, clip_id: str, **fades: int) -> Sequence:
    """``fade_in`` and ``fade_out`` in frames; together no longer than the clip."""
    track, clip = where(sequence, clip_id)
    draft = Draft(sequence)
    draft.swap(track.id, replace(clip, **fades))
    return draft.result()


def set_level(sequence: Sequence, clip_id: str, curve: Curve) -> Sequence:
    """The opacity of a clip on a video track, the volume of one on an audio track."""
    track, clip = where(sequence, clip_id)
    draft = Draft(sequence)
    field = "opacity" if track.kind is TrackKind.VIDEO else "volume"
    draft.swap(track.id, replace(clip, **{field: curve}))
    return draft.result()


def set_flat_level(sequence: Sequence, clip: Clip, kind: TrackKind, value: float) -> Sequence:
    """One value for a whole clip: its opacity, or its gain, which is what artists mean without keys."""
    if kind is TrackKind.VIDEO:
        return set_level(sequence, clip.id, Curve(value))
    loud = max(edits_quietest(), min(24.0, value + clip.gain_db + clip.volume.value * 0))
    return edits.set_gain(set_level(sequence, clip.id, Curve()), [clip.id], round(loud, 2))


def edits_quietest() -> float:
    return -96.0


def new_mix(left: Clip, right: Clip) -> Transition:
    return Transition(id=new_id("mix"), left=left.id, right=right.id, kind=TransitionKind.DISSOLVE)


def mix_room(sequence: Sequence, left: Clip, right: Clip, media: Media) -> tuple[int, int]:
    """How far a transition may reach before and behind the cut: both clips must go on beneath it."""
    before = min(head_room(right, sequence.rate, media), left.duration - 1)
    after = min(max(0, longest(left, sequence.rate, media) - left.duration), right.duration - 1)
    return max(0, before), max(0, after)


def usual_length(sequence: Sequence, room: tuple[int, int]) -> tuple[int, int]:
    """(before, after) of a transition of the usual length: centred where there is room, else to one side."""
    whole = max(2, round(USUAL * sequence.rate))
    before = min(whole // 2, room[0])
    after = min(whole - before, room[1])
    return min(whole - after, room[0]), after


def add_mix(sequence: Sequence, mix: Transition, before: int, after: int, media: Media) -> Sequence:
    if before + after < 1:
        raise EditRefused("There is no media beyond this cut to dissolve with.", "Trim the clips back a little first.")
    track = track_of(sequence, mix.left)
    return _with(sequence, track, (*track.transitions, replace(mix, before=before, after=after)))


def change_mix(sequence: Sequence, mix_id: str, media: Media, **changes: object) -> Sequence:
    track = track_with(sequence, mix_id)
    changed = tuple(replace(m, **changes) if m.id == mix_id else m for m in track.transitions)  # type: ignore[arg-type]
    return _with(sequence, track, changed)


def remove_mix(sequence: Sequence, mix_id: str) -> Sequence:
    track = track_with(sequence, mix_id)
    return _with(sequence, track, tuple(m for m in track.transitions if m.id != mix_id))


def track_with(sequence: Sequence, mix_id: str) -> Track:
    for track in sequence.tracks:
        if any(m.id == mix_id for m in track.transitions):
            return track
    raise EditRefused("That transition is no longer on the timeline.", "Choose another one.")


def _with(sequence: Sequence, track: Track, mixes: tuple[Transition, ...]) -> Sequence:
    changed = replace(track, transitions=mixes)
    return replace(sequence, tracks=tuple(changed if t is track else t for t in sequence.tracks))
