"""``gen2studio task``: the worker's side of a farm job: renders one task of a bundle, without project or document."""

from __future__ import annotations

import argparse
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.core.errors import FarmError, GenerationError, UsageError

if TYPE_CHECKING:
    from gen2studio.engine.events import Event
    from gen2studio.engine.farm.bundle import FarmJob, FarmShot
    from gen2studio.engine.requests import GenerateRequest
    from gen2studio.raster.tiles import TileStore


def add_parser(subparsers: Any) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "task",
        help="render one task of a farm job",
        description="Render one task of a job that “submit” wrote; farms call it. A task that was stopped or killed "
        "keeps its finished frames: run again, it goes on there and gives the same frames.",
    )
    parser.add_argument("job", type=Path, help="job folder of the bundle")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the frames go")
    parser.add_argument("--shot", type=int, metavar="N", help="which shot of the job, from 1")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--frames", default="", metavar="A-B", help="only these frames (default: the whole shot)")
    what.add_argument("--ahead", action="store_true", help="only lay down what the frames of the shot share")
    what.add_argument("--gather", action="store_true", help="check that every frame is there, and list them")


def run(args: argparse.Namespace) -> int:
    """Run the task. Raises StudioError; returns 0, or 130 when it was stopped."""
    from gen2studio.engine.farm.bundle import job_folder, read_job

    folder = job_folder(args.job)
    job = read_job(folder)
    if args.gather:
        from gen2studio.cli.export import cancelled_by_signals
        from gen2studio.engine.farm.results import gather

        with cancelled_by_signals() as cancel:
            count = gather(job, args.out, cancel)
        _say("progress", "100.0")
        print(f"{count} frames are there and whole.")
        return 0
    if args.shot is None:
        raise UsageError("Say which shot of the job: --shot N, or --gather.")
    shot = job.shot(args.shot)
    return _render(job, shot, folder, args.out, _span(args, shot))


def _span(args: argparse.Namespace, shot: FarmShot) -> tuple[int, int] | None:
    """The media frames of the task; None = the whole shot, an empty span lays down what is shared."""
    start, stop = shot.request.start, shot.request.stop
    if args.ahead:
        return start, start
    if not args.frames:
        return None
    found = re.fullmatch(r"(\d{1,9})-(\d{1,9})", args.frames)
    span = (int(found[1]), int(found[2]) + 1) if found else (0, 0)
    if not start <= span[0] < span[1] <= stop:
        raise UsageError(f"“{args.frames}” are no frames of this shot, which has {start}-{stop - 1}.")
    return span


def _render(job: FarmJob, shot: FarmShot, folder: Path, out: Path, span: tuple[int, int] | None) -> int:
    from gen2studio.engine.farm.bundle import verified

    request = verified(job, shot, folder)
    _check_generators(request)
    with tempfile.TemporaryDirectory(prefix="gen2studio-") as desk:
        return _run(job, shot, _with_slate(request, Path(desk)), folder, out, span)


def _with_slate(request: GenerateRequest, desk: Path) -> GenerateRequest:
    """A shot without footage gets the grey film that stands for it, on this machine."""
    from gen2studio.core.geometry import Extent
    from gen2studio.media.slate import write_slate

    source = request.source
    if not request.from_nothing or source.path:
        return request
    path = desk / "slate.mkv"
    write_slate(path, Extent(source.width, source.height), source.rate, source.frame_count)
    return replace(request, source=replace(source, path=str(path)))


def _run(
    job: FarmJob, shot: FarmShot, request: GenerateRequest, folder: Path, out: Path, span: tuple[int, int] | None
) -> int:
    from gen2studio.cli.progress_bar import ProgressBar
    from gen2studio.cli.running import run_job
    from gen2studio.core.ids import new_id
    from gen2studio.engine.events import JobState, Progress
    from gen2studio.engine.farm.bundle import tile_files
    from gen2studio.engine.farm.results import SharedTakes
    from gen2studio.engine.requests import Job, Lane
    from gen2studio.engine.workspace import Workspace

    takes = SharedTakes(out.absolute(), span or (request.start, request.stop))
    wanted = span or (request.start, request.stop)

    def hear(event: Event) -> None:
        if isinstance(event, Progress) and event.total:
            _say("progress", f"{100 * event.done / event.total:.1f}")

    _say("status", f"{shot.label}: " + (f"frames {wanted[0]} to {wanted[1] - 1}" if wanted[0] < wanted[1] else "ahead"))
    job_ = Job(
        id=new_id("job"), lane=Lane.RENDER, request=request, label=shot.label, take_id=shot.take_id, span=span
    )  # fmt: skip
    workspace = Workspace(takes=takes, matte=_tiles(tile_files(job, folder)).unpack)
    state = run_job(job_, workspace, ProgressBar(), hear)
    there = len(takes.frames(shot.take_id))
    if state is not JobState.FINISHED:
        print(f"Stopped: {there} frames are kept.")
        return 130
    _say("progress", "100.0")
    print(f"{there} frames" if wanted[0] < wanted[1] else "Laid down.")
    return 0


def _check_generators(request: GenerateRequest) -> None:
    """The film must not change from machine to machine. Raises GenerationError."""
    from gen2studio.compose import generator_registry

    registry = generator_registry()
    for part in request.parts or (request,):
        abilities = next((found for found in registry.abilities if found.id == part.generator), None)
        if abilities is None:
            known = ", ".join(found.id for found in registry.abilities) or "none"
            raise GenerationError(f"The generator “{part.generator}” is not installed here.", f"Installed: {known}.")
        if abilities.revision != part.revision:
            raise GenerationError(
                f"{abilities.title} is here in revision {abilities.revision}, and the job was planned with "
                f"{part.revision}.",
                "Install the same version of Gen2 Studio and of the model on every machine.",
            )


def _tiles(files: dict[str, Path]) -> TileStore:
    from gen2studio.raster.tiles import TileStore

    return TileStore(_Files(files))


class _Files:
    """Mattes that travel with the job; they are only read."""

    def __init__(self, files: dict[str, Path]) -> None:
        self._files = files

    def load_tile(self, digest: str) -> bytes | None:
        path = self._files.get(digest)
        try:
            return path.read_bytes() if path is not None else None
        except FileNotFoundError:
            return None

    def save_tile(self, digest: str, packed: bytes) -> None:
        raise FarmError(f"A task paints no mattes, and one was to be kept ({digest[:8]}).")


def _say(what: str, value: str) -> None:
    """A line that runtimes of Open Job Description read (How Jobs Are Run, "Stdout/Stderr Messages")."""
    print(f"openjd_{what}: {value}", flush=True)
