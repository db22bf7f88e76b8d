"""After a crash: which projects have unsaved work in a journal, and bringing it back to the last whole record."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from gen2studio.app.project_files import Project, journals_dir, lock_of
from gen2studio.app.project_lock import is_locked
from gen2studio.core.errors import ProjectError
from gen2studio.core.paths import data_dir
from gen2studio.core.records import dataclass
from gen2studio.document.codec_reader import Node, parse_json
from gen2studio.document.deltas import Replay
from gen2studio.document.migrations import VERSION
from gen2studio.document.model import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Unsaved work of a program that is gone."""

    journal: Path
    name: str
    path: Path | None
    """The project's place, or None for one that was never saved."""
    folder: Path
    packed: bool
    when: float
    """Seconds since the epoch of its last record."""
    changes: int
    """Records since the last save."""


def candidates() -> tuple[Candidate, ...]:
    """What can be recovered, newest first. Projects that are open in a living program are left out."""
    found: list[Candidate] = []
    for journal in journals_dir().glob("*.journal"):
        with suppress(ProjectError, OSError):
            candidate = _candidate(journal)
            if not is_locked(lock_of(candidate.folder, candidate.packed)):
                found.append(candidate)
    return tuple(sorted(found, key=lambda c: -c.when))


def candidate_for(project: Project) -> Candidate | None:
    """The unsaved work of a project that was just opened, or None."""
    with suppress(ProjectError, OSError):
        return _candidate(project.journal_path)
    return None


def recover(candidate: Candidate, project: Project | None = None) -> tuple[Project, Document]:
    """The project and its document as of the last whole record. Raises ProjectError.

    The journal stays until the work is saved: the project is marked ``recovered``, and its new Journal starts from it.
    ``project`` is passed when the project is open already.
    """
    records = _records(candidate.journal)
    replay = Replay(_first(records)["document"])
    for number, record in enumerate(records, 1):
        if record.get("n") != number:
            break
        replay.apply(record)
    document = replay.document()
    if project is None:
        candidate.folder.mkdir(parents=True, exist_ok=True)
        project = Project.reopen(candidate.folder, candidate.path, candidate.packed)
    project.recovered = True
    return project, document


def discard(candidate: Candidate) -> None:
    """Throw unsaved work away (the artist chose so)."""
    with suppress(OSError):
        candidate.journal.unlink()
    if candidate.path is None or candidate.packed:
        shutil.rmtree(candidate.folder, ignore_errors=True)


def _candidate(journal: Path) -> Candidate:
    records = _records(journal)
    first = Node(_first(records), "the journal")
    folder = Path(first.text("folder"))
    path = Path(first.text("path")) if first.text("path") else None
    packed = first.flag("packed")
    # The folder gets written to: it must be the project itself or lie among our own files.
    if packed or path is None:
        if not folder.resolve().is_relative_to(data_dir().resolve()):
            raise ProjectError("The journal is damaged.")
    elif folder != path:
        raise ProjectError("The journal is damaged.")
    return Candidate(
        journal=journal,
        name=path.stem if path is not None else first.node("document").text("name"),
        path=path,
        folder=folder,
        packed=packed,
        when=journal.stat().st_mtime,
        changes=sum(1 for _ in records),
    )


def _first(records: Iterator[dict[str, Any]]) -> dict[str, Any]:
    first = next(records, None)
    if first is None or first.get("n") != 0:
        raise ProjectError("The recovery journal is empty or damaged.", "Open the project as it was last saved.")
    if first.get("version") not in range(1, VERSION + 1):
        raise ProjectError("The recovery journal was written by a newer Gen2 Studio.", "Open it with that version.")
    return first


def _records(journal: Path) -> Iterator[dict[str, Any]]:
    """The whole records of a journal, in order; what was torn by the crash, and anything behind it, is left out."""
    with open(journal, "rb") as stream:
        for line in stream:
            if not line.endswith(b"\n") or len(line) < 11 or line[8:9] != b" ":
                return
            text = line[9:-1]
            try:
                if int(line[:8], 16) != zlib.crc32(text):
                    return
                yield parse_json(text)
            except (ValueError, ProjectError, json.JSONDecodeError):
                return
