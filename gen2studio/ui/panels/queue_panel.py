"""The queue: what runs, waits and ended; pause, reorder, cancel."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from gen2studio.app.jobs import JobBoard, JobRow
from gen2studio.engine.events import JobState
from gen2studio.engine.requests import Lane
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.in_view import InView
from gen2studio.ui.widgets.queue_row import QueueRow
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


class _Row(QueueRow):
    def __init__(self, board: JobBoard, row: JobRow, parent: QWidget) -> None:
        job = row.job_id
        commands = (
            ("raise", "arrow-up", "Run earlier", lambda: board.shift(job, -1)),
            ("lower", "arrow-down", "Run later", lambda: board.shift(job, 1)),
            ("pause", "pause", "Pause", lambda: board.pause(job)),
            ("resume", "play", "Go on", lambda: board.resume(job)),
            ("cancel", "x", "Cancel; finished frames are kept", lambda: board.cancel(job)),
            ("remove", "x", "Take off the list", lambda: board.remove(job)),
        )
        super().__init__("queue", job, row.label, commands, parent)
        self.show_row(row)

    def show_row(self, row: JobRow) -> None:
        icon, ink, word = _STATE[row.state]
        if row.stopping:
            word = "Stopping at the next frame"
        self.show_state(icon, ink)
        self.label.show_text(row.label)
        self.setToolTip("\n".join((row.label, row.reason, *row.notes)).strip())
        self.bar.setVisible(not row.state.ended)
        self.bar.setRange(0, 1000)
        self.bar.setValue(round(row.progress * 1000))
        parts = [_LANE[row.lane], word]
        if not row.state.ended and row.total:
            parts.append(f"{row.done} of {row.total}")
            if row.eta_seconds is not None:
                parts.append(f"{span(row.eta_seconds)} left")
            if row.estimate and row.estimate.memory_bytes:
                parts.append(f"about {row.estimate.memory_bytes / 2**20:.0f} MB")
        if row.reason:
            parts.append(row.reason)
        self.detail.show_text(" · ".join(parts))
        for name, button in self.buttons.items():
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
        self._in_view = InView(self, self._catch_up)
        self._late = False
        """Rows changed while the panel was behind another tab."""
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
        if self._in_view.behind:
            self._late = True
            return
        self._column.rows[index].show_row(row)
        self._show_clear()

    def _catch_up(self) -> None:
        if self._late:
            self._late = False
            for shown, row in zip(self._column.rows, self._board.rows, strict=True):
                shown.show_row(row)
            self._show_clear()

    def _on_row_removed(self, index: int, _row: JobRow) -> None:
        self._column.remove_row(index)
        self._show_clear()

    def _show_clear(self) -> None:
        self.clear.setEnabled(any(row.state.ended for row in self._board.rows))
