"""The source viewer without a window: marks, three-point edits, matching frames, and which viewer the keys mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from gen2studio.app import audio_output
from gen2studio.app.playback import Player
from gen2studio.app.preferences import Preferences
from gen2studio.app.programme import Programme
from gen2studio.app.session import Session
from gen2studio.app.source_edits import SourceEdits, places_of, three_point
from gen2studio.app.source_monitor import Marks, Patch, SourceMonitor
from gen2studio.app.store import DocumentStore
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.app.transport import PROGRAMME, SOURCE, Transport
from gen2studio.app.trim_pictures import TrimPictures
from gen2studio.app.trimming import TrimMode, TrimPane, TrimShown
from gen2studio.app.viewer_feed import ViewerFeed
from gen2studio.core.errors import EditRefused
from gen2studio.core.frozen import frozen_map, with_item, without
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import AudioInfo, MediaInfo, MediaKind
from gen2studio.document.model import Clip, MediaItem, SourceView, TrackKind
from gen2studio.document.nesting import item_of as nested_item
from gen2studio.document.sequences import add_sequence
from gen2studio.media.audio_reader import AudioReader
from gen2studio.media.frame_server import FrameServer
from tests.app.test_playback import Card
from tests.export.sequences import BUNNY, clip_of, document_with, item_of, sequence_with

RATE = Fraction(25)


def item(name: str = "m1", seconds: int = 10, rate: Fraction = RATE, sound: bool = True) -> MediaItem:
    audio = AudioInfo(sample_rate=48000, channels=2, codec="pcm", duration=Fraction(seconds)) if sound else None
    info = MediaInfo(
        kind=MediaKind.VIDEO, width=64, height=36, rate=rate, frame_count=int(seconds * rate), exact=True,
        duration=Fraction(seconds), audio=audio,
    )  # fmt: skip
    return MediaItem(id=name, name=name, path=f"/{name}.mp4", fingerprint="", info=info)


class Room:
    """Two files, one of them twice on the timeline: whole, and from its third second on at double speed."""

    def __init__(self) -> None:
        self.media = item(), item("m2", 4, Fraction(50))
        first = clip_of(self.media[0], duration=250)
        second = Clip(
            id="fast", media_id="m1", name="m1", start=300, duration=50, source_in=Fraction(3), speed=Fraction(2)
        )
        self.session = Session(DocumentStore(document_with(sequence_with((first, second), rate=RATE), *self.media)))
        self.editing = TimelineEditing(self.session)
        self.player = Player(self.session, sound=False)
        self.source = SourceMonitor(self.session, Path, sound=False)
        self.edits = SourceEdits(self.session, self.editing, self.source)
        self.trim = TrimMode(self.session, self.editing, self.player)
        self.transport = Transport(self.session, self.player, self.editing, self.source, self.trim)
        self.told: list[str] = []
        self.session.message.connect(lambda _severity, sentence: self.told.append(sentence))

    def lane(self) -> list[tuple[str, int, int]]:
        sequence = self.session.sequence
        assert sequence is not None
        return [(c.media_id, c.start, c.end) for c in sequence.video_tracks[0].clips]


@pytest.fixture
def room(qtbot: QtBot) -> Iterator[Room]:
    made = Room()
    yield made
    made.source.shutdown()
    made.player.shutdown()


# -- three points ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "record", "wanted"),
    [
        ((None, None), (None, None), ((0, 10), 100)),
        ((2, 5), (None, None), ((2, 5), 100)),
        ((2, None), (None, None), ((2, 10), 100)),
        ((2, 5), (40, None), ((2, 5), 40)),
        ((2, 5), (None, 200), ((2, 5), 125)),
        ((2, None), (50, 100), ((2, 4), 50)),
        ((None, 5), (50, 100), ((3, 5), 50)),
        ((2, 5), (50, 100), ((2, 4), 50)),
        ((None, None), (50, 100), ((0, 2), 50)),
        ((2, 5), (None, 50), ((3, 5), 0)),
    ],
)
def test_the_fourth_point_follows_from_three(
    source: tuple[int | None, int | None], record: tuple[int | None, int | None], wanted: tuple[tuple[int, int], int]
) -> None:
    marks = tuple(None if s is None else Fraction(s) for s in source)
    (begin, end), at = three_point(Fraction(10), (marks[0], marks[1]), record, 100, RATE)
    assert ((begin, end), at) == ((Fraction(wanted[0][0]), Fraction(wanted[0][1])), wanted[1])


def test_a_source_that_is_too_short_for_the_place_is_refused() -> None:
    with pytest.raises(EditRefused, match="too short"):
        three_point(Fraction(10), (Fraction(9), None), (0, 50), 0, RATE)


@given(st.integers(0, 200), st.integers(1, 200), st.integers(0, 500), st.booleans())
def test_what_is_placed_ends_where_out_says(start: int, length: int, stop: int, back: bool) -> None:
    source = (Fraction(start, 25), Fraction(start + length, 25))
    (begin, end), at = three_point(Fraction(100), source, (None, stop) if back else (stop, None), 7, RATE)
    assert at >= 0 and begin >= source[0] and end == source[1]
    assert at + (end - begin) * RATE == (stop if back else stop + length)


# -- the monitor -------------------------------------------------------------------------------------------------------


def test_marks_and_places_are_kept_for_each_file(room: Room) -> None:
    source = room.source
    assert source.open("m1") and source.length == 250 and source.rate == 25
    source.go(50)
    source.set_in()
    source.go(99)
    source.set_out()
    assert source.marks == Marks(start=50, stop=100)
    assert source.range_of(room.media[0]) == (Fraction(2), Fraction(4))
    assert source.open("m2") and source.length == 200 and source.marks == Marks()
    assert source.range_of(room.media[1]) is None
    source.open("m1")
    assert source.playhead == 99 and source.marks == Marks(start=50, stop=100)
    # An out before the in takes the in away, as on the timeline.
    source.set_out(20)
    assert source.marks == Marks(stop=20)
    source.mark_all()
    source.go_mark(-1)
    assert source.playhead == 0
    assert not source.open("gone") and source.item is room.media[0]


def test_marks_and_places_are_part_of_the_project_and_no_edit(room: Room) -> None:
    """They outlive undo, and another project shows its own."""
    source, store = room.source, room.session.store
    source.open("m1", 20)
    source.set_in()
    source.open("m2", 7)
    room.session.store.apply("Rename", replace(store.document, name="Other"))
    source.set_out(30)
    store.undo_stack.undo()
    assert store.document.name != "Other" and source.marks == Marks(stop=30)
    source.go(12)
    source.keep_place()
    wanted = {"m1": SourceView(start=20, playhead=20), "m2": SourceView(stop=30, playhead=12)}
    assert dict(store.document.sources) == wanted
    # Another project shows its own.
    opened = replace(store.document, id="doc-000000000002", sources=frozen_map({"m2": SourceView(start=1, playhead=3)}))
    store.replace(opened, store.tiles)
    assert source.item is None
    source.open("m2")
    assert source.marks == Marks(start=1) and source.playhead == 3
    source.open("m1")
    assert source.marks == Marks() and source.playhead == 0


def test_a_drag_of_a_marked_file_places_what_is_marked(room: Room) -> None:
    room.editing.marked = room.source.range_of
    room.source.open("m2")
    room.source.set_marks(Marks(start=50, stop=100))
    assert room.editing.overwrite_media(["m2"], "", 1000)
    assert room.lane()[-1] == ("m2", 1000, 1025)


def test_a_removed_file_leaves_the_monitor_empty(room: Room) -> None:
    room.source.open("m2")
    room.transport.set_viewer(SOURCE)
    document = room.session.document
    room.session.store.apply("Remove", replace(document, media=without(document.media, "m2")))
    assert room.source.item is None and room.source.length == 0 and room.transport.viewer == PROGRAMME


# -- onto the timeline -------------------------------------------------------------------------------------------------


def test_insert_overwrite_and_append(room: Room) -> None:
    room.source.open("m2")
    room.source.set_marks(Marks(start=50, stop=100))
    room.session.set_playhead(100)
    assert room.edits.insert()
    assert room.lane() == [("m1", 0, 100), ("m2", 100, 125), ("m1", 125, 275), ("m1", 325, 375)]
    assert room.session.playhead == 125
    assert room.edits.overwrite()
    assert room.lane()[2] == ("m2", 125, 150)
    assert room.edits.append()
    assert room.lane()[-1] == ("m2", 375, 400)
    for _ in range(3):
        room.session.store.undo_stack.undo()
    assert room.lane() == [("m1", 0, 250), ("m1", 300, 350)]


def test_the_patch_says_which_halves_go_where(room: Room) -> None:
    room.editing.add_track(TrackKind.VIDEO)
    sequence = room.session.sequence
    assert sequence is not None
    upper = sequence.video_tracks[-1].id
    room.source.open("m2")
    room.source.set_patch(Patch(audio=False, video_track=upper))
    room.session.set_playhead(10)
    before = [t.clips for t in sequence.audio_tracks]
    assert room.edits.overwrite()
    sequence = room.session.sequence
    assert sequence is not None
    assert [c.media_id for c in sequence.video_tracks[-1].clips] == ["m2"]
    assert [t.clips for t in sequence.audio_tracks] == before and room.lane()[0] == ("m1", 0, 250)
    room.source.set_patch(Patch(audio=False, video=False))
    assert not room.edits.overwrite() and room.told


def test_fit_to_fill_changes_the_speed_and_nothing_else(room: Room) -> None:
    room.source.open("m2")
    room.source.set_marks(Marks(start=0, stop=100))
    assert not room.edits.fit_to_fill() and "Fit to Fill" in room.told[-1]
    room.editing.set_in(400)
    room.editing.set_out(425)
    assert room.edits.fit_to_fill()
    sequence = room.session.sequence
    assert sequence is not None
    clip = sequence.video_tracks[0].clips[-1]
    assert (clip.start, clip.end, clip.speed) == (400, 425, 2)


# -- matching frames ---------------------------------------------------------------------------------------------------


def test_match_frame_goes_there_and_back(room: Room) -> None:
    room.session.set_playhead(310)
    assert room.edits.match_frame()
    # Ten frames into a clip at double speed from the third second: 3 s + 10 · 2 / 25 s.
    assert room.source.playhead == 95 and room.source.marks == Marks()
    room.session.set_playhead(0)
    found: list[int] = []
    for _ in range(3):
        assert room.edits.reverse_match_frame()
        found.append(room.session.playhead)
    assert found == [95, 310, 95] and room.session.selection
    room.session.set_playhead(280)
    room.source.go(249)
    room.editing.select_none()
    assert room.edits.show_clip() is False and room.told


def test_show_clip_marks_what_the_clip_uses(room: Room) -> None:
    room.session.set_playhead(325)
    assert room.edits.show_clip()
    assert room.source.marks == Marks(start=75, stop=175) and room.source.playhead == 125


@given(
    st.fractions(Fraction(1, 4), Fraction(4), max_denominator=8),
    st.integers(0, 40), st.booleans(), st.sampled_from([24, 25, 30, 50]),
)  # fmt: skip
def test_a_frame_that_a_clip_shows_is_found_in_it(speed: Fraction, frame: int, reverse: bool, rate: int) -> None:
    clip = Clip(
        id="c", media_id="m", name="", start=7, duration=41, source_in=Fraction(1), speed=speed, reverse=reverse
    )
    sequence = sequence_with((clip,), rate=RATE)
    shown = int((clip.source_time(7 + frame, RATE) * rate).__floor__())
    found = places_of(sequence, "m", Fraction(shown, rate), Fraction(1, rate))
    # The playhead may stand on the neighbour that shows the same media frame, or the nearest when the clip skips some.
    assert [i for _, i in found] in ([], ["c"])
    if found:
        there = clip.source_time(found[0][0], RATE)
        assert abs(there - Fraction(shown, rate)) < max(speed / RATE, Fraction(1, rate))
    elif speed <= RATE / rate:
        assert frame in (0, 40)


# -- who has the keys --------------------------------------------------------------------------------------------------


def test_keys_act_on_the_viewer_that_has_them_and_one_plays_at_a_time(room: Room) -> None:
    transport, source = room.transport, room.source
    source.open("m1")
    transport.step(1)
    assert (room.session.playhead, source.playhead) == (1, 0)
    transport.set_viewer(SOURCE)
    for _ in range(3):
        transport.step(1)
    transport.mark(out=False)
    transport.step_second(1)
    transport.mark(out=True)
    sequence = room.session.sequence
    assert sequence is not None and (sequence.in_point, sequence.out_point) == (None, None)
    assert source.marks == Marks(start=3, stop=29) and room.session.playhead == 1
    transport.go_edge(end=True)
    assert source.playhead == 249
    transport.go_edit(-1)
    assert source.playhead == 28
    transport.play()
    assert source.player.playing and not room.player.playing
    transport.set_viewer(PROGRAMME)
    transport.shuttle(1)
    assert room.player.playing and not source.player.playing
    transport.stop()
    transport.mark(out=False)
    assert room.session.sequence is not None and room.session.sequence.in_point is not None
    transport.set_viewer(SOURCE)
    transport.clear_marks()
    assert source.marks == Marks() and room.session.sequence.in_point is not None


def test_the_source_is_heard_through_the_sound_card(
    qtbot: QtBot, media_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Card, "opened", [])
    monkeypatch.setattr(audio_output, "QAudioSink", PlayingCard)
    monkeypatch.setattr(audio_output, "QMediaDevices", Card())
    monkeypatch.setattr(Card, "opened", [])
    bunny = item_of(media_root / BUNNY)
    programme = Session(DocumentStore(document_with(sequence_with(rate=Fraction(24)), bunny)))
    source = SourceMonitor(programme, Path)
    try:
        source.open(bunny.id, 48)
        source.player.forward()
        qtbot.waitUntil(lambda: source.playhead >= 54, timeout=10_000)
        source.player.stop()
        assert source.player.clock == "audio" and len(Card.opened) == 1
        heard = Card.opened[0].heard
        reader = AudioReader(Path(bunny.path), source.session.sequence.sample_rate)  # type: ignore[union-attr]
        wanted = reader.read(Fraction(2), 4800)
        reader.close()
        # The first four milliseconds are faded in.
        assert np.abs(wanted).max() > 0.001 and np.abs(heard[200:4800] - wanted[200:]).max() < 1e-3
    finally:
        source.shutdown()


class PlayingCard(Card):
    """Plays 10 ms whenever somebody looks at it."""

    def processedUSecs(self) -> int:
        self.play(480)
        return super().processedUSecs()


def test_in_to_out_is_played_once_and_rests_on_its_last_frame(room: Room, qtbot: QtBot) -> None:
    room.transport.play_marked()
    assert room.told and not room.player.playing
    room.editing.set_in(10)
    room.editing.set_out(14)
    seen: list[int] = []
    room.session.playhead_changed.connect(seen.append)
    with qtbot.waitSignals([room.player.playing_changed, room.player.playing_changed], timeout=5000):
        room.transport.play_marked()
    assert seen[0] == 10 and room.session.playhead == 13 and all(a < b for a, b in pairwise(seen))


def test_a_nested_timeline_is_a_source_like_a_file(qtbot: QtBot, media_root: Path, tmp_path: Path) -> None:
    bunny = item_of(media_root / BUNNY)
    inner = replace(
        sequence_with((clip_of(bunny, duration=48),), rate=Fraction(24), size=(640, 360)), id="inner", name="Inside"
    )
    document = add_sequence(document_with(sequence_with(rate=Fraction(24), size=(640, 360)), bunny), inner, False)
    nest_item = replace(nested_item(inner, document.media), id="n")
    document = replace(document, media=with_item(document.media, "n", nest_item))
    programme = Session(DocumentStore(document))
    frames = FrameServer(64 << 20, workers=1)
    player = Player(programme, sound=False)
    feed = ViewerFeed(programme, frames, lambda take: tmp_path / take)
    services = Programme(programme, frames, feed, player, Preferences(), lambda take: tmp_path / take)
    source = SourceMonitor(programme, lambda take: tmp_path / take, sound=False)
    source.serve = services.serve
    pictures = TrimPictures(programme, frames, lambda take: tmp_path / take)
    try:
        assert source.open("n", 30) and source.length == 48
        source.feed.start()
        qtbot.waitUntil(lambda: source.feed.picture.image is not None, timeout=15_000)
        shown = source.feed.picture.image
        assert shown is not None
        direct = frames.get(bunny.path, 30, Extent(shown.shape[1], shown.shape[0]))
        assert np.abs(shown.astype(int) - direct).mean() < 4
        nest = Clip(id="c", media_id="n", name="n", start=0, duration=40)
        pane = TrimPane(title="Outgoing", clip=nest, frame=30)
        pictures.show(TrimShown(caption="", sequence=inner, panes=(pane,), delta=0, cut=40))
        qtbot.waitUntil(lambda: pictures.pictures[0].image is not None, timeout=15_000)
        image = pictures.pictures[0].image
        assert image is not None and image.shape == (360, 640, 4)
        assert np.abs(image.astype(int) - frames.get(bunny.path, 30)).mean() < 4
    finally:
        pictures.shutdown()
        source.shutdown()
        player.shutdown()
        services.shutdown()
        feed.shutdown()
        frames.shutdown()
