"""Several objects in one walk, what is walked again after a correction, and what a walk keeps in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.core.cancel import Cancelled
from gen2studio.engine.requests import MaskTrackRef
from gen2studio.raster.flow import dis_flow, grey
from gen2studio.segmentation.plan import spans_of
from gen2studio.segmentation.tracker import FlowTracker
from tests.segmentation.clip import ClipContext, Disk, Mask, iou, world

BALL = Disk((50, 60), (3, 0.5), 18, (200, 90, 50))
LEFT = Disk((60, 60), (3, 0), 20, (210, 80, 60), seed=3)
RIGHT = Disk((100, 62), (1, 0), 20, (70, 90, 210), seed=4)
"""Overtaken by the left one, which passes behind it."""


def carried(context: ClipContext, anchors: dict[str, dict[int, Mask]], **options: object) -> ClipContext:
    FlowTracker().propagate(context.request(anchors, **options), context)
    return context


@pytest.fixture(scope="module")
def ball() -> tuple[list[NDArray[np.uint8]], list[Mask]]:
    frames, (truth,) = world([BALL], 9)
    return frames, truth


def test_a_correction_costs_only_the_spans_on_its_two_sides(ball: tuple[list[NDArray[np.uint8]], list[Mask]]) -> None:
    frames, truth = ball
    first = carried(ClipContext(frames), {"ball": {f: truth[f] for f in (0, 2, 8)}})
    assert {f for _, f in first.emitted} == {1, 3, 4, 5, 6, 7}
    # A correction on frame 5: what lies between 0 and 2 still comes from the same drawn frames.
    again = ClipContext(frames)
    request = again.request({"ball": {f: truth[f] for f in (0, 2, 5, 8)}})
    settled = ((1, again.raster(first.emitted[("ball", 1)][0])),)
    request = replace(request, objects=(replace(request.objects[0], settled=settled),))
    FlowTracker().propagate(request, again)
    assert {f for _, f in again.emitted} == {3, 4, 6, 7}
    assert set(again.fetched) == set(range(2, 9)), "frames beyond the neighbouring anchors were read"
    # 2…7 forward, 8…3 backward, and the first look at the clip's size.
    assert len(again.fetched) == 6 + 6 + 1
    everything = carried(ClipContext(frames), {"ball": {f: truth[f] for f in (0, 2, 5, 8)}})
    assert all(np.array_equal(again.emitted[k][0], everything.emitted[k][0]) for k in again.emitted)


def test_spans_leave_out_what_is_settled() -> None:
    wanted = range(0, 20)
    assert [(s.anchor, s.last) for s in spans_of("a", [5, 10], wanted)] == [(5, 0), (5, 9), (10, 6), (10, 19)]
    assert [(s.anchor, s.last) for s in spans_of("a", [5, 10], wanted, set(range(5)))] == [(5, 9), (10, 6), (10, 19)]
    assert [(s.anchor, s.last) for s in spans_of("a", [5, 10], wanted, {*range(10), 19})] == [(10, 18)]
    assert [(s.anchor, s.last) for s in spans_of("a", [5, 10], wanted, {*range(8), *range(11, 20)})] == [
        (5, 9),
        (10, 8),
    ]
    assert not spans_of("a", [5, 10], wanted, set(wanted))


def test_what_is_settled_already_is_no_work(ball: tuple[list[NDArray[np.uint8]], list[Mask]]) -> None:
    frames, truth = ball
    context = ClipContext(frames)
    request = context.request({"ball": {0: truth[0], 2: truth[2]}}, stop=3)
    done = replace(request.objects[0], settled=((1, context.raster(truth[1])),))
    FlowTracker().propagate(replace(request, objects=(done,)), context)
    assert not context.emitted and not context.fetched


def test_two_objects_are_carried_in_one_walk_and_share_no_pixel() -> None:
    frames, truth = world([LEFT, RIGHT], 12)
    context = carried(ClipContext(frames), {"left": {0: truth[0][0]}, "right": {0: truth[1][0]}})
    assert len(context.fetched) == 12 + 1, "motion was worked out for each object"
    for frame in range(1, 12):
        left, right = (context.emitted[(name, frame)][0].astype(int) for name in ("left", "right"))
        assert (left + right).max() <= 255, f"a pixel is claimed twice on frame {frame}"
    assert np.mean([iou(context.emitted[("right", f)][0], truth[1][f]) for f in range(1, 12)]) > 0.85
    assert np.mean([iou(context.emitted[("left", f)][0], truth[0][f]) for f in range(1, 12)]) > 0.7


def test_objects_that_meet_a_finished_one_leave_it_its_pixels() -> None:
    # "right" has corrections on both sides, so its mattes come on the way back, after those of "left".
    frames, truth = world([LEFT, RIGHT], 9)
    anchors = {"left": {0: truth[0][0]}, "right": {0: truth[1][0], 8: truth[1][8]}}
    context = carried(ClipContext(frames), anchors)
    for frame in range(1, 8):
        left, right = (context.emitted[(name, frame)][0].astype(int) for name in ("left", "right"))
        assert (left + right).max() <= 255
    assert (context.emitted[("left", 8)][0].astype(int) + truth[1][8]).max() <= 255, "an anchor's pixels were claimed"


def test_an_object_that_is_not_carried_keeps_its_pixels() -> None:
    frames, truth = world([LEFT, RIGHT], 9)
    context = ClipContext(frames)
    beside = MaskTrackRef(object_id="right", frames=tuple((f, context.raster(truth[1][f])) for f in range(9)))
    request = replace(context.request({"left": {0: truth[0][0]}}), beside=(beside,))
    FlowTracker().propagate(request, context)
    for frame in range(1, 9):
        assert (context.emitted[("left", frame)][0].astype(int) + truth[1][frame]).max() <= 255


def test_a_part_and_its_whole_may_have_the_same_pixels() -> None:
    frames, (truth,) = world([BALL], 5)
    upper = truth[0].copy()
    upper[60:] = 0
    context = carried(ClipContext(frames), {"ball": {0: truth[0]}, "upper half": {0: upper}})
    both = (context.emitted[("ball", 4)][0] > 127) & (context.emitted[("upper half", 4)][0] > 127)
    assert both.sum() > 0.3 * (truth[4] > 127).sum()
    assert iou(context.emitted[("ball", 4)][0], truth[4]) > 0.85


def test_cancelling_several_objects_keeps_whole_frames() -> None:
    frames, truth = world([LEFT, RIGHT], 8)
    context = ClipContext(frames, cancel_after=4)
    with pytest.raises(Cancelled):
        carried(context, {"left": {0: truth[0][0]}, "right": {0: truth[1][0]}})
    assert {f for _, f in context.emitted} == {1, 2} and len(context.emitted) == 4


class Panning(Sequence[NDArray[np.uint8]]):
    """Frames made when they are asked for, so that only the walk itself holds any."""

    def __init__(self, count: int, height: int, width: int) -> None:
        self.count = count
        rng = np.random.default_rng(3)
        coarse = rng.integers(40, 200, (height // 8, width // 8 + count, 3), np.uint8)
        self.ground = cv2.resize(coarse, (width + 8 * count, height), interpolation=cv2.INTER_CUBIC)
        self.width = width

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> NDArray[np.uint8]:  # type: ignore[override]
        if not 0 <= index < self.count:
            raise IndexError(index)
        return np.ascontiguousarray(self.ground[:, 4 * index : 4 * index + self.width])

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[i] for i in range(self.count))


def test_large_frames_take_bounded_memory_however_many_there_are() -> None:
    """Mattes are handed on and forgotten: a longer clip needs no more memory."""
    size = (1080, 1920)
    mask = np.zeros(size, np.uint8)
    cv2.circle(mask, (900, 500), 160, 255, -1)
    peaks: list[int] = []
    for count in (4, 6):
        context = _Forgetful(Panning(count, *size))
        request = context.request({"thing": {0: mask}})
        tracemalloc.start()
        FlowTracker().propagate(request, context)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert context.count == count - 1
    picture = size[0] * size[1] * 3
    assert peaks[1] < 1.15 * peaks[0] and peaks[1] < 40 * picture


class _Forgetful(ClipContext):
    """Counts mattes and lets go of them."""

    count = 0

    def emit(self, object_id: str, frame: int, mask: Mask, confidence: float, engine: str) -> None:
        assert mask.shape == self.frames[frame].shape[:2]
        self.count += 1


def test_flow_forgets_the_flow_it_was_once_given(ball: tuple[list[NDArray[np.uint8]], list[Mask]]) -> None:
    """What is carried must not depend on what the same thread worked out before."""
    one, two, three = (grey(frame) for frame in ball[0][:3])
    before = dis_flow(one, two, "sharp")
    dis_flow(three, one, "sharp", start=4 * before)
    assert np.array_equal(dis_flow(one, two, "sharp"), before)
