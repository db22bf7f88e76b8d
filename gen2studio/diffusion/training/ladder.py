"""How a model is held while it is trained: the ways that fit, from the exact one to the most frugal. No torch.

A training holds the whole denoiser beside the work: blocks that come and go would pass the bus three times a step.
What may shrink is the base, which is only read: kept in 8 bits it takes half of bf16, and the pairs that are trained
stay float32 over it (QLoRA, Dettmers et al., arXiv 2305.14314, with int8 blocks in place of 4 bits). The optimiser's
own state belongs to the pairs alone: 8 bytes for each of their numbers, or 2 where it is kept in 8 bits. That is little
beside the base, so it is done by itself only where it makes the difference, before the base is rounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from gen2studio.core.errors import OutOfBudget, StudioError
from gen2studio.core.records import dataclass
from gen2studio.diffusion.runtime.device import Machine
from gen2studio.diffusion.runtime.footprint import BYTES, Footprint, footprint
from gen2studio.diffusion.runtime.ladder import MemoryPlan, packed_kind
from gen2studio.diffusion.training.lora_experts import is_pair
from gen2studio.diffusion.training.recipe import SMALL_BATCH, SMALL_MODEL, targets_of
from gen2studio.engine.budget import size_text
from gen2studio.engine.optimisers import ADAMW, ADAMW_8BIT, OPTIMISERS, state_bytes
from gen2studio.models.families.rules import ClipShape, TransformerActivations
from gen2studio.models.library import InstalledModel
from gen2studio.models.wan_layout import in_diffusers_names

_PROGRAM_BYTES = 700 << 20
"""What torch and diffusers take before any weight, and the allocator's own on a GPU."""
_HEADROOM = 0.92


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan(MemoryPlan):
    """How a model is held while an adapter is trained on it, and what steps the adapter."""

    optimiser: str = ADAMW
    """One of :data:`gen2studio.engine.optimisers.OPTIMISERS`."""
    trained: int = 0
    """Numbers that are trained."""
    recomputed: bool = False
    """The blocks' activations are computed again in the backward pass instead of being kept (gradient checkpointing,
    Chen et al., arXiv 1604.06174)."""

    @property
    def state_bytes(self) -> int:
        """What the optimiser remembers of the gradients."""
        return state_bytes(self.trained, self.optimiser)

    @property
    def saved_bytes(self) -> int:
        """What its 8 bits save."""
        return state_bytes(self.trained, ADAMW) - self.state_bytes


def training_plans(
    model: InstalledModel,
    machine: Machine,
    rank: int = 16,
    optimiser: str = "",
    *,
    word: bool = False,
    clip: ClipShape | None = None,
) -> tuple[TrainingPlan, ...]:
    """Every way to train ``model`` on ``machine``, exact first, with its peak. Raises ModelError on a problem.

    The base is bfloat16 on GPUs that compute in it and float32 elsewhere; float16 gradients overflow. ``optimiser`` is
    the artist's choice; empty = each way with either. A ``word`` is trained through the text encoder, which stays; its
    own vectors are nothing beside the model. ``clip`` is what a step works on; None = a picture of the model's size.
    """
    return _Scales(model).plans(machine, rank, optimiser, word=word, clip=clip)


class _Scales:
    """Weighs trainings of one model: what is counted in its headers is counted once."""

    def __init__(self, model: InstalledModel) -> None:
        self._model = model
        self._checked = model.checkpoint()
        self._counts = training_counts(model, still_of(model))
        self._layers = layers_of(model)
        self._pairs = 0
        self._packed = packed_kind(model)

    def plans(
        self, machine: Machine, rank: int, optimiser: str = "", *, word: bool = False, clip: ClipShape | None = None
    ) -> tuple[TrainingPlan, ...]:
        counts = self._of(clip)
        dtype = "bfloat16" if machine.device == "cuda" and machine.bf16 else "float32"
        exact = TrainingPlan(
            device=machine.device, dtype=dtype, text_device=machine.device, rung="whole",
            recomputed=counts.transformer >= SMALL_MODEL,
        )  # fmt: skip
        held = [exact, replace(exact, int8_layers=True, rung="int8")]
        if self._packed:
            held = [replace(exact, packed=self._packed)]
        if word:
            return tuple(_measured(plan, counts, machine, 0, reader=counts.text_encoder * 4) for plan in held)
        self._pairs = self._pairs or pair_numbers(self._model, 1)
        return tuple(
            _measured(replace(plan, optimiser=each), counts, machine, rank * self._pairs, layers=self._layers)
            for plan in held
            for each in ((optimiser,) if optimiser else OPTIMISERS)
        )

    def quicker(self, plan: TrainingPlan, machine: Machine, clip: ClipShape | None) -> TrainingPlan:
        """``plan`` without recomputing, where even that has room: a pass less of the four that a step takes."""
        if not (plan.fits and plan.recomputed and plan.exact and self._layers):
            return plan
        wide = replace(plan, recomputed=False)
        kept = _measured(wide, self._of(clip), machine, plan.trained, layers=self._layers)
        return kept if kept.fits else plan

    def _of(self, clip: ClipShape | None) -> Footprint:
        if clip is None or clip == self._counts.clip:
            return self._counts
        return replace(self._counts, work=self._checked.family.work(self._checked.configs, clip), clip=clip)


def fitting_plan(model: InstalledModel) -> Callable[[Machine, int, ClipShape], TrainingPlan]:
    """What tells, for a machine, a rank and a clip, the best way to train ``model``, or the most frugal where none
    fits; its headers are counted once. Raises ModelError."""
    scales = _Scales(model)

    def best(machine: Machine, rank: int, clip: ClipShape) -> TrainingPlan:
        plans = scales.plans(machine, rank, clip=clip)
        return scales.quicker(next((plan for plan in plans if plan.fits), plans[-1]), machine, clip)

    return best


def still_of(model: InstalledModel) -> ClipShape:
    """A picture of the model's own size."""
    width, height = model.manifest.sizes[0]
    return ClipShape(width=width, height=height, frames=1)


def training_counts(model: InstalledModel, clip: ClipShape) -> Footprint:
    """What a training of ``model`` holds and works on: of a pair of experts one is in memory. Raises ModelError."""
    counts = footprint(model, clip)
    first = model.manifest.component(model.checkpoint().family.denoisers[0])
    return replace(counts, transformer=first.parameters) if is_pair(model) and first is not None else counts


def layers_of(model: InstalledModel) -> int:
    """Blocks of a transformer that pairs are trained in; 0 = it is not one."""
    checked = model.checkpoint()
    return int(checked.configs.get(checked.family.denoisers[0], {}).get("num_layers") or 0)


def pair_numbers(model: InstalledModel, rank: int) -> int:
    """Numbers in the low-rank pairs of an adapter of ``rank``, counted on the model's own layers. Raises ModelError."""
    checked = model.checkpoint()
    part = checked.family.denoisers[0]
    wanted = re.compile(rf"({targets_of(model.manifest.family)})\.weight")
    layers = in_diffusers_names(checked.tensor_shapes(part)).items()
    return rank * sum(sum(_sides(shape)) for name, shape in layers if wanted.fullmatch(name))


def _sides(shape: Sequence[int]) -> tuple[int, int]:
    return (shape[0], shape[1]) if len(shape) > 1 else (0, 0)


def training_plan(
    model: InstalledModel,
    machine: Machine,
    rank: int = 16,
    optimiser: str = "",
    *,
    word: bool = False,
    clip: ClipShape | None = None,
) -> TrainingPlan:
    """The best of :func:`training_plans` that fits. Raises OutOfBudget when none does."""
    scales = _Scales(model)
    plans = scales.plans(machine, rank, optimiser, word=word, clip=clip)
    found = next((plan for plan in plans if plan.fits), None)
    if found is not None:
        return found if word else scales.quicker(found, machine, clip)
    least, on_gpu = plans[-1], machine.device == "cuda"
    needed = int((least.device_bytes if on_gpu else least.memory_bytes) / _HEADROOM)
    free = machine.device_free if on_gpu else machine.memory_free
    raise OutOfBudget(
        f"Training {model.title} needs about {size_text(needed)} of {'GPU memory' if on_gpu else 'memory'}, and "
        f"{size_text(free)} is free.",
        "Train a smaller model, shorter windows or smaller pictures, or close other programs."
        if clip is not None and clip.frames > 1
        else "Train a smaller model, or close other programs.",
    )


def step_bytes(work: TransformerActivations, layers: int, dtype: str, *, recomputed: bool) -> int:
    """Activations of a step of one example, forward and back, at their peak.

    What a block keeps for its gradient, and what is there besides, were fitted to the allocator's own peaks on
    ``WanTransformer3DModel`` with pairs in float32 (2 and 5 blocks, feed-forwards of twice and four times the width,
    float32 and bfloat16): within a tenth. Recomputed, all blocks but one keep their input alone.
    """
    size = BYTES[dtype]
    block = 59 * work.dim + 7.2 * work.ffn
    beside = 19 * work.dim + 5.4 * work.ffn
    kept = layers * size * work.dim + block if recomputed else layers * block
    return int(work.tokens * (kept + beside)) + work.latent_numbers * 4


def _work_bytes(plan: TrainingPlan, counts: Footprint, layers: int) -> int:
    work = counts.work.denoiser
    if not layers or not isinstance(work, TransformerActivations):
        # A convolutional network: a multiple of what its forward pass takes.
        return (3 if plan.recomputed else 12) * counts.denoising_bytes(plan.dtype)
    # Small models are trained on whole batches.
    batch = 1 if counts.transformer >= SMALL_MODEL else SMALL_BATCH
    return batch * step_bytes(work, layers, plan.dtype, recomputed=plan.recomputed)


def _measured(
    plan: TrainingPlan, counts: Footprint, machine: Machine, trained: int, reader: int = 0, layers: int = 0
) -> TrainingPlan:
    """``plan`` with its peak: reading the captions comes first, then the training of ``trained`` numbers.

    ``reader`` are the bytes of a text encoder that takes part in the training itself.
    """
    plan = replace(plan, trained=trained)
    size = BYTES[plan.dtype]
    base = counts.transformer_bytes(plan.dtype, plan.stored_as) + (counts.vae + counts.beside) * 4
    # Each number with its gradient, and what the optimiser remembers of it.
    pairs = trained * 8 + plan.state_bytes
    work = _work_bytes(plan, counts, layers) + 2 * counts.widening_bytes(plan.dtype, plan.stored_as)
    training = base + reader + pairs + work + _PROGRAM_BYTES
    words = (0 if reader else counts.text_encoder * size) + _PROGRAM_BYTES
    if plan.device != "cuda":
        memory = max(training, words)
        return replace(plan, memory_bytes=memory, fits=memory <= machine.memory_free * _HEADROOM)
    room = machine.device_free * _HEADROOM
    # A text encoder that has no room on the GPU reads the captions on the processor.
    text_device = "cuda" if words <= room else "cpu"
    return replace(
        plan,
        text_device=text_device,
        device_bytes=training,
        memory_bytes=words,
        fits=training <= room and (text_device == "cuda" or words <= machine.memory_free * _HEADROOM),
    )


def told(
    model: InstalledModel,
    machine: Machine,
    *,
    word: bool = False,
    rank: int = 16,
    optimiser: str = "",
    clip: ClipShape | None = None,
) -> str:
    """How ``model`` would be trained here, or why not, as an artist reads it."""
    try:
        plan = training_plan(model, machine, rank, optimiser, word=word, clip=clip)
    except StudioError as error:
        return str(error)
    kept = "" if plan.exact and not plan.packed else f", the base kept as {plan.packed or 'int8'}"
    kept += ", the optimiser in 8 bits" if plan.optimiser == ADAMW_8BIT else ""
    kept += ", blocks recomputed" if plan.recomputed else ""
    where = {"cuda": "on the GPU", "mps": "on the Apple GPU", "cpu": "on the processor"}[plan.device]
    what = f", {clip.frames} frames of {clip.width} × {clip.height}" if clip is not None and clip.frames > 1 else ""
    return f"Trained {where}{kept}{what}, about {size_text(plan.device_bytes or plan.memory_bytes)}"
