"""Rows of a catalog file become values, or a reason why not. Nothing is guessed and nothing unknown is let in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isfinite
from typing import Any, TypeVar, cast

from gen2studio.core.records import dataclass
from gen2studio.models.catalog_entries import (
    KINDS,
    CatalogEntry,
    CatalogFile,
    DraftClip,
    Licence,
    MemoryTier,
    PaceFigure,
)

MODES = ("text", "text_image", "image", "stylize", "storyboard", "mask", "render", "customize")
_ID = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?")
_WORD = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_URL = re.compile(r"https://[A-Za-z0-9.-]+(?:/[A-Za-z0-9._~/%#?&=+-]*)?")
_PATH = re.compile(r"[A-Za-z0-9_*?\[\]!. +()/-]{1,300}")
_RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")
_LONGEST = 600
_MOST_BYTES = 10**13
_MOST_ROWS = 400

T = TypeVar("T")


class Refused(Exception):
    """Why a row is refused: the end of a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """What to install for some modes."""

    entry: str
    """Id of a model."""
    extras: tuple[str, ...] = ()
    """Ids of what is installed with it: a few-step adapter, a control."""
    modes: tuple[str, ...]
    why: str
    """One sentence for artists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineUp:
    """What to install on machines with this much GPU memory, up to the next line-up."""

    gpu_gb: float
    """0 = without a GPU."""
    title: str
    picks: tuple[Pick, ...]


class _Row:
    """A table whose keys are taken one by one; what is left at the end is unknown."""

    def __init__(self, table: Any, what: str) -> None:
        if not isinstance(table, dict):
            raise Refused(f"{what} is no table")
        self._table: dict[str, Any] = dict(cast("Mapping[str, Any]", table))
        self.what = what

    def text(self, key: str, default: str | None = None, pattern: re.Pattern[str] | None = None) -> str:
        value = self._table.pop(key, default)
        if not isinstance(value, str) or len(value) > _LONGEST or any(ord(c) < 32 for c in value):
            raise Refused(f"{self.what} has no good “{key}”")
        if pattern is not None and value != default and not pattern.fullmatch(value):
            raise Refused(f"“{value[:80]}” is no good “{key}” of {self.what}")
        return value

    def words(self, key: str, pattern: re.Pattern[str] | None = None, among: tuple[str, ...] = ()) -> tuple[str, ...]:
        value = self._table.pop(key, [])
        if not isinstance(value, list) or len(cast("list[Any]", value)) > _MOST_ROWS:
            raise Refused(f"“{key}” of {self.what} is no list")
        for word in cast("list[Any]", value):
            good = isinstance(word, str) and len(word) <= _LONGEST and not any(ord(c) < 32 for c in word)
            if not good or (pattern and not pattern.fullmatch(word)) or (among and word not in among):
                raise Refused(f"“{str(word)[:80]}” is no good “{key}” of {self.what}")
        return tuple(cast("list[str]", value))

    def number(self, key: str, lowest: float, highest: float, default: float | None = None) -> float:
        value = self._table.pop(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
            raise Refused(f"{self.what} has no good “{key}”")
        if not lowest <= value <= highest:
            raise Refused(f"“{key}” of {self.what} is out of range")
        return value

    def count(self, key: str, highest: int, default: int | None = None, lowest: int = 0) -> int:
        value = self._table.get(key, default)
        if type(value) is not int:
            raise Refused(f"{self.what} has no good “{key}”")
        return int(self.number(key, lowest, highest, default))

    def flag(self, key: str) -> bool:
        value = self._table.pop(key, False)
        if not isinstance(value, bool):
            raise Refused(f"“{key}” of {self.what} is neither true nor false")
        return value

    def rows(self, key: str, read: Callable[[Any], T]) -> tuple[T, ...]:
        value = self._table.pop(key, [])
        if not isinstance(value, list) or len(cast("list[Any]", value)) > _MOST_ROWS:
            raise Refused(f"“{key}” of {self.what} is no list")
        return tuple(read(row) for row in cast("list[Any]", value))

    def maybe(self, key: str, read: Callable[[Any], T]) -> T | None:
        return read(self._table.pop(key)) if key in self._table else None

    def done(self) -> None:
        if self._table:
            raise Refused(f"{self.what} has an unknown “{str(next(iter(self._table)))[:80]}”")


def read_licence(name: str, table: Any) -> Licence:
    """``[licences.NAME]``. Raises Refused."""
    row = _Row(table, f"the licence “{name[:80]}”")
    made = Licence(
        id=row.text("id"),
        title=row.text("title"),
        text=row.text("text", "", re.compile(r"[A-Za-z0-9._-]{1,80}\.txt")),
        url=row.text("url", "", _URL),
        source_path=_safe(row.text("source_path", "", _PATH), row.what, pattern=False),
        source_repo=row.text("source_repo", "", _REPO),
        commercial=row.text("commercial", "yes", re.compile("yes|no|limited")),
        conditions=row.words("conditions"),
    )
    row.done()
    if bool(made.text) == bool(made.source_path):
        raise Refused(f"{row.what} must say where its text is: in “text” or in “source_path”")
    return made


def read_entry(table: Any, licences: Mapping[str, Licence], *, own: bool) -> CatalogEntry:
    """``[[model]]``. Raises Refused."""
    row = _Row(table, "a model")
    entry_id = row.text("id", None, _ID)
    row.what = f"“{entry_id}”"
    if ".." in entry_id or _RESERVED.fullmatch(entry_id):
        raise Refused(f"“{entry_id}” can't be the name of a folder")
    kind = row.text("kind")
    if kind not in KINDS:
        raise Refused(f"“{kind[:80]}” is no kind of entry")
    named = row.text("licence")
    if named not in licences:
        raise Refused(f"{row.what} has the licence “{named[:80]}”, which is not described")
    licence = licences[named]
    # Where a licence lies may differ from repository to repository.
    text_path = _safe(row.text("licence_path", "", _PATH), row.what, pattern=False)
    made = CatalogEntry(
        id=entry_id,
        title=row.text("title"),
        kind=kind,
        family=row.text("family", "", _WORD),
        repo=row.text("repo", None, _REPO),
        revision=row.text("revision", "main", _REVISION),
        gated=row.flag("gated"),
        licence=replace(licence, source_path=text_path, source_repo="") if text_path else licence,
        files=row.rows("files", _read_file),
        patterns=tuple(_safe(pattern, row.what) for pattern in row.words("patterns", _PATH)),
        needs=row.words("needs", _ID),
        fits_with=row.words("fits_with", _ID),
        modes=row.words("modes", among=MODES),
        conditions=row.words("conditions", _WORD),
        memory=tuple(sorted(row.rows("memory", _read_tier), key=lambda tier: tier.gpu_gb)),
        parameters=row.count("parameters", 10**12, 0),
        download_bytes=row.count("download_bytes", _MOST_BYTES, 0),
        # What an artist wrote down is not called commercial-safe because a word was forgotten.
        opt_in=row.flag("opt_in") or (own and licence.commercial != "yes"),
        summary=row.text("summary"),
        few_step=row.words("few_step", _ID),
        pace=row.rows("pace", _read_pace),
        draft=row.maybe("draft", _read_draft),
        listed_only=row.flag("listed_only"),
        own=own,
    )
    row.done()
    if not made.files and not made.patterns:
        raise Refused(f"{row.what} names no files")
    if made.files and all(file.size for file in made.files):
        made = replace(made, download_bytes=sum(file.size for file in made.files))
    paths = [file.path.casefold() for file in made.files]
    if len(set(paths)) != len(paths):
        raise Refused(f"{row.what} names a file twice")
    if not made.opt_in and licence.commercial != "yes":
        raise Refused(f"{row.what} is not plainly commercial-safe and must be opt-in")
    return made


def _read_file(table: Any) -> CatalogFile:
    row = _Row(table, "a file")
    path = row.text("path", None, _PATH)
    row.what = f"the file “{path[:80]}”"
    made = CatalogFile(
        path=_safe(path, row.what, pattern=False),
        repo=row.text("repo", "", _REPO),
        source=_safe(row.text("source", "", _PATH), row.what, pattern=False),
        revision=row.text("revision", "", _REVISION),
        size=row.count("size", _MOST_BYTES, 0),
        sha256=row.text("sha256", "", _SHA256),
    )
    row.done()
    return made


def _read_tier(table: Any) -> MemoryTier:
    row = _Row(table, "a line of a memory ladder")
    made = MemoryTier(
        gpu_gb=row.number("gpu_gb", 0, 1000),
        how=row.text("how"),
        source=row.text("source"),
        ram_gb=row.number("ram_gb", 0, 10_000, 0.0),
        slow=row.flag("slow"),
    )
    row.done()
    if not made.source:
        raise Refused(f"the line “{made.how[:80]}” of a memory ladder has no source")
    return made


def _read_pace(table: Any) -> PaceFigure:
    row = _Row(table, "a pace figure")
    made = PaceFigure(
        clip=row.text("clip"), device=row.text("device"), seconds=row.number("seconds", 0.001, 1e7),
        source=row.text("source"),
    )  # fmt: skip
    row.done()
    return made


def _read_draft(table: Any) -> DraftClip:
    row = _Row(table, "a draft clip")
    made = DraftClip(
        width=row.count("width", 8192, lowest=16), height=row.count("height", 8192, lowest=16),
        frames=row.count("frames", 10_000, lowest=1), steps=row.count("steps", 1000, lowest=1),
        teraflops=row.number("teraflops", 0.001, 1e9), source=row.text("source"),
    )  # fmt: skip
    row.done()
    return made


def read_line_up(table: Any, entries: Mapping[str, CatalogEntry]) -> LineUp:
    """``[[line_up]]``: only commercial-safe entries that exist. Raises Refused."""
    row = _Row(table, "a line-up")

    def pick(table: Any) -> Pick:
        own = _Row(table, "a pick of a line-up")
        made = Pick(
            entry=own.text("entry", None, _ID), extras=own.words("extras", _ID),
            modes=own.words("modes", among=MODES), why=own.text("why"),
        )  # fmt: skip
        own.done()
        for named in (made.entry, *made.extras):
            if named not in entries or entries[named].opt_in or entries[named].listed_only:
                raise Refused(f"a line-up names “{named}”, which is not in the commercial-safe block, or can't be run")
        if not set(made.modes) <= set(entries[made.entry].modes):
            raise Refused(f"a line-up names “{made.entry}” for a mode that it does not serve")
        return made

    made = LineUp(gpu_gb=row.number("gpu_gb", 0, 1000), title=row.text("title"), picks=row.rows("pick", pick))
    row.done()
    return made


def _safe(path: str, what: str, *, pattern: bool = True) -> str:
    """A relative path with forward slashes that stays inside its folder, on every system; or a glob of such paths."""
    if not path:
        return path
    parts = path.split("/")
    odd = any(part in ("", ".", "..") or part != part.strip() or part.endswith(".") for part in parts)
    if odd or any(_RESERVED.fullmatch(part) for part in parts) or (not pattern and re.search(r"[*?\[\]!]", path)):
        raise Refused(f"“{path[:80]}” of {what} is no path inside a folder")
    return path
