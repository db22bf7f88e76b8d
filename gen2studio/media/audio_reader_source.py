"""Decoded sound of one file as float32 stereo at its own sample rate, addressed by exact sample number.

Where the container's clock ticks with the samples (MP4, MOV, WAV) a frame's timestamp is its position. Elsewhere
(Matroska counts milliseconds, MPEG-TS 90 kHz) timestamps are rounded, so one pass counts the samples of every frame
and the position is looked up; the same place then always gives the same sample, however it was reached.

After a seek, half a second is decoded and thrown away: transform codecs need the block before (MP3 up to nine).
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from gen2studio.core.errors import MediaError
from gen2studio.media.clock import clock_of
from gen2studio.media.probe_container import best_video, open_container

_PREROLL = Fraction(1, 2)
_NEAR = 2
"""Seconds ahead that are decoded through instead of seeking."""

_HALF = 0.70710678
_LEFT = {"FL": 1.0, "FC": _HALF, "BL": _HALF, "SL": _HALF, "FLC": _HALF, "BC": 0.5, "DL": 1.0}
_RIGHT = {"FR": 1.0, "FC": _HALF, "BR": _HALF, "SR": _HALF, "FRC": _HALF, "BC": 0.5, "DR": 1.0}


class AudioSource:
    """Random access to the samples of a file's best audio stream. One thread at a time."""

    def __init__(self, path: Path) -> None:
        """Raises MediaError when the file can't be read or has no sound that can be decoded."""
        self.path = path
        self.warnings: list[str] = []
        self._container = open_container(path)
        try:
            stream = best_audio(self._container)
            if stream is None or not stream.time_base:
                raise MediaError(f"“{path.name}” has no sound that can be decoded.", "Choose another file.")
            self._stream = stream
            self.rate = int(stream.rate)
            self._base = Fraction(stream.time_base)
            has_video = best_video(self._container) is not None
            self._origin = clock_of(path).start if has_video else self._first_time()
            step, shift = self._base * self.rate, self._origin * self.rate
            # Sample of a timestamp: (pts · factor − shift) / divisor.
            self._divisor = lcm(step.denominator, shift.denominator)
            self._factor, self._shift = int(step * self._divisor), int(shift * self._divisor)
            exact = (1 / step).denominator == 1
            self._starts: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None if exact else self._count()
        except BaseException:
            self._container.close()
            raise
        self._frames = iter(())
        self._position = 0
        self._buffer = np.empty((0, 2), np.float32)
        self._ended = False
        self._restart()

    def close(self) -> None:
        self._container.close()

    @property
    def declared_samples(self) -> int:
        """Samples after position 0 that the container promises."""
        stream = self._stream
        if stream.duration:
            end = (int(stream.start_time or 0) + stream.duration) * self._base
        elif self._container.duration:
            end = Fraction(self._container.duration + int(self._container.start_time or 0), av.time_base)
        else:
            end = self._origin
        return max(0, round((end - self._origin) * self.rate))

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """(count, 2) samples from sample ``start`` (0 = position 0, negative before it); silence where none is."""
        out = np.zeros((count, 2), np.float32)
        if start + count <= 0 or count <= 0:
            return out
        behind = start < self._position
        far = start > self._position + len(self._buffer) + _NEAR * self.rate
        if behind or (far and not self._ended):
            self._seek(start)
        while not self._ended and self._position + len(self._buffer) < start + count:
            self._decode_more(start)
        begin, end = max(start, self._position), min(start + count, self._position + len(self._buffer))
        if begin < end:
            out[begin - start : end - start] = self._buffer[begin - self._position : end - self._position]
        self._forget_before(start)
        return out

    def _forget_before(self, sample: int) -> None:
        """Keep a second behind the last read for small steps back."""
        surplus = sample - self.rate - self._position
        # Often enough that appending to it stays cheap, seldom enough that trimming it does.
        if surplus > self.rate:
            self._buffer = self._buffer[surplus:].copy()
            self._position += min(surplus, self._position + len(self._buffer))

    def _seek(self, sample: int) -> None:
        time = max(Fraction(0), Fraction(sample, self.rate) - _PREROLL) + self._origin
        try:
            self._container.seek((time / self._base).__floor__(), stream=self._stream, backward=True)
        except FFmpegError:
            self._container.close()
            self._container = open_container(self.path)
            stream = best_audio(self._container)
            assert stream is not None
            self._stream = stream
        self._restart()
        if time > self._origin:
            self._settle = sample - round(_PREROLL * self.rate / 2)
        # Until a frame says better: a later read before this place must seek again.
        self._position = sample

    def _restart(self) -> None:
        self._frames = decoded(self._container, self._stream, self.warnings, self.path)
        self._ended = False
        self._position = 0
        self._next: int | None = None
        self._buffer = np.empty((0, 2), np.float32)
        self._settle: int | None = None

    def _decode_more(self, wanted: int) -> None:
        """Append about a quarter of a second; frames that end before the settled preroll are dropped."""
        parts: list[NDArray[np.float32]] = []
        gained = 0
        while gained < self.rate // 4:
            frame = next(self._frames, None)
            if frame is None:
                self._ended = True
                self._check_end(wanted)
                break
            at = self._place(frame)
            if at is None:
                continue
            samples = stereo(frame)
            self._next = at + len(samples)
            if self._settle is not None and self._next <= self._settle:
                continue
            have = self._position + len(self._buffer) + gained
            if not len(self._buffer) and not parts:
                self._position = have = at
            if at > have:
                parts.append(np.zeros((at - have, 2), np.float32))
                gained += at - have
            elif at < have:
                samples = samples[have - at :]
            parts.append(samples)
            gained += len(samples)
        if parts:
            self._buffer = np.concatenate([self._buffer, *parts])

    def _place(self, frame: AudioFrame) -> int | None:
        """The sample number of a frame's first sample."""
        if frame.pts is None:
            return self._next
        if self._starts is not None:
            stamps, starts = self._starts
            found = int(np.searchsorted(stamps, frame.pts))
            if found < len(stamps) and stamps[found] == frame.pts:
                return int(starts[found])
            return self._next
        # In whole numbers: fractions would cost as much as decoding.
        numerator = frame.pts * self._factor - self._shift
        whole, rest = divmod(numerator, self._divisor)
        return whole if not rest else round(Fraction(numerator, self._divisor))

    def _first_time(self) -> Fraction:
        for frame in decoded(self._container, self._stream, [], self.path):
            if frame.pts is not None:
                self._rewind()
                return frame.pts * self._base
        raise MediaError(f"The sound of “{self.path.name}” can't be decoded: it is damaged.", "Choose another file.")

    def _count(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Timestamps of all frames and the samples they start at, counted; a jump of the clock starts anew."""
        stamps: list[int] = []
        starts: list[int] = []
        following: int | None = None
        # Rounding never moves a timestamp by more than a tick each way: less than that is no gap.
        tolerance = max(2, round(3 * self._base * self.rate))
        for frame in decoded(self._container, self._stream, [], self.path):
            if frame.pts is None:
                following = None if following is None else following + frame.samples
                continue
            by_clock = round((frame.pts * self._base - self._origin) * self.rate)
            at = by_clock if following is None or abs(by_clock - following) > tolerance else following
            if not stamps or frame.pts > stamps[-1]:
                stamps.append(frame.pts)
                starts.append(at)
            following = at + frame.samples
        self._rewind()
        return np.array(stamps, np.int64), np.array(starts, np.int64)

    def _rewind(self) -> None:
        self._container.close()
        self._container = open_container(self.path)
        stream = best_audio(self._container)
        assert stream is not None
        self._stream = stream

    def _check_end(self, wanted: int) -> None:
        # Nothing at all after a seek: the sound ended somewhere before the place that was asked for.
        end, word = (self._next, "after") if self._next is not None else (wanted, "before")
        promised = self.declared_samples
        if promised - end > self.rate // 10 and wanted < promised and not any("ends early" in w for w in self.warnings):
            text = f"The sound of “{self.path.name}” ends early, {word} {end / self.rate:.1f} s; silence follows."
            self.warnings.append(text)


def best_audio(container: InputContainer) -> AudioStream | None:
    """FFmpeg's choice of audio stream, None where there is none it can decode."""
    stream = container.streams.best("audio")
    if isinstance(stream, AudioStream) and stream.rate:
        return stream
    return None


def decoded(container: InputContainer, stream: AudioStream, warnings: list[str], path: Path):
    """The frames of a stream from here to its readable end. Damaged packets are left out with one warning."""
    packets = container.demux(stream)
    ended = False
    while not ended:
        try:
            packet = next(packets, None)
        except FFmpegError:
            packet = None
        if packet is not None and packet.size == 0 and packet.dts is None:
            packet = None
        ended = packet is None
        try:
            frames = stream.decode(packet)
        except FFmpegError:
            text = f"Part of the sound of “{path.name}” is damaged; it is silent there."
            if text not in warnings:
                warnings.append(text)
            continue
        yield from frames


def stereo(frame: AudioFrame) -> NDArray[np.float32]:
    """(samples, 2) float32 of any decoded frame.

    Mono goes to both sides at full level. Surround is folded down with the coefficients of ITU-R BS.775 (centre and
    surrounds at -3 dB, LFE left out), not normalised: a loud mix can exceed ±1 and is limited at the output.
    """
    samples = _as_float(frame)
    channels = samples.shape[0]
    if channels == 1:
        return np.repeat(samples.T, 2, axis=1)
    if channels == 2:
        # Turned when blocks are joined: one copy, not two.
        return samples.T
    names = [channel.name for channel in frame.layout.channels]
    left = np.array([_LEFT.get(name, 0.0) for name in names], np.float32)
    right = np.array([_RIGHT.get(name, 0.0) for name in names], np.float32)
    if not left.any() or not right.any():
        left, right = np.eye(2, channels, dtype=np.float32)
    return np.ascontiguousarray((np.stack([left, right]) @ samples).T)


def _as_float(frame: AudioFrame) -> NDArray[np.float32]:
    """(channels, samples) float32, ±1 nominal."""
    data = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, frame.layout.nb_channels).T
    if data.dtype == np.uint8:
        return (data.astype(np.float32) - np.float32(128)) / np.float32(128)
    if data.dtype == np.int16:
        return data.astype(np.float32) / np.float32(32768)
    if data.dtype == np.int32:
        return (data.astype(np.float64) / 2147483648).astype(np.float32)
    return data.astype(np.float32)
