"""The adapters of this machine: files an artist trained here or brought, each with a small JSON beside it.

An adapter is a list of low-rank pairs for named layers of one transformer (LoRA, Hu et al., arXiv 2106.09685), or a
word that a text encoder was taught (:mod:`words`). Whether it fits a model is told from names and shapes in its header:
model libraries load a foreign one with a warning and then do nothing, so it is refused here, with the reason.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from gen2studio.core.errors import ModelError
from gen2studio.core.hashing import file_digest
from gen2studio.core.ids import new_id
from gen2studio.core.paths import data_dir, write_atomic
from gen2studio.core.records import dataclass
from gen2studio.models.adapter_steps import AdapterStep, step_name, steps_in
from gen2studio.models.checkpoint import PICKLES
from gen2studio.models.copying import copy_resumed, linked
from gen2studio.models.file_names import PART
from gen2studio.models.library import InstalledModel
from gen2studio.models.safetensors_header import SafetensorsHeader, read_header
from gen2studio.models.wan_layout import diffusers_name, in_diffusers_names, is_original, kind_of_file, without_prefix
from gen2studio.models.words import learned_word, word_refusal

KINDS = ("subject", "style", "")
_DOWN = re.compile(r"\.(?:lora_A|lora_down)(?:\.default)?(?:\.weight)?$")
_UP = re.compile(r"\.(?:lora_B|lora_up)(?:\.default)?(?:\.weight)?$")
_BESIDE = re.compile(r"\.(?:alpha|diff|diff_b|dora_scale|lora_B\.bias|lora_magnitude_vector(?:\.weight)?)$")
"""What may stand beside the pairs: scales, and differences of biases and norms."""
_KOHYA = "lora_unet_"
_FIRST, _SECOND = "transformer.", "transformer_2."
"""What stands before the names of the first and of the second of two experts in an adapter of both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One adapter of the library."""

    id: str
    name: str
    path: Path
    sha256: str
    """Of the file: what requests name it by."""
    trigger: str = ""
    """The word that calls it in a prompt; empty = always on. Of a learned word that word itself."""
    kind: str = ""
    """subject or style; empty = not known."""
    base_model: str = ""
    """Id of the model it was trained on; empty = not known (imported)."""
    base_title: str = ""
    base_digest: str = ""
    """:attr:`InstalledModel.digest` of that model when it was trained."""
    rank: int = 0
    vectors: int = 0
    """Of a learned word (textual inversion) its vectors; 0 = it is a LoRA."""
    steps: int = 0
    created: str = ""
    """ISO time."""
    imported: bool = False
    file_name: str = ""
    """What the file was called when it came: makers say there which expert and how many steps it is for."""
    problem: str = field(default="")
    """One sentence: why it can't be used now."""


class AdapterLibrary:
    """LoRA files and learned words in one folder, with what is known about them. Thread-safe."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._kept: dict[tuple[str, int], tuple[AdapterStep, ...]] = {}

    @property
    def folder(self) -> Path:
        return self._folder or data_dir() / "adapters"

    def adapters(self) -> tuple[Adapter, ...]:
        """Every adapter, newest first. No file is hashed."""
        if not self.folder.is_dir():
            return ()
        with self._lock:
            found = [self._read(path) for path in sorted(self.folder.glob("*.json"))]
        return tuple(sorted((a for a in found if a is not None), key=lambda a: (a.created, a.id), reverse=True))

    def adapter(self, adapter_id: str) -> Adapter:
        """Raises ModelError when no such adapter is in the library."""
        found = self._read(self._record(adapter_id))
        if found is None:
            raise ModelError("That adapter is not in the library any more.", "Choose another, or import it again.")
        return found

    def import_file(
        self,
        path: Path,
        *,
        adapter_id: str = "",
        name: str = "",
        trigger: str = "",
        kind: str = "",
        base: InstalledModel | None = None,
        base_model: str = "",
        base_digest: str = "",
        steps: int = 0,
        imported: bool = True,
        link: bool = False,
    ) -> Adapter:
        """Copy a LoRA file or a learned word into the library. What is not given is taken from the file's own metadata.

        ``base`` is the model it is for; a file that does not fit it is refused. A file that is in the library already
        (same bytes) is returned as it is. With ``link`` it is made another name of the same file where the disk can:
        for downloads, which nobody writes into. Raises ModelError.
        """
        if path.suffix.lower() in PICKLES:
            raise ModelError(
                f"“{path.name}” is a pickle, which can run any program when it is opened.",
                "Get the adapter as .safetensors.",
            )
        header = read_header(path)
        word = learned_word(header)
        pairs = _pairs(header) if word is None else {}
        called = _short(trigger or (word.word if word is not None else header.metadata.get("trigger", "")))
        if word is not None:
            called = _one_word(called)
        if base is not None:
            reason = self.refusal(header, base)
            if reason:
                raise ModelError(reason, f"Choose an adapter that was trained on {base.title}.")
        digest = file_digest(path)
        with self._lock:
            same = next((a for a in self.adapters() if a.sha256 == digest and not a.problem), None)
            if same is not None and adapter_id in ("", same.id):
                return same
            made_id = adapter_id or new_id("adapter")
            said = header.metadata
            adapter = Adapter(
                id=made_id,
                name=_short(name or said.get("name") or said.get("ss_output_name") or path.stem),
                path=self.folder / f"{made_id}.safetensors",
                sha256=digest,
                trigger=called,
                kind=kind if kind in KINDS and kind else _kind(said.get("kind", "")),
                base_model=base.id if base is not None else base_model or said.get("base_model", ""),
                base_title=base.title if base is not None else said.get("base_title", ""),
                base_digest=base.digest if base is not None else base_digest or said.get("base_digest", ""),
                rank=max((down[0] for down, _ in pairs.values() if down), default=0),
                vectors=word.vectors if word is not None else 0,
                steps=steps or _count(said.get("steps", said.get("ss_steps", ""))),
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                imported=imported,
                file_name=_short(path.name) if imported else "",
            )
            self._keep(adapter, path, link)
            return adapter

    def _keep(self, adapter: Adapter, path: Path, link: bool) -> None:
        """Have the file ``path`` in the library, then its record; nothing is left of what did not come whole.

        Raises ModelError.
        """
        target, came = adapter.path, path.resolve() != adapter.path.resolve()
        new = came and not self._record(adapter.id).exists()
        try:
            if came and not (link and linked(path, target)) and copy_resumed(path, target) != adapter.sha256:
                problem, remedy = "it changed while it was copied", "Import it again."
            else:
                self._write(adapter)
                return
        except OSError as error:
            problem = str(error.strerror or type(error).__name__).lower()
            remedy = f"Free some space on the disk with {self.folder}, or check its permissions."
        for left in (target.with_name(target.name + PART), *((target,) if new else ())):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)
        raise ModelError(f"“{path.name}” can't be copied to the adapters: {problem}.", remedy)

    def check(self, path: Path) -> None:
        """Raise ModelError when ``path`` is no adapter that can be imported. Reads the header only."""
        header = read_header(path)
        if learned_word(header) is None:
            _pairs(header)

    def rename(self, adapter_id: str, name: str, trigger: str | None = None) -> Adapter:
        """Give an adapter another name and, when given, another trigger word. Raises ModelError."""
        with self._lock:
            adapter = self.adapter(adapter_id)
            if not name.strip():
                raise ModelError("An adapter needs a name.", "Type one.")
            called = adapter.trigger if trigger is None else _short(trigger)
            changed = replace(adapter, name=_short(name), trigger=_one_word(called) if adapter.vectors else called)
            self._write(changed)
            return changed

    def steps(self, adapter_id: str) -> tuple[AdapterStep, ...]:
        """The steps of its training that were kept; empty for imported adapters. Raises ModelError for a bad id.

        Headers are read once, until the folder changes.
        """
        folder = self._steps_folder(adapter_id)
        try:
            key = (adapter_id, folder.stat().st_mtime_ns)
        except OSError:
            return ()
        with self._lock:
            if key not in self._kept:
                self._kept = {known: steps for known, steps in self._kept.items() if known[0] != adapter_id}
                self._kept[key] = steps_in(folder)
            return self._kept[key]

    def keep_steps(self, adapter_id: str, made: Iterable[AdapterStep]) -> None:
        """Copy the steps of a training beside its adapter."""
        folder = self._steps_folder(adapter_id)
        for step in made:
            write_atomic(folder / step_name(step.step), step.path.read_bytes())
            if step.picture is not None:
                write_atomic((folder / step_name(step.step)).with_suffix(".png"), step.picture.read_bytes())

    def use_step(self, adapter_id: str, step: int) -> Adapter:
        """Make an adapter what it was after ``step`` steps; the others stay to be chosen. Raises ModelError."""
        with self._lock:
            adapter = self.adapter(adapter_id)
            found = next((kept for kept in self.steps(adapter_id) if kept.step == step), None)
            if found is None:
                raise ModelError(f"Step {step} of “{adapter.name}” was not kept.", "Choose another step.")
            write_atomic(adapter.path, found.path.read_bytes())
            changed = replace(adapter, sha256=file_digest(adapter.path), steps=step)
            self._write(changed)
            return changed

    def _steps_folder(self, adapter_id: str) -> Path:
        return self._record(adapter_id).with_suffix(".steps")

    def delete(self, adapter_id: str) -> None:
        """Delete an adapter's file, its kept steps and its record. Raises ModelError when it is not there."""
        with self._lock:
            adapter = self.adapter(adapter_id)
            self._record(adapter_id).unlink(missing_ok=True)
            adapter.path.unlink(missing_ok=True)
            shutil.rmtree(self._steps_folder(adapter_id), ignore_errors=True)

    def refusal(self, adapter: Adapter | SafetensorsHeader, model: InstalledModel) -> str:
        """Why ``adapter`` can't run on ``model``; empty when it can. Reads headers only."""
        if isinstance(adapter, Adapter):
            if adapter.problem:
                return adapter.problem
            try:
                header = read_header(adapter.path)
            except ModelError as error:
                return str(error)
            name = f"“{adapter.name}”"
        else:
            header, name = adapter, f"“{adapter.path.name}”"
        try:
            word = learned_word(header)
            if word is not None:
                return word_refusal(word, name, model)
            pairs = _for_denoiser(_pairs(header))
            checked = model.checkpoint()
            if "transformer_2" in experts_in(header) and "transformer_2" not in checked.classes:
                return f"{name} was trained on a pair of experts, and {model.title} is one model."
            parts = [part for part in checked.family.denoisers if not part.startswith("controlnet")]
            shapes = {n: s for part in parts for n, s in in_diffusers_names(checked.tensor_shapes(part)).items()}
        except ModelError as error:
            return str(error)
        layers = {key.removesuffix(".weight"): shape for key, shape in shapes.items() if key.endswith(".weight")}
        flat = {layer.replace(".", "_"): layer for layer in layers}
        unknown = 0
        for layer, (down, up) in pairs.items():
            shape = layers.get(layer) or layers.get(flat.get(layer.replace(".", "_"), ""))
            if shape is None:
                unknown += 1
                continue
            outputs, inputs = shape[0], shape[1] if len(shape) > 1 else 1
            wrong = next(((a, b) for a, b in ((_last(down), inputs), (_first(up), outputs)) if a and a != b), None)
            if wrong is not None:
                return (
                    f"{name} was trained on a model of width {wrong[0]}, and {model.title} has {wrong[1]} there: "
                    "it does not fit."
                )
        if unknown == len(pairs):
            return f"{name} is for another kind of model: none of its layers exist in {model.title}."
        if unknown:
            return f"{name} is for another model: {unknown} of its {len(pairs)} layers don't exist in {model.title}."
        return ""

    def file_name(self, adapter_id: str, path: Path) -> str:
        """What the file of an adapter was called by its makers, as far as that is known; else what it is called now."""
        record = self._read(self._record(adapter_id)) if adapter_id else None
        return (record.file_name if record is not None else "") or path.name

    def warning(self, adapter: Adapter, model: InstalledModel) -> str:
        """A sentence when ``adapter`` fits but was trained on other weights than ``model`` has; else empty."""
        if adapter.base_digest and adapter.base_digest != model.digest:
            trained = adapter.base_title or adapter.base_model or "another model"
            return f"“{adapter.name}” was trained on {trained}; on {model.title} it may look different."
        return ""

    def _record(self, adapter_id: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", adapter_id) or adapter_id.startswith("."):
            raise ModelError("That adapter is not in the library any more.", "Choose another, or import it again.")
        return self.folder / f"{adapter_id}.json"

    def _read(self, record: Path) -> Adapter | None:
        try:
            loaded = json.loads(record.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            loaded = {}
        row: Mapping[str, Any] = cast("Mapping[str, Any]", loaded) if isinstance(loaded, dict) else {}
        path = record.with_suffix(".safetensors")
        problem = ""
        if not row:
            problem = f"The record of the adapter {record.stem} can't be read; import its file again."
        elif not path.exists():
            problem = f"The file of “{row.get('name', record.stem)}” is gone; import it again or delete the entry."
        texts = ("name", "trigger", "kind", "sha256", "base_model", "base_title", "base_digest", "created", "file_name")
        return Adapter(
            id=record.stem,
            path=path,
            **{"name": record.stem, "sha256": "", **{key: str(row[key]) for key in texts if key in row}},
            rank=_count(row.get("rank", 0)),
            vectors=_count(row.get("vectors", 0)),
            steps=_count(row.get("steps", 0)),
            imported=bool(row.get("imported", False)),
            problem=problem,
        )

    def _write(self, adapter: Adapter) -> None:
        row = {key: value for key, value in asdict(adapter).items() if key not in ("id", "path", "problem")}
        write_atomic(self._record(adapter.id), json.dumps(row, indent=1, ensure_ascii=False).encode())


_Shape = tuple[int, ...]


def _pairs(header: SafetensorsHeader) -> dict[str, tuple[_Shape, _Shape]]:
    """Layer in diffusers' name → (shape of the down matrix, of the up matrix). Raises ModelError for other files."""
    found: dict[str, list[_Shape]] = {}
    # Of a pair of experts both have the same layers.
    single = {key: _FIRST + key.removeprefix(_SECOND) if key.startswith(_SECOND) else key for key in header.tensors}
    plain = without_prefix(single.values())
    original = is_original(plain.values())
    for key in header.tensors:
        name, shape = plain[single[key]], header.tensors[key].shape
        side = 0 if _DOWN.search(name) else 1 if _UP.search(name) else None
        if side is None:
            if not _BESIDE.search(name):
                raise _foreign(header, name)
            continue
        layer = (_DOWN if side == 0 else _UP).sub("", name)
        if layer.startswith(_KOHYA):
            layer = _from_kohya(layer.removeprefix(_KOHYA))
        elif original:
            layer = diffusers_name(layer)
        found.setdefault(layer, [(), ()])[side] = shape
    if not found:
        raise ModelError(
            f"“{header.path.name}” is not a LoRA adapter: it has no low-rank pairs, nor is it a learned word.",
            "Choose another file.",
        )
    return {layer: (down, up) for layer, (down, up) in found.items()}


def experts_in(header: SafetensorsHeader) -> tuple[str, ...]:
    """The experts that an adapter file of this program was trained for, by the names of their components; empty: it is
    of one model, and may be used on either expert of a pair."""
    if any(key.startswith(_SECOND) for key in header.tensors):
        first = any(key.startswith(_FIRST) for key in header.tensors)
        return ("transformer", "transformer_2") if first else ("transformer_2",)
    return ("transformer",) if header.metadata.get("experts") == "high" else ()


def _for_denoiser(pairs: Mapping[str, tuple[_Shape, _Shape]]) -> dict[str, tuple[_Shape, _Shape]]:
    """Without what is for a text encoder, which stays as it is, and without the name of the denoiser's part."""
    words = ("text_encoder.", "lora_te_", "lora_te1_")
    return {layer.removeprefix("unet."): shapes for layer, shapes in pairs.items() if not layer.startswith(words)}


def _foreign(header: SafetensorsHeader, name: str) -> ModelError:
    kind = kind_of_file(header.tensors, {key: tensor.shape for key, tensor in header.tensors.items()})
    if kind == "LoRA adapter":
        return ModelError(
            f"The adapter “{header.path.name}” has a part “{name[:80]}” that is not supported.", "Choose another one."
        )
    return ModelError(f"“{header.path.name}” is a {kind}, not a LoRA adapter.", "Choose a LoRA file for a Wan model.")


def _from_kohya(layer: str) -> str:
    """kohya's trainers write ``blocks_0_self_attn_q`` for ``blocks.0.self_attn.q``."""
    dotted = re.sub(r"^((?:vace_)?blocks)_(\d+)_", r"\1.\2.", layer)
    dotted = re.sub(r"(self_attn|cross_attn|ffn)_(\w+)$", r"\1.\2", dotted)
    return diffusers_name(dotted)


def _last(shape: _Shape) -> int:
    return shape[1] if len(shape) > 1 else 0


def _first(shape: _Shape) -> int:
    return shape[0] if len(shape) > 1 else 0


def _short(text: str) -> str:
    return " ".join(text.split())[:120]


def _one_word(text: str) -> str:
    """A learned word as prompts call it. Raises ModelError."""
    if not text or len(text.split()) != 1 or not any(letter.isalnum() for letter in text):
        raise ModelError("A learned word is called by one word.", "Give it one, such as “zorb”.")
    return text.lower()


def _kind(text: str) -> str:
    return text if text in KINDS else ""


def _count(value: Any) -> int:
    try:
        return max(0, int(value))
    except (TypeError, ValueError):
        return 0
