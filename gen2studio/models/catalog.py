"""The catalog of open models: what can be installed, read from ``resources/models/*.toml`` and the artist's own files.

A catalog is data that strangers may hand around, so nothing in it is believed: unknown keys, paths that lead out of a
folder, addresses that are no repository, odd numbers and oversized files are refused in one sentence. Bundled files
must be right; a file of the artist's that is not leaves the rest of the catalog as it is and is named in ``problems``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from gen2studio.core.errors import ModelError
from gen2studio.core.paths import data_dir, resources_dir
from gen2studio.core.records import dataclass
from gen2studio.models.catalog_entries import CatalogEntry, Licence
from gen2studio.models.catalog_reading import LineUp, Refused, read_entry, read_licence, read_line_up

OWN_FOLDER = "catalog"
"""Inside the data folder: catalog files of the artist's."""
_MOST_BYTES = 1 << 20
_MOST_FILES = 64
_MOST_ENTRIES = 500

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every entry, in the order an artist should see them."""

    entries: tuple[CatalogEntry, ...]
    line_up: tuple[LineUp, ...] = ()
    """What to install on which machine, smallest first."""
    problems: tuple[str, ...] = ()
    """One sentence for each file of the artist's that was refused."""

    def entry(self, entry_id: str) -> CatalogEntry:
        """Raises ModelError when there is no such entry."""
        found = next((entry for entry in self.entries if entry.id == entry_id), None)
        if found is None:
            raise ModelError(
                f"The catalog has no model “{entry_id[:80]}”.",
                "“gen2studio models list --catalog” shows what there is.",
            )
        return found

    def with_needs(self, entry_id: str) -> tuple[CatalogEntry, ...]:
        """The entry and everything it needs, what is needed first. Raises ModelError."""
        found: dict[str, CatalogEntry] = {}

        def gather(wanted: str) -> None:
            if wanted in found:
                return
            entry = self.entry(wanted)
            for needed in entry.needs:
                gather(needed)
            found[wanted] = entry

        gather(entry_id)
        return tuple(found.values())

    def belonging_to(self, entry_id: str) -> tuple[CatalogEntry, ...]:
        """Adapters, controls and other parts that fit a model, its few-step adapters first."""
        few = self.entry(entry_id).few_step
        fitting = [entry for entry in self.entries if entry_id in entry.fits_with or entry.id in few]
        return tuple(sorted(fitting, key=lambda entry: entry.id not in few))


def catalog() -> Catalog:
    """The catalog of this program and this artist, as it is now: some milliseconds. Raises ModelError when the
    program's own files are damaged."""
    return load_catalog(resources_dir() / "models", data_dir() / OWN_FOLDER)


def load_catalog(folder: Path, own: Path | None = None) -> Catalog:
    """Read the catalog files of ``folder``, and those of ``own``, where a refused one is a problem and no error.

    Raises ModelError for a file of ``folder``.
    """
    gathered = _Gathered()
    bundled = sorted(folder.glob("*.toml"))
    tables = [(path, _table(path)) for path in bundled]
    for path, table in tables:
        gathered.take_licences(path, table)
    for path, table in tables:
        gathered.take_entries(path, table, own=False)
    gathered.check_links()
    for path, table in tables:
        gathered.take_line_up(path, table)
    problems: list[str] = []
    theirs = sorted(path for path in own.glob("*.toml") if path.is_file()) if own is not None and own.is_dir() else []
    if len(theirs) > _MOST_FILES:
        only = f"Of {len(theirs)} catalog files the first {_MOST_FILES} are read."
        problems.append(f"{only} Put several models into one.")
    for path in theirs[:_MOST_FILES]:
        trial = gathered.copy()
        try:
            table = _table(path)
            trial.take_licences(path, table)
            trial.take_entries(path, table, own=True)
            trial.check_links()
        except ModelError as error:
            problems.append(str(error))
        else:
            gathered = trial
    return Catalog(tuple(gathered.entries.values()), tuple(gathered.line_up), tuple(problems))


class _Gathered:
    """What was read so far; a file is taken whole or not at all."""

    def __init__(self) -> None:
        self.entries: dict[str, CatalogEntry] = {}
        self.licences: dict[str, Licence] = {}
        self.line_up: list[LineUp] = []
        self._where: dict[str, Path] = {}

    def copy(self) -> _Gathered:
        made = _Gathered()
        made.entries, made.licences = dict(self.entries), dict(self.licences)
        made.line_up, made._where = list(self.line_up), dict(self._where)
        return made

    def take_licences(self, path: Path, table: Mapping[str, Any]) -> None:
        rows: Any = table.get("licences", {})
        if not isinstance(rows, dict):
            raise _refusal(path, "its “licences” are no table")
        for name, row in rows.items():
            if name in self.licences:
                raise _refusal(path, f"the licence “{str(name)[:80]}” is there already")
            self.licences[name] = _read(path, lambda name=name, row=row: read_licence(name, row))

    def take_entries(self, path: Path, table: Mapping[str, Any], *, own: bool) -> None:
        rows: Any = table.get("model", [])
        if not isinstance(rows, list) or len(rows) > _MOST_ENTRIES:
            raise _refusal(path, "its models are no list, or too many")
        for row in rows:
            entry = _read(path, lambda row=row: read_entry(row, self.licences, own=own))
            if entry.id in self.entries:
                raise _refusal(path, f"the model “{entry.id}” is there already")
            self.entries[entry.id] = entry
            self._where[entry.id] = path

    def take_line_up(self, path: Path, table: Mapping[str, Any]) -> None:
        rows: Any = table.get("line_up", [])
        if not isinstance(rows, list):
            raise _refusal(path, "its line-up is no list")
        for row in rows:
            self.line_up.append(_read(path, lambda row=row: read_line_up(row, self.entries)))
        self.line_up.sort(key=lambda tier: tier.gpu_gb)

    def check_links(self) -> None:
        """Every id that an entry names must be there, and what it needs must not lead back to it."""
        for entry in self.entries.values():
            path = self._where[entry.id]
            for named in (*entry.needs, *entry.fits_with, *entry.few_step):
                if named not in self.entries:
                    raise _refusal(path, f"“{entry.id}” names the model “{named}”, which there is not")
            if entry.id in self._needed(entry.needs):
                raise _refusal(path, f"“{entry.id}” needs itself")

    def _needed(self, ids: Iterable[str]) -> set[str]:
        found: set[str] = set()
        waiting = list(ids)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self.entries[name].needs
        return found


def _table(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _refusal(path, "it is too big for a catalog")
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _refusal(path, f"it can't be read ({type(error).__name__})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refusal(path, f"it is no TOML ({str(error)[:120] or type(error).__name__})") from None
    strange = sorted(set(table) - {"version", "licences", "model", "line_up"})
    if table.get("version") != 1 or strange:
        raise _refusal(path, f"it has an unknown “{strange[0][:80]}”" if strange else "its version is not 1")
    return table


def _read(path: Path, make: Callable[[], T]) -> T:
    try:
        return make()
    except Refused as reason:
        raise _refusal(path, str(reason)) from None


def _refusal(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"The catalog file “{path.name}” is refused: {reason}.", "Correct it, or take it out of the catalog folder."
    )
