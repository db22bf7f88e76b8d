"""Masks for models with causal temporal compression: grown, pooled over groups, never leaking.

Convention of VACE: 255 = generate, 0 = keep. A causal video autoencoder makes latent 0 of frame 0 alone and latent k of
frames ``group·(k−1)+1 … group·k``; a pixel that is generated in any frame of a group has to be generated in all of its
latent, or the source shows through the edit.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.raster import morphology

Matte = NDArray[np.uint8]
"""(H, W) uint8 0…255."""


def dilate(mask: Matte, pixels: float) -> Matte:
    """Grown by ``pixels`` with round corners (shrunk when negative). Tight masks make a model redraw the old shape."""
    return morphology.grow(mask, pixels)


def binary(mask: Matte, threshold: int = 128) -> Matte:
    """0 or 255: pipelines binarise at a half anyway, and what they do should be seen before."""
    return np.where(mask >= threshold, np.uint8(255), np.uint8(0)).astype(np.uint8)


def fit_mask(mask: Matte, size: tuple[int, int]) -> Matte:
    """Resized to ``size`` (width, height) so that nothing marked is lost: shrinking takes the maximum of what falls
    into a pixel, enlarging interpolates. Returns 0…255."""
    height, width = mask.shape
    if (width, height) == size:
        return mask.copy()
    if size[0] > width or size[1] > height:
        return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return _pooled(mask, size)


def frame_groups(count: int, group: int = 4) -> list[range]:
    """The frames of each latent for ``count`` pixel frames: frame 0 alone, then ``group`` at a time. The last group is
    short where ``count`` isn't ``group``·k+1."""
    if count <= 0:
        raise GenerationError("The range holds no frames.", "Choose a range of at least one frame.")
    return [range(0, 1), *(range(i, min(count, i + group)) for i in range(1, count, group))]


def pool_groups(masks: Sequence[Matte], group: int = 4) -> list[Matte]:
    """As many masks as came in, each the maximum over its causal group: what the model is told in pixel space."""
    out: list[Matte] = []
    for frames in frame_groups(len(masks), group):
        top = np.maximum.reduce([masks[i] for i in frames])
        out.extend([top] * len(frames))
    return out


def latent_masks(masks: Sequence[Matte], size: tuple[int, int], group: int = 4) -> NDArray[np.float32]:
    """(T, h, w) float32 of 0 or 1, one per latent, 1 = generate: the maximum over the causal group and over each latent
    pixel. ``size`` is the latent's (width, height)."""
    latents: list[NDArray[np.float32]] = []
    for frames in frame_groups(len(masks), group):
        top = binary(np.maximum.reduce([masks[i] for i in frames]))
        latents.append((_pooled(top, size) > 0).astype(np.float32))
    return np.stack(latents)


def _pooled(mask: Matte, size: tuple[int, int]) -> Matte:
    """Maximum over the source pixels that each target pixel touches (adaptive max pooling)."""
    height, width = mask.shape
    columns, rows = size
    left = np.arange(columns) * width // columns
    right = -(-(np.arange(1, columns + 1) * width) // columns)
    top = np.arange(rows) * height // rows
    bottom = -(-(np.arange(1, rows + 1) * height) // rows)
    across = np.stack([mask[:, a:b].max(1) for a, b in zip(left, right, strict=True)], 1)
    return np.stack([across[a:b].max(0) for a, b in zip(top, bottom, strict=True)], 0)
