"""Keeps arrow keys for the widget that has the focus, before single-key commands of the window take them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QAbstractSlider, QComboBox, QWidget

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


class KeyKeeper(QObject):
    """A focused slider, list or combo box moves by its arrow keys; everywhere else they move the playhead."""

    def __init__(self, root: QWidget) -> None:
        super().__init__(root)
        for kind in (QAbstractSlider, QAbstractItemView, QComboBox):
            for widget in root.findChildren(kind):
                if widget.focusPolicy() != Qt.FocusPolicy.NoFocus:
                    widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
            if plain and event.key() in _KEYS:
                event.accept()
        return False
