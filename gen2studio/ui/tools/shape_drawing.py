"""Drawing a shape point by point: click for a corner, drag for a smooth point."""

from __future__ import annotations

import math
from dataclasses import replace

from PySide6.QtCore import Qt

from gen2studio.core.mask_shape import ShapePoint
from gen2studio.ui.canvas.gestures import Gesture, Phase, Pointer
from gen2studio.ui.canvas.stage import Stage

_CLOSE = 9.0
"""A click this near the first point closes the shape, in widget pixels."""
_DRAG = 4.0
"""Widget pixels from which on a press is a drag."""


def bezier(stage: Stage, press: Pointer) -> Gesture:
    """Click corner by corner, drag for smooth points (Alt breaks the handles). A click on the first point or Enter
    closes, Backspace takes a point back. Alt with the first click takes the region away."""
    yield from _draw(stage, press, "bezier")


def bspline(stage: Stage, press: Pointer) -> Gesture:
    """Click the points of the cage that the curve follows. A click on the first point or Enter closes."""
    yield from _draw(stage, press, "bspline")


def _draw(stage: Stage, press: Pointer, kind: str) -> Gesture:
    stage.expect_masks()
    operation = "subtract" if press.alt or press.eraser else stage.shapes.settings.operation
    with stage.drawing_shape(kind) as scene:
        points = scene.fresh
        points.append(ShapePoint(press.x, press.y))
        stage.redraw_shapes()
        down: Pointer | None = press
        closing = False
        while True:
            pointer = yield
            scene.closes = len(points) >= 3 and _on_first(stage, points[0], pointer)
            if pointer.phase is Phase.PRESS and pointer.button == Qt.MouseButton.LeftButton:
                down = pointer
                closing = scene.closes
                if not closing:
                    points.append(_placed(points[-1], pointer))
            elif pointer.phase is Phase.MOVE and down is not None and kind == "bezier":
                _pull(points, down, pointer, closing)
            elif pointer.phase is Phase.MOVE and down is not None and not closing:
                points[-1] = ShapePoint(pointer.x, pointer.y)
            elif pointer.phase is Phase.RELEASE:
                down = None
                if closing:
                    break
            elif pointer.phase is Phase.BACK:
                points.pop()
                if not points:
                    return
            elif pointer.phase in (Phase.ACCEPT, Phase.DOUBLE):
                if len(points) >= 3:
                    break
                stage.tell("A shape needs at least three points. Click to add another, or press Esc.")
            scene.open_end = _placed(points[-1], pointer) if down is None else None
            stage.redraw_shapes()
        made = tuple(points)
    stage.shapes.draw(kind, made, operation, "Draw B-spline" if kind == "bspline" else "Draw shape")


def _on_first(stage: Stage, first: ShapePoint, pointer: Pointer) -> bool:
    gap = pointer.view - stage.pane_transform.to_view(first.x, first.y)
    return math.hypot(gap.x(), gap.y()) <= _CLOSE


def _placed(last: ShapePoint, pointer: Pointer) -> ShapePoint:
    """A corner at the pointer; with Shift in one of eight directions from the last point."""
    if not pointer.shift:
        return ShapePoint(pointer.x, pointer.y)
    dx, dy = pointer.x - last.x, pointer.y - last.y
    angle = round(math.atan2(dy, dx) / (math.pi / 4)) * (math.pi / 4)
    along = dx * math.cos(angle) + dy * math.sin(angle)
    return ShapePoint(last.x + along * math.cos(angle), last.y + along * math.sin(angle))


def _pull(points: list[ShapePoint], down: Pointer, pointer: Pointer, closing: bool) -> None:
    """The handles of the point that was pressed, pulled out to the pointer."""
    index = 0 if closing else -1
    point = points[index]
    travel = pointer.view - down.view
    if math.hypot(travel.x(), travel.y()) < _DRAG:
        if not closing:
            points[index] = ShapePoint(point.x, point.y)
        return
    dx, dy = pointer.x - point.x, pointer.y - point.y
    if closing:
        # The last piece arrives at the first point: what leaves it was drawn before.
        leaves = (point.out_x, point.out_y) if pointer.alt or (point.out_x, point.out_y) != (0.0, 0.0) else (dx, dy)
        points[index] = replace(point, in_x=-dx, in_y=-dy, out_x=leaves[0], out_y=leaves[1])
    elif pointer.alt:
        points[index] = replace(point, out_x=dx, out_y=dy)
    else:
        points[index] = replace(point, in_x=-dx, in_y=-dy, out_x=dx, out_y=dy)
