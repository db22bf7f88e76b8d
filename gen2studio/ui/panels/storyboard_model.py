"""The panels of a storyboard as a list, and how a card is painted."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
    QThreadPool,
    Signal,
)
from PySide6.QtGui import QFont, QImage, QPainter, QPainterPath, QPen, QPixmap, QTextOption
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from gen2studio.app.board_overlay import paint_moves
from gen2studio.app.board_state import PanelState, Stage
from gen2studio.document.look import Camera
from gen2studio.document.model import Board, Panel
from gen2studio.ui import theme
from gen2studio.ui.drawing.overlay import inks
from gen2studio.ui.widgets.pictures import image_from_file

PANEL_MIME = "application/x-gen2studio-panel"
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".exr"})
FILM_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mxf", ".gif"})
CARD = QSize(188, 178)
_PICTURE = QSize(176, 104)
Index = QModelIndex | QPersistentModelIndex


class PanelsModel(QAbstractListModel):
    """One board's panels in order. Drops are only told: the document does the moving."""

    moved = Signal(str, int)
    """(panel id, row it should come to stand at)"""
    films_dropped = Signal(object, int, bool)
    """As :attr:`images_dropped`, for films: mock-up footage."""
    images_dropped = Signal(object, int, bool)
    """(list[Path], row, onto): on the card of that row, or between cards before it"""
    _arrived = Signal(str, object)

    def __init__(
        self,
        picture: Callable[[Panel], Path | None],
        made: Callable[[Panel], Path | None],
        state: Callable[[Panel], PanelState],
        parent: QWidget,
    ) -> None:
        """``picture`` is the file of a panel's own picture, ``made`` a frame that was made from it, ``state`` how far
        its shot is."""
        super().__init__(parent)
        self._state = state
        self._states: dict[str, PanelState] = {}
        self._picture = picture
        self._made = made
        self._panels: list[Panel] = []
        self._results: dict[str, Path | None] = {}
        self._pictures: dict[str, QPixmap] = {}
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)

    def show(self, board: Board | None) -> None:
        panels = list(board.panels) if board is not None else []
        results = {panel.id: self._made(panel) for panel in panels}
        states = {panel.id: self._state(panel) for panel in panels}
        if panels == self._panels and results == self._results and states == self._states:
            return
        reset = [p.id for p in panels] != [p.id for p in self._panels]
        if reset:
            self.beginResetModel()
        self._panels, self._results, self._states = panels, results, states
        if reset:
            self.endResetModel()
        elif panels:
            self.dataChanged.emit(self.index(0), self.index(len(panels) - 1))

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(self._panels)

    def panel(self, index: Index) -> Panel | None:
        return self._panels[index.row()] if 0 <= index.row() < len(self._panels) else None

    def row_of(self, panel_id: str) -> int:
        """−1 when it is not on the board."""
        return next((row for row, panel in enumerate(self._panels) if panel.id == panel_id), -1)

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._panels)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        panel = self.panel(index)
        if panel is None:
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"Panel {index.row() + 1}: {panel.prompt or panel.action or panel.name or 'no words yet'}"
        if role == Qt.ItemDataRole.ToolTipRole:
            lines = [
                panel.name or f"Panel {index.row() + 1}", panel.action or panel.prompt, panel.dialogue, panel.notes,
                self.state(panel).reason,
            ]  # fmt: skip
            return "\n".join(line for line in lines if line)
        if role == Qt.ItemDataRole.SizeHintRole:
            return CARD
        return None

    # -- pictures -----------------------------------------------------------------------------------------------------

    def pictures(self, panel: Panel) -> tuple[QPixmap, QPixmap]:
        """(the panel's own picture, a frame made from it); null where there is none, or none yet."""
        return self._pixmap(self._picture(panel)), self._pixmap(self._results.get(panel.id))

    def state(self, panel: Panel) -> PanelState:
        """How far the panel's shot is."""
        return self._states.get(panel.id, PanelState())

    def _pixmap(self, path: Path | None) -> QPixmap:
        if path is None:
            return QPixmap()
        key = str(path)
        if key not in self._pictures:
            self._pictures[key] = QPixmap()
            QThreadPool.globalInstance().start(lambda: self._read(key, path))
        return self._pictures[key]

    def _read(self, key: str, path: Path) -> None:
        image = image_from_file(path, _PICTURE)
        # The panel may be gone by now.
        with contextlib.suppress(RuntimeError):
            self._arrived.emit(key, image)

    def _on_arrived(self, key: str, image: QImage) -> None:
        self._pictures[key] = QPixmap.fromImage(image)
        if self._panels:
            self.dataChanged.emit(self.index(0), self.index(len(self._panels) - 1))

    # -- dragging -----------------------------------------------------------------------------------------------------

    def flags(self, index: Index) -> Qt.ItemFlag:
        base = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsDropEnabled
        if index.isValid():
            base |= Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDragEnabled
        return base

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction | Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:
        return [PANEL_MIME, "text/uri-list"]

    def mimeData(self, indexes: list[QModelIndex]) -> QMimeData:  # pyright: ignore[reportIncompatibleMethodOverride]
        data = QMimeData()
        ids = [panel.id for index in indexes if (panel := self.panel(index)) is not None]
        data.setData(PANEL_MIME, json.dumps(ids).encode())
        return data

    def canDropMimeData(self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index) -> bool:
        return data.hasFormat(PANEL_MIME) or bool(_images(data) or _films(data))

    def dropMimeData(self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index) -> bool:
        onto = parent.isValid()
        place = parent.row() if onto else row if row >= 0 else len(self._panels)
        if data.hasFormat(PANEL_MIME):
            for panel_id in json.loads(bytes(data.data(PANEL_MIME).data())):
                here = self.row_of(panel_id)
                # Taking it out of its place moves what stands behind it.
                self.moved.emit(panel_id, place - 1 if not onto and here < place else place)
        elif images := _images(data):
            self.images_dropped.emit(images, place, onto)
        elif films := _films(data):
            self.films_dropped.emit(films, place, onto)
        # The document moves panels; a view that believes it moved one would remove the row it came from.
        return False


def _images(data: QMimeData) -> list[Path]:
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    return [path for path in paths if path.suffix.casefold() in IMAGE_SUFFIXES]


def _films(data: QMimeData) -> list[Path]:
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    return [path for path in paths if path.suffix.casefold() in FILM_SUFFIXES]


_STATES = {
    Stage.EMPTY: ("Empty shot", "text_faint"),
    Stage.QUEUED: ("Queued", "band_queued"),
    Stage.RUNNING: ("Rendering", "band_running"),
    Stage.DONE: ("Shot", "band_done"),
    Stage.STALE: ("Stale", "band_stale"),
}


class CardDelegate(QStyledItemDelegate):
    """Paints a panel as a card: picture or result, number, seconds, words, and what is set on it."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return CARD

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        assert isinstance(model, PanelsModel)
        panel = model.panel(index)
        if panel is None:
            return
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        card = QRectF(option.rect).adjusted(3.5, 3.5, -3.5, -3.5)  # pyright: ignore[reportAttributeAccessIssue]
        state = option.state  # pyright: ignore[reportAttributeAccessIssue]
        chosen, hot = bool(state & QStyle.StateFlag.State_Selected), bool(state & QStyle.StateFlag.State_MouseOver)
        painter.setPen(QPen(theme.colour("accent" if chosen else "line_strong"), 1.5 if chosen else 1))
        painter.setBrush(theme.colour("accent_soft" if chosen else "hover" if hot else "raised"))
        painter.drawRoundedRect(card, 6, 6)
        box = QRectF(card.left() + 4, card.top() + 4, card.width() - 8, _PICTURE.height())
        self._paint_picture(painter, box, *model.pictures(panel), option.widget)  # pyright: ignore[reportAttributeAccessIssue]
        if panel.picture and model.pictures(panel)[1].isNull():
            paint_moves(painter, box, panel, inks())
        self._paint_chips(painter, box, index.row(), panel)
        self._paint_state(painter, box, model.state(panel))
        words = QRectF(card.left() + 7, box.bottom() + 4, card.width() - 14, card.bottom() - box.bottom() - 8)
        self._paint_words(painter, words, panel)
        painter.restore()

    def _paint_picture(self, painter: QPainter, box: QRectF, own: QPixmap, made: QPixmap, widget: QWidget) -> None:
        path = QPainterPath()
        path.addRoundedRect(box, 4, 4)
        painter.save()
        painter.setClipPath(path)
        painter.fillRect(box, theme.colour("input"))
        shown = own if made.isNull() else made
        if shown.isNull():
            ratio = widget.devicePixelRatioF()
            spot = box.center() - QPointF(11, 20)
            painter.drawPixmap(spot, theme.icon_pixmap("image-plus", 22, "text_faint", ratio))
            painter.setPen(theme.colour("text_faint"))
            painter.drawText(
                QRectF(box.left(), box.center().y() + 6, box.width(), 18),
                Qt.AlignmentFlag.AlignCenter,
                "Drop or draw a picture",
            )
        else:
            _fit(painter, shown, box)
        if not made.isNull() and not own.isNull():
            inset = QRectF(box.right() - 52, box.bottom() - 36, 48, 32)
            painter.fillRect(inset, theme.colour("stage"))
            _fit(painter, own, inset)
            painter.setPen(QPen(theme.colour("text"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(inset)
        painter.restore()

    def _paint_chips(self, painter: QPainter, box: QRectF, row: int, panel: Panel) -> None:
        font = QFont(painter.font())
        font.setPointSizeF(font.pointSizeF() - 1.3)
        painter.setFont(font)
        metrics = painter.fontMetrics()
        size = f"{row + 1}  {panel.shot_size.value}".rstrip()
        for text, left in ((size, True), (f"{float(panel.seconds):.4g} s", False)):
            width = metrics.horizontalAdvance(text) + 12
            chip = QRectF(box.left() + 4 if left else box.right() - width - 4, box.top() + 4, width, 17)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("background", 215))
            painter.drawRoundedRect(chip, 4, 4)
            painter.setPen(theme.colour("text"))
            painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_state(self, painter: QPainter, box: QRectF, state: PanelState) -> None:
        """A word in the corner: queued, made, stale…; nothing while there is nothing to say."""
        if state.stage not in _STATES:
            return
        word, ink = _STATES[state.stage]
        metrics = painter.fontMetrics()
        chip = QRectF(box.left() + 4, box.bottom() - 21, metrics.horizontalAdvance(word) + 22, 17)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("background", 225))
        painter.drawRoundedRect(chip, 4, 4)
        painter.setBrush(theme.colour(ink))
        painter.drawEllipse(QPointF(chip.left() + 9, chip.center().y()), 3.2, 3.2)
        painter.setPen(theme.colour("text"))
        painter.drawText(chip.adjusted(16, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, word)

    def _paint_words(self, painter: QPainter, area: QRectF, panel: Panel) -> None:
        marks = [
            name
            for name, there in (
                ("camera", panel.camera != Camera()),
                ("palette", panel.look is not None),
                ("message-square", bool(panel.dialogue or panel.notes)),
                ("film", panel.mock_up is not None),
                ("volume-2", panel.sound is not None),
            )
            if there
        ]
        ratio = painter.device().devicePixelRatio()
        x = area.right() - 15 * len(marks)
        for name in marks:
            painter.drawPixmap(QPointF(x + 2, area.bottom() - 13), theme.icon_pixmap(name, 12, "text_muted", ratio))
            x += 15
        words = panel.action or panel.prompt
        if panel.name:
            font = QFont(painter.font())
            painter.save()
            font.setBold(True)
            painter.setFont(font)
            painter.setPen(theme.colour("text"))
            high = painter.fontMetrics().height()
            title = painter.fontMetrics().elidedText(panel.name, Qt.TextElideMode.ElideRight, int(area.width()))
            painter.drawText(area, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, title)
            painter.restore()
            area = area.adjusted(0, high, 0, 0)
        painter.setPen(theme.colour("text_muted" if panel.name else "text" if words else "text_faint"))
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        room = area.adjusted(0, 0, 0, -14 if marks else 0)
        words = " ".join(words.split()) or ("" if panel.name else "No words yet")
        painter.drawText(room, _clipped(painter, words, room), option)


def _clipped(painter: QPainter, text: str, room: QRectF) -> str:
    """``text`` shortened to the lines that ``room`` holds."""
    metrics = painter.fontMetrics()
    lines = max(1, int(room.height() // metrics.lineSpacing()))
    return metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(room.width() * lines * 0.92))


def _fit(painter: QPainter, picture: QPixmap, box: QRectF) -> None:
    size = picture.deviceIndependentSize()
    size.scale(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
    place = QRectF(QPointF(), size)
    place.moveCenter(box.center())
    painter.drawPixmap(place, picture, QRectF(picture.rect()))
