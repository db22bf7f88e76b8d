"""Colour and pattern of a region edit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QColorDialog,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QWidget,
)

from gen2studio.document.look import Pattern
from gen2studio.ui import theme
from gen2studio.ui.widgets.value_slider import ValueSlider
from gen2studio.ui.widgets.wheel_guard import WheelGuard

KINDS = (
    ("", "From the words above"),
    ("none", "Plain colour"),
    ("spots", "Spots"),
    ("stripes", "Stripes"),
    ("plaid", "Plaid"),
    ("swatch", "Swatch image…"),
)


class ColourButton(QToolButton):
    """A chip that opens the colour dialog."""

    colour_chosen = Signal(object)
    """(r, g, b)"""

    def __init__(self, name: str, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setToolTip(f"{title}: click to choose")
        self.setFixedSize(40, 24)
        self._rgb = (0, 0, 0)
        self.clicked.connect(self._on_clicked)

    def set_colour(self, rgb: tuple[int, int, int]) -> None:
        self._rgb = rgb
        pixmap = QPixmap(28, 14)
        pixmap.fill(QColor(*rgb))
        self.setIcon(QIcon(pixmap))
        self.setIconSize(pixmap.size())

    def _on_clicked(self) -> None:
        dialog = QColorDialog(QColor(*self._rgb), self)
        dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
        dialog.setWindowTitle(self.accessibleName())
        dialog.colorSelected.connect(lambda c: self.colour_chosen.emit((c.red(), c.green(), c.blue())))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()


class PatternEditor(QWidget):
    """Emits the whole :class:`Pattern` (or None for "from the words") when something is chosen."""

    pattern_chosen = Signal(object)

    def __init__(self, set_swatch: Callable[[Path | bytes], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pattern")
        self._set_swatch = set_swatch
        self._pattern: Pattern | None = None
        self.kind = QComboBox(self)
        self.kind.setObjectName("pattern.kind")
        self.kind.setAccessibleName("Pattern")
        self.kind.setToolTip("What the subject is covered with")
        WheelGuard(self.kind)
        for value, title in KINDS:
            self.kind.addItem(title, value)
        self.base = ColourButton("pattern.base", "Base colour", self)
        self.ink = ColourButton("pattern.ink", "Pattern colour", self)
        self.swap = QPushButton("Swap", self)
        self.swap.setObjectName("pattern.swap")
        self.swap.setAccessibleName("Swap base and pattern colour")
        self.swap.setToolTip("Swap base and pattern colour")
        self.swap.setIcon(theme.icon("arrow-left-right"))
        colours = QHBoxLayout()
        colours.addWidget(self.base)
        colours.addWidget(self.ink)
        colours.addWidget(self.swap)
        colours.addStretch(1)
        self.scale = ValueSlider(
            "pattern.scale", "Pattern size", low=0.25, high=4.0, default=1.0, step=0.05, unit="×",
            tip="Size of a motif; 1 is about a 24th of the picture height", logarithmic=True, parent=self,
        )  # fmt: skip
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Cover with", self.kind)
        form.addRow("Colours", colours)
        form.addRow(self.scale)
        self.kind.activated.connect(self._on_kind_chosen)
        self.base.colour_chosen.connect(lambda rgb: self._emit(base=rgb))
        self.ink.colour_chosen.connect(lambda rgb: self._emit(ink=rgb))
        self.scale.value_committed.connect(lambda v: self._emit(scale=v))
        self.swap.clicked.connect(self._on_swap)
        self.set_pattern(None)

    def set_pattern(self, pattern: Pattern | None) -> None:
        self._pattern = pattern
        shown = pattern or Pattern()
        self.kind.setCurrentIndex(self.kind.findData(pattern.kind if pattern else ""))
        self.base.set_colour(shown.base)
        self.ink.set_colour(shown.ink)
        self.scale.set_value(shown.scale)
        kind = pattern.kind if pattern else ""
        self.base.setEnabled(kind in ("none", "spots", "stripes", "plaid"))
        self.ink.setEnabled(kind in ("spots", "stripes", "plaid"))
        self.swap.setEnabled(kind in ("spots", "stripes", "plaid"))
        self.scale.setEnabled(kind in ("spots", "stripes", "plaid", "swatch"))

    def _emit(self, **changes: object) -> None:
        self.pattern_chosen.emit(replace(self._pattern or Pattern(), **changes))  # pyright: ignore[reportArgumentType]

    def _on_swap(self) -> None:
        shown = self._pattern or Pattern()
        self._emit(base=shown.ink, ink=shown.base)

    def _on_kind_chosen(self, index: int) -> None:
        kind = self.kind.itemData(index)
        if kind == "":
            self.pattern_chosen.emit(None)
        elif kind == "swatch":
            dialog = QFileDialog(self, "Choose a swatch", "", "Images (*.png *.jpg *.jpeg *.webp *.tif *.tiff *.bmp)")
            dialog.fileSelected.connect(self._on_swatch_selected)
            dialog.rejected.connect(lambda: self.set_pattern(self._pattern))
            dialog.finished.connect(dialog.deleteLater)
            dialog.open()
        else:
            self._emit(kind=kind)

    def _on_swatch_selected(self, path: str) -> None:
        if digest := self._set_swatch(Path(path)):
            self._emit(kind="swatch", swatch=digest)
        else:
            self.set_pattern(self._pattern)
