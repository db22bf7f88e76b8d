"""The diamond that says whether a parameter has keys, and sets one."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QToolButton, QWidget

from gen2studio.ui import theme
from gen2studio.ui.widgets.named import named


def diamond(centre: QPointF, reach: float) -> QPolygonF:
    """The outline of a key, ``reach`` pixels from its centre to its corners."""
    x, y = centre.x(), centre.y()
    return QPolygonF([QPointF(x, y - reach), QPointF(x + reach, y), QPointF(x, y + reach), QPointF(x - reach, y)])


class KeyButton(QToolButton):
    """An outline while there are no keys, an outline in the accent between keys, filled on a key."""

    def __init__(self, name: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, name, f"Key of {title}")
        self._title = title
        self._animated = self._here = False
        self.setFixedSize(20, 20)
        self.setAutoRaise(True)
        self.show_state(animated=False, here=False, possible=False)

    def show_state(self, *, animated: bool, here: bool, possible: bool, why_not: str = "") -> None:
        """``why_not`` says why a key is not possible, where it is not the playhead."""
        self._animated, self._here = animated, here
        self.setEnabled(possible)
        self.setToolTip(
            why_not or "Put the playhead over the clip to set a key"
            if not possible
            else f"Remove the key of {self._title} here"
            if here
            else f"Set a key of {self._title} at the playhead"
        )
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(20, 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = theme.colour("accent" if self._animated else "text_muted" if self.isEnabled() else "text_faint")
        if not self.isEnabled():
            ink.setAlpha(130)
        painter.setPen(QPen(ink, 1.4))
        painter.setBrush(ink if self._here else Qt.BrushStyle.NoBrush)
        painter.drawPolygon(diamond(QPointF(self.rect().center()) + QPointF(0.5, 0.5), 4.6))
        painter.end()
