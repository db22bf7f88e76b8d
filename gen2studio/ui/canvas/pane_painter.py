"""Paints one pane of the viewer: what lies around the picture, the picture or the pair, and the mattes over it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QPainter, QRegion

from gen2studio.app.session import Compare, MaskView
from gen2studio.core.geometry import Extent
from gen2studio.core.records import dataclass
from gen2studio.ui import theme
from gen2studio.ui.canvas import compare_painter, overlay, placard
from gen2studio.ui.canvas.view_transform import ViewTransform


@dataclass(frozen=True, slots=True, kw_only=True)
class Pane:
    """One view of the picture."""

    extent: Extent
    """Of the media."""
    reach: QRectF
    """Where the pictures lie, in media pixels: over the media, or beyond it."""
    pair: compare_painter.Pair
    transform: ViewTransform
    letterbox: QRectF
    """The sequence frame in media pixels."""
    mode: Compare
    split: float
    left: bool
    """The left half of side by side."""
    layers: Sequence[overlay.Layer]
    view: MaskView
    opacity: float
    backdrop: tuple[int, int, int]
    """Behind the subject in the view on colour."""
    neighbours: Sequence[overlay.Neighbour]
    """What onion skin shows of the frames before and after."""
    quick: bool
    """Pictures follow each other: take the nearest pixels."""


def parts(region: QRegion) -> list[QRect]:
    """The rectangles to paint of ``region``. Each costs a round of set-up: many or crowded ones become one."""
    bounds = region.boundingRect()
    found = [QRect(part) for part in region]  # type: ignore[attr-defined]
    if len(found) > 4 or 2 * _area(bounds) < 3 * sum(map(_area, found)):
        return [bounds]
    return found


def _area(rect: QRect) -> int:
    return rect.width() * rect.height()


def paint_pane(painter: QPainter, dirty: QRect, pane: Pane) -> None:
    """Paint ``dirty`` (widget pixels) of a pane."""
    transform, mode = pane.transform, pane.mode
    frame = transform.area_to_view(pane.reach)
    if not frame.contains(QRectF(dirty)):
        box = pane.letterbox
        stage = transform.rect_to_view(box.x(), box.y(), box.width(), box.height())
        # What the picture hides is not worth painting twice.
        bare = QRegion(dirty).subtracted(QRegion(_inside(frame))) if pane.pair.opaque else QRegion(dirty)
        for strip in bare:  # type: ignore[attr-defined]
            painter.fillRect(strip, theme.colour("canvas"))
            painter.fillRect(stage.intersected(QRectF(strip)), theme.colour("stage"))
    if not pane.pair.opaque:
        placard.paint_checks(painter, frame, dirty)
    compare_painter.paint_pair(painter, frame, pane.pair, mode, pane.split, pane.left, pane.quick)
    if mode in (Compare.TOGGLE, Compare.DIFFERENCE) or (mode is Compare.SIDE_BY_SIDE and pane.left):
        return
    if mode is Compare.WIPE:
        # The mattes belong to the result; what it is compared with stays clear.
        line = round(compare_painter.wipe_line(frame, pane.split))
        dirty = dirty.adjusted(max(0, line - dirty.left()), 0, 0, 0)
    media = transform.rect_to_view(0, 0, pane.extent.width, pane.extent.height)
    if pane.view is MaskView.SIDE and pane.left:
        return
    view = MaskView.MATTE if pane.view is MaskView.SIDE else pane.view
    overlay.paint_mattes(
        painter,
        dirty,
        media,
        transform,
        pane.layers,
        view,
        pane.opacity,
        pane.quick,
        backdrop=pane.backdrop,
        neighbours=pane.neighbours,
    )


def _inside(rect: QRectF) -> QRect:
    """The whole pixels that ``rect`` covers."""
    left, top = math.ceil(rect.left()), math.ceil(rect.top())
    return QRect(left, top, math.floor(rect.right()) - left, math.floor(rect.bottom()) - top)
