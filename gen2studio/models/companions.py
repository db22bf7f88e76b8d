"""Works that make a model together with a folder: motion adapters, ControlNets, an IP-Adapter with its image encoder.

They are published each by itself. A model names them (``parts`` of the list of models), or has them inside its folder
under their part's name. When a folder is added, what fits and lies beside it - as downloads put it - is taken along.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from gen2studio.models.families.rules import TENSORS, CheckpointFamily
from gen2studio.models.families.table import CHECKPOINT_FAMILIES

COMPANIONS = frozenset(
    name for family in CHECKPOINT_FAMILIES.values() for name, rule in family.components.items() if rule.companion
)
"""Every part that may be a work of its own."""
_CONFIG_LIMIT = 4 << 20
_TENSOR_FILES = {
    "ip_adapter": re.compile(r"ip-adapter(?:-plus|_plus|-light|_light)?_sd15(?:_light)?\.safetensors", re.IGNORECASE),
    "few_step_lora": re.compile(r"animatelcm\w*_lora\.safetensors", re.IGNORECASE),
}
"""Names under which files without a config are published."""
_MOST_BESIDE = 400
"""Folders looked at: a folder of downloads has fewer."""


def inside(folder: Path, family: CheckpointFamily) -> dict[str, Path]:
    """The companions that lie inside a model's own folder, under their part's name."""
    found: dict[str, Path] = {}
    for name, rule in family.components.items():
        if not rule.companion:
            continue
        file = folder / f"{name}.safetensors"
        if rule.library != TENSORS and (folder / name / rule.config).is_file():
            found[name] = folder / name
        elif file.is_file():
            found[name] = file
    return found


def beside(folder: Path, family: CheckpointFamily | None, named: Mapping[str, Path]) -> dict[str, Path]:
    """What of the missing companions lies in the folders beside ``folder``; of several the first by name.

    A distilled motion adapter is taken only where no other is there: it limits steps and guidance.
    """
    if family is None or not any(rule.companion for rule in family.components.values()):
        return {}
    known = {*named, *inside(folder, family)}
    wanted = {name for name, rule in family.components.items() if rule.companion and name not in known}
    found: dict[str, Path] = {}
    around = [path for path in _folders(folder.parent) if path != folder]
    for place in sorted(around, key=_distilled):
        for name, path in companions_in(place, family).items():
            if name in wanted and name != "few_step_lora":
                found.setdefault(name, path)
    motion = {**named, **found}.get("motion_adapter")
    if motion is not None and "few_step_lora" in wanted:
        # The LoRA belongs to the motion adapter it was published with, and to no other.
        lora = _tensor_file(motion if motion.is_dir() else motion.parent, "few_step_lora")
        if lora is not None and _distilled(motion):
            found["few_step_lora"] = lora
    return found


def companions_in(place: Path, family: CheckpointFamily) -> dict[str, Path]:
    """What a folder, or a file, holds of a family's companions."""
    if place.is_file():
        return _of_file(place) if "motion_adapter" in family.components else {}
    found: dict[str, Path] = {}
    kind = _class_of(place / "config.json")
    for name, rule in family.components.items():
        if rule.companion and kind in rule.classes and _is_kind(place, name):
            found[name] = place
    for files in (place, place / "models"):
        style = _tensor_file(files, "ip_adapter")
        encoder = files / "image_encoder"
        if style is not None and "ip_adapter" in family.components and (encoder / "config.json").is_file():
            found |= {"ip_adapter": style, "image_encoder": encoder}
    return found


def family_of_index(folder: Path) -> CheckpointFamily | None:
    """The family that a model folder's index names; None when it names none that is known."""
    return CHECKPOINT_FAMILIES.get(_class_of(folder / "model_index.json"))


def neighbours(place: Path, family: CheckpointFamily) -> list[Path]:
    """Model folders of ``family`` beside a companion (or beside the folder it is in)."""
    around = (place.parent, place.parent.parent)
    found = [path.resolve() for folder in around for path in _folders(folder) if family_of_index(path) is family]
    return list(dict.fromkeys(found))


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())[:_MOST_BESIDE]
    except OSError:
        return []


def family_of_companion(place: Path) -> tuple[CheckpointFamily, dict[str, Path]] | None:
    """The family that ``place`` holds companions of, and which; None when it holds none."""
    for family in CHECKPOINT_FAMILIES.values():
        found = companions_in(place, family)
        if found:
            return family, found
    return None


def _of_file(file: Path) -> dict[str, Path]:
    """A single file that is known by its published name. AnimateLCM's LoRA is none: alone it is an adapter."""
    if _TENSOR_FILES["ip_adapter"].fullmatch(file.name):
        encoder = file.parent / "image_encoder"
        return {"ip_adapter": file, **({"image_encoder": encoder} if (encoder / "config.json").is_file() else {})}
    if file.suffix == ".safetensors" and file.name.lower().startswith("animatediff_lightning"):
        return {"motion_adapter": file}
    return {}


def _is_kind(place: Path, name: str) -> bool:
    """ControlNets are of one class; which of them a folder is says its name."""
    alike = name.partition("_")[2] if name.startswith("controlnet_") else ""
    # In a hub cache the folder is called by its commit; two levels up is the repository.
    named = place.parents[1].name if place.parent.name == "snapshots" else place.name
    return not alike or alike in named.lower()


def _tensor_file(folder: Path, name: str) -> Path | None:
    try:
        found = sorted(path for path in folder.iterdir() if _TENSOR_FILES[name].fullmatch(path.name))
    except OSError:
        return None
    return found[0] if found else None


def _distilled(path: Path) -> bool:
    return any(word in path.name.lower() for word in ("lightning", "animatelcm", "animate-lcm"))


def _class_of(config: Path) -> str:
    try:
        if not config.is_file() or config.stat().st_size > _CONFIG_LIMIT:
            return ""
        table = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    return str(cast("dict[str, Any]", table).get("_class_name", "")) if isinstance(table, dict) else ""
