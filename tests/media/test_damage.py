"""Damaged files give what is honestly there, or one clear sentence."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from gen2studio.core.errors import MediaError
from gen2studio.media.audio_reader import AudioReader
from gen2studio.media.decoder import open_decoder
from gen2studio.media.probe import probe

REFUSED = {
    "derived_huge_header.safetensors": "can't be read as media",
    "derived_offsets_out_of_range.safetensors": "can't be read as media",
    "derived_text_renamed.mp4": "can't be read as media",
    "derived_truncated.safetensors": "can't be read as media",
    "derived_truncated_no_moov.mp4": "cut short",
    "derived_zero_bytes.mp4": "empty",
    "encrypted_clearkey.mp4": "encrypted",
    "image_broken_data_stream.png": "damaged",
    "image_truncated_image.png": "damaged",
    "invalid_bitstream_vp9.webm": "No picture",
    "malformed_free_box_no_moov.mp4": "cut short",
}
READ = {
    "corrupted_frames_720p.mp4": 50,
    "derived_truncated_faststart_55pct.mp4": 78,
    "empty.mp4": 1,
    "missing_keyframe_labels.ts": 600,
    "missing_stsd.mp4": 30,
    "unordered_pts.mov": 4,
    "video_with_failing_audio.mp4": 280,
    "webm_alpha_faulty.webm": 300,
}


def test_every_broken_file_is_judged(broken: Path) -> None:
    assert {p.name for p in broken.iterdir()} == set(REFUSED) | set(READ)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_unreadable_files_say_so(broken: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MediaError) as caught:
        probe(broken / name)
    error = caught.value
    assert REFUSED[name] in error.sentence and name in error.sentence
    assert error.remedy.endswith(".")
    assert "Errno" not in str(error) and "Invalid data" not in str(error)
    with pytest.raises(MediaError):
        open_decoder(broken / name)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", sorted(READ))
def test_what_is_there_is_read(broken: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    info = probe(broken / name)
    assert info.frame_count == READ[name]
    decoder = open_decoder(broken / name, info)
    try:
        last = info.frame_count - 1 if info.width < 1900 else 20
        for index in (last, 0, last // 2):
            assert decoder.rgb(index).shape == (info.height, info.width, 3)
    finally:
        decoder.close()
    assert capfd.readouterr() == ("", "")


def test_a_lost_frame_shows_its_neighbour_and_says_so(broken: Path) -> None:
    decoder = open_decoder(broken / "corrupted_frames_720p.mp4")
    try:
        lost = decoder.rgb(30)
        assert len(decoder.warnings) == 1 and "Frame 30" in decoder.warnings[0]
        assert any(np.array_equal(lost, decoder.rgb(n)) for n in (29, 31))
        order = {n: decoder.rgb(n) for n in (28, 36, 48)}
    finally:
        decoder.close()
    again = open_decoder(broken / "corrupted_frames_720p.mp4")
    try:
        for n in (48, 28, 36):
            assert np.array_equal(again.rgb(n), order[n])
    finally:
        again.close()


def test_sound_that_ends_early_is_silence_with_a_warning(broken: Path) -> None:
    reader = AudioReader(broken / "derived_truncated_faststart_55pct.mp4")
    samples = reader.read(Fraction(4), 4800)
    reader.close()
    assert samples.shape == (4800, 2) and not samples.any()
    assert len(reader.warnings) == 1 and "ends early" in reader.warnings[0]


def test_failing_sound_does_not_stop_the_reader(broken: Path) -> None:
    reader = AudioReader(broken / "video_with_failing_audio.mp4")
    samples = np.concatenate([reader.read(Fraction(second), 48000) for second in range(12)])
    reader.close()
    assert np.abs(samples[: 48000 * 4]).max() > 0.01
    assert not samples[int(11.5 * 48000) :].any()


def test_a_missing_file(tmp_path: Path) -> None:
    for read in (probe, open_decoder, AudioReader):
        with pytest.raises(MediaError, match="is not there"):
            read(tmp_path / "gone.mp4")
