"""A place for one picture: drop it, choose it, take it from a frame of a clip, or take it away again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from gen2studio.ui import theme

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".exr"})
FindMedia = Callable[[str], "Path | None"]
"""Media id → the file of a still picture in the pool, or None."""


def images_in(event: QDropEvent, find_media: FindMedia | None = None) -> list[Path]:
    """The image files that a drag from the desktop, or with ``find_media`` from the media pool, brings."""
    data = event.mimeData()
    paths = [Path(u.toLocalFile()) for u in data.urls() if u.isLocalFile()]
    if find_media is not None and data.hasFormat(_MEDIA_MIME):
        import json

        found = (find_media(media_id) for media_id in json.loads(bytes(data.data(_MEDIA_MIME).data())))
        paths += [path for path in found if path is not None]
    return [p for p in paths if p.suffix.casefold() in IMAGE_SUFFIXES]


class ImageSlot(QWidget):
    """Shows a picture filled or fitted into its frame; empty, it says what belongs there."""

    images_dropped = Signal(object)
    """list[Path]"""
    clicked = Signal()
    cleared = Signal()
    """Delete was pressed on a slot that holds a picture."""

    def __init__(
        self,
        name: str,
        title: str,
        hint: str,
        find_media: FindMedia | None = None,
        size: QSize | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setToolTip(f"{title}\n{hint}")
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._title, self._hint = title, hint
        self._find_media = find_media
        self._size = size or QSize(164, 96)
        self.setFixedHeight(self._size.height())
        self.setMinimumWidth(self._size.width() // 2)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._picture = QPixmap()
        self._missing = False
        self._hot = False
        self._badge = ""

    def sizeHint(self) -> QSize:
        return self._size

    @property
    def has_picture(self) -> bool:
        return not self._picture.isNull() or self._missing

    def show_picture(self, picture: QPixmap, *, missing: bool = False, badge: str = "") -> None:
        """Show ``picture`` (null = empty); ``missing``: there is one, but its file can't be read."""
        self._picture, self._missing, self._badge = picture, missing, badge
        self.update()

    # -- events -------------------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if images_in(event, self._find_media):
            self._hot = True
            self.update()
            event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._hot = False
        self.update()
        super().dragLeaveEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        self._hot = False
        self.update()
        if paths := images_in(event, self._find_media):
            event.acceptProposedAction()
            self.images_dropped.emit(paths)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.clicked.emit()
        super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.clicked.emit()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self.has_picture:
            self.cleared.emit()
        else:
            super().keyPressEvent(event)

    # -- painting -----------------------------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        box = QRectF(self.rect()).adjusted(0.75, 0.75, -0.75, -0.75)
        path = QPainterPath()
        path.addRoundedRect(box, 5, 5)
        if self._picture.isNull():
            self._paint_empty(painter, box)
        else:
            painter.setClipPath(path)
            painter.fillRect(box, theme.colour("stage"))
            size = self._picture.deviceIndependentSize()
            size.scale(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
            place = QRectF(0, 0, size.width(), size.height())
            place.moveCenter(box.center())
            painter.drawPixmap(place, self._picture, QRectF(self._picture.rect()))
            painter.setClipping(False)
        if self._badge:
            self._paint_badge(painter, box)
        edge = "accent" if self._hot or self.hasFocus() else "line_strong"
        pen = QPen(theme.colour(edge), 1.5 if self._hot or self.hasFocus() else 1)
        if self._picture.isNull() and not self.hasFocus():
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, 5, 5)
        painter.end()

    def _paint_empty(self, painter: QPainter, box: QRectF) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("accent_soft" if self._hot else "input"))
        painter.drawRoundedRect(box, 5, 5)
        name, ink = ("triangle-alert", "warning") if self._missing else ("image-plus", "text_faint")
        ratio = self.devicePixelRatioF()
        middle = box.center()
        tall = box.height() >= 70
        painter.drawPixmap(
            int(middle.x()) - 10, int(middle.y()) - (24 if tall else 20), theme.icon_pixmap(name, 20, ink, ratio)
        )
        painter.setPen(theme.colour("text_muted"))
        words = "Its file is missing" if self._missing else self._title
        line = QRectF(box.left() + 4, middle.y() + (2 if tall else 1), box.width() - 8, 16)
        painter.drawText(line, Qt.AlignmentFlag.AlignCenter, words)
        if tall:
            font = painter.font()
            font.setPointSizeF(font.pointSizeF() - 1.5)
            painter.setFont(font)
            painter.setPen(theme.colour("text_faint"))
            painter.drawText(line.translated(0, 17), Qt.AlignmentFlag.AlignCenter, "drop or click")

    def _paint_badge(self, painter: QPainter, box: QRectF) -> None:
        font = painter.font()
        font.setPointSizeF(font.pointSizeF() - 1.5)
        painter.setFont(font)
        width = painter.fontMetrics().horizontalAdvance(self._badge) + 12
        chip = QRectF(box.left() + 5, box.top() + 5, width, 17)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("background", 210))
        painter.drawRoundedRect(chip, 4, 4)
        painter.setPen(theme.colour("text"))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, self._badge)


_MEDIA_MIME = "application/x-gen2studio-media"
"""What the media pool drags; see :data:`gen2studio.ui.panels.media_pool.MEDIA_MIME`."""
