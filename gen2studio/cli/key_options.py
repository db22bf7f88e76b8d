"""``--key-frames`` and ``--carry-with``: the model draws key frames only, and the frames between are carried."""

from __future__ import annotations

import argparse

from gen2studio.core.errors import UsageError
from gen2studio.document.codec_looks import MOST_KEY_SPACING
from gen2studio.engine.key_choice import AUTOMATIC


def add_key_options(parser: argparse.ArgumentParser) -> None:
    """The option."""
    group = parser.add_argument_group("key frames of a model")
    group.add_argument(
        "--key-frames",
        metavar="auto|N",
        help="the model draws a key frame every N frames, or where cuts and motion ask for one, and the frames between "
        "are carried from them: far fewer frames to draw, and a steadier film (modes stylize, mask, render)",
    )
    group.add_argument(
        "--carry-with", default="", metavar="ID", help="the generator that carries them (default: example)"
    )


def key_carrier_of(args: argparse.Namespace) -> str:
    """The ``key_carrier`` of requests. Raises UsageError."""
    if args.carry_with and not args.key_frames:
        raise UsageError("--carry-with belongs to --key-frames.")
    return args.carry_with


def key_spacing_of(args: argparse.Namespace) -> int:
    """The ``key_spacing`` of requests. Raises UsageError."""
    text = (args.key_frames or "").strip().lower()
    if not text:
        return 0
    if args.outpaint:
        raise UsageError("--key-frames restyles the clip and --outpaint leaves it as it is: leave one of them out.")
    if text == "auto":
        return AUTOMATIC
    if not text.isdecimal() or not 1 <= int(text) <= MOST_KEY_SPACING:
        raise UsageError(f"--key-frames is auto, or a number of frames from 1 to {MOST_KEY_SPACING}, not “{text}”.")
    return int(text)
