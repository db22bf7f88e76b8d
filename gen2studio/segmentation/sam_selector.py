"""Selecting with the original Segment Anything, through its own ``SamPredictor``.

A frame is read once (its image embedding, kept in memory and on disk); after that a click costs the small mask decoder
alone, quick enough to show under the moving pointer what a click would select.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import ModelError, StudioError
from gen2studio.engine.mask_tools import MaskContext
from gen2studio.engine.requests import SegmentRequest
from gen2studio.models.mask_models import MaskModel
from gen2studio.models.sam_layout import sam_shape
from gen2studio.models.torch_archive import read_archive
from gen2studio.segmentation.embedding_cache import Embedding, EmbeddingCache, embedding_key
from gen2studio.segmentation.prompts import Answered, Mask, Wish, matte_of, merged, wish_of
from gen2studio.segmentation.sam_building import Loader, build_sam, import_package
from gen2studio.segmentation.sam_quick_decoder import quick_decode

_KEPT = 8
"""Embeddings kept in memory."""


class SamSelector:
    """Implements :class:`MaskSelector` with a checkpoint of the original Segment Anything.

    Embeddings pass through half precision whether they come from disk or were just made, so that the same click gives
    the same matte today and tomorrow. Runs on a CUDA device where there is one.
    """

    def __init__(self, model: MaskModel, load_torch: Loader, cache: EmbeddingCache | None = None) -> None:
        """``load_torch`` imports torch as the program wants it. Nothing is loaded before the first request."""
        self._model = model
        self._load_torch = load_torch
        self._cache = cache or EmbeddingCache()
        self._sam: Any = None
        self._dense_places: Any = None
        self._features: OrderedDict[str, Embedding] = OrderedDict()
        self._reading: list[MaskContext] = []
        self._read_blocks: list[int] = []
        self._last: Answered | None = None

    @property
    def title(self) -> str:
        return self._model.title

    def segment(self, request: SegmentRequest, context: MaskContext) -> None:
        """See :class:`MaskSelector`. A preview of a frame that was not read yet stays unanswered.

        Raises StudioError with one sentence: nothing to go by, words instead of marks, a checkpoint that can't be used.
        """
        if request.text:
            raise StudioError(f"{self.title} can't find things by their name.", "Click on the subject instead.")
        key = embedding_key(self._model.digest, request.source, request.frame)
        if request.purpose == "preview":
            if (embedding := self._known(key)) is not None:
                self._preview(request, context, embedding)
            return
        if request.purpose == "prepare":
            self._embedding(key, request, context)
            self._loaded(context)
            return
        wish, _ = wish_of(request, context, self._last)
        embedding = self._embedding(key, request, context)
        context.progress(0, 1, "Selecting")
        answer = self.answer(embedding, wish)
        context.checkpoint()
        logits, score, small = answer
        mask = matte_of(logits)
        if wish.drawn is not None:
            mask = merged(wish.drawn, mask, request)
        if not (mask > 127).any() and not request.exclude:
            raise StudioError(
                f"{self.title} finds nothing there.", "Click on the middle of the subject, or drag a box around it."
            )
        self._last = None
        if wish.drawn is None:
            self._last = Answered(request.frame, request.object_id, wish.prompt, mask, small)
        mask.setflags(write=False)
        context.emit(request.object_id, request.frame, mask, float(np.clip(score, 0, 1)), self.title)
        context.progress(1, 1, "Selecting")

    # -- the model -------------------------------------------------------------------------------------------------

    def answer(self, embedding: Embedding, wish: Wish) -> tuple[NDArray[np.float32], float, NDArray[np.float32]]:
        """(full-size logits, predicted IoU, low-resolution logits [1, h, w]) of the best mask for ``wish``.

        One bare click may mean a part, the whole or all of it: three masks are asked for and the best scored is taken.
        """
        predictor = self._predictor(embedding)
        prompt = wish.prompt
        mask_input = wish.logits
        if mask_input is None and wish.drawn is not None:
            mask_input = self._as_logits(wish.drawn, embedding)
        logits, scores, small = predictor.predict(
            point_coords=prompt.coordinates, point_labels=prompt.labels,
            box=np.array(prompt.box, np.float64) if prompt.box is not None else None, mask_input=mask_input,
            multimask_output=prompt.single and mask_input is None, return_logits=True,
        )  # fmt: skip
        best = int(np.argmax(scores))
        return np.asarray(logits[best], np.float32), float(scores[best]), np.asarray(small[best][None], np.float32)

    def _preview(self, request: SegmentRequest, context: MaskContext, embedding: Embedding) -> None:
        """The decoder alone, at its own resolution."""
        wish, _ = wish_of(request, context, self._last)
        predictor = self._predictor(embedding)
        torch = self._load_torch()
        prompt, box = wish.prompt, None
        mask_input = wish.logits
        if mask_input is None and wish.drawn is not None:
            mask_input = self._as_logits(wish.drawn, embedding)
        with torch.inference_mode():
            points = None
            if prompt.clicks:
                placed = predictor.transform.apply_coords(prompt.coordinates, embedding.original)
                coordinates = torch.as_tensor(placed, dtype=torch.float, device=predictor.device)
                labels = torch.as_tensor(prompt.labels, dtype=torch.int, device=predictor.device)
                points = (coordinates[None], labels[None])
            if prompt.box is not None:
                corners = predictor.transform.apply_boxes(np.array(prompt.box), embedding.original)
                box = torch.as_tensor(corners, dtype=torch.float, device=predictor.device)
            prior = None
            if mask_input is not None:
                prior = torch.as_tensor(mask_input, dtype=torch.float, device=predictor.device)[None]
            sparse, dense = self._sam.prompt_encoder(points=points, boxes=box, masks=prior)
            patch = self._sam.image_encoder.patch_embed.proj.stride[0]
            found, _ = quick_decode(
                self._sam.mask_decoder, predictor.features, self._places(), sparse, dense,
                several=prompt.single and mask_input is None,
                used=(-(-embedding.fitted[0] // patch), -(-embedding.fitted[1] // patch)),
            )  # fmt: skip
            logits = found.float().cpu().numpy()
        side = 4 * embedding.features.shape[-1]
        tall, wide = self._valid((side, side), embedding)
        shown = np.clip(logits[:tall, :wide] * 0.5 + 0.5, 0, 1)
        context.preview(request.object_id, request.frame, np.round(shown * 255).astype(np.uint8), self.title)

    def _places(self) -> Any:
        """Positions of the image tokens, [h w, C]: the same for every frame."""
        if self._dense_places is None:
            places = self._sam.prompt_encoder.get_dense_pe()
            self._dense_places = places[0].flatten(1).T.contiguous()
        return self._dense_places

    def _valid(self, shape: tuple[int, ...], embedding: Embedding) -> tuple[int, int]:
        """The part of a low-resolution mask that is picture, not padding."""
        side = self._sam.image_encoder.img_size
        return round(shape[0] * embedding.fitted[0] / side), round(shape[1] * embedding.fitted[1] / side)

    def _as_logits(self, drawn: Mask, embedding: Embedding) -> NDArray[np.float32]:
        """A drawn matte as the decoder's mask prompt: [1, h, w] logits, certain away from the edge."""
        import cv2

        side = 4 * embedding.features.shape[-1]
        tall, wide = self._valid((side, side), embedding)
        small = cv2.resize(drawn, (wide, tall), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        logits = np.full((1, side, side), -8, np.float32)
        logits[0, :tall, :wide] = small * 16 - 8
        return logits

    def _predictor(self, embedding: Embedding) -> Any:
        """A predictor with the embedding in place. A new one each time: a preview may come in the middle of a read."""
        torch = self._load_torch()
        predictor = import_package().SamPredictor(self._sam)
        predictor.features = torch.from_numpy(embedding.features.astype(np.float32)).to(predictor.device)
        predictor.original_size, predictor.input_size = embedding.original, embedding.fitted
        predictor.is_image_set = True
        return predictor

    # -- embeddings ------------------------------------------------------------------------------------------------

    def _known(self, key: str) -> Embedding | None:
        """The embedding when model and embedding are at hand."""
        if self._sam is None:
            return None
        found = self._features.get(key)
        if found is None and (found := self._cache.get(key)) is not None:
            self._keep(key, found)
        return found

    def _embedding(self, key: str, request: SegmentRequest, context: MaskContext) -> Embedding:
        """The frame's embedding; read now when it is neither in memory nor on disk."""
        found = self._features.get(key) or self._cache.get(key)
        self._loaded(context)
        if found is None:
            picture = context.source(request.frame)
            predictor = import_package().SamPredictor(self._sam)
            with self._followed(context):
                predictor.set_image(np.ascontiguousarray(picture))
            features = predictor.features.float().cpu().numpy()
            if not np.isfinite(features).all():
                raise ModelError(f"{self.title} makes no sense of this frame.", "Its checkpoint may be damaged.")
            found = Embedding(features.astype(np.float16), tuple(predictor.original_size), tuple(predictor.input_size))
            self._cache.put(key, found)
        self._keep(key, found)
        return found

    def _keep(self, key: str, embedding: Embedding) -> None:
        self._features[key] = embedding
        self._features.move_to_end(key)
        while len(self._features) > _KEPT:
            self._features.popitem(last=False)

    @contextmanager
    def _followed(self, context: MaskContext) -> Generator[None]:
        """Progress and cancel of one reading; a reading inside another (at its checkpoint) is told by itself."""
        self._reading.append(context)
        self._read_blocks.append(0)
        try:
            yield
        finally:
            self._reading.pop()
            self._read_blocks.pop()

    def _on_block(self, *_arguments: object) -> None:
        if self._reading:
            self._reading[-1].progress(self._read_blocks[-1], len(self._sam.image_encoder.blocks), "Reading the frame")
            self._read_blocks[-1] += 1

    def _loaded(self, context: MaskContext) -> None:
        if self._sam is not None:
            return
        context.progress(0, 0, f"Loading {self.title}")
        self._sam = load_sam(self._model, self._load_torch)
        for block in self._sam.image_encoder.blocks:
            block.register_forward_pre_hook(self._on_block)


def load_sam(model: MaskModel, load_torch: Loader) -> Any:
    """The checkpoint as a ``Sam`` in evaluation mode, on the best device. Nothing in the file is run.

    Raises ModelError with one sentence.
    """
    torch = load_torch()
    shape = sam_shape({name: tensor.shape for name, tensor in read_archive(model.path).items()})
    sam = build_sam(shape)
    try:
        state = torch.load(model.path, map_location="cpu", weights_only=True, mmap=True)
        for wrapper in ("model", "state_dict"):
            state = state.get(wrapper, state)
        sam.load_state_dict(state)
        return sam.to("cuda" if torch.cuda.is_available() else "cpu").requires_grad_(False)
    except MemoryError:
        raise ModelError(f"There is not enough memory for {model.title}.", "Close other programs.") from None
    except Exception as error:
        # torch raises whatever its reader, its allocator or the device think of.
        raise ModelError(
            f"{model.title} can't be loaded ({type(error).__name__}).", "Download it again, or use a smaller one."
        ) from error
