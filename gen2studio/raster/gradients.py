"""Ramps over a whole picture as coverage: full on one side, nothing on the other, even in between."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent
from gen2studio.raster.tiles import Mask


def linear(extent: Extent, x0: float, y0: float, x1: float, y1: float) -> Mask:
    """(H, W) uint8: 255 up to the line through (x0, y0), falling evenly to 0 at the line through (x1, y1), both across
    the way from one to the other. One point for both gives an edge there."""
    dx, dy = x1 - x0, y1 - y0
    length = dx * dx + dy * dy
    if length < 1e-9:
        return np.full((extent.height, extent.width), 255, np.uint8)
    columns = ((np.arange(extent.width) + 0.5 - x0) * (dx / length)).astype(np.float32)
    rows = ((np.arange(extent.height) + 0.5 - y0) * (dy / length)).astype(np.float32)
    return _levels(columns[None, :] + rows[:, None])


def radial(extent: Extent, x: float, y: float, radius: float) -> Mask:
    """(H, W) uint8: 255 at (x, y), falling evenly to 0 at ``radius`` pixels."""
    columns = (np.arange(extent.width) + 0.5 - x).astype(np.float32)
    rows = (np.arange(extent.height) + 0.5 - y).astype(np.float32)
    reach = np.float32(max(1e-3, radius))
    far = (columns * columns)[None, :] + (rows * rows)[:, None]
    np.sqrt(far, out=far)
    np.divide(far, reach, out=far)
    return _levels(np.asarray(far, np.float32))


def _levels(position: NDArray[np.float32]) -> Mask:
    """0 … 1 along the ramp as 255 … 0."""
    np.clip(position, 0.0, 1.0, out=position)
    np.subtract(1.0, position, out=position)
    position *= 255.0
    return np.rint(position, out=position).astype(np.uint8)


def snapped(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float]:
    """The end of a line turned to the nearest eighth of a circle."""
    dx, dy = x1 - x0, y1 - y0
    angle = round(math.atan2(dy, dx) / (math.pi / 4)) * (math.pi / 4)
    along = dx * math.cos(angle) + dy * math.sin(angle)
    return x0 + along * math.cos(angle), y0 + along * math.sin(angle)
