"""Deterministic stand-ins with behaviour: a generator, a tracker, a selector that do something simple and exact, and an
engine whose jobs advance only when a test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.core.geometry import Extent
from gen2studio.engine.events import (
    Estimate,
    Estimated,
    Event,
    FrameReady,
    JobState,
    MaskReady,
    Noted,
    Picture,
    Progress,
    StateChanged,
)
from gen2studio.engine.generators import Abilities, ModeAbility, RunContext
from gen2studio.engine.job_queue import JobQueue, Ticket
from gen2studio.engine.mask_tools import MaskContext
from gen2studio.engine.protocol import EventSink, JobStatus
from gen2studio.engine.requests import (
    GenerateRequest,
    Job,
    Lane,
    PropagateRequest,
    SegmentRequest,
    SourceRef,
)


def ramp_reader(source: SourceRef, frame: int, size: Extent) -> Picture:
    """Synthetic footage: a gradient that moves with the frame number; every frame is different and exact."""
    y, x = np.mgrid[0 : size.height, 0 : size.width]
    return np.stack([x + 3 * frame, y + 5 * frame, x + y + 7 * frame], -1).astype(np.uint8)


def source_ref(frame_count: int = 12, width: int = 64, height: int = 48, path: str = "ramp.mp4") -> SourceRef:
    return SourceRef(fingerprint="ramp", path=path, media_id="media-000000000001", frame_count=frame_count,
                     width=width, height=height)  # fmt: skip


def generate_request(stop: int = 12, **changes: object) -> GenerateRequest:
    """A request for the FakeGenerator on :func:`ramp_reader` footage."""
    values: dict[str, object] = {
        "mode": "stylize", "generator": "fake", "revision": "1", "source": source_ref(), "start": 0, "stop": stop,
        "width": 64, "height": 48,
    }  # fmt: skip
    values.update(changes)
    return GenerateRequest(**values)  # type: ignore[arg-type]


def render_job(number: int = 1, **changes: object) -> Job:
    """A render with a take of its own."""
    request = changes.pop("request", None) or generate_request()
    values: dict[str, object] = {
        "id": f"job-{number:012d}", "lane": Lane.RENDER, "request": request, "label": f"Render {number}",
        "owner": "clip-000000000001", "take_id": f"take-{number:012d}",
    }  # fmt: skip
    values.update(changes)
    return Job(**values)  # type: ignore[arg-type]


def quick_job(number: int, lane: Lane = Lane.PREVIEW, frame: int = 0, owner: str = "clip-000000000001") -> Job:
    """A preview or stills job of one frame."""
    request = generate_request(frames=(frame,))
    return Job(id=f"job-{number:012d}", lane=lane, request=request, label=lane.name.title(), owner=owner)


FAKE_ABILITIES = Abilities(
    id="fake",
    title="Fake",
    revision="1",
    modes=tuple(
        ModeAbility(mode=mode, controls=frozenset({"structure", "style_weight", "seed", "region", "styles", "preset"}))
        for mode in ("stylize", "mask", "render")
    ),
)


class FakeGenerator:
    """Inverts colours. ``delay`` seconds a frame; ``gates`` stop it before a frame until the test opens them."""

    def __init__(
        self,
        delay: float = 0.0,
        *,
        error: BaseException | None = None,
        error_at: int | None = None,
        memory_bytes: int = 0,
        leave_out: Iterable[int] = (),
    ) -> None:
        self.delay = delay
        self.error = error
        self.error_at = error_at
        self.memory_bytes = memory_bytes
        self.leave_out = frozenset(leave_out)
        self.made: list[tuple[str, int]] = []
        """("render" or "few", frame) of every frame computed, in order."""
        self.before_frame: Callable[[GenerateRequest, int], None] | None = None
        """Called on the engine thread before each frame's checkpoint."""
        self.threads: set[int] = set()

    @property
    def abilities(self) -> Abilities:
        return FAKE_ABILITIES

    def estimate(self, request: GenerateRequest) -> Estimate:
        return Estimate(memory_bytes=self.memory_bytes or 4 * request.width * request.height * 3)

    def run(self, request: GenerateRequest, context: RunContext) -> None:
        kind = "render" if request.frames is None else "few"
        wanted = [f for f in request.wanted if f not in context.finished]
        self.threads.add(threading.get_ident())
        for number, frame in enumerate(wanted):
            if self.before_frame is not None:
                self.before_frame(request, frame)
            context.checkpoint()
            if self.error is not None and frame == self.error_at:
                raise self.error
            if self.delay and context.cancel.wait(self.delay):
                context.cancel.check()
            if frame in self.leave_out:
                continue
            self.made.append((kind, frame))
            context.emit(frame, invert(context.source(frame)))
            context.progress(number + 1, len(wanted), "Inverting")


def invert(picture: Picture) -> Picture:
    return np.asarray(255 - picture, np.uint8)


class FakeTracker:
    """Copies the nearest anchor to every frame of the range; confidence falls by 0.1 a frame."""

    title = "Fake tracker"

    def __init__(self) -> None:
        self.before_frame: Callable[[int], None] | None = None

    def estimate(self, request: PropagateRequest) -> Estimate:
        return Estimate(memory_bytes=1 << 20, seconds=0.1)

    def propagate(self, request: PropagateRequest, context: MaskContext) -> None:
        frames = range(request.start, request.stop)
        for done, frame in enumerate(frames, 1):
            if self.before_frame is not None:
                self.before_frame(frame)
            context.checkpoint()
            for track in request.objects:
                anchor, raster = min(track.anchors, key=lambda item: (abs(item[0] - frame), item[0]))
                confidence = max(0.0, 1.0 - 0.1 * abs(anchor - frame))
                context.emit(track.object_id, frame, context.matte(raster), confidence, self.title)
            context.progress(done, len(frames), "Tracking")


class FakeSelector:
    """Selects the box."""

    title = "Fake selector"

    def segment(self, request: SegmentRequest, context: MaskContext) -> None:
        source = context.source(request.frame)
        mask: NDArray[np.uint8] = np.zeros(source.shape[:2], np.uint8)
        if request.box is not None:
            box = request.box
            mask[box.y : box.bottom, box.x : box.right] = 255
        context.emit(request.object_id, request.frame, mask, 0.9, self.title)


@dataclass
class EventLog:
    """An event sink that remembers, and lets a test wait for what it expects."""

    events: list[Event] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait_for(self, match: Callable[[Event], bool], seconds: float = 60.0) -> Event:
        """The first event that matches, waiting for it. Raises TimeoutError."""
        with self._changed:
            found: list[Event] = []

            def there() -> bool:
                found[:] = [e for e in self.events if match(e)]
                return bool(found)

            if not self._changed.wait_for(there, seconds):
                raise TimeoutError(f"no such event in {seconds} s; got {self.states()}")
            return found[0]

    def states(self, job_id: str | None = None) -> list[tuple[str, str]]:
        """(job id, state) in order."""
        with self._changed:
            changes = [e for e in self.events if isinstance(e, StateChanged)]
        return [(e.job_id, e.state.value) for e in changes if job_id in (None, e.job_id)]

    def frames(self, job_id: str) -> dict[int, Picture]:
        with self._changed:
            return {e.frame: e.picture for e in self.events if isinstance(e, FrameReady) and e.job_id == job_id}

    def of(self, job_id: str) -> list[Event]:
        with self._changed:
            return [e for e in self.events if e.job_id == job_id]


class FakeEngine:
    """An engine for UI tests: the real queue, and jobs that advance only when the test says so.

    Implements EngineProtocol. Frames are :func:`ramp_reader` footage inverted. Events go to ``sink`` on the thread of
    the caller.
    """

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._queue = JobQueue(sink)
        self._running: list[tuple[Ticket, int]] = []
        self.submitted: list[Job] = []

    # -- EngineProtocol ------------------------------------------------------------------------------------------

    def submit(self, job: Job) -> None:
        self.submitted.append(job)
        self._queue.submit(job)

    def cancel(self, job_id: str) -> None:
        self._queue.cancel(job_id)
        for ticket, done in list(self._running):
            if ticket.token.cancelled:
                self._running.remove((ticket, done))
                self._queue.finish(ticket, JobState.CANCELLED, f"{done} frames were kept." if done else "")

    def pause(self, job_id: str | None = None) -> None:
        self._queue.pause(job_id)

    def resume(self, job_id: str | None = None) -> None:
        self._queue.resume(job_id)

    def move(self, job_id: str, before: str | None) -> None:
        self._queue.move(job_id, before)

    def set_priority(self, job_id: str, priority: int) -> None:
        self._queue.set_priority(job_id, priority)

    def jobs(self) -> tuple[JobStatus, ...]:
        return self._queue.jobs()

    def shutdown(self) -> None:
        self._queue.shutdown()
        for ticket, _ in self._running:
            self._queue.finish(ticket, JobState.CANCELLED)
        self._running.clear()

    # -- the script ----------------------------------------------------------------------------------------------

    def begin(self) -> Job:
        """Start the next job of the queue. Raises LookupError when none may run."""
        ticket = self._queue.take()
        if ticket is None:
            raise LookupError("no job may run")
        self._running.append((ticket, 0))
        self._sink(Estimated(job_id=ticket.job.id, estimate=Estimate(memory_bytes=50_000_000, seconds=2.0)))
        return ticket.job

    def advance(self, frames: int = 1) -> None:
        """Let the job begun last finish that many frames."""
        for _ in range(frames):
            ticket, done = self._running[-1]
            total = self._step(ticket, done)
            self._running[-1] = (ticket, done + 1)
            left = total - done - 1
            self._sink(
                Progress(job_id=ticket.job.id, done=done + 1, total=total, stage="Frames", eta_seconds=left * 0.5)
            )

    def finish(self) -> None:
        """Finish the job begun last with all its frames."""
        ticket, done = self._running[-1]
        self.advance(self._total(ticket) - done)
        self._running.pop()
        self._queue.finish(ticket, JobState.FINISHED)

    def fail(self, sentence: str = "The generator ran out of ideas.", remedy: str = "Try another look.") -> None:
        """Fail the job begun last."""
        ticket, _ = self._running.pop()
        self._queue.finish(ticket, JobState.FAILED, str(GenerationError(sentence, remedy)))

    def note(self, text: str, frame: int | None = None) -> None:
        """Send a note from the job begun last."""
        self._sink(Noted(job_id=self._running[-1][0].job.id, text=text, frame=frame))

    def run_all(self) -> None:
        """Run everything that may run, to the end."""
        while True:
            try:
                self.begin()
            except LookupError:
                return
            self.finish()

    @staticmethod
    def _total(ticket: Ticket) -> int:
        request = ticket.job.request
        if isinstance(request, GenerateRequest):
            return len(request.wanted)
        return request.stop - request.start if isinstance(request, PropagateRequest) else 1

    def _step(self, ticket: Ticket, done: int) -> int:
        request = ticket.job.request
        total = self._total(ticket)
        if isinstance(request, GenerateRequest):
            frame = request.wanted[done]
            picture = invert(ramp_reader(request.source, frame, Extent(request.width, request.height)))
            picture.setflags(write=False)
            self._sink(FrameReady(job_id=ticket.job.id, frame=frame, picture=picture))
        else:
            frame = request.start + done if isinstance(request, PropagateRequest) else request.frame
            names = (
                [t.object_id for t in request.objects] if isinstance(request, PropagateRequest) else [request.object_id]
            )
            mask = np.zeros((max(1, request.source.height), max(1, request.source.width)), np.uint8)
            mask[: mask.shape[0] // 2] = 255
            mask.setflags(write=False)
            for name in names:
                self._sink(MaskReady(job_id=ticket.job.id, object_id=name, frame=frame, mask=mask, confidence=0.9,
                                     engine="Fake"))  # fmt: skip
        return total
