"""A program that renders with a journal until it is killed: ``python -m tests.engine.crash_run FOLDER DELAY``.

It never ends by itself: it waits before its last frame, however late the one who kills it looks.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.journal import RenderJournal
from gen2studio.engine.requests import GenerateRequest
from gen2studio.engine.take_store import TakeStore
from gen2studio.engine.worker import EngineWorker
from gen2studio.engine.workspace import Workspace
from tests.fakes.fake_engine import EventLog, FakeGenerator, generate_request, ramp_reader, render_job

JOBS = tuple(render_job(n, request=generate_request(seed=n)) for n in (1, 2))


def main(folder: Path, delay: float, *, ends: bool = True) -> None:
    log = EventLog()
    generator = FakeGenerator(delay)
    if not ends:
        generator.before_frame = _wait_before_the_last
    journal = RenderJournal(folder / "renders.jsonl")
    queue = JobQueue(log, Workspace(takes=TakeStore(folder / "takes"), journal=journal))
    worker = EngineWorker(queue, log, GeneratorRegistry.of(generator), reader=ramp_reader, threads=1)
    pending = journal.compact()
    for job in pending or JOBS:
        queue.submit(job)
    worker.run_until_idle()
    worker.close()
    journal.close()


def _wait_before_the_last(request: GenerateRequest, frame: int) -> None:
    if request == JOBS[-1].request and frame == 11:
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), ends=False)
