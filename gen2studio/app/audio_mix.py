"""What a sequence sounds like: the audio tracks mixed down to stereo at exact sample positions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from gen2studio.app.compositor import sequence_of
from gen2studio.document.model import Clip, Document, MediaItem

if TYPE_CHECKING:
    from numpy.typing import NDArray

Samples: TypeAlias = "NDArray[np.float32]"
"""(n, 2) float32 stereo, −1…1 nominal."""
_TAPS = 12
"""Zero crossings of the resampling kernel on each side."""


class SoundSource(Protocol):
    """Sound of one file: :class:`gen2studio.media.audio_reader.AudioReader`."""

    def read(self, start_seconds: Fraction, frames: int) -> Samples: ...
    def close(self) -> None: ...


def _open_reader(item: MediaItem, sample_rate: int) -> SoundSource:
    from gen2studio.media.audio_reader import AudioReader

    return AudioReader(Path(item.path), sample_rate)


def resampled(source: Callable[[int, int], Samples], start: float, step: float, count: int) -> Samples:
    """``count`` samples at positions ``start + k·step`` of a signal given by ``source(first, length)``.

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


class AudioMixer:
    """Mixes the audio tracks of one sequence. Not thread-safe: one mixer a thread."""

    def __init__(
        self,
        document: Document,
        sequence_id: str = "",
        *,
        open_reader: Callable[[MediaItem, int], SoundSource] = _open_reader,
    ) -> None:
        """Raises ProjectError when there is no such sequence. Files are opened when they are first heard."""
        self.document = document
        self.sequence = sequence_of(document, sequence_id)
        self.sample_rate = self.sequence.sample_rate
        self.warnings: list[str] = []
        self._open_reader = open_reader
        self._readers: dict[str, SoundSource | None] = {}

    @property
    def audible(self) -> bool:
        """True when any clip can be heard at all."""
        return any(self._heard(clip) for track in self.sequence.audio_tracks if not track.muted for clip in track.clips)

    def _heard(self, clip: Clip) -> bool:
        item = self.document.media.get(clip.media_id)
        return clip.enabled and item is not None and item.info.audio is not None

    def adopt(self, document: Document) -> bool:
        """Switch to an edited document without closing files.

        False when the sequence is gone or has another sample rate: then a new mixer is needed.
        """
        sequence = document.sequences.get(self.sequence.id)
        if sequence is None or sequence.sample_rate != self.sample_rate:
            return False
        for media_id in list(self._readers):
            old, new = self.document.media.get(media_id), document.media.get(media_id)
            if new is None or old is None or old.path != new.path:
                reader = self._readers.pop(media_id)
                if reader is not None:
                    reader.close()
        self.document, self.sequence = document, sequence
        return True

    def read(self, start: Fraction, frames: int) -> Samples:
        """``frames`` samples from ``start`` seconds of the sequence: (frames, 2) float32, silence in gaps.

        Not clipped: a mix may exceed ±1. Sound that can't be read is silent and noted in ``warnings``.
        """
        out = np.zeros((frames, 2), np.float32)
        first = round(start * self.sample_rate)
        for track in self.sequence.audio_tracks:
            if track.muted:
                continue
            for clip in track.clips:
                if self._heard(clip):
                    self._add(clip, first, out)
        return out

    def _add(self, clip: Clip, first: int, out: Samples) -> None:
        rate, sample_rate = self.sequence.rate, self.sample_rate
        begin = round(Fraction(clip.start) / rate * sample_rate)
        end = round(Fraction(clip.end) / rate * sample_rate)
        low, high = max(begin, first), min(end, first + len(out))
        if low >= high:
            return
        reader = self._reader(self.document.media[clip.media_id])
        if reader is None:
            return
        count = high - low
        if clip.speed == 1:
            sound = reader.read(clip.source_in + Fraction(low - begin, sample_rate), count)
        else:
            speed = float(clip.speed)
            source_in = clip.source_in

            def signal(at: int, length: int) -> Samples:
                return reader.read(source_in + Fraction(at, sample_rate), length)

            sound = resampled(signal, (low - begin) * speed, speed, count)
        gain = np.float32(10 ** (clip.gain_db / 20))
        out[low - first : high - first] += sound if clip.gain_db == 0 else sound * gain

    def _reader(self, item: MediaItem) -> SoundSource | None:
        if item.id not in self._readers:
            from gen2studio.core.errors import MediaError

            try:
                self._readers[item.id] = self._open_reader(item, self.sample_rate)
            except MediaError as error:
                self._readers[item.id] = None
                self.warnings.append(f"“{item.name}” is silent: {error}")
        return self._readers[item.id]

    def close(self) -> None:
        """Close the files."""
        for reader in self._readers.values():
            if reader is not None:
                reader.close()
        self._readers.clear()
