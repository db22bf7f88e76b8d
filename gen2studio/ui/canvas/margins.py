"""The room that outpainting will add around the picture, shown before anything is drawn there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QRectF, Qt, Signal
from PySide6.QtGui import QBrush, QPainter, QPainterPath, QPen

from gen2studio.app.choosing import honours
from gen2studio.app.generation import Generation
from gen2studio.app.reframing import place
from gen2studio.app.session import Session
from gen2studio.core.geometry import Rect
from gen2studio.document.look import Look, Outpaint
from gen2studio.document.shots import is_shot
from gen2studio.ui import theme
from gen2studio.ui.canvas.view_transform import ViewTransform

if TYPE_CHECKING:
    from gen2studio.app.viewer_feed import ViewerPicture


class Margins(QObject):
    """Follows the outpainting of the clip under the playhead."""

    changed = Signal(object)
    """Outpaint"""

    def __init__(self, session: Session, generation: Generation, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._generation = generation
        self._seen = Outpaint()
        generation.look_changed.connect(self._on_look_changed)

    def planned(self, picture: ViewerPicture | None) -> Rect | None:
        """The larger frame in media pixels; None where no room is added to this picture."""
        if picture is None or picture.shows not in ("source", "take", "preview"):
            return None
        generation = self._generation
        clip, look = generation.target, generation.look
        if clip is None or clip.id != picture.clip_id or not look.outpaint.adds or self._is_shot():
            return None
        found = generation.abilities()
        if found is None or not honours(found, look.mode.value, "outpaint"):
            return None
        return place(look.outpaint, picture.extent)

    def united(self, reach: QRectF, picture: ViewerPicture | None) -> QRectF:
        """``reach`` (where pictures lie, media pixels) with the room that will be added."""
        planned = self.planned(picture)
        return reach if planned is None else reach.united(_rect(planned))

    def paint(self, painter: QPainter, picture: ViewerPicture | None, reach: QRectF, transform: ViewTransform) -> None:
        """Hatch what lies between the pictures shown and the larger frame."""
        planned = self.planned(picture)
        if planned is None or picture is None or reach.contains(_rect(planned)):
            return
        outer = transform.rect_to_view(planned.x, planned.y, planned.width, planned.height)
        inner = transform.area_to_view(reach)
        ring = QPainterPath()
        ring.addRect(outer)
        hole = QPainterPath()
        hole.addRect(inner)
        painter.save()
        ring = ring.subtracted(hole)
        painter.fillPath(ring, theme.colour("input"))
        painter.fillPath(ring, QBrush(theme.colour("accent", 90), Qt.BrushStyle.BDiagPattern))
        painter.setPen(QPen(theme.colour("accent"), 1.25, Qt.PenStyle.DashLine))
        painter.drawRect(outer.adjusted(0.5, 0.5, -0.5, -0.5))
        self._paint_size(painter, outer, f"{planned.width} × {planned.height} · will be drawn")
        painter.restore()

    @staticmethod
    def _paint_size(painter: QPainter, outer: QRectF, words: str) -> None:
        metrics = painter.fontMetrics()
        chip = QRectF(0, 0, metrics.horizontalAdvance(words) + 16, metrics.height() + 6)
        if chip.width() > outer.width() - 12:
            return
        chip.moveCenter(outer.center())
        chip.moveBottom(outer.bottom() - 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("background", 215))
        painter.drawRoundedRect(chip, 5, 5)
        painter.setPen(theme.colour("text"))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, words)

    def _is_shot(self) -> bool:
        return is_shot(self._session.document, self._generation.target)

    def _on_look_changed(self, look: Look) -> None:
        if look.outpaint != self._seen or look.outpaint.adds:
            self._seen = look.outpaint
            self.changed.emit(look.outpaint)


def _rect(rect: Rect) -> QRectF:
    return QRectF(rect.x, rect.y, rect.width, rect.height)
