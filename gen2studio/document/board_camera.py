"""Camera frames drawn on a panel and the six camera axes that generators take: one move told in two ways.

A drawn move goes from one rectangle of the picture to another. Seen by the camera it is a turn, a change of focal
length and a roll, which is what a shot without parallax can show; sideways travel is not drawn and stays what its axes
say. The units are those of the camera control (a lens as long as the picture is wide, see
:mod:`gen2studio.diffusion.conditioning.camera`): 10 turns by 20°, doubles the focal length, rolls by 30°. With the
start frame ``a`` and the end frame ``b``, heights in widths of the picture::

    pan  = atan((b.x − a.x) / a.width) / 2°          tilt = −atan((b.y − a.y) · height / a.width) / 2°
    zoom = 10 · log2(a.width / b.width)              roll = (b.angle − a.angle) / 3°

each cut off at ±10.
"""

from __future__ import annotations

import math
from dataclasses import replace

from gen2studio.document.board_values import CameraFrame
from gen2studio.document.look import Camera

WHOLE = CameraFrame()
"""The whole picture."""
_TURN, _ROLL = 2.0, 3.0
"""Degrees of one unit."""
DRAWN = ("pan", "tilt", "zoom", "roll")
"""Axes that drawn frames set."""


def camera_of_frames(frames: tuple[CameraFrame, ...], aspect: float, before: Camera = Camera()) -> Camera:
    """The camera that goes from the first to the last frame; its travel (``horizontal``, ``vertical``) is ``before``'s.

    ``aspect`` is the picture's width against its height.
    """
    if len(frames) < 2:
        return before
    first, last = frames[0], frames[-1]
    across = (last.x - first.x) / first.width
    down = (last.y - first.y) / aspect / first.width
    return replace(
        before,
        pan=_cut(math.degrees(math.atan(across)) / _TURN),
        tilt=_cut(-math.degrees(math.atan(down)) / _TURN),
        zoom=_cut(10 * math.log2(first.width / last.width)),
        roll=_cut((last.angle - first.angle) / _ROLL),
        static=False if first != last else before.static,
    )


def frames_of_camera(camera: Camera, aspect: float) -> tuple[CameraFrame, ...]:
    """Frames that show a camera's turn, zoom and roll, as large as they fit; none where it does none of them."""
    if not any(getattr(camera, axis) for axis in DRAWN):
        return ()
    across = math.tan(math.radians(camera.pan * _TURN))
    down = -math.tan(math.radians(camera.tilt * _TURN)) * aspect
    scale = 2.0 ** (-camera.zoom / 10)
    # Both frames lie in the picture, as far to each side of its middle; a frame is as high as wide, in parts of it.
    width = min(1.0, 1.0 / (max(abs(across), abs(down)) + max(1.0, scale)))
    angle = camera.roll * _ROLL
    return (
        CameraFrame(x=0.5 - across * width / 2, y=0.5 - down * width / 2, width=width),
        CameraFrame(x=0.5 + across * width / 2, y=0.5 + down * width / 2, width=width * scale, angle=angle),
    )


def frame_at(frames: tuple[CameraFrame, ...], share: float) -> CameraFrame:
    """What the camera sees after ``share`` (0…1) of the panel: at rest at both ends (Hermite), zooming evenly."""
    if not frames:
        return WHOLE
    first, last = frames[0], frames[-1]
    t = min(1.0, max(0.0, share))
    t = t * t * (3 - 2 * t)
    return CameraFrame(
        x=first.x + (last.x - first.x) * t,
        y=first.y + (last.y - first.y) * t,
        width=first.width * (last.width / first.width) ** t,
        angle=first.angle + (last.angle - first.angle) * t,
    )


def _cut(value: float) -> float:
    return round(min(10.0, max(-10.0, value)), 3) + 0.0
