"""Facts about clips, tracks, markers and the in/out range."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import replace
from fractions import Fraction

from gen2studio.core.errors import EditRefused
from gen2studio.core.ids import new_id
from gen2studio.document.draft import Draft, tracks_of
from gen2studio.document.lookup import linked as with_linked
from gen2studio.document.lookup import track as track_by_id
from gen2studio.document.model import Clip, Marker, Sequence, Track, TrackKind

LOUDEST_DB, QUIETEST_DB = 24.0, -96.0


# -- clip facts ------------------------------------------------------------------------------------------------------


def _each(sequence: Sequence, clip_ids: Collection[str], change: Callable[[Clip], Clip]) -> Sequence:
    draft = Draft(sequence)
    for track_id, clips in tracks_of(sequence, clip_ids).items():
        for clip in clips:
            changed = change(clip)
            if changed != clip:
                draft.swap(track_id, changed)
    return draft.result()


def link(sequence: Sequence, clip_ids: Collection[str]) -> Sequence:
    """Link clips with each other (and with nothing else). Clips of one media must be in sync."""
    if len(set(clip_ids)) < 2:
        raise EditRefused("Linking needs two clips or more.", "Select a picture and its sound.")
    fresh = new_id("link")
    return _each(sequence, clip_ids, lambda clip: replace(clip, link=fresh))


def unlink(sequence: Sequence, clip_ids: Collection[str]) -> Sequence:
    """Take the clips and their linked partners out of their link."""
    return _each(sequence, with_linked(sequence, clip_ids) or clip_ids, lambda clip: replace(clip, link=""))


def set_enabled(sequence: Sequence, clip_ids: Collection[str], enabled: bool) -> Sequence:
    """A disabled clip is neither seen nor heard."""
    return _each(sequence, clip_ids, lambda clip: replace(clip, enabled=enabled))


def set_gain(sequence: Sequence, clip_ids: Collection[str], gain_db: float) -> Sequence:
    """Loudness in decibels, −96 (silent) … +24; 0 = as recorded."""
    if not math.isfinite(gain_db) or not QUIETEST_DB <= gain_db <= LOUDEST_DB:
        raise EditRefused("Gain goes from −96 to +24 dB.", "Enter a value in that range.")
    return _each(sequence, clip_ids, lambda clip: replace(clip, gain_db=float(gain_db)))


def rename_clip(sequence: Sequence, clip_id: str, name: str) -> Sequence:
    return _each(sequence, [clip_id], lambda clip: replace(clip, name=named(name, "A clip")))


def named(name: str, what: str) -> str:
    """``name`` without surrounding space; refuses an empty one."""
    if not name.strip():
        raise EditRefused(f"{what} needs a name.", "Type at least one character.")
    return name.strip()


# -- sequences and tracks --------------------------------------------------------------------------------------------


def new_sequence(
    name: str,
    rate: Fraction,
    width: int,
    height: int,
    *,
    sample_rate: int = 48000,
    video_tracks: int = 1,
    audio_tracks: int = 1,
) -> Sequence:
    """An empty sequence with tracks V1… and A1…."""
    if not 1 <= rate <= 480:
        raise EditRefused("A timeline runs at 1 to 480 frames per second.", "Choose a frame rate in that range.")
    if not (1 <= width <= 16384 and 1 <= height <= 16384):
        raise EditRefused("A timeline is 1 to 16,384 pixels wide and high.", "Choose a size in that range.")
    tracks = [
        Track(id=new_id("track"), kind=kind, name=f"{letter}{n + 1}")
        for kind, letter, count in ((TrackKind.VIDEO, "V", video_tracks), (TrackKind.AUDIO, "A", audio_tracks))
        for n in range(count)
    ]
    return Sequence(
        id=new_id("seq"),
        name=named(name, "A timeline"),
        rate=rate,
        width=width,
        height=height,
        sample_rate=sample_rate,
        tracks=tuple(tracks),
    )


def add_track(sequence: Sequence, kind: TrackKind, name: str = "", index: int | None = None) -> Sequence:
    """Add an empty track at ``index`` among those of its kind (None = last: topmost video, lowest audio)."""
    same = [t for t in sequence.tracks if t.kind is kind]
    letter = "V" if kind is TrackKind.VIDEO else "A"
    taken = {t.name for t in same}
    number = next(n for n in range(1, len(same) + 2) if f"{letter}{n}" not in taken)
    track = Track(id=new_id("track"), kind=kind, name=name.strip() or f"{letter}{number}")
    same.insert(len(same) if index is None else max(0, min(index, len(same))), track)
    return _with_lanes(sequence, kind, same)


def remove_track(sequence: Sequence, track_id: str) -> Sequence:
    """Remove a track with its clips; their linked partners stay."""
    track = track_by_id(sequence, track_id)
    if track.locked:
        raise EditRefused(f"Track {track.name} is locked.", "Unlock it first.")
    return replace(sequence, tracks=tuple(t for t in sequence.tracks if t is not track))


def move_track(sequence: Sequence, track_id: str, index: int) -> Sequence:
    """Put a track at ``index`` among those of its kind (video: 0 = bottom; audio: 0 = top)."""
    track = track_by_id(sequence, track_id)
    same = [t for t in sequence.tracks if t.kind is track.kind and t is not track]
    same.insert(max(0, min(index, len(same))), track)
    return _with_lanes(sequence, track.kind, same)


def _with_lanes(sequence: Sequence, kind: TrackKind, lanes: list[Track]) -> Sequence:
    """Video tracks are listed before audio tracks, each kind in its own order."""
    other = [t for t in sequence.tracks if t.kind is not kind]
    tracks = tuple(lanes + other if kind is TrackKind.VIDEO else other + lanes)
    return sequence if tracks == sequence.tracks else replace(sequence, tracks=tracks)


def _change_track(sequence: Sequence, track_id: str, change: Callable[[Track], Track]) -> Sequence:
    old = track_by_id(sequence, track_id)
    new = change(old)
    if new == old:
        return sequence
    return replace(sequence, tracks=tuple(new if t is old else t for t in sequence.tracks))


def rename_track(sequence: Sequence, track_id: str, name: str) -> Sequence:
    return _change_track(sequence, track_id, lambda track: replace(track, name=named(name, "A track")))


def set_locked(sequence: Sequence, track_id: str, locked: bool) -> Sequence:
    return _change_track(sequence, track_id, lambda track: replace(track, locked=locked))


def set_muted(sequence: Sequence, track_id: str, muted: bool) -> Sequence:
    """Silence an audio track or hide a video track."""
    return _change_track(sequence, track_id, lambda track: replace(track, muted=muted))


def set_solo(sequence: Sequence, track_id: str, solo: bool) -> Sequence:
    """While any track of a kind is solo, the others of that kind are silent (or hidden)."""
    return _change_track(sequence, track_id, lambda track: replace(track, solo=solo))


def set_track_gain(sequence: Sequence, track_id: str, gain_db: float) -> Sequence:
    """A track's fader in decibels, −96 (silent) … +24."""
    if not math.isfinite(gain_db) or not QUIETEST_DB <= gain_db <= LOUDEST_DB:
        raise EditRefused("Gain goes from −96 to +24 dB.", "Enter a value in that range.")
    return _change_track(sequence, track_id, lambda track: replace(track, gain_db=float(gain_db)))


def set_track_pan(sequence: Sequence, track_id: str, pan: float) -> Sequence:
    """A track's place between the speakers, −1 left … 1 right."""
    if not math.isfinite(pan) or not -1 <= pan <= 1:
        raise EditRefused("Pan goes from 100 left to 100 right.", "Enter a value in that range.")
    return _change_track(sequence, track_id, lambda track: replace(track, pan=float(pan)))


def set_limiter(sequence: Sequence, on: bool) -> Sequence:
    """Whether the sum of the sound is held below −1 dBTP."""
    return sequence if sequence.limiter == on else replace(sequence, limiter=on)


def set_height(sequence: Sequence, track_id: str, height: int) -> Sequence:
    """Height on screen in pixels, kept within 24…400."""
    return _change_track(sequence, track_id, lambda track: replace(track, height=max(24, min(height, 400))))


# -- markers ---------------------------------------------------------------------------------------------------------


def _with_markers(sequence: Sequence, markers: list[Marker]) -> Sequence:
    ordered = tuple(sorted(markers, key=lambda marker: marker.frame))
    return sequence if ordered == sequence.markers else replace(sequence, markers=ordered)


def _marker(sequence: Sequence, marker_id: str) -> Marker:
    found = next((m for m in sequence.markers if m.id == marker_id), None)
    if found is None:
        raise EditRefused("That marker is no longer there.", "Select a marker and try again.")
    return found


def add_marker(
    sequence: Sequence,
    frame: int,
    *,
    name: str = "",
    note: str = "",
    colour: str = "amber",
    marker_id: str = "",
    duration: int = 0,
) -> Sequence:
    """Add a marker, or a range with a ``duration``; at most one starts at a frame."""
    if frame < 0 or duration < 0:
        raise EditRefused("A marker can't stand before the timeline.", "Put the playhead at frame 0 or later.")
    if any(m.frame == frame for m in sequence.markers):
        raise EditRefused("There is already a marker at this frame.", "Edit that one or move the playhead.")
    marker = Marker(
        id=marker_id or new_id("marker"), frame=frame, duration=duration, name=name, note=note, colour=colour
    )
    return _with_markers(sequence, [*sequence.markers, marker])


def move_marker(sequence: Sequence, marker_id: str, frame: int) -> Sequence:
    old = _marker(sequence, marker_id)
    if frame < 0 or any(m.frame == frame and m is not old for m in sequence.markers):
        raise EditRefused("There is no room for the marker there.", "Choose another frame.")
    return _with_markers(sequence, [replace(m, frame=frame) if m is old else m for m in sequence.markers])


def remove_markers(sequence: Sequence, marker_ids: Collection[str]) -> Sequence:
    for marker_id in marker_ids:
        _marker(sequence, marker_id)
    return _with_markers(sequence, [m for m in sequence.markers if m.id not in marker_ids])


def edit_marker(
    sequence: Sequence,
    marker_id: str,
    *,
    name: str | None = None,
    note: str | None = None,
    colour: str | None = None,
    duration: int | None = None,
) -> Sequence:
    """Change what is given. A ``duration`` of 0 makes a range a point again."""
    old = _marker(sequence, marker_id)
    if duration is not None and duration < 0:
        raise EditRefused("A marker can't end before it starts.", "Enter a length of 0 or more.")
    new = replace(
        old,
        name=old.name if name is None else name,
        note=old.note if note is None else note,
        colour=old.colour if colour is None else colour,
        duration=old.duration if duration is None else duration,
    )
    return _with_markers(sequence, [new if m is old else m for m in sequence.markers])


# -- in and out ------------------------------------------------------------------------------------------------------


def set_in_point(sequence: Sequence, frame: int | None) -> Sequence:
    """First frame of the range; an out point at or before it is cleared."""
    if frame is not None and frame < 0:
        raise EditRefused("The in point can't lie before the timeline.", "Put the playhead at frame 0 or later.")
    out = sequence.out_point
    if frame is not None and out is not None and out <= frame:
        out = None
    return _with_range(sequence, frame, out)


def set_out_point(sequence: Sequence, frame: int | None) -> Sequence:
    """First frame behind the range; an in point at or behind it is cleared."""
    if frame is not None and frame < 1:
        raise EditRefused("The out point lies at frame 1 or later.", "Move the playhead to the right.")
    start = sequence.in_point
    if frame is not None and start is not None and start >= frame:
        start = None
    return _with_range(sequence, start, frame)


def clear_in_out(sequence: Sequence) -> Sequence:
    return _with_range(sequence, None, None)


def _with_range(sequence: Sequence, start: int | None, stop: int | None) -> Sequence:
    if (start, stop) == (sequence.in_point, sequence.out_point):
        return sequence
    return replace(sequence, in_point=start, out_point=stop)
