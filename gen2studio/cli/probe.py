"""``gen2studio probe``: what a media file is, and the recipe it carries."""

from __future__ import annotations

import argparse
import dataclasses
import enum
import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.core.errors import StudioError, sentence_of
from gen2studio.core.time import rate_label

if TYPE_CHECKING:
    from gen2studio.core.media_info import MediaInfo
    from gen2studio.media.metadata import ExportRecord

_COLOURS = {1: "BT.709", 2: "untagged", 5: "BT.601", 6: "BT.601", 9: "BT.2020", 0: "RGB"}
_TRANSFERS = {16: " PQ", 18: " HLG"}


def add_parser(subparsers: Any) -> None:
    """Add the verb to ``argparse``'s sub-parsers."""
    parser = subparsers.add_parser("probe", help="show what a media file is, and the recipe it carries")
    parser.add_argument("files", nargs="+", type=Path, help="videos, pictures, sequences (folders) or sound")
    parser.add_argument("--json", action="store_true", help="machine-readable output: one object a line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the facts of every file; 1 when any of them can't be read (one line on stderr each)."""
    status = 0
    for path in args.files:
        try:
            print(_as_json(path) if args.json else _as_text(path))
        except BrokenPipeError:
            # Whoever read our output has had enough: not a fault of the file.
            raise
        except (StudioError, OSError) as error:
            print(f"{path}: {sentence_of(error)}", file=sys.stderr)
            status = 1
        except KeyboardInterrupt:
            return 130
    return status


def _read(path: Path) -> tuple[MediaInfo, ExportRecord | None]:
    from gen2studio.media.metadata import read_recipe
    from gen2studio.media.probe import probe

    return probe(path), read_recipe(path)


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    return value.value if isinstance(value, enum.Enum) else str(value)


def _as_json(path: Path) -> str:
    from gen2studio.media.metadata import record_json

    info, record = _read(path)
    facts: dict[str, Any] = {"path": str(path), **dataclasses.asdict(info)}
    facts["recipe"] = json.loads(record_json(record)) if record else None
    return json.dumps(facts, default=_plain, ensure_ascii=False)


def _as_text(path: Path) -> str:
    info, record = _read(path)
    lines = [str(path)]

    def line(name: str, text: str) -> None:
        lines.append(f"  {name:10} {text}")

    line("kind", info.kind.value + (f", {info.container}" if info.container else ""))
    if info.has_video:
        depth = f", {info.bit_depth}-bit" if info.bit_depth != 8 else ""
        alpha = ", alpha" if info.has_alpha else ""
        line("picture", f"{info.width}×{info.height}, {info.codec} {info.pixel_format}{depth}{alpha}")
        if info.rate:
            about = "" if info.exact else "about "
            variable = " (variable)" if info.variable_rate else ""
            line("frames", f"{about}{info.frame_count} at {rate_label(info.rate)} fps{variable}")
        colour = _COLOURS.get(info.colour.matrix, f"matrix {info.colour.matrix}")
        levels = "full range" if info.colour.full_range else "video levels"
        line("colour", f"{colour}{_TRANSFERS.get(info.colour.transfer, '')}, {levels}")
        if info.rotation:
            line("turned", f"{info.rotation}° clockwise for display")
        if info.interlaced:
            line("scan", "interlaced")
    if info.duration:
        line("length", f"{float(info.duration):.3f} s")
    if info.audio:
        line("sound", f"{info.audio.codec}, {info.audio.sample_rate} Hz, {info.audio.channels} channels")
    if record:
        line("made by", record.sentence())
        for take in record.takes:
            line(
                "take",
                f"{take.name or 'one frame'}: {take.generator} {take.revision}, seed {take.seed}, “{take.prompt}”",
            )
    from gen2studio.media.content_credentials import verdict
    from gen2studio.media.provenance import declared_type

    if origin := (record.source_type if record else "") or declared_type(path):
        line("origin", origin.rpartition("/")[2])
    if signed := verdict(path):
        line("signed", signed)
    return "\n".join(lines)
