"""How one picture goes over into the next: dissolve, wipes, moves and dips, as functions of how far it is (0…1).

Directions are in degrees, 0 = to the right, 90 = down, as edges and pictures move on screen. Progress 0 is the old
picture alone and 1 the new one alone, at every softness.
"""

from __future__ import annotations

import functools
from math import ceil, cos, hypot, radians, sin

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent
from gen2studio.raster.blending import Bgra, lay, mixed

WEIGHED = frozenset({"dissolve", "wipe", "clock", "iris"})
"""Kinds that mix both pictures where they are, by :func:`share`."""
MOVING = frozenset({"push", "slide"})
"""Kinds that move pictures, by :func:`offsets`."""


def share(
    kind: str, progress: float, size: Extent, angle: float = 0.0, softness: float = 0.0
) -> float | NDArray[np.float32]:
    """The new picture's part: one number for a dissolve, else an (H, W) float32 map, 0…1. Raises KeyError.

    wipe: a straight edge that moves along ``angle``. clock: a hand that starts at ``angle`` − 90° (0 = at twelve) and
    turns clockwise. iris: an ellipse that opens from the middle. ``softness`` (0…1 of the frame) is the width of the
    edge; it is never below a pixel, so that edges have no steps.
    """
    if kind == "dissolve" or progress <= 0 or progress >= 1:
        return min(1.0, max(0.0, progress))
    order, finest = _order(kind, size, angle % 360.0)
    soft = max(softness, finest)
    return np.clip((np.float32(progress * (1 + soft)) - order) / np.float32(soft), 0, 1)


@functools.lru_cache(maxsize=6)
def _order(kind: str, size: Extent, angle: float) -> tuple[NDArray[np.float32], float]:
    """When each pixel changes (0 first … 1 last), and what a pixel is on that scale."""
    x = np.arange(size.width, dtype=np.float32)[None, :] + 0.5
    y = np.arange(size.height, dtype=np.float32)[:, None] + 0.5
    along, across = cos(radians(angle)), sin(radians(angle))
    if kind == "wipe":
        length = abs(along) * size.width + abs(across) * size.height
        place = along * (x - size.width / 2) + across * (y - size.height / 2)
        return (place / length + 0.5).astype(np.float32), 1 / length
    if kind == "clock":
        turned = np.arctan2(x - size.width / 2, size.height / 2 - y) - radians(angle)
        return (np.mod(turned, 2 * np.pi) / (2 * np.pi)).astype(np.float32), 1 / (size.width + size.height)
    if kind == "iris":
        # The ellipse of the frame's shape reaches the corners at √2 of its half sides.
        far = np.sqrt(((x - size.width / 2) / size.width) ** 2 + ((y - size.height / 2) / size.height) ** 2)
        return (far * 2 / np.sqrt(2)).astype(np.float32), 1.5 / min(size.width, size.height)
    raise KeyError(kind)


def offsets(kind: str, progress: float, size: Extent, angle: float = 0.0) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the old and the new picture lie, in whole pixels (dx, dy). Raises KeyError.

    push: the new picture drives the old one out along ``angle``. slide: it slides over the old one, which stays.
    """
    if kind not in MOVING:
        raise KeyError(kind)
    along, across = cos(radians(angle)), sin(radians(angle))
    # How far a frame has to go until it no longer touches its old place.
    reach = min(
        size.width / abs(along) if abs(along) > 1e-6 else 1e9, size.height / abs(across) if abs(across) > 1e-6 else 1e9
    )
    reach = min(reach, ceil(hypot(size.width, size.height)))
    old = (0, 0) if kind == "slide" else (round(along * reach * progress), round(across * reach * progress))
    # From the old one's place, so that a push shows no seam.
    step = (round(along * reach), round(across * reach))
    if kind == "push":
        return old, (old[0] - step[0], old[1] - step[1])
    rest = 1 - progress
    return old, (-round(along * reach * rest), -round(across * reach * rest))


def moved(picture: Bgra, dx: int, dy: int) -> Bgra:
    """``picture`` moved by whole pixels; clear where nothing comes in."""
    if not dx and not dy:
        return picture
    height, width = picture.shape[:2]
    out = np.zeros_like(picture)
    if abs(dx) < width and abs(dy) < height:
        left, top = max(0, dx), max(0, dy)
        right, bottom = min(width, width + dx), min(height, height + dy)
        out[top:bottom, left:right] = picture[top - dy : bottom - dy, left - dx : right - dx]
    return out


def dipped(old: Bgra, new: Bgra, progress: float, colour: tuple[int, int, int]) -> Bgra:
    """Old to ``colour`` (RGB) in the first half, ``colour`` to new in the second."""
    plain = np.empty_like(old)
    plain[:] = (*colour[::-1], 255)
    if progress <= 0.5:
        return mixed(old, plain, progress * 2)
    return mixed(plain, new, progress * 2 - 1)


def joined(
    old: Bgra, new: Bgra, kind: str, progress: float, angle: float, softness: float, colour: tuple[int, int, int]
) -> Bgra:
    """Both pictures as one, ``progress`` of the way. Raises KeyError for an unknown kind."""
    size = Extent(old.shape[1], old.shape[0])
    if kind in WEIGHED:
        return mixed(old, new, share(kind, progress, size, angle, softness))
    if kind == "dip":
        return dipped(old, new, progress, colour)
    first, second = offsets(kind, progress, size, angle)
    out = moved(old, *first)
    if out is old:
        out = old.copy()
    lay(out, moved(new, *second))
    return out
