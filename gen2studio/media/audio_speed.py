"""Sound at another speed: resampled as on a tape, or stretched with its pitch kept. Both are addressed by exact sample.

Neither depends on how it is read: any block at any time gives the samples that one long read would give.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Samples: TypeAlias = "NDArray[np.float32]"
"""(n, 2) float32 stereo, −1…1 nominal."""
Signal = Callable[[int, int], Samples]
"""``signal(first, count)``: samples of a source, silence where it has none."""

_TAPS = 12
"""Zero crossings of the resampling kernel on each side."""


def resampled(source: Signal, start: float, step: float, count: int) -> Samples:
    """``count`` samples at positions ``start + k·step`` of a signal.

    Band-limited interpolation with a Hann-windowed sinc (J. O. Smith, "Digital Audio Resampling", 2002); for
    ``step`` > 1 the kernel is widened, so that what would alias is filtered out. Stateless: blocks join seamlessly.
    """
    stretch = max(1.0, step)
    reach = ceil(_TAPS * stretch)
    positions = start + np.arange(count, dtype=np.float64) * step
    first = int(np.floor(positions[0])) - reach
    length = int(np.floor(positions[-1])) + reach + 2 - first
    signal = source(first, length)
    base = np.floor(positions).astype(np.int64)
    offsets = np.arange(-reach, reach + 1)
    distance = (positions[:, None] - (base[:, None] + offsets[None, :])) / stretch
    window = np.where(np.abs(distance) < _TAPS, 0.5 + 0.5 * np.cos(np.pi * distance / _TAPS), 0.0)
    kernel = (np.sinc(distance) * window / stretch).astype(np.float32)
    gathered = signal[base[:, None] - first + offsets[None, :]]
    return np.einsum("kt,ktc->kc", kernel, gathered, optimize=True).astype(np.float32)


class Stretched:
    """A signal at another tempo with its pitch kept: output sample n stands for source position n · ``speed``.

    Waveform-similarity overlap-add (Verhelst and Roelands, "An overlap-add technique based on waveform similarity
    (WSOLA) for high quality time-scale modification of speech", ICASSP 1993): frames of 30 ms, half overlapping, each
    moved by up to 12 ms to where it continues the one before best. The search hears both channels as one, so that the
    stereo image stays.

    WSOLA depends on all that came before. Here it begins anew every few seconds of output, and neighbouring stretches
    overlap for a third of a second, in which they are joined where they agree best: so any place can be computed
    without the beginning, and is the same however it was reached. The last stretches are kept.
    """

    def __init__(self, source: Signal, speed: Fraction, sample_rate: int) -> None:
        """``speed`` > 0: source seconds per second of output."""
        self._source = source
        self._speed = speed
        self._hop = max(16, round(0.015 * sample_rate))
        self._reach = round(0.012 * sample_rate)
        hops = max(32, min(256, round(256 / max(1.0, float(speed)))))
        self._length = hops * self._hop
        self._zone = 24 * self._hop
        frame = 2 * self._hop
        self._window = (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(frame) + 0.5) / frame)).astype(np.float32)[:, None]
        self._rows: OrderedDict[int, Samples] = OrderedDict()
        self._pieces: OrderedDict[int, Samples] = OrderedDict()

    def read(self, first: int, count: int) -> Samples:
        """(count, 2) output samples from ``first`` on."""
        parts: list[Samples] = []
        at, stop = first, first + count
        while at < stop:
            number = at // self._length
            begin = number * self._length
            until = min(stop, begin + self._length)
            parts.append(self._piece(number)[at - begin : until - begin])
            at = until
        return np.concatenate(parts) if parts else np.zeros((0, 2), np.float32)

    def _piece(self, number: int) -> Samples:
        """Output [number, number + 1) · length, its head joined to the stretch before."""
        found = self._pieces.get(number)
        if found is None:
            before, own = self._row(number - 1), self._row(number)
            found = own[: self._length].copy()
            tail, head = before[self._length :], own[: self._zone]
            place = _best_join(tail, head, self._hop)
            ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(self._hop) + 0.5) / self._hop)).astype(np.float32)[:, None]
            found[:place] = tail[:place]
            span = slice(place, place + self._hop)
            found[span] = tail[span] * (1 - ramp) + head[span] * ramp
            self._pieces[number] = found
            while len(self._pieces) > 4:
                self._pieces.popitem(last=False)
        return found

    def _row(self, number: int) -> Samples:
        """One stretch from its own beginning, with the overlap behind it."""
        found = self._rows.get(number)
        if found is None:
            found = self._rows[number] = self._stretch(number * self._length)
            while len(self._rows) > 3:
                self._rows.popitem(last=False)
        return found

    def _stretch(self, start: int) -> Samples:
        hop, frame, reach = self._hop, 2 * self._hop, self._reach
        total = self._length + self._zone
        count = total // hop + 1
        nominal = [round((start + (k - 1) * hop) * self._speed) for k in range(count)]
        low = nominal[0] - reach
        signal = self._source(low, nominal[-1] + frame + hop + reach - low)
        out = np.zeros((total + frame, 2), np.float32)
        if not signal.any():
            return out[:total]
        mono = signal.sum(axis=1).astype(np.float64)
        power = np.concatenate([[0.0], np.cumsum(mono * mono)])
        size = 1 << (frame + 2 * reach).bit_length()
        place = nominal[0] - low
        for k in range(count):
            if k:
                wanted = mono[place + hop : place + hop + frame]
                middle = nominal[k] - low
                place = middle + _offset(wanted, mono, power, middle, reach, size)
            out[k * hop : k * hop + frame] += signal[place : place + frame] * self._window
        # Frame 0 lies half before the start.
        return out[hop : hop + total]


def _offset(
    wanted: NDArray[np.float64],
    mono: NDArray[np.float64],
    power: NDArray[np.float64],
    middle: int,
    reach: int,
    size: int,
) -> int:
    """How far from ``middle`` (−reach…reach) the signal goes on like ``wanted``, by normalised cross-correlation."""
    frame = len(wanted)
    region = mono[middle - reach : middle + reach + frame]
    if not region.any() or not wanted.any():
        return 0
    spectrum = np.fft.rfft(region, size) * np.conj(np.fft.rfft(wanted, size))
    match = np.fft.irfft(spectrum, size)[: 2 * reach + 1]
    first = middle - reach
    energy = power[first + frame : first + frame + 2 * reach + 1] - power[first : first + 2 * reach + 1]
    score = match / np.sqrt(np.maximum(energy, 1e-9))
    best = int(np.argmax(score))
    # Where moving gains nothing the place itself is best.
    return best - reach if score[best] > score[reach] * (1 + 1e-6) + 1e-12 else 0


def _best_join(tail: Samples, head: Samples, width: int) -> int:
    """Where in their overlap two stretches differ least over ``width`` samples, against their loudness there."""
    left, right = tail.sum(axis=1).astype(np.float64), head.sum(axis=1).astype(np.float64)
    apart = np.concatenate([[0.0], np.cumsum((left - right) ** 2)])
    loud = np.concatenate([[0.0], np.cumsum(left**2 + right**2)])
    cost = (apart[width:] - apart[:-width]) / (loud[width:] - loud[:-width] + 1e-9)
    return int(np.argmin(cost))
