"""Reading big files for their SHA-256: with progress, with a cancel between blocks, and never twice for nothing."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from gen2studio.core.cancel import CancelToken

BLOCK = 4 << 20


def sha256_of_file(
    path: Path, cancel: CancelToken | None = None, moved: Callable[[int], None] | None = None, expected: int = -1
) -> str:
    """SHA-256 hex of a file; ``moved`` gets the bytes of each block. Raises OSError, Cancelled.

    With ``expected`` ≥ 0 reading ends one block beyond it: such a file is not the expected one whatever it holds.
    """
    digest = hashlib.sha256()
    done = 0
    with open(path, "rb") as handle:
        while block := handle.read(BLOCK):
            if cancel is not None:
                cancel.check()
            digest.update(block)
            done += len(block)
            if moved is not None:
                moved(len(block))
            if 0 <= expected < done:
                break
    return digest.hexdigest()


class KnownHashes:
    """Hashes of this run of the program, by what a file is on disk: asked again, an unchanged file is not read again.

    Thread-safe. Nothing is kept on disk: another run reads again.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int, int], str] = {}
        self._lock = threading.Lock()

    def sha256(self, path: Path, cancel: CancelToken | None = None, moved: Callable[[int], None] | None = None) -> str:
        """SHA-256 hex of ``path``. Raises OSError, Cancelled."""
        key = _key(path)
        with self._lock:
            found = self._known.get(key)
        if found is not None:
            if moved is not None:
                moved(key[2])
            return found
        digest = sha256_of_file(path, cancel, moved)
        # A file that changed while it was read is not known.
        if _key(path) == key:
            with self._lock:
                self._known[key] = digest
        return digest


def _key(path: Path) -> tuple[int, int, int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
