"""The services together: what counts as unsaved, saving and reverting, relinking, preferences, an engine that fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from gen2studio.app.engine_host import EngineHost
from gen2studio.app.preferences import Preferences
from gen2studio.app.studio import Studio
from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.protocol import EventSink
from gen2studio.engine.worker import EngineWorker
from tests.fakes.fake_engine import FakeGenerator
from tests.fakes.fake_host import FakeHost
from tests.fakes.fake_studio import CLIP, FakeCatalog, fake_studio, with_clip

Lab = tuple[Studio, FakeHost]


@pytest.fixture
def lab(qtbot: QtBot) -> Iterator[Lab]:
    studio, host = fake_studio()
    yield studio, host
    studio.shutdown(discard=True)
    studio.deleteLater()


def messages(studio: Studio) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    studio.session.message.connect(lambda severity, text: told.append((severity, text)))
    return told


@pytest.mark.parametrize("name", ["film.g2s", "film.zip.g2s"])
def test_a_project_comes_back_as_it_was_saved(
    lab: Lab, qtbot: QtBot, media_root: Path, tmp_path: Path, name: str
) -> None:
    studio, _ = lab
    with_clip(studio, media_root, qtbot)
    studio.generation.change("Prompt", prompt="in the evening")
    assert studio.modified
    place = tmp_path / name
    assert studio.save_as(place, packed="zip" in name)
    assert place.is_file() == ("zip" in name)
    assert not studio.modified
    studio.generation.change("Prompt", prompt="at night")
    assert studio.modified
    assert studio.revert()
    assert studio.generation.look.prompt == "in the evening"
    assert not studio.modified
    studio.generation.change("Prompt", prompt="at noon")
    assert studio.save()
    studio.new_project()
    assert studio.store.document.sequence is None
    assert studio.open_project(place)
    assert studio.generation.look.prompt == "at noon"
    assert studio.preferences.get("recent") == [str(place)]


def test_a_take_is_work_worth_saving(lab: Lab, qtbot: QtBot, media_root: Path, tmp_path: Path) -> None:
    studio, host = lab
    with_clip(studio, media_root, qtbot)
    assert studio.save_as(tmp_path / "film.g2s")
    assert not studio.modified
    with qtbot.waitSignal(studio.modified_changed):
        studio.generation.run()
        host.fake.begin()
    assert studio.modified
    assert studio.save()
    assert not studio.modified


def test_the_source_viewer_comes_back_as_it_was_left(lab: Lab, qtbot: QtBot, media_root: Path, tmp_path: Path) -> None:
    studio, _ = lab
    media = with_clip(studio, media_root, qtbot).media_id
    assert studio.save_as(tmp_path / "film.g2s")
    studio.source.open(media)
    assert not studio.modified, "looking changes nothing"
    studio.source.set_in(3)
    assert studio.modified
    studio.source.go(5)
    assert studio.save()
    assert not studio.modified
    studio.new_project()
    assert studio.source.item is None
    assert studio.open_project(tmp_path / "film.g2s")
    studio.source.open(media)
    assert studio.source.marks.start == 3 and studio.source.playhead == 5


def test_saving_elsewhere_takes_a_running_render_along(
    lab: Lab, qtbot: QtBot, media_root: Path, tmp_path: Path
) -> None:
    studio, host = lab
    clip = with_clip(studio, media_root, qtbot)
    studio.generation.run()
    host.fake.begin()
    host.fake.advance(3)
    take_id = host.fake.submitted[-1].take_id
    assert studio.save_as(tmp_path / "film.g2s")
    again = host.fake.submitted[-1]
    assert len(host.fake.submitted) == 2
    assert again.take_id == take_id
    assert host.workspace is not None
    assert host.workspace.takes is not None
    assert host.workspace.takes.path(take_id).is_relative_to(tmp_path / "film.g2s")
    host.fake.begin()
    host.fake.advance(1)
    assert studio.session.find_clip(clip.id).takes == (take_id,)  # type: ignore[union-attr]
    assert studio.generation.run_state.active


def test_saving_elsewhere_leaves_the_window_alive(lab: Lab, qtbot: QtBot, media_root: Path, tmp_path: Path) -> None:
    """The disk's work is done beside the window: what waits for the window's thread gets its turn meanwhile."""
    studio, _ = lab
    with_clip(studio, media_root, qtbot)
    assert studio.collect_media()
    copied = [Path(item.path) for item in studio.store.document.media.values()]
    assert all(path.is_relative_to(studio.project.media_dir) for path in copied)
    heavy = studio.project.media_dir / "heavy.bin"
    heavy.write_bytes(os.urandom(48 << 20))
    turns: list[bool] = []
    timer = QTimer()
    timer.setInterval(2)
    timer.timeout.connect(lambda: turns.append(studio.disk.busy))
    timer.start()
    assert studio.save_as(tmp_path / "film.zip.g2s", packed=True)
    timer.stop()
    assert any(turns)
    moved = [Path(item.path) for item in studio.store.document.media.values()]
    assert moved != copied and all(path.is_file() for path in moved)
    assert not studio.modified and studio.offline == frozenset()


def test_a_project_that_cannot_be_opened_leaves_the_present_one(
    lab: Lab, qtbot: QtBot, media_root: Path, tmp_path: Path
) -> None:
    studio, _ = lab
    clip = with_clip(studio, media_root, qtbot)
    wrong = tmp_path / "wrong.g2s"
    wrong.write_bytes(b"not a zip file")
    told = messages(studio)
    assert not studio.open_project(wrong)
    assert not studio.open_project(tmp_path / "nowhere.g2s")
    assert [severity for severity, _ in told] == ["error", "error"]
    assert studio.session.find_clip(clip.id) == clip
    assert studio.generation.run() != ""


def test_opening_the_open_project_does_nothing(lab: Lab, qtbot: QtBot, media_root: Path, tmp_path: Path) -> None:
    studio, _ = lab
    with_clip(studio, media_root, qtbot)
    studio.save_as(tmp_path / "film.g2s")
    studio.generation.change("Prompt", prompt="unsaved")
    assert studio.open_project(tmp_path / "film.g2s")
    assert studio.generation.look.prompt == "unsaved"


def test_moved_media_is_found_again(lab: Lab, qtbot: QtBot, media_root: Path, tmp_path: Path) -> None:
    studio, _ = lab
    here, there = tmp_path / "footage" / "shot.mp4", tmp_path / "archive" / "deep" / "SHOT.mp4"
    here.parent.mkdir()
    shutil.copyfile(media_root / CLIP, here)
    clip = with_clip(studio, media_root, qtbot, here)
    studio.save_as(tmp_path / "film.g2s")
    there.parent.mkdir(parents=True)
    # A decoy of the same name but another content must not win over the file itself.
    decoy = tmp_path / "archive" / "a" / "shot.mp4"
    decoy.parent.mkdir()
    shutil.copyfile(media_root / "clips" / "numbered_frames_30fps_2.5s.mkv", decoy)
    here.rename(there)
    studio.new_project()
    studio.open_project(tmp_path / "film.g2s")
    assert studio.offline == {clip.media_id}
    with qtbot.waitSignal(studio.relinker.relinked, timeout=15000) as found:
        studio.relink(tuple(studio.offline), tmp_path / "archive")
    assert found.args == [1, 0]
    assert studio.offline == frozenset()
    assert studio.store.document.media[clip.media_id].path == there.as_posix()
    studio.store.undo_stack.undo()
    assert studio.offline == {clip.media_id}


def test_media_that_is_nowhere_is_said_so(lab: Lab, qtbot: QtBot, media_root: Path, tmp_path: Path) -> None:
    studio, _ = lab
    clip = with_clip(studio, media_root, qtbot)
    told = messages(studio)
    with qtbot.waitSignal(studio.relinker.relinked, timeout=15000):
        studio.relink((clip.media_id,), tmp_path)
    assert told == [("warning", f"1 of 1 files were not found in {tmp_path}.")]


def test_preferences_take_effect(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, host = lab
    preferences = studio.preferences
    with_clip(studio, media_root, qtbot)
    preferences.set("still_seconds", 2.0)
    with qtbot.waitSignal(studio.importer.finished, timeout=15000):
        studio.importer.import_and_place([media_root / "style" / "munch_the_scream.jpg"])
    sequence = studio.session.sequence
    assert sequence is not None
    still = sequence.video_tracks[0].clips[-1]
    assert Fraction(still.duration) / sequence.rate == 2
    studio.editing.append_media((still.media_id,))
    assert studio.session.sequence.video_tracks[0].clips[-1].duration == still.duration  # type: ignore[union-attr]

    preferences.set("preview_max_side", 192)
    studio.session.set_playhead(0)
    studio.generation.make_stills()
    request = host.fake.submitted[-1].request
    assert max(request.width, request.height) == 192  # type: ignore[union-attr]

    preferences.set("pen_pressure", False)
    assert not studio.masks.brush.pressure_size
    studio.masks.set_brush(pressure_size=True)
    assert preferences.get("pen_pressure") is True

    path = studio.store.document.media[request.source.media_id].path
    for index in range(6):
        studio.frames.get(path, index)
    preferences.set("frame_cache_mb", 128)
    assert studio.frames.cached_bytes > 0
    studio.frames.set_budget(1)
    assert studio.frames.cached_bytes <= 512 * 512 * 4


def test_live_preview_only_runs_while_there_is_something_to_paint_with(
    lab: Lab, qtbot: QtBot, media_root: Path
) -> None:
    studio, host = lab
    with_clip(studio, media_root, qtbot)
    studio.preferences.set("live_preview", True)
    assert not studio.live.enabled
    studio.generation.change("Choose look", preset="wet")
    assert studio.live.enabled
    # Debounced: a burst of changes asks once.
    for value in (3.0, 4.0, 5.0, 6.0):
        studio.generation.change("Structure", merge_key="s", structure=value)
    qtbot.waitUntil(lambda: len(host.fake.submitted) == 1, timeout=5000)
    host.fake.run_all()
    assert studio.feed.picture.shows in ("preview", "source", "empty")
    qtbot.waitUntil(lambda: studio.feed.picture.shows == "preview", timeout=15000)
    studio.generation.change("Choose look", preset="")
    assert not studio.live.enabled
    qtbot.waitUntil(lambda: studio.feed.picture.shows == "source", timeout=15000)


def test_a_fresh_take_is_not_covered_by_a_preview(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, host = lab
    clip = with_clip(studio, media_root, qtbot)
    studio.generation.change("Choose look", preset="wet")
    studio.generation.run()
    host.fake.begin()
    host.fake.advance(1)
    studio.generation.cancel()
    take_id = studio.session.find_clip(clip.id).takes[0]  # type: ignore[union-attr]
    studio.generation.apply_take(take_id)
    now = studio.session.find_clip(clip.id)
    assert now is not None
    # Digest and size are those of the very look in use.
    assert not studio.is_stale(now, studio.store.document.takes[take_id])
    studio.preferences.set("live_preview", True)
    queued = len(host.fake.submitted)
    qtbot.wait(400)
    assert len(host.fake.submitted) == queued
    studio.generation.change("Structure", structure=6.0)
    assert studio.is_stale(studio.session.find_clip(clip.id) or now, studio.store.document.takes[take_id])
    qtbot.waitUntil(lambda: len(host.fake.submitted) == queued + 1, timeout=5000)


def test_a_frame_goes_out_as_png(lab: Lab, qtbot: QtBot, media_root: Path) -> None:
    studio, _ = lab
    told = messages(studio)
    assert studio.frame_png(shown=True) is None
    assert told[0][0] == "warning"
    with_clip(studio, media_root, qtbot)
    qtbot.waitUntil(lambda: studio.feed.picture.shows == "source", timeout=15000)
    data = studio.frame_png(shown=False)
    assert data is not None
    import cv2

    from gen2studio.media.decoder import open_decoder

    decoder = open_decoder(media_root / CLIP)
    try:
        truth = decoder.rgb(0)
    finally:
        decoder.close()
    written = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(written[..., ::-1], truth)


def test_a_file_without_settings_is_refused(lab: Lab, media_root: Path, tmp_path: Path) -> None:
    studio, _ = lab
    told = messages(studio)
    studio.reuse_file(media_root / CLIP)
    (tmp_path / "x.mp4").write_bytes(b"nothing")
    studio.reuse_file(tmp_path / "x.mp4")
    assert [severity for severity, _ in told] == ["warning", "warning"]


def test_an_engine_that_cannot_start_tells_the_artist(qtbot: QtBot, media_root: Path) -> None:
    def build(_queue: JobQueue, _sink: EventSink) -> EngineWorker:
        raise RuntimeError("libsomething is missing")

    studio = Studio(Preferences(), EngineHost(build), GeneratorRegistry.of(FakeGenerator()), FakeCatalog(), sound=False)
    told = messages(studio)
    studio.preferences.set("live_preview", False)
    with_clip(studio, media_root, qtbot)
    studio.generation.run()
    qtbot.waitUntil(lambda: any("libsomething is missing" in text for _, text in told), timeout=10000)
    assert ("error", next(text for _, text in told if "libsomething" in text)) in told
    qtbot.waitUntil(lambda: not studio.generation.run_state.active, timeout=5000)
    studio.shutdown(discard=True)
    studio.deleteLater()
