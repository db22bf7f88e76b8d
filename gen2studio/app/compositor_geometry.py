"""Where a clip's picture lies in the frame: the numbers behind the compositor, the handles and the inspector.

No pixels in here, and no libraries: the window may ask while it draws.
"""

from __future__ import annotations

from math import cos, radians, sin
from typing import TypeAlias

from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.records import dataclass
from gen2studio.document.composition import Transform

Affine: TypeAlias = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): unit coordinates of the picture (0…1) to canvas pixels, x = a·u + b·v + c, y = d·u + e·v + f."""
Crop: TypeAlias = tuple[float, float, float, float]
"""(left, top, right, bottom) of what is left of the picture, in unit coordinates."""

_AT_REST = Transform()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """A :class:`Transform` at one moment."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    stretch: float = 1.0
    rotation: float = 0.0
    anchor_x: float = 0.0
    anchor_y: float = 0.0
    crop: Crop = (0.0, 0.0, 1.0, 1.0)
    flip_horizontal: bool = False
    flip_vertical: bool = False


REST = Pose()
"""Fitted and centred."""


def pose_of(transform: Transform, frame: float) -> Pose | None:
    """The transform ``frame`` frames after the clip's head; None = fitted and centred, as every clip starts."""
    if transform == _AT_REST:
        return None
    left = min(1.0, max(0.0, transform.crop_left.at(frame)))
    top = min(1.0, max(0.0, transform.crop_top.at(frame)))
    pose = Pose(
        x=transform.x.at(frame),
        y=transform.y.at(frame),
        scale=max(0.0, transform.scale.at(frame)),
        stretch=max(0.0, transform.stretch.at(frame)),
        rotation=transform.rotation.at(frame),
        anchor_x=transform.anchor_x.at(frame),
        anchor_y=transform.anchor_y.at(frame),
        crop=(
            left,
            top,
            max(left, 1 - min(1.0, max(0.0, transform.crop_right.at(frame)))),
            max(top, 1 - min(1.0, max(0.0, transform.crop_bottom.at(frame)))),
        ),
        flip_horizontal=transform.flip_horizontal,
        flip_vertical=transform.flip_vertical,
    )
    # An anchor alone moves nothing.
    return None if pose == Pose(anchor_x=pose.anchor_x, anchor_y=pose.anchor_y) else pose


def fitted(extent: Extent, frame: Extent) -> Rect:
    """Where media of ``extent`` lies inside ``frame``: as large as it fits, centred (letterbox or pillarbox)."""
    size = extent.scaled_to_fit(frame)
    return Rect((frame.width - size.width) // 2, (frame.height - size.height) // 2, size.width, size.height)


def matrix_of(pose: Pose | None, extent: Extent, frame: Extent) -> Affine:
    """How a picture of ``extent`` lies in ``frame``: scaled and turned about its anchor, then moved."""
    base = fitted(extent, frame)
    if pose is None:
        return (float(base.width), 0.0, float(base.x), 0.0, float(base.height), float(base.y))
    # From unit coordinates to the fitted picture, relative to the anchor.
    across, start_x = float(base.width), -(0.5 + pose.anchor_x) * base.width
    down, start_y = float(base.height), -(0.5 + pose.anchor_y) * base.height
    if pose.flip_horizontal:
        across, start_x = -across, start_x + base.width
    if pose.flip_vertical:
        down, start_y = -down, start_y + base.height
    wide, high = pose.scale * pose.stretch, pose.scale
    turn_x, turn_y = cos(radians(pose.rotation)), sin(radians(pose.rotation))
    middle_x = base.x + (0.5 + pose.anchor_x) * base.width + pose.x * frame.width
    middle_y = base.y + (0.5 + pose.anchor_y) * base.height + pose.y * frame.height
    a, b = turn_x * wide * across, -turn_y * high * down
    d, e = turn_y * wide * across, turn_x * high * down
    c = turn_x * wide * start_x - turn_y * high * start_y + middle_x
    f = turn_y * wide * start_x + turn_x * high * start_y + middle_y
    return (a, b, c, d, e, f)
