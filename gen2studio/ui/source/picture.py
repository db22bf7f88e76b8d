"""The picture of the source viewer: fitted, or in words why there is none. Drag it to the timeline."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QPoint, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QDrag, QImage, QMouseEvent, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from gen2studio.core.geometry import Extent
from gen2studio.ui import theme
from gen2studio.ui.canvas import placard
from gen2studio.ui.canvas.overlay import image_of
from gen2studio.ui.panels.media_pool import MEDIA_MIME
from gen2studio.ui.source.waves import WaveStrip

if TYPE_CHECKING:
    from gen2studio.app.viewer_feed import ViewerPicture

_SETTLE_MS = 120
"""Pictures that follow each other faster are painted from the nearest pixels."""
_DRAG_WIDTH = 128


class SourcePicture(QWidget):
    """Shows a :class:`ViewerPicture`; sound alone shows its waveform over time."""

    wheel_stepped = Signal(int)
    """Frames that a turn of the wheel asks for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("source.picture")
        self.setAccessibleName("Source picture")
        self.setToolTip("Drag the picture to the timeline to place what is marked")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 90)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._image: QImage | None = None
        self._extent = Extent(16, 9)
        self._sentence = ""
        self._offline = False
        self._media = ""
        self._waves: WaveStrip | None = None
        self._press: QPoint | None = None
        self._lively = False
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._on_settled)

    def sizeHint(self) -> QSize:
        return QSize(480, 270)

    def show_media(self, media_id: str, waves: WaveStrip | None) -> None:
        """What is open; ``waves`` stands in for the picture of a file that is sound alone."""
        self._media, self._waves, self._image, self._offline = media_id, waves, None, False
        self.update()

    def show_picture(self, picture: ViewerPicture) -> None:
        """Take over the feed's picture. UI thread."""
        self._offline = picture.shows == "offline"
        self._sentence = picture.sentence
        if picture.image is not None:
            self._lively = self._settle.isActive()
            self._settle.start()
            self._extent = picture.extent
            self._image = image_of(picture.image)
        elif self._offline:
            self._image = None
        self.update()

    @property
    def image(self) -> QImage | None:
        """The picture shown, at the file's own size."""
        return self._image

    def _on_settled(self) -> None:
        if self._lively:
            self._lively = False
            self.update()

    def _frame(self) -> QRectF:
        room = QRectF(self.rect()).adjusted(6, 6, -6, -6)
        scale = min(room.width() / self._extent.width, room.height() / self._extent.height)
        frame = QRectF(0, 0, self._extent.width * scale, self._extent.height * scale)
        frame.moveCenter(room.center())
        return frame

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colour("canvas"))
        area = QRectF(self.rect())
        if self._waves is not None:
            self._waves.paint(painter, area.adjusted(12, 24, -12, -24).toRect())
        elif self._image is not None:
            frame = self._frame()
            painter.fillRect(frame, theme.colour("stage"))
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not self._lively)
            painter.drawImage(frame, self._image)
        elif self._offline:
            placard.paint_words(painter, area, "unlink", "This file is offline", self._sentence)
        elif not self._media:
            placard.paint_words(
                painter, area, "film", "No source", "Double-click a file of the media pool, or press F on a clip"
            )
        painter.end()

    # -- dragging it out -----------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        left = event.button() is Qt.MouseButton.LeftButton
        self._press = event.position().toPoint() if left and self._media else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._press is None or not event.buttons() & Qt.MouseButton.LeftButton:
            return
        travelled = (event.position() - QPointF(self._press)).manhattanLength()
        if travelled >= QApplication.startDragDistance():
            self._press = None
            self.drag().exec(Qt.DropAction.CopyAction)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._press = None

    def drag(self) -> QDrag:
        """The drag that places what is marked of the file."""
        data = QMimeData()
        data.setData(MEDIA_MIME, json.dumps([self._media]).encode())
        drag = QDrag(self)
        drag.setMimeData(data)
        if self._image is not None:
            small = self._image.scaledToWidth(_DRAG_WIDTH, Qt.TransformationMode.SmoothTransformation)
            drag.setPixmap(QPixmap.fromImage(small))
        return drag
