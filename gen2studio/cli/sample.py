"""``gen2studio sample``: render the bundled sample project headless: its looks are generated, then it is exported."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.core.errors import StudioError
from gen2studio.core.ids import new_id
from gen2studio.core.paths import resources_dir

if TYPE_CHECKING:
    from gen2studio.app.project_files import Project
    from gen2studio.document.model import Clip, Document

DONE, STOPPED = 0, 130


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "sample",
        help="render the bundled sample project to a film",
        description="Render the bundled sample project: clips with a look are generated, then all of it is exported.",
    )
    parser.add_argument("--out", type=Path, default=Path("out/sample.mp4"), help="film to write (default: %(default)s)")
    parser.add_argument("--preset", default="h264", help="export preset (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Generate, export, print the film's path. Exit codes as of the other verbs."""
    from gen2studio.app.export import ExportSettings, export_sequence
    from gen2studio.app.project_files import Project
    from gen2studio.cli.export import cancelled_by_signals, draw
    from gen2studio.cli.progress_bar import ProgressBar
    from gen2studio.engine.take_store import TakeStore

    args.out.parent.mkdir(parents=True, exist_ok=True)
    project, document = Project.open_copy(resources_dir() / "sample" / "sample.g2s")
    try:
        generated = generate_looks(project, document)
        if generated is None:
            return STOPPED
        bar = ProgressBar()
        with cancelled_by_signals() as cancel:
            result = export_sequence(
                generated,
                ExportSettings(path=args.out, preset=args.preset),
                take_folder=TakeStore(project.takes_dir).path,
                project_folder=project.folder,
                cancel=cancel,
                on_progress=partial(draw, bar),
            )
        bar.clear()
    finally:
        project.close()
    print(f"The film is ready: {result.path.resolve()}")
    return DONE


def generate_looks(project: Project, document: Document) -> Document | None:
    """Make and apply a take for every clip with a look but no take; None when stopped. Raises StudioError."""
    from gen2studio.app import planning
    from gen2studio.cli.progress_bar import ProgressBar
    from gen2studio.cli.running import run_job
    from gen2studio.compose import generator_registry
    from gen2studio.document import takes
    from gen2studio.document.model import Take
    from gen2studio.engine.events import JobState
    from gen2studio.engine.requests import Job, Lane, request_digest, request_recipe
    from gen2studio.engine.take_store import TakeStore
    from gen2studio.engine.workspace import Workspace

    registry = generator_registry()
    store = TakeStore(project.takes_dir)
    for clip in _wanting(document):
        assert clip.look is not None
        found = next((a for a in registry.serving(clip.look.mode.value)), None)
        if found is None:
            raise StudioError(registry.why_not(clip.look.mode.value))
        look = replace(clip.look, generator=found.id)
        request = planning.plan_generate(document, clip, look, blobs=project.find_blob, revision=found.revision)
        take_id = new_id("take")
        job = Job(id=new_id("job"), lane=Lane.RENDER, request=request, label=clip.name, owner=clip.id, take_id=take_id)
        bar = ProgressBar()
        if run_job(job, Workspace(takes=store, matte=project.tiles.unpack), bar) is not JobState.FINISHED:
            return None
        take = Take(
            id=take_id, media_id=clip.media_id, name=clip.name, request_digest=request_digest(request),
            recipe=request_recipe(request), look=look, start=request.start, stop=request.stop, done=store.done(take_id),
            width=request.width, height=request.height,
        )  # fmt: skip
        document = takes.apply_take(takes.add_take(document, take, clip.id), clip.id, take_id)
    return document


def _wanting(document: Document) -> list[Clip]:
    sequence = document.sequence
    tracks = sequence.video_tracks if sequence else ()
    return [clip for track in tracks for clip in track.clips if clip.look is not None and not clip.active_take]
