"""The training set as the model sees it: views of pictures and windows of clips, their latents, controls and prompt
embeddings, made up front.

Encoding once means that text encoder and VAE need not stay beside the transformer, and that a resumed training learns
from exactly the same numbers: they lie in one safetensors file in the training's folder.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gen2studio.core.errors import GenerationError
from gen2studio.core.paths import write_atomic
from gen2studio.diffusion.training.recipe import LoraRecipe
from gen2studio.engine.events import Picture
from gen2studio.models.manifest import ModelManifest

PREPARED_NAME = "prepared.safetensors"
_WIDEST = 2.0
"""Aspect ratios beyond 2:1 are cropped to it: the model has hardly seen anything longer."""


@dataclass(frozen=True, slots=True)
class View:
    """A window (x, y, width, height) in pixels of a cropped image, shown to the model at ``size``, maybe mirrored."""

    x: float
    y: float
    width: float
    height: float
    size: tuple[int, int]
    """(width, height) in pixels."""
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Example:
    """One cached picture or window: a row of a latent stack, and the row of the caption among the prompts."""

    shape: str
    """``WxH`` in pixels, ``WxHxF`` for windows of F frames: names its stack of latents and its control."""
    row: int
    prompt: int
    prior: bool = False
    """Made by the base model, for prior preservation."""
    item: int = 0
    """Which picture or clip of the set it was cut from: each is shown as often, however much was cut from it."""


@dataclass(slots=True)
class PreparedSet:
    """What training draws from. ``tensors``: ``latents.SHAPE`` (n, C, T, h, w) float32 normalised latents,
    ``beside.NAME.SHAPE`` (n or 1, …) what the denoiser is shown beside each of them or beside all, under the name of
    its argument, ``prompts`` (n, L, D) with row 0 the empty one, ``test_first`` (h, w, 3) uint8 the picture that test
    frames begin with where the model begins with one.

    The examples of the shape that test frames have come first.
    """

    tensors: dict[str, Any]
    examples: tuple[Example, ...]
    test_prompt: int

    def beside(self, shape: str, rows: Sequence[int]) -> dict[str, Any]:
        """What stands beside rows of ``latents.SHAPE``: argument → tensor with one row, or one for each."""
        found: dict[str, Any] = {}
        for key, value in self.tensors.items():
            kind, _, rest = key.partition(".")
            name, _, of = rest.rpartition(".")
            if kind == "beside" and of == shape:
                found[name] = value if len(value) == 1 else value[list(rows)]
        return found

    def shapes(self, *, prior: bool) -> tuple[tuple[str, tuple[Example, ...]], ...]:
        """The examples by shape, in a fixed order; only one shape fits into a batch."""
        found: dict[str, list[Example]] = {}
        for example in self.examples:
            if example.prior is prior:
                found.setdefault(example.shape, []).append(example)
        return tuple((shape, tuple(found[shape])) for shape in sorted(found))

    def save(self, folder: Path) -> None:
        import torch
        from safetensors.torch import save

        record = {"examples": [asdict(e) for e in self.examples], "test_prompt": self.test_prompt}
        tensors: dict[str, torch.Tensor] = {name: value.contiguous() for name, value in self.tensors.items()}
        write_atomic(folder / PREPARED_NAME, save(tensors, {"prepared": json.dumps(record)}))

    @staticmethod
    def load(folder: Path) -> PreparedSet | None:
        """What an earlier run of the same training prepared; None when there is nothing usable."""
        from safetensors import SafetensorError, safe_open

        path = folder / PREPARED_NAME
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                record = json.loads((file.metadata() or {})["prepared"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            return PreparedSet(tensors, tuple(Example(**e) for e in record["examples"]), int(record["test_prompt"]))
        except (SafetensorError, OSError, KeyError, ValueError, TypeError):
            return None


def size_for(width: float, height: float, manifest: ModelManifest, size: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """The training size for a picture of this shape: the area of ``size`` (zeros = the model's native one), the
    picture's own aspect, allowed multiples."""
    aspect = min(_WIDEST, max(1 / _WIDEST, width / height))
    native = size if all(size) else manifest.sizes[0]
    area = native[0] * native[1]
    # A picture is not blown up beyond twice its own size: that would teach the model softness.
    area = min(area, 4.0 * width * height)
    step = manifest.size_multiple
    wide = max(step, round(math.sqrt(area * aspect) / step) * step)
    high = max(step, round(math.sqrt(area / aspect) / step) * step)
    return wide, high


def plan_views(
    width: int, height: int, manifest: ModelManifest, recipe: LoraRecipe, index: int, kind: str
) -> list[View]:
    """The views of one image: the largest window first, then smaller ones at random places, every second mirrored.

    A subject is shown nearly whole (90–100 % of the window), a style in closer looks too (60–100 %): strokes and
    grain are what it is about. The same request gives the same views.
    """
    size = size_for(width, height, manifest, recipe.size)
    aspect = size[0] / size[1]
    widest = min(float(width), height * aspect)
    draw = np.random.default_rng((recipe.seed, index))
    views: list[View] = []
    for number in range(recipe.views):
        scale = 1.0 if number < 2 else float(draw.uniform(0.6 if kind == "style" else 0.9, 1.0))
        wide, high = widest * scale, widest * scale / aspect
        spread = (0.5, 0.5) if number < 2 else (float(draw.random()), float(draw.random()))
        views.append(View((width - wide) * spread[0], (height - high) * spread[1], wide, high, size, number % 2 == 1))
    return views


def whole_view(width: int, height: int, manifest: ModelManifest, recipe: LoraRecipe) -> View:
    """The largest window in the middle of a frame of a clip. A clip is never mirrored: what moves left moves left."""
    size = size_for(width, height, manifest, recipe.size)
    aspect = size[0] / size[1]
    wide = min(float(width), height * aspect)
    return View((width - wide) / 2, (height - wide / aspect) / 2, wide, wide / aspect, size, False)


def cropped(picture: Picture, crop: tuple[float, float, float, float] | None) -> Picture:
    """The artist's crop (x, y, width, height in 0…1) of an image, at least one pixel each way."""
    if crop is None:
        return picture
    height, width = picture.shape[:2]
    left, top = min(width - 1, round(crop[0] * width)), min(height - 1, round(crop[1] * height))
    right = max(left + 1, min(width, round((crop[0] + crop[2]) * width)))
    bottom = max(top + 1, min(height, round((crop[1] + crop[3]) * height)))
    return picture[top:bottom, left:right]


def rendered(picture: Picture, view: View) -> Picture:
    """A view of a cropped image as (h, w, 3) uint8 at the training size."""
    import cv2

    left, top = round(view.x), round(view.y)
    right = min(picture.shape[1], max(left + 1, round(view.x + view.width)))
    bottom = min(picture.shape[0], max(top + 1, round(view.y + view.height)))
    window = picture[top:bottom, left:right]
    shrinks = window.shape[0] * window.shape[1] >= view.size[0] * view.size[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    scaled = cv2.resize(np.ascontiguousarray(window), view.size, interpolation=how)
    return np.ascontiguousarray(scaled[:, ::-1] if view.mirrored else scaled, np.uint8)


def shape_name(size: tuple[int, int], frames: int = 1) -> str:
    return f"{size[0]}x{size[1]}" + (f"x{frames}" if frames > 1 else "")


def clip_of(shape: str) -> tuple[tuple[int, int], int]:
    """((width, height), frames) of a shape's name. Raises GenerationError for anything else."""
    sides = shape.split("x")
    if len(sides) not in (2, 3) or not all(side.isdecimal() for side in sides):
        raise GenerationError("The prepared training images are damaged.", "Start the training again.")
    return (int(sides[0]), int(sides[1])), int(sides[2]) if len(sides) == 3 else 1


def stacked(rows: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Lists of tensors with one row each as one contiguous tensor each, under the same names."""
    import torch

    return {name: torch.cat([*found]).contiguous() for name, found in rows.items()}


def unique(texts: Iterable[str]) -> list[str]:
    """Texts in order of first appearance, the empty one first."""
    return list(dict.fromkeys(["", *texts]))
