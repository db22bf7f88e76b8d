"""Sound lands on exact samples; peaks are its minima and maxima."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from gen2studio.core.errors import MediaError
from gen2studio.media.audio_reader import AudioReader
from gen2studio.media.peaks import Peaks, peaks_of

CLIPS = [
    "hard/chaplin_9.6s.mp4", "hard/nasa_6streams_13s.mp4", "hard/mjpeg_small_camera.avi", "hard/srt_in_mkv.mkv",
    "hard/rot-90_bbb_1080p_5.1.mp4", "hard/interlaced_1080i50_sony_a7m3.mts", "tears_of_steel_960x400_2s.webm",
    "two_people_walking_720p_2.4s.mp4", "hard/hevc10_hlg_rot-90_editlist_1080p.mp4",
]  # fmt: skip


@pytest.mark.parametrize("name", CLIPS)
def test_a_jump_gives_the_samples_of_reading_on(media_root: Path, name: str) -> None:
    path = media_root / "clips" / name
    straight, jumping = AudioReader(path), AudioReader(path)
    total = int(straight.duration * 48000)
    whole = np.concatenate([straight.read(Fraction(n, 48000), min(4801, total - n)) for n in range(0, total, 4801)])
    assert np.abs(whole).max() > 0.001
    places = random.Random(name)
    for _ in range(8):
        start, count = places.randrange(total), places.randrange(1, 5000)
        count = min(count, total - start)
        assert np.array_equal(jumping.read(Fraction(start, 48000), count), whole[start : start + count])
    straight.close()
    jumping.close()


def _write_tone(path: Path, rate: int, layout: str = "mono", codec: str = "pcm_s16le") -> np.ndarray:
    """A second of silence, then a second of a 1 kHz sine; returns the samples."""
    time = np.arange(2 * rate) / rate
    wave = np.where(time < 1, 0, 0.5 * np.sin(2 * np.pi * 1000 * time))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        channels = stream.layout.nb_channels
        data = np.repeat((wave * 32767).astype(np.int16)[None], channels, axis=0)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(data.T.reshape(1, -1)), format="s16", layout=layout)
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return wave


@pytest.mark.parametrize("suffix", [".wav", ".mkv"])
@pytest.mark.parametrize("rate", [44100, 48000, 22050, 96000])
def test_resampling_keeps_time_and_level(tmp_path: Path, rate: int, suffix: str) -> None:
    path = tmp_path / f"tone{suffix}"
    _write_tone(path, rate)
    reader = AudioReader(path)
    samples = reader.read(Fraction(3, 2), 4800)
    expected = 0.5 * np.sin(2 * np.pi * 1000 * (1.5 + np.arange(4800) / 48000))
    assert np.abs(samples - expected[:, None]).max() < 0.002
    edge = reader.read(Fraction(1) - Fraction(100, 48000), 200)
    assert np.abs(edge[:80]).max() < 0.01 and np.abs(edge[110:]).max() > 0.4
    reader.close()


def test_before_and_after_there_is_silence(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    _write_tone(path, 48000)
    reader = AudioReader(path)
    assert not reader.read(Fraction(-1), 48000).any()
    assert not reader.read(Fraction(2), 1000).any()
    assert reader.read(Fraction(3, 2), 0).shape == (0, 2)
    assert reader.duration == 2 and reader.warnings == []
    reader.close()


def test_surround_is_folded_down(hard: Path) -> None:
    path = hard / "rot-90_bbb_1080p_5.1.mp4"
    reader = AudioReader(path)
    got = reader.read(Fraction(1, 2), 9600)
    reader.close()
    with av.open(str(path)) as container:
        start = container.streams.video[0].start_time * container.streams.video[0].time_base
        frames = list(container.decode(audio=0))
        names = [channel.name for channel in frames[0].layout.channels]
        first = round(float(frames[0].pts * frames[0].time_base - start) * 48000)
        samples = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)[:, 24000 - first :][:, :9600]
    part = dict(zip(names, samples, strict=True))
    rear = "BL" if "BL" in part else "SL"
    left = part["FL"] + 0.70710678 * (part["FC"] + part[rear])
    assert np.abs(got[:, 0] - left).max() < 1e-5


def test_sound_and_picture_share_a_clock(hard: Path) -> None:
    """Ten seconds of leading time stamps belong to nobody: position 0 is the first frame."""
    reader = AudioReader(hard / "shorter_audio.mp4")
    assert reader.duration < Fraction(9, 10)
    assert not reader.read(Fraction(1), 4800).any()
    reader.close()


def test_no_sound_is_said(hard: Path) -> None:
    with pytest.raises(MediaError, match="no sound"):
        AudioReader(hard / "video_only_1s.mp4")
    assert len(peaks_of(hard / "video_only_1s.mp4").bins) == 0


def test_peaks_are_minima_and_maxima(media_root: Path, isolated_home: Path) -> None:
    path = media_root / "clips" / "drone_coast_gopro_karma_12s.mp4"
    peaks = peaks_of(path)
    reader = AudioReader(path)
    samples = reader.read(Fraction(3), 48000)
    reader.close()
    bins = samples.reshape(100, 480, 2)
    expected = np.stack([bins.min((1, 2)), bins.max((1, 2))], axis=1) * 127
    assert np.abs(peaks.bins[300:400] - expected).max() <= 1
    window = peaks.window(3, 4, 10)
    assert (
        np.abs(
            window - np.stack([expected[:, 0].reshape(10, 10).min(1), expected[:, 1].reshape(10, 10).max(1)], 1)
        ).max()
        <= 1
    )
    files = list((isolated_home / "cache" / "peaks").iterdir())
    stamp = files[0].stat().st_mtime_ns
    assert np.array_equal(peaks_of(path).bins, peaks.bins)
    assert files[0].stat().st_mtime_ns == stamp


def test_windows_of_any_zoom_stay_inside_the_true_extremes() -> None:
    noise = np.random.default_rng(1).integers(-100, 100, (1000, 1))
    peaks = Peaks(np.concatenate([noise - 5, noise + 5], axis=1).astype(np.int8))
    assert peaks.duration == 10
    for columns in (1, 7, 100, 333, 2500):
        window = peaks.window(0, 10, columns)
        assert window.shape == (columns, 2)
        assert window[:, 0].min() == peaks.bins[:, 0].min() and window[:, 1].max() == peaks.bins[:, 1].max()
        assert (window[:, 0] <= window[:, 1]).all()
    outside = peaks.window(-5, 15, 40)
    assert not outside[:10].any() and not outside[30:].any() and outside[10:30].any()
    assert peaks.window(0, 10, 0).shape == (0, 2)
