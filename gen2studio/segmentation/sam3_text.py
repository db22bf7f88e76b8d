"""Finding things by their name with SAM 3 (Carion et al., "SAM 3: Segment Anything with Concepts", 2025)."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from gen2studio.core.errors import ModelError, StudioError
from gen2studio.engine.mask_tools import MaskContext
from gen2studio.engine.requests import SegmentRequest
from gen2studio.models.mask_models import MaskModel
from gen2studio.segmentation.prompts import matte_of
from gen2studio.segmentation.sam2_model import HALVES, PromptableModel, load_network, statistics_of
from gen2studio.segmentation.sam_building import Loader

_SURE = 0.5
"""Scores from which an instance counts."""


class TextSelector:
    """Selects everything that the words name; implements :class:`MaskSelector`.

    With include clicks only the instances that are clicked on are kept, with exclude clicks all but those.
    """

    def __init__(self, model: MaskModel, load_torch: Loader) -> None:
        """Nothing is loaded before the first request."""
        self._model = model
        self._load_torch = load_torch
        self._loaded: PromptableModel | None = None
        self._tokenizer: Any = None

    @property
    def title(self) -> str:
        return self._model.title

    def segment(self, request: SegmentRequest, context: MaskContext) -> None:
        """See :class:`MaskSelector`. Raises StudioError with one sentence."""
        if request.purpose != "select":
            return
        if not request.text.strip():
            raise StudioError(f"{self.title} finds things by their name.", "Type what to select, such as “red car”.")
        model = self._ready(context)
        torch = model.torch
        context.progress(0, 1, "Selecting")
        words = self._tokenizer(
            request.text.strip(), return_tensors="pt", padding="max_length", max_length=32, truncation=True
        )
        with torch.inference_mode():
            found = model.network(
                pixel_values=model.pixels(context.source(request.frame)),
                input_ids=words["input_ids"].to(model.device),
                attention_mask=words["attention_mask"].to(model.device),
            )
        context.checkpoint()
        scores = found.pred_logits[0].float().sigmoid()
        presence = getattr(found, "presence_logits", None)
        if presence is not None:
            scores = scores * presence[0].float().sigmoid()
        height, width = request.source.height, request.source.width
        chosen: list[np.ndarray] = []
        sure: list[float] = []
        for index in torch.nonzero(scores.flatten() > _SURE).flatten().tolist():
            logits = model.full_size(found.pred_masks[0, index], height, width)
            if _asked(logits, request):
                chosen.append(logits)
                sure.append(float(scores.flatten()[index]))
        if not chosen:
            raise StudioError(
                f"{self.title} finds no “{request.text.strip()}” on this frame.", "Use other words, or click on it."
            )
        mask = matte_of(np.maximum.reduce(chosen))
        mask.setflags(write=False)
        context.emit(request.object_id, request.frame, mask, float(np.mean(sure)), self.title)
        context.progress(1, 1, "Selecting")

    def _ready(self, context: MaskContext) -> PromptableModel:
        if self._loaded is None:
            context.progress(0, 0, f"Loading {self.title}")
            network = load_network(self._model, self._load_torch, "Sam3Model")
            try:
                tokenizers = importlib.import_module("transformers")
                self._tokenizer = tokenizers.AutoTokenizer.from_pretrained(self._model.path, local_files_only=True)
            except Exception as error:
                raise ModelError(
                    f"{self.title} has no tokenizer that can be read ({type(error).__name__}).",
                    "Download its whole folder.",
                ) from error
            mean, deviation = statistics_of(self._model, HALVES)
            side = network.config.vision_config.backbone_config.image_size
            side = side if isinstance(side, int) else int(side[0])
            self._loaded = PromptableModel(self._load_torch(), network, side, mean, deviation)
        return self._loaded


def _asked(logits: np.ndarray, request: SegmentRequest) -> bool:
    """Whether the clicks, if any, are for this instance."""

    def on(points: tuple[tuple[float, float], ...]) -> bool:
        height, width = logits.shape
        return any(logits[min(height - 1, max(0, int(y))), min(width - 1, max(0, int(x)))] > 0 for x, y in points)

    return (not request.include or on(request.include)) and not on(request.exclude)
