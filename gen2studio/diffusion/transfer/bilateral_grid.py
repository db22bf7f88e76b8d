"""A colour transform as affine models in a bilateral grid: x, y and luminance.

Chen, Adams, Wadhwa, Hasinoff: "Bilateral Guided Upsampling", SIGGRAPH Asia 2016; the slicing is that of Gharbi et al.,
"Deep Bilateral Learning for Real-Time Image Enhancement", SIGGRAPH 2017. The fit is direct: every cell gathers the
normal equations of the pixels in it and, blurred, of its neighbours, and is pulled towards the global model.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.diffusion.conditioning.splatting import sampled
from gen2studio.diffusion.transfer.affine import global_model

Picture = NDArray[np.uint8]
F32 = NDArray[np.float32]

CELLS = 14
"""Cells along the short side: about nine pixels of a 128-pixel picture each."""
LEVELS = 8
"""Cells of luminance."""
RIDGE = 1e-3
"""Pull towards the global model, as a share of a cell's full weight, on top of the pull of empty cells."""
_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class GridTransfer:
    """(levels, rows, columns, 3, 4) float32: result colour = model · (r, g, b, 1), all 0…1."""

    models: F32

    def mixed(self, other: GridTransfer, share: float) -> GridTransfer:
        """``share`` (0…1) of the way to ``other``."""
        if other.models.shape != self.models.shape:
            raise ValueError("transfers of different sizes can't be mixed")
        return GridTransfer(np.asarray(self.models + np.float32(share) * (other.models - self.models), np.float32))

    def transformed(self, unit: F32) -> F32:
        """The full-size picture (H, W, 3) float32 0…1 transformed, not clamped."""
        height, width = unit.shape[:2]
        levels, rows, columns = self.models.shape[:3]
        # The levels one above the other as one tall picture, each with its border repeated, so that OpenCV's bilinear
        # sampling never mixes two levels.
        padded = np.pad(self.models, ((0, 0), (1, 1), (0, 0), (0, 0), (0, 0)), "edge")
        atlas = np.ascontiguousarray(padded.reshape(levels * (rows + 2), columns, 3, 4))
        x = ((np.arange(width, dtype=np.float32) + 0.5) * columns / width - 0.5).astype(np.float32)
        y = ((np.arange(height, dtype=np.float32) + 0.5) * rows / height - 0.5).astype(np.float32)
        level = np.clip(unit @ _WEIGHTS * levels - np.float32(0.5), 0, levels - 1).astype(np.float32)
        low = np.minimum(np.floor(level), levels - 2).astype(np.float32)
        part = (level - low)[..., None]
        places = np.empty((height, width, 2), np.float32)
        places[..., 0] = x
        places[..., 1] = y[:, None] + 1 + low * (rows + 2)
        above = places.copy()
        above[..., 1] += rows + 2
        out = np.empty_like(unit)
        for channel in range(3):
            plane = np.ascontiguousarray(atlas[:, :, channel])
            below = sampled(plane, places, cv2.BORDER_REPLICATE)
            model = below + part * (sampled(plane, above, cv2.BORDER_REPLICATE) - below)
            out[..., channel] = (model[..., :3] * unit).sum(-1) + model[..., 3]
        return out


def fit_grid(
    small_source: Picture, small_result: Picture, cells: int = CELLS, levels: int = LEVELS, ridge: float = RIDGE
) -> GridTransfer:
    """Fit from two (h, w, 3) uint8 pictures of one size."""
    x = small_source.astype(np.float32) / np.float32(255)
    y = small_result.astype(np.float32) / np.float32(255)
    height, width = x.shape[:2]
    scale = cells / min(height, width)
    rows, columns = max(2, round(height * scale)), max(2, round(width * scale))
    everywhere = global_model(x, y)
    rest = np.asarray(y - (x @ everywhere[:, :3].T + everywhere[:, 3]), np.float32)

    gathered = _gathered(x, rest, rows, columns, levels)
    moments, cross, weight = gathered[..., :16], gathered[..., 16:28], gathered[..., 0:1]
    # A full cell weighs as many pixels as it has room for; pulls are shares of that.
    full = height * width / (rows * columns * 3)
    pull = np.float32(full) * np.diag(np.array([0.004, 0.02, 0.02, 0.02], np.float32) + np.float32(ridge))
    square = moments.reshape(*moments.shape[:3], 4, 4) + pull
    solved = np.linalg.solve(square, cross.reshape(*cross.shape[:3], 4, 3))
    # Cells that nothing fell into borrow from their neighbours before they fall back to the global model.
    trust = np.asarray(weight / (weight + np.float32(0.02 * full)), np.float32)
    flat = np.asarray(solved.reshape(*solved.shape[:3], 12) * trust, np.float32)
    spread = _blurred(flat, 2) / np.maximum(_blurred(trust, 2), 1e-4)
    local = (flat + (1 - trust) * spread).reshape(*solved.shape)
    models = np.empty((levels, rows, columns, 3, 4), np.float32)
    # The unknowns are ordered (1, r, g, b).
    models[..., :3] = np.swapaxes(local[..., 1:, :], -1, -2) + everywhere[:, :3]
    models[..., 3] = local[..., 0, :] + everywhere[:, 3]
    return GridTransfer(models)


def _gathered(x: F32, rest: F32, rows: int, columns: int, levels: int) -> F32:
    """(levels, rows, columns, 28) the normal equations of every cell, blurred over its neighbours: 16 of the moments of
    (1, r, g, b) and 12 of their products with what is to be explained."""
    height, width = x.shape[:2]
    one = np.concatenate([np.ones((height, width, 1), np.float32), x], -1)
    terms = np.concatenate(
        [
            (one[..., :, None] * one[..., None, :]).reshape(height, width, 16),
            (one[..., :, None] * rest[..., None, :]).reshape(height, width, 12),
        ],
        -1,
    )
    level = np.clip(x @ _WEIGHTS * levels - np.float32(0.5), 0, levels - 1)
    low = np.minimum(np.floor(level), levels - 2).astype(np.intp)
    part = (level - low).astype(np.float32)
    row = np.minimum((np.arange(height) * rows) // height, rows - 1)[:, None]
    column = np.minimum((np.arange(width) * columns) // width, columns - 1)[None]
    cell = (low * rows + row) * columns + column
    flat = terms.reshape(-1, 28)
    size = levels * rows * columns
    out = np.empty((size, 28), np.float32)
    down, up = (1 - part).ravel(), part.ravel()
    here, above = cell.ravel(), (cell + rows * columns).ravel()
    for term in range(28):
        values = flat[:, term]
        out[:, term] = np.bincount(here, values * down, size) + np.bincount(above, values * up, size)
    return _blurred(out.reshape(levels, rows, columns, 28), 1)


def _blurred(grid: F32, times: int) -> F32:
    """Blurred ``times`` times by 1-2-1 along all three axes, borders repeated."""
    for _ in range(times):
        for axis in range(3):
            padded = np.concatenate([np.take(grid, [0], axis), grid, np.take(grid, [-1], axis)], axis)
            count = grid.shape[axis]
            grid = (
                0.25 * np.take(padded, range(count), axis)
                + 0.5 * np.take(padded, range(1, count + 1), axis)
                + 0.25 * np.take(padded, range(2, count + 2), axis)
            ).astype(np.float32)
    return grid
