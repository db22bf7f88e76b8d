"""Which samples of which clips sound on a track: cuts, crossfades and fades as ramps over sequence samples.

At a hard cut both sounds go on for 32 samples and cross, so that nothing clicks; where a clip goes on exactly where the
one before ended (a razor cut) nothing is done to either. Beside a gap 64 samples fade inside the clip, unless it begins
or ends where its media does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from gen2studio.app.audio_levels import Ramp
from gen2studio.core.records import dataclass
from gen2studio.document.composition import Transition
from gen2studio.document.model import Clip, MediaItem, Track

DECLICK = 64
"""Samples over which a cut is smoothed."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A clip as it sounds: over sequence samples [low, high), each factor of ``ramps`` laid over it."""

    clip: Clip
    item: MediaItem
    low: int
    high: int
    begin: Fraction
    """The exact sample of the clip's first frame."""
    end: Fraction
    ramps: tuple[Ramp, ...]


class Lane:
    """The voices of one audio track. ``heard`` gives the media of a clip that can be heard, None for others."""

    def __init__(
        self, track: Track, rate: Fraction, sample_rate: int, heard: Callable[[Clip], MediaItem | None]
    ) -> None:
        self.track = track
        self._per_frame = sample_rate / rate
        self._rate = rate
        self._sample_rate = sample_rate
        self._heard = heard
        self._ends = {t.left: t for t in track.transitions}
        self._starts = {t.right: t for t in track.transitions}
        self._margin = 1 + max((max(t.before, t.after) for t in track.transitions), default=0)

    def voices(self, first: int, stop: int) -> Iterator[Voice]:
        """What sounds in sequence samples [first, stop)."""
        clips = self.track.clips
        frame = int(first / self._per_frame) - self._margin
        low, high = 0, len(clips)
        while low < high:
            middle = (low + high) // 2
            if clips[middle].end <= frame:
                low = middle + 1
            else:
                high = middle
        for index in range(low, len(clips)):
            if (clips[index].start - self._margin) * self._per_frame >= stop:
                return
            voice = self._voice(index)
            if voice is not None and voice.low < stop and voice.high > first:
                yield voice

    def _voice(self, index: int) -> Voice | None:
        clips = self.track.clips
        clip = clips[index]
        item = self._heard(clip)
        if item is None:
            return None
        begin, end = clip.start * self._per_frame, clip.end * self._per_frame
        before = clips[index - 1] if index and clips[index - 1].end == clip.start else None
        after = clips[index + 1] if index + 1 < len(clips) and clips[index + 1].start == clip.end else None
        low, head = self._head(clip, item, before, round(begin))
        high, tail = self._tail(clip, item, after, round(end))
        ramps = [ramp for ramp in (head, tail) if ramp is not None]
        if clip.fade_in:
            ramps.append(Ramp(round(begin), round(begin + clip.fade_in * self._per_frame), True, True))
        if clip.fade_out:
            ramps.append(Ramp(round(end - clip.fade_out * self._per_frame), round(end), False, True))
        return Voice(clip, item, low, high, begin, end, tuple(ramps))

    def _head(self, clip: Clip, item: MediaItem, before: Clip | None, at: int) -> tuple[int, Ramp | None]:
        crossfade = self._starts.get(clip.id)
        if crossfade is not None:
            ramp = self._crossfade(crossfade, clip.start, True)
            return ramp.low, ramp
        if before is not None and self._heard(before) is not None:
            if continues(before, clip, self._rate):
                return at, None
            ramp = Ramp(at - DECLICK // 2, at + DECLICK // 2, True, False)
            return ramp.low, ramp
        if clip.fade_in or self._at_media_edge(clip, item, head=True):
            return at, None
        return at, Ramp(at, at + DECLICK, True, False)

    def _tail(self, clip: Clip, item: MediaItem, after: Clip | None, at: int) -> tuple[int, Ramp | None]:
        crossfade = self._ends.get(clip.id)
        if crossfade is not None:
            ramp = self._crossfade(crossfade, clip.end, False)
            return ramp.high, ramp
        if after is not None and self._heard(after) is not None:
            if continues(clip, after, self._rate):
                return at, None
            ramp = Ramp(at - DECLICK // 2, at + DECLICK // 2, False, False)
            return ramp.high, ramp
        if clip.fade_out or self._at_media_edge(clip, item, head=False):
            return at, None
        return at, Ramp(at - DECLICK, at, False, False)

    def _crossfade(self, transition: Transition, cut: int, rising: bool) -> Ramp:
        low = round((cut - transition.before) * self._per_frame)
        high = round((cut + transition.after) * self._per_frame)
        return Ramp(low, max(high, low + 1), rising, True)

    def _at_media_edge(self, clip: Clip, item: MediaItem, *, head: bool) -> bool:
        """Whether the clip's edge is the beginning or the end of the sound itself: what is silent there can't click."""
        if clip.freeze:
            return True
        if head != clip.reverse:
            return clip.source_in <= 0
        audio = item.info.audio
        length = audio.duration if audio is not None else item.info.duration
        return clip.source_in + clip.duration / self._rate * clip.speed >= length


def continues(left: Clip, right: Clip, rate: Fraction) -> bool:
    """Whether ``right`` goes on with the same sound at the same level where ``left`` ends: a razor cut."""
    same = (left.media_id, left.speed, left.reverse, left.freeze, left.keep_pitch, left.gain_db) == (
        right.media_id, right.speed, right.reverse, right.freeze, right.keep_pitch, right.gain_db,
    )  # fmt: skip
    if not same or left.fade_out or right.fade_in:
        return False
    if left.reverse:
        line = right.source_in + right.duration / rate * right.speed == left.source_in
    else:
        line = left.source_in + left.duration / rate * left.speed == right.source_in
    level = left.volume.at(left.duration) == right.volume.at(0) and left.pan.at(left.duration) == right.pan.at(0)
    return line and level
