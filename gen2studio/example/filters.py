"""Gaussian blur and gradients with float32 results."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.example.kernels import F32


def gaussian(picture: NDArray, sigma: float) -> F32:
    """Gaussian blur of an (H, W[, C≤4]) float picture; wide ones are taken at reduced size, which can't be told
    apart."""
    if sigma > 8 and min(picture.shape[:2]) > 64:
        factor = 2 if sigma < 12 else 4
        height, width = picture.shape[:2]
        small = cv2.resize(picture, (-(-width // factor), -(-height // factor)), interpolation=cv2.INTER_AREA)
        soft = cv2.GaussianBlur(small, (0, 0), sigma / factor)
        return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), np.float32).reshape(
            picture.shape
        )
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32).reshape(picture.shape)


def gradient(picture: NDArray) -> tuple[F32, F32]:
    """Scharr derivatives along x and y, sixteen times the slope per pixel (cv2's scale)."""
    return np.asarray(cv2.Scharr(picture, cv2.CV_32F, 1, 0), np.float32), np.asarray(
        cv2.Scharr(picture, cv2.CV_32F, 0, 1), np.float32
    )


def slope(picture: F32) -> F32:
    """(H, W) length of the gradient, summed over channels, as :func:`gradient` scales it."""
    gx, gy = gradient(picture)
    square = gx * gx + gy * gy
    return np.sqrt(square if square.ndim == 2 else square.sum(-1)).astype(np.float32)


def resized(picture: NDArray, width: int, height: int, way: int = cv2.INTER_AREA) -> F32:
    """(height, width[, C]) float32."""
    return np.asarray(cv2.resize(picture, (width, height), interpolation=way), np.float32)


def luma(picture: F32) -> F32:
    """(H, W) Rec. 601 luma of float RGB."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)
