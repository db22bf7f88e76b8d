"""Where the program keeps its own files. ``GEN2STUDIO_HOME`` moves all of them (tests, portable installs)."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import platformdirs

_APP = "gen2studio"
_UMASK = os.umask(0o022)
os.umask(_UMASK)


def _home(kind: str) -> Path | None:
    home = os.environ.get("GEN2STUDIO_HOME")
    return Path(home) / kind if home else None


def data_dir() -> Path:
    """Recovery journals, untitled projects, models."""
    return _made(_home("data") or Path(platformdirs.user_data_dir(_APP)))


def cache_dir(name: str = "") -> Path:
    """Everything that may be deleted at any time: thumbnails, peaks, indexes, compiled kernels."""
    return _made((_home("cache") or Path(platformdirs.user_cache_dir(_APP))) / name)


def config_dir() -> Path:
    """Preferences and window layout."""
    return _made(_home("config") or Path(platformdirs.user_config_dir(_APP)))


@functools.cache
def resources_dir() -> Path:
    """The bundled, read-only data: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parents[1]
    for candidate in (package / "resources", package.parent / "resources"):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError("the resources folder is missing; reinstall Gen2 Studio")


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def inside(folder: Path, name: str) -> Path:
    """``folder / name`` resolved, refusing anything that would leave ``folder``. Raises ValueError."""
    root = folder.resolve()
    target = (root / name).resolve()
    if target != root and root not in target.parents:
        raise ValueError(f"“{name}” leads outside its folder")
    return target


def write_atomic(path: Path, data: bytes) -> None:
    """Write beside ``path``, sync, then rename over it: readers see the old file or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            if hasattr(os, "fchmod"):
                # mkstemp makes private files; what we write is as readable as any other file of the user's.
                os.fchmod(handle, 0o666 & ~_UMASK)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def part_file(path: Path) -> Generator[Path]:
    """Yield ``path`` with ``.part`` before the suffix; rename it over ``path`` on success, delete it on any error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
