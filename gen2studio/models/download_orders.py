"""Downloads that outlive the program: one JSON file for each, written whenever something is finished.

An order says everything that is needed to go on: the files at their commit with their hashes, which of them are done,
where they are staged, and the terms that were accepted. Its staged files lie beside the models of the same disk:

    <models folder>/.incoming/<id>/files/…     renamed to <models folder>/<id> when all of it is right
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import field, fields
from pathlib import Path
from typing import Any, cast

from gen2studio.core.paths import data_dir, write_atomic
from gen2studio.core.records import dataclass
from gen2studio.models.catalog_entries import KINDS
from gen2studio.models.download_values import DownloadError, LicenceText, PlannedFile
from gen2studio.models.file_names import checked_path
from gen2studio.models.receipts import is_entry_id

INCOMING = ".incoming"
_LIMIT = 32 << 20
_WANTED = ("run", "pause")


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadOrder:
    """One download as it is kept between runs."""

    id: str
    title: str
    kind: str
    repo: str
    commit: str
    folder: Path
    """Where it will lie."""
    files: tuple[PlannedFile, ...]
    licence: LicenceText
    wanted: str = "run"
    """``run``: goes on at the next start; ``pause``: waits for the artist, after a pause or a failure."""
    problem: str = ""
    remedy: str = ""
    problem_kind: str = ""
    finished: Mapping[str, str] = field(default_factory=lambda: dict[str, str]())
    """Path → SHA-256 of the files that are whole in :attr:`staged`."""

    @property
    def incoming(self) -> Path:
        """Everything of it that is not whole yet."""
        return self.folder.parent / INCOMING / self.id

    @property
    def staged(self) -> Path:
        """The folder that becomes :attr:`folder`."""
        return self.incoming / "files"

    @property
    def total(self) -> int:
        return sum(file.size for file in self.files)


class OrderFiles:
    """The orders on disk."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @property
    def folder(self) -> Path:
        return self._folder or data_dir() / "models" / "downloads"

    def lock_path(self, entry_id: str) -> Path:
        """The file that a program holds while it works on an order."""
        return self.folder / f"{entry_id}.lock"

    def load(self) -> tuple[DownloadOrder, ...]:
        """Every order that can be read, oldest first."""
        found: list[tuple[float, DownloadOrder]] = []
        for path in self.folder.glob("*.json") if self.folder.is_dir() else ():
            with contextlib.suppress(OSError):
                order = _read(path)
                if order is not None:
                    found.append((path.stat().st_mtime, order))
        return tuple(order for _, order in sorted(found, key=lambda row: (row[0], row[1].id)))

    def find(self, entry_id: str) -> DownloadOrder | None:
        return _read(self.folder / f"{entry_id}.json") if is_entry_id(entry_id) else None

    def save(self, order: DownloadOrder) -> None:
        """Raises OSError."""
        write_atomic(self.folder / f"{order.id}.json", json.dumps(_row(order), ensure_ascii=False).encode())

    def forget(self, order: DownloadOrder) -> None:
        """Take an order off the list and delete what it staged."""
        shutil.rmtree(order.incoming, ignore_errors=True)
        with contextlib.suppress(OSError):
            order.incoming.parent.rmdir()
        for path in (self.folder / f"{order.id}.json", self.lock_path(order.id)):
            with contextlib.suppress(OSError):
                path.unlink()


def _row(order: DownloadOrder) -> dict[str, Any]:
    plain = {
        item.name: getattr(order, item.name)
        for item in fields(DownloadOrder)
        if item.name not in ("files", "licence", "folder", "finished")
    }
    names = ("path", "repo", "source", "commit", "size", "sha256", "git_oid")
    terms = ("id", "title", "text", "digest", "url", "accepted")
    return {
        "version": 1,
        **plain,
        "folder": str(order.folder),
        "finished": dict(order.finished),
        "files": [{name: getattr(file, name) for name in names} for file in order.files],
        "licence": {name: getattr(order.licence, name) for name in terms},
    }


def _read(path: Path) -> DownloadOrder | None:
    try:
        if path.stat().st_size > _LIMIT:
            return None
        table: Any = json.loads(path.read_text(encoding="utf-8"))
        row = cast("Mapping[str, Any]", table)
        texts = ("title", "repo", "commit", "problem", "remedy", "problem_kind")
        order = DownloadOrder(
            id=str(row["id"]),
            kind=str(row["kind"]),
            folder=Path(str(row["folder"])),
            wanted=str(row["wanted"]),
            files=tuple(_file(item) for item in row["files"]),
            licence=LicenceText(**{name: str(text) for name, text in row["licence"].items()}),
            finished={checked_path(str(name)): str(digest) for name, digest in row["finished"].items()},
            **{name: str(row[name]) for name in texts},
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, DownloadError):
        return None
    whole = is_entry_id(order.id) and path.stem == order.id and order.kind in KINDS and order.wanted in _WANTED
    return order if whole and order.files and order.folder.is_absolute() and order.folder.name == order.id else None


def _file(row: Mapping[str, Any]) -> PlannedFile:
    size, digest = row["size"], str(row["sha256"])
    if type(size) is not int or size < 0 or not re.fullmatch(r"|[0-9a-f]{64}", digest):
        raise ValueError("no file")
    return PlannedFile(
        path=checked_path(str(row["path"])), repo=str(row["repo"]), source=str(row["source"]),
        commit=str(row["commit"]), size=size, sha256=digest, git_oid=str(row["git_oid"]),
    )  # fmt: skip
