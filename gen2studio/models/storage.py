"""What was downloaded and lies whole on this machine: found, verified, moved to another disk, deleted.

Every model is a folder with its receipt, named by its catalog id. Where the folders lie is a small JSON file; a folder
with a receipt in the models folder counts as well, so that a disk which comes from another machine is simply there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ModelError, StudioError
from gen2studio.core.paths import data_dir, write_atomic
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.checkpoint import check_checkpoint
from gen2studio.models.companions import family_of_companion
from gen2studio.models.copying import copy_resumed
from gen2studio.models.download_contract import BytesDone
from gen2studio.models.download_orders import INCOMING
from gen2studio.models.download_values import DownloadError, Freed, StoredModel, VerifiedFiles
from gen2studio.models.fetching import disk_errors
from gen2studio.models.file_names import PART, target_in
from gen2studio.models.hashing_files import sha256_of_file
from gen2studio.models.hub_settings import HubSettingsFile
from gen2studio.models.library import ModelLibrary
from gen2studio.models.list_lock import alone
from gen2studio.models.mask_models import MaskModelLibrary, check_mask_model
from gen2studio.models.receipts import LICENCE_NAME, RECEIPT_NAME, is_entry_id, read_receipt
from gen2studio.models.wan_layout import expert_of

INDEX_NAME = "stored.json"
MOVING = ".moving"
"""Ends the name of the folder that a model is being copied into."""
_BESIDE = ("motion", "control", "image_adapter")
"""Kinds that work beside a model of their family."""


class ModelStore:
    """The downloaded models. Thread-safe; see :class:`gen2studio.models.download_contract.StoreService`."""

    def __init__(
        self,
        settings: HubSettingsFile | None = None,
        index: Path | None = None,
        models: ModelLibrary | None = None,
        masks: MaskModelLibrary | None = None,
        adapters: AdapterLibrary | None = None,
    ) -> None:
        self._settings = settings or HubSettingsFile()
        self._index = index
        self._models = models or ModelLibrary()
        self._masks = masks or MaskModelLibrary()
        self._adapters = adapters or AdapterLibrary()
        self._lock = threading.RLock()
        self._moving: set[str] = set()

    @property
    def folder(self) -> Path:
        return self._settings.load().folder

    @property
    def index_file(self) -> Path:
        return self._index or data_dir() / "models" / INDEX_NAME

    def stored(self) -> tuple[StoredModel, ...]:
        """Everything that was downloaded, by title. Reads receipts and sizes, hashes nothing."""
        with self._lock:
            rows = self._read()
            found: dict[str, StoredModel] = {}
            for name, row in rows.items():
                model = _received(Path(row["folder"]), name)
                if model is None and isinstance(row.get("moving"), str):
                    # A move was killed after the folder had got its new name.
                    model = _received(Path(row["moving"]), name)
                if model is None:
                    model = _gone(name, row)
                found[name] = replace(model, registered=str(row.get("registered", "")))
            for model in self._unlisted(found):
                found[model.id] = model
        return tuple(sorted(found.values(), key=lambda model: (model.title.casefold(), model.id)))

    def find(self, entry_id: str) -> StoredModel | None:
        return next((model for model in self.stored() if model.id == entry_id), None)

    def folder_of(self, entry_id: str) -> Path | None:
        """The folder of a catalog entry's files when they are there and whole."""
        found = self.find(entry_id)
        return found.folder if found is not None and not found.problem else None

    def model(self, entry_id: str) -> StoredModel:
        """Raises ModelError when it was not downloaded."""
        found = self.find(entry_id)
        if found is None:
            raise ModelError(
                f"“{entry_id[:80]}” was not downloaded.", "“gen2studio models list” shows what is on this machine."
            )
        return found

    def keep(self, model: StoredModel) -> StoredModel:
        """List a whole folder with its receipt, here and in the library of its kind; it with where it is listed."""
        with self._changing():
            registered = self._register(model)
            rows = self._read()
            rows[model.id] = {"folder": str(model.folder), "registered": registered, "title": model.title}
            self._write(rows)
            # Parts that came before the model they belong to, and a model that waited for its parts.
            for other in self.stored() if registered and model.kind in ("model", *_BESIDE) else ():
                if other.kind in ("model", *_BESIDE) and not other.registered and not other.problem:
                    rows[other.id] = {"folder": str(other.folder), "title": other.title}
                    rows[other.id]["registered"] = self._register(other)
            self._write(rows)
            return replace(model, registered=registered)

    def refusal(self, model: StoredModel) -> str:
        """Why a stored model is not listed among those that can be used; empty when nothing is wrong."""
        if model.problem:
            return model.problem
        try:
            if model.kind == "model" and not model.registered:
                check_checkpoint(model.folder)
            elif model.kind == "masks" and not model.registered:
                check_mask_model(_mask_place(model))
            elif model.kind == "adapter":
                return self._adapter_refusal(model)
        except StudioError as error:
            return str(error)
        return ""

    def _adapter_refusal(self, model: StoredModel) -> str:
        """Why a downloaded adapter can't be used: it is not in the library, whoever brought it there."""
        there = {adapter.sha256 for adapter in self._adapters.adapters() if not adapter.problem}
        for file in model.files:
            if file.path.endswith(".safetensors") and file.sha256 not in there:
                self._adapters.check(target_in(model.folder, file.path))
                return f"“{file.path}” is not among the adapters. Add that file to use it."
        return ""

    def verify(
        self, entry_id: str, progress: BytesDone | None = None, cancel: CancelToken | None = None
    ) -> VerifiedFiles:
        """Hash every file and compare. Raises ModelError for what was not downloaded, Cancelled."""
        model = self.model(entry_id)
        if not model.files:
            raise ModelError(f"{model.title} can't be verified.", model.problem)
        total, done = max(1, model.bytes), 0
        wrong: list[str] = []
        missing: list[str] = []

        def moved(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(min(done, total), total)

        for file in model.files:
            before = done
            try:
                path = target_in(model.folder, file.path)
                if sha256_of_file(path, cancel, moved, file.size) != file.sha256:
                    wrong.append(file.path)
            except (OSError, DownloadError):
                missing.append(file.path)
            done = before + file.size
        if progress is not None:
            progress(total, total)
        return VerifiedFiles(
            id=entry_id, files=len(model.files), compared=len(model.files) - len(missing), wrong=tuple(wrong),
            missing=tuple(missing),
        )  # fmt: skip

    def move(
        self, entry_id: str, to: Path, progress: BytesDone | None = None, cancel: CancelToken | None = None
    ) -> StoredModel:
        """Move a model into the folder ``to``: renamed on the same disk, else copied, checked, and only then deleted.

        Cancelled or killed, it stays usable where it was, and the next call goes on. Raises DownloadError, ModelError.
        """
        model = self.model(entry_id)
        to = to.expanduser().absolute()
        target = to / model.id
        if model.problem:
            raise DownloadError(f"{model.title} is not whole and can't be moved.", model.problem, "refused")
        if model.folder.resolve() == target.resolve():
            return model
        if model.folder.resolve() in (to.resolve(), *to.resolve().parents):
            raise DownloadError(f"{model.title} can't be moved into itself.", "Choose another folder.", "refused")
        if target.exists():
            raise DownloadError(
                f"There is something named “{model.id}” in {to} already.", "Choose another folder.", "disk"
            )
        with self._lock:
            if entry_id in self._moving:
                raise DownloadError(f"{model.title} is being moved already.", "Wait until it is done.", "refused")
            self._moving.add(entry_id)
        try:
            with disk_errors(target):
                to.mkdir(parents=True, exist_ok=True)
            self._note(model.id, moving=str(target))
            if not _renamed(model.folder, target):
                self._copy(model, target, progress, cancel)
            kept = self._settle(model, target)
            self.tidy()
            return kept
        finally:
            with self._lock:
                self._moving.discard(entry_id)

    def _settle(self, model: StoredModel, target: Path) -> StoredModel:
        """List a model where it lies now; its old files are deleted by :meth:`tidy`."""
        with self._changing():
            self._models.relocate(model.folder.resolve(), target)
            self._models.relocate(model.folder, target)
            if model.registered.startswith("masks:"):
                self._unregister(model)
            kept = self.keep(replace(model, folder=target))
            self._note(model.id, old=str(model.folder))
            return kept

    def unfinished_moves(self) -> tuple[tuple[str, Path], ...]:
        """(id, folder that it was being moved into) of moves that were stopped."""
        with self._lock:
            rows = self._read()
        return tuple(
            (name, Path(row["moving"]).parent)
            for name, row in rows.items()
            if isinstance(row.get("moving"), str) and row["folder"] != row["moving"] and Path(row["folder"]).is_dir()
        )

    def tidy(self) -> None:
        """End moves that were killed: list what has its new name already, delete the old files of what was copied."""
        with self._changing():
            rows = self._read()
            for name, row in rows.items():
                there = _received(Path(row["moving"]), name) if isinstance(row.get("moving"), str) else None
                if there is not None and name not in self._moving and _received(Path(row["folder"]), name) is None:
                    before = replace(there, folder=Path(row["folder"]), registered=str(row.get("registered", "")))
                    self._settle(before, there.folder)
            rows = self._read()
            left = {name: Path(row["old"]) for name, row in rows.items() if isinstance(row.get("old"), str)}
        for name, folder in left.items():
            there = read_receipt(folder)
            if there is not None and there.id == name and Path(rows[name]["folder"]) != folder:
                with disk_errors(folder):
                    _delete_files(there)
            self._note(name, old=None)

    def would_free(self, entry_id: str) -> Freed:
        """What :meth:`delete` would give back: files that others share by hard links free nothing."""
        model = self.model(entry_id)
        freed = shared = 0
        for path in _own_files(model):
            with contextlib.suppress(OSError):
                found = path.stat()
                if found.st_nlink > self._links_of_ours(model, path):
                    shared += found.st_size
                else:
                    freed += found.st_size
        return Freed(bytes=freed, shared=shared)

    def delete(self, entry_id: str) -> Freed:
        """Take a model off every list and delete its files; what else lies in its folder stays."""
        model = self.model(entry_id)
        with self._changing():
            if entry_id in self._moving:
                raise DownloadError(f"{model.title} is being moved.", "Wait until it is done.", "refused")
            freed = self.would_free(entry_id)
            self._unregister(model)
            rows = self._read()
            half = rows.pop(model.id, {}).get("moving")
            self._write(rows)
        with disk_errors(model.folder):
            _delete_files(model)
            if isinstance(half, str):
                # What a move that was stopped left on another disk.
                shutil.rmtree(_copied_into(model.id, Path(half)), ignore_errors=True)
        return freed

    def _copy(self, model: StoredModel, target: Path, progress: BytesDone | None, cancel: CancelToken | None) -> None:
        """Copy to another disk beside the target, every file checked; rename when all are there."""
        moving = _copied_into(model.id, target)
        there = _bytes_in(moving)
        with disk_errors(target):
            free = shutil.disk_usage(target.parent).free
        reserve = self._settings.load().reserve
        if model.bytes - there > free - reserve:
            raise DownloadError(
                f"{model.title} needs {_gb(model.bytes - there)} more on that disk, and {_gb(max(0, free - reserve))} "
                "can be used.",
                "Free some space there, or choose another folder.",
                "disk",
            )
        done = 0

        def moved(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(done, max(1, model.bytes))

        for file in model.files:
            goal = target_in(moving, file.path)
            if goal.is_file() and goal.stat().st_size == file.size:
                # Renamed only after its hash was right.
                moved(file.size)
                continue
            with disk_errors(goal):
                digest = copy_resumed(target_in(model.folder, file.path), goal, cancel, moved)
            if digest != file.sha256:
                with contextlib.suppress(OSError):
                    goal.unlink()
                raise DownloadError(
                    f"“{file.path}” of {model.title} is damaged and was not moved.",
                    "Verify the model, and download it again.",
                    "refused",
                )
        with disk_errors(target):
            for name in (LICENCE_NAME, RECEIPT_NAME):
                if (model.folder / name).is_file():
                    write_atomic(moving / name, (model.folder / name).read_bytes())
            os.replace(moving, target)
            with contextlib.suppress(OSError):
                moving.parent.rmdir()

    def _register(self, model: StoredModel) -> str:
        """List it in the library of its kind; where, or empty when that refuses it or there is none."""
        try:
            if model.kind == "model":
                return f"model:{self._models.add(model.folder).id}"
            if model.kind == "masks":
                return f"masks:{self._masks.add(_mask_place(model)).id}"
            if model.kind in _BESIDE and family_of_companion(model.folder) is not None:
                return f"beside:{self._models.add(model.folder).id}"
            if model.kind == "adapter":
                return self._register_adapters(model)
        except StudioError:
            # Whole and kept; ``refusal`` says why it can't be used yet.
            return ""
        return ""

    def _register_adapters(self, model: StoredModel) -> str:
        """Each file of it as an adapter; of two experts each has its own. One that was there before is not ours."""
        files = [file.path for file in model.files if file.path.endswith(".safetensors")]
        before = {adapter.id for adapter in self._adapters.adapters()} - set(_adapters_of(model))
        made: list[str] = []
        for path in files:
            expert = {"transformer": "high noise", "transformer_2": "low noise"}.get(expert_of(path), Path(path).stem)
            name = model.title if len(files) == 1 else f"{model.title} ({expert})"
            made.append(self._adapters.import_file(target_in(model.folder, path), name=name, link=True).id)
        ours = [name for name in made if name not in before]
        return f"adapter:{','.join(ours)}" if ours else ""

    def _unregister(self, model: StoredModel) -> None:
        shelf, _, name = model.registered.partition(":")
        with contextlib.suppress(StudioError):
            self._models.forget_under(model.folder)
            if shelf == "masks":
                self._masks.remove(name)
        for adapter in _adapters_of(model):
            with contextlib.suppress(StudioError):
                self._adapters.delete(adapter)

    def _links_of_ours(self, model: StoredModel, path: Path) -> int:
        """How many names of this file go away with the model: its own, and the adapter library's."""
        names = 1
        for adapter in _adapters_of(model):
            with contextlib.suppress(StudioError, OSError):
                names += self._adapters.adapter(adapter).path.samefile(path)
        return names

    def _note(self, name: str, **more: str | None) -> None:
        """Remember something about a listed model; None forgets it."""
        with self._changing():
            rows = self._read()
            if name not in rows:
                model = self.model(name)
                rows[name] = {"folder": str(model.folder), "registered": model.registered, "title": model.title}
            rows[name] = {key: value for key, value in {**rows[name], **more}.items() if value is not None}
            self._write(rows)

    def _unlisted(self, found: dict[str, StoredModel]) -> Iterator[StoredModel]:
        """Folders with a receipt in the models folder that the index does not know."""
        with contextlib.suppress(OSError):
            for row in sorted(os.scandir(self.folder), key=lambda row: row.name):
                if row.name not in found and is_entry_id(row.name) and row.is_dir(follow_symlinks=False):
                    model = read_receipt(Path(row.path))
                    if model is not None and model.id == row.name:
                        yield model

    @contextlib.contextmanager
    def _changing(self) -> Generator[None]:
        """While this lasts nobody else changes the index."""
        with self._lock, alone(self.index_file):
            yield

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            table: Any = json.loads(self.index_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError):
            # The folders say the same; a model outside the models folder is added by hand again.
            return {}
        rows: Any = cast("dict[str, Any]", table).get("models") if isinstance(table, dict) else None
        listed = cast("dict[str, Any]", rows) if isinstance(rows, dict) else {}
        return {
            name: cast("dict[str, Any]", row)
            for name, row in listed.items()
            if is_entry_id(name) and isinstance(row, dict) and isinstance(row.get("folder"), str)
        }

    def _write(self, rows: dict[str, dict[str, Any]]) -> None:
        write_atomic(self.index_file, json.dumps({"version": 1, "models": rows}, indent=1).encode())


def _received(folder: Path, name: str) -> StoredModel | None:
    """What ``folder`` holds by its receipt, when that is the model ``name``."""
    model = read_receipt(folder)
    return model if model is not None and model.id == name else None


def _copied_into(name: str, target: Path) -> Path:
    """The folder that a model is copied into on the disk of its new place, before it is whole."""
    return target.parent / INCOMING / f"{name}{MOVING}"


def _gone(name: str, row: dict[str, Any]) -> StoredModel:
    return StoredModel(
        id=name, title=str(row.get("title") or name), kind="model", folder=Path(row["folder"]), repo="", commit="",
        licence_id="", licence_title="", accepted="", downloaded="",
        problem=f"The folder {row['folder']} is not there. Connect its drive, or delete the model.",
    )  # fmt: skip


def _adapters_of(model: StoredModel) -> tuple[str, ...]:
    """Ids in the adapter library that came with a model."""
    shelf, _, names = model.registered.partition(":")
    return tuple(names.split(",")) if shelf == "adapter" else ()


def _mask_place(model: StoredModel) -> Path:
    """A mask model is its folder, or the one archive that is all of it."""
    archives = [file for file in model.files if file.path.endswith((".pth", ".pt"))]
    return target_in(model.folder, archives[0].path) if len(archives) == 1 else model.folder


def _renamed(folder: Path, target: Path) -> bool:
    """Whether the folder could be renamed as it is: both are on one disk."""
    if folder.is_symlink():
        return False
    try:
        folder.rename(target)
    except OSError:
        return False
    return True


def _own_files(model: StoredModel) -> list[Path]:
    """The files that came with the download, and those this program laid beside them."""
    found: list[Path] = []
    for name in (*(file.path for file in model.files), LICENCE_NAME, RECEIPT_NAME):
        with contextlib.suppress(DownloadError):
            found.append(target_in(model.folder, name))
    return found


def _delete_files(model: StoredModel) -> None:
    """Delete what came with the download, the receipt last, then the folders that are empty now."""
    folders: set[Path] = set()
    for path in _own_files(model):
        path.unlink(missing_ok=True)
        path.with_name(path.name + PART).unlink(missing_ok=True)
        folders |= {parent for parent in path.parents if parent == model.folder or model.folder in parent.parents}
    for folder in sorted(folders, key=lambda folder: -len(folder.parts)):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*") if folder.is_dir() else ():
        with contextlib.suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
