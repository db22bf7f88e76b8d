"""The mix against references in numpy: cuts, crossfades, fades, automation, pan, solo, direction, tempo, nesting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.app.audio_mix import MASTER, AudioMixer
from gen2studio.app.audio_voices import DECLICK
from gen2studio.core.curve import Curve, CurveKey, Ease
from gen2studio.core.frozen import frozen_map
from gen2studio.core.media_info import AudioInfo, MediaInfo, MediaKind
from gen2studio.document.composition import Transition
from gen2studio.document.model import Clip, Document, MediaItem, Sequence
from gen2studio.media.audio_limiter import Limiter, true_peaks
from gen2studio.media.audio_speed import Stretched
from tests.export.sequences import SEQ, clip_of, document_with, sequence_with

RATE = 48000
NTSC = Fraction(30000, 1001)


@cache
def noise(number: int) -> NDArray[np.float32]:
    return np.random.default_rng(number).uniform(-0.4, 0.4, (Noise.length, 2)).astype(np.float32)


class Noise:
    """White noise by absolute position: no two samples are alike, so any error of position shows."""

    length = 30 * RATE

    def __init__(self, item: MediaItem, sample_rate: int) -> None:
        self.rate = sample_rate
        self.wave = noise(int(item.id[-1], 16))

    def read(self, start_seconds: Fraction, frames: int) -> NDArray[np.float32]:
        at = round(start_seconds * self.rate) + np.arange(frames)
        inside = (at >= 0) & (at < self.length)
        return np.where(inside[:, None], self.wave[np.clip(at, 0, self.length - 1)], np.float32(0))

    def close(self) -> None:
        pass


def item(number: int = 1) -> MediaItem:
    info = MediaInfo(kind=MediaKind.AUDIO, duration=Fraction(30), audio=AudioInfo(RATE, 2, "aac", Fraction(30)))
    return MediaItem(id=f"m{number}", name="noise", path=f"/{number}.wav", fingerprint="", info=info)


def one(*clips: Clip, rate: Fraction = Fraction(25), change: Callable[[Sequence], Sequence] = lambda s: s) -> Document:
    return document_with(change(sequence_with(audio=(clips,), rate=rate)), item(), item(2))


def mix(of: Document, first: int, count: int) -> NDArray[np.float32]:
    mixer = AudioMixer(of, open_reader=Noise)
    try:
        return mixer.read(Fraction(first, RATE), count)
    finally:
        mixer.close()


WAVE = Noise(item(), RATE).wave
OTHER = Noise(item(2), RATE).wave


@pytest.mark.parametrize("changes", [{}, {"reverse": True}, {"speed": Fraction(3, 2)}, {"gain_db": -3.0}])
def test_a_razor_cut_changes_no_sample(changes: dict[str, object]) -> None:
    whole = replace(clip_of(item(), start=7, duration=40), source_in=Fraction(1), **changes)  # type: ignore[arg-type]
    used = whole.duration / NTSC * whole.speed
    for cut in (1, 17, 33):
        left, right = replace(whole, duration=cut), replace(whole, id="b", start=7 + cut, duration=40 - cut)
        after = cut / NTSC * whole.speed
        if whole.reverse:
            left = replace(left, source_in=whole.source_in + used - after)
        else:
            right = replace(right, source_in=whole.source_in + after)
        assert np.array_equal(mix(one(left, right, rate=NTSC), 0, 90000), mix(one(whole, rate=NTSC), 0, 90000))


def test_reverse_is_the_same_sound_backwards() -> None:
    clip = replace(clip_of(item(), duration=25), source_in=Fraction(2), reverse=True)
    got = mix(one(clip), DECLICK, RATE - 2 * DECLICK)
    assert np.array_equal(got, WAVE[2 * RATE : 3 * RATE][::-1][DECLICK:-DECLICK])


def test_frozen_clips_are_silent() -> None:
    assert not mix(one(replace(clip_of(item(), duration=25), freeze=True)), 0, 4800).any()


def test_a_hard_cut_crosses_in_a_few_samples_and_nothing_else_changes() -> None:
    left = replace(clip_of(item(), duration=25), source_in=Fraction(2))
    right = replace(clip_of(item(2), "b", start=25, duration=25), source_in=Fraction(5))
    got, half = mix(one(left, right), 0, 2 * RATE), DECLICK // 2
    assert np.array_equal(got[DECLICK : RATE - half], WAVE[2 * RATE + DECLICK : 3 * RATE - half])
    assert np.array_equal(got[RATE + half : -DECLICK], OTHER[5 * RATE + half : 6 * RATE - DECLICK])
    turn = np.sin((np.arange(DECLICK) + 0.5) / DECLICK * np.pi / 2)[:, None] ** 2
    wanted = WAVE[3 * RATE - half : 3 * RATE + half] * (1 - turn) + OTHER[5 * RATE - half : 5 * RATE + half] * turn
    assert np.abs(got[RATE - half : RATE + half] - wanted).max() < 1e-6


def test_a_crossfade_keeps_power_and_both_clips_go_on_beneath() -> None:
    left = replace(clip_of(item(), duration=25), source_in=Fraction(2))
    right = replace(clip_of(item(2), "b", start=25, duration=25), source_in=Fraction(0))
    fade = Transition(id="t", left=left.id, right="b", before=5, after=10)

    def crossed(sequence: Sequence) -> Sequence:
        return replace(sequence, tracks=(replace(sequence.tracks[0], transitions=(fade,)),))

    got = mix(one(left, right, change=crossed), 0, 2 * RATE)
    low, high = 20 * RATE // 25, 35 * RATE // 25
    part = (np.arange(high - low) + 0.5) / (high - low) * np.pi / 2
    # The right clip begins at its media's beginning: there is nothing before it.
    beneath = np.concatenate([np.zeros((RATE - low, 2)), OTHER[: high - RATE]])
    over = WAVE[2 * RATE + low : 2 * RATE + high]
    wanted = over * np.cos(part)[:, None] + beneath * np.sin(part)[:, None]
    assert np.abs(got[low:high] - wanted).max() < 1e-6
    assert np.array_equal(got[high : 2 * RATE - DECLICK], OTHER[high - RATE : RATE - DECLICK])


def test_fades_are_of_equal_power() -> None:
    clip = replace(clip_of(item(), duration=25), fade_in=5, fade_out=10)
    got = mix(one(clip), 0, RATE)
    wanted = WAVE[:RATE].copy()
    rise, fall = 5 * RATE // 25, 10 * RATE // 25
    wanted[:rise] *= np.sin((np.arange(rise) + 0.5) / rise * np.pi / 2)[:, None]
    wanted[-fall:] *= np.cos((np.arange(fall) + 0.5) / fall * np.pi / 2)[:, None]
    assert np.abs(got - wanted).max() < 1e-6


def test_volume_and_pan_follow_their_curves() -> None:
    keys = (CurveKey(0, 0.0), CurveKey(10, -12.0, Ease.HOLD), CurveKey(20, -96.0))
    clip = replace(clip_of(item(), duration=25), volume=Curve(0.0, keys), gain_db=6.0, pan=Curve(0.5))
    got = mix(one(clip), 0, RATE)
    frame = RATE // 25
    for at, decibels in ((5, -6.0), (8, -9.6), (15, -12.0)):
        span = slice(at * frame, at * frame + 4)
        wanted = WAVE[span] * 10 ** ((decibels + 6) / 20) * [np.cos(np.pi / 4), 1]
        assert np.abs(got[span] - wanted).max() < 2e-4
    assert not got[20 * frame + 64 :].any(), "−96 dB is silence"


def test_tracks_have_gain_balance_and_solo() -> None:
    clips = (clip_of(item(), duration=25), clip_of(item(2), "b", duration=25))
    sequence = sequence_with(audio=((clips[0],), (clips[1],)), rate=Fraction(25))
    first, second = sequence.tracks

    def heard(**changes: object) -> NDArray[np.float32]:
        changed = replace(first, **changes)  # type: ignore[arg-type]
        return mix(document_with(replace(sequence, tracks=(changed, second)), item(), item(2)), 0, 4800)

    both = WAVE[:4800] + OTHER[:4800]
    assert np.abs(heard() - both).max() < 1e-6
    assert np.abs(heard(gain_db=-6.0) - (WAVE[:4800] * 10 ** (-0.3) + OTHER[:4800])).max() < 1e-6
    assert np.abs(heard(pan=-1.0)[:, 1] - OTHER[:4800, 1]).max() < 1e-6
    assert np.abs(heard(pan=-1.0)[:, 0] - both[:, 0]).max() < 1e-6
    assert np.array_equal(heard(solo=True), WAVE[:4800])
    assert not heard(solo=True, muted=True).any()


def sine(hertz: float) -> Callable[[int, int], NDArray[np.float32]]:
    def signal(first: int, count: int) -> NDArray[np.float32]:
        wave = np.sin(2 * np.pi * hertz * np.arange(first, first + count) / RATE).astype(np.float32) * 0.5
        return np.column_stack([wave, wave])

    return signal


@pytest.mark.parametrize("speed", [Fraction(1, 2), Fraction(4, 5), Fraction(5, 4), Fraction(2)])
def test_another_tempo_keeps_the_pitch(speed: Fraction) -> None:
    # Across the seam of two stretches, 3.84 s in at most.
    first, count = 3 * RATE, 2 * RATE
    got = Stretched(sine(441.3), speed, RATE).read(first, count)[:, 0]
    spectrum = np.abs(np.fft.rfft(got * np.hanning(count)))
    peak = np.argmax(spectrum) * RATE / count
    assert abs(peak - 441.3) < 1.0
    near = np.zeros(len(spectrum), bool)
    near[int((441.3 - 20) * count / RATE) : int((441.3 + 20) * count / RATE)] = True
    assert (spectrum[near] ** 2).sum() / (spectrum**2).sum() > 0.995
    assert np.abs(np.diff(got)).max() < 2.2 * 0.5 * 2 * np.pi * 441.3 / RATE, "no click anywhere"


def test_another_tempo_is_the_same_however_it_is_reached() -> None:
    source = Noise(item(), RATE)

    def signal(first: int, count: int) -> NDArray[np.float32]:
        return source.read(Fraction(first, RATE), count)

    whole = Stretched(signal, Fraction(5, 4), RATE).read(170_000, 60_000)
    parts = Stretched(signal, Fraction(5, 4), RATE)
    later = parts.read(200_000, 30_000)
    assert np.array_equal(np.concatenate([parts.read(170_000, 30_000), later]), whole)
    assert np.abs(Stretched(signal, Fraction(1), RATE).read(5000, 5000) - WAVE[5000:10000]).max() < 1e-5


def test_a_nested_timeline_plays_like_a_file_and_cycles_are_silent() -> None:
    inner = replace(
        one(replace(clip_of(item(), duration=50), gain_db=-6.0)).sequences[SEQ], id="inner", sample_rate=44100
    )
    info = MediaInfo(kind=MediaKind.VIDEO, duration=Fraction(2), audio=AudioInfo(44100, 2, "", Fraction(2)))
    nest = MediaItem(id="m9", name="scene", path="", fingerprint="", info=info, nested="inner")
    outer = sequence_with(audio=((replace(clip_of(nest, duration=25), source_in=Fraction(1)),),), rate=Fraction(25))
    of = document_with(outer, item(), nest)
    of = replace(of, sequences=frozen_map({SEQ: outer, "inner": inner}))
    mixer = AudioMixer(of, open_reader=Noise)
    got = mixer.read(Fraction(0), RATE)
    middle = slice(DECLICK, RATE - DECLICK)
    assert np.abs(got[middle] - WAVE[RATE : 2 * RATE][middle] * 10 ** (-6 / 20)).max() < 1e-6
    # What is edited inside is heard outside.
    louder = replace(inner, tracks=(replace(inner.tracks[0], muted=True),))
    assert mixer.adopt(replace(of, sequences=frozen_map({SEQ: outer, "inner": louder})))
    assert not mixer.read(Fraction(0), RATE).any()
    looped = replace(of, sequences=frozen_map({SEQ: outer}), media=frozen_map({"m9": replace(nest, nested=SEQ)}))
    assert mixer.adopt(looped)
    assert not mixer.audible
    assert not mixer.read(Fraction(0), 4800).any()
    mixer.close()


def test_two_places_of_one_file_read_on_in_readers_of_their_own() -> None:
    made: list[Noise] = []

    def opened(of: MediaItem, rate: int) -> Noise:
        made.append(Noise(of, rate))
        return made[-1]

    clips = [replace(clip_of(item(), f"c{n}", duration=100), source_in=Fraction(20 * n)) for n in range(2)]
    of = document_with(sequence_with(audio=((clips[0],), (clips[1],)), rate=Fraction(25)), item())
    mixer = AudioMixer(of, open_reader=opened)
    got = np.concatenate([mixer.read(Fraction(n, 10), RATE // 10) for n in range(10)])
    assert np.abs(got[DECLICK:] - (WAVE[:RATE] + WAVE[20 * RATE : 21 * RATE])[DECLICK:]).max() < 1e-6
    assert len(made) == 2
    mixer.close()


def test_levels_are_those_of_what_was_read() -> None:
    of = one(replace(clip_of(item(), duration=25), gain_db=-6.0))
    mixer = AudioMixer(of, open_reader=Noise)
    mixer.metering = True
    got = mixer.read(Fraction(1, 4), 4800)
    track = of.sequences[SEQ].tracks[0].id
    assert mixer.levels[MASTER].peak == pytest.approx(np.abs(got).max(axis=0))
    assert mixer.levels[track].power == pytest.approx((got.astype(float) ** 2).mean(axis=0))
    mixer.close()


def test_the_limiter_holds_true_peaks_and_leaves_the_rest_alone() -> None:
    loud = WAVE.copy() * 0.5
    loud[10_000:10_400] *= 6
    # A sine at a quarter of the rate, 45° off: its samples lie 3 dB below its crests.
    loud[30_000:30_200] = (1.2 * np.sin(np.arange(200) * np.pi / 2 + np.pi / 4))[:, None]

    def signal(first: int, count: int) -> NDArray[np.float32]:
        return np.pad(loud, ((4000, 4000), (0, 0)))[first + 4000 : first + 4000 + count]

    whole = Limiter(signal, RATE).read(0, 50_000)
    ceiling = 10 ** (-1 / 20)
    assert true_peaks(whole).max() <= ceiling
    assert np.array_equal(whole[:8000], loud[:8000])
    assert np.array_equal(whole[40_000:], loud[40_000:50_000])
    parts = Limiter(signal, RATE)
    assert np.abs(np.concatenate([parts.read(n, 500) for n in range(0, 50_000, 500)]) - whole).max() < 1e-6
    assert np.abs(np.diff(np.log(np.abs(whole[9500:9990, 0] / loud[9500:9990, 0])))).max() < 0.02, "no corner"


def test_a_sequence_asks_for_its_limiter() -> None:
    clip = replace(clip_of(item(), duration=25), gain_db=12.0)
    assert np.abs(mix(one(clip), 4800, 4800)).max() > 1.2
    held = mix(one(clip, change=lambda s: replace(s, limiter=True)), 4800, 4800)
    assert 0.5 < np.abs(held).max() <= 10 ** (-1 / 20)
