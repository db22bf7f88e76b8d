"""The mixdown: positions, gain, mute, speed, seams."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.app.audio_mix import AudioMixer
from gen2studio.app.audio_voices import DECLICK
from gen2studio.core.curve import Curve, CurveKey
from gen2studio.core.errors import MediaError
from gen2studio.core.media_info import AudioInfo, MediaInfo, MediaKind
from gen2studio.document.model import Document, MediaItem
from tests.export.sequences import SEQ, clip_of, document_with, sequence_with

RATE = 48000


def tone(seconds: NDArray[np.float64], hertz: float = 440.0) -> NDArray[np.float64]:
    return np.where(seconds >= 0, np.sin(2 * np.pi * hertz * seconds) * 0.5, 0.0)


class Tone:
    """A sine by absolute position: any error of position shows."""

    def __init__(self, _item: MediaItem, sample_rate: int, hertz: float = 440.0) -> None:
        self.rate, self.hertz, self.closed = sample_rate, hertz, False

    def read(self, start_seconds: Fraction, frames: int) -> NDArray[np.float32]:
        at = (round(start_seconds * self.rate) + np.arange(frames)) / self.rate
        wave = tone(at, self.hertz).astype(np.float32)
        return np.column_stack([wave, wave])

    def close(self) -> None:
        self.closed = True


def sound_item() -> MediaItem:
    info = MediaInfo(kind=MediaKind.AUDIO, duration=Fraction(60), audio=AudioInfo(RATE, 2, "aac", Fraction(60)))
    return MediaItem(id="m1", name="tone", path="/tone.wav", fingerprint="", info=info)


def document(**clip_changes: object) -> Document:
    item = sound_item()
    clip = replace(clip_of(item, start=10, duration=20), **clip_changes)  # type: ignore[arg-type]
    return document_with(sequence_with(audio=((clip,),), rate=Fraction(25)), item)


def mix(of: Document, start: Fraction, frames: int) -> NDArray[np.float32]:
    mixer = AudioMixer(of, open_reader=Tone)
    try:
        return mixer.read(start, frames)
    finally:
        mixer.close()


def test_sound_sits_at_its_sample_and_gaps_are_silent() -> None:
    got = mix(document(source_in=Fraction(3)), Fraction(0), 2 * RATE)
    begin, end = RATE * 10 // 25, RATE * 30 // 25
    assert not got[:begin].any()
    assert not got[end:].any()
    wanted = tone(3 + np.arange(end - begin) / RATE)
    assert np.abs(got[begin + DECLICK : end - DECLICK, 0] - wanted[DECLICK:-DECLICK]).max() < 1e-6
    assert np.abs(got[begin:end, 0]).max() <= np.abs(wanted).max(), "the first and last samples only fade"


def test_blocks_join_without_a_seam() -> None:
    fade = {"fade_in": 9, "fade_out": 7, "volume": Curve(0.0, (CurveKey(3, -6.0), CurveKey(9, 3.0)))}
    for changes in (
        {},
        fade,
        {"reverse": True, "pan": Curve(0.0, (CurveKey(0, -1.0), CurveKey(19, 1.0)))},
        {"speed": Fraction(3, 2)},
        {"speed": Fraction(1, 2), "keep_pitch": False},
    ):
        whole = mix(document(**changes), Fraction(1, 2), 9600)
        parts = [mix(document(**changes), Fraction(1, 2) + Fraction(n * 1600, RATE), 1600) for n in range(6)]
        assert np.abs(np.concatenate(parts) - whole).max() < 1e-5


@pytest.mark.parametrize("speed", [Fraction(2), Fraction(3, 2), Fraction(1, 2), Fraction(11, 10)])
def test_speed_resamples_to_the_right_pitch(speed: Fraction) -> None:
    got = mix(document(speed=speed, keep_pitch=False), Fraction(2, 5) + Fraction(1, 10), 9600)[:, 0]
    wanted = tone((np.arange(9600) / RATE + 0.1) * float(speed))
    assert np.abs(got - wanted).max() < 2e-3


def test_what_would_alias_is_filtered_out() -> None:
    item = sound_item()
    clip = replace(clip_of(item, duration=50), speed=Fraction(2), keep_pitch=False)
    of = document_with(sequence_with(audio=((clip,),), rate=Fraction(25)), item)
    mixer = AudioMixer(of, open_reader=lambda i, r: Tone(i, r, 18000.0))
    assert np.abs(mixer.read(Fraction(1, 2), 4800)).max() < 0.01
    mixer.close()


def test_gain_mute_and_disabled_clips() -> None:
    plain = mix(document(), Fraction(1, 2), 4800)
    assert np.allclose(mix(document(gain_db=-6.0), Fraction(1, 2), 4800), plain * 10 ** (-6 / 20), atol=1e-6)
    assert not mix(document(enabled=False), Fraction(1, 2), 4800).any()
    muted = document()
    sequence = muted.sequences[SEQ]
    track = replace(sequence.tracks[0], muted=True)
    muted = replace(muted, sequences={SEQ: replace(sequence, tracks=(track,))})
    assert not mix(muted, Fraction(1, 2), 4800).any()
    assert not AudioMixer(muted).audible


def test_tracks_add_up() -> None:
    item = sound_item()
    clips = [clip_of(item, f"c{n}", duration=20) for n in range(2)]
    of = document_with(sequence_with(audio=((clips[0],), (clips[1],)), rate=Fraction(25)), item)
    assert np.abs(mix(of, Fraction(0), 4800)[:, 0] - 2 * tone(np.arange(4800) / RATE)).max() < 1e-6


def test_a_file_that_cannot_be_read_is_silent_and_noted_once() -> None:
    def broken(_item: MediaItem, _rate: int) -> Tone:
        raise MediaError("The sound is damaged.")

    mixer = AudioMixer(document(), open_reader=broken)
    for _ in range(2):
        assert not mixer.read(Fraction(1, 2), 480).any()
    assert mixer.warnings == ["“tone” is silent: The sound is damaged."]
