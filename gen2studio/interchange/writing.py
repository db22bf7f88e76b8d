"""A sequence as an OpenTimelineIO timeline.

Standard fields hold what any program understands: tracks, cuts, media, speeds, transitions, markers. Everything that is
ours alone lies beside them under ``metadata["gen2"]``, in the form project files have, so that reading it again gives
the same sequence; what another program changed in the standard fields wins then.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from gen2studio.core.errors import ProjectError
from gen2studio.core.media_info import MediaKind
from gen2studio.document.codec_parts import encode_media
from gen2studio.document.codec_timeline import encode_clip, encode_sequence_head, encode_track
from gen2studio.document.composition import BlendMode, Transform, Transition, TransitionKind
from gen2studio.document.model import Clip, Document, MediaItem, Sequence, Track, TrackKind
from gen2studio.interchange.notes import Notes
from gen2studio.interchange.times import rational, time_range

if TYPE_CHECKING:
    import opentimelineio as otio

OURS = "gen2"
"""Our key in every ``metadata``."""
VERSION = 1
DEEPEST = 8
"""Timelines in timelines in timelines…"""
DEFAULT = "DEFAULT_MEDIA"
"""OpenTimelineIO's key of a clip's own media."""
TAKE = "take"
"""Key of the media reference that holds a clip's take."""
COLOURS = {
    "red": "RED",
    "pink": "PINK",
    "orange": "ORANGE",
    "amber": "YELLOW",
    "yellow": "YELLOW",
    "green": "GREEN",
    "teal": "CYAN",
    "cyan": "CYAN",
    "blue": "BLUE",
    "purple": "PURPLE",
    "violet": "PURPLE",
    "magenta": "MAGENTA",
    "grey": "WHITE",
    "white": "WHITE",
}
"""Our label colours → OpenTimelineIO's marker colours."""

TakePictures = Callable[[str], "tuple[Path, str, str, int] | None"]
"""Take id → (folder, name prefix, suffix, digits of the number) of its numbered pictures, or None."""


def timeline_of(
    document: Document, sequence: Sequence, notes: Notes, *, take_pictures: TakePictures | None = None
) -> otio.schema.Timeline:
    """``sequence`` with everything it shows. ``notes`` gets what other programs won't see. Raises ProjectError."""
    import opentimelineio as otio

    timeline = otio.schema.Timeline(name=sequence.name)
    timeline.global_start_time = rational(Fraction(0), sequence.rate)
    writer = _Writer(document, notes, take_pictures)
    writer.fill(timeline.tracks, sequence, 0)
    used = {c.media_id for s in writer.seen.values() for t in s.tracks for c in t.clips}
    timeline.metadata[OURS] = {
        "version": VERSION,
        "sequence": encode_sequence_head(sequence),
        "media": [encode_media(item, None) for item in document.media.values() if item.id in used],
    }
    return timeline


class _Writer:
    def __init__(self, document: Document, notes: Notes, take_pictures: TakePictures | None) -> None:
        self._document = document
        self._notes = notes
        self._take_pictures = take_pictures
        self.seen: dict[str, Sequence] = {}

    def fill(self, stack: otio.schema.Stack, sequence: Sequence, depth: int) -> None:
        """Put the tracks and markers of ``sequence`` into ``stack``."""
        import opentimelineio as otio

        if depth > DEEPEST:
            raise ProjectError(
                f"“{sequence.name}” lies more than {DEEPEST} timelines deep.", "Un-nest some of them first."
            )
        self.seen[sequence.id] = sequence
        for track in (*sequence.video_tracks, *sequence.audio_tracks):
            stack.append(self._track(sequence, track, depth))
        for marker in sequence.markers:
            made = otio.schema.Marker(
                name=marker.name,
                marked_range=time_range(
                    Fraction(marker.frame) / sequence.rate, Fraction(marker.duration) / sequence.rate, sequence.rate
                ),
                color=COLOURS.get(marker.colour, "YELLOW"),
            )
            made.comment = marker.note
            stack.markers.append(made)
        if sequence.subtitles:
            self._notes.add("Subtitles stay in our own part of the file; export them as SRT too", sequence.name)

    def _track(self, sequence: Sequence, track: Track, depth: int) -> otio.schema.Track:
        import opentimelineio as otio

        kind = otio.schema.TrackKind.Video if track.kind is TrackKind.VIDEO else otio.schema.TrackKind.Audio
        made = otio.schema.Track(name=track.name, kind=kind)
        made.enabled = not track.muted
        head = encode_track(track)
        head.pop("clips")
        made.metadata[OURS] = {"track": head}
        by_left = {transition.left: transition for transition in track.transitions}
        cursor = 0
        for clip in track.clips:
            if clip.start > cursor:
                made.append(otio.schema.Gap(duration=rational((clip.start - cursor) / sequence.rate, sequence.rate)))
            made.append(self._clip(sequence, track, clip, depth))
            if clip.id in by_left:
                made.append(self._transition(sequence, by_left[clip.id], track.kind))
            cursor = clip.end
        if track.gain_db or track.pan or track.solo:
            self._notes.add("Level, pan and solo of tracks", track.name)
        return made

    def _transition(self, sequence: Sequence, transition: Transition, kind: TrackKind) -> otio.schema.Transition:
        import opentimelineio as otio

        standard = transition.kind is TransitionKind.DISSOLVE
        if not standard:
            self._notes.add("Other programs may show another wipe or a dissolve", transition.kind.value)
        return otio.schema.Transition(
            name="Cross Dissolve" if standard else transition.kind.value.title(),
            transition_type=otio.schema.TransitionTypes.SMPTE_Dissolve
            if standard
            else otio.schema.TransitionTypes.Custom,
            in_offset=rational(transition.before / sequence.rate, sequence.rate),
            out_offset=rational(transition.after / sequence.rate, sequence.rate),
        )

    def _clip(self, sequence: Sequence, track: Track, clip: Clip, depth: int) -> otio.core.Item:
        import opentimelineio as otio

        item = self._document.media.get(clip.media_id)
        rate = item.info.rate if item is not None and item.info.rate > 0 else sequence.rate
        span = time_range(clip.source_in, clip.duration / sequence.rate, rate, sequence.rate)
        inner = self._document.sequences.get(item.nested) if item is not None and item.nested else None
        made: otio.core.Item
        if inner is not None:
            stack = otio.schema.Stack(name=clip.name or inner.name)
            self.fill(stack, inner, depth + 1)
            stack.metadata[OURS] = {"sequence": encode_sequence_head(inner)}
            made = stack
            made.source_range = span
        else:
            made = otio.schema.Clip(name=clip.name, source_range=span)
            self._refer(made, clip, item)
        made.enabled = clip.enabled
        made.metadata[OURS] = {**dict(made.metadata.get(OURS, {})), "clip": encode_clip(clip)}
        if clip.freeze:
            made.effects.append(otio.schema.FreezeFrame())
        elif clip.speed != 1 or clip.reverse:
            scalar = float(clip.speed) * (-1 if clip.reverse else 1)
            made.effects.append(otio.schema.LinearTimeWarp(time_scalar=scalar))
        self._tell(track, clip)
        return made

    def _refer(self, made: otio.schema.Clip, clip: Clip, item: MediaItem | None) -> None:
        import opentimelineio as otio

        if item is None:
            return
        references: dict[str, otio.core.MediaReference] = {DEFAULT: _reference(item)}
        take = self._document.takes.get(clip.active_take)
        pictures = self._take_pictures(take.id) if take is not None and self._take_pictures is not None else None
        if take is not None and pictures is not None:
            folder, prefix, suffix, digits = pictures
            references[TAKE] = otio.schema.ImageSequenceReference(
                target_url_base=folder.as_uri() + "/",
                name_prefix=prefix,
                name_suffix=suffix,
                start_frame=take.start,
                rate=float(item.info.rate),
                frame_zero_padding=digits,
                available_range=time_range(
                    take.start / item.info.rate, (take.stop - take.start) / item.info.rate, item.info.rate
                ),
            )
        made.set_media_references(references, TAKE if TAKE in references else DEFAULT)

    def _tell(self, track: Track, clip: Clip) -> None:
        moves = clip.opacity.moving or clip.opacity.value != 1
        if track.kind is TrackKind.VIDEO and moves:
            self._notes.add("Opacity of clips", clip.name)
        if clip.blend is not BlendMode.NORMAL:
            self._notes.add("Blend modes", clip.name)
        if clip.transform != Transform():
            self._notes.add("Position, scale, rotation and crop", clip.name)
        if clip.gain_db or clip.volume.moving or clip.volume.value or clip.pan.moving or clip.pan.value:
            self._notes.add("Levels and pan of clips", clip.name)
        if clip.fade_in or clip.fade_out:
            self._notes.add("Fades at the ends of clips", clip.name)
        if clip.look is not None:
            self._notes.add("Looks (other programs see the take that is shown)", clip.name)


def _reference(item: MediaItem) -> otio.core.MediaReference:
    import opentimelineio as otio

    info = item.info
    rate = info.rate if info.rate > 0 else Fraction(24)
    available = None if info.kind is MediaKind.STILL else time_range(Fraction(0), info.duration, rate)
    made = otio.schema.ExternalReference(target_url=Path(item.path).as_uri() if item.path else "")
    if available is not None:
        made.available_range = available
    made.name = item.name
    made.metadata[OURS] = {"media": item.id}
    return made
