"""A titled group that folds away, and builds what it holds when that is first seen."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QToolButton, QVBoxLayout, QWidget

from gen2studio.ui import theme


class Section(QWidget):
    """A heading with a chevron and the content under it.

    ``content`` is a widget, or a function that makes it: then it is made once the section is open and asked for by
    :meth:`set_shown`.
    """

    filled = Signal(object)
    """The content that was just made."""

    def __init__(
        self,
        name: str,
        title: str,
        content: QWidget | Callable[[], QWidget],
        *,
        open_: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName(f"section.{name}")
        self._build = None if isinstance(content, QWidget) else content
        self.content: QWidget | None = content if isinstance(content, QWidget) else None
        self._title = title
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
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 4)
        self._layout.setSpacing(4)
        self._layout.addWidget(line)
        self._layout.addWidget(self.heading, 0, Qt.AlignmentFlag.AlignLeft)
        if self.content is not None:
            self._layout.addWidget(self.content)
        self._wanted = self.content is not None
        self.is_open = True
        self.set_open(open_)

    def set_shown(self, shown: bool) -> None:
        """Show or hide the whole section; what it holds is made when it is first shown open."""
        self._wanted = self._wanted or shown
        self.setVisible(shown)
        if shown and self.is_open:
            self.fill()

    def set_mark(self, mark: str) -> None:
        """A word behind the title that says what is set inside, for sections that are folded."""
        self.heading.setText(f"{self._title}  ·  {mark}" if mark else self._title)

    def set_open(self, open_: bool) -> None:
        self.is_open = open_
        self.heading.setIcon(theme.icon("chevron-down" if open_ else "chevron-right", "text_muted"))
        if open_ and self._wanted:
            self.fill()
        if self.content is not None:
            self.content.setVisible(open_)

    def fill(self) -> None:
        """Make the content now, if it is not there yet."""
        if self._build is None:
            return
        build, self._build = self._build, None
        self.content = build()
        self._layout.addWidget(self.content)
        self.content.setVisible(self.is_open)
        self.filled.emit(self.content)
