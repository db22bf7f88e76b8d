"""A slider whose range goes both ways: it is filled from zero, so that left and right read as directions."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSlider, QWidget

from gen2studio.ui import theme


class MiddleSlider(QSlider):
    """Drawn by itself; handled as any slider."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)

    def paintEvent(self, _event: QPaintEvent) -> None:
        # With these Python learns six hundred names, and such sliders wait in sections that are closed at the start.
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
        middle = self.rect().center().y() + 0.5
        groove = QRectF(1, middle - 2, self.width() - 2, 4)
        painter.setBrush(theme.colour("line_strong"))
        painter.drawRoundedRect(groove, 2, 2)
        zero, here = self.width() / 2, handle.center().x()
        enabled = self.isEnabled()
        if enabled and abs(here - zero) > 1:
            painter.setBrush(theme.colour("accent"))
            painter.drawRoundedRect(QRectF(min(zero, here), middle - 2, abs(here - zero), 4), 2, 2)
        painter.setBrush(theme.colour("text_faint"))
        painter.drawRect(QRectF(zero - 0.5, middle - 5, 1, 10))
        ink = "text_faint" if not enabled else "accent" if self.hasFocus() else "text"
        painter.setBrush(theme.colour(ink))
        painter.drawEllipse(QRectF(here - 6, middle - 6, 12, 12))
        painter.end()
