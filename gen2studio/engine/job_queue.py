"""The queue: who runs next. Lanes preview < stills < mask < render; inside a lane by priority, then in order.

Every command may come from any thread and returns at once; state changes are told to the sink in order while the queue
is locked, so a sink must not block.
"""

from __future__ import annotations

import threading
import time
from dataclasses import field, replace

from gen2studio.core.cancel import CancelToken
from gen2studio.core.records import dataclass
from gen2studio.engine.events import JobState, StateChanged
from gen2studio.engine.protocol import EventSink, JobStatus
from gen2studio.engine.requests import Job, Lane, TrainRequest
from gen2studio.engine.workspace import Workspace

_REPLACING = (Lane.PREVIEW, Lane.STILLS)
_HELD_WITH_QUEUE = (Lane.MASK, Lane.RENDER)


@dataclass(slots=True, eq=False)
class Ticket:
    """A job on its way through the queue. Only the queue changes it."""

    job: Job
    workspace: Workspace
    token: CancelToken = field(default_factory=CancelToken)
    state: JobState = JobState.QUEUED
    held: bool = False

    @property
    def resumable(self) -> bool:
        """Whether what it finished is on disk, so that it can be stopped and taken up again without loss."""
        if isinstance(self.job.request, TrainRequest):
            return self.job.lane is Lane.RENDER
        return self.job.lane is Lane.RENDER and bool(self.job.take_id) and self.workspace.takes is not None


class JobQueue:
    """The engine's queue; implements :class:`~gen2studio.engine.protocol.EngineProtocol`."""

    def __init__(self, sink: EventSink, workspace: Workspace | None = None) -> None:
        self._sink = sink
        self._workspace = workspace or Workspace()
        self._changed = threading.Condition(threading.RLock())
        self._waiting: list[Ticket] = []
        self._running: list[Ticket] = []
        self._held = False
        self._closed = False

    # -- commands (any thread) -----------------------------------------------------------------------------------

    def set_workspace(self, workspace: Workspace) -> None:
        """What jobs submitted from now on read and write; jobs already queued keep theirs."""
        with self._changed:
            self._workspace = workspace

    def submit(self, job: Job) -> None:
        """Queue ``job``; see :meth:`EngineProtocol.submit`. Raises ValueError for an id that is already queued."""
        with self._changed:
            if self._closed:
                return
            if self._find(job.id) is not None:
                raise ValueError(f"job {job.id} is already queued")
            if job.lane in _REPLACING:
                for other in [*self._waiting, *self._running]:
                    if other.job.lane is job.lane and other.job.owner == job.owner:
                        self._cancel(other, "A newer one took its place.")
            ticket = Ticket(job, self._workspace)
            if job.lane is Lane.RENDER and ticket.workspace.journal is not None:
                ticket.workspace.journal.queued(job)
            self._insert(ticket)
            self._sink(StateChanged(job_id=job.id, state=JobState.QUEUED))
            self._changed.notify_all()

    def cancel(self, job_id: str) -> None:
        with self._changed:
            ticket = self._find(job_id)
            if ticket is not None:
                self._cancel(ticket)
                self._changed.notify_all()

    def pause(self, job_id: str | None = None) -> None:
        with self._changed:
            if job_id is None:
                self._held = True
            elif (ticket := self._find(job_id)) is not None and ticket.job.lane in _HELD_WITH_QUEUE:
                ticket.held = True
                if ticket in self._waiting:
                    self._set(ticket, JobState.PAUSED)
            self._changed.notify_all()

    def resume(self, job_id: str | None = None) -> None:
        with self._changed:
            if job_id is None:
                self._held = False
            elif (ticket := self._find(job_id)) is not None:
                ticket.held = False
                if ticket in self._waiting:
                    self._set(ticket, JobState.QUEUED)
            self._changed.notify_all()

    def move(self, job_id: str, before: str | None) -> None:
        with self._changed:
            ticket = next((t for t in self._waiting if t.job.id == job_id), None)
            if ticket is None or before == job_id:
                return
            others = [t for t in self._waiting if t.job.lane is ticket.job.lane and t is not ticket]
            target = next((t for t in others if t.job.id == before), None)
            if before is not None and target is None:
                return
            neighbour = target or (others[-1] if others else ticket)
            self._waiting.remove(ticket)
            ticket.job = replace(ticket.job, priority=neighbour.job.priority)
            if target is None:
                self._insert(ticket)
            else:
                self._waiting.insert(self._waiting.index(target), ticket)
            self._changed.notify_all()

    def set_priority(self, job_id: str, priority: int) -> None:
        with self._changed:
            ticket = self._find(job_id)
            if ticket is None or ticket.job.priority == priority:
                return
            ticket.job = replace(ticket.job, priority=priority)
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                self._insert(ticket)
            self._changed.notify_all()

    def jobs(self) -> tuple[JobStatus, ...]:
        with self._changed:
            tickets = [*reversed(self._running), *self._waiting]
            return tuple(JobStatus(job=t.job, state=t.state) for t in tickets)

    def shutdown(self) -> None:
        """Stop everything. Renders stay in the journal; every job is told cancelled."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            for ticket in list(self._waiting):
                self._waiting.remove(ticket)
                reason = "It goes on at the next start." if ticket.workspace.journal and ticket.resumable else ""
                self._set(ticket, JobState.CANCELLED, reason)
            for ticket in self._running:
                ticket.token.cancel()
            self._changed.notify_all()

    @property
    def held(self) -> bool:
        """Whether the whole mask and render queue is paused."""
        with self._changed:
            return self._held

    @property
    def closed(self) -> bool:
        with self._changed:
            return self._closed

    # -- for the worker ------------------------------------------------------------------------------------------

    def take(self, below: Lane | None = None) -> Ticket | None:
        """The next job that may run (of a lane before ``below`` when given), now RUNNING; None when there is none."""
        with self._changed:
            for ticket in self._waiting:
                if below is not None and ticket.job.lane >= below:
                    return None
                if not self._is_held(ticket) and not self._closed:
                    self._waiting.remove(ticket)
                    self._running.append(ticket)
                    self._set(ticket, JobState.RUNNING)
                    return ticket
            return None

    def wait_next(self) -> Ticket | None:
        """Block until a job may run and take it; None once the queue was shut down."""
        with self._changed:
            while not self._closed:
                ticket = self.take()
                if ticket is not None:
                    return ticket
                self._changed.wait()
            return None

    def wait_for_change(self, seconds: float) -> None:
        """Block until any command came in, at most ``seconds``."""
        with self._changed:
            self._changed.wait(seconds)

    def is_held(self, ticket: Ticket) -> bool:
        """Whether ``ticket`` itself or the whole queue is paused."""
        with self._changed:
            return self._is_held(ticket)

    def wanted_elsewhere(self, ticket: Ticket) -> bool:
        """Whether another job could use the engine while ``ticket`` is paused: one waiting, or one beneath it."""
        with self._changed:
            beneath = self._running[: self._running.index(ticket)] if ticket in self._running else []
            return any(not self._is_held(t) for t in [*self._waiting, *beneath])

    def mark(self, ticket: Ticket, state: JobState) -> None:
        """Tell that a running job is paused or running again."""
        with self._changed:
            self._set(ticket, state)

    def put_back(self, ticket: Ticket) -> None:
        """A paused job gave the engine free: it waits, still paused, at the head of its priority."""
        with self._changed:
            self._running.remove(ticket)
            if self._closed or ticket.token.cancelled:
                if not self._closed and ticket.workspace.journal is not None:
                    ticket.workspace.journal.ended(ticket.job.id)
                self._set(ticket, JobState.CANCELLED)
                self._changed.notify_all()
                return
            key = self._key(ticket)
            position = next((i for i, t in enumerate(self._waiting) if self._key(t) >= key), len(self._waiting))
            self._waiting.insert(position, ticket)
            self._set(ticket, JobState.PAUSED if ticket.held else JobState.QUEUED)
            self._changed.notify_all()

    def finish(self, ticket: Ticket, state: JobState, reason: str = "") -> None:
        """The worker is done with ``ticket``."""
        with self._changed:
            self._running.remove(ticket)
            stays = self._closed and state is JobState.CANCELLED and ticket.resumable
            if ticket.job.lane is Lane.RENDER and ticket.workspace.journal is not None and not stays:
                ticket.workspace.journal.ended(ticket.job.id)
            self._set(ticket, state, reason)
            self._changed.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """Block until no job waits or runs; False when that took longer than ``seconds``."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._waiting or self._running:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            return True

    # -- inside the lock -----------------------------------------------------------------------------------------

    def _find(self, job_id: str) -> Ticket | None:
        return next((t for t in [*self._waiting, *self._running] if t.job.id == job_id), None)

    @staticmethod
    def _key(ticket: Ticket) -> tuple[int, int]:
        return (int(ticket.job.lane), -ticket.job.priority)

    def _insert(self, ticket: Ticket) -> None:
        key = self._key(ticket)
        position = next((i for i, t in enumerate(self._waiting) if self._key(t) > key), len(self._waiting))
        self._waiting.insert(position, ticket)

    def _is_held(self, ticket: Ticket) -> bool:
        return ticket.held or (self._held and ticket.job.lane in _HELD_WITH_QUEUE)

    def _cancel(self, ticket: Ticket, reason: str = "") -> None:
        ticket.token.cancel()
        if ticket in self._waiting:
            self._waiting.remove(ticket)
            if ticket.job.lane is Lane.RENDER and ticket.workspace.journal is not None:
                ticket.workspace.journal.ended(ticket.job.id)
            self._set(ticket, JobState.CANCELLED, reason)

    def _set(self, ticket: Ticket, state: JobState, reason: str = "") -> None:
        if ticket.state is not state or reason:
            ticket.state = state
            self._sink(StateChanged(job_id=ticket.job.id, state=state, reason=reason))
