"""What a gesture may touch: the mattes, the picture under them, the view, and a drawing of the gesture itself."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import field
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF

from gen2studio.app.mask_editing import BrushSettings, MaskEditing, Region
from gen2studio.app.mask_editing_mattes import MatteEdit
from gen2studio.core.errors import EditRefused
from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.records import dataclass
from gen2studio.ui.canvas import reach
from gen2studio.ui.canvas.shape_painter import ShapeScene
from gen2studio.ui.canvas.view_transform import ViewTransform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gen2studio.app.motion_brush import MotionBrush
    from gen2studio.app.shape_editing import ShapeEditing
    from gen2studio.ui.canvas.canvas import Canvas
    from gen2studio.ui.canvas.transform_handles import TransformHandles

SHAPE_TOOLS = frozenset({"shape", "bspline", "edit_shape"})
"""Tools that shapes are shown with."""


@dataclass(slots=True)
class Sketch:
    """What a gesture draws over the picture while it lasts; media pixels."""

    kind: str = ""
    """line, polygon, rectangle, ellipse, box, scribble, size or empty."""
    points: list[tuple[float, float]] = field(default_factory=list)
    subtract: bool = False
    radius: float = 0.0
    hardness: float = 0.0


class Stage:
    """One canvas as its tools see it."""

    def __init__(self, canvas: Canvas, masks: MaskEditing) -> None:
        self._canvas = canvas
        self.masks = masks
        self.motion: MotionBrush | None = None
        """Takes the paint in place of the mattes while it is active."""
        self.sketch = Sketch()
        self.scene = ShapeScene()
        """The drawn shapes as they are shown: tools set what is under the pointer and what is being drawn."""
        self.last_point: tuple[float, float] | None = None
        """Where the last stroke ended: the start of a straight line."""

    @property
    def paints_motion(self) -> bool:
        return self.motion is not None and self.motion.active

    @property
    def brush(self) -> BrushSettings:
        return self.masks.brush

    @property
    def shapes(self) -> ShapeEditing:
        return self.masks.shapes

    @property
    def draws_shapes(self) -> bool:
        """Whether lasso, polygon, rectangle and ellipse leave a shape instead of paint."""
        return self.shapes.settings.drawn_as == "shape" and not self.paints_motion

    @property
    def extent(self) -> Extent:
        return self.masks.extent

    @property
    def picture(self) -> NDArray[np.uint8] | None:
        """The picture on screen at media size, (H, W, 4) BGRA."""
        shown = self._canvas.picture
        if shown is None or shown.image is None:
            return None
        return self._at_media_size(shown.image, shown.place, shown.extent)

    @staticmethod
    def _at_media_size(image: NDArray[np.uint8], place: Rect | None, extent: Extent) -> NDArray[np.uint8]:
        image = reach.over_media(image, place, extent)
        if image.shape[:2] != (extent.height, extent.width):
            import cv2

            size = (extent.width, extent.height)
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        return image

    @property
    def source(self) -> NDArray[np.uint8] | None:
        """The source picture at media size, (H, W, 4) BGRA; None while only a take is shown."""
        shown = self._canvas.picture
        if shown is not None and shown.shows != "source":
            if shown.reference is None or shown.reference_take_id:
                return None
            return self._at_media_size(shown.reference, shown.reference_place, shown.extent)
        return self.picture

    def painted_here(self) -> bool:
        """Whether the current object has any paint on the frame on screen."""
        if self.paints_motion:
            return True
        owner = self.masks.current()
        raster = self.masks.raster(owner.id, self.masks.frame) if owner is not None else None
        return raster is not None and not raster.is_empty

    @property
    def handles(self) -> TransformHandles | None:
        """The box around the clip's picture."""
        return self._canvas.handles

    @property
    def frame_view(self) -> ViewTransform:
        """Pixels of the sequence's frame ↔ widget positions."""
        return self._canvas.frame_view

    def redraw_handles(self) -> None:
        """The box or what is marked of it changed."""
        self._canvas.update(self._canvas.view_area)

    @property
    def transform(self) -> ViewTransform:
        return self._canvas.transform

    @property
    def pane_transform(self) -> ViewTransform:
        """Of the pane that the pointer is in."""
        return self._canvas.pane_transform

    def pan(self, dx: float, dy: float) -> None:
        self._canvas.set_transform(self.transform.panned(dx, dy))

    def zoom_step(self, direction: int, about: QPointF) -> None:
        self._canvas.set_transform(self.transform.stepped(direction, about))

    def zoom_to(self, area: QRectF) -> None:
        """Show ``area`` (media pixels) as large as it goes."""
        self._canvas.show_area(area)

    @contextmanager
    def edit(self, label: str) -> Generator[MatteEdit]:
        """A working matte that becomes one undo step at the end, or is put back when the gesture is cancelled."""
        edit = self.motion.begin() if self.motion is not None and self.motion.active else self.masks.begin()
        try:
            yield edit
        except BaseException:
            edit.cancel()
            raise
        edit.commit(label)

    def lay(self, label: str, region: Region, *, subtract: bool, pixels: int) -> None:
        """Add a region to the matte, or take it away, as one undo step: see :meth:`MaskEditing.lay`."""
        target = self.motion if self.motion is not None and self.motion.active else self.masks
        target.lay(label, region, subtract=subtract, pixels=pixels)

    @contextmanager
    def drawing(self, kind: str, *, subtract: bool = False) -> Generator[Sketch]:
        """A sketch shown over the picture until the block is left."""
        self.sketch = Sketch(kind=kind, subtract=subtract)
        try:
            yield self.sketch
        finally:
            self.sketch = Sketch()
            self._canvas.update_sketch()

    def expect_masks(self) -> None:
        """Raises EditRefused while the motion brush paints: it has no shapes."""
        if self.paints_motion:
            raise EditRefused("Regions of motion are painted.", "Use the brush, or leave the motion brush.")

    @contextmanager
    def drawing_shape(self, kind: str) -> Generator[ShapeScene]:
        """An outline in the scene that is shown until the block is left."""
        self.scene.fresh, self.scene.fresh_kind = [], kind
        try:
            yield self.scene
        finally:
            self.scene.fresh, self.scene.open_end, self.scene.closes = [], None, False
            self._canvas.update_shapes()

    @contextmanager
    def previewing(self) -> Generator[None]:
        """What :meth:`ShapeEditing.preview` shows is gone when the gesture is cancelled."""
        try:
            yield
        finally:
            self.shapes.drop_draft()

    def fill_scene(self) -> ShapeScene:
        """The scene with the current object's shapes as they are now; without them while no shape tool is in hand."""
        scene, shapes, owner = self.scene, self.shapes, self.masks.current()
        shown = self.masks.session.tool in SHAPE_TOOLS and not self.paints_motion
        scene.shapes = shapes.shapes() if shown else ()
        scene.frame = shapes.frame
        scene.chosen = shapes.current() if shown else None
        scene.points = shapes.points if shown else frozenset()
        scene.tint = owner.colour if owner is not None else (255, 255, 255)
        return scene

    def redraw_shapes(self) -> None:
        """The scene was changed."""
        self._canvas.update_shapes()

    def redraw(self) -> None:
        """The sketch was changed."""
        self._canvas.update_sketch()

    def tell(self, sentence: str) -> None:
        self.masks.session.tell(sentence, "warning")
