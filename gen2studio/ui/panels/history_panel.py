"""The undo history: every step by name; click one to go there."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QShowEvent, QUndoStack
from PySide6.QtWidgets import QUndoView, QVBoxLayout, QWidget

from gen2studio.app import actions_app
from gen2studio.ui import key_tips, theme
from gen2studio.ui.widgets.in_view import InView

_STEPS = tuple(row for row in actions_app.ROWS if row.id in ("edit.undo", "edit.redo"))


class HistoryPanel(QWidget):
    def __init__(self, stack: QUndoStack, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("history")
        self._stack = stack
        self._in_view = InView(self, self._follow)
        # Qt takes no stack as well, its stub does not say so.
        nothing: Any = None
        self._in_view.changed.connect(lambda front: None if front else self.view.setStack(nothing))
        self.view = QUndoView(self)
        self.view.setObjectName("history.list")
        self.view.setAccessibleName("Undo history")
        self.show_keys()
        self.view.setEmptyLabel("Project opened")
        self.view.setCleanIcon(theme.icon("save", "text_muted"))
        self.view.setIconSize(QSize(14, 14))
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.view)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._follow()

    def _follow(self) -> None:
        """List the steps while somebody sees them: a list behind another tab lays itself out with every edit."""
        if not self._in_view.behind and self.view.stack() is not self._stack:
            self.view.setStack(self._stack)

    def show_keys(self) -> None:
        """Name the keys in force."""
        keys = key_tips.first_keys(*_STEPS)
        self.view.setToolTip("Click a step to go back or forward to it" + (f" ({keys})" if keys else ""))
