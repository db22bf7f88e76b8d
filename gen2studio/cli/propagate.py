"""``gen2studio propagate``: carry painted mattes through a clip and write them as PNGs."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gen2studio.core.errors import UsageError

ALONE = "subject"
"""What the one object is called when no mask names any."""

_NAME = re.compile(r"[\w-][\w .-]*")


def add_parser(subparsers: Any) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "propagate",
        help="carry painted mattes through a clip",
        description=(
            "Carry one or more painted mattes of one or more subjects through a clip. Painted frames stay as they are; "
            "between two of them both are carried and meet. Several subjects share no pixel."
        ),
    )
    parser.add_argument("clip", type=Path, metavar="CLIP", help="video or image sequence")
    parser.add_argument(
        "--mask",
        action="append",
        required=True,
        metavar="[NAME=]PNG@FRAME",
        help="a painted matte or correction, of the subject NAME; may be repeated",
    )
    parser.add_argument(
        "--direction",
        choices=("forward", "backward", "both"),
        default="forward",
        help="from the first matte to the end, from the last one to the start, or the whole clip (default: forward)",
    )
    parser.add_argument("--from", dest="start", type=int, metavar="A", help="first frame")
    parser.add_argument("--to", dest="stop", type=int, metavar="B", help="stop before this frame")
    parser.add_argument("--engine", default="", metavar="ID", help="mask engine (default: the best one here)")
    parser.add_argument(
        "--solid-background",
        action="store_true",
        help="nothing but the subjects moves: trust motion against the camera everywhere",
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FOLDER", help="where the mattes go, a folder inside for each name"
    )


def run(args: argparse.Namespace) -> int:
    """Propagate and write. Raises StudioError; returns 0, or 130 when it was stopped (finished mattes are written)."""
    from gen2studio.cli.footage import anchored, open_footage
    from gen2studio.cli.progress_bar import ProgressBar
    from gen2studio.cli.running import run_job
    from gen2studio.core.ids import new_id
    from gen2studio.core.mask_raster import MaskRaster
    from gen2studio.engine.events import Event, JobState, MaskReady
    from gen2studio.engine.requests import AnchorTrack, Job, Lane, PropagateRequest
    from gen2studio.engine.workspace import Workspace
    from gen2studio.media.matte_writer import write_mattes
    from gen2studio.raster.tiles import TileStore

    tiles = TileStore()
    footage = open_footage(args.clip)
    anchors: dict[str, dict[int, MaskRaster]] = {}
    for text in args.mask:
        name, picture = named_mask(text)
        frame, raster = anchored(picture, footage, tiles)
        if frame in anchors.setdefault(name, {}):
            raise UsageError(f"There are two masks of “{name}” for frame {frame}.")
        anchors[name][frame] = raster
    drawn = [frame for frames in anchors.values() for frame in frames]
    start, stop = _range(args, drawn, footage.source.frame_count)

    kept = {name: {f: r for f, r in frames.items() if start <= f < stop} for name, frames in anchors.items()}
    sure: dict[str, dict[int, float]] = {name: {} for name in anchors}

    def hear(event: Event) -> None:
        if isinstance(event, MaskReady):
            kept[event.object_id][event.frame] = tiles.pack(event.mask)
            sure[event.object_id][event.frame] = event.confidence

    request = PropagateRequest(
        source=footage.source,
        objects=tuple(AnchorTrack(object_id=n, anchors=tuple(sorted(f.items()))) for n, f in anchors.items()),
        start=start,
        stop=stop,
        from_frame=start,
        moving_subject=args.solid_background,
        engine=args.engine,
    )
    job = Job(id=new_id("job"), lane=Lane.MASK, request=request, label="Carrying masks")
    state = run_job(job, Workspace(matte=tiles.unpack), ProgressBar(), hear)
    for name, frames in kept.items():
        folder = args.out if list(anchors) == [ALONE] else args.out / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_mattes(folder, footage.extent, ((f, tiles.unpack(r)) for f, r in sorted(frames.items())))
        print(_summary(name, len(frames), sure[name]), file=sys.stderr)
    print(args.out)
    return 0 if state is JobState.FINISHED else 130


def named_mask(text: str) -> tuple[str, str]:
    """``[NAME=]PNG@FRAME`` → (name, PNG@FRAME). Raises UsageError for a name that can't be a folder's."""
    name, mark, rest = text.partition("=")
    if not mark or "/" in name or "\\" in name or Path(text.rpartition("@")[0]).exists():
        return ALONE, text
    if not _NAME.fullmatch(name):
        raise UsageError(f"“{name}” can't be a subject's name: use letters, digits, spaces, “-”, “_” and “.”.")
    return name, rest


def _range(args: argparse.Namespace, drawn: list[int], count: int) -> tuple[int, int]:
    start = min(drawn) if args.direction == "forward" else 0
    stop = max(drawn) + 1 if args.direction == "backward" else count
    start = start if args.start is None else args.start
    stop = stop if args.stop is None else args.stop
    if not 0 <= start < stop <= count:
        raise UsageError(f"Frames {start} to {stop} do not lie inside the clip, which has frames 0 to {count - 1}.")
    return start, stop


def _summary(name: str, count: int, sure: dict[int, float]) -> str:
    from gen2studio.core.mask_confidence import SUSPECT

    told = f"{count} mattes" if name == ALONE else f"{name}: {count} mattes"
    if not sure:
        return f"{told}."
    frame, lowest = min(sure.items(), key=lambda item: (item[1], item[0]))
    told += f", least sure at frame {frame} ({lowest:.0%})"
    suspect = _runs(f for f, confidence in sorted(sure.items()) if confidence < SUSPECT)
    return f"{told}; look at {suspect}." if suspect else f"{told}."


def _runs(frames: Iterable[int]) -> str:
    """``3-7, 12`` of 3, 4, 5, 6, 7, 12."""
    runs: list[list[int]] = []
    for frame in frames:
        if runs and runs[-1][1] == frame - 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
