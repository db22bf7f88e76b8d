"""The mask models of this machine: what an artist added to select subjects and to carry mattes with.

Original Segment Anything checkpoints (``.pth``) and SAM 2, EdgeTAM and SAM 3 as transformers' folders. Like the video
models they are used where they lie; the list is a small JSON file of paths, and what a file holds is read from its own
header each time it changed. Nothing here imports torch.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from gen2studio.core.errors import ModelError
from gen2studio.core.hashing import file_fingerprint
from gen2studio.core.paths import data_dir, write_atomic
from gen2studio.models.list_lock import alone
from gen2studio.models.manifest import plain_id
from gen2studio.models.safetensors_header import read_header
from gen2studio.models.sam_layout import is_sam, sam_shape
from gen2studio.models.torch_archive import read_archive

REGISTRY_NAME = "mask_models.json"
ARCHIVES = (".pth", ".pt")
_CONFIG_LIMIT = 4 << 20
_RESERVED = ("graph-cut", "flow", "list", "add", "auto")
"""Names that mean something else where a model is asked for."""


@dataclass(frozen=True, slots=True)
class MaskFamily:
    """What the models of one family can do."""

    name: str
    title: str
    clicks: bool = True
    """Answers clicks and boxes."""
    text: bool = False
    """Finds what words name."""


FAMILIES = {
    family.name: family
    for family in (
        MaskFamily("sam", "Segment Anything"),
        MaskFamily("sam2", "SAM 2"),
        MaskFamily("edgetam", "EdgeTAM"),
        MaskFamily("sam3", "SAM 3", clicks=False, text=True),
        MaskFamily("sam3_tracker", "SAM 3 tracker"),
    )
}
_MODEL_TYPES = {
    "sam2": "sam2", "sam2_video": "sam2", "edgetam": "edgetam", "edgetam_video": "edgetam", "sam3": "sam3",
    "sam3_video": "sam3", "sam3_tracker": "sam3_tracker", "sam3_tracker_video": "sam3_tracker",
}  # fmt: skip
"""``model_type`` of a transformers config → family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskModel:
    """A mask model that is listed: ready when ``problem`` is empty."""

    id: str
    path: Path
    """The ``.pth`` file, or the folder."""
    family: str
    title: str
    digest: str = ""
    """Cheap fingerprint of its weights: equal means the same weights."""
    bytes: int = 0
    """Of its weights on disk."""
    tracks: bool = False
    """Has the parts that carry mattes through a clip."""
    problem: str = ""

    @property
    def able(self) -> MaskFamily:
        return FAMILIES[self.family]


def is_mask_model(path: Path) -> bool:
    """Whether ``path`` is meant as a mask model: a torch archive, or a folder whose config names one of them."""
    if path.is_file():
        return path.suffix.lower() in ARCHIVES
    try:
        return str(_config(path).get("model_type")) in _MODEL_TYPES
    except ModelError:
        return False


def check_mask_model(path: Path) -> MaskModel:
    """What ``path`` holds. Raises ModelError with one sentence when it is no known mask model, or not whole."""
    path = path.expanduser().absolute()
    if path.is_dir():
        return _checked_folder(path)
    if path.suffix.lower() not in ARCHIVES:
        raise ModelError(
            f"“{path.name}” is no mask model.",
            "Use a Segment Anything .pth, or the folder of a SAM 2 or SAM 3 model.",
        )
    tensors = read_archive(path)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    if not is_sam(shapes):
        raise _other_archive(path, shapes)
    if not all(tensor.floating for tensor in tensors.values()):
        raise ModelError(f"“{path.name}” stores weights that are no numbers of a model.", "Download it again.")
    shape = sam_shape(shapes)
    return MaskModel(
        id=plain_id(path.stem), path=path, family="sam", title=f"{shape.title}", digest=file_fingerprint(path),
        bytes=path.stat().st_size,
    )  # fmt: skip


class MaskModelLibrary:
    """The listed mask models. Thread-safe; every call looks at the files, none reads whole weights."""

    def __init__(self, registry_file: Path | None = None) -> None:
        self._file = registry_file
        self._lock = threading.RLock()
        self._seen: dict[Path, tuple[tuple[Any, ...], MaskModel]] = {}

    @property
    def registry_file(self) -> Path:
        return self._file or data_dir() / "models" / REGISTRY_NAME

    def models(self) -> tuple[MaskModel, ...]:
        """Every model in the order they were added, the ones with a problem where they stand."""
        with self._lock:
            return tuple(self._look(row) for row in self._read())

    def model(self, model_id: str) -> MaskModel:
        """Raises ModelError when no such model is listed."""
        models = self.models()
        found = next((model for model in models if model.id == model_id), None)
        if found is None:
            raise ModelError(
                f"The mask model “{model_id}” is not installed.",
                f"Installed: {', '.join(model.id for model in models) or 'none'}.",
            )
        return found

    def add(self, path: Path) -> MaskModel:
        """Check and list a model. Adding one that is listed already checks it again. Raises ModelError."""
        checked = check_mask_model(path)
        with self._lock, alone(self.registry_file):
            rows = self._read()
            row = next((row for row in rows if Path(row["path"]) == checked.path), None)
            if row is None:
                taken = {*_RESERVED, *(str(row["id"]) for row in rows)}
                row = {"id": _free(checked.id, taken), "added": datetime.now(UTC).isoformat(timespec="seconds")}
                rows.append(row)
            row |= {"path": str(checked.path), "family": checked.family, "title": checked.title}
            table = {"version": 1, "models": rows}
            write_atomic(self.registry_file, json.dumps(table, indent=1, ensure_ascii=False).encode())
            return self.model(str(row["id"]))

    def remove(self, model_id: str) -> None:
        """Take a model off the list; its files stay. Raises ModelError."""
        with self._lock, alone(self.registry_file):
            self.model(model_id)
            table = {"version": 1, "models": [row for row in self._read() if row["id"] != model_id]}
            write_atomic(self.registry_file, json.dumps(table, indent=1, ensure_ascii=False).encode())

    def _look(self, row: Mapping[str, Any]) -> MaskModel:
        path = Path(row["path"])
        state = _state(path)
        kept = self._seen.get(path)
        if kept is None or kept[0] != state:
            try:
                model = check_mask_model(path)
            except (ModelError, OSError) as error:
                gone = f"“{path}” is not there. Connect its drive, or take the model off the list."
                model = MaskModel(
                    id=str(row["id"]), path=path, family=str(row.get("family", "sam")),
                    title=str(row.get("title") or path.name), problem=str(error) if path.exists() else gone,
                )  # fmt: skip
            kept = self._seen[path] = (state, model)
        found = kept[1]
        return MaskModel(
            id=str(row["id"]), path=path, family=found.family, title=found.title, digest=found.digest,
            bytes=found.bytes, tracks=found.tracks, problem=found.problem,
        )  # fmt: skip

    def _read(self) -> list[dict[str, Any]]:
        try:
            table: Any = json.loads(self.registry_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise ModelError(
                f"The list of mask models {self.registry_file} can't be read ({type(error).__name__}).",
                "Move it away and add your models again; the model files are not touched.",
            ) from None
        rows: Any = cast("dict[str, Any]", table).get("models") if isinstance(table, dict) else None
        if not isinstance(rows, list):
            return []
        listed = (cast("dict[str, Any]", row) for row in cast("list[Any]", rows) if isinstance(row, dict))
        return [row for row in listed if "id" in row and "path" in row and row.get("family") in FAMILIES]


def _checked_folder(folder: Path) -> MaskModel:
    kind = str(_config(folder).get("model_type"))
    family = _MODEL_TYPES.get(kind)
    if family is None:
        raise ModelError(
            f"“{folder.name}” is a {kind[:40]} model, which makes no masks here.",
            "Use a SAM 2, EdgeTAM or SAM 3 model in transformers' format.",
        )
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(
            f"“{folder.name}” has no .safetensors weights.", "Download the safetensors edition of this model."
        )
    headers = [read_header(file) for file in files]
    missing = _missing_shards(folder, {file.name for file in files})
    if missing:
        raise ModelError(f"“{folder.name}” lacks “{missing}”.", "Download the model again.")
    size = sum(file.stat().st_size for file in files)
    return MaskModel(
        id=plain_id(folder.name), path=folder, family=family, title=f"{FAMILIES[family].title} ({folder.name})",
        digest="-".join(file_fingerprint(header.path) for header in headers)[:128], bytes=size,
        tracks=kind.endswith("_video"),
    )  # fmt: skip


def _missing_shards(folder: Path, there: set[str]) -> str:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return "" if "model.safetensors" in there else "model.safetensors"
    try:
        table: Any = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        wanted = {str(name) for name in table.values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"“{index.name}” of “{folder.name}” can't be read.", "Download the model again.") from None
    return min(wanted - there, default="")


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        if path.stat().st_size > _CONFIG_LIMIT:
            raise ValueError("too large")
        table: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"“{folder.name}” has no config.json: it is no model folder.", "Choose the folder itself."
        ) from None
    except (OSError, ValueError, RecursionError):
        raise ModelError(f"The config.json of “{folder.name}” can't be read.", "Download the model again.") from None
    return cast("dict[str, Any]", table) if isinstance(table, dict) else {}


def _other_archive(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> ModelError:
    names = tuple(shapes)
    if any(name.startswith(("memory_attention.", "image_encoder.trunk.")) for name in names):
        return ModelError(
            f"“{path.name}” is SAM 2 in Meta's own format.",
            "Use the same model in transformers' format: a folder with config.json and model.safetensors.",
        )
    if any(name.startswith("image_encoder.layers.") for name in names):
        return ModelError(
            f"“{path.name}” is MobileSAM, which the original Segment Anything can't load.", "Use sam_vit_b instead."
        )
    return ModelError(
        f"“{path.name}” is no Segment Anything checkpoint.",
        "Use sam_vit_b, sam_vit_l or sam_vit_h as Meta published them; other models come as safetensors.",
    )


def _state(path: Path) -> tuple[Any, ...]:
    """Sizes and times of what a check reads."""
    files = [path] if not path.is_dir() else [*sorted(path.glob("*.safetensors")), *sorted(path.glob("*.json"))]
    found: list[tuple[str, int, int]] = []
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            found.append((file.name, -1, -1))
            continue
        found.append((file.name, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def _free(wanted: str, taken: set[str]) -> str:
    name, count = wanted, 2
    while name in taken:
        name, count = f"{wanted}-{count}", count + 1
    return name
