"""The eight modes as eight tiles: what to make is one click away, and a mode that nothing serves says what it needs."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QSizePolicy, QToolButton, QWidget

from gen2studio.document.look import Mode
from gen2studio.engine.abilities import MODE_TITLES
from gen2studio.ui import theme
from gen2studio.ui.widgets.key_keeper import KEEPS_ARROWS

_COLUMNS = 4
_TILES = {
    Mode.TEXT_TO_VIDEO: ("type", "Text", "Write a sentence and get a clip."),
    Mode.TEXT_IMAGE_TO_VIDEO: (
        "image-words",
        "Text + Image",
        "Give a picture and a sentence: the picture comes alive as the sentence says.",
    ),
    Mode.IMAGE_TO_VIDEO: ("image-play", "Image", "Give a picture: it comes alive without words."),
    Mode.STYLIZE: ("palette", "Stylization", "Restyle every frame of a clip; its motion and structure stay."),
    Mode.STORYBOARD: ("clapperboard", "Storyboard", "Turn mock-ups on panels into animated shots in one look."),
    Mode.MASK: ("lasso-select", "Mask", "Isolate a subject and change only that; the rest keeps every pixel."),
    Mode.RENDER: ("cuboid", "Render", "Turn an untextured 3D render into a realistic, textured shot."),
    Mode.CUSTOMIZE: (
        "graduation-cap",
        "Customization",
        "Train an adapter on 5–30 pictures of a subject or style, and use it by its word.",
    ),
}


MODE_ICONS = {mode: icon for mode, (icon, _, _) in _TILES.items()}
"""Mode → the icon that stands for it, wherever a shot of it has no picture yet."""


class _Tile(QToolButton):
    """A tile that the arrow keys leave; the window's own arrow keys keep off it (see KeyKeeper)."""

    stepped = Signal(int)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _STEPS.get(Qt.Key(event.key()))
        if step is not None and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            self.stepped.emit(step)
        else:
            super().keyPressEvent(event)


class ModeChooser(QWidget):
    """One checkable tile a mode; the arrow keys move between them."""

    mode_chosen = Signal(object)
    """Mode"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("generate.mode")
        self.setAccessibleName("Mode")
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        group = QButtonGroup(self)
        group.setExclusive(True)
        self.tiles: dict[Mode, QToolButton] = {}
        for index, mode in enumerate(Mode):
            tile = self._tile(mode)
            group.addButton(tile)
            layout.addWidget(tile, index // _COLUMNS, index % _COLUMNS)
            self.tiles[mode] = tile
        for column in range(_COLUMNS):
            layout.setColumnStretch(column, 1)

    def _tile(self, mode: Mode) -> QToolButton:
        icon, title, _ = _TILES[mode]
        tile = _Tile(self)
        tile.setObjectName(f"generate.mode.{mode.value}")
        tile.setAccessibleName(f"{MODE_TITLES[mode.value]} mode")
        tile.setText(title)
        tile.setIcon(theme.icon(icon))
        tile.setIconSize(QSize(20, 20))
        tile.setCheckable(True)
        tile.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        tile.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        tile.setFixedHeight(50)
        tile.setProperty("role", "choice")
        font = tile.font()
        font.setPointSizeF(font.pointSizeF() - 1.3)
        tile.setFont(font)
        tile.setProperty(KEEPS_ARROWS, True)
        tile.stepped.connect(lambda step: self._step(tile, step))
        tile.clicked.connect(lambda: self.mode_chosen.emit(mode))
        return tile

    def show_mode(self, mode: Mode) -> None:
        self.tiles[mode].setChecked(True)

    def show_served(self, reasons: dict[Mode, str]) -> None:
        """``reasons`` says why a mode can't run here; a mode without one can."""
        for mode, tile in self.tiles.items():
            icon, _, tip = _TILES[mode]
            reason = reasons.get(mode, "")
            tile.setIcon(theme.icon(icon, "text_faint" if reason else "text"))
            tile.setToolTip(f"{MODE_TITLES[mode.value]}\n{reason or tip}")

    def _step(self, tile: QToolButton, step: int) -> None:
        order = list(self.tiles.values())
        target = order.index(tile) + step
        if 0 <= target < len(order):
            order[target].setFocus(Qt.FocusReason.OtherFocusReason)
            order[target].click()


_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -_COLUMNS, Qt.Key.Key_Down: _COLUMNS}
