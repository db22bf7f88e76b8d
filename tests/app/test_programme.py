"""The programme in the viewer: when it is shown, what it shows, what is kept of it, and what stands in for footage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from gen2studio.app.compositor import OfflinePixels, composed, gathered
from gen2studio.app.compositor_stack import StackBuilder
from gen2studio.app.playback import Player
from gen2studio.app.preferences import Preferences
from gen2studio.app.programme import Programme
from gen2studio.app.programme_feed import preview_size
from gen2studio.app.programme_worker import opaque
from gen2studio.app.render_cache import RenderCache, RenderKey
from gen2studio.app.render_states import RenderSpan
from gen2studio.app.session import Compare, Session
from gen2studio.app.store import DocumentStore
from gen2studio.app.viewer_feed import ViewerFeed
from gen2studio.core.curve import Curve
from gen2studio.core.frozen import frozen_map
from gen2studio.core.geometry import Extent
from gen2studio.document.composition import Transform
from gen2studio.document.media_edits import set_proxy
from gen2studio.document.model import Document
from gen2studio.media.frame_server import FrameServer
from tests.export.sequences import DOG, SEQ, clip_of, document_with, item_of, sequence_with


@pytest.fixture
def document(media_root: Path) -> Document:
    """A plain clip of 20 frames; from frame 10 on with a smaller one over it."""
    dog = replace(item_of(media_root / DOG), proxy="never")
    top = replace(
        clip_of(dog, "clip-top", start=10), source_in=Fraction(1), transform=Transform(scale=Curve(0.5)),
        opacity=Curve(0.8),
    )  # fmt: skip
    return document_with(sequence_with((clip_of(dog, "clip-low", duration=20),), (top,), size=(512, 512)), dog)


class Room:
    """Session, feed, player and programme as the studio wires them."""

    def __init__(self, document: Document, folder: Path) -> None:
        self.session = Session(DocumentStore(document))
        self.server = FrameServer()
        self.feed = ViewerFeed(self.session, self.server, lambda take: folder / take)
        self.player = Player(self.session, sound=False)
        self.preferences = Preferences(folder / "preferences.json")
        self.programme = Programme(
            self.session, self.server, self.feed, self.player, self.preferences, lambda take: folder / take
        )
        self.programme.feed.set_view_size(256, 256)

    def close(self) -> None:
        self.player.shutdown()
        self.programme.shutdown()
        self.feed.shutdown()
        self.server.shutdown()

    def shows(self, kind: str, frame: int) -> bool:
        picture = self.feed.picture
        return picture.shows == kind and picture.media_frame == frame and picture.exact


@pytest.fixture
def room(qtbot: QtBot, document: Document, tmp_path: Path) -> Iterator[Room]:
    made = Room(document, tmp_path)
    made.feed.start()
    yield made
    made.close()


def test_the_composited_frame_is_shown_where_there_is_more_than_one_clip(
    qtbot: QtBot, room: Room, document: Document, tmp_path: Path
) -> None:
    qtbot.waitUntil(lambda: room.shows("source", 0), timeout=10000)
    room.session.set_playhead(14)
    qtbot.waitUntil(lambda: room.shows("programme", 14), timeout=10000)
    picture = room.feed.picture
    assert picture.extent == Extent(512, 512)
    assert picture.image is not None and picture.image.shape == (256, 256, 4)
    pixels = OfflinePixels(lambda take: tmp_path / take)
    stack = StackBuilder(document, pixels.index_at).stack(document.sequences[SEQ], 14)
    assert np.array_equal(picture.image, opaque(composed(stack, gathered(stack, pixels), Extent(256, 256))))
    pixels.close()
    room.session.set_playhead(2)
    qtbot.waitUntil(lambda: room.feed.picture.shows == "source", timeout=10000)


def test_the_clip_is_shown_where_the_artist_works_on_it(qtbot: QtBot, room: Room) -> None:
    session, feed = room.session, room.programme.feed
    session.set_playhead(14)
    qtbot.waitUntil(lambda: room.shows("programme", 14), timeout=10000)

    def clip_then_programme(on: object, off: object) -> None:
        assert callable(on) and callable(off)
        on()
        qtbot.waitUntil(lambda: room.feed.picture.shows == "source", timeout=10000)
        assert room.feed.picture.media_id
        off()
        qtbot.waitUntil(lambda: room.shows("programme", 14), timeout=10000)

    clip_then_programme(lambda: session.set_tool("brush"), lambda: session.set_tool("select"))
    clip_then_programme(lambda: session.set_compare(Compare.WIPE), lambda: session.set_compare(Compare.OFF))
    clip_then_programme(lambda: feed.set_preferred(False), lambda: feed.set_preferred(True))
    preview = np.zeros((8, 8, 3), np.uint8)
    clip = session.target_clip()
    assert clip is not None
    room.feed.show_preview(clip.media_id, 0, preview)
    qtbot.waitUntil(lambda: room.feed.picture.shows != "programme", timeout=10000)
    room.feed.clear_preview()
    qtbot.waitUntil(lambda: room.shows("programme", 14), timeout=10000)


def test_an_edit_shows_at_once_and_undoing_it_finds_the_frame_again(qtbot: QtBot, room: Room) -> None:
    room.session.set_playhead(14)
    qtbot.waitUntil(lambda: room.shows("programme", 14), timeout=10000)
    before, worker = room.feed.picture.image, room.programme.feed.worker
    # With two frames on either side.
    qtbot.waitUntil(lambda: worker.painted == 5, timeout=10000)
    document = room.session.document
    sequence = document.sequences[SEQ]
    top = replace(sequence.tracks[1].clips[0], opacity=Curve(0.2))
    tracks = (sequence.tracks[0], replace(sequence.tracks[1], clips=(top,)))
    room.session.store.apply("Fade", replace(document, sequences=frozen_map({SEQ: replace(sequence, tracks=tracks)})))
    qtbot.waitUntil(lambda: room.feed.picture.image is not before, timeout=10000)
    assert room.feed.picture.image is not None and not np.array_equal(room.feed.picture.image, before)
    qtbot.waitUntil(lambda: worker.painted == 10, timeout=10000)
    room.session.store.undo_stack.undo()
    qtbot.waitUntil(lambda: room.feed.picture.image is before, timeout=10000)
    assert worker.painted == 10


def test_playing_shows_frames_in_order_and_counts_those_it_dropped(qtbot: QtBot, room: Room) -> None:
    seen: list[int] = []
    room.feed.picture_changed.connect(lambda p: seen.append(p.media_frame) if p.shows == "programme" else None)
    room.session.set_playhead(9)
    with qtbot.waitSignals([room.player.playing_changed, room.player.playing_changed], timeout=10000):
        room.player.toggle()
    assert seen == sorted(seen) and seen
    # Every frame of the upper clip was shown, or counted.
    assert len(set(seen)) + room.player.dropped >= 9


def test_sizes_are_eighths_and_never_above_the_timeline() -> None:
    sequence = sequence_with(size=(1920, 1080))
    assert preview_size(sequence, Extent(700, 394)) == Extent(720, 405)
    assert preview_size(sequence, Extent(960, 540)) == Extent(960, 540)
    assert preview_size(sequence, Extent(9000, 5000)) == Extent(1920, 1080)
    assert preview_size(sequence, Extent(1, 1)) == Extent(240, 135)


# -- what is kept ----------------------------------------------------------------------------------------------------


def frame(value: int, size: Extent = Extent(8, 4)) -> np.ndarray:
    out = np.full((size.height, size.width, 4), value, np.uint8)
    out[..., 3] = 255
    return out


def test_slow_frames_outlive_memory_and_program(tmp_path: Path) -> None:
    cache = RenderCache(memory_bytes=300, folder=tmp_path)
    slow, quick = RenderKey("aa", Extent(8, 4)), RenderKey("bb", Extent(8, 4))
    cache.put(slow, frame(7), slow=True)
    cache.put(quick, frame(8), slow=False)
    cache.flush()
    cache.clear_memory()
    found = cache.get(slow)
    assert found is not None and np.array_equal(found, frame(7))
    assert cache.get(quick) is None and not cache.holds(quick)
    assert cache.get(RenderKey("aa", Extent(4, 2))) is None
    cache.shutdown()
    again = RenderCache(folder=tmp_path)
    assert again.holds(slow) and np.array_equal(again.get(slow), frame(7))
    (tmp_path / slow.name).write_bytes(b"broken")
    again.clear_memory()
    assert again.get(slow) is None and not again.holds(slow)
    assert not (tmp_path / slow.name).exists()
    again.shutdown()


def test_memory_and_disk_are_bounded(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    cache = RenderCache(memory_bytes=2000, disk_bytes=4000, folder=tmp_path)
    keys = [RenderKey(f"{n:02d}", Extent(16, 16)) for n in range(10)]
    for key in keys:
        noise = rng.integers(0, 256, (16, 16, 4), np.uint8)
        noise[..., 3] = 255
        cache.put(key, noise, slow=True, keep=True)
    cache.flush()
    assert sum(entry.stat().st_size for entry in tmp_path.iterdir()) <= 4000
    held = [cache.holds(key) for key in keys]
    assert not held[0] and held[-1]
    cache.delete()
    assert not any(cache.holds(key) for key in keys) and not list(tmp_path.iterdir())
    cache.shutdown()


def test_rendering_in_to_out_makes_bands_and_edits_unmake_only_what_they_change(qtbot: QtBot, room: Room) -> None:
    session, programme = room.session, room.programme
    document = session.document
    sequence = replace(document.sequences[SEQ], in_point=5, out_point=16)
    session.store.apply("Range", replace(document, sequences=frozen_map({SEQ: sequence})))
    programme.render_range()
    assert programme.rendering and "Rendering" in programme.status
    qtbot.waitUntil(lambda: not programme.rendering, timeout=20000)
    rendered = (RenderSpan("rendered", 10, 16),)
    qtbot.waitUntil(lambda: programme.render_states() == rendered, timeout=10000)
    painted = programme.feed.worker.painted
    session.set_playhead(12)
    qtbot.waitUntil(lambda: room.shows("programme", 12), timeout=10000)
    # Nor were its neighbours made again.
    assert programme.feed.worker.painted == painted
    # The upper clip ends earlier: what lay under it alone needs no rendering, the rest is as it was.
    now = session.document.sequences[SEQ]
    shorter = replace(now.tracks[1], clips=(replace(now.tracks[1].clips[0], duration=4),))
    changed = replace(now, tracks=(now.tracks[0], shorter))
    session.store.apply("Trim", replace(session.document, sequences=frozen_map({SEQ: changed})))
    qtbot.waitUntil(lambda: programme.render_states() == (RenderSpan("rendered", 10, 14),), timeout=10000)
    programme.delete_rendered()
    qtbot.waitUntil(lambda: programme.render_states() == (), timeout=10000)


# -- proxies ---------------------------------------------------------------------------------------------------------


def test_a_proxy_is_made_on_demand_used_while_playing_and_not_at_rest(qtbot: QtBot, room: Room) -> None:
    session, keeper = room.session, room.programme.proxies
    media_id = next(iter(session.document.media))
    states: list[str] = []
    keeper.changed.connect(lambda changed: states.append(keeper.state_of(changed).kind))
    keeper.start()
    assert keeper.path_of(session.document.media[media_id]) is None
    session.store.apply("Proxies", set_proxy(session.document, (media_id,), "always"))
    qtbot.waitUntil(lambda: keeper.state_of(media_id).kind == "ready", timeout=20000)
    assert "making" in states
    item = session.document.media[media_id]
    file = keeper.path_of(item)
    assert file is not None and file.is_file()
    keeper.set_enabled(False)
    assert keeper.path_of(item) is None
    keeper.set_enabled(True)

    asked: list[str] = []
    real = room.server.picture

    def picture(path: Path | str, *rest: object) -> object:
        asked.append(str(path))
        return real(path, *rest)  # type: ignore[arg-type]

    room.server.picture = picture  # type: ignore[method-assign,assignment]
    session.set_playhead(11)
    qtbot.waitUntil(lambda: room.shows("programme", 11), timeout=10000)
    assert str(file) not in asked
    with qtbot.waitSignals([room.player.playing_changed, room.player.playing_changed], timeout=10000):
        room.player.toggle()
    assert str(file) in asked
    # One that breaks is forgotten and made again, and the footage is shown meanwhile.
    broken = file.read_bytes()[:200]
    room.server.forget(file)
    file.write_bytes(broken)
    room.programme.cache.delete()
    room.programme.feed.worker.refresh()
    session.set_playhead(10)
    states.clear()
    with qtbot.waitSignals([room.player.playing_changed, room.player.playing_changed], timeout=10000):
        room.player.toggle()
    assert room.feed.picture.shows == "programme"
    qtbot.waitUntil(lambda: keeper.state_of(media_id).kind == "ready" and "making" in states, timeout=20000)
    assert keeper.path_of(item) == file and file.stat().st_size > len(broken)
