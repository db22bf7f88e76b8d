"""Where the picture lies on the canvas: media pixels ↔ widget positions, zoom about a point, fit, letterbox."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF, QRectF, QSizeF

from gen2studio.core.geometry import Extent
from gen2studio.core.records import dataclass

MIN_ZOOM = 0.02
MAX_ZOOM = 64.0
STEPS = (0.05, 0.1, 0.167, 0.25, 0.333, 0.5, 0.667, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0)
"""Magnifications that the zoom keys stop at."""


@dataclass(frozen=True, slots=True)
class ViewTransform:
    """Widget position = media position × zoom + offset, in device-independent pixels."""

    zoom: float = 1.0
    x: float = 0.0
    y: float = 0.0

    def to_view(self, x: float, y: float) -> QPointF:
        return QPointF(x * self.zoom + self.x, y * self.zoom + self.y)

    def to_media(self, point: QPointF) -> QPointF:
        return QPointF((point.x() - self.x) / self.zoom, (point.y() - self.y) / self.zoom)

    def rect_to_view(self, x: float, y: float, width: float, height: float) -> QRectF:
        return QRectF(self.to_view(x, y), QSizeF(width * self.zoom, height * self.zoom))

    def area_to_view(self, area: QRectF) -> QRectF:
        """:meth:`rect_to_view` of a rectangle of media pixels."""
        return self.rect_to_view(area.x(), area.y(), area.width(), area.height())

    def rect_to_media(self, rect: QRectF) -> QRectF:
        return QRectF(self.to_media(rect.topLeft()), QSizeF(rect.width() / self.zoom, rect.height() / self.zoom))

    def panned(self, dx: float, dy: float) -> ViewTransform:
        return replace(self, x=self.x + dx, y=self.y + dy)

    def zoomed(self, zoom: float, about: QPointF) -> ViewTransform:
        """Magnified to ``zoom`` while the media pixel under ``about`` stays there."""
        zoom = min(MAX_ZOOM, max(MIN_ZOOM, zoom))
        media = self.to_media(about)
        return ViewTransform(zoom, about.x() - media.x() * zoom, about.y() - media.y() * zoom)

    def stepped(self, direction: int, about: QPointF) -> ViewTransform:
        """One zoom step in (+1) or out (−1)."""
        if direction > 0:
            zoom = next((s for s in STEPS if s > self.zoom * 1.001), MAX_ZOOM)
        else:
            zoom = next((s for s in reversed(STEPS) if s < self.zoom * 0.999), MIN_ZOOM)
        return self.zoomed(zoom, about)


def letterbox(picture: QRectF, stage: Extent | None) -> QRectF:
    """The sequence frame in media pixels, with the ``picture`` (media pixels) fitted into its middle; without one, the
    picture itself."""
    if stage is None:
        return QRectF(picture)
    scale = min(stage.width / picture.width(), stage.height / picture.height())
    frame = QRectF(0, 0, stage.width / scale, stage.height / scale)
    frame.moveCenter(picture.center())
    return frame


def fitted(frame: QRectF, view: QRectF, margin: float = 0.0) -> ViewTransform:
    """The largest view of ``frame`` (media pixels) centred inside ``view`` (widget)."""
    room = view.adjusted(margin, margin, -margin, -margin)
    zoom = min(MAX_ZOOM, max(MIN_ZOOM, min(room.width() / frame.width(), room.height() / frame.height())))
    centre, middle = view.center(), frame.center()
    return ViewTransform(zoom, round(centre.x() - middle.x() * zoom), round(centre.y() - middle.y() * zoom))
