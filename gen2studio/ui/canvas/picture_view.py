"""One frame in a widget: where it lies, how large, one pane or two beside each other, and the line under it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QSizePolicy, QWidget

from gen2studio.app.session import Compare, Session
from gen2studio.core.geometry import Extent
from gen2studio.ui.canvas import captions, compare_painter, margins, shot_cards
from gen2studio.ui.canvas.status_strip import HEIGHT, StatusStrip
from gen2studio.ui.canvas.view_transform import ViewTransform, fitted, letterbox

if TYPE_CHECKING:
    from gen2studio.app.viewer_feed import ViewerPicture

_SETTLE_MS = 120
"""Pictures that follow each other faster than this are painted from the nearest pixels; the last one, once nothing
has followed for as long, smoothly."""
_MARGIN = 12.0
"""Widget pixels kept free around a fitted picture."""


class PictureView(QWidget):
    """The view without what is drawn in it and without tools: see :class:`~gen2studio.ui.canvas.canvas.Canvas`."""

    zoom_changed = Signal(float)
    frame_size_changed = Signal(int, int)
    """Screen pixels that the sequence's frame takes, across and down."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 160)
        self._session = session
        self._picture: ViewerPicture | None = None
        self._pair: compare_painter.Pair | None = None
        self._cards: shot_cards.ShotCards | None = None
        self._margins: margins.Margins | None = None
        self._reach = QRectF(0, 0, 1, 1)
        self._transform = ViewTransform()
        self._frame_size = (0, 0)
        self._fitting = True
        self._lively = False
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._on_settled)
        self.status = StatusStrip(self)
        session.compare_changed.connect(self._on_compare_changed)
        session.compare_split_changed.connect(self._on_view_changed)
        session.compare_takes_changed.connect(self._on_view_changed)
        session.store.changed.connect(self._on_document_changed)

    def sizeHint(self) -> QSize:
        return QSize(960, 560)

    def _on_settled(self) -> None:
        if self._lively:
            self._lively = False
            self.update(self.view_area)

    @property
    def picture(self) -> ViewerPicture | None:
        return self._picture

    def _opaque(self, media_id: str) -> bool:
        item = self._session.document.media.get(media_id)
        return item is None or not item.info.has_alpha

    # -- view ------------------------------------------------------------------------------------------------------

    @property
    def transform(self) -> ViewTransform:
        """Media pixels ↔ widget positions (of the right pane when side by side)."""
        return self._transform

    @property
    def view_area(self) -> QRect:
        """Where pictures are shown: the widget without its status strip."""
        return self.rect().adjusted(0, 0, 0, -HEIGHT)

    def set_transform(self, transform: ViewTransform) -> None:
        """Show the picture there; it no longer follows the size of the window."""
        self._fitting = False
        self._place(transform)

    def fit(self) -> None:
        """Show the whole frame, and keep doing so when the viewer is resized."""
        self._fitting = True
        self._refit()

    def one_to_one(self) -> None:
        """One media pixel is one screen pixel, around the middle of the view."""
        view = self._transform.zoomed(1.0 / self.devicePixelRatioF(), QPointF(self._pane_area(1).center()))
        # On whole pixels nothing needs resampling.
        self.set_transform(ViewTransform(view.zoom, float(round(view.x)), float(round(view.y))))

    def zoom_in(self) -> None:
        self.set_transform(self._transform.stepped(1, QPointF(self._pane_area(1).center())))

    def zoom_out(self) -> None:
        self.set_transform(self._transform.stepped(-1, QPointF(self._pane_area(1).center())))

    def show_area(self, area: QRectF) -> None:
        """Show ``area`` (media pixels) as large as it goes."""
        if not area.isEmpty():
            self.set_transform(fitted(area, QRectF(self._pane_area(1))))

    def _refit(self) -> None:
        room = QRectF(self._pane_area(1))
        if room.width() > 2 * _MARGIN and room.height() > 2 * _MARGIN:
            self._place(fitted(self._letterbox(), room, _MARGIN))

    def _place(self, transform: ViewTransform) -> None:
        if transform != self._transform:
            self._transform = transform
            self.zoom_changed.emit(transform.zoom)
            self.update()
        self._tell_zoom()
        self._tell_frame_size()

    def _keep_view(self, before: QRectF) -> None:
        """The picture has other pixels now: leave the sequence's frame, which was ``before``, where it is on screen."""
        after = self._letterbox()
        zoom = self._transform.zoom * before.width() / after.width()
        corner = self._transform.to_view(before.x(), before.y())
        self._place(ViewTransform(zoom, corner.x() - after.x() * zoom, corner.y() - after.y() * zoom))

    def _tell_frame_size(self) -> None:
        frame, ratio = self._letterbox(), self._transform.zoom * self.devicePixelRatioF()
        size = (math.ceil(frame.width() * ratio), math.ceil(frame.height() * ratio))
        if self._pair is not None and size != self._frame_size:
            self._frame_size = size
            self.frame_size_changed.emit(*size)

    def _tell_zoom(self) -> None:
        self.status.tell_zoom(self._transform.zoom * self.devicePixelRatioF() if self._pair is not None else None)

    def _extent(self) -> Extent:
        return self._picture.extent if self._picture is not None else NOTHING

    def _letterbox(self) -> QRectF:
        sequence = self._session.sequence
        whole = self._margins.united(self._reach, self._picture) if self._margins is not None else self._reach
        return letterbox(whole, Extent(sequence.width, sequence.height) if sequence is not None else None)

    def _frame(self) -> QRectF:
        """The picture on the widget (right pane)."""
        return self._transform.area_to_view(self._reach)

    # -- panes -----------------------------------------------------------------------------------------------------

    def _mode(self) -> Compare:
        if self._pair is None or self._pair.reference is None:
            return Compare.OFF
        return self._session.compare

    def _beside_matte(self) -> bool:
        """Whether the picture is shown on the left and its matte on the right."""
        return False

    def _two_panes(self) -> bool:
        return self._mode() is Compare.SIDE_BY_SIDE or self._beside_matte()

    def _panes(self) -> tuple[int, ...]:
        return (0, 1) if self._two_panes() else (1,)

    def _pane_area(self, pane: int) -> QRect:
        area = self.view_area
        if not self._two_panes():
            return area
        half = area.width() // 2
        if pane == 0:
            return QRect(area.left(), area.top(), half, area.height())
        return QRect(area.left() + half, area.top(), area.width() - half, area.height())

    def _pane_transform(self, pane: int) -> ViewTransform:
        if pane == 1:
            return self._transform
        return self._transform.panned(self._pane_area(0).center().x() - self._pane_area(1).center().x(), 0)

    def _pane_at(self, point: QPointF) -> int:
        return 0 if self._two_panes() and point.x() < self._pane_area(1).left() else 1

    # -- when it changes ---------------------------------------------------------------------------------------------

    def _on_view_changed(self, *_values: object) -> None:
        self.update(self.view_area)

    def _on_compare_changed(self, _mode: object) -> None:
        if self._fitting:
            self._refit()
        self._tell_status()
        self.update()

    def _on_document_changed(self, old: object, new: object) -> None:
        before, after = getattr(old, "sequence", None), getattr(new, "sequence", None)
        sizes = [(s.width, s.height) if s is not None else None for s in (before, after)]
        if sizes[0] != sizes[1]:
            if self._fitting:
                self._refit()
            self.update()
        elif self._pair is None:
            self.update()

    def _tell_status(self) -> None:
        self.status.tell(*captions.status(self._session, self._picture, self._mode()))


NOTHING = Extent(1, 1)
