"""``gen2studio propagate``: carry painted mattes through a clip and write them as PNGs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from gen2studio.core.errors import UsageError


def add_parser(subparsers: Any) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "propagate",
        help="carry painted mattes through a clip",
        description="Carry one or more painted mattes of a subject through a clip. Painted frames stay as they are.",
    )
    parser.add_argument("clip", type=Path, metavar="CLIP", help="video or image sequence")
    parser.add_argument(
        "--mask", action="append", required=True, metavar="PNG@FRAME", help="a painted matte; may be repeated"
    )
    parser.add_argument("--from", dest="start", type=int, metavar="A", help="first frame (default: the first matte's)")
    parser.add_argument("--to", dest="stop", type=int, metavar="B", help="stop before this frame (default: the end)")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="where the mattes go")


def run(args: argparse.Namespace) -> int:
    """Propagate and write. Raises StudioError; returns 0, or 130 when it was stopped (finished mattes are written)."""
    from gen2studio.cli.footage import anchored, open_footage
    from gen2studio.cli.look_options import carry
    from gen2studio.cli.progress_bar import ProgressBar
    from gen2studio.core.ids import new_id
    from gen2studio.core.mask_raster import MaskRaster
    from gen2studio.media.matte_writer import write_mattes
    from gen2studio.raster.tiles import TileStore

    bar = ProgressBar()
    tiles = TileStore()
    footage = open_footage(args.clip)
    count = footage.source.frame_count
    anchors = dict(anchored(text, footage, tiles) for text in args.mask)
    start = min(anchors) if args.start is None else args.start
    stop = count if args.stop is None else args.stop
    if not 0 <= start < stop <= count:
        raise UsageError(f"Frames {start} to {stop} do not lie inside the clip, which has frames 0 to {count - 1}.")
    confidences: dict[int, float] = {}
    kept: dict[int, MaskRaster] = {}
    finished = carry(footage, new_id("mask"), anchors, start, stop, tiles, bar, confidences, kept)
    ordered = ((frame, tiles.unpack(raster)) for frame, raster in sorted(kept.items()))
    write_mattes(args.out, footage.extent, ordered)
    if confidences:
        frame, lowest = min(confidences.items(), key=lambda item: (item[1], item[0]))
        print(f"{len(kept)} mattes, least sure at frame {frame} ({lowest:.0%}).", file=sys.stderr)
    print(args.out)
    return 0 if finished is not None else 130
