"""Long clips: overlapping windows in latent space inside one denoising loop, and a colour lock between them.

Every step predicts each window on its own and blends the predictions with triangular weights, so the windows agree
wherever they overlap (MultiDiffusion, arXiv 2302.08113, along time). Reference latents are attached to every window.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from gen2studio.engine.events import Picture

Predict = Callable[["Tensor", "Tensor"], "Tensor"]
"""(hidden_states (B, C, T, h, w) of some frames, their indices (T)) → prediction (B, C', T, h, w)."""


def spans(count: int, window: int, overlap: int) -> tuple[tuple[int, int], ...]:
    """Windows [start, stop) of at most ``window`` frames over ``count``, at least ``overlap`` shared by neighbours.

    All have the same length; the overlaps are made as even as whole frames allow.
    """
    if window <= 0 or count <= window:
        return ((0, count),)
    stride = max(1, window - overlap)
    pieces = -(-(count - window) // stride) + 1
    last = count - window
    starts = [round(k * last / (pieces - 1)) for k in range(pieces)]
    return tuple((start, start + window) for start in starts)


def weights(length: int) -> NDArray[np.float32]:
    """Triangle of ``length``, highest in the middle, above zero at both ends."""
    rise = np.arange(1, length + 1, dtype=np.float32)
    return np.minimum(rise, rise[::-1])


def predict_windows(predict: Predict, hidden: Tensor, window: int, overlap: int, references: int) -> Tensor:
    """The prediction for all of ``hidden``; exactly ``predict`` when it fits into one window.

    The first ``references`` frames are reference latents: every window sees them, and their predictions are averaged.
    """
    import torch

    count = hidden.shape[2] - references
    parts = spans(count, window, overlap)
    if len(parts) == 1:
        return predict(hidden, torch.arange(hidden.shape[2], device=hidden.device))
    total: Tensor | None = None
    sums = torch.zeros(hidden.shape[2], device=hidden.device)
    ramp = torch.from_numpy(weights(parts[0][1] - parts[0][0])).to(hidden.device)
    for start, stop in parts:
        chosen = torch.tensor([*range(references), *range(references + start, references + stop)], device=hidden.device)
        made = predict(hidden.index_select(2, chosen), chosen).float()
        if total is None:
            total = made.new_zeros((*made.shape[:2], hidden.shape[2], *made.shape[3:]))
        weight = torch.cat([torch.ones(references, device=hidden.device), ramp])
        total.index_add_(2, chosen, made * weight[None, None, :, None, None])
        sums.index_add_(0, chosen, weight)
    assert total is not None
    return (total / sums[None, None, :, None, None]).to(hidden.dtype)


# -- colour lock -------------------------------------------------------------------------------------------------------


def lab_statistics(pictures: Sequence[Picture]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (3,) of CIELAB over all pixels of some pictures."""
    import cv2

    sums, squares, count = np.zeros(3), np.zeros(3), 0
    for picture in pictures:
        lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float64)
        sums += lab.sum(0)
        squares += (lab**2).sum(0)
        count += len(lab)
    mean = sums / max(1, count)
    deviation = np.sqrt(np.maximum(squares / max(1, count) - mean**2, 0))
    return mean, deviation


def window_drift(pictures: Sequence[Picture], parts: Sequence[tuple[int, int]]) -> float:
    """Mean CIELAB distance between the mean colours of neighbouring windows."""
    means = [lab_statistics(pictures[start:stop])[0] for start, stop in parts]
    steps = [float(np.linalg.norm(b - a)) for a, b in itertools.pairwise(means)]
    return float(np.mean(steps)) if steps else 0.0


_PASSES = 4
_SAMPLED = 96
"""Side in pixels of the thinned pictures that statistics are taken from."""


@dataclass(frozen=True, slots=True)
class ColourReference:
    """What later windows are held to: (mean, deviation) of the first one, and of the footage under it."""

    look: tuple[NDArray[np.float64], NDArray[np.float64]]
    footage: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None


def colour_lock(
    pictures: Sequence[Picture],
    parts: Sequence[tuple[int, int]],
    footage: Sequence[Picture] = (),
    reference: ColourReference | None = None,
) -> tuple[list[Picture], ColourReference]:
    """Take away the drift of colour from window to window (Reinhard et al., "Color transfer between images", 2001).

    Every window's mean and deviation in CIELAB are brought to those of ``reference`` (None = the first one's own); the
    correction runs smoothly from window centre to window centre, so no join becomes visible. With ``footage`` (one
    picture a frame) the change that the footage itself shows between the windows is kept: a shot that really gets
    darker stays so. Returns the pictures and what the next run of the same clip is to be held to.
    """
    thin, under = _thinned(pictures), _thinned(footage)
    own = [lab_statistics(under[start:stop]) for start, stop in parts] if under else []
    if reference is None:
        look = lab_statistics(thin[parts[0][0] : parts[0][1]])
        reference = ColourReference(look, own[0] if own else None)
        if len(parts) < 2:
            return list(pictures), reference
    targets: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for number in range(len(parts)):
        mean, deviation = reference.look
        if own and reference.footage is not None:
            # Kept: how the footage changes, with the contrast that the look has beside the footage's.
            mean = mean + (own[number][0] - reference.footage[0])
            deviation = deviation * (own[number][1] + 1) / (reference.footage[1] + 1)
        targets.append((mean, deviation))
    locked = thin
    centres = [(start + stop - 1) / 2 for start, stop in parts]
    at = np.arange(len(pictures), dtype=np.float64)
    gain, shift = np.ones((len(pictures), 3)), np.zeros((len(pictures), 3))
    # Frames between two centres get a mixture of two corrections, so one pass leaves some drift; it shrinks with each.
    for _ in range(_PASSES):
        gains: list[NDArray[np.float64]] = []
        shifts: list[NDArray[np.float64]] = []
        for (start, stop), (wanted, spread) in zip(parts, targets, strict=True):
            mean, deviation = lab_statistics(locked[start:stop])
            more = np.clip((spread + 1e-3) / (deviation + 1e-3), 0.8, 1.25)
            gains.append(more)
            shifts.append(wanted - more * mean)
        more_at = np.stack([np.interp(at, centres, [g[c] for g in gains]) for c in range(3)], 1)
        shift_at = np.stack([np.interp(at, centres, [s[c] for s in shifts]) for c in range(3)], 1)
        gain, shift = more_at * gain, more_at * shift + shift_at
        # Always from the pictures as they came: rounding must not add up.
        locked = [_adjusted(p, gain[i], shift[i]) for i, p in enumerate(thin)]
    return [_adjusted(p, gain[i], shift[i]) for i, p in enumerate(pictures)], reference


def _thinned(pictures: Sequence[Picture]) -> list[Picture]:
    return [p[:: max(1, p.shape[0] // _SAMPLED), :: max(1, p.shape[1] // _SAMPLED)] for p in pictures]


def _adjusted(picture: Picture, gain: NDArray[np.float64], shift: NDArray[np.float64]) -> Picture:
    import cv2

    if np.allclose(gain, 1, atol=1e-3) and np.allclose(shift, 0, atol=0.05):
        return picture
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab = lab * gain.astype(np.float32) + shift.astype(np.float32)
    back = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return np.clip(np.rint(back * 255), 0, 255).astype(np.uint8)
