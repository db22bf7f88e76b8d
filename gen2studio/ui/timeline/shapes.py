"""What is drawn over the bodies of clips: fades, transitions, level lines with their keys, brackets of groups.

What is too narrow to be seen is left out, what is many times the same (fades and transitions of one size) is drawn once
and stamped.
"""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QLine, QLineF, QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QPixmap, QPolygonF, QStaticText

from gen2studio.document.composition import TransitionKind
from gen2studio.document.model import Clip
from gen2studio.ui import theme
from gen2studio.ui.timeline import handles
from gen2studio.ui.timeline.layout import MIN_PICTURE, STRIP, Row, Stretch
from gen2studio.ui.timeline.level_lines import level_keys, level_line, level_values
from gen2studio.ui.timeline.viewport import Viewport

MIN_LEVEL = 24
"""Clips narrower than this have no level line."""
MIN_CURVE = 64
"""On clips narrower than this a line with keys is drawn level, at the height it has in the middle."""
MIN_INNER = 18
"""Rows whose part below the names is lower than this show no level lines and no brackets."""
MIN_FADE = 6
"""Fades narrower than this are not drawn."""
MIN_CROSS = 8
"""Transitions narrower than this are plain boxes."""
MIN_GROUP = 24
"""Clips narrower than this show no bracket."""
MIN_ENDS = 48
"""Brackets of clips narrower than this have no ends."""
CURVE_STEP = 4
"""Pixels between the points of a line with keys."""
STAMP = 320
"""Slopes up to so many pixels wide are drawn once and stamped."""
_GROUP_INKS = ("accent", "marker", "success", "danger", "band_running", "clip_text")

TRANSITION_NAMES = {
    TransitionKind.DISSOLVE: "Dissolve",
    TransitionKind.WIPE: "Wipe",
    TransitionKind.CLOCK: "Clock",
    TransitionKind.IRIS: "Iris",
    TransitionKind.PUSH: "Push",
    TransitionKind.SLIDE: "Slide",
    TransitionKind.DIP: "Dip",
}


class ShapePainter:
    """Draws in widget pixels; the painter's clip is set to what is painted."""

    def __init__(self, viewport: Viewport) -> None:
        self._viewport = viewport
        self._ground = theme.colour("timeline", 165)
        self._slope = theme.colour("clip_text", 200)
        self._mix = theme.colour("transition", 80)
        self._mix_edge = theme.colour("transition", 225)
        self._mix_box = theme.colour("transition")
        self._level = theme.colour("level")
        self._ink = theme.colour("clip_text")
        self._group_inks = [theme.colour(name) for name in _GROUP_INKS]
        self._stamps: dict[tuple[int, int, str], QPixmap] = {}
        self._key = QPixmap()
        self._names: dict[TransitionKind, QStaticText] = {}
        self._ratio = 1.0
        self.levels = False
        """Whether level lines are shown."""

    def set_ratio(self, ratio: float) -> None:
        """Match the screen's device pixels."""
        self._ratio = ratio
        self._names.clear()
        self._stamps.clear()
        self._key = QPixmap(round(10 * ratio), round(10 * ratio))
        self._key.setDevicePixelRatio(ratio)
        self._key.fill(Qt.GlobalColor.transparent)
        painter = QPainter(self._key)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colour("timeline"), 1))
        painter.setBrush(theme.colour("level"))
        painter.drawPolygon(QPolygonF([QPointF(5, 0.8), QPointF(9.2, 5), QPointF(5, 9.2), QPointF(0.8, 5)]))
        painter.end()

    def paint(self, painter: QPainter, stretch: Stretch, top: int, foot: int) -> None:
        """Everything over the clips; ``top`` and ``foot`` bound the part of the row below the names."""
        if foot - top < 6:
            return
        row = stretch.row
        facts = row.facts
        apart = row.body >= STRIP + MIN_PICTURE and foot - top >= MIN_INNER
        if facts.any_fades:
            self._paint_fades(painter, stretch, top, foot)
        if row.track.transitions:
            self._paint_mixes(painter, row, top, foot, stretch.left, stretch.right)
        if self.levels and apart:
            self._paint_levels(painter, stretch, top, foot)
        if facts.any_groups and apart:
            self._paint_groups(painter, stretch, foot)

    # -- fades and transitions ---------------------------------------------------------------------------------------

    def _paint_fades(self, painter: QPainter, stretch: Stretch, top: int, foot: int) -> None:
        """The corner that a fade takes away, darkened, and its slope."""
        row, i, x0, x1, left, right = stretch
        facts, ppf, high = row.facts, self._viewport.ppf, foot - top
        least, part = MIN_FADE / ppf, slice(i, i + len(x0))
        lengths = facts.fade_in[part]
        for k in np.flatnonzero(lengths >= least).tolist():
            wide = round(lengths[k] * ppf)
            if x0[k] + wide > left and x0[k] < right:
                self._paint_slope(painter, x0[k], top, wide, high, "in")
        lengths = facts.fade_out[part]
        for k in np.flatnonzero(lengths >= least).tolist():
            wide = round(lengths[k] * ppf)
            x = x1[k] - 1 - wide
            if x + wide > left and x < right:
                self._paint_slope(painter, x, top, wide, high, "out")

    def _paint_mixes(self, painter: QPainter, row: Row, top: int, foot: int, left: int, right: int) -> None:
        """A box around every transition, crossed for a dissolve, with one slope for the others."""
        view, high = self._viewport, foot - top
        boxes: list[QRect] = []
        starts, stops, crossed = row.mix_columns
        i = int(np.searchsorted(stops, view.frame(left - 4)))
        j = int(np.searchsorted(starts, view.frame(right + 4), "right"))
        heads = np.rint(starts[i:j] * view.ppf).astype(np.int64) - view.scroll_x
        widths = np.maximum(np.rint(stops[i:j] * view.ppf).astype(np.int64) - view.scroll_x - heads, 3)
        for k, (a, wide) in enumerate(zip(heads.tolist(), widths.tolist(), strict=True), i):
            if wide < MIN_CROSS:
                boxes.append(QRect(a, top, wide, high))
                continue
            self._paint_slope(painter, a, top, wide, high, "cross" if crossed[k] else "mix")
            if wide >= 64 and high >= 30:
                self._paint_name(painter, row.mixes[k].transition.kind, a + wide // 2, foot)
        if boxes:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._mix_box)
            painter.drawRects(boxes)
            painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_slope(self, painter: QPainter, x: int, top: int, wide: int, high: int, kind: str) -> None:
        """A fade or a transition; those that come again and again are stamps."""
        if wide > STAMP:
            painter.save()
            painter.translate(x, top)
            self._draw_slope(painter, wide, high, kind)
            painter.restore()
            return
        key = (wide, high, kind)
        stamp = self._stamps.get(key)
        if stamp is None:
            if len(self._stamps) > 600:
                self._stamps.clear()
            stamp = self._stamps[key] = QPixmap(round(wide * self._ratio), round(high * self._ratio))
            stamp.setDevicePixelRatio(self._ratio)
            stamp.fill(Qt.GlobalColor.transparent)
            inner = QPainter(stamp)
            self._draw_slope(inner, wide, high, kind)
            inner.end()
        painter.drawPixmap(x, top, stamp)

    def _draw_slope(self, painter: QPainter, wide: int, high: int, kind: str) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        up, down = QLineF(0, high, wide, 0), QLineF(0, 0, wide, high)
        if kind in ("in", "out"):
            line = up if kind == "in" else down
            corner = QPointF(0, 0) if kind == "in" else QPointF(wide, 0)
            painter.setBrush(self._ground)
            painter.drawPolygon(QPolygonF([line.p1(), corner, line.p2()]))
            painter.setPen(QPen(self._slope, 1.2))
            painter.drawLine(line)
        else:
            painter.fillRect(QRectF(0, 0, wide, high), self._mix)
            painter.setPen(QPen(self._mix_edge, 1.2))
            painter.drawLine(up)
            if kind == "cross":
                painter.drawLine(down)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setPen(QPen(self._mix_edge, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRect(0, 0, wide - 1, high - 1))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_name(self, painter: QPainter, kind: TransitionKind, middle: int, foot: int) -> None:
        text = self._names.get(kind)
        if text is None:
            text = self._names[kind] = QStaticText(TRANSITION_NAMES[kind])
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.prepare(font=painter.font())
        wide, high = round(text.size().width()), round(text.size().height())
        ground = QRect(middle - wide // 2 - 4, foot - high - 4, wide + 8, high + 1)
        painter.fillRect(ground, self._ground)
        painter.setPen(self._ink)
        painter.drawStaticText(ground.left() + 4, ground.top(), text)

    # -- groups ------------------------------------------------------------------------------------------------------

    def _paint_groups(self, painter: QPainter, stretch: Stretch, foot: int) -> None:
        """A bracket at the foot of each grouped clip, in the colour of its group."""
        row, i, x0, x1, left, right = stretch
        boxes: dict[int, list[QRect]] = {}
        codes = row.facts.group_codes
        for k in np.flatnonzero(row.facts.grouped[i : i + len(x0)]).tolist():
            a, b = x0[k] + 1, x1[k] - 2
            if b - a >= MIN_GROUP and b > left and a < right:
                a, b = max(a, left - 8), min(b, right + 8)
                some = boxes.setdefault(int(codes[i + k]) % len(_GROUP_INKS), [])
                some.append(QRect(a, foot - 3, b - a, 2))
                if b - a >= MIN_ENDS:
                    some += (QRect(a, foot - 8, 2, 6), QRect(b - 2, foot - 8, 2, 6))
        if boxes:
            painter.setPen(Qt.PenStyle.NoPen)
            for ink, rects in boxes.items():
                painter.setBrush(self._group_inks[ink])
                painter.drawRects(rects)
            painter.setBrush(Qt.BrushStyle.NoBrush)

    # -- levels ------------------------------------------------------------------------------------------------------

    def _paint_levels(self, painter: QPainter, stretch: Stretch, top: int, foot: int) -> None:
        """Opacity or volume of every clip: straight lines at once, those with keys as one picture."""
        row, i, x0, x1, left, right = stretch
        parts, moving = level_values(row)
        part = slice(i, i + len(x0))
        high = foot - top
        heights = (
            (top + high - 3 - np.minimum(np.maximum(parts[part], 0.0), 1.0) * (high - 6)).astype(np.int64).tolist()
        )
        keyed = moving[part].tolist()
        flat: list[QLine] = []
        some: list[int] = []
        for k, y in enumerate(heights):
            a, b = x0[k], x1[k] - 2
            if b - a < MIN_LEVEL or b < left or a >= right:
                continue
            if keyed[k] and b - a >= MIN_CURVE:
                some.append(k)
            else:
                flat.append(QLine(max(a, left - 2), y, min(b, right + 2), y))
        if flat:
            painter.setPen(self._level)
            painter.drawLines(flat)
        if some:
            painter.setPen(self._level)
            view = self._viewport
            # Heights at columns that are the same wherever one scrolls.
            first, last = (left + view.scroll_x) // CURVE_STEP - 1, (right + view.scroll_x) // CURVE_STEP + 2
            part_at = np.interp(np.arange(first, last) * (CURVE_STEP / view.ppf), *level_line(row))
            curve = (top + high - 3 - np.minimum(np.maximum(part_at, 0.0), 1.0) * (high - 6)).astype(np.int64).tolist()
            for k in some:
                start = max(first, -((-x0[k] - view.scroll_x) // CURVE_STEP))
                stop = min(last, (x1[k] - 2 + view.scroll_x) // CURVE_STEP + 1)
                x = start * CURVE_STEP - view.scroll_x
                line = [QPoint(x + n * CURVE_STEP, y) for n, y in enumerate(curve[start - first : stop - first])]
                if line:
                    painter.drawPolyline([QPoint(x0[k], line[0].y()), *line, QPoint(x1[k] - 2, line[-1].y())])
                self._paint_keys(painter, row, row.clips[i + k], left, right)

    def _paint_keys(self, painter: QPainter, row: Row, clip: Clip, left: int, right: int) -> None:
        ppf, dx = self._viewport.ppf, self._viewport.scroll_x
        top, foot = handles.inner(row)
        base, room = foot - 3 - self._viewport.scroll_y - 5, foot - top - 6
        last = -99
        for key in level_keys(row, clip):
            x = round((clip.start + key.frame) * ppf) - dx
            if left - 8 <= x <= right + 8 and x - last >= 4:
                part = handles.level_part(row.track, clip, key.value)
                painter.drawPixmap(x - 5, base - round(part * room), self._key)
                last = x
