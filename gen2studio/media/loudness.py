"""Loudness as broadcasters measure it: EBU R 128 (ITU-R BS.1770-4) by FFmpeg's ``ebur128``, true peak oversampled."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import inf, log10
from typing import TYPE_CHECKING

import numpy as np

from gen2studio.core.records import dataclass
from gen2studio.media import codecs
from gen2studio.media.audio_limiter import REACH, true_peaks
from gen2studio.media.audio_speed import Samples

if TYPE_CHECKING:
    from av.filter import Graph

SILENT_LUFS = -70.0
"""The absolute gate of BS.1770: at and below it there is nothing to measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """What a programme measures. LUFS are absolute, dBTP against full scale."""

    integrated: float = -inf
    """LUFS over all of it, gated; −inf when it is silent."""
    short_term: float = -inf
    """LUFS of the loudest three seconds."""
    momentary: float = -inf
    """LUFS of the loudest 400 ms."""
    span: float = 0.0
    """Loudness range in LU (EBU Tech 3342)."""
    true_peak: float = -inf
    """dBTP."""


class LoudnessMeter:
    """Measures a signal that is fed in blocks of any size. One thread at a time."""

    def __init__(self, sample_rate: int) -> None:
        codecs.load()
        self._rate = sample_rate
        self._graph = _graph(sample_rate)
        self._fed = 0
        self._peak = 0.0
        self._tail = np.zeros((2 * REACH, 2), np.float32)
        self._integrated = self._short = self._momentary = -inf
        self._span = 0.0

    def feed(self, samples: Samples) -> None:
        """Append (n, 2) float32 samples."""
        from av.audio.frame import AudioFrame

        if not len(samples):
            return
        # Crests between two blocks are looked for as well, and none where a block is merely cut off.
        joined = np.concatenate([self._tail, samples])
        inner = true_peaks(joined)[REACH:-REACH].max(initial=0.0)
        self._peak = max(self._peak, float(inner), float(np.abs(samples).max()))
        self._tail = joined[-2 * REACH :].copy()
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._fed, Fraction(1, self._rate)
        self._fed += len(samples)
        self._graph.push(frame)
        self._take()

    def _take(self) -> None:
        from av.error import BlockingIOError, EOFError

        while True:
            try:
                values = self._graph.pull().metadata
            except (BlockingIOError, EOFError):
                return
            if "lavfi.r128.I" in values:
                self._integrated = float(values["lavfi.r128.I"])
                self._span = float(values["lavfi.r128.LRA"])
                self._short = max(self._short, float(values["lavfi.r128.S"]))
                self._momentary = max(self._momentary, float(values["lavfi.r128.M"]))

    def result(self) -> Loudness:
        """What was measured so far."""
        return Loudness(
            integrated=self._integrated if self._integrated > SILENT_LUFS else -inf,
            short_term=self._short,
            momentary=self._momentary,
            span=self._span,
            true_peak=20 * log10(self._peak) if self._peak > 0 else -inf,
        )


def _graph(sample_rate: int) -> Graph:
    from av.filter import Graph

    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=sample_rate, format="fltp", layout="stereo", time_base=Fraction(1, sample_rate)
    )
    meter = graph.add("ebur128", "metadata=1:framelog=quiet")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    return graph


def measure(
    read: Callable[[int, int], Samples],
    count: int,
    sample_rate: int,
    tell: Callable[[float], None] = lambda _part: None,
) -> Loudness:
    """Loudness of samples [0, count) that ``read(first, length)`` gives; ``tell`` hears how much is done (0…1)."""
    meter = LoudnessMeter(sample_rate)
    block = sample_rate
    for first in range(0, count, block):
        meter.feed(read(first, min(block, count - first)))
        tell(min(1.0, (first + block) / count))
    return meter.result()
