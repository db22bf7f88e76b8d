"""The images and clips of a training set: a grid that takes drops, with captions to type into and what is wrong with
each."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QEnterEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QFrame, QGridLayout, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from gen2studio.app.customization import Customization
from gen2studio.app.customization_plan import is_training_file
from gen2studio.app.dataset_checks import Finding, ImageFacts
from gen2studio.document.model import TrainingImage, TrainingSet
from gen2studio.ui import theme
from gen2studio.ui.timeline.drops import media_ids
from gen2studio.ui.widgets.named import named, note, text_button
from gen2studio.ui.widgets.pictures import pixmap_of
from gen2studio.ui.widgets.retire import retire

_PICTURE = QSize(152, 104)
_COLUMNS = 2
_LINES = 4
"""Findings spelled out below the grid; the others are on their tiles."""


class _Picture(QWidget):
    """A thumbnail that fills its box, with a flag where something is wrong, and how long it is where it is a clip."""

    opened = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedHeight(_PICTURE.height())
        self.setMinimumWidth(_PICTURE.width() // 2)
        self._pixmap = QPixmap()
        self._flag = ""
        self._cropped = False
        self._length = ""
        self.chosen = False

    def show_picture(self, pixmap: QPixmap, *, cropped: bool, length: str = "") -> None:
        """``length`` is shown on clips, "2.0 s"."""
        self._pixmap, self._cropped, self._length = pixmap, cropped, length
        self.update()

    def show_flag(self, kind: str) -> None:
        """ "" nothing, "warning" or "error"."""
        if kind != self._flag:
            self._flag = kind
            self.update()

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        self.opened.emit()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        path = QPainterPath()
        path.addRoundedRect(box, 5, 5)
        painter.fillPath(path, theme.colour("input"))
        painter.save()
        painter.setClipPath(path)
        if not self._pixmap.isNull():
            size = self._pixmap.deviceIndependentSize().scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
            place = QRectF(0, 0, size.width(), size.height())
            place.moveCenter(box.center())
            painter.drawPixmap(place, self._pixmap, QRectF(self._pixmap.rect()))
        elif self._flag != "error":
            painter.setPen(theme.colour("text_faint"))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "…")
        painter.restore()
        painter.setPen(QPen(theme.colour("accent" if self.chosen else "line"), 2 if self.chosen else 1))
        painter.drawPath(path)
        ratio = self.devicePixelRatioF()
        if self._flag:
            self._badge(painter, 6, "triangle-alert" if self._flag == "warning" else "circle-alert",
                        "warning" if self._flag == "warning" else "danger", ratio)  # fmt: skip
        if self._cropped:
            self._badge(painter, self.width() - 26, "scan", "text", ratio)
        if self._length:
            self._chip(painter, ratio)

    def _chip(self, painter: QPainter, ratio: float) -> None:
        """A strip of film and the length of the clip in the lower left corner."""
        wide = 26 + painter.fontMetrics().horizontalAdvance(self._length)
        chip = QRectF(6, self.height() - 26, wide, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("canvas", 190))
        painter.drawRoundedRect(chip, 4, 4)
        painter.drawPixmap(10, self.height() - 22, theme.icon_pixmap("film", 12, "text", ratio))
        painter.setPen(theme.colour("text"))
        painter.drawText(chip.adjusted(20, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, self._length)

    def _badge(self, painter: QPainter, left: float, icon: str, ink: str, ratio: float) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("canvas", 190))
        painter.drawRoundedRect(QRectF(left, 6, 20, 20), 4, 4)
        painter.drawPixmap(round(left) + 3, 9, theme.icon_pixmap(icon, 14, ink, ratio))


class ImageTile(QFrame):
    """One image: picture, caption, and buttons that show under the pointer or with the focus."""

    captioned = Signal(str, str)
    """(digest, caption)."""
    crop_requested = Signal(str)
    removed = Signal(str)

    def __init__(self, index: int, image: TrainingImage, parent: QWidget) -> None:
        super().__init__(parent)
        self.digest = image.digest
        self._image = image
        name = f"customize.image.{index}"
        self.setObjectName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.picture = _Picture(self)
        self.picture.opened.connect(lambda: self.crop_requested.emit(self.digest))
        self.caption = named(QLineEdit(self), f"{name}.caption", "Caption")
        self.caption.editingFinished.connect(self._on_caption)
        self.caption.installEventFilter(self)
        self.crop_button = text_button(
            f"{name}.crop", "Crop", "scan", "Crop: train on a part of this image (double click)",
            lambda: self.crop_requested.emit(self.digest), self.picture, text=False,
        )  # fmt: skip
        self.remove_button = text_button(
            f"{name}.remove", "Remove", "x", "Take this image out of the set (Del)",
            lambda: self.removed.emit(self.digest), self.picture, text=False,
        )  # fmt: skip
        for button in (self.crop_button, self.remove_button):
            button.setIconSize(theme.icon_size(14))
            button.setFixedSize(24, 24)
            button.setProperty("role", "over_picture")
            button.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addWidget(self.picture)
        column.addWidget(self.caption)
        self.show_image(image)

    def show_image(self, image: TrainingImage) -> None:
        self._image = image
        title = _title(image)
        self.setAccessibleName(title)
        # What is being typed is not overwritten; an undo shows at once.
        if self.caption.text() != image.caption and not (self.caption.hasFocus() and self.caption.isModified()):
            self.caption.setText(image.caption)
            self.caption.setCursorPosition(0)
        self.caption.setPlaceholderText("What is in it?")
        self.caption.setAccessibleName(f"Caption of {title}")
        self.caption.setToolTip(f"{title}: {image.caption}" if image.caption else f"{title}: say what is in it")

    def show_findings(self, findings: list[Finding]) -> None:
        """Flag the tile; its tool tip says why."""
        fatal = any(f.fatal for f in findings)
        self.picture.show_flag("error" if fatal else "warning" if findings else "")
        sentences = "\n".join(f.sentence for f in findings)
        title = _title(self._image)
        self.picture.setToolTip(f"{title}\n{sentences}" if sentences else title)
        self.setAccessibleDescription(sentences)

    def _on_caption(self) -> None:
        self.caption.setModified(False)
        if self.caption.text().strip() != self._image.caption:
            self.captioned.emit(self.digest, self.caption.text())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.caption and event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.picture.chosen = event.type() == QEvent.Type.FocusIn
            self.picture.update()
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit(self.digest)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.crop_requested.emit(self.digest)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, _event: object) -> None:
        self._show_buttons(True)

    def focusOutEvent(self, _event: object) -> None:
        self._show_buttons(self.underMouse())

    def enterEvent(self, _event: QEnterEvent) -> None:
        self._show_buttons(True)

    def leaveEvent(self, _event: QEvent) -> None:
        self._show_buttons(self.hasFocus())

    def _show_buttons(self, shown: bool) -> None:
        right = self.picture.width() - 5
        bottom = self.picture.height() - 29
        self.remove_button.move(right - 24, bottom)
        self.crop_button.move(right - 51, bottom)
        self.crop_button.setVisible(shown)
        self.remove_button.setVisible(shown)
        self.picture.chosen = self.hasFocus()
        self.picture.update()


class ImagesSection(QWidget):
    """Binds to :class:`~gen2studio.app.customization.Customization`."""

    add_requested = Signal()
    crop_requested = Signal(str)
    """Digest."""

    def __init__(self, customization: Customization, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, "customize.images", "Training images and clips", "Drop images, clips or a folder here")
        self.setToolTip("")
        self.setAcceptDrops(True)
        self._customization = customization
        self._tiles: dict[str, ImageTile] = {}
        self._order: list[str] = []
        self._dropping = False
        self.hint = note(self, name="customize.images.hint")
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setMinimumHeight(96)
        self.hint.setContentsMargins(24, 0, 24, 0)
        self.hint.setText(
            "Drop 5 to 30 images or clips of one subject, style or motion here: files, a folder, or media of the pool."
        )
        self._inside = QWidget(self)
        self._grid = QGridLayout(self._inside)
        self._grid.setContentsMargins(1, 1, 1, 1)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(10)
        for column in range(_COLUMNS):
            self._grid.setColumnStretch(column, 1)
        self.area = QScrollArea(self)
        self.area.setObjectName("customize.images.scroll")
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self._inside)
        self.findings = note(self, "warning", "customize.findings")
        self.add_button = text_button(
            "customize.add", "Add…", "image-plus", "Add images and clips from files, or drop them here",
            self.add_requested.emit, self,
        )  # fmt: skip
        self.timeline_button = text_button(
            "customize.addTimeline", "From timeline", "film",
            "Add what the selected clips of the timeline show of their footage",
            lambda: customization.add_from_timeline(), self,
        )  # fmt: skip
        self.fill_button = text_button(
            "customize.fill", "Fill captions", "type",
            "Give every image and clip without a caption a plain one made of the trigger word",
            lambda: customization.fill_captions(), self,
        )  # fmt: skip
        buttons = QGridLayout()
        buttons.addWidget(self.add_button, 0, 0)
        buttons.addWidget(self.timeline_button, 0, 1)
        buttons.addWidget(self.fill_button, 0, 2)
        buttons.setColumnStretch(3, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACING)
        column.addWidget(self.hint)
        column.addWidget(self.area)
        column.addLayout(buttons)
        column.addWidget(self.findings)
        customization.set_changed.connect(self.show_set)
        customization.findings_changed.connect(self._on_findings_changed)
        customization.image_read.connect(self._on_image_read)
        self.show_set(customization.training_set)

    @property
    def tiles(self) -> tuple[ImageTile, ...]:
        """In the order of the set."""
        return tuple(self._tiles[digest] for digest in self._order)

    def show_set(self, found: TrainingSet | None) -> None:
        images = found.images if found is not None else ()
        order = [image.digest for image in images]
        if order != self._order:
            self._lay_out(images)
        for image in images:
            self._tiles[image.digest].show_image(image)
            self._show_picture(image)
        self.hint.setVisible(not images)
        self.area.setVisible(bool(images))
        self.fill_button.setEnabled(any(not image.caption for image in images))
        self._on_findings_changed(self._customization.findings)

    def _lay_out(self, images: tuple[TrainingImage, ...]) -> None:
        gone = set(self._tiles) - {image.digest for image in images}
        for digest in gone:
            tile = self._tiles.pop(digest)
            self._grid.removeWidget(tile)
            retire(tile)
        for index, image in enumerate(images):
            tile = self._tiles.get(image.digest)
            if tile is None:
                tile = ImageTile(index, image, self._inside)
                tile.captioned.connect(self._customization.set_caption)
                tile.crop_requested.connect(self.crop_requested)
                tile.removed.connect(lambda digest: self._customization.remove_images([digest]))
                self._tiles[image.digest] = tile
            self._grid.addWidget(tile, index // _COLUMNS, index % _COLUMNS)
        self._order = [image.digest for image in images]
        rows = -(-len(images) // _COLUMNS)
        if rows:
            # Up to three rows are seen at once; the sliver of a fourth says that there is more.
            row = self.tiles[0].sizeHint().height() + self._grid.verticalSpacing()
            self.area.setFixedHeight(rows * row + 2 if rows <= 3 else round(3.35 * row))

    def _show_picture(self, image: TrainingImage) -> None:
        facts = self._customization.facts(image)
        tile = self._tiles[image.digest]
        pixmap = QPixmap()
        if facts is not None and facts.thumbnail is not None:
            pixmap = pixmap_of(facts.thumbnail)
        tile.picture.show_picture(pixmap, cropped=image.crop is not None, length=_length(image, facts))

    def _on_image_read(self, digest: str) -> None:
        found = self._customization.training_set
        image = next((i for i in found.images if i.digest == digest), None) if found is not None else None
        if image is not None and digest in self._tiles:
            self._show_picture(image)

    def _on_findings_changed(self, findings: tuple[Finding, ...]) -> None:
        for digest, tile in self._tiles.items():
            tile.show_findings([f for f in findings if f.digest == digest])
        found = self._customization.training_set
        names = {i.digest: _title(i) for i in found.images} if found is not None else {}
        lines = [f"{names[f.digest]}: {f.sentence}" if f.digest in names else f.sentence for f in findings]
        if len(lines) > _LINES:
            lines = [*lines[: _LINES - 1], f"{len(lines) - _LINES + 1} more: see the flags on the images."]
        self.findings.setText("\n".join(lines))
        self.findings.setVisible(bool(lines) and bool(names))

    # -- drops ---------------------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_files(event) or media_ids(event.mimeData()):
            self._dropping = True
            self.update()
            event.acceptProposedAction()

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self._dropping = False
        self.update()

    def dropEvent(self, event: QDropEvent) -> None:
        self._dropping = False
        self.update()
        if paths := dropped_files(event):
            event.acceptProposedAction()
            self._customization.add_images(paths, [path.name for path in paths])
        elif items := media_ids(event.mimeData()):
            event.acceptProposedAction()
            self._customization.add_media(items)

    def paintEvent(self, _event: QPaintEvent) -> None:
        if not self._dropping and self._tiles:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(theme.colour("accent" if self._dropping else "line_strong"), 1.5, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        place = self.hint.geometry() if not self._tiles else self.area.geometry()
        painter.drawRoundedRect(QRectF(place).adjusted(1, 1, -1, -1), 6, 6)


def dropped_files(event: QDropEvent) -> list[Path]:
    """Images, clips and folders among what is dragged."""
    paths = [Path(u.toLocalFile()) for u in event.mimeData().urls() if u.isLocalFile()]
    return [p for p in paths if p.is_dir() or is_training_file(p)]


def _title(image: TrainingImage) -> str:
    return image.name or ("Clip" if image.clip is not None else "Image")


def _length(image: TrainingImage, facts: ImageFacts | None) -> str:
    """“2.0 s” of a clip, as far as it has been read."""
    if image.clip is None:
        return ""
    if facts is None or not facts.rate:
        return "clip"
    return f"{float((image.clip.stop - image.clip.start) / facts.rate):.1f} s"
