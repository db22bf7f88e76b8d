"""Looks by object on the command line: every matte gets a look of its own, all made in one run."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gen2studio.compose import look_catalog
from gen2studio.core.errors import UsageError
from gen2studio.engine.requests import GenerateRequest, MaskTrackRef

BACKGROUND = "background"
_MIXED = ("mask", "region", "preset", "style", "prompt", "pattern", "key", "outpaint", "key_frames", "carry_with")
"""Options of one look that a film of several looks can't have."""


def add_part_options(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--part",
        action="append",
        default=[],
        metavar="MASK=LOOK",
        help="this subject gets this look, in one run with the other parts; may be repeated; where subjects overlap "
        "the one named first has the pixels. MASK as for --mask, or “background” for what lies in none of the others; "
        "LOOK is a preset, a style image, or words",
    )


def with_parts(
    args: argparse.Namespace, whole: GenerateRequest, make: Callable[[argparse.Namespace], GenerateRequest]
) -> GenerateRequest:
    """``whole`` with a part for every ``--part``; ``make`` plans one look. Raises UsageError, and what that raises."""
    for option in _MIXED:
        if getattr(args, option):
            raise UsageError(f"--part gives every subject its own look: leave out --{option.replace('_', '-')}.")
    ground: argparse.Namespace | None = None
    subjects: list[GenerateRequest] = []
    for text in args.part:
        mask, sign, look = text.partition("=")
        if not (mask.strip() and sign and look.strip()):
            raise UsageError(f"“{text}” is no part: write MASK=LOOK, for example dog.png=watercolour.")
        own = _look(args, look.strip())
        if mask.strip() == BACKGROUND:
            if ground is not None:
                raise UsageError("There is one background: name it once.")
            ground = own
            continue
        own.mask, own.region = [mask.strip()], "foreground"
        subjects.append(make(own))
    if not subjects:
        raise UsageError("--part background needs at least one other part that shows a subject.")
    parts = [replace(part, frames=whole.frames) for part in reversed(subjects)]
    if ground is not None:
        tracks: tuple[MaskTrackRef, ...] = tuple(track for part in subjects for track in part.masks)
        # A region of “all” reads no matte, but the mode of words asks that there be one.
        ground.mask, ground.region = [str(args.source)], "all"
        parts.insert(0, replace(make(ground), frames=whole.frames, region="background", masks=tracks))
    first = parts[0]
    return replace(
        whole, mode=first.mode, generator=first.generator, revision=first.revision, region="all", masks=(),
        parts=tuple(parts),
    )  # fmt: skip


def _look(args: argparse.Namespace, look: str) -> argparse.Namespace:
    """The options of one part: a preset by id or title, a picture, or words."""
    own = copy.copy(args)
    own.part, own.generator = [], ""
    titles = {name.casefold() for info in look_catalog().presets() for name in (info.id, info.title)}
    if look.casefold() in titles:
        own.mode, own.preset = "stylize", look
    elif Path(look).is_file():
        own.mode, own.style = "stylize", [look]
    else:
        own.mode, own.prompt = "mask", look
    return own
