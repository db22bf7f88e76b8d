"""Smart select: a box around the subject, or scribbles over what belongs to it and what does not."""

from __future__ import annotations

import math

from gen2studio.core.geometry import Rect
from gen2studio.ui.canvas.gestures import Gesture, Pointer
from gen2studio.ui.canvas.stage import Stage
from gen2studio.ui.tools.regions import corners

SCRIBBLE_RADIUS = 5.0
"""Widget pixels that a scribble is wide to either side."""


def select_box(stage: Stage, press: Pointer) -> Gesture:
    """Drag a box around the subject."""
    with stage.drawing("box") as sketch:
        while True:
            pointer = yield
            if not pointer.moving:
                break
            sketch.points = corners(press, pointer)
            stage.redraw()
        ends = corners(press, pointer)
    x0, x1 = sorted((ends[0][0], ends[1][0]))
    y0, y1 = sorted((ends[0][1], ends[1][1]))
    left, top = math.floor(x0), math.floor(y0)
    box = Rect(left, top, math.ceil(x1) - left, math.ceil(y1) - top).intersected(Rect.of(stage.extent))
    if box.width < 4 or box.height < 4:
        stage.tell("That box is too small. Drag it around the whole subject.")
        return
    stage.masks.attempt(lambda: stage.masks.smart_select(box=box))


def include(stage: Stage, press: Pointer) -> Gesture:
    """Scribble over the subject. Alt: over what is not the subject."""
    yield from _scribble(stage, press, subtract=press.alt or press.eraser)


def exclude(stage: Stage, press: Pointer) -> Gesture:
    """Scribble over what is not the subject. Alt: over the subject."""
    yield from _scribble(stage, press, subtract=not press.alt or press.eraser)


def _scribble(stage: Stage, press: Pointer, subtract: bool) -> Gesture:
    radius = max(1.0, SCRIBBLE_RADIUS / stage.transform.zoom)
    with stage.drawing("scribble", subtract=subtract) as sketch:
        sketch.radius = radius
        sketch.points = [(press.x, press.y)]
        stage.redraw()
        while True:
            pointer = yield
            if not pointer.moving:
                break
            sketch.points.append((pointer.x, pointer.y))
            stage.redraw()
        points = tuple(_spaced(sketch.points, radius))
    masks = stage.masks
    if subtract:
        masks.attempt(lambda: masks.smart_select(exclude=points, radius=radius))
    else:
        masks.attempt(lambda: masks.smart_select(include=points, radius=radius))


def _spaced(points: list[tuple[float, float]], radius: float) -> list[tuple[float, float]]:
    """Samples about one radius apart along the scribble, so that discs around them cover it."""
    kept = [points[0]]
    for x, y in points[1:]:
        x0, y0 = kept[-1]
        length = math.hypot(x - x0, y - y0)
        count = math.floor(length / radius)
        kept.extend((x0 + (x - x0) * i / count, y0 + (y - y0) * i / count) for i in range(1, count + 1))
    return kept
