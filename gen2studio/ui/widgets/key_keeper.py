"""Keeps arrow keys for the widget that has the focus, before single-key commands of the window take them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QAbstractSlider, QApplication, QComboBox, QWidget

_KEYS = frozenset(
    {
        Qt.Key.Key_Left,
        Qt.Key.Key_Right,
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_Home,
        Qt.Key.Key_End,
        Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
    }
)

KEEPS_ARROWS = "keepsArrows"
"""Property of other widgets that move something by arrow keys of their own."""
_MOVED_BY_ARROWS = (QAbstractSlider, QAbstractItemView, QComboBox)


class KeyKeeper(QObject):
    """A focused slider, list or combo box moves by its arrow keys; everywhere else they move the playhead.

    It watches the widgets that hold the panels: Qt asks the focused widget about a shortcut first, then what holds it.
    """

    def __init__(self, holders: Sequence[QWidget], parent: QObject) -> None:
        super().__init__(parent)
        # No key arrives before the window is on screen, but thousands of other events do.
        QTimer.singleShot(0, self, lambda: [holder.installEventFilter(self) for holder in holders])

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            focused = QApplication.focusWidget()
            plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
            if plain and event.key() in _KEYS and focused is not None and _keeps(focused):
                event.accept()
                return True
        return False


def _keeps(widget: QWidget) -> bool:
    return isinstance(widget, _MOVED_BY_ARROWS) or bool(widget.property(KEEPS_ARROWS))
