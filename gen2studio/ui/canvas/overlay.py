"""Lays the mattes of the frame over the picture, for the part of the canvas that is repainted."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QImage, QPainter

from gen2studio.app.session import MaskView
from gen2studio.core.geometry import Rect
from gen2studio.core.records import dataclass
from gen2studio.ui import theme
from gen2studio.ui.canvas.view_transform import ViewTransform

if TYPE_CHECKING:
    from numpy.typing import NDArray

Layer: TypeAlias = "tuple[tuple[int, int, int], NDArray[np.uint8], str]"
"""(RGB tint, (H, W) uint8 matte, add / subtract / intersect), in the order of the object list."""
Neighbour: TypeAlias = "tuple[int, NDArray[np.uint8]]"
"""(−1 = of the frame before, 1 = of the frame after, (H, W) uint8 matte)."""
ONION = {-1: (255, 70, 80), 1: (70, 220, 110)}
"""RGB tints of onion skin."""
_EACH = (MaskView.OVERLAY, MaskView.OUTLINE, MaskView.ONION)
"""Views that show every object for itself; there is nothing to paint without objects."""
MARGIN = 5
"""Widget pixels around a changed matte that its view may paint on."""
_CELL = 10


def image_of(pixels: NDArray[np.uint8], opaque: bool = False) -> QImage:
    """A QImage on the memory of a contiguous (H, W, 4) BGRA array; it keeps the array alive."""
    height, width = pixels.shape[:2]
    form = QImage.Format.Format_RGB32 if opaque else QImage.Format.Format_ARGB32_Premultiplied
    return QImage(pixels.data, width, height, width * 4, form)


def _tinted(matte: NDArray[np.uint8], tint: tuple[int, int, int], opacity: float) -> QImage:
    """A sampled matte in its tint. Qt looks the colours up while it blends, so that no picture of them is made."""
    from gen2studio.raster import views

    height, width = matte.shape
    image = QImage(matte.data, width, height, width, QImage.Format.Format_Indexed8)
    image.setColorTable(views.tints(tint, opacity))
    return image


def paint_mattes(
    painter: QPainter,
    area: QRect,
    frame: QRectF,
    transform: ViewTransform,
    layers: Sequence[Layer],
    view: MaskView,
    opacity: float,
    quick: bool = False,
    *,
    backdrop: tuple[int, int, int] = (0, 177, 64),
    neighbours: Sequence[Neighbour] = (),
) -> None:
    """Paint ``layers`` inside ``area`` (widget pixels), clipped to ``frame``, where the picture lies.

    ``quick`` takes the nearest pixels, for mattes that are gone in a moment. ``backdrop`` is the colour that the
    subject stands on in that view, ``neighbours`` what onion skin shows beside the present mattes.
    """
    visible = area.intersected(frame.toAlignedRect())
    if view is MaskView.NONE or visible.isEmpty() or (view in _EACH and not (layers or neighbours)):
        return
    ratio = painter.device().devicePixelRatio()
    painter.save()
    painter.setClipRect(frame, Qt.ClipOperation.IntersectClip)
    scene = _Scene(visible, transform, layers, opacity, ratio, quick, backdrop, neighbours)
    for spot, image in _rendered(scene, view):
        image.setDevicePixelRatio(ratio)
        painter.drawImage(QPointF(spot), image)
    painter.restore()


@dataclass(frozen=True, slots=True)
class _Scene:
    """What is painted, and where."""

    visible: QRect
    transform: ViewTransform
    layers: Sequence[Layer]
    opacity: float
    ratio: float
    quick: bool
    backdrop: tuple[int, int, int]
    neighbours: Sequence[Neighbour]

    def sampled(self, matte: NDArray[np.uint8], part: QRect, margin: int = 0) -> NDArray[np.uint8]:
        return _sampled(matte, part, self.transform, self.ratio, self.quick, margin)

    def result(self) -> NDArray[np.uint8]:
        """What the objects make together, in screen pixels of ``visible``."""
        from gen2studio.raster.matte_refine import blended

        width, height = round(self.visible.width() * self.ratio), round(self.visible.height() * self.ratio)
        union = np.zeros((height, width), np.uint8)
        for _, matte, how in self.layers:
            union = blended(union, self.sampled(matte, self.visible), how)
        return union


def _rendered(scene: _Scene, view: MaskView) -> Iterator[tuple[QPoint, QImage]]:
    """Images and where they go."""
    from gen2studio.raster import compositing, views

    visible, ratio = scene.visible, scene.ratio
    if view in (MaskView.OVERLAY, MaskView.ONION):
        for tint, matte, _ in scene.layers:
            part = visible.intersected(_painted(matte, scene.transform, visible))
            if not part.isEmpty():
                yield part.topLeft(), _tinted(scene.sampled(matte, part), tint, scene.opacity)
        if view is MaskView.ONION:
            yield from _onion(scene)
    elif view is MaskView.OUTLINE:
        for tint, matte, _ in scene.layers:
            yield from _outlined(scene, tint, matte)
    elif view is MaskView.MATTE:
        yield visible.topLeft(), image_of(views.matte(scene.result()), opaque=True)
    elif view is MaskView.ALPHA:
        yield visible.topLeft(), image_of(views.alpha(scene.result()), opaque=True)
    elif view is MaskView.COLOUR:
        yield visible.topLeft(), image_of(views.colour(scene.result(), scene.backdrop))
    else:
        dark, light = theme.colour("checker_dark"), theme.colour("checker_light")
        union = scene.result()
        board = compositing.checkerboard(
            union.shape[1],
            union.shape[0],
            round(_CELL * ratio),
            (dark.red(), dark.green(), dark.blue()),
            (light.red(), light.green(), light.blue()),
            round(visible.x() * ratio),
            round(visible.y() * ratio),
        )
        yield visible.topLeft(), image_of(views.checker(union, board))


def _onion(scene: _Scene) -> Iterator[tuple[QPoint, QImage]]:
    """What the frames before and after cover and this one does not, and their outlines."""
    import cv2

    now = scene.result()
    for step, matte in scene.neighbours:
        tint = ONION[step]
        beyond = np.asarray(cv2.subtract(scene.sampled(matte, scene.visible), now), np.uint8)
        yield scene.visible.topLeft(), _tinted(beyond, tint, 0.55)
        yield from _outlined(scene, tint, matte)


def _outlined(scene: _Scene, tint: tuple[int, int, int], matte: NDArray[np.uint8]) -> Iterator[tuple[QPoint, QImage]]:
    from gen2studio.raster import views

    part = scene.visible.intersected(_painted(matte, scene.transform, scene.visible).adjusted(-4, -4, 4, 4))
    if not part.isEmpty():
        seen = scene.sampled(matte, part, views.OUTLINE_MARGIN)
        yield part.topLeft(), image_of(views.outline(seen, tint, 2 if scene.ratio < 2 else 3))


def _sampled(
    matte: NDArray[np.uint8], part: QRect, transform: ViewTransform, ratio: float, quick: bool, margin: int = 0
) -> NDArray[np.uint8]:
    """The matte under ``part`` (widget pixels) in screen pixels, with ``margin`` more on every side."""
    from gen2studio.raster import views

    scale = transform.zoom * ratio
    origin = transform.to_media(QPointF(part.topLeft()))
    left, top = origin.x() - margin / scale, origin.y() - margin / scale
    width, height = round(part.width() * ratio) + 2 * margin, round(part.height() * ratio) + 2 * margin
    if not quick or matte.flags.writeable:
        return views.sample(matte, scale, left, top, width, height, quick=quick)
    # A playhead dragged to and fro comes by the same mattes again.
    key = (id(matte), scale, left, top, width, height)
    kept = _picked.get(key)
    if kept is not None and kept[0]() is matte:
        _picked.move_to_end(key)
        return kept[1]
    found = views.sample(matte, scale, left, top, width, height, quick=True)
    _picked[key] = (weakref.ref(matte), found)
    while len(_picked) > _PICKED_MOST:
        _picked.popitem(last=False)
    return found


def _painted(matte: NDArray[np.uint8], transform: ViewTransform, visible: QRect) -> QRect:
    """Widget pixels that the matte may tint. Looked up for finished mattes and large areas only: it costs a scan."""
    if matte.flags.writeable or visible.width() * visible.height() < _SCAN:
        return visible
    box = _bounds.get(id(matte))
    if box is None or box[0]() is not matte:
        from gen2studio.raster import morphology

        if len(_bounds) > 512:
            _bounds.clear()
        box = _bounds[id(matte)] = (weakref.ref(matte), morphology.bounds(matte))
    area = box[1]
    return transform.rect_to_view(area.x, area.y, area.width, area.height).adjusted(-2, -2, 2, 2).toAlignedRect()


_picked: OrderedDict[tuple[float, ...], tuple[weakref.ref[NDArray[np.uint8]], NDArray[np.uint8]]] = OrderedDict()
_PICKED_MOST = 24
"""Mattes of one byte a screen pixel: some ten megabytes for subjects of half the screen."""
_bounds: dict[int, tuple[weakref.ref[NDArray[np.uint8]], Rect]] = {}
_SCAN = 200_000
"""Widget pixels from which on knowing the bounds of a matte pays."""
