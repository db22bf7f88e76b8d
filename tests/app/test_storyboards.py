"""Storyboards end to end: panels, an animatic, shots in one look, generated as a batch on the engine's thread."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from gen2studio.app.studio import Studio
from gen2studio.core.media_info import MediaKind
from gen2studio.document import board_edits
from gen2studio.document.board_values import CameraFrame, SeedPolicy
from gen2studio.document.look import Camera, Mode
from gen2studio.document.model import Clip, Panel
from tests.app.test_board_files import tone
from tests.fakes.shot_painter import painting_studio

CAFE = Path("style") / "hokusai_great_wave.jpg"


@pytest.fixture
def studio(qtbot: QtBot) -> Iterator[Studio]:
    made = painting_studio()
    yield made
    made.shutdown(discard=True)
    made.deleteLater()


@pytest.fixture
def panels(studio: Studio, media_root: Path) -> list[str]:
    """A board of three panels: a layout, a first frame, words alone."""
    boards = studio.storyboards
    return [
        boards.add_panel(media_root / CAFE, prompt="a city"),
        boards.add_panel(media_root / CAFE, seconds=Fraction(1), keep_picture=True),
        boards.add_panel(prompt="a boat", name="Harbour", seconds=Fraction(3, 2)),
    ]


def clips(studio: Studio) -> tuple[Clip, ...]:
    sequence = studio.session.sequence
    return sequence.video_tracks[0].clips if sequence else ()


def panel(studio: Studio, panel_id: str) -> Panel:
    found = studio.storyboards.panel(panel_id)
    assert found is not None
    return found


def generated(studio: Studio, qtbot: QtBot) -> None:
    jobs = studio.storyboards.generate()
    assert jobs
    qtbot.waitUntil(lambda: studio.board.busy == 0 and all(c.active_take for c in clips(studio)), timeout=15000)


def test_a_board_takes_the_size_and_rate_of_its_model(studio: Studio, panels: list[str]) -> None:
    board = studio.storyboards.current
    assert board is not None and [p.id for p in board.panels] == panels
    assert (board.width, board.height, board.rate) == (104, 58, 8)
    assert board.look.mode is Mode.STORYBOARD


def test_generating_lays_the_panels_in_order_with_one_look(studio: Studio, qtbot: QtBot, panels: list[str]) -> None:
    board = studio.storyboards.current
    assert board is not None
    studio.storyboards.set_look(board.look.__class__(prompt="watercolour", seed=9))
    studio.storyboards.change_panel(panels[0], camera=Camera(zoom=3))
    steps = studio.store.undo_stack.count()
    generated(studio, qtbot)
    assert studio.store.undo_stack.count() == steps + 1
    made = clips(studio)
    # 8 frames a second: the timeline was made for the board.
    assert [(c.start, c.duration) for c in made] == [(0, 16), (16, 8), (24, 12)]
    assert [studio.storyboards.clip_of(i) for i in panels] == list(made)
    looks = [c.look for c in made]
    assert [look.prompt for look in looks if look] == ["a city, watercolour", "watercolour", "a boat, watercolour"]
    assert all(look and look.seed == 9 and look.mode is Mode.STORYBOARD for look in looks)
    first, second, third = looks
    assert first and second and third
    assert first.layout and not first.keys and first.camera.zoom == 3
    assert not second.layout and [key.frame for key in second.keys] == [0]
    assert not third.layout and not third.keys
    request = studio.generation.plan(made[0], first)
    assert request.layout is not None and Path(request.layout.path).is_file() and request.mode == "storyboard"
    assert all(not studio.is_stale(c, studio.store.document.takes[c.active_take]) for c in made)


def test_shots_follow_their_panel_until_they_have_a_look_of_their_own(
    studio: Studio, qtbot: QtBot, panels: list[str]
) -> None:
    studio.storyboards.lay_shots()
    studio.storyboards.go_to(panels[2])
    studio.generation.change("Seed", seed=44)
    studio.storyboards.change_panel(panels[0], prompt="a village")
    studio.storyboards.change_panel(panels[2], prompt="a train")
    made = clips(studio)
    assert [c.look.prompt for c in made if c.look] == ["a village", "", "a boat"]
    studio.store.undo_stack.undo()
    studio.store.undo_stack.undo()
    assert [c.look.prompt for c in clips(studio) if c.look] == ["a city", "", "a boat"]


def test_the_animatic_becomes_the_shots_in_place(studio: Studio, qtbot: QtBot, panels: list[str]) -> None:
    with qtbot.waitSignal(studio.storyboards.laid, timeout=10000):
        assert studio.storyboards.animatic()
    before = clips(studio)
    media = studio.store.document.media
    kinds = [media[c.media_id].info.kind for c in before]
    assert kinds == [MediaKind.STILL, MediaKind.STILL, MediaKind.VIDEO]
    assert media[before[2].media_id].shot is not None and before[2].name == "Harbour"
    assert before[0].media_id == before[1].media_id  # the same picture twice
    generated(studio, qtbot)
    after = clips(studio)
    assert [(c.id, c.start, c.duration) for c in after] == [(c.id, c.start, c.duration) for c in before]
    assert all(studio.store.document.media[c.media_id].shot for c in after)
    # Another animatic leaves finished shots alone.
    with qtbot.waitSignal(studio.storyboards.laid, timeout=10000):
        studio.storyboards.animatic()
    assert clips(studio) == after


def test_generating_again_keeps_the_shots_that_fit(studio: Studio, qtbot: QtBot, panels: list[str]) -> None:
    generated(studio, qtbot)
    before = clips(studio)
    studio.storyboards.change_panel(panels[1], seconds=Fraction(1, 2))
    late = studio.storyboards.add_panel(prompt="the end", at=1)
    assert studio.storyboards.generate((panels[1], late))
    qtbot.waitUntil(lambda: studio.board.busy == 0 and all(c.active_take for c in clips(studio)), timeout=15000)
    after = clips(studio)
    assert after[0] == before[0] and after[1].id == before[1].id
    assert after[1].media_id != before[1].media_id and after[1].duration == 4
    placed = studio.storyboards.clip_of(late)
    # Behind the panel before it, in the next place that is free.
    assert placed is not None and placed.start == after[2].end == 36


def test_four_stills_of_each_panel_and_one_becomes_the_guide(studio: Studio, qtbot: QtBot, panels: list[str]) -> None:
    told: set[str] = set()
    studio.storyboards.panel_still_changed.connect(told.add)
    assert len(studio.storyboards.stills(panels[:2])) == 8

    def ready() -> bool:
        return all(len(panel(studio, i).stills) == 4 for i in panels[:2]) and studio.board.busy == 0

    qtbot.waitUntil(ready, timeout=10000)
    assert told == set(panels[:2])
    # Nothing was laid for them, and undo does not take findings back.
    assert not studio.store.document.takes and clips(studio) == ()
    stills = panel(studio, panels[0]).stills
    assert [still.seed for still in stills] == [1, 2, 3, 4] and len({still.picture for still in stills}) == 4
    assert all(studio.project.find_blob(still.picture) for still in stills)
    assert studio.storyboards.still_of(panels[0]) == stills[3].picture
    chosen = stills[2]
    studio.storyboards.edit("Choose still", lambda d, b: board_edits.choose_still(d, b.id, panels[0], chosen.picture))
    generated(studio, qtbot)
    look = clips(studio)[0].look
    assert look and look.seed == 3 and [(k.frame, k.digest) for k in look.keys] == [(0, chosen.picture)]
    # Another round keeps the chosen one.
    studio.storyboards.stills((panels[0],), 2)
    qtbot.waitUntil(lambda: len(panel(studio, panels[0]).stills) == 3 and studio.board.busy == 0, timeout=10000)
    assert panel(studio, panels[0]).stills[0] == chosen


def test_a_changed_panel_says_why_its_shot_is_stale(studio: Studio, qtbot: QtBot, panels: list[str]) -> None:
    boards = studio.storyboards

    def state(panel_id: str) -> tuple[str, str]:
        found = boards.state_of(panel(studio, panel_id))
        return found.stage.value, found.reason

    assert state(panels[0]) == ("none", "")
    generated(studio, qtbot)
    assert [state(i)[0] for i in panels] == ["done"] * 3
    assert boards.current is not None and boards.current.sequence_id == studio.store.document.active_sequence
    assert boards.render_stale() == ()
    boards.change_panel(panels[0], prompt="a village")
    boards.change_panel(panels[1], camera=Camera(zoom=4), seconds=Fraction(1, 2))
    assert state(panels[0]) == ("stale", "Its words changed.")
    assert state(panels[1]) == ("stale", "It lasts 0.5 s now, the shot 1 s; its camera changed.")
    assert state(panels[2])[0] == "done"
    assert len(boards.render_stale()) == 2
    assert {state(i)[0] for i in panels[:2]} <= {"queued", "running", "done"}
    qtbot.waitUntil(lambda: studio.board.busy == 0 and [state(i)[0] for i in panels[1:]] == ["done"] * 2, timeout=15000)
    # A shot that was shown goes on being shown; the new take is the artist's to apply.
    assert len(clips(studio)[0].takes) == 2
    studio.session.set_playhead(clips(studio)[1].start)
    studio.session.set_selection(frozenset())
    assert boards.panel_under_playhead() == panels[1]


def test_seeds_come_from_the_board_the_panel_or_both(studio: Studio, panels: list[str]) -> None:
    boards = studio.storyboards

    def seeds() -> list[int]:
        return [clip.look.seed for clip in clips(studio) if clip.look]

    boards.change_panel(panels[1], seed=77)
    boards.lay_shots()
    assert seeds() == [1, 1, 1]
    boards.edit("Seeds", lambda d, b: board_edits.set_seeds(d, b.id, SeedPolicy.OWN))
    assert seeds() == [1, 77, 1]
    boards.edit("Seeds", lambda d, b: board_edits.set_seeds(d, b.id, SeedPolicy.DERIVED))
    derived = seeds()
    assert len(set(derived)) == 3
    boards.move_panels((panels[2],), panels[0])
    assert seeds() == derived


def test_an_empty_panel_is_named(studio: Studio, qtbot: QtBot, panels: list[str]) -> None:
    messages: list[str] = []
    studio.session.message.connect(lambda _severity, text: messages.append(text))
    studio.storyboards.change_panel(panels[2], prompt="")
    assert studio.storyboards.generate() == ()
    assert messages[-1] == "Panel 3 has neither a picture nor words. Give it one of them."
    assert clips(studio) == ()
    studio.storyboards.change_panel(panels[2], seconds=Fraction(0))
    assert "panel lasts" in messages[-1]


def test_a_board_without_a_panel_and_a_broken_picture(studio: Studio, tmp_path: Path) -> None:
    messages: list[str] = []
    studio.session.message.connect(lambda _severity, text: messages.append(text))
    assert studio.storyboards.generate() == () and "no panel" in messages[-1]
    broken = tmp_path / "x.png"
    broken.write_bytes(b"no picture")
    assert studio.storyboards.add_panel(broken) == "" and "not an image" in messages[-1]
    assert studio.storyboards.current is None


def test_the_animatic_moves_with_the_camera_and_is_heard(
    studio: Studio, qtbot: QtBot, panels: list[str], media_root: Path, tmp_path: Path
) -> None:
    boards = studio.storyboards
    film, sound = media_root / "clips" / "golden_retriever_512_3.2s.mp4", tone(tmp_path / "guide.wav", 2.0)
    with qtbot.waitSignal(studio.importer.finished, timeout=15000):
        studio.importer.import_paths([film, sound])
    dog, guide = studio.store.document.media.values()
    frames = (CameraFrame(), CameraFrame(x=0.25, y=0.25, width=0.5, angle=10))
    assert boards.edit("x", lambda d, b: board_edits.set_frames(d, b.id, panels[0], frames))
    boards.use_footage(panels[1], dog.id)
    boards.use_sound(panels[1], guide.id)
    with qtbot.waitSignal(boards.laid, timeout=10000):
        assert boards.animatic()
    first, second, third = clips(studio)
    assert second.media_id == dog.id and second.duration == 8 and third.start == second.end
    move = first.transform
    assert (move.scale.at(0), move.x.at(0), move.y.at(0), move.rotation.at(0)) == (1, 0, 0, 0)
    # The frame's centre, a quarter from the corner, comes to the middle: doubled and turned back by 10°.
    assert move.scale.at(15) == 2 and move.rotation.at(15) == -10
    board = boards.current
    assert board is not None
    aspect = board.width / board.height
    turn = math.radians(-10)
    across, down = -0.25, -0.25 / aspect
    x = 2 * (across * math.cos(turn) - down * math.sin(turn)) + move.x.at(15)
    y = 2 * (across * math.sin(turn) + down * math.cos(turn)) * aspect + move.y.at(15)
    assert abs(x) < 1e-4 and abs(y) < 1e-4
    sequence = studio.session.sequence
    assert sequence is not None
    [heard] = [clip for track in sequence.audio_tracks for clip in track.clips]
    assert heard.media_id == guide.id and heard.start == second.start
    with qtbot.waitSignal(boards.laid, timeout=10000):
        boards.animatic()
    assert len([clip for track in studio.session.sequence.audio_tracks for clip in track.clips]) == 1  # type: ignore[union-attr]


def test_playing_and_tapping_along(studio: Studio, qtbot: QtBot, panels: list[str]) -> None:
    player = studio.storyboards.player
    seen: list[float] = []
    player.moved.connect(seen.append)
    player.seek(1.5)
    assert player.second == 1.5
    player.seek(0)
    player.play()
    qtbot.waitUntil(lambda: player.second > 0.3, timeout=5000)
    player.tap()  # the first panel ends here; the second begins at once
    first = player.second
    assert player.board is not None and abs(float(player.board.panels[0].seconds) - first) < 0.1
    qtbot.waitUntil(lambda: player.second > first + 0.25, timeout=5000)
    player.tap()
    steps = studio.store.undo_stack.count()
    player.stop()
    assert studio.store.undo_stack.count() == steps + 1
    a, b, c = (panel(studio, i) for i in panels)
    assert 0.25 <= a.seconds <= 0.75 and 0.125 <= b.seconds <= 0.75 and c.seconds == Fraction(3, 2)
    assert a.tapped is not None and b.tapped is not None and a.tapped < b.tapped and c.tapped is None
    assert all((p.seconds * 8).denominator == 1 for p in (a, b))
    assert seen[:2] == [1.5, 0] and seen[2:] == sorted(seen[2:])
    studio.store.undo_stack.undo()
    assert panel(studio, panels[0]).seconds == 2
    # It stops at the end by itself.
    studio.storyboards.player.seek(4.3)
    player.play()
    qtbot.waitUntil(lambda: not player.playing, timeout=5000)
    assert player.second == 4.5
