"""Who runs next: lanes, replacing, priority, order, pause, cancel."""

from __future__ import annotations

import pytest

from gen2studio.engine.events import JobState
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.requests import Lane
from tests.fakes.fake_engine import EventLog, quick_job, render_job


def order(queue: JobQueue) -> list[int]:
    return [int(status.job.id[4:]) for status in queue.jobs()]


def test_lanes_come_before_priority_and_priority_before_order() -> None:
    queue = JobQueue(EventLog())
    queue.submit(render_job(1))
    queue.submit(render_job(2, priority=5))
    queue.submit(render_job(3, priority=5))
    queue.submit(quick_job(4, Lane.MASK))
    queue.submit(quick_job(5, Lane.STILLS))
    queue.submit(quick_job(6, Lane.PREVIEW))
    assert order(queue) == [6, 5, 4, 2, 3, 1]
    queue.set_priority("job-000000000001", 9)
    assert order(queue) == [6, 5, 4, 1, 2, 3]


def test_preview_and_stills_replace_their_own_kind_of_one_owner_only() -> None:
    log = EventLog()
    queue = JobQueue(log)
    queue.submit(quick_job(1, Lane.PREVIEW))
    queue.submit(quick_job(2, Lane.STILLS))
    queue.submit(quick_job(3, Lane.PREVIEW, owner="clip-000000000002"))
    running = queue.take()
    assert running is not None and running.job.id.endswith("1")
    queue.submit(quick_job(4, Lane.PREVIEW))
    assert running.token.cancelled
    queue.submit(quick_job(5, Lane.PREVIEW))
    assert log.states("job-000000000004")[-1][1] == "cancelled"
    queue.submit(quick_job(6, Lane.STILLS))
    assert log.states("job-000000000002")[-1][1] == "cancelled"
    queue.finish(running, JobState.CANCELLED)
    assert order(queue) == [3, 5, 6]


def test_renders_of_one_owner_do_not_replace_each_other() -> None:
    queue = JobQueue(EventLog())
    queue.submit(render_job(1))
    queue.submit(render_job(2))
    assert order(queue) == [1, 2]
    with pytest.raises(ValueError):
        queue.submit(render_job(1))


def test_moving_takes_the_place_and_priority_of_the_neighbour() -> None:
    queue = JobQueue(EventLog())
    for number, priority in ((1, 3), (2, 3), (3, 0), (4, 0)):
        queue.submit(render_job(number, priority=priority))
    queue.move("job-000000000004", "job-000000000002")
    assert order(queue) == [1, 4, 2, 3]
    assert queue.jobs()[1].job.priority == 3
    queue.move("job-000000000001", None)
    assert order(queue) == [4, 2, 3, 1]
    queue.move("job-000000000002", "job-000000000002")
    queue.move("job-000000000002", "job-999999999999")
    assert order(queue) == [4, 2, 3, 1]


def test_moving_never_leaves_the_lane() -> None:
    queue = JobQueue(EventLog())
    queue.submit(quick_job(1, Lane.MASK))
    queue.submit(render_job(2))
    queue.move("job-000000000002", "job-000000000001")
    assert order(queue) == [1, 2]


def test_a_paused_job_is_passed_over_until_it_is_resumed() -> None:
    log = EventLog()
    queue = JobQueue(log)
    queue.submit(render_job(1))
    queue.submit(render_job(2))
    queue.pause("job-000000000001")
    taken = queue.take()
    assert taken is not None and taken.job.id.endswith("2")
    queue.finish(taken, JobState.FINISHED)
    assert queue.take() is None
    queue.resume("job-000000000001")
    taken = queue.take()
    assert taken is not None and taken.job.id.endswith("1")
    assert [s for _, s in log.states("job-000000000001")] == ["queued", "paused", "queued", "running"]


def test_pausing_the_queue_holds_masks_and_renders_but_not_previews() -> None:
    queue = JobQueue(EventLog())
    queue.pause()
    for job in (render_job(1), quick_job(2, Lane.MASK), quick_job(3, Lane.PREVIEW)):
        queue.submit(job)
    taken = queue.take()
    assert taken is not None and taken.job.lane is Lane.PREVIEW
    assert queue.take() is None
    queue.resume()
    taken = queue.take()
    assert taken is not None and taken.job.lane is Lane.MASK


def test_only_earlier_lanes_may_interrupt() -> None:
    queue = JobQueue(EventLog())
    queue.submit(render_job(1))
    queue.submit(quick_job(2, Lane.MASK))
    assert queue.take(below=Lane.MASK) is None
    taken = queue.take(below=Lane.RENDER)
    assert taken is not None and taken.job.lane is Lane.MASK
    assert queue.take(below=Lane.RENDER) is None


def test_cancelling_a_waiting_job_ends_it_at_once_and_twice_does_nothing() -> None:
    log = EventLog()
    queue = JobQueue(log)
    queue.submit(render_job(1))
    queue.cancel("job-000000000001")
    queue.cancel("job-000000000001")
    queue.cancel("job-000000000009")
    assert [s for _, s in log.states()] == ["queued", "cancelled"]
    assert queue.jobs() == ()


def test_after_shutdown_nothing_runs_and_nothing_is_taken() -> None:
    log = EventLog()
    queue = JobQueue(log)
    queue.submit(render_job(1))
    queue.shutdown()
    queue.submit(render_job(2))
    assert queue.wait_next() is None
    assert log.states() == [("job-000000000001", "queued"), ("job-000000000001", "cancelled")]
