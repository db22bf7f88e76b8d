"""The frame server: latest-only requests, a bounded cache, a clean end; thumbnails."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent
from gen2studio.media import decoder as decoder_room
from gen2studio.media import thumbnails
from gen2studio.media.abandon import Abandoned
from gen2studio.media.clock import clock_of
from gen2studio.media.decoder import open_decoder
from gen2studio.media.decoder_colour import PlanarPicture
from gen2studio.media.frame_server import FrameServer
from gen2studio.media.probe import probe


class Inbox:
    """Collects deliveries and waits for one of them."""

    def __init__(self) -> None:
        self.got: list[tuple[int, np.ndarray | None, str]] = []
        self.threads: set[int] = set()
        self._changed = threading.Condition()

    def __call__(self, path: str, index: int, picture: np.ndarray | None, error: str) -> None:
        with self._changed:
            self.got.append((index, picture, error))
            self.threads.add(threading.get_ident())
            self._changed.notify_all()

    def wait_for(self, index: int, seconds: float = 120) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: any(got[0] == index for got in self.got), seconds)


@pytest.fixture
def server() -> Iterator[FrameServer]:
    made = FrameServer(budget_bytes=24 << 20)
    yield made
    made.shutdown()


@pytest.fixture
def clip(media_root: Path) -> Path:
    return media_root / "clips" / "bbb_640x360_10s_audio.mp4"


@contextlib.contextmanager
def busy(server: FrameServer, clip: Path) -> Iterator[None]:
    """Both threads of the server stand still inside: what is asked for waits until the end."""
    entered, gate = threading.Semaphore(0), threading.Event()

    def hold(*_: object) -> None:
        entered.release()
        assert gate.wait(120)

    for channel in range(2):
        server.request(f"hold {channel}", clip, channel, hold)
    for _ in range(2):
        assert entered.acquire(timeout=120)
    try:
        yield
    finally:
        gate.set()


def until(condition, seconds: float = 120) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_get_is_the_decoders_picture(server: FrameServer, clip: Path) -> None:
    decoder = open_decoder(clip)
    for index in (100, 3, 3, 101):
        assert np.array_equal(server.get(clip, index), decoder.bgra(index))
    assert server.get(clip, 3, Extent(64, 36)).shape == (36, 64, 4)
    decoder.close()


def test_only_the_newest_request_of_a_channel_is_served(server: FrameServer, clip: Path) -> None:
    inbox = Inbox()
    with busy(server, clip):
        for index in range(200, 20, -3):
            server.request("viewer", clip, index, inbox)
        server.request("viewer", clip, 10, inbox)
    assert inbox.wait_for(10)
    assert [got[0] for got in inbox.got] == [10]
    assert threading.get_ident() not in inbox.threads


def test_channels_do_not_replace_each_other(server: FrameServer, clip: Path) -> None:
    one, two = Inbox(), Inbox()
    server.request("viewer", clip, 50, one)
    server.request("inspector", clip, 60, two)
    assert one.wait_for(50) and two.wait_for(60)


def test_a_withdrawn_request_is_not_delivered(server: FrameServer, clip: Path) -> None:
    inbox, other = Inbox(), Inbox()
    with busy(server, clip):
        server.request("viewer", clip, 230, inbox)
        server.withdraw("viewer")
        server.request("other", clip, 5, other)
    assert other.wait_for(5)
    server.shutdown()
    assert inbox.got == []


def test_a_dragged_playhead_sees_the_key_frame_first(server: FrameServer, clip: Path) -> None:
    inbox = Inbox()
    key = open_decoder(clip).clock.key_index_before(200)
    server.request("viewer", clip, 200, inbox, key_preview=True)
    assert inbox.wait_for(200)
    assert [got[0] for got in inbox.got] == [key, 200]
    assert np.array_equal(inbox.got[0][1], server.get(clip, key))


def test_the_cache_keeps_its_budget(clip: Path) -> None:
    server = FrameServer(budget_bytes=3 << 20)
    try:
        for index in range(30):
            server.get(clip, index)
            assert server.cached_bytes <= 3 << 20
        assert server.is_cached(clip, 29) and not server.is_cached(clip, 0)
    finally:
        server.shutdown()


def test_prefetching_fills_ahead_and_behind(server: FrameServer, clip: Path) -> None:
    server.get(clip, 50)
    server.prefetch_around(clip, 50, direction=1, count=16)
    assert until(lambda: all(server.is_cached(clip, n) for n in [*range(46, 50), *range(51, 63)]))
    assert not server.is_cached(clip, 70)


def test_frames_seen_are_kept_ready_and_stay_the_servers(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = FrameServer(budget_bytes=24 << 20, workers=1)
    converted: list[int] = []
    convert = PlanarPicture.bgra

    def counted(self: PlanarPicture, size: Extent | None = None) -> np.ndarray:
        converted.append(1)
        return convert(self, size)

    monkeypatch.setattr(PlanarPicture, "bgra", counted)
    try:
        first = server.get(clip, 9)
        truth = first.copy()
        first[...] = 0
        assert np.array_equal(server.get(clip, 9), truth)
        assert len(converted) == 1
        server.prefetch(clip, range(10, 20))
        assert until(lambda: all(server.is_cached(clip, n) for n in range(10, 20)))
        ahead = len(converted)
        assert 2 <= ahead < 10, "only the nearest are converted before they are asked for"
        server.get(clip, 10)
        assert len(converted) == ahead
        server.forget(clip)
        assert server.cached_bytes == 0
    finally:
        server.shutdown()


def test_shutdown_interrupts_the_first_reading_of_a_file(media_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read through before its first picture; leaving the program must not wait for that."""
    source = media_root / "clips" / "night_person_1080p_19s.mp4"
    server = FrameServer(workers=1)
    inbox, reading = Inbox(), threading.Event()
    given_up: list[bool] = []

    def slow(*words: object, **options: object) -> object:
        reading.set()
        assert until(server._is_closing)
        try:
            return open_decoder(*words, **options)  # type: ignore[arg-type]
        except Abandoned:
            given_up.append(True)
            raise

    monkeypatch.setattr(decoder_room, "open_decoder", slow)
    server.request("viewer", source, 3, inbox)
    assert reading.wait(120)
    server.shutdown()
    assert given_up == [True] and inbox.got == []
    with pytest.raises(Abandoned):
        clock_of(source, abandon=lambda: True)


def test_stepping_back_keeps_what_it_passes(server: FrameServer, clip: Path) -> None:
    server.get(clip, 200)
    server.get(clip, 199)
    assert all(server.is_cached(clip, n) for n in range(180, 199))


def test_errors_arrive_as_sentences(server: FrameServer, broken: Path, tmp_path: Path) -> None:
    inbox = Inbox()
    server.request("viewer", broken / "derived_truncated_no_moov.mp4", 3, inbox)
    assert inbox.wait_for(3)
    assert inbox.got[0][1] is None and "cut short" in inbox.got[0][2]
    with pytest.raises(MediaError, match="is not there"):
        server.get(tmp_path / "gone.mp4", 0)
    assert server.get(broken / "empty.mp4", 99).shape == (240, 320, 4)


def test_a_receivers_fault_does_not_stop_the_server(
    server: FrameServer, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("the receiver's own fault")

    inbox = Inbox()
    for channel in ("a", "b", "c"):
        server.request(channel, clip, 1, fails)
    server.request("d", clip, 2, inbox)
    assert inbox.wait_for(2)
    assert "the receiver's own fault" in caplog.text


def test_many_files_share_few_decoders(server: FrameServer, hard: Path) -> None:
    names = [p for p in sorted(hard.iterdir()) if p.suffix in (".mp4", ".mov") and p.stat().st_size < 400_000]
    shown = [p for p in names if p.name != "audio_only_15s.mp4"]
    assert len(shown) > 12
    for path in shown:
        assert server.get(path, 0, Extent(16, 16)).shape == (16, 16, 4)
    assert len(server._open) <= 8


def test_forgetting_notices_a_replaced_file(server: FrameServer, hard: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.mov"
    path.write_bytes((hard / "decord_rot_0.mov").read_bytes())
    first = server.get(path, 0)
    path.write_bytes((hard / "decord_rot_90.mov").read_bytes())
    assert np.array_equal(server.get(path, 0), first)
    server.forget(path)
    assert server.get(path, 0).shape == (568, 320, 4)


def test_sequences_by_description_and_by_frame_number(server: FrameServer, media_root: Path) -> None:
    first = media_root / "davis" / "dog" / "frames" / "00000.jpg"
    fifth = server.get(media_root / "davis" / "dog" / "frames" / "00005.jpg", 0)
    assert np.array_equal(server.get(first, 5), fifth)
    other = FrameServer(workers=1)
    try:
        other.describe(first, probe(first, as_sequence=True))
        assert np.array_equal(other.get(first, 5), fifth)
    finally:
        other.shutdown()


def test_a_gap_is_not_remembered(server: FrameServer, tmp_path: Path) -> None:
    import cv2

    folder = tmp_path / "takes" / "t"
    folder.mkdir(parents=True)
    for number in (0, 3):
        cv2.imwrite(str(folder / f"frame_{number:06d}.png"), np.full((8, 8, 3), number + 1, np.uint8))
    assert int(server.get(folder, 2)[0, 0, 0]) == 1
    cv2.imwrite(str(folder / "frame_000002.png"), np.full((8, 8, 3), 77, np.uint8))
    assert int(server.get(folder, 2)[0, 0, 0]) == 77


def test_shutdown_in_the_middle_of_work_leaves_nothing(clip: Path, media_root: Path) -> None:
    before = threading.active_count()
    server = FrameServer(workers=3)
    inbox = Inbox()
    server.prefetch(clip, range(100))
    server.request("viewer", media_root / "clips" / "night_person_1080p_19s.mp4", 500, inbox)
    time.sleep(0.05)
    server.shutdown()
    delivered = len(inbox.got)
    assert threading.active_count() == before
    server.request("viewer", clip, 1, inbox)
    server.shutdown()
    time.sleep(0.05)
    assert len(inbox.got) == delivered
    with pytest.raises(MediaError):
        server.get(clip, 1)


def test_thumbnails_are_key_frames_kept_on_disk(clip: Path, isolated_home: Path) -> None:
    decoder = open_decoder(clip)
    key = decoder.clock.key_index_before(200)
    picture = decoder.bgra(key, Extent(160, 90)).astype(int)
    made = thumbnails.thumbnail(clip, decoder.clock.time_of(200), 90)
    decoder.close()
    assert made.shape == (90, 160, 4)
    assert np.abs(made - picture).mean() < 2
    files = list((isolated_home / "cache" / "thumbnails").iterdir())
    assert len(files) == 1 and files[0].suffix == ".jpg"
    kept = thumbnails.thumbnail(clip, Fraction(9), 90)
    assert np.abs(kept.astype(int) - made).mean() < 4
    thumbnails.close_readers()


@pytest.mark.parametrize("name", ["vp9_alpha_200x200_5s.webm", "interlaced_1080i50_sony_a7m3.mts", "decord_rot_90.mov"])
def test_thumbnails_of_hard_files(hard: Path, name: str) -> None:
    info = probe(hard / name)
    for _ in range(2):
        made = thumbnails.thumbnail(hard / name, Fraction(0), 60)
        assert made.shape == (60, round(info.width * 60 / info.height), 4)
    thumbnails.close_readers()
