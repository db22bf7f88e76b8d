"""One training on its way: encode once, then step, show, save; from its last checkpoint when there is one.

Loads torch: import it on the engine thread only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from gen2studio.core.cancel import Cancelled
from gen2studio.core.errors import GenerationError
from gen2studio.core.log import topic
from gen2studio.core.paths import write_atomic
from gen2studio.diffusion.runtime.prompt_cache import PromptCache
from gen2studio.diffusion.training import lora_data
from gen2studio.diffusion.training.lora_checkpoint import (
    TrainingState,
    adapter_bytes,
    mean_loss,
    optimiser_called,
    optimiser_tensors,
    restore_optimiser,
)
from gen2studio.diffusion.training.lora_data import PreparedSet
from gen2studio.diffusion.training.lora_model import LoraModel
from gen2studio.diffusion.training.recipe import (
    CAPTION_DROPOUT,
    CLIP,
    WEIGHT_DECAY,
    LoraRecipe,
    plain_caption,
    taught,
    test_prompt_of,
)
from gen2studio.engine.events import Picture
from gen2studio.engine.generators import TrainContext
from gen2studio.engine.requests import TrainRequest
from gen2studio.engine.take_store import encode_png
from gen2studio.models.adapter_steps import step_name

_log = topic("training")


class LoraRun:
    """One training on its way."""

    def __init__(
        self,
        request: TrainRequest,
        context: TrainContext,
        recipe: LoraRecipe,
        model: LoraModel,
        about: Callable[[int], dict[str, str]],
    ) -> None:
        """``about(step)`` is what an adapter file of that step says about itself."""
        self.request = request
        self.context = context
        self.recipe = recipe
        self.model = model
        self._about = about
        self.seconds_per_step: float | None = None
        self._set: PreparedSet | None = None
        self._shown: set[int] = set()

    # -- preparing ---------------------------------------------------------------------------------------------------

    @property
    def _prepared(self) -> PreparedSet:
        assert self._set is not None
        return self._set

    def prepare(self) -> None:
        """Encode images and captions, or take up what an interrupted run encoded."""
        self._set = lora_data.PreparedSet.load(self.context.scratch)
        if self._set is None:
            self._set = self._encode()
            self._set.save(self.context.scratch)
        self.model.load(self._loading, self.context.cancel)

    def _loading(self, done: int, total: int, stage: str) -> None:
        self.context.progress(done, total, stage or "Loading the model")

    def _encode(self) -> PreparedSet:
        request, context, model = self.request, self.context, self.model
        spoken = [image.caption.strip() or request.trigger or request.name for image in request.images]
        captions = [taught(caption, model.manifest, request.trigger) for caption in spoken]
        wanted = taught(test_prompt_of(request), model.manifest, request.trigger)
        plain = [plain_caption(c, request.trigger) for c in captions] if self.recipe.prior else []
        prompts = lora_data.unique([*captions, wanted, *plain])
        context.progress(0, 1, "Reading captions")
        embedded = model.embed(prompts, PromptCache(), self._loading, context.cancel, context.checkpoint)
        model.load(self._loading, context.cancel)

        latents: dict[str, list[Any]] = {}
        examples: list[lora_data.Example] = []

        def put(shape: str, rows: Any, caption: str, *, prior: bool) -> None:
            stack = latents.setdefault(shape, [])
            examples.append(lora_data.Example(shape, len(stack), prompts.index(caption), prior))
            stack.append(rows)

        for index, (image, caption) in enumerate(zip(request.images, captions, strict=True)):
            context.progress(index, len(captions), "Reading images")
            picture = lora_data.cropped(context.blob(image.blob), image.crop)
            height, width = picture.shape[:2]
            views = lora_data.plan_views(width, height, model.manifest, self.recipe, index, request.kind)
            for view in views:
                context.checkpoint()
                put(
                    lora_data.shape_name(view.size),
                    model.encode(lora_data.rendered(picture, view)),
                    caption,
                    prior=False,
                )
        shapes = [example.shape for example in examples]
        common = max(sorted(set(shapes)), key=shapes.count)
        if self.recipe.prior:
            # The base model's own pictures of the kind, by the same captions without the trigger word.
            count = min(16, 2 * len(plain))
            for number in range(count):
                context.progress(number, count, "Picturing the kind")
                caption = plain[number % len(plain)]
                pair = embedded[[0, prompts.index(caption)]]
                drawn = model.sample(
                    pair, lora_data.size_of(common), self.recipe.seed + 1000 + number, context.checkpoint
                )
                put(common, drawn.cpu(), caption, prior=True)
        tensors = {"prompts": embedded, **lora_data.stacked(latents)}
        for shape in sorted(set(shapes)) if model.controlled else ():
            tensors[f"control.{shape}"] = model.control(lora_data.size_of(shape))
        examples.sort(key=lambda e: e.shape != common)
        return lora_data.PreparedSet(tensors, tuple(examples), prompts.index(wanted))

    # -- training ----------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Run the steps that are left, with checkpoints, losses and test frames. Raises Cancelled."""
        parameters = self.model.arm(self.recipe)
        state = self._resume()
        optimiser = optimiser_called(state.stepped_by or self.model.optimiser, parameters, WEIGHT_DECAY)
        self._put_back(state, optimiser)
        saved = state.step
        self._retell(state)
        self.model.transformer.train()
        began, first = time.perf_counter(), state.step
        try:
            with _cancel_between(self.model.blocks, self.context):
                while state.step < self.recipe.steps:
                    self._test(state)
                    self.context.checkpoint()
                    loss = self._step(state.step, parameters, optimiser)
                    state.step += 1
                    state.losses.append((state.step, loss))
                    self.context.loss(state.step, loss)
                    if state.step % self.recipe.checkpoint_every == 0:
                        self._save(state, optimiser_tensors(optimiser))
                        saved = state.step
                    self.context.progress(state.step, self.recipe.steps, "Training")
                self._test(state)
        except Cancelled:
            if state.step > saved:
                self._save(state, optimiser_tensors(optimiser))
            raise
        if state.step > first:
            self.seconds_per_step = (time.perf_counter() - began) / (state.step - first)
        if state.step > saved:
            self._save(state, optimiser_tensors(optimiser))
        if not self.finished_file().is_file():
            self._keep(state)

    def _resume(self) -> TrainingState:
        """The last checkpoint, or the beginning."""
        state = TrainingState.load(self.context.scratch)
        begun = state is not None and 0 < state.step <= self.recipe.steps
        return state if state is not None and begun else TrainingState()

    def _put_back(self, state: TrainingState, optimiser: torch.optim.Optimizer) -> None:
        if not state.step:
            state.stepped_by = self.model.optimiser
            return
        try:
            self.model.set_adapter(state.adapter)
            restore_optimiser(optimiser, state.optimiser)
        except (ValueError, KeyError) as error:
            # A new optimiser and adapter were made above; weights are only copied once all of them fit.
            raise GenerationError(
                "The checkpoint of this training is damaged.", "Change the seed to start it anew."
            ) from error
        _log.info("training goes on at step %d", state.step)

    def _retell(self, state: TrainingState) -> None:
        """Tell the curve and the test frames of an interrupted run again: whoever listens may be new."""
        for step, loss in state.losses:
            self.context.loss(step, loss)
        for step in self.recipe.test_steps:
            path = self._test_path(step)
            if step > state.step or not path.is_file():
                continue
            picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
            if picture is not None:
                self._shown.add(step)
                self.context.test_frame(step, np.ascontiguousarray(picture[..., ::-1], np.uint8))

    def _save(self, state: TrainingState, optimiser: dict[str, torch.Tensor]) -> None:
        state.adapter, state.optimiser = self.model.adapter(), optimiser
        state.save(self.context.scratch)

    def _step(self, step: int, parameters: list[torch.nn.Parameter], optimiser: torch.optim.Optimizer) -> float:
        """One optimiser step; returns the loss on the artist's images."""
        for group in optimiser.param_groups:
            group["lr"] = self.recipe.rate_at(step)
        optimiser.zero_grad(set_to_none=True)
        draw = torch.Generator("cpu").manual_seed(self.recipe.draw_seed(step))
        loss = self._loss(draw, prior=False)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.recipe.prior:
            (self._loss(draw, prior=True) * self.recipe.prior).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise GenerationError(
                f"The training ran away at step {step + 1}: its loss is no longer a number.",
                "Lower the learning rate and train again.",
            )
        optimiser.step()
        return value

    def _loss(self, draw: torch.Generator, *, prior: bool) -> torch.Tensor:
        """Mean squared error of the predicted velocity on one random batch."""
        shapes = self._prepared.shapes(prior=prior)
        weights = torch.tensor([float(len(rows)) for _, rows in shapes])
        shape, rows = shapes[int(torch.multinomial(weights, 1, generator=draw))]
        chosen = [rows[int(i)] for i in torch.randint(len(rows), (self.recipe.batch,), generator=draw)]
        tensors = self._prepared.tensors
        clean = tensors[f"latents.{shape}"][[e.row for e in chosen]]
        dropped = torch.rand(len(chosen), generator=draw) < CAPTION_DROPOUT
        prompts = tensors["prompts"][[0 if off else e.prompt for e, off in zip(chosen, dropped.tolist(), strict=True)]]
        level = torch.sigmoid(torch.randn(len(chosen), generator=draw))
        noise = torch.randn(clean.shape, generator=draw)
        return self.model.loss(clean, noise, level, prompts, tensors.get(f"control.{shape}"))

    # -- test frames -------------------------------------------------------------------------------------------------

    def _test_path(self, step: int) -> Path:
        return self.context.scratch / f"test_{step:06d}.png"

    def _test(self, state: TrainingState) -> None:
        """Keep the adapter and make and show the test frame due at this step, once. The frame's seed never changes, so
        that frames compare."""
        step = state.step
        if step not in self.recipe.test_steps or step in self._shown:
            return
        if step:
            self._keep(state)
        picture = self.picture(step > 0)
        write_atomic(self._test_path(step), encode_png(picture))
        self._shown.add(step)
        self.context.test_frame(step, picture)

    def picture(self, adapted: bool) -> Picture:
        """The test prompt by the base model or with the adapter as it is."""
        prepared = self._prepared
        pair = prepared.tensors["prompts"][[0, prepared.test_prompt]]
        size = lora_data.size_of(prepared.examples[0].shape)
        self.model.enable(adapted)
        try:
            latents = self.model.sample(pair, size, self.recipe.seed, self.context.checkpoint)
        finally:
            self.model.enable(True)
        return self.model.decode(latents)

    def _keep(self, state: TrainingState) -> None:
        """Write the adapter as it is: an artist may like it better than what comes later."""
        about = {**self._about(state.step), "loss": f"{mean_loss(state.losses):.6f}"}
        weights = adapter_bytes(self.model.adapter(), self.recipe, about, self.model.prefix, self.model.targets)
        write_atomic(self.context.scratch / step_name(state.step), weights)

    def finished_file(self) -> Path:
        """The adapter after the last step."""
        return self.context.scratch / step_name(self.recipe.steps)


@contextmanager
def _cancel_between(blocks: Iterable[Any], context: TrainContext) -> Generator[None]:
    """A cancel ends a step at the next block; what the step did so far is thrown away."""

    def check(*_: Any) -> None:
        context.cancel.check()

    hooks = [block.register_forward_pre_hook(check) for block in blocks]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
