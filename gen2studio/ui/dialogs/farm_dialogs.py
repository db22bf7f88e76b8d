"""Render farms in the window: what is submitted and how it is divided, and what came back."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.export_values import ExportProgress
from gen2studio.app.farm import SELECTED, STALE, Collected, FarmPlan, Submission, Submitted
from gen2studio.core.errors import StudioError
from gen2studio.engine.farm.windows import AUTOMATIC
from gen2studio.ui.dialogs.file_job_dialog import FileJobDialog
from gen2studio.ui.widgets.named import chooser, named, note, text_button

if TYPE_CHECKING:
    from gen2studio.app.studio import Studio


def open_submit(studio: Studio, window: QWidget) -> None:
    """Open the dialog, or bring it to the front; say why there is nothing to submit."""
    if not studio.render_farm.scopes():
        studio.session.tell(
            "There is nothing to submit. Give a clip a look, or select clips, then try again.", "warning"
        )
        return
    _open(window, "farmSubmitDialog", lambda: SubmitDialog(studio, window))


def open_collect(studio: Studio, window: QWidget) -> None:
    """Open the dialog, or bring it to the front."""
    _open(window, "farmCollectDialog", lambda: CollectDialog(studio, window))


def _open(window: QWidget, name: str, make: Callable[[], QDialog]) -> None:
    there = window.findChild(QDialog, name)
    if there is not None and there.isVisible():
        there.raise_()
        there.activateWindow()
        return
    dialog = make()
    dialog.finished.connect(dialog.deleteLater)
    dialog.show()


class SubmitDialog(FileJobDialog):
    """Writes clips or a storyboard as a job for a farm."""

    verb = "Write job"
    noun = "writing"

    def __init__(self, studio: Studio, parent: QWidget) -> None:
        super().__init__("farmSubmitDialog", "Submit to a farm", "farm", parent)
        self._studio = studio
        self._farm = studio.render_farm
        self._plan = FarmPlan(())
        self.resize(640, 520)
        scopes = self._farm.scopes()
        self._boards = frozenset(s.id for s in scopes) - {SELECTED, STALE}
        entries: list[tuple[str, object]] = [(f"{scope.title} ({scope.count})", scope.id) for scope in scopes]
        self.scope = chooser("farm.scope", "What to submit", "Which clips or panels the farm makes", entries, self)
        self.frames = named(
            QSpinBox(self), "farm.frames", "Frames per task",
            "Frames of one task at most, where a generator can make them apart; more tasks use more machines",
        )  # fmt: skip
        self.frames.setRange(AUTOMATIC, 100_000)
        self.frames.setSpecialValueText("As many frames a task as are worth a machine")
        self.frames.setValue(AUTOMATIC)
        self.frames.setSuffix(" frames a task at most")
        self.list = named(
            QListWidget(self), "farm.tasks", "How it is divided", "Every take, and the tasks that make it"
        )
        self.list.setWordWrap(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideNone)
        self.list.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.list.setAlternatingRowColors(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.name = named(QLineEdit(studio.title, self), "farm.name", "Name of the job", "What the farm calls it")
        self.name.setMaxLength(100)
        folder = Path(studio.preferences.get("export_folder") or Path.home())
        self.path = named(
            QLineEdit(str(_free(folder / f"{studio.title}.farm")), self), "farm.path", "Folder of the job",
            "Where the job is written, with everything it needs; its results come into the same folder",
        )  # fmt: skip
        self.browse = text_button(
            "farm.browse", "Choose a place", "folder-open", "Choose a place", self._on_browse_clicked, self, text=False
        )
        self.program = named(
            QLineEdit("gen2studio", self), "farm.program", "Gen2 Studio on the workers",
            "The command that starts Gen2 Studio on the farm's machines",
        )  # fmt: skip
        self.gpu = named(
            QCheckBox("Models only on machines with a GPU", self), "farm.gpu", "Models only on machines with a GPU",
            "Ask the farm for machines with a GPU where a model with weights makes a shot",
        )  # fmt: skip
        self.gpu.setChecked(True)
        self.copy = named(
            QPushButton("Copy command", self), "farm.copy", "Copy command",
            "Copy the command that renders the job on this machine",
        )  # fmt: skip
        self.copy.hide()
        self._command = ""
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._command))
        place = QHBoxLayout()
        place.addWidget(self.path, 1)
        place.addWidget(self.browse)
        words = note(self, "muted", "farm.note")
        words.setText(
            "An Open Job Description bundle, for AWS Deadline Cloud or “openjd run”. Programs and models do not "
            "travel: every machine needs the same version of them."
        )
        body = QFormLayout()
        body.setSpacing(10)
        body.addRow("Submit", self.scope)
        body.addRow("Tasks", self.frames)
        body.addRow(self.list)
        body.addRow("Name", self.name)
        body.addRow("Job", place)
        body.addRow("Command", self.program)
        body.addRow("", self.gpu)
        body.addRow(words)
        self.build_foot(body, "Write the job's folder (Enter)", close_tip="Close this window (Esc)", extra=(self.copy,))
        self.scope.currentIndexChanged.connect(lambda _i: self._show_plan())
        self.frames.valueChanged.connect(lambda _n: self._show_plan())
        self._show_plan()

    # -- what it comes to --------------------------------------------------------------------------------------------

    def _show_plan(self) -> None:
        scope, frames = str(self.scope.currentData()), self.frames.value()
        self.copy.hide()
        self.list.clear()
        if scope in self._boards:
            board = self._studio.store.document.boards[scope]
            self._plan = FarmPlan(())
            for number, panel in enumerate(board.panels, 1):
                self.list.addItem(f"{panel.name or f'Panel {number}'}: one task.")
            self.gpu.setEnabled(True)
            self.start.setEnabled(True)
            self.say("The panels are laid on the timeline as shots when the job is written.", "muted")
            return
        self._plan = self._farm.plan(scope, frames)
        for shot in self._plan.shots:
            self.list.addItem(f"{shot.label}\n{shot.division.why}")
        for refused in self._plan.refused:
            self.list.addItem(f"Left out: {refused}")
        self.gpu.setEnabled(any(shot.gpu for shot in self._plan.shots))
        self.start.setEnabled(bool(self._plan.shots))
        if self._plan.shots:
            self.say(f"{_count(len(self._plan.shots), 'take')}, {_count(self._plan.tasks, 'task')}.", "muted")
        else:
            self.say("None of these clips can be submitted.", "warning")

    # -- writing -------------------------------------------------------------------------------------------------------

    def begin_work(self) -> None:
        target = Path(self.path.text().strip()).expanduser()
        if not target.name or not target.is_absolute():
            self.say("Give the job a folder, with its whole path.", "error")
            return
        if target.exists():
            self.say(f"“{target.name}” is there already. Choose another name.", "error")
            return
        if not self.program.text().strip():
            self.say("Say how Gen2 Studio is started on the workers.", "error")
            return
        plan = self._plan
        scope = str(self.scope.currentData())
        if scope in self._boards:
            try:
                plan = self._farm.plan_board(scope, self.frames.value())
            except StudioError as error:
                self.say(str(error), "error")
                return
            if not plan.shots:
                self.say("The storyboard can't be made yet; the message at the foot of the window says why.", "error")
                return
        self._studio.preferences.set("export_folder", str(target.parent))
        wish = Submission(
            target=target, name=self.name.text().strip() or self._studio.title, program=self.program.text().strip(),
            gpu=self.gpu.isChecked(),
        )  # fmt: skip
        self.copy.hide()
        self.run_job(self._farm.submit_job(plan, wish, self), "Packing files…")

    def progress_text(self, progress: ExportProgress) -> str:
        return f"Packing files… {progress.done * 100 // max(1, progress.total)} %"

    def show_result(self, result: object) -> None:
        assert isinstance(result, Submitted)
        self._command = f"openjd run {shlex.quote(str(result.path / 'template.yaml'))}"
        self.copy.show()
        self.ended(
            f"{result.path.name} holds {_count(result.shots, 'take')} in {_count(result.tasks, 'task')}. When the farm "
            "is done, choose Generate ▸ Collect from a farm.",
            "heading",
            result.path,
        )

    def enable_fields(self, on: bool) -> None:
        for field in (self.scope, self.frames, self.name, self.path, self.browse, self.program):
            field.setEnabled(on)
        scope = str(self.scope.currentData())
        self.gpu.setEnabled(on and (scope in self._boards or any(shot.gpu for shot in self._plan.shots)))

    def _on_browse_clicked(self) -> None:
        dialog = QFileDialog(self, "Folder of the job", str(Path(self.path.text()).parent))
        dialog.setObjectName("farm.fileDialog")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile(Path(self.path.text()).name)
        dialog.fileSelected.connect(self.path.setText)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()


class CollectDialog(FileJobDialog):
    """Brings what a farm has rendered into the project."""

    verb = "Collect"
    noun = "collecting"
    undone = "Cancelled; the project is as it was."

    def __init__(self, studio: Studio, parent: QWidget) -> None:
        super().__init__("farmCollectDialog", "Collect from a farm", "collect", parent)
        self._studio = studio
        self.resize(600, 250)
        self.path = named(
            QLineEdit(self),
            "collect.path",
            "Folder of the job",
            "The folder that was submitted, with its results in it",
        )
        self.path.setPlaceholderText("The folder that was submitted")
        self.path.textChanged.connect(lambda text: self.start.setEnabled(bool(text.strip())))
        self.browse = text_button(
            "collect.browse", "Choose the folder", "folder-open", "Choose the folder of the job",
            self._on_browse_clicked, self, text=False,
        )  # fmt: skip
        self.apply = named(
            QCheckBox("Show the takes in their clips", self), "collect.apply", "Show the takes in their clips",
            "Apply every take to the clip it was made for; one undo step",
        )  # fmt: skip
        self.apply.setChecked(True)
        place = QHBoxLayout()
        place.addWidget(self.path, 1)
        place.addWidget(self.browse)
        form = QFormLayout()
        form.setSpacing(10)
        form.addRow("Job", place)
        form.addRow("Takes", self.apply)
        words = note(self, "muted", "collect.note")
        words.setText("Every frame is checked against the farm's list before anything is kept.")
        body = QVBoxLayout()
        body.addLayout(form)
        body.addWidget(words)
        body.addStretch(1)
        self.build_foot(body, "Check the frames and bring them in (Enter)", close_tip="Close this window (Esc)")
        self.start.setEnabled(False)

    def begin_work(self) -> None:
        path = Path(self.path.text().strip()).expanduser()
        self.run_job(self._studio.render_farm.collect_job(path, self), "Checking frames…")

    def progress_text(self, progress: ExportProgress) -> str:
        words = "Checking" if 2 * progress.done <= progress.total else "Copying"
        return f"{words} frames… {progress.done * 100 // max(1, progress.total)} %"

    def show_result(self, result: object) -> None:
        assert isinstance(result, Collected)
        try:
            self._studio.render_farm.take_in(result, apply=self.apply.isChecked())
        except StudioError as error:
            self.ended(str(error), "error")
            return
        lost = sum(not home.clip_id for home in result.homes)
        more = f" {_count(lost, 'take')} found no clip any more." if lost else ""
        self.ended(f"{_count(len(result.homes), 'take')} with {_count(result.frames, 'frame')}.{more}", "heading")

    def enable_fields(self, on: bool) -> None:
        for field in (self.path, self.browse, self.apply):
            field.setEnabled(on)

    def _on_browse_clicked(self) -> None:
        folder = self.path.text().strip() or self._studio.preferences.get("export_folder")
        dialog = QFileDialog(self, "Folder of the job", folder)
        dialog.setObjectName("collect.fileDialog")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self.path.setText)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"


def _free(path: Path) -> Path:
    """``path``, or the first of its numbered names that is not there."""
    names = (path if n == 1 else path.with_name(f"{path.stem} {n}{path.suffix}") for n in range(1, 1000))
    return next((name for name in names if not name.exists()), path)
