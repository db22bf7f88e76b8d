"""The rows of the action table that isolate subjects: canvas tools, matte operations, views, selection, propagation."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501
from __future__ import annotations

from gen2studio.app.actions import Action

ROWS: tuple[Action, ...] = (
    # -- tools: letters are live while the viewer has the focus -----------------------------------------------------
    Action(id="tool.brush", text="Brush", tip="Paint the matte. Alt erases, Shift-click draws a straight line, right-drag sets the size.", key="B", icon="brush", menu="Mask/Tools", group="tools", scope="canvas"),
    Action(id="tool.eraser", text="Eraser", tip="Take away from the matte. The other end of a pen does the same.", key="E", icon="eraser", menu="Mask/Tools", group="tools", scope="canvas"),
    Action(id="tool.lasso", text="Lasso", tip="Draw around a region to fill it. Alt takes it away.", key="Q", icon="lasso", menu="Mask/Tools", group="tools", scope="canvas"),
    Action(id="tool.polygon", text="Polygon", tip="Click corner by corner; Enter or a double click closes, Backspace takes a corner back. Alt takes the region away.", key="P", icon="pentagon", menu="Mask/Tools", group="tools", scope="canvas"),
    Action(id="tool.rectangle", text="Rectangle", tip="Drag a rectangle; Shift makes a square, Ctrl starts from the centre. Alt takes it away.", key="R", icon="square", menu="Mask/Tools", group="tools", scope="canvas"),
    Action(id="tool.ellipse", text="Ellipse", tip="Drag an ellipse; Shift makes a circle, Ctrl starts from the centre. Alt takes it away.", key="C", icon="circle", menu="Mask/Tools", group="tools", scope="canvas"),
    Action(id="tool.fill", text="Fill", tip="Fill a hole enclosed by paint, or with Shift the region of like colour. Alt takes the region away.", key="G", icon="paint-bucket", menu="Mask/Tools", group="tools", scope="canvas"),
    Action(id="tool.select_box", text="Smart Select Box", tip="Drag a box around the subject; it is selected inside.", key="W", icon="wand-sparkles", menu="Mask/Tools", group="smart", scope="canvas"),
    Action(id="tool.include", text="Include Scribble", tip="Scribble over what belongs to the subject; Alt scribbles what does not.", key="S", icon="circle-plus", menu="Mask/Tools", group="smart", scope="canvas"),
    Action(id="tool.exclude", text="Exclude Scribble", tip="Scribble over what does not belong to the subject; Alt scribbles what does.", key="Shift+S", icon="circle-minus", menu="Mask/Tools", group="smart", scope="canvas"),
    Action(id="tool.hand", text="Hand", tip="Move the picture. Space or the middle button do so in every tool.", key="H", icon="hand", menu="Mask/Tools", group="view", scope="canvas"),
    Action(id="tool.zoom", text="Zoom", tip="Click to zoom in, Alt-click to zoom out, drag around what to see.", key="Z", icon="zoom-in", menu="Mask/Tools", group="view", scope="canvas"),
    Action(id="tool.swap", text="Swap Brush and Eraser", tip="Change between painting and erasing.", key="X", menu="Mask/Tools", group="tip", scope="canvas"),
    Action(id="brush.smaller", text="Smaller Brush", tip="Make the brush smaller.", key="[", menu="Mask/Tools", group="tip", scope="canvas"),
    Action(id="brush.larger", text="Larger Brush", tip="Make the brush larger.", key="]", menu="Mask/Tools", group="tip", scope="canvas"),
    Action(id="brush.softer", text="Softer Brush", tip="Make the edge of the brush softer.", key="Shift+[", keys=("{",), menu="Mask/Tools", group="tip", scope="canvas"),
    Action(id="brush.harder", text="Harder Brush", tip="Make the edge of the brush harder.", key="Shift+]", keys=("}",), menu="Mask/Tools", group="tip", scope="canvas"),
    # -- objects -----------------------------------------------------------------------------------------------------
    Action(id="mask.add_object", text="Add Object", tip="Start a new, empty mask object on the clip in the viewer.", key="Ctrl+Shift+M", icon="plus", menu="Mask", group="objects"),
    Action(id="mask.duplicate_object", text="Duplicate Object", tip="Copy the chosen object with its mattes, shapes and refinement.", icon="copy", menu="Mask", group="objects"),
    Action(id="mask.solo", text="Solo Object", tip="Show only the chosen object in the viewer.", key="Ctrl+Alt+S", icon="eye", menu="Mask", group="objects"),
    Action(id="mask.copy_refinement", text="Copy Refinement", tip="Remember the refine stack of the chosen object.", icon="copy", menu="Mask", group="refine"),
    Action(id="mask.paste_refinement", text="Paste Refinement", tip="Give the chosen object the refine stack that was copied.", icon="clipboard-paste", menu="Mask", group="refine"),
    Action(id="mask.remove_object", text="Delete Object", tip="Delete the chosen object with all its mattes.", icon="trash-2", menu="Mask", group="objects"),
    # -- matte ---------------------------------------------------------------------------------------------------------
    Action(id="mask.clear", text="Clear Matte", tip="Empty the matte of this frame.", key="Ctrl+Backspace", icon="ban", menu="Mask", group="matte", scope="canvas"),
    Action(id="mask.invert", text="Invert Matte", tip="Swap inside and outside on this frame.", key="Ctrl+Shift+I", icon="contrast", menu="Mask", group="matte"),
    Action(id="mask.fill_holes", text="Fill Holes", tip="Paint every hole that the matte encloses on this frame.", icon="circle-dot", menu="Mask", group="matte"),
    Action(id="mask.despeckle", text="Despeckle", tip="Remove islands of fewer than 64 pixels on this frame.", icon="sparkles", menu="Mask", group="matte"),
    Action(id="mask.grow", text="Grow by 1 px", tip="Grow the matte of this frame by one pixel.", key="Ctrl+Alt+=", icon="expand", menu="Mask", group="edge"),
    Action(id="mask.shrink", text="Shrink by 1 px", tip="Shrink the matte of this frame by one pixel.", key="Ctrl+Alt+-", icon="shrink", menu="Mask", group="edge"),
    Action(id="mask.feather", text="Feather by 2 px", tip="Soften the edge of the matte on this frame.", icon="feather", menu="Mask", group="edge"),
    Action(id="mask.remove_frame", text="Remove Matte from Frame", tip="Forget the matte of this frame, drawn or propagated.", menu="Mask", group="frames"),
    Action(id="mask.forget_propagated", text="Remove Propagated Mattes", tip="Keep what was drawn by hand and drop what was propagated.", menu="Mask", group="frames"),
    # -- propagation -----------------------------------------------------------------------------------------------------
    Action(id="mask.propagate_backward", text="Propagate Backward", tip="Carry the matte from this frame to the start of the clip. Corrections are kept.", key="Ctrl+Alt+Left", icon="arrow-left", menu="Mask", group="propagate"),
    Action(id="mask.propagate_both", text="Propagate Both Ways", tip="Carry the mattes over the whole clip. Corrections are kept.", key="Ctrl+Alt+Up", icon="arrow-left-right", menu="Mask", group="propagate"),
    Action(id="mask.propagate_forward", text="Propagate Forward", tip="Carry the matte from this frame to the end of the clip. Corrections are kept.", key="Ctrl+Alt+Right", icon="arrow-right", menu="Mask", group="propagate"),
    Action(id="mask.propagate_next", text="Propagate to Next Correction", tip="Carry the matte from this frame to the next frame drawn by hand.", key="Ctrl+Alt+Down", icon="arrow-right-to-line", menu="Mask", group="propagate"),
    Action(id="mask.cancel", text="Stop Propagation", tip="Stop what runs on the mattes; finished frames are kept.", icon="circle-stop", menu="Mask", group="propagate"),
    Action(id="mask.next_suspect", text="Go to Next Suspect Frame", tip="Move to the next propagated frame that may need a correction.", key="Ctrl+Down", icon="triangle-alert", menu="Mask", group="propagate"),
    Action(id="mask.previous_suspect", text="Go to Previous Suspect Frame", tip="Move to the propagated frame before this one that may need a correction.", key="Ctrl+Up", icon="triangle-alert", menu="Mask", group="propagate"),
    Action(id="mask.import", text="Import Mattes…", tip="Bring mattes in: PNG or EXR sequences, ProRes 4444, any video or image. Or drop them on the mask panel.", icon="import", menu="Mask", group="export"),
    Action(id="mask.export", text="Export Mattes…", tip="Write mattes as PNG, OpenEXR, ProRes 4444, WebM or on a green screen.", icon="images", menu="Mask", group="export"),
    # -- views ---------------------------------------------------------------------------------------------------------
    Action(id="maskview.alpha", text="Alpha", tip="Show the levels of the matte; what is nearly out is blue, what is nearly in orange.", key="F3", icon="droplet", menu="View/Mask", group="maskview"),
    Action(id="maskview.colour", text="On Colour", tip="Show the subject alone on a colour of your choice.", key="F4", icon="palette", menu="View/Mask", group="maskview"),
    Action(id="maskview.overlay", text="Overlay", tip="Tint the subject over the picture.", key="F5", icon="layers", menu="View/Mask", group="maskview"),
    Action(id="maskview.matte", text="Matte", tip="Show the matte alone, white inside.", key="F6", icon="contrast", menu="View/Mask", group="maskview"),
    Action(id="maskview.checker", text="On Checker", tip="Show the subject alone on checks.", key="F7", icon="grid-2x2", menu="View/Mask", group="maskview"),
    Action(id="maskview.outline", text="Outline", tip="Draw a line around the subject.", key="F8", icon="square-dashed", menu="View/Mask", group="maskview"),
    Action(id="maskview.none", text="No Mask", tip="Show the picture without mattes.", key="F9", icon="eye-off", menu="View/Mask", group="maskview"),
    Action(id="maskview.onion", text="Onion Skin", tip="Show the matte of the frame before in red and of the frame after in green.", key="F10", icon="layers-2", menu="View/Mask", group="maskview"),
    Action(id="maskview.side", text="Picture and Matte", tip="Show the picture on the left and the matte on the right.", key="F12", icon="columns-2", menu="View/Mask", group="maskview"),
    Action(id="canvas.fit", text="Fit Picture", tip="Show the whole frame.", key="Shift+1", keys=("!",), icon="maximize", menu="View", group="canvas", scope="canvas"),
    Action(id="canvas.one_to_one", text="Actual Pixels", tip="Show one picture pixel as one screen pixel.", key="Shift+2", keys=("@",), icon="scan", menu="View", group="canvas", scope="canvas"),
    Action(id="canvas.zoom_in", text="Zoom Picture In", tip="Magnify the picture.", key="Ctrl+=", keys=("Ctrl++",), icon="zoom-in", menu="View", group="canvas"),
    Action(id="canvas.zoom_out", text="Zoom Picture Out", tip="See more of the picture.", key="Ctrl+-", icon="zoom-out", menu="View", group="canvas"),
)  # fmt: skip
"""Bound by :func:`gen2studio.ui.tools.bindings.handlers`."""
