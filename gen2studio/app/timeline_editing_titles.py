"""Commands on captions and markers. See ``timeline_editing``."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from gen2studio.app import subtitle_files
from gen2studio.app.file_job import FileJob
from gen2studio.core.errors import EditRefused
from gen2studio.core.ids import new_id
from gen2studio.document import edits, subtitles
from gen2studio.document.composition import Subtitle
from gen2studio.document.model import Marker, Sequence

if TYPE_CHECKING:
    from gen2studio.app.timeline_editing import TimelineEditing


class TitleCommands(QObject):
    """``TimelineEditing.titles``."""

    subtitle_added = Signal(str)
    """Id of a caption that was just made: show it for typing."""

    def __init__(self, editing: TimelineEditing) -> None:
        super().__init__(editing)
        self._editing = editing
        self._session = editing.session
        self._job: FileJob | None = None

    # -- captions ----------------------------------------------------------------------------------------------------

    def here(self) -> Subtitle | None:
        """The caption at the playhead."""
        sequence = self._session.sequence
        return subtitles.subtitle_at(sequence, self._session.playhead) if sequence is not None else None

    def add_subtitle(self, text: str = "", frame: int | None = None, duration: int | None = None) -> bool:
        """A caption at the playhead (or ``frame``), as long as is usual and as there is room for."""
        at = self._session.playhead if frame is None else frame
        made = new_id("title")
        done = self._editing.perform(
            "Add Subtitle", lambda s: subtitles.add_subtitle(s, at, duration, text, subtitle_id=made)
        )
        if done:
            self.subtitle_added.emit(made)
        return done

    def remove_subtitles(self, subtitle_ids: Collection[str] = ()) -> bool:
        """Remove captions; without ids the one at the playhead."""
        return self._editing.perform(
            "Remove Subtitle" if len(subtitle_ids) < 2 else f"Remove {len(subtitle_ids)} Subtitles",
            lambda s: subtitles.remove_subtitles(s, subtitle_ids or [self._here_id()]),
        )

    def _here_id(self) -> str:
        found = self.here()
        if found is None:
            raise EditRefused("There is no subtitle at the playhead.", "Put the playhead on one.")
        return found.id

    def set_text(self, subtitle_id: str, text: str) -> bool:
        """Typing in a row is one undo step."""
        return self._editing.perform(
            "Edit Subtitle", lambda s: subtitles.set_text(s, subtitle_id, text), f"subtitle text {subtitle_id}"
        )

    def move_subtitles(self, subtitle_ids: Collection[str], frames: int) -> bool:
        return self._editing.perform("Move Subtitle", lambda s: subtitles.move_subtitles(s, subtitle_ids, frames))

    def trim_subtitle(self, subtitle_id: str, *, head: int = 0, tail: int = 0) -> bool:
        return self._editing.perform(
            "Trim Subtitle", lambda s: subtitles.trim_subtitle(s, subtitle_id, head=head, tail=tail)
        )

    def split_subtitle(self, subtitle_id: str = "", at: int | None = None) -> bool:
        """Cut a caption (the one at the playhead when empty) at the playhead; ``at``: where in its text."""
        frame = self._session.playhead
        return self._editing.perform(
            "Split Subtitle", lambda s: subtitles.split_subtitle(s, subtitle_id or self._here_id(), frame, at)
        )

    def merge_subtitles(self, subtitle_ids: Collection[str] = ()) -> bool:
        """Make neighbours one caption; without ids the one at the playhead and the next."""

        def edit(sequence: Sequence) -> Sequence:
            ids = list(subtitle_ids)
            if not ids:
                here = self._here_id()
                first = next(i for i, s in enumerate(sequence.subtitles) if s.id == here)
                ids = [s.id for s in sequence.subtitles[first : first + 2]]
            return subtitles.merge_subtitles(sequence, ids)

        return self._editing.perform("Merge Subtitles", edit)

    def set_style(self, **changes: Any) -> bool:
        return self._editing.perform(
            "Subtitle Style", lambda s: subtitles.set_style(s, **changes), f"subtitle style {' '.join(sorted(changes))}"
        )

    def import_subtitles(self, path: Path) -> FileJob | None:
        """Read a subtitle file on a thread, then put its captions in place of those of the active timeline."""
        sequence = self._session.sequence
        if sequence is None:
            self._session.tell("There is no timeline yet. Drag a clip from the media pool onto it.", "warning")
            return None
        rate, target = sequence.rate, sequence.id
        job = FileJob("subtitles", lambda _cancel, _tell: subtitle_files.read_subtitles(path, rate), self)
        job.finished.connect(lambda found: self._put(found, path.name, target))
        job.failed.connect(lambda sentence: self._session.tell(sentence, "error"))
        self._job = job
        job.start()
        return job

    def _put(self, found: tuple[Subtitle, ...], name: str, sequence_id: str) -> None:
        if self._session.sequence is None or self._session.sequence.id != sequence_id:
            return
        if self._editing.perform(f"Import {name}", lambda s: subtitles.replace_subtitles(s, found)):
            self._session.tell(f"{len(found)} subtitles were read from “{name}”.", "info")

    def export_subtitles(self, path: Path) -> FileJob | None:
        """Write the captions of the active timeline as SRT, on a thread."""
        sequence = self._session.sequence
        if sequence is None or not sequence.subtitles:
            self._session.tell("This timeline has no subtitles to write.", "warning")
            return None
        captions, rate = sequence.subtitles, sequence.rate
        job = FileJob("subtitles", lambda _cancel, _tell: subtitle_files.write_srt(path, captions, rate), self)
        job.finished.connect(lambda _none: self._session.tell(f"Subtitles were written to “{path.name}”.", "info"))
        job.failed.connect(lambda sentence: self._session.tell(sentence, "error"))
        self._job = job
        job.start()
        return job

    # -- markers -----------------------------------------------------------------------------------------------------

    def add_marker(
        self, frame: int | None = None, *, duration: int = 0, name: str = "", note: str = "", colour: str = "amber"
    ) -> bool:
        """A marker at the playhead (or ``frame``); with a ``duration`` a range."""
        at = self._session.playhead if frame is None else frame
        return self._editing.perform(
            "Add Marker",
            lambda s: edits.add_marker(s, at, duration=duration, name=name, note=note, colour=colour),
        )

    def mark_range(self) -> bool:
        """A range marker over in to out, else over the selected clips."""

        def edit(sequence: Sequence) -> Sequence:
            start, stop = sequence.in_point, sequence.out_point
            clips = self._editing.selected_clips()
            if start is None or stop is None:
                if not clips:
                    raise EditRefused("There is nothing to mark.", "Set In and Out, or select clips.")
                start, stop = min(c.start for c in clips), max(c.end for c in clips)
            return edits.add_marker(sequence, start, duration=stop - start)

        return self._editing.perform("Mark Range", edit)

    def edit_marker(self, marker_id: str, **values: Any) -> bool:
        """Change name, note, colour or duration; typing in a row is one undo step."""
        return self._editing.perform(
            "Edit Marker",
            lambda s: edits.edit_marker(s, marker_id, **values),
            f"marker {marker_id} {' '.join(sorted(values))}",
        )

    def move_marker(self, marker_id: str, frame: int) -> bool:
        return self._editing.perform("Move Marker", lambda s: edits.move_marker(s, marker_id, frame))

    def remove_markers(self, marker_ids: Collection[str] = ()) -> bool:
        """Remove markers; without ids all of them."""

        def edit(sequence: Sequence) -> Sequence:
            ids = list(marker_ids) or [m.id for m in sequence.markers]
            return edits.remove_markers(sequence, ids)

        return self._editing.perform("Remove Markers", edit)

    def go_to_marker(self, step: int) -> Marker | None:
        """Move the playhead to the next (+1) or previous (−1) marker."""
        sequence = self._session.sequence
        here = self._session.playhead
        markers = sequence.markers if sequence is not None else ()
        there = [m for m in markers if (m.frame > here if step > 0 else m.frame < here)]
        found = (there[0] if step > 0 else there[-1]) if there else None
        if found is not None:
            self._session.set_playhead(found.frame)
        return found

    # -- binding -----------------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[[], object]]:
        return {
            "subtitle.add": self.add_subtitle,
            "subtitle.remove": self.remove_subtitles,
            "subtitle.split": self.split_subtitle,
            "subtitle.merge": self.merge_subtitles,
            "timeline.mark_range": self.mark_range,
            "timeline.remove_markers": self.remove_markers,
            "timeline.next_marker": lambda: self.go_to_marker(1),
            "timeline.previous_marker": lambda: self.go_to_marker(-1),
        }
