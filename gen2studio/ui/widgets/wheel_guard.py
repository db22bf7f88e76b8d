"""Keeps the wheel from changing values by accident while a panel is scrolled."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QWidget


class WheelGuard(QObject):
    """A wheel over ``widget`` scrolls the panel around it, until the widget was clicked or tabbed into."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        # Qt's own policy would give the widget the focus by the very wheel that is to be kept away.
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        # Building and first showing a panel sends every widget dozens of events, none of them from a wheel.
        QTimer.singleShot(0, self, lambda: widget.installEventFilter(self))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QWheelEvent) and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False
