"""The guided filter over a grey guide: smooths a map but keeps the edges of the picture it belongs to.

He, Sun, Tang: "Guided Image Filtering", PAMI 2013, at reduced size as in He and Sun, "Fast Guided Filter",
arXiv 1505.00996: local linear models are fitted small and applied at full size.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def guided_filter(guide: F32, plane: F32, radius: int, smoothness: float = 1e-3, shrink: int = 1) -> F32:
    """``plane`` (H, W) smoothed over a (2·radius+1)² window along the edges of ``guide`` (H, W), both about 0…1.

    ``smoothness`` is the variance of the guide below which a window counts as flat. ``shrink`` fits at 1/shrink size.
    """
    height, width = guide.shape
    small_guide, small_plane = guide, plane
    if shrink > 1:
        size = (max(2, width // shrink), max(2, height // shrink))
        small_guide = np.asarray(cv2.resize(guide, size, interpolation=cv2.INTER_AREA), np.float32)
        small_plane = np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
    side = 2 * max(1, radius // shrink) + 1
    window = (side, side)
    mean_guide = cv2.blur(small_guide, window)
    mean_plane = cv2.blur(small_plane, window)
    covariance = cv2.blur(small_guide * small_plane, window) - mean_guide * mean_plane
    variance = cv2.blur(small_guide * small_guide, window) - mean_guide * mean_guide
    slope = covariance / (variance + np.float32(smoothness))
    offset = cv2.blur(mean_plane - slope * mean_guide, window)
    slope = cv2.blur(slope, window)
    if shrink > 1:
        slope = cv2.resize(slope, (width, height), interpolation=cv2.INTER_LINEAR)
        offset = cv2.resize(offset, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(slope * guide + offset, np.float32)
