"""Paints the rows of the timeline: many rectangles a call, never one widget a clip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPixmap

from gen2studio.document.model import Clip, Document
from gen2studio.ui import theme
from gen2studio.ui.timeline.bands import BandBook, BandPainter
from gen2studio.ui.timeline.filmstrip import MIN_THUMB, Filmstrip
from gen2studio.ui.timeline.labels import MIN_TEXT, Fills, Labels
from gen2studio.ui.timeline.layout import MIN_PICTURE, STRIP, Layout, Row, Stretch
from gen2studio.ui.timeline.rough import RoughPainter
from gen2studio.ui.timeline.row_image import RowImages, over
from gen2studio.ui.timeline.shapes import ShapePainter
from gen2studio.ui.timeline.thumbs import Thumbnails
from gen2studio.ui.timeline.viewport import Viewport
from gen2studio.ui.timeline.waveforms import Waveforms, WavePainter, rgb32

HATCH = 8
"""Pixels between the lines over a locked track."""
FEW = 6
"""Up to so many clips are drawn one by one."""


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
        self._document = document
        self.film = Filmstrip(viewport, thumbnails, document)
        self.labels = Labels(viewport, bands, document)
        self.shapes = ShapePainter(viewport)
        colour = theme.colour
        waves = WavePainter(waveforms, rgb32(colour("waveform")), rgb32(colour("text_faint")))
        self._images = RowImages(viewport, waves)
        self._rough = RoughPainter(viewport, self._images, waves, self.film, self.labels)
        self.rough = False
        """Whether to leave out what takes long and is not missed while everything moves: see :mod:`rough`."""
        self._ground = colour("timeline")
        self._track = colour("track")
        self._locked = colour("background")
        shade = colour("background", 96)
        self._fills = {
            True: (colour("clip_video_edge"), over(colour("clip_video"), shade), colour("clip_video")),
            False: (colour("clip_audio_edge"), over(colour("clip_audio"), shade), colour("clip_audio")),
        }
        self._off_fills = colour("line_strong"), over(colour("raised"), shade), colour("raised")
        self._nested_fills = colour("clip_nested_edge"), over(colour("clip_nested"), shade), colour("clip_nested")
        self._dim = colour("timeline", 150)
        self._hatch = colour("text_faint", 90)
        self._hatching = QPixmap()
        self._paths: dict[str, str] = {}
        self._paths_of: object = None
        self._nested_ids: frozenset[str] = frozenset()

    @property
    def take_folder(self) -> Callable[[str], Path] | None:
        """Take id → the folder of its frames: shots show those."""
        return self.film.take_folder

    @take_folder.setter
    def take_folder(self, folder: Callable[[str], Path] | None) -> None:
        self.film.take_folder = folder

    def set_font(self, font: QFont, ratio: float) -> None:
        """Names are drawn in ``font``."""
        self.labels.set_font(font, ratio)
        self.shapes.set_ratio(ratio)
        self._hatching = _hatched(self._hatch, ratio)

    def paint(self, painter: QPainter, layout: Layout, area: QRect, ratio: float, lines: list[tuple[int, int]]) -> None:
        """Everything inside ``area`` (widget pixels); the painter's clip must be set to it. A rough picture has the
        lines of markers in it, ``lines`` as (widget x, RGB32)."""
        document = self._document()
        if self._paths_of is not document.media:
            self._paths = {key: item.path for key, item in document.media.items()}
            self._paths_of = document.media
            self._nested_ids = frozenset(key for key, item in document.media.items() if item.nested)
        left, right, free = area.left(), area.right() + 1, area.top()
        rough: list[tuple[Row, int]] = []
        for row in layout.rows:
            top = row.top - self._viewport.scroll_y
            if top < area.bottom() + 1 and top + row.height > area.top():
                if top > free:
                    painter.fillRect(left, free, right - left, top - free, self._ground)
                free = top + row.height
                if self.rough:
                    rough.append((row, top))
                else:
                    self._paint_row(painter, layout, row, top, left, right, ratio)
        if free <= area.bottom():
            painter.fillRect(left, free, right - left, area.bottom() + 1 - free, self._ground)
        if rough:
            self._rough.paint(painter, layout, rough, left, right, ratio, self._paths, self._nested_ids, lines)
            for row, top in rough:
                if row.lane:
                    ground = self._locked if row.track.locked else self._track
                    painter.fillRect(left, top + row.body, right - left, row.lane, ground)
                self._paint_shade(painter, row, top, left, right)

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
        stretch = Stretch(row, i, lefts, rights, left, right)
        if few and (row.is_video or strip == row.body):
            painter.fillRect(left, top, right - left, row.body, ground)
            self._fill_few(painter, row, i, lefts, rights, top, strip, left, right)
        else:
            x0, x1 = np.array(lefts, np.int64), np.array(rights, np.int64)
            image = self._images.make(layout, row, i, x0, x1, strip, left, right, ratio, self._paths, self._nested_ids)
            painter.drawImage(QPoint(left, top), image)
        if row.is_video and strip < row.body:
            inner = top + strip, row.body - strip
            self.film.paint(painter, layout, stretch, pictured, *inner, ratio)
        inner_top = top + (strip if strip < row.body else 0)
        self.shapes.paint(painter, stretch, inner_top, top + row.body - 1)
        self.labels.paint(painter, stretch, named, top, strip)
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
            edge, name, body = self.fills_of(row, row.clips[i + k])
            x = max(a, left)
            w = min(max(b - 1, a + 1), right) - x
            if w > 0:
                painter.fillRect(x, top, w, 1, edge)
                if strip < row.body:
                    painter.fillRect(x, top + 1, w, strip - 1, name)
                    painter.fillRect(x, top + strip, w, row.body - strip, body)
                else:
                    painter.fillRect(x, top + 1, w, row.body - 1, body)

    def fills_of(self, row: Row, clip: Clip) -> Fills:
        """(top edge, name strip, body) of a clip."""
        if not clip.enabled:
            return self._off_fills
        return self._nested_fills if clip.media_id in self._nested_ids else self._fills[row.is_video]

    def paint_names_at_edge(self, painter: QPainter, layout: Layout) -> None:
        """Names of clips that begin left of the view, held at its edge: drawn last, as they do not scroll."""
        self.labels.paint_at_edge(painter, layout, self.fills_of, self._dim)

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
