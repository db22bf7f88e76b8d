"""Dialogs of timeline edits: which attributes to paste, and subtitle files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QFileDialog, QLabel, QVBoxLayout, QWidget

from gen2studio.app.subtitle_files import SUFFIXES
from gen2studio.app.timeline_editing_clips import ATTRIBUTE_NAMES
from gen2studio.document.edits_attributes import Attribute

if TYPE_CHECKING:
    from gen2studio.app.studio import Studio


def handlers(studio: Studio, window: QWidget) -> dict[str, Callable[..., object]]:
    """The rows of the action table that ask something first."""
    return {
        "timeline.paste_attributes": lambda: ask_attributes(studio, window),
        "subtitle.import": lambda: import_subtitles(studio, window),
        "subtitle.export": lambda: export_subtitles(studio, window),
    }


class PasteAttributesDialog(QDialog):
    """Which of the copied attributes the selected clips get."""

    def __init__(self, offered: frozenset[Attribute], parent: QWidget | None = None) -> None:
        """``offered`` are those that the copied clip has; they are ticked, the others put a plain clip's back."""
        super().__init__(parent)
        self.setObjectName("pasteAttributes")
        self.setWindowTitle("Paste Attributes")
        layout = QVBoxLayout(self)
        told = QLabel("Give the selected clips:", self)
        layout.addWidget(told)
        self._boxes: dict[Attribute, QCheckBox] = {}
        for attribute, name in ATTRIBUTE_NAMES.items():
            box = QCheckBox(name, self)
            box.setObjectName(f"pasteAttributes.{attribute.value}")
            box.setAccessibleName(name)
            has = attribute in offered
            box.setToolTip("As on the copied clip" if has else "The copied clip has none: puts back a plain clip's")
            box.setChecked(has)
            box.toggled.connect(self._on_toggled)
            layout.addWidget(box)
            self._boxes[attribute] = box
        self._buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, self
        )
        paste = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        paste.setText("Paste")
        paste.setObjectName("pasteAttributes.paste")
        paste.setAccessibleName("Paste")
        paste.setToolTip("Paste what is ticked (Enter)")
        cancel = self._buttons.button(QDialogButtonBox.StandardButton.Cancel)
        cancel.setObjectName("pasteAttributes.cancel")
        cancel.setAccessibleName("Cancel")
        cancel.setToolTip("Change nothing (Esc)")
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        layout.addWidget(self._buttons)
        self._on_toggled()

    @property
    def chosen(self) -> frozenset[Attribute]:
        return frozenset(attribute for attribute, box in self._boxes.items() if box.isChecked())

    def _on_toggled(self, _on: bool = False) -> None:
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(bool(self.chosen))


def ask_attributes(studio: Studio, window: QWidget) -> None:
    """Ask which attributes to paste, then paste them."""
    clips = studio.editing.clips
    if not clips.can_paste_attributes:
        studio.session.tell("No attributes were copied. Select a clip and copy its attributes first.", "warning")
        return
    dialog = PasteAttributesDialog(clips.copied_attributes, window)
    dialog.accepted.connect(lambda: clips.paste_attributes(dialog.chosen))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def import_subtitles(studio: Studio, window: QWidget) -> None:
    """Ask for a subtitle file and read it."""
    kinds = " ".join(f"*{suffix}" for suffix in SUFFIXES)
    dialog = QFileDialog(
        window, "Import subtitles", studio.preferences.get("import_folder"), f"Subtitles ({kinds});;All files (*)"
    )
    dialog.setObjectName("subtitleImport.fileDialog")
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(lambda name: _read(studio, Path(name)))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def _read(studio: Studio, path: Path) -> None:
    studio.preferences.set("import_folder", str(path.parent))
    studio.editing.titles.import_subtitles(path)


def export_subtitles(studio: Studio, window: QWidget) -> None:
    """Ask where to, and write the subtitles of the active timeline."""
    sequence = studio.session.sequence
    if sequence is None or not sequence.subtitles:
        studio.session.tell("This timeline has no subtitles to write.", "warning")
        return
    dialog = QFileDialog(window, "Export subtitles", studio.preferences.get("export_folder"), "SubRip (*.srt)")
    dialog.setObjectName("subtitleExport.fileDialog")
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix("srt")
    dialog.selectFile(f"{sequence.name}.srt")
    dialog.fileSelected.connect(lambda name: studio.editing.titles.export_subtitles(Path(name)))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
