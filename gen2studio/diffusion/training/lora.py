"""Training adapters (LoRA, Hu et al., arXiv 2106.09685) on an installed Wan VACE model: the Trainer of Customization.

Images are one-frame clips, as the model's makers fine-tune on stills: a fraction of the memory of video, and what is
learned carries over to clips. Everything slow is done once and kept in the training's folder, so that a killed or
cancelled training goes on from its last checkpoint and ends with the very same adapter.
"""

from __future__ import annotations

import math
import re
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from gen2studio.core.cancel import Cancelled
from gen2studio.core.errors import GenerationError
from gen2studio.core.log import topic
from gen2studio.core.paths import write_atomic
from gen2studio.diffusion.runtime.device import this_machine
from gen2studio.diffusion.runtime.loading import spoken_errors
from gen2studio.diffusion.runtime.prompt_cache import PromptCache
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.diffusion.runtime.torch_loading import load_torch
from gen2studio.diffusion.training import lora_data
from gen2studio.diffusion.training.recipe import (
    CAPTION_DROPOUT,
    CLIP,
    WEIGHT_DECAY,
    LoraRecipe,
    plain_caption,
    settle,
    taught,
    test_prompt_of,
)
from gen2studio.engine.events import Estimate, Picture
from gen2studio.engine.generators import TrainContext
from gen2studio.engine.requests import TrainRequest
from gen2studio.engine.take_store import encode_png
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.library import InstalledModel

if TYPE_CHECKING:
    import torch

    from gen2studio.diffusion.training.lora_checkpoint import TrainingState
    from gen2studio.diffusion.training.lora_data import PreparedSet
    from gen2studio.diffusion.training.lora_model import LoraModel

_log = topic("training")
_KEPT_SECONDS = 60 * 24 * 3600.0
"""How long an unfinished training is kept: sixty days."""
_PROGRAM_BYTES = 700 << 20
"""What torch and diffusers take before any weight."""


class LoraTrainer:
    """Implements :class:`gen2studio.engine.generators.Trainer` for one installed model."""

    def __init__(self, model: InstalledModel, adapters: AdapterLibrary, residency: Residency) -> None:
        self._model = model
        self._adapters = adapters
        self._residency = residency
        self._seconds_per_step: float | None = None

    @property
    def _transformer_parameters(self) -> int:
        part = self._model.manifest.component("transformer")
        return part.parameters if part is not None else 0

    def estimate(self, request: TrainRequest) -> Estimate:
        """Memory of the greater of the two phases (reading words; training), disk of checkpoints and adapter."""
        recipe = settle(request, self._transformer_parameters)
        manifest = self._model.manifest
        parts = {
            name: part.parameters
            for name in ("transformer", "vae", "text_encoder")
            if (part := manifest.component(name))
        }
        width = 2 if recipe.recompute else 4
        words = parts.get("text_encoder", 0) * width
        training = parts.get("transformer", 0) * width * 1.3 + parts.get("vae", 0) * 4
        pace = self._seconds_per_step
        return Estimate(
            memory_bytes=_PROGRAM_BYTES + int(max(words, training)),
            disk_bytes=(64 << 20) + int(parts.get("transformer", 0) * 0.16) * recipe.rank // 16,
            seconds=None if pace is None else pace * recipe.steps,
        )

    def train(self, request: TrainRequest, context: TrainContext) -> None:
        """Prepare, train, test, save. Raises Cancelled (a checkpoint is kept), GenerationError, ModelError."""
        load_torch()
        import torch

        from gen2studio.diffusion.training.lora_model import LoraModel, training_plan

        torch.set_num_threads(max(1, context.threads))
        _prune(context.scratch)
        recipe = settle(request, self._transformer_parameters)
        model = LoraModel(self._model, training_plan(self._model, this_machine()), self._residency)
        try:
            with spoken_errors(self._model.title):
                run = _Run(request, context, recipe, model)
                run.prepare()
                run.train()
                path = context.scratch / "adapter.safetensors"
                write_atomic(path, run.adapter_file(self._about(request, recipe.steps)))
            self._seconds_per_step = run.seconds_per_step or self._seconds_per_step
        finally:
            model.close()
        kept = self._adapters.import_file(
            path, adapter_id=request.adapter_id, name=request.name, trigger=request.trigger, kind=request.kind,
            base=self._model, steps=recipe.steps, imported=False,
        )  # fmt: skip
        context.finished(kept.path)

    def _about(self, request: TrainRequest, steps: int) -> dict[str, str]:
        manifest = self._model.manifest
        return {
            "name": request.name,
            "trigger": request.trigger,
            "kind": request.kind,
            "base_model": manifest.id,
            "base_title": manifest.title,
            "base_digest": self._model.digest,
            "steps": str(steps),
            "images": str(len(request.images)),
        }


def _prune(scratch: Path) -> None:
    """Delete trainings that were stopped and not taken up again for weeks."""
    oldest = time.time() - _KEPT_SECONDS
    for folder in scratch.parent.iterdir():
        ours = re.fullmatch(r"[0-9a-f]{32}", folder.name) and (folder / lora_data.PREPARED_NAME).is_file()
        if ours and folder != scratch and folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)


class _Run:
    """One training on its way."""

    def __init__(self, request: TrainRequest, context: TrainContext, recipe: LoraRecipe, model: LoraModel) -> None:
        self.request = request
        self.context = context
        self.recipe = recipe
        self.model = model
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
        for shape in sorted(set(shapes)):
            tensors[f"control.{shape}"] = model.control(lora_data.size_of(shape))
        examples.sort(key=lambda e: e.shape != common)
        return lora_data.PreparedSet(tensors, tuple(examples), prompts.index(wanted))

    # -- training ----------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Run the steps that are left, with checkpoints, losses and test frames. Raises Cancelled."""
        import torch

        from gen2studio.diffusion.training.lora_checkpoint import optimiser_tensors

        parameters = self.model.arm(self.recipe)
        optimiser = torch.optim.AdamW(parameters, lr=self.recipe.learning_rate, weight_decay=WEIGHT_DECAY)
        state = self._resume(optimiser)
        saved = state.step
        self._retell(state)
        self.model.transformer.train()
        began, first = time.perf_counter(), state.step
        try:
            with _cancel_between_blocks(self.model.transformer, self.context):
                while state.step < self.recipe.steps:
                    self._test(state.step)
                    self.context.checkpoint()
                    loss = self._step(state.step, parameters, optimiser)
                    state.step += 1
                    state.losses.append((state.step, loss))
                    self.context.loss(state.step, loss)
                    if state.step % self.recipe.checkpoint_every == 0:
                        self._save(state, optimiser_tensors(optimiser))
                        saved = state.step
                    self.context.progress(state.step, self.recipe.steps, "Training")
                self._test(state.step)
        except Cancelled:
            if state.step > saved:
                self._save(state, optimiser_tensors(optimiser))
            raise
        if state.step > first:
            self.seconds_per_step = (time.perf_counter() - began) / (state.step - first)
        if state.step > saved:
            self._save(state, optimiser_tensors(optimiser))

    def _resume(self, optimiser: torch.optim.Optimizer) -> TrainingState:
        from gen2studio.diffusion.training.lora_checkpoint import TrainingState, restore_optimiser

        state = TrainingState.load(self.context.scratch)
        if state is None or not 0 < state.step <= self.recipe.steps:
            return TrainingState()
        try:
            self.model.set_adapter(state.adapter)
            restore_optimiser(optimiser, state.optimiser)
        except (ValueError, KeyError) as error:
            # A new optimiser and adapter were made above; weights are only copied once all of them fit.
            raise GenerationError(
                "The checkpoint of this training is damaged.", "Change the seed to start it anew."
            ) from error
        _log.info("training goes on at step %d", state.step)
        return state

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
        import torch

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
        import torch

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
        return denoising_loss(self.model, clean, noise, level, prompts, tensors[f"control.{shape}"])

    # -- test frames -------------------------------------------------------------------------------------------------

    def _test_path(self, step: int) -> Path:
        return self.context.scratch / f"test_{step:06d}.png"

    def _test(self, step: int) -> None:
        """Make and show the test frame due after ``step`` steps, once. Its seed never changes, so frames compare."""
        if step not in self.recipe.test_steps or step in self._shown:
            return
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

    def adapter_file(self, about: dict[str, str]) -> bytes:
        from gen2studio.diffusion.training.lora_checkpoint import adapter_bytes

        return adapter_bytes(self.model.adapter(), self.recipe, about)


def denoising_loss(
    model: LoraModel,
    clean: torch.Tensor,
    noise: torch.Tensor,
    level: torch.Tensor,
    prompts: torch.Tensor,
    control: torch.Tensor,
) -> torch.Tensor:
    """Flow-matching loss, a scalar: ``clean`` and ``noise`` (b, C, 1, h, w), ``level`` (b,) in 0…1 before the shift,
    ``prompts`` (b, L, D), ``control`` (1, C', 1, h, w)."""
    shift = model.manifest.flow_shift
    noisiness = shift * level / (1 + (shift - 1) * level)
    part = noisiness.view(-1, 1, 1, 1, 1)
    predicted = model.predict((1 - part) * clean + part * noise, noisiness, prompts, control)
    return (predicted - (noise - clean).to(predicted.device)).square().mean()


@contextmanager
def _cancel_between_blocks(transformer: Any, context: TrainContext) -> Generator[None]:
    """A cancel ends a step at the next transformer block; what the step did so far is thrown away."""

    def check(*_: Any) -> None:
        context.cancel.check()

    hooks = [block.register_forward_pre_hook(check) for block in transformer.blocks]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
