"""The folder in which a download becomes a model: what of it is there, and the step by which it is whole."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from gen2studio.core.errors import ModelError
from gen2studio.models.download_orders import DownloadOrder
from gen2studio.models.download_values import DownloadError, StoredFile, StoredModel
from gen2studio.models.fetching import disk_errors
from gen2studio.models.file_names import PART, WEIGHTS, shown
from gen2studio.models.gguf_header import read_gguf_header
from gen2studio.models.receipts import read_receipt, write_receipt
from gen2studio.models.safetensors_header import read_header

_DESCRIPTION_LIMIT = 8 << 20
"""Bytes: the list of the tensors of a model with a hundred thousand of them is smaller."""


def check_file(path: Path) -> None:
    """Raise ModelError when a file is not what its name says, or asks for programs or for files elsewhere.

    Of weights only the header is read. Descriptions come first, being small: what is hostile is refused before the
    gigabytes are fetched.
    """
    name = path.name.lower()
    if name.endswith(".safetensors"):
        read_header(path)
    elif name.endswith(".gguf"):
        read_gguf_header(path)
    elif name.endswith(("config.json", ".index.json", "model_index.json")):
        _check_description(path)


def _check_description(path: Path) -> None:
    remedy = "Don't use this model; look for it at its makers."
    try:
        if path.stat().st_size > _DESCRIPTION_LIMIT:
            raise ModelError(f"“{path.name}” is far too big for a description.", remedy)
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise ModelError(f"“{path.name}” is no description of a model: it can't be read.", remedy) from None
    table = cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}
    if "auto_map" in table:
        raise ModelError(f"“{path.name}” asks to run program code of its own.", remedy)
    shards: Any = table.get("weight_map")
    if isinstance(shards, dict):
        for shard in set(map(str, cast("Mapping[str, Any]", shards).values())):
            if shard != Path(shard).name or "\\" in shard or not shard.endswith(WEIGHTS):
                raise ModelError(f"“{path.name}” names “{shown(shard)}”, which is no weights file beside it.", remedy)


def put_in_place(order: DownloadOrder) -> None:
    """Receipt and licence into the staged folder, then rename it: the model is there, whole, or not at all."""
    target = order.folder
    files = tuple(StoredFile(path=file.path, size=file.size, sha256=order.finished[file.path]) for file in order.files)
    model = StoredModel(
        id=order.id, title=order.title, kind=order.kind, folder=order.staged, repo=order.repo, commit=order.commit,
        licence_id=order.licence.id, licence_title=order.licence.title, accepted=order.licence.accepted,
        downloaded=datetime.now(UTC).date().isoformat(), files=files,
    )  # fmt: skip
    with disk_errors(target):
        _keep_only(order)
        write_receipt(model, order.licence.text)
        old = order.incoming / "old"
        if target.exists():
            before = read_receipt(target)
            if before is None or before.id != order.id:
                raise DownloadError(
                    f"There is something named “{order.id}” in {target.parent} that was not downloaded.",
                    "Move it away, then go on.",
                    "disk",
                )
            target.rename(old)
        order.staged.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def _keep_only(order: DownloadOrder) -> None:
    """Delete what an earlier plan staged and this one has not."""
    wanted = {order.staged.joinpath(file.path) for file in order.files}
    for path in sorted(order.staged.rglob("*"), reverse=True):
        if path.is_symlink() or path.is_file():
            if path not in wanted or path.is_symlink():
                path.unlink()
        elif not any(path in file.parents for file in wanted):
            path.rmdir()


def is_in_place(order: DownloadOrder) -> bool:
    """Whether the model was put in its place and the program ended before it said so."""
    there = read_receipt(order.folder)
    return (
        there is not None
        and not there.problem
        and not order.staged.exists()
        and {file.path: file.sha256 for file in there.files} == dict(order.finished)
        and len(order.finished) == len(order.files)
    )


def bytes_there(order: DownloadOrder) -> int:
    """Bytes of an order that are staged."""
    total = 0
    for file in order.files:
        path = order.staged.joinpath(file.path)
        total += file.size if file.path in order.finished else min(file.size, part_of(path))
    return total


def part_of(target: Path) -> int:
    """Bytes of a file that an interrupted transfer left beside its place."""
    with contextlib.suppress(OSError):
        return target.with_name(target.name + PART).stat().st_size
    return 0


def drop_empty_folders(order: DownloadOrder) -> None:
    """Delete the folders of an order that hold nothing."""
    folders = [path for path in order.incoming.rglob("*") if path.is_dir() and not path.is_symlink()]
    for folder in [*sorted(folders, key=lambda path: -len(path.parts)), order.incoming, order.incoming.parent]:
        with contextlib.suppress(OSError):
            folder.rmdir()
