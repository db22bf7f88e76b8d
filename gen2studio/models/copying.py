"""Copying and linking big files: resumed, hashed on the way, renamed last."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from gen2studio.core.cancel import CancelToken
from gen2studio.models.file_names import PART
from gen2studio.models.hashing_files import BLOCK


def copy_resumed(
    source: Path, target: Path, cancel: CancelToken | None = None, moved: Callable[[int], None] | None = None
) -> str:
    """Copy ``source`` to ``target`` and return its SHA-256. Goes on where ``target.part`` ends.

    ``moved`` gets the bytes of each block, those that were there first. Raises OSError; Cancelled leaves the part.
    """
    part = target.with_name(target.name + PART)
    target.parent.mkdir(parents=True, exist_ok=True)
    if part.is_symlink():
        part.unlink()
    digest = hashlib.sha256()
    with open(source, "rb") as reading, open(part, "ab") as writing:
        have = min(writing.tell(), os.fstat(reading.fileno()).st_size)
        writing.truncate(have)
        done = 0
        while block := reading.read(BLOCK):
            if cancel is not None:
                cancel.check()
            digest.update(block)
            # What is there was written by an earlier call; the digest is of the source, and of the target below.
            if done + len(block) > have:
                writing.write(block[max(0, have - done) :])
            done += len(block)
            if moved is not None:
                moved(len(block))
        writing.flush()
        os.fsync(writing.fileno())
    if have and _sha256(part) != digest.hexdigest():
        # The old part was of another file.
        part.unlink()
        return copy_resumed(source, target, cancel)
    os.replace(part, target)
    return digest.hexdigest()


def linked(source: Path, target: Path) -> bool:
    """Whether ``target`` could be made another name of the file ``source``: same disk, and one that knows links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        target.unlink(missing_ok=True)
        os.link(source.resolve(), target)
        return True
    return False


def _sha256(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
