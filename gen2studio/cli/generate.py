"""``gen2studio generate``: make a shot, restyle a clip, or change a subject in it, without a window."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from gen2studio.cli.look_options import add_look_options, list_presets
from gen2studio.core import paths
from gen2studio.core.errors import UsageError


def add_parser(subparsers: Any) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "generate",
        help="make a shot, restyle a clip, or change a subject in it",
        description="Make a shot from words or pictures, restyle a clip, or change a subject in it. "
        "Ctrl-C keeps finished frames: the same command goes on there.",
    )
    add_look_options(parser)
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FILE", help="an .mp4 or .mov, a folder, or name_%%06d.png"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing film")


def run(args: argparse.Namespace) -> int:
    """Render and write. Raises StudioError; returns 0, or 130 when it was stopped."""
    from gen2studio.app.choosing import denoises
    from gen2studio.cli import delivery
    from gen2studio.cli.look_options import planned
    from gen2studio.cli.progress_bar import ProgressBar
    from gen2studio.cli.running import run_job
    from gen2studio.engine.events import JobState
    from gen2studio.engine.requests import Job, Lane, request_digest
    from gen2studio.engine.take_store import TakeStore
    from gen2studio.engine.workspace import Workspace
    from gen2studio.raster.tiles import TileStore

    if args.preset == "list":
        list_presets()
        return 0
    film = delivery.preset_for(args.out)
    if film and args.out.exists() and not args.force:
        raise UsageError(f"“{args.out}” is already there; use --force to replace it.")
    bar = ProgressBar()
    tiles = TileStore()
    choice, work = planned(args, tiles, bar)
    if choice.abilities.memory_plan:
        print(f"{choice.abilities.title}: {choice.abilities.memory_plan}.", file=sys.stderr)
    store = TakeStore(paths.cache_dir("takes"))
    parts: list[delivery.Part] = []
    state = JobState.FINISHED
    for footage, request in work:
        # The take is named by the request, so the same command finds the frames that an interrupted run has kept.
        take_id = f"take-{request_digest(request)[:24]}"
        label = footage.title if len(work) > 1 else args.mode
        job = Job(id=f"job-{take_id[5:]}", lane=Lane.RENDER, request=request, label=label, take_id=take_id)
        state = run_job(job, Workspace(takes=store, matte=tiles.unpack), bar)
        parts.append(delivery.Part(footage, request, take_id, store.frames(take_id)))
        if state is not JobState.FINISHED:
            break
    record = delivery.record_of(parts, denoises(choice.abilities))
    if not film and any(part.frames for part in parts):
        folder = delivery.write_pngs(args.out, store, parts, record)
        delivery.write_sidecar(folder, record)
    if state is not JobState.FINISHED:
        done, wanted = sum(len(part.frames) for part in parts), sum(len(request.wanted) for _, request in work)
        kept = f"{done} of {wanted} frames are kept; run the same command again to go on."
        print(f"gen2studio: stopped. {kept}", file=sys.stderr)
        return 130
    if film:
        record = replace(record, preset=film)
        for note in delivery.write_film(args.out, store, parts, record, bar):
            print(note, file=sys.stderr)
    for part in parts:
        store.delete(part.take_id)
    if not choice.pinned:
        print(f"Made with {choice.abilities.title}. {choice.why}", file=sys.stderr)
    print(args.out)
    return 0
