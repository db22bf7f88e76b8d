"""The memory ladder: the ways to hold one model on one machine, from the best to the most frugal.

Each rung needs less memory than the one above and costs time or, at the lowest rungs, a little precision. Nothing here
imports torch: a plan can be shown before anything is loaded. The steps are diffusers' own: block-wise offloading,
layer-wise float8 storage, a tiled VAE.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace

from gen2studio.core.errors import OutOfBudget
from gen2studio.core.records import dataclass
from gen2studio.diffusion.runtime.device import Machine
from gen2studio.diffusion.runtime.footprint import BYTES, ClipShape, Footprint, footprint
from gen2studio.engine.budget import size_text
from gen2studio.models.library import InstalledModel

RESIDENT, MODEL_OFFLOAD, GROUP_OFFLOAD, SEQUENTIAL = "resident", "model_offload", "group_offload", "sequential"
PLACEMENTS = (RESIDENT, MODEL_OFFLOAD, GROUP_OFFLOAD, SEQUENTIAL)
_CONTEXT = 600 << 20
"""Bytes a GPU's own libraries take beside our tensors."""
_HEADROOM = 0.92
"""Part of the free memory a plan may count on: allocators fragment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """How one model is held and run."""

    device: str
    """cuda, mps or cpu: where the transformer and the VAE compute."""
    dtype: str
    """bfloat16, float16 or float32: what the transformer computes in. The VAE is always float32."""
    placement: str = RESIDENT
    """resident: on the device. model_offload: one whole part on the device at a time. group_offload: one block at a
    time, the next one fetched meanwhile. sequential: one layer at a time."""
    tiled_vae: bool = False
    fp8_layers: bool = False
    """Weights of the transformer's layers stored as float8 and widened while they compute: not bit-identical."""
    text_device: str = "cpu"
    """Where the prompt is encoded, before anything else is loaded."""
    tier: int = 0
    """0 = best."""
    device_bytes: int = 0
    """Estimated peak on the accelerator; 0 on the processor."""
    memory_bytes: int = 0
    """Estimated peak of main memory."""
    fits: bool = True
    below: MemoryPlan | None = field(default=None, compare=False, repr=False)
    """The next more frugal plan."""

    @property
    def offloads(self) -> bool:
        return self.placement != RESIDENT

    @property
    def exact(self) -> bool:
        """The weights are used as they are: every exact plan of one dtype makes the same picture."""
        return not self.fp8_layers

    def describe(self) -> str:
        """In an artist's words: ``on the GPU in bf16, frames decoded in tiles, about 5.1 GB``."""
        where = {"cuda": "on the GPU", "mps": "on the Apple GPU", "cpu": "on the processor"}[self.device]
        dtype = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}[self.dtype]
        parts = [f"{where} in {dtype}"]
        placed = {
            MODEL_OFFLOAD: "one part on the GPU at a time",
            GROUP_OFFLOAD: "blocks fetched from memory one by one",
            SEQUENTIAL: "layers fetched from memory one by one (slow)",
        }
        if self.placement in placed:
            parts.append(placed[self.placement])
        if self.fp8_layers:
            parts.append("weights kept as fp8")
        if self.tiled_vae:
            parts.append("frames decoded in tiles")
        parts.append(f"about {size_text(self.device_bytes or self.memory_bytes)}")
        if not self.fits:
            parts.append("more than is free now")
        return ", ".join(parts)


def plans_for(model: InstalledModel, machine: Machine, shape: ClipShape | None = None) -> tuple[MemoryPlan, ...]:
    """Every way to hold ``model`` on ``machine`` for a window of ``shape`` (None = native), best first.

    Raises ModelError when the model has a problem.
    """
    counts = footprint(model, shape)
    plans = [_measured(plan, counts, machine) for plan in _rungs(machine)]
    linked: list[MemoryPlan] = []
    below: MemoryPlan | None = None
    for tier, plan in reversed(list(enumerate(plans))):
        below = replace(plan, tier=tier, below=below)
        linked.append(below)
    return tuple(reversed(linked))


def choose_plan(model: InstalledModel, machine: Machine, shape: ClipShape | None = None) -> MemoryPlan:
    """The best plan that fits. Raises OutOfBudget when none does, and ModelError when the model has a problem."""
    plans = plans_for(model, machine, shape)
    found = next((plan for plan in plans if plan.fits), None)
    if found is not None:
        return found
    leanest = plans[-1]
    on_device = leanest.device_bytes > machine.device_free * _HEADROOM and machine.device == "cuda"
    needed, free = (
        (leanest.device_bytes, machine.device_free) if on_device else (leanest.memory_bytes, machine.memory_free)
    )
    raise OutOfBudget(
        f"{model.title} needs at least {size_text(needed)} of {'GPU memory' if on_device else 'memory'} for "
        f"{footprint(model, shape).clip}, and {size_text(free)} is free.",
        "Choose a smaller size, fewer frames or a smaller model, or close other programs.",
    )


def next_plan(plan: MemoryPlan) -> MemoryPlan | None:
    """One rung down, after the memory ran out in spite of the estimate; None at the bottom."""
    return plan.below


def _rungs(machine: Machine) -> Iterator[MemoryPlan]:
    if machine.device == "cuda":
        best = MemoryPlan(device="cuda", dtype="bfloat16" if machine.bf16 else "float16", text_device="cuda")
        yield best
        tiled = replace(best, tiled_vae=True)
        yield tiled
        yield replace(tiled, placement=MODEL_OFFLOAD)
        yield replace(tiled, placement=GROUP_OFFLOAD)
        if machine.fp8_storage:
            yield replace(tiled, placement=GROUP_OFFLOAD, fp8_layers=True)
        yield replace(tiled, placement=SEQUENTIAL, fp8_layers=machine.fp8_storage)
        return
    if machine.device == "mps":
        best = MemoryPlan(device="mps", dtype="bfloat16" if machine.bf16 else "float16", text_device="mps")
        yield best
        yield replace(best, tiled_vae=True)
        return
    best = MemoryPlan(device="cpu", dtype="bfloat16" if machine.bf16 else "float32")
    yield best
    yield replace(best, tiled_vae=True)
    half = replace(best, dtype="bfloat16", tiled_vae=True)
    if best.dtype != "bfloat16":
        yield half
    if machine.fp8_storage:
        yield replace(half, fp8_layers=True)


def _measured(plan: MemoryPlan, counts: Footprint, machine: Machine) -> MemoryPlan:
    """``plan`` with its peaks: the prompt, the denoising and the decoding come one after the other."""
    transformer = counts.transformer_bytes(plan.dtype, fp8=plan.fp8_layers)
    vae, text = counts.vae * 4, counts.text_encoder * BYTES[plan.dtype]
    denoising, decoding = counts.denoising_bytes(plan.dtype), counts.decoding_bytes(plan.device, tiled=plan.tiled_vae)
    # Loading casts a layer at a time; float8 storage is made from the wider weights once they are there.
    loading = counts.transformer_bytes(plan.dtype) if plan.fp8_layers else 0
    if plan.device != "cuda":
        memory = max(text, transformer + vae + max(denoising, decoding), loading + vae)
        return replace(plan, memory_bytes=memory, fits=memory <= machine.memory_free * _HEADROOM)
    if plan.placement == RESIDENT:
        device = transformer + vae + max(denoising, decoding)
    elif plan.placement == MODEL_OFFLOAD:
        device = max(transformer + denoising, vae + decoding)
    else:
        # Two groups are on the device while the next one arrives; what is outside the blocks stays there.
        around = 2 * counts.block_bytes(plan.dtype, fp8=plan.fp8_layers) if plan.placement == GROUP_OFFLOAD else 0
        device = vae + max(around + denoising, decoding)
    device += _CONTEXT
    memory = max(text, transformer if not plan.offloads else transformer + vae, loading)
    room = machine.device_free * _HEADROOM
    text_device = "cuda" if text + _CONTEXT <= room else "cpu"
    return replace(
        plan,
        text_device=text_device,
        device_bytes=device,
        memory_bytes=memory,
        fits=device <= room and memory <= machine.memory_free * _HEADROOM,
    )
