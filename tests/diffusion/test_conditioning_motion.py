"""Camera moves and the motion brush: exact where geometry is known, holes where something comes into sight."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.conditioning.camera import ease, inverse_distance
from gen2studio.diffusion.conditioning.guide import motion_guide
from gen2studio.diffusion.conditioning.motion_brush import BrushRegion, brush_fields, curl_noise
from gen2studio.engine.requests import CameraMove
from gen2studio.raster import flow as motion


@pytest.fixture(scope="module")
def texture() -> NDArray[np.uint8]:
    random = np.random.default_rng(7)
    rough = cv2.GaussianBlur(random.integers(0, 255, (120, 200, 3)).astype(np.uint8), (0, 0), 2.0)
    return np.asarray(cv2.normalize(rough, None, 0, 255, cv2.NORM_MINMAX), np.uint8)


def test_moves_ease_in_and_out() -> None:
    path = ease(17)
    assert path[0] == 0 and path[-1] == 1 and path[8] == pytest.approx(0.5)
    assert path[1] < 0.02 and path[-1] - path[-2] < 0.02


def test_a_zoom_of_ten_is_exactly_twice_as_large(texture: NDArray[np.uint8]) -> None:
    guide = motion_guide(texture, 9, camera=CameraMove(zoom=10))
    matrix = np.array([[2, 0, -(200 - 1) / 2], [0, 2, -(120 - 1) / 2]])
    expected = cv2.warpAffine(texture, matrix, (200, 120), flags=cv2.INTER_CUBIC)
    assert np.abs(guide.frames[-1].astype(int) - expected).mean() < 1.5
    assert not guide.masks[-1].any(), "nothing new comes into sight"
    assert np.array_equal(guide.frames[0], texture)
    out = motion_guide(texture, 9, camera=CameraMove(zoom=-10)).masks[-1]
    assert (out == 0).mean() == pytest.approx(0.25, abs=0.05), "half the size leaves a frame to invent"


@pytest.mark.parametrize(
    ("move", "where"),
    [
        (CameraMove(pan=10), (0, 1)),
        (CameraMove(horizontal=10), (0, 1)),
        (CameraMove(tilt=10), (1, 0)),
        (CameraMove(vertical=10), (1, 0)),
    ],
)
def test_turning_right_or_up_uncovers_right_or_upper_border(
    texture: NDArray[np.uint8], move: CameraMove, where: tuple[int, int]
) -> None:
    hole = motion_guide(texture, 5, camera=move).masks[-1]
    if where == (0, 1):
        assert hole[:, -8:].all() and not hole[:, :8].any()
    else:
        assert hole[:8].mean() > 200 and not hole[-8:].any()


def test_two_planes_slide_past_each_other_by_their_depths(texture: NDArray[np.uint8]) -> None:
    depth = np.zeros((120, 200), np.float32)
    depth[30:90, 60:120] = 1.0
    guide = motion_guide(texture, 5, camera=CameraMove(horizontal=4), depth=depth)
    near, far = (float(0.25 * 200 * 0.4 * q) for q in (1.0, inverse_distance(np.zeros((1, 1), np.float32))[0, 0]))
    last, hole = guide.frames[-1].astype(float), guide.masks[-1]
    # The camera goes right: the near plane goes left by 20 px, the wall by 3.
    for rows, columns, shift in ((slice(45, 75), slice(70, 110), near), (slice(5, 20), slice(30, 170), far)):
        matrix = np.array([[1, 0, -shift], [0, 1, 0]])
        expected = cv2.warpAffine(texture, matrix, (200, 120), flags=cv2.INTER_CUBIC)
        left = slice(columns.start - round(shift), columns.stop - round(shift))
        assert np.abs(last[rows, left] - expected[rows, left]).mean() < 2.5
    band = hole[40:80, 120 - 14 : 120 - 6]
    assert band.all(), "behind the near plane's right edge the wall was never seen"
    assert not hole[40:80, 60 - 17 : 95].any(), "the near plane itself is whole"
    assert (guide.frames[-1][hole > 0] == 128).all()


def test_a_guide_goes_on_from_any_frame(texture: NDArray[np.uint8]) -> None:
    move = CameraMove(zoom=6, roll=4)
    whole = motion_guide(texture, 9, camera=move)
    later = motion_guide(whole.frames[4], 9, camera=move, anchor=4, frames=[4, 8])
    assert np.array_equal(later.frames[0], whole.frames[4])
    inner = np.s_[20:-20, 30:-30]
    assert np.abs(later.frames[1][inner].astype(int) - whole.frames[8][inner]).mean() < 6


def test_a_locked_off_camera_holds_the_rim_and_frees_the_inside(texture: NDArray[np.uint8]) -> None:
    guide = motion_guide(texture, 4, camera=CameraMove(static=True))
    assert not guide.masks[0].any() and guide.masks[2][60, 100] == 255 and guide.masks[2][2, 2] == 0
    assert np.array_equal(guide.frames[3][:7], texture[:7]) and (guide.frames[3][60, 100] == 128).all()
    loose = motion_guide(texture, 5, camera=CameraMove(pan=5)).loosened(4)
    assert loose.masks[1].all() and not loose.masks[4].all()


def region(shape: tuple[int, int], **motion_values: float) -> BrushRegion:
    matte = np.zeros(shape, np.uint8)
    matte[40:80, 60:100] = 255
    return BrushRegion(matte, **motion_values)


def test_the_brush_moves_its_region_and_nothing_else(texture: NDArray[np.uint8]) -> None:
    guide = motion_guide(texture, 5, regions=[region((120, 200), horizontal=5, vertical=2)])
    last, hole = guide.frames[-1].astype(int), guide.masks[-1]
    # 30 px to the right and 7.2 px up.
    matrix = np.array([[1, 0, 30], [0, 1, -7.2]])
    expected = cv2.warpAffine(texture, matrix, (200, 120), flags=cv2.INTER_CUBIC).astype(int)
    assert np.abs(last[40:66, 96:124] - expected[40:66, 96:124]).mean() < 2.5
    assert hole[55:70, 65:82].all(), "what the region leaves behind is to be invented"
    outside = np.ones((120, 200), bool)
    outside[25:90, 50:140] = False
    assert np.abs(last - texture)[outside].max() <= 1 and not hole[outside].any()


def test_nearer_grows_and_farther_uncovers(texture: NDArray[np.uint8]) -> None:
    near = brush_fields([region((120, 200), proximity=10)], 3, (200, 120))[-1]
    assert near[60, 95, 0] == pytest.approx(0.6 * (95 - 79.5), rel=0.1) and abs(near[59, 79]).max() < 1
    assert not motion_guide(texture, 3, regions=[region((120, 200), proximity=8)]).masks[-1].any()
    assert motion_guide(texture, 3, regions=[region((120, 200), proximity=-8)]).masks[-1].any()


def test_ambient_motion_stirs_without_sources_and_stays_inside(texture: NDArray[np.uint8]) -> None:
    noise = curl_noise((200, 120), 0.7, 3)
    divergence = np.gradient(noise[..., 0], axis=1) + np.gradient(noise[..., 1], axis=0)
    slopes = np.abs(np.gradient(noise[..., 0], axis=0)).mean()
    assert np.abs(divergence).mean() < 0.03 * slopes
    fields = brush_fields([region((120, 200), ambient=10)], 24, (200, 120), seed=5)
    assert not fields[0].any()
    speeds = [float(np.abs(f[50:70, 70:90]).max()) for f in fields]
    assert 1 < max(speeds) < 12
    assert np.abs(fields[-1][:, :30]).max() < 0.01 and np.abs(fields[-1][:, 140:]).max() < 0.01
    steps = [float(np.abs(b - a).max()) for a, b in itertools.pairwise(fields)]
    assert max(steps) < 2.5, "it flows"


def test_camera_and_brush_compose(texture: NDArray[np.uint8]) -> None:
    guide = motion_guide(texture, 5, camera=CameraMove(zoom=10), regions=[region((120, 200), horizontal=3)])
    only = motion_guide(texture, 5, regions=[region((120, 200), horizontal=3)])
    matrix = np.array([[2, 0, -(200 - 1) / 2], [0, 2, -(120 - 1) / 2]])
    zoomed = cv2.warpAffine(only.frames[-1], matrix, (200, 120), flags=cv2.INTER_CUBIC).astype(int)
    known = (guide.masks[-1] == 0) & (cv2.warpAffine(only.masks[-1], matrix, (200, 120)) == 0)
    assert known.mean() > 0.6 and np.abs(guide.frames[-1].astype(int) - zoomed)[known].mean() < 5


def test_wrong_sizes_and_a_sixth_region_are_refused(texture: NDArray[np.uint8]) -> None:
    with pytest.raises(GenerationError, match="knows 5"):
        motion_guide(texture, 3, regions=[region((120, 200), horizontal=1)] * 6)
    with pytest.raises(GenerationError, match="motion region is 20×10"):
        motion_guide(texture, 3, regions=[BrushRegion(np.full((10, 20), 255, np.uint8), horizontal=1)])
    with pytest.raises(GenerationError, match="depth is"):
        motion_guide(texture, 3, camera=CameraMove(pan=1), depth=np.zeros((4, 4), np.float32))


def test_moving_pictures_are_really_in_motion_the_way_they_were_told(texture: NDArray[np.uint8]) -> None:
    guide = motion_guide(texture, 3, camera=CameraMove(horizontal=-3))
    found = motion.dis_flow(motion.grey(guide.frames[0]), motion.grey(guide.frames[1]))
    expected = 0.25 * 200 * 0.3 * 0.5 * 0.575
    assert np.median(found[30:90, 40:160, 0]) == pytest.approx(expected, abs=0.25)
