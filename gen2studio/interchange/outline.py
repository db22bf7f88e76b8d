"""What a foreign timeline says, as plain values, before any file it names was looked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from fractions import Fraction
from typing import Any

from gen2studio.core.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A media file that a timeline names."""

    key: str
    """Clips with the same key show the same file."""
    name: str
    path: str = ""
    """As written, without ``file://``; empty when the timeline knows a name only."""
    start: Fraction | None = None
    """Seconds of the file's first frame on its own timecode; None = not said."""
    duration: Fraction | None = None
    rate: Fraction | None = None
    picture: bool = False
    """Shown on a video track."""
    earliest: Fraction = Fraction(0)
    """The first and last second that is used, on the file's timecode."""
    latest: Fraction = Fraction(0)
    ours: str = ""
    """The id of the media item it was written from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineClip:
    """A clip; positions are exact seconds on the timeline."""

    name: str
    start: Fraction
    stop: Fraction
    wish: str = ""
    """Key of its :class:`Wish`; empty for a nested timeline."""
    source: Fraction = Fraction(0)
    """Seconds on the media's timecode."""
    speed: Fraction = Fraction(1)
    reverse: bool = False
    freeze: bool = False
    enabled: bool = True
    fade_in: Fraction = Fraction(0)
    """Seconds from nothing: a transition that has no clip before it."""
    fade_out: Fraction = Fraction(0)
    nested: OutlineSequence | None = None
    ours: dict[str, Any] | None = None
    """The clip as we wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineTransition:
    """A transition after the clip with index ``left`` of its track."""

    left: int
    before: Fraction
    after: Fraction
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineMarker:
    start: Fraction
    duration: Fraction
    name: str
    note: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineTrack:
    name: str
    picture: bool
    enabled: bool = True
    clips: tuple[OutlineClip, ...] = ()
    transitions: tuple[OutlineTransition, ...] = ()
    ours: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineSequence:
    """A whole timeline."""

    name: str
    rate: Fraction
    tracks: tuple[OutlineTrack, ...] = ()
    markers: tuple[OutlineMarker, ...] = ()
    wishes: dict[str, Wish] = field(default_factory=dict)
    """By key; of nested timelines too."""
    ours: dict[str, Any] | None = None
    media: tuple[dict[str, Any], ...] = ()
    """Media items as we wrote them."""

    def each_clip(self) -> Iterator[OutlineClip]:
        """Every clip, those of nested timelines too."""
        for track in self.tracks:
            for clip in track.clips:
                yield clip
                if clip.nested is not None:
                    yield from clip.nested.each_clip()
