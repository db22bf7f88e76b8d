"""The style board: bundled looks, style images with their weights, painted key frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QIcon, QPainter, QPainterPath, QPaintEvent, QPixmap
from PySide6.QtWidgets import (
    QButtonGroup,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.document.look import PaintedKey, StyleImage
from gen2studio.engine.catalog import PresetInfo
from gen2studio.ui import theme
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.pictures import pixmap_from_file
from gen2studio.ui.widgets.retire import retire_all
from gen2studio.ui.widgets.wheel_guard import WheelGuard

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".exr"}
_TILE = QSize(74, 46)
_COLUMNS = 4
_FRAME_MS = 16


def _rounded(pixmap: QPixmap, size: QSize, ratio: float) -> QPixmap:
    """``pixmap`` cropped to fill ``size`` with rounded corners."""
    result = QPixmap(size * ratio)
    result.setDevicePixelRatio(ratio)
    result.fill(Qt.GlobalColor.transparent)
    painter = QPainter(result)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    path = QPainterPath()
    path.addRoundedRect(QRectF(0, 0, size.width(), size.height()), 4, 4)
    painter.setClipPath(path)
    source = pixmap.deviceIndependentSize().scaled(size, Qt.AspectRatioMode.KeepAspectRatioByExpanding)
    place = QRect(QPoint(0, 0), source.toSize())
    place.moveCenter(QRect(QPoint(0, 0), size).center())
    painter.drawPixmap(place, pixmap)
    painter.end()
    return result


def _swatch(colours: tuple[tuple[int, int, int], ...], size: QSize, ratio: float) -> QPixmap:
    result = QPixmap(size * ratio)
    result.setDevicePixelRatio(ratio)
    painter = QPainter(result)
    inks = [QColor(*rgb) for rgb in colours] or [theme.colour("raised")]
    step = size.width() / len(inks)
    for index, ink in enumerate(inks):
        painter.fillRect(QRectF(index * step, 0, step + 1, size.height()), ink)
    painter.end()
    return _rounded(result, size, ratio)


class PresetGrid(QWidget):
    """Tiles of bundled looks; a click on the chosen one takes it off again. Their pictures are read once the grid was
    painted."""

    preset_chosen = Signal(str)
    """Preset id, empty for none."""

    def __init__(self, presets: tuple[PresetInfo, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("presets")
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        self._buttons: dict[str, QToolButton] = {}
        self._unread = list(presets)
        self._reading = QTimer(self)
        self._reading.setSingleShot(True)
        self._reading.timeout.connect(self._read_pictures)
        group = QButtonGroup(self)
        group.setExclusive(False)
        for index, preset in enumerate(presets):
            button = QToolButton(self)
            button.setObjectName(f"preset.{preset.id}")
            button.setAccessibleName(f"Look {preset.title}")
            button.setText(preset.title)
            button.setToolTip(f"{preset.title}\n{preset.description}".strip())
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setIconSize(_TILE)
            button.setFixedSize(_TILE.width() + 8, _TILE.height() + 26)
            button.setProperty("role", "tile")
            font = button.font()
            font.setPointSizeF(font.pointSizeF() - 2.4)
            button.setFont(font)
            button.clicked.connect(lambda checked, name=preset.id: self._on_clicked(name, checked))
            group.addButton(button)
            self._buttons[preset.id] = button
            layout.addWidget(button, index // _COLUMNS, index % _COLUMNS)
        layout.setColumnStretch(_COLUMNS, 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._unread:
            # Once the frame is out.
            self._reading.start(_FRAME_MS)

    def _read_pictures(self) -> None:
        unread, self._unread = self._unread, []
        ratio = self.devicePixelRatioF()
        for preset in unread:
            picture = pixmap_from_file(preset.thumbnail, _TILE * 2, ratio) if preset.thumbnail else QPixmap()
            tile = _swatch(preset.swatch, _TILE, ratio) if picture.isNull() else _rounded(picture, _TILE, ratio)
            self._buttons[preset.id].setIcon(QIcon(tile))

    def _on_clicked(self, preset: str, checked: bool) -> None:
        chosen = preset if checked else ""
        self.show_chosen(chosen)
        self.preset_chosen.emit(chosen)

    def show_chosen(self, preset: str) -> None:
        for name, button in self._buttons.items():
            button.setChecked(name == preset)


class _ImageTile(QWidget):
    """One style image or key frame with its weight and a remove button."""

    removed = Signal()
    weighed = Signal(float)

    def __init__(self, name: str, pixmap: QPixmap, caption: str, weight: float | None, parent: QWidget) -> None:
        super().__init__(parent)
        picture = QLabel(self)
        picture.setFixedSize(_TILE)
        if pixmap.isNull():
            picture.setPixmap(theme.icon_pixmap("triangle-alert", 18, "warning"))
            picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        else:
            picture.setPixmap(_rounded(pixmap, _TILE, self.devicePixelRatioF()))
        picture.setToolTip(caption)
        text = ElidedLabel(caption, Qt.TextElideMode.ElideMiddle, self)
        text.setToolTip(caption)
        remove = QToolButton(self)
        remove.setObjectName(f"{name}.remove")
        remove.setAccessibleName(f"Remove {caption}")
        remove.setToolTip("Remove from the board (the project keeps the file)")
        remove.setIcon(theme.icon("x", "text_muted"))
        remove.setIconSize(theme.icon_size(12))
        remove.clicked.connect(self.removed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(picture)
        layout.addWidget(text, 1)
        if weight is not None:
            field = QDoubleSpinBox(self)
            field.setObjectName(f"{name}.weight")
            field.setAccessibleName(f"Weight of {caption}")
            field.setToolTip("How much this image counts beside the others, 0…2")
            field.setRange(0.0, 2.0)
            field.setSingleStep(0.1)
            field.setPrefix("× ")
            field.setValue(weight)
            field.setKeyboardTracking(False)
            field.setFixedWidth(70)
            field.setProperty("plain", True)
            WheelGuard(field)
            field.valueChanged.connect(self.weighed)
            layout.addWidget(field)
        layout.addWidget(remove)


class ImageBoard(QWidget):
    """A list of images that takes drops. Used for style images and for painted key frames."""

    images_dropped = Signal(object)
    """list[Path]"""
    add_requested = Signal()
    removed = Signal(object)
    """The entry's key: digest or frame."""
    weighed = Signal(object, float)

    def __init__(
        self, name: str, hint: str, add_text: str, add_tip: str, extra: list[QToolButton], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAcceptDrops(True)
        self._name = name
        self._rows = QVBoxLayout()
        self._rows.setSpacing(3)
        self._hint = QLabel(hint, self)
        self._hint.setProperty("role", "faint")
        self._hint.setWordWrap(True)
        add = QToolButton(self)
        add.setObjectName(f"{name}.add")
        add.setAccessibleName(add_text)
        add.setText(add_text)
        add.setToolTip(add_tip)
        add.setIcon(theme.icon("plus"))
        add.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        add.clicked.connect(self.add_requested)
        buttons = QHBoxLayout()
        buttons.addWidget(add)
        for button in extra:
            button.setParent(self)
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self._hint)
        layout.addLayout(self._rows)
        layout.addLayout(buttons)
        self._shown: object = None

    def show_styles(self, styles: tuple[StyleImage, ...], find: Callable[[str], Path | None]) -> None:
        self._fill(
            [(s.digest, s.digest, s.name or "Style image", s.weight if len(styles) > 1 else None) for s in styles], find
        )

    def show_keys(self, keys: tuple[PaintedKey, ...], find: Callable[[str], Path | None]) -> None:
        self._fill([(k.frame, k.digest, f"Frame {k.frame} · {k.name}", None) for k in keys], find)

    def _fill(self, entries: list[tuple[object, str, str, float | None]], find: Callable[[str], Path | None]) -> None:
        if entries == self._shown:
            return
        self._shown = entries
        retire_all(self._rows)
        for index, (key, digest, caption, weight) in enumerate(entries):
            path = find(digest)
            picture = pixmap_from_file(path, _TILE * 2, self.devicePixelRatioF()) if path else QPixmap()
            tile = _ImageTile(f"{self._name}.{index}", picture, caption, weight, self)
            tile.removed.connect(lambda key=key: self.removed.emit(key))
            tile.weighed.connect(lambda value, key=key: self.weighed.emit(key, value))
            self._rows.addWidget(tile)
        self._hint.setVisible(not entries)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _images_in(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        if paths := _images_in(event):
            event.acceptProposedAction()
            self.images_dropped.emit(paths)


def _images_in(event: QDropEvent) -> list[Path]:
    paths = [Path(u.toLocalFile()) for u in event.mimeData().urls() if u.isLocalFile()]
    return [p for p in paths if p.suffix.casefold() in IMAGE_SUFFIXES]
