"""Trim mode: the cut in hand, its sides, steps, playing to where it goes, and what the two-up view is told."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest
from pytestqt.qtbot import QtBot

from gen2studio.app.playback import Player
from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.app.trim_sound import with_hidden
from gen2studio.app.trimming import Side, TrimMode, TrimShown, cuts_of, dragged
from gen2studio.core.media_info import AudioInfo, MediaInfo, MediaKind
from gen2studio.document import edits, lookup
from gen2studio.document.model import Clip, MediaItem
from tests.export.sequences import document_with, sequence_with

RATE = Fraction(25)


class Bench:
    """Three clips of one long file: two that touch, and one behind a gap."""

    def __init__(self) -> None:
        info = MediaInfo(
            kind=MediaKind.VIDEO, width=64, height=36, rate=RATE, frame_count=1000, exact=True, duration=Fraction(40)
        )
        item = MediaItem(id="m", name="m", path="/m.mp4", fingerprint="", info=info)
        clips = [
            Clip(id=name, media_id="m", name=name, start=start, duration=length, source_in=Fraction(source))
            for name, start, length, source in (("a", 0, 100, 2), ("b", 100, 50, 10), ("c", 200, 100, 0))
        ]
        self.session = Session(DocumentStore(document_with(sequence_with(tuple(clips), rate=RATE), item)))
        self.editing = TimelineEditing(self.session)
        self.player = Player(self.session, sound=False)
        self.trim = TrimMode(self.session, self.editing, self.player)
        self.shown: list[TrimShown | None] = []
        self.trim.shown.connect(self.shown.append)

    def lane(self) -> list[tuple[str, int, int]]:
        sequence = self.session.sequence
        assert sequence is not None
        return [(c.id, c.start, c.end) for c in sequence.video_tracks[0].clips]

    def frames(self) -> list[tuple[str, int, int, bool]]:
        """(clip, media frame, offset, moving) of the panes shown last."""
        shown = self.shown[-1]
        assert shown is not None
        return [
            (p.clip.id, int(p.clip.source_time(p.frame, RATE) * 25), p.offset, p.moving)
            if p.clip is not None
            else ("", -1, p.offset, p.moving)
            for p in shown.panes
        ]


@pytest.fixture
def bench(qtbot: QtBot) -> Iterator[Bench]:
    made = Bench()
    yield made
    made.player.shutdown()


def test_cuts_are_heads_tails_and_where_clips_touch(bench: Bench) -> None:
    sequence = bench.session.sequence
    assert sequence is not None
    cuts = [(at, cut.left, cut.right) for at, cut in cuts_of(sequence.video_tracks[0])]
    assert cuts == [(0, "", "a"), (100, "a", "b"), (150, "b", ""), (200, "", "c"), (300, "c", "")]


def test_the_nearest_cut_is_rolled_in_one_undo_step(bench: Bench) -> None:
    bench.session.set_playhead(93)
    bench.trim.toggle()
    assert bench.trim.active and bench.trim.side is Side.ROLL and bench.session.playhead == 100
    assert bench.frames() == [("a", 149, 0, True), ("b", 250, 0, True)]
    for _ in range(3):
        assert bench.trim.trim(1)
    assert bench.trim.trim(-5)
    assert bench.lane()[:2] == [("a", 0, 98), ("b", 98, 150)]
    assert bench.frames() == [("a", 147, -2, True), ("b", 248, -2, True)] and bench.session.playhead == 98
    bench.session.store.undo_stack.undo()
    assert bench.lane()[:2] == [("a", 0, 100), ("b", 100, 150)] and bench.trim.active
    bench.trim.toggle()
    assert not bench.trim.active and bench.shown[-1] is None


def test_sides_ripple_or_leave_a_gap(bench: Bench) -> None:
    bench.session.set_playhead(100)
    bench.trim.enter()
    bench.trim.cycle_side()
    assert bench.trim.side is Side.INCOMING
    assert bench.trim.trim(10)
    assert bench.lane() == [("a", 0, 100), ("b", 100, 140), ("c", 190, 290)]
    assert bench.frames() == [("a", 149, 0, False), ("b", 260, 10, True)]
    bench.trim.cycle_side()
    assert bench.trim.side is Side.OUTGOING and bench.trim.trim(-10)
    assert bench.lane() == [("a", 0, 90), ("b", 90, 130), ("c", 180, 280)] and bench.session.playhead == 90
    bench.trim.toggle_ripple()
    assert bench.trim.trim(-10)
    assert bench.lane()[:2] == [("a", 0, 80), ("b", 90, 130)]
    assert bench.trim.active and bench.frames()[1][0] == ""
    assert bench.trim.trim(10) and bench.frames()[1][0] == "b"


def test_cuts_are_gone_through_and_gaps_offer_one_side(bench: Bench) -> None:
    bench.session.set_playhead(0)
    bench.trim.enter()
    sides = [bench.trim.side]
    for _ in range(6):
        bench.trim.go(1)
        sides.append(bench.trim.side)
    assert bench.trim.frame() == 300 and sides[:5] == [
        Side.INCOMING, Side.ROLL, Side.OUTGOING, Side.INCOMING, Side.OUTGOING,
    ]  # fmt: skip
    bench.trim.cycle_side()
    bench.trim.set_side(Side.ROLL)
    assert bench.trim.side is Side.OUTGOING


def test_where_the_media_ends_the_trim_is_refused_in_words(bench: Bench) -> None:
    told: list[str] = []
    bench.session.message.connect(lambda _severity, sentence: told.append(sentence))
    bench.session.set_playhead(200)
    bench.trim.enter()
    assert bench.trim.side is Side.INCOMING and not bench.trim.trim(-1) and told
    assert bench.lane()[2] == ("c", 200, 300) and bench.trim.offset == 0


def test_playing_away_and_stopping_moves_the_cut_to_where_it_stopped(bench: Bench, qtbot: QtBot) -> None:
    bench.session.set_playhead(100)
    bench.trim.enter()
    bench.trim.play(1)
    assert bench.player.playing and bench.session.playhead == 100
    qtbot.waitUntil(lambda: bench.session.playhead >= 104)
    seen = bench.frames()
    assert seen[0][2] > 0 and seen[1][1] == 250 + seen[1][2], "the pictures follow while it plays"
    bench.trim.hold()
    at = bench.lane()[0][2]
    assert not bench.player.playing and at >= 104 and bench.lane()[1] == ("b", at, 150)
    assert bench.session.playhead == at and bench.trim.offset == at - 100
    bench.trim.play(-1)
    qtbot.waitUntil(lambda: bench.session.playhead < at - 3)
    bench.trim.hold()
    assert bench.lane()[0][2] < at
    bench.session.store.undo_stack.undo()
    assert bench.lane()[0][2] == 100, "one cut in hand is one step"


def test_a_dynamic_trim_stops_at_its_limit(bench: Bench, qtbot: QtBot) -> None:
    bench.session.set_playhead(150)
    bench.trim.enter()
    bench.trim.toggle_ripple()
    bench.trim.play(1)
    # As if it had played over the gap and into the next clip.
    bench.session.set_playhead(230)
    bench.trim.hold()
    assert bench.lane()[1:] == [("b", 100, 200), ("c", 200, 300)]


def test_a_dynamic_trim_plays_what_lies_behind_the_last_clip(bench: Bench, qtbot: QtBot) -> None:
    bench.session.set_playhead(300)
    bench.trim.enter()
    assert bench.trim.side is Side.OUTGOING
    bench.trim.play(1)
    qtbot.waitUntil(lambda: bench.session.playhead >= 303)
    bench.trim.hold()
    assert bench.lane()[-1] == ("c", 200, bench.session.playhead) and bench.session.playhead >= 303


def test_where_the_media_ends_nothing_is_played(bench: Bench) -> None:
    bench.session.set_playhead(300)
    bench.trim.enter()
    assert bench.trim.trim(900), "up to the last frame of the file"
    told: list[str] = []
    bench.session.message.connect(lambda _severity, sentence: told.append(sentence))
    bench.trim.play(1)
    assert told == ["The media of this clip ends here."] and not bench.player.playing
    assert bench.lane()[-1] == ("c", 200, 1200)


@pytest.mark.parametrize(
    ("sides", "heard"),
    [
        ((True, False), [("a", 0, 830, 6.8)]),
        ((False, True), [("b", 0, 150, 0.0)]),
        ((True, True), [("b", 0, 100, 0.0), ("a", 100, 830, 10.8)]),
    ],
)
def test_hidden_material_is_heard_beside_the_cut(
    sides: tuple[bool, bool], heard: list[tuple[str, int, int, float]]
) -> None:
    """Two linked pairs touch at 100: 40 seconds of media, from 6.8 s and from 4 s on."""
    info = MediaInfo(
        kind=MediaKind.VIDEO, width=64, height=36, rate=RATE, frame_count=1000, exact=True, duration=Fraction(40),
        audio=AudioInfo(48000, 2, "aac", Fraction(40)),
    )  # fmt: skip
    item = MediaItem(id="m", name="m", path="/m.mp4", fingerprint="", info=info)
    pairs = [("a", 0, 100, Fraction(68, 10)), ("b", 100, 50, Fraction(4))]

    def lane(kind: str) -> tuple[Clip, ...]:
        return tuple(
            Clip(id=f"{name}-{kind}", media_id="m", name=name, start=at, duration=long, source_in=into, link=name)
            for name, at, long, into in pairs
        )

    music = (Clip(id="music", media_id="m", name="music", start=0, duration=150),)
    document = document_with(sequence_with(lane("v"), audio=(lane("s"), music), rate=RATE), item)
    assert document.sequence is not None
    left, right = document.sequence.video_tracks[0].clips
    shown = with_hidden(document, left if sides[0] else None, right if sides[1] else None).sequence
    assert shown is not None
    for track in (shown.video_tracks[0], shown.audio_tracks[0]):
        assert [(c.name, c.start, c.end, float(c.source_in)) for c in track.clips] == heard
    assert shown.audio_tracks[1].clips == music, "other tracks sound as ever"


def test_play_around_loops_over_the_cut_and_comes_back(bench: Bench, qtbot: QtBot) -> None:
    bench.session.set_playhead(100)
    bench.trim.enter()
    bench.trim.play_around()
    assert bench.player.playing and bench.session.playhead == 50 and bench.shown[-1] is None
    bench.trim.play_around()
    assert not bench.player.playing and bench.session.playhead == 100 and bench.shown[-1] is not None
    bench.trim.leave()
    bench.session.set_playhead(5)
    bench.trim.play_around()
    assert bench.session.playhead == 0
    bench.player.stop()
    assert bench.session.playhead == 5 and not bench.trim.playing_around


def test_a_cut_that_is_gone_is_put_down(bench: Bench) -> None:
    bench.session.set_playhead(100)
    bench.trim.enter()
    bench.session.set_selection(frozenset({"b"}))
    bench.editing.lift()
    assert not bench.trim.active


def test_drags_show_two_or_four_frames(bench: Bench) -> None:
    sequence = bench.session.sequence
    assert sequence is not None
    media = bench.session.document.media
    slipped = dragged(edits.slip(sequence, "b", 5, media), "slip", "b", 5)
    assert slipped is not None
    assert [(p.title, p.clip.id if p.clip else "", p.small) for p in slipped.panes] == [
        ("Previous out", "a", True), ("In", "b", False), ("Out", "b", False), ("Next in", "c", True),
    ]  # fmt: skip
    inside = slipped.panes[1]
    assert inside.clip is not None and inside.clip.source_time(inside.frame, RATE) == Fraction(51, 5)
    slid = dragged(edits.slide(sequence, "b", 5, media), "slide", "b", 5)
    assert slid is not None and [p.small for p in slid.panes] == [False, True, True, False]
    head = dragged(edits.trim_head(sequence, "b", 5, media), "head", "b", 5)
    assert head is not None and [p.moving for p in head.panes] == [False, True]
    rolled = dragged(edits.roll(sequence, "a", "b", -5, media), "roll", "a", -5, right_id="b")
    assert rolled is not None and rolled.cut == 95 and [p.offset for p in rolled.panes] == [-5, -5]
    assert dragged(sequence, "tail", "gone", 0) is None and lookup.find_clip(sequence, "b") is not None
