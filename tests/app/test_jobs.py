"""The job board: rows in the engine's order with what may be done to them."""

from __future__ import annotations

import pytest

from gen2studio.app.jobs import JobBoard
from gen2studio.engine.events import JobState
from gen2studio.engine.requests import Lane
from tests.fakes.fake_engine import quick_job, render_job
from tests.fakes.fake_host import FakeHost


@pytest.fixture
def host(qapp) -> FakeHost:
    return FakeHost()


def numbers(board: JobBoard) -> list[int]:
    return [int(row.job_id[4:]) for row in board.rows]


class Mirror:
    """A list view: keeps its own copy by the signals alone."""

    def __init__(self, board: JobBoard) -> None:
        self.rows = list(board.rows)
        board.row_added.connect(lambda i, row: self.rows.insert(i, row))
        board.row_changed.connect(lambda i, row: self.rows.__setitem__(i, row))
        board.row_removed.connect(lambda i, _row: self.rows.pop(i))
        board.row_moved.connect(lambda a, b: self.rows.insert(b, self.rows.pop(a)))


def test_rows_follow_the_engine_and_signals_alone_rebuild_them(host: FakeHost) -> None:
    board = JobBoard(host)
    mirror = Mirror(board)
    for number in (1, 2, 3):
        host.submit(render_job(number))
    host.submit(quick_job(4, Lane.STILLS))
    host.submit(quick_job(5, Lane.PREVIEW))
    assert numbers(board) == [4, 1, 2, 3] or numbers(board) == [1, 2, 3, 4]
    host.fake.begin()
    host.fake.finish()
    assert host.fake.begin().lane is Lane.STILLS
    assert numbers(board) == [4, 1, 2, 3]
    host.fake.finish()
    host.fake.begin()
    host.move(render_job(3).id, render_job(2).id)
    host.fake.advance(3)
    row = board.rows[0]
    assert numbers(board) == [1, 3, 2, 4]
    assert (row.done, row.total, row.eta_seconds, row.progress) == (3, 12, 4.5, 0.25)
    assert row.estimate is not None and row.estimate.seconds == 2.0
    host.set_priority(render_job(2).id, 5)
    assert numbers(board) == [1, 2, 3, 4] and board.rows[1].priority == 5
    host.fake.fail()
    assert numbers(board)[:2] == [2, 3] and board.busy == 2
    failed = board.row(render_job(1).id)
    assert failed is not None and failed.reason == "The generator ran out of ideas. Try another look."
    assert mirror.rows == list(board.rows)
    board.clear_ended()
    assert numbers(board) == [2, 3] and mirror.rows == list(board.rows)


def test_actions_say_what_may_be_done(host: FakeHost) -> None:
    board = JobBoard(host)
    host.submit(render_job(1))
    host.submit(render_job(2))
    assert board.rows[0].actions == {"cancel", "pause", "raise", "lower"}
    host.fake.begin()
    assert board.rows[0].actions == {"cancel", "pause"}
    board.pause(render_job(2).id)
    assert board.rows[1].state is JobState.PAUSED and "resume" in board.rows[1].actions
    board.cancel(render_job(1).id)
    row = board.row(render_job(1).id)
    assert row is not None and row.state is JobState.CANCELLED and row.actions == {"remove"} and not row.stopping
    host.submit(quick_job(3, Lane.STILLS))
    assert next(r for r in board.rows if r.job_id.endswith("3")).actions == {"cancel"}


def test_shift_moves_among_the_waiting(host: FakeHost) -> None:
    board = JobBoard(host)
    for number in (1, 2, 3, 4):
        host.submit(render_job(number))
    host.fake.begin()
    board.shift(render_job(4).id, -1)
    assert numbers(board) == [1, 2, 4, 3]
    board.shift(render_job(4).id, -9)
    assert numbers(board) == [1, 4, 2, 3]
    board.shift(render_job(4).id, 9)
    assert numbers(board) == [1, 2, 3, 4]
    board.shift(render_job(1).id, 1)
    assert numbers(board) == [1, 2, 3, 4], "the running one stays"


def test_holding_the_queue_and_notes(host: FakeHost, qtbot) -> None:
    board = JobBoard(host)
    with qtbot.waitSignal(board.held_changed):
        board.pause()
    assert board.held
    board.resume()
    host.submit(render_job(1))
    host.fake.begin()
    host.fake.note("Another key frame is wanted at 40.")
    host.fake.note("Another key frame is wanted at 40.")
    assert board.rows[0].notes == ("Another key frame is wanted at 40.",)
    board.cancel_all()
    assert board.busy == 0
    host.shutdown()
