"""The clean prediction at every scheduler step, told without changing the step: what previews are drawn from.

``scheduler`` is a job's own; the tap replaces its ``step`` by one of the same signature, which pipelines inspect.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

Tensor = torch.Tensor
Clean = Callable[..., Tensor]
"""(scheduler, model output, timestep, sample, named arguments) → the clean sample, before the step."""


class StepTap:
    """Notes what ``clean`` makes of each step of ``scheduler``.

    ``sample_at`` is the place of the sample among the arguments of ``step``: second after the output and the timestep,
    but for CogVideoX's DPM scheduler.
    """

    def __init__(self, scheduler: Any, clean: Clean, timestep_at: int = 1, sample_at: int = 2) -> None:
        self.clean: Tensor | None = None
        step = scheduler.step

        @functools.wraps(step)
        def tapped(*values: Any, **named: Any) -> Any:
            self.clean = clean(scheduler, values[0], values[timestep_at], values[sample_at], named)
            return step(*values, **named)

        scheduler.step = tapped


def step_index(scheduler: Any, timestep: Any) -> int:
    """Which step comes now."""
    if scheduler.step_index is None:
        scheduler._init_step_index(timestep)
    found: Any = scheduler.step_index
    return int(found)


def flow(scheduler: Any, output: Tensor, timestep: Any, sample: Tensor, named: dict[str, Any]) -> Tensor:
    """Flow matching: x0 = x − σ·v."""
    del named
    sigma = scheduler.sigmas[step_index(scheduler, timestep)].to(sample.device)
    return sample.float() - sigma * output.float()


def flow_of_tokens(scheduler: Any, output: Tensor, timestep: Any, sample: Tensor, named: dict[str, Any]) -> Tensor:
    """Flow matching with a time for every token, as LTX-Video steps: it hands −v to the scheduler."""
    del timestep
    sigma = named["per_token_timesteps"].float() / scheduler.config.num_train_timesteps
    return sample.float() + sigma.unsqueeze(-1) * output.float()


def karras(scheduler: Any, output: Tensor, timestep: Any, sample: Tensor, named: dict[str, Any]) -> Tensor:
    """EDM's scaling (arXiv 2206.00364) with v- or ε-prediction, as the Euler schedulers compute it."""
    del named
    sigma = scheduler.sigmas[step_index(scheduler, timestep)].to(sample.device)
    x, out = sample.float(), output.float()
    if scheduler.config.prediction_type == "v_prediction":
        return out * (-sigma / (sigma**2 + 1) ** 0.5) + x / (sigma**2 + 1)
    return x - sigma * out


def variance_preserving(scheduler: Any, output: Tensor, timestep: Any, sample: Tensor, named: dict[str, Any]) -> Tensor:
    """DDPM's forward process with ε-, v- or sample prediction: DDIM and its kin."""
    del named
    kept = scheduler.alphas_cumprod[int(timestep)].to(sample.device)
    x, out = sample.float(), output.float()
    kind = scheduler.config.prediction_type
    if kind == "v_prediction":
        return kept**0.5 * x - (1 - kept) ** 0.5 * out
    return out if kind == "sample" else (x - (1 - kept) ** 0.5 * out) / kept**0.5
