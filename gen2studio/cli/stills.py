"""``gen2studio stills``: a few frames across the clip as the look would make them, in seconds."""

from __future__ import annotations

import argparse
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
    from gen2studio.cli.footage import open_footage
    from gen2studio.cli.look_options import request_of
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
    footage = open_footage(args.source)
    request = request_of(args, footage, tiles, bar)
    length = request.stop - request.start
    frames = sorted({request.start + int((i + 0.5) * length / args.count) for i in range(args.count)})
    request = replace(request, frames=tuple(frames))
    written: list[Path] = []

    def hear(event: Event) -> None:
        if isinstance(event, FrameReady):
            target = args.out / f"still_{event.frame:06d}.png"
            write_atomic(target, encode_png(event.picture))
            written.append(target)

    job = Job(id=new_id("job"), lane=Lane.STILLS, request=request, label="Stills")
    state = run_job(job, Workspace(matte=tiles.unpack), bar, hear)
    for path in sorted(written):
        print(path)
    return 0 if state is JobState.FINISHED else 130
