"""Waveform peaks: 100 minima and maxima a second and a pyramid above them, cached on disk."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gen2studio.core import paths
from gen2studio.core.errors import MediaError
from gen2studio.core.hashing import file_fingerprint
from gen2studio.media.audio_reader_source import AudioSource, best_audio
from gen2studio.media.probe_container import open_container

RATE = 100
"""Bins a second."""
_SECONDS = 16
_VERSION = 1


class Peaks:
    """Peaks of one file. Position 0 is the first video frame (or the first sample of an audio-only file)."""

    rate: int = RATE
    """Bins a second."""

    def __init__(self, bins: NDArray[np.int8]) -> None:
        """``bins``: (n, 2) int8 minimum and maximum (±127 = full scale) of each 1/100 s."""
        self._levels: list[NDArray[np.int8]] = [bins]
        while len(self._levels[-1]) > 1:
            level = self._levels[-1]
            if len(level) % 2:
                level = np.concatenate([level, level[-1:]])
            pairs = level.reshape(-1, 2, 2)
            self._levels.append(np.stack([pairs[:, :, 0].min(axis=1), pairs[:, :, 1].max(axis=1)], axis=1))

    @property
    def bins(self) -> NDArray[np.int8]:
        """(n, 2) int8, the finest level."""
        return self._levels[0]

    @property
    def duration(self) -> Fraction:
        """Seconds covered."""
        return Fraction(len(self.bins), RATE)

    def window(self, start_s: float, stop_s: float, columns: int) -> NDArray[np.int8]:
        """(columns, 2) int8: minimum and maximum of each column between two times; 0, 0 outside the sound."""
        out = np.zeros((max(0, columns), 2), np.int8)
        if columns < 1 or stop_s <= start_s or not len(self.bins):
            return out
        per_column = (stop_s - start_s) * RATE / columns
        level = 0
        # A column ends inside a bin: with 16 bins a column that blurs it by a sixteenth at most.
        while per_column / 2 ** (level + 1) >= 16 and level + 1 < len(self._levels):
            level += 1
        data = self._levels[level]
        edges = (start_s * RATE + per_column * np.arange(columns + 1)) / 2**level
        first = np.floor(edges[:-1]).astype(np.int64)
        last = np.maximum(first + 1, np.ceil(edges[1:] - 1e-9).astype(np.int64))
        inside = (last > 0) & (first < len(data))
        low, high = np.clip(first[inside], 0, len(data) - 1), np.clip(last[inside], 1, len(data))
        if len(low):
            padded = np.concatenate([data, data[-1:]])
            bounds = np.stack([low, np.maximum(high, low + 1)], axis=1).ravel()
            out[inside, 0] = np.minimum.reduceat(padded[:, 0], bounds)[::2]
            out[inside, 1] = np.maximum.reduceat(padded[:, 1], bounds)[::2]
        return out


def peaks_of(path: Path | str) -> Peaks:
    """The peaks of a file's best audio stream, from the disk cache or computed now (slow: never on the UI thread).

    30 minutes take about 4 s of one core the first time. Raises MediaError when the file can't be read; a file
    without sound gives empty peaks.
    """
    path = Path(path)
    try:
        file = paths.cache_dir("peaks") / f"{file_fingerprint(path)}_v{_VERSION}.npy"
    except OSError as error:
        raise MediaError(f"“{path.name}” is not there.", "Check the path or relink the media.") from error
    bins = _load(file)
    if bins is None:
        bins = _measure(path)
        _save(file, bins)
    return Peaks(bins)


def _measure(path: Path) -> NDArray[np.int8]:
    with open_container(path) as container:
        if best_audio(container) is None:
            return np.empty((0, 2), np.int8)
    source = AudioSource(path)
    try:
        total = source.declared_samples
        parts: list[NDArray[np.int8]] = []
        for second in range(0, -(-total // source.rate), _SECONDS):
            start = second * source.rate
            samples = source.read(start, min(_SECONDS * source.rate, total - start))
            bins = -(-len(samples) * RATE // source.rate)
            edges = np.arange(bins) * source.rate // RATE
            low = np.minimum.reduceat(samples, edges, axis=0).min(axis=1)
            high = np.maximum.reduceat(samples, edges, axis=0).max(axis=1)
            parts.append(np.rint(np.clip(np.stack([low, high], axis=1), -1, 1) * 127).astype(np.int8))
        return np.concatenate(parts) if parts else np.empty((0, 2), np.int8)
    finally:
        source.close()


def _load(file: Path) -> NDArray[np.int8] | None:
    try:
        bins = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return bins if bins.ndim == 2 and bins.shape[1] == 2 and bins.dtype == np.int8 else None


def _save(file: Path, bins: NDArray[np.int8]) -> None:
    buffer = io.BytesIO()
    np.save(buffer, bins)
    try:
        paths.write_atomic(file, buffer.getvalue())
    except OSError:
        # A full or read-only cache costs a second measurement next time, nothing else.
        return
