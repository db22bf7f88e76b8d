"""Markers written as text or CSV (RFC 4180), for production notes."""

from __future__ import annotations

import csv
import io
from fractions import Fraction

from gen2studio.core.time import timecode
from gen2studio.document.model import Marker

_HEAD = ("Timecode", "Duration", "Frame", "Frames", "Colour", "Name", "Note")


def markers_csv(markers: tuple[Marker, ...], rate: Fraction) -> str:
    """One line a marker, with a header. Cells that a spreadsheet would take for a formula are kept from it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_HEAD)
    for each in markers:
        writer.writerow(
            (
                timecode(each.frame, rate),
                timecode(each.duration, rate),
                each.frame,
                each.duration,
                each.colour,
                _plain(each.name),
                _plain(each.note),
            )
        )
    return out.getvalue()


def markers_text(markers: tuple[Marker, ...], rate: Fraction) -> str:
    """One paragraph a marker: timecode, name, and the note below it."""
    parts: list[str] = []
    for each in markers:
        span = f" – {timecode(each.frame + each.duration, rate)}" if each.duration else ""
        parts.append(f"{timecode(each.frame, rate)}{span}  [{each.colour}]  {each.name}".rstrip())
        parts.extend(f"    {line}" for line in each.note.splitlines())
    return "\n".join(parts) + ("\n" if parts else "")


def _plain(text: str) -> str:
    """A cell that begins with = + - @, a tab or a return would be run by a spreadsheet (OWASP: CSV injection)."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
