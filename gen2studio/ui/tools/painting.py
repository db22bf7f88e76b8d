"""Brush and eraser, and sizing the brush on the picture."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt

from gen2studio.ui.canvas.gestures import Gesture, Pointer
from gen2studio.ui.canvas.stage import Stage


def brush(stage: Stage, press: Pointer) -> Gesture:
    """Paint. Alt or the pen's other end erases, Shift draws a straight line from where the last stroke ended."""
    yield from _stroke(stage, press, erase=press.alt or press.eraser)


def eraser(stage: Stage, press: Pointer) -> Gesture:
    """Erase. Alt paints."""
    yield from _stroke(stage, press, erase=not press.alt or press.eraser)


def _stroke(stage: Stage, press: Pointer, erase: bool) -> Gesture:
    from gen2studio.raster.brush import Brush, Stroke

    held = stage.brush
    tip = Brush(
        radius=held.radius,
        hardness=held.hardness,
        opacity=held.opacity,
        erase=erase,
        pressure_size=held.pressure_size,
        pressure_opacity=held.pressure_opacity,
        spacing=held.spacing,
    )
    start = stage.last_point if press.shift and stage.last_point is not None else (press.x, press.y)
    with stage.edit("Erase" if erase else "Brush stroke") as edit:
        stroke = Stroke(edit.mask, tip)
        edit.changed(stroke.press(*start, press.pressure))
        edit.changed(stroke.move(press.x, press.y, press.pressure))
        pointer = press
        while True:
            pointer = yield
            if not pointer.moving:
                break
            edit.changed(stroke.move(pointer.x, pointer.y, pointer.pressure))
        edit.changed(stroke.finish())
    stage.last_point = (pointer.x, pointer.y)


def size_brush(stage: Stage, press: Pointer) -> Gesture:
    """Drag to the side to size the brush, up and down to soften it; the circle stays where the drag began."""
    start = stage.brush
    zoom = stage.transform.zoom
    with stage.drawing("size") as sketch:
        sketch.points = [(press.x, press.y)]
        sketch.radius, sketch.hardness = start.radius, start.hardness
        stage.redraw()
        while True:
            pointer = yield
            if not pointer.moving:
                break
            across = (pointer.view.x() - press.view.x()) / zoom
            up = press.view.y() - pointer.view.y()
            # A dead zone keeps a sideways drag from softening the tip by accident.
            up = math.copysign(max(0.0, abs(up) - 12.0), up)
            stage.masks.set_brush(radius=start.radius + across, hardness=start.hardness + up / 200.0)
            sketch.radius, sketch.hardness = stage.brush.radius, stage.brush.hardness
            stage.redraw()


def hand(stage: Stage, press: Pointer) -> Gesture:
    """Move the picture under the pointer."""
    last = press.view
    while True:
        pointer = yield
        if not pointer.moving:
            return
        stage.pan(pointer.view.x() - last.x(), pointer.view.y() - last.y())
        last = pointer.view


def zoom(stage: Stage, press: Pointer) -> Gesture:
    """Click to zoom in (Alt or the right button: out), or drag a frame around what to see."""
    from PySide6.QtCore import QRectF

    with stage.drawing("box") as sketch:
        pointer = press
        while True:
            pointer = yield
            if not pointer.moving:
                break
            sketch.points = [(press.x, press.y), (pointer.x, pointer.y)]
            stage.redraw()
    travel = pointer.view - press.view
    if max(abs(travel.x()), abs(travel.y())) > 6:
        x0, x1 = sorted((press.x, pointer.x))
        y0, y1 = sorted((press.y, pointer.y))
        stage.zoom_to(QRectF(x0, y0, x1 - x0, y1 - y0))
    else:
        out = press.alt or press.button == Qt.MouseButton.RightButton
        stage.zoom_step(-1 if out else 1, press.view)
