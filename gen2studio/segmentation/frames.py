"""A frame prepared for tracking at working size: small picture, Lab, luma and local features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent
from gen2studio.raster.flow import grey
from gen2studio.segmentation.refine import ColourGuide

WORK_SIDE = 428
"""Long side in pixels at which motion and appearance are worked out; the edge is decided at full size."""

STRIDE = 2
"""Local features are taken at every second working pixel."""


def work_extent(width: int, height: int) -> Extent:
    """The working size for a picture: long side at most :data:`WORK_SIDE`, never enlarged, never below 16 px."""
    scale = min(1.0, WORK_SIDE / max(width, height))
    return Extent(max(16, round(width * scale)), max(16, round(height * scale)))


@dataclass(frozen=True)
class WorkFrame:
    """One frame at working size. Arrays are shared between threads and never written."""

    index: int
    picture: NDArray[np.uint8]
    """(h, w, 3) uint8 sRGB."""

    @staticmethod
    def of(index: int, picture: NDArray[np.uint8], extent: Extent) -> WorkFrame:
        """Reduce a full-size (H, W, 3) picture by area averaging."""
        if picture.shape[1] == extent.width and picture.shape[0] == extent.height:
            small = np.ascontiguousarray(picture)
        else:
            small = np.asarray(
                cv2.resize(picture, (extent.width, extent.height), interpolation=cv2.INTER_AREA), np.uint8
            )
        return WorkFrame(index, small)

    def prepared(self) -> WorkFrame:
        """Compute everything that every object needs, here and now (on the thread that calls)."""
        _ = self.luma, self.lab, self.features, self.guide, self.colour_index
        return self

    @cached_property
    def luma(self) -> NDArray[np.uint8]:
        """(h, w) uint8 luma."""
        return grey(self.picture)

    @cached_property
    def lab(self) -> NDArray[np.float32]:
        """(h, w, 3) CIE Lab: L 0…100, a and b about ±100."""
        return np.asarray(cv2.cvtColor(np.asarray(self.picture, np.float32) / 255, cv2.COLOR_RGB2Lab), np.float32)

    @cached_property
    def colour_index(self) -> NDArray[np.int32]:
        """(h, w) cell of each pixel in a 32×32×32 Lab cube (8-bit Lab: L scaled to 0…255, a and b offset by 128)."""
        lab = np.asarray(cv2.cvtColor(self.picture, cv2.COLOR_RGB2Lab), np.int32) >> 3
        return (lab[..., 0] << 10) | (lab[..., 1] << 5) | lab[..., 2]

    @cached_property
    def guide(self) -> ColourGuide:
        """Guided filter of this picture at working size."""
        return ColourGuide(self.picture, 6, 2e-3)

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """(h/2, w/2, 20) local appearance: Lab and contrast at three blurs, oriented gradient energy at two."""
        lab = self.lab
        lightness = np.ascontiguousarray(lab[..., 0])
        dx = cv2.Sobel(lightness, cv2.CV_32F, 1, 0, ksize=3, scale=0.25)
        dy = cv2.Sobel(lightness, cv2.CV_32F, 0, 1, ksize=3, scale=0.25)
        diagonal = np.float32(np.sqrt(0.5))
        energy = np.abs(np.dstack([dx, dy, (dx + dy) * diagonal, (dx - dy) * diagonal]))
        parts: list[NDArray[np.float32]] = []
        for sigma in (1.0, 2.5, 6.0):
            blurred = _blur(lab, sigma)
            parts.append(blurred)
            mean, square = _blur(lightness, sigma * 1.5), _blur(lightness * lightness, sigma * 1.5)
            parts.append(np.sqrt(np.maximum(square - mean * mean, 0))[..., None])
        for sigma in (2.0, 5.0):
            parts.append(np.sqrt(_blur(energy, sigma)))
        return np.concatenate(parts, -1)


def _blur(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Gaussian blur sampled at :data:`STRIDE`; wide ones are made at the reduced size, where they cost a quarter."""
    if sigma < 2:
        wide = cv2.GaussianBlur(values, (0, 0), sigma)
        return np.asarray(wide[::STRIDE, ::STRIDE], np.float32)
    height, width = values.shape[:2]
    small = cv2.resize(values, (-(-width // STRIDE), -(-height // STRIDE)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), sigma / STRIDE), np.float32)
