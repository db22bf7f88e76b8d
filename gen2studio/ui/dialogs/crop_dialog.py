"""Choosing the part of a training image that counts."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gen2studio.ui import theme
from gen2studio.ui.widgets.named import chooser, named

Crop = tuple[float, float, float, float]
"""(x, y, width, height) in 0…1 of the picture."""

_GRIP = 9.0
_SMALLEST = 0.05
"""Part of the picture's side that a crop has at least."""


def fitted(crop: QRectF, aspect: float) -> QRectF:
    """The largest rectangle of ``aspect`` (width / height, both in 0…1 units) about the middle of ``crop``."""
    made = QRectF(crop)
    if aspect > 0:
        if crop.width() / crop.height() > aspect:
            made.setWidth(crop.height() * aspect)
        else:
            made.setHeight(crop.width() / aspect)
        made.moveCenter(crop.center())
    return made


class CropView(QWidget):
    """A picture with a rectangle to move, resize or draw anew. Arrow keys nudge it, with Shift they resize it."""

    crop_changed = Signal(object)
    """QRectF in 0…1."""

    def __init__(self, image: QImage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, "crop.view", "Crop", "Drag inside to move, at an edge or corner to resize, outside to draw anew")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self._image = image
        self._crop = QRectF(0, 0, 1, 1)
        self._aspect = 0.0
        self._held = ""
        self._from = QPointF()
        self._before = QRectF()

    def sizeHint(self) -> QSize:
        return QSize(640, 480)

    @property
    def crop(self) -> QRectF:
        return QRectF(self._crop)

    def set_crop(self, crop: QRectF) -> None:
        self._crop = self._inside(crop)
        self.update()
        self.crop_changed.emit(self.crop)

    def set_aspect(self, aspect: float) -> None:
        """Hold width / height in picture pixels; 0 = free."""
        self._aspect = aspect * self._image.height() / max(1, self._image.width()) if aspect else 0.0
        if self._aspect:
            self.set_crop(fitted(self._crop, self._aspect))

    @staticmethod
    def _inside(crop: QRectF) -> QRectF:
        made = QRectF(crop)
        made.setWidth(min(1.0, max(_SMALLEST, made.width())))
        made.setHeight(min(1.0, max(_SMALLEST, made.height())))
        made.moveLeft(min(max(0.0, made.left()), 1.0 - made.width()))
        made.moveTop(min(max(0.0, made.top()), 1.0 - made.height()))
        return made

    # -- geometry ------------------------------------------------------------------------------------------------------

    def picture_place(self) -> QRectF:
        """Where the picture is painted."""
        box = QRectF(self.rect()).adjusted(12, 12, -12, -12)
        size = self._image.size().scaled(box.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRectF(0, 0, max(1, size.width()), max(1, size.height()))
        place.moveCenter(box.center())
        return place

    def crop_place(self) -> QRectF:
        """Where the rectangle is painted."""
        place, crop = self.picture_place(), self._crop
        return QRectF(
            place.left() + crop.left() * place.width(), place.top() + crop.top() * place.height(),
            crop.width() * place.width(), crop.height() * place.height(),
        )  # fmt: skip

    def _grip_at(self, point: QPointF) -> str:
        """Letters of the edges under ``point`` (l, r, t, b), "m" inside, empty outside."""
        place = self.crop_place()
        if not place.adjusted(-_GRIP, -_GRIP, _GRIP, _GRIP).contains(point):
            return ""
        found = ""
        found += "l" if abs(point.x() - place.left()) <= _GRIP else ""
        found += "r" if not found and abs(point.x() - place.right()) <= _GRIP else ""
        found += "t" if abs(point.y() - place.top()) <= _GRIP else ""
        found += "b" if "t" not in found and abs(point.y() - place.bottom()) <= _GRIP else ""
        return found or "m"

    def _at(self, point: QPointF) -> QPointF:
        place = self.picture_place()
        x = (point.x() - place.left()) / place.width()
        y = (point.y() - place.top()) / place.height()
        return QPointF(min(1.0, max(0.0, x)), min(1.0, max(0.0, y)))

    # -- gestures ------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._held = self._grip_at(event.position()) or "new"
        self._from = self._at(event.position())
        self._before = QRectF(self._crop)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if not self._held:
            self._show_cursor(self._grip_at(event.position()))
            return
        now = self._at(event.position())
        if self._held == "m":
            self.set_crop(self._before.translated(now - self._from))
        elif self._held == "new":
            drawn = QRectF(self._from, now).normalized()
            if drawn.width() > 0.01 or drawn.height() > 0.01:
                self.set_crop(self._shaped(drawn, self._from))
        else:
            self.set_crop(self._resized(now))

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._held = ""

    def _resized(self, now: QPointF) -> QRectF:
        made = QRectF(self._before)
        if "l" in self._held:
            made.setLeft(min(now.x(), made.right() - _SMALLEST))
        if "r" in self._held:
            made.setRight(max(now.x(), made.left() + _SMALLEST))
        if "t" in self._held:
            made.setTop(min(now.y(), made.bottom() - _SMALLEST))
        if "b" in self._held:
            made.setBottom(max(now.y(), made.top() + _SMALLEST))
        across = self._before.right() if "l" in self._held else self._before.left()
        down = self._before.bottom() if "t" in self._held else self._before.top()
        return self._shaped(made, QPointF(across, down))

    def _shaped(self, drawn: QRectF, anchor: QPointF) -> QRectF:
        """``drawn`` in the aspect that is held, with its corner (or edge) at ``anchor`` where it was."""
        if not self._aspect:
            return drawn
        width = max(drawn.width(), drawn.height() * self._aspect) if self._held in ("t", "b") else drawn.width()
        width = min(max(width, _SMALLEST), 1.0, self._aspect)
        made = QRectF(0, 0, width, width / self._aspect)
        made.moveLeft(anchor.x() if drawn.center().x() >= anchor.x() else anchor.x() - made.width())
        made.moveTop(anchor.y() if drawn.center().y() >= anchor.y() else anchor.y() - made.height())
        return made

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: QPointF(-0.01, 0), Qt.Key.Key_Right: QPointF(0.01, 0),
            Qt.Key.Key_Up: QPointF(0, -0.01), Qt.Key.Key_Down: QPointF(0, 0.01),
        }  # fmt: skip
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            grown = self._crop.adjusted(0, 0, step.x(), step.y())
            self.set_crop(fitted(grown, self._aspect) if self._aspect else grown)
        else:
            self.set_crop(self._crop.translated(step))

    def _show_cursor(self, grip: str) -> None:
        shapes = {
            "m": Qt.CursorShape.SizeAllCursor, "l": Qt.CursorShape.SizeHorCursor, "r": Qt.CursorShape.SizeHorCursor,
            "t": Qt.CursorShape.SizeVerCursor, "b": Qt.CursorShape.SizeVerCursor, "lt": Qt.CursorShape.SizeFDiagCursor,
            "rb": Qt.CursorShape.SizeFDiagCursor, "rt": Qt.CursorShape.SizeBDiagCursor,
            "lb": Qt.CursorShape.SizeBDiagCursor,
        }  # fmt: skip
        self.setCursor(shapes.get(grip, Qt.CursorShape.CrossCursor))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), theme.colour("canvas"))
        place, crop = self.picture_place(), self.crop_place()
        painter.drawImage(place, self._image)
        shade = theme.colour("canvas", 170)
        painter.fillRect(QRectF(place.left(), place.top(), place.width(), crop.top() - place.top()), shade)
        painter.fillRect(QRectF(place.left(), crop.bottom(), place.width(), place.bottom() - crop.bottom()), shade)
        painter.fillRect(QRectF(place.left(), crop.top(), crop.left() - place.left(), crop.height()), shade)
        painter.fillRect(QRectF(crop.right(), crop.top(), place.right() - crop.right(), crop.height()), shade)
        painter.setPen(QPen(theme.colour("text", 90), 1))
        for third in (1, 2):
            x, y = crop.left() + crop.width() * third / 3, crop.top() + crop.height() * third / 3
            painter.drawLine(QPointF(x, crop.top()), QPointF(x, crop.bottom()))
            painter.drawLine(QPointF(crop.left(), y), QPointF(crop.right(), y))
        painter.setPen(QPen(theme.colour("accent" if self.hasFocus() else "text"), 1.5))
        painter.drawRect(crop)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("text"))
        for corner in (crop.topLeft(), crop.topRight(), crop.bottomLeft(), crop.bottomRight()):
            painter.drawRect(QRectF(corner.x() - 4, corner.y() - 4, 8, 8))


class CropDialog(QDialog):
    """Shows one image; ``chosen`` carries the crop, None for the whole image."""

    chosen = Signal(object)

    def __init__(
        self, image: QImage, title: str, crop: Crop | None, native: tuple[int, int], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("cropDialog")
        self.setWindowTitle(f"Crop {title}")
        self._image = image
        self.view = CropView(image, self)
        shapes: list[tuple[str, object]] = [("Free", 0.0), ("Square", 1.0)]
        if native[0] and native[0] != native[1]:
            shapes += [
                (f"{native[0]} × {native[1]}", native[0] / native[1]),
                (f"{native[1]} × {native[0]}", native[1] / native[0]),
            ]
        self.shape = chooser("crop.shape", "Shape", "Hold the shape of the rectangle", shapes, self)
        self.shape.activated.connect(lambda row: self.view.set_aspect(float(self.shape.itemData(row))))
        self.size_label = named(QLabel(self), "crop.size", "Size", "Pixels that are left to learn from")
        self.size_label.setProperty("role", "muted")
        whole = named(QPushButton("Whole image", self), "crop.whole", "Whole image", "Use all of it again")
        whole.clicked.connect(lambda: self.view.set_crop(QRectF(0, 0, 1, 1)))
        cancel = named(QPushButton("Cancel", self), "crop.cancel", "Cancel", "Leave it as it was (Esc)")
        cancel.clicked.connect(self.reject)
        use = named(QPushButton("Crop", self), "crop.use", "Crop", "Train on this part of the image (Enter)")
        use.setProperty("primary", True)
        use.setDefault(True)
        use.clicked.connect(self._on_used)
        row = QHBoxLayout()
        row.setContentsMargins(12, 0, 12, 12)
        row.setSpacing(theme.SPACING)
        row.addWidget(self.shape)
        row.addWidget(self.size_label)
        row.addStretch(1)
        for button in (whole, cancel, use):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.view, 1)
        column.addLayout(row)
        self.view.crop_changed.connect(self._on_crop_changed)
        self.view.set_crop(QRectF(*crop) if crop is not None else QRectF(0, 0, 1, 1))
        self.view.setFocus()
        self.resize(760, 620)

    def _on_crop_changed(self, crop: QRectF) -> None:
        width, height = round(crop.width() * self._image.width()), round(crop.height() * self._image.height())
        self.size_label.setText(f"{width} × {height} px")

    def _on_used(self) -> None:
        crop = self.view.crop
        whole = crop.width() > 0.999 and crop.height() > 0.999
        self.chosen.emit(None if whole else (crop.left(), crop.top(), crop.width(), crop.height()))
        self.accept()
