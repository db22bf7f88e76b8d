"""What the generate panel does, without widgets: looks as undo steps, stills, runs, arrivals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from gen2studio.app.generation import Still
from gen2studio.app.studio import Studio
from gen2studio.document.look import Mode, Region
from gen2studio.engine.events import JobState
from gen2studio.engine.requests import GenerateRequest, Lane
from tests.fakes.fake_host import FakeHost
from tests.fakes.fake_studio import fake_studio, with_clip

Lab = tuple[Studio, FakeHost]


@pytest.fixture
def lab(qtbot: QtBot) -> Iterator[Lab]:
    studio, host = fake_studio()
    yield studio, host
    studio.shutdown(discard=True)
    studio.deleteLater()


def request_of(host: FakeHost) -> GenerateRequest:
    request = host.fake.submitted[-1].request
    assert isinstance(request, GenerateRequest)
    return request


def test_a_look_belongs_to_the_clip_and_is_one_undo_step(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, _ = lab
    clip = with_clip(studio, media_root, qtbot)
    steps = studio.store.undo_stack.count()
    studio.generation.change("Choose look", preset="wet")
    assert studio.store.undo_stack.count() == steps + 1
    now = studio.session.find_clip(clip.id)
    assert now is not None
    assert now.look is not None
    assert now.look.preset == "wet"
    studio.store.undo_stack.undo()
    assert studio.generation.look.preset == ""


def test_slider_moves_in_a_row_are_one_undo_step(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, _ = lab
    with_clip(studio, media_root, qtbot)
    for value in (3.0, 4.0, 5.0):
        studio.generation.change("Structure", merge_key="slider-structure", structure=value)
    assert studio.generation.look.controls.structure == 5.0
    studio.store.undo_stack.undo()
    assert studio.generation.look.controls.structure == 2.0


def test_painted_keys_stay_with_their_clip(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, _ = lab
    first = with_clip(studio, media_root, qtbot)
    painting = media_root / "style" / "hokusai_great_wave.jpg"
    studio.session.set_playhead(7)
    studio.generation.add_key(painting, "wave")
    studio.generation.add_key(painting, "wave again")
    assert [(key.frame, key.name) for key in studio.generation.look.keys] == [(7, "wave again")]
    assert studio.store.document.default_look.keys == ()

    # The look spreads over a selection, but other footage keeps its own keys.
    with qtbot.waitSignal(studio.importer.finished, timeout=15000):
        studio.importer.import_and_place([media_root / "clips" / "numbered_frames_30fps_2.5s.mkv"])
    assert studio.session.sequence is not None
    other = studio.session.sequence.video_tracks[0].clips[-1]
    assert other.media_id != first.media_id
    studio.session.set_selection(frozenset({first.id, other.id}))
    studio.generation.change("Choose look", preset="oil")
    one, two = studio.session.find_clip(first.id), studio.session.find_clip(other.id)
    assert one is not None
    assert two is not None
    assert one.look is not None
    assert two.look is not None
    assert (one.look.preset, two.look.preset) == ("oil", "oil")
    assert [key.frame for key in one.look.keys] == [7]
    assert two.look.keys == ()
    studio.generation.remove_key(7)
    assert studio.generation.look.keys == ()


def test_an_unreadable_style_image_is_named_and_the_rest_are_added(
    lab: Lab, qtbot: QtBot, media_root: Path, tmp_path: Path
) -> None:
    studio, _ = lab
    with_clip(studio, media_root, qtbot)
    bad = tmp_path / "notes.png"
    bad.write_text("not a picture")
    told: list[tuple[str, str]] = []
    studio.session.message.connect(lambda severity, text: told.append((severity, text)))
    studio.generation.add_styles([bad, media_root / "style" / "munch_the_scream.jpg"], ["notes", "scream"])
    assert [style.name for style in studio.generation.look.styles] == ["scream"]
    assert [severity for severity, _ in told] == ["error"]
    digest = studio.generation.look.styles[0].digest
    studio.generation.weigh_style(digest, 0.5)
    assert studio.generation.look.styles[0].weight == 0.5
    studio.generation.remove_style(digest)
    assert studio.generation.look.styles == ()


def test_mask_mode_starts_inside_the_mask(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, _ = lab
    with_clip(studio, media_root, qtbot)
    studio.generation.set_mode(Mode.MASK)
    assert studio.generation.look.region is Region.FOREGROUND
    studio.generation.change("Where", region=Region.BACKGROUND)
    studio.generation.set_mode(Mode.RENDER)
    assert studio.generation.look.region is Region.BACKGROUND


def test_a_mode_nobody_serves_says_what_it_needs_and_queues_nothing(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, host = lab
    with_clip(studio, media_root, qtbot)
    studio.generation.set_mode(Mode.TEXT_TO_VIDEO)
    told: list[str] = []
    studio.session.message.connect(lambda _severity, text: told.append(text))
    assert studio.generation.run() == ""
    studio.generation.make_stills()
    assert host.fake.submitted == []
    assert len(told) == 2
    assert "needs" in told[0]


def test_four_stills_arrive_and_a_click_goes_to_their_frame(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, host = lab
    clip = with_clip(studio, media_root, qtbot)
    studio.generation.change("Choose look", preset="wet")
    studio.generation.make_stills()
    frames = [still.frame for still in studio.generation.stills]
    assert len(frames) == 4
    assert frames == sorted(set(frames))
    assert all(still.picture is None for still in studio.generation.stills)
    host.fake.run_all()
    assert all(still.picture is not None for still in studio.generation.stills)

    qtbot.waitUntil(lambda: studio.feed.picture.shows == "source", timeout=15000)
    shown: list[tuple[str, int]] = []
    studio.generation.still_shown.connect(lambda media, frame, _picture: shown.append((media, frame)))
    studio.generation.show_still(studio.generation.stills[2])
    assert shown == [(clip.media_id, frames[2])]
    assert studio.session.playhead == frames[2]
    # Moving the playhead there must not wipe the still.
    qtbot.waitUntil(lambda: studio.feed.picture.shows == "preview", timeout=15000)
    assert studio.feed.picture.media_frame == frames[2]
    # Another look makes it wrong.
    studio.generation.change("Choose look", preset="oil")
    qtbot.waitUntil(lambda: studio.feed.picture.shows == "source", timeout=15000)


def test_stills_that_were_cancelled_do_not_wait_for_ever(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, host = lab
    with_clip(studio, media_root, qtbot)
    studio.generation.make_stills()
    host.fake.begin()
    host.fake.advance(2)
    assert studio.generation.cancel()
    assert len(studio.generation.stills) == 2
    assert not studio.generation.run_state.active


def test_stills_come_back_with_their_clip(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, host = lab
    with_clip(studio, media_root, qtbot)
    studio.generation.make_stills()
    studio.session.set_playhead(10_000)
    assert studio.generation.target is None
    assert studio.generation.stills == ()
    host.fake.run_all()
    studio.session.set_playhead(0)
    assert [still.picture is not None for still in studio.generation.stills] == [True] * 4


def test_an_unlocked_seed_changes_with_every_run_and_a_kept_one_does_not(
    lab: Lab, qtbot: QtBot, media_root: Path
) -> None:
    studio, host = lab
    with_clip(studio, media_root, qtbot)
    studio.generation.change("Seed", seed=7)
    studio.generation.run()
    assert request_of(host).seed == 7
    studio.generation.change("Keep seed", seed_locked=False)
    studio.generation.run()
    second = request_of(host).seed
    studio.generation.run()
    assert len({7, second, request_of(host).seed}) == 3
    assert studio.generation.look.seed == request_of(host).seed


def test_a_refused_run_leaves_the_seed_alone(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, host = lab
    with_clip(studio, media_root, qtbot)
    studio.generation.change("x", seed_locked=False, seed=7, region=Region.FOREGROUND)
    assert studio.generation.run() == ""
    assert studio.generation.look.seed == 7
    assert host.fake.submitted == []


def test_a_clip_that_was_run_keeps_its_look_when_the_default_moves_on(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, _ = lab
    clip = with_clip(studio, media_root, qtbot)
    assert clip.look is None
    studio.generation.run()
    assert studio.session.find_clip(clip.id).look == studio.generation.look  # type: ignore[union-attr]
    studio.store.undo_stack.undo()
    studio.store.undo_stack.redo()
    assert studio.session.find_clip(clip.id).look is not None  # type: ignore[union-attr]


def test_the_viewer_follows_a_run_until_the_artist_moves(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, host = lab
    with_clip(studio, media_root, qtbot)
    studio.session.set_playhead(5)
    shown: list[int] = []
    studio.generation.still_shown.connect(lambda _media, frame, _picture: shown.append(frame))
    studio.generation.run()
    host.fake.begin()
    host.fake.advance(3)
    assert shown == [0, 1, 2]
    assert studio.session.playhead == 2
    studio.session.set_playhead(20)
    host.fake.advance(2)
    assert shown == [0, 1, 2]
    assert studio.session.playhead == 20
    host.fake.finish()
    assert shown == [0, 1, 2, 20]
    assert studio.session.playhead == 20


def test_the_playhead_returns_when_a_followed_run_ends(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, host = lab
    with_clip(studio, media_root, qtbot)
    studio.session.set_playhead(5)
    studio.generation.run()
    host.fake.begin()
    host.fake.advance(9)
    assert studio.session.playhead == 8
    assert studio.generation.cancel()
    assert studio.session.playhead == 5


def test_a_run_shows_its_progress_and_stills_do_not_hide_it(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, host = lab
    with_clip(studio, media_root, qtbot)
    job = studio.generation.run()
    studio.generation.make_stills()
    assert studio.generation.run_state.job_id == job
    assert studio.generation.run_state.lane is Lane.RENDER
    host.cancel(job)
    assert studio.generation.run_state.lane is Lane.STILLS
    host.fake.run_all()
    assert not studio.generation.run_state.active


def test_a_failed_run_is_told(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, host = lab
    with_clip(studio, media_root, qtbot)
    told: list[tuple[str, str]] = []
    studio.session.message.connect(lambda severity, text: told.append((severity, text)))
    studio.generation.run()
    host.fake.begin()
    host.fake.fail()
    assert studio.generation.run_state.state is JobState.FAILED
    assert told == [("error", "The generator ran out of ideas. Try another look.")]


def test_takes_are_applied_rated_reused_and_discarded(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, host = lab
    clip = with_clip(studio, media_root, qtbot)
    generation = studio.generation
    generation.change("Choose look", preset="wet", structure=4.0)
    generation.run()
    host.fake.begin()
    host.fake.advance(1)
    generation.cancel()
    now = studio.session.find_clip(clip.id)
    assert now is not None
    (take_id,) = now.takes
    generation.apply_take(take_id)
    assert studio.session.find_clip(clip.id).active_take == take_id  # type: ignore[union-attr]
    generation.rate_take(take_id, 4)
    assert studio.store.document.takes[take_id].rating == 4
    generation.change("Choose look", preset="oil", structure=1.0)
    generation.reuse_take(take_id)
    assert (generation.look.preset, generation.look.controls.structure) == ("wet", 4.0)
    generation.apply_take("")
    assert studio.session.find_clip(clip.id).active_take == ""  # type: ignore[union-attr]
    generation.discard_take(take_id)
    assert studio.session.find_clip(clip.id).takes == ()  # type: ignore[union-attr]
    studio.store.undo_stack.undo()
    assert studio.session.find_clip(clip.id).takes == (take_id,)  # type: ignore[union-attr]


def test_without_a_clip_every_command_says_what_is_missing(lab: Lab) -> None:
    studio, host = lab
    told: list[str] = []
    studio.session.message.connect(lambda _severity, text: told.append(text))
    assert studio.generation.run() == ""
    studio.generation.make_stills()
    studio.generation.add_key(b"", "painting")
    studio.generation.show_still(Still(0, np.zeros((4, 4, 3), np.uint8)))
    assert len(told) == 3
    assert all("playhead" in text for text in told)
    assert host.fake.submitted == []


def test_broken_settings_are_refused(lab: Lab) -> None:
    studio, _ = lab
    before = replace(studio.generation.look)
    told: list[str] = []
    studio.session.message.connect(lambda _severity, text: told.append(text))
    studio.generation.reuse("{")
    assert studio.generation.look == before
    assert told == ["These settings can't be read. They may come from another version."]
