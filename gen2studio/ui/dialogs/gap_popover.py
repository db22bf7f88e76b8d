"""A small sheet beside a gap: how the shot that fills it is joined to its neighbours, and what it should show."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.gap_shots import GapShots, Stretch, Way
from gen2studio.core.time import timecode
from gen2studio.document.model import Sequence
from gen2studio.ui.widgets.named import named

_TITLES = {
    Way.BETWEEN: (
        "From one picture to the other",
        "The last picture before is its first frame, the first one behind its last.",
    ),
    Way.EXTEND: ("Go on from the clip before", "Its last frames are continued in their motion."),
    Way.WORDS: ("By words alone", "Joined to nothing."),
}
_WIDTH = 380


class GapPopover(QFrame):
    """Closes itself when it is done or the artist clicks elsewhere."""

    def __init__(
        self, gaps: GapShots, stretch: Stretch, sequence: Sequence, prompt: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("gap.popover")
        self.setAccessibleName("Generate in gap")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFixedWidth(_WIDTH)
        self._gaps, self._stretch = gaps, stretch
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(6)
        title = QLabel("Generate over the range" if stretch.occupied else "Generate in the gap", self)
        title.setProperty("role", "heading")
        seconds = stretch.frames / float(sequence.rate)
        frames = "1 frame" if stretch.frames == 1 else f"{stretch.frames} frames"
        length = QLabel(f"{frames}, {seconds:.2f} s from {timecode(stretch.start, sequence.rate)}", self)
        length.setProperty("role", "muted")
        length.setObjectName("gap.length")
        column.addWidget(title)
        column.addWidget(length)
        column.addSpacing(6)
        self._group = QButtonGroup(self)
        self.choices: dict[Way, QRadioButton] = {}
        best = gaps.best(stretch)
        for way, why_not in gaps.ways(stretch):
            text, tip = _TITLES[way]
            choice = named(QRadioButton(text, self), f"gap.{way.value}", text, tip)
            choice.setEnabled(not why_not)
            choice.setChecked(way is best)
            note = QLabel(why_not or tip, self)
            note.setProperty("role", "muted")
            note.setWordWrap(True)
            note.setContentsMargins(24, 0, 0, 4)
            self._group.addButton(choice)
            self.choices[way] = choice
            column.addWidget(choice)
            column.addWidget(note)
        self.prompt = named(QLineEdit(prompt, self), "gap.prompt", "What the shot shows", "Words for the shot")
        self.prompt.setPlaceholderText("What happens in it (words)")
        column.addSpacing(2)
        column.addWidget(self.prompt)
        column.addSpacing(6)
        row = QHBoxLayout()
        row.setSpacing(8)
        self.lay = named(
            QPushButton("Only lay the shot", self), "gap.lay", "Only lay the shot",
            "Put the empty shot there, to set it up in the generate panel first",
        )  # fmt: skip
        self.generate = named(
            QPushButton("Generate", self), "gap.generate", "Generate", "Put the shot there and queue it (Return)"
        )
        self.generate.setProperty("primary", True)
        row.addStretch(1)
        row.addWidget(self.lay)
        row.addWidget(self.generate)
        column.addLayout(row)
        self.lay.clicked.connect(lambda: self._done(run=False))
        self.generate.clicked.connect(lambda: self._done(run=True))

    @property
    def way(self) -> Way:
        """The chosen way."""
        return next(way for way, choice in self.choices.items() if choice.isChecked())

    def open_at(self, place: QPoint) -> None:
        """Show at a global position, inside the screen."""
        self.adjustSize()
        area = (QGuiApplication.screenAt(place) or self.screen()).availableGeometry()
        size = self.sizeHint()
        left = min(max(area.left() + 8, place.x()), area.right() - self.width() - 8)
        top = place.y() if place.y() + size.height() < area.bottom() - 8 else place.y() - size.height()
        self.move(left, max(area.top() + 8, top))
        self.show()
        self.prompt.setFocus(Qt.FocusReason.PopupFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._done(run=True)
        else:
            super().keyPressEvent(event)

    def _done(self, *, run: bool) -> None:
        way, prompt = self.way, self.prompt.text()
        self.close()
        self._gaps.fill(self._stretch, way, prompt, run)
