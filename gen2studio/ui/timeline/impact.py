"""What a drop will do to the clips that are there already: which parts it covers, which clips it pushes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable

from gen2studio.document.lookup import start_of
from gen2studio.ui.timeline.layout import Layout

Span = tuple[int, int, int]
"""(row, first frame, frame behind the last)."""


def covered(layout: Layout, ghosts: Iterable[Span], moving: Collection[str]) -> tuple[list[Span], int]:
    """The parts of clips that lie under ``ghosts``, and how many clips that are. ``layout`` is that before the drop."""
    parts: list[Span] = []
    for index, start, stop in ghosts:
        if 0 <= index < len(layout.rows):
            row = layout.rows[index]
            i, j = row.visible(start, stop)
            parts += [
                (index, max(start, clip.start), min(stop, clip.end)) for clip in row.clips[i:j] if clip.id not in moving
            ]
    return parts, len(parts)


def pushed(layout: Layout, frame: int, length: int, moving: Collection[str], last: float) -> tuple[list[Span], int]:
    """Where the clips that start at or behind ``frame`` will lie, ``length`` frames later, as far as frame ``last``;
    and how many there are in all."""
    parts: list[Span] = []
    count = 0
    for row in layout.rows:
        if row.track.locked:
            continue
        first = bisect_left(row.clips, frame, key=start_of)
        for clip in row.clips[first:]:
            if clip.start + length > last:
                break
            if clip.id not in moving:
                parts.append((row.index, clip.start + length, clip.end + length))
        count += len(row.clips) - first
    return parts, count
