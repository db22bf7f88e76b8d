"""The bar under the source: its whole length with waveform, marked range and playhead. Drag to scrub."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from gen2studio.app.source_monitor import SourceMonitor
from gen2studio.ui import theme
from gen2studio.ui.source.waves import WaveStrip
from gen2studio.ui.widgets.key_keeper import KEEPS_ARROWS

_GRIP = 5
"""Pixels to either side of a mark that take hold of it."""
_PAD = 6
"""Pixels kept free on both sides, so that a mark at the very end can be taken."""


class SourceBar(QWidget):
    """Follows the monitor; its keys are those of the transport."""

    def __init__(self, source: SourceMonitor, waves: WaveStrip, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("source.bar")
        self.setAccessibleName("Position in the source")
        self.setToolTip("Drag to move through the source; drag a bracket to move In or Out")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(36)
        self.setMouseTracking(True)
        self.setProperty(KEEPS_ARROWS, False)
        self._source = source
        self._waves = waves
        self._held = ""
        source.session.playhead_changed.connect(lambda _frame: self.update())
        source.marks_changed.connect(lambda _media: self.update())
        source.opened.connect(lambda _media: self.update())
        waves.arrived.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(300, 36)

    def _x(self, frame: float) -> float:
        return _PAD + frame / max(1, self._source.length) * (self.width() - 2 * _PAD)

    def _frame(self, x: float) -> int:
        return int((x - _PAD) / max(1, self.width() - 2 * _PAD) * self._source.length)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colour("panel"))
        groove = QRect(_PAD, 5, self.width() - 2 * _PAD, self.height() - 10)
        painter.fillRect(groove, theme.colour("input"))
        source = self._source
        if not source.length:
            return
        marks = source.marks
        start, stop = marks.start or 0, source.length if marks.stop is None else marks.stop
        marked = QRectF(self._x(start), groove.top(), self._x(stop) - self._x(start), groove.height())
        if marks.start is not None or marks.stop is not None:
            painter.fillRect(marked, theme.colour("in_out", 60))
        self._waves.paint(painter, groove)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(theme.colour("in_out"))
        if marks.start is not None:
            self._bracket(painter, self._x(start), groove, 1)
        if marks.stop is not None:
            self._bracket(painter, self._x(stop), groove, -1)
        x = self._x(source.playhead + 0.5)
        painter.setPen(theme.colour("playhead"))
        painter.drawLine(QPointF(x, 2), QPointF(x, self.height() - 3))
        painter.setBrush(theme.colour("playhead"))
        painter.drawPolygon(QPolygonF([QPointF(x - 4, 1), QPointF(x + 4, 1), QPointF(x, 7)]))

    @staticmethod
    def _bracket(painter: QPainter, x: float, groove: QRect, way: int) -> None:
        painter.fillRect(QRectF(x - 1, groove.top(), 2, groove.height()), theme.colour("in_out"))
        for y in (groove.top(), groove.bottom() - 1):
            painter.fillRect(QRectF(x if way > 0 else x - 5, y, 5, 2), theme.colour("in_out"))

    # -- dragging ------------------------------------------------------------------------------------------------------

    def _mark_at(self, x: float) -> str:
        marks = self._source.marks
        if marks.start is not None and abs(self._x(marks.start) - x) <= _GRIP:
            return "in"
        return "out" if marks.stop is not None and abs(self._x(marks.stop) - x) <= _GRIP else ""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton and self._source.length:
            self._source.session.set_shuttle(0.0)
            self._held = self._mark_at(event.position().x()) or "playhead"
            self._drag(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held:
            self._drag(event.position().x())
            return
        near = bool(self._mark_at(event.position().x()))
        self.setCursor(Qt.CursorShape.SizeHorCursor if near else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._held = ""

    def _drag(self, x: float) -> None:
        source, frame = self._source, self._frame(x)
        if self._held == "in":
            stop = source.marks.stop
            source.set_in(min(frame, stop - 1) if stop is not None else frame)
            source.go(source.marks.start or 0)
        elif self._held == "out":
            source.set_out(max(frame, (source.marks.start or 0) + 1))
            source.go((source.marks.stop or 1) - 1)
        else:
            source.go(frame)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()
