"""``gen2studio segment``: select a subject on one frame of a clip and write its matte as a PNG."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.core.errors import MediaError, UsageError

if TYPE_CHECKING:
    from gen2studio.core.geometry import Rect
    from gen2studio.engine.events import MaskReady

Points = list[tuple[float, float]]


def add_parser(subparsers: Any) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "segment",
        help="select a subject on one frame and write its matte",
        description="Select a subject on one frame from clicks, a box, scribbles or words, and write its matte as a "
        "grey PNG of the frame's size. Coordinates are pixels of the clip as it is displayed.",
    )
    parser.add_argument("clip", type=Path, metavar="CLIP", help="video, image sequence or still")
    parser.add_argument("--frame", type=int, default=0, metavar="N", help="the frame to look at (default: 0)")
    parser.add_argument(
        "--click", action="append", default=[], metavar="X,Y[,-]",
        help="a point on the subject; with “,-” one that is not; may be repeated",
    )  # fmt: skip
    parser.add_argument("--box", metavar="X,Y,W,H", help="a box around the subject")
    parser.add_argument(
        "--scribble", action="append", default=[], metavar="X,Y:X,Y…[:-]",
        help="a line over the subject through these points; with “:-” over what is not; may be repeated",
    )  # fmt: skip
    parser.add_argument("--radius", type=float, default=4.0, metavar="PX", help="half a scribble's width (default: 4)")
    parser.add_argument("--mask", type=Path, metavar="PNG", help="a matte to correct")
    parser.add_argument("--text", default="", metavar="WORDS", help="name the subject, for models that know words")
    parser.add_argument(
        "--model", default="", metavar="NAME",
        help="who selects: graph-cut, or a model of “models list” (default: the best there is)",
    )  # fmt: skip
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.png", help="where the matte goes")


def run(args: argparse.Namespace) -> int:
    """Select and write; says which engine answered. Raises StudioError; 0, or 130 when it was stopped."""
    from gen2studio.cli.footage import fit_matte, open_footage, read_matte
    from gen2studio.cli.progress_bar import ProgressBar
    from gen2studio.cli.running import run_job
    from gen2studio.core.ids import new_id
    from gen2studio.engine.events import Event, JobState, MaskReady
    from gen2studio.engine.requests import Job, Lane, SegmentRequest
    from gen2studio.engine.workspace import Workspace
    from gen2studio.raster.tiles import TileStore

    if args.out.suffix.lower() != ".png":
        raise UsageError(f"The matte is written as a PNG, and “{args.out.name}” is not named like one.")
    include, exclude = _marks(args.click, args.scribble, args.radius)
    box = _box(args.box) if args.box is not None else None
    if not (include or box or args.text or (args.mask and exclude)):
        raise UsageError("Say where the subject is: --click X,Y, --box X,Y,W,H, --scribble or --text.")
    footage = open_footage(args.clip)
    if not 0 <= args.frame < footage.source.frame_count:
        raise UsageError(f"Frame {args.frame} is outside the clip, which has {footage.source.frame_count} frames.")
    extent = footage.extent
    for x, y in (*include, *exclude):
        if not (0 <= x < extent.width and 0 <= y < extent.height):
            raise UsageError(f"The point {x:g},{y:g} lies outside the picture, which is {extent}.")
    tiles = TileStore()
    current = tiles.pack(fit_matte(read_matte(args.mask), footage, args.mask.name)) if args.mask else None
    request = SegmentRequest(
        source=footage.source, frame=args.frame, object_id=new_id("mask"), box=box, include=tuple(include),
        exclude=tuple(exclude), brush_radius=args.radius, current=current, text=args.text, engine=args.model,
    )  # fmt: skip
    bar, answers = ProgressBar(), list[MaskReady]()

    def hear(event: Event) -> None:
        if isinstance(event, MaskReady):
            answers.append(event)

    job = Job(id=new_id("job"), lane=Lane.MASK, request=request, label="Select")
    if run_job(job, Workspace(matte=tiles.unpack), bar, hear) is not JobState.FINISHED:
        return 130
    if not answers:
        raise MediaError("Nothing was selected.", "Click on the subject itself.")
    _write(args.out, answers[-1])
    return 0


def _write(path: Path, answer: MaskReady) -> None:
    import cv2

    from gen2studio.core.paths import write_atomic

    done, data = cv2.imencode(".png", answer.mask)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data.tobytes() if done else b"")
    except OSError as error:
        raise MediaError(f"“{path}” can't be written ({error.strerror or error}).", "Choose another place.") from None
    share = float((answer.mask > 127).mean())
    print(f"{answer.engine}: {share:.1%} of the frame, {answer.confidence:.0%} sure.", file=sys.stderr)
    print(path)


def _marks(clicks: list[str], scribbles: list[str], radius: float) -> tuple[Points, Points]:
    """(include, exclude) of the command line. Raises UsageError."""
    include: Points = []
    exclude: Points = []
    for text in clicks:
        parts = text.split(",")
        away = len(parts) == 3 and parts[2] in ("-", "+")
        if len(parts) != 2 and not away:
            raise UsageError(f"The click “{text}” is not X,Y or X,Y,-.")
        (exclude if away and parts[2] == "-" else include).append(_point(",".join(parts[:2]), text))
    for text in scribbles:
        parts = text.split(":")
        away = parts[-1] == "-"
        corners = [_point(part, text) for part in (parts[:-1] if away else parts)]
        (exclude if away else include).extend(_along(corners, max(1.0, radius)))
    return include, exclude


def _point(text: str, whole: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"“{whole}” does not name points as X,Y.") from None
    return x, y


def _along(corners: Points, step: float) -> Points:
    """Samples about ``step`` apart along the line through ``corners``."""
    from math import hypot

    found = corners[:1]
    for x, y in corners[1:]:
        x0, y0 = found[-1]
        count = max(1, round(hypot(x - x0, y - y0) / step))
        found += [(x0 + (x - x0) * i / count, y0 + (y - y0) * i / count) for i in range(1, count + 1)]
    return found


def _box(text: str) -> Rect:
    from gen2studio.core.geometry import Rect

    try:
        x, y, width, height = (round(float(part)) for part in text.split(","))
    except ValueError:
        raise UsageError(f"The box “{text}” is not X,Y,W,H.") from None
    return Rect(x, y, width, height)
