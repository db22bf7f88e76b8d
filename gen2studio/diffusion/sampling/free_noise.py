"""Noise for clips longer than a model's window that stays related all along: FreeNoise (Qiu et al., arXiv 2310.15169).

The first window's noise goes on and on, a few frames at a time in another order: later windows start from frames the
first one had, so the clip keeps its look, and from another order of them, so it does not repeat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gen2studio.diffusion.sampling import seeds

if TYPE_CHECKING:
    from torch import Tensor

_AGAIN = 2_000_003
"""Added to a job's seed for the order of frames."""


def rescheduled(noise: Tensor, window: int, shuffled: int, seed: int) -> Tensor:
    """``noise`` (1, C, T, h, w) whose frames from ``window`` on repeat those of a window before, in groups of
    ``shuffled`` frames each in an order of its own. A clip of one window is left as it is."""
    import torch

    count = noise.shape[2]
    if window <= 0 or count <= window:
        return noise
    drawn = seeds.generator(seed + _AGAIN)
    order = list(range(window))
    while len(order) < count:
        begin = len(order) - window
        group = order[begin : begin + max(1, shuffled)]
        order += [group[int(at)] for at in torch.randperm(len(group), generator=drawn)]
    return noise[:, :, order[:count]]
