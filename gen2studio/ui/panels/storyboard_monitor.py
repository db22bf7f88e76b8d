"""Where an animatic is seen: the panel at a time, as its camera sees it, with its words under it."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QThreadPool, Signal
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from gen2studio.app.board_film import mock_up_frame, moment
from gen2studio.core.errors import EditRefused
from gen2studio.core.geometry import Extent
from gen2studio.document.board_values import CameraFrame
from gen2studio.document.model import Board, Document, Panel
from gen2studio.media.frame_server import FrameServer
from gen2studio.ui import theme
from gen2studio.ui.widgets.pictures import image_from_file

_LARGE = QSize(1280, 1280)
_KEPT = 24
_PAPER = QColor(246, 244, 238)


class BoardMonitor(QWidget):
    """Shows one moment of a board."""

    _arrived = Signal(str, object)
    _decoded = Signal(str, int, object)

    def __init__(
        self,
        find: Callable[[str], Path | None],
        document: Callable[[], Document],
        frames: FrameServer | None,
        parent: QWidget | None = None,
    ) -> None:
        """``find`` is the file of a picture by its digest; ``frames`` decodes mock-up footage."""
        super().__init__(parent)
        self.setObjectName("board.monitor")
        self.setAccessibleName("Animatic")
        self.setToolTip("The animatic: Space plays it, T ends the panel that plays")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 90)
        self._find = find
        self._document = document
        self._frames = frames
        self._board: Board | None = None
        self._second = 0.0
        self._pictures: OrderedDict[str, QPixmap] = OrderedDict()
        self._footage: tuple[str, int, QPixmap] | None = None
        self._asked: tuple[str, int] | None = None
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)
        self._decoded.connect(self._on_decoded, Qt.ConnectionType.QueuedConnection)

    def sizeHint(self) -> QSize:
        return QSize(320, 190)

    def show_moment(self, board: Board | None, second: float) -> None:
        """Show another moment."""
        self._board, self._second = board, second
        self.update()

    def _picture(self, panel: Panel) -> QPixmap:
        found = mock_up_frame(self._document(), panel, self._into(panel))
        if found is not None and self._frames is not None:
            item, index = found
            if self._footage is not None and self._footage[:2] == (item.path, index):
                return self._footage[2]
            if self._asked != (item.path, index):
                self._asked = item.path, index
                size = Extent(640, max(2, round(640 * item.info.height / max(1, item.info.width))))
                self._frames.request("animatic", item.path, index, self._deliver, size)
            if self._footage is not None and self._footage[0] == item.path:
                return self._footage[2]  # the frame before, until this one is decoded
        return self._still(panel.picture)

    def _into(self, panel: Panel) -> Fraction:
        assert self._board is not None
        return moment(self._board, Fraction(self._second).limit_denominator(48000)).seconds

    def _deliver(self, path: Path | str, index: int, pixels: object, _sentence: str) -> None:
        with contextlib.suppress(RuntimeError):
            self._decoded.emit(str(path), index, pixels)

    def _on_decoded(self, path: str, index: int, pixels: object) -> None:
        if not isinstance(pixels, np.ndarray) or self._asked is None or self._asked[0] != path:
            return
        height, width = pixels.shape[:2]
        data = np.ascontiguousarray(pixels)
        image = QImage(data.data, width, height, width * 4, QImage.Format.Format_RGB32)
        self._footage = path, index, QPixmap.fromImage(image.copy())
        self.update()

    def _still(self, digest: str) -> QPixmap:
        if not digest:
            return QPixmap()
        if digest in self._pictures:
            self._pictures.move_to_end(digest)
            return self._pictures[digest]
        path = self._find(digest)
        self._pictures[digest] = QPixmap()
        while len(self._pictures) > _KEPT:
            self._pictures.popitem(last=False)
        if path is not None:
            QThreadPool.globalInstance().start(lambda: self._read(digest, path))
        return self._pictures[digest]

    def _read(self, digest: str, path: Path) -> None:
        image = image_from_file(path, _LARGE, 0.5)
        with contextlib.suppress(RuntimeError):
            self._arrived.emit(digest, image)

    def _on_arrived(self, digest: str, image: QImage) -> None:
        if digest in self._pictures:
            self._pictures[digest] = QPixmap.fromImage(image)
            self.update()

    # -- painting -----------------------------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colour("stage"))
        board = self._board
        if board is None or not board.panels:
            painter.end()
            return
        painter.setRenderHints(QPainter.RenderHint.SmoothPixmapTransform | QPainter.RenderHint.Antialiasing)
        with contextlib.suppress(EditRefused):
            shown = moment(board, Fraction(self._second).limit_denominator(48000))
            box = self._box(board)
            painter.save()
            painter.setClipRect(box)
            painter.fillRect(box, _PAPER)
            self._paint_seen(painter, box, self._picture(shown.panel), shown.frame)
            painter.restore()
            if shown.panel.dialogue:
                self._paint_words(painter, box, shown.panel.dialogue)
            place = board.panels.index(shown.panel)
            if place + 1 < len(board.panels):
                self._still(board.panels[place + 1].picture)
        painter.end()

    def _box(self, board: Board) -> QRectF:
        size = QSize(board.width, board.height).scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        box = QRectF(QPointF(), size.toSizeF())
        box.moveCenter(QRectF(self.rect()).center())
        return box

    def _paint_seen(self, painter: QPainter, box: QRectF, picture: QPixmap, frame: CameraFrame) -> None:
        if picture.isNull():
            return
        # The picture as it covers the board, moved so that the camera's frame fills the box.
        scale = 1 / frame.width
        painter.translate(box.center())
        painter.rotate(-frame.angle)
        painter.scale(scale, scale)
        painter.translate(-(frame.x - 0.5) * box.width(), -(frame.y - 0.5) * box.height())
        size = picture.size().toSizeF()
        size.scale(box.size(), Qt.AspectRatioMode.KeepAspectRatioByExpanding)
        place = QRectF(QPointF(-size.width() / 2, -size.height() / 2), size)
        painter.setClipRect(QRectF(-box.width() / 2, -box.height() / 2, box.width(), box.height()),
                            Qt.ClipOperation.IntersectClip)  # fmt: skip
        painter.drawPixmap(place, picture, QRectF(picture.rect()))

    def _paint_words(self, painter: QPainter, box: QRectF, words: str) -> None:
        font = QFont(painter.font())
        font.setPixelSize(max(9, round(box.height() * 0.055)))
        painter.setFont(font)
        room = box.adjusted(box.width() * 0.06, 0, -box.width() * 0.06, -box.height() * 0.05)
        flags = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom | Qt.TextFlag.TextWordWrap
        painter.setPen(QColor(0, 0, 0, 220))
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1)):
            painter.drawText(room.translated(dx, dy), int(flags), words)
        painter.setPen(QColor(255, 255, 255))
        painter.drawText(room, int(flags), words)
