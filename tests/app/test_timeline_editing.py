"""Commands of the timeline as menus and keys call them: real session, real store, undo labels, what is told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.core.frozen import frozen_map
from gen2studio.document import clip_composition, edits, lookup, sequences
from gen2studio.document.composition import TransitionKind
from gen2studio.document.model import Clip, Document, Sequence, TrackKind
from tests.document.builders import still, video, with_pairs

DOG, CARD = video(), still()


class Bench:
    """Three linked pairs of two seconds on a timeline, and its commands."""

    def __init__(self) -> None:
        sequence, self.ids = with_pairs(3, DOG)
        media = frozen_map({DOG.id: DOG, CARD.id: CARD})
        self.store = DocumentStore(sequences.add_sequence(Document(id="doc-0123456789ab", media=media), sequence))
        self.session = Session(self.store)
        self.editing = TimelineEditing(self.session)
        self.told: list[str] = []
        self.session.message.connect(lambda _severity, text: self.told.append(text))

    @property
    def sequence(self) -> Sequence:
        assert self.session.sequence is not None
        return self.session.sequence

    def clip(self, clip_id: str) -> Clip:
        return lookup.clip_of(self.sequence, clip_id)

    def layout(self, track: int = 0) -> list[tuple[int, int]]:
        return [(c.start, c.end) for c in self.sequence.tracks[track].clips]

    def select(self, *ids: str) -> None:
        self.session.set_selection(frozenset(ids))

    def sound(self) -> None:
        assert lookup.problems(self.sequence, self.store.document.media) == []


@pytest.fixture
def bench(qapp: object) -> Bench:
    return Bench()


def test_direction_and_freezing(bench: Bench) -> None:
    bench.select(bench.ids[1])
    assert bench.editing.clips.toggle_reverse() and bench.clip(bench.ids[1]).reverse
    assert bench.store.undo_stack.undoText() == "Reverse Clip"
    assert bench.editing.clips.toggle_reverse() and not bench.clip(bench.ids[1]).reverse
    bench.session.set_playhead(70)
    assert bench.editing.clips.toggle_freeze() and bench.clip(bench.ids[1]).freeze
    bench.sound()
    bench.session.set_playhead(10)
    bench.select()
    assert bench.editing.clips.insert_hold(30)
    assert bench.layout()[:3] == [(0, 10), (10, 40), (40, 80)]
    bench.store.undo_stack.undo()
    bench.store.undo_stack.undo()
    assert not bench.clip(bench.ids[1]).freeze


def test_transitions_say_how_long_they_became(bench: Bench) -> None:
    bench.select(bench.ids[1])
    assert bench.editing.joins.add(TransitionKind.WIPE, angle=90.0)
    # Both cuts of the clip, each with its sound; the room before the first is a second.
    assert [len(t.transitions) for t in bench.sequence.tracks] == [2, 0, 2, 0]
    assert {t.kind for t in bench.sequence.tracks[2].transitions} == {TransitionKind.DISSOLVE}
    assert bench.sequence.tracks[0].transitions[0].angle == 90
    assert bench.editing.joins.add(TransitionKind.DISSOLVE, 200)
    assert bench.told[-1] == "The media beyond the cut allow a transition of 50 frames."
    mark = bench.sequence.tracks[0].transitions[0].id
    assert bench.editing.joins.change(mark, softness=0.5, kind=TransitionKind.CLOCK)
    found = bench.editing.joins.find(mark)
    assert found is not None and (found.softness, found.kind) == (0.5, TransitionKind.CLOCK)
    bench.select(bench.ids[0], bench.ids[1])
    assert bench.editing.joins.remove() and len(bench.sequence.tracks[0].transitions) == 1
    assert not bench.editing.joins.remove() and "no transition" in bench.told[-1]
    bench.sound()


def test_copies_keep_their_transitions(bench: Bench) -> None:
    bench.select(bench.ids[1], bench.ids[2])
    assert bench.editing.joins.add()
    assert bench.editing.copy()
    bench.session.set_playhead(200)
    assert bench.editing.paste()
    assert [(t.before, t.after) for t in bench.sequence.tracks[0].transitions] == [(12, 13), (12, 13)]
    assert len({t.id for t in bench.sequence.tracks[0].transitions}) == 2
    bench.sound()


def test_fades_by_the_playhead(bench: Bench) -> None:
    bench.session.set_playhead(12)
    assert bench.editing.joins.fade_in() and bench.editing.joins.fade_out()
    clip = bench.clip(bench.ids[0])
    assert (clip.fade_in, clip.fade_out) == (12, 38)
    assert bench.sequence.tracks[2].clips[0].fade_in == 12
    assert bench.editing.joins.remove_fades() and bench.clip(bench.ids[0]).fade_in == 0


def test_groups_and_attributes(bench: Bench) -> None:
    bench.select(bench.ids[0], bench.ids[1])
    assert bench.editing.clips.group()
    assert bench.editing.clips.select_together([bench.ids[0]]) == lookup.linked(bench.sequence, bench.ids[:2])
    bench.select(bench.ids[1])
    assert bench.editing.clips.ungroup()
    bench.editing.perform("Opacity", lambda s: clip_composition.set_value(s, [bench.ids[0]], "opacity", 0, 0.25))
    bench.select(bench.ids[0])
    assert not bench.editing.clips.paste_attributes() and "No attributes" in bench.told[-1]
    assert bench.editing.clips.copy_attributes() and bench.told[-1] == "Copied opacity."
    bench.select(bench.ids[2])
    assert bench.editing.clips.paste_attributes() and bench.clip(bench.ids[2]).opacity.value == 0.25
    assert bench.editing.clips.reset_attributes() and bench.clip(bench.ids[2]).opacity.value == 1


def test_nesting_follows_undo(bench: Bench) -> None:
    outer = bench.sequence.id
    bench.select(bench.ids[1], bench.ids[2])
    assert bench.editing.clips.nest()
    assert bench.layout() == [(0, 50), (50, 150)] and len(bench.store.document.sequences) == 2
    assert bench.editing.clips.open_nested()
    assert bench.sequence.id != outer and bench.layout() == [(0, 50), (50, 100)]
    item = next(item for item in bench.store.document.media.values() if item.nested)
    bench.select(bench.ids[2])
    assert bench.editing.ripple_delete()
    assert bench.store.document.media[item.id].info.frame_count == 50
    bench.store.undo_stack.undo()
    assert bench.store.document.media[item.id].info.frame_count == 100
    assert not bench.editing.insert_media([item.id]) and "hold itself" in bench.told[-1]
    bench.store.undo_stack.undo()
    assert bench.sequence.id == outer
    bench.select(bench.sequence.tracks[0].clips[1].id)
    assert bench.editing.clips.unnest() and bench.layout() == [(0, 50), (50, 100), (100, 150)]
    bench.sound()


def test_footage_is_replaced_under_a_clip(bench: Bench) -> None:
    bench.select(bench.ids[1])
    assert bench.editing.clips.replace_media(CARD.id)
    assert bench.clip(bench.ids[1]).media_id == CARD.id and len(bench.sequence.tracks[2].clips) == 2
    assert bench.store.undo_stack.undoText() == "Replace with card"
    bench.sound()


def test_rippling_all_tracks_gaps_and_lanes(bench: Bench) -> None:
    bench.editing.perform("", lambda s: edits.overwrite(s, [edits.Placement(s.tracks[1].id, _card(60, 60))]))
    bench.session.set_playhead(70)
    bench.select(bench.ids[1])
    assert bench.editing.trim_head_to_playhead(all_tracks=True)
    assert bench.layout() == [(0, 50), (50, 80), (80, 130)] == bench.layout(2)
    assert bench.layout(1) == [(50, 100)]
    assert bench.editing.insert_gap(10) and bench.layout(1) == [(60, 110)]
    bench.store.undo_stack.undo()
    bench.select(bench.sequence.tracks[1].clips[0].id)
    assert not bench.editing.move_tracks(-1)
    bench.select(bench.ids[0])
    assert bench.editing.move_tracks(1) and bench.layout(1) == [(0, 50), (50, 100)]
    assert bench.editing.set_solo(bench.sequence.tracks[0].id, True) and bench.sequence.tracks[0].solo
    lane = bench.sequence.tracks[2].id
    steps = bench.store.undo_stack.count()
    for gain in (-1.0, -2.0, -3.0):
        assert bench.editing.set_track_gain(lane, gain)
    assert bench.store.undo_stack.count() == steps + 1
    assert bench.editing.add_track(TrackKind.AUDIO)


def _card(start: int, duration: int) -> Clip:
    return Clip(id="clip-0000000000cc", media_id=CARD.id, name="card", start=start, duration=duration)


def test_markers_and_captions(bench: Bench) -> None:
    titles = bench.editing.titles
    made: list[str] = []
    titles.subtitle_added.connect(made.append)
    bench.session.set_playhead(20)
    assert titles.add_subtitle("one two") and len(made) == 1
    steps = bench.store.undo_stack.count()
    for text in ("one two t", "one two three"):
        titles.set_text(made[0], text)
    assert bench.store.undo_stack.count() == steps + 1
    bench.session.set_playhead(45)
    assert titles.split_subtitle() and titles.merge_subtitles([s.id for s in bench.sequence.subtitles])
    assert titles.set_style(size=0.08) and titles.trim_subtitle(made[0], tail=5)
    assert bench.sequence.subtitles[0].duration == 55 and titles.remove_subtitles()
    assert not titles.remove_subtitles() and "no subtitle" in bench.told[-1]
    bench.select(bench.ids[1])
    assert titles.mark_range() and titles.add_marker(10, note="here", colour="red")
    assert [(m.frame, m.duration) for m in bench.sequence.markers] == [(10, 0), (50, 50)]
    found = titles.go_to_marker(-1)
    assert found is not None and bench.session.playhead == 10
    assert titles.edit_marker(found.id, name="cue") and titles.move_marker(found.id, 12)
    assert titles.remove_markers() and not bench.sequence.markers


def test_subtitle_files_in_and_out(bench: Bench, qtbot: QtBot, tmp_path: Path) -> None:
    titles = bench.editing.titles
    source = tmp_path / "film.srt"
    source.write_text("1\n00:00:01,000 --> 00:00:02,000\nA dog\n")
    job = titles.import_subtitles(source)
    assert job is not None
    qtbot.waitUntil(lambda: bool(bench.sequence.subtitles), timeout=10_000)
    assert [(s.start, s.end, s.text) for s in bench.sequence.subtitles] == [(25, 50, "A dog")]
    assert bench.store.undo_stack.undoText() == "Import film.srt"
    out = titles.export_subtitles(tmp_path / "again.srt")
    assert out is not None
    qtbot.waitUntil((tmp_path / "again.srt").exists, timeout=10_000)
    assert "00:00:01,000 --> 00:00:02,000" in (tmp_path / "again.srt").read_text()
    bad = tmp_path / "bad.srt"
    bad.write_bytes(bytes(50))
    titles.import_subtitles(bad)
    qtbot.waitUntil(lambda: "bad.srt" in bench.told[-1], timeout=10_000)
    assert bench.sequence.subtitles
    for each in (job, out):
        assert each.wait()


def test_every_edit_has_a_handler_and_says_why_not(qapp: object) -> None:
    """On an empty timeline no command does anything but tell why."""
    from gen2studio.app.actions_timeline_edits import ROWS

    sequence = edits.new_sequence("Empty", Fraction(25), 640, 360)
    store = DocumentStore(sequences.add_sequence(Document(id="doc-0123456789ab"), sequence))
    session = Session(store)
    editing = TimelineEditing(session)
    told: list[str] = []
    session.message.connect(lambda _severity, text: told.append(text))
    handlers = editing.handlers()
    asking = {"timeline.paste_attributes", "subtitle.import", "subtitle.export"}
    changing = {"subtitle.add", "timeline.toggle_solo"}
    for row in ROWS:
        if row.id in asking | changing:
            continue
        assert handlers[row.id]() in (False, None), row.id
    assert store.undo_stack.count() == 0
    assert all(text.endswith(".") for text in told) and len(told) > 15
