"""Making panels of files: what was found in them, as it will look, before anything comes into the project."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QImage, QPainter, QPixmap
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.board_import import SCRIPTS, FoundBoard, FoundPanel, panels_of, read_board
from gen2studio.app.export_values import ExportProgress
from gen2studio.app.file_job import FileJob, Tell
from gen2studio.app.preferences import Preferences
from gen2studio.app.storyboards import Storyboards
from gen2studio.core.cancel import CancelToken
from gen2studio.document.model import MediaItem
from gen2studio.ui import theme
from gen2studio.ui.dialogs.file_job_dialog import FileJobDialog
from gen2studio.ui.widgets.named import chooser, named
from gen2studio.ui.widgets.pictures import image_from_file

_THUMB = QSize(112, 64)
_SHOWN = 200
"""Panels in the preview; a longer board is imported whole all the same."""
_FILTER = (
    "Storyboards (*.pdf *.storyboarder *.fountain *.spmd *.txt);;PDF (*.pdf);;Storyboarder (*.storyboarder);;"
    "Fountain scripts (*.fountain *.spmd *.txt)"
)


class BoardImportDialog(FileJobDialog):
    """Looks at a file or folder, shows its panels, and imports them."""

    verb = "Import"
    noun = "import"
    undone = "Cancelled; nothing was imported."
    unit = "panels"

    def __init__(self, boards: Storyboards, preferences: Preferences, parent: QWidget) -> None:
        super().__init__("boardImportDialog", "Import storyboard", "boardImport", parent)
        self._boards = boards
        self._preferences = preferences
        self._found: FoundBoard | None = None
        self.resize(680, 600)
        self.path = named(
            QLineEdit(self), "boardImport.path", "File or folder",
            "A folder of images, a PDF, a Storyboarder project or a Fountain script",
        )  # fmt: skip
        self.path.setPlaceholderText("Images folder, PDF, .storyboarder or .fountain")
        self.path.editingFinished.connect(self.look)
        self.file = named(QPushButton("File…", self), "boardImport.file", "Choose file",
                          "Choose a PDF, a Storyboarder project or a Fountain script")  # fmt: skip
        self.file.clicked.connect(lambda: self._browse(folder=False))
        self.folder = named(QPushButton("Folder…", self), "boardImport.folder", "Choose folder",
                            "Choose a folder of images or of a Storyboarder project")  # fmt: skip
        self.folder.clicked.connect(lambda: self._browse(folder=True))
        self.seconds = named(
            QDoubleSpinBox(self), "boardImport.seconds", "Seconds of a panel",
            "How long panels are that have no length of their own",
        )  # fmt: skip
        self.seconds.setRange(0.1, 120)
        self.seconds.setValue(2.0)
        self.seconds.setSingleStep(0.5)
        self.seconds.setSuffix(" s")
        self.seconds.setKeyboardTracking(False)
        self.seconds.valueChanged.connect(lambda _value: self.look())
        self.grain = chooser(
            "boardImport.grain", "Panels of a script", "What becomes a panel",
            [("A panel for each paragraph", False), ("A panel for each scene", True)], self,
        )  # fmt: skip
        self.grain.activated.connect(lambda _row: self.look())
        self.into = chooser(
            "boardImport.into", "Import into", "Where the panels go",
            [("A new storyboard", True), ("The end of this storyboard", False)], self,
        )  # fmt: skip
        self.into.setEnabled(boards.current is not None)
        self.summary = QLabel("Choose what to import; its panels are shown here first.", self)
        self.summary.setObjectName("boardImport.summary")
        self.summary.setProperty("role", "muted")
        self.summary.setWordWrap(True)
        self.preview = named(QListWidget(self), "boardImport.preview", "Panels found", "What will become panels")
        self.preview.setIconSize(_THUMB)
        self.preview.setSpacing(2)
        self.preview.setWordWrap(True)
        self.preview.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.path, 1)
        row.addWidget(self.file)
        row.addWidget(self.folder)
        self._form = QFormLayout()
        self._form.setHorizontalSpacing(14)
        self._form.setVerticalSpacing(9)
        self._form.addRow("From", row)
        self._form.addRow("Length", self.seconds)
        self._form.addRow("Script", self.grain)
        self._form.addRow("Into", self.into)
        body = QVBoxLayout()
        body.addLayout(self._form)
        body.addWidget(self.summary)
        body.addWidget(self.preview, 1)
        self.build_foot(body, "Make panels of them", close_tip="Close this window")
        self._show(None)

    # -- looking ------------------------------------------------------------------------------------------------------

    def _browse(self, *, folder: bool) -> None:
        dialog = QFileDialog(self, "Import storyboard", self._preferences.get("import_folder"), _FILTER)
        dialog.setObjectName("boardImport.fileDialog")
        dialog.setFileMode(QFileDialog.FileMode.Directory if folder else QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.open_path)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def open_path(self, name: str) -> None:
        """Look at a file or folder."""
        self.path.setText(name)
        self._preferences.set("import_folder", str(Path(name).parent))
        self.look()

    def look(self) -> None:
        """Read what was chosen, on a thread, and show it."""
        name = self.path.text().strip()
        if not name or self.running:
            return
        path = Path(name).expanduser()
        script = path.suffix.casefold() in SCRIPTS
        self._form.setRowVisible(self.grain, script)
        self._form.setRowVisible(self.seconds, not script)
        seconds, by_scene = Fraction(str(self.seconds.value())), bool(self.grain.currentData())

        def work(cancel: CancelToken, _tell: Tell) -> object:
            found = read_board(path, seconds=seconds, by_scene=by_scene, cancel=cancel)
            return found, [_thumbnail(panel) for panel in found.panels[:_SHOWN]]

        self.run_job(FileJob("board look", work, self), "Looking at it…", self._on_looked)

    def _on_looked(self, result: object) -> None:
        assert isinstance(result, tuple)
        found, thumbnails = result
        self.ended("", "muted")
        self._show(found, thumbnails)

    def ended(self, text: str, role: str, folder: Path | None = None) -> None:
        super().ended(text, role, folder)
        if role == "error" and self._found is None:
            self._show(None)

    def _show(self, found: FoundBoard | None, thumbnails: list[QImage] | None = None) -> None:
        self._found = found
        self.preview.clear()
        self.start.setEnabled(found is not None)
        if found is None:
            return
        total = float(sum((panel.seconds for panel in found.panels), Fraction(0)))
        count = "1 panel" if len(found.panels) == 1 else f"{len(found.panels)} panels"
        self.summary.setText("\n".join((f"{found.name}: {found.kind} → {count}, {total:.4g} s", *found.notes)))
        for number, panel in enumerate(found.panels[:_SHOWN], 1):
            words = " ".join((panel.action or panel.notes).split())
            words = f"{words[:160]}…" if len(words) > 160 else words
            said = f"“{panel.dialogue[:120]}”" if panel.dialogue else ""
            head = f"{number}   {panel.name}   {float(panel.seconds):.4g} s"
            item = QListWidgetItem("\n".join(line for line in (head, words, said) if line))
            if thumbnails and any(not image.isNull() for image in thumbnails):
                item.setIcon(QIcon(_framed(thumbnails[number - 1])))
            self.preview.addItem(item)

    # -- importing ----------------------------------------------------------------------------------------------------

    def begin_work(self) -> None:
        found = self._found
        if found is None:
            self.say("Choose what to import first.", "warning")
            return

        def work(cancel: CancelToken, tell: Tell) -> object:
            def step(done: int, total: int) -> None:
                tell(ExportProgress(done=done, total=total, frames_per_second=0.0, seconds_left=None))

            add: Callable[[Path | bytes], str] = self._boards.add_picture
            return panels_of(found, add, sound=_sound, cancel=cancel, on_progress=step)

        self.run_job(FileJob("board import", work, self), "Reading pictures…", self._on_made)

    def _on_made(self, result: object) -> None:
        assert isinstance(result, tuple)
        panels, items, notes = result
        found, fresh = self._found, bool(self.into.currentData()) or self._boards.current is None
        self.ended("", "muted")
        if found is not None and self._boards.bring_in(found, panels, items, fresh=fresh):
            for note in notes:
                self._boards.session.tell(note, "warning")
            self.accept()

    def progress_text(self, progress: ExportProgress) -> str:
        return f"{progress.done} of {progress.total} panels"

    def enable_fields(self, on: bool) -> None:
        for field in (self.path, self.file, self.folder, self.seconds, self.grain):
            field.setEnabled(on)
        self.into.setEnabled(on and self._boards.current is not None)


def _sound(path: Path) -> MediaItem:
    from gen2studio.app.importing import media_item
    from gen2studio.media import codecs

    codecs.load()
    from gen2studio.media.probe import probe

    return media_item(path, probe(path))


def _thumbnail(panel: FoundPanel) -> QImage:
    """A small picture of what was found; null where there is none. Any thread."""
    if panel.layers:
        whole = QImage(_THUMB * 2, QImage.Format.Format_RGB32)
        whole.fill(Qt.GlobalColor.white)
        painter = QPainter(whole)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for layer in panel.layers:
            if isinstance(layer.picture, Path):
                painter.setOpacity(layer.opacity)
                painter.drawImage(whole.rect(), image_from_file(layer.picture, _THUMB))
        painter.end()
        return whole
    if panel.picture is None:
        return QImage()
    found = panel.picture
    image = QImage.fromData(found) if isinstance(found, bytes) else image_from_file(found, _THUMB)
    return image.scaled(_THUMB * 2, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)


def _framed(image: QImage) -> QPixmap:
    """A thumbnail in the middle of a box of its own size, so that rows stand in line."""
    box = QPixmap(_THUMB * 2)
    box.fill(theme.colour("input") if image.isNull() else Qt.GlobalColor.white)
    painter = QPainter(box)
    painter.drawImage((box.width() - image.width()) // 2, (box.height() - image.height()) // 2, image)
    painter.end()
    box.setDevicePixelRatio(2.0)
    return box
