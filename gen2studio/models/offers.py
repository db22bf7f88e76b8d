"""What lies elsewhere on this machine and can be used where it is: the hub's cache and ComfyUI's models. Only read.

The cache is read by hand. huggingface_hub could do it, and reads once, while it is imported, whether the process may go
online; that is decided where models are loaded, not here.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ModelError
from gen2studio.core.records import dataclass
from gen2studio.models.adding import is_part
from gen2studio.models.checkpoint import INDEX_NAME
from gen2studio.models.elsewhere import comfyui_models, find_comfyui, weight_files
from gen2studio.models.file_names import WEIGHTS
from gen2studio.models.hub_settings import HubSettings
from gen2studio.models.identifying import identify_header
from gen2studio.models.wan_files import read_weights

_REPOSITORY = re.compile(r"models--([A-Za-z0-9][\w.\-]*?)--([A-Za-z0-9][\w.\-]*)")
_MOST = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Something that can be added where it lies, or that a download would reuse."""

    path: Path
    """The file or folder to add."""
    title: str
    """What it is, in words."""
    kind: str
    """As in :class:`gen2studio.models.identifying.Identified`."""
    place: str
    """“hub cache” or “ComfyUI”."""
    bytes: int
    repo: str = ""
    """``owner/name``, of the hub's cache."""
    part: bool = False
    """A part of a model, such as a VAE: nothing to add by itself."""


def offers(
    settings: HubSettings, entries: Iterable[tuple[str, str]] = (), cancel: CancelToken | None = None
) -> tuple[Offer, ...]:
    """What the hub's cache and ComfyUI's folders hold, largest first. Reads headers; call it on a thread of your own.

    ``entries`` are (repository, title) of the catalog: such repositories are called by their title. Raises Cancelled.
    """
    token = cancel or CancelToken()
    found: list[Offer] = []
    if settings.reuse_hub_cache:
        found += _cached(settings.hub_cache_folder, dict(entries), token)
    named = (comfyui_models(Path(folder).expanduser()) for folder in settings.comfyui_folders)
    # Resolved, as those that were found are: one folder under two names is read once.
    for folder in dict.fromkeys((*(path.resolve() for path in named if path is not None), *find_comfyui())):
        found += _comfyui(folder, token)
    return tuple(sorted(found, key=lambda offer: (-offer.bytes, offer.title)))[:_MOST]


def _cached(cache: Path, titles: dict[str, str], cancel: CancelToken) -> list[Offer]:
    """The newest snapshot of every repository in a cache that holds weights."""
    found: list[Offer] = []
    for repository in sorted(cache.glob("models--*")) if cache.is_dir() else ():
        cancel.check()
        named = _REPOSITORY.fullmatch(repository.name)
        snapshot = _snapshot(repository)
        if named is None or snapshot is None:
            continue
        size = sum(length for _, length in weight_files(snapshot))
        if size:
            repo = f"{named[1]}/{named[2]}"
            kind = "model" if (snapshot / INDEX_NAME).is_file() else "unknown"
            found.append(
                Offer(path=snapshot, title=titles.get(repo, repo), kind=kind, place="hub cache", bytes=size, repo=repo)
            )
    return found


def _snapshot(repository: Path) -> Path | None:
    """The snapshot of the main branch, else the newest."""
    snapshots = repository / "snapshots"
    with contextlib.suppress(OSError, ValueError):
        reference = repository / "refs" / "main"
        commit = reference.read_text(encoding="ascii").strip() if reference.stat().st_size < 100 else ""
        if re.fullmatch(r"[0-9a-f]{40}", commit) and (snapshots / commit).is_dir():
            return snapshots / commit
    with contextlib.suppress(OSError):
        there = [path for path in snapshots.iterdir() if path.is_dir()]
        return max(there, key=lambda path: path.stat().st_mtime, default=None)
    return None


def _comfyui(folder: Path, cancel: CancelToken) -> list[Offer]:
    found: list[Offer] = []
    for path, size in weight_files(folder):
        cancel.check()
        if path.suffix.lower() in WEIGHTS:
            with contextlib.suppress(ModelError):
                told = identify_header(read_weights(path))
                found.append(
                    Offer(
                        path=path, title=told.title, kind=told.kind, place="ComfyUI", bytes=size,
                        part=is_part(path, told.kind),
                    )
                )  # fmt: skip
    return found
