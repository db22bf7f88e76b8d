"""Draws shapes over the picture: outlines, points, handles, feather lines, and whether this frame has a key.

Everything is drawn in widget pixels from curves, so that lines stay crisp at every magnification.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.core.records import dataclass
from gen2studio.ui import theme
from gen2studio.ui.canvas.view_transform import ViewTransform
from gen2studio.ui.tools import shape_hits
from gen2studio.ui.tools.shape_hits import Hit

_ROOM = 70
"""Widget pixels around the points that grips and the name may take."""


@dataclass(slots=True)
class ShapeScene:
    """What of an object's shapes is shown."""

    shapes: Sequence[MaskShape] = ()
    frame: int = 0
    tint: tuple[int, int, int] = (255, 255, 255)
    chosen: MaskShape | None = None
    """Shown with its points."""
    points: frozenset[int] = frozenset()
    """Selected ones."""
    hot: Hit | None = None
    """Under the pointer."""
    box: bool = False
    """The transform box is shown around the selected points."""
    fresh: list[ShapePoint] = field(default_factory=list)
    """The outline being drawn."""
    fresh_kind: str = "bezier"
    open_end: ShapePoint | None = None
    """Where the next point would go."""
    closes: bool = False
    """The pointer is on the first point of the outline being drawn."""


def bounds(scene: ShapeScene, transform: ViewTransform) -> QRectF:
    """Widget pixels that the scene paints on."""
    area = QRectF()
    listed = [(s, s.points_at(scene.frame)) for s in scene.shapes if s.visible or s is scene.chosen]
    ends = [*scene.fresh, scene.open_end] if scene.open_end is not None else scene.fresh
    for points in (*(points for _, points in listed), ends):
        spots: list[QPointF] = []
        for p in points:
            wide = abs(p.feather)
            reach_x = max(wide, abs(p.in_x), abs(p.out_x))
            reach_y = max(wide, abs(p.in_y), abs(p.out_y))
            spots.append(transform.to_view(p.x - reach_x, p.y - reach_y))
            spots.append(transform.to_view(p.x + reach_x, p.y + reach_y))
        if spots:
            area = area.united(QPolygonF(spots).boundingRect().adjusted(-_ROOM, -_ROOM, _ROOM, _ROOM))
    return area


def path_of(kind: str, points: Sequence[ShapePoint], transform: ViewTransform, closed: bool = True) -> QPainterPath:
    """The outline on the widget."""
    from gen2studio.raster import splines

    path = QPainterPath()
    if not points:
        return path
    count = len(points)
    if kind == "bspline" and count >= 3:
        curves = splines.segments(kind, points)[:, :, :2].tolist()
        if not closed:
            # Without its end the curve reaches from the second to the last but one.
            curves = curves[1 : count - 2]
    else:
        curves = splines.segments("polygon" if kind == "bspline" else kind, points)[:, :, :2].tolist()
        if not closed:
            curves = curves[: count - 1]
    if not curves:
        return path
    path.moveTo(transform.to_view(*curves[0][0]))
    for _, a, b, c in curves:
        path.cubicTo(transform.to_view(*a), transform.to_view(*b), transform.to_view(*c))
    if closed:
        path.closeSubpath()
    return path


def paint_shapes(painter: QPainter, scene: ShapeScene, transform: ViewTransform) -> None:
    if not scene.shapes and not scene.fresh:
        return
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for shape in scene.shapes:
        if shape is not scene.chosen and shape.visible:
            hot = scene.hot is not None and scene.hot.shape_id == shape.id
            _paint_outline(painter, shape, scene, transform, 1.75 if hot else 1.0)
    if scene.chosen is not None:
        _paint_chosen(painter, scene.chosen, scene, transform)
    if scene.fresh:
        _paint_fresh(painter, scene, transform)
    painter.restore()


def _ink(scene: ShapeScene) -> QColor:
    return QColor(*scene.tint)


def _paint_outline(
    painter: QPainter, shape: MaskShape, scene: ShapeScene, transform: ViewTransform, width: float
) -> None:
    path = path_of(shape.kind, shape.points_at(scene.frame), transform)
    ink = _ink(scene)
    lives = shape.lives_at(scene.frame)
    ink.setAlpha(255 if lives else 110)
    style = Qt.PenStyle.SolidLine if shape.operation == "add" else Qt.PenStyle.DashLine
    painter.strokePath(path, QPen(theme.colour("stage", 170 if lives else 80), width + 2.0))
    painter.strokePath(path, QPen(ink, width, style))


def _paint_chosen(painter: QPainter, shape: MaskShape, scene: ShapeScene, transform: ViewTransform) -> None:
    points = shape.points_at(scene.frame)
    ink = _ink(scene)
    if any(p.feather for p in points):
        _paint_feather(painter, shape, points, scene, transform)
    if shape.kind == "bspline":
        cage = QPolygonF([transform.to_view(p.x, p.y) for p in (*points, points[0])])
        _paint_cage(painter, cage)
    _paint_outline(painter, shape, scene, transform, 1.75)
    for index in sorted(scene.points):
        _paint_handles(painter, shape, points, index, scene, transform)
    keyed = any(at == scene.frame for at, _ in shape.keys)
    for index, point in enumerate(points):
        hot = scene.hot is not None and scene.hot.part == "point" and scene.hot.index == index
        _paint_point(painter, transform.to_view(point.x, point.y), ink, index in scene.points, hot, keyed)
    if scene.box:
        _paint_box(painter, points, scene, transform)
    _paint_name(painter, shape, points, keyed, ink, transform)


def _paint_cage(painter: QPainter, cage: QPolygonF) -> None:
    """The straight lines between the control points of a B-spline."""
    painter.setPen(QPen(theme.colour("stage", 130), 2.5))
    painter.drawPolyline(cage)
    painter.setPen(QPen(QColor(255, 255, 255, 190), 1.0, Qt.PenStyle.DotLine))
    painter.drawPolyline(cage)


def _paint_point(painter: QPainter, spot: QPointF, ink: QColor, selected: bool, hot: bool, keyed: bool = True) -> None:
    """A square, filled white where it is selected; only its frame where the frame has no key."""
    half = 4.5 if hot else 3.5
    box = QRectF(spot.x() - half, spot.y() - half, 2 * half, 2 * half)
    painter.setPen(QPen(theme.colour("stage", 200), 3.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(box)
    painter.setPen(QPen(QColor(255, 255, 255) if selected or hot else ink, 1.5))
    if selected:
        painter.setBrush(QColor(255, 255, 255))
    else:
        painter.setBrush(ink if keyed else theme.colour("stage", 160))
    painter.drawRect(box)


def _paint_handles(
    painter: QPainter, shape: MaskShape, points: Sequence[ShapePoint], index: int, scene: ShapeScene,
    transform: ViewTransform,
) -> None:  # fmt: skip
    at = transform.to_view(points[index].x, points[index].y)
    for part, spot in shape_hits.handles(shape.kind, points, index, transform).items():
        hot = scene.hot is not None and (scene.hot.part, scene.hot.index) == (part, index)
        painter.setPen(QPen(theme.colour("stage", 170), 3.0))
        painter.drawLine(at, spot)
        if part == "feather":
            painter.setPen(QPen(theme.colour("warning"), 1.0))
            painter.drawLine(at, spot)
            reach = 5.0 if hot else 4.0
            diamond = QPolygonF([spot + QPointF(0, -reach), spot + QPointF(reach, 0), spot + QPointF(0, reach),
                                 spot + QPointF(-reach, 0)])  # fmt: skip
            painter.setBrush(theme.colour("warning"))
            painter.setPen(QPen(theme.colour("stage", 200), 1.0))
            painter.drawPolygon(diamond)
        else:
            painter.setPen(QPen(QColor(255, 255, 255, 230), 1.0))
            painter.drawLine(at, spot)
            painter.setPen(QPen(theme.colour("stage", 200), 1.0))
            painter.setBrush(QColor(255, 255, 255))
            reach = 4.5 if hot else 3.5
            painter.drawEllipse(spot, reach, reach)


def _paint_feather(
    painter: QPainter, shape: MaskShape, points: Sequence[ShapePoint], scene: ShapeScene, transform: ViewTransform
) -> None:
    """Where the edge has faded, as a thin line: a dashed one would cost more than everything else together."""
    import numpy as np

    from gen2studio.raster import splines

    line = splines.outline(shape.kind, points, 1.0 / transform.zoom)
    if len(line) < 3:
        return
    tangent = np.roll(line[:, :2], -1, 0) - np.roll(line[:, :2], 1, 0)
    length = np.hypot(tangent[:, 0], tangent[:, 1]).clip(1e-9)
    turn = 1.0 if shape_hits.area(points) >= 0 else -1.0
    normals = np.stack([tangent[:, 1], -tangent[:, 0]], 1) * (turn / length)[:, None]
    ends = line[:, :2] + normals * line[:, 2:]
    polygon = QPolygonF([transform.to_view(x, y) for x, y in ends.tolist()])
    polygon.append(polygon.first())
    painter.setPen(QPen(theme.colour("warning"), 1.0))
    painter.drawPolyline(polygon)


def _paint_box(painter: QPainter, points: Sequence[ShapePoint], scene: ShapeScene, transform: ViewTransform) -> None:
    grips = shape_hits.box_grips(shape_hits.box_of(points, scene.points), transform)
    area = QRectF(grips[(-1, -1)], grips[(1, 1)])
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(theme.colour("stage", 170), 3.0))
    painter.drawRect(area)
    painter.setPen(QPen(QColor(255, 255, 255, 230), 1.0, Qt.PenStyle.DashLine))
    painter.drawRect(area)
    painter.setPen(QPen(theme.colour("stage", 220), 1.0))
    painter.setBrush(QColor(255, 255, 255))
    for spot in grips.values():
        painter.drawRect(QRectF(spot.x() - 3.5, spot.y() - 3.5, 7, 7))


def _paint_name(
    painter: QPainter, shape: MaskShape, points: Sequence[ShapePoint], keyed: bool, ink: QColor,
    transform: ViewTransform,
) -> None:  # fmt: skip
    """The name over the shape, with a full diamond on a key and an empty one between keys."""
    top = min((transform.to_view(p.x, p.y) for p in points), key=lambda spot: spot.y())
    sign = {"add": "", "subtract": "− ", "intersect": "∩ "}[shape.operation]
    text = f"{sign}{shape.name}"
    metrics = painter.fontMetrics()
    several = len(shape.keys) > 1 or keyed
    width = metrics.horizontalAdvance(text) + (30 if several else 14)
    # Kept inside the view where the shape reaches out of it.
    room = QRectF(painter.viewport())
    left = min(max(4.0, top.x() - width / 2), max(4.0, room.width() - width - 4))
    box = QRectF(left, max(4.0, top.y() - 36), width, 20)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour("background", 215))
    painter.drawRoundedRect(box, 5, 5)
    left = box.left() + 7
    if several:
        centre = QPointF(left + 4, box.center().y())
        diamond = QPolygonF([centre + QPointF(0, -4.5), centre + QPointF(4.5, 0), centre + QPointF(0, 4.5),
                             centre + QPointF(-4.5, 0)])  # fmt: skip
        painter.setPen(QPen(ink, 1.25))
        painter.setBrush(ink if keyed else Qt.BrushStyle.NoBrush)
        painter.drawPolygon(diamond)
        left += 15
    painter.setPen(theme.colour("text"))
    painter.drawText(QRectF(left, box.top(), box.right() - left, box.height()), Qt.AlignmentFlag.AlignVCenter, text)


def _paint_fresh(painter: QPainter, scene: ShapeScene, transform: ViewTransform) -> None:
    """The outline being drawn: what there is, the piece to the pointer, and the handles of the last point."""
    ink = _ink(scene)
    points = scene.fresh
    whole = [*points, scene.open_end] if scene.open_end is not None and not scene.closes else points
    if scene.fresh_kind == "bspline" and len(whole) > 2:
        # Every new point moves the end of the curve: what a click here would give.
        closing = path_of("bspline", whole, transform)
        painter.strokePath(closing, QPen(theme.colour("stage", 120), 3.0))
        painter.strokePath(closing, QPen(ink, 1.0, Qt.PenStyle.DashLine))
    path = path_of(scene.fresh_kind, points, transform, closed=scene.closes and len(points) > 2)
    painter.strokePath(path, QPen(theme.colour("stage", 170), 3.5))
    painter.strokePath(path, QPen(ink, 1.5))
    if scene.open_end is not None and not scene.closes:
        piece = path_of(
            "polygon" if scene.fresh_kind == "bspline" else scene.fresh_kind, (points[-1], scene.open_end), transform,
            closed=False,
        )  # fmt: skip
        painter.strokePath(piece, QPen(theme.colour("stage", 150), 3.0))
        painter.strokePath(piece, QPen(ink, 1.0, Qt.PenStyle.DashLine))
    if scene.fresh_kind == "bspline" and len(points) > 1:
        _paint_cage(painter, QPolygonF([transform.to_view(p.x, p.y) for p in points]))
    last = len(points) - 1
    if scene.fresh_kind == "bezier":
        still = ShapeScene(tint=scene.tint)
        shape = MaskShape(id="", kind="bezier", keys=((0, tuple(points)),))
        _paint_handles(painter, shape, points, last, still, transform)
    for index, point in enumerate(points):
        spot = transform.to_view(point.x, point.y)
        _paint_point(painter, spot, ink, index == last, scene.closes and index == 0)
