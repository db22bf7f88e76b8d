"""A program that renders with a journal until it is killed: ``python -m tests.engine.crash_run FOLDER DELAY``."""

from __future__ import annotations

import sys
from pathlib import Path

from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.journal import RenderJournal
from gen2studio.engine.take_store import TakeStore
from gen2studio.engine.worker import EngineWorker
from gen2studio.engine.workspace import Workspace
from tests.fakes.fake_engine import EventLog, FakeGenerator, generate_request, ramp_reader, render_job

JOBS = tuple(render_job(n, request=generate_request(seed=n)) for n in (1, 2))


def main(folder: Path, delay: float) -> None:
    log = EventLog()
    journal = RenderJournal(folder / "renders.jsonl")
    queue = JobQueue(log, Workspace(takes=TakeStore(folder / "takes"), journal=journal))
    worker = EngineWorker(queue, log, GeneratorRegistry.of(FakeGenerator(delay)), reader=ramp_reader, threads=1)
    pending = journal.compact()
    for job in pending or JOBS:
        queue.submit(job)
    worker.run_until_idle()
    worker.close()
    journal.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
