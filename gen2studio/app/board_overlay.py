"""Camera frames and arrows of movement over a panel's picture, on the screen and on paper."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QPainter, QPen, QPolygonF

from gen2studio.core.records import dataclass
from gen2studio.document.board_values import Arrow, ArrowKind, CameraFrame
from gen2studio.document.model import Panel

Place = Callable[[float, float], QPointF]
"""A point in 0…1 of the picture → the widget."""
_HANDLE = 5.0


@dataclass(frozen=True, slots=True)
class Inks:
    """Colours of the first and the last frame (go, stop), of the two kinds of arrows, and of what is chosen."""

    start: QColor
    end: QColor
    subject: QColor
    camera: QColor
    chosen: QColor


PAPER_INKS = Inks(QColor(30, 140, 84), QColor(206, 52, 44), QColor(226, 146, 20), QColor(20, 140, 160), QColor(0, 0, 0))
"""On white paper."""


def corners(frame: CameraFrame, place: Place) -> QPolygonF:
    """The four corners of a frame on the widget, from the top left clockwise."""
    left_top, right_bottom = place(0, 0), place(1, 1)
    width, height = right_bottom.x() - left_top.x(), right_bottom.y() - left_top.y()
    centre = place(frame.x, frame.y)
    angle = math.radians(frame.angle)
    cos, sin = math.cos(angle), math.sin(angle)
    a, b = frame.width * width / 2, frame.width * height / 2
    return QPolygonF(
        [
            QPointF(centre.x() + x * cos - y * sin, centre.y() + x * sin + y * cos)
            for x, y in ((-a, -b), (a, -b), (a, b), (-a, b))
        ]
    )


def turn_handle(frame: CameraFrame, place: Place) -> QPointF:
    """Where a frame is turned by: above the middle of its top side."""
    points = corners(frame, place)
    top, centre = (points.at(0) + points.at(1)) / 2, place(frame.x, frame.y)
    away = top - centre
    length = math.hypot(away.x(), away.y()) or 1.0
    return top + away * (18 / length)


def paint_frames(
    painter: QPainter, frames: tuple[CameraFrame, ...], place: Place, *, handles: bool = False, small: bool = False,
    inks: Inks = PAPER_INKS,
) -> None:  # fmt: skip
    """The start and end frame, and the ways their corners go."""
    if not frames:
        return
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    shapes = [corners(frame, place) for frame in frames]
    if not small:
        painter.setPen(QPen(QColor(255, 255, 255, 150), 1, Qt.PenStyle.DotLine))
        for i in range(4):
            painter.drawLine(shapes[0].at(i), shapes[-1].at(i))
    for shape, ink, label in zip(shapes, (inks.start, inks.end), ("A", "B"), strict=False):
        # A dark rim, so that the line is seen on any picture.
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(0, 0, 0, 130), 2.4 if small else 4))
        painter.drawPolygon(shape)
        painter.setPen(QPen(ink, 1.2 if small else 2))
        painter.drawPolygon(shape)
        if not small:
            _paint_label(painter, shape.at(0), label, ink)
    if not small:
        _paint_way(painter, place, frames, inks.end)
    if handles:
        for frame, shape, ink in zip(frames, shapes, (inks.start, inks.end), strict=False):
            painter.setPen(QPen(QColor(0, 0, 0, 160), 1))
            painter.setBrush(ink)
            for i in range(4):
                painter.drawRect(QRectF(shape.at(i).x() - 4, shape.at(i).y() - 4, 8, 8))
            painter.drawEllipse(turn_handle(frame, place), _HANDLE, _HANDLE)
    painter.restore()


def _paint_label(painter: QPainter, corner: QPointF, label: str, ink: QColor) -> None:
    font = QFont(painter.font())
    font.setBold(True)
    painter.setFont(font)
    box = QRectF(corner.x(), corner.y() - 19, 20, 19)
    painter.fillRect(box, ink)
    painter.setPen(QColor(12, 14, 16))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, label)


def _paint_way(painter: QPainter, place: Place, frames: tuple[CameraFrame, ...], ink: QColor) -> None:
    first, last = place(frames[0].x, frames[0].y), place(frames[-1].x, frames[-1].y)
    if math.hypot(last.x() - first.x(), last.y() - first.y()) > 12:
        _paint_arrow(painter, first, last, ink, 2.0)


def paint_arrows(
    painter: QPainter, arrows: tuple[Arrow, ...], place: Place, *, chosen: int = -1, small: bool = False,
    inks: Inks = PAPER_INKS,
) -> None:  # fmt: skip
    """Arrows of movement: the camera's are hollow, as in storyboards on paper; the subjects' are full."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for number, arrow in enumerate(arrows):
        start, end = place(*arrow.start), place(*arrow.end)
        ink = inks.subject if arrow.kind is ArrowKind.SUBJECT else inks.camera
        _paint_arrow(painter, start, end, ink, 2.0 if small else 5.0, hollow=arrow.kind is ArrowKind.CAMERA)
        if number == chosen:
            painter.setPen(QPen(QColor(0, 0, 0, 160), 1))
            painter.setBrush(inks.chosen)
            for point in (start, end):
                painter.drawEllipse(point, _HANDLE, _HANDLE)
    painter.restore()


def paint_moves(painter: QPainter, box: QRectF, panel: Panel, inks: Inks = PAPER_INKS) -> None:
    """A panel's frames and arrows over its picture in ``box``, as large as that is."""
    if not (panel.frames or panel.arrows):
        return
    # Drawn as for a card of 320, and scaled: lines are as heavy on every device.
    scale = max(0.5, box.width() / 320)
    painter.save()
    painter.setClipRect(box, Qt.ClipOperation.IntersectClip)
    painter.translate(box.topLeft())
    painter.scale(scale, scale)
    painter.translate(-box.topLeft())
    inner = QRectF(box.topLeft(), box.size() / scale)

    def place_inner(x: float, y: float) -> QPointF:
        return QPointF(inner.left() + x * inner.width(), inner.top() + y * inner.height())

    paint_frames(painter, panel.frames, place_inner, small=True, inks=inks)
    paint_arrows(painter, panel.arrows, place_inner, small=True, inks=inks)
    painter.restore()


def _paint_arrow(
    painter: QPainter, start: QPointF, end: QPointF, ink: QColor, width: float, *, hollow: bool = False
) -> None:
    way = end - start
    length = math.hypot(way.x(), way.y())
    if length < 2:
        return
    along = way / length
    across = QPointF(-along.y(), along.x())
    head = min(length * 0.6, width * 4.2)
    neck = end - along * head
    wide, half = width * 1.9, width / 2
    shape = QPolygonF(
        [
            start + across * half, neck + across * half, neck + across * wide, end, neck - across * wide,
            neck - across * half, start - across * half,
        ]
    )  # fmt: skip
    painter.setPen(QPen(QColor(0, 0, 0, 150), 2.5, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolygon(shape)
    painter.setPen(QPen(ink, 1.4 if hollow else 0.5))
    painter.setBrush(QBrush(QColor(16, 17, 20, 150)) if hollow else QBrush(ink))
    painter.drawPolygon(shape)


def near(point: QPointF, other: QPointF, reach: float = 9.0) -> bool:
    """Whether a pointer is on a handle."""
    return math.hypot(point.x() - other.x(), point.y() - other.y()) <= reach


def distance_to_line(point: QPointF, start: QPointF, end: QPointF) -> float:
    """From a point to the line between two others, in widget pixels."""
    way = end - start
    square = way.x() ** 2 + way.y() ** 2
    share = 0.0
    if square:
        share = min(1.0, max(0.0, QPointF.dotProduct(point - start, way) / square))
    nearest = start + way * share
    return math.hypot(point.x() - nearest.x(), point.y() - nearest.y())
