"""What of the drawn shapes lies under the pointer: points, handles, feather handles, outlines. Widget pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF

from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.core.records import dataclass
from gen2studio.ui.canvas.view_transform import ViewTransform

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REACH = 8.0
"""How near the pointer must come to a point or a handle."""
LINE_REACH = 6.0
"""How near it must come to an outline."""
FEATHER_ROOM = 14.0
"""Where the feather handle of a point without feather stands, outside the outline."""


@dataclass(frozen=True, slots=True)
class Hit:
    """``part``: point, in, out, feather or line."""

    part: str
    shape_id: str
    index: int
    """The point, or the one that the segment starts at."""
    t: float = 0.0
    """How far along the segment, 0…1."""


def nearest(
    shapes: Sequence[MaskShape], chosen: MaskShape | None, points: Iterable[int], frame: int,
    transform: ViewTransform, spot: QPointF,
) -> Hit | None:  # fmt: skip
    """The handiest part at ``spot``: handles of selected points, points of the selected shape, then any outline."""
    if chosen is not None:
        own = chosen.points_at(frame)
        for index in points:
            for part, place in handles(chosen.kind, own, index, transform).items():
                if _gap(place, spot) <= REACH:
                    return Hit(part, chosen.id, index)
        gaps = [(_gap(transform.to_view(p.x, p.y), spot), index) for index, p in enumerate(own)]
        gap, index = min(gaps, default=(math.inf, 0))
        if gap <= REACH:
            return Hit("point", chosen.id, index)
    order = [*([chosen] if chosen is not None else []), *(s for s in reversed(shapes) if s is not chosen)]
    for shape in order:
        if shape.visible:
            found = on_outline(shape, frame, transform, spot)
            if found is not None:
                return found
    return None


def handles(kind: str, points: Sequence[ShapePoint], index: int, transform: ViewTransform) -> dict[str, QPointF]:
    """Where the handles of a selected point are on the widget: in and out where it has them, and feather."""
    point = points[index]
    found: dict[str, QPointF] = {}
    if kind == "bezier":
        if point.in_x or point.in_y:
            found["in"] = transform.to_view(point.x + point.in_x, point.y + point.in_y)
        if point.out_x or point.out_y:
            found["out"] = transform.to_view(point.x + point.out_x, point.y + point.out_y)
    if point.feather:
        found["feather"] = feather_handle(kind, points, index, transform)
    return found


def feather_handle(kind: str, points: Sequence[ShapePoint], index: int, transform: ViewTransform) -> QPointF:
    """Where the feather of a point ends, along its normal."""
    point, (nx, ny) = points[index], normal(kind, points, index)
    return transform.to_view(point.x + nx * point.feather, point.y + ny * point.feather)


def normal(kind: str, points: Sequence[ShapePoint], index: int) -> tuple[float, float]:
    """The unit vector out of the shape at a point."""
    before, here, after = points[index - 1], points[index], points[(index + 1) % len(points)]
    tx, ty = 0.0, 0.0
    if kind == "bezier":
        tx, ty = here.out_x - here.in_x, here.out_y - here.in_y
    if math.hypot(tx, ty) < 1e-9:
        tx, ty = after.x - before.x, after.y - before.y
    length = math.hypot(tx, ty)
    if length < 1e-9:
        return 0.0, -1.0
    turn = 1.0 if area(points) >= 0 else -1.0
    return turn * ty / length, -turn * tx / length


def area(points: Sequence[ShapePoint]) -> float:
    """Signed: positive where the points run clockwise on the screen."""
    return 0.5 * sum(a.x * b.y - b.x * a.y for a, b in zip(points, [*points[1:], points[0]], strict=True))


def on_outline(shape: MaskShape, frame: int, transform: ViewTransform, spot: QPointF) -> Hit | None:
    """The segment under ``spot`` and how far along it."""
    import numpy as np

    from gen2studio.raster import splines

    curves = splines.segments(shape.kind, shape.points_at(frame))[:, :, :2]
    if not len(curves):
        return None
    here = transform.to_media(spot)
    reach = LINE_REACH / transform.zoom
    aim = np.array([here.x(), here.y()])
    low, high = curves.min(1) - reach, curves.max(1) + reach
    near = np.flatnonzero(((low <= aim) & (aim <= high)).all(1))
    best: tuple[float, int, float] | None = None
    for index in near:
        gap, t = _nearest_on(curves[index], aim)
        if gap <= reach and (best is None or gap < best[0]):
            best = gap, int(index), t
    return Hit("line", shape.id, best[1], best[2]) if best is not None else None


def _nearest_on(curve: NDArray[np.float64], aim: NDArray[np.float64]) -> tuple[float, float]:
    """(distance, t) of the place on a cubic segment that is nearest to ``aim``."""
    import numpy as np

    if np.array_equal(curve[0], curve[1]) and np.array_equal(curve[2], curve[3]):
        along = curve[3] - curve[0]
        length = float(along @ along)
        t = min(1.0, max(0.0, float((aim - curve[0]) @ along) / length)) if length > 0 else 0.0
        return float(np.hypot(*(curve[0] + t * along - aim))), t
    low, high, gap, nearest_t = 0.0, 1.0, 0.0, 0.0
    for _ in range(4):
        # Sixteen places, then sixteen around the best of them, and so on: the fourth round is 1/16384 of a segment.
        t = np.linspace(low, high, 17)[:, None]
        s = 1.0 - t
        places = s**3 * curve[0] + 3 * s * s * t * curve[1] + 3 * s * t * t * curve[2] + t**3 * curve[3]
        gaps = np.hypot(*(places - aim).T)
        best = int(gaps.argmin())
        step = (high - low) / 16
        middle = low + best * step
        gap, nearest_t = float(gaps[best]), middle
        low, high = max(0.0, middle - step), min(1.0, middle + step)
    return gap, nearest_t


# -- the box around what is selected ---------------------------------------------------------------------------------


def box_of(points: Sequence[ShapePoint], chosen: Iterable[int]) -> QRectF:
    """Media pixels around the chosen points; around all of them where fewer than two are chosen."""
    own = [points[i] for i in chosen]
    own = own if len(own) > 1 else list(points)
    xs, ys = [p.x for p in own], [p.y for p in own]
    return QRectF(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def box_grips(box: QRectF, transform: ViewTransform) -> dict[tuple[int, int], QPointF]:
    """The eight grips of a box on the widget by their side: (−1 … 1, −1 … 1)."""
    area = transform.rect_to_view(box.x(), box.y(), box.width(), box.height()).adjusted(-8, -8, 8, 8)
    centre = area.center()
    return {
        (i, j): QPointF(centre.x() + i * area.width() / 2, centre.y() + j * area.height() / 2)
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
        if i or j
    }


def box_hit(box: QRectF, transform: ViewTransform, spot: QPointF) -> tuple[int, int] | str | None:
    """The grip under ``spot``, "move" inside the box, "rotate" near a corner outside of it, or None."""
    grips = box_grips(box, transform)
    gap, side = min((_gap(place, spot), side) for side, place in grips.items())
    if gap <= REACH:
        return side
    area = QRectF(grips[(-1, -1)], grips[(1, 1)])
    if area.contains(spot):
        return "move"
    if min(_gap(grips[side], spot) for side in ((-1, -1), (1, -1), (-1, 1), (1, 1))) <= 36:
        return "rotate"
    return None


def _gap(a: QPointF, b: QPointF) -> float:
    return math.hypot(a.x() - b.x(), a.y() - b.y())
