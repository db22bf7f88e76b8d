"""Results that become footage: a take as a clip of its own, more frames a second, more pixels. No widgets.

The frames become a numbered image sequence among the project's own media, so that they stay whatever becomes of the
take. They are linked where the disk can, and copied elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from gen2studio.app import planning
from gen2studio.app.importing import place_on_timeline
from gen2studio.app.jobs import EngineSignals
from gen2studio.app.session import Session
from gen2studio.core.errors import GenerationError, StudioError, sentence_of
from gen2studio.core.hashing import file_fingerprint
from gen2studio.core.ids import new_id
from gen2studio.core.records import dataclass
from gen2studio.document import edits, media_edits, shots
from gen2studio.document.model import Clip, Document, MediaItem
from gen2studio.document.takes import take_of
from gen2studio.engine.events import JobState, StateChanged
from gen2studio.engine.requests import Job, Lane, OperateRequest
from gen2studio.engine.take_store import TakeStore

FACTORS = (2, 4)
_TITLES = {"interpolate": "{}× frames", "upscale": "{}× size"}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Frames to turn into a media item."""

    label: str
    name: str
    rate: Fraction
    owner: str
    """Clip that the new one goes over, or empty."""
    discard: str = ""
    """Take folder that is not needed afterwards."""


def sequence_media(files: Sequence[Path], folder: Path, name: str, rate: Fraction) -> MediaItem:
    """A media item whose frames are ``files`` in order, linked or copied into ``folder``. Raises MediaError, OSError.

    Call it on a thread: it touches every file.
    """
    from gen2studio.media import codecs

    codecs.load()
    from gen2studio.media.probe import probe

    media_id = new_id("media")
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    try:
        for number, file in enumerate(files):
            target = folder / f"{media_id}_{number:06d}.png"
            made.append(target)
            try:
                os.link(file, target)
            except OSError:
                shutil.copy2(file, target)
        info = probe(made[0], as_sequence=True)
        info = replace(info, rate=rate, frame_count=len(made), exact=True, duration=len(made) / rate)
        return MediaItem(
            id=media_id, name=name, path=made[0].as_posix(), fingerprint=file_fingerprint(made[0]), info=info
        )
    except BaseException:
        for target in made:
            with contextlib.suppress(OSError):
                target.unlink()
        raise


class TakeFootage(QObject):
    """Turns takes and operators' results into media and clips. Lives on the UI thread; files are moved on another."""

    footage_made = Signal(str, str)
    """(media id, clip id) of a result that is in the project now; the clip id may be empty."""

    _arrived = Signal(object, object, object)

    def __init__(
        self,
        session: Session,
        engine: EngineSignals,
        take_store: Callable[[], TakeStore | None],
        media_folder: Callable[[], Path],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._engine = engine
        self._take_store = take_store
        self._media_folder = media_folder
        self._jobs: dict[str, tuple[Job, TakeStore | None]] = {}
        self._round = 0
        self._closed = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="footage")
        self._arrived.connect(self._on_arrived)
        engine.submitted.connect(self._on_submitted)
        engine.state_changed.connect(self._on_state_changed)
        session.store.replaced.connect(self._on_replaced)

    def shutdown(self) -> None:
        """End the thread; results that arrive from now on are left where they are."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    # -- commands -----------------------------------------------------------------------------------------------------

    def use_take(self, take_id: str, clip_id: str = "") -> bool:
        """Make a clip of its own of a take's frames (the longest run of them); it arrives a moment later.

        It is laid over the clip that lists the take. False after saying why it can't be done.
        """
        document = self._session.document
        try:
            take = take_of(document, take_id)
            start, stop = max(take.done, key=lambda run: run[1] - run[0], default=(0, 0))
            if stop <= start:
                raise GenerationError("That take has no finished frame yet.", "Wait for its first frames.")
            item = media_edits.media_of(document, take.media_id)
        except StudioError as error:
            self._session.tell(str(error), "warning")
            return False
        store = self._take_store()
        assert store is not None
        owner = clip_id or self._clip_with(document, take_id)
        rate = item.info.rate or Fraction(25)
        wanted = _Wanted("Use take as footage", f"{item.name}, {take.name}", rate, owner)
        self._submit(wanted, [store.frame_path(take_id, frame) for frame in range(start, stop)])
        return True

    def interpolate(self, factor: int = 2, clip_id: str = "") -> str:
        """Queue ``factor`` times as many frames a second of what a clip shows; returns the job id, or empty."""
        return self.operate("interpolate", factor, clip_id)

    def upscale(self, factor: int = 2, clip_id: str = "") -> str:
        """Queue ``factor`` times the width and height of what a clip shows; returns the job id, or empty."""
        return self.operate("upscale", factor, clip_id)

    def operate(self, kind: str, factor: int, clip_id: str = "", operator: str = "built-in") -> str:
        """Queue an operator on what a clip (the target) shows. Its result becomes new media and a clip over the old."""
        clip = self._session.find_clip(clip_id) if clip_id else self._session.target_clip()
        store = self._take_store()
        try:
            if factor not in FACTORS:
                raise GenerationError("That can be made two or four times.", "Choose 2 or 4.")
            if clip is None or store is None:
                raise GenerationError("There is no clip to work on.", "Put the playhead on a clip first.")
            request = planning.plan_operate(
                self._session.document, clip, kind, factor, takes=store.path, operator=operator
            )
        except StudioError as error:
            self._session.tell(str(error), "warning")
            return ""
        label = f"{clip.name}: {_TITLES[kind].format(factor)}"
        job = Job(
            id=new_id("job"), lane=Lane.RENDER, request=request, label=label, owner=clip.id, take_id=new_id("take")
        )
        self._engine.submit(job)
        return job.id

    # -- engine -------------------------------------------------------------------------------------------------------

    def _on_submitted(self, job: Job) -> None:
        """Also jobs of an earlier session that go on now."""
        if isinstance(job.request, OperateRequest):
            # The store of now: the project may be another one when the job ends.
            self._jobs[job.id] = job, self._take_store()

    def _on_state_changed(self, event: StateChanged) -> None:
        if event.job_id not in self._jobs or not event.state.ended or self._closed:
            return
        job, store = self._jobs.pop(event.job_id)
        request = job.request
        assert isinstance(request, OperateRequest)
        if event.state is JobState.FAILED:
            self._session.tell(event.reason, "error")
        if store is None:
            return
        if event.state is not JobState.FINISHED:
            # Half of an interpolation is no take that anybody could use.
            self._pool.submit(store.delete, job.take_id)
            return
        item = self._session.document.media.get(request.source.media_id)
        name = f"{item.name if item else 'Clip'}, {_TITLES[request.kind].format(request.factor)}"
        rate = request.source.rate * (request.factor if request.kind == "interpolate" else 1)
        files = [store.frame_path(job.take_id, frame) for frame in store.frames(job.take_id)]
        title = "Interpolate frames" if request.kind == "interpolate" else "Upscale"
        self._submit(_Wanted(title, name, rate, job.owner, discard=job.take_id), files)

    # -- files --------------------------------------------------------------------------------------------------------

    def _submit(self, wanted: _Wanted, files: list[Path]) -> None:
        self._pool.submit(self._make, wanted, files, self._media_folder(), self._take_store(), self._round)

    def _make(self, wanted: _Wanted, files: list[Path], folder: Path, store: TakeStore | None, number: int) -> None:
        item, sentence = None, ""
        try:
            if not files:
                raise GenerationError("No frame came of that.", "Run it again.")
            item = sequence_media(files, folder, wanted.name, wanted.rate)
        except Exception as error:  # the thread must go on
            sentence = sentence_of(error)
        if wanted.discard and store is not None and not sentence:
            store.delete(wanted.discard)
        self._arrived.emit(wanted, item, (sentence, number))

    def _on_arrived(self, wanted: _Wanted, item: MediaItem | None, end: tuple[str, int]) -> None:
        sentence, number = end
        if number != self._round:
            return
        if item is None:
            self._session.tell(sentence, "error")
            return
        document = media_edits.add_media(self._session.document, item)
        clip_id = ""
        try:
            document, clip_id = self._placed(document, item, wanted.owner)
        except StudioError as error:
            self._session.tell(f"It is in the media pool: {error}", "info")
        self._session.store.apply(wanted.label, document)
        if clip_id:
            self._session.set_selection(frozenset({clip_id}))
        self.footage_made.emit(item.id, clip_id)

    def _placed(self, document: Document, item: MediaItem, owner: str) -> tuple[Document, str]:
        sequence = document.sequence
        track_id, frame = "", None
        if sequence is not None and self._session.find_clip(owner) is not None:
            picture, _ = edits.clips_of(item, sequence.rate)
            assert picture is not None
            track_id, frame = shots.place_over(sequence, owner, picture.duration)
        placed = place_on_timeline(document, [item], frame, track=track_id, collision=edits.Collision.REFUSE)
        return placed.document, placed.clip_ids[0]

    def _clip_with(self, document: Document, take_id: str) -> str:
        target = self._session.target_clip()
        if target is not None and take_id in target.takes:
            return target.id
        sequence = document.sequence
        clips: list[Clip] = [c for t in sequence.tracks for c in t.clips] if sequence else []
        return next((clip.id for clip in clips if take_id in clip.takes), "")

    def _on_replaced(self, _document: Document) -> None:
        self._round += 1
        self._jobs.clear()
