"""Magic wand and gradient edge."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gen2studio.core.errors import EditRefused
from gen2studio.core.geometry import Rect
from gen2studio.ui.canvas.gestures import Gesture, Pointer
from gen2studio.ui.canvas.stage import Stage

if TYPE_CHECKING:
    from gen2studio.raster.tiles import Mask


def wand(stage: Stage, press: Pointer) -> Gesture:
    """Click a colour: what is like it in the source picture is added, with Alt taken away."""
    from gen2studio.raster import morphology, shapes

    x, y = math.floor(press.x), math.floor(press.y)
    extent, brush = stage.extent, stage.brush
    if not (0 <= x < extent.width and 0 <= y < extent.height):
        return
    picture = stage.source
    if picture is None:
        raise EditRefused(
            "The wand picks colours of the source picture, and a take is shown.", "Show the source, or compare with it."
        )

    def region(_matte: Mask) -> tuple[Rect, Mask]:
        found = shapes.fill_colour(picture, x, y, brush.tolerance, brush.contiguous)
        if brush.antialias:
            found = shapes.softened(picture, found, x, y, brush.tolerance)
        area = morphology.bounds(found)
        return area, found[area.y : area.bottom, area.x : area.right]

    stage.lay("Magic wand", region, subtract=press.alt or press.eraser, pixels=extent.width * extent.height)
    yield from ()


def gradient(stage: Stage, press: Pointer) -> Gesture:
    """Drag from where the matte stays to where it has faded away; Ctrl turns in eighths. Shift, or a frame without a
    matte, adds the ramp instead; Alt turns it round."""
    from gen2studio.raster import gradients

    extent, radial = stage.extent, stage.brush.radial
    with stage.drawing("radial" if radial else "gradient") as sketch:
        pointer, end = press, (press.x, press.y)
        while True:
            pointer = yield
            if not pointer.moving:
                break
            end = pointer.x, pointer.y
            if pointer.ctrl and not radial:
                end = gradients.snapped(press.x, press.y, *end)
            sketch.points = [(press.x, press.y), end]
            stage.redraw()
    (x0, y0), (x1, y1) = (press.x, press.y), end
    if math.hypot(x1 - x0, y1 - y0) * stage.transform.zoom < 4.0:
        stage.tell("Drag from where the matte stays to where it has faded.")
        return
    # Laid on an empty matte a fade would do nothing: there the ramp itself is what was meant.
    adds = pointer.shift or not stage.painted_here()

    def region(_matte: Mask) -> tuple[Rect, Mask]:
        ramp = gradients.radial(extent, x0, y0, math.hypot(x1 - x0, y1 - y0)) if radial else gradients.linear(
            extent, x0, y0, x1, y1
        )  # fmt: skip
        kept = ramp if pointer.alt is False else 255 - ramp
        return Rect.of(extent), kept if adds else 255 - kept

    label = "Gradient" if adds else "Fade matte"
    stage.lay(label, region, subtract=not adds, pixels=extent.width * extent.height)
