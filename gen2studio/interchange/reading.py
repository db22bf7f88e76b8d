"""An OpenTimelineIO timeline as an :class:`~gen2studio.interchange.outline.OutlineSequence`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from gen2studio.core.errors import ProjectError
from gen2studio.interchange.notes import Notes
from gen2studio.interchange.outline import (
    OutlineClip,
    OutlineMarker,
    OutlineSequence,
    OutlineTrack,
    OutlineTransition,
    Wish,
)
from gen2studio.interchange.times import exact_rate, seconds
from gen2studio.interchange.writing import DEEPEST, DEFAULT, OURS, TAKE

if TYPE_CHECKING:
    import opentimelineio as otio

MOST_ITEMS = 200_000
"""Clips, gaps and transitions of one file."""
_DEFAULT_RATE = Fraction(24)
_REMEDY = "Write the file again where it was made."


def outline_of(timeline: otio.schema.Timeline, notes: Notes) -> OutlineSequence:
    """Read a whole timeline. Raises ProjectError for one that is out of bounds."""
    reader = _Reader(notes)
    rate = _rate_of(timeline)
    found = reader.stack(timeline.tracks, timeline.name, rate, 0)
    ours = _plain(timeline.metadata.get(OURS))
    if isinstance(ours, dict) and ours.get("version") == 1:
        media = tuple(item for item in ours.get("media", ()) if isinstance(item, dict))
        found = replace(found, ours=_object(ours.get("sequence")), media=media)
    return replace(found, wishes=reader.wishes)


def path_of(url: str) -> str:
    """The path of a ``file:`` URL or a bare path; Windows drives keep their letter."""
    if "://" not in url and not url.startswith("file:"):
        return unquote(url) if "%" in url else url
    parts = urlsplit(url)
    if parts.scheme != "file":
        return ""
    path = unquote(parts.path)
    if len(path) > 2 and path[0] == "/" and path[2] == ":":
        path = path[1:]
    return path


class _Reader:
    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.wishes: dict[str, Wish] = {}
        self._count = 0
        self._on_clips: list[OutlineMarker] = []

    def stack(self, stack: otio.schema.Stack, name: str, rate: Fraction, depth: int) -> OutlineSequence:
        import opentimelineio as otio

        if depth > DEEPEST:
            raise ProjectError(f"Timelines are nested more than {DEEPEST} deep in this file.", "Flatten some of them.")
        tracks: list[OutlineTrack] = []
        for child in stack:
            if isinstance(child, otio.schema.Track):
                tracks.append(self._track(child, rate, depth))
            else:
                # A stack may hold clips without tracks: each is a track of one.
                lone = otio.schema.Track(name=child.name, kind=otio.schema.TrackKind.Video)
                lone.append(child.deepcopy())
                tracks.append(self._track(lone, rate, depth))
        markers = [self._marker(m) for m in stack.markers]
        for track in stack:
            markers += [self._marker(m) for m in track.markers]
        markers += self._on_clips
        self._on_clips = []
        ours = _object(_plain(stack.metadata.get(OURS)) or {})
        return OutlineSequence(
            name=name or stack.name or "Timeline",
            rate=rate,
            tracks=tuple(tracks),
            markers=tuple(sorted(markers, key=lambda m: m.start)),
            ours=_object((ours or {}).get("sequence")),
        )

    def _marker(self, marker: otio.schema.Marker) -> OutlineMarker:
        return OutlineMarker(
            start=max(Fraction(0), seconds(marker.marked_range.start_time)),
            duration=max(Fraction(0), seconds(marker.marked_range.duration)),
            name=marker.name,
            note=getattr(marker, "comment", "") or "",
            colour=str(marker.color or ""),
        )

    def _track(self, track: otio.schema.Track, rate: Fraction, depth: int) -> OutlineTrack:
        import opentimelineio as otio

        picture = track.kind != otio.schema.TrackKind.Audio
        clips: list[OutlineClip] = []
        transitions: list[OutlineTransition] = []
        cursor = Fraction(0)
        touches, fading = False, Fraction(0)
        for child in track:
            self._count += 1
            if self._count > MOST_ITEMS:
                raise ProjectError(
                    f"This file holds more than {MOST_ITEMS:,} clips.", "Split it into several timelines."
                )
            if isinstance(child, otio.schema.Transition):
                if touches:
                    transitions.append(self._transition(child, len(clips) - 1))
                else:
                    fading = seconds(child.out_offset)
                continue
            length = seconds(child.duration())
            if length < 0:
                raise ProjectError("A clip in this file has a negative length.", _REMEDY)
            if isinstance(child, otio.schema.Gap):
                touches = False
                _fade_out(clips, transitions)
            elif length > 0:
                clip = self._item(child, cursor, cursor + length, picture, rate, depth)
                touches = clip is not None
                if clip is not None:
                    clips.append(replace(clip, fade_in=fading))
                fading = Fraction(0)
            cursor += length
        _fade_out(clips, transitions)
        for effect in track.effects:
            self.notes.add("Effects of tracks", effect.effect_name or effect.name)
        ours = _object(_plain(track.metadata.get(OURS)) or {})
        return OutlineTrack(
            name=track.name,
            picture=picture,
            enabled=bool(getattr(track, "enabled", True)),
            clips=tuple(clips),
            transitions=tuple(transitions),
            ours=_object((ours or {}).get("track")),
        )

    def _transition(self, made: otio.schema.Transition, left: int) -> OutlineTransition:
        return OutlineTransition(
            left=left,
            before=max(Fraction(0), seconds(made.in_offset)),
            after=max(Fraction(0), seconds(made.out_offset)),
            kind=f"{made.transition_type} {made.name}",
        )

    def _item(
        self, item: otio.core.Item, start: Fraction, stop: Fraction, picture: bool, rate: Fraction, depth: int
    ) -> OutlineClip | None:
        import opentimelineio as otio

        source = seconds(item.trimmed_range().start_time)
        speed, reverse, freeze = Fraction(1), False, False
        for effect in item.effects:
            # A freeze frame is a time warp too.
            if isinstance(effect, otio.schema.FreezeFrame):
                freeze = True
            elif isinstance(effect, otio.schema.LinearTimeWarp):
                reverse = effect.time_scalar < 0
                speed = abs(Fraction(effect.time_scalar).limit_denominator(100_000))
                freeze = freeze or not speed
            elif (remapped := _time_remap(_plain(effect.metadata.get("fcp_xml")))) is not None:
                speed, reverse = remapped
            else:
                self.notes.add("Effects", effect.effect_name or effect.name or item.name)
        speed = speed if Fraction(1, 100) <= speed <= 100 else Fraction(1)
        for marker in item.markers:
            entry = self._marker(marker)
            at = start + (entry.start - source) / speed
            if depth == 0 and start <= at < stop:
                self._on_clips.append(replace(entry, start=at))
            else:
                self.notes.add("Markers on clips, outside what is shown", marker.name or item.name)
        ours = _object(_plain(item.metadata.get(OURS)) or {})
        outline = OutlineClip(
            name=item.name,
            start=start,
            stop=stop,
            source=source,
            speed=speed,
            reverse=reverse,
            freeze=freeze,
            enabled=bool(item.enabled),
            ours=_object((ours or {}).get("clip")),
        )
        if isinstance(item, (otio.schema.Stack, otio.schema.Track)):
            inner = item
            if isinstance(item, otio.schema.Track):
                inner = otio.schema.Stack(name=item.name)
                inner.append(item.deepcopy())
                cast("otio.schema.Track", inner[0]).source_range = None
            nested = self.stack(cast("otio.schema.Stack", inner), item.name, rate, depth + 1)
            return replace(outline, nested=nested)
        if not isinstance(item, otio.schema.Clip):
            self.notes.add("Things that only the other program knows", item.name)
            return None
        reference = item.media_reference
        if isinstance(reference, otio.schema.GeneratorReference):
            self.notes.add("Generated pictures (titles, colour bars)", item.name or reference.generator_kind)
            return None
        wish = self._wish(item, picture, source, source + (0 if freeze else (stop - start) * speed))
        return replace(outline, wish=wish.key)

    def _wish(self, clip: otio.schema.Clip, picture: bool, earliest: Fraction, latest: Fraction) -> Wish:
        import opentimelineio as otio

        references = clip.media_references()
        reference = clip.media_reference
        if clip.active_media_reference_key == TAKE and DEFAULT in references:
            reference = references[DEFAULT]
        path, name = "", clip.name
        if isinstance(reference, otio.schema.ExternalReference):
            path = path_of(reference.target_url)
        elif isinstance(reference, otio.schema.ImageSequenceReference):
            path = path_of(reference.target_url_for_image_number(0))
        available = reference.available_range
        if path:
            name = PurePosixPath(path.replace("\\", "/")).name or name
        reel = clip.metadata.get("cmx_3600", {}).get("reel", "") if not path else ""
        key = path or f"{reel}:{name}"
        marked = _object(_plain(reference.metadata.get(OURS)) or {}) or {}
        wish = self.wishes.get(key) or Wish(
            key=key,
            name=name or "Media",
            path=path,
            start=None if available is None else seconds(available.start_time),
            duration=None if available is None else seconds(available.duration) or None,
            rate=None if available is None else exact_rate(available.duration.rate),
            earliest=earliest,
            latest=latest,
            ours=str(marked.get("media", "")),
        )
        self.wishes[key] = wish = replace(
            wish,
            picture=wish.picture or picture,
            earliest=min(wish.earliest, earliest),
            latest=max(wish.latest, latest),
        )
        return wish


def _fade_out(clips: list[OutlineClip], transitions: list[OutlineTransition]) -> None:
    """A transition after the last clip, before nothing, is a fade."""
    if transitions and transitions[-1].left == len(clips) - 1:
        last = transitions.pop()
        clips[-1] = replace(clips[-1], fade_out=last.before)


def _time_remap(effect: Any) -> tuple[Fraction, bool] | None:
    """Speed and direction of a Final Cut "Time Remap" filter. Percents; some programs write a ratio below 1."""
    if not isinstance(effect, dict) or effect.get("effectid") != "timeremap":
        return None
    entries = effect.get("parameter") or []
    values: dict[str, str] = {}
    for entry in entries if isinstance(entries, list) else [entries]:
        if isinstance(entry, dict):
            values[str(entry.get("parameterid"))] = str(entry.get("value"))
    try:
        number = Fraction(values.get("speed", "100")).limit_denominator(100_000)
    except ValueError:
        return None
    reverse = number < 0 or values.get("reverse", "").upper() == "TRUE"
    number = abs(number)
    return (number if number < 1 else number / 100), reverse


def _rate_of(timeline: otio.schema.Timeline) -> Fraction:
    """The rate most lengths on the timeline are counted in."""
    ours = _plain(timeline.metadata.get(OURS))
    if isinstance(ours, dict) and timeline.global_start_time is not None:
        return exact_rate(timeline.global_start_time.rate)
    rates: Counter[float] = Counter()
    for track in timeline.tracks:
        for child in getattr(track, "__iter__", tuple)():
            span = getattr(child, "source_range", None)
            if span is not None and span.duration.rate > 1:
                rates[span.duration.rate] += 1
    if rates:
        return exact_rate(rates.most_common(1)[0][0])
    start = timeline.global_start_time
    return exact_rate(start.rate) if start is not None and start.rate > 1 else _DEFAULT_RATE


def _plain(value: Any, depth: int = 0) -> Any:
    """Metadata as dicts and lists; ours is never deep."""
    if depth > 40:
        return None
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if hasattr(value, "items"):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if hasattr(value, "__iter__"):
        return [_plain(item, depth + 1) for item in value]
    return None


def _object(value: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) and value else None
