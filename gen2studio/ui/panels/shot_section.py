"""What a generated shot is: aspect, length, frame rate, and the size and number of frames that come of it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QAction, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import (
    QButtonGroup,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.shots import ShotWish
from gen2studio.core.errors import EditRefused
from gen2studio.document.model import Shot
from gen2studio.document.shots import ASPECTS, nearest_aspect
from gen2studio.ui import theme
from gen2studio.ui.panels.generate_state import PanelState
from gen2studio.ui.widgets.named import action_button, named, note
from gen2studio.ui.widgets.wheel_guard import WheelGuard


class ShotSection(QWidget):
    """Shows the shot under the playhead, or what the next one will be."""

    def __init__(
        self,
        changed: Callable[[ShotWish], object],
        sized: Callable[[ShotWish], Shot],
        new_shot: QAction,
        parent: QWidget | None = None,
    ) -> None:
        """``changed`` is told of every edit; ``sized`` says what shot a wish would become with the chosen model."""
        super().__init__(parent)
        self._changed = changed
        self._sized = sized
        self._quiet = False
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        aspects = QHBoxLayout()
        aspects.setSpacing(3)
        self.aspects: dict[Fraction, QToolButton] = {}
        for title, aspect in ASPECTS.items():
            name = f"shot.aspect.{title.replace(':', 'x')}"
            button = named(QToolButton(self), name, f"Aspect {title}", f"Make the shot {title}")
            button.setText(title)
            button.setIcon(_frame_icon(float(aspect)))
            button.setIconSize(theme.icon_size(22))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setCheckable(True)
            button.setFixedHeight(46)
            button.setMinimumWidth(46)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setProperty("role", "choice")
            button.clicked.connect(lambda _checked=False: self._commit())
            self.aspects[aspect] = button
            self._group.addButton(button)
            aspects.addWidget(button)
        self.seconds = self._field("shot.seconds", "Length", "How long the shot is, in seconds", 0.1, 600, " s", 2)
        self.rate = self._field("shot.rate", "Frame rate", "Frames per second of the shot", 1, 120, " fps", 3)
        lengths = QHBoxLayout()
        for title, field in (("Length", self.seconds), ("Rate", self.rate)):
            label = QLabel(title, self)
            label.setProperty("role", "muted")
            label.setBuddy(field)
            lengths.addWidget(label)
            lengths.addWidget(field, 1)
        self.size_note = note(self, "faint", "shot.size")
        self.new = action_button(new_shot, self)
        self.new.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.new.setProperty("role", "switch")
        foot = QHBoxLayout()
        foot.addWidget(self.size_note, 1)
        foot.addWidget(self.new)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(aspects)
        column.addLayout(lengths)
        column.addLayout(foot)

    def _field(
        self, name: str, title: str, tip: str, low: float, high: float, suffix: str, decimals: int
    ) -> QDoubleSpinBox:
        field = named(QDoubleSpinBox(self), name, title, tip)
        field.setRange(low, high)
        field.setDecimals(decimals)
        field.setSuffix(suffix)
        field.setKeyboardTracking(False)
        field.setMinimumWidth(84)
        WheelGuard(field)
        field.valueChanged.connect(lambda _value: self._commit())
        return field

    @property
    def wish(self) -> ShotWish:
        """What the fields say."""
        aspect = next((a for a, button in self.aspects.items() if button.isChecked()), Fraction(16, 9))
        rate = Fraction(self.rate.value()).limit_denominator(1001)
        return ShotWish(aspect, Fraction(self.seconds.value()).limit_denominator(1000), rate)

    def show_wish(self, wish: ShotWish) -> None:
        """What the next shot will be."""
        self._quiet = True
        nearest = ASPECTS[nearest_aspect(wish.aspect.numerator, wish.aspect.denominator)]
        self.aspects[nearest].setChecked(True)
        self.seconds.setValue(float(wish.seconds))
        self.rate.setValue(float(wish.rate))
        self._quiet = False
        self._tell(wish)

    def show_state(self, state: PanelState) -> None:
        shot = state.shot
        if shot is not None:
            self.show_wish(ShotWish(Fraction(shot.width, shot.height), shot.frames / shot.rate, shot.rate))
            self._describe(shot)

    def _describe(self, shot: Shot) -> None:
        self.size_note.setText(f"{shot.width} × {shot.height} · {shot.frames} frames")

    def _commit(self) -> None:
        if not self._quiet:
            self._tell(self.wish)
            self._changed(self.wish)

    def _tell(self, wish: ShotWish) -> None:
        try:
            self._describe(self._sized(wish))
        except EditRefused as refused:
            self.size_note.setText(str(refused))


def _frame_icon(ratio: float) -> QIcon:
    """A frame of an aspect, in the inks of an icon."""
    icon = QIcon()
    for ink, state in (("text_muted", QIcon.State.Off), ("accent", QIcon.State.On)):
        pixmap = QPixmap(44, 44)
        pixmap.fill(Qt.GlobalColor.transparent)
        width = min(38.0, 30.0 * ratio)
        frame = QRectF(0, 0, width, width / ratio)
        frame.moveCenter(QRectF(pixmap.rect()).center())
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colour(ink), 3))
        painter.drawRoundedRect(frame, 3, 3)
        painter.end()
        pixmap.setDevicePixelRatio(2.0)
        icon.addPixmap(pixmap, QIcon.Mode.Normal, state)
    return icon
