"""What becomes of captions and markers when the whole timeline opens or closes up. Pure.

An edit that moves every track moves them too, so that they stay with their pictures. Where a stretch is taken out, what
lay wholly inside goes, and what reached into it is shortened. In and out points stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gen2studio.document.composition import Subtitle
from gen2studio.document.model import Marker


def subtitles_opened(subtitles: tuple[Subtitle, ...], frame: int, length: int) -> tuple[Subtitle, ...]:
    """Captions after ``length`` frames came in at ``frame``; one across it stays as it is."""
    if not subtitles or subtitles[-1].start < frame:
        return subtitles
    return tuple(replace(s, start=s.start + length) if s.start >= frame else s for s in subtitles)


def subtitles_closed(subtitles: tuple[Subtitle, ...], spans: Sequence[tuple[int, int]]) -> tuple[Subtitle, ...]:
    """Captions after the ``spans`` (sorted, apart) went."""
    if not subtitles or subtitles[-1].end <= spans[0][0]:
        return subtitles
    kept: list[Subtitle] = []
    for subtitle in subtitles:
        start, end = _closed(subtitle.start, spans), _closed(subtitle.end, spans)
        if end > start:
            same = (start, end) == (subtitle.start, subtitle.end)
            kept.append(subtitle if same else replace(subtitle, start=start, duration=end - start))
    return tuple(kept)


def markers_opened(markers: tuple[Marker, ...], frame: int, length: int) -> tuple[Marker, ...]:
    """Markers after ``length`` frames came in at ``frame``; a range across it grows."""
    moved: list[Marker] = []
    for marker in markers:
        if marker.frame >= frame:
            moved.append(replace(marker, frame=marker.frame + length))
        elif marker.frame + marker.duration > frame:
            moved.append(replace(marker, duration=marker.duration + length))
        else:
            moved.append(marker)
    return tuple(moved)


def markers_closed(markers: tuple[Marker, ...], spans: Sequence[tuple[int, int]]) -> tuple[Marker, ...]:
    """Markers after the ``spans`` (sorted, apart) went; where two would stand on one frame the first stays."""
    kept: dict[int, Marker] = {}
    for marker in markers:
        end = marker.frame + marker.duration
        start, stop = _closed(marker.frame, spans), _closed(end, spans)
        if any(low <= marker.frame < high for low, high in spans) and stop == start:
            continue
        same = (start, stop) == (marker.frame, end)
        kept.setdefault(start, marker if same else replace(marker, frame=start, duration=stop - start))
    return tuple(kept.values())


def _closed(frame: int, spans: Sequence[tuple[int, int]]) -> int:
    """Where a frame is without the spans; one inside a span is where that began."""
    gone = 0
    for start, stop in spans:
        if frame <= start:
            break
        gone += min(frame, stop) - start
    return frame - gone
