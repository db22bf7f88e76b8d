"""Waveforms: one image per track, looked up column by column in a pyramid of peaks per file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor

from gen2studio.media import codecs
from gen2studio.ui.timeline.feeds import Feed
from gen2studio.ui.timeline.layout import Row

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOUDNESS = 0.6
"""Exponent of the drawn amplitude: quiet speech is seen beside loud music (Stevens' power law of loudness)."""


class WavePyramid:
    """Minima and maxima of one file, halved again and again: any zoom reads one entry a column."""

    def __init__(self, peaks: NDArray[np.int8], rate: float) -> None:
        """``peaks`` is (N, 2) int8 with ``rate`` entries a second."""
        self.rate = rate
        self.levels: list[NDArray[np.int8]] = [np.ascontiguousarray(peaks)]
        while len(self.levels[-1]) > 1:
            last = self.levels[-1]
            if len(last) % 2:
                last = np.concatenate([last, last[-1:]])
            pairs = last.reshape(-1, 2, 2)
            self.levels.append(np.stack([pairs[:, :, 0].min(1), pairs[:, :, 1].max(1)], 1))

    def columns(self, seconds: NDArray[np.float64], width: float) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Minimum and maximum around each of ``seconds``; ``width`` is the seconds one column covers."""
        level = int(np.clip(np.round(np.log2(max(width * self.rate, 1e-9))), 0, len(self.levels) - 1))
        data = self.levels[level]
        index = (seconds * (self.rate / (1 << level))).astype(np.int64)
        inside = (index >= 0) & (index < len(data))
        index = np.clip(index, 0, len(data) - 1)
        return np.where(inside, data[index, 0], 0), np.where(inside, data[index, 1], 0)


def read_pyramid(path: str) -> WavePyramid:
    """The peaks of a file; slow the first time. For the feed's thread."""
    codecs.load()
    from gen2studio.media.peaks import peaks_of

    peaks = peaks_of(Path(path))
    seconds = float(peaks.duration)
    count = max(1, int(seconds * peaks.rate))
    return WavePyramid(peaks.window(0.0, count / peaks.rate, count), float(peaks.rate))


class Waveforms(QObject):
    """Peaks of the files on the timeline, by path."""

    arrived = Signal(str)
    """Path of a file whose waveform can be drawn now."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._feed = Feed("timeline-waveforms", read_pyramid, parent=self)
        self._feed.made.connect(self._on_made)
        self._known: dict[str, WavePyramid | None] = {}

    def get(self, path: str) -> WavePyramid | None:
        """The pyramid, or None while it is made (``arrived`` follows) or when there is none."""
        if path not in self._known:
            self._known[path] = None
            self._feed.wish((path,))
        return self._known[path]

    def put(self, path: str, pyramid: WavePyramid) -> None:
        """Give a pyramid that was made elsewhere."""
        self._known[path] = pyramid
        self.arrived.emit(path)

    def forget(self) -> None:
        self._known.clear()

    def stop(self) -> None:
        self._feed.stop()

    def _on_made(self, key: tuple[str], pyramid: WavePyramid | None) -> None:
        if pyramid is not None:
            self.put(key[0], pyramid)


class WavePainter:
    """Draws the sound of all visible clips of a track at once."""

    def __init__(self, waveforms: Waveforms, ink: int, faint: int) -> None:
        """``ink`` and ``faint`` (disabled clips) are RGB32."""
        self._waveforms = waveforms
        self._ink = ink
        self._faint = faint

    def draw(
        self,
        pixels: NDArray[np.uint32],
        row: Row,
        paths: dict[str, str],
        frames: NDArray[np.float64],
        inside: NDArray[np.bool_],
        width: float,
        rate: float,
    ) -> None:
        """Draw into ``pixels`` (H, W) RGB32. Column c shows sequence frame ``frames[c]`` and lies in a clip where
        ``inside[c]``; ``width`` is the seconds a column covers, ``rate`` the frames a second, ``paths`` the files by
        media id."""
        if not inside.any():
            return
        high, wide = pixels.shape
        clip = np.clip(np.searchsorted(row.starts, frames, "right") - 1, 0, len(row.clips) - 1)
        facts = row.facts
        along = frames - row.starts[clip]
        seconds = facts.source_in[clip] + facts.turn[clip] / rate + along / rate * facts.pace[clip]
        low = np.zeros(wide, np.float32)
        top = np.zeros(wide, np.float32)
        known = np.zeros(wide, bool)
        inside = inside & (facts.pace[clip] != 0)
        media = facts.media[clip]
        for code in np.flatnonzero(np.bincount(media[inside])).tolist():
            path = paths.get(facts.media_ids[code])
            pyramid = self._waveforms.get(path) if path else None
            if pyramid is not None:
                here = inside & (media == code)
                low[here], top[here] = pyramid.columns(seconds[here], width)
                known |= here
        if not known.any():
            return
        gain = (10.0 ** (facts.gain[clip] / 20.0) / 128.0).astype(np.float32)
        if facts.any_fades:
            rest = row.durations[clip] - along
            fade_in, fade_out = np.maximum(facts.fade_in[clip], 1e-6), np.maximum(facts.fade_out[clip], 1e-6)
            # Power rises evenly over a fade.
            gain *= np.sqrt(np.clip(np.minimum(along / fade_in, rest / fade_out), 0.0, 1.0)).astype(np.float32)
        middle = np.float32((high - 1) / 2)
        room = middle - np.float32(1)
        upper = middle - np.minimum(np.abs(top * gain) ** LOUDNESS, 1) * room - np.float32(0.5)
        lower = middle + np.minimum(np.abs(low * gain) ** LOUDNESS, 1) * room + np.float32(0.5)
        # One unsigned comparison a pixel: rows above the first one wrap round to huge numbers.
        first = np.ceil(upper).astype(np.int16)
        span = (np.floor(lower) - first).astype(np.uint16)
        first[~known], span[~known] = high + 1, 0
        drawn = (np.arange(high, dtype=np.int16)[:, None] - first).view(np.uint16) <= span
        if facts.all_enabled:
            np.copyto(pixels, np.uint32(self._ink), where=drawn)
        else:
            ink = np.where(facts.enabled[clip], np.uint32(self._ink), np.uint32(self._faint))
            np.copyto(pixels, ink[None, :], where=drawn)


def rgb32(colour: QColor) -> int:
    """An opaque colour as a pixel of QImage.Format_RGB32."""
    return colour.rgba() | 0xFF000000
