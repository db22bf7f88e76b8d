"""Terms that were read and accepted on this machine: which text, by its hash, and when.

An acceptance is bound to the exact text. When the text changes, it has to be read again.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from gen2studio.core.paths import data_dir, inside, resources_dir, write_atomic
from gen2studio.core.records import replacer
from gen2studio.models.catalog_entries import CatalogEntry
from gen2studio.models.download_values import DownloadError, LicenceText
from gen2studio.models.list_lock import alone

LEDGER_NAME = "licences.json"
TEXTS_FOLDER = "licences"
"""Inside the resources."""
_TEXT_LIMIT = 1 << 20

_with_date = replacer(LicenceText, "accepted")


class LicenceLedger:
    """The acceptances, in a JSON file. Thread-safe."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()

    @property
    def path(self) -> Path:
        return self._path or data_dir() / "models" / LEDGER_NAME

    def dated(self, text: LicenceText) -> LicenceText:
        """``text`` with the date on which exactly it was accepted, or without one."""
        rows = self._read()
        found = next((row for row in rows if row.get("id") == text.id and row.get("sha256") == text.digest), None)
        return _with_date(text, str(found.get("accepted", "")) if found else "")

    def accept(self, text: LicenceText, entry_id: str) -> LicenceText:
        """Record that ``text`` was accepted today for ``entry_id``; it with the date. The first date stays."""
        with self._lock, alone(self.path):
            known = self.dated(text)
            if known.accepted:
                return known
            today = datetime.now(UTC).date().isoformat()
            row = {"id": text.id, "title": text.title, "sha256": text.digest, "accepted": today, "for": entry_id}
            rows = [*self._read(), row]
            write_atomic(self.path, json.dumps({"version": 1, "accepted": rows}, indent=1).encode())
            return _with_date(text, today)

    def _read(self) -> list[dict[str, Any]]:
        try:
            table: Any = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        except (OSError, ValueError, RecursionError):
            # Nothing is lost that can't be read and accepted again.
            return []
        rows: Any = cast("dict[str, Any]", table).get("accepted") if isinstance(table, dict) else None
        listed = cast("list[Any]", rows) if isinstance(rows, list) else []
        return [cast("dict[str, Any]", row) for row in listed if isinstance(row, dict)]


def licence_text(entry: CatalogEntry, from_repository: Callable[[str], str]) -> LicenceText:
    """The terms of an entry as they are shown: the bundled text, or the repository's own by ``from_repository``(path).

    Raises DownloadError when there is no text to be read.
    """
    licence = entry.licence
    if licence.text:
        try:
            path = inside(resources_dir() / TEXTS_FOLDER, licence.text)
            text = path.read_text(encoding="utf-8") if path.stat().st_size <= _TEXT_LIMIT else ""
        except (OSError, ValueError):
            text = ""
    else:
        text = from_repository(licence.source_path) if licence.source_path else ""
    if not text.strip():
        raise DownloadError(
            f"The text of {licence.title} is not there, and nothing is downloaded before it could be read.",
            f"Read it at {licence.url}." if licence.url else "",
            "licence",
        )
    # It is shown in windows and terminals: characters that do something there are no part of a text.
    plain = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "", text.replace("\r\n", "\n"))
    plain = plain.strip() + "\n"
    digest = hashlib.sha256(plain.encode()).hexdigest()
    return LicenceText(id=licence.id, title=licence.title, text=plain, digest=digest, url=licence.url)
