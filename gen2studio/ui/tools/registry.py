"""The canvas tools by the id that ``session.tool`` holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from gen2studio.core.records import dataclass
from gen2studio.ui.canvas.gestures import Pointer, Tool
from gen2studio.ui.tools import colour_regions, painting, regions, shape_drawing, shape_reshaping, smart, transforming

if TYPE_CHECKING:
    from gen2studio.ui.canvas.stage import Stage

Hover = Callable[["Stage", Pointer | None], Qt.CursorShape | None]
"""The pointer moves with nothing down (None: it left, or another tool was taken) → the cursor; None = the usual one."""
Keys = Callable[["Stage", QKeyEvent], Callable[[], object] | None]
"""A key between two gestures → the command it means to the tool, before it is anybody's shortcut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanvasTool:
    """One tool. Title, tip, icon and key are those of the action ``tool.<id>``."""

    id: str
    gesture: Tool
    cursor: Qt.CursorShape = Qt.CursorShape.CrossCursor
    ring: bool = False
    """Shows the brush ring instead of a cursor; the right button sizes the brush."""
    edits: bool = True
    """Works on the current object's matte."""
    hover: Hover | None = None
    keys: Keys | None = None


TOOLS: dict[str, CanvasTool] = {
    tool.id: tool
    for tool in (
        CanvasTool(id="brush", gesture=painting.brush, ring=True),
        CanvasTool(id="eraser", gesture=painting.eraser, ring=True),
        CanvasTool(id="lasso", gesture=regions.lasso),
        CanvasTool(id="polygon", gesture=regions.polygon),
        CanvasTool(id="rectangle", gesture=regions.rectangle),
        CanvasTool(id="ellipse", gesture=regions.ellipse),
        CanvasTool(id="shape", gesture=shape_drawing.bezier),
        CanvasTool(id="bspline", gesture=shape_drawing.bspline),
        CanvasTool(
            id="edit_shape",
            gesture=shape_reshaping.reshape,
            cursor=Qt.CursorShape.ArrowCursor,
            hover=shape_reshaping.hover,
            keys=shape_reshaping.keys,
        ),
        CanvasTool(id="fill", gesture=regions.fill),
        CanvasTool(id="wand", gesture=colour_regions.wand),
        CanvasTool(id="gradient", gesture=colour_regions.gradient),
        CanvasTool(id="select_box", gesture=smart.select_box),
        CanvasTool(id="include", gesture=smart.include),
        CanvasTool(id="exclude", gesture=smart.exclude),
        CanvasTool(
            id="transform",
            gesture=transforming.transform,
            cursor=Qt.CursorShape.ArrowCursor,
            edits=False,
            hover=transforming.hover,
            keys=transforming.keys,
        ),
        CanvasTool(id="hand", gesture=painting.hand, cursor=Qt.CursorShape.OpenHandCursor, edits=False),
        CanvasTool(id="zoom", gesture=painting.zoom, edits=False),
    )
}

HAND = TOOLS["hand"]
"""What the canvas does while the tool in hand belongs to the timeline."""


def gesture_of(tool: CanvasTool, button: Qt.MouseButton, *, panning: bool) -> Tool | None:
    """What a press of ``button`` begins with ``tool`` in hand; None = nothing. The middle button always moves the
    picture, as every press does while ``panning`` with the space bar; the right one sizes the brush."""
    if button == Qt.MouseButton.MiddleButton or panning:
        return HAND.gesture
    if button == Qt.MouseButton.RightButton:
        return painting.size_brush if tool.ring else None
    return tool.gesture if button == Qt.MouseButton.LeftButton else None


def cursor_shape(
    tool: CanvasTool,
    *,
    wiping: bool,
    panning: bool,
    held: bool,
    chosen: bool,
    picture: bool,
    hint: Qt.CursorShape | None = None,
) -> Qt.CursorShape:
    """The cursor over the canvas: ``panning`` with the space bar, ``held`` while a gesture lasts, ``chosen`` when the
    hand is the artist's own choice, ``picture`` when there is one to paint on, ``hint`` what the tool wants here."""
    if wiping:
        return Qt.CursorShape.SplitHCursor
    if panning or tool is HAND:
        if not (chosen or panning or held):
            return Qt.CursorShape.ArrowCursor
        return Qt.CursorShape.ClosedHandCursor if held else Qt.CursorShape.OpenHandCursor
    if tool.ring and picture:
        return Qt.CursorShape.BlankCursor
    return hint if hint is not None else tool.cursor
