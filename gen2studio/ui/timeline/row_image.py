"""The image of a whole row: bodies, name strips and sound. Its cost is that of its pixels, not of its clips."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QColor, QImage

from gen2studio.ui import theme
from gen2studio.ui.timeline.layout import Ints, Layout, Row
from gen2studio.ui.timeline.viewport import Viewport
from gen2studio.ui.timeline.waveforms import WavePainter, rgb32

if TYPE_CHECKING:
    from numpy.typing import NDArray


class RowImages:
    """Makes the images; they share one buffer, so that each must be drawn before the next is made."""

    def __init__(self, viewport: Viewport, waves: WavePainter) -> None:
        self._viewport = viewport
        self._waves = waves
        colour = theme.colour
        shade = colour("background", 96)
        off = _inks(colour("line_strong"), colour("raised"), shade)
        on = {
            True: _inks(colour("clip_video_edge"), colour("clip_video"), shade),
            False: _inks(colour("clip_audio_edge"), colour("clip_audio"), shade),
        }
        inner = _inks(colour("clip_nested_edge"), colour("clip_nested"), shade)
        ground = {True: rgb32(colour("background")), False: rgb32(colour("track"))}
        self._inks = {
            (video, locked): [[ground[locked], on[video][k], off[k], inner[k]] for k in range(3)]
            for video in (True, False)
            for locked in (True, False)
        }
        self._pixels: NDArray[np.uint32] | None = None

    @functools.cached_property
    def tables(self) -> dict[tuple[bool, bool], tuple[NDArray[np.uint32], ...]]:
        """By (video?, locked?): RGB32 of [gap, clip, disabled clip, nested clip] for top edge, name strip and body."""
        return {key: tuple(np.array(table, np.uint32) for table in inks) for key, inks in self._inks.items()}

    def make(
        self,
        layout: Layout,
        row: Row,
        i: int,
        x0: Ints,
        x1: Ints,
        strip: int,
        left: int,
        right: int,
        ratio: float,
        paths: dict[str, str],
        nested_ids: frozenset[str],
    ) -> QImage:
        """The clips from ``i`` on, which lie from ``x0`` to ``x1`` (widget pixels), between ``left`` and ``right``;
        ``strip`` pixels are for names."""
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
        facts = row.facts
        kinds[1::2] = 2 - facts.enabled[i : i + len(x0)]
        if nested_ids and not nested_ids.isdisjoint(facts.media_ids):
            codes = [code for code, media_id in enumerate(facts.media_ids) if media_id in nested_ids]
            nested = np.isin(facts.media[i : i + len(x0)], codes) & facts.enabled[i : i + len(x0)]
            kinds[1::2][nested] = 3
        columns = kinds.repeat(bounds[1:] - bounds[:-1])
        edge, top, body = self.tables[row.is_video, row.track.locked]
        if self._pixels is None or self._pixels.size < high * wide:
            self._pixels = np.empty(high * wide, np.uint32)
        pixels = self._pixels[: high * wide].reshape(high, wide)
        seam = round(strip * ratio) if strip < row.body else 0
        if seam:
            pixels[:seam] = top[columns]
        pixels[seam:] = body[columns]
        if seam and not row.is_video and layout.sequence is not None:
            view = self._viewport
            frames = (np.arange(wide, dtype=np.float64) + (0.5 + (left + view.scroll_x) * ratio)) / (view.ppf * ratio)
            rate = float(layout.sequence.rate)
            width = 1.0 / (view.ppf * rate * ratio)
            self._waves.draw(pixels[seam:], row, paths, frames, columns != 0, width, rate)
        pixels[: max(1, round(ratio))] = edge[columns]
        image = QImage(pixels.data, wide, high, wide * 4, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(ratio)
        return image


def over(under: QColor, ink: QColor) -> QColor:
    """``under`` beneath the half-transparent ``ink``."""
    part = ink.alphaF()
    upper, lower = (ink.red(), ink.green(), ink.blue()), (under.red(), under.green(), under.blue())
    return QColor(*(round(u * part + v * (1 - part)) for u, v in zip(upper, lower, strict=True)))


def _inks(edge: QColor, body: QColor, shade: QColor) -> tuple[int, int, int]:
    """(edge, name strip, body) as RGB32."""
    return rgb32(edge), rgb32(over(body, shade)), rgb32(body)
