"""The worker on synthetic footage: events, nesting, pausing, cancelling, failing, resuming."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gen2studio.core.errors import GenerationError
from gen2studio.core.geometry import Extent, Rect
from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.budget import Room
from gen2studio.engine.events import (
    Estimated,
    FrameReady,
    JobState,
    MaskReady,
    Progress,
    StateChanged,
)
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.journal import RenderJournal
from gen2studio.engine.requests import (
    AnchorTrack,
    ControlValues,
    GenerateRequest,
    Job,
    Lane,
    MaskTrackRef,
    PropagateRequest,
    SegmentRequest,
)
from gen2studio.engine.take_store import TakeStore
from gen2studio.engine.worker import EngineWorker
from gen2studio.engine.workspace import Workspace
from gen2studio.raster.tiles import TileStore
from tests.fakes.fake_engine import (
    EventLog,
    FakeGenerator,
    FakeSelector,
    FakeTracker,
    generate_request,
    invert,
    quick_job,
    ramp_reader,
    render_job,
    source_ref,
)

PLENTY = Room(8 << 30, 100 << 30)


class Bench:
    """A queue, a worker and a log; ``run`` works on the calling thread, ``start`` on a thread of its own."""

    def __init__(self, tmp_path: Path, generator: FakeGenerator | None = None, free: Room = PLENTY) -> None:
        self.log = EventLog()
        self.generator = generator or FakeGenerator()
        self.tracker = FakeTracker()
        self.tiles = TileStore()
        self.takes = TakeStore(tmp_path / "takes")
        self.journal = RenderJournal(tmp_path / "renders.jsonl")
        self.queue = JobQueue(self.log, Workspace(takes=self.takes, matte=self.tiles.unpack, journal=self.journal))
        self.worker = EngineWorker(
            self.queue, self.log, GeneratorRegistry.of(self.generator), tracker=lambda: self.tracker,
            selector=FakeSelector, reader=ramp_reader, threads=1, room=lambda _folder: free,
        )  # fmt: skip
        self.thread: threading.Thread | None = None

    def run(self, *jobs: Job) -> None:
        for job in jobs:
            self.queue.submit(job)
        self.worker.run_until_idle()

    def start(self, *jobs: Job) -> None:
        for job in jobs:
            self.queue.submit(job)
        self.thread = threading.Thread(target=self.worker.run, name="engine")
        self.thread.start()

    def wait_state(self, number: int, state: JobState) -> StateChanged:
        name = f"job-{number:012d}"
        event = self.log.wait_for(lambda e: isinstance(e, StateChanged) and e.job_id == name and e.state is state)
        assert isinstance(event, StateChanged)
        return event

    def close(self) -> None:
        self.queue.shutdown()
        if self.thread is not None:
            self.thread.join(5)
            assert not self.thread.is_alive()
        else:
            self.worker.close()
        self.journal.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_a_render_tells_everything_in_order_and_stores_every_frame(bench: Bench) -> None:
    job = render_job(1)
    bench.run(job)
    events = bench.log.of(job.id)
    assert [e.state for e in events if isinstance(e, StateChanged)] == [
        JobState.QUEUED, JobState.RUNNING, JobState.FINISHED,
    ]  # fmt: skip
    assert events[-1] == StateChanged(job_id=job.id, state=JobState.FINISHED)
    kinds = [type(e) for e in events]
    assert kinds.index(Estimated) < kinds.index(FrameReady)
    done = [e.done for e in events if isinstance(e, Progress)]
    assert done == sorted(done) and done[-1] == 12
    frames = bench.log.frames(job.id)
    assert sorted(frames) == list(range(12)) and bench.takes.done(job.take_id) == ((0, 12),)
    for frame, picture in frames.items():
        expected = invert(ramp_reader(source_ref(), frame, Extent(64, 48)))
        assert np.array_equal(picture, expected) and not picture.flags.writeable
        assert np.array_equal(bench.takes.read(job.take_id, frame), expected)
    assert not (bench.takes.path(job.take_id) / "scratch").exists()


def test_a_preview_overtakes_a_render_in_the_middle(bench: Bench) -> None:
    def ask(request: GenerateRequest, frame: int) -> None:
        if request.frames is None and frame == 5:
            bench.queue.submit(quick_job(2, Lane.PREVIEW, frame=3))

    bench.generator.before_frame = ask
    bench.run(render_job(1))
    assert bench.generator.made.index(("few", 3)) == 5
    states = bench.log.states()
    assert states.index(("job-000000000002", "finished")) < states.index(("job-000000000001", "finished"))
    assert bench.takes.done("take-000000000001") == ((0, 12),)


def test_a_newer_preview_stops_the_running_one(bench: Bench) -> None:
    def ask(request: GenerateRequest, frame: int) -> None:
        if frame == 1:
            bench.queue.submit(quick_job(2, Lane.PREVIEW, frame=9))

    bench.generator.before_frame = ask
    job = quick_job(1)
    bench.run(Job(id=job.id, lane=job.lane, request=generate_request(frames=(0, 1, 2, 3)), label="", owner=job.owner))
    assert bench.generator.made == [("few", 0), ("few", 9)]
    assert bench.log.states(job.id)[-1][1] == "cancelled"


@pytest.mark.parametrize("step", range(0, 12, 3))
def test_cancel_at_any_step_keeps_what_is_finished(bench: Bench, step: int) -> None:
    bench.generator.before_frame = lambda _r, frame: bench.queue.cancel("job-000000000001") if frame == step else None
    bench.run(render_job(1))
    assert bench.log.states()[-1] == ("job-000000000001", "cancelled")
    assert bench.takes.frames("take-000000000001") == tuple(range(step))
    last = bench.log.events[-1]
    assert isinstance(last, StateChanged) and last.reason == f"{step} of 12 frames were kept."
    assert bench.journal.pending() == ()


def test_a_cancelled_take_rendered_again_only_makes_what_is_missing(bench: Bench) -> None:
    bench.generator.before_frame = lambda _r, frame: bench.queue.cancel("job-000000000001") if frame == 7 else None
    bench.run(render_job(1))
    bench.generator.before_frame = None
    damaged = bench.takes.frame_path("take-000000000001", 2)
    damaged.write_bytes(damaged.read_bytes()[:-20])
    bench.generator.made.clear()
    bench.run(render_job(2, take_id="take-000000000001"))
    assert [frame for _, frame in bench.generator.made] == [2, 7, 8, 9, 10, 11]
    assert bench.takes.done("take-000000000001") == ((0, 12),)


def test_a_take_never_mixes_two_recipes(bench: Bench) -> None:
    bench.run(render_job(1))
    bench.run(render_job(2, take_id="take-000000000001", request=generate_request(seed=2)))
    end = bench.log.events[-1]
    assert isinstance(end, StateChanged) and end.state is JobState.FAILED and "other settings" in end.reason


def test_pausing_a_running_render_waits_in_place_and_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.generator.before_frame = lambda _r, frame: bench.queue.pause("job-000000000001") if frame == 4 else None
    bench.start(render_job(1))
    bench.wait_state(1, JobState.PAUSED)
    assert len(bench.generator.made) == 4
    bench.queue.submit(quick_job(2, Lane.PREVIEW, frame=1))
    bench.wait_state(2, JobState.FINISHED)
    bench.generator.before_frame = None
    bench.queue.resume("job-000000000001")
    bench.wait_state(1, JobState.FINISHED)
    assert [f for kind, f in bench.generator.made if kind == "render"] == list(range(12))
    bench.close()


def test_a_paused_render_lets_the_next_one_run_and_is_taken_up_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def hold(request: GenerateRequest, frame: int) -> None:
        if request.seed == 1 and frame == 4:
            bench.queue.pause("job-000000000001")

    bench.generator.before_frame = hold
    bench.start(render_job(1), render_job(2, request=generate_request(seed=2)))
    bench.wait_state(2, JobState.FINISHED)
    assert [s for _, s in bench.log.states("job-000000000001")][-1] == "paused"
    bench.generator.before_frame = None
    bench.queue.resume("job-000000000001")
    bench.wait_state(1, JobState.FINISHED)
    frames = [f for _, f in bench.generator.made]
    assert frames == [*range(4), *range(12), *range(4, 12)]
    bench.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (GenerationError("Too much is new here.", "Paint another key."), "Too much is new here. Paint another key."),
        (MemoryError(), "ran out of memory"),
        (ZeroDivisionError("division by zero"), "Something went wrong: division by zero"),
    ],
)
def test_every_generator_error_is_one_sentence_and_the_queue_goes_on(
    tmp_path: Path, error: Exception, words: str
) -> None:
    bench = Bench(tmp_path, FakeGenerator(error=error, error_at=3))
    bench.run(render_job(1), quick_job(2, Lane.PREVIEW, frame=0))
    end = bench.log.of("job-000000000001")[-1]
    assert isinstance(end, StateChanged) and end.state is JobState.FAILED and words in end.reason
    assert "\n" not in end.reason
    assert bench.takes.frames("take-000000000001") == (0, 1, 2)
    assert bench.log.states("job-000000000002")[-1][1] == "finished"
    bench.close()


def test_frames_left_out_are_a_failure(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeGenerator(leave_out=[3, 4]))
    bench.run(render_job(1))
    end = bench.log.events[-1]
    assert isinstance(end, StateChanged) and "without 2 of 12 frames" in end.reason
    bench.close()


@pytest.mark.parametrize(
    ("free", "word"),
    [(Room(300 << 20, 100 << 30), "memory"), (Room(8 << 30, 1 << 20), "on disk"), (Room(None, None), "")],
)
def test_what_does_not_fit_is_refused_before_it_starts(tmp_path: Path, free: Room, word: str) -> None:
    bench = Bench(tmp_path, FakeGenerator(memory_bytes=1 << 30), free)
    bench.run(render_job(1))
    end = bench.log.events[-1]
    assert isinstance(end, StateChanged)
    if word:
        assert end.state is JobState.FAILED and word in end.reason and bench.generator.made == []
    else:
        assert end.state is JobState.FINISHED
    bench.close()


def test_modes_and_generators_nobody_has_are_named(bench: Bench) -> None:
    bench.run(
        render_job(1, request=generate_request(mode="text")), render_job(2, request=generate_request(generator="wan"))
    )
    first, second = (bench.log.of(f"job-{n:012d}")[-1] for n in (1, 2))
    assert isinstance(first, StateChanged) and "does not serve Text to Video" in first.reason
    assert isinstance(second, StateChanged) and "“wan” is not installed" in second.reason


def test_region_and_composite_change_nothing_outside(bench: Bench) -> None:
    mask = np.zeros((48, 64), np.uint8)
    mask[10:30, 20:50] = 255
    track = MaskTrackRef(object_id="mask-000000000001", frames=((1, bench.tiles.pack(mask)),))
    controls = ControlValues(feather=3.0)
    for number, region in ((1, "foreground"), (2, "background")):
        request = generate_request(stop=3, mode="mask", region=region, masks=(track,), controls=controls)
        bench.run(render_job(number, request=request))
        frames = bench.log.frames(f"job-{number:012d}")
        for frame in range(3):
            source = ramp_reader(source_ref(), frame, Extent(64, 48))
            inside = (mask > 0) if frame == 1 else np.zeros_like(mask, bool)
            outside = ~inside if region == "foreground" else inside
            assert np.array_equal(frames[frame][outside], source[outside])
        core = (20, 35) if region == "foreground" else (45, 5)
        source = ramp_reader(source_ref(), 1, Extent(64, 48))
        assert np.array_equal(frames[1][core], 255 - source[core])


def test_a_region_without_a_mask_is_refused(bench: Bench) -> None:
    bench.run(render_job(1, request=generate_request(region="foreground")))
    end = bench.log.events[-1]
    assert isinstance(end, StateChanged) and "no mask" in end.reason


def test_propagation_keeps_anchors_and_reports_confidence(bench: Bench) -> None:
    mask = np.zeros((48, 64), np.uint8)
    mask[5:20, 5:20] = 255
    anchor = AnchorTrack(object_id="mask-000000000001", anchors=((2, bench.tiles.pack(mask)),))
    request = PropagateRequest(source=source_ref(), objects=(anchor,), start=0, stop=6, from_frame=2)
    bench.run(Job(id="job-000000000001", lane=Lane.MASK, request=request, label="Track"))
    ready = [e for e in bench.log.events if isinstance(e, MaskReady)]
    assert [e.frame for e in ready] == [0, 1, 3, 4, 5]
    assert all(np.array_equal(e.mask, mask) and not e.mask.flags.writeable for e in ready)
    assert ready[0].confidence == pytest.approx(0.8) and ready[0].engine == "Fake tracker"


def test_a_mask_job_runs_inside_a_render_and_selection_answers(bench: Bench) -> None:
    request = SegmentRequest(source=source_ref(), frame=1, object_id="mask-000000000001", box=Rect(4, 4, 8, 8))

    def ask(wanted: GenerateRequest, frame: int) -> None:
        if frame == 2:
            bench.queue.submit(Job(id="job-000000000002", lane=Lane.MASK, request=request, label="Select"))

    bench.generator.before_frame = ask
    bench.run(render_job(1))
    states = bench.log.states()
    assert states.index(("job-000000000002", "finished")) < states.index(("job-000000000001", "finished"))
    ready = next(e for e in bench.log.events if isinstance(e, MaskReady))
    assert int((ready.mask > 0).sum()) == 64


def test_eta_and_pace_leave_out_time_spent_elsewhere() -> None:
    from gen2studio.engine.pace import Pace

    now = [0.0]
    pace = Pace(lambda: now[0])
    assert pace.eta(0, 10) is None
    now[0] = 1.0
    assert pace.eta(1, 10) == pytest.approx(9.0)
    pace.stop()
    now[0] = 101.0
    pace.go_on()
    now[0] = 102.0
    assert pace.eta(2, 10) == pytest.approx(8.0)
    assert pace.seconds == pytest.approx(2.0)


def test_shutdown_leaves_unfinished_renders_in_the_journal(tmp_path: Path) -> None:
    bench = Bench(tmp_path, FakeGenerator(delay=0.02))
    bench.start(render_job(1), render_job(2))
    bench.log.wait_for(lambda e: isinstance(e, FrameReady))
    bench.close()
    assert [job.id for job in bench.journal.pending()] == ["job-000000000001", "job-000000000002"]
    again = Bench(tmp_path)
    pending = again.journal.compact()
    assert pending == (render_job(1), render_job(2))
    before = set(again.takes.frames("take-000000000001"))
    assert before
    again.run(*pending)
    assert again.takes.done("take-000000000001") == ((0, 12),)
    assert before.isdisjoint({f for _, f in again.generator.made[: 12 - len(before)]})
    assert again.journal.pending() == ()
    again.close()
