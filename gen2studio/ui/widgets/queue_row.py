"""One row of a queue: state, name, buttons, progress and a line of details."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QToolButton, QVBoxLayout, QWidget

from gen2studio.ui import theme
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.named import named

Command = tuple[str, str, str, Callable[[], object]]
"""(name, icon, title, what it does) of a button."""


class QueueRow(QFrame):
    """What rows of queues have in common; subclasses say what is shown."""

    def __init__(self, room: str, key: str, title: str, commands: Iterable[Command], parent: QWidget) -> None:
        """Object names are ``room.row.key`` and ``room.<command>.key``; ``title`` is what the row stands for."""
        super().__init__(parent)
        self.setObjectName(f"{room}.row.{key}")
        self.icon = QLabel(self)
        self.icon.setFixedWidth(20)
        self.label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle, parent=self)
        self.detail = ElidedLabel(parent=self)
        self.detail.setProperty("role", "muted")
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(5)
        self.buttons: dict[str, QToolButton] = {}
        """By the name of their command."""
        top = QHBoxLayout()
        top.addWidget(self.icon)
        top.addWidget(self.label, 1)
        for name, icon, tip, run in commands:
            button = named(QToolButton(self), f"{room}.{name}.{key}", f"{tip}: {title}", tip)
            button.setIcon(theme.icon(icon, "text_muted"))
            button.setIconSize(theme.icon_size(14))
            button.clicked.connect(lambda _checked=False, run=run: run())
            self.buttons[name] = button
            top.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self.bar)
        layout.addWidget(self.detail)

    def show_state(self, icon: str, ink: str) -> None:
        """The icon of a state in a theme colour."""
        self.icon.setPixmap(theme.icon_pixmap(icon, 14, ink, self.devicePixelRatioF()))
