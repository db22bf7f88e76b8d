"""Edits on captions: pure functions ``Sequence → Sequence`` that raise EditRefused.

Captions are sorted and never overlap. Positions are sequence frames, half-open.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from gen2studio.core.errors import EditRefused
from gen2studio.core.ids import new_id
from gen2studio.document.composition import Subtitle
from gen2studio.document.model import Sequence

USUAL_SECONDS = Fraction(2)
"""How long a new caption is where there is room."""
MOST = 100_000
"""No timeline has more captions."""
LONGEST = 20_000
"""Characters of one."""


def subtitle_of(sequence: Sequence, subtitle_id: str) -> Subtitle:
    """The caption with this id. Raises EditRefused."""
    found = next((s for s in sequence.subtitles if s.id == subtitle_id), None)
    if found is None:
        raise EditRefused("That subtitle is no longer there.", "Select one and try again.")
    return found


def subtitle_at(sequence: Sequence, frame: int) -> Subtitle | None:
    """The caption on screen at ``frame``."""
    index = bisect_right(sequence.subtitles, frame, key=lambda s: s.start) - 1
    found = sequence.subtitles[index] if index >= 0 else None
    return found if found is not None and frame < found.end else None


def add_subtitle(
    sequence: Sequence, start: int, duration: int | None = None, text: str = "", *, subtitle_id: str = ""
) -> Sequence:
    """A caption at ``start``; without a ``duration`` as long as is usual and as there is room for."""
    if start < 0:
        raise EditRefused("A subtitle can't start before the timeline.", "Put the playhead at frame 0 or later.")
    if subtitle_at(sequence, start) is not None:
        raise EditRefused("There is already a subtitle at this frame.", "Edit that one or move the playhead.")
    if duration is None:
        after = next((s.start for s in sequence.subtitles if s.start > start), None)
        duration = max(1, round(USUAL_SECONDS * sequence.rate))
        duration = duration if after is None else min(duration, after - start)
    made = Subtitle(id=subtitle_id or new_id("title"), start=start, duration=duration, text=_text(text))
    return _with(sequence, [*sequence.subtitles, made])


def remove_subtitles(sequence: Sequence, subtitle_ids: Collection[str]) -> Sequence:
    for subtitle_id in subtitle_ids:
        subtitle_of(sequence, subtitle_id)
    return _with(sequence, [s for s in sequence.subtitles if s.id not in subtitle_ids])


def set_text(sequence: Sequence, subtitle_id: str, text: str) -> Sequence:
    old = subtitle_of(sequence, subtitle_id)
    return _changed(sequence, replace(old, text=_text(text)))


def move_subtitles(sequence: Sequence, subtitle_ids: Collection[str], frames: int) -> Sequence:
    """Move captions by ``frames``; refuses where others are in the way."""
    for subtitle_id in subtitle_ids:
        subtitle_of(sequence, subtitle_id)
    return _with(
        sequence, [replace(s, start=s.start + frames) if s.id in subtitle_ids else s for s in sequence.subtitles]
    )


def trim_subtitle(sequence: Sequence, subtitle_id: str, *, head: int = 0, tail: int = 0) -> Sequence:
    """Move the head and the tail by so many frames; they stop at their neighbours and leave a frame of length."""
    old = subtitle_of(sequence, subtitle_id)
    index = sequence.subtitles.index(old)
    low = sequence.subtitles[index - 1].end if index else 0
    high = sequence.subtitles[index + 1].start if index + 1 < len(sequence.subtitles) else None
    stop = max(old.end + tail, old.start + 1)
    stop = stop if high is None else min(stop, high)
    start = min(max(old.start + head, low), stop - 1)
    return _changed(sequence, replace(old, start=start, duration=stop - start))


def split_subtitle(sequence: Sequence, subtitle_id: str, frame: int, at: int | None = None) -> Sequence:
    """Two captions, cut at ``frame``. ``at`` is where in the text the second one starts; None = at the space nearest to
    the same part of the text."""
    old = subtitle_of(sequence, subtitle_id)
    if not old.start < frame < old.end:
        raise EditRefused("The playhead is not inside that subtitle.", "Put it where the second one shall start.")
    place = _space(old.text, (frame - old.start) / old.duration) if at is None else min(max(at, 0), len(old.text))
    left = replace(old, duration=frame - old.start, text=old.text[:place].strip())
    right = Subtitle(id=new_id("title"), start=frame, duration=old.end - frame, text=old.text[place:].strip())
    return _with(sequence, [s for s in sequence.subtitles if s is not old] + [left, right])


def _space(text: str, part: float) -> int:
    spaces = [i for i, letter in enumerate(text) if letter.isspace()]
    return min(spaces, key=lambda i: abs(i - part * len(text)), default=len(text))


def merge_subtitles(sequence: Sequence, subtitle_ids: Collection[str]) -> Sequence:
    """One caption from the first start to the last end, with all their texts, a line each. They must be neighbours."""
    chosen = [s for s in sequence.subtitles if s.id in subtitle_ids]
    if len(chosen) < 2:
        raise EditRefused("Merging needs two subtitles or more.", "Select neighbours.")
    first = sequence.subtitles.index(chosen[0])
    if sequence.subtitles[first : first + len(chosen)] != tuple(chosen):
        raise EditRefused("Only neighbouring subtitles can be merged.", "Select those between them too.")
    text = _text("\n".join(s.text for s in chosen if s.text))
    merged = replace(chosen[0], duration=chosen[-1].end - chosen[0].start, text=text)
    return _with(sequence, [*(s for s in sequence.subtitles if s not in chosen), merged])


def replace_subtitles(sequence: Sequence, subtitles: Iterable[Subtitle]) -> Sequence:
    """Other captions instead of all (an import). Raises EditRefused when they overlap or are too many."""
    return _with(sequence, list(subtitles))


def set_style(sequence: Sequence, **changes: Any) -> Sequence:
    """Change fields of how captions are drawn; numbers are kept within their ranges."""
    ranges = {"size": (0.01, 0.5), "outline": (0.0, 0.5), "box": (0.0, 1.0), "place": (0.05, 1.0)}
    kept = {
        name: min(max(float(value), ranges[name][0]), ranges[name][1]) if name in ranges else value
        for name, value in changes.items()
    }
    style = replace(sequence.subtitle_style, **kept)
    return sequence if style == sequence.subtitle_style else replace(sequence, subtitle_style=style)


def _text(text: str) -> str:
    if len(text) > LONGEST:
        raise EditRefused(f"A subtitle holds up to {LONGEST:,} characters.", "Split the text.")
    return text


def _changed(sequence: Sequence, new: Subtitle) -> Sequence:
    return _with(sequence, [new if s.id == new.id else s for s in sequence.subtitles])


def _with(sequence: Sequence, subtitles: list[Subtitle]) -> Sequence:
    ordered = tuple(sorted(subtitles, key=lambda s: s.start))
    if len(ordered) > MOST:
        raise EditRefused(f"A timeline has up to {MOST:,} subtitles.", "Remove some first.")
    cursor = 0
    for subtitle in ordered:
        if subtitle.duration < 1:
            raise EditRefused("A subtitle lasts at least one frame.", "Make it longer, or delete it.")
        if subtitle.start < cursor:
            if subtitle.start < 0:
                raise EditRefused("Nothing can start before the timeline does.", "Move it less far to the left.")
            raise EditRefused("Another subtitle is in the way.", "Move or trim that one first.")
        cursor = subtitle.end
    return sequence if ordered == sequence.subtitles else replace(sequence, subtitles=ordered)
