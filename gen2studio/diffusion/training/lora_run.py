"""One training on its way: encode once, then step, show, save; from its last checkpoint when there is one.

Loads torch: import it on the engine thread only.
"""

from __future__ import annotations

import math
import time
from collections import Counter
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
from gen2studio.diffusion.training import lora_data
from gen2studio.diffusion.training.lora_checkpoint import (
    TrainingState,
    mean_loss,
    optimiser_called,
    optimiser_tensors,
    restore_optimiser,
)
from gen2studio.diffusion.training.lora_data import PreparedSet
from gen2studio.diffusion.training.lora_experts import NAMES, Part
from gen2studio.diffusion.training.lora_model import LoraModel
from gen2studio.diffusion.training.lora_prepare import Encoder, sheet
from gen2studio.diffusion.training.recipe import CLIP, LoraRecipe
from gen2studio.engine.events import Picture
from gen2studio.engine.generators import TrainContext
from gen2studio.engine.requests import TrainRequest
from gen2studio.engine.take_store import encode_png
from gen2studio.models.adapter_steps import step_name

_log = topic("training")


class LoraRun:
    """One training on its way, or one expert's part of it."""

    def __init__(
        self,
        request: TrainRequest,
        context: TrainContext,
        recipe: LoraRecipe,
        model: LoraModel,
        about: Callable[[int], dict[str, str]],
        part: Part | None = None,
    ) -> None:
        """``about(step)`` is what an adapter file of that step says about itself."""
        self.request = request
        self.part = part or Part(total=recipe.steps)
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
        encoder = Encoder(self.request, self.context, self.recipe, self.model)
        if self._set is None:
            self._set = encoder.encode()
            self._set.save(self.context.scratch)
        self.model.load(encoder.loading, self.context.cancel)

    # -- training ----------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Run the steps that are left, with checkpoints, losses and test frames. Raises Cancelled."""
        parameters = self.model.arm(self.recipe)
        state = self._resume()
        optimiser = optimiser_called(state.stepped_by or self.model.optimiser, parameters, self.model.weight_decay)
        self._put_back(state, optimiser)
        saved = state.step
        self._retell(state)
        self.model.transformer.train()
        began, first = time.perf_counter(), state.step
        try:
            with _cancel_between(self.model.blocks, self.context):
                while state.step < self.part.first + self.recipe.steps:
                    self._test(state)
                    self.context.checkpoint()
                    loss = self._step(state.step, parameters, optimiser)
                    state.step += 1
                    state.losses.append((state.step, loss))
                    self.context.loss(state.step, loss)
                    if (state.step - self.part.first) % self.recipe.checkpoint_every == 0:
                        self._save(state, optimiser_tensors(optimiser))
                        saved = state.step
                    self.context.progress(state.step, self.part.total, "Training")
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
        first = self.part.first
        state = TrainingState.load(self.context.scratch)
        if state is None or not first <= state.step <= first + self.recipe.steps:
            return TrainingState(step=first)
        # At its very beginning the checkpoint is of the expert before: only the curve goes on.
        return state if state.step > first else TrainingState(step=first, losses=state.losses)

    def _put_back(self, state: TrainingState, optimiser: torch.optim.Optimizer) -> None:
        if state.step == self.part.first:
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
        for step, loss in state.losses if not self.part.told else ():
            self.context.loss(step, loss)
        for path in sorted(self.context.scratch.glob("test_*.png")):
            step = int(path.stem.removeprefix("test_"))
            if step > state.step:
                continue
            picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
            if picture is not None:
                self._shown.add(step)
                if not self.part.told:
                    self.context.test_frame(step, np.ascontiguousarray(picture[..., ::-1], np.uint8))

    def _save(self, state: TrainingState, optimiser: dict[str, torch.Tensor]) -> None:
        state.adapter, state.optimiser = self.model.adapter(), optimiser
        state.save(self.context.scratch)

    def _step(self, step: int, parameters: list[torch.nn.Parameter], optimiser: torch.optim.Optimizer) -> float:
        """One optimiser step; returns the loss on the artist's images."""
        for group in optimiser.param_groups:
            group["lr"] = self.recipe.rate_at(step - self.part.first)
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
        self.model.stepped()
        return value

    def _loss(self, draw: torch.Generator, *, prior: bool) -> torch.Tensor:
        """Mean squared error of the predicted velocity on one random batch."""
        shapes = self._prepared.shapes(prior=prior)
        # Each picture and each clip is shown as often as any other, however many views or windows were cut from it.
        cut = Counter(example.item for _, rows in shapes for example in rows)
        shares = [torch.tensor([1.0 / cut[example.item] for example in rows]) for _, rows in shapes]
        index = int(torch.multinomial(torch.stack([share.sum() for share in shares]), 1, generator=draw))
        shape, rows = shapes[index]
        drawn = torch.multinomial(shares[index], self.recipe.batch, replacement=True, generator=draw)
        chosen = [rows[int(i)] for i in drawn]
        tensors = self._prepared.tensors
        taken = [e.row for e in chosen]
        clean = tensors[f"latents.{shape}"][taken]
        dropped = torch.rand(len(chosen), generator=draw) < self.model.caption_dropout
        prompts = tensors["prompts"][[0 if off else e.prompt for e, off in zip(chosen, dropped.tolist(), strict=True)]]
        level = self.model.levels(len(chosen), draw)
        noise = torch.randn(clean.shape, generator=draw)
        return self.model.loss(clean, noise, level, prompts, self._prepared.beside(shape, taken))

    # -- test frames -------------------------------------------------------------------------------------------------

    def _test_path(self, step: int) -> Path:
        return self.context.scratch / f"test_{step:06d}.png"

    def _test(self, state: TrainingState) -> None:
        """Keep the adapter and make and show the test frame due at this step, once. The frame's seed never changes, so
        that frames compare."""
        step = state.step
        if step - self.part.first not in self.recipe.test_steps or step in self._shown:
            return
        if step > self.part.first:
            self._keep(state)
        picture = self.picture(step > self.part.first)
        write_atomic(self._test_path(step), encode_png(picture))
        self._shown.add(step)
        self.context.test_frame(step, picture)

    def picture(self, adapted: bool) -> Picture:
        """The test prompt by the base model or with the adapter as it is; of a clip a sheet of four frames.

        The first of two experts shows its guess where it hands over; the second goes on from what was handed to it.
        """
        model = self.model
        model.enable(adapted)
        try:
            if not model.boundary:
                (pair, size, seed, poll), clip = self._asked(), self._clip()
                latents = model.sample(pair, size, seed, poll, **(clip if clip["frames"] > 1 else {}))
            elif self.part.handed is None:
                latents = model.begin(*self._asked(), **self._clip())[1]
            else:
                latents = model.go_on(self.part.handed, *self._asked(), **self._clip())
        finally:
            model.enable(True)
        return sheet(model.decode_clip(latents)) if latents.shape[2] > 1 else model.decode(latents)

    def hand_over(self) -> torch.Tensor:
        """The latents of the test prompt at the noise level where the second expert takes over."""
        return self.model.begin(*self._asked(), **self._clip())[0].cpu()

    def _asked(self) -> tuple[torch.Tensor, tuple[int, int], int, Callable[[], None]]:
        prepared = self._prepared
        pair = prepared.tensors["prompts"][[0, prepared.test_prompt]]
        size, _ = lora_data.clip_of(prepared.examples[0].shape)
        return pair, size, self.recipe.seed, self.context.checkpoint

    def _clip(self) -> dict[str, Any]:
        first = self._prepared.tensors.get("test_first")
        _, frames = lora_data.clip_of(self._prepared.examples[0].shape)
        return {"frames": frames, "first": None if first is None else first.numpy()}

    def _keep(self, state: TrainingState) -> None:
        """Write the adapter as it is: an artist may like it better than what comes later."""
        about = {**self._about(state.step), "loss": f"{mean_loss(state.losses):.6f}"}
        learned = {**self.part.learned, self.model.prefix: self.model.adapter()}
        if self.part.expert:
            about["experts"] = " ".join(NAMES[expert] for expert in learned)
        weights = self.model.written(learned, self.recipe, about)
        write_atomic(self.context.scratch / step_name(state.step), weights)

    def finished_file(self) -> Path:
        """The adapter after the last step."""
        return self.context.scratch / step_name(self.part.first + self.recipe.steps)


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
