"""The rows of the action table for drawn shapes and the tools beside them: canvas tools, points, keys, baking."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501
from __future__ import annotations

from gen2studio.app.actions import Action

ROWS: tuple[Action, ...] = (
    Action(id="tool.shape", text="Bezier Shape", tip="Click for a corner, drag for a smooth point; Enter or a click on the first point closes. Alt takes the region away.", key="D", icon="pen-tool", menu="Mask/Tools", group="shapes", scope="canvas"),
    Action(id="tool.bspline", text="B-Spline Shape", tip="Click the points that a smooth curve follows; Enter or a click on the first point closes.", key="Shift+D", icon="spline", menu="Mask/Tools", group="shapes", scope="canvas"),
    Action(id="tool.edit_shape", text="Edit Shape", tip="Drag points, handles and segments; Alt-drag feathers a point, a double click adds one, Ctrl shows the transform box.", key="A", icon="shape-edit", menu="Mask/Tools", group="shapes", scope="canvas"),
    Action(id="tool.wand", text="Magic Wand", tip="Select what has the colour under the pointer in the source picture. Alt takes it away.", key="Shift+W", icon="magic-wand", menu="Mask/Tools", group="tools", scope="canvas"),
    Action(id="tool.gradient", text="Gradient Edge", tip="Drag from where the matte stays to where it has faded. Shift adds the ramp instead.", key="Shift+G", icon="gradient-edge", menu="Mask/Tools", group="tools", scope="canvas"),
    Action(id="shape.set_key", text="Set Shape Key", tip="Keep the selected shape as it is on this frame.", key="Shift+K", icon="diamond", menu="Mask/Shape", group="keys", scope="canvas"),
    Action(id="shape.remove_key", text="Remove Shape Key", tip="Remove the key of the selected shape on this frame.", key="Alt+K", menu="Mask/Shape", group="keys", scope="canvas"),
    Action(id="shape.next_key", text="Go to Next Shape Key", tip="Move to the next key of the selected shape.", key=".", icon="skip-forward", menu="Mask/Shape", group="keys", scope="canvas"),
    Action(id="shape.previous_key", text="Go to Previous Shape Key", tip="Move to the key of the selected shape before this frame.", key=",", icon="skip-back", menu="Mask/Shape", group="keys", scope="canvas"),
    Action(id="shape.smooth", text="Smooth Points", tip="Give the selected points of a bezier shape handles along the outline.", key="V", menu="Mask/Shape", group="points", scope="canvas"),
    Action(id="shape.corner", text="Corner Points", tip="Take the handles of the selected points away.", key="Shift+V", menu="Mask/Shape", group="points", scope="canvas"),
    Action(id="shape.to_bezier", text="Convert to Bezier", tip="Make the selected shape a bezier shape; its outline stays.", menu="Mask/Shape", group="convert"),
    Action(id="shape.to_bspline", text="Convert to B-Spline", tip="Make the selected shape a B-spline through its points.", menu="Mask/Shape", group="convert"),
    Action(id="shape.to_polygon", text="Convert to Polygon", tip="Make the selected shape a polygon a quarter of a pixel close to its outline.", menu="Mask/Shape", group="convert"),
    Action(id="shape.raise", text="Raise Shape", tip="Let the selected shape count after the next one.", icon="arrow-up", menu="Mask/Shape", group="order"),
    Action(id="shape.lower", text="Lower Shape", tip="Let the selected shape count before the one under it.", icon="arrow-down", menu="Mask/Shape", group="order"),
    Action(id="shape.duplicate", text="Duplicate Shape", tip="Copy the selected shape with its keys.", icon="copy", menu="Mask/Shape", group="order"),
    Action(id="shape.toggle", text="Show or Hide Shape", tip="Leave the selected shape out of the matte, or let it count again.", icon="eye", menu="Mask/Shape", group="order"),
    Action(id="shape.starts_here", text="Shape Starts Here", tip="Let the selected shape count from this frame on.", menu="Mask/Shape", group="life"),
    Action(id="shape.ends_here", text="Shape Ends Here", tip="Let this be the last frame that the selected shape counts on.", menu="Mask/Shape", group="life"),
    Action(id="shape.lives_always", text="Shape Counts on Every Frame", tip="Take the start and the end of the selected shape away.", menu="Mask/Shape", group="life"),
    Action(id="shape.delete", text="Delete Shape", tip="Delete the selected shape with all its keys.", icon="trash-2", menu="Mask/Shape", group="end"),
    Action(id="shape.bake", text="Bake Shapes to Paint", tip="Paint the shapes of the object into its mattes on every frame of the clip, and remove them.", menu="Mask/Shape", group="end"),
)  # fmt: skip
"""Bound by :func:`gen2studio.ui.tools.bindings.shape_handlers`."""
