"""Encoding a training set, once: views of pictures, windows of clips, and the captions of both.

The text encoder reads the captions before the model is loaded: there may be no room for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.runtime.prompt_cache import PromptCache
from gen2studio.diffusion.training import lora_data
from gen2studio.diffusion.training.lora_data import Example, PreparedSet
from gen2studio.diffusion.training.lora_model import LoraModel
from gen2studio.diffusion.training.recipe import LoraRecipe, plain_caption, taught, test_prompt_of
from gen2studio.engine import training_clips
from gen2studio.engine.events import Picture
from gen2studio.engine.generators import TrainContext
from gen2studio.engine.requests import TrainingClipRef, TrainRequest

_MOST_PRIOR = 16
"""The base model's own pictures of the kind."""


class Encoder:
    """Encodes the set of one request. Raises Cancelled, GenerationError, MediaError."""

    def __init__(self, request: TrainRequest, context: TrainContext, recipe: LoraRecipe, model: LoraModel) -> None:
        self._request = request
        self._context = context
        self._recipe = recipe
        self._model = model
        self._rows: dict[str, list[torch.Tensor]] = {}
        self._examples: list[Example] = []
        self._firsts: dict[str, Picture] = {}
        """By shape, the first picture of its first window."""

    def encode(self) -> PreparedSet:
        """Read captions, pictures and clips, and what the model pictures by itself."""
        request, context, model = self._request, self._context, self._model
        spoken = [each.caption.strip() or request.trigger or request.name for each in (*request.images, *request.clips)]
        captions = [model.calling(taught(caption, model.manifest, request.trigger)) for caption in spoken]
        wanted = model.calling(taught(test_prompt_of(request), model.manifest, request.trigger))
        plain = [plain_caption(c, request.trigger) for c in captions] if self._recipe.prior else []
        prompts = lora_data.unique([*captions, wanted, *plain])
        context.progress(0, 1, "Reading captions")
        embedded = model.embed(prompts, PromptCache(), self.loading, context.cancel, context.checkpoint)
        model.load(self.loading, context.cancel)
        lines = [prompts.index(caption) for caption in captions]
        pictures = len(request.images)
        self._encode_pictures(lines[:pictures])
        self._encode_clips(lines[pictures:], pictures)
        tests = self._test_shape()
        if self._recipe.prior:
            self._picture_the_kind(embedded, [prompts.index(caption) for caption in plain], tests)
        tensors: dict[str, Any] = {"prompts": embedded, **lora_data.stacked(self._rows)}
        for shape in sorted({example.shape for example in self._examples}):
            for name, value in model.beside(*lora_data.clip_of(shape)).items():
                tensors[f"beside.{name}.{shape}"] = value
        if model.begins_with_picture:
            tensors["test_first"] = torch.from_numpy(self._firsts[tests].copy())
        self._examples.sort(key=lambda example: example.shape != tests)
        return PreparedSet(tensors, tuple(self._examples), prompts.index(wanted))

    def loading(self, done: int, total: int, stage: str) -> None:
        # Nobody else is let in: the same model would be loaded twice.
        self._context.progress(done, total, stage or "Loading the model", give_way=False)

    def _put(self, shape: str, latents: torch.Tensor, line: int, item: int, *, prior: bool = False) -> None:
        stack = self._rows.setdefault(f"latents.{shape}", [])
        self._examples.append(Example(shape, len(stack), line, prior, item))
        stack.append(latents.float())

    def _encode_pictures(self, lines: Sequence[int]) -> None:
        request, model = self._request, self._model
        for index, (image, line) in enumerate(zip(request.images, lines, strict=True)):
            self._context.progress(index, len(lines), "Reading images")
            picture = lora_data.cropped(self._context.blob(image.blob), image.crop)
            height, width = picture.shape[:2]
            for view in lora_data.plan_views(width, height, model.manifest, self._recipe, index, request.kind):
                self._context.checkpoint()
                latents = model.encode(lora_data.rendered(picture, view))
                self._put(lora_data.shape_name(view.size), latents, line, index)

    def _encode_clips(self, lines: Sequence[int], first_item: int) -> None:
        request, model = self._request, self._model
        most = max(1, training_clips.MOST_WINDOWS // max(1, len(lines)))
        rate = None if request.every_frame else model.manifest.rate
        cut = [
            training_clips.windows(
                training_clips.frames_at(clip.start, clip.stop, clip.source.rate, rate),
                self._recipe.frames,
                request.clip_windows,
                most,
            )
            for clip in request.clips
        ]
        total, done = sum(len(windows) for windows in cut), 0
        for number, (clip, windows, line) in enumerate(zip(request.clips, cut, lines, strict=True)):
            for window in windows:
                self._context.progress(done, total, "Reading clips")
                done += 1
                if len(window) < 2:
                    continue
                pictures = self._pictures(clip, window)
                height, width = pictures[0].shape[:2]
                shape = lora_data.shape_name((width, height), len(window))
                self._firsts.setdefault(shape, pictures[0])
                for name, value in model.beside_window(pictures).items():
                    self._rows.setdefault(f"beside.{name}.{shape}", []).append(value)
                self._put(shape, model.encode_clip(pictures), line, first_item + number)
        if not self._examples:
            raise GenerationError(
                "None of the clips is long enough to be learned from.", "Use clips of at least 5 frames."
            )

    def _pictures(self, clip: TrainingClipRef, window: tuple[int, ...]) -> list[Picture]:
        pictures: list[Picture] = []
        for frame in window:
            self._context.checkpoint()
            whole = lora_data.cropped(self._context.footage(clip.source, frame), clip.crop)
            height, width = whole.shape[:2]
            view = lora_data.whole_view(width, height, self._model.manifest, self._recipe)
            pictures.append(lora_data.rendered(whole, view))
        return pictures

    def _test_shape(self) -> str:
        """The shape that test frames have: the most frequent one, of clips where there are any."""
        shapes = [example.shape for example in self._examples]
        moving = [shape for shape in shapes if lora_data.clip_of(shape)[1] > 1]
        return max(sorted(set(moving or shapes)), key=(moving or shapes).count)

    def _picture_the_kind(self, embedded: torch.Tensor, lines: Sequence[int], tests: str) -> None:
        """The base model's own pictures of the kind, by the same captions without the trigger word."""
        size, _ = lora_data.clip_of(tests)
        count = min(_MOST_PRIOR, 2 * len(lines))
        for number in range(count):
            self._context.progress(number, count, "Picturing the kind")
            line = lines[number % len(lines)]
            seed = self._recipe.seed + 1000 + number
            drawn = self._model.sample(embedded[[0, line]], size, seed, self._context.checkpoint)
            self._put(lora_data.shape_name(size), drawn.cpu(), line, number, prior=True)


def sheet(pictures: Sequence[Picture]) -> Picture:
    """What a test clip is shown as: a still as it is, of a clip four moments from first to last, row by row."""
    if len(pictures) < 2:
        return pictures[0]
    last = len(pictures) - 1
    first, second, third, fourth = (pictures[round(last * part / 3)] for part in range(4))
    rows = (np.concatenate(pair, 1) for pair in ((first, second), (third, fourth)))
    return np.ascontiguousarray(np.concatenate(list(rows), 0))
