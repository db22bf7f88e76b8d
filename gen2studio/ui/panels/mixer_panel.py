"""The mixer: a strip for each audio track and one for the sum, with meter, fader, balance, mute and solo."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QMouseEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.audio_meters import Ballistics, MeterTap
from gen2studio.app.audio_mix import MASTER, Level
from gen2studio.app.file_job import FileJob
from gen2studio.app.loudness_job import loudness_job
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.document import edits_tracks
from gen2studio.document.model import Document, Sequence, Track
from gen2studio.ui import theme
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.in_view import InView
from gen2studio.ui.widgets.level_meter import LevelMeter
from gen2studio.ui.widgets.middle_slider import MiddleSlider
from gen2studio.ui.widgets.named import named
from gen2studio.ui.widgets.retire import retire
from gen2studio.ui.widgets.wheel_guard import WheelGuard

_STEPS = 1000
_TRAVEL = ((0, -96.0), (60, -60.0), (200, -40.0), (400, -20.0), (600, -10.0), (800, 0.0), (_STEPS, 12.0))
"""Fader position → dB: fine around 0 dB, where mixing is done."""
_TICK_MS = 33
_STRIP = 78


def fader_gain(position: int) -> float:
    """dB of a fader position (0…1000), in tenths."""
    for (low, below), (high, above) in itertools.pairwise(_TRAVEL):
        if position <= high:
            return round(below + (above - below) * (position - low) / (high - low), 1)
    return _TRAVEL[-1][1]


def fader_position(gain_db: float) -> int:
    """The fader position of a gain."""
    for (low, below), (high, above) in itertools.pairwise(_TRAVEL):
        if gain_db <= above:
            return max(0, round(low + (high - low) * (gain_db - below) / (above - below)))
    return _STEPS


def gain_text(gain_db: float) -> str:
    """``0.0``, ``−6.5``, ``−∞``."""
    return "−∞" if gain_db <= -96 else f"{gain_db:+.1f}".replace("-", "−").replace("+0.0", "0.0")


class Fader(QSlider):
    """A vertical gain fader with a mark at 0 dB; a double click goes there."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)
        self.setRange(0, _STEPS)
        self.setPageStep(50)
        self.setSingleStep(5)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        WheelGuard(self)

    def sizeHint(self) -> QSize:
        return QSize(24, 160)

    def minimumSizeHint(self) -> QSize:
        return QSize(24, 80)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.setValue(fader_position(0.0))

    def paintEvent(self, _event: QPaintEvent) -> None:
        from PySide6.QtWidgets import QStyle, QStyleOptionSlider

        option = QStyleOptionSlider()
        self.initStyleOption(option)
        handle = QRectF(
            self.style().subControlRect(
                QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, self
            )
        )
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        middle = self.width() / 2
        painter.setBrush(theme.colour("line_strong"))
        painter.drawRoundedRect(QRectF(middle - 2, 2, 4, self.height() - 4), 2, 2)
        reach = self.height() - handle.height()
        zero = handle.height() / 2 + reach * (1 - fader_position(0.0) / _STEPS)
        painter.setBrush(theme.colour("text_faint"))
        painter.drawRect(QRectF(middle - 9, zero - 0.5, 18, 1))
        here = handle.height() / 2 + reach * (1 - self.value() / _STEPS)
        enabled = self.isEnabled()
        painter.setBrush(theme.colour("raised" if enabled else "line"))
        painter.setPen(theme.colour("accent" if self.hasFocus() else "text_muted"))
        painter.drawRoundedRect(QRectF(middle - 9, here - 6, 18, 12), 3, 3)
        painter.drawLine(round(middle - 5), round(here), round(middle + 5), round(here))
        painter.end()


class Strip(QFrame):
    """One track, or the sum when ``track_id`` is empty."""

    gain_moved = Signal(str, float)
    pan_moved = Signal(str, float)
    muted = Signal(str, bool)
    soloed = Signal(str, bool)

    def __init__(self, track_id: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.track_id = track_id
        key = track_id or "master"
        self.setObjectName(f"mixer.strip.{key}")
        self.setFixedWidth(_STRIP)
        self._filling = False
        self.bars = (Ballistics(), Ballistics())
        self.name = ElidedLabel(parent=self)
        self.name.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.name.setProperty("role", "heading" if not track_id else "")
        self.meter = LevelMeter(f"mixer.meter.{key}", "the sum" if not track_id else "a track", self, scale=True)
        self.meter.cleared.connect(self._on_cleared)
        self.value = QLabel(self)
        self.value.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.value.setFont(theme.fixed_font(8))
        self.value.setProperty("role", "muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(6)
        layout.addWidget(self.name)
        middle = QHBoxLayout()
        middle.setSpacing(4)
        if track_id:
            self._make_controls(key, layout, middle)
        else:
            self.limiter = named(
                QToolButton(self), "mixer.limiter", "Limiter", "Hold the sum below −1 dBTP, in preview and export"
            )
            self.limiter.setText("Limit")
            self.limiter.setCheckable(True)
            self.loudness = named(
                QToolButton(self), "mixer.loudness", "Measure loudness",
                "Measure the timeline from in to out by EBU R 128: LUFS, range and true peak. Press again to stop",
            )  # fmt: skip
            self.loudness.setText("LUFS")
            self.loudness.setCheckable(True)
            for button in (self.loudness, self.limiter):
                button.setFixedSize(52, 22)
                layout.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
            middle.addStretch(1)
        middle.addWidget(self.meter)
        if not track_id:
            middle.addStretch(1)
        layout.addLayout(middle, 1)
        layout.addWidget(self.value)

    def _make_controls(self, key: str, layout: QVBoxLayout, middle: QHBoxLayout) -> None:
        self.pan = named(MiddleSlider(self), f"mixer.pan.{key}", "Balance", "Left or right; double-click to centre")
        self.pan.setRange(-100, 100)
        self.pan.setFixedHeight(20)
        self.pan.valueChanged.connect(self._on_pan)
        self.pan.installEventFilter(self)
        WheelGuard(self.pan)
        self.mute = named(QToolButton(self), f"mixer.mute.{key}", "Mute", "Silence this track")
        self.mute.setText("M")
        self.solo = named(QToolButton(self), f"mixer.solo.{key}", "Solo", "Hear only the tracks that are solo")
        self.solo.setText("S")
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        for button, moved in ((self.mute, self.muted), (self.solo, self.soloed)):
            button.setCheckable(True)
            button.setFixedSize(28, 22)
            button.clicked.connect(lambda on, moved=moved: moved.emit(self.track_id, on))
            buttons.addWidget(button)
        self.fader = named(
            Fader(self),
            f"mixer.fader.{key}",
            "Gain",
            "Gain of the track in dB; double-click for 0 dB, arrows for steps",
        )
        self.fader.valueChanged.connect(self._on_fader)
        layout.addWidget(self.pan)
        layout.addLayout(buttons)
        middle.addWidget(self.fader)

    def eventFilter(self, watched: object, event: object) -> bool:
        twice = isinstance(event, QMouseEvent) and event.type() is QMouseEvent.Type.MouseButtonDblClick
        if twice and watched is getattr(self, "pan", None):
            self.pan.setValue(0)
        return twice

    def show_track(self, track: Track) -> None:
        """Show a track's facts."""
        self._filling = True
        self.name.show_text(track.name)
        self.setToolTip(track.name)
        self.fader.setValue(fader_position(track.gain_db))
        self.pan.setValue(round(track.pan * 100))
        self.mute.setChecked(track.muted)
        self.solo.setChecked(track.solo)
        self.value.setText(f"{gain_text(track.gain_db)} dB")
        self._filling = False

    def step(self, level: Level, seconds: float) -> bool:
        """Let the bars follow ``level``; False when they have come to rest."""
        readings = [
            bar.step(peak, power, seconds) for bar, peak, power in zip(self.bars, level.peak, level.power, strict=True)
        ]
        self.meter.show_readings(readings[0], readings[1])
        if not self.track_id:
            loudest = max(reading.hold for reading in readings)
            self.value.setText("" if loudest <= -90 else f"{gain_text(round(loudest, 1))} dB")
        return not all(bar.resting for bar in self.bars)

    def _on_cleared(self) -> None:
        for bar in self.bars:
            bar.reset()
        self.meter.show_readings(self.bars[0].reading, self.bars[1].reading)

    def _on_fader(self, position: int) -> None:
        if not self._filling:
            self.gain_moved.emit(self.track_id, fader_gain(position))

    def _on_pan(self, value: int) -> None:
        if not self._filling:
            self.pan_moved.emit(self.track_id, value / 100)


class MixerPanel(QWidget):
    """Follows the active sequence. Every change is an edit of the document, one undo step a gesture."""

    def __init__(self, editing: TimelineEditing, tap: MeterTap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("mixerPanel")
        self._editing = editing
        self._tap = tap
        self._strips: dict[str, Strip] = {}
        self._shown: Sequence | None = None
        self._gesture = 0
        self._at = time.perf_counter()
        self.master = Strip("", self)
        self.master.name.show_text("Master")
        self.master.limiter.clicked.connect(self._on_limiter)
        self.master.loudness.clicked.connect(self._on_loudness)
        self._measuring: FileJob | None = None
        inside = QWidget(self)
        self._column = QHBoxLayout(inside)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addStretch(1)
        self._scroll = QScrollArea(self)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(inside)
        self.empty = EmptyState("sliders-horizontal", "No sound yet", "Each audio track has its fader here.", "", self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(self.empty, 1)
        layout.addWidget(self._scroll, 1)
        layout.addWidget(self.master)
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._on_tick)
        self._view = InView(self, self._show)
        self._view.changed.connect(lambda _front: self._follow())
        editing.session.store.changed.connect(self._on_document_changed)
        editing.session.store.replaced.connect(lambda _new: self._show())
        self._show()

    # -- the document --------------------------------------------------------------------------------------------------

    def _on_document_changed(self, _old: Document, new: Document) -> None:
        if new.sequence is not self._shown and self._view.now:
            self._show()

    def _show(self) -> None:
        sequence = self._editing.session.sequence
        self._shown = sequence
        tracks = sequence.audio_tracks if sequence is not None else ()
        if list(self._strips) != [track.id for track in tracks]:
            self._arrange(tracks)
        for track in tracks:
            self._strips[track.id].show_track(track)
        self.master.limiter.setChecked(sequence is not None and sequence.limiter)
        self.empty.setVisible(not tracks)
        self._scroll.setVisible(bool(tracks))
        self.master.setVisible(bool(tracks))

    def _arrange(self, tracks: tuple[Track, ...]) -> None:
        wanted = [track.id for track in tracks]
        for track_id in [key for key in self._strips if key not in wanted]:
            strip = self._strips.pop(track_id)
            self._column.removeWidget(strip)
            retire(strip)
        for index, track_id in enumerate(wanted):
            strip = self._strips.get(track_id)
            if strip is None:
                strip = Strip(track_id, self)
                strip.gain_moved.connect(self._on_gain)
                strip.pan_moved.connect(self._on_pan)
                strip.muted.connect(self._on_muted)
                strip.soloed.connect(self._on_soloed)
                strip.fader.sliderPressed.connect(self._begin_gesture)
                strip.pan.sliderPressed.connect(self._begin_gesture)
                self._strips[track_id] = strip
            self._column.removeWidget(strip)
            self._column.insertWidget(index, strip)
        self._strips = {track_id: self._strips[track_id] for track_id in wanted}

    def _begin_gesture(self) -> None:
        self._gesture += 1

    def _edit(self, label: str, edit: Callable[[Sequence], Sequence], merge: str = "") -> None:
        if not self._editing.perform(label, edit, f"{merge}.{self._gesture}" if merge else ""):
            # Refused or nothing changed: show what is.
            self._show()

    def _on_gain(self, track_id: str, gain_db: float) -> None:
        self._edit(
            "Change track gain", lambda s: edits_tracks.set_track_gain(s, track_id, gain_db), f"track_gain.{track_id}"
        )

    def _on_pan(self, track_id: str, pan: float) -> None:
        self._edit("Change balance", lambda s: edits_tracks.set_track_pan(s, track_id, pan), f"track_pan.{track_id}")

    def _on_muted(self, track_id: str, muted: bool) -> None:
        self._edit("Mute track" if muted else "Unmute track", lambda s: edits_tracks.set_muted(s, track_id, muted))

    def _on_soloed(self, track_id: str, solo: bool) -> None:
        self._edit("Solo track" if solo else "End solo", lambda s: edits_tracks.set_solo(s, track_id, solo))

    def _on_limiter(self, on: bool) -> None:
        self._edit("Switch limiter", lambda s: edits_tracks.set_limiter(s, on))

    # -- loudness ------------------------------------------------------------------------------------------------------

    def _on_loudness(self, on: bool) -> None:
        if self._measuring is not None:
            self._measuring.cancel()
            return
        if not on:
            return
        self._measuring = loudness_job(self._editing.session.document, self)
        self._measuring.finished.connect(lambda sentence: self._measured(str(sentence), "info"))
        self._measuring.failed.connect(lambda sentence: self._measured(sentence, "error"))
        self._measuring.cancelled.connect(lambda: self._measured("", "info"))
        self._measuring.start()

    def _measured(self, sentence: str, severity: str) -> None:
        if self._measuring is not None:
            self._measuring.wait()
            self._measuring.deleteLater()
            self._measuring = None
        self.master.loudness.setChecked(False)
        if sentence:
            self._editing.session.tell(sentence, severity)

    def shutdown(self) -> None:
        """Stop measuring. Safe to call twice."""
        if self._measuring is not None:
            self._measuring.cancel()
            self._measured("", "info")

    # -- the meters ----------------------------------------------------------------------------------------------------

    def _on_tick(self) -> None:
        now = time.perf_counter()
        seconds, self._at = now - self._at, now
        levels = self._tap.take()
        for strip in (*self._strips.values(), self.master):
            strip.step(levels.get(strip.track_id or MASTER, Level()), seconds)

    def _follow(self) -> None:
        """Measure and show while somebody sees it."""
        self._tap.wanted = self._view.now
        if self._view.now:
            self._show()
            self._at = time.perf_counter()
            self._timer.start()
        else:
            self._timer.stop()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._follow()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._tap.wanted = False
        self._timer.stop()
