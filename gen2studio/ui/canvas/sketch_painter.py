"""Draws a gesture in progress and the brush ring over the picture."""

from __future__ import annotations

import math
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPen, QPolygonF

from gen2studio.ui import theme
from gen2studio.ui.canvas.stage import Sketch
from gen2studio.ui.canvas.view_transform import ViewTransform


def bounds(sketch: Sketch, transform: ViewTransform) -> QRectF:
    """Widget pixels that the sketch paints on."""
    if not sketch.points:
        return QRectF()
    corners = QPolygonF([transform.to_view(x, y) for x, y in sketch.points]).boundingRect()
    reach = sketch.radius * transform.zoom + (46 if sketch.kind == "size" else 30 if sketch.kind == "gradient" else 6)
    if sketch.kind == "radial" and len(sketch.points) == 2:
        (x0, y0), (x1, y1) = sketch.points
        reach += math.hypot(x1 - x0, y1 - y0) * transform.zoom
    return corners.adjusted(-reach, -reach, reach + (140 if sketch.kind == "size" else 0), reach)


def paint_sketch(painter: QPainter, sketch: Sketch, transform: ViewTransform) -> None:
    if not sketch.points:
        return
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    points = [transform.to_view(x, y) for x, y in sketch.points]
    ink = theme.colour("danger" if sketch.subtract else "accent")
    if sketch.kind == "size":
        _paint_size(painter, points[0], sketch, transform)
    elif sketch.kind == "scribble":
        ink = theme.colour("danger" if sketch.subtract else "success")
        path = QPainterPath(points[0])
        for point in points[1:]:
            path.lineTo(point)
        if len(points) == 1:
            path.lineTo(points[0] + QPointF(0.01, 0))
        width = max(2.0, 2 * sketch.radius * transform.zoom)
        ink.setAlpha(190)
        round_pen = QPen(ink, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
        painter.strokePath(path, round_pen)
    elif sketch.kind in ("gradient", "radial"):
        _paint_ramp(painter, points, sketch.kind == "radial")
    else:
        path = QPainterPath()
        if sketch.kind == "polygon":
            path.addPolygon(QPolygonF(points))
            path.closeSubpath()
        elif len(points) == 2:
            box = QRectF(points[0], points[1]).normalized()
            if sketch.kind == "ellipse":
                path.addEllipse(box)
            else:
                path.addRect(box)
        _paint_outline(painter, path, ink)
        if sketch.kind == "polygon" and len(points) < 200:
            painter.setPen(QPen(theme.colour("background"), 1))
            painter.setBrush(ink)
            for point in points[:-1] if len(points) > 1 else points:
                painter.drawEllipse(point, 3.0, 3.0)
    painter.restore()


def _paint_outline(painter: QPainter, path: QPainterPath, ink: QColor) -> None:
    fill = QColor(ink)
    fill.setAlpha(38)
    painter.fillPath(path, fill)
    painter.strokePath(path, QPen(theme.colour("background", 200), 3))
    painter.strokePath(path, QPen(ink, 1.25))


def _paint_ramp(painter: QPainter, points: list[QPointF], radial: bool) -> None:
    """Where a ramp starts and ends: two lines across it, or the circle where it has faded."""
    if len(points) < 2:
        return
    start, end = points
    way = end - start
    length = max(1e-6, math.hypot(way.x(), way.y()))
    across = QPointF(-way.y(), way.x()) * (26.0 / length)
    path = QPainterPath(start)
    path.lineTo(end)
    if radial:
        path.addEllipse(start, length, length)
    else:
        for spot in (start, end):
            path.moveTo(spot - across)
            path.lineTo(spot + across)
    painter.strokePath(path, QPen(theme.colour("background", 200), 3.5))
    painter.strokePath(path, QPen(theme.colour("accent"), 1.5))
    painter.setPen(QPen(theme.colour("background", 220), 1.0))
    for spot, ink in ((start, QColor(255, 255, 255)), (end, theme.colour("background"))):
        painter.setBrush(ink)
        painter.setPen(QPen(theme.colour("accent"), 1.5))
        painter.drawEllipse(spot, 4.5, 4.5)


def _paint_size(painter: QPainter, centre: QPointF, sketch: Sketch, transform: ViewTransform) -> None:
    radius = sketch.radius * transform.zoom
    tint = theme.colour("accent", 70)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(tint)
    painter.drawEllipse(centre, radius, radius)
    paint_ring(painter, centre, radius, sketch.hardness)
    text = f"{2 * sketch.radius:.0f} px · {sketch.hardness:.0%} hard"
    spot = QRectF(centre.x() + radius * math.sqrt(0.5) + 10, centre.y() - radius * math.sqrt(0.5) - 28, 124, 22)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour("background", 215))
    painter.drawRoundedRect(spot, 5, 5)
    painter.setPen(theme.colour("text"))
    painter.drawText(spot, Qt.AlignmentFlag.AlignCenter, text)


def paint_ring(painter: QPainter, centre: QPointF, radius: float, hardness: float) -> None:
    """The brush as a light ring on a dark one, seen on any picture; a fainter one where its edge starts to fall."""
    ratio = painter.device().devicePixelRatio()
    if radius > _DRAWN:
        # Larger than most windows: little of it is seen.
        _draw_ring(painter, centre, radius, hardness)
        return
    image = _ring(round(radius * 4) / 4, round(hardness, 2), ratio)
    reach = image.width() / ratio / 2
    corner = QPointF(round((centre.x() - reach) * ratio) / ratio, round((centre.y() - reach) * ratio) / ratio)
    painter.drawImage(corner, image)


_DRAWN = 600.0
"""Widget pixels up to which a ring is kept as an image: laying one down costs a fifth of drawing it."""


@lru_cache(maxsize=4)
def _ring(radius: float, hardness: float, ratio: float) -> QImage:
    side = 2 * math.ceil((radius + 3) * ratio) + 1
    image = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(0)
    painter = QPainter(image)
    _draw_ring(painter, QPointF(side / ratio / 2, side / ratio / 2), radius, hardness)
    painter.end()
    return image


def _draw_ring(painter: QPainter, centre: QPointF, radius: float, hardness: float) -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(theme.colour("stage", 170), 2.5))
    painter.drawEllipse(centre, radius, radius)
    painter.setPen(QPen(QColor(255, 255, 255, 235), 1.0))
    painter.drawEllipse(centre, radius, radius)
    inner = radius * hardness
    if radius - inner > 3 and inner > 2:
        painter.setPen(QPen(QColor(255, 255, 255, 110), 1.0, Qt.PenStyle.DotLine))
        painter.drawEllipse(centre, inner, inner)
    painter.setPen(QPen(theme.colour("stage", 170), 3))
    painter.drawPoint(centre)
    painter.setPen(QPen(QColor(255, 255, 255, 235), 1))
    painter.drawPoint(centre)
    painter.restore()
