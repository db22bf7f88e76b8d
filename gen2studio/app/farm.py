"""Render farms: clips and panels written as a job that other machines render, and their takes on the way back.

Planning is the very planning of a run here; only who renders is different. Files are moved on a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from gen2studio.app.export_values import ExportProgress
from gen2studio.app.file_job import FileJob, Tell
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import FarmError, StudioError
from gen2studio.core.ids import new_id
from gen2studio.core.records import dataclass
from gen2studio.document.look import Look
from gen2studio.document.looks import look_of
from gen2studio.document.model import Clip, Document, Take
from gen2studio.engine.requests import GenerateRequest

if TYPE_CHECKING:
    from gen2studio.app.farm_takes import Home
    from gen2studio.app.generation import Generation
    from gen2studio.app.project_files import Project
    from gen2studio.app.session import Session
    from gen2studio.app.storyboards import Storyboards
    from gen2studio.engine.farm.writing import PlannedShot

SELECTED, STALE = "selected", "stale"
"""Ids of scopes; that of a storyboard is its own id."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be submitted."""

    id: str
    title: str
    count: int
    """Clips, or panels."""


@dataclass(frozen=True, slots=True)
class FarmPlan:
    """What a submission will be."""

    shots: tuple[PlannedShot, ...]
    refused: tuple[str, ...] = ()
    """“clip: why not” of what can't be planned."""

    @property
    def tasks(self) -> int:
        """Tasks that render; one more gathers."""
        return sum(shot.tasks for shot in self.shots)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """How a job is written."""

    target: Path
    name: str
    program: str = "gen2studio"
    """The command of Gen2 Studio on the workers."""
    gpu: bool = True
    """Models with weights want workers with a GPU."""
    priority: int = 50


@dataclass(frozen=True, slots=True)
class Submitted:
    path: Path
    shots: int
    tasks: int


@dataclass(frozen=True, slots=True)
class Collected:
    """What came back, checked and copied: ready to be shown."""

    homes: tuple[Home, ...]
    frames: int
    project: str
    """Id of the document they were checked against."""


class Farm(QObject):
    """Submits to farms and collects from them. Lives on the UI thread."""

    def __init__(
        self,
        session: Session,
        generation: Generation,
        storyboards: Callable[[], Storyboards],
        is_stale: Callable[[Clip, Take], bool],
        project: Callable[[], Project],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._generation = generation
        self._storyboards = storyboards
        self._is_stale = is_stale
        self._project = project

    # -- what there is to do ---------------------------------------------------------------------------------------

    def scopes(self) -> tuple[Scope, ...]:
        """What may be submitted now; empty scopes are left out."""
        found = [
            Scope(SELECTED, "Selected clips", len(self._clips(SELECTED))),
            Scope(STALE, "Clips to be made or renewed", len(self._clips(STALE))),
        ]
        found += [Scope(b.id, f"Storyboard “{b.name}”", len(b.panels)) for b in self._session.document.boards.values()]
        return tuple(scope for scope in found if scope.count)

    def plan(self, scope: str, frames: int) -> FarmPlan:
        """What submitting clips comes to, with tasks of at most ``frames`` frames (0 = as is best). Changes nothing."""
        return self.plan_clips(self._clips(scope), frames)

    def plan_board(self, board_id: str, frames: int, panel_ids: tuple[str, ...] = ()) -> FarmPlan:
        """Lay the shots of a storyboard out on the timeline and plan them. Why it can't is told by the session."""
        boards = self._storyboards()
        boards.choose(board_id)
        return FarmPlan(
            tuple(self._shot(clip.id, label, request, frames) for clip, request, label in boards.planned(panel_ids))
        )

    def plan_clips(self, clips: tuple[Clip, ...], frames: int) -> FarmPlan:
        """Plan these clips with the looks they have."""
        shots: list[PlannedShot] = []
        refused: list[str] = []
        document = self._session.document
        for clip in clips:
            look = look_of(document, clip)
            try:
                if not _paints(look):
                    raise FarmError("It has no look yet.", "Give it one.")
                request = self._generation.plan(clip, look)
                shots.append(self._shot(clip.id, self._generation.run_label(clip, look), request, frames))
            except StudioError as error:
                refused.append(f"{clip.name}: {error}")
        return FarmPlan(tuple(shots), tuple(refused))

    def _shot(self, clip_id: str, label: str, request: GenerateRequest, frames: int) -> PlannedShot:
        from gen2studio.engine.farm.windows import divided
        from gen2studio.engine.farm.writing import PlannedShot

        generators = [self._generation.abilities_of(part.generator) for part in request.parts or (request,)]
        abilities = generators[0]
        if abilities is None:
            raise FarmError(f"The generator “{request.generator}” is not installed.", "Choose another one.")
        return PlannedShot(
            take_id=new_id("take"), clip_id=clip_id, label=label, request=request,
            division=divided(request, abilities, frames),
            gpu=any(found is not None and found.needs_weights for found in generators),
        )  # fmt: skip

    def _clips(self, scope: str) -> tuple[Clip, ...]:
        session = self._session
        sequence = session.sequence
        tracks = sequence.video_tracks if sequence is not None else ()
        clips = tuple(clip for track in tracks for clip in track.clips)
        if scope == SELECTED:
            return tuple(clip for clip in clips if clip.id in session.selection)
        return tuple(clip for clip in clips if clip.enabled and self._lacks(session.document, clip))

    def _lacks(self, document: Document, clip: Clip) -> bool:
        """A clip with a look of its own that shows no take of it."""
        if clip.look is None or not _paints(clip.look):
            return False
        take = document.takes.get(clip.active_take)
        return take is None or self._is_stale(clip, take)

    # -- there and back --------------------------------------------------------------------------------------------

    def submit_job(self, plan: FarmPlan, wish: Submission, parent: QObject) -> FileJob:
        """Writes the bundle; ``finished`` brings :class:`Submitted`."""
        document, tiles = self._session.document, self._project().tiles

        def work(cancel: CancelToken, tell: Tell) -> object:
            return write(plan, wish, document.id, tiles, cancel, lambda done, total: _tell(tell, done, total))

        return FileJob("submit-job", work, parent)

    def collect_job(self, path: Path, parent: QObject) -> FileJob:
        """Checks what a farm has rendered and copies its frames; ``finished`` brings :class:`Collected`, for
        :meth:`take_in`."""
        document, folder = self._session.document, self._project().takes_dir

        def work(cancel: CancelToken, tell: Tell) -> object:
            return collect(path, document, folder, cancel, lambda done, total: _tell(tell, done, total))

        return FileJob("collect-job", work, parent)

    def take_in(self, found: Collected, *, apply: bool = True) -> None:
        """Add the takes (not undoable, as all takes), and show them in their clips (one undo step).

        Raises FarmError when another project is open by now.
        """
        from gen2studio.app.farm_takes import applied, with_takes

        store = self._session.store
        if store.document.id != found.project:
            raise FarmError("Another project was opened meanwhile.", "Open the one that was submitted, then collect.")
        store.amend(lambda document: with_takes(document, found.homes), carried=True)
        if apply:
            store.apply("Collect from farm", applied(store.document, found.homes))


def write(
    plan: FarmPlan,
    wish: Submission,
    project: str,
    tiles: object,
    cancel: CancelToken | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> Submitted:
    """Write a planned job. Raises FarmError, OSError, Cancelled; nothing is left then."""
    from gen2studio.engine.farm.writing import write_bundle
    from gen2studio.raster.tiles import TileStore

    assert isinstance(tiles, TileStore)
    write_bundle(
        wish.target, plan.shots, name=wish.name, project=project, tiles=tiles, program=wish.program, gpu=wish.gpu,
        priority=wish.priority, cancel=cancel, tell=tell,
    )  # fmt: skip
    return Submitted(wish.target, len(plan.shots), plan.tasks)


def collect(
    path: Path,
    document: Document,
    takes_dir: Path,
    cancel: CancelToken | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> Collected:
    """Check the results of a bundle and copy them into a project's takes. Raises FarmError, GenerationError, OSError,
    Cancelled; a take that is half copied then is on no list, and goes on at the next try."""
    from gen2studio.app.farm_takes import homes
    from gen2studio.engine.farm.bundle import RESULTS, job_folder, read_job
    from gen2studio.engine.farm.results import checked, keep
    from gen2studio.engine.take_store import TakeStore

    folder = job_folder(path)
    job = read_job(folder)
    found = homes(document, job)
    # Each frame is read twice: to check all of them before anything is kept, and to keep it.
    shots = checked(job, folder.parent / RESULTS, cancel, _half(tell, 0))
    keep(shots, TakeStore(takes_dir), cancel, _half(tell, 1))
    return Collected(found, sum(len(shot.files) for shot in shots), document.id)


def _half(tell: Callable[[int, int], None] | None, number: int) -> Callable[[int, int], None] | None:
    return (lambda done, total: tell(number * total + done, 2 * total)) if tell is not None else None


def _tell(tell: Tell, done: int, total: int) -> None:
    # Whole per mille: Qt's progress bar counts in 32 bits, and films have more bytes.
    tell(ExportProgress(done=done * 1000 // max(1, total), total=1000, frames_per_second=0.0, seconds_left=None))


def _paints(look: Look) -> bool:
    """Whether a look says anything to be made."""
    plain = replace(look, parts=())
    return bool(
        look.by_object or plain.preset or plain.styles or plain.keys or plain.pattern or plain.prompt.strip()
        or plain.layout or plain.outpaint.adds
    )  # fmt: skip
