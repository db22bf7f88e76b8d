"""Waveforms: one image per track, looked up column by column in a pyramid of peaks per file."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor

from gen2studio.media import codecs
from gen2studio.ui.timeline.feeds import Feed
from gen2studio.ui.timeline.layout import Ints, Row

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOUDNESS = 0.6
"""Exponent of the drawn amplitude: quiet speech is seen beside loud music (Stevens' power law of loudness)."""
SHEET, SHEETS = 1_000_000, 32
"""Entries put together for one row at most; rows' sheets kept."""


@functools.cache
def _heights_by_byte() -> NDArray[np.float32]:
    """Drawn height of a peak, 0 … 1, by its byte."""
    peaks = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float32)
    return np.power(np.abs(peaks) / np.float32(128), np.float32(LOUDNESS)).astype(np.float32)


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

    def level(self, width: float) -> int:
        """Which of ``levels`` has an entry about every ``width`` seconds."""
        return min(max(round(math.log2(max(width * self.rate, 1e-9))), 0), len(self.levels) - 1)

    def columns(self, seconds: NDArray[np.float64], width: float) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Minimum and maximum around each of ``seconds``; ``width`` is the seconds one column covers."""
        level = self.level(width)
        data = self.levels[level]
        index = (seconds * (self.rate / (1 << level))).astype(np.int64)
        inside = (index >= 0) & (index < len(data))
        index = np.clip(index, 0, len(data) - 1)
        return np.where(inside, data[index, 0], 0), np.where(inside, data[index, 1], 0)


class Sheet(NamedTuple):
    """Peaks of several files at one zoom, one after the other: one look-up serves all clips of a row."""

    peaks: NDArray[np.uint8]
    """(N, 2) the bytes of minimum and maximum; the last entry is silence."""
    rates: NDArray[np.float64]
    """Entries a second, by file."""
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    known: NDArray[np.bool_]
    """Whether a file's peaks are there."""


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
        self._sheets: dict[tuple[tuple[str, ...], tuple[int, ...]], Sheet] = {}
        self._latest: dict[tuple[str, ...], tuple[float, Sheet | None]] = {}
        """What was asked for last: tracks with the same files ask one after the other."""

    def get(self, path: str) -> WavePyramid | None:
        """The pyramid, or None while it is made (``arrived`` follows) or when there is none."""
        if path not in self._known:
            self._known[path] = None
            self._feed.wish((path,))
        return self._known[path]

    def put(self, path: str, pyramid: WavePyramid) -> None:
        """Give a pyramid that was made elsewhere."""
        self._known[path] = pyramid
        self._sheets.clear()
        self._latest.clear()
        self.arrived.emit(path)

    def sheet(self, paths: tuple[str, ...], width: float) -> Sheet | None:
        """What ``paths`` look like where a column covers ``width`` seconds; None without any, or when they are so long
        that putting them together would take longer than it saves. An empty path stands for silence."""
        latest = self._latest.get(paths)
        if latest is not None and latest[0] == width:
            return latest[1]
        found = self._sheet(paths, width)
        if len(self._latest) >= SHEETS:
            self._latest.clear()
        self._latest[paths] = width, found
        return found

    def _sheet(self, paths: tuple[str, ...], width: float) -> Sheet | None:
        pyramids = [self.get(path) if path else None for path in paths]
        if not any(pyramids):
            return None
        levels = tuple(each.level(width) if each is not None else -1 for each in pyramids)
        known = self._sheets.get((paths, levels))
        if known is None:
            silence = np.zeros((1, 2), np.int8)
            parts = [p.levels[k] if p is not None else silence[:0] for p, k in zip(pyramids, levels, strict=True)]
            if sum(map(len, parts)) > SHEET:
                return None
            if len(self._sheets) >= SHEETS:
                self._sheets.pop(next(iter(self._sheets)))
            counts = np.array([len(part) for part in parts], np.int64)
            rates = [p.rate / (1 << k) if p is not None else 0.0 for p, k in zip(pyramids, levels, strict=True)]
            known = self._sheets[paths, levels] = Sheet(
                np.concatenate([*parts, silence]).view(np.uint8),
                np.array(rates),
                counts.cumsum() - counts,
                counts,
                np.array([p is not None for p in pyramids]),
            )
        return known

    def forget(self) -> None:
        self._known.clear()
        self._sheets.clear()
        self._latest.clear()

    def stop(self) -> None:
        self._feed.stop()

    def _on_made(self, key: tuple[str], pyramid: WavePyramid | None) -> None:
        if pyramid is not None:
            self.put(key[0], pyramid)


class Sound(NamedTuple):
    """The sound of some rows worked out, one line of the arrays for each: see :meth:`WavePainter.columns`."""

    first: NDArray[np.int16]
    """Topmost row of pixels of a column's bar."""
    span: NDArray[np.uint16]
    """Pixels from there to its last row."""
    enabled: NDArray[np.bool_] | None
    """Whether a column shows an enabled clip; None when all do."""
    rough: bool


class WavePainter:
    """Draws the sound of all visible clips of a track at once, and of several tracks worked out together."""

    def __init__(self, waveforms: Waveforms, ink: int, faint: int) -> None:
        """``ink`` and ``faint`` (disabled clips) are RGB32."""
        self._waveforms = waveforms
        self._ink = ink
        self._faint = faint

    def draw(
        self,
        pixels: NDArray[np.unsignedinteger[Any]],
        row: Row,
        paths: dict[str, str],
        frames: NDArray[np.float64],
        inside: NDArray[np.bool_],
        width: float,
        rate: float,
    ) -> None:
        """Draw into ``pixels`` (H, W) RGB32: one row of :meth:`columns`."""
        if inside.any():
            self.ink(pixels, self.columns([row], [len(pixels)], paths, frames, inside[None], width, rate), 0)

    def columns(
        self,
        rows: list[Row],
        highs: list[int],
        paths: dict[str, str],
        frames: NDArray[np.float64],
        inside: NDArray[np.bool_],
        width: float,
        rate: float,
        rough: bool = False,
    ) -> Sound:
        """The bars of ``rows``, which are ``highs`` pixels high. Column c shows sequence frame ``frames[c]`` and lies
        in a clip where ``inside[row, c]``; ``width`` is the seconds a column covers, ``rate`` the frames a second,
        ``paths`` the files by media id. ``rough``: every second column, twice as wide."""
        if rough:
            stop = inside.shape[1] // 2 * 2
            frames, width, inside = frames[:stop:2], width * 2, inside[:, :stop:2] & inside[:, 1:stop:2]
        facts = [row.facts for row in rows]
        # Clips of all rows in one list.
        offsets = np.cumsum([0] + [len(row.starts) for row in rows])
        at = [np.maximum(np.searchsorted(row.starts, frames, "right") - 1, 0) for row in rows]
        clip = np.stack(at) + offsets[:-1, None]
        pace = _joined([each.pace for each in facts])[clip]
        along = frames - _joined([row.starts for row in rows])[clip]
        heads = _joined([each.source_in for each in facts]) + _joined([each.turn for each in facts]) / rate
        seconds = heads[clip] + along * (pace / rate)
        low, top, known = self._heights(rows, paths, clip, seconds, width)
        known = known & inside & (pace != 0)
        gain = (10.0 ** (_joined([each.gain for each in facts]) * (LOUDNESS / 20.0))).astype(np.float32)[clip]
        if any(each.any_fades for each in facts):
            fade_in = np.maximum(_joined([each.fade_in for each in facts]), 1e-6)[clip]
            fade_out = np.maximum(_joined([each.fade_out for each in facts]), 1e-6)[clip]
            durations = _joined([row.durations for row in rows])[clip]
            part = np.minimum(along / fade_in, (durations - along) / fade_out)
            fading = (part < 1.0).nonzero()
            # Power rises evenly over a fade.
            gain[fading] *= np.maximum(part[fading], 0.0).astype(np.float32) ** np.float32(LOUDNESS / 2)
        high = np.array(highs, np.float32)[:, None]
        middle = (high - np.float32(1)) / np.float32(2)
        room = middle - np.float32(1)
        upper = middle - np.minimum(top * gain, 1) * room - np.float32(0.5)
        lower = middle + np.minimum(low * gain, 1) * room + np.float32(0.5)
        first = np.ceil(upper).astype(np.int16)
        span = (np.floor(lower) - first).astype(np.uint16)
        silent = ~known
        first[silent], span[silent] = max(highs) + 1, 0
        enabled = None
        if not all(each.all_enabled for each in facts):
            enabled = _joined([each.enabled for each in facts])[clip]
        return Sound(first, span, enabled, rough)

    def ink(self, pixels: NDArray[np.unsignedinteger[Any]], sound: Sound, k: int) -> None:
        """Draw row ``k`` of ``sound`` into ``pixels`` (H, W) RGB32."""
        if sound.rough:
            # Two pixels are one number of twice the size.
            pixels = pixels[:, : pixels.shape[1] // 2 * 2].view(np.uint64)
        # One unsigned comparison a pixel: rows above the first one wrap round to huge numbers.
        drawn = (np.arange(len(pixels), dtype=np.int16)[:, None] - sound.first[k]).view(np.uint16) <= sound.span[k]
        ink, faint = (_pair(each) if sound.rough else np.uint32(each) for each in (self._ink, self._faint))
        if sound.enabled is None:
            np.copyto(pixels, ink, where=drawn)
        else:
            np.copyto(pixels, np.where(sound.enabled[k], ink, faint)[None, :], where=drawn)

    def _heights(
        self, rows: list[Row], paths: dict[str, str], clip: Ints, seconds: NDArray[np.float64], width: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """(height below the middle, above it, whether known) of columns that show ``seconds`` of ``clip``."""
        files: dict[str, int] = {}
        codes = [[files.setdefault(paths.get(key, ""), len(files)) for key in row.facts.media_ids] for row in rows]
        own = [np.array(each, np.int64)[row.facts.media] for each, row in zip(codes, rows, strict=True)]
        media = _joined(own)[clip]
        sheet = self._waveforms.sheet(tuple(files), width)
        if sheet is not None:
            index = (seconds * sheet.rates[media]).astype(np.int64)
            good = (index >= 0) & (index < sheet.counts[media])
            index = np.where(good, index + sheet.starts[media], len(sheet.peaks) - 1)
            heights = _heights_by_byte()[sheet.peaks[index]]
            return heights[..., 0], heights[..., 1], sheet.known[media]
        low, top = np.zeros(clip.shape, np.float32), np.zeros(clip.shape, np.float32)
        known = np.zeros(clip.shape, bool)
        for path, code in files.items():
            pyramid = self._waveforms.get(path) if path else None
            here = media == code
            if pyramid is not None and here.any():
                least, most = pyramid.columns(seconds[here], width)
                heights = _heights_by_byte()
                low[here], top[here] = heights[least.view(np.uint8)], heights[most.view(np.uint8)]
                known |= here
        return low, top, known


def _joined(columns: list[NDArray[Any]]) -> NDArray[Any]:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _pair(ink: int) -> np.uint64:
    """Two pixels of an RGB32 colour."""
    return np.uint64(ink << 32 | ink)


def rgb32(colour: QColor) -> int:
    """An opaque colour as a pixel of QImage.Format_RGB32."""
    return colour.rgba() | 0xFF000000
