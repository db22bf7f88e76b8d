"""What the mask workspace has done elsewhere: smart select and propagation on the engine, operations on a thread of
their own. Results come back to the UI thread and become undo steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import EditRefused, sentence_of
from gen2studio.core.geometry import Rect
from gen2studio.core.ids import new_id
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.records import dataclass
from gen2studio.document import masks as edits
from gen2studio.document.model import Clip, Document, MaskFrame, MaskObject
from gen2studio.engine.events import JobState, MaskReady, Noted, Progress, StateChanged
from gen2studio.engine.requests import Job, Lane, PropagateRequest
from gen2studio.raster.tiles import Mask, tiles_touching

if TYPE_CHECKING:
    from gen2studio.app.mask_editing import MaskEditing, Region
    from gen2studio.app.mask_editing_mattes import MatteEdit

_FLUSH_MS = 150
"""Arriving mattes are written to the document in batches this far apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskJob:
    """What runs now, for a progress bar."""

    id: str
    kind: str
    """propagate, select or operate."""
    label: str
    done: int = 0
    total: int = 0
    """0 = not known."""
    eta_seconds: float | None = None
    note: str = ""


@dataclass(slots=True)
class _Run:
    """A job on the engine and what has come back from it."""

    media_id: str
    label: str
    key: str
    anchor: bool
    waiting: int = 0
    """Mattes on their way through the packing thread."""
    ended: JobState | None = None
    reason: str = ""
    received: int = 0
    engine: str = ""
    packed: dict[tuple[str, int], MaskFrame] = field(default_factory=dict)
    written: set[tuple[str, int]] = field(default_factory=set)
    undone: bool = False
    """The artist has undone its step: what still comes back is dropped."""
    request: PropagateRequest | None = None

    def basis(self, object_id: str, frame: int) -> str:
        """What a matte of this run was carried from; empty for what was selected."""
        from gen2studio.app.planning_propagation import carried_from

        request = self.request
        if request is None:
            return ""
        found = next((track for track in request.objects if track.object_id == object_id), None)
        return carried_from(request, found, frame) if found is not None else ""


class MaskJobs(QObject):
    """One job at a time. Owned by :class:`~gen2studio.app.mask_editing.MaskEditing`."""

    _returned = Signal(object)
    """A finished Future, on its way to the UI thread."""
    _advanced = Signal(int)

    def __init__(self, masks: MaskEditing) -> None:
        super().__init__(masks)
        self._masks = masks
        self._host: Any = None
        self._pool: ThreadPoolExecutor | None = None
        self._packer: ThreadPoolExecutor | None = None
        self._laying: tuple[MatteEdit, Future[Callable[[], None]]] | None = None
        self._laid: set[Future[Callable[[], None]]] = set()
        """Regions whose end has not been heard of: they may have been finished earlier, or dropped."""
        self._job: MaskJob | None = None
        self._run: _Run | None = None
        self._token: CancelToken | None = None
        self._operation: Future[Callable[[], None]] | None = None
        self._live: dict[tuple[str, int], tuple[Mask, float]] = {}
        self._flush = QTimer(self)
        self._flush.setSingleShot(True)
        self._flush.setInterval(_FLUSH_MS)
        self._flush.timeout.connect(self._on_flush)
        self._returned.connect(self._on_returned, Qt.ConnectionType.QueuedConnection)
        self._advanced.connect(self._on_advanced, Qt.ConnectionType.QueuedConnection)

    def set_host(self, host: Any) -> None:
        self._host = host
        host.state_changed.connect(self._on_state_changed)
        host.progressed.connect(self._on_progressed)
        host.mask_ready.connect(self._on_mask_ready)
        host.noted.connect(self._on_noted)

    @property
    def job(self) -> MaskJob | None:
        return self._job

    def shutdown(self) -> None:
        self.cancel()
        self._flush.stop()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None
        self._laying = None
        if self._packer is not None:
            # What was painted is kept: tiles still waiting are packed first.
            self._packer.shutdown(wait=True)
            self._packer = None

    def forget(self) -> None:
        """Another project was opened: what runs belongs to the old one."""
        self.cancel()
        self._run = None
        self._operation = None
        self._laying = None
        self._live.clear()
        self._flush.stop()
        self._set_job(None)

    def cancel(self) -> None:
        if self._token is not None:
            self._token.cancel()
        if self._run is not None and self._job is not None and self._host is not None:
            self._host.cancel(self._job.id)

    # -- what is already there -------------------------------------------------------------------------------------

    def live_matte(self, object_id: str, frame: int) -> Mask | None:
        """A propagated matte that has not reached the document yet."""
        found = self._live.get((object_id, frame))
        return found[0] if found is not None else None

    def live_confidence(self, object_id: str) -> dict[int, float]:
        return {frame: sure for (owner, frame), (_, sure) in self._live.items() if owner == object_id}

    # -- operations ------------------------------------------------------------------------------------------------

    def operate(
        self,
        label: str,
        object_id: str,
        frames: Mapping[int, MaskFrame],
        operation: Callable[[Mask], Mask],
        keep_anchors: bool,
    ) -> None:
        """Run ``operation`` on the mattes of ``frames`` and make the result one undo step.

        ``keep_anchors`` leaves each frame the anchor or propagated frame it was; else they become anchors.
        """
        self._free()
        tiles = self._masks.session.store.tiles
        token = self._token = CancelToken()
        self._set_job(MaskJob(id=new_id("job"), kind="operate", label=label, total=len(frames)))

        shown = self._masks.frame

        def work() -> Callable[[], None]:
            made: dict[int, MaskFrame] = {}
            seen: tuple[MaskRaster, Mask] | None = None
            for index, frame in frames.items():
                token.check()
                matte = operation(tiles.unpack(frame.raster))
                raster = tiles.pack(matte)
                if index == shown:
                    seen = raster, matte
                made[index] = replace(frame, raster=raster) if keep_anchors else MaskFrame(raster=raster, anchor=True)
                if len(made) % 8 == 0:
                    self._tell_done(len(made))

            def finish() -> None:
                if seen is not None:
                    self._masks.remember(*seen)
                self._finish_operation(label, object_id, frames, made)

            return finish

        self._operation = self._start(work)

    def _finish_operation(
        self, label: str, object_id: str, frames: Mapping[int, MaskFrame], made: Mapping[int, MaskFrame]
    ) -> None:
        document = self._masks.document
        owner = edits.mask_of(document, object_id)
        if any(owner.frames.get(i, f) is not f for i, f in frames.items()):
            raise EditRefused(f"{owner.name} was changed meanwhile.", "Apply the operation once more.")
        # A frame that had no matte and still has none is not worth a step.
        real = {i: f for i, f in made.items() if i in owner.frames or not f.raster.is_empty}
        self._masks.session.store.apply(label, edits.set_frames(document, object_id, real))

    def make_rasters(
        self,
        label: str,
        frames: Sequence[int],
        make: Callable[[int], MaskRaster],
        write: Callable[[dict[int, MaskRaster]], None],
    ) -> None:
        """Run ``make`` for every frame on the thread, then ``write`` (an undo step) with what came of it."""
        self._free()
        token = self._token = CancelToken()
        self._set_job(MaskJob(id=new_id("job"), kind="operate", label=label, total=len(frames)))

        def work() -> Callable[[], None]:
            made: dict[int, MaskRaster] = {}
            for frame in frames:
                token.check()
                made[frame] = make(frame)
                if len(made) % 8 == 0:
                    self._tell_done(len(made))
            return lambda: write(made)

        self._operation = self._start(work)

    # -- regions ---------------------------------------------------------------------------------------------------

    def lay(self, edit: MatteEdit, label: str, region: Region, subtract: bool) -> None:
        """Make ``region`` on the thread, lay it on the matte of ``edit``, pack it and commit the edit."""
        tiles = self._masks.session.store.tiles

        def work() -> Callable[[], None]:
            from gen2studio.raster import shapes

            matte = edit.mask
            area = shapes.put(matte, *region(matte), subtract=subtract)
            touched = tiles_touching(area, matte.shape[1], matte.shape[0])
            raster = tiles.pack(matte, edit.base, touched) if touched else None

            def finish() -> None:
                edit.changed(area)
                edit.commit(label, raster)

            return finish

        future = self._start(work)
        self._laid.add(future)
        self._laying = (edit, future)

    def finish_laying(self) -> None:
        """Let a region that is being made become its undo step before anything else happens to the matte."""
        if self._laying is None:
            return
        (edit, future), self._laying = self._laying, None
        try:
            finish = future.result(timeout=5.0)
            if edit.is_open:
                finish()
        except Exception as error:
            edit.cancel()
            self._masks.session.tell(sentence_of(error), "error")

    def compress(self) -> None:
        """Pack freshly painted tiles, and hand them to the project folder, while the artist goes on."""
        if self._packer is None:
            self._packer = ThreadPoolExecutor(1, thread_name_prefix="tiles")
        self._packer.submit(self._masks.session.store.tiles.compress)

    def settle(self) -> None:
        """Let an operation on a matte finish before a gesture starts on it (a few milliseconds)."""
        future = self._operation
        if future is not None and self._job is not None and self._job.total <= 1:
            self._finish_pending(future)
        elif future is not None:
            raise EditRefused("The mattes are still being worked on.", "Wait a moment, or cancel it.")

    def _finish_pending(self, future: Future[Callable[[], None]]) -> None:
        self._operation = None
        try:
            future.result(timeout=5.0)()
        except Cancelled:
            pass
        except Exception as error:
            self._masks.session.tell(sentence_of(error), "warning")
        self._token = None
        self._set_job(None)

    # -- engine ----------------------------------------------------------------------------------------------------

    def select(
        self,
        current: MaskObject | None,
        box: Rect | None,
        include: tuple[tuple[float, float], ...],
        exclude: tuple[tuple[float, float], ...],
        radius: float,
    ) -> None:
        from gen2studio.app import planning

        self._free()
        masks, job_id = self._masks, new_id("job")
        key = f"select:{job_id}"
        if current is None:
            object_id = new_id("mask")
            grown = edits.add_object(masks.document, masks.media_id, object_id=object_id)
            masks.session.store.apply(f"Smart select on {grown.masks[object_id].name}", grown, key)
            masks.session.set_mask_object(object_id)
            current = grown.masks[object_id]
        elif current.locked:
            raise EditRefused(f"{current.name} is locked.", "Unlock it in the object list to change its mattes.")
        request = planning.plan_segment(
            masks.document, current.id, masks.frame, box=box, include=include, exclude=exclude, brush_radius=radius
        )
        request = replace(request, engine=masks.engine_choice.chosen("select"))
        label = f"Smart select on {current.name}"
        self._submit(
            Job(id=job_id, lane=Lane.MASK, request=request, label=label, owner=current.id), "select", key, True
        )

    def propagate(self, chosen: tuple[MaskObject, ...], direction: str) -> None:
        from gen2studio.app import planning

        self._free()
        masks = self._masks
        drawn = tuple(o for o in chosen if o.anchors)
        if not drawn:
            name = chosen[0].name if chosen else "The object"
            raise EditRefused(f"{name} is on no frame yet.", "Paint or smart-select the subject on one frame first.")
        start, stop = self.clip_range()
        here = min(max(masks.frame, start), stop - 1)
        if direction == "next":
            stop = max(edits.to_next_correction(o, here, stop)[1] for o in drawn)
            start = here
        elif direction == "forward":
            start = here
        elif direction == "backward":
            stop = here + 1
        if stop - start < 2:
            raise EditRefused("There are no frames that way.", "Move the playhead, or propagate the other way.")
        request = planning.plan_propagate(
            masks.document,
            masks.media_id,
            tuple(o.id for o in drawn),
            from_frame=here,
            start=start,
            stop=stop,
            direction="forward" if direction == "next" else direction,
        )
        request = replace(request, engine=masks.engine_choice.chosen("track"))
        job_id = new_id("job")
        names = ", ".join(o.name for o in drawn)
        label = f"Propagate {names}"
        self._submit(
            Job(id=job_id, lane=Lane.MASK, request=request, label=label, owner=masks.media_id),
            "propagate",
            f"propagate:{job_id}",
            False,
        )

    def _submit(self, job: Job, kind: str, key: str, anchor: bool) -> None:
        if self._host is None:
            raise EditRefused("The engine is not running.", "Start Gen2 Studio again.")
        request = job.request if isinstance(job.request, PropagateRequest) else None
        self._run = _Run(media_id=self._masks.media_id, label=job.label, key=key, anchor=anchor, request=request)
        self._set_job(MaskJob(id=job.id, kind=kind, label=job.label, note="Waiting for the engine"))
        self._host.submit(job)

    def clip_range(self) -> tuple[int, int]:
        """Media frames of the clip being worked on, or of the whole file when it is not on the timeline."""
        from gen2studio.app import planning

        masks = self._masks
        clip = self._clip()
        if clip is not None:
            sequence = masks.document.sequence
            assert sequence is not None
            return planning.media_range(masks.document, clip, sequence.rate)
        return 0, max(1, masks.document.media[masks.media_id].info.frame_count)

    def _clip(self) -> Clip | None:
        clip = self._masks.session.target_clip()
        return clip if clip is not None and clip.media_id == self._masks.media_id else None

    def go_to(self, frame: int) -> None:
        """Move the playhead to where the clip being worked on shows media ``frame``."""
        from gen2studio.app import planning

        session = self._masks.session
        clip, sequence = self._clip(), session.sequence
        if clip is None or sequence is None:
            return
        place = planning.sequence_frame(self._masks.document, clip, frame)
        session.set_playhead(min(max(place, clip.start), clip.end - 1))

    # -- events of the engine --------------------------------------------------------------------------------------

    def _mine(self, job_id: str) -> bool:
        return self._run is not None and self._job is not None and self._job.id == job_id

    def _on_progressed(self, event: Progress) -> None:
        if self._mine(event.job_id) and self._job is not None:
            self._set_job(
                replace(self._job, done=event.done, total=event.total, eta_seconds=event.eta_seconds, note=event.stage)
            )

    def _on_noted(self, event: Noted) -> None:
        if self._mine(event.job_id):
            self._masks.session.tell(event.text, "warning")

    def _on_mask_ready(self, event: MaskReady) -> None:
        run = self._run
        if run is None or not self._mine(event.job_id):
            return
        owner = self._masks.document.masks.get(event.object_id)
        if owner is None:
            return
        there = owner.frames.get(event.frame)
        if there is not None and there.anchor and not run.anchor:
            return
        run.received += 1
        run.engine = event.engine
        run.waiting += 1
        place = (event.object_id, event.frame)
        self._live[place] = (event.mask, event.confidence)
        if run.media_id == self._masks.media_id and event.frame == self._masks.frame:
            self._masks.matte_changed.emit(event.object_id, None)
        tiles = self._masks.session.store.tiles

        def work() -> Callable[[], None]:
            raster = tiles.pack(event.mask)
            return lambda: self._on_packed(run, place, raster, event.mask, event.confidence)

        self._start(work)
        if not self._flush.isActive():
            self._flush.start()

    def _on_packed(self, run: _Run, place: tuple[str, int], raster: MaskRaster, mask: Mask, confidence: float) -> None:
        run.waiting -= 1
        if run is not self._run:
            return
        confidence = 1.0 if run.anchor else min(1.0, max(0.0, confidence))
        run.packed[place] = MaskFrame(raster=raster, anchor=run.anchor, confidence=confidence, basis=run.basis(*place))
        self._masks.remember(raster, mask)
        if run.ended is not None and run.waiting == 0:
            self._finish(run)

    def _on_flush(self) -> None:
        run = self._run
        if run is None:
            return
        self._write(run)
        self._masks.lane_changed.emit(run.media_id)
        if run.waiting or run.packed:
            self._flush.start()

    def _write(self, run: _Run) -> None:
        """Lay what has been packed into the document. Every batch of one run joins the same undo step, whatever was
        painted meanwhile; what was painted is an anchor and stays."""
        packed, run.packed = run.packed, {}
        for place in packed:
            self._live.pop(place, None)
        if run.undone or not packed:
            return

        def write(document: Document) -> Document:
            for object_id in {place[0] for place in packed}:
                owner = document.masks.get(object_id)
                if owner is None or owner.locked:
                    continue
                there = owner.frames
                frames = {
                    frame: matte
                    for (name, frame), matte in packed.items()
                    if name == object_id and (run.anchor or frame not in there or not there[frame].anchor)
                }
                if frames:
                    document = edits.set_frames(document, object_id, frames)
            return document

        store = self._masks.session.store
        store.extend(run.label, write, run.key)
        masks = store.document.masks
        run.written.update(p for p, m in packed.items() if p[0] in masks and masks[p[0]].frames.get(p[1]) is m)

    def _on_state_changed(self, event: StateChanged) -> None:
        run = self._run
        if run is None or not self._mine(event.job_id) or not event.state.ended:
            return
        run.ended, run.reason = event.state, event.reason
        if run.waiting == 0:
            self._finish(run)

    def _finish(self, run: _Run) -> None:
        self._write(run)
        self._run = None
        self._live.clear()
        self._flush.stop()
        session = self._masks.session
        if run.ended is JobState.FAILED:
            session.tell(run.reason, "error")
        elif run.ended is JobState.CANCELLED and run.received:
            session.tell(f"Stopped; {run.received} finished mattes are kept.")
        elif run.ended is JobState.FINISHED and run.received:
            count = "1 matte" if run.received == 1 else f"{run.received} mattes"
            session.tell(f"{run.label}: {count} by {run.engine or 'the engine'}.")
        elif run.ended is JobState.FINISHED:
            session.tell(f"{run.label} found nothing to change.", "warning")
        self._masks.lane_changed.emit(run.media_id)
        self._set_job(None)

    def check(self, old: Document, document: Document) -> None:
        """The document changed: stop a run whose object is gone or whose frames were undone, and a region whose matte
        became another one."""
        if self._laying is not None:
            edit = self._laying[0]
            was, now = (
                frame.raster if owner is not None and (frame := owner.frames.get(edit.frame)) is not None else None
                for owner in (old.masks.get(edit.object_id), document.masks.get(edit.object_id))
            )
            if was != now and now != edit.base:
                self._laying = None
                edit.cancel()
        run = self._run
        if run is None or run.ended is not None:
            return
        for object_id, frame in run.written:
            owner = document.masks.get(object_id)
            if owner is None or frame not in owner.frames:
                run.written.clear()
                run.undone = True
                self.cancel()
                return

    # -- the thread ------------------------------------------------------------------------------------------------

    def _free(self) -> None:
        if self._job is not None:
            raise EditRefused(f"“{self._job.label}” is still running.", "Wait for it or cancel it first.")

    def _start(self, work: Callable[[], Callable[[], None]]) -> Future[Callable[[], None]]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="mattes")
        future = self._pool.submit(work)
        future.add_done_callback(self._returned.emit)
        return future

    def _on_returned(self, future: Future[Callable[[], None]]) -> None:
        if future.cancelled():
            return
        if future is self._operation:
            self._finish_pending(future)
            return
        if future in self._laid:
            self._laid.discard(future)
            if self._laying is not None and self._laying[1] is future:
                self.finish_laying()
            return
        error = future.exception()
        if error is None:
            if self._run is not None:
                future.result()()
        elif self._run is not None:
            self._run.waiting -= 1
            self._masks.session.tell(sentence_of(error), "error")
            if self._run.ended is not None and self._run.waiting == 0:
                self._finish(self._run)

    def _tell_done(self, done: int) -> None:
        """From the worker thread: how far the operation is."""
        self._advanced.emit(done)

    def _on_advanced(self, done: int) -> None:
        if self._job is not None and self._operation is not None:
            self._set_job(replace(self._job, done=done))

    def _set_job(self, job: MaskJob | None) -> None:
        if job != self._job:
            self._job = job
            self._masks.job_changed.emit(job)
