"""What lies over the painted tracks: selection, playhead, snap line, ghosts, hatched stops, the hint of a gesture."""

from __future__ import annotations

from dataclasses import field

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetrics, QPainter, QPen

from gen2studio.core.records import dataclass
from gen2studio.document.model import Sequence
from gen2studio.ui import theme
from gen2studio.ui.timeline.layout import Layout
from gen2studio.ui.timeline.viewport import Viewport


@dataclass(slots=True)
class Overlay:
    """State of the gesture in hand. Positions are sequence frames and rows."""

    snap: int | None = None
    """Frame the drag is held to."""
    rubber: tuple[int, int, int, int] | None = None
    """Rubber band as content pixels (x0, y0, x1, y1)."""
    ghosts: list[tuple[int, int, int]] = field(default_factory=list)
    """(row, start, stop): where things would lie."""
    refused: str = ""
    """Why the drop would be refused; ghosts turn red."""
    stops: list[tuple[int, int, int]] = field(default_factory=list)
    """(row, start, stop): beyond what the media holds, hatched."""
    razor: tuple[int, int] | None = None
    """(row or −1 for all tracks, frame)."""
    hint: str = ""
    hint_at: tuple[int, int] = (0, 0)
    """Widget pixels of the pointer."""

    def clear(self) -> None:
        self.snap = self.rubber = self.razor = None
        self.ghosts, self.stops = [], []
        self.refused = self.hint = ""

    @property
    def active(self) -> bool:
        return bool(self.snap is not None or self.rubber or self.ghosts or self.stops or self.razor or self.hint)


class OverlayPainter:
    def __init__(self, viewport: Viewport) -> None:
        self._viewport = viewport
        self._selected = theme.colour("clip_selected")
        self._selected_fill = theme.colour("clip_selected", 26)
        self._playhead = theme.colour("playhead")
        self._snap = theme.colour("snap")
        self._accent = theme.colour("accent")
        self._accent_fill = theme.colour("accent", 50)
        self._danger = theme.colour("danger")
        self._danger_fill = theme.colour("danger", 90)
        self._range = theme.colour("in_out", 18)
        self._range_edge = theme.colour("in_out", 120)
        self._marker = theme.colour("marker", 90)
        self._hint_ground = theme.colour("raised")
        self._hint_line = theme.colour("line_strong")
        self._text = theme.colour("text")

    def paint_range(self, painter: QPainter, sequence: Sequence | None, area: QRect) -> None:
        """The in/out range as a tint, markers as faint lines."""
        if sequence is None:
            return
        view = self._viewport
        if sequence.in_point is not None or sequence.out_point is not None:
            left = view.x(sequence.in_point or 0)
            right = view.x(sequence.duration if sequence.out_point is None else sequence.out_point)
            painter.fillRect(QRect(left, 0, right - left, view.height).intersected(area), self._range)
            for x, point in ((left, sequence.in_point), (right - 1, sequence.out_point)):
                if point is not None:
                    painter.fillRect(QRect(x, 0, 1, view.height), self._range_edge)
        for marker in sequence.markers:
            x = view.x(marker.frame)
            if area.left() <= x <= area.right():
                painter.fillRect(x, area.top(), 1, area.height(), self._marker)

    def paint_selection(self, painter: QPainter, layout: Layout, chosen: frozenset[str], area: QRect) -> None:
        """A frame around every selected clip inside ``area``."""
        if not chosen:
            return
        view = self._viewport
        frames: list[QRect] = []
        for row in layout.rows:
            top = row.top - view.scroll_y
            if top > area.bottom() or top + row.height <= area.top():
                continue
            i, j = row.visible(view.frame(area.left() - 3), view.frame(area.right() + 3))
            for clip in row.clips[i:j]:
                if clip.id in chosen:
                    left = max(view.x(clip.start), area.left() - 8)
                    right = min(view.x(clip.end) - 1, area.right() + 8)
                    frames.append(QRect(left, top, max(2, right - left), row.body))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._selected_fill)
        painter.drawRects(frames)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        pen = QPen(self._selected, 2)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        painter.drawRects([f.adjusted(1, 1, -1, -1) for f in frames if f.width() > 3])

    def paint_gesture(self, painter: QPainter, layout: Layout, state: Overlay) -> None:
        view = self._viewport
        ink, fill = (self._danger, self._danger_fill) if state.refused else (self._accent, self._accent_fill)
        for index, start, stop in state.ghosts:
            if 0 <= index < len(layout.rows):
                row = layout.rows[index]
                rect = QRect(view.x(start), row.top - view.scroll_y, view.x(stop) - view.x(start) - 1, row.body - 1)
                painter.fillRect(rect, fill)
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(ink, 1, Qt.PenStyle.DashLine))
                painter.drawRect(rect)
        for index, start, stop in state.stops:
            if 0 <= index < len(layout.rows):
                row = layout.rows[index]
                rect = QRect(view.x(start), row.top - view.scroll_y, max(2, view.x(stop) - view.x(start)), row.body)
                painter.fillRect(rect, QBrush(self._danger, Qt.BrushStyle.BDiagPattern))
        if state.rubber is not None:
            x0, y0, x1, y1 = state.rubber
            rect = QRect(QPoint(x0 - view.scroll_x, y0 - view.scroll_y), QPoint(x1 - view.scroll_x, y1 - view.scroll_y))
            painter.setPen(self._accent)
            painter.setBrush(self._accent_fill)
            painter.drawRect(rect.normalized())
        if state.snap is not None:
            painter.fillRect(view.x(state.snap), 0, 1, view.height, self._snap)
        if state.razor is not None:
            index, frame = state.razor
            top, bottom = 0, view.height
            if 0 <= index < len(layout.rows):
                row = layout.rows[index]
                top, bottom = row.top - view.scroll_y, row.top + row.height - view.scroll_y
            painter.fillRect(view.x(frame), top, 1, bottom - top, self._text)

    def paint_playhead(self, painter: QPainter, frame: int) -> None:
        painter.fillRect(self._viewport.x(frame), 0, 1, self._viewport.height, self._playhead)

    def paint_hint(self, painter: QPainter, state: Overlay) -> None:
        """A small label beside the pointer: what the release will do, or why it can't."""
        text = state.refused or state.hint
        if not text:
            return
        metrics = QFontMetrics(painter.font())
        rect = metrics.boundingRect(text).adjusted(-8, -4, 8, 4)
        x, y = state.hint_at
        rect.moveTopLeft(QPoint(x + 14, y - rect.height() - 10))
        rect.moveLeft(max(4, min(rect.left(), self._viewport.width - rect.width() - 4)))
        if rect.top() < 2:
            rect.moveTop(y + 18)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._danger if state.refused else self._hint_line, 1))
        painter.setBrush(self._hint_ground)
        painter.drawRoundedRect(rect, 4, 4)
        painter.setPen(QColor(self._danger if state.refused else self._text))
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
