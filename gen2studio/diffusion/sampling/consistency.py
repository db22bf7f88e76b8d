"""Frame-consistency guidance: how much frames are held together, between single pictures and a video.

Gen-1 (Esser et al., "Structure and Content-Guided Video Synthesis with Diffusion Models", arXiv 2302.03011, sec. 3.4)
combines three predictions:

    μ̃(z, t, c, s) = μ^π(z, t, ∅, s) + ω_t (μ(z, t, ∅, s) − μ^π(z, t, ∅, s)) + ω (μ(z, t, c, s) − μ(z, t, ∅, s))

μ is the video model and μ^π the same weights run on every frame by itself; c the prompt, s the structure, ω the text
guidance and ω_t the consistency. ω_t = 1 is plain guidance and costs nothing; below, frames go their own ways, above
they are held together more than the model would by itself. One extra pass a step, at about the cost of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

NEUTRAL = 1.0
_BATCH = 8
"""One-frame clips in one batch: keeps the peak memory near that of the video pass, and cancelling quick."""


def active(consistency: float) -> bool:
    return abs(consistency - NEUTRAL) > 1e-3


def predict_frames(
    predict: Callable[[Tensor, list[Tensor]], Tensor], hidden: Tensor, references: int, video: Tensor
) -> Tensor:
    """μ^π: every frame as a one-frame clip through the same weights, with what steers that frame.

    ``predict`` takes (batch, C, references + 1, h, w) and the indices of each clip's frames; ``hidden`` is
    (1, C, T, h, w) and ``video`` its video prediction, which stands in for the reference frames.
    """
    import torch

    out = video.clone()
    count = hidden.shape[2] - references
    for begin in range(0, count, _BATCH):
        chosen = range(begin, min(begin + _BATCH, count))
        rows = [torch.tensor([*range(references), references + frame], device=hidden.device) for frame in chosen]
        made = predict(torch.cat([hidden.index_select(2, row) for row in rows]), rows)
        out[0, :, references + begin : references + begin + len(rows)] = made[:, :, -1].transpose(0, 1)
    return out


def combine(frames: Tensor, video: Tensor, consistency: float) -> Tensor:
    """μ^π + ω_t (μ − μ^π), in float32, back in ``video``'s type."""
    return (frames.float() + consistency * (video.float() - frames.float())).to(video.dtype)
