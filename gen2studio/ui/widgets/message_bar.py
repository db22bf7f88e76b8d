"""One line at the foot of the window where the program speaks: never a modal box, errors stay until read."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from gen2studio.ui import theme

_LOOK = {"info": ("info", "text_muted"), "warning": ("triangle-alert", "warning"), "error": ("circle-alert", "danger")}
_SECONDS = {"info": 6, "warning": 12, "error": 0}


class MessageBar(QFrame):
    """Shows the latest message; information fades after seconds, errors stay until closed or followed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messageBar")
        self.setAccessibleName("Messages")
        self._icon = QLabel(self)
        self._text = QLabel(self)
        self._text.setObjectName("messageBar.text")
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._close = QToolButton(self)
        self._close.setObjectName("messageBar.close")
        self._close.setAccessibleName("Dismiss message")
        self._close.setToolTip("Dismiss this message")
        self._close.setIcon(theme.icon("x", "text_muted"))
        self._close.setIconSize(theme.icon_size(12))
        self._close.clicked.connect(self.clear)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 2, 4, 2)
        layout.setSpacing(theme.SPACING)
        layout.addWidget(self._icon)
        layout.addWidget(self._text, 1)
        layout.addWidget(self._close)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.clear)
        self.severity = ""
        # A fixed height: the window must not shift when a message comes or goes.
        self.setFixedHeight(26)
        self.clear()

    @property
    def text(self) -> str:
        return self._text.text()

    def show_message(self, severity: str, sentence: str) -> None:
        name, ink = _LOOK.get(severity, _LOOK["info"])
        self.severity = severity
        self._icon.setPixmap(theme.icon_pixmap(name, 14, ink, self.devicePixelRatioF()))
        self._text.setText(sentence)
        self._text.setToolTip(sentence)
        self._text.setStyleSheet(f"color: {theme.tokens()[ink if severity != 'info' else 'text']};")
        self._close.show()
        self._timer.stop()
        if seconds := _SECONDS.get(severity, 6):
            self._timer.start(seconds * 1000)

    def clear(self) -> None:
        self._timer.stop()
        self.severity = ""
        self._icon.clear()
        self._text.clear()
        self._text.setToolTip("")
        self._close.hide()
