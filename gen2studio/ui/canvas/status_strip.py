"""The line under the picture: what is shown, frame, timecode, colour under the pointer, magnification."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gen2studio.ui import theme

HEIGHT = 24


class StatusStrip(QWidget):
    """Painted in one go, so that playing updates nothing but itself."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("canvas.status")
        self.setAccessibleName("Viewer status")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._shows = ""
        self._place = ""
        self._size = ""
        self._zoom = ""
        self._colour: QColor | None = None
        self._ink = "text_muted"

    def sizeHint(self) -> QSize:
        return QSize(320, HEIGHT)

    def text(self) -> str:
        """Everything in words, for tests and screen readers."""
        colour = self._colour_words() if self._colour is not None else ""
        return "   ".join(part for part in (self._shows, self._place, self._size, colour, self._zoom) if part)

    def tell(self, shows: str, ink: str, place: str, size: str) -> None:
        if (shows, ink, place, size) != (self._shows, self._ink, self._place, self._size):
            self._shows, self._ink, self._place, self._size = shows, ink, place, size
            self.setAccessibleDescription(self.text())
            self.update()

    def tell_zoom(self, zoom: float | None) -> None:
        words = "" if zoom is None else f"{zoom:.0%}" if zoom >= 0.1 else f"{zoom:.1%}"
        if words != self._zoom:
            self._zoom = words
            self.update()

    def tell_colour(self, colour: QColor | None) -> None:
        if colour != self._colour:
            self._colour = colour
            self.update()

    def _colour_words(self) -> str:
        c = self._colour
        return f"{c.red():3d} {c.green():3d} {c.blue():3d}" if c is not None else ""

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colour("panel"))
        painter.fillRect(QRectF(0, 0, self.width(), 1), theme.colour("line"))
        area = QRectF(self.rect()).adjusted(10, 1, -10, 0)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme.fixed_font(9.0))
        metrics = QFontMetricsF(painter.font())
        # From the right: the magnification always has room, the rest goes when the viewer is narrow.
        right = area.right()
        painter.setPen(theme.colour("text"))
        painter.drawText(area, middle | Qt.AlignmentFlag.AlignRight, self._zoom)
        right -= metrics.horizontalAdvance("0000%") + 16
        left = area.left()
        painter.setFont(self.font())
        words = QFontMetricsF(self.font())
        if self._shows:
            dot = QRectF(left, area.center().y() - 3.5, 7, 7)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour(self._ink))
            painter.drawEllipse(dot)
            painter.setPen(theme.colour("text"))
            width = min(words.horizontalAdvance(self._shows) + 2, max(0.0, right - left - 16))
            shown = words.elidedText(self._shows, Qt.TextElideMode.ElideRight, width)
            painter.drawText(QRectF(left + 14, area.top(), width, area.height()), middle, shown)
            left += 14 + width + 18
        painter.setFont(theme.fixed_font(9.0))
        for text, ink in ((self._place, "text"), (self._size, "text_muted")):
            width = metrics.horizontalAdvance(text)
            if text and left + width < right:
                painter.setPen(theme.colour(ink))
                painter.drawText(QRectF(left, area.top(), width + 2, area.height()), middle, text)
                left += width + 18
        if self._colour is not None:
            text = self._colour_words()
            width = metrics.horizontalAdvance(text)
            if left + width + 20 < right:
                spot = right - width
                painter.setPen(theme.colour("text_muted"))
                painter.drawText(QRectF(spot, area.top(), width + 2, area.height()), middle, text)
                painter.setPen(theme.colour("line_strong"))
                painter.setBrush(self._colour)
                painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
                painter.drawRect(QRectF(spot - 18, area.center().y() - 5, 11, 11))
