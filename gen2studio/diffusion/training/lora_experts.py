"""Pairs of experts: one denoises the noisy part of a run, the other the rest; each learns in its own range of noise.

They are trained one after the other, so that only one is ever in memory. What passes from the first to the second is
what it learned, and the latents of the test prompt where it hands over: the second's test frames go on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gen2studio.core.paths import write_atomic
from gen2studio.models.library import InstalledModel

if TYPE_CHECKING:
    import torch

HIGH, LOW = "transformer", "transformer_2"
"""What diffusers calls the experts for much noise and for little."""
NAMES = {HIGH: "high", LOW: "low"}
_HANDED = "handed"


@dataclass(frozen=True, slots=True)
class Part:
    """One denoiser's part of a training."""

    total: int
    """Steps of the whole training."""
    expert: str = ""
    """The component that learns; empty = the only one that denoises."""
    first: int = 0
    """Steps of the training that come before it."""
    learns: bool = True
    """False: it is only asked what it hands over."""
    told: bool = False
    """The curve and the test frames so far have been told in this run."""
    learned: Mapping[str, Mapping[str, torch.Tensor]] = field(default_factory=lambda: {})
    """What the experts before it learned: component → weights."""
    handed: torch.Tensor | None = None
    """For the second expert: (1, C, T, h, w) latents that test frames go on from."""


def is_pair(model: InstalledModel) -> bool:
    """Whether two experts denoise."""
    return LOW in model.checkpoint().classes


def parts_of(model: InstalledModel, experts: str, steps: int) -> tuple[Part, ...]:
    """The parts of a training of ``steps`` for each expert that learns (``both``, ``high`` or ``low``), in order."""
    if not is_pair(model):
        return (Part(total=steps),)
    if experts == "high":
        return (Part(total=steps, expert=HIGH),)
    if experts == "low":
        return (Part(total=steps, expert=HIGH, learns=False), Part(total=steps, expert=LOW))
    return (Part(total=2 * steps, expert=HIGH), Part(total=2 * steps, expert=LOW, first=steps))


def learning(model: InstalledModel, experts: str) -> int:
    """How many denoisers learn: a training takes its steps that many times."""
    return sum(part.learns for part in parts_of(model, experts, 1))


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What the first expert leaves in the training's folder for the second."""

    weights: Mapping[str, torch.Tensor]
    """Its adapter; empty where it did not learn."""
    latents: torch.Tensor

    def save(self, folder: Path) -> None:
        from safetensors.torch import save

        tensors = {f"adapter.{name}": value for name, value in self.weights.items()}
        tensors[_HANDED] = self.latents.contiguous()
        write_atomic(_path(folder), save(tensors))

    @staticmethod
    def load(folder: Path) -> HandedOver | None:
        """What an earlier run left; None when there is nothing usable."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors = load_file(_path(folder))
            latents = tensors.pop(_HANDED)
        except (SafetensorError, OSError, KeyError):
            return None
        return HandedOver({name.removeprefix("adapter."): value for name, value in tensors.items()}, latents)


def _path(folder: Path) -> Path:
    return folder / "handed_over.safetensors"
