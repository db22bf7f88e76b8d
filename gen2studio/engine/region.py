"""The region a request may change on one frame: effective mattes blended in order, foreground or background, grown,
feathered inwards."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from gen2studio.core.errors import GenerationError
from gen2studio.core.geometry import Extent
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.engine.requests import GenerateRequest, MaskTrackRef

if TYPE_CHECKING:
    from numpy.typing import NDArray

Mask: TypeAlias = "NDArray[np.uint8]"
MatteReader = Callable[[MaskRaster], Mask]
"""(H, W) uint8 pixels of a stored matte; raises KeyError when a tile is missing."""
PictureReader = Callable[[int], "NDArray[np.uint8] | None"]
"""Media frame → (H, W, 3) uint8 of the footage at its own size, for mattes that follow the picture's edges."""

_STEPS = 16
"""Entries per pixel of the feather's ramp table."""


class Regions:
    """The regions of one request, frame by frame; what neighbouring frames share is made once. One thread."""

    def __init__(self, request: GenerateRequest, matte: MatteReader, picture: PictureReader | None = None) -> None:
        self._request = request
        self._matte = matte
        self._picture: PictureReader = picture or _no_picture
        source = request.source
        # Where the footage's size is not known mattes are taken at the output's.
        self._own = Extent(source.width or request.width, source.height or request.height)
        self._tracks: list[tuple[str, Callable[[int], Mask | None]]] | None = None

    def at(self, frame: int) -> Mask | None:
        """(height, width) uint8 of what may change on ``frame`` at the request's output size; None = everywhere.

        Raises GenerationError when the region needs a mask and none is given, or when a matte's pixels are gone.
        """
        request = self._request
        if request.region == "all":
            return None
        if not request.masks:
            raise GenerationError("There is no mask to tell foreground from background.", "Paint one, or choose All.")
        if self._tracks is None:
            self._tracks = [(track.blend, self._track(track)) for track in request.masks]
        united = self._united(frame, self._tracks)
        if request.region == "background":
            united = np.asarray(255 - united, np.uint8)
        scale = request.width / max(1, request.source.width or request.width)
        controls = request.controls_at(frame)
        grown = grow(united, controls.grow * scale)
        return feather_inwards(grown, controls.feather * scale)

    def _united(self, frame: int, tracks: Sequence[tuple[str, Callable[[int], Mask | None]]]) -> Mask:
        from gen2studio.raster.matte_refine import at_extent, blended

        size = Extent(self._request.width, self._request.height)
        united = np.zeros((size.height, size.width), np.uint8)
        for blend, track in tracks:
            found = track(frame)
            if found is not None:
                united = blended(united, at_extent(found, size), blend)
            elif blend == "intersect":
                united = np.zeros_like(united)
        return united

    def _track(self, track: MaskTrackRef) -> Callable[[int], Mask | None]:
        rasters = dict(track.frames)
        plain = not track.shapes and not track.refinement.changes_matte

        def painted(frame: int) -> Mask | None:
            raster = rasters.get(frame)
            if raster is None:
                return None
            if raster.is_empty:
                return np.zeros((self._own.height, self._own.width), np.uint8)
            try:
                mask = self._matte(raster)
            except KeyError:
                raise GenerationError(
                    "A part of the mask is missing from the project.", "Paint the mask again."
                ) from None
            return mask if plain else _fitted(mask, self._own)

        if plain:
            return painted
        from gen2studio.raster.matte_refine import MatteRefiner, with_shapes

        return MatteRefiner(with_shapes(painted, track.shapes, self._own), self._picture, track.refinement)


def region_mask(
    request: GenerateRequest, frame: int, matte: MatteReader, picture: PictureReader | None = None
) -> Mask | None:
    """One frame's region; for many frames keep a :class:`Regions`."""
    return Regions(request, matte, picture).at(frame)


def _no_picture(_frame: int) -> None:
    return None


def _fitted(mask: Mask, extent: Extent) -> Mask:
    from gen2studio.raster.matte_refine import at_extent

    return at_extent(mask, extent)


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
