"""Lasso, polygon, rectangle, ellipse and fill."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gen2studio.core.geometry import Rect
from gen2studio.core.mask_shape import ShapePoint
from gen2studio.document import outlines
from gen2studio.ui.canvas.gestures import Gesture, Phase, Pointer
from gen2studio.ui.canvas.stage import Stage

if TYPE_CHECKING:
    from gen2studio.raster.tiles import Mask

_CLOSE = 9.0
"""A click this near the first corner closes a polygon, in widget pixels."""


def lasso(stage: Stage, press: Pointer) -> Gesture:
    """Draw around a region. Alt takes it away."""
    subtract = press.alt or press.eraser
    with stage.drawing("polygon", subtract=subtract) as sketch:
        sketch.points = [(press.x, press.y)]
        while True:
            pointer = yield
            if not pointer.moving:
                break
            sketch.points.append((pointer.x, pointer.y))
            stage.redraw()
        points = list(sketch.points)
    _put_polygon(stage, points, subtract, "Lasso")


def polygon(stage: Stage, press: Pointer) -> Gesture:
    """Click corner by corner. Enter, a double click or a click on the first corner closes it."""
    subtract = press.alt or press.eraser
    with stage.drawing("polygon", subtract=subtract) as sketch:
        corners = [(press.x, press.y)]
        while True:
            pointer = yield
            if pointer.phase is Phase.PRESS:
                first = stage.transform.to_view(*corners[0])
                gap = pointer.view - first
                if len(corners) >= 3 and math.hypot(gap.x(), gap.y()) <= _CLOSE:
                    break
                corners.append((pointer.x, pointer.y))
            elif pointer.phase is Phase.BACK:
                if len(corners) == 1:
                    return
                corners.pop()
            elif pointer.phase in (Phase.ACCEPT, Phase.DOUBLE):
                break
            elif pointer.phase is Phase.MOVE:
                corners[-1] = (pointer.x, pointer.y)
            sketch.points = [*corners, (pointer.x, pointer.y)]
            stage.redraw()
    _put_polygon(stage, corners, subtract, "Polygon")


def _put_polygon(stage: Stage, points: list[tuple[float, float]], subtract: bool, name: str) -> None:
    from gen2studio.raster import shapes

    extent = stage.extent
    across, down = (max(axis) - min(axis) for axis in zip(*points, strict=True))
    if len(points) < 3 or across <= 0 or down <= 0:
        return
    if stage.draws_shapes:
        corners = shapes.simplified(points, 1.0) if name == "Lasso" else points
        stage.shapes.draw("polygon", [ShapePoint(x, y) for x, y in corners], _operation(stage, subtract), name)
    else:
        stage.lay(name, lambda _matte: shapes.polygon(extent, points), subtract=subtract, pixels=int(across * down))


def _operation(stage: Stage, subtract: bool) -> str:
    return "subtract" if subtract else stage.shapes.settings.operation


def rectangle(stage: Stage, press: Pointer) -> Gesture:
    """Drag a rectangle. Shift: square; Ctrl: from the centre; Alt: take away."""
    yield from _boxed(stage, press, "rectangle", "Rectangle")


def ellipse(stage: Stage, press: Pointer) -> Gesture:
    """Drag an ellipse. Shift: circle; Ctrl: from the centre; Alt: take away."""
    yield from _boxed(stage, press, "ellipse", "Ellipse")


def _boxed(stage: Stage, press: Pointer, kind: str, name: str) -> Gesture:
    from gen2studio.raster import shapes

    subtract = press.alt or press.eraser
    with stage.drawing(kind, subtract=subtract) as sketch:
        while True:
            pointer = yield
            if not pointer.moving:
                break
            sketch.points = corners(press, pointer)
            stage.redraw()
        ends = corners(press, pointer)
    (x0, y0), (x1, y1) = ends
    if x0 == x1 or y0 == y1:
        return
    if stage.draws_shapes:
        outline = outlines.ellipse(x0, y0, x1, y1) if kind == "ellipse" else outlines.rectangle(x0, y0, x1, y1)
        stage.shapes.draw("bezier", outline, _operation(stage, subtract), name)
        return
    draw = shapes.rectangle if kind == "rectangle" else shapes.ellipse
    extent, pixels = stage.extent, int(abs(x1 - x0) * abs(y1 - y0))
    stage.lay(name, lambda _matte: draw(extent, x0, y0, x1, y1), subtract=subtract, pixels=pixels)


def corners(press: Pointer, now: Pointer) -> list[tuple[float, float]]:
    """Opposite corners of the box dragged from ``press`` to ``now``."""
    dx, dy = now.x - press.x, now.y - press.y
    if now.shift:
        side = max(abs(dx), abs(dy))
        dx, dy = math.copysign(side, dx), math.copysign(side, dy)
    if now.ctrl:
        return [(press.x - dx, press.y - dy), (press.x + dx, press.y + dy)]
    return [(press.x, press.y), (press.x + dx, press.y + dy)]


def fill(stage: Stage, press: Pointer) -> Gesture:
    """Fill the hole under the pointer, or with Shift the connected region of like colour. Alt takes the region away."""
    from gen2studio.raster import morphology, shapes

    x, y = math.floor(press.x), math.floor(press.y)
    extent = stage.extent
    if not (0 <= x < extent.width and 0 <= y < extent.height):
        return
    subtract = press.alt or press.eraser
    picture, tolerance = stage.picture if press.shift else None, stage.brush.tolerance

    def region(matte: Mask) -> tuple[Rect, Mask]:
        if picture is not None:
            found = shapes.fill_colour(picture, x, y, tolerance)
        elif subtract:
            found = shapes.fill_painted(matte, x, y)
        else:
            found = shapes.fill_matte(matte, x, y)
        area = morphology.bounds(found)
        return area, found[area.y : area.bottom, area.x : area.right]

    stage.lay("Fill", region, subtract=subtract, pixels=extent.width * extent.height)
    yield from ()
