"""Export mattes: which objects, as what, which frames, where to; then progress with the time left, and cancel."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app import planning
from gen2studio.app.matte_export import GREEN, MatteExport, MatteExportResult, matte_range, targets
from gen2studio.app.matte_jobs import export_job
from gen2studio.app.mattes import MatteSource
from gen2studio.app.preferences import Preferences
from gen2studio.app.session import Session
from gen2studio.core.errors import StudioError
from gen2studio.media.matte_formats import CONTENTS, FORMATS, STRAIGHT, format_of
from gen2studio.ui.dialogs.file_job_dialog import FileJobDialog
from gen2studio.ui.panels.queue_panel import span
from gen2studio.ui.widgets.named import chooser, named, text_button

_KEY = int(Qt.ItemDataRole.UserRole)
_USED, _CLIP, _WHOLE, _CUSTOM = "used", "clip", "whole", "custom"


class MatteExportDialog(FileJobDialog):
    """One export at a time; the window stays usable behind it. The document is the one at the moment of Start."""

    exported = Signal(object)
    """MatteExportResult"""

    def __init__(
        self, session: Session, media_id: str, preferences: Preferences, project_folder: Path | None, parent: QWidget
    ) -> None:
        """``media_id`` is the media whose objects are exported; the chosen object is ticked."""
        super().__init__("matteExportDialog", "Export mattes", "matte_export", parent)
        self.setMinimumWidth(600)
        self._session = session
        self._media_id = media_id
        self._preferences = preferences
        self._project_folder = project_folder
        self._key = GREEN
        self._filling = True
        self._make_fields()
        body = QVBoxLayout()
        body.addLayout(self._rows)
        body.addStretch(1)
        self.build_foot(body, "Write the mattes (Enter)", close_tip="Close this window (Esc)")
        self._filling = False
        self._on_format_changed()
        self._show_ranges()

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

    def begin_work(self) -> None:
        settings = self.settings()
        document = self._session.document
        try:
            found = targets(document, settings, self._project_folder)
            matte_range(document, settings, MatteSource(document, self._session.store.tiles))
        except StudioError as error:
            self.say(str(error), "error")
            return
        if not self.may_replace(tuple(found)):
            return
        self._preferences.set("matte_format", settings.format)
        self._preferences.set("export_folder", str(settings.path.parent))
        self.run_job(export_job(document, settings, self._session.store.tiles, self._project_folder, self))

    def _forget_replacing(self) -> None:
        if not self._filling:
            self.forget_replacing()

    def show_result(self, result: object) -> None:
        assert isinstance(result, MatteExportResult)
        where = str(result.paths[0]) if len(result.paths) == 1 else f"{len(result.paths)} files"
        verb = "is" if len(result.paths) == 1 else "are"
        notes = "\n".join(result.notes)
        frames = "1 frame" if result.frames == 1 else f"{result.frames} frames"
        said = f"{where} {verb} ready: {frames} in {span(result.seconds)}.\n{notes}".strip()
        self.ended(said, "heading", result.paths[0].parent)
        self.exported.emit(result)

    def enable_fields(self, on: bool) -> None:
        for widget in (
            self.objects, self.together, self.format, self.content, self.key, self.light, self.bit_depth, self.range,
            self.first, self.last, self.path, self.audio,
        ):  # fmt: skip
            widget.setEnabled(on)
        if on:
            self._on_range_changed()


def _swatch(colour: tuple[int, int, int]) -> QIcon:
    pixmap = QPixmap(16, 16)
    pixmap.fill(QColor(*colour))
    return QIcon(pixmap)
