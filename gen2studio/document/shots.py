"""Generated shots: media without footage, whose file is a slate, and the sizes they may have. Pure, no widgets."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

from gen2studio.core.errors import EditRefused
from gen2studio.core.geometry import Extent
from gen2studio.document.lookup import free, where
from gen2studio.document.model import Clip, Document, Sequence, Shot, Track

ASPECTS: dict[str, Fraction] = {
    "16:9": Fraction(16, 9),
    "9:16": Fraction(9, 16),
    "1:1": Fraction(1),
    "4:3": Fraction(4, 3),
    "3:4": Fraction(3, 4),
    "21:9": Fraction(21, 9),
}
"""The aspect ratios a shot is made in, as the panel lists them. Width to height."""

LONGEST = Fraction(120)
"""Seconds: no single shot is longer."""
RATES = (Fraction(1), Fraction(120))
"""The lowest and highest frame rate of a shot."""
_SIDES = (16, 8192)


def aspect_of(text: str) -> Fraction:
    """Width to height of ``16:9``, ``1.85`` or ``640x384``. Raises EditRefused."""
    try:
        above, mark, below = text.strip().lower().replace("×", "x").replace("x", ":").partition(":")
        found = Fraction(above) / (Fraction(below) if mark else 1)
    except (ValueError, ZeroDivisionError):
        raise EditRefused(f"“{text}” is no aspect ratio.", f"Use one of {', '.join(ASPECTS)}.") from None
    if not Fraction(1, 5) <= found <= 5:
        raise EditRefused(f"A shot of {text} is too narrow.", "Choose a ratio between 1:5 and 5:1.")
    return found


def nearest_aspect(width: int, height: int) -> str:
    """The name in :data:`ASPECTS` that comes nearest to a picture's shape."""
    shape = math.log(max(1, width) / max(1, height))
    return min(ASPECTS, key=lambda name: abs(math.log(ASPECTS[name]) - shape))


def shot_size(aspect: Fraction, native: Iterable[tuple[int, int]] = ()) -> Extent:
    """The size in pixels, even on both sides, that a shot of ``aspect`` is made in.

    With ``native`` sizes (those a model was made for) it is one of them where the shape comes within 8 % (832 × 480 is
    what such models call 16:9), so that nothing has to be scaled or cut; else as many pixels in the wanted shape as the
    native size of the nearest one. Without, 640 pixels for the longer side.
    """
    sizes = tuple(native)
    if not sizes:
        longer, shorter = 640.0, 640.0 / float(max(aspect, 1 / aspect))
        return _even(longer, shorter) if aspect >= 1 else _even(shorter, longer)
    nearest = min(sizes, key=lambda size: (abs(math.log(size[0] / size[1] / float(aspect))), -size[0] * size[1]))
    if abs(nearest[0] / nearest[1] / float(aspect) - 1) <= 0.08:
        return _even(*nearest)
    area = nearest[0] * nearest[1]
    width = math.sqrt(area * float(aspect))
    return _even(width, width / float(aspect))


def shot_of(size: Extent, rate: Fraction, seconds: Fraction) -> Shot:
    """A shot of about ``seconds`` (rounded to whole frames, one at least). Raises EditRefused."""
    if not RATES[0] <= rate <= RATES[1]:
        raise EditRefused(f"{float(rate):g} frames per second is no rate for a shot.", "Choose 1 to 120.")
    if not 0 < seconds <= LONGEST:
        raise EditRefused(f"A shot lasts up to {int(LONGEST)} seconds.", "Choose a shorter one, and extend it later.")
    if (
        not all(_SIDES[0] <= side <= _SIDES[1] for side in (size.width, size.height))
        or size.width % 2
        or size.height % 2
    ):
        raise EditRefused(f"A shot can't be {size} pixels.", f"Use even sides of {_SIDES[0]} to {_SIDES[1]}.")
    frames = max(1, math.floor(seconds * rate + Fraction(1, 2)))
    return Shot(width=size.width, height=size.height, rate=rate, frames=frames)


def seconds_of(shot: Shot) -> Fraction:
    """How long the shot is."""
    return Fraction(shot.frames) / shot.rate


def is_shot(document: Document, clip: Clip | None) -> bool:
    """True for a clip of a generated shot: it has no footage, only takes."""
    item = document.media.get(clip.media_id) if clip is not None else None
    return item is not None and item.shot is not None


def shot_name(document: Document) -> str:
    """``Shot 1``, ``Shot 2``…: the first name that no media has."""
    taken = {item.name for item in document.media.values()}
    return next(name for number in range(1, len(taken) + 2) if (name := f"Shot {number}") not in taken)


def _even(width: float, height: float) -> Extent:
    return Extent(max(2, round(width / 2) * 2), max(2, round(height / 2) * 2))


def free_frame(track: Track, start: int, duration: int) -> int:
    """The first frame at or after ``start`` where ``duration`` frames of the track are empty."""
    place = max(0, start)
    for clip in track.clips:
        if clip.end <= place:
            continue
        if clip.start >= place + duration:
            break
        place = clip.end
    return place


def video_track_for(sequence: Sequence, wanted: str = "") -> Track | None:
    """The video track that a new shot goes to: the wanted one, else the first that is not locked."""
    tracks = [track for track in sequence.video_tracks if not track.locked]
    return next((track for track in tracks if track.id == wanted), tracks[0] if tracks else None)


def place_over(sequence: Sequence, clip_id: str, duration: int) -> tuple[str, int]:
    """(track id, frame) for a clip that stands for another one: above it where there is room, else behind it.

    Raises EditRefused when no video track is unlocked.
    """
    track, clip = where(sequence, clip_id)
    above = sequence.video_tracks
    above = above[next((i for i, t in enumerate(above) if t.id == track.id), len(above)) + 1 :]
    for higher in above:
        if not higher.locked and free(higher.clips, clip.start, clip.start + duration):
            return higher.id, clip.start
    own = video_track_for(sequence, track.id)
    if own is None:
        raise EditRefused("There is no unlocked track for that.", "Add a track or unlock one.")
    return own.id, free_frame(own, clip.end, duration)
