"""Pictures that reach beyond their footage: both sides of a comparison on one frame, and the part over the footage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF

from gen2studio.core.geometry import Extent, Rect
from gen2studio.ui import theme
from gen2studio.ui.canvas import compare_painter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gen2studio.app.viewer_feed import Bgra, ViewerPicture


def pair_of(picture: ViewerPicture, opaque: bool) -> tuple[compare_painter.Pair, QRectF]:
    """The picture and what it is compared with, and where both lie in pixels of the media.

    Where one of them reaches further, the other gets the colour of the stage around it.
    """
    assert picture.image is not None
    media = Rect.of(picture.extent)
    own, other = picture.place or media, picture.reference_place or media
    image, reference = picture.image, picture.reference
    if reference is None or own == other:
        return compare_painter.pair_of(image, reference, opaque), _rect(own)
    whole = own.united(other)
    return compare_painter.pair_of(_laid(image, own, whole), _laid(reference, other, whole), opaque), _rect(whole)


def over_media(image: Bgra, place: Rect | None, extent: Extent) -> Bgra:
    """The part of a picture at ``place`` that lies over media of ``extent``."""
    if place is None:
        return image
    rows, columns = image.shape[:2]
    across, down = columns / place.width, rows / place.height
    left, top = round(-place.x * across), round(-place.y * down)
    right, bottom = round((extent.width - place.x) * across), round((extent.height - place.y) * down)
    return np.ascontiguousarray(image[max(0, top) : bottom, max(0, left) : right])


def _laid(image: NDArray[np.uint8], place: Rect, whole: Rect) -> NDArray[np.uint8]:
    """``image`` at its place on the stage of ``whole``, one array pixel per media pixel."""
    import cv2

    if place == whole:
        return image
    stage = theme.colour("stage")
    out = np.empty((whole.height, whole.width, 4), np.uint8)
    out[:] = (stage.blue(), stage.green(), stage.red(), 255)
    fitted = np.asarray(cv2.resize(image, (place.width, place.height), interpolation=cv2.INTER_AREA), np.uint8)
    x, y = place.x - whole.x, place.y - whole.y
    out[y : y + place.height, x : x + place.width] = fitted
    return out


def _rect(rect: Rect) -> QRectF:
    return QRectF(rect.x, rect.y, rect.width, rect.height)
