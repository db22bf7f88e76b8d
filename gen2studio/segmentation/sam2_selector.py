"""Selecting with SAM 2, EdgeTAM or the SAM 3 tracker on one frame."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import StudioError
from gen2studio.engine.mask_tools import MaskContext
from gen2studio.engine.requests import SegmentRequest
from gen2studio.models.mask_models import MaskModel
from gen2studio.segmentation.embedding_cache import embedding_key
from gen2studio.segmentation.prompts import Answered, Wish, matte_of, merged, wish_of
from gen2studio.segmentation.sam2_model import PromptableModel, load_promptable
from gen2studio.segmentation.sam_building import Loader

_KEPT = 4
"""Frames whose features stay in memory: 20 MB each."""


class Sam2Selector:
    """Implements :class:`MaskSelector` with a model of the SAM 2 kind. Runs on a CUDA device where there is one."""

    def __init__(self, model: MaskModel, load_torch: Loader) -> None:
        """Nothing is loaded before the first request."""
        self._model = model
        self._load_torch = load_torch
        self._loaded: PromptableModel | None = None
        self._features: OrderedDict[str, list[Any]] = OrderedDict()
        self._last: Answered | None = None

    @property
    def title(self) -> str:
        return self._model.title

    def segment(self, request: SegmentRequest, context: MaskContext) -> None:
        """See :class:`MaskSelector`. Raises StudioError with one sentence."""
        if request.text:
            raise StudioError(f"{self.title} can't find things by their name.", "Click on the subject instead.")
        key = embedding_key(self._model.digest, request.source, request.frame)
        if request.purpose == "preview":
            self._preview(key, request, context)
            return
        if request.purpose == "prepare":
            self._read(key, request, context)
            return
        wish, _ = wish_of(request, context, self._last)
        features = self._read(key, request, context)
        context.progress(0, 1, "Selecting")
        small, score = self._answer(features, wish, request)
        context.checkpoint()
        assert self._loaded is not None
        mask = matte_of(self._loaded.full_size(small, request.source.height, request.source.width))
        if wish.drawn is not None:
            mask = merged(wish.drawn, mask, request)
        if not (mask > 127).any() and not request.exclude:
            raise StudioError(
                f"{self.title} finds nothing there.", "Click on the middle of the subject, or drag a box around it."
            )
        self._last = None
        if wish.drawn is None:
            kept = small[None].float().cpu().numpy()
            self._last = Answered(request.frame, request.object_id, wish.prompt, mask, kept)
        mask.setflags(write=False)
        context.emit(request.object_id, request.frame, mask, float(np.clip(score, 0, 1)), self.title)
        context.progress(1, 1, "Selecting")

    def _preview(self, key: str, request: SegmentRequest, context: MaskContext) -> None:
        """The mask at the decoder's own resolution; unanswered until the frame was read."""
        features = self._features.get(key)
        if features is None:
            return
        wish, _ = wish_of(request, context, self._last)
        small, _ = self._answer(features, wish, request)
        shown = np.clip(small.float().cpu().numpy() * 0.5 + 0.5, 0, 1)
        # The model's square is the whole frame out of proportion.
        height = max(1, round(shown.shape[1] * request.source.height / max(1, request.source.width)))
        fitted = cv2.resize(np.round(shown * 255).astype(np.uint8), (shown.shape[1], height))
        context.preview(request.object_id, request.frame, np.asarray(fitted, np.uint8), self.title)

    def _answer(self, features: list[Any], wish: Wish, request: SegmentRequest) -> tuple[Any, float]:
        """(low-resolution logits [h, w], predicted IoU) of the best mask."""
        assert self._loaded is not None
        torch, model = self._loaded.torch, self._loaded
        prompt = wish.prompt
        scale = np.array([model.side / request.source.width, model.side / request.source.height])
        asked: dict[str, Any] = {}
        if prompt.clicks:
            assert prompt.coordinates is not None
            placed = torch.tensor(prompt.coordinates * scale, dtype=torch.float32)
            asked["input_points"] = placed[None, None].to(model.device)
            asked["input_labels"] = torch.tensor(prompt.labels, dtype=torch.int32)[None, None].to(model.device)
        if prompt.box is not None:
            corners = np.array(prompt.box, np.float64).reshape(2, 2) * scale
            asked["input_boxes"] = torch.tensor(corners.reshape(1, 1, 4), dtype=torch.float32).to(model.device)
        prior = wish.logits if wish.logits is not None else _as_logits(wish.drawn)
        if prior is not None:
            asked["input_masks"] = torch.from_numpy(prior[None]).to(model.device)
        several = prompt.single and prior is None
        with torch.inference_mode():
            found = model.network(image_embeddings=features, multimask_output=several, **asked)
        scores = found.iou_scores[0, 0]
        best = int(scores.argmax())
        return found.pred_masks[0, 0, best], float(scores[best])

    def _read(self, key: str, request: SegmentRequest, context: MaskContext) -> list[Any]:
        if self._loaded is None:
            context.progress(0, 0, f"Loading {self.title}")
            self._loaded = load_promptable(self._model, self._load_torch, video=False)
        found = self._features.get(key)
        if found is None:
            context.progress(0, 0, "Reading the frame")
            pixels = self._loaded.pixels(context.source(request.frame))
            with self._loaded.torch.inference_mode():
                found = list(self._loaded.network.get_image_embeddings(pixels))
        self._features[key] = found
        self._features.move_to_end(key)
        while len(self._features) > _KEPT:
            self._features.popitem(last=False)
        return found


def _as_logits(drawn: NDArray[np.uint8] | None) -> NDArray[np.float32] | None:
    """A drawn matte as a mask prompt [1, 256, 256], certain away from the edge."""
    if drawn is None:
        return None
    small = np.asarray(cv2.resize(drawn, (256, 256), interpolation=cv2.INTER_AREA), np.float32)
    return (small * np.float32(16 / 255) - np.float32(8))[None].astype(np.float32)
