"""Takes as renders make them: created when a job starts, filled as frames arrive, settled at its end, then measured.

Takes are not undoable; they are amended into the document. Frames arrive many a second, so the document hears of them
in batches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace
from datetime import UTC, datetime

from PySide6.QtCore import QObject, QTimer, Signal

from gen2studio.app.jobs import EngineSignals
from gen2studio.app.store import DocumentStore
from gen2studio.app.takes_measuring import Measurement, TakeMeasuring
from gen2studio.core.errors import EditRefused, StudioError
from gen2studio.core.log import topic
from gen2studio.core.records import dataclass
from gen2studio.document import lookup, takes
from gen2studio.document.look import Look, Mode, Outpaint
from gen2studio.document.looks import look_of
from gen2studio.document.model import Document, Take
from gen2studio.engine.events import FrameReady, JobState, StateChanged
from gen2studio.engine.requests import GenerateRequest, Job, Lane, request_digest, request_recipe
from gen2studio.engine.take_store import TakeStore, runs_of

_log = topic("engine")

BATCH_MS = 400
"""How often arriving frames are written into the document."""


@dataclass(slots=True)
class _Running:
    job: Job
    request: GenerateRequest
    look: Look
    frames: set[int] = field(default_factory=set)
    dirty: bool = False


class TakeKeeper(QObject):
    """Keeps the document's takes in step with the engine. UI thread only."""

    take_started = Signal(str)
    """take id"""
    take_grew = Signal(str, object)
    """(take id, frozenset of media frames that arrived since the last time)"""
    take_ended = Signal(str, object)
    """(take id, JobState)"""
    take_measured = Signal(str)
    """take id"""

    def __init__(
        self,
        store: DocumentStore,
        engine: EngineSignals,
        take_store: Callable[[], TakeStore | None],
        look_of_recipe: Callable[[str], Look],
        measuring: TakeMeasuring | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._take_store = take_store
        self._look_of_recipe = look_of_recipe
        self._measuring = measuring
        self._running: dict[str, _Running] = {}
        self._batch = QTimer(self)
        self._batch.setSingleShot(True)
        self._batch.setInterval(BATCH_MS)
        self._batch.timeout.connect(self._write_batch)
        engine.submitted.connect(self._on_submitted)
        engine.state_changed.connect(self._on_state_changed)
        engine.frame_ready.connect(self._on_frame_ready)
        store.replaced.connect(self._on_replaced)
        if measuring is not None:
            measuring.measured.connect(self._on_measured)

    def job_of(self, take_id: str) -> str:
        """Id of the job that is making this take, or empty."""
        return next((name for name, run in self._running.items() if run.job.take_id == take_id), "")

    def shutdown(self) -> None:
        """Write what arrived and stop measuring."""
        self._batch.stop()
        self._write_batch()
        if self._measuring is not None:
            self._measuring.shutdown()

    # -- engine --------------------------------------------------------------------------------------------------

    def _on_submitted(self, job: Job) -> None:
        if job.lane is Lane.RENDER and job.take_id and isinstance(job.request, GenerateRequest):
            # The look is the one at this moment: the artist may go on changing it while the job waits.
            self._running[job.id] = _Running(job, job.request, self._look(job, job.request))

    def _look(self, job: Job, request: GenerateRequest) -> Look:
        document = self._store.document
        known = document.takes.get(job.take_id)
        if known is not None:
            return known.look
        sequence = document.sequence
        clips = (clip for _, clip in lookup.each_clip(sequence)) if sequence else ()
        clip = next((clip for clip in clips if clip.id == job.owner), None)
        if clip is not None:
            mode = next((m for m in Mode if m.value == request.mode), Mode.STYLIZE)
            look = replace(look_of(document, clip), mode=mode, generator=request.generator, seed=request.seed)
            # Where the take lies over its footage is read from this: only what was really drawn around it counts.
            return look if any(request.outpaint) else replace(look, outpaint=Outpaint())
        try:
            return self._look_of_recipe(request_recipe(request))
        except StudioError:
            return document.default_look

    def _on_state_changed(self, event: StateChanged) -> None:
        run = self._running.get(event.job_id)
        if run is None:
            return
        if event.state is JobState.RUNNING:
            self._begin(run)
        elif event.state.ended:
            self._running.pop(event.job_id)
            self._settle(run, event.state)

    def _begin(self, run: _Running) -> None:
        document, job, request = self._store.document, run.job, run.request
        if job.take_id in document.takes:
            stored = self._take_store()
            if stored is not None:
                run.frames.update(stored.frames(job.take_id))
            self.take_started.emit(job.take_id)
            return
        number = 1 + sum(take.media_id == request.source.media_id for take in document.takes.values())
        take = Take(
            id=job.take_id,
            media_id=request.source.media_id,
            name=f"Take {number}",
            request_digest=request_digest(request),
            recipe=request_recipe(request),
            look=run.look,
            start=request.start,
            stop=request.stop,
            width=request.width,
            height=request.height,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self._store.amend(lambda d: d if take.id in d.takes else takes.add_take(d, take, job.owner), carried=True)
        self.take_started.emit(take.id)

    def _on_frame_ready(self, event: FrameReady) -> None:
        run = self._running.get(event.job_id)
        if run is None:
            return
        run.frames.add(event.frame)
        run.dirty = True
        if not self._batch.isActive():
            self._batch.start()

    def _write_batch(self) -> None:
        for run in self._running.values():
            if run.dirty:
                run.dirty = False
                self._write_done(run)

    def _write_done(self, run: _Running) -> None:
        take = self._store.document.takes.get(run.job.take_id)
        if take is None:
            return
        fresh = frozenset(frame for frame in run.frames if not take.has(frame))
        runs = runs_of(run.frames)
        self._amend(lambda d: takes.set_done(d, take.id, runs))
        if fresh:
            self.take_grew.emit(take.id, fresh)

    def _settle(self, run: _Running, state: JobState) -> None:
        take_id = run.job.take_id
        stored = self._take_store()
        if stored is not None:
            run.frames |= set(stored.frames(take_id))
        if take_id in self._store.document.takes:
            if run.frames:
                self._write_done(run)
            else:
                # Nothing came of it: an empty take would only be clutter.
                self._store.amend(lambda d: takes.forget(d, (take_id,)), carried=True)
        self.take_ended.emit(take_id, state)
        if len(run.frames) > 1 and self._measuring is not None and stored is not None:
            self._measuring.measure(Measurement(take_id, run.request, stored, tuple(sorted(run.frames))))

    def _on_measured(self, take_id: str, flicker: float | None, drift: float | None) -> None:
        if take_id in self._store.document.takes:
            self._amend(lambda d: takes.measured(d, take_id, flicker, drift))
            self.take_measured.emit(take_id)

    def _on_replaced(self, _document: Document) -> None:
        # Jobs of the project before go on writing their files; its document is no longer here to hear of them.
        self._batch.stop()
        self._running.clear()

    def _amend(self, change: Callable[[Document], Document]) -> None:
        try:
            self._store.amend(change)
        except EditRefused:
            _log.info("a take was removed while its job ran")
