"""Deciding where the edge of a matte lies: guided filters, clean-up of stray parts, full-size edges.

Guided filter: He, Sun, Tang, "Guided Image Filtering", ECCV 2010 / PAMI 2013, in its colour form: within each window
the matte is an affine function of the picture's three channels, so its edge snaps to the picture's edge.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Rect

Soft = NDArray[np.float32]
"""(H, W) float32 coverage 0…1."""


def _box(values: NDArray[np.floating], radius: int) -> NDArray[np.float32]:
    side = 2 * radius + 1
    return np.asarray(cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)


class ColourGuide:
    """The part of a colour guided filter that depends on the picture alone; reused for every matte of a frame."""

    def __init__(self, picture: NDArray[np.uint8], radius: int, epsilon: float) -> None:
        """``picture`` (H, W, 3) uint8; ``radius`` in pixels; ``epsilon`` is the noise variance on a 0…1 scale."""
        self._radius = radius
        guide = np.asarray(picture, np.float32) * np.float32(1 / 255)
        self._guide = guide
        self._mean = _box(guide, radius)
        r, g, b = (guide[..., i] for i in range(3))
        mr, mg, mb = (self._mean[..., i] for i in range(3))
        products = _box(np.dstack([r * r, r * g, r * b, g * g]), radius)
        others = _box(np.dstack([g * b, b * b]), radius)
        rr = products[..., 0] - mr * mr + epsilon
        rg = products[..., 1] - mr * mg
        rb = products[..., 2] - mr * mb
        gg = products[..., 3] - mg * mg + epsilon
        gb = others[..., 0] - mg * mb
        bb = others[..., 1] - mb * mb + epsilon
        # Inverse of the symmetric 3x3 covariance by cofactors.
        irr, irg, irb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
        igg, igb, ibb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
        scale = 1.0 / np.maximum(rr * irr + rg * irg + rb * irb, 1e-12)
        self._inverse = tuple(m * scale for m in (irr, irg, irb, igg, igb, ibb))

    def filter(self, matte: Soft) -> Soft:
        """The (H, W) matte with its edges moved onto the picture's; clipped to 0…1."""
        mean = _box(matte, self._radius)
        cross = _box(self._guide * matte[..., None], self._radius) - self._mean * mean[..., None]
        cr, cg, cb = (cross[..., i] for i in range(3))
        irr, irg, irb, igg, igb, ibb = self._inverse
        slope = np.dstack(
            [irr * cr + irg * cg + irb * cb, irg * cr + igg * cg + igb * cb, irb * cr + igb * cg + ibb * cb]
        )
        offset = mean - (slope * self._mean).sum(-1)
        smooth = (_box(slope, self._radius) * self._guide).sum(-1) + _box(offset, self._radius)
        return np.clip(smooth, 0.0, 1.0)


def sharpened(matte: Soft, gain: float = 1.6) -> Soft:
    """Contrast around one half raised by ``gain``, clipped to 0…1."""
    return np.clip((matte - 0.5) * gain + 0.5, 0.0, 1.0).astype(np.float32)


def parts(inside: NDArray, connectivity: Literal[4, 8] = 8) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray]:
    """Connected parts: (H, W) names (0 = outside), the area of each name (0 for outside) and OpenCV's statistics."""
    _, names, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=connectivity)
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    areas[0] = 0
    return np.asarray(names, np.int32), areas, stats


def signed_distance(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(H, W) distance to the edge in pixels, positive inside. All-in and all-out give a constant of ±(H + W)."""
    height, width = inside.shape
    if not inside.any():
        return np.full(inside.shape, -(height + width), np.float32)
    if inside.all():
        return np.full(inside.shape, height + width, np.float32)
    mask = inside.astype(np.uint8)
    within = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    beyond = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    return np.asarray(np.where(inside, within - 0.5, 0.5 - beyond), np.float32)


def without_strays(matte: Soft, expected: Soft, overlap: float = 0.15, smallest: float = 0.02) -> Soft:
    """Drop parts that do not continue ``expected`` and close pinholes.

    A connected part stays when at least ``overlap`` of it lies on ``expected`` > 0.5 and it has at least ``smallest``
    of the largest part's area. Holes smaller than ``smallest`` / 4 of the subject are filled.
    """
    names, areas, _ = parts(matte > 0.5)
    if len(areas) <= 1:
        return matte
    on = np.bincount(names.ravel(), weights=(expected > 0.5).ravel(), minlength=len(areas))
    keep = (on >= overlap * areas) & (areas >= smallest * areas.max())
    keep[0] = True
    result = matte if keep.all() else np.where(keep[names], matte, np.minimum(matte, 0.25))
    inside = result > 0.5
    gaps, sizes, stats = parts(~inside, 4)
    holes = (sizes > 0) & (sizes <= smallest / 4 * inside.sum())
    for name in np.flatnonzero(holes):
        holes[name] = not _touches_border(stats[name], inside.shape)
    if holes.any():
        result = np.where(holes[gaps], np.maximum(result, 0.75), result)
    return np.asarray(result, np.float32)


def _touches_border(stat: NDArray, shape: tuple[int, ...]) -> bool:
    left, top = stat[cv2.CC_STAT_LEFT], stat[cv2.CC_STAT_TOP]
    right, bottom = left + stat[cv2.CC_STAT_WIDTH], top + stat[cv2.CC_STAT_HEIGHT]
    return left == 0 or top == 0 or right == shape[1] or bottom == shape[0]


def bounds(matte: NDArray, threshold: float, margin: int) -> Rect | None:
    """The rectangle around pixels above ``threshold``, grown by ``margin`` within the picture; None without any."""
    inside = matte > threshold
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return None
    box = Rect(int(columns[0]), int(rows[0]), int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1)
    return box.grown(margin).intersected(Rect(0, 0, matte.shape[1], matte.shape[0]))


def full_size(picture: NDArray[np.uint8], matte: Soft, radius: int = 4, epsilon: float = 5e-4) -> NDArray[np.uint8]:
    """A working-size matte brought to the size of ``picture`` (H, W, 3) with its edge decided there.

    Returns (H, W) uint8 coverage. ``radius`` is in full-size pixels for a scale of 2 and grows with the scale.
    """
    height, width = picture.shape[:2]
    scale = height / matte.shape[0]
    box = bounds(matte, 0.02, 2)
    result = np.zeros((height, width), np.uint8)
    if box is None:
        return result
    reach = max(2, round(radius * scale / 2))
    large = np.asarray(cv2.resize(matte, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    area = bounds(large, 0.02, 3 * reach)
    if area is None:
        return result
    window = np.s_[area.y : area.bottom, area.x : area.right]
    crop = np.ascontiguousarray(large[window])
    edge = ColourGuide(np.ascontiguousarray(picture[window]), reach, epsilon).filter(crop)
    # Far from the edge the working matte already knows: the filter only decides within its reach.
    settled = sharpened(edge, 1.6)
    core = (crop > 0.99) & (edge > 0.6)
    settled[core] = 1.0
    settled[crop < 0.01] = 0.0
    result[window] = np.round(settled * 255).astype(np.uint8)
    return result
