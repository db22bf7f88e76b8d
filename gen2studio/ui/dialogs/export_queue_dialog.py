"""The export queue as a window: what runs, waits and ended; pause, reorder, cancel, show the files."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.export_orders import ExportOrder, OrderState
from gen2studio.app.export_queue import ExportQueue
from gen2studio.app.export_values import ExportProgress
from gen2studio.ui import theme
from gen2studio.ui.panels.queue_panel import span
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.named import named
from gen2studio.ui.widgets.queue_row import QueueRow
from gen2studio.ui.widgets.row_column import RowColumn

_STATE = {
    OrderState.WAITING: ("clock", "band_queued", "Waiting"),
    OrderState.RUNNING: ("loader", "band_running", "Exporting"),
    OrderState.DONE: ("circle-check", "success", "Done"),
    OrderState.CANCELLED: ("ban", "text_muted", "Cancelled"),
    OrderState.FAILED: ("circle-alert", "danger", "Failed"),
}


class ExportQueueDialog(QDialog):
    """Stays open beside the work; closing it stops nothing."""

    def __init__(self, queue: ExportQueue, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("exportQueueDialog")
        self.setWindowTitle("Export queue")
        self.resize(620, 380)
        self._queue = queue
        self.hold = named(QToolButton(self), "export_queue.hold", "Hold the queue", "Begin no further export")
        self.hold.setCheckable(True)
        self.hold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.hold.toggled.connect(queue.hold)
        self.clear = named(
            QToolButton(self),
            "export_queue.clear",
            "Clear ended",
            "Take finished, cancelled and failed exports off the list",
        )
        self.clear.setText("Clear ended")
        self.clear.clicked.connect(queue.clear_ended)
        top = QHBoxLayout()
        top.addWidget(self.hold)
        top.addStretch(1)
        top.addWidget(self.clear)
        self.empty = EmptyState(
            "download",
            "Nothing to export",
            "Exports added to the queue wait here, and go on after a restart.",
            "",
            self,
        )
        self._column = RowColumn[_Row](self.empty, 4, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 12, 14, 14)
        layout.setSpacing(8)
        layout.addLayout(top)
        layout.addWidget(self._column, 1)
        queue.added.connect(self._on_added)
        queue.changed.connect(self._on_changed)
        queue.removed.connect(self._on_removed)
        queue.moved.connect(self._column.move_row)
        queue.progressed.connect(self._on_progressed)
        queue.held_changed.connect(self._show_held)
        queue.open()
        for index, order in enumerate(queue.orders if not self._column.rows else ()):
            self._on_added(index, order)
        self._show_held(queue.held)
        self._show_clear()

    def _show_held(self, held: bool) -> None:
        self.hold.setChecked(held)
        self.hold.setIcon(theme.icon("play" if held else "pause"))
        self.hold.setText(" Go on" if held else " Hold the queue")

    def _on_added(self, index: int, order: ExportOrder) -> None:
        self._column.insert_row(index, _Row(self._queue, order, self))
        self._show_clear()

    def _on_changed(self, index: int, order: ExportOrder) -> None:
        self._column.rows[index].show_order(order)
        self._show_clear()

    def _on_removed(self, index: int, _order: ExportOrder) -> None:
        self._column.remove_row(index)
        self._show_clear()

    def _on_progressed(self, order_id: str, progress: ExportProgress) -> None:
        for row in self._column.rows:
            if row.order_id == order_id:
                row.show_progress(progress)

    def _show_clear(self) -> None:
        self.clear.setEnabled(any(order.state.ended for order in self._queue.orders))


class _Row(QueueRow):
    def __init__(self, queue: ExportQueue, order: ExportOrder, parent: QWidget) -> None:
        self.order_id = order.id
        self._queue = queue
        self._order = order
        commands = (
            ("raise", "arrow-up", "Export earlier", lambda: queue.shift(order.id, -1)),
            ("lower", "arrow-down", "Export later", lambda: queue.shift(order.id, 1)),
            ("pause", "pause", "Pause", lambda: queue.pause(order.id)),
            ("resume", "play", "Go on", lambda: queue.resume(order.id)),
            ("retry", "rotate-cw", "Export again", lambda: queue.retry(order.id)),
            ("reveal", "folder-open", "Open its folder", self._on_reveal),
            ("cancel", "circle-stop", "Cancel; nothing of it is kept", lambda: queue.cancel(order.id)),
            ("remove", "x", "Take off the list; its files stay", lambda: queue.remove(order.id)),
        )
        super().__init__("export_queue", order.id, order.title, commands, parent)
        self.show_order(order)

    def show_order(self, order: ExportOrder) -> None:
        self._order = order
        icon, ink, word = _STATE[order.state]
        running = order.id == self._queue.running
        paused = running and self._queue.paused
        if paused:
            icon, ink, word = "pause", "warning", "Paused"
        self.show_state(icon, ink)
        self.label.show_text(order.title)
        self.setToolTip("\n".join((str(order.settings.path), *order.paths[1:], order.sentence)).strip())
        self.bar.setVisible(running)
        if running and self._queue.progress(order.id) is None:
            self.bar.setRange(0, 0)
        self.detail.show_text(" · ".join(part for part in (word, order.sentence) if part))
        waiting, ended = order.state is OrderState.WAITING, order.state.ended
        shown = {
            "raise": waiting, "lower": waiting, "pause": running and not paused, "resume": paused,
            "retry": ended and order.state is not OrderState.DONE, "reveal": order.state is OrderState.DONE,
            "cancel": not ended, "remove": ended,
        }  # fmt: skip
        for name, button in self.buttons.items():
            button.setVisible(shown[name])

    def show_progress(self, progress: ExportProgress) -> None:
        self.bar.setRange(0, max(1, progress.total))
        self.bar.setValue(progress.done)
        left = f"{span(progress.seconds_left)} left" if progress.seconds_left is not None else ""
        parts = (
            "Exporting",
            f"{progress.done} of {progress.total}",
            f"{progress.frames_per_second:.1f} a second",
            left,
            f"{progress.kept} kept" if progress.kept else self._order.sentence,
        )
        self.detail.show_text(" · ".join(part for part in parts if part))

    def _on_reveal(self) -> None:
        if self._order.paths:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(self._order.paths[0]).parent)))
