"""Takes, queue, media pool and history in the real window."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from gen2studio.app.session import Compare
from gen2studio.engine.events import JobState
from gen2studio.ui.panels.media_pool import MEDIA_MIME
from gen2studio.ui.panels.takes_panel import TakesPanel
from tests.fakes.fake_studio import CLIP
from tests.ui.desk import LEFT, NONE, Desk, click, drop, open_desk


@pytest.fixture
def desk(qtbot: QtBot, media_root: Path) -> Iterator[Desk]:
    """A window with one clip on the timeline."""
    with open_desk(qtbot, media_root) as opened:
        yield opened


@pytest.fixture
def empty_desk(qtbot: QtBot) -> Iterator[Desk]:
    with open_desk(qtbot, None) as opened:
        yield opened


def make_take(desk: Desk, frames: int) -> str:
    window, host = desk
    window.studio.generation.run()
    host.fake.begin()
    host.fake.advance(frames)
    window.studio.generation.cancel()
    clip = window.studio.generation.target
    assert clip is not None
    return clip.takes[-1]


def pick(panel: TakesPanel, row: int) -> None:
    place = panel.view.visualRect(panel.model.index(row)).center()
    QTest.mouseClick(panel.view.viewport(), LEFT, NONE, place)


def test_takes_are_compared_applied_rated_and_discarded(desk: Desk) -> None:
    window, _ = desk
    studio, panel = window.studio, window.takes
    assert panel.empty.isVisible()
    studio.generation.change("Choose look", preset="wet")
    first, second = make_take(desk, 1), make_take(desk, 1)
    assert panel.view.isVisible()
    assert panel.model.rowCount() == 3
    assert panel.chosen == second

    click(window, "viewer.compare.wipe")
    assert studio.session.compare is Compare.WIPE
    assert studio.session.compare_right == second
    pick(panel, panel.model.row_of(first))
    assert panel.chosen == first
    assert studio.session.compare_right == first
    click(window, "viewer.compare.side")
    assert studio.session.compare is Compare.SIDE_BY_SIDE
    assert not window.binder.action("compare.wipe").isChecked()
    click(window, "viewer.compare.side")
    assert studio.session.compare is Compare.OFF
    assert window.binder.action("compare.off").isChecked()
    click(window, "viewer.compare.off")
    assert window.binder.action("compare.off").isChecked()

    click(window, "button.take.apply")
    assert studio.generation.target.active_take == first  # type: ignore[union-attr]
    assert not window.binder.action("take.apply").isEnabled()
    click(window, "take.star.3")
    assert studio.store.document.takes[first].rating == 3
    click(window, "take.star.3")
    assert studio.store.document.takes[first].rating == 0
    click(window, "button.take.source")
    assert studio.generation.target.active_take == ""  # type: ignore[union-attr]
    click(window, "button.take.discard")
    assert studio.generation.target.takes == (second,)  # type: ignore[union-attr]


def test_a_take_goes_stale_when_the_look_changes_and_reuse_makes_it_fresh(desk: Desk) -> None:
    window, _ = desk
    studio, model = window.studio, window.takes.model
    studio.generation.change("Choose look", preset="wet")
    take_id = make_take(desk, 1)
    take = studio.store.document.takes[take_id]
    index = model.index(model.row_of(take.id))
    assert "Stale" not in model.data(index, Qt.ItemDataRole.ToolTipRole)
    studio.generation.change("Choose look", preset="oil")
    assert "Stale" in model.data(index, Qt.ItemDataRole.ToolTipRole)
    click(window, "button.take.reuse")
    assert studio.generation.look.preset == "wet"
    assert "Stale" not in model.data(index, Qt.ItemDataRole.ToolTipRole)


def test_queue_pauses_reorders_cancels_and_clears(desk: Desk) -> None:
    window, host = desk
    window.raise_dock("queue")
    panel, board = window.queue, window.studio.board
    assert panel.empty.isVisible()
    click(window, "queue.pauseAll")
    assert board.held
    jobs = [window.studio.generation.run() for _ in range(3)]
    with pytest.raises(LookupError):
        host.fake.begin()
    click(window, f"queue.lower.{jobs[0]}")
    assert [row.job_id for row in board.rows] == [jobs[1], jobs[0], jobs[2]]
    click(window, f"queue.raise.{jobs[2]}")
    assert [row.job_id for row in board.rows] == [jobs[1], jobs[2], jobs[0]]
    assert not panel.clear.isEnabled()
    click(window, f"queue.cancel.{jobs[2]}")
    assert board.row(jobs[2]).state is JobState.CANCELLED  # type: ignore[union-attr]
    assert panel.clear.isEnabled()
    click(window, "queue.clear")
    assert [row.job_id for row in board.rows] == [jobs[1], jobs[0]]
    click(window, "queue.pauseAll")
    assert host.fake.begin().id == jobs[1]
    host.fake.advance(4)
    row = board.row(jobs[1])
    assert row is not None
    assert (row.done, row.total) == (4, 32)
    shown = panel.findChild(object, f"queue.row.{jobs[1]}")
    assert shown is not None
    click(window, f"queue.pause.{jobs[0]}")
    assert board.row(jobs[0]).state is JobState.PAUSED  # type: ignore[union-attr]
    click(window, f"queue.resume.{jobs[0]}")
    board.cancel_all()
    click(window, f"queue.remove.{jobs[0]}")
    click(window, "queue.clear")
    assert panel.empty.isVisible()


def test_an_empty_window_says_what_to_do_and_takes_a_drop(
    empty_desk: Desk, qtbot: QtBot, media_root: Path, tmp_path: Path
) -> None:
    window, _ = empty_desk
    assert window.pool.empty.isVisible()
    assert window.generate.heading.text() == "No clip under the playhead"
    assert not window.generate.footer.run_button.isEnabled()
    shot = tmp_path / "Blue hour.mp4"
    shutil.copyfile(media_root / CLIP, shot)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    with qtbot.waitSignal(window.studio.importer.finished, timeout=15000) as done:
        assert drop(window.pool, [shot, broken])
    assert done.args == [1, 1]
    assert window.messages.severity == "error"
    assert "broken.mp4" in window.messages.text
    assert window.pool.model.rowCount() == 1
    assert window.studio.session.sequence is not None
    assert window.studio.session.sequence.duration == 32
    assert window.generate.footer.run_button.isEnabled()

    QTest.keyClicks(window.pool.search, "hour")
    assert window.pool.model.rowCount() == 1
    QTest.keyClicks(window.pool.search, "zz")
    assert window.pool.empty.isVisible()
    assert window.pool.empty.title.text() == "Nothing found"
    window.pool.search.clear()
    assert not window.pool.empty.isVisible()


def test_the_pool_hands_out_media_and_removes_what_nothing_uses(desk: Desk, qtbot: QtBot, media_root: Path) -> None:
    window, _ = desk
    view, model, studio = window.pool.view, window.pool.model, window.studio
    with qtbot.waitSignal(studio.importer.finished, timeout=15000):
        studio.importer.import_paths([media_root / "style" / "munch_the_scream.jpg"])
    assert model.rowCount() == 2
    used, spare = (model.item(model.index(row)) for row in range(2))
    data = model.mimeData([model.index(1)])
    assert spare.id in bytes(data.data(MEDIA_MIME).data()).decode()
    QTest.mouseClick(view.viewport(), LEFT, NONE, view.visualRect(model.index(0)).center())
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert used.id in studio.store.document.media
    assert window.messages.severity == "warning"
    QTest.mouseClick(view.viewport(), LEFT, NONE, view.visualRect(model.index(1)).center())
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert set(studio.store.document.media) == {used.id}
    studio.store.undo_stack.undo()
    assert set(studio.store.document.media) == {used.id, spare.id}
    place = view.visualRect(model.index(1)).center()
    QTest.mouseClick(view.viewport(), LEFT, NONE, place)
    view.customContextMenuRequested.emit(place)
    menu = window.pool.findChild(QMenu)
    assert menu is not None
    next(action for action in menu.actions() if "Append" in action.text()).trigger()
    menu.close()
    assert studio.session.sequence.duration > 32  # type: ignore[union-attr]


def test_history_goes_to_a_step_and_starts_anew_with_another_project(desk: Desk, tmp_path: Path) -> None:
    window, _ = desk
    studio = window.studio
    window.raise_dock("history")
    studio.generation.change("Choose look", preset="wet")
    studio.generation.change("Choose look", preset="oil")
    view = window.history.view
    steps = studio.store.undo_stack.count()
    assert view.model().rowCount() == steps + 1
    index = view.model().index(steps - 1, 0)
    QTest.mouseClick(view.viewport(), LEFT, NONE, view.visualRect(index).center())
    assert studio.generation.look.preset == "wet"
    assert studio.save_as(tmp_path / "film.g2s")
    studio.new_project()
    assert view.model().rowCount() == 1
    assert not window.binder.action("edit.undo").isEnabled()
    assert studio.open_project(tmp_path / "film.g2s")
    assert view.model().rowCount() == 1
    assert window.windowTitle().startswith("film")
    studio.generation.change("Choose look", preset="oil")
    assert view.model().rowCount() == 2
    assert window.isWindowModified()


def test_snapping_and_following_show_whether_they_are_on(desk: Desk) -> None:
    window, _ = desk
    for name, on in (
        ("timeline.toggle_snapping", lambda: window.studio.session.snapping),
        ("timeline.toggle_follow", lambda: window.timeline.following),
    ):
        action = window.binder.action(name)
        assert action.isChecked() == on() is True
        action.trigger()
        assert action.isChecked() == on() is False
        click(window, f"button_{name}")
        assert action.isChecked() == on() is True
    window.studio.preferences.set("follow_playhead", False)
    assert not window.timeline.following
