"""Consolidating a project: where to, how much of the media, and what came of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.consolidating import Consolidated, consolidate
from gen2studio.app.export_values import ExportProgress
from gen2studio.app.file_job import FileJob, Tell
from gen2studio.core.cancel import CancelToken
from gen2studio.ui.dialogs.file_job_dialog import FileJobDialog
from gen2studio.ui.widgets.named import named

if TYPE_CHECKING:
    from gen2studio.app.studio import Studio

_STEPS = 1000


class ConsolidateDialog(FileJobDialog):
    """Writes a copy of the open project with the media its timelines use."""

    verb = "Consolidate"
    noun = "consolidating"

    def __init__(self, studio: Studio, parent: QWidget) -> None:
        super().__init__("consolidateDialog", "Consolidate to new project", "consolidate", parent)
        self._studio = studio
        self.resize(620, 420)
        folder = Path(studio.preferences.get("export_folder") or Path.home())
        self.path = named(
            QLineEdit(str(folder / f"{studio.title} consolidated.g2s"), self),
            "consolidate.path",
            "New project",
            "Where the new project goes; a name ending in .zip.g2s makes one file",
        )
        self.path.textEdited.connect(lambda _text: self.forget_replacing())
        self.browse = named(QPushButton("Browse…", self), "consolidate.browse", "Browse", "Choose where it goes")
        self.browse.clicked.connect(self._on_browse_clicked)
        self.cut = named(
            QCheckBox("Only the stretches that are used", self),
            "consolidate.cut",
            "Only the stretches that are used",
            "Cut footage at key frames, without encoding it again; what can't be cut to the bit is copied whole",
        )
        self.cut.setChecked(True)
        self.handles = named(
            QDoubleSpinBox(self), "consolidate.handles", "Handles", "Seconds kept before and after what is used"
        )
        self.handles.setRange(0, 60)
        self.handles.setDecimals(1)
        self.handles.setSingleStep(0.5)
        self.handles.setValue(1.0)
        self.handles.setSuffix(" s")
        self.cut.toggled.connect(self.handles.setEnabled)
        self.report = named(
            QListWidget(self), "consolidate.report", "What was not cut", "What was copied whole, and why"
        )
        self.report.setWordWrap(True)
        self.report.hide()
        row = QHBoxLayout()
        row.addWidget(self.path, 1)
        row.addWidget(self.browse)
        form = QFormLayout()
        form.addRow("New project", row)
        form.addRow("Media", self.cut)
        form.addRow("Handles", self.handles)
        note = QLabel("This project and its files stay as they are.", self)
        note.setProperty("role", "muted")
        body = QVBoxLayout()
        body.addLayout(form)
        body.addWidget(note)
        body.addWidget(self.report, 1)
        body.addStretch(0)
        self.build_foot(body, "Write the new project", close_tip="Close this window")

    def begin_work(self) -> None:
        target = Path(self.path.text().strip()).expanduser()
        if not target.name or not target.is_absolute():
            self.say("Give the new project a place, with its whole path.", "error")
            return
        target = target if target.suffix == ".g2s" else target.with_name(f"{target.name}.g2s")
        if target.exists():
            self.say(f"“{target.name}” is there already. Choose another name.", "error")
            return
        self._studio.preferences.set("export_folder", str(target.parent))
        project, document = self._studio.project, self._studio.store.document
        handles, cut = Fraction(str(self.handles.value())), self.cut.isChecked()

        def work(cancel: CancelToken, tell: Tell) -> object:
            def part(done: float) -> None:
                tell(ExportProgress(done=round(done * _STEPS), total=_STEPS, frames_per_second=0.0, seconds_left=None))

            return consolidate(project, document, target, handles=handles, cut=cut, cancel=cancel, tell=part)

        self.report.hide()
        self.run_job(FileJob("consolidate", work, self), "Copying media…")

    def progress_text(self, progress: ExportProgress) -> str:
        return f"Copying media… {progress.done * 100 // max(1, progress.total)} %"

    def show_result(self, result: object) -> None:
        assert isinstance(result, Consolidated)
        before, after = result.bytes_before / 1e6, result.bytes_after / 1e6
        self.report.clear()
        self.report.addItems(list(result.sentences))
        self.report.setVisible(bool(result.sentences))
        self.ended(
            f"Wrote {result.path.name}: {after:,.1f} MB of media instead of {before:,.1f} MB.",
            "heading",
            result.path.parent,
        )

    def enable_fields(self, on: bool) -> None:
        for field in (self.path, self.browse, self.cut):
            field.setEnabled(on)
        self.handles.setEnabled(on and self.cut.isChecked())

    def _on_browse_clicked(self) -> None:
        dialog = QFileDialog(self, "New project", self.path.text(), "Gen2 Studio projects (*.g2s)")
        dialog.setObjectName("consolidate.fileDialog")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("g2s")
        dialog.fileSelected.connect(self.path.setText)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
