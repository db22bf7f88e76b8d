"""Training adapters (LoRA, Hu et al., arXiv 2106.09685) on an installed model: the Trainer of Customization.

Images are one-frame clips, as the model's makers fine-tune on stills: a fraction of the memory of video, and what is
learned carries over to clips. Everything slow is done once and kept in the training's folder, so that a killed or
cancelled training goes on from its last checkpoint and ends with the very same adapter.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from gen2studio.core.cancel import Cancelled
from gen2studio.core.errors import OutOfBudget, StudioError
from gen2studio.diffusion.runtime.device import quick_machine, this_machine
from gen2studio.diffusion.runtime.loading import is_out_of_memory
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.diffusion.runtime.torch_loading import load_torch
from gen2studio.diffusion.training import lora_data
from gen2studio.diffusion.training.ladder import training_plan, training_plans
from gen2studio.engine.optimisers import ADAMW_8BIT
from gen2studio.diffusion.training.recipe import settle
from gen2studio.engine.budget import size_text
from gen2studio.engine.events import Estimate
from gen2studio.engine.generators import TrainContext
from gen2studio.engine.requests import TrainRequest
from gen2studio.models.adapter_steps import steps_in
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.library import InstalledModel

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
        plans = training_plans(self._model, quick_machine(), recipe.rank)
        plan = next((plan for plan in plans if plan.fits), plans[-1])
        pace = self._seconds_per_step
        return Estimate(
            memory_bytes=plan.device_bytes or plan.memory_bytes,
            # The checkpoint and the adapter, and the adapter once more for every test frame: here and in the library.
            disk_bytes=(64 << 20)
            + int(self._transformer_parameters * 0.04) * (4 + 2 * len(recipe.test_steps)) * recipe.rank // 16,
            seconds=None if pace is None else pace * recipe.steps,
        )

    def train(self, request: TrainRequest, context: TrainContext) -> None:
        """Prepare, train, test, save. Raises Cancelled (a checkpoint is kept), GenerationError, ModelError."""
        load_torch()
        import torch

        from gen2studio.diffusion.training.lora_model import LoraModel
        from gen2studio.diffusion.training.lora_run import LoraRun
        from gen2studio.diffusion.training.lora_sd import StableDiffusionLora

        torch.set_num_threads(max(1, context.threads))
        _prune(context.scratch)
        recipe = settle(request, self._transformer_parameters)
        plan = training_plan(self._model, this_machine(), recipe.rank)
        if not plan.exact:
            context.note("The base is kept in 8 bits while the adapter is trained: whole it has no room.")
        if plan.optimiser == ADAMW_8BIT:
            context.note(f"The optimiser is kept in 8 bits, which saves {size_text(plan.saved_bytes)} of memory.")
        kind = StableDiffusionLora if self._model.manifest.family == "animatediff" else LoraModel
        model = kind(self._model, plan, self._residency)
        try:
            with _shortage_told(self._model.title):
                run = LoraRun(request, context, recipe, model, lambda step: self._about(request, step))
                run.prepare()
                run.train()
                path = run.finished_file()
            self._seconds_per_step = run.seconds_per_step or self._seconds_per_step
        finally:
            model.close()
        kept = self._adapters.import_file(
            path, adapter_id=request.adapter_id, name=request.name, trigger=request.trigger, kind=request.kind,
            base=self._model, steps=recipe.steps, imported=False,
        )  # fmt: skip
        self._adapters.keep_steps(kept.id, steps_in(context.scratch))
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
