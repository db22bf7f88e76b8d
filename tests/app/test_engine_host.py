"""The engine on its own QThread: events on the UI thread in order, previews latest-only, a clean end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QThread, QTimer

from gen2studio.app.engine_host import EngineHost
from gen2studio.core.errors import GenerationError
from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.events import FrameReady, JobState, StateChanged
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.journal import RenderJournal
from gen2studio.engine.protocol import EventSink
from gen2studio.engine.requests import Job, Lane
from gen2studio.engine.take_store import TakeStore
from gen2studio.engine.worker import EngineWorker
from gen2studio.engine.workspace import Workspace
from tests.fakes.fake_engine import FakeGenerator, generate_request, quick_job, ramp_reader, render_job


class Stage:
    def __init__(self, generator: FakeGenerator) -> None:
        self.generator = generator
        self.built_on: list[QThread] = []
        self.events: list[tuple[str, object]] = []
        self.threads: set[bool] = set()
        self.host = EngineHost(self._build)
        self.host.setObjectName("engine-host")
        for name in ("submitted", "state_changed", "progressed", "frame_ready", "mask_ready", "estimated", "noted"):
            getattr(self.host, name).connect(lambda event, name=name: self._hear(name, event))

    def _build(self, queue: JobQueue, sink: EventSink) -> EngineWorker:
        self.built_on.append(QThread.currentThread())
        return EngineWorker(queue, sink, GeneratorRegistry.of(self.generator), reader=ramp_reader, threads=1)

    def _hear(self, name: str, event: object) -> None:
        self.events.append((name, event))
        self.threads.add(threading.current_thread() is threading.main_thread())

    def ended(self, number: int) -> bool:
        name = f"job-{number:012d}"
        return any(isinstance(e, StateChanged) and e.job_id == name and e.state.ended for _, e in self.events)

    def states(self, number: int) -> list[JobState]:
        name = f"job-{number:012d}"
        return [e.state for _, e in self.events if isinstance(e, StateChanged) and e.job_id == name]


@pytest.fixture
def stage(qapp) -> Iterator[Stage]:
    made = Stage(FakeGenerator())
    yield made
    assert made.host.shutdown()
    made.host.deleteLater()


def test_events_arrive_on_the_ui_thread_in_order(stage: Stage, qtbot, tmp_path: Path) -> None:
    store = TakeStore(tmp_path)
    stage.host.set_workspace(Workspace(takes=store))
    stage.host.submit(render_job(1))
    assert stage.events[0][0] == "submitted" and len(stage.events) == 1, "nothing is told inside submit"
    qtbot.waitUntil(lambda: stage.ended(1))
    assert stage.threads == {True}
    assert stage.built_on and stage.built_on[0].objectName() == "engine"
    assert stage.generator.threads and threading.get_ident() not in stage.generator.threads
    assert stage.states(1) == [JobState.QUEUED, JobState.RUNNING, JobState.FINISHED]
    frames = [e.frame for name, e in stage.events if name == "frame_ready"]
    assert frames == list(range(12)) and store.done("take-000000000001") == ((0, 12),)
    assert stage.events[-1][0] == "state_changed"
    with pytest.raises(ValueError):
        next(e for _, e in stage.events if isinstance(e, FrameReady)).picture[0, 0] = 0


def test_nothing_heavy_is_imported_to_make_a_host(qapp) -> None:
    import subprocess

    code = (
        "import sys\nfrom PySide6.QtCore import QCoreApplication\napp = QCoreApplication([])\n"
        "from gen2studio.app.engine_host import EngineHost\nfrom gen2studio.app import jobs, takes, live_preview\n"
        "host = EngineHost(lambda q, s: None)\nboard = jobs.JobBoard(host)\n"
        "print([m for m in ('cv2', 'av', 'numba', 'torch') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_previews_only_deliver_the_latest_picture_when_the_window_is_slow(stage: Stage, qtbot) -> None:
    frames = tuple(range(8))
    request = generate_request(frames=frames)
    stage.host.submit(Job(id="job-000000000001", lane=Lane.PREVIEW, request=request, label="", owner="clip"))
    # The UI thread is busy: it does not look at its events until the engine is done.
    assert stage.host.wait_until_idle(10)
    qtbot.waitUntil(lambda: stage.ended(1))
    pictures = [e for name, e in stage.events if name == "frame_ready"]
    assert [e.frame for e in pictures] == [7]
    assert [name for name, _ in stage.events].index("frame_ready") < len(stage.events) - 1


def test_every_picture_of_a_render_is_delivered_even_then(stage: Stage, qtbot) -> None:
    stage.host.submit(render_job(1, take_id=""))
    assert stage.host.wait_until_idle(10)
    qtbot.waitUntil(lambda: stage.ended(1))
    assert [e.frame for name, e in stage.events if name == "frame_ready"] == list(range(12))


def test_cancel_pause_resume_and_order_from_the_ui_thread(qapp, qtbot, tmp_path: Path) -> None:
    stage = Stage(FakeGenerator(delay=0.02))
    stage.host.set_workspace(Workspace(takes=TakeStore(tmp_path)))
    stage.host.pause()
    for number in (1, 2, 3):
        stage.host.submit(render_job(number))
    stage.host.move("job-000000000003", "job-000000000001")
    stage.host.submit(quick_job(4))
    qtbot.waitUntil(lambda: stage.ended(4))
    assert stage.host.held and [s.job.id[-1] for s in stage.host.jobs()] == ["3", "1", "2"]
    stage.host.resume()
    qtbot.waitUntil(lambda: JobState.RUNNING in stage.states(3))
    stage.host.cancel("job-000000000003")
    stage.host.cancel("job-000000000002")
    qtbot.waitUntil(lambda: stage.ended(1) and stage.ended(2) and stage.ended(3))
    assert stage.states(3)[-1] is JobState.CANCELLED and JobState.RUNNING not in stage.states(2)
    assert stage.states(1)[-1] is JobState.FINISHED
    assert stage.host.shutdown()


def test_shutdown_in_the_middle_is_quick_leaves_no_thread_and_keeps_the_journal(qapp, qtbot, tmp_path: Path) -> None:
    stage = Stage(FakeGenerator(delay=0.05))
    journal = RenderJournal(tmp_path / "renders.jsonl")
    stage.host.set_workspace(Workspace(takes=TakeStore(tmp_path / "takes"), journal=journal))
    stage.host.submit(render_job(1))
    stage.host.submit(render_job(2))
    qtbot.waitUntil(lambda: any(name == "frame_ready" for name, _ in stage.events))
    assert stage.host.shutdown()
    made = sum(name == "frame_ready" for name, _ in stage.events)
    assert made < generate_request().stop, "what was not made yet is left for the next start"
    assert not stage.built_on[0].isRunning()
    assert not [t for t in threading.enumerate() if t.name.startswith("take-writer")]
    journal.close()
    assert [job.id[-1] for job in journal.pending()] == ["1", "2"]
    stage.host.submit(render_job(3))
    assert stage.host.jobs() == ()


def test_an_engine_that_cannot_start_says_so(qapp, qtbot) -> None:
    def build(_queue: JobQueue, _sink: EventSink) -> EngineWorker:
        raise GenerationError("The generators are not installed.", "Reinstall Gen2 Studio.")

    host = EngineHost(build)
    ends: list[StateChanged] = []
    host.state_changed.connect(ends.append)
    with qtbot.waitSignal(host.failed) as failed:
        host.submit(render_job(1))
    assert failed.args == ["The generators are not installed. Reinstall Gen2 Studio."]
    qtbot.waitUntil(lambda: bool(ends) and ends[-1].state is JobState.CANCELLED)
    assert host.shutdown()


def test_the_ui_thread_keeps_ticking_while_the_engine_computes(qapp, qtbot) -> None:
    generator = FakeGenerator()
    generator.before_frame = lambda _request, _frame: [np.linalg.svd(np.random.default_rng(0).random((150, 150)))] * 3
    stage = Stage(generator)
    ticks = QTimer()
    ticks.setInterval(5)
    ticks.timeout.connect(lambda: stage.events.append(("tick", None)))
    ticks.start()
    stage.host.submit(render_job(1, take_id=""))
    qtbot.waitUntil(lambda: stage.ended(1), timeout=20000)
    ticks.stop()
    heard = [name for name, _ in stage.events]
    made = [at for at, name in enumerate(heard) if name == "progressed"]
    between = heard[made[0] : made[-1]]
    assert between.count("tick") > 10, "the window's timers run while frames are made"
    assert stage.host.shutdown()
