"""The options that go beyond the footage: room drawn around it (outpaint), and a shot behind it (extend)."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from fractions import Fraction

from gen2studio.app.reframing import rooms, to_aspect
from gen2studio.app.shot_wish import lead_frames
from gen2studio.cli.footage import Footage, frame_range
from gen2studio.core.errors import EditRefused, UsageError
from gen2studio.core.geometry import Extent
from gen2studio.document import shots
from gen2studio.document.codec_looks import MOST_ROOM
from gen2studio.document.look import Outpaint
from gen2studio.document.model import Shot
from gen2studio.engine.generators import Abilities
from gen2studio.engine.requests import GenerateRequest, LeadRef

_SIDES = ("left", "top", "right", "bottom")


def add_reach_options(parser: argparse.ArgumentParser) -> None:
    """``--outpaint``, ``--extend`` and ``--keep``."""
    reach = parser.add_argument_group("beyond the clip")
    reach.add_argument(
        "--outpaint",
        default="",
        metavar="L,T,R,B",
        help="draw room around the clip, which itself keeps every pixel (modes stylize, mask): pixels or per cent a "
        "side, like 25%%,0,25%%,0, or the shape of the new frame, like 16:9",
    )
    reach.add_argument(
        "--extend",
        default="",
        metavar="LENGTH",
        help="make a shot that goes on from the end of --source or its --range (modes text, text_image, image): "
        "seconds, or frames like 48f; only the new frames are written",
    )
    reach.add_argument(
        "--keep", type=int, metavar="K", help="last frames of the clip that --extend shows the model (default: enough)"
    )


def outpaint_of(args: argparse.Namespace, size: Extent) -> Outpaint:
    """The room that ``--outpaint`` adds to footage of ``size``. Raises UsageError."""
    text = args.outpaint.strip()
    if not text:
        return Outpaint()
    if args.mask or args.region not in (None, "all"):
        raise UsageError("--outpaint leaves the whole clip as it is: leave out --mask and --region.")
    if "," not in text:
        try:
            found = to_aspect(size, float(shots.aspect_of(text)))
        except EditRefused:
            raise UsageError(f"--outpaint “{text}” is neither L,T,R,B nor a shape like 16:9.") from None
        if not found.adds:
            raise UsageError(f"The clip has the shape {text} already.")
    else:
        found = _sides(text, size)
    if not found.adds or any(getattr(found, side) > MOST_ROOM for side in _SIDES):
        raise UsageError(f"--outpaint adds some room, and at most {MOST_ROOM:.0%} of the clip on a side.")
    return found


def _sides(text: str, size: Extent) -> Outpaint:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != len(_SIDES) or not all(re.fullmatch(r"\d+(\.\d+)?%|\d+(px)?", part) for part in parts):
        raise UsageError(f"--outpaint “{text}” is not left,top,right,bottom in pixels or per cent.")
    sides = (size.width, size.height, size.width, size.height)
    return Outpaint(
        **{
            name: float(part[:-1]) / 100 if part.endswith("%") else int(part.removesuffix("px")) / side
            for name, part, side in zip(_SIDES, parts, sides, strict=True)
        }
    )


def reframed(request: GenerateRequest, outpaint: Outpaint) -> GenerateRequest:
    """``request`` with room around its footage. Painted frames say nothing about the room and are left out."""
    if not outpaint.adds:
        return request
    left, top, right, bottom = rooms(outpaint, Extent(request.width, request.height))
    return replace(
        request, width=request.width + left + right, height=request.height + top + bottom, keys=(),
        outpaint=(left, top, right, bottom),
    )  # fmt: skip


def check_extend(args: argparse.Namespace, from_nothing: bool) -> None:
    """Refuse what does not go together. Raises UsageError."""
    if not args.extend:
        if args.keep is not None:
            raise UsageError("--keep belongs to --extend.")
        return
    if not from_nothing or args.mode == "storyboard":
        raise UsageError("--extend makes a new shot: use --mode text, text_image or image.")
    if args.source is None:
        raise UsageError("--extend needs the --source clip to go on from.")
    for option in ("seconds", "aspect", "image"):
        if getattr(args, option):
            raise UsageError(f"--extend takes length, shape and first frame from the clip: leave out --{option}.")
    if args.keep is not None and args.keep < 1:
        raise UsageError("--keep shows the model one frame at least.")


def extension(args: argparse.Namespace, clip: Footage, abilities: Abilities) -> tuple[Shot, LeadRef]:
    """The shot that goes on behind ``clip``, at its rate and size unless the options say otherwise, and the frames it
    goes on from. Raises UsageError."""
    first, stop = frame_range(args.span, clip)
    rate = clip.source.rate
    keep = args.keep if args.keep is not None else lead_frames(rate, abilities)
    try:
        shot = shots.shot_of(_even(args, clip.extent), rate, _length(args.extend, rate))
    except EditRefused as refused:
        raise UsageError(str(refused)) from None
    return shot, LeadRef(source=clip.source, start=max(first, stop - keep), stop=stop)


def _even(args: argparse.Namespace, extent: Extent) -> Extent:
    if text := " ".join(args.size).strip():
        both = re.fullmatch(r"(\d+)\s*[x×]\s*(\d+)", text)
        if both is None:
            raise UsageError("An extension is sized by --size WIDTHxHEIGHT (default: the clip's own).")
        extent = Extent(max(1, int(both[1])), max(1, int(both[2])))
    return Extent(max(2, extent.width & ~1), max(2, extent.height & ~1))


def _length(text: str, rate: Fraction) -> Fraction:
    """``48f`` (frames), ``2`` or ``2.5s`` (seconds) → seconds. Raises UsageError."""
    if frames := re.fullmatch(r"(\d+)f", text.strip()):
        return int(frames[1]) / rate
    try:
        return Fraction(text.strip().removesuffix("s"))
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"--extend “{text}” is neither seconds nor frames like 48f.") from None
