"""A clip's picture as a box in the frame: where its handles lie, and the transform that a drag of one of them makes.

Positions are pixels of the sequence's frame. A box is what :func:`gen2studio.app.compositor_geometry.matrix_of` does to
the picture, written in *seen* coordinates: 0…1 over the uncropped picture after flipping, so that left is left.
"""

from __future__ import annotations

from dataclasses import replace
from math import atan2, cos, degrees, hypot, radians, sin
from typing import TypeAlias

from gen2studio.app.compositor_geometry import REST, Pose, fitted
from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.records import dataclass

Point: TypeAlias = tuple[float, float]

HANDLES: dict[str, Point] = {
    "top_left": (0, 0), "top": (0.5, 0), "top_right": (1, 0), "right": (1, 0.5), "bottom_right": (1, 1),
    "bottom": (0.5, 1), "bottom_left": (0, 1), "left": (0, 0.5),
}  # fmt: skip
"""Name → where the handle lies on the cropped box."""
SMALLEST = 0.005
"""No drag makes a picture smaller than this scale: it could not be caught again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformBox:
    """One picture at one moment."""

    pose: Pose
    base: Rect
    """The fitted picture, in frame pixels."""
    frame: Extent

    # -- where things lie ---------------------------------------------------------------------------------------------

    @property
    def wide(self) -> float:
        """The picture's width in pixels."""
        return self.base.width * self.pose.scale * self.pose.stretch

    @property
    def high(self) -> float:
        return self.base.height * self.pose.scale

    @property
    def anchor(self) -> Point:
        """Where the anchor lies: the picture is scaled and turned about it."""
        return (
            self.base.x + (0.5 + self.pose.anchor_x) * self.base.width + self.pose.x * self.frame.width,
            self.base.y + (0.5 + self.pose.anchor_y) * self.base.height + self.pose.y * self.frame.height,
        )

    @property
    def visible(self) -> tuple[float, float, float, float]:
        """What the crop leaves, in seen coordinates: left, top, right, bottom."""
        left, top, right, bottom = self.pose.crop
        if self.pose.flip_horizontal:
            left, right = 1 - right, 1 - left
        if self.pose.flip_vertical:
            top, bottom = 1 - bottom, 1 - top
        return left, top, right, bottom

    def place(self, seen: Point) -> Point:
        """Frame pixels of a point in seen coordinates."""
        x = (seen[0] - 0.5 - self.pose.anchor_x) * self.wide
        y = (seen[1] - 0.5 - self.pose.anchor_y) * self.high
        turn_x, turn_y = self._turn
        anchor = self.anchor
        return anchor[0] + turn_x * x - turn_y * y, anchor[1] + turn_y * x + turn_x * y

    def seen(self, point: Point) -> Point:
        """The inverse of :meth:`place`."""
        x, y = self._unturned(point)
        return (
            0.5 + self.pose.anchor_x + x / max(self.wide, 1e-9),
            0.5 + self.pose.anchor_y + y / max(self.high, 1e-9),
        )

    @property
    def _turn(self) -> Point:
        return cos(radians(self.pose.rotation)), sin(radians(self.pose.rotation))

    def _unturned(self, point: Point) -> Point:
        """From the anchor to ``point``, along the picture's own axes."""
        anchor = self.anchor
        x, y = point[0] - anchor[0], point[1] - anchor[1]
        turn_x, turn_y = self._turn
        return turn_x * x + turn_y * y, -turn_y * x + turn_x * y

    def handle(self, name: str) -> Point:
        """Frame pixels of a handle of :data:`HANDLES`."""
        return self.place(self._on_box(HANDLES[name]))

    def _on_box(self, part: Point) -> Point:
        left, top, right, bottom = self.visible
        return left + part[0] * (right - left), top + part[1] * (bottom - top)

    @property
    def corners(self) -> tuple[Point, Point, Point, Point]:
        """Of the cropped picture: top left, top right, bottom right, bottom left."""
        left, top, right, bottom = self.visible
        return (
            self.place((left, top)),
            self.place((right, top)),
            self.place((right, bottom)),
            self.place((left, bottom)),
        )

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The upright rectangle around the corners: left, top, right, bottom."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def holds(self, point: Point) -> bool:
        left, top, right, bottom = self.visible
        u, v = self.seen(point)
        return left <= u <= right and top <= v <= bottom

    # -- what drags make ----------------------------------------------------------------------------------------------

    def moved(self, dx: float, dy: float) -> Pose:
        """The picture so many frame pixels to the right and down."""
        return replace(self.pose, x=self.pose.x + dx / self.frame.width, y=self.pose.y + dy / self.frame.height)

    def scaled(self, name: str, point: Point, *, keep: bool, about_anchor: bool) -> Pose:
        """The picture with the handle ``name`` at ``point``: the opposite handle stays, or the anchor. A corner keeps
        the proportions with ``keep``; an edge changes one side."""
        part = HANDLES[name]
        grip = self._on_box(part)
        fixed = (0.5 + self.pose.anchor_x, 0.5 + self.pose.anchor_y)
        if not about_anchor:
            fixed = self._on_box((1 - part[0], 1 - part[1]))
        still = self.place(fixed)
        turn_x, turn_y = self._turn
        x, y = point[0] - still[0], point[1] - still[1]
        across, down = turn_x * x + turn_y * y, -turn_y * x + turn_x * y
        wide, high = self.wide, self.high
        span_x, span_y = grip[0] - fixed[0], grip[1] - fixed[1]
        if part[0] != 0.5 and abs(span_x) > 1e-6:
            wide = across / span_x
        if part[1] != 0.5 and abs(span_y) > 1e-6:
            high = down / span_y
        if keep and part[0] != 0.5 and part[1] != 0.5:
            # The pointer's part along the diagonal.
            diagonal = (span_x * self.wide, span_y * self.high)
            length = diagonal[0] ** 2 + diagonal[1] ** 2
            grown = (across * diagonal[0] + down * diagonal[1]) / max(length, 1e-9)
            wide, high = self.wide * grown, self.high * grown
        scale = max(high / self.base.height, SMALLEST)
        stretch = max(wide / self.base.width, SMALLEST) / scale
        if keep and part[0] != 0.5 and part[1] != 0.5:
            stretch = self.pose.stretch
        return self._holding(replace(self.pose, scale=scale, stretch=stretch), fixed, still)

    def _holding(self, pose: Pose, seen: Point, place: Point) -> Pose:
        """``pose`` moved so that a point of the picture lies at ``place``."""
        now = replace(self, pose=pose).place(seen)
        return replace(
            pose,
            x=pose.x + (place[0] - now[0]) / self.frame.width,
            y=pose.y + (place[1] - now[1]) / self.frame.height,
        )

    def turned(self, start: Point, point: Point, *, step: float = 0.0) -> Pose:
        """Turned about the anchor as the pointer went from ``start`` to ``point``; to multiples of ``step`` degrees."""
        anchor = self.anchor
        before = atan2(start[1] - anchor[1], start[0] - anchor[0])
        now = atan2(point[1] - anchor[1], point[0] - anchor[0])
        delta = (degrees(now - before) + 180) % 360 - 180
        rotation = self.pose.rotation + delta
        return replace(self.pose, rotation=round(rotation / step) * step if step else rotation)

    def anchored(self, point: Point) -> Pose:
        """The anchor at ``point``, the picture where it was."""
        u, v = self.seen(point)
        pose = replace(self.pose, anchor_x=u - 0.5, anchor_y=v - 0.5)
        return self._holding(pose, (u, v), point)

    def cropped(self, name: str, point: Point) -> Pose:
        """The sides that the handle ``name`` stands on cropped to ``point``."""
        part = HANDLES[name]
        u, v = self.seen(point)
        left, top, right, bottom = self.visible
        if part[0] == 0:
            left = min(max(u, 0.0), right - 0.01)
        elif part[0] == 1:
            right = max(min(u, 1.0), left + 0.01)
        if part[1] == 0:
            top = min(max(v, 0.0), bottom - 0.01)
        elif part[1] == 1:
            bottom = max(min(v, 1.0), top + 0.01)
        if self.pose.flip_horizontal:
            left, right = 1 - right, 1 - left
        if self.pose.flip_vertical:
            top, bottom = 1 - bottom, 1 - top
        return replace(self.pose, crop=(left, top, right, bottom))


def box_of(pose: Pose | None, extent: Extent, frame: Extent) -> TransformBox:
    """The box of a picture of ``extent`` in ``frame``."""
    return TransformBox(pose=pose or REST, base=fitted(extent, frame), frame=frame)


def values_of(pose: Pose) -> dict[str, float]:
    """A pose as the curves that hold it (:data:`gen2studio.document.composition.PICTURE_CURVES`)."""
    left, top, right, bottom = pose.crop
    return {
        "transform.x": pose.x,
        "transform.y": pose.y,
        "transform.scale": pose.scale,
        "transform.stretch": pose.stretch,
        "transform.rotation": pose.rotation,
        "transform.anchor_x": pose.anchor_x,
        "transform.anchor_y": pose.anchor_y,
        "transform.crop_left": left,
        "transform.crop_right": 1 - right,
        "transform.crop_top": top,
        "transform.crop_bottom": 1 - bottom,
    }


def snapped(box: TransformBox, pose: Pose, reach: float) -> tuple[Pose, list[float], list[float]]:
    """``pose`` (``box`` moved) with its middle or an edge drawn to the frame's, within ``reach`` pixels; also the frame
    positions of the vertical and the horizontal lines it was drawn to."""
    left, top, right, bottom = replace(box, pose=pose).bounds
    dx, x = _nearest((left, (left + right) / 2, right), (0.0, box.frame.width / 2, float(box.frame.width)), reach)
    dy, y = _nearest((top, (top + bottom) / 2, bottom), (0.0, box.frame.height / 2, float(box.frame.height)), reach)
    moved = replace(pose, x=pose.x + dx / box.frame.width, y=pose.y + dy / box.frame.height)
    return moved, [] if x is None else [x], [] if y is None else [y]


def _nearest(own: tuple[float, ...], targets: tuple[float, ...], reach: float) -> tuple[float, float | None]:
    best = min((abs(target - each), target - each, target) for each in own for target in targets)
    return (best[1], best[2]) if best[0] <= reach else (0.0, None)


def far(a: Point, b: Point) -> float:
    """Distance in pixels."""
    return hypot(a[0] - b[0], a[1] - b[1])
