"""General motion as one slider: 0 nearly still, 5 as the model likes it, 10 twice as fast.

Two real effects. The clock: a shot of the same length shows less or more of the model's own time, so every flow in it
scales with the slider. Below the middle the frames' noises also share a common part, which takes away flicker and
undirected stirring that a slower clock would only smooth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

NEUTRAL = 5.0
_SLOWEST = 0.2
_SHARED = 0.6
"""Share of common noise at 0: all of it would freeze some models into one picture."""


def clock_speed(motion: float) -> float:
    """How much of the model's time passes in one second of the shot: 0.2 at 0, 1 at 5, 2 at 10. Rising throughout."""
    motion = min(10.0, max(0.0, motion))
    return _SLOWEST + (1 - _SLOWEST) * motion / NEUTRAL if motion <= NEUTRAL else 1 + (motion - NEUTRAL) / NEUTRAL


def shared_part(motion: float) -> float:
    """Share (of variance) that the frames' noises have in common: 0 at 5 and above."""
    return _SHARED * max(0.0, 1.0 - max(0.0, motion) / NEUTRAL)


def share_noise(noise: Tensor, share: float, references: int = 0) -> Tensor:
    """Mix the first frame's noise into all later ones; every frame keeps unit variance.

    ``noise`` is (1, C, T, h, w) with ``references`` leading frames that are left alone. 0 changes nothing.
    """
    if share <= 0 or noise.shape[2] - references < 2:
        return noise
    out = noise.clone()
    first = noise[:, :, references : references + 1]
    out[:, :, references + 1 :] = share**0.5 * first + (1 - share) ** 0.5 * noise[:, :, references + 1 :]
    return out
