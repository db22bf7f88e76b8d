"""Where the timecode of a media file begins, when only the cuts made from it say anything about it."""

from __future__ import annotations

from fractions import Fraction

from gen2studio.interchange.notes import Notes
from gen2studio.interchange.outline import Wish

HOUR = 3600


def offset_of(wish: Wish, length: Fraction | None, timecode: Fraction | None, notes: Notes) -> Fraction:
    """Second on the timeline's own count at which the file's first frame lies.

    ``length`` is the file's in seconds (None = not known), ``timecode`` what the file says its first frame is. Believed
    in this order, as long as what is used lies in the file: what the timeline says, the file's timecode, no timecode,
    a full hour (how cameras and tape operators number reels), the first second that is used.
    """
    candidates = [wish.start, timecode, Fraction(0), wish.earliest // HOUR * HOUR]
    slack = Fraction(1, 5)
    for number, candidate in enumerate(candidates):
        if candidate is None or wish.earliest - candidate < -slack:
            continue
        if length is None and number == 2 and wish.earliest >= HOUR:
            continue
        if length is not None and wish.latest - candidate > length + slack:
            continue
        if number == 3 and candidate:
            notes.add("Media taken to begin on a full hour, because nothing says its first timecode", wish.name)
        return Fraction(candidate)
    notes.add("Media whose timecode does not fit; its first used frame is taken as its first frame", wish.name)
    return wish.earliest
