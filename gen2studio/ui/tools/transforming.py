"""The tool that moves, scales, turns and crops a clip's picture by the handles around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QKeyEvent

from gen2studio.app.compositor_geometry import Pose
from gen2studio.ui.canvas.gestures import Gesture, Phase, Pointer
from gen2studio.ui.canvas.transform_box import HANDLES, Point, TransformBox, snapped
from gen2studio.ui.tools import painting

if TYPE_CHECKING:
    from gen2studio.ui.canvas.stage import Stage

_SNAP = 8.0
"""Widget pixels."""
_CLICK = 3.0
_TURN = 15.0
"""Degrees of the steps while Shift is held."""
_NUDGES = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
_gesture = 0


def _next_gesture() -> int:
    global _gesture
    _gesture += 1
    return _gesture


def transform(stage: Stage, press: Pointer) -> Gesture:
    """Drag inside to move, a handle to scale, the stalk to turn, the cross to place the anchor, Ctrl with a handle to
    crop. Shift keeps the axis, steps by 15°, or lets a corner change the proportions; Alt scales about the anchor."""
    handles = stage.handles
    box = handles.box() if handles is not None else None
    spot = handles.hit(press.view, stage.frame_view) if handles is not None else ""
    if handles is None or box is None or not spot:
        # Beside the picture the view is moved, as with the timeline's own tools in hand.
        yield from painting.hand(stage, press)
        return
    gesture, moved, done, changed = _next_gesture(), False, False, False
    start = _frame_point(stage, press.view)
    crop = press.ctrl and spot in HANDLES
    try:
        while True:
            pointer = yield
            if pointer.phase is Phase.RELEASE:
                done = True
                return
            if not pointer.moving:
                continue
            moved = moved or (pointer.view - press.view).manhattanLength() >= _CLICK
            if moved:
                pose, label = _dragged(stage, box, spot, start, pointer, crop)
                changed = handles.set_pose(label, box.pose, pose, gesture) or changed
                stage.redraw_handles()
    finally:
        handles.lines = ([], [])
        if changed and not done:
            # The drag is the last step: nothing else is done while a button is held.
            handles.inspecting.session.store.undo_stack.undo()
        stage.redraw_handles()


def _frame_point(stage: Stage, view: QPointF) -> Point:
    point = stage.frame_view.to_media(view)
    return point.x(), point.y()


def _dragged(
    stage: Stage, box: TransformBox, spot: str, start: Point, pointer: Pointer, crop: bool
) -> tuple[Pose, str]:
    assert stage.handles is not None
    point = _frame_point(stage, pointer.view)
    stage.handles.lines = ([], [])
    if spot == "rotate":
        return box.turned(start, point, step=_TURN if pointer.shift else 0.0), "Rotate"
    if spot == "anchor":
        return box.anchored(_snapped_anchor(stage, box, point)), "Move Anchor"
    if crop:
        return box.cropped(spot, point), "Crop"
    if spot in HANDLES:
        # The handle stays under the pointer as it was caught, beside its middle.
        grip = box.handle(spot)
        at = (grip[0] + point[0] - start[0], grip[1] + point[1] - start[1])
        return box.scaled(spot, at, keep=not pointer.shift, about_anchor=pointer.alt), "Scale"
    dx, dy = point[0] - start[0], point[1] - start[1]
    if pointer.shift:
        dx, dy = (dx, 0.0) if abs(dx) >= abs(dy) else (0.0, dy)
    pose = box.moved(dx, dy)
    if not pointer.ctrl:
        pose, vertical, horizontal = snapped(box, pose, _SNAP / stage.frame_view.zoom)
        if pointer.shift:
            pose = _on_axis(box, pose, dx, dy)
        stage.handles.lines = (vertical, horizontal)
    return pose, "Move Picture"


def _on_axis(box: TransformBox, pose: Pose, dx: float, dy: float) -> Pose:
    return replace(pose, y=box.pose.y) if dy == 0 else replace(pose, x=box.pose.x) if dx == 0 else pose


def _snapped_anchor(stage: Stage, box: TransformBox, point: Point) -> Point:
    """The picture's middle, corners and edges draw the anchor."""
    reach = _SNAP / stage.frame_view.zoom
    spots = [box.place((0.5, 0.5)), *(box.handle(name) for name in HANDLES)]
    near = min(spots, key=lambda spot: abs(spot[0] - point[0]) + abs(spot[1] - point[1]))
    return near if abs(near[0] - point[0]) <= reach and abs(near[1] - point[1]) <= reach else point


def hover(stage: Stage, pointer: Pointer | None) -> Qt.CursorShape | None:
    """Mark the handle under the pointer and say its cursor."""
    handles = stage.handles
    if handles is None:
        return None
    spot = handles.hit(pointer.view, stage.frame_view) if pointer is not None else ""
    if spot != handles.hot:
        handles.hot = spot
        stage.redraw_handles()
    box = handles.box()
    return handles.cursor(spot, box) if box is not None else None


def keys(stage: Stage, event: QKeyEvent) -> Callable[[], object] | None:
    """Arrow keys move the picture by one pixel of the frame, with Shift by ten."""
    step = _NUDGES.get(Qt.Key(event.key()))
    handles = stage.handles
    if (
        step is None
        or handles is None
        or event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
    ):
        return None
    box = handles.box()
    if box is None:
        return None
    far = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
    pose = box.moved(step[0] * far, step[1] * far)
    return lambda: handles.set_pose("Nudge Picture", box.pose, pose, 0)
