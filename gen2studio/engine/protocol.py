"""How the rest of the program talks to the engine: commands in, events out.

Commands may come from any thread and return at once. Events reach the sink in order per job; the sink may be called on
any thread, must not block and must not raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gen2studio.core.records import dataclass
from gen2studio.engine.events import Event, JobState
from gen2studio.engine.requests import Job

EventSink = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """A job in the queue as it stands now."""

    job: Job
    state: JobState


class EngineProtocol(Protocol):
    """The queue as the app sees it; implemented by JobQueue, EngineHost and the tests' FakeEngine."""

    def submit(self, job: Job) -> None:
        """Queue ``job``. A preview or stills job cancels the one of the same owner and lane before it."""
        ...

    def cancel(self, job_id: str) -> None:
        """Stop a job; what it finished is kept. Unknown or ended jobs are ignored."""
        ...

    def pause(self, job_id: str | None = None) -> None:
        """Hold one job at its next checkpoint, or with None the whole mask and render queue (previews go on)."""
        ...

    def resume(self, job_id: str | None = None) -> None:
        """Let a held job, or with None the held queue, go on."""
        ...

    def move(self, job_id: str, before: str | None) -> None:
        """Put a waiting job right before another waiting one of its lane (taking its priority), or with None last."""
        ...

    def set_priority(self, job_id: str, priority: int) -> None:
        """Higher goes first within a lane; equal ones in their order."""
        ...

    def jobs(self) -> tuple[JobStatus, ...]:
        """Every job that has not ended: running ones first (outermost last), then in the order they will start."""
        ...

    def shutdown(self) -> None:
        """Stop taking jobs and cancel the running one. Unfinished renders stay in the journal for the next start."""
        ...
