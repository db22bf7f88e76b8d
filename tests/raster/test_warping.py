"""Placed pictures against sums worked out point by point."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np
import pytest

from gen2studio.app.compositor_geometry import Pose, matrix_of
from gen2studio.core.geometry import Extent, Rect
from gen2studio.raster.warping import WHOLE, lies_on_pixels, needed, reach, reduced, warped

FRAME = Extent(48, 32)


def smooth(width: int, height: int) -> np.ndarray:
    """Colours that run evenly over the picture: interpolation must give them back exactly."""
    u = (np.arange(width) + 0.5) / width
    v = (np.arange(height) + 0.5) / height
    out = np.empty((height, width, 4), np.uint8)
    out[..., 0] = np.rint(20 + 200 * u)[None, :]
    out[..., 1] = np.rint(20 + 200 * v)[:, None]
    out[..., 2] = 90
    out[..., 3] = 255
    return out


def by_points(pose: Pose, extent: Extent, frame: Extent, samples: int = 8) -> np.ndarray:
    """Each pixel as the mean over points in it, each point carried back through the moves one by one."""
    scale = min(frame.width / extent.width, frame.height / extent.height)
    wide, high = extent.width * scale, extent.height * scale
    out = np.zeros((frame.height, frame.width, 4))
    steps = (np.arange(samples) + 0.5) / samples
    x, y = np.meshgrid(
        (np.arange(frame.width)[:, None] + steps).ravel(), (np.arange(frame.height)[:, None] + steps).ravel()
    )
    centre_x = frame.width / 2 + pose.anchor_x * wide
    centre_y = frame.height / 2 + pose.anchor_y * high
    dx, dy = x - pose.x * frame.width - centre_x, y - pose.y * frame.height - centre_y
    turn = radians(pose.rotation)
    px = (dx * cos(turn) + dy * sin(turn)) / (pose.scale * pose.stretch) + centre_x
    py = (-dx * sin(turn) + dy * cos(turn)) / pose.scale + centre_y
    u, v = (px - (frame.width - wide) / 2) / wide, (py - (frame.height - high) / 2) / high
    u, v = (1 - u if pose.flip_horizontal else u), (1 - v if pose.flip_vertical else v)
    left, top, right, bottom = pose.crop
    inside = ((u >= left) & (u < right) & (v >= top) & (v < bottom)).astype(float)
    values = np.stack([20 + 200 * u, 20 + 200 * v, np.full_like(u, 90), np.full_like(u, 255)], axis=2)
    values *= inside[..., None]
    return values.reshape(frame.height, samples, frame.width, samples, 4).mean(axis=(1, 3), out=out)


POSES = {
    "moved by parts of a pixel": Pose(x=0.113, y=-0.057),
    "smaller": Pose(scale=0.43),
    "larger": Pose(scale=2.3, x=0.2),
    "stretched": Pose(stretch=0.5, scale=0.8),
    "turned": Pose(rotation=33, scale=0.7),
    "turned about its corner": Pose(rotation=-20, scale=0.6, anchor_x=-0.5, anchor_y=-0.5),
    "cropped": Pose(crop=(0.13, 0.21, 0.77, 0.9)),
    "cropped and turned": Pose(crop=(0.2, 0.1, 0.9, 0.6), rotation=70, scale=0.9),
    "mirrored": Pose(flip_horizontal=True, x=0.1),
    "upside down": Pose(flip_vertical=True, scale=0.9, crop=(0.0, 0.3, 1.0, 1.0)),
    "everything": Pose(
        x=0.1,
        y=0.05,
        scale=1.4,
        stretch=0.7,
        rotation=118,
        anchor_x=0.2,
        crop=(0.1, 0.1, 0.8, 0.95),
        flip_horizontal=True,
    ),
}


@pytest.mark.parametrize("name", POSES)
@pytest.mark.parametrize("picture", [Extent(48, 32), Extent(90, 60), Extent(24, 16)])
def test_a_placed_picture_is_what_its_points_say(name: str, picture: Extent) -> None:
    pose = POSES[name]
    matrix = matrix_of(pose, picture, FRAME)
    area = reach(matrix, FRAME, pose.crop)
    small = reduced(smooth(picture.width, picture.height), needed(matrix, picture))
    out = np.zeros((FRAME.height, FRAME.width, 4))
    out[area.y : area.bottom, area.x : area.right] = warped(small, matrix, area, pose.crop)
    wanted = by_points(pose, picture, FRAME)
    gap = np.abs(out - wanted)
    inside = (wanted[..., 3] == 255) & (out[..., 3] == 255)
    # Along the border the last pixel's colour is held where the true gradient runs on by half a pixel.
    assert np.median(gap[inside]) <= 1.5
    assert gap[inside].max() <= 200 / min(small.shape[:2]) * 0.75 + 3
    # Edges: the distance to an edge stands for the area, which is exact where the edge is upright.
    assert np.abs(out[..., 3] - wanted[..., 3]).max() <= (40 if pose.rotation else 17)
    assert abs(out[..., 3].mean() - wanted[..., 3].mean()) <= 1.0


def test_shrinking_averages_every_pixel() -> None:
    checks = np.zeros((64, 96, 4), np.uint8)
    checks[..., 3] = 255
    checks[::2, ::2, :3] = checks[1::2, 1::2, :3] = 255
    matrix = matrix_of(Pose(scale=0.25), Extent(96, 64), Extent(96, 64))
    small = reduced(checks, needed(matrix, Extent(96, 64)))
    assert small.shape[:2] == (16, 24)
    assert np.abs(small[..., :3].astype(int) - 128).max() <= 1


def test_a_small_move_moves_edges_by_as_much() -> None:
    picture = np.full((32, 48, 4), 255, np.uint8)
    sums = []
    for step in range(5):
        matrix = matrix_of(Pose(x=step / 4 / 48, scale=0.5), Extent(48, 32), FRAME)
        area = reach(matrix, FRAME)
        out = warped(picture, matrix, area)
        columns = np.arange(area.x, area.right) + 0.5
        weight = out[..., 3].astype(float).sum(axis=0)
        sums.append((columns * weight).sum() / weight.sum())
    assert np.allclose(np.diff(sums), 0.25, atol=0.01)


def test_upright_pictures_on_whole_pixels_are_told_apart() -> None:
    assert lies_on_pixels(matrix_of(None, Extent(48, 32), FRAME)) == Rect(0, 0, 48, 32)
    assert lies_on_pixels(matrix_of(Pose(scale=0.5), Extent(48, 32), FRAME)) == Rect(12, 8, 24, 16)
    for pose in (Pose(x=0.001), Pose(rotation=90), Pose(flip_horizontal=True)):
        assert lies_on_pixels(matrix_of(pose, Extent(48, 32), FRAME)) is None


def test_nothing_is_there_when_it_is_too_small_or_outside() -> None:
    picture = smooth(8, 8)
    assert not warped(picture, (0.0, 0.0, 4.0, 0.0, 0.0, 4.0), Rect(0, 0, 8, 8), WHOLE).any()
    assert reach(matrix_of(Pose(x=3), Extent(48, 32), FRAME), FRAME).empty
