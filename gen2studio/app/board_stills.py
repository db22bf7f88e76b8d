"""Stills of storyboard panels before their shots: four variations each, kept in the project, one to be the guide."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gen2studio.app import planning
from gen2studio.app.board_layout import LaidPanel, lay_panels, panel_shot, shot_look
from gen2studio.app.generation import Generation
from gen2studio.app.jobs import EngineSignals
from gen2studio.app.shot_wish import shot_item
from gen2studio.core.errors import StudioError, sentence_of
from gen2studio.core.frozen import frozen_map
from gen2studio.core.geometry import Extent
from gen2studio.core.ids import new_id
from gen2studio.core.paths import cache_dir
from gen2studio.core.records import dataclass
from gen2studio.document import board_edits, boards
from gen2studio.document.board_values import PanelStill
from gen2studio.document.lookup import find_clip
from gen2studio.document.model import Board, Document, Panel, Shot
from gen2studio.engine.events import FrameReady, JobState, StateChanged
from gen2studio.engine.requests import GenerateRequest, Job, Lane

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gen2studio.app.storyboards import Storyboards

COUNT = 4
_SEEDS = 1 << 31


@dataclass(frozen=True, slots=True)
class _Asked:
    board_id: str
    panel_id: str
    seed: int


class BoardStills(QObject):
    """Queues stills and keeps what comes of them. Lives on the UI thread; pictures are stored on one of its own.

    Stills are findings of jobs, not edits: undo leaves them. Choosing one is an edit.
    """

    changed = Signal(str)
    """Panel id whose stills are made, or arrived."""

    _kept = Signal(object, str, str)
    _prepared = Signal(object, str)

    def __init__(
        self, storyboards: Storyboards, generation: Generation, engine: EngineSignals, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._boards = storyboards
        self._session = storyboards.session
        self._generation = generation
        self._engine = engine
        self._asked: dict[str, _Asked] = {}
        self._slates: dict[str, Shot] = {}
        """Path of a slate → the shot it stands for."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="stills")
        engine.frame_ready.connect(self._on_frame)
        engine.state_changed.connect(self._on_state)
        self._kept.connect(self._on_kept)
        self._prepared.connect(self._on_prepared)
        self._session.store.replaced.connect(lambda _document: self._asked.clear())

    def shutdown(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def waiting(self, panel_id: str) -> int:
        """How many stills of a panel are still being made."""
        return sum(1 for asked in self._asked.values() if asked.panel_id == panel_id)

    def make(self, board: Board, panel_ids: Collection[str] = (), count: int = COUNT) -> tuple[str, ...]:
        """Queue ``count`` stills of all panels (or of these), with the seeds that follow each other from the panel's
        own; returns the job ids. Raises StudioError; then nothing was queued."""
        chosen = [panel for panel in board.panels if not panel_ids or panel.id in panel_ids]
        planned = [(panel, request) for panel in chosen for request in self._plan(board, panel, count)]
        for panel in chosen:
            self._session.store.amend(
                lambda d, p=panel: _if_there(d, board.id, p.id, board_edits.clear_stills), carried=True
            )
        jobs: list[str] = []
        for panel, request in planned:
            name = panel.name or f"panel {board.panels.index(panel) + 1}"
            job = Job(
                id=new_id("job"), lane=Lane.STILLS, request=request, label=f"{board.name}: still of {name}",
                # A newer job of one owner takes the place of an older one: these are four.
                owner=f"{panel.id}-{request.seed}",
            )  # fmt: skip
            self._asked[job.id] = _Asked(board.id, panel.id, request.seed)
            jobs.append(job.id)
            self._pool.submit(self._prepare, job, dict(self._slates))
        for panel in chosen:
            self.changed.emit(panel.id)
        return tuple(jobs)

    def _plan(self, board: Board, panel: Panel, count: int) -> list[GenerateRequest]:
        """Requests for the first frame of the panel's shot, as if it lay on a timeline. Nothing is placed for it."""
        generation = self._generation
        bare = replace(panel, guide="", clip_id="")
        shot = panel_shot(board, bare)
        item = shot_item(shot, panel.name or "Panel", cache_dir("panels"))
        # One slate for all shots of a size and length: nothing is placed, so nothing else would write it.
        name = f"slate_{shot.width}x{shot.height}_{shot.rate.numerator}-{shot.rate.denominator}_{shot.frames}.mp4"
        item = replace(item, path=(cache_dir("panels") / name).as_posix())
        self._slates[item.path] = shot
        only = replace(board, panels=(bare,))
        empty = replace(
            self._session.document, sequences=frozen_map({}), active_sequence="",
            boards=frozen_map({board.id: only}),
        )  # fmt: skip
        laid = lay_panels(empty, only, [LaidPanel(bare, item, shot_look(only, bare))], frame=0)
        sequence = laid.document.sequence
        clip = find_clip(sequence, laid.clip_ids[0]) if sequence is not None else None
        assert clip is not None and clip.look is not None
        first = boards.seed_of_panel(board, bare)
        made: list[GenerateRequest] = []
        for number in range(count):
            look = generation.effective(replace(clip.look, seed=(first + number) % _SEEDS))
            made.append(
                planning.plan_generate(
                    laid.document, clip, look, blobs=generation.find_blob, adapters=generation.adapters,
                    revision=generation.revision_for(look), frames=(0,), revision_of=generation.revision_for,
                )
            )  # fmt: skip
        return made

    def _prepare(self, job: Job, slates: dict[str, Shot]) -> None:
        """Write the slate that a job's request names, then have it queued."""
        from gen2studio.media import codecs

        sentence = ""
        try:
            codecs.load()
            from gen2studio.media.slate import write_slate

            assert isinstance(job.request, GenerateRequest)
            path = Path(job.request.source.path)
            shot = slates[path.as_posix()]
            if not path.is_file():
                write_slate(path, Extent(shot.width, shot.height), shot.rate, shot.frames)
        except Exception as error:  # the thread must go on
            sentence = sentence_of(error)
        self._prepared.emit(job, sentence)

    def _on_prepared(self, job: Job, sentence: str) -> None:
        asked = self._asked.get(job.id)
        if asked is None:
            return  # another project is open
        if sentence:
            del self._asked[job.id]
            self._session.tell(sentence, "error")
            self.changed.emit(asked.panel_id)
        else:
            self._engine.submit(job)

    # -- what comes of it ---------------------------------------------------------------------------------------------

    def _on_frame(self, event: FrameReady) -> None:
        asked = self._asked.get(event.job_id)
        if asked is not None:
            self._pool.submit(self._keep, asked, event.picture)

    def _keep(self, asked: _Asked, picture: NDArray[np.uint8]) -> None:
        from gen2studio.engine.take_store import encode_png

        try:
            self._kept.emit(asked, self._boards.add_picture(encode_png(picture)), "")
        except (StudioError, OSError) as error:
            self._kept.emit(asked, "", sentence_of(error))

    def _on_kept(self, asked: _Asked, digest: str, sentence: str) -> None:
        if sentence:
            self._session.tell(sentence, "error")
            return
        still = PanelStill(picture=digest, seed=asked.seed)
        self._session.store.amend(
            lambda d: _if_there(
                d, asked.board_id, asked.panel_id, lambda d, b, p: board_edits.add_still(d, b, p, still)
            ),
            carried=True,
        )
        self.changed.emit(asked.panel_id)

    def _on_state(self, event: StateChanged) -> None:
        if event.state.ended and (asked := self._asked.pop(event.job_id, None)) is not None:
            self.changed.emit(asked.panel_id)
            if event.state is JobState.FAILED:
                # The others would fail for the same reason, each with a message of its own.
                for job_id in [i for i, other in self._asked.items() if other.panel_id == asked.panel_id]:
                    self._engine.cancel(job_id)


def _if_there(document: Document, board_id: str, panel_id: str, edit: object) -> Document:
    """``edit(document, board id, panel id)``, unless the panel is gone: jobs end when they end."""
    board = document.boards.get(board_id)
    if board is None or all(panel.id != panel_id for panel in board.panels):
        return document
    return edit(document, board_id, panel_id)  # type: ignore[operator, no-any-return]
