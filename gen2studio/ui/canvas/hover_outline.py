"""The outline of what a click would select, over the canvas while an include or exclude tool is in hand."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF, QTransform
from PySide6.QtWidgets import QWidget

from gen2studio.app.mask_editing import MaskEditing
from gen2studio.app.selection_hover import HoverPoint
from gen2studio.app.session import Compare, Session
from gen2studio.ui import theme
from gen2studio.ui.canvas.canvas import Canvas
from gen2studio.ui.tools.smart import SCRIBBLE_RADIUS

_TOOLS = {"include": False, "exclude": True}
"""Tool id → whether its click takes away."""


class HoverOutline(QWidget):
    """A sheet over the canvas that lets every event through. It asks :class:`SelectionHover` and draws its answer."""

    def __init__(self, canvas: Canvas, session: Session, masks: MaskEditing) -> None:
        super().__init__(canvas)
        self.setObjectName("canvas.hover")
        self.setAccessibleName("Selection preview")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._canvas = canvas
        self._session = session
        self._masks = masks
        self._path = QPainterPath()
        """In media pixels."""
        self._pointer = QPointF()
        self._painted = QRectF()
        self.setGeometry(canvas.view_area)
        canvas.installEventFilter(self)
        canvas.zoom_changed.connect(self._repaint)
        canvas.gesture_started.connect(masks.hover.leave)
        masks.hover.changed.connect(self._on_changed)
        masks.place_changed.connect(self._on_place_changed)
        session.tool_changed.connect(self._on_tool_changed)
        session.shuttle_changed.connect(self._on_tool_changed)
        self.show()

    @property
    def outline(self) -> QPainterPath:
        """What is drawn, in media pixels; empty when nothing is."""
        return self._path

    # -- the pointer -----------------------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.MouseMove and isinstance(event, QMouseEvent):
            self._on_moved(event)
        elif kind in (QEvent.Type.Leave, QEvent.Type.Hide):
            self._masks.hover.leave()
        elif kind == QEvent.Type.Resize:
            self.setGeometry(self._canvas.view_area)
        return super().eventFilter(watched, event)

    def _on_moved(self, event: QMouseEvent) -> None:
        hover, tool = self._masks.hover, self._session.tool
        if tool not in _TOOLS:
            return
        self._pointer = event.position()
        spot = self._canvas.transform.to_media(self._pointer)
        extent = self._masks.extent
        inside = bool(self._masks.media_id) and 0 <= spot.x() < extent.width and 0 <= spot.y() < extent.height
        left_pane = self._session.compare is Compare.SIDE_BY_SIDE and self._pointer.x() < self.width() / 2
        if event.buttons() or not inside or left_pane or self._session.shuttle:
            hover.leave()
            return
        current = self._masks.current()
        if current is not None and current.locked:
            hover.leave()
            return
        subtract = _TOOLS[tool] != bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        point = HoverPoint(
            self._masks.media_id, self._masks.frame, current.id if current is not None else "", spot.x(), spot.y(),
            subtract, max(1.0, SCRIBBLE_RADIUS / self._canvas.transform.zoom),
        )  # fmt: skip
        hover.move(self._masks.document, point)
        if hover.busy:
            self._repaint()

    def _on_tool_changed(self, *_values: object) -> None:
        if self._session.tool not in _TOOLS or self._session.shuttle:
            self._masks.hover.leave()

    def _on_place_changed(self, *_values: object) -> None:
        self._masks.hover.leave()

    # -- drawing ---------------------------------------------------------------------------------------------------

    def _on_changed(self) -> None:
        mask = self._masks.hover.mask
        self._path = outline_of(mask, self._masks.extent.width, self._masks.extent.height)
        self._repaint()

    def _repaint(self, *_values: object) -> None:
        area = self._view_path().boundingRect().adjusted(-4, -4, 4, 4) if not self._path.isEmpty() else QRectF()
        if self._masks.hover.busy:
            area = area.united(self._note_area())
        self.update(area.united(self._painted).toAlignedRect())
        self._painted = area

    def _view_path(self) -> QPainterPath:
        view = self._canvas.transform
        return QTransform(view.zoom, 0, 0, view.zoom, view.x, view.y).map(self._path)

    def _note_area(self) -> QRectF:
        width = self.fontMetrics().horizontalAdvance(self._masks.hover.busy) + 16
        height = self.fontMetrics().height() + 8
        x = min(self._pointer.x() + 16, self.width() - width - 4)
        y = min(self._pointer.y() + 18, self.height() - height - 4)
        return QRectF(max(4.0, x), max(4.0, y), width, height)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._path.isEmpty():
            path = self._view_path()
            ink = theme.colour("danger" if self._masks.hover.subtracts else "accent")
            wash = QColor(ink)
            wash.setAlpha(46)
            painter.fillPath(path, wash)
            painter.strokePath(path, QPen(theme.colour("background", 200), 3))
            painter.strokePath(path, QPen(ink, 1.5))
        if self._masks.hover.busy:
            area = self._note_area()
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("background", 225))
            painter.drawRoundedRect(area, 4, 4)
            painter.setPen(theme.colour("text"))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self._masks.hover.busy)
        painter.end()


def outline_of(mask: np.ndarray | None, width: int, height: int) -> QPainterPath:
    """The edge of ``mask`` (h, w) at one half, as a path over a picture of ``width`` × ``height`` media pixels."""
    path = QPainterPath()
    if mask is None or not (mask > 127).any():
        return path
    import cv2

    # A border of nothing closes outlines at the picture's edge.
    framed = cv2.copyMakeBorder((mask > 127).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    contours, _ = cv2.findContours(framed, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_TC89_L1)
    across, down = width / mask.shape[1], height / mask.shape[0]
    for contour in contours:
        if len(contour) < 3:
            continue
        points = QPolygonF([QPointF((x - 0.5) * across, (y - 0.5) * down) for x, y in contour[:, 0].tolist()])
        path.addPolygon(points)
        path.closeSubpath()
    path.setFillRule(Qt.FillRule.OddEvenFill)
    return path
