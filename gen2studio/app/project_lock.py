"""One program at a time per project. The operating system drops the lock when its process dies, however it dies."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from gen2studio.core.errors import ProjectError


class ProjectLock:
    """An advisory lock on a small file that also names the process. Raises ProjectError when another one holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            _lock(self._handle)
        except OSError as error:
            os.close(self._handle)
            raise ProjectError(
                "This project is already open in another window of Gen2 Studio.", "Close it there, then open it here."
            ) from error
        # Whatever a dead process left in the file is ours now.
        os.ftruncate(self._handle, 0)
        os.write(self._handle, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        if self._handle >= 0:
            with contextlib.suppress(OSError):
                self.path.unlink()
            os.close(self._handle)
            self._handle = -1


def is_locked(path: Path) -> bool:
    """True while a living process (this one included) holds the lock."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        _lock(handle)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        # Far behind the text, so that the process number stays readable to others.
        os.lseek(handle, 1 << 20, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
