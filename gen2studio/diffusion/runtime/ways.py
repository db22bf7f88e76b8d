"""Ways to run a model's denoiser faster on this machine: another attention, compiled blocks. No torch at import.

What is offered is what is installed: nothing here downloads a kernel. Every way computes the same function and rounds
differently, so it belongs to the machine and not to a request. Measured on processors, compiled blocks brought nothing
(5.6 s against 5.3 s for the built-in model, after 177 s of compiling), so they are offered on NVIDIA GPUs alone.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

from gen2studio.core.errors import GenerationError
from gen2studio.core.records import dataclass
from gen2studio.diffusion.runtime.device import Machine

PLAIN = "auto"
"""As the model comes: torch's own attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way, as an artist chooses it."""

    id: str
    title: str
    attention: str = ""
    """Name of diffusers' attention backend; empty = torch's own."""
    compiled: bool = False
    """The repeated blocks are compiled once for each picture size (regional compilation)."""


_PACKAGES = (
    ("flash_attn", Way(id="flash", title="FlashAttention", attention="flash")),
    ("sageattention", Way(id="sage", title="SageAttention, in 8 bits: quick, a little less exact", attention="sage")),
    ("xformers", Way(id="xformers", title="xFormers attention", attention="xformers")),
)
_COMPILED = Way(id="compiled", title="Compiled: the first run of each size takes minutes longer", compiled=True)


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def ways_here(machine: Machine, installed: Callable[[str], bool] = _installed) -> tuple[Way, ...]:
    """What ``machine`` offers beside :data:`PLAIN`; empty without an NVIDIA GPU."""
    if machine.device != "cuda":
        return ()
    found = [way for package, way in _PACKAGES if installed(package)]
    return (*found, _COMPILED) if installed("triton") else tuple(found)


def apply_way(denoisers: Sequence[Any], way: Way | None, **options: Any) -> None:
    """Run ``denoisers`` as ``way`` says from now on; None = as they come. ``options`` go to torch.compile.

    Raises GenerationError when this machine can't after all.
    """
    if way is None:
        return
    for denoiser in denoisers:
        try:
            if way.attention:
                _set_attention(denoiser, way.attention)
            if way.compiled:
                denoiser.compile_repeated_blocks(**options)
        except (RuntimeError, ValueError, ImportError) as error:
            failure = str(error).strip().splitlines()[0][:160]
            raise GenerationError(
                f"The model can't be run as “{way.title}” here ({failure}).", "Set Speed back to Automatic."
            ) from None


def _set_attention(denoiser: Any, name: str) -> None:
    """Of this model alone: diffusers makes the last one that was set everybody's who has none of its own."""
    from diffusers.models.attention_dispatch import _AttentionBackendRegistry

    registry: Any = _AttentionBackendRegistry
    before = registry.get_active_backend()[0]
    try:
        denoiser.set_attention_backend(name)
    finally:
        registry.set_active_backend(before)


def is_compiled(module: Any) -> bool:
    """Whether torch runs ``module`` compiled: hooks added to it later are not called."""
    return getattr(module, "_compiled_call_impl", None) is not None
