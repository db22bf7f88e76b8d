"""One writer at a time for the small lists of models: the window, its downloads and the command line share them.

Every list is read, changed and written as a whole. Two that do so at once would each write what the other does not
know; who only reads needs no lock, because a list is replaced in one step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

from gen2studio.core.errors import ModelError

_PATIENCE = 30.0
"""Seconds; a change takes milliseconds, or as long as the headers of a model on a slow disk."""


@contextlib.contextmanager
def alone(file: Path) -> Generator[None]:
    """While this lasts nobody else changes ``file``, in this program or another. May be entered again by its thread.

    Raises ModelError when another program does not let go of it.
    """
    # Imported here: nothing at the window's start writes.
    from filelock import FileLock, Timeout

    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file.with_name(f".{file.name}.lock"), timeout=_PATIENCE, is_singleton=True)
    try:
        lock.acquire()
    except Timeout:
        raise ModelError(
            f"Another program has been changing {file.name} for half a minute.", "Close it, then try again."
        ) from None
    except NotImplementedError:
        # What filelock raises on a disk without locks, such as some network folders (ENOSYS of flock): an artist whose
        # models lie there must still be able to add one, as long as nobody else does so in the same moment.
        yield
        return
    try:
        yield
    finally:
        lock.release()
