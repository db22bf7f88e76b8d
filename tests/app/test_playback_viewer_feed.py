"""What the viewer is given: source, take, preview, gap, offline, comparison; always the newest wish."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot

from gen2studio.app.session import Compare, Session
from gen2studio.app.store import DocumentStore
from gen2studio.app.viewer_feed import ViewerFeed, ViewerPicture
from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.document.look import Look
from gen2studio.document.model import Document, MediaItem, Take
from gen2studio.media.decoder import open_decoder
from gen2studio.media.frame_server import FrameServer
from tests.export.sequences import DOG, SEQ, clip_of, document_with, plain, sequence_with, simple

Deliver = Callable[[str, int, NDArray[np.uint8] | None, str], None]


class Shelf:
    """A frame source that answers when told to, from a thread like the real one. Pixels: (index, path length, 0)."""

    def __init__(self) -> None:
        self.waiting: dict[str, tuple[str, int, Deliver]] = {}
        self.forgotten: list[str] = []
        self.prefetched: list[int] = []
        self.key_previews: list[bool] = []

    def describe(self, path: Path | str, info: MediaInfo) -> None: ...

    def request(
        self,
        channel: str,
        path: Path | str,
        index: int,
        deliver: Deliver,
        size: Extent | None = None,
        *,
        key_preview: bool = False,
    ) -> None:
        self.waiting[channel] = (str(path), index, deliver)
        self.key_previews.append(key_preview)

    def prefetch(self, path: Path | str, indices: list[int], size: Extent | None = None) -> None:
        self.prefetched = list(indices)

    def forget(self, path: Path | str) -> None:
        self.forgotten.append(Path(path).name)

    def answer(self, sentence: str = "", as_index: int | None = None) -> None:
        waiting, self.waiting = self.waiting, {} if as_index is None else dict(self.waiting)

        def work() -> None:
            for path, index, deliver in waiting.values():
                shown = index if as_index is None else as_index
                picture = None if sentence else bgra(shown, len(path))
                deliver(path, shown, picture, sentence)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()


def bgra(*values: int) -> NDArray[np.uint8]:
    picture = np.zeros((4, 8, 4), np.uint8)
    picture[..., : len(values)] = values
    return picture


class EveryFrame:
    def __init__(self, rate: Fraction) -> None:
        self.rate = rate

    def index_at(self, seconds: Fraction) -> int:
        return int(seconds * self.rate)


RATE = Fraction(25)


def document() -> Document:
    info = MediaInfo(kind=MediaKind.VIDEO, width=8, height=4, rate=RATE, frame_count=100)
    item = MediaItem(id="m1", name="m", path="/m.mp4", fingerprint="", info=info)
    take = Take(
        id="t1", media_id="m1", name="t", request_digest="", recipe="{}", look=Look(), start=0, stop=9, done=((0, 5),)
    )
    clip = replace(clip_of(item, duration=10), takes=("t1",))
    return document_with(sequence_with((clip,), rate=RATE, size=(8, 4)), item, takes=(take,))


def with_take(now: Document, take_id: str = "t1") -> Document:
    sequence = now.sequences[SEQ]
    track = sequence.tracks[0]
    track = replace(track, clips=(replace(track.clips[0], active_take=take_id),))
    return replace(now, sequences={SEQ: replace(sequence, tracks=(track,))})


@pytest.fixture
def session(qtbot: QtBot) -> Session:
    return Session(DocumentStore(document()))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def feed(qtbot: QtBot, session: Session, shelf: Shelf) -> Iterator[ViewerFeed]:
    feed = ViewerFeed(session, shelf, lambda take: Path("/takes") / take, clock_of=lambda _p, _i: EveryFrame(RATE))
    feed.start()
    qtbot.waitUntil(lambda: bool(shelf.waiting), timeout=3000)
    yield feed
    feed.shutdown()


@pytest.fixture
def shown(feed: ViewerFeed) -> list[ViewerPicture]:
    pictures: list[ViewerPicture] = []
    feed.picture_changed.connect(pictures.append)
    return pictures


def test_the_source_frame_under_the_playhead(
    qtbot: QtBot, session: Session, shelf: Shelf, feed: ViewerFeed, shown: list[ViewerPicture]
) -> None:
    session.set_playhead(7)
    shelf.answer()
    qtbot.waitUntil(lambda: bool(shown), timeout=3000)
    picture = shown[-1]
    assert (picture.media_id, picture.media_frame, picture.shows) == ("m1", 7, "source")
    assert picture.image is not None
    assert picture.image[0, 0, 0] == 7
    assert picture.extent == Extent(8, 4)
    assert picture.reference is None
    assert shelf.prefetched == [8, 6, 9, 5]


def test_only_the_newest_wish_is_shown(
    qtbot: QtBot, session: Session, shelf: Shelf, feed: ViewerFeed, shown: list[ViewerPicture]
) -> None:
    session.set_playhead(1)
    stale = dict(shelf.waiting)
    session.set_playhead(2)
    shelf.answer()
    for path, index, deliver in stale.values():
        deliver(path, index, bgra(index), "")
    qtbot.waitUntil(lambda: bool(shown), timeout=3000)
    qtbot.wait(20)
    assert [p.media_frame for p in shown] == [2]
    assert feed.skipped >= 1


def test_a_key_frame_stands_in_while_dragging(
    qtbot: QtBot, session: Session, shelf: Shelf, feed: ViewerFeed, shown: list[ViewerPicture]
) -> None:
    session.set_playhead(6)
    assert shelf.key_previews[-1]
    shelf.answer(as_index=4)
    shelf.answer()
    qtbot.waitUntil(lambda: len(shown) == 2, timeout=3000)
    assert [(p.media_frame, p.exact) for p in shown] == [(4, False), (6, True)]


def test_takes_show_where_they_exist(
    qtbot: QtBot, session: Session, shelf: Shelf, feed: ViewerFeed, shown: list[ViewerPicture]
) -> None:
    session.store.apply("apply", with_take(session.document))
    shelf.answer()
    qtbot.waitUntil(lambda: bool(shown) and shown[-1].shows == "take", timeout=3000)
    assert shown[-1].take_id == "t1"
    assert shown[-1].image is not None
    assert shown[-1].image[0, 0, 1] == len("/takes/t1")
    session.set_playhead(6)
    shelf.answer()
    qtbot.waitUntil(lambda: shown[-1].shows == "source", timeout=3000)


def test_a_take_that_grew_is_read_again(qtbot: QtBot, session: Session, shelf: Shelf, feed: ViewerFeed) -> None:
    session.store.apply("apply", with_take(session.document))
    shelf.answer()
    qtbot.waitUntil(lambda: feed.picture.shows == "take", timeout=3000)
    session.store.amend(lambda d: replace(d, takes={"t1": replace(d.takes["t1"], done=((0, 8),))}))
    assert shelf.forgotten == ["t1"]
    assert "viewer.image" in shelf.waiting


def test_comparing_brings_the_source_along(
    qtbot: QtBot, session: Session, shelf: Shelf, feed: ViewerFeed, shown: list[ViewerPicture]
) -> None:
    session.store.apply("apply", with_take(session.document))
    session.set_compare(Compare.WIPE)
    assert set(shelf.waiting) == {"viewer.image", "viewer.reference"}
    shelf.answer()
    qtbot.waitUntil(lambda: bool(shown) and shown[-1].reference is not None, timeout=3000)
    picture = shown[-1]
    assert picture.shows == "take"
    assert picture.reference is not None
    assert picture.reference[0, 0, 1] == len("/m.mp4")
    session.set_compare_takes("t1", "")
    shelf.answer()
    qtbot.waitUntil(lambda: shown[-1].reference_take_id == "t1", timeout=3000)
    session.set_compare(Compare.OFF)
    shelf.answer()
    qtbot.waitUntil(lambda: shown[-1].reference is None, timeout=3000)


def test_a_preview_lies_over_its_own_frame_only(
    qtbot: QtBot, session: Session, shelf: Shelf, feed: ViewerFeed, shown: list[ViewerPicture]
) -> None:
    shelf.answer()
    qtbot.waitUntil(lambda: feed.picture.shows == "source", timeout=3000)
    feed.show_preview("m1", 0, plain((1, 2, 3), (8, 4)))
    assert feed.picture.shows == "preview"
    assert feed.picture.image is not None
    assert feed.picture.image[0, 0].tolist() == [3, 2, 1, 255]
    session.set_playhead(3)
    shelf.answer()
    qtbot.waitUntil(lambda: feed.picture.media_frame == 3, timeout=3000)
    assert feed.picture.shows == "source"
    session.set_playhead(0)
    shelf.answer()
    qtbot.waitUntil(lambda: feed.picture.shows == "preview", timeout=3000)
    feed.clear_preview()
    assert feed.picture.shows == "source"


def test_gaps_and_unreadable_media(qtbot: QtBot, session: Session, shelf: Shelf, feed: ViewerFeed) -> None:
    session.set_playhead(5)
    shelf.answer("The file is damaged.")
    qtbot.waitUntil(lambda: feed.picture.shows == "offline", timeout=3000)
    assert feed.picture.sentence == "The file is damaged."
    session.set_playhead(50)
    assert feed.picture.shows == "empty"
    assert feed.picture.image is None


def test_a_file_without_an_index_is_offline_in_words(qtbot: QtBot, session: Session, shelf: Shelf) -> None:
    def broken(_path: Path, _info: MediaInfo) -> EveryFrame:
        raise MediaError("“m.mp4” is not there.", "Relink it.")

    feed = ViewerFeed(session, shelf, Path, clock_of=broken)
    feed.start()
    qtbot.waitUntil(lambda: feed.picture.shows == "offline", timeout=3000)
    assert feed.picture.sentence == "“m.mp4” is not there. Relink it."
    feed.shutdown()


def test_playing_fetches_ahead_in_the_right_direction(session: Session, shelf: Shelf, feed: ViewerFeed) -> None:
    session.set_shuttle(1.0)
    session.set_playhead(2)
    assert shelf.prefetched == [3, 4, 5, 6, 7, 8, 9]
    session.set_shuttle(-2.0)
    session.set_playhead(7)
    assert shelf.prefetched == [5, 3, 1]


def exact_frame(feed: ViewerFeed) -> int:
    """The media frame on screen, -1 while there is none or only its key frame."""
    picture = feed.picture
    return picture.media_frame if picture.image is not None and picture.exact else -1


def test_the_real_frame_server_brings_the_files_own_pictures(qtbot: QtBot, media_root: Path) -> None:
    """Through threads, cache and signals: what arrives is what the decoder gives for that media frame."""
    session = Session(DocumentStore(simple(media_root / DOG, 20)))
    server = FrameServer(budget_bytes=64 << 20)
    feed = ViewerFeed(session, server, Path)
    decoder = open_decoder(media_root / DOG)
    try:
        feed.start()
        for frame in (0, 13, 5):
            session.set_playhead(frame)
            qtbot.waitUntil(lambda n=frame: exact_frame(feed) == n, timeout=20000)
            assert feed.picture.image is not None and feed.picture.shows == "source"
            assert np.array_equal(feed.picture.image, decoder.bgra(frame))
    finally:
        decoder.close()
        feed.shutdown()
        server.shutdown()
