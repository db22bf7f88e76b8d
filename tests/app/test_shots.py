"""Shots from nothing, end to end on the engine's thread: on the timeline at once, generated, extended, changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from gen2studio.app.export import ExportSettings, export_sequence
from gen2studio.app.shots import LEAD_FRAMES, ShotWish
from gen2studio.app.studio import Studio
from gen2studio.document.look import Mode, PaintedKey
from gen2studio.document.model import Clip, MediaItem
from gen2studio.engine.events import JobState
from gen2studio.engine.requests import GenerateRequest
from gen2studio.engine.take_store import TakeStore
from gen2studio.media.decoder import open_decoder
from gen2studio.media.metadata import read_recipe
from gen2studio.media.probe import probe
from tests.fakes.fake_studio import with_clip
from tests.fakes.shot_painter import painted, painting_studio


@pytest.fixture
def studio(qtbot: QtBot) -> Iterator[Studio]:
    made = painting_studio()
    yield made
    made.shutdown(discard=True)
    made.deleteLater()


def clip_of(studio: Studio, clip_id: str) -> Clip:
    found = studio.session.find_clip(clip_id)
    assert found is not None
    return found


def item_of(studio: Studio, clip_id: str) -> MediaItem:
    return studio.store.document.media[clip_of(studio, clip_id).media_id]


def new_shot(studio: Studio, qtbot: QtBot, mode: Mode = Mode.TEXT_TO_VIDEO) -> str:
    with qtbot.waitSignal(studio.shots.slate_written, timeout=10000):
        clip_id = studio.shots.new_shot(mode)
    return clip_id


def run(studio: Studio, qtbot: QtBot) -> None:
    with qtbot.waitSignal(studio.takes.take_ended, timeout=10000, check_params_cb=lambda _t, s: s is JobState.FINISHED):
        assert studio.generation.run()


def test_a_new_shot_is_there_at_once_and_undone_at_once(studio: Studio, qtbot: QtBot) -> None:
    studio.generation.change("Words", prompt="a boat")
    before = studio.store.document
    clip_id = new_shot(studio, qtbot)
    clip, item = clip_of(studio, clip_id), item_of(studio, clip_id)
    assert item.shot is not None
    # Native sizes (64, 64) and (96, 64), 16:9 asked: as many pixels as the wider one, both sides even.
    assert (item.shot.width, item.shot.height, item.shot.frames, item.shot.rate) == (104, 58, 9, 8)
    assert clip.look is not None and clip.look.mode is Mode.TEXT_TO_VIDEO and clip.look.prompt == "a boat"
    assert probe(Path(item.path)) == item.info
    assert Path(item.path).stat().st_size < 8000
    decoder = open_decoder(item.path)
    assert np.abs(decoder.rgb(8).astype(int) - 128).max() <= 2
    decoder.close()
    assert studio.offline == frozenset()
    studio.store.undo_stack.undo()
    assert studio.store.document.media == before.media and studio.store.document.sequences == before.sequences


def test_generating_a_shot_shows_its_first_take(studio: Studio, qtbot: QtBot) -> None:
    clip_id = new_shot(studio, qtbot)
    with qtbot.waitSignal(studio.generation.step_shown, timeout=10000) as step:
        run(studio, qtbot)
    assert step.args is not None
    assert step.args[1] == 0 and step.args[2].shape == (58, 104, 3) and step.args[3:] == [1, 2]
    clip = clip_of(studio, clip_id)
    [take_id] = clip.takes
    take = studio.store.document.takes[take_id]
    assert clip.active_take == take_id and take.complete and take.look.generator == "painter"
    assert clip.look is not None and clip.look.generator == ""  # still automatic
    assert not studio.is_stale(clip, take)
    studio.generation.change("Words", prompt="something else")
    assert studio.is_stale(clip_of(studio, clip_id), take)
    # A shorter clip of a shot asks for the same.
    studio.store.undo_stack.undo()
    short = replace(clip_of(studio, clip_id), duration=4)
    assert not studio.is_stale(short, take)


def test_a_cancelled_run_keeps_and_shows_what_is_finished(studio: Studio, qtbot: QtBot) -> None:
    studio.generation.change("Words", prompt="slowly")
    clip_id = new_shot(studio, qtbot)
    ended: list[object] = []
    studio.takes.take_ended.connect(lambda _take, state: ended.append(state))
    studio.host.frame_ready.connect(lambda _event: studio.generation.cancel())
    assert studio.generation.run()
    qtbot.waitUntil(lambda: bool(ended), timeout=10000)
    assert ended == [JobState.CANCELLED]
    clip = clip_of(studio, clip_id)
    take = studio.store.document.takes[clip.active_take]
    assert take.has(0) and not take.complete


def test_a_run_on_footage_makes_a_shot_first(studio: Studio, qtbot: QtBot, media_root: Path) -> None:
    footage = with_clip(studio, media_root, qtbot)
    studio.generation.change("Words", prompt="watercolour")
    assert studio.generation.effective_look().generator == "fake"
    studio.generation.set_mode(Mode.TEXT_TO_VIDEO)
    assert studio.generation.needs_shot
    assert "model" in studio.generation.why_chosen()
    run(studio, qtbot)
    sequence = studio.session.sequence
    assert sequence is not None
    clips = sequence.video_tracks[0].clips
    assert clips[0].id == footage.id and len(clips) == 2
    assert clips[1].start == clips[0].end
    assert clips[1].active_take and not clips[0].takes


def test_a_look_shared_by_footage_and_a_shot_leaves_each_its_mode(
    studio: Studio, qtbot: QtBot, media_root: Path
) -> None:
    footage = with_clip(studio, media_root, qtbot)
    studio.generation.change("Mode", mode=Mode.STYLIZE)
    clip_id = new_shot(studio, qtbot)
    studio.generation.change("First frame", keys=(PaintedKey(frame=0, digest="5a" * 32),))
    studio.session.set_selection(frozenset({footage.id, clip_id}))
    studio.generation.change("Words", prompt="a boat", mode=Mode.IMAGE_TO_VIDEO)
    one, two = clip_of(studio, footage.id).look, clip_of(studio, clip_id).look
    assert one is not None and two is not None
    assert (one.prompt, one.mode, one.keys) == ("a boat", Mode.STYLIZE, ())
    assert (two.prompt, two.mode, len(two.keys)) == ("a boat", Mode.IMAGE_TO_VIDEO, 1)
    assert studio.store.document.default_look.keys == ()


def test_stills_of_a_shot_show_rough_pictures_first(studio: Studio, qtbot: QtBot) -> None:
    clip_id = new_shot(studio, qtbot)
    seen: list[tuple[bool, ...]] = []
    studio.generation.stills_changed.connect(lambda: seen.append(tuple(s.rough for s in studio.generation.stills)))
    studio.generation.make_stills()
    qtbot.waitUntil(lambda: all(s.picture is not None for s in studio.generation.stills), timeout=10000)
    qtbot.waitUntil(lambda: not any(s.rough for s in studio.generation.stills), timeout=10000)
    stills = studio.generation.stills_of(clip_id)
    assert [still.frame for still in stills] == [1, 3, 5, 7]
    assert (True, False, False, False) in seen


def test_variations_are_takes_with_other_seeds(studio: Studio, qtbot: QtBot) -> None:
    clip_id = new_shot(studio, qtbot)
    run(studio, qtbot)
    assert len(studio.clip_takes.variations(2)) == 2
    qtbot.waitUntil(lambda: len(clip_of(studio, clip_id).takes) == 3 and studio.board.busy == 0, timeout=10000)
    clip = clip_of(studio, clip_id)
    takes = [studio.store.document.takes[i] for i in clip.takes]
    assert [take.look.seed for take in takes] == [1, 2, 3]
    assert clip.active_take == takes[0].id and [studio.is_stale(clip, t) for t in takes] == [False, True, True]
    studio.generation.apply_take(takes[2].id)
    now = clip_of(studio, clip_id)
    assert now.look is not None and now.look.seed == 3 and not studio.is_stale(now, takes[2])
    studio.store.undo_stack.undo()
    assert clip_of(studio, clip_id).active_take == takes[0].id


def test_extending_goes_on_from_what_the_clip_shows(studio: Studio, qtbot: QtBot) -> None:
    clip_id = new_shot(studio, qtbot)
    messages: list[str] = []
    studio.session.message.connect(lambda _severity, text: messages.append(text))
    assert studio.shots.extend() == "" and "no finished end" in messages[-1]
    run(studio, qtbot)
    first = clip_of(studio, clip_id)
    with qtbot.waitSignal(studio.shots.slate_written, timeout=10000):
        second = studio.shots.extend(clip_id)
    shot = item_of(studio, second).shot
    assert shot is not None and shot.lead is not None
    assert (shot.lead.take_id, shot.lead.start, shot.lead.stop) == (first.active_take, 9 - LEAD_FRAMES, 9)
    assert clip_of(studio, second).start == first.end
    request = studio.generation.plan(clip_of(studio, second), studio.generation.look)
    assert request.lead is not None and request.from_nothing
    folder = Path(request.lead.source.path)
    decoder = open_decoder(folder)
    asked = replace(request, seed=1)
    np.testing.assert_array_equal(decoder.rgb(8), painted(asked, 8))
    decoder.close()


def test_a_shot_without_takes_becomes_what_is_wished(studio: Studio, qtbot: QtBot) -> None:
    clip_id = new_shot(studio, qtbot)
    old = item_of(studio, clip_id)
    wish = ShotWish(Fraction(1), Fraction(2), Fraction(12))
    with qtbot.waitSignal(studio.shots.slate_written, timeout=10000):
        studio.shots.set_wish(wish)
    item = item_of(studio, clip_id)
    assert item.shot is not None
    assert (item.shot.width, item.shot.height, item.shot.frames, item.shot.rate) == (64, 64, 24, 12)
    assert old.id not in studio.store.document.media
    run(studio, qtbot)
    studio.shots.set_wish(ShotWish(Fraction(16, 9), Fraction(1), Fraction(8)))
    assert item_of(studio, clip_id) == item


def test_missing_slates_are_made_again(studio: Studio, qtbot: QtBot, tmp_path: Path) -> None:
    clip_id = new_shot(studio, qtbot)
    run(studio, qtbot)
    target = tmp_path / "film.g2s"
    assert studio.save_as(target)
    slate = Path(item_of(studio, clip_id).path)
    assert slate.parent == target / "media" and slate.is_file()
    data = slate.read_bytes()
    studio.new_project()
    slate.unlink()
    with qtbot.waitSignal(studio.shots.slate_written, timeout=10000):
        assert studio.open_project(target)
    assert slate.read_bytes() == data and studio.offline == frozenset()
    clip = clip_of(studio, clip_id)
    assert not studio.is_stale(clip, studio.store.document.takes[clip.active_take])


def test_a_take_becomes_footage_that_can_be_restyled(studio: Studio, qtbot: QtBot) -> None:
    clip_id = new_shot(studio, qtbot)
    run(studio, qtbot)
    take_id = clip_of(studio, clip_id).active_take
    with qtbot.waitSignal(studio.footage.footage_made, timeout=10000) as made:
        assert studio.footage.use_take(take_id)
    assert made.args is not None
    media_id, footage_id = made.args
    item, clip = studio.store.document.media[media_id], clip_of(studio, footage_id)
    assert item.shot is None and item.info.frame_count == 9 and item.info.rate == 8
    assert clip.duration == clip_of(studio, clip_id).duration
    studio.session.set_playhead(clip.start)
    studio.generation.set_mode(Mode.STYLIZE)
    run(studio, qtbot)
    [restyled] = clip_of(studio, footage_id).takes
    store = TakeStore(studio.project.takes_dir)
    for frame in (0, 8):
        np.testing.assert_array_equal(store.read(restyled, frame), 255 - store.read(take_id, frame))


@pytest.mark.parametrize(("kind", "factor"), [("interpolate", 2), ("upscale", 2)])
def test_operators_make_new_footage(studio: Studio, qtbot: QtBot, kind: str, factor: int) -> None:
    clip_id = new_shot(studio, qtbot)
    assert studio.footage.operate(kind, factor) == ""
    run(studio, qtbot)
    assert studio.footage.operate(kind, 3) == ""
    with qtbot.waitSignal(studio.footage.footage_made, timeout=10000) as made:
        assert studio.footage.operate(kind, factor)
    assert made.args is not None
    info = studio.store.document.media[made.args[0]].info
    old = item_of(studio, clip_id)
    if kind == "interpolate":
        assert (info.frame_count, info.rate, info.duration) == (18, 16, old.info.duration)
    else:
        assert (info.width, info.height, info.frame_count, info.rate) == (208, 116, 9, 8)
    assert len(TakeStore(studio.project.takes_dir).takes()) == 1
    sequence = studio.session.sequence
    assert sequence is not None and len([c for t in sequence.video_tracks for c in t.clips]) == 2


def test_a_stopped_operator_leaves_nothing_behind(studio: Studio, qtbot: QtBot) -> None:
    new_shot(studio, qtbot)
    run(studio, qtbot)
    store = TakeStore(studio.project.takes_dir)
    before = store.takes()
    studio.host.frame_ready.connect(lambda event: studio.host.cancel(event.job_id))
    job_id = studio.footage.operate("interpolate", 4)
    with qtbot.waitSignal(studio.host.state_changed, timeout=10000, check_params_cb=lambda e: e.state.ended):
        assert job_id
    qtbot.waitUntil(lambda: store.takes() == before, timeout=10000)


def test_discarded_takes_are_deleted_when_asked_and_not_before(studio: Studio, qtbot: QtBot) -> None:
    clip_id = new_shot(studio, qtbot)
    run(studio, qtbot)
    run(studio, qtbot)
    first, second = clip_of(studio, clip_id).takes
    store = TakeStore(studio.project.takes_dir)
    assert studio.discarded_takes() == ((), 0)
    studio.generation.discard_take(first)
    found, size = studio.discarded_takes()
    assert found == (first,) and size == store.size(first) > 0
    studio.store.undo_stack.undo()
    assert clip_of(studio, clip_id).takes == (first, second) and studio.discarded_takes() == ((), 0)
    studio.store.undo_stack.redo()
    studio.purge_takes((first,))
    assert store.takes() == (second,) and set(studio.store.document.takes) == {second}
    # What undo brings back no longer speaks of it.
    studio.store.undo_stack.undo()
    assert clip_of(studio, clip_id).takes == (second,) and set(studio.store.document.takes) == {second}
    # A shot that goes on from a take keeps it.
    studio.generation.apply_take(second)
    with qtbot.waitSignal(studio.shots.slate_written, timeout=10000):
        follows = studio.shots.extend(clip_id)
    assert item_of(studio, follows).shot.lead is not None  # type: ignore[union-attr]
    studio.generation.discard_take(second)
    assert studio.discarded_takes() == ((), 0)


def test_a_new_shot_is_no_missing_file_to_the_viewer(studio: Studio, qtbot: QtBot, caplog) -> None:
    studio.feed.start()
    with caplog.at_level("WARNING"):
        new_shot(studio, qtbot)
        qtbot.waitUntil(lambda: studio.feed.picture.shows == "source", timeout=10000)
    assert "frame index" not in caplog.text
    assert studio.feed.picture.media_frame == 0


def test_an_export_says_which_shots_are_empty(studio: Studio, qtbot: QtBot, tmp_path: Path) -> None:
    new_shot(studio, qtbot)
    run(studio, qtbot)
    new_shot(studio, qtbot)
    settings = ExportSettings(path=tmp_path / "film", preset="h264")
    result = export_sequence(studio.store.document, settings, take_folder=studio.take_folder)
    assert result.frames == 18
    assert [n for n in result.notes if "empty grey" in n] == [
        "9 frames of the shot “Shot 2” were not generated yet and are empty grey."
    ]
    record = read_recipe(result.path)
    assert record is not None and len(record.takes) == 1 and not record.inputs


def test_a_shot_has_no_footage_to_restyle(studio: Studio, qtbot: QtBot) -> None:
    new_shot(studio, qtbot)
    messages: list[str] = []
    studio.session.message.connect(lambda _severity, text: messages.append(text))
    studio.generation.set_mode(Mode.STYLIZE)
    assert studio.generation.run() == ""
    assert messages[-1].startswith("A generated shot has no footage.")
    studio.generation.set_mode(Mode.IMAGE_TO_VIDEO)
    request = studio.generation.plan(clip_of(studio, studio.generation.target.id), studio.generation.look)  # type: ignore[union-attr]
    assert isinstance(request, GenerateRequest) and request.from_nothing
