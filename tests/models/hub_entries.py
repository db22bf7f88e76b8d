"""Catalog entries of the small repositories that tests put on their own hub, and a queue that asks it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from gen2studio.models.catalog_entries import CatalogEntry, CatalogFile, Licence
from gen2studio.models.download_values import DownloadPlan
from gen2studio.models.downloads import Downloads
from gen2studio.models.hub_connection import Patience
from gen2studio.models.hub_settings import HubSettings, HubSettingsFile
from gen2studio.models.storage import ModelStore
from tests.fakes.hub_server import HubServer

APACHE = Licence(id="Apache-2.0", title="Apache License 2.0", text="apache-2.0.txt")
QUICK = Patience(first_wait=0.01, longest_wait=0.02, read=20.0)
"""No long waits between tries."""


def safetensors(count: int, seed: bytes = b"x") -> bytes:
    """A whole safetensors file with ``count`` bytes of one tensor."""
    header = json.dumps({"weight": {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}}).encode()
    body = (seed * (count // len(seed) + 1))[:count]
    return len(header).to_bytes(8, "little") + header + body


def weights(count: int) -> bytes:
    """As :func:`safetensors`, with bytes that no two calls share."""
    return safetensors(count, os.urandom(4096))


def entry(name: str = "tiny", repo: str = "lab/tiny", *paths: str, **more: object) -> CatalogEntry:
    """An entry with these files, or all of the repository."""
    files = tuple(CatalogFile(path=path) for path in paths)
    known: dict[str, object] = {"kind": "shared", "patterns": () if files else ("*",), "files": files, **more}
    return CatalogEntry(**{"id": name, "title": name.title(), "repo": repo, "licence": APACHE, **known})  # type: ignore[arg-type]


def settings_for(hub: HubServer, **more: object) -> HubSettingsFile:
    """The settings file of this test's home, for ``hub``; nothing stays free on the disk."""
    file = HubSettingsFile()
    known: dict[str, object] = {"endpoint": hub.endpoint, "proxy": "none", "reserve": 0, "reuse_hub_cache": False}
    file.save(HubSettings(**{**known, **more}))  # type: ignore[arg-type]
    return file


def queue_for(hub: HubServer, *, token: str = "", patience: Patience = QUICK, **more: object) -> Downloads:
    """A queue that asks ``hub``."""
    settings = settings_for(hub, **more)
    return Downloads(ModelStore(settings), settings, token=lambda: token, patience=patience)


def accepted(queue: Downloads, of: CatalogEntry) -> DownloadPlan:
    """The plan with its terms accepted."""
    return queue.accept_licence(queue.plan(of))


def files_in(folder: Path) -> list[str]:
    """Every file below ``folder``, relative."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
