"""Cut detection between neighbouring frames."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def signature(picture: Picture) -> NDArray[np.float32]:
    """A small description of a frame: 32×18 Lab thumbnail and an 8×8×8 colour histogram, 2240 float32 numbers."""
    small = cv2.resize(picture, (32, 18), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab) / 100
    mid = cv2.resize(picture, (96, 54), interpolation=cv2.INTER_AREA)
    histogram, _ = np.histogramdd(mid.reshape(-1, 3), bins=(8, 8, 8), range=((0, 256),) * 3)
    share = (histogram / histogram.sum()).astype(np.float32)
    return np.concatenate([lab.reshape(-1), share.reshape(-1)]).astype(np.float32)


def difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> tuple[float, float]:
    """(mean Lab difference of the thumbnails, histogram distance 0…1) of two signatures."""
    split = 32 * 18 * 3
    return float(np.abs(a[:split] - b[:split]).mean()), float(np.abs(a[split:] - b[split:]).sum() / 2)


def is_cut(a: NDArray[np.float32], b: NDArray[np.float32], bar: float = 1.0) -> bool:
    """True where frame b starts another shot: layout and colours both change, or one changes completely.

    Below 1 ``bar`` takes for a cut what would be one if frames had been scaled a little otherwise.
    """
    layout, colours = difference(a, b)
    return (layout > 0.09 * bar and colours > 0.35 * bar) or layout > 0.2 * bar or colours > 0.75 * bar
