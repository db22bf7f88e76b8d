"""What an empty panel says: one icon, one sentence, what to do next."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from gen2studio.ui import theme


class EmptyState(QWidget):
    """Centred icon, title, hint and optional button (``button`` is None when no text was given)."""

    def __init__(self, icon: str, title: str, hint: str, button: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        picture = QLabel(self)
        picture.setPixmap(theme.icon_pixmap(icon, 32, "text_faint", self.devicePixelRatioF()))
        picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.title = QLabel(title, self)
        self.title.setProperty("role", "heading")
        self.hint = QLabel(hint, self)
        self.hint.setProperty("role", "muted")
        for label in (self.title, self.hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setWordWrap(True)
            # Lines longer than this are hard to read.
            label.setMaximumWidth(430)
            policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
            # Said by word wrap, and forgotten with each new policy.
            policy.setHeightForWidth(True)
            label.setSizePolicy(policy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(theme.SPACING)
        layout.addStretch(1)
        layout.addWidget(picture)
        for label in (self.title, self.hint):
            line = QHBoxLayout()
            line.addStretch(1)
            line.addWidget(label, 1000)
            line.addStretch(1)
            layout.addLayout(line)
        self.button: QPushButton | None = None
        if button:
            self.button = QPushButton(button, self)
            layout.addWidget(self.button, 0, Qt.AlignmentFlag.AlignCenter)
        layout.addStretch(1)

    def say(self, title: str, hint: str) -> None:
        self.title.setText(title)
        self.hint.setText(hint)
