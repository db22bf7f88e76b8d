"""A matte of one size on a picture of another."""

from __future__ import annotations

import numpy as np

from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent
from gen2studio.media.matte_kinds import MatteFit
from gen2studio.raster.tiles import Mask

_SAME_ASPECT = 0.01
"""Relative difference of aspect that counts as rounding: 854 × 480 and 1920 × 1080 differ by 0.0008."""


def check_fit(own: Extent, picture: Extent, fit: MatteFit, name: str) -> str:
    """A sentence about what will be done, empty where nothing is. Raises MediaError when it would not fit."""
    if own == picture:
        return ""
    if abs(own.aspect / picture.aspect - 1) <= _SAME_ASPECT:
        return f"The mattes are {own} and are scaled to {picture}."
    if fit is MatteFit.SAME:
        raise MediaError(
            f"“{name}” is {own} and the clip {picture}: the shapes differ.",
            "Choose to fit, crop or stretch the mattes, or write them at the clip's size.",
        )
    verb = {MatteFit.FIT: "fitted into", MatteFit.CROP: "cropped to", MatteFit.STRETCH: "stretched to"}[fit]
    return f"The mattes are {own} and are {verb} {picture}."


def fitted(matte: Mask, picture: Extent, fit: MatteFit) -> Mask:
    """``matte`` at ``picture``'s size: (H, W) uint8. Averages areas downwards, interpolates linearly upwards."""
    own = Extent(matte.shape[1], matte.shape[0])
    if own == picture:
        return matte
    if fit in (MatteFit.SAME, MatteFit.STRETCH) or abs(own.aspect / picture.aspect - 1) <= _SAME_ASPECT:
        return _scaled(matte, picture.width, picture.height)
    across, down = picture.width / own.width, picture.height / own.height
    scale = min(across, down) if fit is MatteFit.FIT else max(across, down)
    width, height = max(1, round(own.width * scale)), max(1, round(own.height * scale))
    scaled = _scaled(matte, width, height)
    out = np.zeros((picture.height, picture.width), np.uint8)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(picture.width, left + width), min(picture.height, top + height)
    out[y0:y1, x0:x1] = scaled[y0 - top : y1 - top, x0 - left : x1 - left]
    return out


def _scaled(matte: Mask, width: int, height: int) -> Mask:
    import cv2

    shrinks = width * height < matte.shape[0] * matte.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(matte, (width, height), interpolation=how), np.uint8)
