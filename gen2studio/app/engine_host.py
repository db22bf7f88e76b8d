"""The engine's place in the running program: one QThread that alone does engine work, and signals on the UI thread.

Nothing heavy is imported when the host is made: ``build`` runs on the engine thread and imports what it needs there.
Commands go straight into the thread-safe queue and return at once. Events come back as queued signals; the pictures of
previews pass through a mailbox that only keeps the latest of each owner, so a slow window never falls behind.

The UI stays fluent beside pure Python work on this thread only with a short switch interval: the launcher calls
``sys.setswitchinterval(SWITCH_INTERVAL)`` first thing (measured: repaint p99 43 ms → 7 ms beside a pure Python loop).
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QThread, Signal, Slot

from gen2studio.core.errors import sentence_of
from gen2studio.core.log import topic
from gen2studio.engine.events import (
    AdapterReady,
    Estimated,
    Event,
    FrameReady,
    JobState,
    LossMeasured,
    MaskReady,
    Noted,
    Progress,
    SelectionPreviewed,
    StateChanged,
    StepPreview,
    TestFrameReady,
)
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.protocol import EventSink, JobStatus
from gen2studio.engine.requests import Job, Lane
from gen2studio.engine.workspace import Workspace

if TYPE_CHECKING:
    from gen2studio.engine.worker import EngineWorker

SWITCH_INTERVAL = 0.0005
"""Seconds between two offers of the interpreter lock to other threads."""

_log = topic("engine")

WorkerFactory = Callable[[JobQueue, EventSink], "EngineWorker"]
"""Builds the worker on the engine thread; may import anything."""


class EngineThread(QThread):
    """Runs the worker's loop. The only thread that builds, moves or runs models."""

    broke = Signal(str)
    """The worker could not be built or its loop died: one sentence."""

    def __init__(self, build: WorkerFactory, queue: JobQueue, sink: EventSink, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("engine")
        self._build = build
        self._queue = queue
        self._sink = sink

    def run(self) -> None:
        _lower_priority()
        try:
            self._build(self._queue, self._sink).run()
        except BaseException as error:
            # An exception would end the thread without a word.
            _log.exception("the engine stopped")
            self.broke.emit(sentence_of(error))
            self._queue.shutdown()


class EngineHost(QObject):
    """Implements :class:`~gen2studio.engine.protocol.EngineProtocol` for the UI thread, and tells events as signals."""

    submitted = Signal(object)
    """Job: it was put into the queue; comes before its first event."""
    state_changed = Signal(object)
    """StateChanged"""
    progressed = Signal(object)
    """Progress"""
    frame_ready = Signal(object)
    """FrameReady; of previews only the latest."""
    mask_ready = Signal(object)
    """MaskReady"""
    estimated = Signal(object)
    """Estimated"""
    selection_previewed = Signal(object)
    """SelectionPreviewed"""
    noted = Signal(object)
    """Noted"""
    step_previewed = Signal(object)
    """StepPreview; latest-only."""
    loss_measured = Signal(object)
    """LossMeasured"""
    test_frame_ready = Signal(object)
    """TestFrameReady"""
    adapter_ready = Signal(object)
    """AdapterReady"""
    queue_changed = Signal()
    """Order, priority or the hold of the queue changed by a command."""
    failed = Signal(str)
    """The engine itself could not start; every job was cancelled."""

    _arrived = Signal(object)
    _mail = Signal(str)

    def __init__(self, build: WorkerFactory, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lanes: dict[str, tuple[Lane, str]] = {}
        self._mailbox: dict[str, FrameReady] = {}
        self._lock = threading.Lock()
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)
        self._mail.connect(self._on_mail, Qt.ConnectionType.QueuedConnection)
        self._queue = JobQueue(self._sink)
        self._thread = EngineThread(build, self._queue, self._sink, self)
        self._thread.broke.connect(self.failed)

    # -- commands ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the engine thread; also done by the first job."""
        if not self._thread.isRunning() and not self._queue.closed:
            self._thread.start(QThread.Priority.LowPriority)

    def set_workspace(self, workspace: Workspace) -> None:
        """Where jobs submitted from now on read and write: call when a project is opened or saved elsewhere."""
        self._queue.set_workspace(workspace)

    def submit(self, job: Job) -> None:
        with self._lock:
            self._lanes[job.id] = (job.lane, job.owner)
        self.submitted.emit(job)
        self._queue.submit(job)
        self.start()

    def cancel(self, job_id: str) -> None:
        self._queue.cancel(job_id)

    def pause(self, job_id: str | None = None) -> None:
        self._queue.pause(job_id)
        self.queue_changed.emit()

    def resume(self, job_id: str | None = None) -> None:
        self._queue.resume(job_id)
        self.queue_changed.emit()

    def move(self, job_id: str, before: str | None = None) -> None:
        self._queue.move(job_id, before)
        self.queue_changed.emit()

    def set_priority(self, job_id: str, priority: int) -> None:
        self._queue.set_priority(job_id, priority)
        self.queue_changed.emit()

    def jobs(self) -> tuple[JobStatus, ...]:
        return self._queue.jobs()

    @property
    def held(self) -> bool:
        """Whether the whole mask and render queue is paused."""
        return self._queue.held

    def wait_until_idle(self, seconds: float) -> bool:
        """Block until nothing waits or runs (shutdown and tests only; never while the window is in use)."""
        return self._queue.wait_until_idle(seconds)

    def shutdown(self, seconds: float = 3.0) -> bool:
        """Cancel what runs and end the thread. Returns False when it did not end within ``seconds``.

        Unfinished renders with a journal go on at the next start. When it returns False the engine is stuck inside
        a library call: leave the process with ``os._exit`` then, because Qt aborts when a running thread is destroyed.
        """
        self._queue.shutdown()
        ended = True
        if self._thread.isRunning():
            ended = self._thread.wait(int(seconds * 1000))
            if not ended:
                _log.error("the engine did not stop within %.1f s", seconds)
        with self._lock:
            self._mailbox.clear()
        return ended

    # -- events --------------------------------------------------------------------------------------------------

    def _sink(self, event: Event) -> None:
        """Any thread. Always queued, even on the UI thread, so that events of a job stay in order."""
        if isinstance(event, FrameReady):
            with self._lock:
                lane, owner = self._lanes.get(event.job_id, (Lane.RENDER, ""))
                if lane is Lane.PREVIEW:
                    waiting = owner in self._mailbox
                    self._mailbox[owner] = event
                    if waiting:
                        return
                else:
                    owner = None
            if owner is not None:
                self._emit(self._mail, owner)
                return
        self._emit(self._arrived, event)

    @staticmethod
    def _emit(signal: Any, value: object) -> None:
        # During interpreter shutdown the C++ side may already be gone.
        with contextlib.suppress(RuntimeError):
            signal.emit(value)

    @Slot(str)
    def _on_mail(self, owner: str) -> None:
        with self._lock:
            event = self._mailbox.pop(owner, None)
        if event is not None:
            self.frame_ready.emit(event)

    @Slot(object)
    def _on_arrived(self, event: Event) -> None:
        match event:
            case StateChanged():
                if event.state.ended:
                    with self._lock:
                        lane, owner = self._lanes.pop(event.job_id, (Lane.RENDER, ""))
                        last = self._mailbox.get(owner) if lane is Lane.PREVIEW else None
                    if last is not None and last.job_id == event.job_id and event.state is JobState.FINISHED:
                        # A preview's picture never comes after its end.
                        self._on_mail(owner)
                self.state_changed.emit(event)
            case Progress():
                self.progressed.emit(event)
            case FrameReady():
                self.frame_ready.emit(event)
            case MaskReady():
                self.mask_ready.emit(event)
            case SelectionPreviewed():
                self.selection_previewed.emit(event)
            case Estimated():
                self.estimated.emit(event)
            case Noted():
                self.noted.emit(event)
            case StepPreview():
                self.step_previewed.emit(event)
            case LossMeasured():
                self.loss_measured.emit(event)
            case TestFrameReady():
                self.test_frame_ready.emit(event)
            case AdapterReady():
                self.adapter_ready.emit(event)


def _lower_priority() -> None:
    """Below the window's thread.

    On Linux a QThread priority has no effect; there a thread has its own nice value, inherited by the pools it starts.
    """
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
