"""The header beside the lane of subtitles."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.document import subtitles
from gen2studio.document.model import Sequence
from gen2studio.ui import theme
from gen2studio.ui.timeline.captions import HEIGHT, CaptionLane
from gen2studio.ui.timeline.headers import WIDTH


class CaptionHeader(QWidget):
    """Name, a button for a new caption at the playhead, and whether captions are drawn into the picture."""

    def __init__(
        self, session: Session, editing: TimelineEditing, lane: CaptionLane, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("timeline_caption_header")
        self.setFixedSize(WIDTH, HEIGHT)
        name = QLabel("Subtitles", self)
        name.setProperty("role", "muted")
        self.add = self._button("plus", "Add a subtitle at the playhead")
        self.add.clicked.connect(lambda: lane.add(session.playhead))
        self.shown = self._button("eye", "Draw subtitles into the picture")
        self.shown.setCheckable(True)
        self.shown.clicked.connect(
            lambda on: editing.perform(
                "Show Subtitles" if on else "Hide Subtitles", lambda s: subtitles.set_style(s, shown=on)
            )
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(11, 0, 5, 2)
        row.setSpacing(0)
        row.addWidget(name, 1)
        row.addWidget(self.add)
        row.addWidget(self.shown)

    def _button(self, icon: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(f"timeline_caption_{icon}")
        button.setAccessibleName(tip)
        button.setToolTip(tip)
        button.setIcon(theme.icon(icon))
        button.setIconSize(QSize(14, 14))
        button.setFixedSize(22, 20)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def show_sequence(self, sequence: Sequence | None) -> None:
        """Follow the document."""
        on = sequence is not None and sequence.subtitle_style.shown
        self.add.setEnabled(sequence is not None)
        self.shown.setEnabled(sequence is not None)
        self.shown.setChecked(on)
        self.shown.setIcon(theme.icon("eye" if on else "eye-off", "text" if on else "text_faint"))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), theme.colour("timeline"))
        painter.fillRect(0, 0, self.width() - 2, HEIGHT - 2, theme.colour("panel"))
        painter.fillRect(0, 0, 3, HEIGHT - 2, theme.colour("clip_subtitle_edge"))
        painter.end()
