"""The ruler above the tracks: timecode, in/out range, markers, playhead."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from PySide6.QtCore import QPoint, QRect, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFontMetrics,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QPolygon,
    QStaticText,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from gen2studio.core.time import nominal_rate, timecode
from gen2studio.document.model import Marker, Sequence
from gen2studio.ui import theme
from gen2studio.ui.timeline.viewport import Viewport

HEIGHT = 34
NAME_ROOM = 26
"""Pixels up to the next marker from which a marker's name is shown."""
MARKER_COLOURS = {name: f"label_{name}" for name in theme.LABELS}


def tick_step(ppf: float, rate: Fraction, room: int = 108) -> tuple[int, int]:
    """(frames between labels, frames between ticks) so that labels are at least ``room`` pixels apart."""
    base = nominal_rate(rate)
    # Labels stand on whole parts of a second, so that the same frame numbers come back every second.
    steps = [n for n in range(1, base) if base % n == 0]
    steps += [base * s for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)]
    label = next((s for s in steps if s * ppf >= room), steps[-1])
    minor = next((s for s in steps if label % s == 0 and s * ppf >= 8), label)
    return label, minor


def _faint(label: str) -> QColor:
    ink = theme.label_colour(label)
    ink.setAlpha(90)
    return ink


class Ruler(QWidget):
    """Painted strip; the mouse is handled by the view's gestures."""

    pressed = Signal(QMouseEvent)
    moved = Signal(QMouseEvent)
    released = Signal(QMouseEvent)
    double_clicked = Signal(QMouseEvent)
    wheel_turned = Signal(QWheelEvent)
    menu_wanted = Signal(str, int, QPoint)
    """(id of the marker there or "", sequence frame, global position)."""

    def __init__(self, viewport: Viewport, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("timeline_ruler")
        self.setAccessibleName("Timeline ruler")
        self.setToolTip("Drag to scrub. I and O set the range, M adds a marker, double-click a marker to name it.")
        self.setFixedHeight(HEIGHT)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._viewport = viewport
        self._sequence: Sequence | None = None
        self._playhead = 0
        self._colours = {
            n: theme.colour(n) for n in ("ruler", "line_strong", "text_faint", "text_muted", "playhead", "in_out")
        }
        self._range = theme.colour("in_out", 60)
        self.render_bands: Callable[[], list[tuple[str, int, int]]] | None = None
        """Spans of the picture that are rendered ahead: see :meth:`TimelinePanel.set_render_bands`."""
        self._bands: list[tuple[str, int, int]] = []
        self._band_inks = {
            "rendered": theme.colour("band_done"),
            "rendering": theme.colour("band_running"),
            "queued": theme.colour("band_queued"),
            "stale": theme.colour("band_stale"),
            "missing": theme.colour("danger"),
        }
        self._font = theme.fixed_font(8.0)
        self._flags: dict[tuple[str, str, float], QPixmap] = {}
        self._marker_inks: dict[str, tuple[QColor, QColor]] = {}
        self._labels: dict[tuple[int, Fraction], QStaticText] = {}
        viewport.scrolled.connect(self._on_scrolled)
        viewport.zoomed.connect(self.update)

    def _on_scrolled(self, dx: int, _dy: int) -> None:
        if abs(dx) >= self.width():
            self.update()
        elif dx:
            self.scroll(-dx, 0)

    def show_sequence(self, sequence: Sequence | None) -> None:
        if sequence is not self._sequence:
            self._sequence = sequence
            self.update()

    def refresh_bands(self) -> None:
        """Ask for the render bands again."""
        bands = self.render_bands() if self.render_bands is not None else []
        if bands != self._bands:
            self._bands = bands
            self.update(0, HEIGHT - 5, self.width(), 5)

    def show_playhead(self, frame: int) -> None:
        for f in (self._playhead, frame):
            self.update(self._viewport.x(f) - 9, 0, 19, HEIGHT)
        self._playhead = frame

    def marker_at(self, x: float, y: float) -> Marker | None:
        """The marker whose flag is at widget pixel (``x``, ``y``)."""
        if self._sequence is None or not y >= 14:
            return None
        near = [(abs(self._viewport.x(m.frame) - x), m) for m in self._sequence.markers]
        found = min(near, key=lambda pair: pair[0], default=None)
        return found[1] if found is not None and found[0] <= 6 else None

    def marker_end_at(self, x: float, y: float) -> Marker | None:
        """The marker with a range whose far end is at widget pixel (``x``, ``y``)."""
        if self._sequence is None or not y >= 14:
            return None
        ranges = [m for m in self._sequence.markers if m.duration]
        near = [(abs(self._viewport.x(m.frame + m.duration) - x), m) for m in ranges]
        found = min(near, key=lambda pair: pair[0], default=None)
        return found[1] if found is not None and found[0] <= 5 else None

    def range_edge_at(self, x: float, y: float) -> str:
        """``in`` or ``out`` when the pointer is on a handle of the in/out range, else empty."""
        if self._sequence is None or y > 12:
            return ""
        for name, frame in (("in", self._sequence.in_point), ("out", self._sequence.out_point)):
            if frame is not None and abs(self._viewport.x(frame) - x) <= 6:
                return name
        return ""

    # -- events ------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.pressed.emit(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.moved.emit(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.released.emit(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.double_clicked.emit(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.wheel_turned.emit(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        marker = self.marker_at(event.pos().x(), event.pos().y())
        frame = marker.frame if marker is not None else max(0, int(self._viewport.frame(event.pos().x())))
        self.menu_wanted.emit(marker.id if marker is not None else "", frame, event.globalPos())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        area = event.rect()
        painter.fillRect(area, self._colours["ruler"])
        sequence = self._sequence
        if sequence is not None:
            self._paint_range(painter, sequence)
            self._paint_ticks(painter, sequence.rate, area)
            self._paint_markers(painter, sequence.markers, area)
        painter.fillRect(area.left(), HEIGHT - 1, area.width(), 1, self._colours["line_strong"])
        for state, start, stop in self._bands:
            left, right = self._viewport.x(start), self._viewport.x(stop)
            if right > area.left() and left <= area.right():
                ink = self._band_inks.get(state, self._colours["line_strong"])
                painter.fillRect(QRect(left, HEIGHT - 4, max(2, right - left), 3), ink)
        x = self._viewport.x(self._playhead)
        if area.left() - 9 <= x <= area.right() + 9:
            self._paint_playhead(painter, x)

    def _paint_range(self, painter: QPainter, sequence: Sequence) -> None:
        if sequence.in_point is None and sequence.out_point is None:
            return
        view = self._viewport
        left = view.x(sequence.in_point or 0)
        right = view.x(sequence.duration if sequence.out_point is None else sequence.out_point)
        painter.fillRect(QRect(left, 0, right - left, HEIGHT), self._range)
        painter.fillRect(QRect(left, 0, right - left, 3), self._colours["in_out"])
        for x, width in ((left, 5), (right, -5)):
            painter.fillRect(QRect(min(x, x + width), 0, 5, 11), self._colours["in_out"])
            painter.fillRect(QRect(x if width > 0 else x - 1, 0, 1, HEIGHT), self._colours["in_out"])

    def _paint_ticks(self, painter: QPainter, rate: Fraction, area: QRect) -> None:
        view = self._viewport
        label, minor = tick_step(view.ppf, rate)
        first = max(0, int(view.frame(area.left() - 120))) // minor * minor
        last = int(view.frame(area.right() + 4)) + 1
        painter.setFont(self._font)
        painter.setPen(self._colours["text_muted"])
        ppf, scroll = view.ppf, view.scroll_x
        long = range(-(-first // label) * label, last + 1, label)
        lines: list[QRect] = []
        for frame in long:
            x = round(frame * ppf) - scroll
            painter.drawStaticText(x + 5, 5, self._label(frame, rate))
            lines.append(QRect(x, 4, 1, HEIGHT - 5))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colours["line_strong"])
        painter.drawRects(lines)
        # There are hundreds of short ones: a picture of them all takes a fraction of drawing each.
        x = np.rint(np.arange(first, last + 1, minor) * ppf).astype(np.int64) - scroll
        wide = area.width()
        row = np.zeros(wide, np.uint32)
        inside = x - area.left()
        row[inside[(inside >= 0) & (inside < wide)]] = self._colours["line_strong"].rgba()
        pixels = np.repeat(row[None, :], 6, 0)
        image = QImage(pixels.data, wide, 6, wide * 4, QImage.Format.Format_ARGB32_Premultiplied)
        painter.drawImage(area.left(), HEIGHT - 7, image)

    def _label(self, frame: int, rate: Fraction) -> QStaticText:
        known = self._labels.get((frame, rate))
        if known is None:
            if len(self._labels) > 2000:
                self._labels.clear()
            known = QStaticText(timecode(frame, rate))
            known.setTextFormat(Qt.TextFormat.PlainText)
            known.prepare(font=self._font)
            self._labels[frame, rate] = known
        return known

    def _paint_markers(self, painter: QPainter, markers: tuple[Marker, ...], area: QRect) -> None:
        """Flags, ranges and the names that have room before the next marker."""
        ppf, scroll = self._viewport.ppf, self._viewport.scroll_x
        places = [round(marker.frame * ppf) - scroll for marker in markers]
        first, last = area.left() - 160, area.right() + 8
        for marker, x, following in zip(markers, places, (*places[1:], 1 << 30), strict=False):
            if x > last:
                break
            stop = round((marker.frame + marker.duration) * ppf) - scroll if marker.duration else x
            if stop < first:
                continue
            known = self._marker_inks.get(marker.colour)
            if known is None:
                known = self._marker_inks[marker.colour] = theme.label_colour(marker.colour), _faint(marker.colour)
            ink, faint = known
            if stop - x > 2:
                painter.fillRect(x, 26, stop - x, 5, faint)
                painter.fillRect(stop - 2, 21, 2, 11, ink)
            named = marker.name if following - x >= NAME_ROOM else ""
            painter.drawPixmap(x - 5, 17, self._flag(marker.colour, named))

    def _flag(self, colour: str, name: str) -> QPixmap:
        """The flag of a marker with its name, drawn once."""
        ratio = self.devicePixelRatioF()
        known = self._flags.get((colour, name, ratio))
        if known is None:
            if len(self._flags) > 2000:
                self._flags.clear()
            metrics = QFontMetrics(self._font)
            wide = 14 + metrics.horizontalAdvance(name) if name else 10
            high = max(15, metrics.height())
            known = self._flags[colour, name, ratio] = QPixmap(round(wide * ratio), round(high * ratio))
            known.setDevicePixelRatio(ratio)
            known.fill(Qt.GlobalColor.transparent)
            painter = QPainter(known)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.label_colour(colour))
            corners = [QPoint(0, 2), QPoint(10, 2), QPoint(10, 9), QPoint(5, 15), QPoint(0, 9)]
            painter.drawPolygon(QPolygon(corners))
            if name:
                painter.setFont(self._font)
                painter.setPen(theme.label_colour(colour))
                painter.drawText(13, metrics.ascent(), name)
            painter.end()
        return known

    def _paint_playhead(self, painter: QPainter, x: int) -> None:
        ink: QColor = self._colours["playhead"]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        top = HEIGHT - 16
        painter.drawPolygon(
            QPolygon(
                [
                    QPoint(x - 7, top),
                    QPoint(x + 8, top),
                    QPoint(x + 8, top + 6),
                    QPoint(x + 1, HEIGHT),
                    QPoint(x, HEIGHT),
                    QPoint(x - 7, top + 6),
                ]
            )
        )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.fillRect(x, HEIGHT - 4, 1, 4, ink)
