"""The whole sequence in a strip: where clips lie, which part is seen, and a quick way to go elsewhere.

The picture of the clips is made when the sequence changed and nothing else is going on; moving and zooming only draw
the window over it anew.
"""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gen2studio.app.session import Session
from gen2studio.ui import theme
from gen2studio.ui.timeline.layout import Layout
from gen2studio.ui.timeline.viewport import MAX_PPF, Viewport
from gen2studio.ui.timeline.waveforms import rgb32

HEIGHT = 22
LATE = 80
"""Milliseconds after a change until the picture is made anew."""
GRIP = 5
"""Pixels on either side of the window's edges that take hold of them."""
MIN_WINDOW = 8
"""Pixels of the window at least, or there would be nothing to take hold of."""


class Overview(QWidget):
    """Drag the window to scroll, its edges to zoom; a click elsewhere brings that part into view."""

    def __init__(self, session: Session, viewport: Viewport, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("timeline_overview")
        self.setAccessibleName("Timeline overview")
        self.setToolTip("The whole sequence: drag the window to scroll, its edges to zoom, click to go there.")
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._session, self._viewport = session, viewport
        self._layout: Layout | None = None
        self._picture = QImage()
        self._drag: tuple[str, float, float, float] | None = None
        """(window | left | right, x of the press, first frame and frame behind the last of the window then)."""
        self._late = QTimer(self, interval=LATE, singleShot=True)
        self._late.timeout.connect(self._draw)
        self._shown = (0.0, 0.0)
        """The window as it was drawn last."""
        viewport.scrolled.connect(self._on_scrolled)
        viewport.zoomed.connect(self.update)
        viewport.ranged.connect(self.update)
        self._playhead = session.playhead
        session.playhead_changed.connect(self._on_playhead_changed)

    def sizeHint(self) -> QSize:
        return QSize(200, HEIGHT)

    def show_layout(self, layout: Layout) -> None:
        """Show another state of the sequence, soon."""
        self._layout = layout
        if self.isVisible() and not self._late.isActive():
            self._late.start()

    def stop(self) -> None:
        self._late.stop()

    def _on_scrolled(self, _dx: int, _dy: int) -> None:
        """Only what the window's edges passed over changes."""
        for old, new in zip(self._shown, self._window(), strict=True):
            left = round(min(old, new)) - 4
            self.update(left, 0, round(max(old, new)) + 4 - left, HEIGHT)

    def _on_playhead_changed(self, frame: int) -> None:
        for each in (self._playhead, frame):
            self.update(round(self._x(each)) - 1, 0, 3, HEIGHT)
        self._playhead = frame

    # -- where things lie --------------------------------------------------------------------------------------------

    @property
    def _span(self) -> float:
        """Frames that the strip shows: everything, and what can be scrolled to behind it."""
        view = self._viewport
        return max(1.0, view.duration * 1.02, view.frame(view.width) if view.duration else 0.0)

    def _x(self, frame: float) -> float:
        return frame / self._span * self.width()

    def _frame(self, x: float) -> float:
        return x / max(1, self.width()) * self._span

    def _window(self) -> tuple[float, float]:
        """Left and right edge of the visible part in pixels."""
        left, right = self._x(self._viewport.frame(0)), self._x(self._viewport.frame(self._viewport.width))
        if right - left < MIN_WINDOW:
            middle = (left + right) / 2
            left, right = middle - MIN_WINDOW / 2, middle + MIN_WINDOW / 2
        return max(0.0, left), min(float(self.width()), right)

    # -- painting ----------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Every row as a few lines of pixels, every column the clip that covers its middle."""
        layout, wide, high = self._layout, self.width(), HEIGHT - 2
        rows = layout.rows if layout is not None and layout.duration else []
        if not rows or wide < 1:
            self._picture = QImage(max(1, wide), high, QImage.Format.Format_RGB32)
            self._picture.fill(theme.colour("timeline"))
        else:
            pixels = np.full((high, wide), rgb32(theme.colour("timeline")), np.uint32)
            frames = (np.arange(wide) + 0.5) * (self._span / wide)
            video, sound = rgb32(theme.colour("clip_video_edge")), rgb32(theme.colour("clip_audio_edge"))
            faint = rgb32(theme.colour("line_strong"))
            step = (high - 2) / len(rows)
            for row in rows:
                if not len(row.starts):
                    continue
                clip = np.searchsorted(row.starts, frames, "right") - 1
                inside = (clip >= 0) & (frames < row.ends[np.maximum(clip, 0)])
                # The first column of a clip is left dark, so that cuts show.
                first = np.zeros(wide, bool)
                first[1:] = clip[1:] != clip[:-1]
                lengths = row.durations[np.maximum(clip, 0)] / self._span * wide
                inside &= ~(first & (lengths > 3))
                ink = np.where(row.facts.enabled[np.maximum(clip, 0)], video if row.is_video else sound, faint)
                top = 1 + round(row.index * step)
                bottom = max(top + 1, 1 + round((row.index + 1) * step) - (1 if step >= 3 else 0))
                pixels[top:bottom] = np.where(inside, ink, pixels[top])
            self._picture = QImage(pixels.tobytes(), wide, high, wide * 4, QImage.Format.Format_RGB32).copy()
            painter = QPainter(self._picture)
            for marker in layout.sequence.markers if layout is not None and layout.sequence is not None else ():
                painter.fillRect(round(self._x(marker.frame)) - 1, 0, 2, 4, theme.label_colour(marker.colour))
            painter.end()
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.colour("timeline"))
        if (self._picture.isNull() or self._picture.width() != self.width()) and not self._late.isActive():
            self._late.start()
        if not self._picture.isNull():
            painter.drawImage(QPoint(0, 1), self._picture)
        if not self._viewport.duration:
            painter.end()
            return
        left, right = self._shown = self._window()
        shade = theme.colour("background", 150)
        painter.fillRect(QRect(0, 0, round(left), HEIGHT), shade)
        painter.fillRect(QRect(round(right), 0, self.width() - round(right), HEIGHT), shade)
        painter.setPen(QPen(theme.colour("text_muted"), 1))
        painter.drawRect(QRect(round(left), 0, max(2, round(right - left)) - 1, HEIGHT - 1))
        for x in (left, right - 3):
            painter.fillRect(QRect(round(x), HEIGHT // 2 - 5, 3, 10), theme.colour("text_muted"))
        painter.fillRect(round(self._x(self._session.playhead)), 0, 1, HEIGHT, theme.colour("playhead"))
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._late.start()

    # -- mouse -------------------------------------------------------------------------------------------------------

    def _grip(self, x: float) -> str:
        left, right = self._window()
        if abs(x - left) <= GRIP and x <= (left + right) / 2:
            return "left"
        if abs(x - right) <= GRIP:
            return "right"
        return "window" if left < x < right else ""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        x, view = event.position().x(), self._viewport
        grip = self._grip(x)
        if not grip:
            view.scroll_to(self._frame(x) * view.ppf - view.width / 2, view.scroll_y)
            grip = "window"
        self._drag = (grip, x, view.frame(0), view.frame(view.width))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if self._drag is None:
            edge = self._grip(x) in ("left", "right")
            self.setCursor(Qt.CursorShape.SizeHorCursor if edge else Qt.CursorShape.ArrowCursor)
            return
        grip, pressed, first, last = self._drag
        way = (x - pressed) / max(1, self.width()) * self._span
        view = self._viewport
        if grip == "window":
            view.scroll_to((first + way) * view.ppf, view.scroll_y)
            return
        if grip == "left":
            first = min(max(0.0, first + way), last - view.width / MAX_PPF)
        else:
            last = max(last + way, first + view.width / MAX_PPF)
        view.zoom_to(view.width / max(1.0, last - first), 0)
        view.scroll_to(first * view.ppf, view.scroll_y)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._drag = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        view, turn = self._viewport, event.angleDelta().y() or event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            at = self._frame(event.position().x())
            view.zoom_by(1.2 ** (turn / 120.0), min(max(view.x(at), 0), view.width))
        else:
            view.scroll_to(view.scroll_x - turn, view.scroll_y)
        event.accept()
