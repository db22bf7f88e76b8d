"""What a sequence sounds like: the audio tracks mixed down to stereo at exact sample positions.

Every step is a function of absolute sequence samples, so preview and export, small blocks and large ones give the same
samples: clip (speed, reverse, gain, volume and pan curves, fades, crossfades) → track (gain, balance) → sum → limiter,
which is off unless the sequence asks for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from gen2studio.app.audio_levels import amplitude, balance, panning, volume
from gen2studio.app.audio_voices import Lane, Voice
from gen2studio.app.compositor import sequence_of
from gen2studio.core.records import dataclass
from gen2studio.document.model import Clip, Document, MediaItem, Sequence, Track
from gen2studio.media.audio_limiter import Limiter
from gen2studio.media.audio_speed import Samples, Stretched, resampled

_READERS_OF_ONE = 3
"""Readers of one file at most: clips of one file that sound at once, or cross, each read on in their own."""
_READERS = 32
_NEAR_SECONDS = 3
"""A reader that stands nearer than this to a place is used for it."""
_DEEPEST = 8
"""Nested timelines are heard down to this depth."""


class SoundSource(Protocol):
    """Sound of one file: :class:`gen2studio.media.audio_reader.AudioReader`."""

    def read(self, start_seconds: Fraction, frames: int, /) -> Samples: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Level:
    """How loud a stretch is. Pairs of left and right, linear: 1 = full scale."""

    peak: tuple[float, float] = (0.0, 0.0)
    power: tuple[float, float] = (0.0, 0.0)
    """Mean square."""


MASTER = ""
"""The key of the sum among :attr:`AudioMixer.levels`."""


def _open_reader(item: MediaItem, sample_rate: int) -> SoundSource:
    from gen2studio.media.audio_reader import AudioReader

    return AudioReader(Path(item.path), sample_rate)


def heard_tracks(sequence: Sequence) -> tuple[Track, ...]:
    """The audio tracks that sound: not muted, and while any of them is solo only those."""
    alone = any(track.solo for track in sequence.audio_tracks)
    return tuple(t for t in sequence.audio_tracks if not t.muted and (t.solo or not alone))


class AudioMixer:
    """Mixes the audio tracks of one sequence. Not thread-safe: one mixer a thread."""

    def __init__(
        self,
        document: Document,
        sequence_id: str = "",
        *,
        open_reader: Callable[[MediaItem, int], SoundSource] = _open_reader,
        sample_rate: int = 0,
        within: frozenset[str] = frozenset(),
    ) -> None:
        """Raises ProjectError when there is no such sequence. Files are opened when they are first heard.

        ``sample_rate`` 0 is the sequence's own; ``within`` are the sequences that this one is nested in.
        """
        self.document = document
        self.sequence = sequence_of(document, sequence_id)
        self._own_rate = not sample_rate
        self.sample_rate = sample_rate or self.sequence.sample_rate
        self.warnings: list[str] = []
        self.metering = False
        """Fill :attr:`levels` at each read."""
        self.levels: dict[str, Level] = {}
        """Of the last read, by track id; :data:`MASTER` is the sum."""
        self._within = within | {self.sequence.id}
        self._open_reader = open_reader
        self._pool = _ReaderPool(self._open)
        self._broken: set[str] = set()
        self._lanes: dict[str, Lane] = {}
        self._stretched: OrderedDict[tuple[str, Fraction], Stretched] = OrderedDict()
        self._limiter = Limiter(self._summed, self.sample_rate)

    @property
    def audible(self) -> bool:
        """True when any clip can be heard at all."""
        return any(self._heard(clip) is not None for track in heard_tracks(self.sequence) for clip in track.clips)

    def _heard(self, clip: Clip) -> MediaItem | None:
        item = self.document.media.get(clip.media_id)
        if item is None or not clip.enabled or clip.freeze or item.info.audio is None:
            return None
        return item if not item.nested or self._nests(item.nested) else None

    def _nests(self, sequence_id: str) -> bool:
        deep = sequence_id in self._within or len(self._within) >= _DEEPEST
        return not deep and sequence_id in self.document.sequences

    def adopt(self, document: Document) -> bool:
        """Switch to an edited document without closing files.

        False when the sequence is gone or has another sample rate: then a new mixer is needed.
        """
        sequence = document.sequences.get(self.sequence.id)
        if sequence is None or (self._own_rate and sequence.sample_rate != self.sample_rate):
            return False
        gone = {i for i in self._pool.media if _moved(self.document.media.get(i), document.media.get(i))}
        nested = {i for i in self._pool.media if (item := document.media.get(i)) is not None and item.nested}
        changed = document.sequences != self.document.sequences or document.media is not self.document.media
        if changed:
            # What a nested timeline sounds like may have changed anywhere inside it.
            gone |= nested
        self._pool.drop(gone)
        self._broken -= gone
        for key in [key for key in self._stretched if key[0] in gone]:
            del self._stretched[key]
        if document.media is not self.document.media or sequence.rate != self.sequence.rate:
            self._lanes.clear()
        self.document, self.sequence = document, sequence
        self._limiter.forget()
        return True

    def read(self, start: Fraction, frames: int) -> Samples:
        """``frames`` samples from ``start`` seconds of the sequence: (frames, 2) float32, silence in gaps.

        Not clipped: a mix without the limiter may exceed ±1. Sound that can't be read is silent and noted in
        ``warnings``.
        """
        first = round(start * self.sample_rate)
        out = self._limiter.read(first, frames) if self.sequence.limiter else self._summed(first, frames)
        if self.metering:
            self.levels[MASTER] = _level(out)
        return out

    def _summed(self, first: int, frames: int) -> Samples:
        out = np.zeros((frames, 2), np.float32)
        if self.metering:
            self.levels = {}
        for track in heard_tracks(self.sequence):
            sound = self._track(track, first, frames)
            if sound is None:
                continue
            if self.metering:
                self.levels[track.id] = _level(sound)
            out += sound
        return out

    def _track(self, track: Track, first: int, frames: int) -> Samples | None:
        lane = self._lanes.get(track.id)
        if lane is None or lane.track is not track:
            lane = self._lanes[track.id] = Lane(track, self.sequence.rate, self.sample_rate, self._heard)
        sound: Samples | None = None
        for voice in lane.voices(first, first + frames):
            low, high = max(voice.low, first), min(voice.high, first + frames)
            part = self._voice(voice, low, high - low)
            if part is None:
                continue
            if sound is None:
                sound = np.zeros((frames, 2), np.float32)
            sound[low - first : high - first] += part
        if sound is not None and (track.gain_db or track.pan):
            sound *= np.array(balance(track.pan), np.float32) * np.float32(amplitude(track.gain_db))
        return sound

    def _voice(self, voice: Voice, first: int, count: int) -> Samples | None:
        clip = voice.clip
        gain = amplitude(clip.gain_db)
        per_frame = self.sample_rate / self.sequence.rate
        level = volume(clip.volume, first, count, voice.begin, per_frame)
        if gain == 0.0 or (isinstance(level, float) and level == 0.0):
            return None
        sound = self._source(voice, first, count)
        if sound is None:
            return None
        if isinstance(level, np.ndarray):
            sound = sound * level[:, None]
        else:
            gain *= level
        if gain != 1.0:
            sound = sound * np.float32(gain)
        pan = panning(clip.pan, first, count, voice.begin, per_frame)
        if pan is not None:
            sound = sound * pan
        for ramp in voice.ramps:
            factors = ramp.over(first, count)
            if factors is not None:
                sound = sound * factors[:, None]
        return sound

    def _source(self, voice: Voice, first: int, count: int) -> Samples | None:
        """The clip's own sound for sequence samples [first, first + count), in its speed and direction."""
        clip, item, rate = voice.clip, voice.item, self.sample_rate
        if item.id in self._broken:
            return None
        # Where sequence sample 0 lies in the source, exactly: both halves of a razor cut have the same.
        if clip.reverse:
            at = clip.source_in * rate + (voice.end - first - count) * clip.speed
        else:
            at = clip.source_in * rate + (first - voice.begin) * clip.speed
        if clip.speed == 1:
            sound = self._read(item, round(at), count)
        elif clip.keep_pitch:
            sound = self._stretch(item, clip.speed).read(round(at / clip.speed), count)
        else:
            sound = resampled(lambda low, length: self._read(item, low, length), float(at), float(clip.speed), count)
        if item.id in self._broken:
            return None
        return sound[::-1] if clip.reverse else sound

    def _stretch(self, item: MediaItem, speed: Fraction) -> Stretched:
        key = (item.id, speed)
        found = self._stretched.pop(key, None)
        if found is None:
            found = Stretched(lambda low, length: self._read(item, low, length), speed, self.sample_rate)
            while len(self._stretched) >= 8:
                self._stretched.popitem(last=False)
        self._stretched[key] = found
        return found

    def _read(self, item: MediaItem, first: int, count: int) -> Samples:
        from gen2studio.core.errors import MediaError

        try:
            return self._pool.read(item, first, count, self.sample_rate)
        except MediaError as error:
            self._broken.add(item.id)
            self.warnings.append(f"“{item.name}” is silent: {error}")
            return np.zeros((count, 2), np.float32)

    def _open(self, item: MediaItem) -> SoundSource:
        if item.nested:
            return AudioMixer(
                self.document,
                item.nested,
                open_reader=self._open_reader,
                sample_rate=self.sample_rate,
                within=self._within,
            )
        return self._open_reader(item, self.sample_rate)

    def close(self) -> None:
        """Close the files."""
        self._pool.drop(self._pool.media)
        self._stretched.clear()
        self._limiter.forget()


class _Reader:
    """A reader and where its last read ended."""

    def __init__(self, media_id: str, source: SoundSource) -> None:
        self.media_id = media_id
        self.source = source
        self.at = 0


class _ReaderPool:
    """Readers of files: for each place the one that stands nearest, so that none jumps to and fro."""

    def __init__(self, open_reader: Callable[[MediaItem], SoundSource]) -> None:
        self._open = open_reader
        self._readers: list[_Reader] = []
        """Least recently used first."""

    @property
    def media(self) -> set[str]:
        return {reader.media_id for reader in self._readers}

    def read(self, item: MediaItem, first: int, count: int, sample_rate: int) -> Samples:
        own = [reader for reader in self._readers if reader.media_id == item.id]
        best = min(own, key=lambda reader: abs(reader.at - first), default=None)
        if best is None or (abs(best.at - first) > _NEAR_SECONDS * sample_rate and len(own) < _READERS_OF_ONE):
            while len(self._readers) >= _READERS:
                self._readers.pop(0).source.close()
            best = _Reader(item.id, self._open(item))
        elif abs(best.at - first) > _NEAR_SECONDS * sample_rate:
            best = own[0]
            self._readers.remove(best)
        else:
            self._readers.remove(best)
        self._readers.append(best)
        best.at = first + count
        return best.source.read(Fraction(first, sample_rate), count)

    def drop(self, media: set[str]) -> None:
        """Close the readers of these media."""
        for reader in [reader for reader in self._readers if reader.media_id in media]:
            self._readers.remove(reader)
            reader.source.close()


def _moved(old: MediaItem | None, new: MediaItem | None) -> bool:
    return old is None or new is None or old.path != new.path


def _level(sound: Samples) -> Level:
    if not len(sound):
        return Level()
    peak, power = np.abs(sound).max(axis=0), np.square(sound, dtype=np.float64).mean(axis=0)
    return Level((float(peak[0]), float(peak[1])), (float(power[0]), float(power[1])))
