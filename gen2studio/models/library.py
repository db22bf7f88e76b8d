"""The models of this machine: the built-in one first, then the folders an artist added, used where they lie.

Nothing is copied or changed. The list is a small JSON file in the data folder that remembers paths; what a model is and
whether it is still whole is read from the folder itself each time it changed.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ModelError
from gen2studio.core.hashing import file_fingerprint
from gen2studio.core.paths import data_dir, resources_dir, write_atomic
from gen2studio.core.records import dataclass
from gen2studio.models.checkpoint import INDEX_NAME, PICKLES, CheckedCheckpoint, check_checkpoint
from gen2studio.models.companions import COMPANIONS, beside, family_of_companion, family_of_index, neighbours
from gen2studio.models.families.rules import CheckpointFamily
from gen2studio.models.hashing_files import sha256_of_file
from gen2studio.models.list_lock import alone
from gen2studio.models.manifest import ModelManifest, plain_id
from gen2studio.models.wan_files import PARTS, find_parts, part_of, read_weights
from gen2studio.models.wan_layout import kind_of_file

REGISTRY_NAME = "models.json"
BUILT_IN_FOLDER = "models/mini"
"""Inside the resources."""
_VERSION = 1

Progress = Callable[[int, int], None]
"""(bytes done, bytes in all)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledModel:
    """A model that is listed: ready when ``problem`` is empty."""

    id: str
    folder: Path
    manifest: ModelManifest
    """What it is; only names are known while there is a problem."""
    built_in: bool = False
    transformer_file: Path | None = None
    """A single file that stands for the folder's own transformer weights."""
    parts: tuple[tuple[str, Path], ...] = ()
    """(part, file or folder) of the other parts that the artist named: vae, text_encoder, tokenizer."""
    problem: str = ""
    """One sentence: why it can't be used now."""
    notes: tuple[str, ...] = ()
    digests: tuple[tuple[str, str], ...] = ()
    """(component, cheap fingerprint of its weights, or of a tokenizer's files): equal means the same of them."""
    checked: CheckedCheckpoint | None = field(default=None, compare=False, repr=False)

    @property
    def title(self) -> str:
        return self.manifest.title

    @property
    def usable(self) -> bool:
        return not self.problem

    @property
    def digest(self) -> str:
        """Identity of the denoiser's weights: what an adapter is trained for."""
        return self.component_digest(self.checked.family.denoisers[0]) if self.checked is not None else ""

    def component_digest(self, name: str) -> str:
        """Identity of one component's weights or of a tokenizer; empty when it has none or there is a problem."""
        return dict(self.digests).get(name, "")

    def checkpoint(self) -> CheckedCheckpoint:
        """The checked files, for loading. Raises ModelError when there is a problem."""
        if self.checked is None or self.problem:
            raise ModelError(self.problem or f"{self.title} was not checked.", "")
        return self.checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a full check of a model found."""

    model: InstalledModel
    files: tuple[tuple[str, str], ...]
    """(file, SHA-256) of every weights file."""
    compared: int
    """How many of them were held against a known SHA-256; the others are remembered for the next time."""


class ModelLibrary:
    """The installed models. Thread-safe; every call reads the folders, none hashes whole files but :meth:`verify`."""

    def __init__(self, registry_file: Path | None = None, builtin: Path | None = None) -> None:
        self._file = registry_file
        self._builtin = builtin
        self._lock = threading.RLock()
        self._seen: dict[_Place, tuple[tuple[Any, ...], InstalledModel]] = {}

    @property
    def registry_file(self) -> Path:
        return self._file or data_dir() / "models" / REGISTRY_NAME

    def models(self) -> tuple[InstalledModel, ...]:
        """Every model, the built-in one first, the ones with a problem where they stand."""
        with self._lock:
            found: list[InstalledModel] = []
            builtin = self._built_in_folder()
            if builtin is not None:
                found.append(replace(self._look((builtin, None, ()), {}), built_in=True))
            for row in self._read()["models"]:
                model = self._look(_place(row), row)
                found.append(replace(model, id=row["id"], manifest=replace(model.manifest, id=row["id"])))
            return tuple(found)

    def usable(self) -> tuple[InstalledModel, ...]:
        """The models that can be used now."""
        return tuple(model for model in self.models() if model.usable)

    def model(self, model_id: str) -> InstalledModel:
        """Raises ModelError when no such model is listed."""
        models = self.models()
        found = next((model for model in models if model.id == model_id), None)
        if found is None:
            raise ModelError(
                f"The model “{model_id}” is not installed.",
                f"Installed: {', '.join(model.id for model in models) or 'none'}.",
            )
        return found

    def add(
        self, path: Path, rest: Path | str | None = None, parts: Mapping[str, Path] | None = None
    ) -> InstalledModel:
        """Check and list a checkpoint folder, or a single transformer file with the model its other parts are taken of.

        ``rest`` is the folder or the id of that model; without it the file's own folder or an installed model of the
        same shape is taken. ``parts`` are files for single parts: vae, text_encoder, and the folder of a tokenizer.
        Adding a model that is listed already checks it again. Raises ModelError with the reason when it is refused.
        """
        path = path.expanduser().absolute()
        named = {name: part.expanduser().absolute() for name, part in (parts or {}).items()}
        brought = family_of_companion(path)
        if brought is not None:
            return self._add_beside(path, *brought, self._folder_of(rest), named)
        if path.is_dir() and (path / INDEX_NAME).is_file():
            named |= beside(path, family_of_index(path), named)
        if path.is_file():
            checked = self._file_with_rest(path, self._folder_of(rest), named)
        else:
            checked = check_checkpoint(path, parts=named)
        file = checked.transformer_file
        place = (checked.folder, file, tuple(sorted(named.items())))
        with self._lock, alone(self.registry_file):
            table = self._read()
            rows: list[dict[str, Any]] = table["models"]
            same: dict[str, Any] | None = next(
                (row for row in rows if _same_model(_place(row), place, checked.family)), None
            )
            builtin = self._built_in_folder()
            if builtin is not None and builtin.resolve() == checked.folder and file is None and not named:
                return self.models()[0]
            if same is None:
                taken = {model.id for model in self.models()}
                manifest = checked.manifest
                wanted = plain_id(f"{manifest.id}-{file.stem}" if file is not None else manifest.id)
                same = {"id": _free(wanted, taken), "added": datetime.now(UTC).isoformat(timespec="seconds")}
                rows.append(same)
            # Who adds a model again has seen that its files are others now.
            _forget_sums(table, same["id"])
            same["folder"] = str(checked.folder)
            same["transformer_file"] = str(file) if file is not None else ""
            same["parts"] = {name: str(part) for name, part in named.items()}
            same["title"] = _title(checked)
            same["family"], same["pipeline"] = checked.manifest.family, checked.manifest.pipeline
            self._write(table)
            return self.model(same["id"])

    def _add_beside(
        self,
        path: Path,
        family: CheckpointFamily,
        found: Mapping[str, Path],
        rest: Path | None,
        named: Mapping[str, Path],
    ) -> InstalledModel:
        """Put what ``path`` brings beside the models of its family. A part that a model can't do without, such as a
        motion adapter, makes another model of the same folder. Raises ModelError when there is no model for it."""
        models = [m for m in self.models() if m.manifest.family == family.family and not m.built_in]
        folders = list(dict.fromkeys(m.folder for m in models)) or neighbours(path, family)
        if rest is not None:
            folders = [rest.resolve()]
        if not folders:
            what = " and the ".join(name.replace("_", " ") for name in found)
            raise ModelError(
                f"“{path.name}” is no model by itself: it is the {what} of one.",
                "Add the folder of the model it belongs to (Stable Diffusion 1.5), or name it with --with.",
            )
        essential = {name for name in found if not family.components[name].optional}
        made: InstalledModel | None = None
        for folder in folders:
            rows = [dict(m.parts) for m in models if m.folder == folder] or [dict[str, Path]()]
            if essential:
                rows = [{n: p for n, p in rows[0].items() if n not in essential and n != "few_step_lora"}]
            for parts in rows:
                made = self.add(folder, parts={**parts, **found, **named})
        assert made is not None
        return made

    def remove(self, model_id: str) -> None:
        """Take a model off the list; its files stay. Raises ModelError."""
        with self._lock, alone(self.registry_file):
            model = self.model(model_id)
            if model.built_in:
                raise ModelError(f"{model.title} is built in and can't be removed.", "")
            table = self._read()
            table["models"] = [row for row in table["models"] if row["id"] != model_id]
            _forget_sums(table, model_id)
            self._write(table)

    def relocate(self, old: Path, new: Path) -> None:
        """The folder ``old`` was moved to ``new``: models and parts that lie in it are looked for there from now on."""
        with self._lock, alone(self.registry_file):
            table = self._read()
            for row in table["models"]:
                for key in ("folder", "transformer_file"):
                    row[key] = _moved(row.get(key) or "", old, new)
                row["parts"] = {name: _moved(str(part), old, new) for name, part in (row.get("parts") or {}).items()}
            self._write(table)

    def forget_under(self, folder: Path) -> None:
        """The files in ``folder`` will be deleted: models in it leave the list, parts in it leave their models."""
        with self._lock, alone(self.registry_file):
            table = self._read()
            kept: list[dict[str, Any]] = []
            for row in table["models"]:
                if _lies_in(row["folder"], folder) or _lies_in(row.get("transformer_file") or "", folder):
                    _forget_sums(table, row["id"])
                    continue
                row["parts"] = {n: part for n, part in (row.get("parts") or {}).items() if not _lies_in(part, folder)}
                kept.append(row)
            table["models"] = kept
            self._write(table)

    def verify(
        self, model_id: str, progress: Progress | None = None, cancel: CancelToken | None = None
    ) -> Verification:
        """Check a model's files again, whole: configs, headers, and the SHA-256 of every weights file.

        The sums are held against those of the model's description or of the last verification. Raises ModelError, and
        Cancelled between blocks.
        """
        with self._lock:
            self._seen.clear()
            model = self.model(model_id)
            known = {**self._read()["sha256"].get(_sums_of(model), {}), **dict(model.manifest.files)}
        checked = model.checkpoint()
        paths = [header.path for headers in checked.headers.values() for header in headers]
        total = sum(path.stat().st_size for path in paths)
        done = 0
        sums: dict[str, str] = {}

        def moved(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(done, total)

        for path in paths:
            digest = sha256_of_file(path, cancel, moved)
            name = path.relative_to(checked.folder).as_posix() if checked.folder in path.parents else str(path)
            sums[name] = digest
            if known.get(name, sums[name]) != sums[name]:
                raise ModelError(
                    f"“{name}” of {model.title} is not the file it was: its bytes have changed.",
                    "Download it again, or add the model again when you changed it yourself.",
                )
        with self._lock, alone(self.registry_file):
            table = self._read()
            table["sha256"][_sums_of(model)] = sums
            self._write(table)
        return Verification(
            model=model, files=tuple(sorted(sums.items())), compared=sum(1 for name in sums if name in known)
        )

    def _built_in_folder(self) -> Path | None:
        if self._builtin is not None:
            return self._builtin
        folder = resources_dir() / BUILT_IN_FOLDER
        return folder if (folder / INDEX_NAME).is_file() else None

    def _look(self, place: _Place, row: Mapping[str, Any]) -> InstalledModel:
        """Check a listed model, or answer from memory when none of its files changed."""
        folder, file, parts = place
        state = _state(place)
        kept = self._seen.get(place)
        if kept is not None and kept[0] == state:
            return kept[1]
        try:
            checked = check_checkpoint(folder, file, dict(parts))
            manifest = replace(checked.manifest, title=_title(checked))
            model = InstalledModel(
                id=manifest.id,
                folder=checked.folder,
                manifest=manifest,
                transformer_file=file,
                parts=parts,
                notes=checked.notes,
                digests=_digests(checked),
                checked=checked,
            )
        except (ModelError, OSError) as error:
            name = str(row.get("id") or plain_id(folder.name))
            known = ModelManifest(
                id=name,
                title=str(row.get("title") or folder.name),
                family=str(row.get("family") or ""),
                pipeline=str(row.get("pipeline") or ""),
            )
            model = InstalledModel(
                id=name, folder=folder, manifest=known, transformer_file=file, parts=parts,
                problem=_problem(place, error),
            )  # fmt: skip
        self._seen[place] = (state, model)
        return model

    def _folder_of(self, rest: Path | str | None) -> Path | None:
        """The folder that other parts are taken of: as it is, or that of the installed model with this id."""
        if rest is None:
            return None
        path = Path(rest).expanduser()
        if path.is_dir():
            return path.absolute()
        model = next((model for model in self.models() if model.id == str(rest)), None)
        if model is None:
            raise ModelError(
                f"“{rest}” is no model folder and no installed model.", "“gen2studio models list” shows what there is."
            )
        if not (model.folder / INDEX_NAME).is_file():
            raise ModelError(
                f"{model.title} is made of single files itself.", "Name its files with --vae and --text-encoder."
            )
        return model.folder

    def _file_with_rest(self, path: Path, rest: Path | None, parts: Mapping[str, Path]) -> CheckedCheckpoint:
        if path.suffix.lower() in PICKLES:
            raise ModelError(
                f"“{path.name}” is a pickle, which can run any program when it is opened.",
                "Get the safetensors edition of this model.",
            )
        if path.name == INDEX_NAME:
            return check_checkpoint(path.parent, parts=parts)
        if path.suffix.lower() not in (".safetensors", ".gguf"):
            raise ModelError(
                f"“{path.name}” is no safetensors file and no GGUF file.",
                "Add a model folder, or a transformer as .safetensors or .gguf.",
            )
        header = read_weights(path)
        if rest is not None:
            return check_checkpoint(rest, path, parts)
        everything = {"vae", "text_encoder", "tokenizer"}
        if (path.parent / INDEX_NAME).is_file() or everything <= set(parts):
            return check_checkpoint(path.parent, path, parts)
        if part_of(header) == "transformer" and everything <= {*find_parts(path.parent), *parts}:
            return check_checkpoint(path.parent, path, parts)
        refusals: list[ModelError] = []
        for model in self.usable():
            try:
                return check_checkpoint(model.folder, path, parts)
            except ModelError as refusal:
                refusals.append(refusal)
        if len(refusals) == 1:
            raise refusals[0]
        kind = kind_of_file(header.tensors, {name: tensor.shape for name, tensor in header.tensors.items()})
        raise ModelError(
            f"“{path.name}” is a {kind}, and no installed model has the parts that go with it.",
            "Name a whole model with --with, or its files with --vae, --text-encoder and --tokenizer.",
        )

    def _read(self) -> dict[str, Any]:
        empty: dict[str, Any] = {"version": _VERSION, "models": [], "sha256": {}}
        try:
            table = json.loads(self.registry_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return empty
        except (OSError, ValueError) as error:
            raise ModelError(
                f"The list of models {self.registry_file} can't be read ({type(error).__name__}).",
                "Move it away and add your models again; the model files are not touched.",
            ) from None
        rows: Any = cast("dict[str, Any]", table).get("models") if isinstance(table, dict) else None
        if isinstance(rows, list):
            listed = [
                row
                for row in (cast("dict[str, Any]", row) for row in cast("list[Any]", rows) if isinstance(row, dict))
                if all(isinstance(row.get(key), str) for key in ("id", "folder"))
            ]
            sums = cast("dict[str, Any]", table).get("sha256")
            return {**empty, "models": listed, "sha256": sums if isinstance(sums, dict) else {}}
        return empty

    def _write(self, table: Mapping[str, Any]) -> None:
        write_atomic(self.registry_file, json.dumps(table, indent=1, ensure_ascii=False).encode())


def _sums_of(model: InstalledModel) -> str:
    """Where the sums of a model are kept: another revision, such as a newer built-in model, has others."""
    return f"{model.id}@{model.manifest.revision}"


def _lies_in(path: str, folder: Path) -> bool:
    place = Path(path)
    return bool(path) and any(inner in (place, *place.parents) for inner in (folder, folder.resolve()))


def _moved(path: str, old: Path, new: Path) -> str:
    if not _lies_in(path, old):
        return path
    base = old if old in (Path(path), *Path(path).parents) else old.resolve()
    return str(new / Path(path).relative_to(base))


def _forget_sums(table: Mapping[str, Any], model_id: str) -> None:
    sums: dict[str, Any] = table["sha256"]
    for key in [key for key in sums if key.startswith(f"{model_id}@")]:
        del sums[key]


_Place = tuple[Path, Path | None, tuple[tuple[str, Path], ...]]
"""(folder, transformer file, other parts by name): what a listed model is made of."""


def _place(row: Mapping[str, Any]) -> _Place:
    file, parts = row.get("transformer_file"), row.get("parts")
    named = cast("dict[str, Any]", parts) if isinstance(parts, dict) else {}
    return (
        Path(row["folder"]),
        Path(file) if file else None,
        tuple(sorted((name, Path(str(part))) for name, part in named.items() if name in PARTS or name in COMPANIONS)),
    )


def _same_model(one: _Place, other: _Place, family: CheckpointFamily) -> bool:
    """Whether two places are one model: companions that it can do without don't make another."""
    optional = {name for name, rule in family.components.items() if rule.companion and rule.optional}
    (folder, file, parts), (other_folder, other_file, other_parts) = one, other
    kept = [part for part in parts if part[0] not in optional]
    return (folder, file, kept) == (other_folder, other_file, [part for part in other_parts if part[0] not in optional])


def _title(checked: CheckedCheckpoint) -> str:
    file = checked.transformer_file
    return checked.manifest.title if file is None else f"{file.stem} ({checked.manifest.title})"


def _free(wanted: str, taken: set[str]) -> str:
    name, count = wanted, 2
    while name in taken:
        name, count = f"{wanted}-{count}", count + 1
    return name


def _problem(place: _Place, error: Exception) -> str:
    folder, file, parts = place
    if not folder.exists():
        return f"The folder {folder} is not there. Connect its drive, or take the model off the list."
    for part in (file, *(path for _, path in parts)):
        if part is not None and not part.exists():
            return f"The file {part} is not there. Connect its drive, or take the model off the list."
    return str(error)


def _state(place: _Place) -> tuple[Any, ...]:
    """Sizes and times of everything a check reads: when equal, the check would say the same."""
    folder, file, parts = place
    paths = [folder, *folder.glob("*"), *folder.glob("*/*"), *([file] if file is not None else [])]
    for _, part in parts:
        paths += [part, *part.glob("*")]
    state: list[tuple[str, int, int]] = []
    for path in sorted(paths):
        try:
            found = path.stat()
        except OSError:
            state.append((str(path), -1, -1))
            continue
        # A folder's own time changes when a job writes beside a model; its files are listed by themselves.
        state.append((str(path), 0, 0) if path.is_dir() else (str(path), found.st_size, found.st_mtime_ns))
    return tuple(state)


def _digests(checked: CheckedCheckpoint) -> tuple[tuple[str, str], ...]:
    """The fingerprint of every component with weights, and of what cuts prompts into tokens: with another vocabulary
    the same words are another prompt."""
    found = [(name, _digest(h.path for h in headers)) for name, headers in checked.headers.items()]
    for name in checked.family.text_parts:
        if name not in checked.headers:
            folder = checked.tokenizer if name == "tokenizer" else checked.folder / name
            found.append((name, _digest(path for path in folder.glob("*") if path.is_file())))
    return tuple(found)


def _digest(paths: Iterable[Path]) -> str:
    marks = sorted(f"{path.name}:{file_fingerprint(path)}" for path in paths)
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()[:32]
