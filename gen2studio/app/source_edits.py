"""From the source to the timeline: insert, overwrite, append, three-point and fit to fill, and matching frames.

Three points make an edit: any two marks on one side and one on the other say where the fourth lies. What the artist
left out is the playhead of the timeline, or the end of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil

from PySide6.QtCore import QObject

from gen2studio.app.session import Session
from gen2studio.app.source_monitor import Patch, SourceMonitor
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.core.errors import EditRefused
from gen2studio.core.media_info import MediaKind
from gen2studio.document import edits, lookup, sequences
from gen2studio.document.model import Clip, Document, MediaItem, Sequence, TrackKind


def three_point(
    length: Fraction,
    source: tuple[Fraction | None, Fraction | None],
    record: tuple[int | None, int | None],
    playhead: int,
    rate: Fraction,
) -> tuple[tuple[Fraction, Fraction], int]:
    """Where an edit takes its media from and puts it: ((in, out) in seconds, sequence frame).

    ``length`` is that of the file in seconds; ``source`` and ``record`` hold the marks, None where none is set. Four
    marks leave the source's out aside. Raises EditRefused where the file is too short.
    """
    begin, end = source
    first, stop = record
    if first is not None and stop is not None:
        spent = Fraction(stop - first) / rate
        if begin is None and end is not None:
            begin = end - spent
        begin = begin or Fraction(0)
        _inside(begin, begin + spent, length)
        return (begin, begin + spent), first
    begin, end = begin if begin is not None else Fraction(0), end if end is not None else length
    if stop is not None:
        frames = ceil((end - begin) * rate)
        at = stop - frames
        if at < 0:
            # What would lie before the timeline starts is left out at the head of the source.
            begin, at = begin - Fraction(at) / rate, 0
        return (begin, end), at
    return (begin, end), playhead if first is None else first


def _inside(begin: Fraction, end: Fraction, length: Fraction) -> None:
    if begin < 0 or end > length:
        raise EditRefused(
            "The source is too short for the range on the timeline.",
            "Mark a shorter range, or use Fit to Fill, which changes the speed.",
        )


class SourceEdits(QObject):
    """What the buttons and keys of the source viewer do."""

    def __init__(
        self, session: Session, editing: TimelineEditing, source: SourceMonitor, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._editing = editing
        self._source = source
        self._matched: tuple[str, int, int] | None = None
        """(media, its frame, sequence frame) of the last reverse match: asked again from there, it goes on."""

    # -- onto the timeline ---------------------------------------------------------------------------------------------

    def insert(self) -> bool:
        """Put the marked source in; what follows moves right."""
        return self._lay("Insert", edits.Collision.INSERT)

    def overwrite(self) -> bool:
        """Put the marked source over what is there."""
        return self._lay("Overwrite", edits.Collision.OVERWRITE)

    def append(self) -> bool:
        """Put the marked source behind the last clip of its tracks."""
        return self._lay("Append", None)

    def fit_to_fill(self) -> bool:
        """Overwrite in to out of the timeline with in to out of the source, at the speed that makes both as long."""
        item = self._item()
        if item is None:
            return False
        placed: list[str] = []

        def edit(sequence: Sequence) -> Sequence:
            first, stop = sequence.in_point, sequence.out_point
            if first is None or stop is None:
                raise EditRefused("Fit to Fill needs a range on the timeline.", "Set In and Out on the timeline first.")
            patch, tracks = self._source.patch, self._tracks(sequence)
            done = edits.fit_to_fill(
                sequence, item, self._marked(item), first, stop, video_track=tracks[0], audio_track=tracks[1],
                video=patch.video, audio=patch.audio,
            )  # fmt: skip
            placed.extend(done.clip_ids)
            return done.sequence

        return self._done(self._editing.perform(f"Fit to Fill {item.name}", edit), placed)

    def _lay(self, verb: str, collision: edits.Collision | None) -> bool:
        item = self._item()
        if item is None:
            return False
        placed: list[str] = []

        def change(document: Document) -> Document:
            if document.sequence is None:
                document = sequences.add_sequence(document, self._editing.sequence_for(item))
            sequence = document.sequence
            assert sequence is not None
            patch, tracks = self._source.patch, self._tracks(sequence)
            if collision is None:
                done = edits.append_media(
                    sequence, item, video_track=tracks[0], audio_track=tracks[1], source=self._marked(item),
                    video=patch.video, audio=patch.audio,
                )  # fmt: skip
            else:
                source, at = self._points(item, sequence)
                done = edits.place_media(
                    sequence, item, at, collision=collision, video_track=tracks[0], audio_track=tracks[1],
                    source=source, video=patch.video, audio=patch.audio,
                )  # fmt: skip
            placed.extend(done.clip_ids)
            return sequences.with_sequence(document, done.sequence)

        return self._done(self._editing.perform_on_document(f"{verb} {item.name}", change), placed)

    def _points(self, item: MediaItem, sequence: Sequence) -> tuple[tuple[Fraction, Fraction], int]:
        marks, rate = self._source.marks_of(item.id), self._source.rate
        begin = None if marks.start is None else Fraction(marks.start) / rate
        end = None if marks.stop is None else min(Fraction(marks.stop) / rate, self._length(item))
        first, stop = sequence.in_point, sequence.out_point
        length = self._length(item)
        if item.info.kind is MediaKind.STILL:
            if first is not None and stop is not None:
                # A still is as long as it is asked to be, wherever its marks lie.
                begin = end = None
                length = Fraction(stop - first) / sequence.rate
            elif end is None:
                end = (begin or Fraction(0)) + self._source.still_seconds
        return three_point(length, (begin, end), (first, stop), self._session.playhead, sequence.rate)

    def _marked(self, item: MediaItem) -> tuple[Fraction, Fraction]:
        return self._source.range_of(item) or (Fraction(0), self._length(item))

    def _length(self, item: MediaItem) -> Fraction:
        endless = item.info.kind is MediaKind.STILL or item.info.duration <= 0
        return self._source.still_seconds if endless else item.info.duration

    def _item(self) -> MediaItem | None:
        item = self._source.item
        if item is None:
            self._session.tell("The source viewer is empty. Double-click a file of the media pool first.", "warning")
        return item

    def _tracks(self, sequence: Sequence) -> tuple[str, str]:
        """(video, audio) track ids that the patch means; a lost track is the target track again."""
        patch: Patch = self._source.patch
        known = {t.id: t for t in sequence.tracks}
        target = known.get(self._session.track)

        def of(kind: TrackKind, wanted: str) -> str:
            if wanted in known and known[wanted].kind is kind:
                return wanted
            return target.id if target is not None and target.kind is kind else ""

        return of(TrackKind.VIDEO, patch.video_track), of(TrackKind.AUDIO, patch.audio_track)

    def _done(self, done: bool, placed: list[str]) -> bool:
        if done and placed:
            self._session.set_selection(frozenset(placed))
            end = max((c.end for i in placed if (c := self._session.find_clip(i)) is not None), default=None)
            if end is not None:
                self._session.set_playhead(end)
        return done

    # -- matching frames -----------------------------------------------------------------------------------------------

    def match_frame(self) -> bool:
        """Show in the source what the timeline shows: the same file at the same frame."""
        clips = self._editing.clips_under_playhead()
        if not clips:
            self._session.tell("There is no clip at the playhead to match.", "info")
            return False
        picture = next((c for c in clips if self._has_picture(c)), clips[0])
        return self._source.open_clip(picture, self._session.playhead, mark=False)

    def reverse_match_frame(self) -> bool:
        """Go to the source's frame on the timeline; asked again, to the next clip that shows it."""
        item, sequence = self._source.item, self._session.sequence
        if item is None or sequence is None:
            self._session.tell("Open a file in the source viewer first.", "info")
            return False
        found = places_of(sequence, item.id, self._source.seconds, Fraction(1) / self._source.rate)
        if not found:
            self._session.tell(f"This frame of “{item.name}” is not on the timeline.", "info")
            return False
        here = self._session.playhead
        asked = (item.id, self._source.playhead, here)
        again = asked == self._matched
        frame, clip_id = next((p for p in found if p[0] > here or (p[0] == here and not again)), found[0])
        self._matched = (item.id, self._source.playhead, frame)
        self._session.set_selection(lookup.linked(sequence, [clip_id]))
        self._session.set_playhead(frame)
        return True

    def show_clip(self, clip_id: str = "") -> bool:
        """Open a clip in the source, marked as it is used: ``clip_id``, or that at the playhead when empty."""
        named = self._session.find_clip(clip_id) if clip_id else None
        clips = [named] if named is not None else self._editing.clips_under_playhead()
        if not clips:
            self._session.tell("There is no clip at the playhead.", "info")
            return False
        return self._source.open_clip(clips[0], self._session.playhead)

    def _has_picture(self, clip: Clip) -> bool:
        item = self._session.document.media.get(clip.media_id)
        return item is not None and item.info.has_video

    # -- binding -------------------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[[], object]]:
        return {
            "source.insert": self.insert,
            "source.overwrite": self.overwrite,
            "source.append": self.append,
            "source.fit_to_fill": self.fit_to_fill,
            "source.mark_all": self._source.mark_all,
            "source.match_frame": self.match_frame,
            "source.reverse_match": self.reverse_match_frame,
            "source.show_clip": self.show_clip,
        }


def places_of(sequence: Sequence, media_id: str, seconds: Fraction, step: Fraction) -> list[tuple[int, str]]:
    """(sequence frame, clip id) of every clip that shows media ``seconds``, in time order; ``step`` is how long a frame
    of the media lasts. Pictures come before their sound."""
    found: dict[int, str] = {}
    for track in (*sequence.video_tracks, *sequence.audio_tracks):
        for clip in track.clips:
            if clip.media_id != media_id or (clip.freeze and abs(clip.source_in - seconds) >= step):
                continue
            if clip.freeze:
                found.setdefault(clip.start, clip.id)
                continue
            # The first sequence frame at which the media has come as far (or, backwards, as near).
            ahead = (seconds - clip.source_in) * sequence.rate / clip.speed
            offset = ceil(ahead) if ahead.denominator != 1 else int(ahead)
            late = clip.source_in + Fraction(offset) / sequence.rate * clip.speed
            if late >= seconds + step:
                offset -= 1
            if 0 <= offset < clip.duration:
                found.setdefault(clip.start + (clip.duration - 1 - offset if clip.reverse else offset), clip.id)
    return sorted(found.items())
