"""Camera moves: six axes of −10…10 over the length of a shot, as a pinhole camera in front of a picture with depth.

Units (value 10 at the end of the shot, eased in and out; the picture is frame 0 unless said otherwise):

==============  ====================================================================================
``horizontal``  the camera goes right; the nearest things pass by a quarter of the picture's width
``vertical``    the camera goes up; the nearest things sink by a quarter of the picture's width
``zoom``        focal length doubled (−10: halved)
``pan``         turns right by 20°
``tilt``        turns up by 20°
``roll``        turns clockwise by 30°: the picture turns the other way
==============  ====================================================================================

The lens is 53° wide (focal length = width). Depth 1 is at distance 1, depth 0 at 1/0.15; without depth the picture is
a flat wall at depth 0.5. Turning and zooming see no parallax and are homographies K′RK⁻¹ (Hartley and Zisserman,
"Multiple View Geometry", 2nd ed., section 8.4); going sideways moves each point by what its depth says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2studio.engine.requests import CameraMove

F64 = NDArray[np.float64]

TRAVEL = 0.25
"""Picture widths that the nearest things move by at 10."""
FARTHEST = 0.15
"""Inverse distance of depth 0 where depth 1 has 1."""
FLAT_DEPTH = 0.5
ZOOM = 2.0
TURN = math.radians(20)
ROLL = math.radians(30)


def ease(count: int) -> F64:
    """(count,) 0…1: how far a move has come at each frame: at rest at both ends (Hermite)."""
    t = np.linspace(0.0, 1.0, count) if count > 1 else np.zeros(max(1, count))
    return t * t * (3 - 2 * t)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera stands in one frame."""

    right: float
    """Camera position in units of the nearest distance, x to the right, y downwards."""
    down: float
    rotation: F64
    """3×3, world to camera."""
    zoom: float

    def intrinsics(self, size: tuple[int, int]) -> F64:
        width, height = size
        focal = width * self.zoom
        # Pixel centres: the middle of a picture of 4 is 1.5.
        return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


def pose(move: CameraMove, share: float) -> Pose:
    """The camera after ``share`` (0…1) of a move."""
    amount = share / 10.0
    pan, tilt, roll = move.pan * TURN * amount, move.tilt * TURN * amount, move.roll * ROLL * amount
    # World to camera: the world turns against the camera. x right, y down, z ahead.
    about_y = np.array([[math.cos(pan), 0, -math.sin(pan)], [0, 1, 0], [math.sin(pan), 0, math.cos(pan)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(tilt), math.sin(tilt)], [0, -math.sin(tilt), math.cos(tilt)]])
    about_z = np.array([[math.cos(roll), math.sin(roll), 0], [-math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
    return Pose(
        move.horizontal * TRAVEL * amount,
        -move.vertical * TRAVEL * amount,
        about_z @ about_x @ about_y,
        float(ZOOM ** (move.zoom * amount)),
    )


def poses(move: CameraMove, count: int) -> list[Pose]:
    """The camera in each of ``count`` frames."""
    return [pose(move, float(share)) for share in ease(count)]


def turn_homography(now: Pose, then: Pose, size: tuple[int, int]) -> F64:
    """3×3 that takes pixels of a picture seen by ``now``'s lens and direction to ``then``'s. No parallax."""
    matrix = then.intrinsics(size) @ then.rotation @ now.rotation.T @ np.linalg.inv(now.intrinsics(size))
    return matrix / matrix[2, 2]


def parallax_shift(now: Pose, then: Pose, size: tuple[int, int]) -> tuple[float, float]:
    """(x, y) pixels by which the nearest things move when the camera goes from ``now`` to ``then`` sideways, as seen
    through ``now``'s lens; things of inverse distance q move q times as far."""
    step = now.rotation @ np.array([now.right - then.right, now.down - then.down, 0.0])
    focal = size[0] * now.zoom
    return float(focal * step[0]), float(focal * step[1])


def inverse_distance(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 for the nearest, :data:`FARTHEST` for the farthest."""
    return np.asarray(FARTHEST + (1 - FARTHEST) * depth, np.float32)
