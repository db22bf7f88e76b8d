"""What lies over the painted tracks: selection, playhead, snap line, ghosts, hatched stops, the hint of a gesture."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import field

from PySide6.QtCore import QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetrics, QPainter, QPen, QPixmap, QPolygonF

from gen2studio.core.records import dataclass
from gen2studio.document.model import Marker, Sequence
from gen2studio.ui import theme
from gen2studio.ui.timeline import handles
from gen2studio.ui.timeline.layout import STRIP, Layout, Zone
from gen2studio.ui.timeline.viewport import Viewport


@dataclass(frozen=True, slots=True)
class Hover:
    """The clip under the pointer, whose handles are shown."""

    row: int
    clip_id: str
    zone: Zone
    mix: str = ""


@dataclass(slots=True)
class Overlay:
    """State of the gesture in hand. Positions are sequence frames and rows."""

    snap: int | None = None
    """Frame the drag is held to."""
    rubber: tuple[int, int, int, int] | None = None
    """Rubber band as content pixels (x0, y0, x1, y1)."""
    ghosts: list[tuple[int, int, int]] = field(default_factory=list)
    """(row, start, stop): where things would lie."""
    covered: list[tuple[int, int, int]] = field(default_factory=list)
    """(row, start, stop): what of other clips would be overwritten."""
    pushed: list[tuple[int, int, int]] = field(default_factory=list)
    """(row, start, stop): where clips would lie that make room."""
    refused: str = ""
    """Why the drop would be refused; ghosts turn red."""
    stops: list[tuple[int, int, int]] = field(default_factory=list)
    """(row, start, stop): beyond what the media holds, hatched."""
    razor: tuple[int, int] | None = None
    """(row or −1 for all tracks, frame)."""
    cut: tuple[str, int, str] | None = None
    """The cut in hand: (track id, frame, ``outgoing``, ``roll`` or ``incoming``). It outlives gestures."""
    hover: Hover | None = None
    hint: str = ""
    hint_at: tuple[int, int] = (0, 0)
    """Widget pixels of the pointer."""

    def clear(self) -> None:
        self.snap = self.rubber = self.razor = None
        self.ghosts, self.stops, self.covered, self.pushed = [], [], [], []
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
        self._hint_ground = theme.colour("raised")
        self._hint_line = theme.colour("line_strong")
        self._text = theme.colour("text")
        self._dark = theme.colour("timeline")
        self._lines: dict[str, QPixmap] = {}
        self._marks: list[tuple[int, str]] = []
        """(content x, colour) of the lines of ``_marks_of`` at ``_marks_at`` pixels a frame, from left to right."""
        self._marks_of: tuple[Marker, ...] = ()
        self._marks_at = 0.0
        self._inks: dict[str, QColor] = {}
        self._dim = theme.colour("timeline", 110)

    def paint_range(self, painter: QPainter, sequence: Sequence | None, area: QRect) -> None:
        """The in/out range as a tint."""
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

    def paint_markers(self, painter: QPainter, sequence: Sequence | None, area: QRect) -> None:
        """Markers as faint lines."""
        top, high = area.top(), area.height()
        for x, colour in self._marker_places(sequence, area) if sequence is not None else ():
            painter.drawPixmap(x, top, self._line_of(colour, high), 0, 0, 1, high)

    def marker_lines(self, sequence: Sequence | None, area: QRect) -> list[tuple[int, int]]:
        """(widget x, RGB32) of the lines of markers in ``area``."""
        places = self._marker_places(sequence, area) if sequence is not None else []
        return [(x, self._faint(colour).rgb()) for x, colour in places]

    def _marker_places(self, sequence: Sequence, area: QRect) -> list[tuple[int, str]]:
        """(widget x, colour) of markers and the ends of their ranges."""
        markers, ppf, scroll = sequence.markers, self._viewport.ppf, self._viewport.scroll_x
        if self._marks_of is not markers or self._marks_at != ppf:
            ends = ((each, (each.frame, each.frame + each.duration)[: 2 if each.duration else 1]) for each in markers)
            marks = ((round(frame * ppf), each.colour) for each, frames in ends for frame in frames)
            # Of those in one place the last one is seen.
            self._marks = sorted(marks, key=lambda mark: mark[0])
            self._marks_of, self._marks_at = markers, ppf
        first = bisect_left(self._marks, (area.left() + scroll,))
        last = bisect_left(self._marks, (area.right() + 1 + scroll,))
        return [(x - scroll, colour) for x, colour in self._marks[first:last]]

    def _faint(self, colour: str) -> QColor:
        known = self._inks.get(colour)
        if known is None:
            ink, ground = theme.label_colour(colour), self._dark
            mixed = [
                round(0.45 * a + 0.55 * b)
                for a, b in ((ink.red(), ground.red()), (ink.green(), ground.green()), (ink.blue(), ground.blue()))
            ]
            known = self._inks[colour] = QColor(*mixed)
        return known

    def _line_of(self, colour: str, high: int) -> QPixmap:
        """The faint line of a marker over the tracks, at least ``high`` pixels of it. Opaque, and a picture: many
        half-transparent or filled lines as high as the view would take longer than all clips."""
        known = self._lines.get(colour)
        if known is None or known.height() < high:
            known = self._lines[colour] = QPixmap(1, high)
            known.fill(self._faint(colour))
        return known

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
        for index, start, stop in state.pushed:
            rect = self._on_row(layout, index, start, stop)
            painter.fillRect(rect, self._dim)
            self._paint_arrow(painter, rect)
        for index, start, stop in state.covered:
            rect = self._on_row(layout, index, start, stop)
            painter.fillRect(QRect(rect.left(), rect.bottom() - 5, rect.width(), 6), self._danger_fill)
            painter.fillRect(rect, QBrush(self._danger_fill, Qt.BrushStyle.FDiagPattern))
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

    def paint_cut(self, painter: QPainter, layout: Layout, state: Overlay) -> None:
        """Brackets around the edges that trim mode moves."""
        if state.cut is None:
            return
        track_id, frame, side = state.cut
        row = layout.row_of_track(track_id)
        if row is None:
            return
        x, top = self._viewport.x(frame), row.top - self._viewport.scroll_y
        for way, moves in ((-1, side != "incoming"), (1, side != "outgoing")):
            if moves:
                painter.fillRect(QRect(x - 3 if way < 0 else x, top, 3, row.body), self._snap)
                for y in (top, top + row.body - 3):
                    painter.fillRect(QRect(x - 10 if way < 0 else x, y, 10, 3), self._snap)

    def _on_row(self, layout: Layout, index: int, start: int, stop: int) -> QRect:
        if not 0 <= index < len(layout.rows):
            return QRect()
        view, row = self._viewport, layout.rows[index]
        left, right = max(view.x(start), -4), min(view.x(stop), view.width + 4)
        return QRect(left, row.top - view.scroll_y, max(0, right - left - 1), row.body)

    def _paint_arrow(self, painter: QPainter, rect: QRect) -> None:
        """A chevron at the head of a clip that is pushed."""
        if rect.width() < 12 or rect.height() < 14:
            return
        x, y = rect.left() + 5, rect.center().y()
        painter.setPen(QPen(self._accent, 1.6))
        painter.drawPolyline([QPoint(x, y - 4), QPoint(x + 4, y), QPoint(x, y + 4)])

    def paint_mix(self, painter: QPainter, layout: Layout, chosen: str) -> None:
        """A frame around the chosen transition."""
        if not chosen:
            return
        for row in layout.rows:
            for mix in row.mixes if row.track.transitions else ():
                if mix.transition.id == chosen:
                    view = self._viewport
                    top, foot = handles.inner(row)
                    rect = QRect(
                        view.x(mix.start), top - view.scroll_y, view.x(mix.stop) - view.x(mix.start), foot - top
                    )
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    pen = QPen(self._selected, 2)
                    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
                    painter.setPen(pen)
                    painter.drawRect(rect.adjusted(1, 1, -1, -1))

    def paint_hover(self, painter: QPainter, layout: Layout, hover: Hover | None, tool: str) -> None:
        """The handles of the clip under the pointer."""
        if hover is None or tool != "select" or not 0 <= hover.row < len(layout.rows):
            return
        row = layout.rows[hover.row]
        place = layout.find(hover.clip_id)
        if place is None or place[0] is not row:
            return
        clip = place[1]
        view = self._viewport
        ppf, dx, dy = view.ppf, view.scroll_x, view.scroll_y
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if handles.has_fades(row, clip, ppf):
            zones = (Zone.FADE_IN, Zone.FADE_OUT)
            for zone, (x, y) in zip(zones, handles.fade_spots(row, clip, ppf), strict=True):
                self._paint_dot(painter, x - dx, y - dy, hover.zone is zone)
        index = row.clips.index(clip)
        for cut in (index - 1, index):
            spot = handles.cut_handle(row, cut, ppf)
            if spot is not None:
                hot = hover.zone is Zone.CUT_HANDLE and cut == index
                self._paint_bow(painter, spot[0] - dx, spot[1] - dy, hot)
        steps = handles.take_steps(row, clip, ppf)
        if steps is not None:
            for left, zone in zip(steps, (Zone.TAKE_BACK, Zone.TAKE_NEXT), strict=True):
                self._paint_step(painter, round(left) - dx, row.top - dy, zone, hover.zone is zone)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_dot(self, painter: QPainter, x: float, y: float, hot: bool) -> None:
        painter.setPen(QPen(self._dark, 1.2))
        painter.setBrush(self._accent if hot else self._text)
        painter.drawEllipse(QPointF(x, y), 4.6, 4.6)

    def _paint_bow(self, painter: QPainter, x: float, y: float, hot: bool) -> None:
        """Two triangles that meet: the sign of a transition."""
        painter.setPen(QPen(self._dark, 1.0))
        painter.setBrush(self._accent if hot else self._text)
        for side in (-1, 1):
            corners = [QPointF(x, y), QPointF(x + side * 7, y - 5), QPointF(x + side * 7, y + 5)]
            painter.drawPolygon(QPolygonF(corners))

    def _paint_step(self, painter: QPainter, left: int, top: int, zone: Zone, hot: bool) -> None:
        rect = QRect(left, top + 3, handles.STEP - 1, STRIP - 5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._accent if hot else self._hint_ground)
        painter.drawRoundedRect(rect, 3, 3)
        painter.setPen(QPen(self._dark if hot else self._text, 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        x, y, side = rect.center().x() + 0.5, rect.center().y() + 0.5, 1 if zone is Zone.TAKE_NEXT else -1
        painter.drawPolyline(
            [QPointF(x - side * 2, y - 3.5), QPointF(x + side * 1.5, y), QPointF(x - side * 2, y + 3.5)]
        )

    def paint_playhead(self, painter: QPainter, frame: int) -> None:
        x = self._viewport.x(frame)
        if 0 <= x < self._viewport.width:
            painter.fillRect(x, 0, 1, self._viewport.height, self._playhead)

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
