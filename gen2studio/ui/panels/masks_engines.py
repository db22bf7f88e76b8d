"""Choosing the engine that selects, or the one that propagates."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFileDialog, QVBoxLayout, QWidget

from gen2studio.app.mask_editing import MaskEditing

_ADD = "add"
_WORDS = {
    "select": ("Engine for smart select", "Who answers clicks, boxes and scribbles"),
    "track": ("Engine for propagation", "Who carries mattes through the clip"),
}


def with_engines(masks: MaskEditing, task: str, tools: QWidget) -> QWidget:
    """``tools`` with the choice of the engine they work with above them."""
    whole = QWidget(tools.parentWidget())
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(6)
    column.addWidget(EngineBox(masks, task, whole))
    column.addWidget(tools)
    return whole


class EngineBox(QComboBox):
    """A combo box with the engines for one task (``select`` or ``track``); the first row is the program's choice."""

    def __init__(self, masks: MaskEditing, task: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._masks = masks
        self._task = task
        name, self._tip = _WORDS[task]
        self.setObjectName(f"masks.engine_{task}")
        self.setAccessibleName(name)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.activated.connect(self._on_activated)
        masks.engine_choice.changed.connect(self._fill)
        self._fill()

    def showPopup(self) -> None:
        # A model may have been added, or gone away, since.
        self._fill()
        super().showPopup()

    def _fill(self) -> None:
        choice = self._masks.engine_choice
        self.blockSignals(True)
        self.clear()
        best = choice.automatic(self._task)
        self.addItem(f"Automatic: {best.title}" if best is not None else "Automatic", "")
        for info in choice.infos(self._task):
            self.addItem(info.title, info.id)
            row = self.count() - 1
            if info.problem:
                self.setItemText(row, f"{info.title} (not usable)")
                self.setItemData(row, info.problem, Qt.ItemDataRole.ToolTipRole)
        if choice.can_add:
            self.insertSeparator(self.count())
            self.addItem("Add a Segment Anything file…", _ADD)
            self.addItem("Add a SAM 2 or SAM 3 folder…", f"{_ADD}_folder")
        self.setCurrentIndex(max(0, self.findData(choice.chosen(self._task))))
        answering = choice.answering(self._task)
        hover = ""
        if self._task == "select" and answering is not None:
            hover = (
                " The outline under the pointer shows what a click selects."
                if answering.previews
                else " This one is too slow to show what a click selects before it is made."
            )
        self.setToolTip(f"{self._tip}.{hover}")
        self.blockSignals(False)

    def _on_activated(self, row: int) -> None:
        data = str(self.itemData(row) or "")
        if data.startswith(_ADD):
            self._fill()
            self._ask(folder=data != _ADD)
        elif not self._masks.attempt(lambda: self._masks.choose_engine(data, self._task)):
            self._fill()

    def _ask(self, *, folder: bool) -> None:
        dialog = QFileDialog(self.window(), "Add a mask model")
        dialog.setObjectName("masks.add_model")
        if folder:
            dialog.setFileMode(QFileDialog.FileMode.Directory)
        else:
            dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
            dialog.setNameFilter("Segment Anything checkpoints (*.pth *.pt)")
        dialog.fileSelected.connect(self._on_file_chosen)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_file_chosen(self, path: str) -> None:
        masks = self._masks
        if masks.attempt(lambda: masks.engine_choice.add_model(Path(path))):
            found = masks.engine_choice.answering("select")
            masks.session.tell(f"{found.title if found is not None else 'The model'} is ready for smart select.")
