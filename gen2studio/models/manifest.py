"""What a checkpoint says about itself: ``gen2studio.json`` beside ``model_index.json``, or what its family implies.

The file is data only; every key may be missing, the family's own values stand in. Unknown keys are kept out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gen2studio.core.errors import ModelError
from gen2studio.core.records import dataclass

if TYPE_CHECKING:
    from gen2studio.models.families.rules import CheckpointFamily, Configs

MANIFEST_NAME = "gen2studio.json"
MODEL_INDEX = "model_index"
"""Among the configs of a checkpoint's components: the numbers and switches of its index, which are the pipeline's."""


@dataclass(frozen=True, slots=True)
class FrameRule:
    """How many frames one window of the model has: ``multiple`` · k + 1, at best ``native``, at most ``most``."""

    native: int = 81
    most: int = 81
    multiple: int = 4

    def fitting(self, wanted: int) -> int:
        """The smallest allowed number of frames ≥ ``wanted``, capped at ``most``."""
        frames = -(-max(0, wanted - 1) // self.multiple) * self.multiple + 1
        return min(frames, (self.most - 1) // self.multiple * self.multiple + 1)


@dataclass(frozen=True, slots=True)
class GuidanceRange:
    """Classifier-free guidance scales; ``mask_edit`` is the default while editing inside a mask."""

    default: float = 5.0
    lowest: float = 1.0
    highest: float = 10.0
    mask_edit: float = 5.0


@dataclass(frozen=True, slots=True)
class StepRange:
    """Numbers of denoising steps."""

    default: int = 30
    lowest: int = 4
    highest: int = 60


@dataclass(frozen=True, slots=True)
class LatentColours:
    """Least-squares fit latent → RGB of the model's own VAE: rgb = clamp(latent · weight + bias, 0, 1)."""

    weight: tuple[tuple[float, float, float], ...]
    """(channels, 3)."""
    bias: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ComponentSize:
    """One weights component as its headers describe it."""

    name: str
    """transformer, vae, text_encoder, …"""
    library: str
    class_name: str
    parameters: int
    file_bytes: int
    dtypes: tuple[str, ...]
    """Safetensors type names, most frequent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelManifest:
    """Everything a planner, a panel and a family adapter need to know about a model without loading it."""

    id: str
    title: str
    revision: str = ""
    family: str
    """The family adapter that drives it."""
    pipeline: str
    """Class name of the diffusers pipeline, out of the allow-list."""
    text_length: int = 512
    """Tokens a prompt is padded to: part of what the model was trained with, not a free choice."""
    frames: FrameRule = FrameRule()
    sizes: tuple[tuple[int, int], ...] = ((832, 480), (480, 832))
    """Native (width, height), preferred first."""
    guidance: GuidanceRange = GuidanceRange()
    steps: StepRange = StepRange()
    strength: float = 1.0
    """Denoising strength, 0…1, that whole frames of footage look best at while nobody chose one: less for a model that
    knows little of what cameras see."""
    rate: Fraction = Fraction(16)
    """Frames per second the model was made for."""
    recipe: str = ""
    """Name of the family's few-step recipe that a distilled checkpoint was made for; empty = sampled as usual."""
    flow_shift: float = 3.0
    """Timestep shift of the flow-matching schedule."""
    temporal_scale: int = 4
    spatial_scale: int = 8
    """Pixels (frames) per latent pixel (frame) of the VAE."""
    size_multiple: int = 16
    """Width and height must be multiples of this: VAE scale times transformer patch."""
    latent_channels: int = 16
    latent_rgb: LatentColours | None = None
    licence: str = ""
    """SPDX name, or what the checkpoint says."""
    note: str = ""
    """One sentence for artists: what the model is good for."""
    components: tuple[ComponentSize, ...] = field(default=())
    files: tuple[tuple[str, str], ...] = ()
    """(path inside the folder, SHA-256) where the manifest lists them."""

    @property
    def parameters(self) -> int:
        return sum(component.parameters for component in self.components)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights on disk."""
        return sum(component.file_bytes for component in self.components)

    def component(self, name: str) -> ComponentSize | None:
        return next((part for part in self.components if part.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What the checkpoint's configs and headers showed: they win over what a manifest claims."""

    dim: int
    """Width of the denoiser: what published checkpoints are known by."""
    patch: tuple[int, int, int]
    latent_channels: int
    temporal_scale: int
    spatial_scale: int
    flow_shift: float | None
    components: tuple[ComponentSize, ...]


def derive_manifest(folder: Path, family: CheckpointFamily, facts: ModelFacts, configs: Configs) -> ModelManifest:
    """The manifest of a checked checkpoint. Raises ModelError when ``gen2studio.json`` is there but no valid JSON."""
    table = _read(folder / MANIFEST_NAME)
    known = family.defaults(facts, configs)
    if family.named is not None:
        # A snapshot of a Hugging Face cache is called by its commit, the model's name is above it.
        cached = folder.parent.name == "snapshots" and len(folder.parents) > 1
        known = family.named(folder.parents[1].name if cached else folder.name, known)
    frames = _table(table, "frames")
    native = int(_number(frames, "native", known.frames.native, 1, 10_000))
    most = native if "native" in frames else max(native, known.frames.most)
    guidance, steps = _table(table, "guidance"), _table(table, "steps")
    default_guidance = float(_number(guidance, "default", known.guidance.default, 0, 100))
    edit = known.guidance.mask_edit if "default" not in guidance else default_guidance
    return ModelManifest(
        id=_text(table, "id", known.id or plain_id(folder.name)),
        title=_text(table, "title", known.title or folder.name or "Model"),
        revision=_text(table, "revision", ""),
        family=family.family,
        pipeline=family.pipeline,
        text_length=int(_number(table, "text_length", known.text_length, 1, 4096)),
        frames=FrameRule(
            native=native,
            most=int(_number(frames, "max", most, 1, 10_000)),
            multiple=int(_number(frames, "multiple", known.frames.multiple, 1, 64)),
        ),
        sizes=_sizes(table.get("sizes")) or known.sizes,
        guidance=GuidanceRange(
            default=default_guidance,
            lowest=float(_number(guidance, "min", known.guidance.lowest, 0, 100)),
            highest=float(_number(guidance, "max", known.guidance.highest, 0, 100)),
            mask_edit=float(_number(guidance, "mask_edit", edit, 0, 100)),
        ),
        steps=StepRange(
            default=int(_number(steps, "default", known.steps.default, 1, 1000)),
            lowest=int(_number(steps, "min", known.steps.lowest, 1, 1000)),
            highest=int(_number(steps, "max", known.steps.highest, 1, 1000)),
        ),
        strength=float(_number(table, "strength", known.strength, 0.02, 1)),
        rate=_rate(table.get("rate"), known.rate),
        recipe=_text(table, "recipe", known.recipe),
        flow_shift=float(_number(table, "flow_shift", facts.flow_shift or known.flow_shift, 0.01, 100)),
        temporal_scale=facts.temporal_scale,
        spatial_scale=facts.spatial_scale,
        size_multiple=facts.spatial_scale * max(facts.patch[1:]),
        latent_channels=facts.latent_channels,
        latent_rgb=_colours(table.get("latent_rgb"), facts.latent_channels),
        licence=_text(table, "licence", _text(table, "license", known.licence)),
        note=_text(table, "note", ""),
        components=facts.components,
        files=tuple(
            (str(path), str(digest))
            for path, digest in _table(table, "files").items()
            if isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{64}", digest)
        ),
    )


def plain_id(text: str) -> str:
    """``text`` as an id: lower-case letters, digits, dots and dashes."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "model"


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > 4_000_000:
            raise ModelError(
                f"“{path.name}” is far too big for a model description.", "Delete it or download it again."
            )
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise ModelError(
            f"The model description “{path.name}” can't be read.", "Delete it or download the model again."
        ) from None
    return cast("dict[str, Any]", table) if isinstance(table, dict) else {}


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key)
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _text(table: Mapping[str, Any], key: str, default: str) -> str:
    value = table.get(key)
    return " ".join(str(value).split())[:300] if isinstance(value, (str, int, float)) and value != "" else default


def _number(table: Mapping[str, Any], key: str, default: float, lowest: float, highest: float) -> float:
    value = table.get(key)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value):
        return min(highest, max(lowest, value))
    return default


def _rate(value: Any, default: Fraction) -> Fraction:
    try:
        rate = Fraction(str(value)) if value is not None else default
    except (ValueError, ZeroDivisionError):
        return default
    return rate if 0 < rate <= 240 else default


def _sizes(value: Any) -> tuple[tuple[int, int], ...]:
    rows = cast("list[Any]", value) if isinstance(value, list) else []
    found: list[tuple[int, int]] = []
    for row in rows:
        pair = cast("list[Any]", row) if isinstance(row, list) else []
        if len(pair) == 2 and all(type(side) is int and 8 <= side <= 8192 for side in pair):
            found.append((pair[0], pair[1]))
    return tuple(found)


def _colours(value: Any, channels: int) -> LatentColours | None:
    table: Mapping[str, Any] = cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
    try:
        weight = tuple((float(r), float(g), float(b)) for r, g, b in table["weight"])
        red, green, blue = (float(number) for number in table["bias"])
    except (KeyError, TypeError, ValueError):
        return None
    flat = [*(number for row in weight for number in row), red, green, blue]
    if len(weight) != channels or not all(isfinite(number) for number in flat):
        return None
    return LatentColours(weight, (red, green, blue))
