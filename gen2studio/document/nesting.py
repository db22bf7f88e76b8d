"""Timelines inside timelines: a media item may stand for a sequence and plays like a file.

Pure functions over documents. A nested item's facts (size, rate, length, sound) follow its sequence: :func:`followed`
brings them up after an edit. No sequence holds itself, through however many others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gen2studio.document.model import MediaItem, Sequence


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
