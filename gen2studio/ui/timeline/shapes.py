"""What is drawn over the bodies of clips: fades, transitions, level lines with their keys, brackets of groups."""

from __future__ import annotations

import zlib

import numpy as np
from PySide6.QtCore import QLine, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPen, QPixmap, QPolygonF, QStaticText

from gen2studio.core.curve import Curve, Ease
from gen2studio.document.composition import TransitionKind
from gen2studio.document.model import Clip
from gen2studio.ui import theme
from gen2studio.ui.timeline import handles
from gen2studio.ui.timeline.layout import Mark, Row
from gen2studio.ui.timeline.viewport import Viewport

MIN_LEVEL = 8
"""Clips narrower than this have no level line."""
GROUP_INKS = ("accent", "marker", "success", "danger", "band_running", "clip_text")
_CURVED = 4
"""Pixels between the points of a curved stretch."""

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
        self._shade = theme.colour("timeline", 165)
        self._slope = theme.colour("clip_text", 190)
        self._mix = theme.colour("transition", 70)
        self._mix_edge = theme.colour("transition", 220)
        self._level = theme.colour("level", 215)
        self._groups = [theme.colour(name) for name in GROUP_INKS]
        self._key = QPixmap()
        self._names: dict[TransitionKind, QStaticText] = {}
        self.levels = False
        """Whether level lines are shown."""

    def set_ratio(self, ratio: float) -> None:
        """Match the screen's device pixels."""
        self._key = QPixmap(round(10 * ratio), round(10 * ratio))
        self._key.setDevicePixelRatio(ratio)
        self._key.fill(Qt.GlobalColor.transparent)
        painter = QPainter(self._key)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colour("timeline"), 1))
        painter.setBrush(theme.colour("level"))
        painter.drawPolygon(QPolygonF([QPointF(5, 0.8), QPointF(9.2, 5), QPointF(5, 9.2), QPointF(0.8, 5)]))
        painter.end()

    def paint(
        self,
        painter: QPainter,
        row: Row,
        i: int,
        x0: list[int],
        x1: list[int],
        top: int,
        foot: int,
        left: int,
        right: int,
    ) -> None:
        """Everything over the clips from ``i`` on, which lie from ``x0`` to ``x1``; ``top`` and ``foot`` bound the part
        of the row below the names."""
        facts = row.facts
        if foot - top < 6:
            return
        if facts.any_fades:
            self._paint_fades(painter, row, i, x0, x1, top, foot)
        if row.track.transitions:
            self._paint_mixes(painter, row, top, foot, left, right)
        if self.levels and foot - top >= 12:
            self._paint_levels(painter, row, i, x0, x1, left, right)
        if facts.any_groups:
            self._paint_groups(painter, row, i, x0, x1, foot)

    # -- fades -------------------------------------------------------------------------------------------------------

    def _paint_fades(
        self, painter: QPainter, row: Row, i: int, x0: list[int], x1: list[int], top: int, foot: int
    ) -> None:
        """The corner that a fade takes away, darkened, and its slope."""
        facts, ppf = row.facts, self._viewport.ppf
        stop = i + len(x0)
        lengths_in = np.rint(facts.fade_in[i:stop] * ppf).astype(np.int64).tolist()
        lengths_out = np.rint(facts.fade_out[i:stop] * ppf).astype(np.int64).tolist()
        corners = QPainterPath()
        slopes: list[QLine] = []
        for k, (inwards, outwards) in enumerate(zip(lengths_in, lengths_out, strict=True)):
            if inwards >= 2:
                a = x0[k]
                corners.moveTo(a, top)
                corners.lineTo(a + inwards, top)
                corners.lineTo(a, foot)
                corners.closeSubpath()
                slopes.append(QLine(a, foot, a + inwards, top))
            if outwards >= 2:
                b = x1[k] - 1
                corners.moveTo(b, top)
                corners.lineTo(b - outwards, top)
                corners.lineTo(b, foot)
                corners.closeSubpath()
                slopes.append(QLine(b - outwards, top, b, foot))
        if slopes:
            painter.fillPath(corners, self._shade)
            painter.setPen(self._slope)
            painter.drawLines(slopes)

    # -- transitions -------------------------------------------------------------------------------------------------

    def _paint_mixes(self, painter: QPainter, row: Row, top: int, foot: int, left: int, right: int) -> None:
        view = self._viewport
        boxes: list[QRect] = []
        crosses: list[QLine] = []
        for mix in row.mixes_between(view.frame(left - 2), view.frame(right + 2)):
            a, b = view.x(mix.start), view.x(mix.stop)
            if b - a < 3:
                b = a + 3
            boxes.append(QRect(a, top, b - a, foot - top))
            if mix.transition.kind is TransitionKind.DISSOLVE:
                crosses += (QLine(a, top, b - 1, foot - 1), QLine(a, foot - 1, b - 1, top))
            else:
                crosses.append(QLine(a, foot - 1, b - 1, top))
        if not boxes:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._mix)
        painter.drawRects(boxes)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(self._mix_edge)
        painter.drawLines(crosses)
        painter.drawRects([box.adjusted(0, 0, -1, -1) for box in boxes])
        for mix, box in zip(row.mixes_between(view.frame(left - 2), view.frame(right + 2)), boxes, strict=True):
            if box.width() >= 64 and box.height() >= 30:
                self._paint_mix_name(painter, mix.transition.kind, box)

    def _paint_mix_name(self, painter: QPainter, kind: TransitionKind, box: QRect) -> None:
        text = self._names.get(kind)
        if text is None:
            text = self._names[kind] = QStaticText(TRANSITION_NAMES[kind])
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.prepare(font=painter.font())
        wide, high = round(text.size().width()), round(text.size().height())
        ground = QRect(box.center().x() - wide // 2 - 4, box.bottom() - high - 3, wide + 8, high + 1)
        painter.fillRect(ground, self._shade)
        painter.drawStaticText(ground.left() + 4, ground.top(), text)

    # -- levels ------------------------------------------------------------------------------------------------------

    def _paint_levels(
        self, painter: QPainter, row: Row, i: int, x0: list[int], x1: list[int], left: int, right: int
    ) -> None:
        """Opacity or volume of every clip; a clip's keys stand on its line."""
        scroll = self._viewport.scroll_y
        flat: list[QLine] = []
        still = row.facts.marks[i : i + len(x0)] & Mark.KEYS == 0
        for k, clip in enumerate(row.clips[i : i + len(x0)]):
            a, b = x0[k], x1[k] - 2
            if b - a < MIN_LEVEL:
                continue
            curve = handles.level_curve(row.track, clip)
            if still[k] or not curve.keys:
                y = round(handles.level_y(row, clip, 0)) - scroll
                flat.append(QLine(a, y, b, y))
            else:
                self._paint_curve(painter, row, clip, curve, a, b, left, right)
        if flat:
            painter.setPen(self._level)
            painter.drawLines(flat)

    def _paint_curve(
        self, painter: QPainter, row: Row, clip: Clip, curve: Curve, a: int, b: int, left: int, right: int
    ) -> None:
        ppf, scroll = self._viewport.ppf, self._viewport.scroll_y
        frames: list[float] = [0.0]
        for at, key in enumerate(curve.keys):
            frames.append(key.frame)
            after = curve.keys[at + 1].frame if at + 1 < len(curve.keys) else None
            if after is None or key.ease is Ease.LINEAR:
                continue
            if key.ease is Ease.HOLD:
                frames.append(after - 1e-6)
            else:
                steps = max(2, min(200, round((after - key.frame) * ppf / _CURVED)))
                frames += [key.frame + (after - key.frame) * step / steps for step in range(1, steps)]
        frames.append(clip.duration)
        base = clip.start * ppf - self._viewport.scroll_x
        line = QPolygonF(
            [QPointF(base + f * ppf, handles.level_y(row, clip, f) - scroll) for f in frames if 0 <= f <= clip.duration]
        )
        painter.save()
        painter.setClipRect(QRect(a, 0, b - a + 1, self._viewport.height + 9999), Qt.ClipOperation.IntersectClip)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._level, 1.4))
        painter.drawPolyline(line)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        last = -99
        for key in curve.keys:
            x = round(base + key.frame * ppf)
            if 0 <= key.frame <= clip.duration and left - 8 <= x <= right + 8 and x - last >= 4:
                painter.drawPixmap(QPoint(x - 5, round(handles.level_y(row, clip, key.frame)) - scroll - 5), self._key)
                last = x
        painter.restore()

    # -- groups ------------------------------------------------------------------------------------------------------

    def _paint_groups(self, painter: QPainter, row: Row, i: int, x0: list[int], x1: list[int], foot: int) -> None:
        """A bracket at the foot of each grouped clip, in the colour of its group."""
        boxes: dict[int, list[QRect]] = {}
        for k in np.flatnonzero(row.facts.grouped[i : i + len(x0)]).tolist():
            a, b = x0[k] + 1, x1[k] - 2
            if b - a >= 6:
                ink = zlib.crc32(row.clips[i + k].group.encode()) % len(self._groups)
                boxes.setdefault(ink, []).extend(
                    (QRect(a, foot - 3, b - a, 2), QRect(a, foot - 8, 2, 7), QRect(b - 2, foot - 8, 2, 7))
                )
        painter.setPen(Qt.PenStyle.NoPen)
        for ink, rects in boxes.items():
            painter.setBrush(self._groups[ink])
            painter.drawRects(rects)
        painter.setBrush(Qt.BrushStyle.NoBrush)
