"""What goes with an export: burn-ins, captions, loudness, mattes, animations; each read back from the file."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtWidgets import QApplication

from gen2studio.app.export import export_sequence
from gen2studio.app.export_estimate import estimated_bytes, size_text
from gen2studio.app.export_values import Captions, ExportResult, ExportSettings
from gen2studio.core.frozen import frozen_map
from gen2studio.document.composition import Subtitle
from gen2studio.document.model import Document, Sequence
from gen2studio.media.loudness import measure
from tests.export.sequences import BUNNY, DOG, SEQ, clip_of, document_with, item_of, sequence_with, simple

QUICK = (("preset", "ultrafast"),)


def exported(document: Document, path: Path, **changes: object) -> ExportResult:
    settings = ExportSettings(path=path, sidecar=False, options=QUICK)
    return export_sequence(document, replace(settings, **changes), take_folder=lambda _: path.parent)  # type: ignore[arg-type]


def pictures(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def sound(path: Path) -> NDArray[np.float32]:
    """(n, 2) samples of a file with 24-bit sound, which comes back as 32-bit integers."""
    with av.open(str(path)) as container:
        parts = [frame.to_ndarray().reshape(-1, 2) for frame in container.decode(audio=0)]
    return (np.concatenate(parts) / 2.0**31).astype(np.float32)


def changed(document: Document, **changes: object) -> Document:
    sequence = replace(document.sequences[SEQ], **changes)  # type: ignore[arg-type]
    return replace(document, sequences=frozen_map({SEQ: sequence}))


@pytest.mark.parametrize("target", [-23.0, -14.0])
def test_sound_is_brought_to_a_loudness(media_root: Path, tmp_path: Path, target: float) -> None:
    document = simple(media_root / BUNNY, frames=45)
    result = exported(document, tmp_path / "film.mov", preset="prores_422_hq", loudness=target, options=(), width=64)
    samples = sound(result.path)
    found = measure(lambda first, count: samples[first : first + count], len(samples), 48000)
    assert found.integrated == pytest.approx(target, abs=0.3)
    assert found.true_peak <= -1.0 + 0.05
    assert result.loudness == pytest.approx(target, abs=0.3)


def test_a_limited_programme_says_so(media_root: Path, tmp_path: Path) -> None:
    document = simple(media_root / BUNNY, frames=45)
    result = exported(document, tmp_path / "film.mov", preset="prores_422_hq", loudness=-8.0, options=(), width=64)
    samples = sound(result.path)
    found = measure(lambda first, count: samples[first : first + count], len(samples), 48000)
    assert found.true_peak <= -1.0 + 0.05
    assert any("Peaks were held" in note for note in result.notes)


def captioned(document: Document) -> Document:
    lines = (
        Subtitle(id="s1", start=2, duration=4, text="First <i>words</i>"),
        Subtitle(id="s2", start=8, duration=20, text="and a\nsecond line"),
    )
    return changed(document, subtitles=lines)


def test_captions_leave_as_srt_and_as_a_track(qapp: QApplication, media_root: Path, tmp_path: Path) -> None:
    document = captioned(simple(media_root / DOG, frames=20))
    rate = document.sequences[SEQ].rate
    result = exported(
        document, tmp_path / "film.mp4", start=4, srt=True, caption_track=True, captions=Captions.LEFT_OUT
    )
    assert result.extras == (tmp_path / "film.srt",)
    text = (tmp_path / "film.srt").read_text()
    stop = round(2 / rate * 1000)
    assert text.startswith(f"1\n00:00:00,000 --> 00:00:00,{stop:03d}\nFirst <i>words</i>\n\n2\n")
    assert text.count("-->") == 2
    with av.open(str(result.path)) as container:
        stream = container.streams.subtitles[0]
        packets = [packet for packet in container.demux(stream) if packet.size > 2]
        shown = [(packet.pts * packet.time_base, packet.duration * packet.time_base) for packet in packets]
        lines = [bytes(packet)[2:] for packet in packets]
    assert [float(at) for at, _ in shown] == pytest.approx([0, float(4 / rate)], abs=0.002)
    assert [float(length) for _, length in shown] == pytest.approx([float(2 / rate), float(12 / rate)], abs=0.002)
    assert lines[0].startswith(b"First words") and lines[1].startswith(b"and a\nsecond line")
    plain = exported(simple(media_root / DOG, frames=20), tmp_path / "plain.mp4", start=4)
    assert all(np.array_equal(a, b) for a, b in zip(pictures(result.path), pictures(plain.path), strict=True))


def test_captions_and_burn_ins_are_in_the_picture(qapp: QApplication, media_root: Path, tmp_path: Path) -> None:
    document = captioned(simple(media_root / DOG, frames=8))
    hidden = replace(document.sequences[SEQ].subtitle_style, shown=False)
    document = changed(document, subtitle_style=hidden)
    plain = pictures(exported(document, tmp_path / "plain.mp4").path)
    film = exported(document, tmp_path / "film.mp4", burn_timecode=True, burn_name="Reel 7", captions=Captions.BURNED)
    burnt = pictures(film.path)
    size = plain[0].shape[0]
    for number, (before, after) in enumerate(zip(plain, burnt, strict=True)):
        apart = np.abs(before.astype(int) - after).max(axis=2) > 60
        corners, foot = apart[: size // 10], apart[int(size * 0.8) :]
        assert corners[:, : size // 2].any() and corners[:, size // 2 :].any()
        assert foot.any() == (2 <= number < 6)
        assert not apart[size // 5 : size // 2].any()
    right = [picture[: size // 10, size // 2 :].astype(int) for picture in burnt]
    assert np.abs(right[0] - right[1]).max() > 60, "the timecode counts"


def test_each_track_leaves_its_own_alpha(media_root: Path, tmp_path: Path) -> None:
    item = item_of(media_root / DOG)
    below = clip_of(item, duration=6)
    above = replace(clip_of(item, "clip-000000000009", start=2, duration=2))
    wide = sequence_with((below,), (above,), rate=item.info.rate, size=(128, 64))
    result = exported(document_with(wide, item), tmp_path / "film.mp4", track_mattes=True)
    names = [path.name for path in result.extras]
    assert names == ["film V0 matte", "film V1 matte"]
    for folder, seen in zip(result.extras, (range(6), range(2, 4)), strict=True):
        files = sorted(folder.iterdir())
        assert [file.name for file in files] == [f"{folder.name}_{n:06d}.png" for n in range(6)]
        for number, file in enumerate(files):
            matte = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
            wanted = np.zeros((64, 128), np.uint8)
            # The square clip stands in the middle of the wide frame.
            wanted[:, 32:96] = 255 if number in seen else 0
            assert np.array_equal(matte, wanted)


@pytest.mark.parametrize("preset", ["gif", "webp"])
def test_animations_come_back_as_they_were(media_root: Path, tmp_path: Path, preset: str) -> None:
    document = simple(media_root / DOG, frames=24)
    sequence: Sequence = document.sequences[SEQ]
    result = exported(document, tmp_path / "film", preset=preset, width=128, rate=10, options=())
    assert result.path.suffix == f".{preset}"
    made = 24 * 10 // sequence.rate
    from PIL import Image

    with Image.open(result.path) as picture:
        assert picture.n_frames == int(made)  # type: ignore[attr-defined]
        assert picture.size == (128, 128)
        assert picture.info["loop"] == 0
        frames = []
        for number in range(int(made)):
            picture.seek(number)
            picture.load()
            frames.append(np.asarray(picture.convert("RGB")))
            if preset == "gif":
                assert picture.info["duration"] == 100
    source = pictures(media_root / DOG)
    for number, frame in enumerate(frames):
        original = source[int(number * sequence.rate / 10)]
        wanted = cv2.resize(original, (128, 128), interpolation=cv2.INTER_AREA)
        assert np.abs(wanted.astype(int) - frame).mean() < 6
    assert not [path for path in tmp_path.iterdir() if "part" in path.name]


def test_size_is_estimated_from_a_second_of_it(media_root: Path, tmp_path: Path) -> None:
    document = simple(media_root / DOG, frames=36)
    settings = ExportSettings(path=tmp_path / "x", preset="gif", width=96, rate=10, sidecar=False)
    size = estimated_bytes(document, settings, lambda _: tmp_path)
    real = export_sequence(document, settings, take_folder=lambda _: tmp_path).path.stat().st_size
    assert 0.5 < size / real < 2
    assert [size_text(n) for n in (820_000, 3_400_000, 1_200_000_000)] == ["820 kB", "3.4 MB", "1.2 GB"]


def test_preview_and_export_have_identical_samples(media_root: Path, tmp_path: Path) -> None:
    from gen2studio.app.audio_mix import AudioMixer

    document = simple(media_root / BUNNY, frames=30, fade_in=5, speed=Fraction(5, 4))
    document = changed(document, width=64, height=36)
    result = exported(document, tmp_path / "film.mov", preset="prores_422_hq", options=())
    written = sound(result.path)
    mixer = AudioMixer(document)
    heard = np.clip(mixer.read(Fraction(0), len(written)), -1, 1)
    mixer.close()
    assert np.abs(written - heard).max() < 2**-22
