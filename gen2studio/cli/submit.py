"""``gen2studio submit``: clips or storyboard panels of a project as a job for a render farm."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.cli.progress_bar import ProgressBar
from gen2studio.core.errors import ProjectError, StudioError, UsageError

if TYPE_CHECKING:
    from gen2studio.app.farm import FarmPlan
    from gen2studio.app.studio import Studio


def add_parser(subparsers: Any) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "submit",
        help="write clips or storyboard panels as a job for a render farm",
        description="Write an Open Job Description bundle: “openjd run” renders it on this machine, AWS Deadline Cloud "
        "takes it with “deadline bundle submit”. It holds everything but the programs and the models, which every "
        "worker needs in the same version. “gen2studio collect” brings the takes back.",
    )
    parser.add_argument("project", type=Path, help="project folder or .g2s file")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="BUNDLE", help="folder to write; it must not be there"
    )
    parser.add_argument(
        "--clip", action="append", default=[], metavar="NAME",
        help="only clips of this name; may be given again (default: those to be made or renewed)",
    )  # fmt: skip
    parser.add_argument(
        "--board", default="", metavar="NAME",
        help="the shots of this storyboard instead, one task for each panel; they are laid on the timeline, and the "
        "project is saved",
    )  # fmt: skip
    parser.add_argument("--panels", default="", metavar="1,3-5", help="only these panels of --board, by number")
    parser.add_argument(
        "--frames", type=int, default=0, metavar="N",
        help="frames of a task at most, where they can be made apart (default: 24 in HD, the whole clip below)",
    )  # fmt: skip
    parser.add_argument("--name", default="", help="name of the job (default: the project's)")
    parser.add_argument(
        "--program", default="gen2studio", metavar="COMMAND", help="Gen2 Studio on the workers (default: %(default)s)"
    )
    parser.add_argument("--priority", type=int, default=50, metavar="0-100", help="for the farm (default: %(default)s)")
    parser.add_argument("--no-gpu", action="store_true", help="models may run on workers without a GPU")
    parser.add_argument("--quiet", "-q", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Write the bundle. Raises StudioError."""
    from gen2studio import compose
    from gen2studio.app.farm import Submission, write
    from gen2studio.cli.board import _board_of, _gui, _numbers
    from gen2studio.cli.export import cancelled_by_signals

    if args.out.exists():
        raise UsageError(f"“{args.out}” is already there; choose another folder.")
    if args.frames < 0 or not 0 <= args.priority <= 100:
        raise UsageError("--frames and --priority are no numbers for a job.")
    if not args.project.exists():
        raise ProjectError(f"“{args.project.name}” is not there.", "Choose a project.")
    application = _gui()
    studio = compose.studio(sound=False)
    bar = None if args.quiet else ProgressBar()
    said: list[str] = []
    studio.session.message.connect(lambda severity, text: said.append(text) if severity != "info" else None)
    try:
        if not studio.open_project(args.project):
            raise ProjectError(said[-1] if said else "The project can't be opened.")
        frames = args.frames
        if args.board:
            board = _board_of(studio.store.document, args.board)
            chosen = tuple(board.panels[i].id for i in _numbers(args.panels, len(board.panels)))
            before = len(said)
            plan = studio.render_farm.plan_board(board.id, frames, chosen)
            if not plan.shots:
                raise StudioError(said[-1] if len(said) > before else "The storyboard has no panel to make.")
            if not studio.save():
                raise ProjectError(said[-1] if said else "The project can't be saved.")
        else:
            plan = _plan_clips(studio, args.clip, frames)
        for refused in plan.refused:
            print(refused, file=sys.stderr)
        wish = Submission(
            target=args.out.absolute(), name=args.name or studio.title, program=args.program, gpu=not args.no_gpu,
            priority=args.priority,
        )  # fmt: skip
        with cancelled_by_signals() as cancel:
            made = write(
                plan, wish, studio.store.document.id, studio.project.tiles, cancel,
                (lambda done, total: bar.show(done, max(1, total), "Packing")) if bar is not None else None,
            )  # fmt: skip
    finally:
        if bar is not None:
            bar.clear()
        studio.shutdown(discard=True)
        del application
    for shot in plan.shots:
        print(f"{shot.label}: {shot.division.why}", file=sys.stderr)
    print(f"{made.path}: {made.shots} {'shot' if made.shots == 1 else 'shots'}, {made.tasks} tasks")
    return 0


def _plan_clips(studio: Studio, names: list[str], frames: int) -> FarmPlan:
    from gen2studio.app.farm import STALE

    if not names:
        plan = studio.render_farm.plan(STALE, frames)
    else:
        sequence = studio.session.sequence
        clips = [clip for track in sequence.video_tracks for clip in track.clips] if sequence is not None else []
        unknown = [name for name in names if not any(clip.name == name for clip in clips)]
        if unknown:
            there = ", ".join(f"“{clip.name}”" for clip in clips) or "none"
            raise UsageError(f"The timeline has no clip “{unknown[0]}”; it has {there}.")
        plan = studio.render_farm.plan_clips(tuple(clip for clip in clips if clip.name in names), frames)
    if not plan.shots and plan.refused:
        raise StudioError(plan.refused[0])
    return plan
