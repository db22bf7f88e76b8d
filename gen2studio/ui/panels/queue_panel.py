"""The queue: what runs, waits and ended; pause, reorder, cancel."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QToolButton, QVBoxLayout, QWidget

from gen2studio.app.jobs import JobBoard, JobRow
from gen2studio.engine.events import JobState
from gen2studio.engine.requests import Lane
from gen2studio.ui import theme
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.row_column import RowColumn

_STATE = {
    JobState.QUEUED: ("clock", "band_queued", "Waiting"),
    JobState.RUNNING: ("loader", "band_running", "Running"),
    JobState.PAUSED: ("pause", "warning", "Paused"),
    JobState.FINISHED: ("circle-check", "success", "Done"),
    JobState.CANCELLED: ("ban", "text_muted", "Cancelled"),
    JobState.FAILED: ("circle-alert", "danger", "Failed"),
}
_LANE = {Lane.STILLS: "Stills", Lane.MASK: "Mask", Lane.RENDER: "Clip", Lane.PREVIEW: "Preview"}


def span(seconds: float) -> str:
    """``42 s``, ``3 min 05 s``, ``1 h 12 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class _Row(QFrame):
    def __init__(self, board: JobBoard, row: JobRow, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(f"queue.row.{row.job_id}")
        self._board = board
        self._job = row.job_id
        self._icon = QLabel(self)
        self._label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle, parent=self)
        self._detail = ElidedLabel(parent=self)
        self._detail.setProperty("role", "muted")
        self._bar = QProgressBar(self)
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(5)
        self._buttons: dict[str, QToolButton] = {}
        top = QHBoxLayout()
        top.addWidget(self._icon)
        top.addWidget(self._label, 1)
        for name, icon, title, run in (
            ("raise", "arrow-up", "Run earlier", lambda: board.shift(self._job, -1)),
            ("lower", "arrow-down", "Run later", lambda: board.shift(self._job, 1)),
            ("pause", "pause", "Pause", lambda: board.pause(self._job)),
            ("resume", "play", "Go on", lambda: board.resume(self._job)),
            ("cancel", "x", "Cancel; finished frames are kept", lambda: board.cancel(self._job)),
            ("remove", "x", "Take off the list", lambda: board.remove(self._job)),
        ):
            button = QToolButton(self)
            button.setObjectName(f"queue.{name}.{row.job_id}")
            button.setAccessibleName(f"{title}: {row.label}")
            button.setToolTip(title)
            button.setIcon(theme.icon(icon, "text_muted"))
            button.setIconSize(theme.icon_size(14))
            button.clicked.connect(run)
            self._buttons[name] = button
            top.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self._bar)
        layout.addWidget(self._detail)
        self.show_row(row)

    def show_row(self, row: JobRow) -> None:
        icon, ink, word = _STATE[row.state]
        if row.stopping:
            word = "Stopping at the next frame"
        self._icon.setPixmap(theme.icon_pixmap(icon, 14, ink, self.devicePixelRatioF()))
        self._label.show_text(row.label)
        self.setToolTip("\n".join((row.label, row.reason, *row.notes)).strip())
        self._bar.setVisible(not row.state.ended)
        self._bar.setRange(0, 1000)
        self._bar.setValue(round(row.progress * 1000))
        parts = [_LANE[row.lane], word]
        if not row.state.ended and row.total:
            parts.append(f"{row.done} of {row.total}")
            if row.eta_seconds is not None:
                parts.append(f"{span(row.eta_seconds)} left")
            if row.estimate and row.estimate.memory_bytes:
                parts.append(f"about {row.estimate.memory_bytes / 2**20:.0f} MB")
        if row.reason:
            parts.append(row.reason)
        self._detail.show_text(" · ".join(parts))
        for name, button in self._buttons.items():
            button.setVisible(name in row.actions)


class QueuePanel(QWidget):
    def __init__(self, board: JobBoard, pause: QAction, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("queuePanel")
        self._board = board
        hold = QToolButton(self)
        hold.setObjectName("queue.pauseAll")
        hold.setDefaultAction(pause)
        hold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.clear = QToolButton(self)
        self.clear.setObjectName("queue.clear")
        self.clear.setAccessibleName("Clear ended jobs")
        self.clear.setText("Clear ended")
        self.clear.setToolTip("Take finished, cancelled and failed jobs off the list")
        self.clear.clicked.connect(board.clear_ended)
        top = QHBoxLayout()
        top.addWidget(hold)
        top.addStretch(1)
        top.addWidget(self.clear)
        self.empty = EmptyState(
            "list-ordered", "Nothing queued", "Renders and mask jobs wait here; they survive a crash.", "", self
        )
        self._column = RowColumn[_Row](self.empty, 2, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addLayout(top)
        layout.addWidget(self._column, 1)
        board.row_added.connect(self._on_row_added)
        board.row_changed.connect(self._on_row_changed)
        board.row_removed.connect(self._on_row_removed)
        board.row_moved.connect(self._column.move_row)
        for index, row in enumerate(board.rows):
            self._on_row_added(index, row)
        self._show_clear()

    def _on_row_added(self, index: int, row: JobRow) -> None:
        self._column.insert_row(index, _Row(self._board, row, self))
        self._show_clear()

    def _on_row_changed(self, index: int, row: JobRow) -> None:
        self._column.rows[index].show_row(row)
        self._show_clear()

    def _on_row_removed(self, index: int, _row: JobRow) -> None:
        self._column.remove_row(index)
        self._show_clear()

    def _show_clear(self) -> None:
        self.clear.setEnabled(any(row.state.ended for row in self._board.rows))
