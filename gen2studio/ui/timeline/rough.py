"""The picture of a crowded timeline while it is zoomed: all rows worked out at once.

Clips, transitions, sound and marker lines are where they belong; the names of wide clips and their pictures (of very
many clips the first) are there too. What takes long and is not missed while everything moves (slopes, badges, lines of
levels, bands) follows when the zoom has come to rest.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage, QPainter

from gen2studio.ui import theme
from gen2studio.ui.timeline.filmstrip import Filmstrip
from gen2studio.ui.timeline.labels import Labels
from gen2studio.ui.timeline.layout import MIN_PICTURE, STRIP, Ints, Layout, Row, Stretch
from gen2studio.ui.timeline.row_image import RowImages, over
from gen2studio.ui.timeline.shapes import MIN_CROSS
from gen2studio.ui.timeline.viewport import Viewport
from gen2studio.ui.timeline.waveforms import WavePainter, rgb32

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_NAME = 112
"""Clips narrower than this show no name."""
MIN_HEAD = 64
"""Clips narrower than this show no picture."""
MANY = 24
"""From so many clips on only the first picture of each is shown."""
_BEFORE = -(1 << 40)
"""A frame before every view: each row begins with a clip there, so that the room before its first clip is its own."""
_KINDS = 4
"""Gap, clip, disabled clip, nested clip."""


class Placed(NamedTuple):
    """A row, where its top lies in the widget, and the slice of its clips in view."""

    row: Row
    top: int
    first: int
    stop: int


class RoughPainter:
    """Draws rows into what the painter's clip is set to."""

    def __init__(
        self, viewport: Viewport, images: RowImages, waves: WavePainter, film: Filmstrip, labels: Labels
    ) -> None:
        self._viewport = viewport
        self._images = images
        self._waves, self._film, self._labels = waves, film, labels
        colour = theme.colour
        edge, tint = rgb32(colour("transition")), colour("transition", 80)
        self._mix_inks = [
            [0, edge, rgb32(over(colour("clip_audio"), tint))],
            [0, edge, rgb32(over(colour("clip_video"), tint))],
        ]
        self._pixels: NDArray[np.uint32] | None = None

    @functools.cached_property
    def _tables(self) -> tuple[NDArray[np.uint32], ...]:
        """RGB32 of top edge, name strip and body at ``code × 4 + kind``; see :func:`_code`."""
        keys = [(bool(code & 1), bool(code & 2)) for code in range(4)]
        return tuple(np.concatenate([self._images.tables[key][part] for key in keys]) for part in range(3))

    def paint(
        self,
        painter: QPainter,
        layout: Layout,
        rows: list[tuple[Row, int]],
        left: int,
        right: int,
        ratio: float,
        paths: dict[str, str],
        nested_ids: frozenset[str],
        lines: list[tuple[int, int]],
    ) -> None:
        """``rows`` with the widget pixels of their tops, between ``left`` and ``right``.

        ``paths`` are the files by media id, ``nested_ids`` the media that are nested timelines, ``lines`` the
        (widget x, RGB32) of marker lines.
        """
        if not rows or layout.sequence is None:
            return
        view, wide = self._viewport, round((right - left) * ratio)
        first, last = view.frame(left - 2), view.frame(right + 2)
        placed = [Placed(row, top, *row.visible(first, last)) for row, top in rows]
        counts = np.array([max(0, p.stop - p.first) + 1 for p in placed])
        base = np.arange(len(placed)).repeat(counts) * wide
        before = np.array([_BEFORE])
        x0 = self._places([part for p in placed for part in (before, p.row.starts[p.first : p.stop])])
        x1 = self._places([part for p in placed for part in (before, p.row.ends[p.first : p.stop])])
        bounds = np.zeros(2 * len(x0) + 2, np.int64)
        bounds[1:-1:2] = self._columns(x0, left, ratio, wide) + base
        bounds[2:-1:2] = self._columns(np.maximum(x1 - 1, x0 + 1), left, ratio, wide) + base
        bounds[-1] = len(placed) * wide
        np.maximum.accumulate(bounds, out=bounds)
        lengths = bounds[1:] - bounds[:-1]
        codes = np.array([_code(p.row) for p in placed], np.uint8).repeat(counts) * np.uint8(_KINDS)
        kinds = np.zeros(len(lengths), np.uint8)
        kinds[1::2] = np.concatenate([_kinds(p, nested_ids) for p in placed]) + codes
        kinds[2::2] = codes
        edges, strips, bodies = (table[kinds].repeat(lengths).reshape(-1, wide) for table in self._tables)
        self._box_mixes(bodies, placed, left, right, ratio)
        if lines:
            columns = self._columns(np.array([x for x, _ in lines]), left, ratio, wide - 1)
            for part in (edges, strips, bodies):
                part[:, columns] = np.array([ink for _, ink in lines], np.uint32)
        sounding = {
            k: n
            for n, k in enumerate(
                k
                for k, p in enumerate(placed)
                if not p.row.is_video and p.row.body >= STRIP + MIN_PICTURE and p.row.clips
            )
        }
        sound = None
        if sounding:
            inside = (kinds % _KINDS != 0).repeat(lengths).reshape(-1, wide)[list(sounding)]
            heard = [placed[k].row for k in sounding]
            highs = [round(row.body * ratio) - round(STRIP * ratio) for row in heard]
            frames = (np.arange(wide, dtype=np.float64) + (0.5 + (left + view.scroll_x) * ratio)) / (view.ppf * ratio)
            rate = float(layout.sequence.rate)
            width = 1.0 / (view.ppf * rate * ratio)
            sound = self._waves.columns(heard, highs, paths, frames, inside, width, rate, rough=True)
        ends = counts.cumsum().tolist()
        broad = x1 - x0 >= MIN_HEAD
        heads = len(x0) - len(placed) >= MANY
        for k, (row, top, i, _) in enumerate(placed):
            strip = STRIP if row.body >= STRIP + MIN_PICTURE else row.body
            seam = round(strip * ratio) if strip < row.body else 0
            pixels = self._room(round(row.body * ratio), wide)
            pixels[:seam] = strips[k]
            pixels[seam:] = bodies[k]
            pixels[: max(1, round(ratio))] = edges[k]
            if sound is not None and k in sounding:
                self._waves.ink(pixels[seam:], sound, sounding[k])
            image = QImage(pixels.data, wide, len(pixels), wide * 4, QImage.Format.Format_RGB32)
            image.setDevicePixelRatio(ratio)
            painter.drawImage(QPoint(left, top), image)
            part = slice(ends[k - 1] + 1 if k else 1, ends[k])
            chosen = broad[part].nonzero()[0].tolist()
            if chosen:
                lefts, rights = x0[part].tolist(), x1[part].tolist()
                stretch = Stretch(row, i, lefts, rights, left, right)
                if row.is_video and seam:
                    self._film.paint(
                        painter, layout, stretch, chosen, top + strip, row.body - strip, ratio, heads=heads
                    )
                named = [n for n in chosen if rights[n] - lefts[n] >= MIN_NAME]
                self._labels.paint_names(painter, stretch, named, top, strip)

    def _places(self, frames: list[Ints]) -> Ints:
        """Widget pixels of frames."""
        return np.rint(np.concatenate(frames) * self._viewport.ppf).astype(np.int64) - self._viewport.scroll_x

    @staticmethod
    def _columns(x: Ints, left: int, ratio: float, wide: int) -> Ints:
        """Device pixels right of ``left``, kept in 0 … ``wide``."""
        x = x - left if ratio == 1 else np.rint((x - left) * ratio).astype(np.int64)
        return np.minimum(np.maximum(x, 0), wide)

    def _room(self, high: int, wide: int) -> NDArray[np.uint32]:
        """One buffer, already paged in, does for all rows: each is drawn before the next is made."""
        if self._pixels is None or self._pixels.size < high * wide:
            self._pixels = np.empty(high * wide, np.uint32)
        return self._pixels[: high * wide].reshape(high, wide)

    def _box_mixes(self, bodies: NDArray[np.uint32], placed: list[Placed], left: int, right: int, ratio: float) -> None:
        """Transitions as boxes with an edge on either side; the narrow ones plain."""
        view, wide = self._viewport, bodies.shape[1]
        first, last = view.frame(left - 4), view.frame(right + 4)
        starts: list[Ints] = []
        stops: list[Ints] = []
        bases: list[Ints] = []
        for k, each in enumerate(placed):
            if each.row.track.transitions:
                heads, tails, _ = each.row.mix_columns
                i, j = int(np.searchsorted(tails, first)), int(np.searchsorted(heads, last, "right"))
                starts.append(heads[i:j])
                stops.append(tails[i:j])
                bases.append(np.full(max(0, j - i), k * wide))
        if not starts:
            return
        heads = self._places(starts)
        tails = np.maximum(self._places(stops), heads + 3)
        base = np.concatenate(bases)
        narrow = tails - heads < MIN_CROSS
        heads, tails = (self._columns(x, left, ratio, wide) + base for x in (heads, tails))
        bounds = np.zeros(4 * len(heads) + 2, np.int64)
        bounds[1:-1:4], bounds[4:-1:4] = heads, tails
        bounds[2:-1:4] = np.where(narrow, tails, heads + 1)
        bounds[3:-1:4] = np.where(narrow, tails, tails - 1)
        bounds[-1] = bodies.size
        np.maximum.accumulate(bounds, out=bounds)
        inks = np.zeros(len(bounds) - 1, np.uint32)
        inks[1::4] = inks[3::4] = self._mix_inks[0][1]
        video = np.array([each.row.is_video for each in placed])[np.minimum(base // wide, len(placed) - 1)]
        inks[2::4] = np.where(video, np.uint32(self._mix_inks[1][2]), np.uint32(self._mix_inks[0][2]))
        boxes = inks.repeat(bounds[1:] - bounds[:-1]).reshape(bodies.shape)
        np.copyto(bodies, boxes, where=boxes != 0)


def _code(row: Row) -> int:
    """Which table of colours a row has: 1 for video, 2 for locked tracks, added up."""
    return row.is_video + 2 * row.track.locked


def _kinds(placed: Placed, nested_ids: frozenset[str]) -> NDArray[np.uint8]:
    """0 for the clip before all, then 1 for clips, 2 for disabled, 3 for nested ones."""
    facts, part = placed.row.facts, slice(placed.first, placed.stop)
    kinds = np.zeros(placed.stop - placed.first + 1 if placed.stop > placed.first else 1, np.uint8)
    kinds[1:] = 2 - facts.enabled[part]
    if nested_ids and not nested_ids.isdisjoint(facts.media_ids):
        codes = [code for code, media_id in enumerate(facts.media_ids) if media_id in nested_ids]
        kinds[1:][np.isin(facts.media[part], codes) & facts.enabled[part]] = 3
    return kinds
