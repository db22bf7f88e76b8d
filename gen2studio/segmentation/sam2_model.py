"""SAM 2, EdgeTAM and the SAM 3 tracker through transformers, from a local folder of safetensors.

Ravi et al., "SAM 2: Segment Anything in Images and Videos", ICLR 2025; Zhou et al., "EdgeTAM: On-Device Track Anything
Model", CVPR 2025. The three share one interface in transformers; a family is a row of class names here.
"""

from __future__ import annotations

import importlib
import json
import os
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import ModelError
from gen2studio.engine.events import Picture
from gen2studio.models.mask_models import MaskModel
from gen2studio.segmentation.sam_building import Loader

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_FILES = ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")


@dataclass(frozen=True, slots=True)
class Family:
    """The classes of one family, and how its pictures are normalised where the folder does not say."""

    still: str
    video: str
    session: str
    statistics: tuple[tuple[float, ...], tuple[float, ...]]


_SAM3 = Family("Sam3TrackerModel", "Sam3TrackerVideoModel", "Sam3TrackerVideoInferenceSession", HALVES)

FAMILIES = {
    "sam2": Family("Sam2Model", "Sam2VideoModel", "Sam2VideoInferenceSession", IMAGENET),
    "edgetam": Family("EdgeTamModel", "EdgeTamVideoModel", "EdgeTamVideoInferenceSession", IMAGENET),
    "sam3_tracker": _SAM3,
    # The published folder holds detector and tracker: the tracker's video class finds its half in it. Its image class
    # doesn't (transformers 5.23 leaves the tracker's names unmapped there), so that folder carries and takes no clicks.
    "sam3": _SAM3,
}


@dataclass(frozen=True, slots=True)
class PromptableModel:
    """A loaded model and what its pictures must look like."""

    torch: Any
    network: Any
    side: int
    """Pixels of the square that a picture is resized to, its proportions given up."""
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @property
    def device(self) -> Any:
        return self.network.device

    def pixels(self, picture: Picture) -> Any:
        """[1, 3, side, side]: resized with antialiasing and normalised, as the family's image processor does it."""
        torch = self.torch
        # In bytes, because the processors resize bytes: torch rounds those in a way of its own.
        planes = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
        resized = torch.nn.functional.interpolate(planes, (self.side,) * 2, mode="bilinear", antialias=True)
        mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.deviation))
        return ((resized.float() / 255 - mean) / deviation).to(self.device)

    def full_size(self, logits: Any, height: int, width: int) -> NDArray[np.float32]:
        """Low-resolution mask logits [h, w] at the frame's size."""
        wide = self.torch.nn.functional.interpolate(
            logits[None, None].float(), (height, width), mode="bilinear", align_corners=False
        )
        return np.ascontiguousarray(wide[0, 0].cpu().numpy(), np.float32)


def load_promptable(model: MaskModel, load_torch: Loader, *, video: bool) -> PromptableModel:
    """The model of ``model.path`` for single frames, or with its memory for clips. Raises ModelError."""
    family = FAMILIES[model.family]
    network = load_network(model, load_torch, family.video if video else family.still)
    try:
        side = network.config.prompt_encoder_config.image_size
    except AttributeError:
        side = network.prompt_encoder.input_image_size
    mean, deviation = statistics_of(model, family.statistics)
    side = side if isinstance(side, int) else int(side[0])
    return PromptableModel(load_torch(), network, side, mean, deviation)


def load_network(model: MaskModel, load_torch: Loader, class_name: str) -> Any:
    """An instance of transformers' ``class_name`` from the folder: safetensors only, nothing fetched, nothing run.

    Raises ModelError with one sentence, also when the folder lacks weights that the class needs.
    """
    torch = load_torch()
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        transformers = importlib.import_module("transformers")
        network, told = getattr(transformers, class_name).from_pretrained(
            model.path, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    except ImportError as error:
        raise ModelError(
            f"{model.title} needs a package that is not installed: {' '.join(str(error).split())[:160]}.",
            "Install it and start again.",
        ) from error
    except MemoryError:
        raise ModelError(f"There is not enough memory for {model.title}.", "Close other programs.") from None
    except Exception as error:
        raise ModelError(
            f"{model.title} can't be loaded ({type(error).__name__}).", "Download the folder again."
        ) from error
    missing = sorted(told["missing_keys"]) or sorted(str(key) for key in told["mismatched_keys"])
    if missing:
        raise ModelError(
            f"{model.title} lacks weights that a {class_name} needs, such as “{missing[0][:80]}”.",
            "Use a folder made for that; the image editions of a model can't carry masks.",
        )
    return network.eval().requires_grad_(False).to("cuda" if torch.cuda.is_available() else "cpu")


def statistics_of(
    model: MaskModel, otherwise: tuple[tuple[float, ...], tuple[float, ...]]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(mean, standard deviation) of the folder's image processor."""
    for name in _FILES:
        try:
            table: Any = json.loads((model.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        table = cast("dict[str, Any]", table.get("image_processor", table)) if isinstance(table, dict) else {}
        found = [table.get(key) for key in ("image_mean", "image_std")]
        if all(isinstance(row, list) and len(cast("list[Any]", row)) == 3 for row in found):
            mean, deviation = (tuple(float(value) for value in cast("list[Any]", row)) for row in found)
            return mean, deviation
    return otherwise
