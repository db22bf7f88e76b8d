"""A small drawing of a camera move: a street of boxes seen by the camera as it goes, and the path of the frame."""

from __future__ import annotations

import math

from PySide6.QtCore import QElapsedTimer, QEvent, QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QEnterEvent, QHideEvent, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from gen2studio.core.records import dataclass
from gen2studio.document.look import Camera
from gen2studio.ui import theme

_SECONDS = 1.8
_REST = 0.35
"""Seconds that the end of the move is held before it starts again."""
_NEAR = 0.25
_BOXES = ((-1.9, 3.2, 0.9, 1.7), (1.5, 4.6, 1.0, 2.4), (-0.5, 7.5, 1.2, 1.3))
"""(left, distance, width, height) on a floor one unit below the eye."""
Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class _Pose:
    """Where the camera stands and looks; lengths in units of the scene, angles in radians."""

    x: float
    y: float
    z: float
    yaw: float
    pitch: float
    roll: float

    def see(self, point: Point) -> Point:
        x, y, z = point[0] - self.x, point[1] - self.y, point[2] - self.z
        cos, sin = math.cos(self.yaw), math.sin(self.yaw)
        x, z = x * cos - z * sin, x * sin + z * cos
        cos, sin = math.cos(self.pitch), math.sin(self.pitch)
        y, z = y * cos - z * sin, y * sin + z * cos
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        return x * cos - y * sin, x * sin + y * cos, z


def pose(camera: Camera, at: float) -> _Pose:
    """The camera after the share ``at`` (0…1) of its move, with the amounts drawn large enough to be read."""
    return _Pose(
        x=camera.horizontal * 0.16 * at,
        y=camera.vertical * 0.09 * at,
        z=camera.zoom * 0.2 * at,
        yaw=math.radians(camera.pan * 2.6 * at),
        pitch=math.radians(camera.tilt * 1.8 * at),
        roll=math.radians(camera.roll * 3.0 * at),
    )


class CameraPicture(QWidget):
    """Plays the move once when it changes, and again and again while the pointer is on it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("camera.picture")
        self.setAccessibleName("Preview of the camera move")
        self.setToolTip("What the camera does over the length of the shot. Point at it to see it again.")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(104)
        self._camera = Camera()
        self._clock = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setInterval(33)
        self._timer.timeout.connect(self._on_tick)

    def sizeHint(self) -> QSize:
        return QSize(340, 104)

    def show_camera(self, camera: Camera, *, play: bool = True) -> None:
        """Show another move; ``play`` it once when it moves at all."""
        if camera == self._camera:
            return
        self._camera = camera
        self._stop()
        if play and self.moves and self.isVisible():
            self._start()
        self.update()

    @property
    def moves(self) -> bool:
        c = self._camera
        return not c.static and any((c.horizontal, c.vertical, c.zoom, c.pan, c.tilt, c.roll))

    @property
    def playing(self) -> bool:
        return self._timer.isActive()

    def _start(self) -> None:
        self._clock.start()
        self._timer.start()

    def _stop(self) -> None:
        self._timer.stop()

    def _on_tick(self) -> None:
        if self._clock.elapsed() > (_SECONDS + _REST) * 1000:
            if self.underMouse():
                self._clock.start()
            else:
                self._stop()
        self.update()

    def _at(self) -> float:
        if not self._timer.isActive():
            return 0.0
        share = min(1.0, self._clock.elapsed() / (_SECONDS * 1000))
        return share * share * (3 - 2 * share)

    def enterEvent(self, event: QEnterEvent) -> None:
        if self.moves and not self._timer.isActive():
            self._start()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.update()
        super().leaveEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self._stop()
        super().hideEvent(event)

    # -- painting -----------------------------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = QRectF(0, 0, min(self.width(), self.height() * 16 / 9 * 1.6), self.height())
        frame.moveCenter(QRectF(self.rect()).center())
        inside = frame.adjusted(0.5, 0.5, -0.5, -0.5)
        clip = QPainterPath()
        clip.addRoundedRect(inside, 5, 5)
        painter.setClipPath(clip)
        painter.fillRect(inside, theme.colour("stage"))
        self._paint_scene(painter, inside, pose(self._camera, self._at()))
        if self.moves and not self._timer.isActive():
            self._paint_end(painter, inside)
        painter.setClipping(False)
        painter.setPen(QPen(theme.colour("line_strong"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(inside, 5, 5)
        self._paint_words(painter, inside)
        painter.end()

    def _paint_scene(self, painter: QPainter, frame: QRectF, seen: _Pose) -> None:
        for lane in range(-6, 7):
            self._line(painter, frame, seen, (lane, -1.0, 0.4), (lane, -1.0, 16.0), "line_strong", 1.0)
        for row in (1, 2, 3, 4.5, 6.5, 9, 12, 16):
            self._line(painter, frame, seen, (-6.0, -1.0, row), (6.0, -1.0, row), "line_strong", 1.0)
        for left, near, width, height in sorted(_BOXES, key=lambda box: -box[1]):
            self._box(painter, frame, seen, left, near, width, height)

    def _box(
        self, painter: QPainter, frame: QRectF, seen: _Pose, left: float, near: float, width: float, height: float
    ) -> None:
        right, far, top = left + width, near + 0.9, -1.0 + height
        front = [(left, -1.0, near), (right, -1.0, near), (right, top, near), (left, top, near)]
        back = [(x, y, far) for x, y, _ in front]
        for a, b in zip(back, [*back[1:], back[0]], strict=True):
            self._line(painter, frame, seen, a, b, "text_faint", 1.0)
        for a, b in zip(front, back, strict=True):
            self._line(painter, frame, seen, a, b, "text_faint", 1.0)
        corners = [self._place(frame, seen.see(point)) for point in front]
        if all(corner is not None for corner in corners):
            painter.setPen(QPen(theme.colour("text_muted"), 1.3))
            painter.setBrush(theme.colour("raised", 235))
            painter.drawPolygon(QPolygonF([corner for corner in corners if corner is not None]))

    def _line(self, painter: QPainter, frame: QRectF, seen: _Pose, a: Point, b: Point, ink: str, width: float) -> None:
        first, last = seen.see(a), seen.see(b)
        if first[2] < _NEAR and last[2] < _NEAR:
            return
        if first[2] < _NEAR or last[2] < _NEAR:
            # Cut where the line passes behind the camera.
            back, ahead = (first, last) if first[2] < _NEAR else (last, first)
            share = (_NEAR - back[2]) / (ahead[2] - back[2])
            cut = tuple(back[i] + (ahead[i] - back[i]) * share for i in range(3))
            first, last = (cut[0], cut[1], _NEAR), ahead
        start, end = self._place(frame, first), self._place(frame, last)
        if start is not None and end is not None:
            painter.setPen(QPen(theme.colour(ink), width))
            painter.drawLine(start, end)

    @staticmethod
    def _place(frame: QRectF, seen: Point) -> QPointF | None:
        if seen[2] < _NEAR - 1e-6:
            return None
        scale = frame.height() * 0.95 / seen[2]
        return QPointF(frame.center().x() + seen[0] * scale, frame.center().y() - seen[1] * scale)

    def _paint_end(self, painter: QPainter, frame: QRectF) -> None:
        """The view at the end, outlined in the view at the start, where that can be drawn flat."""
        end = pose(self._camera, 1.0)
        depth = 4.2
        reach_x, reach_y = frame.width() / frame.height() / 2 / 0.95 * depth, 0.5 / 0.95 * depth
        scale = 1.0 - end.z / depth
        cos, sin = math.cos(end.roll), math.sin(end.roll)
        shift_x = end.x + math.tan(end.yaw) * depth
        shift_y = end.y + math.tan(end.pitch) * depth
        start = pose(self._camera, 0.0)
        corners: list[QPointF] = []
        for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            at_x, at_y = x * reach_x * scale * 0.82, y * reach_y * scale * 0.82
            turned = (at_x * cos + at_y * sin + shift_x, -at_x * sin + at_y * cos + shift_y, depth)
            place = self._place(frame, start.see(turned))
            if place is not None:
                corners.append(place)
        pen = QPen(theme.colour("accent"), 1.6, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(theme.colour("accent", 24))
        painter.drawPolygon(QPolygonF(corners))

    def _paint_words(self, painter: QPainter, frame: QRectF) -> None:
        if self._camera.static:
            words = "Locked off"
        elif not self.moves:
            words = "No move asked for"
        else:
            return
        painter.setPen(theme.colour("text_muted"))
        painter.drawText(frame.adjusted(8, 0, -8, -6), Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignLeft, words)
