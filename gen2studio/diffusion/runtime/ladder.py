"""The memory ladder: the ways to hold one model on one machine, from the best to the most frugal.

First come the exact rungs, which cost time and change no picture of one number format; then those that keep weights in
8 bits: int8 in blocks (:mod:`packed`), then float8, which is a little smaller and three times less precise. The best
that fits is chosen, or the one the artist chose. Nothing here imports torch: a plan can be shown before anything is
loaded. The steps are diffusers' own: block-wise offloading, GGUF and float8 storage, a tiled VAE.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace

from gen2studio.core.errors import OutOfBudget
from gen2studio.core.records import dataclass
from gen2studio.diffusion.runtime.device import Machine
from gen2studio.diffusion.runtime.footprint import BYTES, ClipShape, Footprint, footprint
from gen2studio.engine.budget import size_text
from gen2studio.models.gguf_header import QUANTIZED
from gen2studio.models.holding import AUTOMATIC
from gen2studio.models.library import InstalledModel

RESIDENT, MODEL_OFFLOAD, GROUP_OFFLOAD, SEQUENTIAL = "resident", "model_offload", "group_offload", "sequential"
PLACEMENTS = (RESIDENT, MODEL_OFFLOAD, GROUP_OFFLOAD, SEQUENTIAL)
TITLES = {
    "whole": "whole",
    "tiled": "whole, decoded in tiles",
    "parts": "one part at a time",
    "blocks": "block by block",
    "bf16": "in bf16",
    "int8": "kept as int8",
    "int8-blocks": "kept as int8, block by block",
    "fp8": "kept as fp8",
    "fp8-blocks": "kept as fp8, block by block",
    "layers": "layer by layer",
}
"""Rung → what an artist reads."""
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
    int8_layers: bool = False
    """The same as 8-bit whole numbers, 32 of which share a scale."""
    rung: str = field(default="", compare=False)
    """What an artist calls it by when choosing one: whole, tiled, parts, blocks, bf16, int8, int8-blocks, fp8,
    fp8-blocks, layers."""
    packed: str = field(default="", compare=False)
    """The format of a file whose weights are packed already (GGUF), such as Q4_K; empty = they are not."""
    reason: str = field(default="", compare=False)
    """Why this rung and not the one above; empty before one is chosen."""
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
        return self.stored_as is None

    @property
    def stored_as(self) -> str | None:
        """What the matrices of the transformer are stored as while they rest: int8, torch's float8 type, or None."""
        return "int8" if self.int8_layers else "float8_e4m3fn" if self.fp8_layers else None

    @property
    def title(self) -> str:
        """A line to choose it by: ``Kept as int8, about 5.1 GB``."""
        name = TITLES[self.rung]
        return f"{name[0].upper()}{name[1:]}, about {size_text(self.device_bytes or self.memory_bytes)}"

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
        if self.packed:
            parts.append(f"weights kept as {self.packed}")
        elif self.exact is False:
            parts.append(f"weights kept as {'int8' if self.int8_layers else 'fp8'}")
        if self.tiled_vae:
            parts.append("frames decoded in tiles")
        parts.append(f"about {size_text(self.device_bytes or self.memory_bytes)}")
        if not self.fits:
            parts.append("more than is free now")
        return ", ".join(parts)

    def explain(self) -> str:
        """:meth:`describe`, and why: ``… about 5.1 GB: whole it needs 9.8 GB and 7.5 GB is free``."""
        return f"{self.describe()}: {self.reason}" if self.reason else self.describe()


def plans_for(model: InstalledModel, machine: Machine, shape: ClipShape | None = None) -> tuple[MemoryPlan, ...]:
    """Every way to hold ``model`` on ``machine`` for a window of ``shape`` (None = native), in order of preference.

    ``below`` of each is the next one that keeps no more of the model on the device. Raises ModelError when the model
    has a problem.
    """
    counts = footprint(model, shape)
    kind = packed_kind(model)
    rungs = [*_rungs(machine)]
    if kind:
        # What is packed in the file stays as it is.
        plain = (replace(plan, packed=kind, int8_layers=False, fp8_layers=False) for plan in rungs)
        rungs = [plan for plan in plain if not plan.rung.startswith(("int8", "fp8"))]
    linked: list[MemoryPlan] = []
    for tier, plan in reversed([*enumerate(_measured(plan, counts, machine) for plan in rungs)]):
        place = PLACEMENTS.index(plan.placement)
        below = next((lower for lower in reversed(linked) if PLACEMENTS.index(lower.placement) >= place), None)
        linked.append(replace(plan, tier=tier, below=below))
    return tuple(reversed(linked))


def packed_kind(model: InstalledModel) -> str:
    """The block format that most weights of the transformer's file are packed in; empty when they are not."""
    counts: dict[str, int] = {}
    checked = model.checkpoint()
    for part in checked.family.denoisers:
        for header in checked.headers.get(part, ()):
            for info in header.tensors.values():
                if info.dtype in QUANTIZED:
                    counts[info.dtype] = counts.get(info.dtype, 0) + info.count
    return max(counts, key=lambda kind: counts[kind], default="")


def choose_plan(
    model: InstalledModel, machine: Machine, shape: ClipShape | None = None, rung: str = AUTOMATIC
) -> MemoryPlan:
    """The best plan that fits, with the reason; or ``rung``, the artist's choice, where this machine has it.

    A chosen rung is taken even when it seems not to fit: the estimate may be wrong, and a run that meets the end of the
    memory goes on one rung down. Raises OutOfBudget when nothing fits, and ModelError when the model has a problem.
    """
    plans = plans_for(model, machine, shape)
    chosen = next((plan for plan in plans if plan.rung == rung), None) if rung != AUTOMATIC else None
    if chosen is not None:
        return replace(chosen, reason="as you chose")
    found = next((plan for plan in plans if plan.fits), None)
    if found is not None:
        return replace(found, reason=_why(found, plans, machine, rung))
    leanest = min(plans, key=_need)
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


def _need(plan: MemoryPlan) -> int:
    """Bytes where the computing happens."""
    return plan.device_bytes or plan.memory_bytes


def _why(found: MemoryPlan, plans: tuple[MemoryPlan, ...], machine: Machine, asked: str) -> str:
    """Why ``found`` is the one, in an artist's words."""
    missing = f"it can't be held “{TITLES.get(asked, asked)}” here; " if asked != AUTOMATIC else ""
    if found.tier == 0:
        return f"{missing}everything fits"
    above = plans[found.tier - 1]
    device = machine.device == "cuda" and above.device_bytes > machine.device_free * _HEADROOM
    need, free = (above.device_bytes, machine.device_free) if device else (above.memory_bytes, machine.memory_free)
    of = "GPU memory" if device else "memory"
    return f"{missing}“{TITLES[above.rung]}” needs {size_text(need)} of {of} and {size_text(free)} is free"


def _rungs(machine: Machine) -> Iterator[MemoryPlan]:
    if machine.device == "cuda":
        best = MemoryPlan(
            device="cuda", dtype="bfloat16" if machine.bf16 else "float16", text_device="cuda", rung="whole"
        )
        yield best
        tiled = replace(best, tiled_vae=True, rung="tiled")
        yield tiled
        yield replace(tiled, placement=MODEL_OFFLOAD, rung="parts")
        blocks = replace(tiled, placement=GROUP_OFFLOAD, rung="blocks")
        yield blocks
        yield replace(tiled, int8_layers=True, rung="int8")
        yield replace(blocks, int8_layers=True, rung="int8-blocks")
        if machine.fp8_storage:
            yield replace(blocks, fp8_layers=True, rung="fp8-blocks")
        layers = replace(tiled, placement=SEQUENTIAL, rung="layers")
        yield replace(layers, fp8_layers=True) if machine.fp8_storage else replace(layers, int8_layers=True)
        return
    if machine.device == "mps":
        best = MemoryPlan(
            device="mps", dtype="bfloat16" if machine.bf16 else "float16", text_device="mps", rung="whole"
        )
        yield best
        tiled = replace(best, tiled_vae=True, rung="tiled")
        yield tiled
        yield replace(tiled, int8_layers=True, rung="int8")
        return
    best = MemoryPlan(device="cpu", dtype="bfloat16" if machine.bf16 else "float32", rung="whole")
    yield best
    yield replace(best, tiled_vae=True, rung="tiled")
    half = replace(best, dtype="bfloat16", tiled_vae=True, rung="bf16")
    if best.dtype != "bfloat16":
        yield half
    yield replace(half, int8_layers=True, rung="int8")
    if machine.fp8_storage:
        yield replace(half, fp8_layers=True, rung="fp8")


def _measured(plan: MemoryPlan, counts: Footprint, machine: Machine) -> MemoryPlan:
    """``plan`` with its peaks: the prompt, the denoising and the decoding come one after the other."""
    transformer = counts.transformer_bytes(plan.dtype, plan.stored_as)
    vae = counts.vae * counts.vae_size(plan.dtype) + counts.beside * BYTES["float32"]
    text = counts.text_encoder * BYTES[plan.dtype]
    denoising = counts.denoising_bytes(plan.dtype, plan.device) + counts.widening_bytes(plan.dtype, plan.stored_as)
    decoding = counts.decoding_bytes(plan.device, tiled=plan.tiled_vae, dtype=plan.dtype)
    # Weights are cast and packed one by one while they are loaded.
    loading = transformer + 8 * counts.largest
    waiting = counts.waiting * BYTES[plan.dtype]
    if plan.device != "cuda":
        memory = max(text, waiting + transformer + vae + max(denoising, decoding), waiting + loading + vae)
        return replace(plan, memory_bytes=memory, fits=memory <= machine.memory_free * _HEADROOM)
    denoising += counts.visiting * BYTES[plan.dtype]
    if plan.placement == RESIDENT:
        device = transformer + vae + max(denoising, decoding)
    elif plan.placement == MODEL_OFFLOAD:
        device = max(transformer + denoising, vae + decoding)
    else:
        # Two groups are on the device while the next one arrives; what is outside the blocks stays there.
        around = 2 * counts.block_bytes(plan.dtype, plan.stored_as) if plan.placement == GROUP_OFFLOAD else 0
        device = vae + max(around + denoising, decoding)
    device += _CONTEXT
    memory = max(text, waiting + (loading if not plan.offloads else loading + vae))
    room = machine.device_free * _HEADROOM
    text_device = "cuda" if text + _CONTEXT <= room else "cpu"
    return replace(
        plan,
        text_device=text_device,
        device_bytes=device,
        memory_bytes=memory,
        fits=device <= room and memory <= machine.memory_free * _HEADROOM,
    )
