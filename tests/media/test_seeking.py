"""Every frame reached at random is the frame read in order."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from gen2studio.media.clock import clock_of, measured_clock
from gen2studio.media.clock_keys import is_random_access
from gen2studio.media.decoder import open_decoder
from gen2studio.media.decoder_deinterlace import Deinterlacer
from gen2studio.media.decoder_seek import Abandoned, FrameSeeker
from gen2studio.media.probe import probe
from tests.media.conftest import clip_paths
from tests.media.reference import fingerprint, frames_in_order

PIXEL_BUDGET = 8_000_000
"""Pixels decoded in order per clip: all frames of small clips, the first dozen or so of large ones."""


@pytest.mark.parametrize("path", clip_paths(), ids=lambda p: p.name)
def test_random_access_equals_reading_in_order(path: Path) -> None:
    clock = clock_of(path)
    info = probe(path)
    count = max(4, min(clock.frame_count, PIXEL_BUDGET // (info.coded_width * info.coded_height)))
    truth = frames_in_order(path, count)
    seeker = FrameSeeker(path, clock)
    chosen = random.Random(path.name)
    reachable = min(count, clock.frame_count, len(truth))
    jumps = 12 if info.coded_width < 1000 else 6 if info.coded_width < 1900 else 2
    try:
        for index in [chosen.randrange(reachable) for _ in range(jumps)] + [0, reachable - 1]:
            frame = seeker.frame(index)
            assert fingerprint(frame) == truth[int(clock.pts[index])], f"frame {index}"
        assert seeker.warnings == []
    finally:
        seeker.close()


@pytest.mark.parametrize(
    "name", ["derived_vfr_dropped_frames.mkv", "nasa_6streams_13s.mp4", "vp9_10bit_426x240_3s.webm", "chaplin_9.6s.mp4"]
)
def test_the_clock_lists_exactly_the_frames_that_decode(hard: Path, name: str) -> None:
    clock = clock_of(hard / name)
    assert list(frames_in_order(hard / name, 10_000)) == clock.pts.tolist()


def test_field_pairs_are_one_frame(hard: Path) -> None:
    assert clock_of(hard / "interlaced_1080i50_sony_a7m3.mts").frame_count == 13


def test_an_edit_list_hides_frames(hard: Path) -> None:
    clock = clock_of(hard / "hevc10_hlg_rot-90_editlist_1080p.mp4")
    assert clock.frame_count == 77
    assert clock.keys[0] < clock.pts[0] == 0


def test_a_track_without_a_sync_table_is_believed_only_where_the_bitstream_agrees(hard: Path, media_root: Path) -> None:
    assert clock_of(hard / "no_stss_1s.mp4").all_intra
    path = media_root / "clips" / "golden_retriever_512_3.2s.mp4"
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        extradata = stream.codec_context.extradata
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert len(packets) == 32
        for packet in packets:
            assert is_random_access(memoryview(packet), "h264", extradata) == packet.is_keyframe


def test_the_clock_survives_in_its_sidecar(hard: Path, isolated_home: Path) -> None:
    first = clock_of(hard / "cursed_vfr_3026x1386.mp4")
    assert list((isolated_home / "cache" / "index").iterdir())
    second = clock_of(hard / "cursed_vfr_3026x1386.mp4")
    assert second is not first
    assert second.pts.tolist() == first.pts.tolist() and second.keys.tolist() == first.keys.tolist()
    assert (second.rate, second.duration, second.variable_rate) == (first.rate, first.duration, True)


def test_a_damaged_sidecar_is_scanned_again(hard: Path, isolated_home: Path) -> None:
    first = clock_of(hard / "nasa_rot90.mp4")
    sidecar = next((isolated_home / "cache" / "index").iterdir())
    sidecar.write_bytes(sidecar.read_bytes()[:100])
    assert clock_of(hard / "nasa_rot90.mp4").pts.tolist() == first.pts.tolist()


def test_times_and_indices_agree(hard: Path) -> None:
    clock = clock_of(hard / "derived_vfr_dropped_frames.mkv")
    for index in range(clock.frame_count):
        begin, end = clock.time_of(index), clock.time_of(index + 1)
        assert begin < end
        assert clock.index_at(begin) == index
        assert clock.index_at((begin + end) / 2) == index
    assert clock.time_of(0) == 0
    assert clock.index_at(clock.duration * 9) == clock.frame_count - 1
    assert clock.index_at(-clock.duration) == 0


VARIABLE = {
    *("android_slowmo_vfr.mp4", "cursed_vfr_3026x1386.mp4", "derived_vfr_dropped_frames.mkv"),
    *("phone_rot180_vfr_shaky_dog_2.4s.mp4", "screenrec_vfr_2750x1834.mov"),
}


@pytest.mark.parametrize("path", clip_paths(), ids=lambda p: p.name)
def test_slot_n_of_a_constant_rate_shows_frame_n(path: Path) -> None:
    """Containers round times to milliseconds or 1/600 s; counting frames at the file's own rate must not notice."""
    clock = clock_of(path)
    assert clock.steady == (path.name not in VARIABLE)
    assert all(clock.index_at(clock.time_of(n)) == n for n in range(clock.frame_count))
    if clock.steady:
        assert [clock.index_at(n / clock.rate) for n in range(clock.frame_count)] == list(range(clock.frame_count))
        # Rounding is all that lies between slots and timestamps.
        late = (clock.pts - clock.pts[0]) * float(clock.time_base) - np.arange(clock.frame_count) / float(clock.rate)
        assert np.abs(late).max() < 0.05 / float(clock.rate)


def test_rates_behind_rounded_times_are_found(media_root: Path) -> None:
    clips = media_root / "clips"
    assert clock_of(clips / "hard" / "hevc10_hlg_rot-90_editlist_1080p.mp4").rate == Fraction(30000, 1001)
    assert clock_of(clips / "hard" / "vp9_10bit_426x240_3s.webm").rate == Fraction(24000, 1001)
    assert clock_of(clips / "bottles_table_640x360_40s.mp4").rate == Fraction(179, 6)


def test_variable_rates_go_by_their_timestamps() -> None:
    """Frames at thirtieths with gaps, written as milliseconds: each shows in the slot of its time, not of its count."""
    slots = [0, 1, 2, 7, 8, 12, 13, 14, 20]
    pts = np.array([round(slot * 1000 / 30) for slot in slots], np.int64)
    clock = measured_clock(pts, pts[:1], Fraction(1, 1000), last_duration=33, nominal_rate=Fraction(30))
    assert clock.variable_rate and not clock.steady
    shown = [clock.index_at(Fraction(slot, 30)) for slot in range(21)]
    assert shown == [max(i for i, begin in enumerate(slots) if begin <= slot) for slot in range(21)]


def test_burnt_in_numbers_are_in_order_and_distinct(media_root: Path) -> None:
    """The clip shows its frame number: two frames differ in the number, the same frame never does."""
    decoder = open_decoder(media_root / "clips" / "numbered_frames_30fps_2.5s.mkv")
    try:
        assert decoder.clock.frame_count == 75
        straight = [decoder.rgb(index) for index in range(75)]
        for index in random.Random(4).sample(range(75), 15):
            again = decoder.rgb(index)
            distances = [cv2.norm(again, one, cv2.NORM_L1) for one in straight]
            assert int(np.argmin(distances)) == index
            assert distances[index] == 0
            assert sorted(distances)[1] > 0
    finally:
        decoder.close()


def test_deinterlacing_does_not_depend_on_the_way(hard: Path) -> None:
    path = hard / "derived_interlaced_576i25_mpeg2.mpg"
    decoder = open_decoder(path)
    try:
        order = [decoder.rgb(index) for index in range(12)]
        for index in (7, 2, 11, 0, 5, 6, 1):
            assert np.array_equal(decoder.rgb(index), order[index])
        assert decoder.info.interlaced
        assert order[0].shape == (576, 1024, 3)
    finally:
        decoder.close()


def test_deinterlacing_takes_the_comb_away(hard: Path) -> None:
    path = hard / "derived_interlaced_576i25_mpeg2.mpg"
    clock = clock_of(path)
    seeker = FrameSeeker(path, clock)

    def comb(frame) -> float:
        luma = frame.reformat(format="gray").to_ndarray().astype(int)
        return float(np.abs(luma[1:-1:2] * 2 - luma[:-2:2] - luma[2::2]).mean())

    try:
        raw = [comb(seeker.frame(index)) for index in (11, 47, 53)]
        weave = Deinterlacer(seeker.frame, clock.frame_count)
        clean = [comb(weave.frame(index)) for index in (11, 47, 53)]
    finally:
        seeker.close()
    assert all(after < 0.7 * before for before, after in zip(raw, clean, strict=True))


def test_a_stale_frame_is_abandoned_and_the_next_is_right(media_root: Path) -> None:
    path = media_root / "clips" / "sam2_juggle_person_10s.mp4"
    clock = clock_of(path)
    seeker, other = FrameSeeker(path, clock), FrameSeeker(path, clock)
    try:
        polls = iter([False] * 6 + [True] * 999)
        with pytest.raises(Abandoned):
            seeker.frame(120, lambda: next(polls))
        for index in (60, 61, 30):
            assert fingerprint(seeker.frame(index)) == fingerprint(other.frame(index))
    finally:
        seeker.close()
        other.close()


def test_a_key_preview_is_the_key_frame(media_root: Path) -> None:
    path = media_root / "clips" / "bbb_640x360_10s_audio.mp4"
    clock = clock_of(path)
    seeker = FrameSeeker(path, clock)
    try:
        key = clock.key_index_before(clock.frame_count - 1)
        preview = seeker.key_frame(clock.frame_count - 1)
        assert preview is not None
        assert fingerprint(preview) == fingerprint(seeker.frame(key))
        assert fingerprint(seeker.frame(key + 3)) != fingerprint(preview)
    finally:
        seeker.close()


def test_a_name_that_looks_like_an_option(hard: Path, tmp_path: Path) -> None:
    path = tmp_path / "-1x1 %03d concat:a.mp4"
    path.write_bytes((hard / "dash_in_name_1x1.mp4").read_bytes())
    assert probe(path).frame_count == 5
    decoder = open_decoder(path)
    assert decoder.rgb(3).shape == (1, 1, 3)
    decoder.close()
