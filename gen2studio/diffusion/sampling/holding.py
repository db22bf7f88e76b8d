"""Parts of a clip that stay on given footage while the rest is denoised, and runs that begin at a noise level.

Known latents are put back, at the noise of the step, after every step: around a mask (Blended Latent Diffusion,
Avrahami and others, arXiv 2206.02779; RePaint, arXiv 2201.09865), or until the run comes down to a cell's own strength
(Differential Diffusion, Levin & Fried, arXiv 2306.00950), 0 being never. At the end a cell that was never let go is the
footage's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def without_corrector(scheduler: Any) -> Any:
    """A scheduler for runs whose latents are put back after steps: UniPC's corrector, which goes on from its own last
    sample and would undo that, is switched off."""
    if type(scheduler).__name__ != "UniPCMultistepScheduler":
        return scheduler
    every_step = list(range(scheduler.config.num_train_timesteps))
    return type(scheduler).from_config(scheduler.config, disable_corrector=every_step)


def noised(clean: Tensor, noise: Tensor, sigma: Tensor | float) -> Tensor:
    """Flow matching: the point at noise level ``sigma`` on the way from ``clean`` to ``noise``."""
    return (1 - sigma) * clean + sigma * noise


FREE = 2.0
"""Strength of cells that are never held: above every level."""


class LatentHold:
    """Keeps every cell on the footage, noised, until the run comes down to the cell's own strength.

    ``strength`` broadcasts to the latents (1, C, T, h, w). ``levels`` are the strengths that the run has come down to
    after each step, falling, and ``known(index)`` the footage's latents at the noise level after step ``index``.
    """

    def __init__(self, strength: Tensor, levels: Sequence[float], known: Callable[[int], Tensor]) -> None:
        self._strength = strength
        self._levels = list(levels)
        self._known = known

    def after(self, index: int, latents: Tensor) -> Tensor:
        """``latents`` (1, C, T, h, w) after step ``index`` (from 0), held cells on their way again."""
        level = self._levels[min(index, len(self._levels) - 1)]
        held = (self._strength <= level + 1e-6).to(latents.device)
        if not bool(held.any()):
            return latents
        return torch.where(held, self._known(index).to(latents), latents)


def levels_after(strength: float, steps: int) -> list[float]:
    """What a run of ``steps`` steps in all, begun at ``strength``, has come down to after each step that it takes.

    Told on the schedule before a model's own shift: there a strength is the share of the steps that are taken.
    """
    return [float(level) for level in np.linspace(strength, 0.0, taken_steps(steps, strength) + 1)[1:]]


def flow_way(clean: Tensor, noise: Tensor, scheduler: Any) -> Callable[[int], Tensor]:
    """``known`` of a flow-matching run: its noise levels are those that ``scheduler`` has when it is asked."""

    def known(index: int) -> Tensor:
        return noised(clean, noise, scheduler.sigmas[index + 1].to(clean.device))

    return known


def variance_way(clean: Tensor, noise: Tensor, scheduler: Any, times: Tensor) -> Callable[[int], Tensor]:
    """``known`` of a run with DDPM's forward process (DDIM, DPM-Solver, Euler) over ``times``, those of its steps."""

    def known(index: int) -> Tensor:
        last = index + 1 >= len(times)
        return clean if last else scheduler.add_noise(clean, noise, times[index + 1 : index + 2])

    return known


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
