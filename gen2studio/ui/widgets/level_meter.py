"""A level meter: two bars with peak, loudness, held peak and a clip light, on a dBFS scale."""

from __future__ import annotations

import itertools

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QLinearGradient, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gen2studio.app.audio_meters import FLOOR_DB, Reading
from gen2studio.ui import theme

_BAR = 7
_GAP = 2
_LIGHT = 6
_MARKS = (0, -6, -12, -18, -24, -36, -48, -60)
_SCALE = ((-90.0, 0.0), (-60.0, 0.04), (-48.0, 0.14), (-36.0, 0.26), (-24.0, 0.42), (-12.0, 0.66), (0.0, 1.0))
"""dBFS → height, 0…1: closer together where there is nothing to decide (as IEC 60268-18 scales are)."""


def height_of(decibels: float) -> float:
    """Where a level lies on the scale, 0 at its foot … 1 at full scale."""
    for (low, below), (high, above) in itertools.pairwise(_SCALE):
        if decibels <= high:
            return below + (above - below) * max(0.0, (decibels - low) / (high - low))
    return 1.0


class LevelMeter(QWidget):
    """Two bars, left and right. A click puts out the clip lights."""

    cleared = Signal()
    """The artist put out the lights."""

    def __init__(self, name: str, title: str, parent: QWidget | None = None, *, scale: bool = False) -> None:
        """``scale`` writes the decibels beside the bars."""
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(f"Level of {title}")
        self.setToolTip(
            "Level in dBFS: the wide bar is the loudness over 300 ms, the line above it the peak.\n"
            "The light at the top says that a sample reached full scale; click to put it out."
        )
        self._scale = scale
        self._readings = (Reading(), Reading())
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        return QSize(2 * _BAR + _GAP + 2 + (24 if self._scale else 0), 160)

    def minimumSizeHint(self) -> QSize:
        return QSize(self.sizeHint().width(), 80)

    def show_readings(self, left: Reading, right: Reading) -> None:
        """Show what the two bars read."""
        if (left, right) != self._readings:
            self._readings = (left, right)
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.cleared.emit()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        top, foot = _LIGHT + 4.0, self.height() - 1.0
        span = foot - top
        colours = QLinearGradient(QPointF(0, foot), QPointF(0, top))
        for at, ink in ((0.0, "success"), (height_of(-18), "success"), (height_of(-9), "warning"), (1.0, "danger")):
            colours.setColorAt(at, theme.colour(ink))
        for number, reading in enumerate(self._readings):
            left = 1.0 + number * (_BAR + _GAP)
            light = theme.colour("danger") if reading.clipped else theme.colour("line")
            painter.fillRect(QRectF(left, 1, _BAR, _LIGHT - 1), light)
            painter.fillRect(QRectF(left, top, _BAR, span), theme.colour("line"))
            loud = height_of(reading.loud) * span
            painter.fillRect(QRectF(left, foot - loud, _BAR, loud), colours)
            peak = height_of(reading.peak) * span
            if peak > loud:
                painter.save()
                painter.setOpacity(0.45)
                painter.fillRect(QRectF(left + 2, foot - peak, _BAR - 4, peak - loud), colours)
                painter.restore()
            if reading.hold > FLOOR_DB:
                held = foot - height_of(reading.hold) * span
                painter.fillRect(QRectF(left, held, _BAR, 1.5), self._ink(reading.hold))
        if self._scale:
            self._paint_scale(painter, top, span)
        painter.end()

    def _paint_scale(self, painter: QPainter, top: float, span: float) -> None:
        font = theme.fixed_font(6.5)
        painter.setFont(font)
        left = 2 * _BAR + _GAP + 5
        painter.setPen(theme.colour("text_faint"))
        last = -100.0
        for mark in _MARKS:
            at = top + span * (1 - height_of(mark))
            if at - last < painter.fontMetrics().height():
                continue
            last = at
            painter.drawLine(QPointF(left - 3, at), QPointF(left - 1, at))
            place = QRectF(left + 1, at - 6, 20, 12)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, str(abs(mark)))

    @staticmethod
    def _ink(decibels: float) -> QColor:
        return theme.colour("danger" if decibels > -3 else "warning" if decibels > -12 else "success")
