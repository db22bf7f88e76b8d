"""Pictures over pictures. Outside the matte every byte is the source's own; inside it every byte is the new one's."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.raster.morphology import bounds
from gen2studio.raster.tiles import Mask

Pixels = NDArray[np.uint8]
"""(H, W, C) uint8."""
_BAND = 64
"""Rows worked on at a time: what is in hand stays in the cache."""


def blend(source: Pixels, changed: Pixels, mask: Mask | None) -> Pixels:
    """``changed`` over ``source`` by ``mask``; None = everywhere. A new array.

    Exact: 0 gives the source's byte, 255 the changed byte, between them (s(255−m) + c·m)/255 rounded to nearest.
    Raises ValueError when sizes differ.
    """
    if source.shape != changed.shape:
        raise ValueError(f"pictures differ in shape: {source.shape} and {changed.shape}")
    if mask is None:
        return changed.copy()
    if mask.shape != source.shape[:2]:
        raise ValueError(f"matte {mask.shape} does not fit picture {source.shape[:2]}")
    out = source.copy()
    area = bounds(mask)
    if area.empty:
        return out
    columns = np.s_[area.x : area.right]
    for top in range(area.y, area.bottom, _BAND):
        rows = np.s_[top : min(top + _BAND, area.bottom)]
        part = np.ascontiguousarray(mask[rows, columns])
        if not part.any():
            continue
        # Taken from our copy: across the whole width this is a view, and the source's own bytes are not ours to write.
        below, above = np.ascontiguousarray(out[rows, columns]), np.ascontiguousarray(changed[rows, columns])
        solid = np.asarray(cv2.threshold(part, 254, 255, cv2.THRESH_BINARY)[1], np.uint8)
        if np.array_equal(solid, part):
            cv2.copyTo(above, solid, below)
            out[rows, columns] = below
        else:
            # A sum of two products of bytes over 255 never ends in one half: single precision rounds it exactly.
            weight = part.astype(np.float32)
            out[rows, columns] = cv2.blendLinear(below, above, np.float32(255) - weight, weight)
    return out


def over(base: Pixels, top: Pixels) -> Pixels:
    """Premultiplied (H, W, 4) ``top`` over ``base`` of the same shape (Porter and Duff, 1984). A new array."""
    rest = 255 - top[..., 3:4].astype(np.uint16)
    below = base * rest + np.uint16(128)
    return np.minimum(top.astype(np.uint16) + ((below + (below >> 8)) >> 8), 255).astype(np.uint8)


def difference(a: Pixels, b: Pixels, gain: float = 1.0) -> Pixels:
    """|a − b| times ``gain`` per colour channel; a fourth channel is set to 255. ``b`` is brought to a's size."""
    if a.shape[:2] != b.shape[:2]:
        b = np.asarray(cv2.resize(b, (a.shape[1], a.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)
    gap = np.asarray(cv2.absdiff(a, b), np.uint8)
    if gain != 1.0:
        gap = np.asarray(cv2.convertScaleAbs(gap, alpha=gain), np.uint8)
    if gap.shape[-1] == 4:
        gap[..., 3] = 255
    return gap


def checkerboard(
    width: int,
    height: int,
    cell: int = 12,
    dark: tuple[int, int, int] = (102, 102, 102),
    light: tuple[int, int, int] = (153, 153, 153),
    left: int = 0,
    top: int = 0,
) -> Pixels:
    """(height, width, 4) opaque BGRA checks; ``left``/``top`` say where this part lies in the endless board."""
    rows = (np.arange(top, top + height) // cell) & 1
    columns = (np.arange(left, left + width) // cell) & 1
    pair = np.empty((2, width, 4), np.uint8)
    for parity in (0, 1):
        pair[parity] = np.where((columns == parity)[:, None], (*dark[::-1], 255), (*light[::-1], 255))
    return pair[rows]
