"""``gen2studio stills``: a few frames across the clip as the look would make them, in seconds."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from gen2studio.cli.look_options import add_look_options, list_presets
from gen2studio.core.errors import UsageError


def add_parser(subparsers: Any) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "stills",
        help="a few still previews of a look as PNGs",
        description="Preview a look on a few frames spread over the clip, before anything long runs.",
    )
    add_look_options(parser)
    parser.add_argument("--count", type=int, default=4, metavar="N", help="how many (default: 4)")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="where the PNGs go")


def run(args: argparse.Namespace) -> int:
    """Make the stills and print their paths. Raises StudioError."""
    from gen2studio.cli.look_options import planned
    from gen2studio.cli.progress_bar import ProgressBar
    from gen2studio.cli.running import run_job
    from gen2studio.core.ids import new_id
    from gen2studio.core.paths import write_atomic
    from gen2studio.engine.events import Event, FrameReady, JobState
    from gen2studio.engine.requests import Job, Lane
    from gen2studio.engine.take_store import encode_png
    from gen2studio.engine.workspace import Workspace
    from gen2studio.raster.tiles import TileStore

    if args.preset == "list":
        list_presets()
        return 0
    if not 1 <= args.count <= 64:
        raise UsageError("--count lies between 1 and 64.")
    bar = ProgressBar()
    tiles = TileStore()
    choice, work = planned(args, tiles, bar)
    board = args.mode == "storyboard"
    written: list[Path] = []
    state = JobState.FINISHED
    for number, (_, request) in enumerate(work, 1):
        length = request.stop - request.start
        # A storyboard is judged by one still of every panel.
        count = 1 if board else args.count
        frames = sorted({request.start + int((i + 0.5) * length / count) for i in range(count)})

        def hear(event: Event, number: int = number) -> None:
            if isinstance(event, FrameReady):
                name = f"panel_{number:02d}" if board else f"still_{event.frame:06d}"
                target = args.out / f"{name}.png"
                write_atomic(target, encode_png(event.picture))
                written.append(target)

        request = replace(request, frames=tuple(frames))
        job = Job(id=new_id("job"), lane=Lane.STILLS, request=request, label="Stills")
        state = run_job(job, Workspace(matte=tiles.unpack), bar, hear)
        if state is not JobState.FINISHED:
            break
    if state is JobState.FINISHED and not choice.pinned:
        print(f"Made with {choice.abilities.title}. {choice.why}", file=sys.stderr)
    for path in sorted(written):
        print(path)
    return 0 if state is JobState.FINISHED else 130
