"""Selecting a subject on one frame from a box, clicks and scribbles."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.core.errors import StudioError
from gen2studio.core.geometry import Rect
from gen2studio.engine.requests import SegmentRequest, SourceRef
from gen2studio.segmentation.selector import GraphCutSelector, select
from tests.segmentation.clip import ClipContext, Disk, iou, world

ONE = Disk((60, 60), (0, 0), 22, (200, 90, 50))
OTHER = Disk((150, 60), (0, 0), 22, (200, 90, 50), seed=9)


def real_frame(media_root: Path, clip: str, frame: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    folder = media_root / "davis" / clip
    picture = cv2.imread(str(folder / "frames" / f"{frame:05d}.jpg"))
    truth = cv2.imread(str(folder / "masks" / f"{frame:05d}.png"), cv2.IMREAD_GRAYSCALE)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8), np.asarray(truth, np.uint8)


@pytest.mark.parametrize(("clip", "frame", "bar"), [("dog", 25, 0.88), ("lucia", 25, 0.85), ("car-shadow", 25, 0.8)])
def test_a_box_around_a_real_subject(media_root: Path, clip: str, frame: int, bar: float) -> None:
    picture, truth = real_frame(media_root, clip, frame)
    x, y, width, height = cv2.boundingRect(truth)
    chosen = select(picture, Rect(x, y, width, height).grown(6))
    assert iou(chosen.mask, truth) > bar


def test_one_click_takes_one_subject() -> None:
    (frame,), truth = world([ONE, OTHER], 1)
    chosen = select(frame, include=((60.0, 60.0),))
    assert iou(chosen.mask, truth[0][0]) > 0.85
    assert chosen.mask[60, 150] == 0


def test_marks_are_always_honoured() -> None:
    (frame,), _ = world([ONE, OTHER], 1)
    box = Rect(30, 30, 60, 60)
    include = ((150.0, 60.0), (5.0, 5.0))
    exclude = ((60.0, 60.0), (62.0, 52.0))
    chosen = select(frame, box, include, exclude, brush_radius=3)
    for x, y in include:
        assert (chosen.mask[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2] == 255).all()
    for x, y in exclude:
        assert (chosen.mask[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2] == 0).all()


def test_a_click_corrects_only_its_surroundings() -> None:
    (frame,), truth = world([ONE, OTHER], 1)
    both = np.maximum(truth[0][0], truth[1][0])
    left_only = select(frame, exclude=((150.0, 60.0),), current=both)
    assert iou(left_only.mask, truth[0][0]) > 0.9
    assert np.array_equal(left_only.mask[:, :90], both[:, :90]), "the untouched subject's edge moved"
    added = select(frame, include=((150.0, 60.0),), current=truth[0][0])
    assert iou(added.mask, both) > 0.85
    assert np.array_equal(added.mask[:, :60], truth[0][0][:, :60])


def test_clicks_repair_a_real_selection(media_root: Path) -> None:
    picture, truth = real_frame(media_root, "blackswan", 0)
    x, y, width, height = cv2.boundingRect(truth)
    mask = select(picture, Rect(x, y, width, height).grown(6)).mask
    for _ in range(3):
        missing = cv2.distanceTransform(((truth > 127) & (mask < 128)).astype(np.uint8), cv2.DIST_L2, 5)
        surplus = cv2.distanceTransform(((truth < 128) & (mask > 127)).astype(np.uint8), cv2.DIST_L2, 5)
        worst = missing if missing.max() > surplus.max() else surplus
        row, column = np.unravel_index(worst.argmax(), worst.shape)
        point = ((float(column), float(row)),)
        if worst is missing:
            mask = select(picture, include=point, current=mask).mask
        else:
            mask = select(picture, exclude=point, current=mask).mask
    assert iou(mask, truth) > 0.85


def test_the_selection_is_the_same_every_time() -> None:
    (frame,), _ = world([ONE], 1)
    first, second = (select(frame, Rect(30, 30, 60, 60)).mask for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("box", [Rect(40, 40, 0, 0), Rect(60, 60, -20, -20), Rect(40, 40, 0, 30)])
def test_an_empty_or_inverted_box_is_refused_plainly(box: Rect) -> None:
    (frame,), _ = world([ONE], 1)
    with pytest.raises(StudioError, match="box is empty") as caught:
        select(frame, box)
    assert caught.value.remedy


def test_a_box_outside_and_no_marks_are_refused_plainly() -> None:
    (frame,), _ = world([ONE], 1)
    with pytest.raises(StudioError, match="outside the picture"):
        select(frame, Rect(500, 500, 30, 30))
    with pytest.raises(StudioError, match="nothing to select"):
        select(frame)
    with pytest.raises(StudioError, match="nothing to select"):
        select(frame, exclude=((5.0, 5.0),))
    with pytest.raises(StudioError, match="64×32"):
        select(frame, include=((5.0, 5.0),), current=np.full((32, 64), 255, np.uint8))


def test_a_request_is_answered_through_its_context() -> None:
    (frame,), truth = world([ONE], 1)
    context = ClipContext([frame])
    source = SourceRef(fingerprint="clip", path="", frame_count=1, width=200, height=120)
    request = SegmentRequest(source=source, frame=0, object_id="ball", box=Rect(32, 32, 56, 56))
    GraphCutSelector().segment(request, context)
    mask, confidence = context.emitted[("ball", 0)]
    assert iou(mask, truth[0][0]) > 0.9 and 0 < confidence <= 1
    assert context.engines == {GraphCutSelector().title}
    assert not mask.flags.writeable
