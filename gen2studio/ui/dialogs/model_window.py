"""The window of models: what fits this machine, terms, downloads, and what is installed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.model_downloads import ModelDownloads
from gen2studio.app.model_rows import ModelRow, PlanSet, size_words
from gen2studio.models.download_values import Freed
from gen2studio.models.fitting import NO
from gen2studio.ui import theme
from gen2studio.ui.dialogs.model_details import DownloadStrip, ModelDetails
from gen2studio.ui.dialogs.model_licence import LicenceDialog
from gen2studio.ui.dialogs.model_line_up import LineUpStrip
from gen2studio.ui.dialogs.model_list import ModelList
from gen2studio.ui.dialogs.model_settings import ModelSettingsDialog
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.named import named

_FILES = "Models (*.safetensors *.gguf *.pth *.json);;All files (*)"


class ModelWindow(QDialog):
    """Stays open beside the work; closing it stops no download."""

    def __init__(self, models: ModelDownloads, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("modelWindow")
        self.setWindowTitle("Models")
        self.resize(1180, 700)
        self._models = models
        self._wanted = ""
        self.waiting = EmptyState(
            "hourglass", "Looking at this machine", "Memory, processor and what is installed.", "", self
        )
        self._content = QWidget(self)
        self._build_content()
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.waiting)
        self._stack.addWidget(self._content)
        find = QShortcut(QKeySequence.StandardKey.Find, self)
        find.activated.connect(self.list.search.setFocus)
        models.opened.connect(self._on_opened)
        models.failed.connect(lambda sentence: self.waiting.say("Models can't be listed", sentence))
        models.row_changed.connect(self._on_row_changed)
        models.rows_changed.connect(self._show_chosen)
        models.works_changed.connect(self._show_state)
        models.planned.connect(self._on_planned)
        models.plan_failed.connect(self._on_plan_failed)
        models.freed_known.connect(self._on_freed_known)
        models.told.connect(self.foot.say)
        if models.is_open:
            self._on_opened()
        else:
            models.open()

    def _build_content(self) -> None:
        models = self._models
        title = QLabel("Models", self._content)
        title.setProperty("role", "heading")
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.5)
        title.setFont(font)
        self.machine = ElidedLabel(parent=self._content)
        self.machine.setObjectName("models.machine")
        self.machine.setProperty("role", "muted")
        self.line_up = LineUpStrip(models, self._content)
        self.list = ModelList(models, self._content)
        self.details = ModelDetails(models, self._content)
        self.foot = DownloadStrip(models, self._content)
        split = QSplitter(Qt.Orientation.Horizontal, self._content)
        split.setObjectName("models.split")
        split.addWidget(self.list)
        split.addWidget(self.details)
        split.setStretchFactor(0, 2)
        split.setStretchFactor(1, 3)
        split.setSizes([430, 700])
        split.setChildrenCollapsible(False)
        split.setHandleWidth(14)
        head = QHBoxLayout()
        head.addWidget(title)
        head.addSpacing(12)
        head.addWidget(self.machine, 1)
        line = QFrame(self._content)
        line.setProperty("role", "line")
        foot = QHBoxLayout()
        foot.setSpacing(theme.SPACING)
        for name, text, tip, run in (
            ("addFolder", "Add folder…", "Use a model folder where it lies; nothing is copied", self._on_add_folder),
            ("addFile", "Add file…", "Use a .safetensors or .gguf transformer, or a mask model", self._on_add_file),
            ("settings", "Settings…", "Folder, mirror, proxy, reuse, access token", self._on_settings),
        ):
            foot.addWidget(self._push(name, text, tip, run))
        foot.addWidget(self.foot, 1)
        foot.addWidget(self._push("close", "Close", "Close this window (Esc); downloads go on", self.close))
        layout = QVBoxLayout(self._content)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(10)
        layout.addLayout(head)
        layout.addWidget(self.line_up)
        layout.addWidget(line)
        layout.addWidget(split, 1)
        layout.addLayout(foot)
        self.line_up.wanted.connect(self._plan)
        self.line_up.chosen.connect(self.list.choose)
        self.list.chosen.connect(self._on_chosen)
        self.list.wanted.connect(self._on_wanted)
        self.details.asked.connect(self._on_asked)
        self.details.entry_wanted.connect(self.list.choose)

    def _push(self, name: str, text: str, tip: str, run: object) -> QPushButton:
        button = named(QPushButton(text, self._content), f"models.{name}", text.rstrip("…"), tip)
        button.setAutoDefault(False)
        button.clicked.connect(run)
        return button

    def show_mode(self, mode: str) -> None:
        """Show only what serves a mode."""
        at = self.list.mode.findData(mode)
        if at >= 0:
            self.list.mode.setCurrentIndex(at)
            self.list.mode.activated.emit(at)

    # -- what is shown -----------------------------------------------------------------------------------------------

    def _on_opened(self) -> None:
        self.list.rows.reload()
        self.line_up.fill()
        self._stack.setCurrentWidget(self._content)
        self._show_machine()
        self.list.choose_first()
        # Cards are made last and stand first.
        for before, after in pairwise((*self.line_up.buttons, self.list.search)):
            QWidget.setTabOrder(before, after)
        self.list.search.setFocus()
        if self.isVisible():
            self._models.search_machine()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._models.is_open and not event.spontaneous():
            # Other programs fetch models too, and nobody tells us.
            self._models.search_machine()

    def _show_machine(self) -> None:
        free = self._models.free
        disk = f" · {size_words(free)} free in {self._models.folder}" if free is not None else ""
        self.machine.show_text(f"{self._models.machine.describe()}{disk}")
        self.machine.setToolTip(self.machine.full_text)

    def _chosen(self) -> ModelRow | None:
        return self._models.row(self.list.current) if self.list.current else None

    def _on_chosen(self, _row_id: str) -> None:
        self._show_chosen()

    def _show_chosen(self) -> None:
        if self._models.is_open:
            self._show_machine()
            self.list.choose_first()
            self.details.show_row(self._chosen())

    def _on_wanted(self, row_id: str) -> None:
        """What a row is mostly chosen for."""
        buttons = [self.details.buttons[name] for name in ("get", "use", "resume")]
        able = next((button for button in buttons if button.isVisible() and button.isEnabled()), None)
        if able is not None and row_id == self.details.shown:
            able.click()

    def _on_row_changed(self, row_id: str) -> None:
        if row_id == self.details.shown:
            self._show_state()

    def _show_state(self) -> None:
        row = self._chosen()
        if row is not None and row.id == self.details.shown:
            self.details.show_state(row)

    # -- getting a model ---------------------------------------------------------------------------------------------

    def _plan(self, entry_id: str, extras: tuple[str, ...] = ()) -> None:
        self._wanted = entry_id
        self.details.set_planning(entry_id)
        self.foot.say("info", "Asking the hub what it takes…")
        self._models.plan(entry_id, extras)

    def _on_planned(self, plans: PlanSet) -> None:
        if plans.wanted != self._wanted:
            return
        self._wanted = ""
        self.details.set_planning("")
        self.foot.say("info", "")
        if not plans.plans:
            self.foot.say("info", "All of it is on this machine already.")
            return
        row = self._models.row(plans.wanted)
        unfit = row.fit.reason if row is not None and row.fit is not None and row.fit.light == NO else ""
        dialog = LicenceDialog(plans, self, unfit)
        dialog.accepted.connect(lambda: self._models.accept_and_start(plans))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_plan_failed(self, entry_id: str, sentence: str, kind: str) -> None:
        if entry_id != self._wanted:
            return
        self._wanted = ""
        self.details.set_planning("")
        self.foot.say("error", sentence)
        box = QMessageBox(QMessageBox.Icon.Warning, "Models", "", QMessageBox.StandardButton.Close, self)
        box.setObjectName("modelPlanFailed")
        # It may hold names that strangers chose.
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(sentence)
        entry = self._models.catalog.entry(entry_id)
        if kind in ("unauthorised", "gated"):
            page = box.addButton("Open the model's page", QMessageBox.ButtonRole.ActionRole)
            page.clicked.connect(lambda: QDesktopServices.openUrl(QUrl(f"https://huggingface.co/{entry.repo}")))
            token = box.addButton("Settings…", QMessageBox.ButtonRole.ActionRole)
            token.clicked.connect(self._on_settings)
        box.finished.connect(box.deleteLater)
        box.open()

    # -- what is installed -------------------------------------------------------------------------------------------

    def _on_asked(self, what: str, row_id: str) -> None:
        models, row = self._models, self._models.row(row_id)
        if row is None:
            return
        if what == "get":
            self._plan(row_id)
        elif what == "move":
            self._on_move(row)
        elif what == "open":
            if (place := row.place) is not None:
                QDesktopServices.openUrl(QUrl.fromLocalFile(str(place if place.is_dir() else place.parent)))
        else:
            run = {
                "use": models.use, "pause": models.pause, "resume": models.resume, "cancel": models.cancel,
                "verify": models.verify, "delete": models.ask_freed, "remove": models.remove, "stop": models.stop_work,
            }[what]  # fmt: skip
            run(row_id)

    def _on_move(self, row: ModelRow) -> None:
        dialog = QFileDialog(self, f"Move {row.title} into", str(self._models.folder))
        dialog.setObjectName("modelMoveDialog")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(lambda name: self._models.move(row.id, Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_freed_known(self, entry_id: str, freed: Freed) -> None:
        row = self._models.row(entry_id)
        if row is None or not self.isVisible():
            return
        stay = f" {size_words(freed.shared)} stay: another model or program has the same files."
        box = QMessageBox(self)
        box.setObjectName("modelDelete")
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Delete model")
        box.setTextFormat(Qt.TextFormat.PlainText)
        amount = size_words(freed.bytes) if freed.bytes else "nothing"
        box.setText(f"Delete {row.title}? That frees {amount}.{stay if freed.shared else ''}")
        delete = box.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        delete.clicked.connect(lambda: self._models.delete(entry_id))
        box.finished.connect(box.deleteLater)
        box.open()

    def _on_add_folder(self, *_checked: object) -> None:
        self._ask_place("Folder of a model", QFileDialog.FileMode.Directory)

    def _on_add_file(self, *_checked: object) -> None:
        self._ask_place("File of a model", QFileDialog.FileMode.ExistingFile)

    def _ask_place(self, title: str, mode: QFileDialog.FileMode) -> None:
        dialog = QFileDialog(self, title, str(Path.home()), _FILES)
        dialog.setObjectName("modelAddDialog")
        dialog.setFileMode(mode)
        dialog.fileSelected.connect(lambda name: self._models.add(Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_settings(self, *_checked: object) -> None:
        dialog = ModelSettingsDialog(self._models, self)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
