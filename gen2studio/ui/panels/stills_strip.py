"""Four stills across the clip: what the look does, before anything long runs. Click one to go to its frame."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QGridLayout, QToolButton, QWidget

from gen2studio.app.generation import Still
from gen2studio.ui import theme
from gen2studio.ui.widgets.pictures import pixmap_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNT = 4


class StillsStrip(QWidget):
    still_chosen = Signal(object)
    """The Still that was clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("stills")
        self.setAccessibleName("Four stills")
        self._stills: tuple[Still, ...] = ()
        self._pictures: list[NDArray[np.uint8] | None] = [None] * COUNT
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.buttons: list[QToolButton] = []
        for index in range(COUNT):
            button = QToolButton(self)
            button.setObjectName(f"still.{index}")
            button.setAccessibleName(f"Still {index + 1}")
            button.setToolTip("Show this still in the viewer and go to its frame")
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setIconSize(QSize(146, 82))
            button.setMinimumSize(QSize(154, 108))
            button.clicked.connect(lambda _checked=False, i=index: self._on_clicked(i))
            layout.addWidget(button, index // 2, index % 2)
            self.buttons.append(button)
        self.show_stills((), Fraction(25))

    def show_stills(self, stills: tuple[Still, ...], rate: Fraction) -> None:
        """Show up to four; ones still being made are drawn as waiting."""
        self._stills = stills
        self.setVisible(bool(stills))
        for index, button in enumerate(self.buttons):
            still = stills[index] if index < len(stills) else None
            button.setVisible(still is not None)
            if still is None:
                self._pictures[index] = None
                continue
            seconds = float(still.frame / rate) if rate else 0.0
            if still.picture is None:
                button.setIcon(theme.icon("loader", "text_faint"))
                button.setText(f"{seconds:.1f} s · working")
                button.setToolTip("This still is being made")
                button.setEnabled(False)
            else:
                if self._pictures[index] is not still.picture:
                    button.setIcon(QIcon(pixmap_of(still.picture, QSize(146, 82), self.devicePixelRatioF())))
                button.setText(f"{seconds:.1f} s · {'taking shape' if still.rough else f'frame {still.frame}'}")
                button.setToolTip("Show this still in the viewer and go to its frame")
                button.setEnabled(True)
            self._pictures[index] = still.picture

    def _on_clicked(self, index: int) -> None:
        if index < len(self._stills) and self._stills[index].picture is not None:
            self.still_chosen.emit(self._stills[index])
