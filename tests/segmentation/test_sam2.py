"""SAM 2 through transformers' own classes: the same numbers as calling them directly, with bounded memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.core.cancel import Cancelled
from gen2studio.core.errors import ModelError, StudioError
from gen2studio.core.geometry import Rect
from gen2studio.diffusion.runtime.torch_loading import load_torch
from gen2studio.engine.requests import SegmentRequest, SourceRef
from gen2studio.models.mask_models import MaskModel, check_mask_model
from gen2studio.segmentation.sam2_model import load_promptable
from gen2studio.segmentation.sam2_selector import Sam2Selector
from gen2studio.segmentation.sam2_tracker import Sam2Tracker
from tests.segmentation.clip import ClipContext, Disk, world
from tests.segmentation.tiny_models import SIDE, save_edgetam_video, save_sam2_image, save_sam2_video

COUNT = 9


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> MaskModel:
    load_torch()
    return check_mask_model(save_sam2_video(tmp_path_factory.mktemp("models") / "tiny-sam2"))


@pytest.fixture(scope="module")
def clip() -> tuple[list[NDArray[np.uint8]], list[list[NDArray[np.uint8]]]]:
    return world([Disk((60, 60), (2, 0), 22, (200, 90, 50)), Disk((150, 60), (-1, 0), 20, (60, 90, 200))], COUNT)


def test_pictures_are_prepared_as_the_image_processor_does(model: MaskModel, clip: Any) -> None:
    from transformers import Sam2ImageProcessor

    ours = load_promptable(model, load_torch, video=False).pixels(clip[0][0])
    processor = Sam2ImageProcessor(size={"height": SIDE, "width": SIDE})
    theirs = processor(images=clip[0][0], return_tensors="pt")["pixel_values"]
    assert float((ours - theirs).abs().max()) < 1e-5


def test_clicks_are_answered_as_by_the_model_itself(model: MaskModel, clip: Any) -> None:
    torch, frames = load_torch(), clip[0]
    context = ClipContext(frames)
    selector = Sam2Selector(model, load_torch)
    source = SourceRef(fingerprint="clip", path="", frame_count=COUNT, width=200, height=120)
    hover = SegmentRequest(source=source, frame=0, object_id="it", include=((60.0, 50.0),), purpose="preview")
    selector.segment(hover, context)
    assert context.previews == []
    selector.segment(SegmentRequest(source=source, frame=0, object_id="it", include=((60.0, 50.0),)), context)
    mask, _ = context.emitted[("it", 0)]
    loaded = load_promptable(model, load_torch, video=False)
    with torch.inference_mode():
        direct = loaded.network(
            pixel_values=loaded.pixels(frames[0]), multimask_output=True,
            input_points=torch.tensor([[[[60.0 * SIDE / 200, 50.0 * SIDE / 120]]]]),
            input_labels=torch.ones(1, 1, 1).int(),
        )  # fmt: skip
        best = direct.pred_masks[0, 0, direct.iou_scores[0, 0].argmax()]
        full = torch.nn.functional.interpolate(best[None, None], (120, 200), mode="bilinear", align_corners=False)
    assert np.array_equal(mask > 127, (full[0, 0] > 0).numpy())
    selector.segment(hover, context)
    assert context.previews[0].shape == (10, 16) and context.engines == {"SAM 2 (tiny-sam2)"}
    again = SegmentRequest(
        source=source, frame=0, object_id="it", exclude=((150.0, 60.0),), current=context.raster(mask)
    )
    context.emitted.clear()
    selector.segment(again, context)
    assert not np.array_equal(context.emitted[("it", 0)][0], mask)
    with pytest.raises(StudioError, match="by their name"):
        selector.segment(SegmentRequest(source=source, frame=0, object_id="it", text="dog"), context)


def direct_walk(model: MaskModel, frames: Any, anchors: dict[int, NDArray[np.uint8]], order: range) -> dict[int, Any]:
    """The same walk with a plain session that forgets nothing."""
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

    torch = load_torch()
    loaded = load_promptable(model, load_torch, video=True)
    session = Sam2VideoInferenceSession(video=None, video_height=120, video_width=200, dtype=torch.float32)
    found: dict[int, Any] = {}
    with torch.inference_mode():
        for frame, mask in anchors.items():
            small = cv2.resize(mask, (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 127
            session.add_mask_inputs(session.obj_id_to_idx(1), frame, torch.from_numpy(small)[None, None].float())
            session.obj_with_new_inputs = [1]
            loaded.network(inference_session=session, frame=loaded.pixels(frames[frame])[0], frame_idx=frame)
        for frame in order:
            if frame not in anchors:
                answer = loaded.network(
                    inference_session=session, frame=loaded.pixels(frames[frame])[0], frame_idx=frame,
                    reverse=order.step < 0,
                )  # fmt: skip
                found[frame] = loaded.full_size(answer.pred_masks[0, 0], 120, 200)
    return found


def test_mattes_are_carried_as_by_a_session_that_forgets_nothing(model: MaskModel, clip: Any) -> None:
    frames, truth = clip
    context = ClipContext(frames)
    request = context.request({"one": {1: truth[0][1]}, "two": {0: truth[1][0], 5: truth[1][5]}}, from_frame=1)
    Sam2Tracker(model, load_torch).propagate(request, context)
    wanted = {("one", f) for f in range(COUNT) if f != 1} | {("two", f) for f in range(COUNT) if f not in (0, 5)}
    assert set(context.emitted) == wanted
    ahead = direct_walk(model, frames, {1: truth[0][1]}, range(2, COUNT))
    both = direct_walk(model, frames, {0: truth[1][0], 5: truth[1][5]}, range(1, COUNT))
    for name, expected in (("one", ahead), ("two", both)):
        for frame, logits in expected.items():
            assert np.array_equal(context.emitted[(name, frame)][0] > 127, logits > 0), (name, frame)
    assert sorted(set(context.fetched)) == list(range(COUNT))
    assert context.steps[-1][0] == context.steps[-1][1] and context.engines == {"SAM 2 (tiny-sam2)"}


def test_edgetam_selects_and_carries_like_sam_2(tmp_path: Path, clip: Any) -> None:
    frames, truth = clip
    model = check_mask_model(save_edgetam_video(tmp_path / "tiny-edgetam"))
    assert (model.family, model.tracks) == ("edgetam", True)
    context = ClipContext(frames[:4])
    wanted = context.request({"one": {1: truth[0][1]}}, from_frame=1)
    asked = SegmentRequest(source=wanted.source, frame=3, object_id="it", box=Rect(40, 30, 60, 60))
    Sam2Selector(model, load_torch).segment(asked, context)
    Sam2Tracker(model, load_torch).propagate(wanted, context)
    assert set(context.emitted) == {("it", 3), ("one", 0), ("one", 2), ("one", 3)}
    assert context.engines == {"EdgeTAM (tiny-edgetam)"}


def test_memory_is_bounded_and_only_the_asked_span_is_walked(
    model: MaskModel, clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

    kept: list[Sam2VideoInferenceSession] = []
    plain = Sam2VideoInferenceSession.__init__

    def noted(self: Any, *arguments: Any, **named: Any) -> None:
        plain(self, *arguments, **named)
        kept.append(self)

    monkeypatch.setattr(Sam2VideoInferenceSession, "__init__", noted)
    frames, truth = clip
    context = ClipContext(frames)
    request = context.request({"one": {0: truth[0][0], 6: truth[0][6]}}, start=3, stop=6, from_frame=3)
    Sam2Tracker(model, load_torch).propagate(request, context)
    assert sorted(frame for _, frame in context.emitted) == [3, 4, 5]
    assert 7 not in context.fetched and 8 not in context.fetched
    longer = ClipContext(frames)
    Sam2Tracker(model, load_torch).propagate(longer.request({"one": {0: truth[0][0]}}), longer)
    pixels = sum(frame.numel() for frame in kept[-1].processed_frames.values())
    memories = kept[-1].output_dict_per_obj[0]["non_cond_frame_outputs"]
    assert pixels == 0 and len(memories) <= 5


def test_a_walk_can_be_stopped_and_keeps_what_was_carried(model: MaskModel, clip: Any) -> None:
    frames, truth = clip
    context = ClipContext(frames, cancel_after=3)
    with pytest.raises(Cancelled):
        Sam2Tracker(model, load_torch).propagate(context.request({"one": {0: truth[0][0]}}), context)
    assert len(context.emitted) == 3


def test_a_lost_subject_is_empty_and_told(model: MaskModel, clip: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, truth = clip
    tracker = Sam2Tracker(model, load_torch)
    context = ClipContext(frames)
    tracker.propagate(context.request({"one": {0: truth[0][0]}}, stop=2), context)
    assert tracker._loaded is not None
    network = tracker._loaded.network
    plain = network.forward

    def unsure(*arguments: Any, **named: Any) -> Any:
        answer = plain(*arguments, **named)
        frame = named["frame_idx"]
        answer.object_score_logits = answer.object_score_logits * 0 + (-4.0 if 2 <= frame <= 4 else 4.0)
        answer.pred_masks = answer.pred_masks * 0 + 3.0
        return answer

    monkeypatch.setattr(network, "forward", unsure)
    context = ClipContext(frames)
    tracker.propagate(context.request({"one": {0: truth[0][0]}}), context)
    empty = [frame for (_, frame), (mask, _) in sorted(context.emitted.items()) if not mask.any()]
    assert empty == [2, 3, 4]
    assert [round(context.emitted[("one", f)][1], 2) > 0 for f in (1, 2, 5)] == [True, False, True]
    assert [(("lost" in text), frame) for text, frame in context.notes] == [(True, 2), (False, 5)]


def test_folders_that_can_t_do_it_say_so(tmp_path: Path, clip: Any) -> None:
    frames, truth = clip
    context = ClipContext(frames)
    image = check_mask_model(save_sam2_image(tmp_path / "image"))
    assert not image.tracks
    with pytest.raises(ModelError, match="lacks weights that a Sam2VideoModel needs"):
        Sam2Tracker(image, load_torch).propagate(context.request({"one": {0: truth[0][0]}}), context)
    (image.path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="can't be loaded"):
        Sam2Selector(image, load_torch).segment(
            SegmentRequest(source=context.request({}).source, frame=0, object_id="it", include=((9.0, 9.0),)), context
        )
    video = check_mask_model(save_sam2_video(tmp_path / "video"))
    with pytest.raises(StudioError, match="no drawn mask"):
        Sam2Tracker(video, load_torch).propagate(context.request({}), context)
    small = np.full((60, 100), 255, np.uint8)
    with pytest.raises(StudioError, match="100×60 but the clip is 200×120"):
        Sam2Tracker(video, load_torch).propagate(context.request({"one": {0: small}}), context)
