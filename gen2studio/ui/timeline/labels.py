"""What is written in the name strip of clips: names, takes with their rating, speed and what else was done to a clip.

Badges are drawn once and kept as pictures: the same few come again and again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPixmap, QStaticText

from gen2studio.document.model import Clip, Document
from gen2studio.ui import theme
from gen2studio.ui.timeline.bands import BAND, BandBook
from gen2studio.ui.timeline.layout import BADGE, BADGE_ROOM, EDGE, MARKS, MIN_PICTURE, STRIP, Layout, Mark, Row, Stretch
from gen2studio.ui.timeline.viewport import Viewport

EDGE_NAMES = 320
"""Pixels at the left edge where the names of clips that begin outside the view are held."""
MIN_TEXT = 56
"""Clips narrower than this show no name."""
RATING_ROOM = 130
"""Clips narrower than this do not show the rating of their take."""
_ICONS = {
    Mark.REVERSE: "rewind",
    Mark.FREEZE: "pause",
    Mark.BLEND: "blend",
    Mark.TRANSFORM: "move",
    Mark.KEYS: "diamond",
}
_KEPT = 20_000

Fills = tuple[QColor, QColor, QColor]
"""Colours of a clip's (top edge, name strip, body)."""


class _Held:
    """The name that a row holds at the left edge while its clip goes on."""

    __slots__ = ("band", "clip", "drop", "ground", "high", "less", "line", "row", "start", "stop")

    def __init__(self, row: Row, clip: Clip, band: int, fills: Fills, line: int) -> None:
        """``band``: pixels of bands that any clip may have; ``line``: the height of a line."""
        self.row, self.clip, self.band = row, clip, band
        self.start, self.stop = clip.start, clip.start + clip.duration
        self.less = 12
        """Pixels before the clip's end that a name leaves free."""
        if clip.takes or clip.speed != 1 or clip.reverse or clip.freeze:
            self.less += BADGE + 24
        strip = STRIP if row.body >= STRIP + MIN_PICTURE else row.body
        self.drop = 1 + (BAND if clip.takes else band)
        """Pixels from the clip's top to what a name covers, and how high that is."""
        self.high = strip - self.drop
        self.line = _drop(strip, line) - self.drop
        """Pixels from there to the top of the name."""
        self.ground = fills[1 if strip < row.body else 2]


def _drop(strip: int, line: int) -> int:
    """Pixels from a clip's top to the top of a name whose line is so high."""
    return (strip - line) // 2 + (1 if strip <= STRIP else 0)


class Labels:
    """Fonts, names and badges."""

    def __init__(self, viewport: Viewport, bands: BandBook, document: Callable[[], Document]) -> None:
        self._viewport = viewport
        self._bands = bands
        self._document = document
        self._text = theme.colour("clip_text")
        self._muted = theme.colour("text_muted")
        self._offline = theme.colour("danger")
        self._accent = theme.colour("accent")
        self._ground = theme.colour("background", 190)
        self._star = theme.colour("marker")
        self._font: QFont | None = None
        self._small: QFont | None = None
        self._metrics: QFontMetrics | None = None
        self._line = 0
        self._ratio = 1.0
        self._link: QPixmap | None = None
        self._widths: dict[str, int] = {}
        self._widest = 0
        self._names: dict[tuple[str, int], tuple[QStaticText, int]] = {}
        self._badges: dict[tuple[object, ...], QPixmap] = {}
        self._held: dict[int, _Held] = {}
        """By the index of the row."""

    def set_font(self, font: QFont, ratio: float) -> None:
        """Names are drawn in ``font`` at ``ratio`` device pixels a pixel."""
        self._ratio = ratio
        self._font = QFont(font)
        self._font.setPointSizeF(max(7.0, font.pointSizeF() - 1.0))
        self._small = QFont(font)
        self._small.setPointSizeF(max(6.5, font.pointSizeF() - 1.8))
        self._small.setBold(True)
        self._metrics = QFontMetrics(self._font)
        self._line = self._metrics.height()
        self._names.clear()
        self._widths.clear()
        self._badges.clear()
        self._held.clear()
        self._link = theme.icon_pixmap("link", 10, "clip_text", ratio)

    # -- names -------------------------------------------------------------------------------------------------------

    def paint(self, painter: QPainter, stretch: Stretch, chosen: list[int], top: int, strip: int) -> None:
        """The strips of the ``chosen`` clips of a stretch."""
        if not chosen:
            return
        line = self._begin(painter, top, strip)
        row, i, x0, x1, left, right = stretch
        media = self._document().media
        clips, elided, draw = row.clips, self._elided, painter.drawStaticText
        facts = row.facts
        speeds = facts.speed[i : i + len(x0)].tolist()
        marks = facts.marks[i : i + len(x0)].tolist()
        for k in chosen:
            start, end = x0[k] + 6, x1[k] - 6
            if start >= right or end <= left:
                continue
            clip = clips[i + k]
            if clip.takes and end + 5 - x0[k] >= BADGE_ROOM:
                end -= EDGE + BADGE - 1
                self._paint_takes(painter, clip, end + 4, top)
                if x1[k] - x0[k] >= RATING_ROOM:
                    end = self._paint_rating(painter, clip, end, top)
            if (marks[k] or speeds[k] != 1.0) and end - start > 60:
                badge = self._facts_badge(marks[k], speeds[k])
                end -= round(badge.width() / self._ratio) + 3
                painter.drawPixmap(end, top + 3, badge)
                end -= 4
            if clip.link and self._link is not None and end - start > 40:
                painter.drawPixmap(start, top + 4, self._link)
                start += 14
            name = clip.name
            plain = clip.enabled
            if clip.media_id not in media:
                name, plain = f"{name} - offline", False
                painter.setPen(self._offline)
            elif not plain:
                painter.setPen(self._muted)
            text = elided(name, end - start)
            if text is not None and start + text[1] > left:
                draw(start, line, text[0])
            if not plain:
                painter.setPen(self._text)

    def paint_names(self, painter: QPainter, stretch: Stretch, chosen: list[int], top: int, strip: int) -> None:
        """The names alone, where :meth:`paint` puts them on a clip without badges."""
        if not chosen:
            return
        line = self._begin(painter, top, strip)
        row, i, x0, x1, left, right = stretch
        clips, elided, draw = row.clips, self._elided, painter.drawStaticText
        for k in chosen:
            start, end = x0[k] + 6, x1[k] - 6
            if start < right and end > left:
                clip = clips[i + k]
                start += 14 if clip.link and end - start > 40 else 0
                text = elided(clip.name, end - start)
                if text is not None and start + text[1] > left:
                    draw(start, line, text[0])

    def _begin(self, painter: QPainter, top: int, strip: int) -> int:
        """Take up the pen for names in a strip at ``top``; where their tops lie."""
        assert self._font is not None
        painter.setFont(self._font)
        painter.setPen(self._text)
        return top + self.drop(strip)

    def drop(self, strip: int) -> int:
        """Pixels from a clip's top to the top of its name."""
        return _drop(strip, self._line)

    @property
    def reach(self) -> int:
        """Pixels from the left edge that held names may cover: as far as the longest name there is."""
        return min(EDGE_NAMES, max(MIN_TEXT, self._widest) + 40)

    def paint_at_edge(
        self, painter: QPainter, layout: Layout, fills: Callable[[Row, Clip], Fills], dim: QColor
    ) -> None:
        """Names of clips that begin left of the view, held at its edge: drawn last, as they do not scroll."""
        view = self._viewport
        first, scroll_x, scroll_y, height, ppf = view.frame(0), view.scroll_x, view.scroll_y, view.height, view.ppf
        band = BAND if self._bands.job_states is not None else 0
        draw, fill, known = painter.drawStaticText, painter.fillRect, self._held
        assert self._font is not None
        painter.setFont(self._font)
        painter.setPen(self._text)
        for row in layout.rows:
            top = row.top - scroll_y
            if top > height or top + row.height <= 0:
                continue
            k = row.at(first)
            if k < 0:
                continue
            clip = row.clips[k]
            held = known.get(row.index)
            if held is None or held.clip is not clip or held.row is not row or held.band != band:
                held = known[row.index] = _Held(row, clip, band, fills(row, clip), self._line)
            start = round(held.start * ppf) - scroll_x
            room = round(held.stop * ppf) - scroll_x - held.less
            if start >= 0 or room < MIN_TEXT // 2:
                continue
            text = self._elided(clip.name, min(room, EDGE_NAMES - 12))
            if text is None:
                continue
            # What is left of the name that scrolls, its link sign included, is covered.
            top += held.drop
            wide = min(max(text[1] + 12, start + 24 + self._widths[clip.name]), room + 10)
            fill(0, top, wide, held.high, held.ground)
            draw(6, top + held.line, text[0])
            if row.track.muted or row.track.locked:
                fill(0, top, wide, held.high, dim)

    def _elided(self, name: str, width: int) -> tuple[QStaticText, int] | None:
        """``name`` cut to ``width`` pixels, laid out, with its width; remembered in steps of 16 pixels."""
        if width < 14:
            return None
        assert self._metrics is not None and self._font is not None
        whole = self._widths.get(name)
        if whole is None:
            whole = self._widths[name] = self._metrics.horizontalAdvance(name)
            self._widest = max(self._widest, whole)
        step = -1 if whole <= width else width // 16
        known = self._names.get((name, step))
        if known is None:
            if len(self._names) > _KEPT:
                self._names.clear()
            shown = name if step < 0 else self._metrics.elidedText(name, Qt.TextElideMode.ElideRight, step * 16)
            text = QStaticText(shown)
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.prepare(font=self._font)
            known = self._names[name, step] = text, math.ceil(text.size().width())
        return known

    # -- badges ------------------------------------------------------------------------------------------------------

    def _paint_takes(self, painter: QPainter, clip: Clip, x: int, top: int) -> None:
        """Which take of how many is shown: ``2/3``, or ``S/3`` for the source; several look like a stack."""
        shown = clip.takes.index(clip.active_take) + 1 if clip.active_take in clip.takes else 0
        key = ("takes", shown, len(clip.takes))
        picture = self._badges.get(key)
        if picture is None:
            picture = self._badges[key] = self._drawn_takes(shown, len(clip.takes))
        painter.drawPixmap(x, top + BAND - 2, picture)

    def _drawn_takes(self, shown: int, count: int) -> QPixmap:
        picture = self._blank(BADGE, STRIP - BAND + 1)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        ground = self._accent if shown else self._ground
        for lower in range(min(count, 3) - 1, 0, -1):
            under = QColor(ground)
            under.setAlpha(220 - 80 * lower)
            painter.setBrush(under)
            painter.drawRoundedRect(QRectF(lower * 2, 2 - lower, BADGE - lower * 4, 6), 2, 2)
        painter.setBrush(ground)
        painter.drawRoundedRect(QRectF(0, 2, BADGE, STRIP - BAND - 1), 4, 4)
        assert self._small is not None
        painter.setFont(self._small)
        painter.setPen(theme.colour("accent_text") if shown else self._text)
        text = f"{shown or 'S'}/{count}"
        painter.drawText(QRectF(0, 2, BADGE, STRIP - BAND - 1), Qt.AlignmentFlag.AlignCenter, text)
        painter.end()
        return picture

    def _paint_rating(self, painter: QPainter, clip: Clip, end: int, top: int) -> int:
        """Stars and the pin of the shown take, left of its badge; the new right end of the room for the name."""
        take = self._document().takes.get(clip.active_take)
        if take is None or not (take.rating or take.pinned):
            return end
        key = ("rating", take.rating, take.pinned)
        picture = self._badges.get(key)
        if picture is None:
            picture = self._badges[key] = self._drawn_rating(take.rating, take.pinned)
        end -= round(picture.width() / self._ratio) + 2
        painter.drawPixmap(end, top + 3, picture)
        return end - 2

    def _drawn_rating(self, rating: int, pinned: bool) -> QPixmap:
        icons = (["star"] * rating if rating > 0 else ["thumbs-down"] if rating < 0 else []) + ["pin"] * pinned
        picture = self._blank(len(icons) * 10 + 2, STRIP - 4)
        painter = QPainter(picture)
        for place, name in enumerate(icons):
            ink = "marker" if name != "thumbs-down" else "danger"
            painter.drawPixmap(QPointF(1 + place * 10, 2), theme.icon_pixmap(name, 9, ink, self._ratio))
        painter.end()
        return picture

    def _facts_badge(self, marks: int, speed: float) -> QPixmap:
        """Reverse, freeze, speed, blending, transform and keys in one badge."""
        key = ("facts", marks, speed)
        picture = self._badges.get(key)
        if picture is not None:
            return picture
        assert self._small is not None
        icons = [_ICONS[mark] for mark in MARKS if marks & mark]
        text = f"{speed * 100:g} %" if speed != 1.0 and not marks & Mark.FREEZE else ""
        wide = 6 + len(icons) * 13 + (QFontMetrics(self._small).horizontalAdvance(text) + 3 if text else 0)
        picture = self._badges[key] = self._blank(wide, STRIP - 4)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._ground)
        painter.drawRoundedRect(QRectF(0, 0, wide, STRIP - 4), 3, 3)
        for place, name in enumerate(icons):
            painter.drawPixmap(QPointF(4 + place * 13, 1.5), theme.icon_pixmap(name, 10, "clip_text", self._ratio))
        if text:
            painter.setFont(self._small)
            painter.setPen(self._text)
            left = 4 + len(icons) * 13
            painter.drawText(QRect(left, 0, wide - left, STRIP - 4), Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()
        return picture

    def _blank(self, wide: int, high: int) -> QPixmap:
        picture = QPixmap(round(wide * self._ratio), round(high * self._ratio))
        picture.setDevicePixelRatio(self._ratio)
        picture.fill(Qt.GlobalColor.transparent)
        return picture
