"""Sound at exact sample positions, as float32 stereo."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from gen2studio.core.errors import MediaError
from gen2studio.media.audio_reader_source import AudioSource

_FILTER = 512
"""Source samples fed before the wanted ones: more than swresample's longest filter half, so its start is over."""
_CHUNK = 8192


class AudioReader:
    """Reads one file's best audio stream. Not thread-safe: one reader a thread.

    Position 0 is the time of the first video frame (or of the first sample of an audio-only file), so sound and
    picture of one file share one clock. Outside the sound, and where it can't be decoded, there is silence. Any
    position gives the same samples whether it is reached by reading on or by a jump.
    """

    def __init__(self, path: Path | str, sample_rate: int = 48000) -> None:
        """Raises MediaError when the file can't be read or has no sound that can be decoded."""
        self.sample_rate = sample_rate
        self._source = AudioSource(Path(path))
        divisor = gcd(self._source.rate, sample_rate)
        # Output sample k lies at source position k * rate / sample_rate; both grids meet once every period.
        self._source_period = self._source.rate // divisor
        self._period = sample_rate // divisor
        self._resampler: AudioResampler | None = None
        self._fed = 0
        self._made = 0
        self._ready = np.empty((0, 2), np.float32)

    @property
    def warnings(self) -> list[str]:
        """What went wrong so far, in plain sentences: sound that ends early, damaged packets."""
        return self._source.warnings

    @property
    def duration(self) -> Fraction:
        """Seconds of sound after position 0 that the file promises."""
        return Fraction(self._source.declared_samples, self._source.rate)

    def read(self, start_seconds: Fraction, frames: int) -> NDArray[np.float32]:
        """``frames`` samples from ``start_seconds`` (to the nearest sample): (frames, 2) float32, ±1 nominal."""
        if frames < 0:
            raise MediaError(f"{frames} samples can't be read.", "Ask for 0 or more.")
        start = round(Fraction(start_seconds) * self.sample_rate)
        if self._period == self._source_period:
            return self._source.read(start, frames)
        if self._resampler is None or not self._made <= start <= self._made + len(self._ready) + self.sample_rate:
            self._begin(start)
        while self._made + len(self._ready) < start + frames:
            self._feed()
        offset = start - self._made
        out = self._ready[offset : offset + frames].copy()
        # What was handed out may be asked for again by a small step back: keep a second of it.
        surplus = offset - self.sample_rate
        if surplus > 0:
            self._ready = self._ready[surplus:].copy()
            self._made += surplus
        return out

    def close(self) -> None:
        self._source.close()

    def _begin(self, start: int) -> None:
        """Start a resampler where both sample grids meet, far enough before ``start`` for its filter to settle."""
        before = -(-_FILTER // self._source_period) + 1
        period = start // self._period - before
        self._fed = period * self._source_period
        self._made = period * self._period
        self._ready = np.empty((0, 2), np.float32)
        self._resampler = AudioResampler(format="fltp", layout="stereo", rate=self.sample_rate)

    def _feed(self) -> None:
        assert self._resampler is not None
        samples = self._source.read(self._fed, _CHUNK)
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
        frame.sample_rate = self._source.rate
        frame.pts = None
        self._fed += _CHUNK
        parts = [np.asarray(out.to_ndarray(), np.float32).T for out in self._resampler.resample(frame)]
        self._ready = np.concatenate([self._ready, *parts])
