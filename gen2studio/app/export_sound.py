"""The sound of an export: the mix, brought to a loudness where that is asked for, or packets copied untouched."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gen2studio.app.audio_levels import amplitude
from gen2studio.app.audio_mix import AudioMixer, heard_tracks
from gen2studio.app.export_values import ExportSettings
from gen2studio.core.cancel import CancelToken
from gen2studio.core.curve import Curve
from gen2studio.document.model import Clip, Document, Sequence
from gen2studio.media.audio_limiter import Limiter
from gen2studio.media.audio_speed import Samples
from gen2studio.media.encoder_presets import ExportPreset

if TYPE_CHECKING:
    from gen2studio.media.encoder import AudioCopy

_CLOSE_ENOUGH = 0.1
"""LU that a limited programme may miss its target by before it is measured and raised again."""
_CORRECTIONS = 2


class ExportSound:
    """Samples of a range of a sequence, numbered from 0. One thread at a time.

    Loudness normalisation is linear: the programme is measured first (EBU R 128) and gets one gain. Only where that
    would bring its true peak above the ceiling a look-ahead limiter holds the peaks, and the gain is corrected for it.
    """

    def __init__(self, document: Document, start: int, stop: int, settings: ExportSettings) -> None:
        """Sequence frames [start, stop). Raises ProjectError."""
        self.mixer = AudioMixer(document)
        sequence = self.mixer.sequence
        self.sample_rate = sequence.sample_rate
        self.first = round(start / sequence.rate * self.sample_rate)
        self.count = round(stop / sequence.rate * self.sample_rate) - self.first
        self.loudness: float | None = None
        """LUFS after :meth:`normalise`."""
        self.notes: list[str] = []
        self._settings = settings
        self._gain = np.float32(1)
        self._limiter: Limiter | None = None

    @property
    def audible(self) -> bool:
        return self.mixer.audible

    def normalise(self, cancel: CancelToken, tell: Callable[[float], None] = lambda _part: None) -> None:
        """Measure the programme and choose its gain, when the settings ask for a loudness. Raises Cancelled."""
        target, ceiling = self._settings.loudness, self._settings.true_peak
        if target is None or not self.audible:
            return
        from gen2studio.media.loudness import measure

        def told(part: float) -> None:
            cancel.check()
            tell(part)

        found = measure(self._mixed, self.count, self.sample_rate, told)
        if isinf(found.integrated):
            self.notes.append("The sound is too quiet to have a loudness and was left as it is.")
            return
        decibels = target - found.integrated
        self._gain = np.float32(amplitude(decibels))
        self.loudness = target
        if found.true_peak + decibels <= ceiling:
            return
        self._limiter = Limiter(self._raised, self.sample_rate, ceiling)
        held = measure(self._limiter.read, self.count, self.sample_rate, told).integrated
        for _ in range(_CORRECTIONS):
            if target - held <= _CLOSE_ENOUGH:
                break
            self._gain *= np.float32(amplitude(target - held))
            self._limiter.forget()
            held = measure(self._limiter.read, self.count, self.sample_rate, told).integrated
        self.loudness = held
        self.notes.append(f"Peaks were held at {ceiling:g} dBTP to reach {held:.1f} LUFS.")

    def read(self, first: int, count: int) -> Samples:
        """(count, 2) float32 samples of the range from its sample ``first`` on."""
        return self._limiter.read(first, count) if self._limiter is not None else self._raised(first, count)

    def _raised(self, first: int, count: int) -> Samples:
        sound = self._mixed(first, count)
        return sound if self._gain == 1 else sound * self._gain

    def _mixed(self, first: int, count: int) -> Samples:
        # The limiter looks beyond the ends of the range, where nothing is exported.
        low, high = max(0, first), min(self.count, first + count)
        sound = self.mixer.read(Fraction(self.first + low, self.sample_rate), max(0, high - low))
        if (low, high) == (first, first + count):
            return sound
        out = np.zeros((count, 2), np.float32)
        out[low - first : low - first + len(sound)] = sound
        return out

    def close(self) -> None:
        self.mixer.close()


def sound_to_copy(
    document: Document, sequence: Sequence, start: int, stop: int, preset: ExportPreset, settings: ExportSettings
) -> AudioCopy | None:
    """The one untouched clip whose sound is all there is to hear in the range, if its codec fits the container."""
    from gen2studio.media.encoder import AudioCopy

    if settings.loudness is not None or sequence.limiter:
        return None
    heard: list[Clip] = []
    for track in heard_tracks(sequence):
        for clip in track.clips:
            item = document.media.get(clip.media_id)
            in_range = clip.start < stop and clip.end > start
            if clip.enabled and in_range and item is not None and item.info.audio is not None:
                if track.gain_db or track.pan or track.transitions:
                    return None
                heard.append(clip)
    if len(heard) != 1:
        return None
    clip = heard[0]
    item = document.media[clip.media_id]
    audio = item.info.audio
    assert audio is not None
    flat = Curve(0.0)
    untouched = (
        clip.speed == 1 and clip.gain_db == 0 and clip.source_in == 0 and clip.start == start
        and not (clip.reverse or clip.freeze or clip.fade_in or clip.fade_out)
        and clip.volume == flat and clip.pan == flat and not item.nested
    )  # fmt: skip
    # Sound that goes on after the clip's end would have to be cut: only whole packets can be copied.
    covers = clip.end >= stop or Fraction(clip.duration) / sequence.rate >= audio.duration
    if not (untouched and covers and audio.codec in preset.copy_audio):
        return None
    return AudioCopy(path=Path(item.path), stop=Fraction(stop - start) / sequence.rate)
