"""The motion brush in the generate panel: which region is painted, and how it moves."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from gen2studio.app.motion_brush import COLOURS, MOST, MotionBrush
from gen2studio.document.look import Look
from gen2studio.ui import theme
from gen2studio.ui.widgets.named import action_button, named, note, text_button
from gen2studio.ui.widgets.value_slider import ValueSlider

_VALUES = (
    ("horizontal", "Horizontal", -10.0, "+ moves to the right, − to the left"),
    ("vertical", "Vertical", -10.0, "+ moves up, − down"),
    ("proximity", "Proximity", -10.0, "+ comes nearer and grows, − goes away"),
    ("ambient", "Ambient", 0.0, "Undirected stirring: leaves, water, hair"),
)


class MotionSection(QWidget):
    """Five coloured regions, the values of the chosen one, and the switch that lets the canvas paint them."""

    def __init__(self, motion: MotionBrush, paint: QAction, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._motion = motion
        self.paint = action_button(paint, self)
        self.paint.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.paint.setProperty("role", "switch")
        self.clear = text_button(
            "motion.clear", "Clear", "trash-2", "Take every region of the motion brush off", motion.clear, self
        )
        top = QHBoxLayout()
        top.addWidget(self.paint)
        top.addStretch(1)
        top.addWidget(self.clear)

        chips = QHBoxLayout()
        chips.setSpacing(4)
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self.chips: list[QToolButton] = []
        for index in range(MOST):
            chip = named(QToolButton(self), f"motion.region.{index + 1}", f"Motion region {index + 1}")
            chip.setCheckable(True)
            chip.setText(str(index + 1))
            chip.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            chip.setIconSize(theme.icon_size(14))
            chip.clicked.connect(lambda _checked=False, i=index: motion.choose(i))
            self._group.addButton(chip)
            self.chips.append(chip)
            chips.addWidget(chip)
        chips.addStretch(1)
        self.remove = text_button(
            "motion.remove", "Remove", "x", "Take the chosen region off", lambda: motion.remove(motion.chosen), self,
            text=False,
        )  # fmt: skip
        chips.addWidget(self.remove)

        self.hint = note(self, name="motion.hint")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addLayout(chips)
        column.addWidget(self.hint)
        self.sliders: dict[str, ValueSlider] = {}
        for field, title, low, tip in _VALUES:
            slider = ValueSlider(
                f"motion.{field}", title, low=low, high=10, default=0, step=0.5, decimals=1,
                tip=f"{tip}, {low:g}…10".replace("-", "−"), compact=True, parent=self,
            )  # fmt: skip
            slider.value_committed.connect(lambda value, f=field: motion.set_value(motion.chosen, f, value))
            self.sliders[field] = slider
            column.addWidget(slider)
        motion.chosen_changed.connect(lambda _index: self._show())
        motion.active_changed.connect(lambda _on: self._show())
        self._show()

    def show_look(self, _look: Look) -> None:
        self._show()

    def _show(self) -> None:
        regions, chosen = self._motion.regions, self._motion.chosen
        for index, chip in enumerate(self.chips):
            there = index < len(regions)
            chip.setIcon(_dot(QColor(*COLOURS[index]), filled=there))
            chip.setEnabled(index <= len(regions))
            chip.setChecked(index == chosen)
            chip.setToolTip(
                f"Region {index + 1}: choose it to paint on it and to set how it moves"
                if there
                else f"Region {index + 1}: choose it and paint to make it"
            )
        region = regions[chosen] if chosen < len(regions) else None
        for field, slider in self.sliders.items():
            slider.setVisible(region is not None)
            if region is not None:
                slider.set_value(float(getattr(region, field)))
        self.remove.setEnabled(region is not None)
        self.clear.setEnabled(bool(regions))
        if region is not None:
            self.hint.hide()
        else:
            self.hint.setText(
                "Paint with the brush on the picture what should move."
                if self._motion.active
                else "Switch on “Paint motion”, then paint on the first frame what should move."
            )
            self.hint.show()


def _dot(colour: QColor, *, filled: bool) -> QIcon:
    ratio = 2.0
    pixmap = QPixmap(28, 28)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = painter.pen()
    pen.setColor(colour)
    pen.setWidthF(1.5)
    painter.setPen(pen)
    painter.setBrush(colour if filled else Qt.BrushStyle.NoBrush)
    painter.drawEllipse(2, 2, 10, 10)
    painter.end()
    return QIcon(pixmap)
