"""Export mattes: which objects, as what, which frames, where to; then progress with the time left, and cancel."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QColor, QDesktopServices, QIcon, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app import planning
from gen2studio.app.export import ExportProgress
from gen2studio.app.file_job import FileJob
from gen2studio.app.matte_export import GREEN, MatteExport, MatteExportResult, matte_range, targets
from gen2studio.app.matte_jobs import export_job
from gen2studio.app.mattes import MatteSource
from gen2studio.app.preferences import Preferences
from gen2studio.app.session import Session
from gen2studio.core.errors import StudioError
from gen2studio.media.matte_formats import CONTENTS, FORMATS, STRAIGHT, format_of
from gen2studio.ui.panels.queue_panel import span
from gen2studio.ui.widgets.named import chooser, named, text_button

_KEY = int(Qt.ItemDataRole.UserRole)
_USED, _CLIP, _WHOLE, _CUSTOM = "used", "clip", "whole", "custom"


class MatteExportDialog(QDialog):
    """One export at a time; the window stays usable behind it. The document is the one at the moment of Start."""

    exported = Signal(object)
    """MatteExportResult"""

    def __init__(
        self, session: Session, media_id: str, preferences: Preferences, project_folder: Path | None, parent: QWidget
    ) -> None:
        """``media_id`` is the media whose objects are exported; the chosen object is ticked."""
        super().__init__(parent)
        self.setObjectName("matteExportDialog")
        self.setWindowTitle("Export mattes")
        self.setMinimumWidth(600)
        self._session = session
        self._media_id = media_id
        self._preferences = preferences
        self._project_folder = project_folder
        self._job: FileJob | None = None
        self._result: MatteExportResult | None = None
        self._replacing: tuple[Path, ...] = ()
        self._key = GREEN
        self._filling = True
        self._make_fields()
        self.progress = QProgressBar(self)
        self.progress.setObjectName("matte_export.progress")
        self.progress.setAccessibleName("Export progress")
        self.progress.hide()
        self.status = QLabel(self)
        self.status.setObjectName("matte_export.status")
        self.status.setWordWrap(True)
        self.status.setMinimumHeight(2 * self.status.fontMetrics().lineSpacing() + 2)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.reveal = named(QPushButton("Open folder", self), "matte_export.reveal", "Open folder", "Show the files")
        self.reveal.clicked.connect(self._on_reveal_clicked)
        self.reveal.hide()
        self.close_button = named(QPushButton("Close", self), "matte_export.close", "Close", "Close this window (Esc)")
        self.close_button.clicked.connect(self.reject)
        self.start = named(QPushButton("Export", self), "matte_export.start", "Export", "Write the mattes (Enter)")
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
        layout.addLayout(self._rows)
        layout.addStretch(1)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addLayout(buttons)
        self._filling = False
        self._on_format_changed()
        self._show_ranges()

    @property
    def running(self) -> bool:
        return self._job is not None

    # -- fields ------------------------------------------------------------------------------------------------------

    def _make_fields(self) -> None:
        owners = self._session.document.masks_of(self._media_id)
        chosen = self._session.mask_object
        self.objects = named(QListWidget(self), "matte_export.objects", "Objects", "The objects to export")
        for owner in owners:
            entry = QListWidgetItem(_swatch(owner.colour), owner.name)
            entry.setData(_KEY, owner.id)
            entry.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable)
            ticked = owner.id == chosen or not any(o.id == chosen for o in owners)
            entry.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
            self.objects.addItem(entry)
        self.objects.setFixedHeight(min(5, max(1, len(owners))) * 26 + 12)
        self.objects.itemChanged.connect(lambda _item: self._on_objects_changed())
        self.together = chooser(
            "matte_export.together", "Several objects", "One matte of all objects by their blends, or one each",
            [("One matte of all", True), ("One file each", False)], self,
        )  # fmt: skip
        self.format = chooser(
            "matte_export.format", "Format", "What kind of file to write", [(f.title, f.id) for f in FORMATS], self
        )
        found = self.format.findData(self._preferences.get("matte_format"))
        self.format.setCurrentIndex(max(0, found))
        self.format.currentIndexChanged.connect(lambda _i: self._on_format_changed())
        self.facts = QLabel(self)
        self.facts.setProperty("role", "muted")
        self.facts.setWordWrap(True)
        self.facts.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.facts.setMinimumHeight(2 * self.facts.fontMetrics().lineSpacing() + 2)
        self.content = chooser(
            "matte_export.content", "Content",
            "Straight colour is untouched up to the edge; premultiplied colour is already times alpha", [], self,
        )  # fmt: skip
        self.content.currentIndexChanged.connect(lambda _i: self._show_fields())
        self.key = named(QPushButton(self), "matte_export.key", "Background colour", "The colour behind the subject")
        self.key.clicked.connect(self._on_key_clicked)
        self._show_key()
        self.light = chooser(
            "matte_export.light", "Colour as",
            "Scene-linear light (the sRGB curve undone), or the code values as they are displayed",
            [("Scene-linear light", True), ("Display values as they are", False)], self,
        )  # fmt: skip
        self.bit_depth = chooser(
            "matte_export.depth", "Depth", "16-bit floats hold every 8-bit matte exactly",
            [("Half float, 16 bit", False), ("Float, 32 bit", True)], self,
        )  # fmt: skip
        self.range = chooser("matte_export.range", "Frames", "Which media frames to export", [], self)
        self.range.currentIndexChanged.connect(lambda _i: self._on_range_changed())
        count = max(1, self._session.document.media[self._media_id].info.frame_count)
        self.first = named(QSpinBox(self), "matte_export.first", "First frame", "The first media frame")
        self.last = named(QSpinBox(self), "matte_export.last", "Last frame", "The last media frame, included")
        ends = QHBoxLayout()
        ends.addWidget(self.range, 1)
        for field in (self.first, self.last):
            field.setRange(0, count - 1)
            field.setProperty("plain", True)
            field.setFixedWidth(76)
            field.valueChanged.connect(lambda _v: self._forget_replacing())
        ends.addWidget(self.first)
        ends.addWidget(QLabel("to", self))
        ends.addWidget(self.last)
        self.audio = named(
            QCheckBox("With the clip's sound", self), "matte_export.audio", "With the clip's sound",
            "Passed through untouched where the file allows it, otherwise encoded again",
        )  # fmt: skip
        self.audio.setChecked(True)
        folder = Path(self._preferences.get("export_folder") or Path.home())
        name = self._session.document.media[self._media_id].name
        self.path = named(
            QLineEdit(str(folder / f"{Path(name).stem} matte"), self), "matte_export.path", "File to write",
            "A file, or the name of a new folder for image sequences",
        )  # fmt: skip
        self.path.textChanged.connect(lambda _text: self._forget_replacing())
        browse = text_button(
            "matte_export.browse", "Choose a place", "folder-open", "Choose a place", self._on_browse_clicked, self,
            text=False,
        )  # fmt: skip
        place = QHBoxLayout()
        place.addWidget(self.path, 1)
        place.addWidget(browse)
        form = self._rows = QFormLayout()
        form.setSpacing(10)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for words, field in (
            ("Objects", self.objects), ("Several", self.together), ("Format", self.format), ("", self.facts),
            ("Content", self.content), ("Background", self.key), ("Colour as", self.light), ("Depth", self.bit_depth),
            ("Frames", ends), ("File", place), ("", self.audio),
        ):  # fmt: skip
            form.addRow(words, field)

    def _show_ranges(self) -> None:
        """The ranges there are to choose from, with their frames."""
        self._filling = True
        before = self.range.currentData()
        self.range.clear()
        document = self._session.document
        count = max(1, document.media[self._media_id].info.frame_count)
        try:
            source = MatteSource(document, self._session.store.tiles)
            settings = MatteExport(path=Path("x"), objects=self._chosen())
            start, stop = matte_range(document, settings, source)
            self.range.addItem(f"Where there are mattes ({start} to {stop - 1})", (_USED, start, stop))
        except StudioError:
            pass
        clip, sequence = self._session.target_clip(), document.sequence
        if clip is not None and sequence is not None and clip.media_id == self._media_id:
            start, stop = planning.media_range(document, clip, sequence.rate)
            self.range.addItem(f"The clip on the timeline ({start} to {stop - 1})", (_CLIP, start, stop))
        self.range.addItem(f"The whole file (0 to {count - 1})", (_WHOLE, 0, count))
        self.range.addItem("These frames", (_CUSTOM, self.first.value(), self.last.value() + 1))
        kinds = [self.range.itemData(i)[0] for i in range(self.range.count())]
        self.range.setCurrentIndex(kinds.index(before[0]) if before and before[0] in kinds else 0)
        self._filling = False
        self._on_range_changed()

    def _on_range_changed(self) -> None:
        if self._filling:
            return
        kind, start, stop = self.range.currentData()
        self.first.setEnabled(kind == _CUSTOM)
        self.last.setEnabled(kind == _CUSTOM)
        if kind != _CUSTOM:
            self.first.setValue(start)
            self.last.setValue(stop - 1)
        self._forget_replacing()

    def _on_objects_changed(self) -> None:
        if not self._filling:
            self._show_fields()
            self._show_ranges()

    def _on_format_changed(self) -> None:
        chosen = format_of(self.format.currentData())
        self.facts.setText(chosen.description)
        self._filling = True
        before = self.content.currentData()
        self.content.clear()
        for content in chosen.contents:
            self.content.addItem(CONTENTS[content], content)
        self.content.setCurrentIndex(max(0, self.content.findData(before)))
        layered = chosen.id == "exr"
        if layered != (self.together.itemText(1) == "One layer each"):
            # Layers are what EXR is for; elsewhere one file is what most people want.
            self.together.setItemText(1, "One layer each" if layered else "One file each")
            self.together.setCurrentIndex(int(layered))
        self._filling = False
        self._show_fields()

    def _show_fields(self) -> None:
        """Show what the format and the number of objects leave to choose."""
        chosen = format_of(self.format.currentData())
        colour = bool(chosen.contents) and self.content.currentData() != "matte"
        sound = self._session.document.media[self._media_id].info.audio is not None
        self._rows.setRowVisible(self.together, len(self._chosen()) > 1)
        self._rows.setRowVisible(self.content, bool(chosen.contents))
        self._rows.setRowVisible(self.key, chosen.id.startswith("greenscreen"))
        self._rows.setRowVisible(self.light, chosen.id == "exr" and colour)
        self._rows.setRowVisible(self.bit_depth, chosen.id == "exr")
        self._rows.setRowVisible(self.audio, sound and not chosen.is_sequence)
        self.start.setEnabled(bool(self._chosen()))
        self._forget_replacing()
        layout = self.layout()
        if layout is not None:
            layout.activate()
        self.resize(self.width(), self.sizeHint().height())

    def _chosen(self) -> tuple[str, ...]:
        entries = [self.objects.item(row) for row in range(self.objects.count())]
        return tuple(e.data(_KEY) for e in entries if e.checkState() is Qt.CheckState.Checked)

    def _on_key_clicked(self) -> None:
        dialog = QColorDialog(QColor(*self._key), self)
        dialog.setObjectName("matte_export.key_dialog")
        dialog.setWindowTitle("Background colour")
        dialog.colorSelected.connect(lambda c: self._set_key((c.red(), c.green(), c.blue())))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _set_key(self, key: tuple[int, int, int]) -> None:
        self._key = key
        self._show_key()

    def _show_key(self) -> None:
        self.key.setIcon(_swatch(self._key))
        self.key.setIconSize(QSize(16, 16))
        self.key.setText("  " + QColor(*self._key).name())

    def _on_browse_clicked(self) -> None:
        dialog = QFileDialog(self, "Export mattes to", str(Path(self.path.text()).parent))
        dialog.setObjectName("matte_export.file_dialog")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
        dialog.selectFile(Path(self.path.text()).name)
        dialog.fileSelected.connect(self.path.setText)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def settings(self) -> MatteExport:
        """What the fields say."""
        return MatteExport(
            path=Path(self.path.text().strip()),
            format=self.format.currentData(),
            objects=self._chosen(),
            combined=self.together.currentData() and len(self._chosen()) > 1,
            start=self.first.value(),
            stop=self.last.value() + 1,
            content=self.content.currentData() or STRAIGHT,
            key=self._key,
            linear=self.light.currentData(),
            float32=self.bit_depth.currentData(),
            audio=self.audio.isChecked(),
        )

    # -- the run -----------------------------------------------------------------------------------------------------

    def _on_start_clicked(self) -> None:
        if self._job is not None:
            self._say("Stopping…", "muted")
            self._job.cancel()
            return
        settings = self.settings()
        document = self._session.document
        try:
            found = targets(document, settings, self._project_folder)
            matte_range(document, settings, MatteSource(document, self._session.store.tiles))
        except StudioError as error:
            self._say(str(error), "error")
            return
        there = tuple(path for path in found if path.is_file() or (path.is_dir() and any(path.iterdir())))
        if there and there != self._replacing:
            self._replacing = there
            verb = "is" if len(there) == 1 else "are"
            names = ", ".join(f"“{path.name}”" for path in there)
            self._say(f"{names} {verb} there already. Press Replace to write over it.", "warning")
            self.start.setText("Replace")
            return
        self._preferences.set("matte_format", settings.format)
        self._preferences.set("export_folder", str(settings.path.parent))
        job = export_job(document, settings, self._session.store.tiles, self._project_folder, self)
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
        """Something else was chosen: what was said about the files before no longer counts."""
        if self._filling or self._job is not None or not self._replacing:
            return
        self._replacing = ()
        self.start.setText("Export")
        self._say("", "muted")

    def _on_progressed(self, progress: ExportProgress) -> None:
        self.progress.setRange(0, progress.total)
        self.progress.setValue(progress.done)
        left = f", {span(progress.seconds_left)} left" if progress.seconds_left is not None else ""
        self._say(
            f"{progress.done} of {progress.total} frames, {progress.frames_per_second:.1f} a second{left}", "muted"
        )

    def _on_finished(self, result: MatteExportResult) -> None:
        self._result = result
        where = str(result.paths[0]) if len(result.paths) == 1 else f"{len(result.paths)} files"
        verb = "is" if len(result.paths) == 1 else "are"
        notes = "\n".join(result.notes)
        frames = "1 frame" if result.frames == 1 else f"{result.frames} frames"
        self._ended(f"{where} {verb} ready: {frames} in {span(result.seconds)}.\n{notes}".strip(), "heading")
        self.reveal.show()
        self.exported.emit(result)

    def _ended(self, text: str, role: str) -> None:
        if self._job is not None:
            self._job.wait()
            self._job.deleteLater()
            self._job = None
        self.progress.hide()
        self._replacing = ()
        self.start.setText("Export")
        self._enable(True)
        self._say(text, role)

    def stop(self) -> None:
        """Cancel a running export and wait for its end."""
        if self._job is not None:
            self._job.cancel()
            self._ended("Cancelled; nothing was written.", "muted")

    def _enable(self, on: bool) -> None:
        for widget in (
            self.objects, self.together, self.format, self.content, self.key, self.light, self.bit_depth, self.range,
            self.first, self.last, self.path, self.audio, self.close_button,
        ):  # fmt: skip
            widget.setEnabled(on)
        if on:
            self._on_range_changed()

    def _say(self, text: str, role: str) -> None:
        self.status.setProperty("role", role)
        self.status.setStyleSheet("")
        self.status.style().polish(self.status)
        self.status.setText(text)

    def _on_reveal_clicked(self) -> None:
        if self._result is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._result.paths[0].parent)))

    def reject(self) -> None:
        if self._job is None:
            super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._job is not None:
            event.ignore()
        else:
            super().closeEvent(event)


def _swatch(colour: tuple[int, int, int]) -> QIcon:
    pixmap = QPixmap(16, 16)
    pixmap.fill(QColor(*colour))
    return QIcon(pixmap)
