"""Paths in a project file: relative to the project where they can be, and never leading where no media file lies."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

from gen2studio.document.codec_reader import complain

_NEAR = 2
"""Media up to this many folders above the project is stored relative, so that both can be moved together."""
_DEVICES = ("/dev/", "/proc/", "/sys/")


def store_path(path: str, base: Path | None) -> str:
    """``path`` relative to the project folder ``base`` when it lies inside or near it."""
    if base is None:
        return path
    try:
        relative = os.path.relpath(path, base)
    except ValueError:  # another drive
        return path
    parts = Path(relative).parts
    # Near the root everything is "near": a path that climbs to it is kept absolute.
    if parts.count("..") > min(_NEAR, len(base.resolve().parts) - 2):
        return path
    return Path(relative).as_posix()


def load_path(stored: str, base: Path | None, where: str) -> str:
    """The absolute path of a stored one. Refuses what can't be a media file."""
    if not stored or "\0" in stored or len(stored) > 4096:
        complain(where, "has no valid path")
    if PurePosixPath(stored).is_absolute() or PureWindowsPath(stored).is_absolute():
        path = stored
    else:
        parts = PurePosixPath(stored).parts
        climbs = sum(part == ".." for part in parts)
        if base is None or climbs > _NEAR or ".." in parts[climbs:]:
            complain(where, "has a path that leads out of the project")
        path = Path(os.path.normpath(base / stored)).as_posix()
    if path.startswith(_DEVICES) or os.path.normpath(path).startswith(_DEVICES):
        complain(where, "has a path that is no media file")
    return path
