"""Live preview: the frame under the playhead as the current look would make it, a moment after each gesture ends."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

from gen2studio.app.jobs import EngineSignals
from gen2studio.app.session import Session
from gen2studio.core.errors import StudioError
from gen2studio.core.ids import new_id
from gen2studio.document.model import Clip, Document
from gen2studio.engine.events import FrameReady, JobState, Picture, StateChanged
from gen2studio.engine.requests import GenerateRequest, Job, Lane

Plan = Callable[[Document, Clip, int], GenerateRequest | None]
"""(document, clip, sequence frame) → a request for exactly one frame, None for none. Raises GenerationError."""

QUIET_MS = 180
"""How long the artist's hand must be still: shorter would compute in the middle of a drag."""


class LivePreview(QObject):
    """Asks for one preview after the last change; a newer one replaces it in the engine."""

    enabled_changed = Signal(bool)
    working_changed = Signal(bool)
    """A preview is being computed."""
    picture_ready = Signal(str, int, object)
    """(media id, media frame, (H, W, 3) uint8 read-only)"""
    cleared = Signal()
    """The picture shown last no longer fits: the playhead moved, or something it depends on changed."""
    refused = Signal(str)
    """Why there is no preview: one sentence."""

    def __init__(self, session: Session, engine: EngineSignals, plan: Plan, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._engine = engine
        self._plan = plan
        self._enabled = False
        self._gestures = 0
        self._job: Job | None = None
        self._shown: tuple[GenerateRequest, Picture] | None = None
        self._visible = False
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(QUIET_MS)
        self._quiet.timeout.connect(self._ask)
        session.playhead_changed.connect(self.touch)
        session.selection_changed.connect(self.touch)
        session.shuttle_changed.connect(self._on_shuttle_changed)
        session.store.changed.connect(self._on_document_changed)
        session.store.replaced.connect(self._on_replaced)
        engine.frame_ready.connect(self._on_frame_ready)
        engine.state_changed.connect(self._on_state_changed)

    # -- commands ------------------------------------------------------------------------------------------------

    @property
    def enabled(self) -> bool:
        return self._enabled

    def set_enabled(self, enabled: bool) -> None:
        if enabled == self._enabled:
            return
        self._enabled = enabled
        self.enabled_changed.emit(enabled)
        if enabled:
            self.touch()
        else:
            self._quiet.stop()
            self._drop_job()
            self._clear()

    @property
    def working(self) -> bool:
        return self._job is not None

    def begin_gesture(self) -> None:
        """A drag starts: nothing is computed until it ends. Gestures may nest."""
        self._gestures += 1
        self._quiet.stop()

    def end_gesture(self) -> None:
        self._gestures = max(0, self._gestures - 1)
        self.touch()

    def touch(self, *_: object) -> None:
        """Something the preview depends on changed."""
        if not self._enabled:
            return
        self._clear()
        if self._gestures == 0 and self._session.shuttle == 0:
            self._quiet.start()

    def shutdown(self) -> None:
        self._quiet.stop()
        self._enabled = False

    # -- asking --------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        clip = self._session.target_clip()
        if not self._enabled or clip is None:
            self._drop_job()
            return
        try:
            request = self._plan(self._session.document, clip, self._session.playhead)
        except StudioError as error:
            self._drop_job()
            self.refused.emit(str(error))
            return
        if request is None:
            self._drop_job()
            return
        if self._shown is not None and self._shown[0] == request:
            self._drop_job()
            self._show(request, self._shown[1])
            return
        if self._job is not None and self._job.request == request:
            return
        was = self.working
        self._job = Job(id=new_id("job"), lane=Lane.PREVIEW, request=request, label="Preview", owner="live-preview")
        if not was:
            self.working_changed.emit(True)
        self._engine.submit(self._job)

    def _drop_job(self) -> None:
        if self._job is not None:
            job, self._job = self._job, None
            self.working_changed.emit(False)
            self._engine.cancel(job.id)

    def _clear(self) -> None:
        if self._visible:
            self._visible = False
            self.cleared.emit()

    def _show(self, request: GenerateRequest, picture: Picture) -> None:
        self._visible = True
        self.picture_ready.emit(request.source.media_id, request.wanted[0], picture)

    # -- events --------------------------------------------------------------------------------------------------

    def _on_frame_ready(self, event: FrameReady) -> None:
        job = self._job
        if job is None or event.job_id != job.id or not isinstance(job.request, GenerateRequest):
            return
        self._shown = (job.request, event.picture)
        if not self._quiet.isActive() and self._gestures == 0:
            self._show(job.request, event.picture)

    def _on_state_changed(self, event: StateChanged) -> None:
        if self._job is None or event.job_id != self._job.id or not event.state.ended:
            return
        self._job = None
        self.working_changed.emit(False)
        if event.state is JobState.FAILED:
            self.refused.emit(event.reason)

    def _on_shuttle_changed(self, speed: float) -> None:
        if speed == 0:
            self.touch()
        else:
            self._quiet.stop()
            self._clear()

    def _on_document_changed(self, old: Document, new: Document) -> None:
        # Takes arriving and media facts do not change what a preview would look like.
        same = old.sequences is new.sequences and old.masks is new.masks and old.default_look == new.default_look
        if not same:
            self.touch()

    def _on_replaced(self, _document: Document) -> None:
        self._shown = None
        self._drop_job()
        self.touch()
