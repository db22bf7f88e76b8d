"""Kuwahara abstraction: smooths inside regions, keeps and sharpens their borders.

The eight-sector Gaussian Kuwahara filter (Kyprianidis, Kang, Döllner 2009) with every sector as a shifted Gaussian
window, so
that one blur serves all eight; windows are stretched along the smoothed structure tensor. Cost does not grow with
radius.
"""

from __future__ import annotations

import cv2
import numpy as np

from gen2studio.example.compiled import Team
from gen2studio.example.filters import gaussian, luma
from gen2studio.example.kernels import F32
from gen2studio.example.pixel_kernels import sector_blend


def tangent_field(picture: F32, sigma: float = 2.5) -> F32:
    """(H, W, 3) direction along edges (cos, sin) and coherence 0…1 of an (H, W, 3) or (H, W) float picture."""
    grey = picture if picture.ndim == 2 else luma(picture)
    gx = cv2.Scharr(grey, cv2.CV_32F, 1, 0)
    gy = cv2.Scharr(grey, cv2.CV_32F, 0, 1)
    tensor = gaussian(np.dstack([gx * gx, gy * gy, gx * gy]), sigma)
    e, f, g = tensor[..., 0], tensor[..., 1], tensor[..., 2]
    root = np.sqrt((e - f) ** 2 + 4 * g * g)
    angle = 0.5 * np.arctan2(2 * g, e - f) + np.pi / 2
    coherence = root / (e + f + 1e-6)
    return np.dstack([np.cos(angle), np.sin(angle), np.clip(coherence, 0, 1)]).astype(np.float32)


def kuwahara(
    picture: F32,
    radius: float,
    team: Team,
    *,
    stretch: float = 0.6,
    hardness: float = 900.0,
    tangent: F32 | None = None,
) -> F32:
    """Abstract an (H, W, 3) float picture 0…1 with windows of about ``radius`` px. ``stretch`` 0 = round windows."""
    if radius < 0.6:
        return picture
    sigma = max(0.5, radius * 0.42)
    shrink = 2 if sigma > 6 else 1
    work = picture
    if shrink > 1:
        work = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    mean = gaussian(work, sigma / shrink)
    square = gaussian(np.einsum("ijk,ijk->ij", work, work), sigma / shrink)
    if shrink > 1:
        size = (picture.shape[1], picture.shape[0])
        mean = np.asarray(cv2.resize(mean, size, interpolation=cv2.INTER_LINEAR), np.float32)
        square = cv2.resize(square, size, interpolation=cv2.INTER_LINEAR)
    along = tangent if tangent is not None else tangent_field(mean, max(1.5, radius * 0.5))
    result = np.empty_like(picture)
    flat = np.ascontiguousarray(square, np.float32)
    team.over(
        picture.shape[0], lambda a, b: sector_blend(mean, flat, along, radius * 0.8, stretch, hardness, result, a, b)
    )
    return result
