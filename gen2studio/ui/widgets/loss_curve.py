"""The loss of a training as a curve: every step faintly, the running mean clearly."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from gen2studio.ui import theme

_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 20, 22
_SMOOTHING = 0.05
"""Part of the whole curve that the running mean looks back over, at least over eight steps."""


def smoothed(losses: Sequence[float]) -> list[float]:
    """Exponential running mean over about 5 % of the curve, without the pull of the start (Adam's correction)."""
    keep = 1.0 - 1.0 / max(8.0, _SMOOTHING * len(losses))
    made: list[float] = []
    mean = 0.0
    for number, loss in enumerate(losses, 1):
        mean = keep * mean + (1 - keep) * loss
        made.append(mean / (1 - keep**number))
    return made


def ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round numbers inside low…high."""
    if high <= low:
        return [low]
    rough = (high - low) / max(1, count)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


class LossCurve(QWidget):
    """Shows (step, loss) points over 0…``total`` steps; the step under the pointer is read out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("customize.curve")
        self.setAccessibleName("Training loss")
        self.setToolTip("How far the model's guesses are off, step by step: falling is learning")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self._steps: list[int] = []
        self._losses: list[float] = []
        self._mean: list[float] | None = None
        self._total = 0
        self._pointer: float | None = None

    def sizeHint(self) -> QSize:
        return QSize(320, 150)

    @property
    def points(self) -> int:
        return len(self._steps)

    def set_points(self, points: Sequence[tuple[int, float]], total: int) -> None:
        """Show another curve."""
        self._steps = [step for step, _ in points]
        self._losses = [loss for _, loss in points]
        self._total = total
        self._moved()

    def add_point(self, step: int, loss: float) -> None:
        self._steps.append(step)
        self._losses.append(loss)
        self._moved()

    def set_total(self, total: int) -> None:
        if total != self._total:
            self._total = total
            self._moved()

    def _moved(self) -> None:
        self._mean = None
        last = self._means()[-1] if self._steps else None
        self.setAccessibleDescription("" if last is None else f"Loss {last:.4f} at step {self._steps[-1]}")
        self.update()

    def _means(self) -> list[float]:
        if self._mean is None:
            self._mean = smoothed(self._losses)
        return self._mean

    # -- painting ------------------------------------------------------------------------------------------------------

    def _plot(self) -> QRectF:
        return QRectF(self.rect()).adjusted(_LEFT, _TOP, -_RIGHT, -_BOTTOM)

    def _range(self) -> tuple[float, float]:
        """Lowest and highest loss shown: a few wild steps don't flatten the rest."""
        ordered = sorted(self._losses)
        low, high = ordered[int(0.02 * (len(ordered) - 1))], ordered[math.ceil(0.98 * (len(ordered) - 1))]
        means = self._means()
        low, high = min(low, *means), max(high, *means)
        margin = (high - low) * 0.08 or abs(high) * 0.1 or 0.1
        return max(0.0, low - margin), high + margin

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("input"))
        painter.drawRoundedRect(QRectF(self.rect()), 5, 5)
        font = painter.font()
        font.setPointSizeF(font.pointSizeF() - 1.5)
        painter.setFont(font)
        plot = self._plot()
        if not self._steps:
            painter.setPen(theme.colour("text_faint"))
            painter.drawText(
                QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter, "The loss curve appears here while it trains."
            )
            return
        low, high = self._range()
        self._draw_axes(painter, plot, low, high)
        painter.setClipRect(plot.adjusted(-1, -1, 1, 1))
        faint = QPen(theme.colour("accent", 70), 1.0)
        self._draw_line(painter, plot, self._losses, low, high, faint)
        self._draw_line(painter, plot, self._means(), low, high, QPen(theme.colour("accent"), 2.0))
        painter.setClipping(False)
        self._draw_readout(painter, plot, low, high)

    def _draw_axes(self, painter: QPainter, plot: QRectF, low: float, high: float) -> None:
        line = QPen(theme.colour("line"), 1.0)
        for value in ticks(low, high, 4):
            y = self._y(value, plot, low, high)
            painter.setPen(line)
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(theme.colour("text_faint"))
            painter.drawText(
                QRectF(0, y - 8, _LEFT - 5, 16),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                f"{value:g}",
            )
        marks = [value for value in ticks(0, self._last(), 5) if value == int(value)]
        for value in marks:
            x = self._x(value, plot)
            place = QRectF(x - 30, plot.bottom() + 3, 60, 16)
            place.moveRight(min(place.right(), self.width() - 2.0))
            painter.drawText(place, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, f"{value:g}")
        painter.setPen(theme.colour("text_muted"))
        painter.drawText(
            QRectF(8, 3, 120, 16), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, "loss by step"
        )

    def _draw_line(
        self, painter: QPainter, plot: QRectF, values: Sequence[float], low: float, high: float, pen: QPen
    ) -> None:
        # More points than pixels are drawn as every n-th: the eye sees no difference, a repaint stays cheap.
        stride = max(1, len(values) // max(1, int(plot.width() * 2)))
        points = [
            QPointF(self._x(self._steps[i], plot), self._y(values[i], plot, low, high))
            for i in range(0, len(values), stride)
        ]
        painter.setPen(pen)
        if len(points) == 1:
            painter.drawEllipse(points[0], 1.5, 1.5)
        else:
            painter.drawPolyline(QPolygonF(points))

    def _draw_readout(self, painter: QPainter, plot: QRectF, low: float, high: float) -> None:
        index = len(self._steps) - 1
        if self._pointer is not None:
            wanted = (self._pointer - plot.left()) / max(1.0, plot.width()) * self._last()
            index = min(range(len(self._steps)), key=lambda i: abs(self._steps[i] - wanted))
            x = self._x(self._steps[index], plot)
            painter.setPen(QPen(theme.colour("line_strong"), 1.0))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
        mean = self._means()[index]
        at = QPointF(self._x(self._steps[index], plot), self._y(mean, plot, low, high))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("accent"))
        painter.drawEllipse(at, 3.0, 3.0)
        painter.setPen(theme.colour("text"))
        painter.drawText(
            QRectF(plot.left(), 3, plot.width(), 16), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
            f"{mean:.3f} at step {self._steps[index]}",
        )  # fmt: skip

    def _last(self) -> float:
        return float(max(self._total, self._steps[-1] if self._steps else 1, 1))

    def _x(self, step: float, plot: QRectF) -> float:
        return plot.left() + plot.width() * step / self._last()

    @staticmethod
    def _y(loss: float, plot: QRectF, low: float, high: float) -> float:
        return plot.bottom() - plot.height() * (loss - low) / max(1e-9, high - low)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pointer = event.position().x()
        self.update()

    def leaveEvent(self, _event: QEvent) -> None:
        self._pointer = None
        self.update()
