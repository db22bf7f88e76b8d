"""The two-up trim view: outgoing | incoming with timecodes and offsets; four pictures while slipping or sliding."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFont, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from gen2studio.app.trim_pictures import TrimPicture, TrimPictures
from gen2studio.app.trimming import Side, TrimPane, TrimShown
from gen2studio.core.time import timecode
from gen2studio.ui import theme
from gen2studio.ui.canvas.overlay import image_of

_HEAD, _FOOT, _GAP = 26.0, 44.0, 3.0
"""Heights of the caption and of the line under each picture; width of the seam between them."""


class TrimView(QWidget):
    """Lies over ``stage`` as long as something is trimmed. It shows; the mode and the drags do."""

    side_chosen = Signal(object)
    """A :class:`Side`: a click on a picture chooses it, a click on the seam both."""

    def __init__(self, stage: QWidget, pictures: TrimPictures) -> None:
        super().__init__(stage)
        self.setObjectName("trimView")
        self.setAccessibleName("Trim view")
        self.setToolTip("Click a picture to trim that side, the seam to roll the cut")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._stage = stage
        self._pictures = pictures
        self._shown: TrimShown | None = None
        self.keys = ""
        """The line that says which keys do what; empty while a drag does."""
        stage.installEventFilter(self)
        pictures.changed.connect(self.update)
        self.hide()

    @property
    def shown(self) -> TrimShown | None:
        return self._shown

    def show_trim(self, shown: TrimShown | None) -> None:
        """Show it over the stage, or give the stage back."""
        self._shown = shown
        self._pictures.show(shown)
        if shown is None:
            self.hide()
            return
        sides = ", ".join(f"{p.title} {p.offset:+d}" for p in shown.panes if p.moving)
        self.setAccessibleDescription(f"{shown.caption}: {sides} frames")
        self.setGeometry(self._stage.rect())
        self.raise_()
        self.show()
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and watched is self._stage:
            self.setGeometry(self._stage.rect())
        return False

    # -- where things lie ----------------------------------------------------------------------------------------------

    def areas(self) -> list[QRectF]:
        """Where each pane lies, caption line left out."""
        shown = self._shown
        if shown is None:
            return []
        room = QRectF(self.rect()).adjusted(0, _HEAD, 0, 0)
        if len(shown.panes) == 2:
            half = (room.width() - _GAP) / 2
            return [
                QRectF(room.left(), room.top(), half, room.height()),
                QRectF(room.right() - half, room.top(), half, room.height()),
            ]
        large = [n for n, p in enumerate(shown.panes) if not p.small]
        top = room.height() * 0.64
        areas: list[QRectF] = [QRectF()] * 4
        half = (room.width() - _GAP) / 2
        quarter = room.width() * 0.3
        for place, number in enumerate(large):
            areas[number] = QRectF(room.left() + place * (half + _GAP), room.top(), half, top)
        small = [n for n in range(4) if n not in large]
        for place, number in enumerate(small):
            middle = room.left() + (0.25 + 0.5 * place) * room.width()
            areas[number] = QRectF(middle - quarter / 2, room.top() + top, quarter, room.height() - top)
        return areas

    def mousePressEvent(self, event: QMouseEvent) -> None:
        areas = self.areas()
        if len(areas) != 2 or event.button() is not Qt.MouseButton.LeftButton:
            return
        x = event.position().x()
        seam = areas[0].right() + _GAP / 2
        near = self.width() * 0.06
        self.side_chosen.emit(Side.ROLL if abs(x - seam) < near else Side.OUTGOING if x < seam else Side.INCOMING)

    # -- painting ------------------------------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colour("canvas"))
        shown = self._shown
        if shown is None:
            return
        self._paint_head(painter, shown)
        pictures = self._pictures.pictures
        for number, (pane, area) in enumerate(zip(shown.panes, self.areas(), strict=True)):
            picture = pictures[number] if number < len(pictures) else TrimPicture()
            self._paint_pane(painter, area, pane, picture, shown)
        painter.end()

    def _paint_head(self, painter: QPainter, shown: TrimShown) -> None:
        head = QRectF(0, 0, self.width(), _HEAD)
        painter.fillRect(head, theme.colour("panel"))
        bold = QFont(painter.font())
        bold.setWeight(QFont.Weight.DemiBold)
        painter.setFont(bold)
        painter.setPen(theme.colour("text"))
        title = f"{shown.caption}   {shown.delta:+d}"
        painter.drawText(head.adjusted(10, 0, -10, 0), Qt.AlignmentFlag.AlignVCenter, title)
        width = painter.fontMetrics().horizontalAdvance(title) + 30
        painter.setFont(self.font())
        painter.setPen(theme.colour("text_muted"))
        room = head.adjusted(width, 0, -10, 0)
        keys = painter.fontMetrics().elidedText(self.keys, Qt.TextElideMode.ElideRight, int(room.width()))
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, keys)

    def _paint_pane(
        self, painter: QPainter, area: QRectF, pane: TrimPane, picture: TrimPicture, shown: TrimShown
    ) -> None:
        foot = 24.0 if pane.small else _FOOT
        room = area.adjusted(4, 4, -4, -foot)
        if room.width() < 8 or room.height() < 8:
            return
        scale = min(room.width() / picture.extent.width, room.height() / picture.extent.height)
        frame = QRectF(0, 0, picture.extent.width * scale, picture.extent.height * scale)
        frame.moveCenter(room.center())
        painter.fillRect(frame, theme.colour("stage"))
        if picture.image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(frame, image_of(picture.image))
        elif pane.clip is None or picture.sentence:
            painter.setPen(theme.colour("text_faint"))
            words = "Gap" if pane.clip is None else picture.sentence
            painter.drawText(frame, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, words)
        if pane.moving:
            painter.fillRect(QRectF(area.left() + 4, room.bottom() + 1, area.width() - 8, 3), theme.colour("accent"))
        self._paint_words(painter, area, room.bottom() + 4, pane, shown)

    def _paint_words(self, painter: QPainter, area: QRectF, top: float, pane: TrimPane, shown: TrimShown) -> None:
        line = QRectF(area.left() + 8, top, area.width() - 16, 18)
        offset = f"{pane.offset:+d}" if pane.moving else ""
        painter.setFont(theme.fixed_font(8.5 if pane.small else 10.5))
        metrics = painter.fontMetrics()
        if offset:
            painter.setPen(theme.colour("accent"))
            painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, offset)
        if pane.clip is not None:
            painter.setPen(theme.colour("text"))
            seconds = pane.clip.source_time(pane.frame, shown.sequence.rate)
            here = timecode(int((seconds * shown.sequence.rate).__floor__()), shown.sequence.rate)
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, here)
            if pane.small:
                return
            painter.setFont(self.font())
            painter.setPen(theme.colour("text_muted"))
            metrics = painter.fontMetrics()
            below = QPointF(line.left(), line.bottom() + metrics.ascent() + 1)
            text = metrics.elidedText(
                f"{pane.title} · {pane.clip.name}", Qt.TextElideMode.ElideMiddle, int(line.width())
            )
            painter.drawText(below, text)
