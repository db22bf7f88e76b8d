"""What lies elsewhere on this machine and can be used where it is: the hub's cache and ComfyUI's models. Only read.

The cache is read by hand. huggingface_hub could do it, and reads once, while it is imported, whether the process may go
online; that is decided where models are loaded, not here.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ModelError
from gen2studio.core.records import dataclass
from gen2studio.models.adding import is_part, why_not
from gen2studio.models.checkpoint import INDEX_NAME
from gen2studio.models.companions import family_of_companion, family_of_index
from gen2studio.models.elsewhere import comfyui_models, find_comfyui, weight_files
from gen2studio.models.file_names import WEIGHTS
from gen2studio.models.hub_settings import HubSettings
from gen2studio.models.identifying import identify_header
from gen2studio.models.mask_models import is_mask_model
from gen2studio.models.wan_files import find_parts, read_weights

_REPOSITORY = re.compile(r"models--([A-Za-z0-9][\w.\-]*?)--([A-Za-z0-9][\w.\-]*)")
_MOST = 2000
_MOST_OF_ONE = 40
"""Files of one repository that are offered one by one."""
_CONFIG_LIMIT = 4 << 20
_KINDS = {"motion_adapter": "motion", "ip_adapter": "image_adapter"}
"""Parts that work beside a model → kinds; the others are ControlNets."""


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
    """Nothing to add by itself: a part of a model, such as a VAE, or files that only a download puts together."""
    why_not: str = ""
    """Why nothing here can use it, in a sentence; empty = it may be added, or is a part."""

    @property
    def usable(self) -> bool:
        """Whether adding it makes sense."""
        return not self.part and not self.why_not


def offers(
    settings: HubSettings, entries: Iterable[tuple[str, str]] = (), cancel: CancelToken | None = None
) -> tuple[Offer, ...]:
    """What the hub's cache and ComfyUI's folders hold, largest first. Reads headers; call it on a thread of your own.

    Of the cache only what this program runs, and what a download of the catalog takes from there: other programs keep
    language models and much else in it. ``entries`` are (repository, title) of the catalog: such repositories are
    called by their title. Raises Cancelled.
    """
    token = cancel or CancelToken()
    found: list[Offer] = []
    if settings.reuse_hub_cache:
        found += _cached(settings.hub_cache_folder, dict(entries), token)
    named = (comfyui_models(Path(folder).expanduser()) for folder in settings.comfyui_folders)
    # Resolved, as those that were found are: one folder under two names is read once.
    for folder in dict.fromkeys((*(path.resolve() for path in named if path is not None), *find_comfyui())):
        found += _files(folder, "ComfyUI", token)
    return tuple(sorted(found, key=lambda offer: (-offer.bytes, offer.title)))[:_MOST]


def _cached(cache: Path, titles: dict[str, str], cancel: CancelToken) -> list[Offer]:
    """What can be used of the newest snapshot of every repository in a cache."""
    found: list[Offer] = []
    for repository in sorted(cache.glob("models--*")) if cache.is_dir() else ():
        cancel.check()
        named = _REPOSITORY.fullmatch(repository.name)
        snapshot = _snapshot(repository)
        if named is None or snapshot is None:
            continue
        size = sum(length for _, length in weight_files(snapshot))
        if not size:
            continue
        repo = f"{named[1]}/{named[2]}"
        kind = _kind_of_snapshot(snapshot)
        files = _files(snapshot, "hub cache", cancel, repo) if kind == "files" else []
        usable = [offer for offer in files if offer.usable][:_MOST_OF_ONE]
        known = kind not in ("files", "other")
        if usable:
            found += usable
        elif known or repo in titles:
            # What is of no use here and in the catalog is for its download, which needs fetch less then.
            title = titles.get(repo, repo)
            shown = kind if known else "unknown"
            found.append(
                Offer(
                    path=snapshot, title=title, kind=shown, place="hub cache", bytes=size, repo=repo, part=not known
                )
            )  # fmt: skip
    return found


def _kind_of_snapshot(folder: Path) -> str:
    """What a repository is, by its descriptions: ``model``, ``masks``, a kind of part that works beside a model,
    ``files`` that have to be looked at one by one, or ``other``: a language model, a pipeline that nothing here drives.
    """
    if (folder / INDEX_NAME).is_file():
        return "model" if family_of_index(folder) is not None else "other"
    if is_mask_model(folder):
        return "masks"
    beside = family_of_companion(folder)
    if beside is not None:
        return _KINDS.get(next(iter(beside[1])), "control")
    described = _described(folder)
    own = str(described.get("_class_name", ""))
    if described and not own.endswith("WanModel"):
        return "other"
    with contextlib.suppress(ModelError, OSError):
        if "transformer" in find_parts(folder):
            return "model"
    return "files"


def _described(folder: Path) -> dict[str, Any]:
    """The config of a repository; empty when it has none that can be read."""
    path = folder / "config.json"
    try:
        found: Any = json.loads(path.read_bytes()) if path.stat().st_size <= _CONFIG_LIMIT else None
    except (OSError, ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


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


def _files(folder: Path, place: str, cancel: CancelToken, repo: str = "") -> list[Offer]:
    """Every weights file below ``folder``, told by its header."""
    found: list[Offer] = []
    for path, size in weight_files(folder):
        cancel.check()
        if path.suffix.lower() in WEIGHTS:
            with contextlib.suppress(ModelError):
                told = identify_header(read_weights(path))
                # Some begin small: they are written within sentences too.
                title = told.title[:1].upper() + told.title[1:]
                found.append(
                    Offer(
                        path=path, title=title, kind=told.kind, place=place, bytes=size, repo=repo,
                        part=is_part(told), why_not=why_not(told),
                    )
                )  # fmt: skip
    return found
