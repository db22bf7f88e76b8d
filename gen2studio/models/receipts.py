"""The receipt beside downloaded files: what was fetched from where, with every hash, and under which terms.

A receipt lies in the folder with the weights, so a models folder that moves to another machine says what it holds. It
is data that strangers may have written: paths, sizes and hashes are checked before they are used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from gen2studio.core.paths import write_atomic
from gen2studio.models.catalog_entries import KINDS
from gen2studio.models.download_values import DownloadError, StoredFile, StoredModel
from gen2studio.models.file_names import checked_path

RECEIPT_NAME = "gen2studio-download.json"
LICENCE_NAME = "gen2studio-licence.txt"
_LIMIT = 8 << 20
_ID = re.compile(r"[a-z0-9](?:[a-z0-9.\-]{0,62}[a-z0-9])?")


def write_receipt(model: StoredModel, licence: str) -> None:
    """Write receipt and licence text into ``model.folder``."""
    table = {
        "version": 1,
        "id": model.id,
        "title": model.title,
        "kind": model.kind,
        "repo": model.repo,
        "commit": model.commit,
        "licence": {"id": model.licence_id, "title": model.licence_title, "accepted": model.accepted},
        "downloaded": model.downloaded,
        "files": [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in model.files],
    }
    write_atomic(model.folder / LICENCE_NAME, licence.encode())
    write_atomic(model.folder / RECEIPT_NAME, json.dumps(table, indent=1, ensure_ascii=False).encode())


def read_receipt(folder: Path) -> StoredModel | None:
    """What ``folder`` holds by its receipt, with a problem when files are missing; None = no usable receipt."""
    path = folder / RECEIPT_NAME
    try:
        if path.stat().st_size > _LIMIT:
            return None
        table: Any = json.loads(path.read_text(encoding="utf-8"))
        row = cast("Mapping[str, Any]", table) if isinstance(table, dict) else {}
        files = tuple(_file(item) for item in cast("list[Any]", row.get("files") or []))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, DownloadError):
        return None
    name, kind = str(row.get("id", "")), str(row.get("kind", ""))
    if not is_entry_id(name) or kind not in KINDS or not files:
        return None
    said = row.get("licence")
    terms = cast("Mapping[str, Any]", said) if isinstance(said, dict) else {}
    return StoredModel(
        id=name,
        title=_line(row.get("title")) or name,
        kind=kind,
        folder=folder,
        repo=_line(row.get("repo")),
        commit=_line(row.get("commit"))[:40],
        licence_id=_line(terms.get("id")),
        licence_title=_line(terms.get("title")),
        accepted=_line(terms.get("accepted"))[:10],
        downloaded=_line(row.get("downloaded"))[:10],
        files=files,
        problem=_problem(folder, files),
    )


def is_entry_id(text: str) -> bool:
    """Whether ``text`` can be the id of a catalog entry, and with that the name of a folder."""
    return bool(_ID.fullmatch(text)) and ".." not in text


def _file(item: Any) -> StoredFile:
    row = cast("Mapping[str, Any]", item)
    size, digest = row["size"], str(row["sha256"])
    if type(size) is not int or size < 0 or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ValueError("no file")
    return StoredFile(path=checked_path(str(row["path"])), size=size, sha256=digest)


def _line(text: Any) -> str:
    """A short text of one line that does nothing to a terminal."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "", text)[:200] if isinstance(text, str) else ""


def _problem(folder: Path, files: tuple[StoredFile, ...]) -> str:
    for file in files:
        try:
            size = folder.joinpath(file.path).stat().st_size
        except OSError:
            return f"“{file.path}” is missing. Download the model again; files that are whole are used again."
        if size != file.size:
            return f"“{file.path}” is not whole. Download the model again; files that are whole are used again."
    return ""
