"""Edits on the drawn shapes of mask objects: pure functions ``Document → Document`` that raise EditRefused.

Every key of a shape has the same points, so a point is added to and removed from all keys. Edits of where points lie
take a ``frame``: the key of that frame is changed, or made from what lies between its neighbours; None makes the same
edit on every key.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from gen2studio.core.errors import EditRefused
from gen2studio.core.frozen import frozen_map
from gen2studio.core.ids import new_id
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.mask_shape import KINDS, OPERATIONS, MaskShape, ShapePoint
from gen2studio.document import outlines
from gen2studio.document.edits_tracks import named
from gen2studio.document.masks import mask_of, unlocked, with_mask
from gen2studio.document.model import Document, MaskFrame
from gen2studio.document.outlines import Points

FEWEST = 3
"""Points that enclose something."""
MOST = 2000
"""Points of one shape."""
WIDEST = 1000.0
"""Pixels of feather to either side."""
Matrix = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): x' = a·x + c·y + e, y' = b·x + d·y + f."""


def shape_of(document: Document, object_id: str, shape_id: str) -> MaskShape:
    """The shape with this id. Raises EditRefused."""
    found = next((s for s in mask_of(document, object_id).shapes if s.id == shape_id), None)
    if found is None:
        raise EditRefused("That shape is no longer there.", "Choose a shape on the picture or draw one.")
    return found


def has_key(shape: MaskShape, frame: int) -> bool:
    return any(at == frame for at, _ in shape.keys)


# -- the list of shapes ----------------------------------------------------------------------------------------------


def drawn(kind: str, points: Points, frame: int, operation: str = "add", name: str = "") -> MaskShape:
    """A new shape with its first key. Raises EditRefused where the points enclose nothing."""
    _expect(kind, KINDS, "kind of shape")
    _expect(operation, OPERATIONS, "operation")
    _enclosing(len(points))
    return MaskShape(id=new_id("shape"), name=name, kind=kind, operation=operation, keys=((frame, points),))


def add_shape(document: Document, object_id: str, shape: MaskShape, index: int | None = None) -> Document:
    """Add a shape above the others, or at ``index``. Without a name it gets one."""
    mask = unlocked(document, object_id)
    if any(s.id == shape.id for s in mask.shapes):
        raise EditRefused("That shape is already there.", "Give the new one its own id.")
    if not shape.keys or any(len(points) != len(shape.keys[0][1]) for _, points in shape.keys):
        raise EditRefused("Every key of a shape has the same points.", "Draw the shape once more.")
    _enclosing(len(shape.keys[0][1]))
    if not shape.name:
        taken = {s.name for s in mask.shapes}
        fallback = next(f"Shape {n}" for n in range(1, len(mask.shapes) + 2) if f"Shape {n}" not in taken)
        shape = replace(shape, name=fallback)
    shapes = list(mask.shapes)
    shapes.insert(len(shapes) if index is None else max(0, min(index, len(shapes))), shape)
    return with_mask(document, replace(mask, shapes=tuple(shapes)))


def duplicate_shape(document: Document, object_id: str, shape_id: str, copy_id: str = "") -> Document:
    """A copy above the shape. Pass ``copy_id`` (``new_id("shape")``) to know it afterwards."""
    shape = shape_of(document, object_id, shape_id)
    index = mask_of(document, object_id).shapes.index(shape)
    copy = replace(shape, id=copy_id or new_id("shape"), name=f"{shape.name} copy")
    return add_shape(document, object_id, copy, index + 1)


def remove_shape(document: Document, object_id: str, shape_id: str) -> Document:
    mask = unlocked(document, object_id)
    shape_of(document, object_id, shape_id)
    return with_mask(document, replace(mask, shapes=tuple(s for s in mask.shapes if s.id != shape_id)))


def move_shape(document: Document, object_id: str, shape_id: str, index: int) -> Document:
    """Put a shape at ``index`` of the list; shapes count in that order."""
    mask = unlocked(document, object_id)
    shape = shape_of(document, object_id, shape_id)
    others = [s for s in mask.shapes if s is not shape]
    others.insert(max(0, min(index, len(others))), shape)
    return with_mask(document, replace(mask, shapes=tuple(others)))


def rename_shape(document: Document, object_id: str, shape_id: str, name: str) -> Document:
    return _change(document, object_id, shape_id, lambda s: replace(s, name=named(name, "A shape")))


def set_operation(document: Document, object_id: str, shape_id: str, operation: str) -> Document:
    _expect(operation, OPERATIONS, "operation")
    return _change(document, object_id, shape_id, lambda s: replace(s, operation=operation))


def set_visible(document: Document, object_id: str, shape_id: str, visible: bool) -> Document:
    return _change(document, object_id, shape_id, lambda s: replace(s, visible=visible))


def set_life(document: Document, object_id: str, shape_id: str, start: int | None, stop: int | None) -> Document:
    """The media frames [start, stop) on which a shape counts; None = open."""
    if (start is not None and start < 0) or (stop is not None and stop <= (start or 0)):
        raise EditRefused("A shape lives for at least one frame.", "Let it end after the frame it starts on.")
    return _change(document, object_id, shape_id, lambda s: replace(s, start=start, stop=stop))


def baked(document: Document, object_id: str, mattes: Mapping[int, MaskRaster]) -> Document:
    """Paint instead of shapes: ``mattes`` (what painted tiles and shapes gave on those frames) become corrections and
    the shapes go."""
    mask = unlocked(document, object_id)
    if not mask.shapes:
        raise EditRefused(f"{mask.name} has no shapes.", "Draw one first.")
    made = {frame: MaskFrame(raster=raster, anchor=True) for frame, raster in mattes.items()}
    return with_mask(document, replace(mask, frames=frozen_map({**mask.frames, **made}), shapes=()))


# -- where points lie ------------------------------------------------------------------------------------------------


def set_points(document: Document, object_id: str, shape_id: str, frame: int, points: Points) -> Document:
    """Replace all points on a frame, which gets a key. Their number can't change."""

    def change(shape: MaskShape) -> MaskShape:
        if len(points) != len(shape.keys[0][1]):
            raise EditRefused("Every key of a shape has the same points.", "Add or remove points one by one.")
        return _keyed(shape, frame, points)

    return _change(document, object_id, shape_id, change)


def move_points(
    document: Document,
    object_id: str,
    shape_id: str,
    frame: int | None,
    indices: Collection[int],
    dx: float,
    dy: float,
) -> Document:
    """Move points with their handles by (dx, dy) pixels."""
    return _points(
        document, object_id, shape_id, frame, indices, lambda p: replace(p, x=p.x + dx, y=p.y + dy) if dx or dy else p
    )


def set_handle(
    document: Document,
    object_id: str,
    shape_id: str,
    frame: int | None,
    index: int,
    side: str,
    dx: float,
    dy: float,
    mode: str = "smooth",
) -> Document:
    """Set the ``in`` or ``out`` handle of a point, relative to it.

    ``mode``: smooth turns the other handle along and keeps its length, symmetric mirrors it, break leaves it alone.
    """
    _expect(side, ("in", "out"), "handle")
    _expect(mode, ("smooth", "symmetric", "break"), "kind of handle")

    def change(point: ShapePoint) -> ShapePoint:
        if side == "in":
            own, other = (dx, dy), (point.out_x, point.out_y)
        else:
            own, other = (dx, dy), (point.in_x, point.in_y)
        length = math.hypot(dx, dy)
        if mode == "symmetric":
            other = (-dx, -dy)
        elif mode == "smooth" and length > 0:
            far = math.hypot(*other)
            other = (-dx / length * far, -dy / length * far)
        enters, leaves = (own, other) if side == "in" else (other, own)
        return replace(point, in_x=enters[0], in_y=enters[1], out_x=leaves[0], out_y=leaves[1])

    return _points(document, object_id, shape_id, frame, (index,), change)


def make_corners(
    document: Document, object_id: str, shape_id: str, frame: int | None, indices: Collection[int]
) -> Document:
    """Take the handles of points away."""
    return _points(
        document, object_id, shape_id, frame, indices, lambda p: replace(p, in_x=0.0, in_y=0.0, out_x=0.0, out_y=0.0)
    )


def make_smooth(
    document: Document, object_id: str, shape_id: str, frame: int | None, indices: Collection[int]
) -> Document:
    """Give points handles along the line between their neighbours, each a third of the way to its own."""

    def change(points: Points) -> Points:
        return tuple(outlines.smoothed(points, i) if i in indices else point for i, point in enumerate(points))

    return _reshape(document, object_id, shape_id, frame, change)


def set_feather(
    document: Document,
    object_id: str,
    shape_id: str,
    frame: int | None,
    indices: Collection[int],
    feather: float,
) -> Document:
    """Pixels over which the edge fades at points: outwards when positive, inwards when negative."""
    width = max(-WIDEST, min(WIDEST, feather))
    return _points(document, object_id, shape_id, frame, indices, lambda p: replace(p, feather=width))


def transform(
    document: Document,
    object_id: str,
    shape_id: str,
    frame: int | None,
    matrix: Matrix,
    indices: Collection[int] | None = None,
) -> Document:
    """Move, scale, rotate or shear points (None = all) with their handles; feather grows with the area."""
    a, b, c, d, e, f = matrix
    growth = math.sqrt(abs(a * d - b * c))
    if growth < 1e-6:
        raise EditRefused("A shape can't be squeezed to nothing.", "Delete it instead.")

    def change(p: ShapePoint) -> ShapePoint:
        return ShapePoint(
            a * p.x + c * p.y + e,
            b * p.x + d * p.y + f,
            a * p.in_x + c * p.in_y,
            b * p.in_x + d * p.in_y,
            a * p.out_x + c * p.out_y,
            b * p.out_x + d * p.out_y,
            max(-WIDEST, min(WIDEST, p.feather * growth)),
        )

    return _points(document, object_id, shape_id, frame, indices, change)


# -- how many points -------------------------------------------------------------------------------------------------


def add_point(document: Document, object_id: str, shape_id: str, segment: int, t: float) -> Document:
    """Add a point to all keys without changing any key's outline.

    It comes ``t`` (0…1) along the segment after point ``segment``, as point ``segment + 1``. A uniform B-spline can't
    take a single point without changing: all its spans are halved, which doubles its points.
    """

    def change(shape: MaskShape) -> MaskShape:
        count = len(shape.keys[0][1])
        if not 0 <= segment < count:
            raise EditRefused("That part of the outline is no longer there.", "Click on the outline again.")
        if (count * 2 if shape.kind == "bspline" else count + 1) > MOST:
            raise EditRefused(f"A shape has at most {MOST} points.", "Draw a second shape.")
        if shape.kind == "bspline":
            return replace(shape, keys=tuple((at, outlines.refined(points)) for at, points in shape.keys))
        return replace(
            shape, keys=tuple((at, outlines.split(shape.kind, points, segment, t)) for at, points in shape.keys)
        )

    return _change(document, object_id, shape_id, change)


def remove_points(document: Document, object_id: str, shape_id: str, indices: Collection[int]) -> Document:
    """Remove points from all keys. Raises EditRefused when fewer than three would be left."""

    def change(shape: MaskShape) -> MaskShape:
        keys = tuple((at, tuple(p for i, p in enumerate(points) if i not in indices)) for at, points in shape.keys)
        _enclosing(len(keys[0][1]))
        return replace(shape, keys=keys)

    return _change(document, object_id, shape_id, change)


def convert(document: Document, object_id: str, shape_id: str, kind: str) -> Document:
    """Make a shape a bezier, bspline or polygon, all keys alike.

    A bezier made of anything has the same outline; a polygon stays within a quarter of a pixel of it; a B-spline goes
    through the points there were.
    """
    _expect(kind, KINDS, "kind of shape")

    def change(shape: MaskShape) -> MaskShape:
        if shape.kind == kind:
            return shape
        keys = outlines.converted(shape.kind, kind, [points for _, points in shape.keys])
        if len(keys[0]) > MOST:
            raise EditRefused(f"That would need more than {MOST} points.", "Keep it a curve.")
        frames = [at for at, _ in shape.keys]
        return replace(shape, kind=kind, keys=tuple(zip(frames, keys, strict=True)))

    return _change(document, object_id, shape_id, change)


# -- keys ------------------------------------------------------------------------------------------------------------


def add_key(document: Document, object_id: str, shape_id: str, frame: int) -> Document:
    """Keep what the shape is on a frame as a key there."""
    return _change(document, object_id, shape_id, lambda s: _keyed(s, frame, s.points_at(frame)))


def move_key(document: Document, object_id: str, shape_id: str, frame: int, to: int) -> Document:
    """Move a key to another frame; a key that was there is replaced."""

    def change(shape: MaskShape) -> MaskShape:
        points = _key(shape, frame)
        if to < 0:
            raise EditRefused("A key can't lie before the first frame.", "Choose a frame of the clip.")
        return _keyed(replace(shape, keys=tuple(key for key in shape.keys if key[0] != frame)), to, points)

    return _change(document, object_id, shape_id, change)


def remove_key(document: Document, object_id: str, shape_id: str, frame: int) -> Document:
    """Remove a key. The last one can't go: a shape without keys has no points."""

    def change(shape: MaskShape) -> MaskShape:
        _key(shape, frame)
        if len(shape.keys) == 1:
            raise EditRefused("This is the shape's only key.", "Delete the shape instead.")
        return replace(shape, keys=tuple(key for key in shape.keys if key[0] != frame))

    return _change(document, object_id, shape_id, change)


def next_key(shape: MaskShape, frame: int) -> int | None:
    """The first key after ``frame``."""
    return next((at for at, _ in shape.keys if at > frame), None)


def previous_key(shape: MaskShape, frame: int) -> int | None:
    """The last key before ``frame``."""
    return next((at for at, _ in reversed(shape.keys) if at < frame), None)


# -- inside ----------------------------------------------------------------------------------------------------------


def _expect(value: str, allowed: Collection[str], what: str) -> None:
    if value not in allowed:
        raise EditRefused(f"There is no {what} “{value}”.", f"Choose one of {', '.join(allowed)}.")


def _enclosing(count: int) -> None:
    if count < FEWEST:
        raise EditRefused("A shape needs at least three points.", "Add a point, or delete the whole shape.")
    if count > MOST:
        raise EditRefused(f"A shape has at most {MOST} points.", "Draw it with fewer.")


def _key(shape: MaskShape, frame: int) -> Points:
    found = next((points for at, points in shape.keys if at == frame), None)
    if found is None:
        raise EditRefused("There is no key on this frame.", "Go to a frame with a key.")
    return found


def _keyed(shape: MaskShape, frame: int, points: Points) -> MaskShape:
    if frame < 0:
        raise EditRefused("A key can't lie before the first frame.", "Choose a frame of the clip.")
    keys = {**dict(shape.keys), frame: points}
    return replace(shape, keys=tuple(sorted(keys.items(), key=lambda key: key[0])))


def _points(
    document: Document,
    object_id: str,
    shape_id: str,
    frame: int | None,
    indices: Collection[int] | None,
    change: Callable[[ShapePoint], ShapePoint],
) -> Document:
    def whole(points: Points) -> Points:
        return tuple(change(p) if indices is None or i in indices else p for i, p in enumerate(points))

    return _reshape(document, object_id, shape_id, frame, whole)


def _reshape(
    document: Document, object_id: str, shape_id: str, frame: int | None, change: Callable[[Points], Points]
) -> Document:
    def edit(shape: MaskShape) -> MaskShape:
        if frame is None:
            return replace(shape, keys=tuple((at, change(points)) for at, points in shape.keys))
        now = shape.points_at(frame)
        new = change(now)
        return shape if new == now else _keyed(shape, frame, new)

    return _change(document, object_id, shape_id, edit)


def _change(document: Document, object_id: str, shape_id: str, change: Callable[[MaskShape], MaskShape]) -> Document:
    mask = unlocked(document, object_id)
    shape = shape_of(document, object_id, shape_id)
    new = change(shape)
    if new == shape:
        return document
    return with_mask(document, replace(mask, shapes=tuple(new if s is shape else s for s in mask.shapes)))
