"""The region a request may change on one frame: union of mattes, foreground or background, grown, feathered inwards."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from gen2studio.core.errors import GenerationError
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.engine.requests import GenerateRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray

Mask: TypeAlias = "NDArray[np.uint8]"
MatteReader = Callable[[MaskRaster], Mask]
"""(H, W) uint8 pixels of a stored matte; raises KeyError when a tile is missing."""

_STEPS = 16
"""Entries per pixel of the feather's ramp table."""


def region_mask(request: GenerateRequest, frame: int, matte: MatteReader) -> Mask | None:
    """(height, width) uint8 of what may change on ``frame`` at the request's output size; None = everywhere.

    Raises GenerationError when the region needs a mask and none is given, or when a matte's pixels are gone.
    """
    if request.region == "all":
        return None
    if not request.masks:
        raise GenerationError("There is no mask to tell foreground from background.", "Paint one, or choose All.")
    rasters = [raster for track in request.masks for index, raster in track.frames if index == frame]
    united = union(rasters, matte, request.width, request.height)
    if request.region == "background":
        united = np.asarray(255 - united, np.uint8)
    scale = request.width / max(1, request.source.width or request.width)
    grown = grow(united, request.controls.grow * scale)
    return feather_inwards(grown, request.controls.feather * scale)


def union(rasters: Sequence[MaskRaster], matte: MatteReader, width: int, height: int) -> Mask:
    """Maximum of the mattes at ``width`` × ``height``; empty when there are none."""
    out = np.zeros((height, width), np.uint8)
    for raster in rasters:
        if raster.is_empty:
            continue
        try:
            mask = matte(raster)
        except KeyError:
            raise GenerationError("A part of the mask is missing from the project.", "Paint the mask again.") from None
        if mask.shape != out.shape:
            import cv2

            shrinking = mask.shape[0] > height
            mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
        np.maximum(out, mask, out=out)
    return out


def grow(mask: Mask, pixels: float) -> Mask:
    """Dilate (+) or erode (−) by a disc of ``pixels`` radius; the picture's edge does not count as outside."""
    radius = round(abs(pixels))
    if radius == 0:
        return mask
    import cv2

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    operation = cv2.MORPH_DILATE if pixels > 0 else cv2.MORPH_ERODE
    return np.asarray(cv2.morphologyEx(mask, operation, disc), np.uint8)


def feather_inwards(mask: Mask, sigma: float) -> Mask:
    """Soften the edge on its inner side only: zero stays zero, so nothing outside the mask can change.

    Along a straight edge this is the inner half of a Gaussian blur of ``sigma`` pixels stretched to 0…1, erf(d / √2σ)
    at distance d from the edge; thin structures fade but never vanish, as they would under a blur.
    """
    if sigma <= 0.05 or not mask.any() or mask.min() > 0:
        return mask
    import cv2

    distance = cv2.distanceTransform((mask > 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    ramp = _ramp(round(sigma, 3))
    index = np.minimum(distance * _STEPS, len(ramp) - 1).astype(np.int32)
    # A covered pixel keeps at least one level: the ramp never turns inside into outside.
    soft = np.maximum((mask.astype(np.float32) * ramp[index] + 0.5).astype(np.uint8), np.minimum(mask, 1))
    return np.asarray(soft, np.uint8)


@functools.lru_cache(maxsize=32)
def _ramp(sigma: float) -> NDArray[np.float32]:
    length = math.ceil(4 * sigma + 1) * _STEPS + 1
    # The first inside pixel is at distance 1 from the first outside one: its centre lies half a pixel inside the edge.
    values = [math.erf(max(0.0, i / _STEPS - 0.5) / (math.sqrt(2) * sigma)) for i in range(length)]
    values[-1] = 1.0
    return np.array(values, np.float32)
