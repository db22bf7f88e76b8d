"""The storyboard along time: panels as wide as they are long, edges to drag, the playhead, and what is heard."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen, QPixmap, QWheelEvent
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QWidget

from gen2studio.document.board_edits import panel_at, starts, whole_frames
from gen2studio.document.model import Board, Panel
from gen2studio.document.shots import LONGEST
from gen2studio.ui import theme

_RULER, _SOUND, _FOOT = 20, 18, 4
_SIDE = 10
_EDGE = 6
_LEAST_PICTURE = 34
_KEYS = frozenset((Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_Return))
_SCALES = (8.0, 400.0)
"""Pixels a second, at least and at most."""


class BoardStrip(QWidget):
    """Shows one board; every change is told, the document does it."""

    chosen = Signal(str)
    """Panel id that was clicked or gone to."""
    opened = Signal(str)
    """Panel id that was double clicked: draw on it."""
    retimed = Signal(object)
    """dict of panel id → seconds (Fraction): the end of a drag, or a key."""
    sought = Signal(float)
    """Second of the board to go to."""

    def __init__(self, picture: Callable[[Panel], QPixmap], sound_name: Callable[[str], str], parent: QWidget) -> None:
        """``picture`` is what stands for a panel, ``sound_name`` the name of a sound's media."""
        super().__init__(parent)
        self.setObjectName("board.strip")
        self.setAccessibleName("Storyboard in time")
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(96)
        self._picture = picture
        self._sound_name = sound_name
        self._board: Board | None = None
        self._chosen = ""
        self._second = 0.0
        self._scale = 60.0
        self._auto = True
        self._drag = ""
        """Id of the panel whose end is dragged."""
        self._seconds = Fraction(0)
        self._seeking = False

    # -- showing ------------------------------------------------------------------------------------------------------

    def show_board(self, board: Board | None, chosen: str) -> None:
        """Show a board as it is, and which panel is worked on."""
        self._board, self._chosen = board, chosen
        self._fit()
        self.updateGeometry()
        self.update()

    def show_second(self, second: float) -> None:
        """Put the playhead there."""
        before, self._second = self._x(self._second), second
        now = self._x(second)
        for x in (before, now):
            self.update(int(x) - 8, 0, 16, self.height())
        area = self._scroll_area()
        if area is not None and not self._seeking:
            view = area.horizontalScrollBar()
            if not view.value() + 20 <= now <= view.value() + area.viewport().width() - 40:
                view.setValue(int(now - area.viewport().width() * 0.25))

    @property
    def scale(self) -> float:
        """Pixels a second."""
        return self._scale

    def set_scale(self, scale: float) -> None:
        self._auto = False
        self._scale = min(_SCALES[1], max(_SCALES[0], scale))
        self._fit()
        self.update()

    def fit(self) -> None:
        """All panels at once."""
        self._auto = True
        self._fit()
        self.update()

    def _fit(self) -> None:
        area = self._scroll_area()
        total = float(starts(self._board)[-1]) if self._board is not None else 0.0
        if self._auto and total and area is not None:
            room = max(100, area.viewport().width() - 2 * _SIDE - 24)
            self._scale = min(240.0, max(_SCALES[0], room / total))
        width = round(total * self._scale) + 2 * _SIDE + 24
        if self.minimumWidth() != width:
            self.setMinimumWidth(width)

    def _scroll_area(self) -> QScrollArea | None:
        parent = self.parentWidget()
        found = parent.parentWidget() if parent is not None else None
        return found if isinstance(found, QScrollArea) else None

    def sizeHint(self) -> QSize:
        return QSize(self.minimumWidth(), 140)

    def _x(self, second: float) -> float:
        return _SIDE + second * self._scale

    def _second_at(self, x: float) -> float:
        return max(0.0, (x - _SIDE) / self._scale)

    def _lengths(self) -> list[tuple[Panel, float, float]]:
        """(panel, start, seconds) as they are shown, with an edge that is dragged where it is now."""
        found: list[tuple[Panel, float, float]] = []
        at = 0.0
        for panel in self._board.panels if self._board is not None else ():
            seconds = float(self._seconds if panel.id == self._drag else panel.seconds)
            found.append((panel, at, seconds))
            at += seconds
        return found

    def _lane(self) -> int:
        board = self._board
        heard = board is not None and (board.sound is not None or any(p.sound for p in board.panels))
        return _SOUND if heard else 0

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(event.rect(), theme.colour("timeline"))
        self._paint_ruler(painter, QRectF(event.rect()))
        top, bottom = _RULER + 3, self.height() - _FOOT - self._lane()
        for number, (panel, start, seconds) in enumerate(self._lengths(), 1):
            box = QRectF(self._x(start), top, seconds * self._scale, bottom - top)
            if box.right() >= event.rect().left() and box.left() <= event.rect().right():
                self._paint_panel(painter, box, number, panel, seconds)
        if self._lane():
            self._paint_sound(painter, QRectF(0, bottom + 2, self.width(), _SOUND - 3))
        x = self._x(self._second)
        painter.setPen(QPen(theme.colour("playhead"), 1.5))
        painter.drawLine(QPointF(x, 6), QPointF(x, self.height()))
        painter.setBrush(theme.colour("playhead"))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawPolygon(
            [QPointF(x - 5, 2), QPointF(x + 5, 2), QPointF(x + 5, 8), QPointF(x, 13), QPointF(x - 5, 8)]
        )
        painter.end()

    def _paint_ruler(self, painter: QPainter, area: QRectF) -> None:
        painter.fillRect(QRectF(area.left(), 0, area.width(), _RULER), theme.colour("ruler"))
        step = next(s for s in (0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 300) if s * self._scale >= 44 or s == 300)
        font = QFont(painter.font())
        font.setPointSizeF(font.pointSizeF() - 1.5)
        painter.setFont(font)
        first = math.floor(self._second_at(area.left()) / step)
        last = math.ceil(self._second_at(area.right()) / step)
        for number in range(first, last + 1):
            x = self._x(number * step)
            painter.setPen(theme.colour("line_strong"))
            painter.drawLine(QPointF(x, _RULER - 5), QPointF(x, _RULER))
            painter.setPen(theme.colour("text_muted"))
            painter.drawText(QPointF(x + 3, _RULER - 7), clock(number * step))

    def _paint_panel(self, painter: QPainter, box: QRectF, number: int, panel: Panel, seconds: float) -> None:
        chosen = panel.id == self._chosen
        inner = box.adjusted(1, 0, -1, 0)
        path = QPainterPath()
        path.addRoundedRect(inner, 4, 4)
        painter.save()
        painter.setClipPath(path, Qt.ClipOperation.IntersectClip)
        painter.fillRect(inner, theme.colour("raised"))
        picture = self._picture(panel)
        foot = 18 if inner.height() > 60 else 0
        stage = inner.adjusted(0, 0, 0, -foot)
        room = QRectF(stage)
        if not picture.isNull():
            size = picture.deviceIndependentSize()
            high = min(stage.height(), stage.width() * size.height() / size.width())
            # A panel too short for its whole picture shows the picture's middle.
            cut = high < min(_LEAST_PICTURE, stage.height())
            size.scale(QSizeF(1e6, stage.height() if cut else high), Qt.AspectRatioMode.KeepAspectRatio)
            place = QRectF(stage.topLeft(), size)
            if cut:
                place.moveLeft(stage.center().x() - size.width() / 2)
            painter.drawPixmap(place, picture, QRectF(picture.rect()))
            beside, below = stage.right() - place.right(), stage.bottom() - place.bottom()
            room = stage.adjusted(size.width(), 0, 0, 0) if beside > below else stage.adjusted(0, size.height(), 0, 0)
            if cut:
                room = QRectF()
        self._paint_words(painter, room, panel)
        painter.restore()
        painter.save()
        painter.setClipRect(inner, Qt.ClipOperation.IntersectClip)
        font = QFont(painter.font())
        font.setPointSizeF(font.pointSizeF() - 1)
        painter.setFont(font)
        metrics = painter.fontMetrics()
        chip = QRectF(inner.left() + 3, inner.top() + 3, metrics.horizontalAdvance(str(number)) + 10, 16)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("background", 215))
        painter.drawRoundedRect(chip, 3, 3)
        painter.setPen(theme.colour("text"))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, str(number))
        if foot:
            words = QRectF(inner.left() + 5, inner.bottom() - foot, inner.width() - 10, foot)
            text = f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
            wide = metrics.horizontalAdvance(text)
            painter.setPen(theme.colour("accent" if panel.id == self._drag else "text_muted"))
            painter.drawText(words, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
            room = words.width() - wide - 8
            if room > 30:
                title = panel.name or panel.action or panel.prompt
                painter.setPen(theme.colour("text"))
                painter.drawText(
                    words, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
                    metrics.elidedText(" ".join(title.split()), Qt.TextElideMode.ElideRight, int(room)),
                )  # fmt: skip
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.colour("accent" if chosen else "line_strong"), 2 if chosen else 1))
        painter.drawPath(path)

    def _paint_words(self, painter: QPainter, room: QRectF, panel: Panel) -> None:
        """What happens, in the room that the picture leaves."""
        room = room.adjusted(6, 4, -6, -2)
        words = " ".join((panel.action or panel.prompt).split())
        if not words or room.width() < 56 or room.height() < 16:
            return
        font = QFont(painter.font())
        font.setPointSizeF(font.pointSizeF() - 1)
        painter.save()
        painter.setFont(font)
        painter.setPen(theme.colour("text_muted"))
        lines = max(1, int(room.height() // painter.fontMetrics().lineSpacing()))
        shown = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, int(room.width() * lines * 0.85))
        painter.drawText(room, int(Qt.TextFlag.TextWordWrap), shown)
        painter.restore()

    def _paint_sound(self, painter: QPainter, area: QRectF) -> None:
        assert self._board is not None
        font = QFont(painter.font())
        font.setPointSizeF(font.pointSizeF() - 1.5)
        painter.setFont(font)
        lengths = self._lengths()
        end = lengths[-1][1] + lengths[-1][2] if lengths else 0.0
        cues = [(0.0, end, self._board.sound, False)] if self._board.sound is not None else []
        cues += [(start, seconds, panel.sound, True) for panel, start, seconds in lengths if panel.sound is not None]
        for start, seconds, cue, dialogue in cues:
            box = QRectF(self._x(start) + 1, area.top(), seconds * self._scale - 2, area.height())
            painter.setPen(QPen(theme.colour("clip_audio_edge"), 1))
            painter.setBrush(theme.colour("clip_audio", 255 if dialogue else 150))
            painter.drawRoundedRect(box, 3, 3)
            painter.setPen(theme.colour("clip_text"))
            text = self._sound_name(cue.media_id)
            room = int(box.width()) - 10
            if room > 20:
                painter.drawText(
                    box.adjusted(5, 0, -5, 0), Qt.AlignmentFlag.AlignVCenter,
                    painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room),
                )  # fmt: skip

    # -- hands --------------------------------------------------------------------------------------------------------

    def _edge_at(self, point: QPointF) -> Panel | None:
        if point.y() <= _RULER:
            return None
        near = [
            (abs(self._x(start + seconds) - point.x()), number, panel)
            for number, (panel, start, seconds) in enumerate(self._lengths())
        ]
        found = min(near, key=lambda entry: entry[:2], default=None)
        return found[2] if found is not None and found[0] <= _EDGE else None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._board is None or not self._board.panels:
            return
        point = event.position()
        edge = self._edge_at(point)
        if point.y() <= _RULER:
            self._seeking = True
            self.sought.emit(self._second_at(point.x()))
        elif edge is not None:
            self._drag, self._seconds = edge.id, edge.seconds
            self.chosen.emit(edge.id)
        else:
            place, _into = panel_at(self._board, Fraction(self._second_at(point.x())).limit_denominator(10000))
            self.chosen.emit(self._board.panels[place].id)
            self.sought.emit(float(starts(self._board)[place]))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point = event.position()
        if self._seeking:
            self.sought.emit(self._second_at(point.x()))
        elif self._drag and self._board is not None:
            start = next(start for panel, start, _ in self._lengths() if panel.id == self._drag)
            wanted = Fraction(max(0.0, self._second_at(point.x()) - start)).limit_denominator(10000)
            self._seconds = whole_frames(self._board, wanted)
            self.setToolTip(f"{float(self._seconds):.2f} s")
            self.update()
        else:
            over = self._edge_at(point) is not None
            self.setCursor(Qt.CursorShape.SplitHCursor if over else Qt.CursorShape.ArrowCursor)
            self.setToolTip("Drag to change how long the panel is (Alt+Left, Alt+Right)" if over else "")

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        drag, self._drag, self._seeking = self._drag, "", False
        if drag:
            self.retimed.emit({drag: self._seconds})
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.position().y() > _RULER and self._chosen:
            self.opened.emit(self._chosen)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            at = self._second_at(event.position().x())
            area = self._scroll_area()
            shown = event.position().x() - (area.horizontalScrollBar().value() if area is not None else 0)
            self.set_scale(self._scale * 1.0015 ** event.angleDelta().y())
            if area is not None:
                area.horizontalScrollBar().setValue(round(self._x(at) - shown))
            event.accept()
        else:
            super().wheelEvent(event)

    def event(self, event: QEvent) -> bool:
        # The same keys move the playhead elsewhere in the window; here they are about panels.
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and Qt.Key(event.key()) in _KEYS
            and not event.modifiers() & ~(Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.KeypadModifier)
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        board = self._board
        ids = [panel.id for panel in board.panels] if board is not None else []
        if board is None or self._chosen not in ids:
            super().keyPressEvent(event)
            return
        place = ids.index(self._chosen)
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
        ends = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: len(ids) - 1}
        if step and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            seconds = board.panels[place].seconds + step / board.rate
            self.retimed.emit({self._chosen: min(max(seconds, 1 / board.rate), LONGEST)})
        elif step or Qt.Key(event.key()) in ends:
            place = ends.get(Qt.Key(event.key()), min(max(0, place + step), len(ids) - 1))
            self.chosen.emit(ids[place])
            self.sought.emit(float(starts(board)[place]))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit(self._chosen)
        else:
            super().keyPressEvent(event)


class StripArea(QScrollArea):
    """A strip with its scroll bar."""

    def __init__(self, strip: BoardStrip, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("board.stripArea")
        self.setWidgetResizable(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setFocusProxy(strip)
        self.setWidget(strip)
        self.strip = strip

    def viewportEvent(self, event: QEvent) -> bool:
        done = super().viewportEvent(event)
        if event.type() == QEvent.Type.Resize:
            self.strip._fit()
        return done


def clock(seconds: float) -> str:
    """``0:04.5``: minutes, seconds, and what is left of one where there is any."""
    minutes, rest = divmod(seconds, 60)
    text = f"{rest:05.2f}".rstrip("0").rstrip(".") if rest % 1 else f"{int(rest):02d}"
    return f"{int(minutes)}:{text}"
