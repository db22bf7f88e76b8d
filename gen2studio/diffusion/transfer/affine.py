"""A colour transform as an affine model per window, fitted small and applied large.

The colour form of the guided filter with the small result as its input (He, Sun, Tang, PAMI 2013), fitted at low
resolution and applied at full resolution (He and Sun, "Fast Guided Filter", arXiv 1505.00996).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
F32 = NDArray[np.float32]

RIDGE = 2e-3
"""Pull of each window towards the picture's global model, as a variance of sRGB 0…1: flatter windows take it."""


@dataclass(frozen=True, slots=True)
class AffineTransfer:
    """(h, w, 3, 4) float32: result colour = model · (r, g, b, 1), all 0…1, by place of the small picture."""

    models: F32

    def mixed(self, other: AffineTransfer, share: float) -> AffineTransfer:
        """``share`` (0…1) of the way to ``other``."""
        if other.models.shape != self.models.shape:
            raise ValueError("transfers of different sizes can't be mixed")
        return AffineTransfer(np.asarray(self.models + np.float32(share) * (other.models - self.models), np.float32))

    def transformed(self, unit: F32) -> F32:
        """The full-size picture (H, W, 3) float32 0…1 transformed, not clamped."""
        height, width = unit.shape[:2]
        out = np.empty_like(unit)
        for channel in range(3):
            rows = np.asarray(
                cv2.resize(self.models[:, :, channel], (width, height), interpolation=cv2.INTER_LINEAR), np.float32
            )
            out[..., channel] = (rows[..., :3] * unit).sum(-1) + rows[..., 3]
        return out


def fit_affine(small_source: Picture, small_result: Picture, radius: int = 0, ridge: float = RIDGE) -> AffineTransfer:
    """Fit from two (h, w, 3) uint8 pictures of one size. ``radius`` 0 = a twelfth of the short side."""
    x = np.asarray(small_source / np.float32(255), np.float32)
    y = np.asarray(small_result / np.float32(255), np.float32)
    reach = radius or max(2, min(x.shape[:2]) // 12)
    window = (2 * reach + 1, 2 * reach + 1)

    def mean(plane: F32) -> F32:
        return np.asarray(cv2.blur(plane, window, borderType=cv2.BORDER_REFLECT), np.float32)

    everywhere = global_model(x, y)
    # What the global model leaves is small and local: regressing it shrinks windows towards the global model.
    rest = np.asarray(y - (x @ everywhere[:, :3].T + everywhere[:, 3]), np.float32)
    mean_x, mean_rest = mean(x), mean(rest)
    covariance = np.empty((*x.shape[:2], 3, 3), np.float32)
    for i in range(3):
        for j in range(i, 3):
            covariance[..., i, j] = covariance[..., j, i] = (
                mean(np.ascontiguousarray(x[..., i] * x[..., j])) - mean_x[..., i] * mean_x[..., j]
            )
    cross = np.empty((*x.shape[:2], 3, 3), np.float32)
    for channel in range(3):
        cross[..., channel] = (
            mean(np.asarray(x * rest[..., channel : channel + 1])) - mean_x * mean_rest[..., [channel]]
        )
    slope = np.linalg.solve(covariance + np.float32(ridge) * np.eye(3, dtype=np.float32), cross)
    offset = mean_rest - np.einsum("hwij,hwi->hwj", slope, mean_x)
    models = np.empty((*x.shape[:2], 3, 4), np.float32)
    for channel in range(3):
        models[:, :, channel, :3] = mean(np.ascontiguousarray(slope[..., channel])) + everywhere[channel, :3]
        models[:, :, channel, 3] = mean(np.ascontiguousarray(offset[..., channel])) + everywhere[channel, 3]
    return AffineTransfer(models)


def global_model(x: F32, y: F32, ridge: float = 1e-3) -> F32:
    """(3, 4) least-squares affine colour model of (…, 3) pictures 0…1, pulled towards one gain for all channels."""
    a = x.reshape(-1, 3).astype(np.float64)
    b = y.reshape(-1, 3).astype(np.float64)
    mean_a, mean_b = a.mean(0), b.mean(0)
    centred, target = a - mean_a, b - mean_b
    gain = float(np.clip((centred * target).sum() / max((centred * centred).sum(), 1e-9), 0.1, 3.0))
    square = centred.T @ centred / len(a) + ridge * np.eye(3)
    slope = np.linalg.solve(square, centred.T @ target / len(a) + ridge * gain * np.eye(3))
    model = np.empty((3, 4), np.float32)
    model[:, :3] = slope.T
    model[:, 3] = mean_b - mean_a @ slope
    return model
