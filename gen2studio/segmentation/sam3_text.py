"""Finding things by their name with SAM 3 (Carion et al., "SAM 3: Segment Anything with Concepts", 2025)."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from gen2studio.core.errors import ModelError, StudioError
from gen2studio.engine.mask_tools import MaskContext
from gen2studio.engine.requests import SegmentRequest
from gen2studio.models.mask_models import MaskModel
from gen2studio.segmentation.embedding_cache import embedding_key
from gen2studio.segmentation.prompts import matte_of
from gen2studio.segmentation.sam2_model import HALVES, PromptableModel, load_network, statistics_of
from gen2studio.segmentation.sam_building import Loader

_SURE = 0.5
"""Scores from which an instance counts."""
_TOKENS = 32
"""Length of the text encoder's input: what the model was trained with, its two ends included."""


class TextSelector:
    """Selects everything that the words name; implements :class:`MaskSelector`.

    With include clicks only the instances that are clicked on are kept, with exclude clicks all but those, and with a
    box those that lie mostly inside it.
    """

    def __init__(self, model: MaskModel, load_torch: Loader) -> None:
        """Nothing is loaded before the first request."""
        self._model = model
        self._load_torch = load_torch
        self._loaded: PromptableModel | None = None
        self._tokenizer: Any = None
        self._seen: tuple[str, Any] | None = None
        """The frame that was read last, and its features: 120 MB, so that other words are answered at once."""

    @property
    def title(self) -> str:
        return self._model.title

    def segment(self, request: SegmentRequest, context: MaskContext) -> None:
        """See :class:`MaskSelector`. Raises StudioError with one sentence."""
        if request.purpose == "preview":
            return
        if request.purpose == "prepare":
            self._read(self._ready(context), request, context)
            return
        text = request.text.strip()
        if not text:
            raise StudioError(f"{self.title} finds things by their name.", "Type what to select, such as “red car”.")
        model = self._ready(context)
        torch = model.torch
        words = self._tokenizer(text, return_tensors="pt", padding="max_length", max_length=_TOKENS)
        if words["input_ids"].shape[1] > _TOKENS:
            raise StudioError(f"{self.title} can't read that many words.", "Name the subject in a few words.")
        features = self._read(model, request, context)
        context.progress(0, 1, "Selecting")
        with torch.inference_mode():
            found = model.network(
                vision_embeds=features,
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
            if (logits > 0).any() and _asked(logits, request):
                chosen.append(logits)
                sure.append(float(scores.flatten()[index]))
        if not chosen:
            raise StudioError(f"{self.title} finds no “{text}” on this frame.", "Use other words, or click on it.")
        mask = matte_of(np.maximum.reduce(chosen))
        mask.setflags(write=False)
        context.emit(request.object_id, request.frame, mask, float(np.mean(sure)), self.title)
        context.progress(1, 1, "Selecting")

    def _ready(self, context: MaskContext) -> PromptableModel:
        if self._loaded is None:
            context.progress(0, 0, f"Loading {self.title}")
            network = load_network(self._model, self._load_torch, "Sam3Model")
            self._tokenizer = _tokenizer_of(self._model, network.config.text_config.vocab_size)
            mean, deviation = statistics_of(self._model, HALVES)
            side = network.config.vision_config.backbone_config.image_size
            side = side if isinstance(side, int) else int(side[0])
            self._loaded = PromptableModel(self._load_torch(), network, side, mean, deviation)
        return self._loaded

    def _read(self, model: PromptableModel, request: SegmentRequest, context: MaskContext) -> Any:
        """The features of the request's frame."""
        key = embedding_key(self._model.digest, request.source, request.frame)
        if self._seen is None or self._seen[0] != key:
            context.progress(0, 0, "Reading the frame")
            pixels = model.pixels(context.source(request.frame))
            self._seen = None
            with model.torch.inference_mode():
                self._seen = (key, model.network.get_vision_features(pixels))
        return self._seen[1]


def _tokenizer_of(model: MaskModel, vocabulary: int) -> Any:
    """The tokenizer of the folder for a text encoder that knows ``vocabulary`` tokens. Raises ModelError."""
    try:
        transformers = importlib.import_module("transformers")
        # Said, not left open: otherwise a folder that brings code makes the library ask on the terminal.
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            model.path, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        raise ModelError(
            f"{model.title} has no tokenizer that can be read ({type(error).__name__}).", "Download its whole folder."
        ) from error
    # A folder without the files gives a tokenizer of the three special tokens and no error.
    if not vocabulary // 2 <= len(tokenizer) <= vocabulary:
        raise ModelError(
            f"{model.title} has a tokenizer of {len(tokenizer)} tokens, but its text encoder knows {vocabulary}.",
            "Download its whole folder.",
        )
    return tokenizer


def _asked(logits: np.ndarray, request: SegmentRequest) -> bool:
    """Whether the box and the clicks, if any, are for this instance."""
    height, width = logits.shape

    def on(points: tuple[tuple[float, float], ...]) -> bool:
        return any(logits[min(height - 1, max(0, int(y))), min(width - 1, max(0, int(x)))] > 0 for x, y in points)

    if request.box is not None:
        left, top = max(0, int(request.box.x)), max(0, int(request.box.y))
        part = logits[top : max(0, round(request.box.bottom)), left : max(0, round(request.box.right))]
        if 2 * np.count_nonzero(part > 0) <= np.count_nonzero(logits > 0):
            return False
    return (not request.include or on(request.include)) and not on(request.exclude)
