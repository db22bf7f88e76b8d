"""Moving a picture's pixels to where a field sends them: who covers whom, what comes into sight and what tears.

Source coordinates are splatted into the target (bilinearly, front-most first: a z-buffer), and the picture is then
sampled once through the inverse map: sharper than splatting colours (compare Niklaus and Liu, "Softmax Splatting",
CVPR 2020), and without the cracks of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.raster import flow as motion

F32 = NDArray[np.float32]

_TEAR = 0.75
"""Stretching of neighbouring pixels against each other, px per px, above which a field tears instead of bending."""
_COVERED = 0.35
"""Share of a target pixel that has to be covered."""
_SAME = 0.04
"""Priorities closer than this are one surface."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """The inverse of a displacement."""

    source: F32
    """(h, w, 2): where in the picture the target pixel comes from, x first. Continued smoothly into what is unseen."""
    seen: NDArray[np.bool_]
    """(h, w): True where something arrived."""


def scatter(field: F32, priority: F32, pad: int = 0, tear: bool = True) -> Scatter:
    """Invert ``field`` (H, W, 2 px) over a canvas ``pad`` pixels larger on every side.

    Where several pixels arrive, those of the highest ``priority`` (H, W) stay. With ``tear``, pixels across which the
    field jumps are dropped, so that a jump opens a gap rather than smears.
    """
    height, width = field.shape[:2]
    torn = _torn(field) if tear else np.zeros((height, width), bool)
    target = motion.grid(height, width) + field
    grid = motion.grid(height, width)
    stretch = _magnification(field, torn)
    # Bilinear footprints overlap enough for a growth by a fifth; beyond it the ground would show through.
    factor = int(np.ceil(stretch - 0.2))
    if factor > 1:
        size = (width * factor, height * factor)
        target = np.asarray(cv2.resize(target, size, interpolation=cv2.INTER_LINEAR), np.float32)
        grid = np.asarray(cv2.resize(grid, size, interpolation=cv2.INTER_LINEAR), np.float32)
        priority = np.asarray(cv2.resize(priority, size, interpolation=cv2.INTER_NEAREST), np.float32)
        torn = cv2.resize(torn.astype(np.uint8), size, interpolation=cv2.INTER_LINEAR_EXACT) > 0
    keep = ~torn.ravel()
    x, y = target[..., 0].ravel()[keep] + pad, target[..., 1].ravel()[keep] + pad
    sx, sy, rank = grid[..., 0].ravel()[keep], grid[..., 1].ravel()[keep], priority.ravel()[keep]
    wide, tall = width + 2 * pad, height + 2 * pad
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    inside = (left >= -1) & (left < wide) & (top >= -1) & (top < tall)
    x, y, sx, sy, rank, left, top = (v[inside] for v in (x, y, sx, sy, rank, left, top))
    # A frame of one pixel around the canvas takes what falls off its border.
    stride = wide + 2
    corner = (top + 1) * stride + left + 1
    fx, fy = x - left, y - top
    order = np.argsort((np.clip(rank, -1, 3) * 4096).astype(np.int16), kind="stable")
    front = np.full((tall + 2) * stride, -np.inf, np.float32)
    total = np.zeros(front.size)
    sum_x, sum_y = np.zeros(front.size), np.zeros(front.size)
    corners = ((0, (1 - fx) * (1 - fy)), (1, fx * (1 - fy)), (stride, (1 - fx) * fy), (stride + 1, fx * fy))
    # In rising order the front-most is written last and stays. The farthest corner counts only if it really covers.
    for offset, share in corners:
        near = order[share[order] > 0.2]
        held = corner[near] + offset
        stacked = np.maximum(front[held], rank[near])
        front[held] = stacked
    for offset, share in corners:
        held = corner + offset
        visible = rank >= front[held] - _SAME
        held, part = held[visible], share[visible]
        total += np.bincount(held, part, front.size)
        sum_x += np.bincount(held, part * sx[visible], front.size)
        sum_y += np.bincount(held, part * sy[visible], front.size)
    shape = (tall + 2, stride)
    weight = total.reshape(shape)[1:-1, 1:-1]
    source = np.stack([sum_x.reshape(shape)[1:-1, 1:-1], sum_y.reshape(shape)[1:-1, 1:-1]], -1)
    seen = weight > _COVERED
    found = (source / np.maximum(weight, 1e-9)[..., None]).astype(np.float32)
    return Scatter(_continued(found, seen), seen)


def sampled(picture: NDArray[Any], places: F32, border: int, interpolation: int = cv2.INTER_LINEAR) -> NDArray[Any]:
    """``picture`` at ``places`` (h, w, 2), x first."""
    remap = cast("Callable[..., NDArray[Any]]", cv2.remap)
    return remap(picture, np.ascontiguousarray(places, np.float32), None, interpolation, borderMode=border)


def _torn(field: F32) -> NDArray[np.bool_]:
    """Pixels next to a jump of the field."""
    across = np.abs(np.diff(field, axis=1)).max(-1) > _TEAR
    down = np.abs(np.diff(field, axis=0)).max(-1) > _TEAR
    out = np.zeros(field.shape[:2], bool)
    out[:, 1:] |= across
    out[:, :-1] |= across
    out[1:] |= down
    out[:-1] |= down
    return out


def _magnification(field: F32, torn: NDArray[np.bool_]) -> float:
    """The 99.5th percentile of linear growth, outside tears: how densely the source has to be sampled."""
    kept = ~torn[1:, 1:]
    if not kept.any():
        return 1.0
    growth = np.maximum(np.diff(field[..., 0], axis=1)[1:], np.diff(field[..., 1], axis=0)[:, 1:])[kept]
    return float(np.clip(1 + np.percentile(growth, 99.5), 1, 3))


def _continued(source: F32, seen: NDArray[np.bool_]) -> F32:
    """The map carried on into gaps by normalised blurring at growing widths: cracks close, holes get a sane border."""
    if seen.all():
        return source
    out = np.where(seen[..., None], source, 0).astype(np.float32)
    known = seen.astype(np.float32)
    missing = ~seen
    for side in (3, 7, 31, 127):
        weight = cv2.blur(known, (side, side))
        filled = cv2.blur(out * known[..., None], (side, side)) / np.maximum(weight, 1e-6)[..., None]
        now = missing & (weight > 1e-3)
        out[now] = filled[now]
        missing &= ~now
        if not missing.any():
            break
        if side == 3:
            known = np.where(now, np.float32(1), known)
    return out
