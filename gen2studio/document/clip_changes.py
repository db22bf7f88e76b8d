"""Changing clips wherever they are in a document, sharing everything that stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gen2studio.core.errors import EditRefused
from gen2studio.core.frozen import frozen_map
from gen2studio.document.lookup import each_clip
from gen2studio.document.model import Clip, Document, Sequence, Track
from gen2studio.document.transition_fit import refit


def document_clip(document: Document, clip_id: str) -> Clip:
    """The clip with this id on any timeline. Raises EditRefused."""
    for sequence in document.sequences.values():
        for _, clip in each_clip(sequence):
            if clip.id == clip_id:
                return clip
    raise EditRefused("That clip is no longer on the timeline.", "Select a clip and try again.")


def change_clip(document: Document, clip_id: str, change: Callable[[Clip], Clip]) -> Document:
    """Apply ``change`` to one clip. Raises EditRefused when it is not there."""
    document_clip(document, clip_id)
    return change_clips(document, lambda clip: change(clip) if clip.id == clip_id else clip)


def change_clips(document: Document, change: Callable[[Clip], Clip]) -> Document:
    """Apply ``change`` to every clip of every timeline. What it returns unchanged keeps its identity.

    For facts that no rule of the timeline depends on (looks, takes): positions, links and locks are not checked.
    Transitions shrink where a clip's media or length no longer carry them.
    """
    sequences: dict[str, Sequence] = {}
    for sequence in document.sequences.values():
        tracks: list[Track] = []
        for track in sequence.tracks:
            clips = tuple(map(change, track.clips))
            same = all(new is old or new == old for new, old in zip(clips, track.clips, strict=True))
            tracks.append(track if same else refit(replace(track, clips=clips), sequence.rate, document.media))
        if any(new is not old for new, old in zip(tracks, sequence.tracks, strict=True)):
            sequences[sequence.id] = replace(sequence, tracks=tuple(tracks))
    return replace(document, sequences=frozen_map({**document.sequences, **sequences})) if sequences else document
