"""Model offload: the parts of a model are on the device in turn.

diffusers' own model offload leaves the VAE on the device while denoising, after it encoded the control clip, and puts
its hooks on anew, through the pipeline, whenever an adapter is loaded. These hooks belong to the parts: they stay where
they are, and every pipeline built of the parts works with them.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from accelerate.hooks import ModelHook, add_hook_to_module
from accelerate.utils import send_to_device

from gen2studio.diffusion.runtime.torch_loading import load_torch


class TurnHook(ModelHook):
    """Brings its module to ``execution_device`` when it is called, and sends the others back to main memory first."""

    def __init__(self, execution_device: Any) -> None:
        self.execution_device = execution_device
        """Where a pipeline makes its latents: it asks the hooks."""
        self.others: tuple[Any, ...] = ()

    def pre_forward(self, module: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Called before ``forward``, and by diffusers before a VAE's ``encode`` and ``decode``."""
        torch: Any = load_torch()
        device = torch.device(self.execution_device)
        if _device_type(module) != device.type:
            for other in self.others:
                other.to("cpu")
            if device.type == "cuda":
                torch.cuda.empty_cache()
            module.to(device)
        return send_to_device(args, device), send_to_device(kwargs, device)


def take_turns(modules: Sequence[Any], device: Any) -> None:
    """From now on one of ``modules`` is on ``device`` at a time: the one that is computing."""
    for module in modules:
        hook = TurnHook(device)
        hook.others = tuple(other for other in modules if other is not module)
        module.to("cpu")
        add_hook_to_module(module, hook)


@contextmanager
def visiting(module: Any, device: Any) -> Generator[None]:
    """``module``, which waits in main memory, is on ``device`` inside; then where it was."""
    before = next(module.parameters()).device
    module.to(device)
    try:
        yield
    finally:
        module.to(before)


def _device_type(module: Any) -> str:
    return str(next(module.parameters()).device.type)
