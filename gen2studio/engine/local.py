"""The engine without a window: the same queue and worker on the calling thread."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from gen2studio.engine.events import Event, JobState, StateChanged
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.protocol import EventSink
from gen2studio.engine.requests import Job
from gen2studio.engine.worker import EngineWorker
from gen2studio.engine.workspace import Workspace


class LocalEngine:
    """Runs one job at a time to its end. Use as a context manager, on one thread; ``queue.cancel`` works from any."""

    def __init__(
        self, build: Callable[[JobQueue, EventSink], EngineWorker], sink: EventSink, workspace: Workspace | None = None
    ) -> None:
        self._listener = sink
        self._end: StateChanged | None = None
        self.queue = JobQueue(self._sink, workspace)
        self._worker = build(self.queue, self._sink)

    def _sink(self, event: Event) -> None:
        if isinstance(event, StateChanged) and event.state.ended:
            self._end = event
        self._listener(event)

    def run(self, job: Job) -> StateChanged:
        """Run ``job`` and return its end: finished, cancelled or failed."""
        self._end = None
        self.queue.submit(job)
        self._worker.run_until_idle()
        return self._end or StateChanged(job_id=job.id, state=JobState.CANCELLED)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.queue.shutdown()
        self._worker.close()
