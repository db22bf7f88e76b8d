"""Whole-matte operations: grow and shrink, feather, invert, fill holes, despeckle. (H, W) uint8 in, a new array out.

Grey levels are kept: growing is grey-scale dilation by a disc, so that a feathered edge stays feathered. Everything
works inside the bounding box of what is painted, which is what makes it quick on large pictures.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Rect
from gen2studio.raster.tiles import Mask

_STEP = 5
"""Largest disc radius of one pass. A disc of radius 20 is four passes of 5: Minkowski sums of discs are discs."""


def bounds(mask: Mask, threshold: int = 1) -> Rect:
    """The smallest rectangle that holds every pixel of at least ``threshold``; empty when there is none."""
    marked = mask if threshold <= 1 else (mask >= threshold).view(np.uint8)
    x, y, width, height = cv2.boundingRect(marked)
    return Rect(x, y, width, height)


def grow(mask: Mask, pixels: float) -> Mask:
    """Grown by ``pixels`` (shrunk when negative), round corners. Fractions mix the two whole steps around them.

    The picture's border does not eat into the matte: outside counts as undecided.
    """
    if pixels == 0 or not mask.any():
        return mask.copy()
    whole, part = math.floor(abs(pixels)), abs(pixels) - math.floor(abs(pixels))
    outward = pixels > 0
    out = mask.copy()
    height, width = mask.shape
    area = bounds(mask).grown((whole + 2) if outward else 1).intersected(Rect(0, 0, width, height))
    window = np.s_[area.y : area.bottom, area.x : area.right]
    block = np.ascontiguousarray(mask[window])
    left = whole
    while left > 0:
        step = min(left, _STEP)
        block = _pass(block, step, outward)
        left -= step
    if part > 0:
        further = _pass(block, 1, outward)
        block = np.asarray(cv2.addWeighted(block, 1 - part, further, part, 0), np.uint8)
    out[window] = block
    return out


def _pass(block: Mask, radius: int, outward: bool) -> Mask:
    axis = np.arange(-radius, radius + 1)
    disc = (np.hypot(axis[None, :], axis[:, None]) <= radius + 0.25).astype(np.uint8)
    # OpenCV's default border never wins: it is the lowest value for dilation and the highest for erosion.
    return np.asarray(cv2.dilate(block, disc) if outward else cv2.erode(block, disc), np.uint8)


def feather(mask: Mask, pixels: float) -> Mask:
    """The edge softened over about ``pixels`` to either side: a Gaussian of sigma ``pixels``/2."""
    if pixels <= 0 or not mask.any():
        return mask.copy()
    sigma = pixels / 2
    reach = math.ceil(3 * sigma)
    out = mask.copy()
    height, width = mask.shape
    area = bounds(mask).grown(2 * reach).intersected(Rect(0, 0, width, height))
    window = np.s_[area.y : area.bottom, area.x : area.right]
    size = 2 * reach + 1
    out[window] = cv2.GaussianBlur(
        np.ascontiguousarray(mask[window]), (size, size), sigma, borderType=cv2.BORDER_REPLICATE
    )
    return out


_FINE = 8.0
"""Sigma in pixels above which a blur is made at a smaller size; the result differs by about one percent."""


def blur(mask: Mask, sigma: float) -> Mask:
    """A Gaussian of ``sigma`` pixels, both ways; the picture's border does not darken it. Grey levels are kept."""
    if sigma <= 0 or not mask.any():
        return mask.copy()
    reach = math.ceil(3.5 * sigma)
    height, width = mask.shape
    area = bounds(mask).grown(reach).intersected(Rect(0, 0, width, height))
    window = np.s_[area.y : area.bottom, area.x : area.right]
    out = np.zeros_like(mask)
    if sigma <= _FINE:
        side = 2 * reach + 1
        # Further mask lies beyond the window only where the window ends at the picture's border.
        out[window] = cv2.GaussianBlur(mask[window].copy(), (side, side), sigma, borderType=cv2.BORDER_REPLICATE)
        return out
    factor = int(sigma // _FINE) + 1
    block = cv2.copyMakeBorder(
        mask[window], 0, -area.height % factor, 0, -area.width % factor, cv2.BORDER_REPLICATE
    ).astype(np.float32)
    size = (block.shape[1] // factor, block.shape[0] // factor)
    small = cv2.resize(block, size, interpolation=cv2.INTER_AREA)
    # Averaging blocks and drawing straight lines between them blurs by itself: that much less is left to do.
    own = (factor * factor - 1) / 12 + factor * factor / 6
    left = math.sqrt(max(0.25, sigma * sigma - own)) / factor
    small = cv2.GaussianBlur(small, (0, 0), left, borderType=cv2.BORDER_REPLICATE)
    large = cv2.resize(small, (block.shape[1], block.shape[0]), interpolation=cv2.INTER_LINEAR)
    out[window] = np.rint(large[: area.height, : area.width]).astype(np.uint8)
    return out


def continue_to_border(mask: Mask, pixels: int) -> Mask:
    """The outermost ``pixels`` of the picture on every side replaced by what lies right inside of them.

    Trackers and keyers are unsure next to the border, where half of what they look at is missing.
    """
    height, width = mask.shape
    pixels = min(pixels, (min(height, width) - 1) // 2)
    if pixels <= 0 or not mask.any():
        return mask.copy()
    inner = mask[pixels : height - pixels, pixels : width - pixels]
    return np.asarray(cv2.copyMakeBorder(inner, pixels, pixels, pixels, pixels, cv2.BORDER_REPLICATE), np.uint8)


def invert(mask: Mask) -> Mask:
    return np.asarray(cv2.bitwise_not(mask), np.uint8)


def fill_holes(mask: Mask, largest: int | None = None) -> Mask:
    """Paint the unpainted regions that do not touch the picture's border, of at most ``largest`` pixels each."""
    out = mask.copy()
    area = bounds(mask).grown(1).intersected(Rect(0, 0, mask.shape[1], mask.shape[0]))
    if area.empty:
        return out
    # What touches the border of this window touches the picture's, or is the outside around the matte.
    block = out[area.y : area.bottom, area.x : area.right]
    count, labels, areas = _components((block < 128).view(np.uint8), 4)
    if count <= 1:
        return out
    outside = np.zeros(count, bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        outside[edge] = True
    hole = ~outside
    hole[0] = False
    if largest is not None:
        hole &= areas <= largest
    if hole.any():
        found = hole[labels]
        # The soft rim of a hole goes with it.
        near = cv2.dilate(found.view(np.uint8), np.ones((5, 5), np.uint8)).view(bool)
        block[found | (near & (block >= 128))] = 255
    return out


def _components(region: Mask, connectivity: int) -> tuple[int, NDArray[np.int32], NDArray[np.int32]]:
    """(count, (H, W) labels, pixels per label) of the connected parts of a 0/1 region; label 0 is what is 0."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(region, connectivity=connectivity)
    return count, np.asarray(labels, np.int32), np.asarray(stats, np.int32)[:, cv2.CC_STAT_AREA]


def despeckle(mask: Mask, smallest: int = 64) -> Mask:
    """Painted islands of fewer than ``smallest`` pixels are removed, with their soft edges."""
    out = mask.copy()
    area = bounds(mask)
    if area.empty:
        return out
    block = out[area.y : area.bottom, area.x : area.right]
    _, labels, areas = _components((block > 0).view(np.uint8), 8)
    speck = areas < smallest
    speck[0] = False
    if speck.any():
        block[speck[labels]] = 0
    return out
