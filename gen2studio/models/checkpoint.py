"""Is this folder a checkpoint we may load? Everything is read here before any library that builds models sees it.

A checkpoint in diffusers' layout is a folder with ``model_index.json`` and one folder for each component. Accepted is
only what is on the lists below: known pipelines, known component classes, safetensors weights whose headers agree with
their configs, and no path that leaves the folder. Nothing is executed, unpickled or loaded; only JSON and headers are
read. What is refused is refused in one sentence that says what to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, cast

from gen2studio.core.errors import ModelError
from gen2studio.core.paths import inside
from gen2studio.core.records import dataclass
from gen2studio.models import companions
from gen2studio.models.families.rules import (
    BYTE_TOKENIZERS,
    DIFFUSERS,
    T5_TOKENIZERS,
    TENSORS,
    TRANSFORMERS,
    CheckpointFamily,
    ComponentRule,
)
from gen2studio.models.families.table import CHECKPOINT_FAMILIES
from gen2studio.models.manifest import MODEL_INDEX, ModelManifest, derive_manifest
from gen2studio.models.safetensors_header import read_header
from gen2studio.models.wan_files import (
    CLASSES,
    DENOISERS,
    PARTS,
    SCHEDULER,
    all_shards,
    find_parts,
    implied_config,
    part_of,
    pipeline_of,
    read_weights,
)
from gen2studio.models.wan_layout import expert_of, kind_of_file
from gen2studio.models.weights_header import WeightsHeader

INDEX_NAME = "model_index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".msgpack", ".h5")
_JSON_LIMIT = 200_000_000
"""Bytes: the biggest JSON of a checkpoint is the tokenizer's, 17 MB for UMT5."""
_MOST_SHARDS = 1000

_RELATED = {
    "WanVideoToVideoPipeline": "a way to run Wan text-to-video",
    "WanAnimatePipeline": "Wan Animate",
}
"""Pipelines whose work other checkpoints of Wan do as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedCheckpoint:
    """A folder that passed every check."""

    folder: Path
    family: CheckpointFamily
    manifest: ModelManifest
    classes: Mapping[str, tuple[str, str]]
    """Component → (library, class), every one from the allow-list."""
    configs: Mapping[str, Mapping[str, Any]]
    """Of every component, and of the pipeline itself (:data:`gen2studio.models.manifest.MODEL_INDEX`)."""
    headers: Mapping[str, tuple[WeightsHeader, ...]]
    """Component → the headers of its weight files."""
    transformer_file: Path | None = None
    """A single file that stands for the folder's own transformer weights."""
    parts: Mapping[str, Path] = field(default_factory=lambda: dict[str, Path]())
    """Every part that is a single file (the tokenizer: a folder) instead of the folder's own."""
    notes: tuple[str, ...] = field(default=())
    """Sentences worth telling: files that are there but never read."""

    def place(self, component: str) -> Path:
        """The folder (or the file) of a component."""
        return self.parts.get(component, self.folder / component)

    @property
    def tokenizer(self) -> Path:
        """The folder of the vocabulary."""
        return self.parts.get("tokenizer", self.folder / "tokenizer")

    def tensor_shapes(self, component: str) -> dict[str, tuple[int, ...]]:
        """Names and shapes of a component's tensors as its files write them."""
        return {name: t.shape for header in self.headers.get(component, ()) for name, t in header.tensors.items()}


def check_checkpoint(
    folder: Path, transformer_file: Path | None = None, parts: Mapping[str, Path] | None = None
) -> CheckedCheckpoint:
    """Check a checkpoint folder; only JSON files and weight headers are read.

    ``transformer_file`` is a single file with the transformer, ``.safetensors`` or ``.gguf``, in diffusers' or in the
    original names, that is used with the configs and the other components of ``folder``; ``parts`` are files for other
    components (vae, text_encoder) and a folder for the tokenizer. A folder with the single files of Wan's makers or of
    ComfyUI, without an index, is a checkpoint too: see :mod:`wan_files`. Raises ModelError with one sentence.
    """
    single = dict(parts or {})
    if transformer_file is not None:
        single["transformer"] = transformer_file
    if folder.is_dir() and not (folder / INDEX_NAME).exists():
        found = {**find_parts(folder), **single}
        if "transformer" in found:
            return _check_files(folder.resolve(), found, transformer_file, frozenset(single))
    folder = _folder(folder)
    index = read_json(folder, folder / INDEX_NAME)
    family, classes = _classes(index)
    if transformer_file is not None and "transformer_2" in classes:
        # A file of one expert stands for that one; the other stays the folder's.
        single[expert_of(transformer_file.name) or "transformer"] = single.pop("transformer")
    named = {name: part for name, part in single.items() if _is_companion(family, name)}
    places = {**companions.inside(folder, family), **named}
    configs: dict[str, Mapping[str, Any]] = {MODEL_INDEX: _values(index)}
    headers: dict[str, tuple[WeightsHeader, ...]] = {}
    notes: list[str] = []
    for name in classes:
        rule, part = family.components[name], folder / name
        if not part.is_dir():
            raise ModelError(
                f"The checkpoint has no “{name}” folder although its index names one.", "Download the rest of it."
            )
        _stays_inside(folder, part)
        configs[name] = _config(folder, part, rule)
        if name in single and rule.weights:
            headers[name] = _single(name, single[name])
        elif name == "tokenizer" and name in single:
            classes[name] = (TRANSFORMERS, _check_words(single[name]))
        elif rule.weights:
            headers[name] = _weights(folder, part, rule.weights)
            notes += _unread(part)
        elif name.startswith("tokenizer") and not rule.classes <= BYTE_TOKENIZERS:
            _check_tokenizer(folder, part)
        elif rule.library == TRANSFORMERS:
            _check_reader(folder, part)
    if family.variant is not None:
        family = family.variant(configs)
    for name, rule in family.components.items():
        if not rule.companion or name in classes:
            continue
        if name in places:
            classes[name] = (rule.library, next(iter(rule.classes)))
            configs[name], headers[name] = _companion(folder, places[name], rule)
        elif not rule.optional:
            raise ModelError(*rule.wanted)
    family.check(configs, headers)
    facts = family.facts(configs, headers, classes)
    return CheckedCheckpoint(
        folder=folder,
        family=family,
        manifest=derive_manifest(folder, family, facts, configs),
        classes=classes,
        configs=configs,
        headers=headers,
        transformer_file=transformer_file,
        parts={**single, **places},
        notes=tuple(notes),
    )


def _is_companion(family: CheckpointFamily, name: str) -> bool:
    return name in family.components and family.components[name].companion


def _companion(folder: Path, place: Path, rule: ComponentRule) -> tuple[Mapping[str, Any], tuple[WeightsHeader, ...]]:
    """Config and headers of a part that is a work of its own: a folder with a config, or one file of weights."""
    if not place.exists():
        raise ModelError(f"There is nothing at {place}.", "Check the path, or connect the drive it is on.")
    root = folder if folder in place.parents else place if place.is_dir() else place.parent
    config: Mapping[str, Any] = {}
    if place.is_dir():
        if rule.library == TENSORS:
            raise ModelError(f"“{place.name}” is a folder.", "Choose the .safetensors file in it.")
        config = _config(root, place, rule)
        headers = _weights(root, place, rule.weights)
    elif rule.library == TENSORS or rule.settle is not None:
        if place.suffix.lower() in PICKLES:
            raise ModelError(
                f"“{place.name}” is a pickle, which can run any program when it is opened.",
                "Get the safetensors edition of it.",
            )
        _stays_inside(root, place)
        headers = (read_header(place),)
    else:
        raise ModelError(f"“{place.name}” is a file without a config.", "Choose the folder with its config.json.")
    return (rule.settle(place, config, headers) if rule.settle is not None else config), headers


def _check_files(
    folder: Path, parts: Mapping[str, Path], transformer_file: Path | None, named: frozenset[str]
) -> CheckedCheckpoint:
    """A model that is a set of single files; ``named`` are those that the artist named, the others are ``folder``'s."""
    missing = [name.replace("_", " ") for name in PARTS if name not in parts]
    if missing:
        raise ModelError(
            f"“{folder.name}” has a transformer of Wan and no {' and no '.join(missing)} that go with it.",
            "Name them with --vae, --text-encoder and --tokenizer, or a whole model with --with.",
        )
    headers: dict[str, tuple[WeightsHeader, ...]] = {}
    configs: dict[str, Mapping[str, Any]] = {"scheduler": SCHEDULER, "tokenizer": {}}
    for name in (*DENOISERS, "vae", "text_encoder"):
        if name not in parts:
            continue
        if name not in named:
            for path in all_shards(parts[name]):
                _stays_inside(folder, path)
        headers[name] = _single(name, parts[name])
        configs[name] = implied_config(name, headers[name], parts[name].parent)
    if len(headers) == 3 and expert_of(parts["transformer"].name):
        raise ModelError(
            f"“{parts['transformer'].name}” is one of two experts, and the other one is not there.",
            "Put the file for high noise and the one for low noise into one folder.",
        )
    pipeline, configs[MODEL_INDEX] = pipeline_of(configs)
    family = CHECKPOINT_FAMILIES[pipeline]
    if family.variant is not None:
        family = family.variant(configs)
    classes = {**CLASSES, "tokenizer": (TRANSFORMERS, _check_words(parts["tokenizer"]))}
    classes |= {name: (DIFFUSERS, str(configs[name]["_class_name"])) for name in DENOISERS if name in configs}
    family.check(configs, headers)
    facts = family.facts(configs, headers, classes)
    return CheckedCheckpoint(
        folder=folder,
        family=family,
        manifest=derive_manifest(folder, family, facts, configs),
        classes=classes,
        configs=configs,
        headers=headers,
        transformer_file=transformer_file,
        parts=parts,
    )


def _single(part: str, path: Path) -> tuple[WeightsHeader, ...]:
    """The headers of a part that is a file of its own, or of its shards. Raises ModelError for another part."""
    if part in DENOISERS and path.suffix.lower() in PICKLES:
        raise ModelError(
            f"“{path.name}” is a pickle, which can run any program when it is opened.",
            "Get the safetensors edition of this model.",
        )
    headers = tuple(read_weights(shard) for shard in all_shards(path))
    if part not in DENOISERS and part_of(headers[0]) != part:
        names = headers[0].tensors
        kind = kind_of_file(names, {name: tensor.shape for name, tensor in names.items()})
        raise ModelError(
            f"“{path.name}” is a {kind}, not a {_SPOKEN[part]}.", f"Choose the file of Wan's {_SPOKEN[part]}."
        )
    return headers


_SPOKEN = {"vae": "VAE", "text_encoder": "text encoder"}


def _check_words(folder: Path) -> str:
    """The class of the tokenizer in ``folder``. Raises ModelError when it is none that may be used."""
    if not (folder / "tokenizer.json").is_file():
        raise ModelError(
            f"“{folder.name}” has no vocabulary (tokenizer.json).",
            "Choose the folder “google/umt5-xxl” of Wan's own release, or “tokenizer” of the diffusers edition.",
        )
    if (folder / "tokenizer.json").stat().st_size > _JSON_LIMIT:
        raise ModelError("“tokenizer.json” is far too big for a vocabulary.", "Don't use this checkpoint.")
    config = folder / "tokenizer_config.json"
    described = read_json(folder, config) if config.is_file() else {}
    if "auto_map" in described:
        raise ModelError(
            "The tokenizer asks to run program code of its own.", "Don't use this checkpoint unless you wrote it."
        )
    named = str(described.get("tokenizer_class", ""))
    return named if named in T5_TOKENIZERS else CLASSES["tokenizer"][1]


def _folder(folder: Path) -> Path:
    if not folder.exists():
        raise ModelError(f"There is nothing at {folder}.", "Check the path, or connect the drive it is on.")
    if not folder.is_dir():
        raise ModelError(f"“{folder.name}” is a file, not a model folder.", "Choose the folder with model_index.json.")
    folder = folder.resolve()
    if (folder / INDEX_NAME).exists():
        return folder
    inner = sorted(found.parent for found in folder.glob(f"*/{INDEX_NAME}"))
    if len(inner) == 1:
        raise ModelError(f"The model is one folder deeper: {inner[0]}.", "Choose that folder.")
    names = [path.name for path in folder.iterdir()]
    if any(name.startswith(("models_t5", "Wan2.1_VAE", "Wan2.2_VAE")) for name in names):
        raise ModelError(
            f"“{folder.name}” holds Wan in its original layout without its transformer.",
            "Put the transformer's .safetensors beside it, or choose a whole folder.",
        )
    raise ModelError(f"“{folder.name}” has no {INDEX_NAME}.", "Choose a model folder in diffusers' layout.")


def root_of(folder: Path) -> Path:
    """The folder that links may lead into: the checkpoint's own, or its whole entry in a Hugging Face cache.

    A cache keeps a snapshot as links into ``blobs`` beside it; that folder belongs to the same model.
    """
    for place in (folder, *folder.parents):
        if place.parent.name == "snapshots" and place.parents[1].name.startswith("models--"):
            return place.parents[1]
    return folder


def _stays_inside(folder: Path, path: Path) -> Path:
    try:
        return inside(root_of(folder), str(path.relative_to(root_of(folder))))
    except (ValueError, OSError, RuntimeError):
        raise ModelError(
            f"“{path.name[:80]}” leads outside the model's folder.",
            "Don't use this checkpoint unless you put the link there yourself; copy the file into the folder then.",
        ) from None


def read_json(folder: Path, path: Path) -> dict[str, Any]:
    """A JSON table inside ``folder``. Raises ModelError."""
    _stays_inside(folder, path)
    try:
        if path.stat().st_size > _JSON_LIMIT:
            raise ModelError(f"“{path.name}” is far too big for a description.", "Don't use this checkpoint.")
        table = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"“{path.parent.name}/{path.name}” is missing.", "Download the missing part of the checkpoint."
        ) from None
    except (OSError, ValueError, RecursionError):
        raise ModelError(f"“{path.parent.name}/{path.name}” can't be read.", "Download it again.") from None
    if not isinstance(table, dict):
        raise ModelError(f"“{path.parent.name}/{path.name}” is no table.", "Download it again.")
    return cast("dict[str, Any]", table)


def _classes(index: Mapping[str, Any]) -> tuple[CheckpointFamily, dict[str, tuple[str, str]]]:
    """The family, and the classes of the parts in the order of the family's list."""
    pipeline = str(index.get("_class_name", ""))[:80]
    family = CHECKPOINT_FAMILIES.get(pipeline)
    if family is None:
        if pipeline in _RELATED:
            raise ModelError(
                f"The model is {_RELATED[pipeline]} ({pipeline}), which Gen2 Studio does not drive.",
                "Use Wan 2.1 VACE 1.3B or 14B, or Wan text-to-video: they work on footage too.",
            )
        raise ModelError(
            f"The model is a “{pipeline or 'nameless'}”, which Gen2 Studio does not drive.",
            "Use Wan 2.1 VACE 1.3B or 14B in diffusers' layout.",
        )
    classes: dict[str, tuple[str, str]] = {}
    for name, value in index.items():
        if name.startswith("_") or not isinstance(value, list):
            continue
        pair = cast("list[Any]", value)
        if pair == [None, None]:
            continue
        library, class_name = (str(pair[0])[:80], str(pair[1])[:80]) if len(pair) == 2 else ("", "")
        rule = family.components.get(name)
        if rule is None and name in family.ignored:
            continue
        if rule is None:
            raise ModelError(
                f"The model brings a part “{name[:80]}” ({library}.{class_name}) that {pipeline} does not have.",
                "Don't use this checkpoint, or get it from its makers again.",
            )
        if library != rule.library or class_name not in rule.classes:
            raise ModelError(
                f"The model wants “{library}.{class_name}” as its {name}, which is not on the list of known parts.",
                f"Known: {', '.join(sorted(rule.classes))}. Don't use this checkpoint unless you know who made it.",
            )
        classes[name] = (library, class_name)
    missing = [
        name
        for name, rule in family.components.items()
        if name not in classes and not rule.optional and not rule.companion
    ]
    if missing:
        raise ModelError(f"The model's index names no {' and no '.join(missing)}.", "Download the whole checkpoint.")
    return family, {name: classes[name] for name in family.components if name in classes}


def _values(index: Mapping[str, Any]) -> dict[str, Any]:
    """What an index says of the pipeline itself: its numbers and switches."""
    return {name: value for name, value in index.items() if isinstance(value, (bool, int, float))}


def _config(folder: Path, part: Path, rule: ComponentRule) -> Mapping[str, Any]:
    config = read_json(folder, part / rule.config)
    if "auto_map" in config:
        raise ModelError(
            f"The {part.name} asks to run program code of its own.", "Don't use this checkpoint unless you wrote it."
        )
    if config.get("quantization_config"):
        raise ModelError(
            f"The {part.name} is stored quantized for another program.",
            "Use the bf16 edition; Gen2 Studio reduces it itself where memory is short.",
        )
    architectures: Any = config.get("architectures")
    listed = cast("list[Any]", architectures)[:1] if isinstance(architectures, list) else []
    named = config.get("_class_name") or next(iter(listed), None)
    if named is not None and rule.weights and str(named) not in rule.classes:
        raise ModelError(
            f"The {part.name} is a “{str(named)[:80]}”, not a {' or '.join(sorted(rule.classes))}.",
            "It belongs to another model; download this one again.",
        )
    return config


def _weights(folder: Path, part: Path, stem: str) -> tuple[WeightsHeader, ...]:
    single, index = part / f"{stem}.safetensors", part / f"{stem}.safetensors.index.json"
    if single.exists() and index.exists():
        raise ModelError(
            f"The {part.name} has its weights twice, in one file and in shards.", "Remove the ones you don't want."
        )
    if index.exists():
        return _shards(folder, part, index)
    if single.exists() or single.is_symlink():
        _stays_inside(folder, single)
        return (read_header(single),)
    others = sorted(path.name for path in part.iterdir())
    pickled = next((name for name in others if name.endswith(PICKLES)), None)
    if pickled is not None:
        raise ModelError(
            f"The {part.name} comes as “{pickled}”, a pickle, which can run any program when it is opened.",
            "Get the safetensors edition of this model, or convert the file in the program that made it.",
        )
    variant = next((name for name in others if re.fullmatch(rf"{re.escape(stem)}\.\w+\.safetensors", name)), None)
    if variant is not None:
        raise ModelError(f"The {part.name} has only a variant, “{variant}”.", f"Rename it to {single.name}.")
    raise ModelError(
        f"The {part.name} has no weights: {single.name} is missing.", "Download the missing part of the checkpoint."
    )


def _shards(folder: Path, part: Path, index: Path) -> tuple[WeightsHeader, ...]:
    table = read_json(folder, index).get("weight_map")
    rows: dict[Any, Any] = cast("dict[Any, Any]", table) if isinstance(table, dict) else {}
    if not rows or not all(isinstance(name, str) for name in rows.values()):
        raise ModelError(f"The list of shards of the {part.name} is empty or broken.", "Download it again.")
    names = sorted(set(rows.values()))
    if len(names) > _MOST_SHARDS:
        raise ModelError(f"The {part.name} claims {len(names):,} shards.", "Don't use this checkpoint.")
    for name in names:
        if name != Path(name).name or "\\" in name or not name.endswith(".safetensors"):
            what = "leads outside its folder" if name.endswith(".safetensors") else "is no safetensors file"
            raise ModelError(
                f"The list of shards of the {part.name} names “{name[:80]}”, which {what}.",
                "Don't use this checkpoint; get it from its makers again.",
            )
        _stays_inside(folder, part / name)
    missing = [name for name in names if not (part / name).exists()]
    if missing:
        raise ModelError(
            f"{len(missing)} of {len(names)} weight files of the {part.name} are missing, such as {missing[0]}.",
            "Download the missing files.",
        )
    headers = tuple(read_header(part / name) for name in names)
    held = {tensor: header.path.name for header in headers for tensor in header.tensors}
    if len(held) != sum(len(header.tensors) for header in headers) or held != rows:
        raise ModelError(
            f"The shards of the {part.name} don't hold what their list says.", "Download the checkpoint again."
        )
    return headers


def _check_tokenizer(folder: Path, part: Path) -> None:
    files = [part / name for name in ("tokenizer.json", "spiece.model", "vocab.json")]
    there = [path for path in files if path.exists() or path.is_symlink()]
    if not there:
        raise ModelError("The tokenizer has no vocabulary (tokenizer.json).", "Download the missing part.")
    for path in there:
        _stays_inside(folder, path)
        if path.stat().st_size > _JSON_LIMIT:
            raise ModelError(f"“{path.name}” is far too big for a vocabulary.", "Don't use this checkpoint.")


def _check_reader(folder: Path, part: Path) -> None:
    """A processor of pictures and words brings settings in several files: none may name code of its own."""
    for path in sorted(part.glob("*config.json")):
        if "auto_map" in read_json(folder, path):
            raise ModelError(
                f"The {part.name} asks to run program code of its own.",
                "Don't use this checkpoint unless you wrote it.",
            )


def _unread(part: Path) -> list[str]:
    found = sorted(path.name for path in part.iterdir() if path.name.endswith((*PICKLES, ".py")))
    return [f"{part.name}/{name} is never opened." for name in found]
