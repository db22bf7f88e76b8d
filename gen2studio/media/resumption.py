"""Going on with an export that was interrupted: what a run leaves for the next one, and whether that may be used.

::

    .film.<key>.resume        JSON {"basis", "created", "committed"}, beside the target, until the export has ended
    .film.<key>.part/         finished pictures of a sequence: each was written beside, synced and renamed

``basis`` is a digest of everything that decides on a picture. Where it differs, what was left is of another film and
goes. A key belongs to one export, so that two exports to one place never share pictures.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import threading
from pathlib import Path
from typing import Any, cast

from gen2studio.core.paths import write_atomic

_MOST_BYTES = 4096


class Resumption:
    """One export that may be interrupted. Used by its thread; :meth:`interrupt` from any."""

    def __init__(self, key: str) -> None:
        """``key`` is the same for every run of one export, and safe in a file name."""
        self.key = key
        self._file: Path | None = None
        self._said: dict[str, Any] = {}
        self._interrupted = threading.Event()
        self.spoiled = False
        """Whether pictures were changed since they were finished, so that nothing may be kept."""

    def begin(self, target: Path, basis: str, created: str) -> str:
        """Find out what an earlier run left beside ``target``; returns when the export was first begun.

        ``created`` is the moment that a first run says. Raises OSError.
        """
        self._file = target.with_name(f".{target.name}.{self.key}.resume")
        found = self._read()
        if found.get("basis") != basis:
            forget(target.parent, self.key)
            found = {"basis": basis, "created": created, "committed": False}
        self._said = found
        self._write()
        return str(found["created"])

    @property
    def committed(self) -> bool:
        """Whether an earlier run finished the film itself, and was interrupted in what goes with it."""
        return self._said.get("committed") is True

    def folder_of(self, path: Path) -> Path:
        """The hidden folder that becomes ``path``."""
        return path.with_name(f".{path.name}.{self.key}.part")

    def commit(self) -> None:
        """The film itself has its name. Raises OSError."""
        self._said["committed"] = True
        self._write()

    def spoil(self) -> None:
        """Finished pictures are about to be changed in place: a run after this one begins anew. Raises OSError."""
        self.spoiled = True
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def interrupt(self) -> None:
        """The program ends: what is finished stays for the next one."""
        self._interrupted.set()

    @property
    def keeps(self) -> bool:
        """Whether a writer that is aborted leaves its finished pictures."""
        return self._interrupted.is_set() and not self.spoiled

    def end(self) -> None:
        """The export has ended, well or not: nothing is left for another run."""
        if self._file is not None and not self.keeps:
            forget(self._file.parent, self.key)

    def _read(self) -> dict[str, Any]:
        assert self._file is not None
        try:
            if self._file.stat().st_size <= _MOST_BYTES:
                found: Any = json.loads(self._file.read_bytes())
                if isinstance(found, dict):
                    said = cast("dict[str, Any]", found)
                    if isinstance(said.get("basis"), str) and isinstance(said.get("created"), str):
                        return said
        except (OSError, ValueError):
            pass
        return {}

    def _write(self) -> None:
        assert self._file is not None
        write_atomic(self._file, json.dumps(self._said).encode())


def finished_pictures(folder: Path, name: str, suffix: str) -> frozenset[int]:
    """Numbers of the whole pictures ``<name>_<number>.<suffix>`` in ``folder``; half ones are removed."""
    own = re.compile(rf"{re.escape(name)}_(\d{{1,9}})\.{suffix}")
    numbers: set[int] = set()
    for entry in folder.iterdir():
        if (found := own.fullmatch(entry.name)) is not None and entry.is_file() and not entry.is_symlink():
            numbers.add(int(found[1]))
        elif entry.is_file():
            entry.unlink()
    return frozenset(numbers)


def forget(folder: Path, key: str) -> None:
    """Remove what an interrupted export of this key left in ``folder``."""
    with contextlib.suppress(OSError):
        for entry in list(folder.iterdir()):
            if not entry.name.startswith("."):
                continue
            if entry.name.endswith(f".{key}.part") and entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name.endswith(f".{key}.resume"):
                entry.unlink(missing_ok=True)
