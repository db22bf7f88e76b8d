"""The final composite: what the generator made inside the mask, the source's own pixels outside it, bit for bit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2studio.engine.events import Picture


def composite(source: Picture, picture: Picture, mask: NDArray[np.uint8] | None) -> Picture:
    """Blend ``picture`` over ``source`` by ``mask``.

    All (H, W, 3) uint8 sRGB of one size; ``mask`` is (H, W) uint8 or None for everywhere. Where the mask is 0 the
    result equals ``source``, where it is 255 it equals ``picture``, between it is the rounded blend of sRGB code
    values. Raises ValueError when the sizes differ.
    """
    if mask is None:
        if picture.shape != source.shape:
            raise ValueError(f"the frame is {picture.shape}, its source {source.shape}")
        return picture
    if picture.shape != source.shape or mask.shape != source.shape[:2]:
        raise ValueError(f"the frame is {picture.shape}, its source {source.shape}, its mask {mask.shape}")
    import cv2

    out = source.copy()
    x, y, width, height = cv2.boundingRect(mask)
    if width == 0:
        return out
    window = np.s_[y : y + height, x : x + width]
    alpha = mask[window].astype(np.uint16)[..., None]
    above = picture[window].astype(np.uint16) * alpha
    below = source[window].astype(np.uint16) * (255 - alpha)
    # 255 · 255 + 127 fits 16 bits; a pixel of alpha 0 or 255 comes out unchanged.
    out[window] = ((above + below + 127) // 255).astype(np.uint8)
    return out
