"""Files that lie on this machine already: downloaded models, the hub's cache, ComfyUI folders. They are only read.

A file is the same when its SHA-256 is. The hub's cache names its large files by it; ComfyUI's are told by size first,
and read once.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from gen2studio.core.cancel import CancelToken
from gen2studio.models.download_values import StoredModel
from gen2studio.models.hashing_files import KnownHashes
from gen2studio.models.hub_settings import HubSettings

_MOST_FILES = 50_000
_DEEPEST = 6
_COMFYUI_NAMES = ("ComfyUI", "comfyui", "Documents/ComfyUI", "ComfyUI_windows_portable/ComfyUI")
_SUFFIXES = (".safetensors", ".gguf", ".pth", ".pt")
_SMALLEST = 64 << 10
"""Smaller files are fetched: looking for them takes longer."""


class FilesHere:
    """Where the bytes of a file lie on this machine. Folders are read when the first file is asked for."""

    def __init__(self, settings: HubSettings, stored: Iterable[StoredModel], hashes: KnownHashes) -> None:
        self._settings = settings
        self._hashes = hashes
        self._stored: dict[str, list[Path]] = {}
        for model in stored:
            for file in model.files:
                self._stored.setdefault(file.sha256, []).append(model.folder.joinpath(file.path))
        self._cached: dict[str, list[Path]] | None = None
        self._by_size: dict[int, list[Path]] | None = None

    def find(self, sha256: str, size: int, cancel: CancelToken | None = None) -> Path | None:
        """A file with exactly these bytes, or None. Candidates are hashed. Raises Cancelled."""
        if not sha256 or size < _SMALLEST:
            return None
        for path in self._candidates(sha256, size):
            with contextlib.suppress(OSError):
                if path.stat().st_size == size and self._hashes.sha256(path, cancel) == sha256:
                    return path
        return None

    def _candidates(self, sha256: str, size: int) -> Iterator[Path]:
        yield from self._stored.get(sha256, ())
        if self._settings.reuse_hub_cache:
            if self._cached is None:
                self._cached = _cached_blobs(self._settings.hub_cache_folder)
            yield from self._cached.get(sha256, ())
        if self._by_size is None:
            self._by_size = {}
            for folder in self._settings.comfyui_folders:
                for path, length in weight_files(Path(folder).expanduser()):
                    self._by_size.setdefault(length, []).append(path)
        yield from self._by_size.get(size, ())


def weight_files(folder: Path) -> Iterator[tuple[Path, int]]:
    """(file, bytes) of the weights below ``folder``, links to files included, links to folders not followed."""
    left = _MOST_FILES
    waiting = [(folder, 0)]
    while waiting and left > 0:
        here, depth = waiting.pop()
        try:
            rows = sorted(os.scandir(here), key=lambda row: row.name)
        except OSError:
            continue
        for row in rows:
            left -= 1
            with contextlib.suppress(OSError):
                if row.is_dir(follow_symlinks=False):
                    if depth < _DEEPEST and not row.name.startswith("."):
                        waiting.append((Path(row.path), depth + 1))
                elif row.name.lower().endswith(_SUFFIXES) and row.is_file():
                    yield Path(row.path), row.stat().st_size


def comfyui_models(folder: Path) -> Path | None:
    """The ``models`` folder of a ComfyUI at ``folder`` (itself, or the folder that holds it); None = none."""
    for place in (folder, folder / "models", folder / "ComfyUI" / "models"):
        if sum((place / name).is_dir() for name in ("checkpoints", "vae", "loras", "diffusion_models", "unet")) >= 2:
            return place
    return None


def find_comfyui(home: Path | None = None) -> tuple[Path, ...]:
    """ComfyUI's models folders in the usual places of this user."""
    base = home or Path.home()
    found = (comfyui_models(base / name) for name in _COMFYUI_NAMES)
    return tuple(dict.fromkeys(path.resolve() for path in found if path is not None))


def _cached_blobs(cache: Path) -> dict[str, list[Path]]:
    """SHA-256 → blobs of the hub's cache: ``models--owner--name/blobs/<sha256>``."""
    found: dict[str, list[Path]] = {}
    with contextlib.suppress(OSError):
        for repository in sorted(cache.glob("models--*")):
            with contextlib.suppress(OSError):
                for row in os.scandir(repository / "blobs"):
                    if re.fullmatch(r"[0-9a-f]{64}", row.name) and row.is_file():
                        found.setdefault(row.name, []).append(Path(row.path))
    return found
