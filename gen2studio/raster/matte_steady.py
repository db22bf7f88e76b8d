"""Steadying a matte over time: a weighted median over neighbouring frames, brought into place by the picture's motion.

Mattes of single frames jitter where the picture says little about the edge. Each neighbour's matte is warped by dense
flow to where the subject is now, and counts as much as the warped picture fits the present one; so a moving subject is
not held back, and what appears or is hidden keeps its own frame's matte. A median of levels is the median of edge
positions: unlike a mean it leaves the edge as sharp as it was.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.raster import flow as flows
from gen2studio.raster.tiles import Mask

_SIDE = 640
"""Longer side in pixels of the pictures that flow is measured on."""
_FIT = 14.0
"""Levels of grey by which a warped picture may miss before its matte counts for little."""
_LOOK = 5
"""Side in working pixels of the window over which that is judged."""
_MIDDLE = 0.1
"""The share of weight on either side of the median that is averaged with it: smoother than a single layer's level."""
_FALL = 1.2
"""Where the weight of a frame falls off, in widths of the window: a frame at its end counts 0.7."""
_BOOK = 40
_LINE = 256


class FlowBook:
    """Flow between frames of one media at a working size, and how well the warped pictures fit. Remembers the last
    ones. One thread at a time."""

    def __init__(self, pictures: Callable[[int], NDArray[np.uint8] | None]) -> None:
        self._pictures = pictures
        self._grey: OrderedDict[int, NDArray[np.uint8] | None] = OrderedDict()
        self._found: OrderedDict[tuple[int, int], tuple[flows.Flow, NDArray[np.float32]] | None] = OrderedDict()

    def grey(self, frame: int) -> NDArray[np.uint8] | None:
        if frame not in self._grey:
            picture = self._pictures(frame)
            self._grey[frame] = None if picture is None else _small(picture)
            while len(self._grey) > _BOOK:
                self._grey.popitem(last=False)
        self._grey.move_to_end(frame)
        return self._grey[frame]

    def between(self, here: int, there: int) -> tuple[flows.Flow, NDArray[np.float32]] | None:
        """(flow here → there in working pixels, (h, w) fit 0…1); None where a picture is missing."""
        key = (here, there)
        if key not in self._found:
            self._found[key] = self._measured(here, there)
            while len(self._found) > _BOOK:
                self._found.popitem(last=False)
        self._found.move_to_end(key)
        return self._found[key]

    def _measured(self, here: int, there: int) -> tuple[flows.Flow, NDArray[np.float32]] | None:
        a, b = self.grey(here), self.grey(there)
        if a is None or b is None or a.shape != b.shape:
            return None
        found = flows.dis_flow(a, b, "sharp")
        miss = np.abs(np.asarray(flows.warp(b, found), np.float32) - a)
        miss = np.asarray(cv2.blur(miss, (_LOOK, _LOOK)), np.float32)
        return found, np.exp(-((miss / _FIT) ** 2)).astype(np.float32)


def steadied(frame: int, mattes: Callable[[int], Mask | None], book: FlowBook, reach: int) -> Mask:
    """The (H, W) uint8 matte of ``frame``, which must have one, steadied over ``reach`` frames on each side.

    Frames without a matte or a picture do not count.
    """
    own = mattes(frame)
    assert own is not None
    near: Near = []
    for distance in range(1, reach + 1):
        share = float(np.exp(-0.5 * (distance / max(1.0, _FALL * reach)) ** 2))
        for other in (frame - distance, frame + distance):
            matte = mattes(other)
            if matte is None or matte.shape != own.shape:
                continue
            motion = book.between(frame, other)
            if motion is not None:
                near.append((matte, motion[0], motion[1] * np.float32(share)))
    result = own.copy()
    rows, columns = _differing(own, near)
    if not len(rows):
        return result
    levels, fits = [own[rows, columns].astype(np.float32)], [np.ones(len(rows), np.float32)]
    for matte, motion, fit in near:
        brought, fitting = _brought(matte, motion, fit, rows, columns)
        levels.append(brought)
        fits.append(fitting)
    result[rows, columns] = np.rint(_median(np.stack(levels), np.stack(fits))).astype(np.uint8)
    return result


Near = list[tuple[Mask, flows.Flow, NDArray[np.float32]]]
"""A neighbour's matte, flow from here to there, and how much it counts."""


def _differing(own: Mask, near: Near) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the pixels where the mattes, brought here, may differ: judged at the working size."""
    if not near:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    height, width = near[0][1].shape[:2]

    def small(matte: Mask) -> Mask:
        return np.asarray(cv2.resize(matte, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    low = high = small(own)
    for matte, motion, _ in near:
        there = np.asarray(flows.warp(small(matte), motion), np.uint8)
        low, high = np.minimum(low, there), np.maximum(high, there)
    apart = cv2.dilate((high - low > 1).view(np.uint8), np.ones((3, 3), np.uint8))
    large = cv2.resize(apart, (own.shape[1], own.shape[0]), interpolation=cv2.INTER_NEAREST)
    rows, columns = np.nonzero(large)
    return rows, columns


def _brought(
    matte: Mask, motion: flows.Flow, fit: NDArray[np.float32], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Levels of a neighbour's matte where the subject is now, and how much they count, at the given pixels. The matte
    is read at full size, so that its edge stays as sharp."""
    scale_x, scale_y = matte.shape[1] / motion.shape[1], matte.shape[0] / motion.shape[0]
    count = len(rows)
    # OpenCV wants a picture of places: they are laid out in lines of a fixed length.
    x, y = (np.resize(np.asarray(places, np.float32), (-(-count // _LINE), _LINE)) for places in (columns, rows))
    at = (x + np.float32(0.5)) / np.float32(scale_x) - np.float32(0.5)
    on = (y + np.float32(0.5)) / np.float32(scale_y) - np.float32(0.5)
    # OpenCV's type hints leave out that maps may be two arrays.
    remap = cast("Callable[..., NDArray[np.float32]]", cv2.remap)
    moved = remap(motion, at, on, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    counts = remap(fit, at, on, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    x, y = x + moved[..., 0] * np.float32(scale_x), y + moved[..., 1] * np.float32(scale_y)
    levels = remap(matte, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return levels.ravel()[:count].astype(np.float32), counts.ravel()[:count]


def _median(levels: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) weighted medians of (layers, n) levels: the mean of the middle share of the weight."""
    order = np.argsort(levels, axis=0, kind="stable")
    levels = np.take_along_axis(levels, order, 0)
    weights = np.take_along_axis(weights, order, 0)
    total = weights.sum(0)
    upto = np.cumsum(weights, 0)
    # The part of every layer's weight that lies within the middle share of the whole.
    first, last = (0.5 - _MIDDLE) * total, (0.5 + _MIDDLE) * total
    inside = np.maximum(np.minimum(upto, last) - np.maximum(upto - weights, first), 0.0)
    return np.asarray((levels * inside).sum(0) / np.maximum(inside.sum(0), 1e-6), np.float32)


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    grey = flows.grey(picture)
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    return grey
