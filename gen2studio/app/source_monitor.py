"""The source side of two-viewer editing: one file of the pool with a playhead, marks and sound of its own.

The monitor is a second :class:`~gen2studio.app.session.Session` over a document in which the file lies alone on a
timeline. What plays, decodes and mixes the programme does so for the source too, and nested timelines are files here
as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.core.frozen import with_item
from gen2studio.core.media_info import MediaKind
from gen2studio.core.records import dataclass
from gen2studio.document.model import Clip, Document, MediaItem, Sequence, SourceView, Track, TrackKind

if TYPE_CHECKING:
    from gen2studio.app.playback import Player
    from gen2studio.app.viewer_feed import ViewerFeed
    from gen2studio.media.frame_server import FrameServer

SOURCE = "source-monitor"
"""Id of the monitor's own timeline. It never reaches the project."""
_RATE = Fraction(25)
"""Frames a second in which sound and stills are counted where the project has no timeline yet."""
_CACHE_BYTES = 192 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """In and out of a file, in its own frames, half-open like a timeline's; None = its start, its end."""

    start: int | None = None
    stop: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Where an edit from the source goes: which halves, and to which tracks (empty = the target track, else the
    first of its kind)."""

    video: bool = True
    audio: bool = True
    video_track: str = ""
    audio_track: str = ""


class SourceMonitor(QObject):
    """Plays one media item beside the programme. Marks and playhead of each item are kept in the project."""

    opened = Signal(str)
    """Id of the media shown now; empty = none."""
    marks_changed = Signal(str)
    """Id of the media whose in or out moved."""
    patch_changed = Signal(object)

    def __init__(
        self,
        programme: Session,
        take_folder: Callable[[str], Path],
        parent: QObject | None = None,
        *,
        sound: bool = True,
    ) -> None:
        super().__init__(parent)
        self._programme = programme
        self._take_folder = take_folder
        self._sound = sound
        self._media = ""
        self._patch = Patch()
        self.still_seconds = Fraction(5)
        self.serve: Callable[[Session, FrameServer, ViewerFeed], object] = lambda _session, _frames, _feed: None
        """Called with the monitor's feed when it is made: gives it proxies and composited frames."""
        self.session = Session(DocumentStore(Document(id=SOURCE), None, self), self)
        self.session.message.connect(lambda severity, sentence: programme.tell(sentence, severity))
        self._player: Player | None = None
        self._feed: ViewerFeed | None = None
        self._frames: FrameServer | None = None
        programme.store.changed.connect(self._on_document_changed)
        programme.store.replaced.connect(lambda _new: self.close())

    # -- services, made when the first file is opened ------------------------------------------------------------------

    @property
    def player(self) -> Player:
        """J-K-L of the source, with its sound."""
        if self._player is None:
            from gen2studio.app.playback import Player

            self._player = Player(self.session, self, sound=self._sound)
        return self._player

    @property
    def feed(self) -> ViewerFeed:
        """Pictures of the source. It has decoders of its own: both viewers may play what they like."""
        if self._feed is None:
            from gen2studio.app.viewer_feed import ViewerFeed
            from gen2studio.media.frame_server import FrameServer

            self._frames = FrameServer(_CACHE_BYTES, workers=1)
            self._feed = ViewerFeed(self.session, self._frames, self._take_folder, self)
            self.serve(self.session, self._frames, self._feed)
        return self._feed

    def shutdown(self) -> None:
        """End the threads of the monitor. Safe to call twice."""
        if self._player is not None:
            self._player.shutdown()
        if self._feed is not None:
            self._feed.shutdown()
        if self._frames is not None:
            self._frames.shutdown()

    # -- what is shown -------------------------------------------------------------------------------------------------

    @property
    def item(self) -> MediaItem | None:
        """The media shown, as the project has it now."""
        return self._programme.document.media.get(self._media)

    @property
    def rate(self) -> Fraction:
        """Frames a second that the monitor counts in: the file's own; the project's for sound and stills."""
        sequence = self.session.sequence
        return sequence.rate if sequence is not None else _RATE

    @property
    def length(self) -> int:
        """Frames of the file; 0 while none is open."""
        sequence = self.session.sequence
        return sequence.duration if sequence is not None else 0

    @property
    def playhead(self) -> int:
        return self.session.playhead

    @property
    def seconds(self) -> Fraction:
        """Media seconds at the playhead."""
        return Fraction(self.session.playhead) / self.rate

    def open(self, media_id: str, frame: int | None = None) -> bool:
        """Show a media item at ``frame`` (where it was left when None). False when the project does not have it."""
        item = self._programme.document.media.get(media_id)
        if item is None:
            return False
        if media_id != self._media:
            self._leave()
            self._media = media_id
            self._show(item)
            left = min(self._view(media_id).playhead, max(0, self.length - 1))
            self.session.set_playhead(left if frame is None else frame)
            self.opened.emit(media_id)
        elif frame is not None:
            self.session.set_shuttle(0.0)
            self.go(frame)
        return True

    def open_clip(self, clip: Clip, frame: int | None = None, *, mark: bool = True) -> bool:
        """Show the media of a timeline clip: marked as the clip uses it, at sequence ``frame`` (its head when None)."""
        sequence = self._programme.sequence
        if sequence is None or not self.open(clip.media_id):
            return False
        at = clip.start if frame is None else min(max(frame, clip.start), clip.end - 1)
        self.session.set_shuttle(0.0)
        self.go(self.frame_of(clip.source_time(at, sequence.rate)))
        if mark and not clip.freeze:
            begin = self.frame_of(clip.source_in)
            end = clip.source_in + Fraction(clip.duration) / sequence.rate * clip.speed
            stop = min(self.length, max(begin + 1, ceil(end * self.rate)))
            self.set_marks(Marks(start=begin, stop=stop))
        return True

    def close(self) -> None:
        """Show nothing. For another project."""
        self._media = ""
        self._leave()
        self._patch = Patch()
        self.session.store.replace(Document(id=SOURCE), self._programme.store.tiles)
        self.opened.emit("")

    def _leave(self) -> None:
        self.session.set_shuttle(0.0)
        self.keep_place()

    def keep_place(self) -> None:
        """Let the project know where the playhead is: when a file is left, and before the project is saved."""
        if self._media in self._programme.document.media and self._view(self._media).playhead != self.playhead:
            self._keep(self._media, replace(self._view(self._media), playhead=self.playhead))

    def _view(self, media_id: str) -> SourceView:
        return self._programme.document.sources.get(media_id, SourceView())

    def _keep(self, media_id: str, view: SourceView) -> None:
        self._programme.store.amend(lambda now: replace(now, sources=with_item(now.sources, media_id, view)))

    def _show(self, item: MediaItem) -> None:
        document = self._alone(item)
        self.session.store.replace(document, self._programme.store.tiles)

    def _alone(self, item: MediaItem) -> Document:
        """The project with ``item`` alone on its active timeline."""
        project = self._programme.document
        timeline = alone(item, self._counting(item), self.still_seconds)
        marks = self.marks_of(item.id)
        if marks.start is not None and marks.start >= timeline.duration:
            # Other footage came under its name.
            marks = Marks()
        timeline = replace(timeline, in_point=marks.start, out_point=marks.stop)
        return replace(
            project, id=SOURCE, sequences=with_item(project.sequences, SOURCE, timeline), active_sequence=SOURCE
        )

    def _counting(self, item: MediaItem) -> Fraction:
        if item.info.kind in (MediaKind.VIDEO, MediaKind.SEQUENCE) and item.info.rate > 0:
            return item.info.rate
        sequence = self._programme.sequence
        return sequence.rate if sequence is not None else _RATE

    def _on_document_changed(self, old: Document, new: Document) -> None:
        if not self._media:
            return
        item = new.media.get(self._media)
        if item is None:
            self._leave()
            self._media = ""
            self.session.store.replace(Document(id=SOURCE), self._programme.store.tiles)
            self.opened.emit("")
            return
        # A nested timeline sounds and looks as its clips do; any other file is untouched by edits of the timeline.
        if old.media is not new.media or item.nested:
            self.session.store.amend(lambda _shown: self._alone(item))

    # -- marks ---------------------------------------------------------------------------------------------------------

    @property
    def marks(self) -> Marks:
        return self.marks_of(self._media)

    def marks_of(self, media_id: str) -> Marks:
        view = self._view(media_id)
        return Marks(start=view.start, stop=view.stop)

    def set_marks(self, marks: Marks) -> None:
        """Mark the file shown; a mark outside of it is dropped, an out before the in takes the in away."""
        item = self.item
        if item is None or marks == self.marks:
            return
        self._keep(item.id, replace(self._view(item.id), start=marks.start, stop=marks.stop))
        self.session.store.amend(
            lambda shown: replace(
                shown,
                sequences=with_item(
                    shown.sequences,
                    SOURCE,
                    replace(shown.sequences[SOURCE], in_point=marks.start, out_point=marks.stop),
                ),
            )
        )
        self.marks_changed.emit(item.id)

    def set_in(self, frame: int | None = None) -> None:
        """Start the marked range at ``frame`` (the playhead when None)."""
        at = min(max(0, self.playhead if frame is None else frame), max(0, self.length - 1))
        stop = self.marks.stop
        self.set_marks(Marks(start=at, stop=stop if stop is not None and stop > at else None))

    def set_out(self, frame: int | None = None) -> None:
        """End the marked range after the frame at the playhead, or before ``frame``."""
        at = min(max(1, self.playhead + 1 if frame is None else frame), max(1, self.length))
        start = self.marks.start
        self.set_marks(Marks(start=start if start is not None and start < at else None, stop=at))

    def clear_marks(self) -> None:
        self.set_marks(Marks())

    def mark_all(self) -> None:
        """Mark the whole file."""
        self.set_marks(Marks(start=0, stop=self.length))

    def range_of(self, item: MediaItem) -> tuple[Fraction, Fraction] | None:
        """Media seconds [in, out) that are marked of a file; None where nothing is."""
        marks = self.marks_of(item.id)
        if marks.start is None and marks.stop is None:
            return None
        rate = self._counting(item)
        end = _seconds(item, self.still_seconds)
        start = Fraction(marks.start or 0) / rate
        stop = end if marks.stop is None else Fraction(marks.stop) / rate
        if item.info.kind is not MediaKind.STILL:
            stop = min(stop, end)
        return (start, stop) if stop > start else None

    # -- going ---------------------------------------------------------------------------------------------------------

    def frame_of(self, seconds: Fraction) -> int:
        """The monitor's frame that shows media ``seconds``."""
        return min(max(0, int((seconds * self.rate).__floor__())), max(0, self.length - 1))

    def go(self, frame: int) -> None:
        """Put the playhead on a frame of the file."""
        self.session.set_playhead(min(max(0, frame), max(0, self.length - 1)))

    def go_mark(self, step: int) -> None:
        """The next (+1) or previous (−1) of start, in, out and end."""
        marks = self.marks
        last = max(0, self.length - 1)
        points = {0, last, marks.start if marks.start is not None else 0}
        if marks.stop is not None:
            points.add(marks.stop - 1)
        beyond = [p for p in points if (p - self.playhead) * step > 0]
        if beyond:
            self.go(min(beyond, key=lambda p: abs(p - self.playhead)))

    # -- where edits go ------------------------------------------------------------------------------------------------

    @property
    def patch(self) -> Patch:
        return self._patch

    def set_patch(self, patch: Patch) -> None:
        if patch != self._patch:
            self._patch = patch
            self.patch_changed.emit(patch)


def alone(item: MediaItem, rate: Fraction, still_seconds: Fraction) -> Sequence:
    """A timeline of ``rate`` that holds the whole of ``item`` and nothing else."""
    length = max(1, int((_seconds(item, still_seconds) * rate).__floor__()))
    if item.info.kind in (MediaKind.VIDEO, MediaKind.SEQUENCE) and item.info.exact and not item.info.variable_rate:
        length = max(1, item.info.frame_count)
    clip = Clip(id=f"{SOURCE}-picture", media_id=item.id, name=item.name, start=0, duration=length)
    sounds = item.info.kind is MediaKind.AUDIO or item.info.audio is not None
    tracks = [Track(id=f"{SOURCE}-v", kind=TrackKind.VIDEO, name="Video", clips=(clip,) if item.info.has_video else ())]
    if sounds:
        sound = replace(clip, id=f"{SOURCE}-sound")
        tracks.append(Track(id=f"{SOURCE}-a", kind=TrackKind.AUDIO, name="Audio", clips=(sound,)))
    return Sequence(
        id=SOURCE,
        name=item.name,
        rate=rate,
        width=item.info.width or 1920,
        height=item.info.height or 1080,
        sample_rate=item.info.audio.sample_rate if item.info.audio is not None else 48000,
        tracks=tuple(tracks),
    )


def _seconds(item: MediaItem, still_seconds: Fraction) -> Fraction:
    endless = item.info.kind is MediaKind.STILL or item.info.duration <= 0
    return still_seconds if endless else item.info.duration
