"""Subtitle files: SRT (and what else pysubs2 reads: WebVTT, SSA/ASS, MicroDVD) to captions, and captions to SRT.

Reading is bounded: files of up to :data:`BIGGEST` bytes, captions in order and apart from each other whatever the file
says. Only the tags ``<i> <b> <u>`` are kept. SRT: numbered blocks of ``HH:MM:SS,mmm --> HH:MM:SS,mmm`` and text.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from gen2studio.core.errors import MediaError
from gen2studio.core.ids import new_id
from gen2studio.document.composition import Subtitle
from gen2studio.document.subtitles import LONGEST, MOST

BIGGEST = 16 << 20
"""Bytes of a subtitle file."""
SUFFIXES = (".srt", ".vtt", ".ass", ".ssa", ".sub")
_OVERRIDE = re.compile(r"\{\\([ibu])([01])\}")
_BLOCKS = re.compile(r"\{\\[^}]*\}")
_TAGS = re.compile(r"<(?!/?[ibu]>)[^>]*>")
_LATEST = 1000 * 3600 * 1000
"""Milliseconds: no caption starts later than after a thousand hours."""


def read_subtitles(path: Path, rate: Fraction) -> tuple[Subtitle, ...]:
    """The captions of a file on sequence frames, in order; of two at once the earlier ends where the later starts, and
    those that start together become one. Raises MediaError in one sentence for a file that holds none."""
    try:
        if path.stat().st_size > BIGGEST:
            raise MediaError(f"“{path.name}” is too big for subtitles.", "Choose an .srt file.")
        text = _decoded(path.read_bytes())
    except OSError as error:
        raise MediaError(f"“{path.name}” can't be read.", "Check that it is there and may be read.") from error
    return parse_subtitles(text, rate, path.name)


def parse_subtitles(text: str, rate: Fraction, name: str = "The text") -> tuple[Subtitle, ...]:
    """The captions of a file's text: see :func:`read_subtitles`."""
    import pysubs2

    try:
        events = pysubs2.SSAFile.from_string(text, fps=float(rate)).events
    except (pysubs2.exceptions.Pysubs2Error, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        raise MediaError(f"“{name}” holds no subtitles that can be read.", "Choose an .srt file.") from error
    found: list[tuple[int, int, str]] = []
    for event in events[: MOST * 4]:
        if event.is_comment or not 0 <= event.start <= _LATEST or event.end > _LATEST * 2:
            continue
        words = _words(event.text)
        if words:
            found.append((_frame(event.start, rate), _frame(event.end, rate), words))
    merged = _apart(found)
    if not merged:
        raise MediaError(f"“{name}” holds no subtitles.", "Choose an .srt file with text in it.")
    return tuple(merged[:MOST])


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _frame(milliseconds: int, rate: Fraction) -> int:
    return round(Fraction(milliseconds, 1000) * rate)


def _words(text: str) -> str:
    text = _OVERRIDE.sub(lambda tag: f"<{'' if tag[2] == '1' else '/'}{tag[1]}>", text)
    text = _BLOCKS.sub("", text).replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    text = _TAGS.sub("", text).encode("utf-8", "replace").decode().replace("\0", "")
    return "\n".join(text.splitlines()).strip()[:LONGEST]


def _apart(found: list[tuple[int, int, str]]) -> list[Subtitle]:
    found.sort(key=lambda each: each[:2])
    together: list[tuple[int, int, str]] = []
    for start, stop, text in found:
        if together and together[-1][0] == start:
            first, end, words = together[-1]
            together[-1] = (first, max(end, stop), f"{words}\n{text}"[:LONGEST])
        else:
            together.append((start, stop, text))
    made: list[Subtitle] = []
    for index, (start, stop, text) in enumerate(together):
        if index + 1 < len(together):
            stop = min(stop, together[index + 1][0])
        made.append(Subtitle(id=new_id("title"), start=start, duration=max(1, stop - start), text=text))
    return made


def srt_text(subtitles: tuple[Subtitle, ...], rate: Fraction, first: int = 0, stop: int | None = None) -> str:
    """SRT of the captions in frames [``first``, ``stop``), counted from ``first``; those across an edge are cut off."""
    blocks: list[str] = []
    for subtitle in subtitles:
        start = max(subtitle.start, first)
        end = subtitle.end if stop is None else min(subtitle.end, stop)
        if end > start:
            times = f"{_stamp(start - first, rate)} --> {_stamp(end - first, rate)}"
            lines = "\n".join(line for line in subtitle.text.splitlines() if line.strip()) or " "
            blocks.append(f"{len(blocks) + 1}\n{times}\n{lines}\n")
    return "\n".join(blocks)


def _stamp(frame: int, rate: Fraction) -> str:
    milliseconds = round(Fraction(frame) / rate * 1000)
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d},{milliseconds:03d}"


def write_srt(path: Path, subtitles: tuple[Subtitle, ...], rate: Fraction) -> None:
    """Write an SRT file, whole or not at all. Raises OSError."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(srt_text(subtitles, rate), encoding="utf-8", newline="\r\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
