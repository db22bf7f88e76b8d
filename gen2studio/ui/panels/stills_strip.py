"""Four stills across the clip: what the look does, before anything long runs. Click one to go to its frame, or let a
shot begin with it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QGridLayout, QPushButton, QToolButton, QWidget

from gen2studio.app.generation import Still
from gen2studio.ui import theme
from gen2studio.ui.widgets.named import named
from gen2studio.ui.widgets.pictures import pixmap_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNT = 4


class StillsStrip(QWidget):
    still_chosen = Signal(object)
    """The Still that was clicked."""
    begin_asked = Signal(object)
    """The Still that the shot is to begin with."""

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
        self._chosen = -1
        self._of_shot = False
        self.begin = named(
            QPushButton(self), "stills.begin", "Begin the shot with this still",
            "The chosen still becomes the first frame, and a video model brings it to life",
        )  # fmt: skip
        self.begin.clicked.connect(self._on_begin)
        layout.addWidget(self.begin, 2, 0, 1, 2)
        self.show_stills((), Fraction(25))

    def show_stills(self, stills: tuple[Still, ...], rate: Fraction, of_shot: bool = False) -> None:
        """Show up to four; ones still being made are drawn as waiting. Those ``of_shot`` may become its first frame."""
        if [still.frame for still in stills] != [still.frame for still in self._stills]:
            self._chosen = -1
        self._stills, self._of_shot = stills, of_shot
        self._show_begin()
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
            self._chosen = index
            self._show_begin()
            self.still_chosen.emit(self._stills[index])

    def _show_begin(self) -> None:
        still = self._stills[self._chosen] if 0 <= self._chosen < len(self._stills) else None
        self.begin.setVisible(self._of_shot and still is not None and still.picture is not None and not still.rough)
        self.begin.setText(f"Begin the shot with still {self._chosen + 1}")

    def _on_begin(self) -> None:
        if 0 <= self._chosen < len(self._stills):
            self.begin_asked.emit(self._stills[self._chosen])
