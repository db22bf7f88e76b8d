"""A look-ahead limiter that is a function of its surroundings: no state, so blocks of any size join."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gen2studio.media.audio_speed import Samples, Signal

if TYPE_CHECKING:
    from numpy.typing import NDArray

CEILING_DB = -1.0
"""dBTP: what ITU-R BS.1770-4 peak meters may read at most."""
_WINDOW_SECONDS = 0.02
_PHASES, REACH = 4, 12
"""Points between two samples at which the true peak is looked for, and taps on each side of each."""


def _phases() -> NDArray[np.float32]:
    """(3, 24) interpolation kernels a quarter, a half and three quarters of a sample on."""
    offsets = np.arange(-REACH + 1, REACH + 1)
    rows: list[NDArray[np.float64]] = []
    for phase in range(1, _PHASES):
        distance = phase / _PHASES - offsets
        rows.append(np.sinc(distance) * (0.5 + 0.5 * np.cos(np.pi * distance / REACH)))
    return np.array([row / row.sum() for row in rows], np.float32)


def true_peaks(sound: Samples) -> NDArray[np.float32]:
    """The largest magnitude at each sample and on the way to its neighbours, over both channels: (n,) float32.

    Four-fold oversampling, as ITU-R BS.1770-4 Annex 2 measures true peak.
    """
    import cv2

    peaks = np.abs(sound).max(axis=1)
    if not len(sound):
        return peaks
    lines = np.ascontiguousarray(sound.T)
    for kernel in _phases():
        # Between each sample and the next: it counts for both.
        between = np.abs(
            cv2.filter2D(lines, -1, kernel[None, :], anchor=(REACH - 1, 0), borderType=cv2.BORDER_CONSTANT)
        ).max(axis=0)
        np.maximum(peaks, between, out=peaks)
        np.maximum(peaks[1:], between[:-1], out=peaks[1:])
    return peaks


class Limiter:
    """Holds a signal's true peak at or below a ceiling.

    The gain that each sample needs is spread by a sliding minimum over 20 ms and smoothed by a Hann window as long: the
    smoothed gain is never above what the loudest sample in reach needs, and it has no corners.
    """

    def __init__(self, source: Signal, sample_rate: int, ceiling_db: float = CEILING_DB) -> None:
        self._source = source
        self._half = max(8, round(_WINDOW_SECONDS * sample_rate / 2))
        # A little below, for what four-fold oversampling and the moving gain may miss.
        self.ceiling = 10 ** ((ceiling_db - 0.1) / 20)
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(2 * self._half + 1) + 0.5) / (2 * self._half + 1))
        self._smooth = hann / hann.sum()
        self._kept: tuple[int, Samples] | None = None

    def forget(self) -> None:
        """The source changed."""
        self._kept = None

    def read(self, first: int, count: int) -> Samples:
        """(count, 2) limited samples from ``first`` on."""
        reach = 2 * self._half + REACH
        sound = self._read(first - reach, count + 2 * reach)
        wanted = sound[reach : reach + count]
        peaks = true_peaks(sound)
        if peaks.max(initial=0.0) <= self.ceiling:
            return wanted.copy()
        need = np.minimum(1.0, self.ceiling / np.maximum(peaks, 1e-9)).astype(np.float64)
        width = 2 * self._half + 1
        low = _sliding_minimum(need, width)
        gain = np.convolve(low, self._smooth, "valid")
        start = reach - 2 * self._half
        return (wanted * gain[start : start + count, None]).astype(np.float32)

    def _read(self, first: int, count: int) -> Samples:
        """The source; what overlaps the read before is not asked for again."""
        kept = self._kept
        if kept is not None and kept[0] <= first < kept[0] + len(kept[1]) < first + count:
            have = kept[1][first - kept[0] :]
            sound = np.concatenate([have, self._source(first + len(have), count - len(have))])
        else:
            sound = self._source(first, count)
        self._kept = (first, sound)
        return sound


def _sliding_minimum(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Minimum over ``width`` neighbours, (n − width + 1,): van Herk's algorithm in blocks."""
    count = len(values) - width + 1
    padded = np.concatenate([values, np.ones(-len(values) % width)])
    blocks = padded.reshape(-1, width)
    ahead = np.minimum.accumulate(blocks, axis=1).ravel()
    behind = np.minimum.accumulate(blocks[:, ::-1], axis=1)[:, ::-1].ravel()
    return np.minimum(behind[:count], ahead[width - 1 : width - 1 + count])
