"""What transport keys act on: the programme, the source viewer, or the cut in hand."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from gen2studio.app.playback import Player
from gen2studio.app.session import Session
from gen2studio.app.source_monitor import SourceMonitor
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.app.trimming import FEW, TrimMode

PROGRAMME, SOURCE = "programme", "source"


class Transport(QObject):
    """Play, shuttle, step, go and mark in the viewer that has the keys. One of the two plays at a time.

    While a cut is in hand, the keys of the programme move the cut.
    """

    viewer_changed = Signal(str)
    """``programme`` or ``source``: where the keys go now."""

    def __init__(
        self,
        session: Session,
        player: Player,
        editing: TimelineEditing,
        source: SourceMonitor,
        trim: TrimMode,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._programme = player
        self._editing = editing
        self._source = source
        self._trim = trim
        self._viewer = PROGRAMME
        session.shuttle_changed.connect(lambda speed: self._silence(source.session) if speed else None)
        source.session.shuttle_changed.connect(lambda speed: self._silence(session) if speed else None)
        trim.changed.connect(lambda on: self.set_viewer(PROGRAMME) if on else None)
        source.opened.connect(lambda media: None if media else self.set_viewer(PROGRAMME))

    @staticmethod
    def _silence(other: Session) -> None:
        other.set_shuttle(0.0)

    @property
    def viewer(self) -> str:
        return self._viewer

    def set_viewer(self, viewer: str) -> None:
        """Give the keys to ``programme`` or ``source``."""
        if viewer == SOURCE and self._trim.active:
            self._trim.leave()
        if viewer != self._viewer:
            self._viewer = viewer
            self.viewer_changed.emit(viewer)

    @property
    def on_source(self) -> bool:
        return self._viewer == SOURCE

    @property
    def player(self) -> Player:
        """The player that the keys mean."""
        return self._source.player if self.on_source else self._programme

    @property
    def rate(self) -> int:
        """Frames of a second of the viewer that has the keys."""
        sequence = self._session.sequence
        if self.on_source:
            return max(1, round(self._source.rate))
        return max(1, round(sequence.rate)) if sequence else 25

    # -- transport -----------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Space: play or pause; with a cut in hand, loop around it."""
        if self._trimming:
            self._trim.play_around()
        else:
            self.player.toggle()

    @property
    def _trimming(self) -> bool:
        return not self.on_source and self._trim.active

    def shuttle(self, way: int) -> None:
        """L (+1) and J (−1)."""
        if self._trimming:
            self._trim.play(way)
        elif way > 0:
            self.player.forward()
        else:
            self.player.backward()

    def stop(self) -> None:
        """K: stop; while it is held, J and L step."""
        if self._trimming:
            self._trim.hold()
        else:
            self.player.hold()

    def release(self) -> None:
        """K was let go, or it was no key that stopped."""
        self._programme.release()
        if self._source.item is not None:
            self._source.player.release()

    def step(self, way: int) -> None:
        if self._trimming:
            self._trim.trim(way)
        else:
            self.player.step(way)

    def step_second(self, way: int) -> None:
        """A second; of a cut in hand, five frames."""
        if self._trimming:
            self._trim.trim(way * FEW)
        else:
            self.player.step(way * self.rate)

    def go_edge(self, end: bool) -> None:
        """To the first or behind the last frame."""
        if self.on_source:
            self._source.session.set_shuttle(0.0)
            self._source.go(self._source.length if end else 0)
        elif end:
            self._editing.go_end()
        else:
            self._editing.go_start()

    def go_edit(self, step: int) -> None:
        """The edit before or after: of the source its marks, of a cut in hand its neighbour."""
        if self.on_source:
            self._source.go_mark(step)
        elif self._trimming:
            self._trim.go(step)
        else:
            self._editing.go_to_edit(step)

    def play_marked(self) -> None:
        """Play the marked range once."""
        session = self._source.session if self.on_source else self._session
        sequence = session.sequence
        if sequence is None or (sequence.in_point is None and sequence.out_point is None):
            self._session.tell("No in/out range is set. Press I and O at its ends first.", "info")
            return
        stop = sequence.duration if sequence.out_point is None else sequence.out_point
        self.player.play_range(sequence.in_point or 0, stop)

    # -- marks ---------------------------------------------------------------------------------------------------------

    def mark(self, out: bool) -> None:
        """I and O."""
        if self.on_source:
            (self._source.set_out if out else self._source.set_in)()
        else:
            (self._editing.set_out if out else self._editing.set_in)()

    def clear_marks(self) -> None:
        if self.on_source:
            self._source.clear_marks()
        else:
            self._editing.clear_in_out()

    # -- binding -------------------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[[], object]]:
        """By action id; they stand in front of what the timeline binds to the same ids."""
        return {
            "playback.play": self.play,
            "playback.reverse": lambda: self.shuttle(-1),
            "playback.stop": self.stop,
            "playback.forward": lambda: self.shuttle(1),
            "playback.step_back": lambda: self.step(-1),
            "playback.step_forward": lambda: self.step(1),
            "playback.second_back": lambda: self.step_second(-1),
            "playback.second_forward": lambda: self.step_second(1),
            "playback.in_to_out": self.play_marked,
            "timeline.go_start": lambda: self.go_edge(False),
            "timeline.go_end": lambda: self.go_edge(True),
            "timeline.go_previous_edit": lambda: self.go_edit(-1),
            "timeline.go_next_edit": lambda: self.go_edit(1),
            "timeline.set_in": lambda: self.mark(False),
            "timeline.set_out": lambda: self.mark(True),
            "timeline.clear_in_out": self.clear_marks,
        }
