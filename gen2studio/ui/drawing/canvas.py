"""The canvas of the drawing window: shows the panel, takes pen and mouse, and moves camera frames and arrows."""

from __future__ import annotations

import math
from dataclasses import replace

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPointingDevice,
    QResizeEvent,
    QTabletEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from gen2studio.app import board_overlay as overlay
from gen2studio.app.drawing_tools import INKING, Tool
from gen2studio.app.panel_drawing import PanelDrawing
from gen2studio.core.geometry import Rect
from gen2studio.document.board_values import Arrow, ArrowKind, CameraFrame
from gen2studio.ui import theme
from gen2studio.ui.canvas.view_transform import ViewTransform
from gen2studio.ui.drawing.overlay import inks

_MARGIN = 28
_START = (CameraFrame(), CameraFrame(width=0.6))


class DrawingCanvas(QWidget):
    """Shows a :class:`~gen2studio.app.panel_drawing.PanelDrawing`."""

    frames_drawn = Signal(object)
    """tuple of two CameraFrames: what the artist made of the camera."""
    arrows_drawn = Signal(object)
    """tuple of Arrows."""
    colour_picked = Signal(object)
    """(red, green, blue) under the pointer, taken with Alt."""
    zoom_changed = Signal(float)

    def __init__(self, drawing: PanelDrawing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("drawing.canvas")
        self.setAccessibleName("Drawing")
        self.setToolTip("")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAttribute(Qt.WidgetAttribute.WA_TabletTracking)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 180)
        self.drawing = drawing
        self.arrow_kind = ArrowKind.SUBJECT
        self._transform = ViewTransform()
        self._fitting = True
        self._pointer: QPointF | None = None
        self._pan: QPointF | None = None
        self._inking = False
        self._grip: tuple[str, int] | None = None
        """(what, which): the handle that is held."""
        self._held = QPointF()
        self._frames: tuple[CameraFrame, ...] | None = None
        self._arrows: tuple[Arrow, ...] | None = None
        self._chosen = -1
        drawing.painted.connect(self._on_painted)
        drawing.panel_changed.connect(lambda _panel: self._on_panel())
        drawing.settings_changed.connect(lambda _settings: self._on_settings())
        self._on_settings()

    def sizeHint(self) -> QSize:
        return QSize(960, 540)

    # -- view ---------------------------------------------------------------------------------------------------------

    @property
    def zoom(self) -> float:
        return self._transform.zoom

    def fit(self) -> None:
        """Show the whole panel."""
        self._fitting = True
        width, height = self.drawing.size
        if not width:
            return
        zoom = min((self.width() - 2 * _MARGIN) / width, (self.height() - 2 * _MARGIN) / height)
        zoom = max(0.02, zoom)
        self._transform = ViewTransform(zoom, (self.width() - width * zoom) / 2, (self.height() - height * zoom) / 2)
        self.zoom_changed.emit(zoom)
        self.update()

    def zoom_step(self, direction: int) -> None:
        """In (+) or out (−) about the pointer, or the middle."""
        about = self._pointer if self._pointer is not None and self.underMouse() else QPointF(self.rect().center())
        self._set_transform(self._transform.stepped(direction, about))

    def zoom_to(self, zoom: float) -> None:
        self._set_transform(self._transform.zoomed(zoom, QPointF(self.rect().center())))

    def _set_transform(self, transform: ViewTransform) -> None:
        self._fitting = False
        self._transform = transform
        self.zoom_changed.emit(transform.zoom)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._fitting:
            self.fit()

    def place(self, x: float, y: float) -> QPointF:
        """A point in 0…1 of the panel on the widget."""
        width, height = self.drawing.size
        return self._transform.to_view(x * width, y * height)

    def _share(self, point: QPointF) -> tuple[float, float]:
        width, height = self.drawing.size
        found = self._transform.to_media(point)
        return found.x() / max(1, width), found.y() / max(1, height)

    # -- painting -----------------------------------------------------------------------------------------------------

    def _on_painted(self, area: object) -> None:
        assert isinstance(area, Rect)
        if self._fitting and area.width == self.drawing.size[0]:
            self.fit()
        self.update(self._on_widget(area))

    def _on_widget(self, area: Rect) -> QRect:
        box = self._transform.rect_to_view(area.x, area.y, area.width, area.height)
        return box.toAlignedRect().adjusted(-3, -3, 3, 3)

    def _on_panel(self) -> None:
        if self._grip is None:
            self._frames = self._arrows = None
            panel = self.drawing.panel
            self._chosen = min(self._chosen, len(panel.arrows) - 1 if panel is not None else -1)
        self.update()

    def _on_settings(self) -> None:
        tool = self.drawing.settings.tool
        shape = Qt.CursorShape.OpenHandCursor if tool is Tool.HAND else Qt.CursorShape.CrossCursor
        if tool in (Tool.PEN, Tool.PENCIL, Tool.ERASER):
            shape = Qt.CursorShape.BlankCursor
        self.setCursor(shape)
        self.update()

    @property
    def frames(self) -> tuple[CameraFrame, ...]:
        """The camera frames on the screen: as they are dragged, else the panel's."""
        panel = self.drawing.panel
        return self._frames if self._frames is not None else panel.frames if panel is not None else ()

    @property
    def arrows(self) -> tuple[Arrow, ...]:
        panel = self.drawing.panel
        return self._arrows if self._arrows is not None else panel.arrows if panel is not None else ()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), theme.colour("canvas"))
        shown = self.drawing.shown
        if shown is None:
            painter.end()
            return
        height, width = shown.shape[:2]
        image = QImage(shown.data, width, height, width * 4, QImage.Format.Format_RGB32)
        smooth = self.zoom < 3
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        # Only what is asked for is scaled: a stroke repaints a small rectangle.
        source = self._transform.rect_to_media(QRectF(event.rect().adjusted(-2, -2, 2, 2)))
        source = QRectF(source.toAlignedRect()).intersected(QRectF(0, 0, width, height))
        if not source.isEmpty():
            painter.drawImage(self._transform.area_to_view(source), image, source)
        whole = self._transform.rect_to_view(0, 0, width, height)
        painter.setPen(theme.colour("line_strong"))
        painter.drawRect(whole.adjusted(-0.5, -0.5, 0.5, 0.5))
        tool = self.drawing.settings.tool
        frames = self.frames or (_START if tool is Tool.FRAME else ())
        painter.setOpacity(1.0 if tool in (Tool.FRAME, Tool.HAND) else 0.4)
        overlay.paint_frames(painter, frames, self.place, handles=tool is Tool.FRAME, inks=inks())
        painter.setOpacity(1.0 if tool in (Tool.ARROW, Tool.HAND) else 0.75)
        overlay.paint_arrows(
            painter, self.arrows, self.place, chosen=self._chosen if tool is Tool.ARROW else -1, inks=inks()
        )
        painter.setOpacity(1.0)
        self._paint_tip(painter)
        painter.end()

    def _paint_tip(self, painter: QPainter) -> None:
        settings = self.drawing.settings
        if self._pointer is None or settings.tool not in (Tool.PEN, Tool.PENCIL, Tool.ERASER):
            return
        radius = max(1.5, settings.width / 2 * self.zoom)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(0, 0, 0, 170), 2.2))
        painter.drawEllipse(self._pointer, radius, radius)
        painter.setPen(QPen(QColor(255, 255, 255, 230), 1.0))
        painter.drawEllipse(self._pointer, radius, radius)

    # -- pen and mouse ------------------------------------------------------------------------------------------------

    def _press(self, at: QPointF, pressure: float, modifiers: Qt.KeyboardModifier, *, erase: bool = False) -> None:
        tool = self.drawing.settings.tool
        if modifiers & Qt.KeyboardModifier.AltModifier:
            point = self._transform.to_media(at)
            if (found := self.drawing.colour_at(point.x(), point.y())) is not None:
                self.colour_picked.emit(found)
        elif tool is Tool.HAND:
            self._pan = at
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif tool in INKING:
            point = self._transform.to_media(at)
            self._inking = True
            self.drawing.press(point.x(), point.y(), pressure, erase=erase)
        elif tool is Tool.FRAME:
            self._grip_frame(at)
        else:
            self._grip_arrow(at)

    def _drag(self, at: QPointF, pressure: float, modifiers: Qt.KeyboardModifier) -> None:
        if self._pan is not None:
            step = at - self._pan
            self._pan = at
            self._set_transform(self._transform.panned(step.x(), step.y()))
        elif self._inking:
            point = self._transform.to_media(at)
            square = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
            self.drawing.move(point.x(), point.y(), pressure, square=square)
        elif self._grip is not None:
            if self.drawing.settings.tool is Tool.FRAME:
                self._drag_frame(at, snap=bool(modifiers & Qt.KeyboardModifier.ShiftModifier))
            else:
                self._drag_arrow(at)

    def _release(self) -> None:
        if self._pan is not None:
            self._pan = None
            self._on_settings()
        if self._inking:
            self._inking = False
            self.drawing.release()
        if self._grip is not None:
            self._grip = None
            if self._frames is not None:
                self.frames_drawn.emit(self._frames)
            if self._arrows is not None:
                kept = tuple(a for a in self._arrows if math.dist(a.start, a.end) > 0.02)
                self._chosen = min(self._chosen, len(kept) - 1)
                self.arrows_drawn.emit(kept)
            self._frames = self._arrows = None
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.MiddleButton:
            self._pan = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._press(event.position(), 1.0, event.modifiers())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._show_pointer(event.position())
        self._drag(event.position(), 1.0, event.modifiers())

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._release()

    def tabletEvent(self, event: QTabletEvent) -> None:
        kind = event.type()
        self._show_pointer(event.position())
        if kind == QEvent.Type.TabletPress:
            eraser = event.pointerType() == QPointingDevice.PointerType.Eraser
            if event.button() == Qt.MouseButton.MiddleButton:
                self._pan = event.position()
            elif event.button() == Qt.MouseButton.LeftButton:
                self._press(event.position(), event.pressure(), event.modifiers(), erase=eraser)
        elif kind == QEvent.Type.TabletMove:
            self._drag(event.position(), event.pressure(), event.modifiers())
        else:
            self._release()
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier):
            step = event.angleDelta()
            self._set_transform(self._transform.panned(step.x() / 2, step.y() / 2))
        else:
            factor = 1.0015 ** event.angleDelta().y()
            self._set_transform(self._transform.zoomed(self._transform.zoom * factor, event.position()))
        event.accept()

    def enterEvent(self, event: QEnterEvent) -> None:
        self._show_pointer(event.position())

    def leaveEvent(self, _event: QEvent) -> None:
        self._show_pointer(None)

    def _show_pointer(self, at: QPointF | None) -> None:
        reach = self.drawing.settings.width * self.zoom / 2 + 4
        for point in (self._pointer, at):
            if point is not None:
                self.update(QRectF(point.x() - reach, point.y() - reach, 2 * reach, 2 * reach).toAlignedRect())
        self._pointer = at

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1)}
        step = steps.get(Qt.Key(event.key()))
        tool = self.drawing.settings.tool
        if event.key() == Qt.Key.Key_Escape and (self._inking or self._grip is not None):
            self._inking, self._grip, self._frames, self._arrows = False, None, None, None
            self.drawing.cancel()
            self.update()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and tool in (Tool.FRAME, Tool.ARROW):
            self.delete_chosen()
        elif step is not None and tool is Tool.FRAME and self.frames:
            self._nudge_frame(*step, zoom=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier),
                              which=0 if event.modifiers() & Qt.KeyboardModifier.AltModifier else 1)  # fmt: skip
        else:
            super().keyPressEvent(event)

    # -- camera frames ------------------------------------------------------------------------------------------------

    def delete_chosen(self) -> None:
        """Take the camera frames or the chosen arrow away."""
        if self.drawing.settings.tool is Tool.FRAME and self.frames:
            self.frames_drawn.emit(())
        elif 0 <= self._chosen < len(self.arrows):
            chosen, self._chosen = self._chosen, -1
            self.arrows_drawn.emit(tuple(a for i, a in enumerate(self.arrows) if i != chosen))

    def _nudge_frame(self, dx: int, dy: int, *, zoom: bool, which: int) -> None:
        frames = list(self.frames)
        frame = frames[which]
        if zoom:
            frame = replace(frame, width=_clamped(frame.width * (0.97 if dx > 0 or dy < 0 else 1.03)))
        else:
            frame = replace(frame, x=_kept(frame.x + dx * 0.01), y=_kept(frame.y + dy * 0.01))
        frames[which] = frame
        self.frames_drawn.emit(tuple(frames))

    def _grip_frame(self, at: QPointF) -> None:
        frames = self.frames or _START
        self._frames = frames
        for which in (1, 0):
            if overlay.near(at, overlay.turn_handle(frames[which], self.place)):
                self._grip = ("turn", which)
                return
            points = overlay.corners(frames[which], self.place)
            if any(overlay.near(at, points.at(i)) for i in range(4)):
                self._grip = ("size", which)
                return
        inside = [
            i for i in (0, 1) if overlay.corners(frames[i], self.place).containsPoint(at, Qt.FillRule.WindingFill)
        ]
        # The smaller of two is the one meant: the other can still be held beside it.
        which = min(inside, key=lambda i: frames[i].width) if inside else 1
        self._grip, self._held = ("move", which), at

    def _drag_frame(self, at: QPointF, *, snap: bool) -> None:
        assert self._grip is not None and self._frames is not None
        what, which = self._grip
        frames = list(self._frames)
        frame = frames[which]
        centre = self.place(frame.x, frame.y)
        away = at - centre
        if what == "move":
            before, now = self._share(self._held), self._share(at)
            self._held = at
            frame = replace(frame, x=_kept(frame.x + now[0] - before[0]), y=_kept(frame.y + now[1] - before[1]))
        elif what == "size":
            whole = self.place(1, 1) - self.place(0, 0)
            diagonal = math.hypot(whole.x(), whole.y())
            frame = replace(frame, width=_clamped(2 * math.hypot(away.x(), away.y()) / max(1.0, diagonal)))
        else:
            angle = math.degrees(math.atan2(away.x(), -away.y()))
            frame = replace(frame, angle=round(angle / 5) * 5.0 if snap or abs(angle) < 2 else round(angle, 1))
        frames[which] = frame
        self._frames = tuple(frames)
        self.update()

    # -- arrows -------------------------------------------------------------------------------------------------------

    def _grip_arrow(self, at: QPointF) -> None:
        arrows = list(self.arrows)
        for number in reversed(range(len(arrows))):
            start, end = self.place(*arrows[number].start), self.place(*arrows[number].end)
            for what, point in (("start", start), ("end", end)):
                if overlay.near(at, point):
                    self._take_arrow(what, number, at)
                    return
            if overlay.distance_to_line(at, start, end) < 8:
                self._take_arrow("whole", number, at)
                return
        here = self._share(at)
        self._arrows = (*arrows, Arrow(kind=self.arrow_kind, start=here, end=here))
        self._take_arrow("end", len(arrows), at)

    def _take_arrow(self, what: str, number: int, at: QPointF) -> None:
        self._arrows = self._arrows or self.arrows
        self._chosen, self._grip, self._held = number, (what, number), at
        self.update()

    def _drag_arrow(self, at: QPointF) -> None:
        assert self._grip is not None and self._arrows is not None
        what, number = self._grip
        arrow = self._arrows[number]
        here, before = self._share(at), self._share(self._held)
        self._held = at
        if what == "whole":
            dx, dy = here[0] - before[0], here[1] - before[1]
            arrow = replace(
                arrow,
                start=(_kept(arrow.start[0] + dx), _kept(arrow.start[1] + dy)),
                end=(_kept(arrow.end[0] + dx), _kept(arrow.end[1] + dy)),
            )
        else:
            arrow = replace(arrow, **{what: (_kept(here[0]), _kept(here[1]))})
        self._arrows = tuple(arrow if i == number else a for i, a in enumerate(self._arrows))
        self.update()


def _kept(value: float) -> float:
    return round(min(1.5, max(-0.5, value)), 4)


def _clamped(width: float) -> float:
    return round(min(2.0, max(0.05, width)), 4)
