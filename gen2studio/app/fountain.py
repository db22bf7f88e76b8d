"""Fountain screenplays (https://fountain.io/syntax): plain text in, scenes with action and dialogue out.

Own and small: of the parsers on PyPI the established one is from 2016 and the others are weeks old. Emphasis marks are
taken off, notes become notes, the boneyard and the title page's contact lines are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_HEADING = re.compile(r"^(?:int|ext|est|int\.?/ext|i/e)[. ]", re.IGNORECASE)
_FORCED_HEADING = re.compile(r"^\.(?!\.)")
_NUMBER = re.compile(r"\s*#[\w.\-)]+#\s*$")
_TRANSITION = re.compile(r"^[^a-z]*TO:$")
_CHARACTER = re.compile(r"^[^a-z]*[A-Z][^a-z]*(?:\([^)]*\))?[^a-z]*$")
_BONEYARD = re.compile(r"/\*.*?\*/", re.DOTALL)
_NOTE = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_EMPHASIS = re.compile(r"(?<!\\)(\*{1,3}|_)(?=\S)(.+?)(?<=\S)(?<!\\)\1")
_KEY = re.compile(r"^([A-Za-z][A-Za-z ]*):(.*)$")
_ESCAPED = re.compile(r"\\([*_\\])")


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph of action, or what one character says; ``notes`` stood beside it."""

    action: str = ""
    character: str = ""
    dialogue: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene: its heading (empty before the first one), its number as written, what happens."""

    heading: str = ""
    number: str = ""
    notes: str = ""
    passages: tuple[Passage, ...] = ()


@dataclass(slots=True)
class _Open:
    heading: str = ""
    number: str = ""
    notes: list[str] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)

    def closed(self) -> Scene:
        return Scene(self.heading, self.number, "\n".join(self.notes), tuple(self.passages))


@dataclass(frozen=True, slots=True)
class Screenplay:
    title: str = ""
    scenes: tuple[Scene, ...] = ()


def parse(text: str) -> Screenplay:
    """The scenes of a Fountain text. Any text is one: what is nothing else is action."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    text = _BONEYARD.sub("", text)
    title, text = _title_page(text)
    scenes: list[Scene] = []
    scene = _Open()
    for block in _blocks(text):
        notes = [" ".join(note.split()) for note in _NOTE.findall(block)]
        lines = [line for line in _NOTE.sub("", block).split("\n") if line.strip()]
        if not lines:
            _add_notes(scene, notes)
            continue
        first = lines[0].strip()
        if _is_heading(first):
            if scene.heading or scene.passages:
                scenes.append(scene.closed())
            scene = _heading(first)
            _add_notes(scene, notes)
            if lines[1:]:
                scene.passages.append(Passage(action=_plain(lines[1:])))
        elif first.startswith("#"):
            continue  # a section: structure of the text, not of the film
        elif first.startswith("=") and not first.startswith("==="):
            scene.notes.append(_unmarked(first[1:].strip()))
        elif first.startswith("===") or _is_transition(first, len(lines)):
            continue
        elif (said := _speech(lines)) is not None:
            scene.passages.append(Passage(character=said[0], dialogue=said[1], notes="\n".join(notes)))
        else:
            scene.passages.append(Passage(action=_plain(lines), notes="\n".join(notes)))
    if scene.heading or scene.passages:
        scenes.append(scene.closed())
    return Screenplay(title, tuple(scenes))


def _title_page(text: str) -> tuple[str, str]:
    """(title, what follows the title page): ``Key: value`` lines at the very top, until a blank line."""
    head, mark, rest = text.partition("\n\n")
    lines = head.split("\n")
    if not _KEY.match(lines[0]) or _is_heading(lines[0]) or _is_transition(lines[0].strip(), 1):
        return "", text
    found: dict[str, list[str]] = {}
    key = ""
    for line in lines:
        match = _KEY.match(line)
        if match and not line.startswith(" "):
            key = match[1].strip().lower()
            found[key] = [match[2].strip()]
        else:
            found[key].append(line.strip())
    title = " ".join(part for part in found.get("title", ()) if part)
    return _unmarked(title), rest if mark else ""


def _blocks(text: str) -> list[str]:
    """Paragraphs, divided by empty lines. A line of two blanks is no empty line: dialogue goes on after it."""
    blocks: list[list[str]] = [[]]
    inside = False
    for line in text.split("\n"):
        inside = line.count("[[") > line.count("]]") or (inside and "]]" not in line)
        if not line.strip() and len(line) < 2 and not inside:
            blocks.append([])
        else:
            blocks[-1].append(line)
    return ["\n".join(lines) for lines in blocks if any(line.strip() for line in lines)]


def _is_heading(line: str) -> bool:
    return bool(_HEADING.match(line) or _FORCED_HEADING.match(line))


def _heading(line: str) -> _Open:
    number = _NUMBER.search(line)
    words = line[: number.start()] if number else line
    return _Open(_unmarked(words.strip().removeprefix(".").strip()), number[0].strip().strip("#") if number else "")


def _is_transition(line: str, count: int) -> bool:
    centred = line.startswith(">") and line.endswith("<")
    return not centred and count == 1 and (line.startswith(">") or bool(_TRANSITION.match(line)))


def _speech(lines: list[str]) -> tuple[str, str] | None:
    """(character, words) of a block that is dialogue."""
    first = lines[0].strip()
    if len(lines) < 2 or first.startswith("!"):
        return None
    bare = re.sub(r"\([^)]*\)", "", first).strip()
    if not first.startswith("@") and not (_CHARACTER.match(bare) and any(c.isalpha() for c in bare)):
        return None
    name = first.removeprefix("@").removesuffix("^").strip()
    return _unmarked(name), "\n".join(_unmarked(line.strip().removeprefix("~")) for line in lines[1:])


def _plain(lines: list[str]) -> str:
    shown = (line.strip() for line in lines)
    return "\n".join(_unmarked(line.removeprefix("!").removeprefix(">").removesuffix("<").strip()) for line in shown)


def _unmarked(text: str) -> str:
    """Without emphasis; marks escaped by a backslash stay."""
    for _ in range(3):
        text = _EMPHASIS.sub(r"\2", text)
    return _ESCAPED.sub(r"\1", text)


def _add_notes(scene: _Open, notes: list[str]) -> None:
    if not notes:
        return
    if scene.passages:
        last = scene.passages[-1]
        both = "\n".join(part for part in (last.notes, *notes) if part)
        scene.passages[-1] = Passage(last.action, last.character, last.dialogue, both)
    else:
        scene.notes.extend(notes)
