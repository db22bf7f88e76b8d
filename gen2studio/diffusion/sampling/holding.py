"""Parts of a clip that stay on given footage while the rest is denoised, and runs that begin at a noise level.

Known latents are put back, at the noise of the step, after every step (Differential Diffusion, Levin & Fried, arXiv
2306.00950): a strength for each latent cell says from which noise level on the model may change it. 0 is never.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from gen2studio.diffusion.conditioning.masks import latent_masks
from gen2studio.diffusion.families.contract import Matte

Tensor = torch.Tensor


def taken_steps(steps: int, strength: float) -> int:
    """Steps of a run of ``steps`` that begins at ``strength`` (SDEdit, arXiv 2108.01073); at least one."""
    return steps if strength >= 1.0 else max(1, round(steps * strength))


def begin_at(scheduler: Any, steps: int, strength: float, times: Sequence[float] = ()) -> None:
    """Make the next ``set_timesteps`` of a flow scheduler take the steps from ``strength`` down to nothing.

    ``times`` are the noise levels (1 … 0, without the last 0) of a fixed schedule: the last of them are taken. Without,
    the levels are spaced evenly before the scheduler's own shift, as the whole schedule's are.
    """
    count = taken_steps(len(times) or steps, strength)
    if times:
        levels = np.array(times[-count:], np.float64)
    elif strength >= 1.0:
        return
    else:
        levels = np.linspace(strength, 1 / scheduler.config.num_train_timesteps, count + 1)[:-1]
    set_timesteps = scheduler.set_timesteps

    def shortened(num_inference_steps: int | None = None, device: Any = None, **_: Any) -> None:
        set_timesteps(num_inference_steps=count, device=device, sigmas=levels.copy())

    scheduler.set_timesteps = shortened


def noised(clean: Tensor, noise: Tensor, sigma: Tensor | float) -> Tensor:
    """Flow matching: the point at noise level ``sigma`` on the way from ``clean`` to ``noise``."""
    return (1 - sigma) * clean + sigma * noise


class LatentHold:
    """Keeps every cell on ``clean``, noised, until the run comes down to the cell's own strength.

    ``clean`` and ``noise`` are (1, C, T, h, w) float32; ``strength`` broadcasts to them, 0…1, none above the run's own.
    """

    def __init__(self, clean: Tensor, noise: Tensor, strength: Tensor, run_strength: float, steps: int) -> None:
        self._clean, self._noise = clean, noise
        self._strength = strength.to(noise)
        # The schedule before the model's own shift: there a strength is the share of the steps that are taken.
        self._levels = np.linspace(run_strength, 0.0, taken_steps(steps, run_strength) + 1)

    def after(self, index: int, latents: Tensor, sigmas: Tensor) -> Tensor:
        """``latents`` (1, C, T, h, w) after step ``index`` (from 0), held cells on their way again."""
        held = self._strength <= float(self._levels[min(index + 1, len(self._levels) - 1)]) + 1e-6
        if not bool(held.any()):
            return latents
        on_its_way = noised(self._clean, self._noise, sigmas[index + 1].to(latents.device))
        return torch.where(held, on_its_way.to(latents), latents)


def cell_strengths(
    shape: Sequence[int], frame_strength: Sequence[float], masks: Sequence[Matte], group: int, strength: float
) -> Tensor:
    """Strengths (1, 1, T, h, w) float32 for latents of ``shape`` (1, C, T, h, w).

    ``frame_strength`` has one for every latent frame (empty = ``strength``). ``masks`` are (H, W) uint8, one for each
    picture frame, 255 = generate; a cell may change when any pixel of it may in any of the ``group`` frames it stands
    for (the first latent frame stands for one): no footage leaks into an edit.
    """
    count, height, width = shape[2:]
    out = torch.full((1, 1, count, height, width), float(strength))
    if frame_strength:
        out = torch.tensor(list(frame_strength), dtype=torch.float32).view(1, 1, count, 1, 1).expand_as(out).clone()
    if masks:
        out = out * torch.from_numpy(latent_masks(masks, (width, height), group))[None, None]
    return out
