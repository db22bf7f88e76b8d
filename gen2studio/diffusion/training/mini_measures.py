"""What the evaluator measures with: signal-to-noise, edge agreement, warping error. All on float frames in 0…1."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
"""Clips [T, H, W, 3], masks [T, H, W], flows [T−1, H, W, 2] in pixels."""


def psnr(made: F32, true: F32, where: F32 | None = None) -> float:
    """Peak signal-to-noise ratio in dB over all pixels, or those where ``where`` > 0.5 ([..., H, W])."""
    error = (made.astype(np.float64) - true) ** 2
    if where is not None:
        chosen = np.broadcast_to((where > 0.5)[..., None], error.shape)
        if not chosen.any():
            return float("nan")
        error = error[chosen]
    return float(-10 * np.log10(max(1e-10, error.mean())))


def edge_map(clip: F32) -> F32:
    """Gradient magnitude of luma, scaled per clip by its 99th percentile: [T, H, W] in 0…1."""
    maps: list[F32] = []
    for frame in clip:
        luma = cv2.GaussianBlur(cv2.cvtColor(frame.astype(np.float32), cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
        maps.append(np.hypot(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)))
    stacked = np.stack(maps)
    return np.clip(stacked / max(1e-6, float(np.percentile(stacked, 99))), 0, 1).astype(np.float32)


def edge_correlation(made: F32, true: F32) -> float:
    """Pearson correlation of the edge maps of two clips."""
    a, b = edge_map(made).ravel(), edge_map(true).ravel()
    if a.std() < 1e-6 or b.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def warp_error(clip: F32, flow: F32) -> float:
    """Mean absolute difference between each frame and the next one fetched back along the exact flow, over pixels whose
    target is inside and not covered by something that moves otherwise (flow there agrees within a pixel)."""
    total, count = 0.0, 0
    height, width = clip.shape[1:3]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    for t in range(len(flow)):
        target = grid + flow[t]
        back = cv2.remap(
            clip[t + 1].astype(np.float32),
            target[..., 0],
            target[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        inside = (
            (target[..., 0] >= 0)
            & (target[..., 0] <= width - 1)
            & (target[..., 1] >= 0)
            & (target[..., 1] <= height - 1)
        )
        if t + 1 < len(flow):
            there = cv2.remap(np.ascontiguousarray(flow[t + 1]), target[..., 0], target[..., 1], cv2.INTER_LINEAR)
            inside &= np.abs(there - flow[t]).max(-1) < 1.0
        error = np.abs(back - clip[t]).mean(-1)
        total += float(error[inside].sum())
        count += int(inside.sum())
    return total / max(1, count)


def frame_change(clip: F32) -> float:
    """Mean absolute difference between neighbouring frames, in 0…255 levels."""
    return float(np.abs(np.diff(clip, axis=0)).mean() * 255) if len(clip) > 1 else 0.0
