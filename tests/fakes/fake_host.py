"""FakeEngine behind the signals of EngineHost: what UI tests give to panels in place of the real host."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from gen2studio.engine.events import (
    AdapterReady,
    Estimated,
    Event,
    FrameReady,
    LossMeasured,
    MaskReady,
    Noted,
    Progress,
    SelectionPreviewed,
    StateChanged,
    StepPreview,
    TestFrameReady,
)
from gen2studio.engine.protocol import JobStatus
from gen2studio.engine.requests import Job
from gen2studio.engine.workspace import Workspace
from tests.fakes.fake_engine import FakeEngine


class FakeHost(QObject):
    """Drive it through ``fake``: ``host.fake.begin()``, ``advance(3)``, ``finish()``, ``fail(…)``, ``run_all()``."""

    submitted = Signal(object)
    state_changed = Signal(object)
    progressed = Signal(object)
    frame_ready = Signal(object)
    mask_ready = Signal(object)
    selection_previewed = Signal(object)
    estimated = Signal(object)
    noted = Signal(object)
    step_previewed = Signal(object)
    loss_measured = Signal(object)
    test_frame_ready = Signal(object)
    adapter_ready = Signal(object)
    queue_changed = Signal()
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.fake = FakeEngine(self._sink)
        self.workspace: Workspace | None = None
        self._held = False

    def _sink(self, event: Event) -> None:
        signals = {
            StateChanged: self.state_changed, Progress: self.progressed, FrameReady: self.frame_ready,
            MaskReady: self.mask_ready, Estimated: self.estimated, Noted: self.noted, StepPreview: self.step_previewed,
            SelectionPreviewed: self.selection_previewed, LossMeasured: self.loss_measured,
            TestFrameReady: self.test_frame_ready, AdapterReady: self.adapter_ready,
        }  # fmt: skip
        signals[type(event)].emit(event)

    def start(self) -> None:
        """The fake has no thread."""

    def set_workspace(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def submit(self, job: Job) -> None:
        self.submitted.emit(job)
        self.fake.submit(job)

    def cancel(self, job_id: str) -> None:
        self.fake.cancel(job_id)

    def pause(self, job_id: str | None = None) -> None:
        self._held = self._held or job_id is None
        self.fake.pause(job_id)
        self.queue_changed.emit()

    def resume(self, job_id: str | None = None) -> None:
        self._held = self._held and job_id is not None
        self.fake.resume(job_id)
        self.queue_changed.emit()

    def move(self, job_id: str, before: str | None = None) -> None:
        self.fake.move(job_id, before)
        self.queue_changed.emit()

    def set_priority(self, job_id: str, priority: int) -> None:
        self.fake.set_priority(job_id, priority)
        self.queue_changed.emit()

    def jobs(self) -> tuple[JobStatus, ...]:
        return self.fake.jobs()

    @property
    def held(self) -> bool:
        return self._held

    def wait_until_idle(self, seconds: float) -> bool:
        """The fake works on the caller's thread: nothing runs while it is asked."""
        return True

    def shutdown(self, seconds: float = 3.0) -> bool:
        self.fake.shutdown()
        return True
