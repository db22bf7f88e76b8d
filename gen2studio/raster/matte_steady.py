"""Steadying a matte over time: a weighted median over neighbouring frames, brought into place by the picture's motion.

Mattes of single frames jitter where the picture says little about the edge. Each neighbour's matte is warped by dense
flow to where the subject is now, and counts as much as the warped picture fits the present one; so a moving subject is
not held back, and what appears or is hidden keeps its own frame's matte. A median of levels is the median of edge
positions: unlike a mean it leaves the edge as sharp as it was.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent
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
        found = flows.dis_flow(a, b)
        miss = np.abs(np.asarray(flows.warp(b, found), np.float32) - a)
        miss = np.asarray(cv2.blur(miss, (_LOOK, _LOOK)), np.float32)
        return found, np.exp(-((miss / _FIT) ** 2)).astype(np.float32)


def steadied(frame: int, mattes: Callable[[int], Mask | None], book: FlowBook, reach: int) -> Mask:
    """The (H, W) uint8 matte of ``frame``, which must have one, steadied over ``reach`` frames on each side.

    Frames without a matte or a picture do not count.
    """
    own = mattes(frame)
    assert own is not None
    layers: list[Mask] = [own]
    fits: list[NDArray[np.float32]] = []
    extent = Extent(own.shape[1], own.shape[0])
    for distance in range(1, reach + 1):
        near = float(np.exp(-0.5 * (distance / max(1.0, _FALL * reach)) ** 2))
        for other in (frame - distance, frame + distance):
            matte = mattes(other)
            if matte is None or matte.shape != own.shape or not (matte.any() or own.any()):
                continue
            motion = book.between(frame, other)
            if motion is not None:
                layers.append(_brought(matte, motion[0], extent))
                fits.append(motion[1] * near)
    return _median(layers, fits, extent) if fits else own


def _brought(matte: Mask, motion: flows.Flow, extent: Extent) -> Mask:
    """A neighbour's matte where the subject is now: warped at full size, so that its edge stays as sharp."""
    height, width = motion.shape[:2]
    scale = np.array([extent.width / width, extent.height / height], np.float32)
    large = cv2.resize(motion, (extent.width, extent.height), interpolation=cv2.INTER_LINEAR) * scale
    return np.asarray(flows.warp(matte, np.asarray(large, np.float32)), np.uint8)


def _median(layers: list[Mask], fits: list[NDArray[np.float32]], extent: Extent) -> Mask:
    """The weighted median of the layers where they differ; the first layer weighs 1."""
    low, high = layers[0].copy(), layers[0].copy()
    for layer in layers[1:]:
        np.minimum(low, layer, out=low)
        np.maximum(high, layer, out=high)
    rows, columns = np.nonzero(high - low > 2)
    result = layers[0].copy()
    if not len(rows):
        return result
    height, width = fits[0].shape
    at = (rows * height // extent.height, columns * width // extent.width)
    levels = np.stack([layer[rows, columns] for layer in layers]).astype(np.float32)
    weights = np.stack([np.ones(len(rows), np.float32), *(fit[at] for fit in fits)])
    order = np.argsort(levels, axis=0, kind="stable")
    levels = np.take_along_axis(levels, order, 0)
    weights = np.take_along_axis(weights, order, 0)
    total = weights.sum(0)
    upto = np.cumsum(weights, 0)
    # The part of every layer's weight that lies within the middle share of the whole.
    first, last = (0.5 - _MIDDLE) * total, (0.5 + _MIDDLE) * total
    inside = np.minimum(upto, last) - np.maximum(upto - weights, first)
    inside = np.maximum(inside, 0.0)
    result[rows, columns] = np.rint((levels * inside).sum(0) / np.maximum(inside.sum(0), 1e-6)).astype(np.uint8)
    return result


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    grey = flows.grey(picture)
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    return grey
