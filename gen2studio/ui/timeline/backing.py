"""The painted tracks, kept as one picture that is wider than the view.

The picture is a ring in x: content column c lies at backing column (c − anchor) mod width. Scrolling moves nothing and
paints nothing as long as the view stays inside what is painted already; what lies beyond the view's edges is painted
in narrow slices while the program is idle. Rectangles are content pixels in x and widget pixels in y.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter, QPixmap, QRegion

from gen2studio.ui.timeline.viewport import Viewport

MARGIN = 384
"""Pixels painted ahead on either side of the view."""
SLICE = 96
"""Pixels painted ahead at a time."""
_STEP = 40
"""The ring's width is a multiple of this: whole device pixels at any usual scale, and a whole period of hatching."""


class Backing:
    """Holds the picture and knows which parts of it are up to date."""

    def __init__(self, viewport: Viewport, paint: Callable[[QPainter, QRect, float], None]) -> None:
        """``paint(painter, area, ratio)`` draws ``area`` (widget pixels, may lie outside the view)."""
        self._viewport = viewport
        self._paint = paint
        self._pixmap = QPixmap()
        self._ratio = 1.0
        self._view = (0, 0)
        """Width and height of the view in widget pixels."""
        self._ring = 0
        self._anchor = 0
        self._left = self._right = 0
        """Content columns [left, right) that were painted; what is out of date among them is in ``_stale``."""
        self._stale = QRegion()
        self._forwards = True
        """Which way the view went last: that side is painted ahead first."""

    # -- what is out of date -----------------------------------------------------------------------------------------

    def fit(self, width: int, height: int, ratio: float) -> bool:
        """Match a view of ``width``×``height`` at ``ratio`` device pixels a pixel; True when all must be painted."""
        if (width, height, ratio) == (*self._view, self._ratio) and not self._pixmap.isNull():
            return False
        self._view, self._ratio = (width, height), ratio
        self._ring = -(-(width + 2 * MARGIN) // _STEP) * _STEP
        self._pixmap = QPixmap(round(self._ring * ratio), round(height * ratio))
        self._pixmap.setDevicePixelRatio(ratio)
        self.forget()
        return True

    def forget(self) -> None:
        """Everything is out of date."""
        self._left = self._right = self._viewport.scroll_x
        # The view begins in one piece. At fractional scales columns are device pixels only relative to where painting
        # began; at whole ones hatching of eight pixels goes on.
        anchor = self._viewport.scroll_x - MARGIN
        self._anchor = anchor - anchor % 8 if self._ratio.is_integer() else anchor
        self._stale = QRegion()

    def mark(self, left: int, right: int, top: int, height: int) -> None:
        """Content columns [``left``, ``right``) of ``height`` rows from widget row ``top`` on are out of date."""
        left, right = max(left, self._left), min(right, self._right)
        rect = QRect(left, top, right - left, height).intersected(QRect(left, 0, right - left, self._view[1]))
        if not rect.isEmpty():
            self._stale += rect

    def mark_rows(self, top: int, height: int) -> None:
        """Widget rows are out of date in their whole length."""
        self.mark(self._left, self._right, top, height)

    def scrolled(self, dx: int, dy: int) -> bool:
        """Follow the viewport; False when the picture is of no use any more."""
        sx, sy = dx * self._ratio, dy * self._ratio
        if self._pixmap.isNull() or abs(dy) >= self._view[1] or not (sx.is_integer() and sy.is_integer()):
            self.forget()
            return False
        if dx:
            self._forwards = dx > 0
        if dy:
            self._pixmap.scroll(0, -int(sy), self._pixmap.rect())
            self._stale.translate(0, -dy)
            height = self._view[1]
            self.mark_rows(height - dy, dy) if dy > 0 else self.mark_rows(0, -dy)
        return True

    # -- painting ----------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Paint what of the view is missing or out of date."""
        x, (width, height) = self._viewport.scroll_x, self._view
        left, right = x, x + width
        missing: list[QRect] = []
        if self._left >= right or self._right <= left or self._left == self._right:
            self._left, self._right = left, right
            self._stale = QRegion()
            missing.append(QRect(left, 0, width, height))
        if left < self._left:
            missing.append(QRect(left, 0, self._left - left, height))
            self._keep(left, self._right, forwards=False)
        if right > self._right:
            missing.append(QRect(self._right, 0, right - self._right, height))
            self._keep(self._left, right, forwards=True)
        self._draw_rects(missing)
        here = self._stale.intersected(QRect(left, 0, width, height))
        if not here.isEmpty():
            pieces = [here.boundingRect()] if here.rectCount() > 8 else [*here]  # pyright: ignore[reportGeneralTypeIssues]
            self._draw_rects(pieces)
            self._stale -= QRegion(QRect(left, 0, width, height))

    def begin(self) -> None:
        """Take the whole view as seen before and out of date, so that it can be painted part by part."""
        x, (width, height) = self._viewport.scroll_x, self._view
        self._left, self._right = x, x + width
        self._stale = QRegion(QRect(x, 0, width, height))

    def refresh_rows(self, top: int, height: int) -> None:
        """Paint what is out of date from widget row ``top`` on."""
        rows = QRect(self._left, top, self._right - self._left, height)
        here = self._stale.intersected(rows)
        if not here.isEmpty():
            self._draw_rects([here.boundingRect()])
            self._stale -= QRegion(rows)

    def paint_ahead(self) -> bool:
        """Paint one slice beyond the view's edges; False when there is nothing left to do. For idle time."""
        if self._pixmap.isNull() or self._left == self._right:
            return False
        if not self._stale.isEmpty():
            # Rows that changed outside the view.
            rect = self._stale.boundingRect()
            rect.setWidth(min(rect.width(), SLICE))
            self._draw_rects([rect])
            self._stale -= QRegion(rect)
            return True
        x, (width, height) = self._viewport.scroll_x, self._view
        first, last = max(0, x - MARGIN), min(x + width + MARGIN, self._viewport.max_x + width)
        sides = ((True, last - self._right), (False, self._left - first))
        for forwards, room in sides if self._forwards else sides[::-1]:
            if room > 0:
                wide = min(room, SLICE)
                at = self._right if forwards else self._left - wide
                self._keep(min(at, self._left), max(at + wide, self._right), forwards)
                self._draw_rects([QRect(at, 0, wide, height)])
                return True
        return False

    def _keep(self, left: int, right: int, forwards: bool) -> None:
        """The picture reaches from ``left`` to ``right`` now; what the ring has no room for goes at the other end."""
        self._left, self._right = left, right
        if right - left > self._ring:
            if forwards:
                self._left = right - self._ring
            else:
                self._right = left + self._ring
            self._stale &= QRect(self._left, 0, self._right - self._left, self._view[1])

    def _pieces(self, left: int, right: int) -> Iterator[tuple[int, int, int]]:
        """Content columns [``left``, ``right``) as (left, right, content column at the ring's start)."""
        while left < right:
            start = left - (left - self._anchor) % self._ring
            stop = min(right, start + self._ring)
            yield left, stop, start
            left = stop

    def _draw_rects(self, rects: list[QRect]) -> None:
        if not rects:
            return
        scroll = self._viewport.scroll_x
        painter = QPainter(self._pixmap)
        for rect in rects:
            for left, right, start in self._pieces(rect.left(), rect.right() + 1):
                area = QRect(left - scroll, rect.top(), right - left, rect.height())
                painter.resetTransform()
                painter.translate(scroll - start, 0)
                painter.setClipRect(area)
                self._paint(painter, area, self._ratio)
        painter.end()

    def blit(self, painter: QPainter, part: QRect) -> None:
        """Copy ``part`` of the view (widget pixels) to ``painter``."""
        scroll, ratio = self._viewport.scroll_x, self._ratio
        for left, right, start in self._pieces(part.left() + scroll, part.right() + 1 + scroll):
            target = QRect(left - scroll, part.top(), right - left, part.height())
            source = (left - start, part.top(), right - left, part.height())
            painter.drawPixmap(target, self._pixmap, QRect(*(round(side * ratio) for side in source)))
