"""Editing shapes on the picture: points, handles, segments, feather, the transform box, and the keys for them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QKeyEvent

from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.document import mask_shapes as edits
from gen2studio.document.mask_shapes import Matrix
from gen2studio.document.model import Document
from gen2studio.ui.canvas.gestures import Gesture, Phase, Pointer
from gen2studio.ui.canvas.stage import Stage
from gen2studio.ui.tools import shape_hits
from gen2studio.ui.tools.shape_hits import Hit

_DRAG = 3.0
"""Widget pixels from which on a press is a drag."""
_CURSORS = {
    "point": Qt.CursorShape.PointingHandCursor,
    "in": Qt.CursorShape.PointingHandCursor,
    "out": Qt.CursorShape.PointingHandCursor,
    "feather": Qt.CursorShape.PointingHandCursor,
    "line": Qt.CursorShape.SizeAllCursor,
}
_GRIPS = {
    (-1, -1): Qt.CursorShape.SizeFDiagCursor, (1, 1): Qt.CursorShape.SizeFDiagCursor,
    (1, -1): Qt.CursorShape.SizeBDiagCursor, (-1, 1): Qt.CursorShape.SizeBDiagCursor,
    (-1, 0): Qt.CursorShape.SizeHorCursor, (1, 0): Qt.CursorShape.SizeHorCursor,
    (0, -1): Qt.CursorShape.SizeVerCursor, (0, 1): Qt.CursorShape.SizeVerCursor,
    "move": Qt.CursorShape.SizeAllCursor, "rotate": Qt.CursorShape.CrossCursor,
}  # fmt: skip


def reshape(stage: Stage, press: Pointer) -> Gesture:
    """Drag points, handles and segments, or a frame around points; Shift adds to the selection, Alt-drag on a point
    sets its feather, Ctrl shows the transform box. A double click on the outline adds a point, on a point it changes
    between corner and smooth."""
    stage.expect_masks()
    shapes = stage.shapes
    if press.ctrl and shapes.current() is not None:
        grip = shape_hits.box_hit(_box(stage), stage.pane_transform, press.view)
        if grip is not None:
            yield from _transform(stage, press, grip)
            return
    hit = _hit(stage, press)
    if hit is None:
        yield from _marquee(stage, press)
    elif press.phase is Phase.DOUBLE and hit.part in ("line", "point"):
        _double(stage, hit)
    elif hit.part in ("in", "out"):
        yield from _drag_handle(stage, press, hit)
    elif hit.part == "feather" or (hit.part == "point" and press.alt):
        yield from _drag_feather(stage, press, hit)
    elif hit.part == "point":
        yield from _drag_points(stage, press, hit)
    else:
        yield from _drag_line(stage, press, hit)


def hover(stage: Stage, pointer: Pointer | None) -> Qt.CursorShape | None:
    """Mark what a press would take."""
    scene = stage.scene
    was = scene.hot, scene.box
    scene.hot = _hit(stage, pointer) if pointer is not None else None
    scene.box = pointer is not None and pointer.ctrl and stage.shapes.current() is not None
    if was != (scene.hot, scene.box):
        stage.redraw_shapes()
    if pointer is not None and scene.box:
        grip = shape_hits.box_hit(_box(stage), stage.pane_transform, pointer.view)
        if grip is not None:
            return _GRIPS[grip]
    return _CURSORS[scene.hot.part] if scene.hot is not None else None


def keys(stage: Stage, event: QKeyEvent) -> Callable[[], object] | None:
    """Delete removes points, arrows nudge (Shift: ten pixels), Esc lets go of the selection."""
    shapes = stage.shapes
    shape = shapes.current()
    if shape is None:
        return None
    key, modifiers = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    shift = modifiers == Qt.KeyboardModifier.ShiftModifier
    if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and not modifiers:
        return shapes.remove_chosen
    if key == Qt.Key.Key_Escape and not modifiers:
        return partial(shapes.select, shape.id if shapes.points else "")
    if key == Qt.Key.Key_A and modifiers == Qt.KeyboardModifier.ControlModifier:
        return partial(shapes.select, shape.id, range(len(shape.keys[0][1])))
    step = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1)}
    if key in step and shapes.points and (shift or not modifiers):
        dx, dy = step[Qt.Key(key)]
        size = 10.0 if shift else 1.0
        return partial(shapes.nudge, dx * size, dy * size)
    return None


# -- parts -----------------------------------------------------------------------------------------------------------


def _hit(stage: Stage, pointer: Pointer) -> Hit | None:
    shapes = stage.shapes
    return shape_hits.nearest(
        shapes.shapes(), shapes.current(), sorted(shapes.points), shapes.frame, stage.pane_transform, pointer.view
    )


def _box(stage: Stage) -> QRectF:
    shapes = stage.shapes
    return shape_hits.box_of(shapes.chosen().points_at(shapes.frame), sorted(shapes.points))


def _far(press: Pointer, pointer: Pointer) -> bool:
    travel = pointer.view - press.view
    return math.hypot(travel.x(), travel.y()) >= _DRAG


def _dragged(
    stage: Stage, press: Pointer, label: str, change: Callable[[Pointer], Callable[[Document], Document]]
) -> Gesture:
    """Show ``change(pointer)`` while the button is down; its last one becomes an undo step. A click changes nothing."""
    moved: Callable[[Document], Document] | None = None
    with stage.previewing():
        while True:
            pointer = yield
            if not pointer.moving:
                break
            if moved is not None or _far(press, pointer):
                moved = change(pointer)
                stage.shapes.preview(moved)
        if moved is not None:
            stage.shapes.apply(label, moved)


def _drag_points(stage: Stage, press: Pointer, hit: Hit) -> Gesture:
    shapes = stage.shapes
    chosen = shapes.points
    if press.shift:
        shapes.select(hit.shape_id, chosen ^ {hit.index})
        if hit.index in chosen:
            return
    elif hit.index not in chosen:
        shapes.select(hit.shape_id, {hit.index})
    owner, frame, points = shapes.owner(), shapes.key_frame, shapes.points

    def moved(pointer: Pointer) -> Callable[[Document], Document]:
        dx, dy = _constrained(press, pointer)
        return lambda d: edits.move_points(d, owner.id, hit.shape_id, frame, points, dx, dy)

    yield from _dragged(stage, press, "Move points" if len(points) > 1 else "Move point", moved)


def _constrained(press: Pointer, pointer: Pointer) -> tuple[float, float]:
    """How far the pointer went; with Shift along the longer axis only."""
    dx, dy = pointer.x - press.x, pointer.y - press.y
    if pointer.shift:
        return (dx, 0.0) if abs(dx) >= abs(dy) else (0.0, dy)
    return dx, dy


def _drag_handle(stage: Stage, press: Pointer, hit: Hit) -> Gesture:
    shapes = stage.shapes
    owner, frame = shapes.owner(), shapes.key_frame
    point = shapes.chosen().points_at(shapes.frame)[hit.index]
    mode = "smooth" if _in_line(point) else "break"

    def turned(pointer: Pointer) -> Callable[[Document], Document]:
        kind = "break" if pointer.alt else "symmetric" if pointer.ctrl else mode
        dx, dy = pointer.x - point.x, pointer.y - point.y
        return lambda d: edits.set_handle(d, owner.id, hit.shape_id, frame, hit.index, hit.part, dx, dy, kind)

    yield from _dragged(stage, press, "Turn handle", turned)


def _in_line(point: ShapePoint) -> bool:
    """Whether the two handles of a point make one line through it."""
    first, second = math.hypot(point.in_x, point.in_y), math.hypot(point.out_x, point.out_y)
    if first == 0.0 or second == 0.0:
        return False
    return (point.in_x * point.out_x + point.in_y * point.out_y) / (first * second) < -0.999


def _drag_feather(stage: Stage, press: Pointer, hit: Hit) -> Gesture:
    """Out of the shape or into it along the normal; other selected points follow."""
    shapes = stage.shapes
    chosen = shapes.points | {hit.index}
    if hit.index not in shapes.points:
        chosen = frozenset({hit.index})
        shapes.select(hit.shape_id, chosen)
    owner, frame, shape = shapes.owner(), shapes.key_frame, shapes.chosen()
    points = shape.points_at(shapes.frame)
    at, (nx, ny) = points[hit.index], shape_hits.normal(shape.kind, points, hit.index)
    zero = 3.0 / stage.transform.zoom

    def faded(pointer: Pointer) -> Callable[[Document], Document]:
        wide = (pointer.x - at.x) * nx + (pointer.y - at.y) * ny
        # Near the point the edge is sharp: no hair's breadth of feather is left behind.
        wide = 0.0 if abs(wide) < zero else wide
        return lambda d: edits.set_feather(d, owner.id, hit.shape_id, frame, chosen, wide)

    yield from _dragged(stage, press, "Feather", faded)


def _drag_line(stage: Stage, press: Pointer, hit: Hit) -> Gesture:
    """A click selects the shape; a drag bends a curved segment or moves a straight one (Shift: always moves it)."""
    shapes = stage.shapes
    current = shapes.current()
    if current is None or current.id != hit.shape_id:
        shapes.select(hit.shape_id)
    owner, frame, shape = shapes.owner(), shapes.key_frame, shapes.chosen()
    points = shape.points_at(shapes.frame)
    ends = (hit.index, (hit.index + 1) % len(points))
    bends = shape.kind == "bezier" and not press.shift and _curved(points[ends[0]], points[ends[1]])

    def moved(pointer: Pointer) -> Callable[[Document], Document]:
        dx, dy = pointer.x - press.x, pointer.y - press.y
        if not bends:
            return lambda d: edits.move_points(d, owner.id, shape.id, frame, ends, dx, dy)
        return lambda d: _bent(d, owner.id, shape, frame, points, hit, dx, dy)

    clicked = True

    def dragged(pointer: Pointer) -> Callable[[Document], Document]:
        nonlocal clicked
        clicked = False
        return moved(pointer)

    yield from _dragged(stage, press, "Bend segment" if bends else "Move segment", dragged)
    if clicked:
        shapes.select(shape.id, (shapes.points ^ set(ends)) if press.shift else ())
    else:
        shapes.select(shape.id, ends)


def _curved(before: ShapePoint, after: ShapePoint) -> bool:
    return bool(before.out_x or before.out_y or after.in_x or after.in_y)


def _bent(
    document: Document, object_id: str, shape: MaskShape, frame: int | None, points: tuple[ShapePoint, ...],
    hit: Hit, dx: float, dy: float,
) -> Document:  # fmt: skip
    """The place t of a segment moved by (dx, dy) with the least change of its two handles."""
    t = min(0.9, max(0.1, hit.t))
    first, second = 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t
    scale = 1.0 / (first * first + second * second)
    after = (hit.index + 1) % len(points)
    here, there = points[hit.index], points[after]
    for index, side, x, y, weight in (
        (hit.index, "out", here.out_x, here.out_y, first),
        (after, "in", there.in_x, there.in_y, second),
    ):
        mode = "smooth" if _in_line(points[index]) else "break"
        document = edits.set_handle(
            document, object_id, shape.id, frame, index, side, x + dx * weight * scale, y + dy * weight * scale, mode
        )
    return document


def _double(stage: Stage, hit: Hit) -> None:
    """Add a point on the outline, or change a point between corner and smooth."""
    shapes = stage.shapes
    shapes.select(hit.shape_id)
    owner, shape = shapes.owner(), shapes.chosen()
    if hit.part == "line":
        shapes.apply("Add point", lambda d: edits.add_point(d, owner.id, shape.id, hit.index, hit.t))
        if shape.kind == "bspline":
            stage.tell("Every span of the B-spline was halved, so that its curve stays as it was.")
        else:
            shapes.select(shape.id, {hit.index + 1})
        return
    shapes.select(shape.id, {hit.index})
    point = shape.points_at(shapes.frame)[hit.index]
    if point.in_x or point.in_y or point.out_x or point.out_y:
        shapes.make_corners()
    else:
        shapes.make_smooth()


def _marquee(stage: Stage, press: Pointer) -> Gesture:
    """A frame around points. Of several shapes the selected one's points count; without one, the first inside."""
    shapes = stage.shapes
    with stage.drawing("box") as sketch:
        pointer = press
        while True:
            pointer = yield
            if not pointer.moving:
                break
            sketch.points = [(press.x, press.y), (pointer.x, pointer.y)]
            stage.redraw()
    before = shapes.points if press.shift else frozenset[int]()
    if not _far(press, pointer):
        current = shapes.current()
        # A click beside everything first lets go of the points, then of the shape.
        shapes.select(current.id if current is not None and shapes.points else "", before if press.shift else ())
        return
    frame = QRectF(QPointF(press.x, press.y), QPointF(pointer.x, pointer.y)).normalized()
    current = shapes.current()
    for shape in [current] if current is not None else reversed(shapes.shapes()):
        if not shape.visible:
            continue
        inside = {
            i for i, p in enumerate(shape.points_at(shapes.frame))
            if frame.left() <= p.x <= frame.right() and frame.top() <= p.y <= frame.bottom()
        }  # fmt: skip
        if inside or shape is current:
            shapes.select(shape.id, before | inside)
            return


def _transform(stage: Stage, press: Pointer, grip: tuple[int, int] | str) -> Gesture:
    """Scale by a grip (Shift keeps the proportions, Alt scales around the middle), rotate, or move what is selected."""
    shapes = stage.shapes
    owner, frame, shape, box = shapes.owner(), shapes.key_frame, shapes.chosen(), _box(stage)
    points = shapes.points if len(shapes.points) > 1 else None
    centre = box.center()

    def changed(pointer: Pointer) -> Callable[[Document], Document]:
        if grip == "move":
            matrix: Matrix = (1.0, 0.0, 0.0, 1.0, pointer.x - press.x, pointer.y - press.y)
        elif grip == "rotate":
            matrix = _rotation(centre, press, pointer)
        else:
            assert not isinstance(grip, str)
            matrix = _scaling(box, grip, press, pointer)
        return lambda d: edits.transform(d, owner.id, shape.id, frame, matrix, points)

    names = {"move": "Move shape", "rotate": "Rotate shape"}
    stage.scene.box = True
    yield from _dragged(stage, press, names.get(str(grip), "Scale shape"), changed)


def _rotation(centre: QPointF, press: Pointer, pointer: Pointer) -> Matrix:
    start = math.atan2(press.y - centre.y(), press.x - centre.x())
    angle = math.atan2(pointer.y - centre.y(), pointer.x - centre.x()) - start
    if pointer.shift:
        angle = round(angle / (math.pi / 12)) * (math.pi / 12)
    c, s = math.cos(angle), math.sin(angle)
    x, y = centre.x(), centre.y()
    return (c, s, -s, c, x - c * x + s * y, y - s * x - c * y)


def _scaling(box: QRectF, grip: tuple[int, int], press: Pointer, pointer: Pointer) -> Matrix:
    i, j = grip
    fixed_x = box.center().x() if pointer.alt else box.right() if i < 0 else box.left()
    fixed_y = box.center().y() if pointer.alt else box.bottom() if j < 0 else box.top()

    def factor(side: int, fixed: float, start: float, now: float) -> float:
        if not side or abs(start - fixed) < 1e-6:
            return 1.0
        value = (now - fixed) / (start - fixed)
        return math.copysign(max(0.01, abs(value)), value)

    sx, sy = factor(i, fixed_x, press.x, pointer.x), factor(j, fixed_y, press.y, pointer.y)
    if pointer.shift and i and j:
        sx = sy = sx if abs(sx - 1.0) >= abs(sy - 1.0) else sy
    return (sx, 0.0, 0.0, sy, fixed_x * (1 - sx), fixed_y * (1 - sy))
