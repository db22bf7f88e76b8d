"""What a running generator, tracker or selector holds in its hands: the worker's side of RunContext and MaskContext."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import GenerationError
from gen2studio.core.geometry import Extent
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.engine.events import (
    AdapterReady,
    FrameReady,
    LossMeasured,
    MaskReady,
    Noted,
    Picture,
    Progress,
    SelectionPreviewed,
    StepPreview,
    TestFrameReady,
)
from gen2studio.engine.frames import FrameCache
from gen2studio.engine.job_queue import Ticket
from gen2studio.engine.pace import Pace
from gen2studio.engine.protocol import EventSink
from gen2studio.engine.reframing import footage_rect
from gen2studio.engine.region import Regions
from gen2studio.engine.requests import BlobRef, GenerateRequest, OperateRequest, SourceRef
from gen2studio.engine.reuse import Lender

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PROGRESS_GAP = 0.04
"""Seconds between two Progress events of a stage: 25 a second is more than an eye needs."""


class SpanDone(Cancelled):
    """All that this machine makes of a clip is made; the generator would go on to what others make."""


class JobContext:
    """The part that all jobs share. The worker's thread runs the job; other threads of a generator may only poll."""

    def __init__(self, ticket: Ticket, sink: EventSink, frames: FrameCache, threads: int, yield_to: Callable[[], None]):
        self.ticket = ticket
        self.pace = Pace()
        self._sink = sink
        self._frames = frames
        self._threads = threads
        self._yield_to = yield_to
        self._thread = threading.get_ident()
        self._told = ("", -1.0)

    @property
    def cancel(self) -> CancelToken:
        return self.ticket.token

    @property
    def threads(self) -> int:
        return self._threads

    @property
    def job_id(self) -> str:
        return self.ticket.job.id

    def checkpoint(self) -> None:
        self.cancel.check()
        if threading.get_ident() == self._thread:
            self._yield_to()
            self.cancel.check()

    def progress(self, done: int, total: int, stage: str = "", *, give_way: bool = True) -> None:
        eta = self.pace.eta(done, total, stage)
        now = time.monotonic()
        if stage != self._told[0] or done >= total or now - self._told[1] >= _PROGRESS_GAP:
            self._told = (stage, now)
            self._sink(Progress(job_id=self.job_id, done=done, total=total, stage=stage, eta_seconds=eta))
        if give_way:
            self.checkpoint()
        else:
            self.cancel.check()

    def note(self, text: str, frame: int | None = None) -> None:
        self._sink(Noted(job_id=self.job_id, text=text, frame=frame))
        self.cancel.check()

    def _matte(self, raster: MaskRaster) -> NDArray[np.uint8]:
        self.cancel.check()
        try:
            mask = self.ticket.workspace.matte(raster)
        except KeyError:
            raise GenerationError("A part of the mask is missing from the project.", "Paint the mask again.") from None
        mask.setflags(write=False)
        return mask

    def _source(self, source: SourceRef, frame: int, size: Extent) -> Picture:
        self.cancel.check()
        if source.frame_count and not 0 <= frame < source.frame_count:
            raise GenerationError(f"Frame {frame} is outside the footage, which has {source.frame_count} frames.")
        return self._frames.frame(source, frame, size)


class GenerateContext(JobContext):
    """RunContext of one request. ``store`` is where a render's frames go; None sends them as events only."""

    def __init__(
        self,
        ticket: Ticket,
        request: GenerateRequest,
        sink: EventSink,
        frames: FrameCache,
        threads: int,
        yield_to: Callable[[], None],
        *,
        finished: frozenset[int],
        scratch: Path,
        writer: ThreadPoolExecutor | None,
        lender: Lender | None = None,
        part: frozenset[int] | None = None,
    ) -> None:
        """``lender`` is what an older take lends to the one being made; when the frames of a ``part`` are made, the
        next checkpoint raises SpanDone (None, or no frames: the generator runs to its end)."""
        super().__init__(ticket, sink, frames, threads, yield_to)
        self.request = request
        self.emitted: set[int] = set()
        self._finished = finished
        self._lender = lender or Lender(None, None)
        self._scratch = scratch
        self._writer = writer
        self._writing: list[Future[None]] = []
        self._masks: dict[int, NDArray[np.uint8] | None] = {}
        self._size = Extent(request.width, request.height)
        self._wanted = frozenset(request.wanted)
        self._part = part
        self._regions = Regions(request, self.ticket.workspace.matte, self._footage_frame)

    def checkpoint(self) -> None:
        super().checkpoint()
        if self._part and self._part <= self.emitted:
            raise SpanDone

    @property
    def finished(self) -> frozenset[int]:
        return self._finished

    @property
    def kept(self) -> frozenset[int]:
        return self._lender.kept(self._finished)

    @property
    def scratch(self) -> Path:
        return self._scratch

    def source(self, frame: int) -> Picture:
        return self._source(self.request.source, frame, self._size)

    def mask(self, frame: int) -> NDArray[np.uint8] | None:
        self.cancel.check()
        return self._region(frame)

    def _footage_frame(self, frame: int) -> Picture | None:
        """The footage at its own size, for mattes that follow its edges; None outside of it."""
        source = self.request.source
        if not 0 <= frame < source.frame_count:
            return None
        return self._frames.frame(source, frame, Extent(max(1, source.width), max(1, source.height)))

    def _region(self, frame: int) -> NDArray[np.uint8] | None:
        if frame not in self._masks:
            found = self._regions.at(frame)
            if found is not None:
                found.setflags(write=False)
            if len(self._masks) >= 32:
                self._masks.pop(next(iter(self._masks)))
            self._masks[frame] = found
        return self._masks[frame]

    def blob(self, ref: BlobRef) -> Picture:
        self.cancel.check()
        return self.ticket.workspace.blob(ref)

    def footage(self, source: SourceRef, frame: int) -> Picture:
        return self._source(source, frame, Extent(max(1, source.width), max(1, source.height)))

    def matte(self, raster: MaskRaster) -> NDArray[np.uint8]:
        return self._matte(raster)

    def step_preview(self, frame: int, picture: Picture, step: int, steps: int) -> None:
        shown = np.array(picture, np.uint8, order="C")
        shown.setflags(write=False)
        self._sink(StepPreview(job_id=self.job_id, frame=frame, picture=shown, step=step, steps=steps))

    def emit(self, frame: int, picture: Picture) -> None:
        if frame not in self._wanted:
            raise GenerationError(f"The generator sent frame {frame}, which nobody asked for.")
        if picture.dtype != np.uint8 or picture.shape != (self._size.height, self._size.width, 3):
            raise GenerationError(f"The generator sent a frame of {picture.shape} {picture.dtype} for {self._size}.")
        # Here, not above: the window's start passes this module and must not pay for OpenCV.
        from gen2studio.raster.compositing import blend

        region = self._region(frame)
        # A cancel that came in between must not lose a finished frame: nothing here polls the token.
        if any(self.request.outpaint):
            # Only the room around the footage is the generator's to draw.
            whole = np.array(picture, order="C")
            inside = footage_rect(self.request)
            own = self._frames.frame(self.request.source, frame, Extent(inside.width, inside.height))
            whole[inside.y : inside.bottom, inside.x : inside.right] = own
        elif self.request.from_nothing and region is None:
            # There is no footage to keep, and the slate need not even be read.
            whole = np.array(picture, order="C")
        else:
            whole = blend(self._under(frame), picture, region)
        whole.setflags(write=False)
        self.emitted.add(frame)
        self._deliver(frame, whole)

    def _under(self, frame: int) -> Picture:
        """What is kept outside the region, at the request's output size."""
        return self._frames.frame(self.request.source, frame, self._size)

    def _deliver(self, frame: int, whole: Picture) -> None:
        whole = self._lender.joined(frame, whole)
        if self._writer is None:
            self._sink(FrameReady(job_id=self.job_id, frame=frame, picture=whole))
            return
        self._collect(waiting_at_most=3)
        self._writing.append(self._writer.submit(self._store, frame, whole))

    def flush(self) -> None:
        """Wait until every emitted frame is on disk. Raises what writing raised."""
        self._collect(waiting_at_most=0)

    def _collect(self, waiting_at_most: int) -> None:
        while len(self._writing) > waiting_at_most or (self._writing and self._writing[0].done()):
            self._writing.pop(0).result()

    def _store(self, frame: int, picture: Picture) -> None:
        store = self.ticket.workspace.takes
        assert store is not None
        store.write(self.ticket.job.take_id, frame, picture)
        self._sink(FrameReady(job_id=self.job_id, frame=frame, picture=picture))


class MaskingContext(JobContext):
    """MaskContext of one propagation or selection."""

    def __init__(
        self,
        ticket: Ticket,
        source: SourceRef,
        sink: EventSink,
        frames: FrameCache,
        threads: int,
        yield_to: Callable[[], None],
        anchors: frozenset[tuple[str, int]] = frozenset(),
    ) -> None:
        super().__init__(ticket, sink, frames, threads, yield_to)
        self._footage = source
        self._anchors = anchors

    def source(self, frame: int) -> Picture:
        return self._source(self._footage, frame, Extent(max(1, self._footage.width), max(1, self._footage.height)))

    def matte(self, raster: MaskRaster) -> NDArray[np.uint8]:
        return self._matte(raster)

    def emit(self, object_id: str, frame: int, mask: NDArray[np.uint8], confidence: float, engine: str) -> None:
        if (object_id, frame) in self._anchors:
            return
        kept = np.array(mask, np.uint8, order="C")
        kept.setflags(write=False)
        self._sink(
            MaskReady(
                job_id=self.job_id,
                object_id=object_id,
                frame=frame,
                mask=kept,
                confidence=float(min(1.0, max(0.0, confidence))),
                engine=engine,
            )
        )

    def preview(self, object_id: str, frame: int, mask: NDArray[np.uint8], engine: str) -> None:
        shown = np.array(mask, np.uint8, order="C")
        shown.setflags(write=False)
        self._sink(SelectionPreviewed(job_id=self.job_id, object_id=object_id, frame=frame, mask=shown, engine=engine))


class TrainingContext(JobContext):
    """TrainContext of one training."""

    def __init__(
        self,
        ticket: Ticket,
        sink: EventSink,
        frames: FrameCache,
        threads: int,
        yield_to: Callable[[], None],
        scratch: Path,
    ) -> None:
        super().__init__(ticket, sink, frames, threads, yield_to)
        self._scratch = scratch
        self.adapter: Path | None = None

    @property
    def scratch(self) -> Path:
        return self._scratch

    def blob(self, ref: BlobRef) -> Picture:
        self.cancel.check()
        return self.ticket.workspace.blob(ref)

    def footage(self, source: SourceRef, frame: int) -> Picture:
        return self._source(source, frame, Extent(max(1, source.width), max(1, source.height)))

    def loss(self, step: int, loss: float) -> None:
        self._sink(LossMeasured(job_id=self.job_id, step=step, loss=float(loss)))

    def test_frame(self, step: int, picture: Picture) -> None:
        shown = np.array(picture, np.uint8, order="C")
        shown.setflags(write=False)
        self._sink(TestFrameReady(job_id=self.job_id, step=step, picture=shown))

    def finished(self, path: Path) -> None:
        self.adapter = path
        request = self.ticket.job.request
        self._sink(
            AdapterReady(job_id=self.job_id, adapter_id=getattr(request, "adapter_id", ""), path=path.as_posix())
        )


class OperatingContext(JobContext):
    """OperateContext of one interpolation or upscaling."""

    def __init__(
        self,
        ticket: Ticket,
        request: OperateRequest,
        sink: EventSink,
        frames: FrameCache,
        threads: int,
        yield_to: Callable[[], None],
        *,
        finished: frozenset[int],
        store: Callable[[int, Picture], None],
    ) -> None:
        super().__init__(ticket, sink, frames, threads, yield_to)
        self.request = request
        self.emitted: set[int] = set()
        self._finished = finished
        self._store = store

    @property
    def finished(self) -> frozenset[int]:
        return self._finished

    def source(self, frame: int) -> Picture:
        source = self.request.source
        return self._source(source, frame, Extent(max(1, source.width), max(1, source.height)))

    def emit(self, frame: int, picture: Picture) -> None:
        if picture.dtype != np.uint8 or picture.shape != (self.request.height, self.request.width, 3):
            raise GenerationError(f"The operator sent a frame of {picture.shape} {picture.dtype}.")
        whole = np.array(picture, np.uint8, order="C")
        whole.setflags(write=False)
        self._store(frame, whole)
        self.emitted.add(frame)
        self._sink(FrameReady(job_id=self.job_id, frame=frame, picture=whole))
