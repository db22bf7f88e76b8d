"""The centre of the window: tool bar, canvas, and the strip under it with transport, compare and mask views."""

from __future__ import annotations

from fractions import Fraction

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from gen2studio.app.playback import Player
from gen2studio.app.session import Session
from gen2studio.core.time import timecode
from gen2studio.ui import theme

TRANSPORT = (
    "timeline.go_start", "playback.step_back", "playback.play", "playback.step_forward", "timeline.go_end",
)  # fmt: skip


_ROOMY, _WIDE = 480, 640
"""Widths of the strip from which on it holds the ways to compare, and the length of the timeline."""


class ViewerPanel(QWidget):
    """Holds the canvas; every button is an action of the table."""

    touched = Signal()
    """A button was pressed: the keys are meant for the programme."""

    def __init__(
        self,
        session: Session,
        player: Player,
        canvas: QWidget,
        tool_bar: QWidget,
        actions: dict[str, QAction],
        parent: QWidget | None = None,
        *,
        options: QWidget | None = None,
    ) -> None:
        """``options`` stands over the canvas."""
        super().__init__(parent)
        self.setObjectName("viewerPanel")
        self._session = session
        self.canvas = canvas
        self.setFocusProxy(canvas)
        self.clock = QLabel(self)
        self.clock.setObjectName("viewer.timecode")
        self.clock.setAccessibleName("Timecode")
        self.clock.setToolTip("Playhead position · length of the timeline")
        self.clock.setFont(theme.fixed_font(10.0))
        self.dropped = QLabel(self)
        self.dropped.setObjectName("viewer.dropped")
        self.dropped.setAccessibleName("Dropped frames")
        self.dropped.setProperty("role", "warning")
        self.dropped.setToolTip("Frames that could not be shown in time")

        strip = QFrame(self)
        strip.setObjectName("viewer.strip")
        strip.setProperty("role", "strip")
        row = QHBoxLayout(strip)
        row.setContentsMargins(10, 3, 8, 3)
        row.setSpacing(2)
        row.addWidget(self.clock)
        row.addSpacing(10)
        row.addWidget(self.dropped)
        row.addStretch(1)
        for name in TRANSPORT:
            row.addWidget(self._button(actions[name], strip))
        row.addStretch(1)
        self._compares: list[QToolButton] = []
        for group in (
            ("compare.off", "compare.wipe", "compare.side", "compare.difference", "compare.toggle"),
            ("viewer.programme", "canvas.fit", "canvas.one_to_one"),
        ):
            for name in group:
                if name in actions:
                    row.addWidget(button := self._button(actions[name], strip))
                    if name.startswith("compare."):
                        self._compares.append(button)
            row.addSpacing(8)

        middle = QHBoxLayout()
        middle.setContentsMargins(0, 0, 0, 0)
        middle.setSpacing(0)
        middle.addWidget(tool_bar)
        column = QVBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        if options is not None:
            column.addWidget(options)
        column.addWidget(canvas, 1)
        middle.addLayout(column, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(middle, 1)
        layout.addWidget(strip)
        session.playhead_changed.connect(lambda _frame: self._show_clock())
        session.store.changed.connect(lambda _old, _new: self._show_clock())
        session.store.replaced.connect(lambda _new: self._show_clock())
        player.dropped_changed.connect(self._on_dropped_changed)
        play = actions["playback.play"]
        player.playing_changed.connect(lambda on: play.setIcon(theme.icon("pause" if on else "play")))
        self._show_clock()

    def _button(self, action: QAction, parent: QWidget) -> QToolButton:
        button = QToolButton(parent)
        button.setObjectName(f"viewer.{action.objectName()}")
        button.setAccessibleName(action.text())
        button.setDefaultAction(action)
        button.pressed.connect(self.touched)
        button.setIconSize(theme.icon_size(17))
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return button

    def _show_clock(self) -> None:
        sequence = self._session.sequence
        rate = sequence.rate if sequence else Fraction(25)
        length = sequence.duration if sequence else 0
        here, whole = timecode(self._session.playhead, rate), timecode(length, rate)
        self.clock.setText(f"{here}  /  {whole}" if self.width() >= _WIDE else here)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for button in self._compares:
            button.setVisible(self.width() >= _ROOMY)
        self._show_clock()

    def _on_dropped_changed(self, count: int) -> None:
        self.dropped.setText(f"{count} dropped" if count else "")
