"""Export: where to, which preset, which range; then progress with the time left, and cancel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QDesktopServices
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.export import ExportJob, ExportProgress, ExportResult, ExportSettings, target_path
from gen2studio.app.preferences import Preferences
from gen2studio.core.errors import StudioError
from gen2studio.core.time import timecode
from gen2studio.document.model import Document
from gen2studio.media.encoder_presets import load_presets, preset_of
from gen2studio.ui import theme
from gen2studio.ui.panels.queue_panel import span


class ExportDialog(QDialog):
    """One export at a time; the window stays usable behind it. The document is the one at the moment of Start."""

    exported = Signal(object)
    """ExportResult"""

    def __init__(
        self,
        document: Callable[[], Document],
        preferences: Preferences,
        name: str,
        take_folder: Callable[[str], Path],
        project_folder: Path,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("exportDialog")
        self.setWindowTitle("Export")
        self.setMinimumWidth(520)
        self._document = document
        self._preferences = preferences
        self._take_folder = take_folder
        self._project_folder = project_folder
        self._job: ExportJob | None = None
        self._result: ExportResult | None = None
        self._replacing: Path | None = None
        """A file the artist was asked about."""

        self.preset = QComboBox(self)
        self.preset.setObjectName("export.preset")
        self.preset.setAccessibleName("Preset")
        self.preset.setToolTip("What kind of file to write")
        for preset in load_presets():
            self.preset.addItem(preset.title, preset.id)
        found = self.preset.findData(preferences.get("export_preset"))
        self.preset.setCurrentIndex(max(0, found))
        self.facts = QLabel(self)
        self.facts.setProperty("role", "muted")
        self.facts.setWordWrap(True)
        self.facts.setAlignment(Qt.AlignmentFlag.AlignTop)
        # Room for two lines from the start: the dialog must not jump, and a form does not grow with its text.
        self.facts.setMinimumHeight(2 * self.facts.fontMetrics().lineSpacing() + 2)
        folder = Path(preferences.get("export_folder") or Path.home())
        self.path = QLineEdit(str(folder / name), self)
        self.path.setObjectName("export.path")
        self.path.setAccessibleName("File to write")
        self.path.setToolTip("Where the film goes; a film of that name is replaced when the export is done")
        browse = QToolButton(self)
        browse.setObjectName("export.browse")
        browse.setAccessibleName("Choose a place")
        browse.setToolTip("Choose a place")
        browse.setIcon(theme.icon("folder-open"))
        browse.clicked.connect(self._on_browse_clicked)
        place = QHBoxLayout()
        place.addWidget(self.path, 1)
        place.addWidget(browse)
        self.whole = QRadioButton("Whole timeline", self)
        self.whole.setObjectName("export.whole")
        self.marked = QRadioButton("In to out", self)
        self.marked.setObjectName("export.marked")
        group = QButtonGroup(self)
        group.addButton(self.whole)
        group.addButton(self.marked)
        ranges = QHBoxLayout()
        ranges.addWidget(self.whole)
        ranges.addWidget(self.marked)
        ranges.addStretch(1)
        self.audio = QCheckBox("With sound", self)
        self.audio.setObjectName("export.audio")
        self.audio.setToolTip(
            "Untouched sound is passed through where the file type allows it, otherwise encoded again"
        )
        self.audio.setChecked(True)
        self.sidecar = QCheckBox("Write settings beside it (.json)", self)
        self.sidecar.setObjectName("export.sidecar")
        self.sidecar.setToolTip("The settings that made each take; they are inside the file as well")
        self.sidecar.setChecked(True)
        form = QFormLayout()
        form.setSpacing(10)
        form.addRow("Preset", self.preset)
        form.addRow("", self.facts)
        form.addRow("File", place)
        form.addRow("Range", ranges)
        form.addRow("", self.audio)
        form.addRow("", self.sidecar)
        self.progress = QProgressBar(self)
        self.progress.setObjectName("export.progress")
        self.progress.setAccessibleName("Export progress")
        self.progress.hide()
        self.status = QLabel(self)
        self.status.setObjectName("export.status")
        self.status.setWordWrap(True)
        self.status.setMinimumHeight(2 * self.status.fontMetrics().lineSpacing() + 2)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.reveal = QPushButton("Open folder", self)
        self.reveal.setObjectName("export.reveal")
        self.reveal.setToolTip("Show the folder of the exported film")
        self.reveal.clicked.connect(self._on_reveal_clicked)
        self.reveal.hide()
        self.close_button = QPushButton("Close", self)
        self.close_button.setObjectName("export.close")
        self.close_button.setToolTip("Close this window (Esc)")
        self.close_button.clicked.connect(self.reject)
        self.start = QPushButton("Export", self)
        self.start.setObjectName("export.start")
        self.start.setToolTip("Write the file (Enter)")
        self.start.setProperty("primary", True)
        self.start.setDefault(True)
        self.start.clicked.connect(self._on_start_clicked)
        buttons = QHBoxLayout()
        buttons.addWidget(self.reveal)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.start)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(12)
        layout.addLayout(form)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addLayout(buttons)
        self.preset.currentIndexChanged.connect(lambda _i: self._show_facts())
        self.preset.currentIndexChanged.connect(lambda _i: self._forget_replacing())
        self.path.textChanged.connect(lambda _text: self._forget_replacing())
        self._show_facts()
        self._show_range()

    @property
    def running(self) -> bool:
        return self._job is not None

    def _show_facts(self) -> None:
        preset = preset_of(self.preset.currentData())
        sequence = self._document().sequence
        size = f"{sequence.width}×{sequence.height}, BT.709. " if sequence else ""
        self.facts.setText(f"{size}{preset.description}")
        self.audio.setEnabled(bool(preset.audio))

    def _show_range(self) -> None:
        sequence = self._document().sequence
        if sequence is None:
            return
        first = 0 if sequence.in_point is None else sequence.in_point
        last = sequence.duration if sequence.out_point is None else sequence.out_point
        has = sequence.in_point is not None or sequence.out_point is not None
        self.whole.setText(f"Whole timeline ({timecode(sequence.duration, sequence.rate)})")
        self.marked.setText(
            f"In to out ({timecode(first, sequence.rate)} – {timecode(last, sequence.rate)})"
            if has
            else "In to out (not set)"
        )
        self.marked.setEnabled(has)
        self.marked.setChecked(has)
        self.whole.setChecked(not has)

    def _on_browse_clicked(self) -> None:
        dialog = QFileDialog(self, "Export to", str(Path(self.path.text()).parent))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile(Path(self.path.text()).name)
        dialog.fileSelected.connect(self.path.setText)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_start_clicked(self) -> None:
        if self._job is not None:
            self.status.setText("Stopping…")
            self._job.cancel()
            return
        path = Path(self.path.text().strip())
        if not path.name:
            self._say("Give the file a name first.", "error")
            return
        settings = ExportSettings(
            path=path, preset=self.preset.currentData(), whole=self.whole.isChecked(), audio=self.audio.isChecked(),
            sidecar=self.sidecar.isChecked(),
        )  # fmt: skip
        try:
            target = target_path(self._document(), settings, self._project_folder)
        except StudioError as error:
            self._say(str(error), "error")
            return
        if target != self._replacing and _holds_something(target):
            self._replacing = target
            self._say(f"“{target.name}” is there already. Press Replace to write over it.", "warning")
            self.start.setText("Replace")
            return
        self._preferences.set("export_preset", settings.preset)
        self._preferences.set("export_folder", str(path.parent))
        job = ExportJob(
            self._document(), settings, take_folder=self._take_folder, project_folder=self._project_folder, parent=self
        )
        job.progressed.connect(self._on_progressed)
        job.finished.connect(self._on_finished)
        job.failed.connect(lambda sentence: self._ended(sentence, "error"))
        job.cancelled.connect(lambda: self._ended("Cancelled; nothing was written.", "muted"))
        self._job = job
        self._result = None
        self.reveal.hide()
        self.progress.setRange(0, 0)
        self.progress.show()
        self._say("Preparing…", "muted")
        self.start.setText("Cancel export")
        self._enable(False)
        job.start()

    def _forget_replacing(self) -> None:
        """Another place was chosen: what was said about the one before no longer counts."""
        if self._replacing is not None and self._job is None:
            self._replacing = None
            self.start.setText("Export")
            self._say("", "muted")

    def stop(self) -> None:
        """Cancel a running export and wait for its end."""
        if self._job is not None:
            self._job.cancel()
            self._ended("Cancelled; nothing was written.", "muted")

    def _enable(self, on: bool) -> None:
        for widget in (self.preset, self.path, self.audio, self.sidecar, self.whole, self.close_button):
            widget.setEnabled(on)
        if on:
            self._show_facts()
            self._show_range()

    def _say(self, text: str, role: str) -> None:
        self.status.setProperty("role", role)
        self.status.setStyleSheet("")
        self.status.style().polish(self.status)
        self.status.setText(text)

    def _on_progressed(self, progress: ExportProgress) -> None:
        self.progress.setRange(0, progress.total)
        self.progress.setValue(progress.done)
        left = f", {span(progress.seconds_left)} left" if progress.seconds_left is not None else ""
        self._say(
            f"{progress.done} of {progress.total} frames, {progress.frames_per_second:.1f} a second{left}", "muted"
        )

    def _on_finished(self, result: ExportResult) -> None:
        self._result = result
        notes = "\n".join(result.notes)
        self._ended(
            f"{result.path} is ready: {result.frames} frames in {span(result.seconds)}.\n{notes}".strip(), "heading"
        )
        self.reveal.show()
        self.exported.emit(result)

    def _ended(self, text: str, role: str) -> None:
        if self._job is not None:
            self._job.wait()
            self._job.deleteLater()
            self._job = None
        self.progress.hide()
        self._say(text, role)
        self._replacing = None
        self.start.setText("Export")
        self._enable(True)

    def _on_reveal_clicked(self) -> None:
        if self._result is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._result.path.parent)))

    def reject(self) -> None:
        if self._job is None:
            super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._job is not None:
            event.ignore()
        else:
            super().closeEvent(event)


def _holds_something(target: Path) -> bool:
    """A file of that name is there, or a folder with something in it."""
    return target.is_file() or (target.is_dir() and any(target.iterdir()))
