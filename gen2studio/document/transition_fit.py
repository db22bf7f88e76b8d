"""Keeping transitions true to their cuts: after an edit each is where its cut is now, as long as its clips carry it.

A transition lies over frames [cut − ``before``, cut + ``after``). Beneath it the left clip goes on past its tail and
the right one starts before its head, so that it needs ``after`` frames of the left clip's media and ``before`` of the
right one's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from gen2studio.document.composition import Transition
from gen2studio.document.lookup import Media, head_room, tail_room
from gen2studio.document.model import Clip, Track
from gen2studio.document.model import Sequence as Timeline


def reach(left: Clip, right: Clip, rate: Fraction, media: Media | None) -> tuple[int, int]:
    """The longest (before, after) of a transition between two clips that touch: what they are long and, with
    ``media``, what their media carry."""
    before, after = left.duration, right.duration
    if media is not None:
        before = min(before, head_room(right, rate, media))
        after = min(after, tail_room(left, rate, media))
    return before, after


def fit_transitions(
    old: Sequence[Track], new: list[Track], parents: Mapping[str, str], rate: Fraction, media: Media | None
) -> list[Track]:
    """``new`` tracks with the transitions of the ``old`` ones, each on the track where its two clips touch now.

    ``parents`` maps the right half of a cut clip to the clip it was cut from. Tracks whose clips and transitions stay
    are the same objects.
    """
    pool = {(t.left, t.right): t for track in old for t in track.transitions}
    if not pool:
        return new
    known = {clip.id: clip for track in old if track.transitions for clip in track.clips}
    return [
        track if track is before else _fitted(track, pool, parents, rate, media, known)
        for track, before in zip(new, old, strict=True)
    ]


def refit(track: Track, rate: Fraction, media: Media | None = None) -> Track:
    """The track with transitions that its own clips can carry; the same object when all can."""
    if not track.transitions:
        return track
    return _fitted(track, {(t.left, t.right): t for t in track.transitions}, {}, rate, media, {})


def with_transition(sequence: Timeline, track_id: str, transition: Transition, media: Media | None) -> Timeline:
    """The sequence with one more transition on a track, as long as its clips and media carry it."""
    tracks: list[Track] = []
    for track in sequence.tracks:
        if track.id == track_id:
            track = refit(replace(track, transitions=(*track.transitions, transition)), sequence.rate, media)
        tracks.append(track)
    return replace(sequence, tracks=tuple(tracks))


def _fitted(
    track: Track,
    pool: Mapping[tuple[str, str], Transition],
    parents: Mapping[str, str],
    rate: Fraction,
    media: Media | None,
    known: Mapping[str, Clip],
) -> Track:
    """``known`` are clips as they were when their transitions fitted: where neither changed but its place, nothing has
    to be worked out, which keeps long ripples cheap."""
    kept: list[Transition] = []
    free_from = 0
    """First frame that no transition before lies on."""
    for left, right in pairwise(track.clips):
        if left.start + left.duration != right.start:
            continue
        found = pool.get((parents.get(left.id, left.id), right.id))
        if found is None:
            continue
        if _as_long(known.get(left.id), left) and _as_long(known.get(right.id), right):
            kept.append(found)
            free_from = right.start + found.after
            continue
        most_before, most_after = reach(left, right, rate, media)
        before = min(found.before, most_before, right.start - free_from)
        after = min(found.after, most_after)
        if before + after < 1:
            continue
        if (before, after, left.id) != (found.before, found.after, found.left):
            found = replace(found, left=left.id, before=before, after=after)
        kept.append(found)
        free_from = right.start + after
    transitions = tuple(kept)
    same = len(transitions) == len(track.transitions) and all(
        a is b for a, b in zip(transitions, track.transitions, strict=True)
    )
    return track if same else replace(track, transitions=transitions)


def _as_long(old: Clip | None, new: Clip) -> bool:
    """Whether a clip shows the same stretch of the same media as before, wherever it lies."""
    return old is new or (
        old is not None
        and old.duration == new.duration
        and old.source_in is new.source_in
        and old.speed is new.speed
        and old.reverse is new.reverse
        and old.freeze is new.freeze
        and old.media_id == new.media_id
    )
