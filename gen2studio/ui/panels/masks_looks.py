"""The table of looks by object: every object of the clip, and the background, with what it gets in the next run."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.generation import Generation
from gen2studio.app.look_parts import LookParts, PartRow
from gen2studio.app.mask_editing import MaskEditing
from gen2studio.ui import theme
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.retire import retire_all


class LooksSection(QWidget):
    """One row an object, one for the background; what is off or "As filmed" keeps its pixels."""

    def __init__(
        self, masks: MaskEditing, parts: LookParts, generation: Generation, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("masks.looks_section")
        self._masks, self._parts, self._generation = masks, parts, generation
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.hint = QLabel("", self)
        self.hint.setObjectName("masks.looks.hint")
        self.hint.setProperty("role", "muted")
        self.hint.setWordWrap(True)
        layout.addWidget(self.hint)
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(theme.SPACING)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(2, 1)
        layout.addLayout(self._grid)
        runs = QHBoxLayout()
        self.stills_button = self._button("masks.looks.stills", "Four stills", "Try these looks on four frames.")
        self.stills_button.clicked.connect(generation.make_stills)
        self.run_button = self._button(
            "masks.looks.run", "Generate all", "Make all of these looks in one run, as one take."
        )
        self.run_button.setProperty("primary", True)
        self.run_button.clicked.connect(lambda: generation.run())
        runs.addWidget(self.stills_button, 1)
        runs.addWidget(self.run_button, 1)
        layout.addLayout(runs)
        self.choices: dict[str, QToolButton] = {}
        """Object id (empty = the background) → the button that says and changes its look."""
        self.checks: dict[str, QCheckBox] = {}
        self._shown: tuple[PartRow, ...] | None = None
        parts.changed.connect(self.fill)
        self.fill()

    def _button(self, name: str, words: str, tip: str) -> QPushButton:
        button = QPushButton(words, self)
        button.setObjectName(name)
        button.setAccessibleName(words)
        button.setToolTip(tip)
        return button

    def fill(self) -> None:
        """Show the rows as they are now."""
        rows = self._parts.rows()
        if rows == self._shown:
            return
        self._shown = rows
        retire_all(self._grid)
        self.choices, self.checks = {}, {}
        for line, row in enumerate(rows):
            self._row(line, row)
        active = self._parts.active
        self.stills_button.setEnabled(active)
        self.run_button.setEnabled(active)
        if not rows:
            self.hint.setText("Mask a subject on a clip, then give it a look of its own here.")
        elif active:
            self.hint.setText("One run makes all of these. The look in the Generate panel waits until they are off.")
        else:
            self.hint.setText("Give an object, or the background, a look of its own.")

    def _row(self, line: int, row: PartRow) -> None:
        key = row.object_id or "background"
        check = QCheckBox(self)
        check.setObjectName(f"masks.looks.{key}.enabled")
        check.setAccessibleName(f"Use the look of {row.name}")
        check.setToolTip("Use this look in the next run")
        check.setChecked(row.part is not None and row.part.enabled)
        check.setEnabled(row.part is not None)
        check.clicked.connect(lambda on: self._attempt(lambda: self._parts.set_enabled(row.object_id, on)))
        chip = QLabel(self)
        chip.setPixmap(_chip(row.colour))
        name = ElidedLabel(row.name, parent=self)
        name.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        name.setMinimumWidth(50)
        choice = QToolButton(self)
        choice.setObjectName(f"masks.looks.{key}")
        choice.setAccessibleName(f"Look of {row.name}: {row.words}")
        choice.setToolTip(f"{row.name}: {row.words}\nClick to change")
        choice.setProperty("role", "switch")
        choice.setFixedWidth(168)
        choice.setText(choice.fontMetrics().elidedText(row.words, Qt.TextElideMode.ElideRight, 140))
        choice.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        choice.clicked.connect(lambda: self._open_menu(row, choice))
        for column, widget in enumerate((check, chip, name, choice)):
            self._grid.addWidget(widget, line, column)
            widget.show()
        self.choices[row.object_id], self.checks[row.object_id] = choice, check

    def _open_menu(self, row: PartRow, button: QToolButton) -> None:
        self.menu_of(row).popup(button.mapToGlobal(button.rect().bottomLeft()))

    def menu_of(self, row: PartRow) -> QMenu:
        """What a row can get."""
        parts = self._parts
        menu = QMenu(self)
        menu.setObjectName("masks.looks.menu")
        menu.aboutToHide.connect(menu.deleteLater)

        def add(text: str, command: Callable[[], object], into: QMenu = menu) -> None:
            into.addAction(text).triggered.connect(lambda: self._attempt(command))

        add("Give it the look of the Generate panel", lambda: parts.assign(row.object_id))
        presets = menu.addMenu("Preset")
        for preset in self._generation.catalog.presets():
            add(preset.title, lambda p=preset.id: parts.set_preset(row.object_id, p), presets)
        add("Describe…", lambda: self._ask_prompt(row))
        if row.part is not None:
            menu.addSeparator()
            add("Open in the Generate panel", lambda: parts.open(row.object_id))
            add("As filmed", lambda: parts.clear(row.object_id))
        return menu

    def _ask_prompt(self, row: PartRow) -> None:
        dialog = QInputDialog(self)
        dialog.setObjectName("masks.looks.prompt_dialog")
        dialog.setWindowTitle(f"What {row.name} becomes")
        dialog.setLabelText("Describe it in words:")
        dialog.setTextValue(row.part.look.prompt if row.part is not None else "")
        dialog.textValueSelected.connect(
            lambda words: self._attempt(lambda: self._parts.set_prompt(row.object_id, words))
        )
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _attempt(self, command: Callable[[], object]) -> None:
        self._masks.attempt(command)
        self._shown = None
        self.fill()


def _chip(colour: tuple[int, int, int] | None) -> QPixmap:
    if colour is None:
        return QIcon(theme.icon("image", "text_muted")).pixmap(14, 14)
    pixmap = QPixmap(14, 14)
    pixmap.fill(QColor(*colour))
    return pixmap
