"""Lays the mattes of the frame over the picture, for the part of the canvas that is repainted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QImage, QPainter

from gen2studio.app.session import MaskView
from gen2studio.ui import theme
from gen2studio.ui.canvas.view_transform import ViewTransform

Layer = tuple[tuple[int, int, int], NDArray[np.uint8]]
"""(RGB tint, (H, W) uint8 matte)."""
MARGIN = 5
"""Widget pixels around a changed matte that its view may paint on."""
_CELL = 10


def image_of(pixels: NDArray[np.uint8], opaque: bool = False) -> QImage:
    """A QImage on the memory of a contiguous (H, W, 4) BGRA array; it keeps the array alive."""
    height, width = pixels.shape[:2]
    form = QImage.Format.Format_RGB32 if opaque else QImage.Format.Format_ARGB32_Premultiplied
    return QImage(pixels.data, width, height, width * 4, form)


def paint_mattes(
    painter: QPainter,
    area: QRect,
    frame: QRectF,
    transform: ViewTransform,
    layers: Sequence[Layer],
    view: MaskView,
    opacity: float,
) -> None:
    """Paint ``layers`` inside ``area`` (widget pixels), clipped to ``frame``, where the picture lies."""
    visible = area.intersected(frame.toAlignedRect())
    if view is MaskView.NONE or visible.isEmpty() or (not layers and view in (MaskView.OVERLAY, MaskView.OUTLINE)):
        return
    ratio = painter.device().devicePixelRatio()
    painter.save()
    painter.setClipRect(frame, Qt.ClipOperation.IntersectClip)
    corner = QPointF(visible.topLeft())
    for pixels in _rendered(visible, transform, layers, view, opacity, ratio):
        image = image_of(pixels)
        image.setDevicePixelRatio(ratio)
        painter.drawImage(corner, image)
    painter.restore()


def _rendered(
    visible: QRect, transform: ViewTransform, layers: Sequence[Layer], view: MaskView, opacity: float, ratio: float
) -> list[NDArray[np.uint8]]:
    from gen2studio.raster import compositing, views

    scale = transform.zoom * ratio
    origin = transform.to_media(QPointF(visible.topLeft()))
    width, height = round(visible.width() * ratio), round(visible.height() * ratio)

    def sampled(matte: NDArray[np.uint8], margin: int = 0) -> NDArray[np.uint8]:
        left, top = origin.x() - margin / scale, origin.y() - margin / scale
        return views.sample(matte, scale, left, top, width + 2 * margin, height + 2 * margin)

    if view is MaskView.OVERLAY:
        return [views.overlay(sampled(matte), tint, opacity) for tint, matte in layers]
    if view is MaskView.OUTLINE:
        margin = views.OUTLINE_MARGIN
        return [views.outline(sampled(matte, margin), tint, 2 if ratio < 2 else 3) for tint, matte in layers]
    union = np.zeros((height, width), np.uint8)
    for _, matte in layers:
        np.maximum(union, sampled(matte), out=union)
    if view is MaskView.MATTE:
        return [views.matte(union)]
    dark, light = theme.colour("checker_dark"), theme.colour("checker_light")
    board = compositing.checkerboard(
        width,
        height,
        round(_CELL * ratio),
        (dark.red(), dark.green(), dark.blue()),
        (light.red(), light.green(), light.blue()),
        round(visible.x() * ratio),
        round(visible.y() * ratio),
    )
    return [views.checker(union, board)]
