"""Paints the rows of the timeline: many rectangles a call, never one widget a clip."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter, QPixmap, QStaticText

from gen2studio.app.posters import mode_of, near
from gen2studio.core.records import dataclass
from gen2studio.document.model import Clip, Document, MediaItem, Take
from gen2studio.engine.take_store import frame_name
from gen2studio.ui import theme
from gen2studio.ui.panels.mode_chooser import MODE_ICONS
from gen2studio.ui.timeline.bands import BAND, BandBook, BandPainter
from gen2studio.ui.timeline.layout import BADGE, BADGE_ROOM, EDGE, STRIP, Ints, Layout, Row
from gen2studio.ui.timeline.thumbs import Thumbnails, grain
from gen2studio.ui.timeline.viewport import Viewport
from gen2studio.ui.timeline.waveforms import Waveforms, WavePainter, rgb32

if TYPE_CHECKING:
    from numpy.typing import NDArray

HATCH = 8
"""Pixels between the lines over a locked track."""
EDGE_NAMES = 320
"""Pixels at the left edge where the names of clips that begin outside the view are held."""
FEW = 6
"""Up to so many clips are drawn one by one."""
MIN_TEXT = 56
"""Clips narrower than this show no name."""
MIN_THUMB = 20
"""Clips narrower than this show no picture."""
MIN_PICTURE = 18
"""Pixels of height below which neither pictures nor sound are drawn."""


class ClipPainter:
    """Draws tracks and clips; holds brushes, fonts and the caches of names."""

    def __init__(
        self,
        viewport: Viewport,
        bands: BandBook,
        thumbnails: Thumbnails,
        waveforms: Waveforms,
        document: Callable[[], Document],
    ) -> None:
        self._viewport = viewport
        self._bands = bands
        self.band_painter = BandPainter()
        self._thumbnails = thumbnails
        self._document = document
        self.take_folder: Callable[[str], Path] | None = None
        """Take id → the folder of its frames: shots show those."""
        colour = theme.colour
        self._waves = WavePainter(waveforms, rgb32(colour("waveform")), rgb32(colour("text_faint")))
        self._ground = colour("timeline")
        self._track = colour("track")
        self._locked = colour("background")
        shade = colour("background", 96)
        off = _inks(colour("line_strong"), colour("raised"), shade)
        on = {
            True: _inks(colour("clip_video_edge"), colour("clip_video"), shade),
            False: _inks(colour("clip_audio_edge"), colour("clip_audio"), shade),
        }
        self._inks = {
            (video, locked): [[rgb32(self._locked if locked else self._track), on[video][k], off[k]] for k in range(3)]
            for video in (True, False)
            for locked in (True, False)
        }
        self._fills = {
            True: (colour("clip_video_edge"), _strip(colour("clip_video"), shade), colour("clip_video")),
            False: (colour("clip_audio_edge"), _strip(colour("clip_audio"), shade), colour("clip_audio")),
        }
        self._off_fills = colour("line_strong"), _strip(colour("raised"), shade), colour("raised")
        self._pixels: NDArray[np.uint32] | None = None
        self._dim = colour("timeline", 150)
        self._text = colour("clip_text")
        self._muted = colour("text_muted")
        self._offline = colour("danger")
        self._accent = colour("accent")
        self._badge = colour("background", 190)
        self._hatch = colour("text_faint", 90)
        self._hatching = QPixmap()
        self._widths: dict[str, int] = {}
        self._names: dict[tuple[str, int], tuple[QStaticText, int]] = {}
        self._font: QFont | None = None
        self._metrics: QFontMetrics | None = None
        self._line = 0
        self._small: QFont | None = None
        self._link: QPixmap | None = None
        self._paths: dict[str, str] = {}
        self._paths_of: object = None
        self._reels: dict[int, dict[str, _Reel | None]] = {}
        self._reels_for: tuple[float, object] = (0.0, None)

    @functools.cached_property
    def _tables(self) -> dict[tuple[bool, bool], tuple[NDArray[np.uint32], ...]]:
        """By (video?, locked?): RGB32 tables [gap, clip, disabled clip] of top edge, name strip and body."""
        return {key: tuple(np.array(table, np.uint32) for table in inks) for key, inks in self._inks.items()}

    def set_font(self, font: QFont, ratio: float) -> None:
        """Names are drawn in ``font``."""
        self._font = QFont(font)
        self._font.setPointSizeF(max(7.0, font.pointSizeF() - 1.0))
        self._small = QFont(font)
        self._small.setPointSizeF(max(6.5, font.pointSizeF() - 1.8))
        self._small.setBold(True)
        self._metrics = QFontMetrics(self._font)
        self._line = self._metrics.height()
        self._names.clear()
        self._widths.clear()
        self._link = theme.icon_pixmap("link", 10, "clip_text", ratio)
        self._hatching = _hatched(self._hatch, ratio)

    def paint(self, painter: QPainter, layout: Layout, area: QRect, ratio: float) -> None:
        """Everything inside ``area`` (widget pixels); the painter's clip must be set to it."""
        painter.fillRect(area, self._ground)
        document = self._document()
        if self._paths_of is not document.media:
            self._paths = {key: item.path for key, item in document.media.items()}
            self._paths_of = document.media
        for row in layout.rows:
            top = row.top - self._viewport.scroll_y
            if top < area.bottom() + 1 and top + row.height > area.top():
                self._paint_row(painter, layout, row, top, area.left(), area.right() + 1, ratio)

    def _paint_row(
        self, painter: QPainter, layout: Layout, row: Row, top: int, left: int, right: int, ratio: float
    ) -> None:
        view = self._viewport
        ground = self._locked if row.track.locked else self._track
        i, j = row.visible(view.frame(left - 2), view.frame(right + 2))
        if i >= j:
            painter.fillRect(left, top, right - left, row.height, ground)
            self._paint_shade(painter, row, top, left, right)
            return
        if row.lane:
            painter.fillRect(left, top + row.body, right - left, row.lane, ground)
        strip = STRIP if row.body >= STRIP + MIN_PICTURE else row.body
        few = j - i <= FEW
        if few:
            lefts = [round(start * view.ppf) - view.scroll_x for start in row.starts[i:j].tolist()]
            rights = [round(end * view.ppf) - view.scroll_x for end in row.ends[i:j].tolist()]
            named = [k for k in range(j - i) if rights[k] - lefts[k] >= MIN_TEXT]
            pictured = range(j - i)
        else:
            x0 = np.rint(row.starts[i:j] * view.ppf).astype(np.int64) - view.scroll_x
            x1 = np.rint(row.ends[i:j] * view.ppf).astype(np.int64) - view.scroll_x
            lefts, rights = x0.tolist(), x1.tolist()
            named = np.flatnonzero(x1 - x0 >= MIN_TEXT).tolist()
            pictured = np.flatnonzero(x1 - x0 >= MIN_THUMB).tolist()
        if few and (row.is_video or strip == row.body):
            painter.fillRect(left, top, right - left, row.body, ground)
            self._fill_few(painter, row, i, lefts, rights, top, strip, left, right)
        else:
            x0, x1 = np.array(lefts, np.int64), np.array(rights, np.int64)
            image = self._row_image(layout, row, i, x0, x1, strip, left, right, ratio)
            painter.drawImage(QPoint(left, top), image)
        if row.is_video and strip < row.body:
            inner = top + strip, row.body - strip
            self._paint_thumbs(painter, layout, row, i, pictured, lefts, rights, *inner, left, right, ratio)
        self._paint_texts(painter, row, i, named, lefts, rights, top, strip, left, right)
        if row.is_video:
            self._paint_states(painter, layout, row, i, lefts, rights, top)
        self._paint_shade(painter, row, top, left, right)

    def _paint_shade(self, painter: QPainter, row: Row, top: int, left: int, right: int) -> None:
        """A muted or hidden track is dimmed, a locked one hatched as well."""
        if row.track.muted or row.track.locked:
            painter.fillRect(left, top, right - left, row.height, self._dim)
            if row.track.locked:
                view = self._viewport
                offset = QPoint((left + view.scroll_x) % HATCH, (top + view.scroll_y) % HATCH)
                painter.drawTiledPixmap(QRect(left, top, right - left, row.height), self._hatching, offset)

    def _fill_few(
        self,
        painter: QPainter,
        row: Row,
        i: int,
        x0: list[int],
        x1: list[int],
        top: int,
        strip: int,
        left: int,
        right: int,
    ) -> None:
        """A handful of clips, as in the strip that a scroll uncovers: plain rectangles are quicker than an image."""
        for k, (a, b) in enumerate(zip(x0, x1, strict=True)):
            edge, name, body = self._fills[row.is_video] if row.clips[i + k].enabled else self._off_fills
            x = max(a, left)
            w = min(max(b - 1, a + 1), right) - x
            if w > 0:
                painter.fillRect(x, top, w, 1, edge)
                if strip < row.body:
                    painter.fillRect(x, top + 1, w, strip - 1, name)
                    painter.fillRect(x, top + strip, w, row.body - strip, body)
                else:
                    painter.fillRect(x, top + 1, w, row.body - 1, body)

    def _row_image(
        self, layout: Layout, row: Row, i: int, x0: Ints, x1: Ints, strip: int, left: int, right: int, ratio: float
    ) -> QImage:
        """Bodies, name strips and sound of a whole row at once: its cost is that of its pixels, not of its clips."""
        wide, high = round((right - left) * ratio), round(row.body * ratio)
        bounds = np.zeros(2 * len(x0) + 2, np.int64)
        bounds[1:-1:2] = x0
        bounds[2:-1:2] = np.maximum(x1 - 1, x0 + 1)
        bounds[1:-1] -= left
        if ratio != 1:
            bounds = np.rint(bounds * ratio).astype(np.int64)
        bounds[-1] = wide
        np.maximum.accumulate(np.minimum(np.maximum(bounds, 0), wide), out=bounds)
        kinds = np.zeros(len(bounds) - 1, np.uint8)
        kinds[1::2] = 2 - row.facts.enabled[i : i + len(x0)]
        lengths = bounds[1:] - bounds[:-1]
        edge, top, body = self._tables[row.is_video, row.track.locked]
        if self._pixels is None or self._pixels.size < high * wide:
            self._pixels = np.empty(high * wide, np.uint32)
        pixels = self._pixels[: high * wide].reshape(high, wide)
        seam = round(strip * ratio)
        pixels[:seam] = (top if strip < row.body else body)[kinds].repeat(lengths)
        pixels[seam:] = body[kinds].repeat(lengths)
        pixels[: max(1, round(ratio))] = edge[kinds].repeat(lengths)
        if not row.is_video and strip < row.body and layout.sequence is not None:
            view = self._viewport
            frames = (np.arange(wide, dtype=np.float64) + (0.5 + (left + view.scroll_x) * ratio)) / (view.ppf * ratio)
            rate = float(layout.sequence.rate)
            inside = kinds.astype(bool).repeat(lengths)
            self._waves.draw(pixels[seam:], row, self._paths, frames, inside, 1.0 / (view.ppf * rate * ratio), rate)
        image = QImage(pixels.data, wide, high, wide * 4, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(ratio)
        # The painter draws it before the next row is made, so that one buffer, already paged in, does for all.
        return image

    def _paint_thumbs(
        self,
        painter: QPainter,
        layout: Layout,
        row: Row,
        i: int,
        chosen: Iterable[int],
        x0: list[int],
        x1: list[int],
        top: int,
        high: int,
        left: int,
        right: int,
        ratio: float,
    ) -> None:
        assert layout.sequence is not None
        second = self._viewport.ppf * float(layout.sequence.rate)
        made_in = self._thumbnails.height_for(high * ratio)
        facts = row.facts
        stop = i + len(x0)
        codes = facts.media[i:stop].tolist()
        sources = (facts.source_in[i:stop] * 1000.0).tolist()
        speeds = (facts.speed[i:stop] * (1000.0 / second)).tolist()
        reels = self._reels_of(high, second)
        media = self._document().media
        get, draw = self._thumbnails.get, painter.drawPixmap
        for k in chosen:
            a, b = x0[k], x1[k] - 1
            if b <= left or a >= right or b - a < MIN_THUMB - 1:
                continue
            media_id = facts.media_ids[codes[k]]
            if media_id not in reels:
                reels[media_id] = _reel(media.get(media_id), high, second)
            reel = reels[media_id]
            if reel is None:
                continue
            path, cell, step, last = reel.path, reel.cell, reel.step, reel.last
            frames: TakeFrames | None = None
            if reel.rate:
                frames = self._frames_of(row.clips[i + k])
                if frames is None:
                    self._paint_mode(painter, row.clips[i + k], a, b, top, high, ratio)
                    continue
            source, speed = sources[k], speeds[k]
            first = a if a >= left else a + (left - a) // cell * cell
            for x in range(first, b if b < right else right, cell):
                moment = int(source + (x - a) * speed)
                if moment > last:
                    moment = last
                moment -= moment % step
                if frames is not None:
                    picture = get(frames.path(moment * reel.rate // 1000), 0, made_in)
                else:
                    picture = get(path, moment, made_in)
                if picture is None:
                    continue
                wide = cell if x + cell <= b else b - x
                if ratio == 1 and 0 <= picture.height - high <= 3 and picture.width >= wide:
                    # As good as the right size: cut instead of scaled, which is several times quicker.
                    draw(x, top, picture.pixmap, picture.x, picture.y, wide, high)
                else:
                    part = max(1, picture.width * wide // cell)
                    draw(x, top, wide, high, picture.pixmap, picture.x, picture.y, part, picture.height)
            if not facts.enabled[i + k]:
                painter.fillRect(a, top, b - a, high, self._dim)

    def _frames_of(self, clip: Clip) -> TakeFrames | None:
        """The frames that a shot shows; None while it is empty."""
        take = self._document().takes.get(clip.active_take)
        if take is None or not take.done or self.take_folder is None:
            return None
        return TakeFrames(self.take_folder(take.id), take)

    def _paint_mode(self, painter: QPainter, clip: Clip, a: int, b: int, top: int, high: int, ratio: float) -> None:
        """An empty shot: the icon of the mode that will fill it says more than its grey slate."""
        side = min(18, high - 6)
        if b - a < side + 8 or side < 10:
            return
        icon = theme.icon_pixmap(MODE_ICONS[mode_of(self._document(), clip)], side, "text_muted", ratio)
        painter.drawPixmap(a + 6, top + (high - side) // 2, icon)

    def _reels_of(self, high: int, second: float) -> dict[str, _Reel | None]:
        """Reels by media id at this zoom, kept while zoom and media stay the same."""
        media = self._document().media
        if self._reels_for[0] != second or self._reels_for[1] is not media:
            self._reels.clear()
            self._reels_for = (second, media)
        return self._reels.setdefault(high, {})

    def _paint_texts(
        self,
        painter: QPainter,
        row: Row,
        i: int,
        chosen: list[int],
        x0: list[int],
        x1: list[int],
        top: int,
        strip: int,
        left: int,
        right: int,
    ) -> None:
        if not chosen:
            return
        assert self._font is not None and self._metrics is not None
        media = self._document().media
        painter.setFont(self._font)
        painter.setPen(self._text)
        line = top + self._text_drop(strip)
        clips, elided, draw = row.clips, self._elided, painter.drawStaticText
        speeds = row.facts.speed[i : i + len(x0)].tolist()
        for k in chosen:
            start, end = x0[k] + 6, x1[k] - 6
            if start >= right or end <= left:
                continue
            clip = clips[i + k]
            if clip.takes and end + 5 - x0[k] >= BADGE_ROOM:
                end -= EDGE + BADGE - 1
                self._paint_badge(painter, clip, end + 4, top)
            if speeds[k] != 1.0 and end - start > 60:
                end = self._paint_speed(painter, clip, end, top)
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

    def _text_drop(self, strip: int) -> int:
        """Pixels from a clip's top to the top of its name."""
        return (strip - self._line) // 2 + (1 if strip <= STRIP else 0)

    def paint_names_at_edge(self, painter: QPainter, layout: Layout) -> None:
        """Names of clips that begin left of the view, held at its edge: drawn last, as they do not scroll."""
        assert self._font is not None and self._metrics is not None
        view = self._viewport
        painter.setFont(self._font)
        painter.setPen(self._text)
        first, scroll_x, scroll_y, height, ppf = view.frame(0), view.scroll_x, view.scroll_y, view.height, view.ppf
        band = BAND if self._bands.job_states is not None else 0
        fill, draw = painter.fillRect, painter.drawStaticText
        for row in layout.rows:
            top = row.top - scroll_y
            if top > height or top + row.height <= 0:
                continue
            k = row.at(first)
            if k < 0:
                continue
            clip = row.clips[k]
            start = round(clip.start * ppf) - scroll_x
            if start >= 0:
                continue
            takes = clip.takes
            room = round((clip.start + clip.duration) * ppf) - scroll_x - 12
            if takes or clip.speed != 1:
                room -= BADGE + 24
            text = self._elided(clip.name, min(room, EDGE_NAMES - 12)) if room >= MIN_TEXT // 2 else None
            if text is None:
                continue
            strip = STRIP if row.body >= STRIP + MIN_PICTURE else row.body
            fills = self._fills[row.is_video] if clip.enabled else self._off_fills
            drop = 1 + (BAND if takes else band)
            # What is left of the name that scrolls, its link sign included, is covered.
            wide = min(max(text[1] + 12, start + 24 + self._widths[clip.name]), room + 10)
            fill(0, top + drop, wide, strip - drop, fills[1] if strip < row.body else fills[2])
            draw(6, top + self._text_drop(strip), text[0])
            if row.track.muted or row.track.locked:
                fill(0, top + drop, wide, strip - drop, self._dim)

    def _paint_speed(self, painter: QPainter, clip: Clip, end: int, top: int) -> int:
        text = f"{float(clip.speed) * 100:g} %"
        wide = len(text) * 6 + 8
        rect = QRect(end - wide, top + 3, wide, STRIP - 5)
        painter.fillRect(rect, self._badge)
        assert self._small is not None and self._font is not None
        painter.setFont(self._small)
        painter.setPen(self._text)
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
        painter.setFont(self._font)
        return end - wide - 4

    def _paint_badge(self, painter: QPainter, clip: Clip, x: int, top: int) -> None:
        """Which take of how many is shown: ``2/3``, or ``S/3`` for the source."""
        assert self._small is not None and self._font is not None
        shown = clip.takes.index(clip.active_take) + 1 if clip.active_take in clip.takes else 0
        rect = QRect(x, top + BAND, BADGE, STRIP - BAND - 1)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._accent if shown else self._badge)
        painter.drawRoundedRect(rect, 4, 4)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setFont(self._small)
        painter.setPen(theme.colour("accent_text") if shown else self._text)
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, f"{shown or 'S'}/{len(clip.takes)}")
        painter.setFont(self._font)
        painter.setPen(self._text)

    def _paint_states(
        self, painter: QPainter, layout: Layout, row: Row, i: int, x0: list[int], x1: list[int], top: int
    ) -> None:
        """Bands and mask lanes of the clips that have any."""
        if not (row.lane or row.facts.any_special or self._bands.job_states is not None):
            return
        sequence = layout.sequence
        assert sequence is not None
        masked = self._bands.media_with_masks() if row.lane else frozenset()
        jobs = self._bands.job_states is not None
        special = row.facts.special
        for k in range(len(x0)):
            if not (jobs or masked or special[i + k]):
                continue
            clip = row.clips[i + k]
            if jobs or special[i + k]:
                self.band_painter.draw_bands(painter, self._bands.bands(clip, sequence), top, self._viewport.x)
            if clip.media_id in masked:
                lane = self._bands.lane(clip, sequence)
                if lane is not None:
                    painter.save()
                    painter.setClipRect(
                        QRect(int(x0[k]), top + row.body, int(x1[k] - x0[k]) - 1, row.lane),
                        Qt.ClipOperation.IntersectClip,
                    )
                    self.band_painter.draw_lane(
                        painter, lane, int(x0[k]), int(x1[k]), top + row.body, self._viewport.x, self._viewport.ppf
                    )
                    painter.restore()

    def _elided(self, name: str, width: int) -> tuple[QStaticText, int] | None:
        """``name`` cut to ``width`` pixels, laid out, with its width; remembered in steps of 16 pixels."""
        if width < 14:
            return None
        assert self._metrics is not None and self._font is not None
        whole = self._widths.get(name)
        if whole is None:
            whole = self._widths[name] = self._metrics.horizontalAdvance(name)
        step = -1 if whole <= width else width // 16
        known = self._names.get((name, step))
        if known is None:
            if len(self._names) > 20_000:
                self._names.clear()
            shown = name if step < 0 else self._metrics.elidedText(name, Qt.TextElideMode.ElideRight, step * 16)
            text = QStaticText(shown)
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.prepare(font=self._font)
            known = self._names[name, step] = text, math.ceil(text.size().width())
        return known


@dataclass(frozen=True, slots=True)
class _Reel:
    """How one media is cut into filmstrip pictures at the present zoom."""

    path: str
    cell: int
    """Pixels a picture takes."""
    step: int
    """Milliseconds between pictures: a power of two, so that zooming finds known ones again."""
    last: int
    """Milliseconds of the last frame; 0 for stills."""
    rate: Fraction = Fraction(0)
    """Of a shot, whose pictures are those of its take; 0 for footage."""


def _reel(item: MediaItem | None, high: int, second: float) -> _Reel | None:
    """``high`` pixels of filmstrip at ``second`` pixels a second; None for media without a picture."""
    if item is None or not item.info.has_video:
        return None
    info = item.info
    aspect = min(max(info.width / max(info.height, 1), 0.3), 3.0)
    cell = max(16, round(high * aspect))
    moving = info.duration > 0 and info.rate > 0
    last = max(0, int(info.duration * 1000) - 1) if moving else 0
    return _Reel(item.path, cell, grain(cell / second), last, info.rate if item.shot is not None else Fraction(0))


class TakeFrames:
    """The files of a take, by media frame: the nearest that is finished."""

    __slots__ = ("_folder", "_take")

    def __init__(self, folder: Path, take: Take) -> None:
        self._folder = folder
        self._take = take

    def path(self, frame: float | Fraction) -> str:
        return f"{self._folder.as_posix()}/{frame_name(near(self._take, int(frame)))}"


def _hatched(ink: QColor, ratio: float) -> QPixmap:
    """A tile of diagonal lines. Unlike a brush's pattern it is laid out from where one says, at any scale."""
    tile = QPixmap(round(HATCH * ratio), round(HATCH * ratio))
    tile.setDevicePixelRatio(ratio)
    tile.fill(Qt.GlobalColor.transparent)
    painter = QPainter(tile)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(ink)
    for x in (-HATCH, 0, HATCH):
        painter.drawLine(x, HATCH, x + HATCH, 0)
    painter.end()
    return tile


def _strip(body: QColor, shade: QColor) -> QColor:
    """``body`` under the half-transparent ``shade``."""
    part = shade.alphaF()
    over, under = (shade.red(), shade.green(), shade.blue()), (body.red(), body.green(), body.blue())
    return QColor(*(round(o * part + u * (1 - part)) for o, u in zip(over, under, strict=True)))


def _inks(edge: QColor, body: QColor, shade: QColor) -> tuple[int, int, int]:
    """(edge, name strip, body) as RGB32."""
    return rgb32(edge), rgb32(_strip(body, shade)), rgb32(body)
