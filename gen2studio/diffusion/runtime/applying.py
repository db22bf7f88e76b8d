"""Putting loaded parts where a memory plan wants them.

The steps are diffusers' own where they fit; :mod:`turns` says why one does not. Adapters may be loaded afterwards, in
every placement: see :func:`layers_widened`.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from gen2studio.core.errors import GenerationError, OutOfBudget
from gen2studio.diffusion.runtime.ladder import GROUP_OFFLOAD, MODEL_OFFLOAD, RESIDENT, SEQUENTIAL, MemoryPlan
from gen2studio.diffusion.runtime.loading import Components, is_out_of_memory
from gen2studio.diffusion.runtime.torch_loading import load_torch

_Result = TypeVar("_Result")


def apply_plan(components: Components, plan: MemoryPlan) -> Components:
    """Cast, tile and place the parts of ``components`` in place, once; returns them.

    Raises GenerationError when the plan asks for a device that is not there. Precision: everything but float8 storage
    leaves results bit-identical on one device; tiled decoding differs at the seams it blends.
    """
    torch: Any = load_torch()
    device = _device(torch, plan)
    if plan.fp8_layers:
        if plan.dtype == "float32":
            raise GenerationError("float8 storage needs a model loaded in bf16.", "")
        for denoiser in components.denoisers:
            denoiser.enable_layerwise_casting(
                storage_dtype=torch.float8_e4m3fn, compute_dtype=getattr(torch, plan.dtype), non_blocking=False
            )
    tile(components, plan)
    if plan.placement == RESIDENT:
        for part in components.modules:
            part.to(device)
    elif plan.placement == MODEL_OFFLOAD:
        from gen2studio.diffusion.runtime.turns import take_turns

        take_turns(list(components.modules), device)
    elif plan.placement in (GROUP_OFFLOAD, SEQUENTIAL):
        _offload_blocks(torch, components, plan, device)
    else:
        raise ValueError(f"no placement is called {plan.placement}")
    return components


def tile(components: Components, plan: MemoryPlan) -> None:
    """Decode and encode in tiles, or whole, as the plan says; may be changed between runs."""
    vae = components.vae
    if vae is None or not hasattr(vae, "use_tiling"):
        # Some decoders work on a few frames at a time instead; their driver cuts the tiles.
        return
    if plan.tiled_vae:
        vae.enable_tiling()
    else:
        vae.disable_tiling()


def _device(torch: Any, plan: MemoryPlan) -> Any:
    if plan.device == "cuda" and not torch.cuda.is_available():
        raise GenerationError("The plan is for an NVIDIA GPU and torch sees none.", "Run “gen2studio doctor”.")
    if plan.device == "mps" and not torch.backends.mps.is_available():
        raise GenerationError("The plan is for an Apple GPU and torch sees none.", "Run “gen2studio doctor”.")
    return torch.device(plan.device)


def _offload_blocks(torch: Any, components: Components, plan: MemoryPlan, device: Any) -> None:
    """Blocks (or single layers) of what denoises come to the device when they are needed; the rest stays there.

    On CUDA the next block is copied on a stream of its own while this one computes, pinned as it goes, so that main
    memory does not hold every weight twice.
    """
    streams = plan.device == "cuda"
    leaves = plan.placement == SEQUENTIAL
    denoisers = components.denoisers
    for denoiser in denoisers:
        denoiser.enable_group_offload(
            onload_device=device,
            offload_device=torch.device("cpu"),
            offload_type="leaf_level" if leaves else "block_level",
            num_blocks_per_group=None if leaves else 1,
            use_stream=streams and not leaves,
            record_stream=streams and not leaves,
            non_blocking=streams,
            low_cpu_mem_usage=streams and not leaves,
        )
    for part in components.modules:
        if not any(part is denoiser for denoiser in denoisers):
            part.to(device)


@contextmanager
def layers_widened(transformer: Any) -> Generator[None]:
    """Load adapters inside this: layers stored as float8 are wide meanwhile, so that adapters don't become float8 too.

    Widening and narrowing again loses nothing: every float8 value exists in bfloat16. Without float8 storage this does
    nothing.
    """
    hooked: list[tuple[Any, Any]] = []
    for module in transformer.modules():
        registry = getattr(module, "_diffusers_hook", None)
        hook = registry.get_hook("layerwise_casting") if registry is not None else None
        if hook is not None:
            hooked.append((module, hook))
    if not hooked:
        yield
        return
    from diffusers.hooks.group_offloading import _maybe_remove_and_reapply_group_offloading

    for module, hook in hooked:
        module.to(dtype=hook.compute_dtype)
    try:
        yield
    finally:
        for module, hook in hooked:
            module.to(dtype=hook.storage_dtype)
        # Offloading keeps copies of what it brings back; they must be the narrow ones.
        _maybe_remove_and_reapply_group_offloading(transformer)


def free_memory_of(torch: Any) -> None:
    """Give back what nobody refers to any more: modules have reference cycles, and the allocator keeps blocks."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    mps = getattr(torch, "mps", None)
    if mps is not None and torch.backends.mps.is_available():
        mps.empty_cache()


def with_retries(
    plan: MemoryPlan,
    work: Callable[[MemoryPlan], _Result],
    *,
    before_retry: Callable[[MemoryPlan, MemoryPlan], None] | None = None,
) -> _Result:
    """Run ``work(plan)``; when memory runs out, one rung down again, until it is done or there is no rung left.

    ``before_retry(failed, next)`` lets the caller release what it holds and say what changes. Raises OutOfBudget at
    the bottom; every other exception of ``work`` passes.
    """
    torch: Any = load_torch()
    while True:
        try:
            return work(plan)
        except Exception as error:
            if not isinstance(error, OutOfBudget) and not is_out_of_memory(error):
                raise
        # Outside the except block: the exception, and with it every tensor of the failed call, is gone.
        lower = plan.below
        if lower is None:
            free_memory_of(torch)
            raise OutOfBudget(
                "The memory was not enough, even in the most frugal way.",
                "Choose a smaller size or fewer frames, or close other programs.",
            )
        if before_retry is not None:
            before_retry(plan, lower)
        free_memory_of(torch)
        plan = lower
