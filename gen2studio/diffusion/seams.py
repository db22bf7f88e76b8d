"""Where drawn pixels meet given ones: the difference along the border is carried outwards until it fades."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Rect
from gen2studio.engine.events import Picture

_SMALL = 192
"""Long side that the difference is worked out at: it is smooth by construction."""
_REACH = 0.18
"""Distance from the footage, in parts of the frame's long side, over which the correction falls to a third."""


def met(drawn: Picture, footage: Picture, inside: Rect, cell: float = 0.0) -> Picture:
    """``drawn`` with its colours drawn towards the footage's near ``inside``, where the footage will lie.

    ``cell`` is the size of a latent cell in pixels of the output: a model can't follow the border more finely, so the
    mirrored footage fades out over the first cell beyond it.

    A model gives the footage back a little lighter, darker or softer than it is, and draws what lies around to fit
    that. The smooth part of that difference at the border is added outside and fades with the distance, as in seamless
    cloning (Farbman et al., “Coordinates for instant image cloning”, 2009), with normalised convolution in the place of
    mean-value coordinates. (H, W, 3) uint8; pixels inside are left to whoever lays the footage over.
    """
    import cv2

    height, width = drawn.shape[:2]
    scale = min(1.0, _SMALL / max(width, height))
    size = max(2, round(width * scale)), max(2, round(height * scale))
    laid = np.array(drawn)
    laid[inside.y : inside.bottom, inside.x : inside.right] = footage
    change = cv2.resize(laid, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    change -= cv2.resize(drawn, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    known = np.zeros((height, width), np.uint8)
    known[inside.y : inside.bottom, inside.x : inside.right] = 255
    weight = (cv2.resize(known, size, interpolation=cv2.INTER_AREA) >= 255).astype(np.float32)
    if not weight.any():
        return _faded(drawn, footage, inside, cell)
    distance = cv2.distanceTransform((weight < 1).astype(np.uint8), cv2.DIST_L2, 5)
    # Only what lies near the border says how to go on: the middle of the footage is nobody's neighbour.
    depth = cv2.distanceTransform(weight.astype(np.uint8), cv2.DIST_L2, 5)
    weight *= np.exp(-depth / 4.0)
    spread = max(2.0, 0.06 * max(size))
    near = cv2.GaussianBlur(change * weight[..., None], (0, 0), spread)
    share = cv2.GaussianBlur(weight, (0, 0), spread)
    # Beyond the kernel's reach the nearest border still decides: wider kernels take over where this one saw nothing.
    for wider in (2.5, 6.0):
        seen = np.clip(share / 1e-3, 0, 1)[..., None]
        near = near * seen + cv2.GaussianBlur(change * weight[..., None], (0, 0), spread * wider) * (1 - seen)
        share = share * seen[..., 0] + cv2.GaussianBlur(weight, (0, 0), spread * wider) * (1 - seen[..., 0])
    fading = np.exp(-distance / (_REACH * max(size))) / np.maximum(share, 1e-6)
    field = np.asarray(near * fading[..., None], np.float32)
    full = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
    return _faded(np.clip(np.rint(drawn + full), 0, 255).astype(np.uint8), footage, inside, cell)


def _faded(drawn: Picture, footage: Picture, inside: Rect, cell: float) -> Picture:
    """``drawn`` under the mirrored edge of ``footage``, which is gone ``cell`` pixels outside."""
    import cv2

    height, width = drawn.shape[:2]
    most = min(math.ceil(cell), inside.width - 1, inside.height - 1)
    if most < 1:
        return drawn
    left, top = min(inside.x, most), min(inside.y, most)
    right, bottom = min(width - inside.right, most), min(height - inside.bottom, most)
    wider = cv2.copyMakeBorder(footage, top, bottom, left, right, cv2.BORDER_REFLECT_101).astype(np.float32)
    across = _outside(left, inside.width, right)
    down = _outside(top, inside.height, bottom)
    part = np.clip(1 - np.hypot(across[None, :], down[:, None]) / cell, 0, 1)
    part = (part * part * (3 - 2 * part))[..., None]
    rows, columns = np.s_[inside.y - top : inside.bottom + bottom], np.s_[inside.x - left : inside.right + right]
    out = np.array(drawn)
    out[rows, columns] = np.rint(wider * part + out[rows, columns] * (1 - part)).astype(np.uint8)
    return out


def _outside(before: int, inside: int, behind: int) -> NDArray[np.float32]:
    """Distance of every pixel of a row from the stretch ``inside`` in it: 0 within."""
    return np.concatenate([np.arange(before, 0, -1), np.zeros(inside), np.arange(1, behind + 1)]).astype(np.float32)
