"""The job board: what the queue panel shows. One frozen row a job; previews are too short-lived to be listed."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from PySide6.QtCore import QObject, Signal, SignalInstance

from gen2studio.core.records import dataclass
from gen2studio.engine.events import Estimate, Estimated, JobState, Noted, Progress, StateChanged
from gen2studio.engine.protocol import EngineProtocol
from gen2studio.engine.requests import GenerateRequest, Job, Lane, PropagateRequest

_KEPT = 50
"""Ended rows that stay on the board; older ones leave by themselves."""


class EngineSignals(EngineProtocol, Protocol):
    """An engine with its events as Qt signals: EngineHost, or a fake in tests."""

    @property
    def submitted(self) -> SignalInstance: ...
    @property
    def state_changed(self) -> SignalInstance: ...
    @property
    def progressed(self) -> SignalInstance: ...
    @property
    def frame_ready(self) -> SignalInstance: ...
    @property
    def mask_ready(self) -> SignalInstance: ...
    @property
    def estimated(self) -> SignalInstance: ...
    @property
    def noted(self) -> SignalInstance: ...
    @property
    def queue_changed(self) -> SignalInstance: ...
    @property
    def held(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One job as the queue panel shows it."""

    job_id: str
    label: str
    lane: Lane
    owner: str = ""
    take_id: str = ""
    priority: int = 0
    state: JobState = JobState.QUEUED
    stopping: bool = False
    """Cancelled by the artist, and still on its way to the next checkpoint."""
    done: int = 0
    total: int = 0
    stage: str = ""
    eta_seconds: float | None = None
    """Measured; None = not known yet."""
    reason: str = ""
    """Why it failed, or what was kept when it was cancelled."""
    estimate: Estimate | None = None
    notes: tuple[str, ...] = ()

    @property
    def progress(self) -> float:
        """0…1."""
        if self.state is JobState.FINISHED:
            return 1.0
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def actions(self) -> frozenset[str]:
        """What the artist may do with it: cancel, pause, resume, raise, lower, remove."""
        if self.state.ended:
            return frozenset({"remove"})
        if self.stopping:
            return frozenset()
        allowed = {"cancel"}
        if self.lane in (Lane.MASK, Lane.RENDER):
            allowed.add("resume" if self.state is JobState.PAUSED else "pause")
            if self.state in (JobState.QUEUED, JobState.PAUSED):
                allowed |= {"raise", "lower"}
        return frozenset(allowed)


class JobBoard(QObject):
    """Rows in the order they run: running, waiting, then the ended ones with the latest first."""

    row_added = Signal(int, object)
    """(index, JobRow)"""
    row_changed = Signal(int, object)
    """(index, JobRow)"""
    row_removed = Signal(int, object)
    """(index it had, JobRow)"""
    row_moved = Signal(int, int)
    """(from index, to index), the second counted after the row was taken out."""
    held_changed = Signal(bool)
    """The whole mask and render queue was paused or goes on."""
    busy_changed = Signal(int)
    """How many listed jobs wait or run."""

    def __init__(self, engine: EngineSignals, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._rows: list[JobRow] = []
        self._held = engine.held
        self._busy = 0
        engine.submitted.connect(self._on_submitted)
        engine.state_changed.connect(self._on_state_changed)
        engine.progressed.connect(self._on_progressed)
        engine.estimated.connect(self._on_estimated)
        engine.noted.connect(self._on_noted)
        engine.queue_changed.connect(self._on_queue_changed)

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> tuple[JobRow, ...]:
        return tuple(self._rows)

    def row(self, job_id: str) -> JobRow | None:
        return next((row for row in self._rows if row.job_id == job_id), None)

    def index(self, job_id: str) -> int:
        """Where the job is on the board; −1 when it is not."""
        return next((i for i, row in enumerate(self._rows) if row.job_id == job_id), -1)

    @property
    def busy(self) -> int:
        """How many listed jobs wait or run."""
        return self._busy

    @property
    def held(self) -> bool:
        return self._held

    # -- commands ------------------------------------------------------------------------------------------------

    def cancel(self, job_id: str) -> None:
        """Stop a job; finished frames are kept."""
        index = self.index(job_id)
        if index >= 0 and not self._rows[index].state.ended:
            self._put(index, replace(self._rows[index], stopping=True))
        self._engine.cancel(job_id)

    def cancel_all(self) -> None:
        for row in self.rows:
            if not row.state.ended:
                self.cancel(row.job_id)

    def pause(self, job_id: str | None = None) -> None:
        self._engine.pause(job_id)

    def resume(self, job_id: str | None = None) -> None:
        self._engine.resume(job_id)

    def shift(self, job_id: str, step: int) -> None:
        """Move a waiting job ``step`` places later (negative: earlier) among the waiting ones of its lane."""
        lane = [s.job for s in self._engine.jobs()]
        own = next((job for job in lane if job.id == job_id), None)
        if own is None:
            return
        waiting = [
            job.id for job in lane if job.lane is own.lane and self._state(job.id) in (JobState.QUEUED, JobState.PAUSED)
        ]
        if job_id not in waiting:
            return
        place = waiting.index(job_id)
        others = [name for name in waiting if name != job_id]
        target = min(max(0, place + step), len(others))
        if target != place:
            self._engine.move(job_id, others[target] if target < len(others) else None)

    def move(self, job_id: str, before: str | None) -> None:
        """Drop a waiting job before another one of its lane, or last."""
        self._engine.move(job_id, before)

    def remove(self, job_id: str) -> None:
        """Take an ended row off the board."""
        index = self.index(job_id)
        if index >= 0 and self._rows[index].state.ended:
            self.row_removed.emit(index, self._rows.pop(index))

    def clear_ended(self) -> None:
        for row in self.rows:
            if row.state.ended:
                self.remove(row.job_id)

    # -- events --------------------------------------------------------------------------------------------------

    def _on_submitted(self, job: Job) -> None:
        if job.lane is Lane.PREVIEW:
            return
        old = self.index(job.id)
        if old >= 0:
            self.row_removed.emit(old, self._rows.pop(old))
        request = job.request
        total = 1
        if isinstance(request, GenerateRequest):
            total = len(request.wanted)
        elif isinstance(request, PropagateRequest):
            total = request.stop - request.start
        row = JobRow(
            job_id=job.id, label=job.label, lane=job.lane, owner=job.owner, take_id=job.take_id, priority=job.priority,
            total=total,
        )  # fmt: skip
        index = next((i for i, other in enumerate(self._rows) if other.state.ended), len(self._rows))
        self._rows.insert(index, row)
        self.row_added.emit(index, row)
        self._count()

    def _on_state_changed(self, event: StateChanged) -> None:
        index = self.index(event.job_id)
        if index < 0:
            return
        row = self._rows[index]
        stopping = row.stopping and not event.state.ended
        eta = row.eta_seconds if event.state is JobState.RUNNING else None
        done = row.total if event.state is JobState.FINISHED else row.done
        self._put(
            index,
            replace(row, state=event.state, reason=event.reason, stopping=stopping, eta_seconds=eta, done=done),
        )
        self._arrange()
        ended = [other for other in self._rows if other.state.ended]
        for other in ended[_KEPT:]:
            self.remove(other.job_id)
        self._count()

    def _on_progressed(self, event: Progress) -> None:
        index = self.index(event.job_id)
        if index >= 0:
            row = self._rows[index]
            self._put(
                index,
                replace(row, done=event.done, total=event.total, stage=event.stage, eta_seconds=event.eta_seconds),
            )

    def _on_estimated(self, event: Estimated) -> None:
        index = self.index(event.job_id)
        if index >= 0:
            row = self._rows[index]
            eta = event.estimate.seconds if row.eta_seconds is None else row.eta_seconds
            self._put(index, replace(row, estimate=event.estimate, eta_seconds=eta))

    def _on_noted(self, event: Noted) -> None:
        index = self.index(event.job_id)
        if index >= 0 and event.text not in self._rows[index].notes:
            self._put(index, replace(self._rows[index], notes=(*self._rows[index].notes, event.text)))

    def _on_queue_changed(self) -> None:
        for status in self._engine.jobs():
            index = self.index(status.job.id)
            if index >= 0 and self._rows[index].priority != status.job.priority:
                self._put(index, replace(self._rows[index], priority=status.job.priority))
        self._arrange()
        if self._engine.held != self._held:
            self._held = self._engine.held
            self.held_changed.emit(self._held)

    # -- keeping order -------------------------------------------------------------------------------------------

    def _state(self, job_id: str) -> JobState | None:
        row = self.row(job_id)
        return row.state if row else None

    def _put(self, index: int, row: JobRow) -> None:
        if row != self._rows[index]:
            self._rows[index] = row
            self.row_changed.emit(index, row)

    def _arrange(self) -> None:
        """Bring the rows into the engine's order with single moves, so that a view can animate them."""
        order = {status.job.id: place for place, status in enumerate(self._engine.jobs())}
        active = [row.job_id for row in self._rows if not row.state.ended]
        # A job may have ended in the engine while its last event is still on the way: it keeps its place.
        known = sorted((name for name in active if name in order), key=lambda name: order[name])
        wanted = [*(name for name in active if name not in order), *known]
        was_ended = [row.job_id for row in self._rows if row.state.ended]
        wanted += was_ended
        for place, name in enumerate(wanted):
            current = self.index(name)
            if current != place:
                self._rows.insert(place, self._rows.pop(current))
                self.row_moved.emit(current, place)

    def _count(self) -> None:
        busy = sum(not row.state.ended for row in self._rows)
        if busy != self._busy:
            self._busy = busy
            self.busy_changed.emit(busy)
