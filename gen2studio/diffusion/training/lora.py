"""Training adapters (LoRA, Hu et al., arXiv 2106.09685) on an installed model: the Trainer of Customization.

Images are one-frame clips, as the model's makers fine-tune on stills: a fraction of the memory of video, and what is
learned carries over to clips; motion is learned from windows of clips. Everything slow is done once and kept in the
training's folder, so that a killed or cancelled training goes on from its last checkpoint and ends with the very same
adapter.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gen2studio.core.cancel import Cancelled
from gen2studio.core.errors import OutOfBudget, StudioError
from gen2studio.diffusion.runtime.device import quick_machine, this_machine
from gen2studio.diffusion.runtime.loading import is_out_of_memory
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.diffusion.runtime.torch_loading import load_torch
from gen2studio.diffusion.training import lora_data
from gen2studio.diffusion.training.abilities import check_request, latents_bytes, work_of
from gen2studio.diffusion.training.ladder import training_plan, training_plans
from gen2studio.diffusion.training.lora_experts import HandedOver, Part, learning, parts_of
from gen2studio.diffusion.training.recipe import settle
from gen2studio.engine.budget import size_text
from gen2studio.engine.events import Estimate
from gen2studio.engine.generators import TrainContext
from gen2studio.engine.optimisers import ADAMW_8BIT
from gen2studio.engine.requests import WORD, TrainRequest
from gen2studio.models.adapter_steps import steps_in
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.library import InstalledModel

if TYPE_CHECKING:
    from gen2studio.diffusion.training.lora_model import LoraModel

_KEPT_SECONDS = 60 * 24 * 3600.0
"""How long an unfinished training is kept: sixty days."""


class LoraTrainer:
    """Implements :class:`gen2studio.engine.generators.Trainer` for one installed model."""

    def __init__(self, model: InstalledModel, adapters: AdapterLibrary, residency: Residency) -> None:
        self._model = model
        self._adapters = adapters
        self._residency = residency
        self._seconds_per_step: float | None = None

    @property
    def _transformer_parameters(self) -> int:
        part = self._model.manifest.component(self._model.checkpoint().family.denoisers[0])
        return part.parameters if part is not None else 0

    def estimate(self, request: TrainRequest) -> Estimate:
        """Memory of the greater of the two phases (reading words; training), disk of checkpoints and adapter."""
        recipe = settle(request, self._transformer_parameters)
        word = request.method == WORD
        plans = training_plans(
            self._model, quick_machine(), recipe.rank, request.optimiser, word=word, clip=work_of(self._model, request)
        )
        plan = next((plan for plan in plans if plan.fits), plans[-1])
        pace = self._seconds_per_step
        return Estimate(
            memory_bytes=plan.device_bytes or plan.memory_bytes,
            # What was encoded; the checkpoint and the adapter, and the adapter once more for every test frame: here and
            # in the library.
            disk_bytes=(64 << 20)
            + latents_bytes(self._model, request)
            + int(self._transformer_parameters * 0.04)
            * (4 + 2 * len(recipe.test_steps))
            * learning(self._model, request.experts)
            * recipe.rank
            // 16,
            seconds=None if pace is None else pace * recipe.steps * learning(self._model, request.experts),
        )

    def train(self, request: TrainRequest, context: TrainContext) -> None:
        """Prepare, train, test, save. Raises Cancelled (a checkpoint is kept), GenerationError, ModelError."""
        load_torch()
        import torch

        from gen2studio.diffusion.training.inversion import StableDiffusionWord
        from gen2studio.diffusion.training.lora_model import LoraModel
        from gen2studio.diffusion.training.lora_sd import StableDiffusionLora

        torch.set_num_threads(max(1, context.threads))
        _prune(context.scratch)
        check_request(self._model, request)
        recipe = settle(request, self._transformer_parameters)
        word = request.method == WORD
        clip = work_of(self._model, request)
        plan = training_plan(self._model, this_machine(), recipe.rank, request.optimiser, word=word, clip=clip)
        if not plan.exact:
            context.note("The base is kept in 8 bits while the adapter is trained: whole it has no room.")
        if plan.optimiser == ADAMW_8BIT:
            context.note(f"The optimiser is kept in 8 bits, which saves {size_text(plan.saved_bytes)} of memory.")
        images_only = self._model.manifest.family == "animatediff"
        kind: Callable[..., LoraModel] = StableDiffusionLora if images_only else LoraModel
        if word:
            kind = partial(StableDiffusionWord, word=request.trigger, vectors=recipe.vectors)
        parts = list(parts_of(self._model, request.experts, recipe.steps))
        if len(parts) > 1:
            context.note("The expert for much noise comes first; the other goes on from what it hands over.")
        path, told = context.scratch, False
        for part in parts:
            found, last = HandedOver.load(context.scratch) if len(parts) > 1 else None, part is parts[-1]
            if found is not None and not last:
                continue
            if found is not None:
                learned = {parts[0].expert: found.weights} if found.weights else {}
                part = replace(part, learned=learned, handed=found.latents)
            model = kind(self._model, plan, self._residency, part.expert)
            try:
                with _shortage_told(self._model.title):
                    path = self._run(request, context, model, replace(part, told=told), last=last)
            finally:
                model.close()
            told = told or part.learns
        kept = self._adapters.import_file(
            path, adapter_id=request.adapter_id, name=request.name, trigger=request.trigger, kind=request.kind,
            base=self._model, steps=parts[-1].total, imported=False,
        )  # fmt: skip
        self._adapters.keep_steps(kept.id, steps_in(context.scratch))
        context.finished(kept.path)

    def _run(self, request: TrainRequest, context: TrainContext, model: LoraModel, part: Part, *, last: bool) -> Path:
        """One denoiser's part; the adapter's file as it stands then."""
        from gen2studio.diffusion.training.lora_run import LoraRun

        recipe = settle(request, self._transformer_parameters)
        run = LoraRun(request, context, recipe, model, lambda step: self._about(request, step), part)
        run.prepare()
        if part.learns:
            run.train()
            self._seconds_per_step = run.seconds_per_step or self._seconds_per_step
        if not last:
            HandedOver(model.adapter() if part.learns else {}, run.hand_over()).save(context.scratch)
        return run.finished_file()

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
            "clips": str(len(request.clips)),
        }


@contextmanager
def _shortage_told(title: str) -> Generator[None]:
    """Turn a lack of memory into a sentence, without holding on to the tensors of the step that failed.

    Other errors have words of their own: a full disk, a broken image, a cancel.
    """
    short = False
    try:
        yield
    except (StudioError, Cancelled):
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        short = True
    if short:
        raise OutOfBudget(
            f"The memory was not enough to train {title}.",
            "Lower the rank, close other programs or choose a smaller model; the training goes on where it was.",
        )


def _prune(scratch: Path) -> None:
    """Delete trainings that were stopped and not taken up again for weeks."""
    oldest = time.time() - _KEPT_SECONDS
    for folder in scratch.parent.iterdir():
        ours = re.fullmatch(r"[0-9a-f]{32}", folder.name) and (folder / lora_data.PREPARED_NAME).is_file()
        if ours and folder != scratch and folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)
