"""SAM 3 through transformers' own classes: words, clicks and carrying answered as by the models themselves."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.core.errors import ModelError, StudioError
from gen2studio.core.geometry import Rect
from gen2studio.diffusion.runtime.torch_loading import load_torch
from gen2studio.engine.requests import SegmentRequest, SourceRef
from gen2studio.models.mask_models import MaskModel, check_mask_model
from gen2studio.segmentation.catalog import mask_engine_entries
from gen2studio.segmentation.sam2_model import load_promptable
from gen2studio.segmentation.sam2_selector import Sam2Selector
from gen2studio.segmentation.sam2_tracker import Sam2Tracker
from gen2studio.segmentation.sam3_text import TextSelector
from tests.segmentation.clip import ClipContext, Disk, world
from tests.segmentation.tiny_models import SIDE, save_sam3_image, save_sam3_tracker, save_sam3_video

COUNT = 5
SOURCE = SourceRef(fingerprint="clip", path="", frame_count=COUNT, width=200, height=120)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> MaskModel:
    load_torch()
    return check_mask_model(save_sam3_image(tmp_path_factory.mktemp("models") / "tiny-sam3"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> MaskModel:
    load_torch()
    return check_mask_model(save_sam3_video(tmp_path_factory.mktemp("models") / "tiny-whole"))


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> MaskModel:
    load_torch()
    return check_mask_model(save_sam3_tracker(tmp_path_factory.mktemp("models") / "tiny-tracker"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> MaskModel:
    """A tracker's image edition."""
    load_torch()
    return check_mask_model(save_sam3_tracker(tmp_path_factory.mktemp("models") / "tiny-alone", video=False))


@pytest.fixture(scope="module")
def clip() -> tuple[list[NDArray[np.uint8]], list[list[NDArray[np.uint8]]]]:
    return world([Disk((60, 60), (2, 0), 22, (200, 90, 50))], COUNT)


def asked(text: str = "", **more: Any) -> SegmentRequest:
    return SegmentRequest(source=SOURCE, frame=more.pop("frame", 0), object_id="it", text=text, **more)


def found_by_transformers(folder: Path, picture: Any, text: str) -> NDArray[np.bool_]:
    """(N, H, W): the instances as transformers' processor, model and post-processing give them."""
    from transformers import Sam3Model, Sam3Processor

    torch = load_torch()
    processor = Sam3Processor.from_pretrained(folder, local_files_only=True)
    network = Sam3Model.from_pretrained(folder, local_files_only=True).eval()
    inputs = processor(images=picture, text=text, return_tensors="pt")
    assert inputs.pop("original_sizes").tolist() == [[120, 200]]
    with torch.inference_mode():
        output = network(**inputs)
    kept = processor.post_process_instance_segmentation(output, threshold=0.5)[0]
    scores = (output.pred_logits.sigmoid() * output.presence_logits.sigmoid())[0]
    logits = output.pred_masks[0][scores > 0.5]
    assert len(logits) and torch.equal(logits > 0, kept["masks"].bool())
    # The processor resizes after the sigmoid, which puts the edge elsewhere: enlarged, the logits are compared.
    full = torch.nn.functional.interpolate(logits[None], (120, 200), mode="bilinear", align_corners=False)[0]
    return (full > 0).numpy()


def test_words_are_answered_as_by_the_model_itself(image: MaskModel, whole: MaskModel, clip: Any) -> None:
    frames = clip[0]
    for model, name in ((image, "SAM 3 (tiny-sam3)"), (whole, "SAM 3 (tiny-whole)")):
        instances = found_by_transformers(model.path, frames[0], "dog")
        context = ClipContext(frames)
        TextSelector(model, load_torch).segment(asked(" dog "), context)
        mask, sure = context.emitted[("it", 0)]
        assert mask.shape == (120, 200) and mask.dtype == np.uint8 and 0.5 < sure <= 1
        assert np.array_equal(mask > 127, instances.any(0))
        assert context.engines == {name}


def test_other_words_are_another_answer_and_a_frame_is_read_once(image: MaskModel, clip: Any) -> None:
    frames = clip[0]
    selector, context = TextSelector(image, load_torch), ClipContext(frames)
    selector.segment(asked(purpose="prepare"), context)
    assert context.emitted == {} and context.fetched == [0]
    selector.segment(asked("red car", purpose="preview"), context)
    assert context.previews == [] and context.emitted == {}
    answers: list[NDArray[np.uint8]] = []
    for text in ("red car", "dog"):
        selector.segment(asked(text), context)
        answers.append(context.emitted.pop(("it", 0))[0])
    assert context.fetched == [0] and not np.array_equal(*answers)
    selector.segment(asked(purpose="prepare", frame=4), context)
    assert context.fetched == [0, 4]


def test_marks_choose_among_what_was_found(image: MaskModel, clip: Any) -> None:
    frames = clip[0]
    instances = found_by_transformers(image.path, frames[0], "dog")
    ys, xs = np.nonzero(instances[0] & ~instances[-1])
    assert len(instances) > 1 and len(ys), "the tiny model finds several things"
    point = (float(xs[0]), float(ys[0]))
    on = instances[:, int(point[1]), int(point[0])]
    inside = instances[:, :60].sum((1, 2)) * 2 > instances.sum((1, 2))
    selector = TextSelector(image, load_torch)
    wanted = [({"include": (point,)}, on), ({"exclude": (point,)}, ~on), ({"box": Rect(0, 0, 200, 60)}, inside)]
    for marks, kept in wanted:
        context = ClipContext(frames)
        if not kept.any():
            with pytest.raises(StudioError, match="finds no “dog” on this frame"):
                selector.segment(asked("dog", **marks), context)
            continue
        selector.segment(asked("dog", **marks), context)
        assert np.array_equal(context.emitted[("it", 0)][0] > 127, instances[kept].any(0))


def test_pictures_are_prepared_as_the_image_processor_does(tracker: MaskModel, clip: Any) -> None:
    from transformers import Sam3ImageProcessor

    ours = load_promptable(tracker, load_torch, video=False).pixels(clip[0][0])
    processor = Sam3ImageProcessor.from_pretrained(tracker.path, local_files_only=True)
    assert float((ours - processor(images=clip[0][0], return_tensors="pt")["pixel_values"]).abs().max()) < 1e-5


def test_clicks_are_answered_as_by_the_tracker_itself(tracker: MaskModel, alone: MaskModel, clip: Any) -> None:
    from transformers import Sam3TrackerModel

    torch, frames = load_torch(), clip[0]
    assert (tracker.tracks, alone.tracks) == (True, False)
    for model in (tracker, alone):
        context = ClipContext(frames)
        selector = Sam2Selector(model, load_torch)
        selector.segment(asked(include=((60.0, 50.0),)), context)
        mask, _ = context.emitted[("it", 0)]
        network = Sam3TrackerModel.from_pretrained(model.path, local_files_only=True).eval()
        with torch.inference_mode():
            direct = network(
                pixel_values=load_promptable(model, load_torch, video=False).pixels(frames[0]),
                input_points=torch.tensor([[[[60.0 * SIDE / 200, 50.0 * SIDE / 120]]]]),
                input_labels=torch.ones(1, 1, 1).int(), multimask_output=True,
            )  # fmt: skip
        best = direct.pred_masks[0, 0, direct.iou_scores[0, 0].argmax()]
        full = torch.nn.functional.interpolate(best[None, None], (120, 200), mode="bilinear", align_corners=False)
        assert mask.shape == (120, 200) and np.array_equal(mask > 127, (full[0, 0] > 0).numpy())
        context.emitted.clear()
        more = asked(exclude=((150.0, 60.0),), box=Rect(40, 30, 60, 60), current=context.raster(mask))
        selector.segment(more, context)
        assert not np.array_equal(context.emitted[("it", 0)][0], mask)


def test_mattes_are_carried_as_by_a_session_that_forgets_nothing(
    tracker: MaskModel, whole: MaskModel, clip: Any
) -> None:
    from transformers import Sam3TrackerVideoModel
    from transformers.models.sam3_tracker_video.modeling_sam3_tracker_video import Sam3TrackerVideoInferenceSession

    torch, (frames, truth) = load_torch(), clip
    for model in (tracker, whole):
        assert model.tracks
        context = ClipContext(frames)
        Sam2Tracker(model, load_torch).propagate(context.request({"it": {1: truth[0][1]}}, from_frame=1), context)
        assert set(context.emitted) == {("it", frame) for frame in (0, 2, 3, 4)}
        network = Sam3TrackerVideoModel.from_pretrained(model.path, local_files_only=True).eval()
        prepared = load_promptable(model, load_torch, video=True)
        session = Sam3TrackerVideoInferenceSession(video=None, video_height=120, video_width=200, dtype=torch.float32)
        small = cv2.resize(truth[0][1], (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 127
        session.add_mask_inputs(session.obj_id_to_idx(1), 1, torch.from_numpy(small)[None, None].float())
        session.obj_with_new_inputs = [1]
        for frame in range(1, COUNT):
            answer = network(session, frame=prepared.pixels(frames[frame])[0], frame_idx=frame)
            if frame > 1:
                logits = prepared.full_size(answer.pred_masks[0, 0], 120, 200)
                gone = float(answer.object_score_logits.flatten()[0]) <= 0
                expected = np.zeros((120, 200), bool) if gone else logits > 0
                assert np.array_equal(context.emitted[("it", frame)][0] > 127, expected), (model.id, frame)


def test_the_catalog_declares_what_was_seen_to_work(image: MaskModel, whole: MaskModel, tracker: MaskModel) -> None:
    entries = {e.info.id: e for e in mask_engine_entries((image, whole, tracker), load_torch, lambda: False)}
    able = {name: (e.info.selects, e.info.text, e.info.tracks) for name, e in entries.items() if not e.info.built_in}
    assert able == {
        "tiny-sam3": (False, True, False),
        "tiny-whole": (False, True, True),
        "tiny-tracker": (True, False, True),
    }
    assert entries["tiny-sam3"].tracker is None
    for entry in entries.values():
        assert entry.selector is None or entry.selector()
        assert entry.tracker is None or entry.tracker()


def test_nothing_is_fetched_and_no_code_of_the_folder_is_run(
    image: MaskModel, tmp_path: Path, clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, ran = tmp_path / "bold", tmp_path / "ran"
    shutil.copytree(image.path, folder)
    (folder / "bold.py").write_text(f"open({str(ran)!r}, 'w')\nclass Bold: pass\n")
    for name, more in (
        ("config.json", {"auto_map": {"AutoModel": "bold.Bold"}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["bold.Bold", None]}, "tokenizer_class": "Bold"}),
    ):
        table = json.loads((folder / name).read_text()) | more
        (folder / name).write_text(json.dumps(table))
    calls: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: calls.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: calls.append(address))
    monkeypatch.setattr("builtins.input", lambda *_: calls.append("asked") or "y")
    context = ClipContext(clip[0])
    TextSelector(check_mask_model(folder), load_torch).segment(asked("red car"), context)
    assert set(context.emitted) == {("it", 0)} and calls == [] and not ran.exists()


def test_folders_of_the_wrong_kind_say_so(
    image: MaskModel, whole: MaskModel, tracker: MaskModel, alone: MaskModel, tmp_path: Path, clip: Any
) -> None:
    frames, truth = clip
    context = ClipContext(frames)
    with pytest.raises(StudioError, match="finds things by their name"):
        TextSelector(image, load_torch).segment(asked(include=((60.0, 50.0),)), context)
    with pytest.raises(StudioError, match="can't find things by their name"):
        Sam2Selector(tracker, load_torch).segment(asked("red car"), context)
    with pytest.raises(StudioError, match="finds no “blue boat” on this frame"):
        TextSelector(image, load_torch).segment(asked("blue boat"), context)
    with pytest.raises(StudioError, match="can't read that many words"):
        TextSelector(image, load_torch).segment(asked("a long way to say it " * 9), context)
    with pytest.raises(ModelError, match="lacks weights that a Sam3TrackerModel needs"):
        load_promptable(whole, load_torch, video=False)
    swapped = shutil.copytree(image.path, tmp_path / "swapped")
    shutil.copy(tracker.path / "model.safetensors", swapped / "model.safetensors")
    with pytest.raises(ModelError, match="lacks weights that a Sam3Model needs"):
        TextSelector(check_mask_model(swapped), load_torch).segment(asked("red car"), context)
    mute = shutil.copytree(image.path, tmp_path / "mute")
    for path in mute.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ModelError, match="tokenizer"):
        TextSelector(check_mask_model(mute), load_torch).segment(asked("red car"), context)
    with pytest.raises(ModelError, match="lacks weights that a Sam3TrackerVideoModel needs"):
        Sam2Tracker(alone, load_torch).propagate(context.request({"it": {0: truth[0][0]}}), context)
    assert context.emitted == {}
