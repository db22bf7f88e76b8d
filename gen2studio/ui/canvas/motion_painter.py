"""Draws what the regions of the motion brush will do: an arrow where a region goes, marks where it nears or stirs."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from gen2studio.app.motion_brush import COLOURS, MotionBrush
from gen2studio.document.look import MotionRegion
from gen2studio.ui import theme
from gen2studio.ui.canvas.view_transform import ViewTransform

_REACH = 0.025
"""Share of the frame's width that one unit of motion is drawn as."""


def paint_motion(painter: QPainter, brush: MotionBrush, transform: ViewTransform, width: float) -> None:
    """Paint the arrows of every region; ``width`` is the frame's on the widget."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for index, region in enumerate(brush.regions):
        centre = brush.centre(index)
        if centre is not None:
            _paint_region(painter, index, region, transform.to_view(*centre), width, index == brush.chosen)
    painter.restore()


def _paint_region(painter: QPainter, index: int, region: MotionRegion, at: QPointF, width: float, chosen: bool) -> None:
    ink = QColor(*COLOURS[index % len(COLOURS)])
    reach = QPointF(region.horizontal, -region.vertical) * _REACH * width
    if not reach.isNull():
        _arrow(painter, at, at + reach, ink)
    if region.proximity:
        size = 16 + abs(region.proximity) * 2.5
        for dx, dy in ((1, 1), (1, -1), (-1, -1), (-1, 1)):
            outer, inner = at + QPointF(dx, dy) * size, at + QPointF(dx, dy) * 9
            _arrow(painter, *((inner, outer) if region.proximity > 0 else (outer, inner)), ink, head=6)
    if region.ambient:
        _waves(painter, at, 8 + region.ambient * 2.0, ink)
    badge = QRectF(at.x() - 9, at.y() - 9, 18, 18)
    painter.setPen(QPen(theme.colour("background", 220), 2 if chosen else 1))
    painter.setBrush(ink)
    painter.drawEllipse(badge.adjusted(-2, -2, 2, 2) if chosen else badge)
    painter.setPen(theme.colour("accent_text"))
    painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, str(index + 1))


def _arrow(painter: QPainter, start: QPointF, end: QPointF, ink: QColor, head: float = 10) -> None:
    way = end - start
    length = math.hypot(way.x(), way.y())
    if length < 1:
        return
    along = way / length
    across = QPointF(-along.y(), along.x())
    neck = end - along * head
    tip = QPolygonF([end, neck + across * head * 0.55, neck - across * head * 0.55])
    for pen, width in ((theme.colour("background", 200), 5.0), (ink, 2.5)):
        painter.setPen(QPen(pen, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(start, neck)
        painter.setPen(QPen(pen, max(1.0, width - 2.5), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.setBrush(pen)
        painter.drawPolygon(tip)


def _waves(painter: QPainter, at: QPointF, size: float, ink: QColor) -> None:
    for row in (-1, 1):
        path = QPainterPath()
        for step in range(25):
            x = at.x() - size * 1.4 + size * 2.8 * step / 24
            y = at.y() + row * (14 + size * 0.35) + math.sin(step / 24 * 4 * math.pi) * size * 0.28
            if step == 0:
                path.moveTo(x, y)
            else:
                path.lineTo(x, y)
        painter.strokePath(path, QPen(theme.colour("background", 200), 4.5))
        painter.strokePath(path, QPen(ink, 2))
