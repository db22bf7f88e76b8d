"""Writing a storyboard: as what, how the pages look, and where to."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QCheckBox, QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QPushButton, QWidget

from gen2studio.app.board_delivery import Delivery, Form, deliver, target_of
from gen2studio.app.board_export import LAYOUTS, PageOptions
from gen2studio.app.export_values import ExportProgress
from gen2studio.app.file_job import FileJob, Tell
from gen2studio.app.preferences import Preferences
from gen2studio.app.storyboards import Storyboards
from gen2studio.core.cancel import CancelToken
from gen2studio.document.model import Board
from gen2studio.ui.dialogs.file_job_dialog import FileJobDialog
from gen2studio.ui.widgets.named import chooser, named

_WORDS = {
    "1": "One panel a page",
    "2x3": "2 × 3 panels a page",
    "3x3": "3 × 3 panels a page",
    "3x4": "3 × 4 panels a page",
}


class BoardExportDialog(FileJobDialog):
    """Writes one board."""

    unit = "panels"

    def __init__(self, boards: Storyboards, board: Board, preferences: Preferences, parent: QWidget) -> None:
        super().__init__("boardExportDialog", f"Export {board.name}", "boardExport", parent)
        self._boards = boards
        self._board = board
        self._preferences = preferences
        self.resize(560, 400)
        self.form = chooser(
            "boardExport.form", "Write as", "What the storyboard is written as", [(f.title, f) for f in Form], self
        )
        self.layout_ = chooser(
            "boardExport.layout", "Pages", "How many panels a page holds",
            [(_WORDS[name], name) for name in LAYOUTS], self,
        )  # fmt: skip
        self.layout_.setCurrentIndex(1)
        self.paper = chooser(
            "boardExport.paper", "Paper", "The size of the pages", [("A4", False), ("US Letter", True)], self
        )
        self.words = [
            named(QCheckBox(title, self), f"boardExport.{name}", title, tip)
            for name, title, tip in (
                ("action", "Action", "Print what happens under each panel"),
                ("dialogue", "Dialogue", "Print what is said under each panel"),
                ("notes", "Notes", "Print the notes under each panel"),
                ("timing", "Timing", "Print how long panels and the board are"),
            )
        ]
        for box in self.words:
            box.setChecked(True)
        self.results = named(
            QCheckBox("Finished shots and stills instead of the drawings", self), "boardExport.results",
            "Finished shots and stills", "Show what was made of each panel, where there is something",
        )  # fmt: skip
        folder = Path(preferences.get("export_folder") or Path.home())
        self.path = named(QLineEdit(str(folder / board.name), self), "boardExport.path", "File", "Where it is written")
        self.path.textEdited.connect(lambda _text: self.forget_replacing())
        self.browse = named(QPushButton("Browse…", self), "boardExport.browse", "Browse", "Choose where it is written")
        self.browse.clicked.connect(self._on_browse)
        row = QHBoxLayout()
        row.addWidget(self.path, 1)
        row.addWidget(self.browse)
        row.setSpacing(6)
        words = QHBoxLayout()
        words.setSpacing(16)
        for box in self.words:
            words.addWidget(box)
        words.addStretch(1)
        self._form = QFormLayout()
        self._form.setHorizontalSpacing(14)
        self._form.setVerticalSpacing(9)
        self._form.addRow("Write as", self.form)
        self._form.addRow("Pages", self.layout_)
        self._form.addRow("Paper", self.paper)
        self._form.addRow("Print", words)
        self._words_row = words
        self._form.addRow("Pictures", self.results)
        self._form.addRow("File", row)
        self.form.activated.connect(self._on_form)
        self.build_foot(self._form, "Write the storyboard", close_tip="Close this window")
        self._on_form()

    @property
    def chosen(self) -> Form:
        return self.form.currentData()

    def _on_form(self, _row: int = 0) -> None:
        pages = self.chosen is Form.PDF
        for field in (self.layout_, self.paper, self._words_row):
            self._form.setRowVisible(field, pages)
        self._form.setRowVisible(self.results, self.chosen in (Form.PDF, Form.CONTACT, Form.PICTURES))
        text = self.path.text()
        for form in Form:
            if form.suffix and text.casefold().endswith(form.suffix):
                text = text[: -len(form.suffix)]
        self.path.setText(text + self.chosen.suffix)
        self.unit = "frames" if self.chosen is Form.FILM else "panels"
        self.forget_replacing()

    def begin_work(self) -> None:
        path = Path(self.path.text().strip()).expanduser()
        if not path.name or not path.is_absolute():
            self.say("Give the file a place, with its whole path.", "error")
            return
        action, dialogue, notes, timing = (box.isChecked() for box in self.words)
        delivery = Delivery(
            form=self.chosen,
            path=path,
            pages=PageOptions(
                layout=self.layout_.currentData(), letter=self.paper.currentData(), action=action, dialogue=dialogue,
                notes=notes, timing=timing,
            ),
            results=self.results.isChecked() and not self.results.isHidden(),
        )  # fmt: skip
        if not self.may_replace((target_of(delivery),)):
            return
        self._preferences.set("export_folder", str(path.parent))
        document = self._boards.session.document
        board = document.boards.get(self._board.id, self._board)
        results = {panel.id: self._boards.result_of(panel) for panel in board.panels}

        def work(cancel: CancelToken, tell: Tell) -> object:
            def step(done: int, total: int) -> None:
                tell(ExportProgress(done=done, total=total, frames_per_second=0.0, seconds_left=None))

            return deliver(
                document, board, delivery, find=self._boards.find_picture, result_of=lambda p: results.get(p.id),
                cancel=cancel, on_progress=step,
            )  # fmt: skip

        self.run_job(FileJob("board export", work, self), "Writing the storyboard…")

    def progress_text(self, progress: ExportProgress) -> str:
        return f"{progress.done} of {progress.total} {self.unit}"

    def show_result(self, result: object) -> None:
        assert isinstance(result, tuple)
        path, notes = result
        text = "\n".join((f"Wrote {path.name}.", *notes))
        self.ended(text, "warning" if notes else "heading", path if path.is_dir() else path.parent)

    def enable_fields(self, on: bool) -> None:
        for field in (self.form, self.layout_, self.paper, self.results, self.path, self.browse, *self.words):
            field.setEnabled(on)

    def _on_browse(self) -> None:
        dialog = QFileDialog(self, "Export storyboard", self.path.text())
        dialog.setObjectName("boardExport.fileDialog")
        if self.chosen.suffix:
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            dialog.setDefaultSuffix(self.chosen.suffix[1:])
        else:
            dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self.path.setText)
        dialog.fileSelected.connect(lambda _name: self.forget_replacing())
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
