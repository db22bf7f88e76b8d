"""A strength of its own for every latent frame of a run that starts from footage.

A frame is kept on the footage's noised latents until the run comes down to its strength, and is the model's from there
on: Differential Diffusion (Levin & Fried, arXiv 2306.00950) with a map that is constant over each frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

Tensor = torch.Tensor


class FrameHold:
    """Puts held frames back on their way after every step.

    ``levels`` are the strengths that the run has come down to after each step, falling; ``noised(frames, index)`` the
    footage's latents of some latent frames at the noise level after step ``index``.
    """

    def __init__(
        self, strengths: Sequence[float], levels: Sequence[float], noised: Callable[[Tensor, int], Tensor]
    ) -> None:
        self._strengths = torch.tensor(list(strengths))
        self._levels = list(levels)
        self._noised = noised

    def after(self, index: int, latents: Tensor) -> Tensor:
        """``latents`` (1, C, T, h, w) after step ``index`` (from 0), held frames on their way again."""
        level = self._levels[min(index, len(self._levels) - 1)]
        held = torch.nonzero(self._strengths <= level + 1e-6).flatten().to(latents.device)
        if not len(held):
            return latents
        out = latents.clone()
        out[:, :, held] = self._noised(held, index).to(out)
        return out
