"""What a click would select, while the pointer moves: asked of the engine one point at a time, never kept.

An engine that has to read a frame first is asked to as soon as the pointer rests on it; previews follow when it has.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from gen2studio.app.mask_engine_choice import MaskEngineChoice
from gen2studio.core.errors import StudioError
from gen2studio.core.ids import new_id
from gen2studio.core.records import dataclass
from gen2studio.document.model import Document
from gen2studio.engine.events import JobState, Progress, SelectionPreviewed, StateChanged
from gen2studio.engine.requests import Job, Lane, SegmentRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REST_MS = 250
"""A frame is read once the pointer has been over it this long."""


@dataclass(frozen=True, slots=True)
class HoverPoint:
    """Where the pointer is: media pixels, and what a click there would mean."""

    media_id: str
    frame: int
    object_id: str
    """The object it would work on; empty = a new one."""
    x: float
    y: float
    subtract: bool
    radius: float


class SelectionHover(QObject):
    """Latest-only: while one point is answered only the newest other one waits. Lives on the UI thread."""

    changed = Signal()
    """:attr:`mask` or :attr:`busy` is another one."""

    def __init__(self, choice: MaskEngineChoice, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.mask: NDArray[np.uint8] | None = None
        """(h, w) uint8 over the whole frame, what a click would select; None = nothing to show."""
        self.subtracts = False
        """The mask is what would be taken away from the matte or corrected."""
        self.busy = ""
        """What the engine is doing before it can preview; empty when it can, or when nothing is going on."""
        self._choice = choice
        self._host: Any = None
        self._document: Document | None = None
        self._point: HoverPoint | None = None
        self._asked: tuple[str, HoverPoint] | None = None
        self._waiting = False
        self._reading = ""
        self._read: set[tuple[str, str, int]] = set()
        """(engine, media, frame) that were read, or could not be."""
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._on_rest)
        choice.changed.connect(self.leave)

    def set_host(self, host: Any) -> None:
        """``host`` is an EngineHost, or anything with its ``submit``, ``cancel`` and signals."""
        self._host = host
        host.selection_previewed.connect(self._on_previewed)
        host.state_changed.connect(self._on_state_changed)
        host.progressed.connect(self._on_progressed)

    @property
    def available(self) -> bool:
        """Whether the engine that would answer can preview at all."""
        engine = self._choice.answering("select")
        return self._host is not None and engine is not None and engine.previews

    def move(self, document: Document, point: HoverPoint) -> None:
        """The pointer is there now."""
        if not self.available:
            self.leave()
            return
        self._document = document
        before, self._point = self._point, point
        if before is not None and (before.media_id, before.frame) != (point.media_id, point.frame):
            self._show(None)
        if not self._ready(point):
            if not self._reading:
                self._rest.start()
            return
        self._ask()

    def leave(self) -> None:
        """The pointer is gone, or previews make no sense now: show nothing."""
        self._rest.stop()
        self._point = None
        self._waiting = False
        if self._host is not None:
            for job_id in (self._reading, self._asked[0] if self._asked else ""):
                if job_id:
                    self._host.cancel(job_id)
        self._reading, self._asked = "", None
        self._tell("")
        self._show(None)

    def forget(self) -> None:
        """Another project: what was read says nothing about it."""
        self.leave()
        self._read.clear()

    # -- asking ----------------------------------------------------------------------------------------------------

    def _key(self, point: HoverPoint) -> tuple[str, str, int]:
        engine = self._choice.answering("select")
        return engine.id if engine is not None else "", point.media_id, point.frame

    def _ready(self, point: HoverPoint) -> bool:
        engine = self._choice.answering("select")
        return engine is not None and (not engine.prepares or self._key(point) in self._read)

    def _on_rest(self) -> None:
        point = self._point
        if point is not None and not self._reading and not self._ready(point):
            self._reading = self._submit(point, "prepare")

    def _ask(self) -> None:
        if self._asked is not None:
            self._waiting = True
            return
        point = self._point
        if point is not None and (job_id := self._submit(point, "preview")):
            self._asked = (job_id, point)

    def _submit(self, point: HoverPoint, purpose: str) -> str:
        """The id of the job that was queued; empty when there is nothing to ask."""
        request = self._request(point, purpose)
        if request is None:
            return ""
        job = Job(
            id=new_id("job"), lane=Lane.PREVIEW, request=request, label="Selection preview", owner=f"hover-{purpose}"
        )
        self._host.submit(job)
        return job.id

    def _request(self, point: HoverPoint, purpose: str) -> SegmentRequest | None:
        from gen2studio.app import planning
        from gen2studio.document import masks as edits

        document, object_id = self._document, point.object_id
        assert document is not None
        spot = ((point.x, point.y),)
        try:
            if not object_id:
                object_id = new_id("mask")
                document = edits.add_object(document, point.media_id, object_id=object_id)
            planned = planning.plan_segment(
                document, object_id, point.frame, include=() if point.subtract else spot,
                exclude=spot if point.subtract else (), brush_radius=point.radius,
            )  # fmt: skip
            return replace(planned, purpose=purpose, engine=self._choice.chosen("select"))
        except StudioError:
            # The frame went away under the pointer.
            return None

    # -- answers ---------------------------------------------------------------------------------------------------

    def _on_previewed(self, event: SelectionPreviewed) -> None:
        if self._asked is not None and event.job_id == self._asked[0] and self._point is not None:
            asked = self._asked[1]
            if (asked.media_id, asked.frame) == (self._point.media_id, self._point.frame):
                self.subtracts = asked.subtract
                self._show(event.mask)

    def _on_progressed(self, event: Progress) -> None:
        if event.job_id == self._reading:
            share = f" {event.done * 100 // event.total} %" if event.total > 1 else "…"
            self._tell(f"{event.stage}{share}")

    def _on_state_changed(self, event: StateChanged) -> None:
        if not event.state.ended:
            return
        if event.job_id == self._reading:
            self._reading = ""
            self._tell("")
            if self._point is None or event.state is JobState.CANCELLED:
                return
            self._read.add(self._key(self._point))
            if event.state is JobState.FINISHED:
                self._ask()
            else:
                self._tell(event.reason)
        elif self._asked is not None and event.job_id == self._asked[0]:
            self._asked = None
            if event.state is JobState.FAILED:
                self._show(None)
            if self._waiting:
                self._waiting = False
                self._ask()

    def _tell(self, text: str) -> None:
        if text != self.busy:
            self.busy = text
            self.changed.emit()

    def _show(self, mask: NDArray[np.uint8] | None) -> None:
        if mask is not None or self.mask is not None:
            self.mask = mask
            self.changed.emit()
