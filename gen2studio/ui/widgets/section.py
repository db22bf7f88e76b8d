"""A titled group that folds away."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QToolButton, QVBoxLayout, QWidget

from gen2studio.ui import theme


class Section(QWidget):
    """A heading with a chevron and the content under it."""

    def __init__(
        self, name: str, title: str, content: QWidget, *, open_: bool = True, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName(f"section.{name}")
        self.content = content
        line = QFrame(self)
        line.setProperty("role", "line")
        line.setFixedHeight(1)
        self.heading = QToolButton(self)
        self.heading.setObjectName(f"section.{name}.heading")
        self.heading.setAccessibleName(f"{title} section")
        self.heading.setToolTip(f"Fold or unfold {title}")
        self.heading.setText(title)
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setIconSize(theme.icon_size(12))
        font = self.heading.font()
        font.setBold(True)
        self.heading.setFont(font)
        self.heading.setProperty("role", "section")
        self.heading.clicked.connect(lambda: self.set_open(not self.is_open))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(4)
        layout.addWidget(line)
        layout.addWidget(self.heading, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(content)
        self.is_open = True
        self.set_open(open_)

    def set_open(self, open_: bool) -> None:
        self.is_open = open_
        self.content.setVisible(open_)
        self.heading.setIcon(theme.icon("chevron-down" if open_ else "chevron-right", "text_muted"))
