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
from gen2studio.core.geometry import Extent
from gen2studio.core.records import dataclass
from gen2studio.ui.canvas import reach
from gen2studio.ui.canvas.view_transform import ViewTransform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gen2studio.app.motion_brush import MotionBrush
    from gen2studio.ui.canvas.canvas import Canvas


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
        self.last_point: tuple[float, float] | None = None
        """Where the last stroke ended: the start of a straight line."""

    @property
    def paints_motion(self) -> bool:
        return self.motion is not None and self.motion.active

    @property
    def brush(self) -> BrushSettings:
        return self.masks.brush

    @property
    def extent(self) -> Extent:
        return self.masks.extent

    @property
    def picture(self) -> NDArray[np.uint8] | None:
        """The picture on screen at media size, (H, W, 4) BGRA."""
        shown = self._canvas.picture
        if shown is None or shown.image is None:
            return None
        image, extent = reach.over_media(shown.image, shown.place, shown.extent), shown.extent
        if image.shape[:2] != (extent.height, extent.width):
            import cv2

            size = (extent.width, extent.height)
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        return image

    @property
    def transform(self) -> ViewTransform:
        return self._canvas.transform

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

    def redraw(self) -> None:
        """The sketch was changed."""
        self._canvas.update_sketch()

    def tell(self, sentence: str) -> None:
        self.masks.session.tell(sentence, "warning")
