"""Import mattes: what the file holds, where it goes, a look at it, then progress and cancel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.matte_jobs import MatteLook, finish_import, import_job
from gen2studio.app.session import Session
from gen2studio.core.errors import StudioError
from gen2studio.core.media_info import MediaKind
from gen2studio.ui.dialogs.file_job_dialog import FileJobDialog
from gen2studio.ui.widgets.named import chooser, named, text_button

if TYPE_CHECKING:
    from gen2studio.app.matte_files import MatteImport, ReadLayer
    from gen2studio.media.matte_kinds import MatteFile

FILTER = (
    "Mattes (*.png *.exr *.tif *.tiff *.jpg *.jpeg *.webp *.bmp *.mov *.mp4 *.webm *.mkv *.avi *.mxf *.m4v);;"
    "All files (*)"
)
_PREVIEW = QSize(400, 240)
_KEY = int(Qt.ItemDataRole.UserRole)


class MatteImportDialog(FileJobDialog):
    """Imports one matte file or run of images into the clip that was shown when it was opened."""

    verb = "Import"
    noun = "import"
    undone = "Cancelled; nothing was imported."
    unit = "images"

    def __init__(self, session: Session, media_id: str, frame: int, path: Path, parent: QWidget) -> None:
        """``frame`` is the media frame on screen: where a still goes."""
        super().__init__("matteImportDialog", "Import mattes", "matte_import", parent)
        self._session = session
        self._media_id = media_id
        self._frame = frame
        self._path = path
        self._file: MatteFile | None = None
        self._filling = False
        self._look = MatteLook(self)
        self._look.found.connect(self._on_found)
        self._look.previewed.connect(self._on_previewed)
        self._look.failed.connect(self._on_look_failed)

        self.picture = named(QLabel(self), "matte_import.preview", "Preview", "The clip, dark outside the matte")
        self.picture.setFixedSize(_PREVIEW)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setProperty("role", "faint")
        self.facts = QLabel(self)
        self.facts.setObjectName("matte_import.facts")
        self.facts.setProperty("role", "muted")
        self.facts.setWordWrap(True)
        self.layers = named(QListWidget(self), "matte_import.layers", "Objects", "The objects to import")
        self.layers.itemChanged.connect(lambda _item: self._on_changed())
        self.layers.setFixedHeight(120)
        self.layers.hide()
        self.place = named(
            QSlider(Qt.Orientation.Horizontal, self), "matte_import.place", "Preview image", "Look at another image"
        )
        self.place.valueChanged.connect(lambda _v: self._on_place_changed())
        self.notes = QLabel(self)
        self.notes.setObjectName("matte_import.notes")
        self.notes.setWordWrap(True)
        self.notes.setAlignment(Qt.AlignmentFlag.AlignTop)
        left = QVBoxLayout()
        left.setSpacing(8)
        left.addWidget(self.picture)
        left.addWidget(self.place)
        left.addWidget(self.facts)
        left.addWidget(self.layers)
        left.addStretch(1)

        columns = QHBoxLayout()
        columns.setSpacing(20)
        columns.addLayout(left)
        right = QVBoxLayout()
        right.setSpacing(10)
        right.addLayout(self._form())
        right.addWidget(self.notes)
        right.addStretch(1)
        columns.addLayout(right, 1)
        self.build_foot(columns, "Import the mattes (Enter)", close="Cancel", close_tip="Import nothing (Esc)")
        self.setMinimumWidth(860)
        self._open(path)

    def _form(self) -> QFormLayout:
        from gen2studio.media.matte_kinds import MatteFit

        self.path = named(QLineEdit(self), "matte_import.path", "File", "The file, or one image of the sequence")
        self.path.setReadOnly(True)
        self.path.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        browse = text_button(
            "matte_import.browse", "Choose another file", "folder-open", "Choose another file", self._on_browse, self,
            text=False,
        )  # fmt: skip
        place = QHBoxLayout()
        place.addWidget(self.path, 1)
        place.addWidget(browse)
        self.single = self._check("single", "Only this image", "Not the whole numbered sequence it belongs to")
        self.single.toggled.connect(lambda _on: self._open(self._path))
        self.carrier = chooser("matte_import.carrier", "Matte from", "What in the file is the matte", [], self)
        self.carrier.currentIndexChanged.connect(lambda _i: self._on_carrier_changed())
        self.target = chooser("matte_import.target", "Into", "A new object, or one there is", [], self)
        self.target.currentIndexChanged.connect(lambda _i: self._on_changed())
        self.name = named(QLineEdit(self), "matte_import.name", "Name", "What the new object is called")
        self.first = named(
            QSpinBox(self), "matte_import.first", "First image at", "The media frame that the first image goes to"
        )
        self.first.setRange(-99_999, 999_999)
        self.first.setProperty("plain", True)
        self.first.valueChanged.connect(lambda _v: self._on_changed())
        self.fit = chooser(
            "matte_import.fit", "Shape", "What happens when the mattes have another shape than the clip",
            [("Same shape only", MatteFit.SAME), ("Fit inside", MatteFit.FIT), ("Crop to fill", MatteFit.CROP),
             ("Stretch", MatteFit.STRETCH)], self,
        )  # fmt: skip
        self.fit.currentIndexChanged.connect(lambda _i: self._on_changed())
        self.counts = chooser(
            "matte_import.counts", "Count as", "Drawn frames are kept by propagation, propagated ones may change",
            [("Drawn by hand", True), ("Propagated", False)], self,
        )  # fmt: skip
        self.invert = self._check("invert", "Invert", "Black is the subject")
        self.hold = self._check("hold", "On every frame of the clip", "A still matte for the whole clip")
        self.invert.toggled.connect(lambda _on: self._on_changed())
        self.hold.toggled.connect(lambda _on: self._on_changed())
        form = QFormLayout()
        form.setSpacing(10)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for words, field in (
            ("File", place), ("", self.single), ("Matte from", self.carrier), ("", self.invert), ("Into", self.target),
            ("Name", self.name), ("First image at", self.first), ("", self.hold), ("Shape", self.fit),
            ("Count as", self.counts),
        ):  # fmt: skip
            form.addRow(words, field)
        self._rows = form
        return form

    def _check(self, name: str, text: str, tip: str) -> QCheckBox:
        return named(QCheckBox(text, self), f"matte_import.{name}", text, tip)

    # -- what the file holds -----------------------------------------------------------------------------------------

    def _open(self, path: Path) -> None:
        self._path = path
        self._file = None
        self.path.setText(path.name)
        self.path.setToolTip(str(path))
        self.facts.setText("")
        self.picture.setText("Looking into the file…")
        self.say("", "muted")
        self.place.hide()
        self.layers.hide()
        self._show_file()
        self._look.look(path, self.single.isChecked())

    def _on_browse(self) -> None:
        dialog = QFileDialog(self, "Choose mattes", str(self._path.parent), FILTER)
        dialog.setObjectName("matte_import.file_dialog")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self._open(Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_look_failed(self, sentence: str) -> None:
        self.picture.clear()
        self.picture.setText("No preview")
        self.say(sentence, "error")
        if self._file is None:
            self.start.setEnabled(False)

    def _on_found(self, file: MatteFile) -> None:
        from gen2studio.app.matte_files import first_frame_of

        self._file = file
        self.facts.setText(f"{file.sentence()}.")
        item = self._session.document.media.get(self._media_id)
        if item is None:
            self._on_look_failed("The clip is no longer in the project.")
            return
        self._filling = True
        self.name.setModified(False)
        self.place.setRange(0, file.count - 1)
        self.place.setValue(0)
        self.first.setValue(first_frame_of(file, max(1, item.info.frame_count), self._frame))
        self._filling = False
        self._show_file()
        self._on_carrier_changed()
        self.start.setFocus()

    def _show_file(self) -> None:
        """Fill what depends on the file."""
        from gen2studio.media.matte_kinds import CARRIERS

        file = self._file
        self._filling = True
        self.carrier.clear()
        self.target.clear()
        for carrier in file.carriers if file else ():
            found = "  (found)" if file and len(file.carriers) > 1 and carrier == file.carrier else ""
            self.carrier.addItem(f"{CARRIERS[carrier]}{found}", carrier)
        if file:
            self.carrier.setCurrentIndex(file.carriers.index(file.carrier))
        self.target.addItem("New object", "")
        for owner in self._session.document.masks_of(self._media_id):
            if not owner.locked:
                self.target.addItem(owner.name, owner.id)
        still = file is not None and file.kind is MediaKind.STILL
        self._rows.setRowVisible(self.hold, still)
        run = file is not None and bool(file.files) and (file.kind is MediaKind.SEQUENCE or self.single.isChecked())
        self._rows.setRowVisible(self.single, run and not self._path.is_dir())
        item = self._session.document.media.get(self._media_id)
        other = file is not None and item is not None and _differs(file, item.info.extent.aspect)
        self._rows.setRowVisible(self.fit, other)
        for widget in (self.carrier, self.target, self.name, self.first, self.counts, self.invert):
            widget.setEnabled(file is not None)
        self.carrier.setEnabled(file is not None and len(file.carriers) > 1)
        self.start.setEnabled(file is not None)
        self._filling = False

    def _on_carrier_changed(self) -> None:
        if self._filling or self._file is None:
            return
        self._filling = True
        self.layers.clear()
        offered = self._file.layers_of(self.carrier.currentData())
        for layer in offered:
            entry = QListWidgetItem(layer.title or self._file.path.stem)
            entry.setData(_KEY, layer.key)
            entry.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable)
            entry.setCheckState(Qt.CheckState.Checked if layer.chosen else Qt.CheckState.Unchecked)
            self.layers.addItem(entry)
        self.layers.setVisible(len(offered) > 1)
        self._filling = False
        self._on_changed()
        self.adjustSize()

    # -- settings --------------------------------------------------------------------------------------------------

    def settings(self) -> MatteImport:
        """What the fields say."""
        from gen2studio.app.matte_files import MatteImport

        assert self._file is not None
        entries = [self.layers.item(row) for row in range(self.layers.count())]
        chosen = frozenset(e.data(_KEY) for e in entries if e.checkState() is Qt.CheckState.Checked)
        return MatteImport(
            carrier=self.carrier.currentData(),
            layers=chosen if len(entries) > 1 else None,
            invert=self.invert.isChecked(),
            first_frame=self.first.value(),
            fit=self.fit.currentData(),
            anchors=self.counts.currentData(),
            hold=self.hold.isChecked() and not self.hold.isHidden(),
            object_id=self.target.currentData() or "",
            name=self.name.text().strip(),
        )

    def _on_changed(self) -> None:
        """Say what would happen, and show it."""
        if self._filling or self._file is None:
            return
        from gen2studio.app.matte_files import arrange, chosen_layers

        item = self._session.document.media.get(self._media_id)
        if item is None:
            return
        settings = self.settings()
        self.first.setEnabled(not settings.hold)
        several = settings.layers is not None and len(settings.layers) != 1
        self.target.setEnabled(not several)
        if not self.name.isModified():
            self.name.setText(self._suggested_name(settings))
        self._rows.setRowVisible(self.name, not several and not settings.object_id)
        self.place.setVisible(self._file.count > 1)
        if several and self.target.currentIndex():
            self.target.setCurrentIndex(0)
            return
        try:
            chosen_layers(self._file, settings)
            arrangement = arrange(self._file, settings, item.info, self._frame)
        except StudioError as error:
            self.notes.setText("")
            self.say(str(error), "error")
            self.start.setEnabled(False)
        else:
            count = len({frame for _, frame in arrangement.frames})
            shown = self._frame if settings.hold else arrangement.frames[0][1]
            last = arrangement.frames[-1][1]
            where = f"Frame {shown}." if count == 1 else f"Frames {arrangement.frames[0][1]} to {last}."
            self.notes.setText("\n".join([where, *arrangement.notes]))
            self.say("", "muted")
            self.start.setEnabled(True)
        self._show_preview()

    def _suggested_name(self, settings: MatteImport) -> str:
        assert self._file is not None
        offered = self._file.layers_of(settings.carrier)
        titles = [x.title for x in offered if settings.layers is None or x.key in settings.layers]
        return titles[0] if len(titles) == 1 and titles[0] else _name_of(self._file)

    def _on_place_changed(self) -> None:
        if not self._filling and self._file is not None:
            self._show_preview()

    def _show_preview(self) -> None:
        item = self._session.document.media.get(self._media_id)
        if self._file is not None and item is not None:
            self._look.preview(self._file, self.settings(), item, self.place.value(), self._frame, _PREVIEW.width())

    def _on_previewed(self, pixels: object) -> None:
        shape = pixels.shape  # type: ignore[attr-defined]
        image = QImage(pixels.data, shape[1], shape[0], shape[1] * 3, QImage.Format.Format_RGB888)  # type: ignore[attr-defined]
        ratio = self.devicePixelRatioF()
        fitted = QPixmap.fromImage(image).scaled(
            _PREVIEW * ratio, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        fitted.setDevicePixelRatio(ratio)
        self.picture.setPixmap(fitted)

    # -- the run ---------------------------------------------------------------------------------------------------

    def begin_work(self) -> None:
        from gen2studio.app.matte_files import arrange

        item = self._session.document.media.get(self._media_id)
        if self._file is None or item is None:
            return
        settings = self.settings()
        try:
            arrangement = arrange(self._file, settings, item.info, self._frame)
        except StudioError as error:
            self.say(str(error), "error")
            return
        job = import_job(self._file, settings, arrangement, item, self._session.store.tiles, self)
        self.run_job(job, "Reading…", lambda layers: self._on_read(settings, cast("tuple[ReadLayer, ...]", layers)))

    def _on_read(self, settings: MatteImport, layers: tuple[ReadLayer, ...]) -> None:
        try:
            sentence = finish_import(self._session, self._media_id, settings, layers)
        except StudioError as error:
            self.ended(str(error), "error")
            return
        self.ended("", "muted")
        self._session.tell(sentence)
        self.accept()

    def enable_fields(self, on: bool) -> None:
        for widget in (
            self.path, self.single, self.carrier, self.name, self.target, self.first, self.fit, self.counts,
            self.invert, self.hold, self.layers,
        ):  # fmt: skip
            widget.setEnabled(on)
        if on and self._file is not None:
            self.carrier.setEnabled(len(self._file.carriers) > 1)

    def done(self, result: int) -> None:
        self._look.shutdown()
        super().done(result)


def _name_of(file: MatteFile) -> str:
    """A name for the object, from the file's or its folder's."""
    stem = file.path.stem if not file.path.is_dir() else file.path.name
    plain = stem.rstrip("0123456789").rstrip("_-. ").replace("_", " ")
    return plain or file.path.parent.name


def _differs(file: MatteFile, aspect: float) -> bool:
    return abs(file.extent.aspect / aspect - 1) > 0.01
