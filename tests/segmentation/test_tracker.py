"""Masks carried through clips whose truth is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gen2studio.core.cancel import Cancelled
from gen2studio.core.errors import StudioError
from gen2studio.core.mask_confidence import SUSPECT
from gen2studio.segmentation.tracker import FlowTracker
from tests.segmentation.clip import ClipContext, Disk, iou, world

BALL = Disk((50, 60), (3, 0.5), 18, (200, 90, 50))


def carried(context: ClipContext, anchors: dict, **options: object) -> ClipContext:
    FlowTracker().propagate(context.request(anchors, **options), context)
    return context


def test_follows_a_moving_subject_and_never_emits_the_anchor() -> None:
    frames, (truth,) = world([BALL], 12)
    context = ClipContext(frames)
    before = truth[0].copy()
    carried(context, {"ball": {0: truth[0]}})
    assert sorted(f for _, f in context.emitted) == list(range(1, 12))
    assert np.array_equal(context.matte(context.raster(truth[0])), before)
    scores = [iou(mask, truth[f]) for (_, f), (mask, _) in context.emitted.items()]
    assert np.mean(scores) > 0.9 and min(scores) > 0.85
    assert all(mask.shape == frames[0].shape[:2] and mask.dtype == np.uint8 for mask, _ in context.emitted.values())
    assert context.steps[0][0] == 0 and context.steps[-1][0] == context.steps[-1][1]
    assert context.engines == {FlowTracker().title}


def test_holds_on_with_a_shaking_camera() -> None:
    frames, (truth,) = world([BALL], 10, shake=6)
    context = carried(ClipContext(frames), {"ball": {0: truth[0]}})
    assert np.mean([iou(m, truth[f]) for (_, f), (m, _) in context.emitted.items()]) > 0.88


def test_backward_on_the_reversed_clip_equals_forward() -> None:
    frames, (truth,) = world([BALL], 8)
    ahead = carried(ClipContext(frames), {"ball": {0: truth[0]}})
    back = carried(ClipContext(frames[::-1]), {"ball": {7: truth[0]}}, from_frame=7, direction="backward")
    assert {f for _, f in back.emitted} == set(range(7))
    for frame in range(1, 8):
        assert iou(ahead.emitted[("ball", frame)][0], back.emitted[("ball", 7 - frame)][0]) > 0.97


@pytest.mark.parametrize(
    ("direction", "expected"),
    [("forward", {5, 6, 7, 8}), ("backward", {2, 3}), ("both", {2, 3, 5, 6, 7, 8})],
)
def test_direction_and_range_are_honoured(direction: str, expected: set[int]) -> None:
    frames, (truth,) = world([BALL], 12)
    context = carried(ClipContext(frames), {"ball": {4: truth[4]}}, start=2, stop=9, from_frame=4, direction=direction)
    assert {f for _, f in context.emitted} == expected
    assert set(context.fetched) <= expected | {4}, "frames outside the spans were read"


def test_only_the_spans_that_touch_the_range_are_walked() -> None:
    frames, (truth,) = world([BALL], 14)
    anchors = {"ball": {f: truth[f] for f in (0, 5, 9)}}
    context = carried(ClipContext(frames), anchors, start=6, stop=9)
    assert {f for _, f in context.emitted} == {6, 7, 8}
    assert set(context.fetched) == {5, 6, 7, 8, 9}


def test_a_correction_pulls_its_whole_neighbourhood_right() -> None:
    # The first anchor misses half of the ball; the second is right.
    frames, (truth,) = world([BALL], 11)
    half = truth[0].copy()
    half[:60] = 0
    alone = carried(ClipContext(frames), {"ball": {0: half}})
    both = carried(ClipContext(frames), {"ball": {0: half, 10: truth[10]}})
    assert {f for _, f in both.emitted} == set(range(1, 10))
    late = range(6, 10)
    assert np.mean([iou(both.emitted[("ball", f)][0], truth[f]) for f in late]) > 0.85
    assert np.mean([iou(alone.emitted[("ball", f)][0], truth[f]) for f in late]) < 0.75


def test_two_subjects_that_pass_each_other_do_not_swap() -> None:
    one = Disk((40, 50), (5, 0), 16, (200, 80, 60), seed=3)
    other = Disk((160, 66), (-5, 0), 16, (70, 90, 210), seed=4)
    frames, truth = world([one, other], 20)
    context = carried(ClipContext(frames), {"red": {0: truth[0][0]}, "blue": {0: truth[1][0]}})
    for name, mine, theirs in (("red", truth[0], truth[1]), ("blue", truth[1], truth[0])):
        last = context.emitted[(name, 19)][0]
        assert iou(last, mine[19]) > 0.75, name
        assert iou(last, theirs[19]) < 0.05, name


def test_a_subject_that_leaves_gets_low_confidence_and_a_note_not_a_guess() -> None:
    leaver = Disk((150, 60), (7, 0), 16, (200, 90, 50))
    frames, (truth,) = world([leaver], 18)
    context = carried(ClipContext(frames), {"ball": {0: truth[0]}})
    assert not truth[-1].any()
    mask, confidence = context.emitted[("ball", 17)]
    assert confidence <= SUSPECT and mask.mean() < 1
    assert any("correction at frame" in text and frame is not None for text, frame in context.notes)
    assert context.emitted[("ball", 2)][1] > 0.6


def test_a_subject_is_found_again_behind_a_post() -> None:
    frames, (truth,) = world([Disk((30, 60), (5, 0), 14, (210, 80, 40))], 26, wall=(70, 110))
    context = carried(ClipContext(frames), {"ball": {0: truth[0]}})
    hidden = [f for f in range(26) if not (truth[f] > 127).any()]
    assert hidden and context.emitted[("ball", hidden[-1])][1] < SUSPECT
    assert not (context.emitted[("ball", hidden[-1])][0] > 127).any(), "a matte was invented behind the post"
    assert iou(context.emitted[("ball", 25)][0], truth[25]) > 0.8
    assert any("back on frame" in text for text, _ in context.notes)


def test_cancel_keeps_what_was_emitted_and_stops_the_worker() -> None:
    frames, (truth,) = world([BALL], 12)
    context = ClipContext(frames, cancel_after=4)
    with pytest.raises(Cancelled):
        carried(context, {"ball": {0: truth[0]}})
    assert sorted(f for _, f in context.emitted) == [1, 2, 3, 4]
    assert all(iou(m, truth[f]) > 0.85 for (_, f), (m, _) in context.emitted.items())


def test_memory_of_a_walk_does_not_hold_the_clip() -> None:
    frames, (truth,) = world([BALL], 7)
    context = carried(ClipContext(frames), {"ball": {0: truth[0], 6: truth[6]}})
    # Each direction reads each frame once, plus the first look at the clip's size.
    assert len(context.fetched) <= 2 * 6 + 1


def test_the_same_request_gives_the_same_mattes() -> None:
    frames, (truth,) = world([BALL], 5, shake=3)
    one, two = (carried(ClipContext(frames), {"ball": {0: truth[0]}}) for _ in range(2))
    assert all(np.array_equal(one.emitted[key][0], two.emitted[key][0]) for key in one.emitted)


def test_nothing_drawn_and_wrong_sizes_are_said_plainly() -> None:
    frames, _ = world([BALL], 2)
    with pytest.raises(StudioError, match="no drawn mask"):
        carried(ClipContext(frames), {"ball": {}})
    with pytest.raises(StudioError, match="64×32"):
        carried(ClipContext(frames), {"ball": {0: np.full((32, 64), 255, np.uint8)}})


def test_an_empty_anchor_means_the_subject_is_not_there() -> None:
    frames, (truth,) = world([BALL], 4)
    context = carried(ClipContext(frames), {"ball": {0: np.zeros_like(truth[0])}})
    assert all(not mask.any() for mask, _ in context.emitted.values()) and len(context.emitted) == 3


def test_a_stretch_of_a_real_clip(media_root: Path) -> None:
    folder = media_root / "davis" / "lucia"
    pictures = sorted((folder / "frames").glob("*.jpg"))[:7]
    frames = [
        cv2.cvtColor(cv2.resize(cv2.imread(str(p)), (428, 240), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
        for p in pictures
    ]
    truth = [
        cv2.resize(
            cv2.imread(str(folder / "masks" / f"{p.stem}.png"), cv2.IMREAD_GRAYSCALE),
            (428, 240),
            interpolation=cv2.INTER_AREA,
        )
        for p in pictures
    ]
    context = carried(ClipContext(frames), {"lucia": {0: truth[0]}})
    assert np.mean([iou(m, truth[f]) for (_, f), (m, _) in context.emitted.items()]) > 0.82
