"""Playing a storyboard as an animatic, with sound, and timing it by tapping along. No widgets."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from gen2studio.app.board_film import sound_document
from gen2studio.app.playback_clock import PlaybackClock, PlayPlan
from gen2studio.document.board_edits import panel_at, set_times, starts
from gen2studio.document.model import Board

if TYPE_CHECKING:
    from gen2studio.app.audio_output import AudioOutput
    from gen2studio.app.storyboards import Storyboards

_TICK_MS = 16
_STALLED = 1.5
"""Seconds a device may take before its first sample; then playing goes on by the system clock."""


class BoardPlayer(QObject):
    """Plays the current board. Lives on the UI thread.

    Tapping ends the panel that is playing, as a musician beats time: the next one begins at once, whatever was set.
    What was tapped becomes one undo step when playing stops.
    """

    moved = Signal(float)
    """Second of the board that is shown."""
    playing_changed = Signal(bool)
    tapped = Signal(str, float)
    """(panel id, seconds it has now): told while playing, before the document knows."""

    def __init__(self, boards: Storyboards, *, sound: bool = True, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._boards = boards
        self._sound = sound
        self._clock = PlaybackClock()
        self._audio: AudioOutput | None = None
        self._token = 0
        self._second = Fraction(0)
        self._board: Board | None = None
        """What plays: the board, with what was tapped so far."""
        self._taps: dict[str, Fraction] = {}
        self._times: dict[str, Fraction] = {}
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._on_tick)
        boards.current_changed.connect(self._on_board)

    def shutdown(self) -> None:
        """Stop, and end the audio thread."""
        self._timer.stop()
        if self._audio is not None:
            self._audio.shutdown()
            self._audio = None

    @property
    def playing(self) -> bool:
        return self._timer.isActive()

    @property
    def second(self) -> float:
        """Where it stands."""
        return float(self._second)

    @property
    def board(self) -> Board | None:
        """What is shown: while playing, with what was tapped so far."""
        return self._board if self.playing else self._boards.current

    def seek(self, second: float) -> None:
        """Go to a second of the board; playing goes on from there."""
        board = self.board
        if board is None or not board.panels:
            return
        self._move(min(max(Fraction(second).limit_denominator(48000), Fraction(0)), starts(board)[-1]))
        if self.playing:
            self._begin()

    def toggle(self) -> None:
        if self.playing:
            self.stop()
        else:
            self.play()

    def play(self) -> None:
        """Play from where it stands; from the start when that is the end."""
        board = self._boards.current
        if self.playing:
            return
        if board is None or not board.panels:
            self._boards.session.tell("There is no panel yet. Add one to the storyboard first.", "warning")
            return
        self._board, self._taps, self._times = board, {}, {}
        if self._second >= starts(board)[-1] - 1 / board.rate:
            self._second = Fraction(0)
        self._begin()
        self._timer.start()
        self.playing_changed.emit(True)
        self._move(self._second)

    def stop(self) -> None:
        """Stop; what was tapped becomes one undo step."""
        if not self.playing:
            return
        self._timer.stop()
        if self._audio is not None:
            self._audio.halt()
        times, taps = self._times, self._taps
        self._times, self._taps = {}, {}
        self.playing_changed.emit(False)
        if times:
            self._boards.edit("Time by tapping", lambda d, b: set_times(d, b.id, times, taps))

    def tap(self) -> None:
        """End the panel that is playing here and now. The last panel's tap ends the board."""
        board = self._board
        if not self.playing or board is None:
            return
        now = Fraction(self._clock.seconds()).limit_denominator(48000)
        place, into = panel_at(board, now)
        panel = board.panels[place]
        seconds = max(into, 1 / board.rate)
        self._times[panel.id], self._taps[panel.id] = seconds, max(now, Fraction(0))
        panels = tuple(replace(p, seconds=seconds) if p.id == panel.id else p for p in board.panels)
        self._board = replace(board, panels=panels)
        self.tapped.emit(panel.id, float(seconds))
        if place == len(panels) - 1:
            self.stop()

    # -- playing ------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        assert self._board is not None
        self._token += 1
        document = sound_document(self._boards.session.document, self._board)
        tracks = document.sequences[document.active_sequence].tracks
        heard = self._sound and any(track.clips for track in tracks)
        self._clock.begin(self._second, 1.0, on_device=heard, token=self._token)
        if heard:
            if self._audio is None:
                from gen2studio.app.audio_output import AudioOutput

                self._audio = AudioOutput(self._clock, self)
                self._audio.lost.connect(self._on_device_lost)
            self._audio.play(PlayPlan(document=document, start=self._second, speed=1.0, token=self._token))
        elif self._audio is not None:
            self._audio.halt()

    def _on_tick(self) -> None:
        if self._board is None:
            self.stop()
            return
        if self._clock.stalled_for() > _STALLED:
            self._on_device_lost(self._token, "The sound device does not play.")
        now, end = Fraction(self._clock.seconds()).limit_denominator(48000), starts(self._board)[-1]
        if now >= end:
            self._move(end)
            self.stop()
        else:
            self._move(now)

    def _move(self, second: Fraction) -> None:
        self._second = second
        self.moved.emit(float(second))

    def _on_device_lost(self, token: int, sentence: str) -> None:
        if token == self._token and self._clock.on_device:
            self._clock.detach()
            self._boards.session.tell(f"{sentence} The animatic plays on without sound.", "warning")

    def _on_board(self, board: object) -> None:
        found = self._boards.current
        if self.playing and (found is None or self._board is None or found.id != self._board.id):
            self._times.clear()
            self.stop()
        if found is None or not found.panels:
            self._second = Fraction(0)
        elif self._second > (end := starts(found)[-1]):
            self._move(end)
