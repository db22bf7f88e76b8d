"""The box around a clip's picture in the viewer, with its handles: what it shows, what lies under the pointer."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from gen2studio.app.clip_inspecting import ClipInspecting
from gen2studio.app.compositor_geometry import Pose, pose_of
from gen2studio.core.geometry import Extent
from gen2studio.document.model import Clip
from gen2studio.ui import theme
from gen2studio.ui.canvas.transform_box import HANDLES, Point, TransformBox, box_of, values_of
from gen2studio.ui.canvas.view_transform import ViewTransform

_GRIP = 4.5
_REACH = 9.0
_STALK = 26.0
"""Pixels between the upper edge and the handle that turns."""


class TransformHandles:
    """Knows the clip that is transformed, and changes it. The canvas asks it to paint and to find what is hit."""

    def __init__(self, inspecting: ClipInspecting) -> None:
        self.inspecting = inspecting
        self.wanted = False
        """The inspector shows the transform: the box is there whatever tool is in hand."""
        self.lines: tuple[list[float], list[float]] = ([], [])
        """Frame positions of the vertical and horizontal lines that a drag snapped to."""
        self.hot = ""
        self.room = QRectF()
        """Where handles can be caught, in widget pixels; empty = everywhere."""

    def clip(self) -> Clip | None:
        """The selected picture at the playhead, else the one under it."""
        session = self.inspecting.session
        here = [c for c in self.inspecting.pictures() if c.start <= session.playhead < c.end]
        return here[0] if here else None

    def box(self) -> TransformBox | None:
        """Of the clip as it lies at the playhead; None without one, or without a picture."""
        clip, session = self.clip(), self.inspecting.session
        sequence = session.sequence
        item = session.document.media.get(clip.media_id) if clip is not None else None
        if clip is None or sequence is None or item is None or not item.info.has_video:
            return None
        frame = session.playhead - clip.start
        pose = pose_of(clip.transform, frame)
        if pose is None:
            # An anchor alone moves nothing, but it is shown where it is.
            here = clip.transform
            pose = Pose(anchor_x=here.anchor_x.at(frame), anchor_y=here.anchor_y.at(frame))
        return box_of(pose, item.info.extent, Extent(sequence.width, sequence.height))

    def set_pose(self, label: str, before: Pose, after: Pose, gesture: int) -> bool:
        """Change what differs between two poses; calls with one ``gesture`` are one undo step."""
        old, new = values_of(before), values_of(after)
        now = self.box()
        shown = values_of(now.pose) if now is not None else old
        changed = {
            name: value
            for name, value in new.items()
            if abs(value - old[name]) > 1e-9 or abs(value - shown[name]) > 1e-9
        }
        return bool(changed) and self.inspecting.set_values(label, changed, gesture)

    # -- on the widget ------------------------------------------------------------------------------------------------

    def spots(self, box: TransformBox, view: ViewTransform) -> dict[str, QPointF]:
        """Widget positions of every handle by name, ``rotate`` and ``anchor`` included."""
        spots = {name: view.to_view(*box.handle(name)) for name in HANDLES}
        spots["anchor"] = view.to_view(*box.anchor)
        up = QLineF(spots["bottom"], spots["top"])
        if up.length() < 1:
            up = QLineF(spots["top"], spots["top"] - QPointF(0, 1))
        side = up.length()
        up.setLength(side + _STALK)
        if not self.room.isEmpty() and not self.room.contains(up.p2()) and side > 2 * _STALK:
            # A picture that fills the view is turned from inside.
            up.setLength(side - _STALK)
        spots["rotate"] = up.p2()
        return spots

    def hit(self, point: QPointF, view: ViewTransform) -> str:
        """The handle under a widget position, ``inside`` for the picture, or empty."""
        box = self.box()
        if box is None:
            return ""
        spots = self.spots(box, view)
        order = ("rotate", *(n for n in HANDLES if "_" in n), "anchor", *(n for n in HANDLES if "_" not in n))
        near = [name for name in order if _near(spots[name], point)]
        if near:
            return near[0]
        media = view.to_media(point)
        return "inside" if box.holds((media.x(), media.y())) else ""

    def cursor(self, spot: str, box: TransformBox) -> Qt.CursorShape:
        """The cursor over a handle, turned with the box."""
        if spot == "inside":
            return Qt.CursorShape.SizeAllCursor
        if spot in ("rotate", "anchor"):
            return Qt.CursorShape.PointingHandCursor if spot == "rotate" else Qt.CursorShape.CrossCursor
        if spot not in HANDLES:
            return Qt.CursorShape.ArrowCursor
        turns = {"right": 0, "left": 0, "bottom_right": 45, "top_left": 45, "bottom": 90, "top": 90}.get(spot, 135)
        shapes = (
            Qt.CursorShape.SizeHorCursor,
            Qt.CursorShape.SizeFDiagCursor,
            Qt.CursorShape.SizeVerCursor,
            Qt.CursorShape.SizeBDiagCursor,
        )
        return shapes[round((turns + box.pose.rotation) / 45) % 4]

    def paint(self, painter: QPainter, view: ViewTransform) -> None:
        """The box, its handles, the anchor, and the lines a drag snapped to."""
        box = self.box()
        if box is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_lines(painter, box, view)
        whole = replace(box, pose=replace(box.pose, crop=(0.0, 0.0, 1.0, 1.0)))
        if whole.pose.crop != box.pose.crop:
            _outline(painter, _polygon(whole.corners, view), theme.colour("text", 120), Qt.PenStyle.DashLine)
        _outline(painter, _polygon(box.corners, view), theme.colour("accent"), Qt.PenStyle.SolidLine)
        spots = self.spots(box, view)
        painter.setPen(QPen(theme.colour("accent"), 1.4))
        painter.drawLine(spots["top"], spots["rotate"])
        for name, at in spots.items():
            hot = name == self.hot
            painter.setPen(QPen(QColor(0, 0, 0, 190), 1))
            painter.setBrush(theme.colour("clip_selected" if hot else "text"))
            reach = _GRIP + (1 if hot else 0)
            if name == "rotate":
                painter.drawEllipse(at, reach + 0.5, reach + 0.5)
            elif name == "anchor":
                _cross(painter, at, hot)
            else:
                painter.drawRect(QRectF(at.x() - reach, at.y() - reach, 2 * reach, 2 * reach))
        painter.restore()

    def _paint_lines(self, painter: QPainter, box: TransformBox, view: ViewTransform) -> None:
        painter.setPen(QPen(theme.colour("snap"), 1, Qt.PenStyle.DashLine))
        vertical, horizontal = self.lines
        for x in vertical:
            painter.drawLine(view.to_view(x, 0), view.to_view(x, box.frame.height))
        for y in horizontal:
            painter.drawLine(view.to_view(0, y), view.to_view(box.frame.width, y))


def _polygon(corners: tuple[Point, ...], view: ViewTransform) -> QPolygonF:
    return QPolygonF([view.to_view(*corner) for corner in corners])


def _outline(painter: QPainter, shape: QPolygonF, ink: QColor, style: Qt.PenStyle) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(0, 0, 0, 120), 3))
    painter.drawPolygon(shape)
    painter.setPen(QPen(ink, 1.4, style))
    painter.drawPolygon(shape)


def _cross(painter: QPainter, at: QPointF, hot: bool) -> None:
    for ink, width in ((QColor(0, 0, 0, 170), 3.4), (theme.colour("clip_selected" if hot else "accent"), 1.6)):
        painter.setPen(QPen(ink, width))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(at, 5, 5)
        painter.drawLine(at - QPointF(9, 0), at + QPointF(9, 0))
        painter.drawLine(at - QPointF(0, 9), at + QPointF(0, 9))


def _near(spot: QPointF, point: QPointF) -> bool:
    return abs(spot.x() - point.x()) <= _REACH and abs(spot.y() - point.y()) <= _REACH
