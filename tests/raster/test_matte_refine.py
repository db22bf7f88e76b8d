"""The refine stack on known mattes: exact sizes, steadied edges, hair, colours, keys and blends."""

from __future__ import annotations

import functools
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent
from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_refinement import Refinement
from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.raster import matte_refine, matting, morphology
from tests.raster.hair import hairy, real_frame

SIZE = (90, 120)


def refined(matte: NDArray[np.uint8], picture: NDArray[np.uint8] | None = None, frame: int = 0, **stack: object):
    found = matte_refine.refine_matte(frame, lambda _: matte, lambda _: picture, Refinement(**stack))  # type: ignore[arg-type]
    assert found is not None
    return found


def box(x: int, y: int, width: int, height: int, matte: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    out = np.zeros(SIZE, np.uint8) if matte is None else matte.copy()
    out[y : y + height, x : x + width] = 255
    return out


# -- one matte -------------------------------------------------------------------------------------------------------


def test_despeckle_and_holes_go_by_their_exact_size() -> None:
    subject = box(20, 20, 60, 50)
    specks = box(2, 2, 5, 5, box(100, 40, 6, 4, subject))  # 25 and 24 pixels
    kept = refined(specks, despeckle=25)
    assert np.array_equal(kept, box(2, 2, 5, 5, subject))
    assert np.array_equal(refined(specks, despeckle=26), subject)
    holed = subject.copy()
    holed[30:34, 30:36] = 0  # 24 pixels
    holed[50:55, 50:55] = 0  # 25 pixels
    filled = refined(holed, fill_holes=25)
    assert (filled[30:34, 30:36] == 255).all() and not filled[50:55, 50:55].any()
    assert np.array_equal(refined(holed, fill_holes=26), subject)
    soft = subject.copy()
    soft[38:46, 38:46] = 190
    soft[40:44, 40:44] = 0
    assert np.array_equal(refined(soft, fill_holes=26), subject), "the soft rim of a hole goes with it"


def test_the_border_is_continued_from_inside() -> None:
    matte = box(40, 6, 30, 84)  # ends six pixels under the upper border
    fixed = refined(matte, border_fix=6)
    assert (fixed[:, 40:70] == 255).all() and not fixed[:, :34].any()
    assert np.array_equal(refined(matte, border_fix=0), matte)


def test_a_stack_that_does_nothing_or_is_bypassed_hands_out_the_matte_itself() -> None:
    matte = box(10, 10, 20, 20)
    for stack in (Refinement(), Refinement(enabled=False, grow=Keyed(5.0)), Refinement(decontaminate=Keyed(1.0))):
        assert matte_refine.refine_matte(0, lambda _: matte, lambda _: None, stack) is matte
    assert matte_refine.refine_matte(0, lambda _: None, lambda _: None, Refinement(grow=Keyed(2.0))) is None


def test_grow_and_feather_follow_their_keys() -> None:
    matte = box(50, 35, 20, 20)
    keys = Keyed(0.0, ((10, 0.0), (20, 8.0)))
    areas = [int((refined(matte, frame=f, grow=keys) > 127).sum()) for f in (0, 10, 15, 20, 90)]
    assert areas[0] == areas[1] == 400 and areas[3] == areas[4]
    # A square of 20 grown by r has 400 + 80 r + π r² pixels.
    assert abs(areas[2] - (400 + 80 * 4 + np.pi * 16)) < 12 and abs(areas[3] - (400 + 80 * 8 + np.pi * 64)) < 25
    soft = refined(matte, frame=15, feather=Keyed(0.0, ((10, 0.0), (20, 4.0))))
    assert np.abs(soft.astype(int) - cv2.GaussianBlur(matte, (0, 0), 2.0)).max() <= 2


@pytest.mark.parametrize("sigma", [1.5, 7.9, 12.0, 30.0, 64.0])
def test_a_wide_blur_is_a_gaussian(sigma: float) -> None:
    matte = np.zeros((300, 420), np.uint8)
    matte[80:200, 150:420] = 255
    expected = cv2.GaussianBlur(matte.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    assert np.abs(morphology.blur(matte, sigma) - expected).max() < 3.5
    assert not morphology.blur(matte * 0, sigma).any()


# -- time ------------------------------------------------------------------------------------------------------------


@functools.cache
def moving(speed: float, jitter: float) -> tuple[dict[int, NDArray[np.uint8]], dict[int, NDArray], dict[int, NDArray]]:
    """Pictures, true and jittering mattes of a textured disc that moves over a textured ground."""
    random = np.random.default_rng(4)
    ground = cv2.GaussianBlur(random.integers(0, 255, (160, 260, 3), np.uint8), (0, 0), 2.5)
    ground = cv2.normalize(ground, None, 20, 150, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    coat = cv2.GaussianBlur(random.integers(0, 255, (160, 260, 3), np.uint8), (0, 0), 2.0)
    coat = cv2.normalize(coat, None, 90, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    y, x = np.mgrid[:160, :260].astype(np.float32)
    pictures, true, noisy = {}, {}, {}
    for frame in range(13):
        cx, cy = 90 + speed * (frame - 6), 80.0
        angle = np.arctan2(y - cy, x - cx)
        distance = np.hypot(x - cx, y - cy)
        waves = sum(random.normal(0, jitter / 2.8) * np.cos(k * angle + random.uniform(0, 6.3)) for k in range(3, 19))
        alpha = np.clip(42 - distance + 0.5, 0, 1)
        shifted = cv2.warpAffine(coat, np.float32([[1, 0, cx - 90], [0, 1, 0]]), (260, 160), borderMode=cv2.BORDER_WRAP)
        pictures[frame] = np.rint(shifted * alpha[..., None] + ground * (1 - alpha[..., None])).astype(np.uint8)
        true[frame] = np.rint(alpha * 255).astype(np.uint8)
        noisy[frame] = np.rint(np.clip(42 + waves - distance + 0.5, 0, 1) * 255).astype(np.uint8)
    return pictures, true, noisy


def off(matte: NDArray[np.uint8], true: NDArray[np.uint8]) -> float:
    """Mean distance of the edge from the true one, in pixels: the area between them along a contour of radius 42."""
    return float(np.abs(matte.astype(float) - true).sum() / 255 / (2 * np.pi * 42))


@pytest.mark.parametrize("speed", [0.0, 5.0])
def test_chatter_steadies_the_edge_and_does_not_lag(speed: float) -> None:
    pictures, true, noisy = moving(speed, 1.5)
    frames = range(4, 9)
    for reach, nearer, calmer in ((2, 1.5, 3.5), (4, 1.8, 5.0)):
        stack = Refinement(chatter=reach)
        refiner = matte_refine.MatteRefiner(noisy.get, pictures.get, stack)
        steady = {frame: made for frame in frames if (made := refiner(frame)) is not None}
        before, after = (np.mean([off(m[f], true[f]) for f in frames]) for m in (noisy, steady))
        assert before / after > nearer, "closer to the true edge"
        # How far the error moves from one frame to the next: what the eye sees as chatter.
        jumps = [
            np.mean([off(m[f].astype(int) - true[f], m[f - 1].astype(int) - true[f - 1]) for f in frames[1:]])
            for m in (noisy, steady)
        ]
        assert speed > 0 or jumps[0] / jumps[1] > calmer
        # What does not jitter stays where it is, moving or not, and as sharp: nothing trails behind.
        clean = matte_refine.refine_matte(6, true.get, pictures.get, stack)
        assert clean is not None and off(clean, true[6]) < 0.1
        still = matte_refine.refine_matte(6, noisy.get, lambda _: None, stack)
        assert np.array_equal(still, noisy[6]), "without pictures there is no telling motion from jitter"


def test_chatter_leaves_out_frames_without_a_matte() -> None:
    pictures, _, noisy = moving(5.0, 1.5)
    some = {6: noisy[6]}
    assert matte_refine.refine_matte(6, some.get, pictures.get, Refinement(chatter=3)) is not None
    assert matte_refine.refine_matte(5, some.get, pictures.get, Refinement(chatter=3)) is None
    assert np.array_equal(matte_refine.refine_matte(6, some.get, pictures.get, Refinement(chatter=3)), noisy[6])


def test_a_refiner_gives_what_the_function_gives_and_reads_each_frame_once() -> None:
    pictures, _, noisy = moving(5.0, 1.5)
    asked: list[int] = []

    def mattes(frame: int) -> NDArray[np.uint8] | None:
        asked.append(frame)
        return noisy.get(frame)

    stack = Refinement(chatter=2, despeckle=9, feather=Keyed(1.0))
    refiner = matte_refine.MatteRefiner(mattes, pictures.get, stack)
    for frame in range(4, 9):
        assert np.array_equal(refiner(frame), matte_refine.refine_matte(frame, noisy.get, pictures.get, stack))
    assert len(asked) == len(set(asked)) == 9


# -- hair, motion blur and colour ------------------------------------------------------------------------------------

CLIPS = ("sam2_juggle_person_10s.mp4", "two_people_walking_720p_2.4s.mp4", "drone_coast_gopro_karma_12s.mp4")


@pytest.mark.parametrize("clip", CLIPS)
def test_hair_is_found_far_better_than_by_feathering(clip: str, media_root: Path) -> None:
    case = hairy(real_frame(media_root / "clips" / clip), fair=clip != CLIPS[0])

    def error(matte: NDArray[np.uint8]) -> float:
        return float(((matte / 255.0 - case.alpha)[case.band] ** 2).mean())

    feathered = min(error(refined(case.coarse, feather=Keyed(s))) for s in (1.0, 2.0, 4.0, 8.0, 12.0))
    followed = error(refined(case.coarse, case.picture, edge=24.0, edge_detail=0.6))
    assert followed < feathered / 3.0
    assert np.array_equal(refined(case.coarse, None, edge=24.0), case.coarse)


def test_motion_blur_is_followed(media_root: Path) -> None:
    case = hairy(real_frame(media_root / "clips" / CLIPS[2]), fair=True, blur=4.0)
    followed = refined(case.coarse, case.picture, edge=24.0)
    wrong, was = (np.abs(m / 255.0 - case.alpha)[case.band].mean() for m in (followed, case.coarse))
    assert wrong < 0.6 * was


def test_edges_change_only_within_their_width(media_root: Path) -> None:
    case = hairy(real_frame(media_root / "clips" / CLIPS[0]), fair=False)
    followed = matting.follow_edges(case.coarse, case.picture, 10.0)
    inside = case.coarse >= 128
    near = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    beyond = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5)
    far = np.maximum(near, beyond) > 11.5
    assert np.array_equal(followed[far], case.coarse[far])
    assert not np.array_equal(followed, case.coarse)
    blank = np.zeros_like(case.coarse)
    assert not matting.follow_edges(blank, case.picture, 10.0).any()
    with pytest.raises(ValueError, match="does not fit"):
        matting.follow_edges(blank[:9], case.picture, 10.0)


def test_soft_pixels_get_the_subjects_own_colour(media_root: Path) -> None:
    case = hairy(real_frame(media_root / "clips" / CLIPS[2]), fair=False)
    matte = np.rint(case.alpha * 255).astype(np.uint8)
    clean = matte_refine.decontaminated(case.picture, matte, 1.0)
    soft = (matte > 40) & (matte < 215)

    def wrong(picture: NDArray[np.uint8]) -> float:
        return float(np.abs(picture[soft].astype(float) - case.subject[soft]).mean())

    assert wrong(clean) < 0.4 * wrong(case.picture)
    sure = (matte == 0) | (matte == 255)
    assert np.array_equal(clean[sure], case.picture[sure])
    half = matte_refine.decontaminated(case.picture, matte, 0.5)
    assert wrong(clean) < wrong(half) < wrong(case.picture)
    assert matte_refine.decontaminated(case.picture, matte, 0.0) is case.picture


# -- objects together, and shapes ------------------------------------------------------------------------------------


def test_blends_are_maximum_rest_and_minimum() -> None:
    random = np.random.default_rng(1)
    below, matte = (random.integers(0, 256, SIZE, np.uint8) for _ in range(2))
    wide, over = below.astype(int), matte.astype(int)
    assert np.array_equal(matte_refine.blended(below, matte, "add"), np.maximum(wide, over))
    assert np.array_equal(matte_refine.blended(below, matte, "subtract"), np.minimum(wide, 255 - over))
    assert np.array_equal(matte_refine.blended(below, matte, "intersect"), np.minimum(wide, over))
    with pytest.raises(ValueError, match="no such blend"):
        matte_refine.blended(below, matte, "multiply")


def test_shapes_lie_over_what_was_painted_before_it_is_refined() -> None:
    corners = tuple(ShapePoint(float(x), float(y)) for x, y in ((60, 10), (110, 10), (110, 60), (60, 60)))
    shape = MaskShape(id="shape-00000000000a", kind="polygon", start=5, keys=((0, corners),))
    painted = {5: box(10, 10, 20, 20)}
    drawn = matte_refine.with_shapes(painted.get, (shape,), Extent(SIZE[1], SIZE[0]))
    assert drawn(4) is None
    both, alone = drawn(5), drawn(6)
    assert both is not None and both[20, 20] == 255 and both[30, 80] == 255
    assert alone is not None and alone[20, 20] == 0 and alone[30, 80] == 255
    grown = matte_refine.refine_matte(6, drawn, lambda _: None, Refinement(grow=Keyed(3.0)))
    assert grown is not None and grown[30, 57] == 255 and alone[30, 57] == 0
