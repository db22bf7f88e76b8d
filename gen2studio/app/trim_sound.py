"""What is heard while a cut is moved by playing: the material that its clips hold behind the cut."""

from __future__ import annotations

from dataclasses import replace

from gen2studio.core.frozen import with_item
from gen2studio.document import lookup
from gen2studio.document.clip_shapes import head_moved, split, tail_moved
from gen2studio.document.model import Clip, Document, Sequence

_MOST_SECONDS = 600
"""How much of a clip's material is unfolded: stills and frozen pictures have no end."""


def with_hidden(document: Document, left: Clip | None, right: Clip | None) -> Document:
    """The document with the clips of a cut unfolded over what their media hold beyond it.

    With ``left`` alone, the outgoing clip goes on behind the cut; with ``right`` alone, the incoming one begins before
    it; with both (a roll) each is heard where it is hidden now. Partners whose edge lies at the cut are unfolded with
    them; the other clips of their tracks are left out, other tracks sound as ever.
    """
    sequence = document.sequence
    if sequence is None:
        return document
    rate, rolling = sequence.rate, left is not None and right is not None
    unfolded: dict[str, list[Clip]] = {}
    for track_id, clip in _partners(sequence, left, tail=True):
        room = min(lookup.tail_room(clip, rate, document.media), round(_MOST_SECONDS * rate))
        longer = tail_moved(clip, room, rate)
        hidden = [split(longer, clip.end, rate)[1]] if room else []
        unfolded.setdefault(track_id, []).extend(hidden if rolling else [longer])
    for track_id, clip in _partners(sequence, right, tail=False):
        room = min(lookup.head_room(clip, rate, document.media), clip.start, round(_MOST_SECONDS * rate))
        longer = head_moved(clip, -room, rate)
        hidden = [split(longer, clip.start, rate)[0]] if room else []
        unfolded.setdefault(track_id, []).extend(hidden if rolling else [longer])
    tracks = tuple(
        replace(track, clips=tuple(sorted(unfolded[track.id], key=lambda clip: clip.start)), transitions=())
        if track.id in unfolded
        else track
        for track in sequence.tracks
    )
    shown = replace(sequence, tracks=tracks)
    return replace(document, sequences=with_item(document.sequences, sequence.id, shown))


def _partners(sequence: Sequence, clip: Clip | None, *, tail: bool) -> list[tuple[str, Clip]]:
    """(track id, clip) of the clip and of those linked with it that end, or begin, where it does."""
    if clip is None:
        return []
    ids = lookup.linked(sequence, [clip.id])
    return [
        (track.id, each)
        for track in sequence.tracks
        for each in track.clips
        if each.id in ids and (each.end == clip.end if tail else each.start == clip.start)
    ]
