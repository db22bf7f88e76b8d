"""The original Segment Anything behind the selector: a small checkpoint of the same class, trained on the world."""

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
from gen2studio.models.mask_models import check_mask_model
from gen2studio.segmentation.embedding_cache import Embedding, EmbeddingCache, embedding_key
from gen2studio.segmentation.sam_quick_decoder import quick_decode
from gen2studio.segmentation.sam_selector import SamSelector, load_sam
from tests.segmentation.clip import ClipContext, iou
from tests.segmentation.small_sam import CHECKPOINT, world_pictures

UNSEEN = 977
"""Seed of pictures that the training did not draw."""
Mask = NDArray[np.uint8]


@pytest.fixture(scope="module")
def sam() -> Any:
    return load_sam(check_mask_model(CHECKPOINT), load_torch)


@pytest.fixture(scope="module")
def pictures() -> list[tuple[NDArray[np.uint8], Mask]]:
    load_torch()
    seen, truths = world_pictures(24, UNSEEN, style="realistic")
    frames = seen.permute(0, 2, 3, 1).contiguous().numpy()
    return [(frame, truth.numpy().astype(np.uint8) * 255) for frame, truth in zip(frames, truths, strict=True)]


@pytest.fixture
def selector(tmp_path: Path) -> SamSelector:
    return SamSelector(check_mask_model(CHECKPOINT), load_torch, EmbeddingCache(tmp_path / "embeddings"))


def request(frames: list[NDArray[np.uint8]], frame: int = 0, **marks: Any) -> SegmentRequest:
    height, width = frames[0].shape[:2]
    source = SourceRef(fingerprint="clip", path="", frame_count=len(frames), width=width, height=height)
    return SegmentRequest(source=source, frame=frame, object_id="it", **marks)


def middle(truth: Mask) -> tuple[float, float]:
    inside = cv2.distanceTransform((truth > 127).astype(np.uint8), cv2.DIST_L2, 5)
    y, x = np.unravel_index(inside.argmax(), inside.shape)
    return float(x) + 0.5, float(y) + 0.5


def answer(selector: SamSelector, context: ClipContext, wanted: SegmentRequest) -> Mask:
    context.emitted.clear()
    selector.segment(wanted, context)
    return context.emitted[("it", wanted.frame)][0]


def wide(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture at another size and proportion, as footage would be."""
    return np.ascontiguousarray(cv2.resize(frame, (320, 180), interpolation=cv2.INTER_CUBIC))


def test_a_click_returns_the_object_of_unseen_pictures(
    selector: SamSelector, pictures: list[tuple[NDArray[np.uint8], Mask]]
) -> None:
    frames = [frame for frame, _ in pictures]
    context = ClipContext(frames)
    clicked = [
        iou(answer(selector, context, request(frames, i, include=(middle(truth),))), truth)
        for i, (_, truth) in enumerate(pictures)
    ]
    boxed: list[float] = []
    for i, (_, truth) in enumerate(pictures):
        box = Rect(*cv2.boundingRect(truth))
        boxed.append(iou(answer(selector, context, request(frames, i, box=box)), truth))
    assert float(np.mean(clicked)) >= 0.8, clicked
    assert float(np.mean(boxed)) >= 0.8, boxed
    assert context.engines == {"Segment Anything (4 blocks of 96)"}


def test_it_answers_as_the_package_does(
    selector: SamSelector, sam: Any, pictures: list[tuple[NDArray[np.uint8], Mask]]
) -> None:
    from segment_anything import SamPredictor

    for index, (picture, truth) in enumerate(pictures[:3]):
        frame = wide(picture)
        x, y = middle(cv2.resize(truth, (320, 180)))
        direct = SamPredictor(sam)
        direct.set_image(frame)
        masks, scores, _ = direct.predict(np.array([[x, y]]), np.array([1]))
        frames = [frame] * (index + 1)
        context = ClipContext(frames)
        ours = answer(selector, context, request(frames, index, include=((x, y),)))
        assert iou(ours, masks[scores.argmax()].astype(np.uint8) * 255) > 0.995
        assert context.emitted[("it", index)][1] == pytest.approx(float(scores.max()), abs=0.01)
        # From the same (half-precision) embedding the answer is the same to the bit, for a box and clicks together.
        direct.features = direct.features.half().float()
        asked = request(frames, index, box=Rect(40, 30, 200, 120), include=((x, y),), exclude=((5.0, 5.0),))
        same, _, _ = direct.predict(
            np.array([[x, y], [5.0, 5.0]]), np.array([1, 0]), np.array([40, 30, 240, 150]), multimask_output=False
        )
        assert np.array_equal(answer(selector, context, asked) > 127, same[0])


def test_a_correction_goes_on_from_the_last_logits(
    selector: SamSelector, sam: Any, pictures: list[tuple[NDArray[np.uint8], Mask]]
) -> None:
    from segment_anything import SamPredictor

    frame = wide(pictures[3][0])
    x, y = middle(cv2.resize(pictures[3][1], (320, 180)))
    context = ClipContext([frame])
    first = answer(selector, context, request([frame], include=((x, y),)))
    second = answer(selector, context, request([frame], exclude=((20.0, 20.0),), current=context.raster(first)))
    direct = SamPredictor(sam)
    direct.set_image(frame)
    direct.features = direct.features.half().float()
    _, scores, low = direct.predict(np.array([[x, y]]), np.array([1]))
    best = low[scores.argmax()][None]
    both = np.array([[x, y], [20.0, 20.0]])
    expected, _, _ = direct.predict(both, np.array([1, 0]), mask_input=best, multimask_output=False)
    assert np.array_equal(second > 127, expected[0])
    painted = first.copy()
    painted[:10, :10] = 255
    third = answer(selector, context, request([frame], exclude=((x, y),), current=context.raster(painted)))
    assert (third[:8, :8] == 255).all(), "what was painted away from the marks stays"


def test_the_preview_is_what_the_click_gives(
    selector: SamSelector, pictures: list[tuple[NDArray[np.uint8], Mask]]
) -> None:
    frame = wide(pictures[0][0])
    x, y = middle(cv2.resize(pictures[0][1], (320, 180)))
    context = ClipContext([frame])
    hover = request([frame], include=((x, y),), purpose="preview")
    selector.segment(hover, context)
    assert context.previews == [] and context.fetched == [], "a frame that was not read stays unanswered"
    selector.segment(request([frame], purpose="prepare"), context)
    assert context.emitted == {} and context.steps[-1][1] == 4
    selector.segment(hover, context)
    clicked = answer(selector, context, request([frame], include=((x, y),)))
    shown = cv2.resize(context.previews[0], (320, 180), interpolation=cv2.INTER_LINEAR)
    assert iou(shown, clicked) > 0.9


def test_the_quick_decoder_is_the_decoder(sam: Any) -> None:
    torch = load_torch()
    torch.manual_seed(3)
    features = torch.randn(1, 64, 16, 16)
    corners = torch.rand(1, 2, 2) * 100
    clicks = (corners, torch.tensor([[1, 0]], dtype=torch.int))
    prompts: list[dict[str, Any]] = [
        {"points": clicks, "boxes": None, "masks": None},
        {"points": clicks, "boxes": torch.tensor([[5.0, 6, 70, 80]]), "masks": torch.randn(1, 1, 64, 64)},
    ]
    places = sam.prompt_encoder.get_dense_pe()
    with torch.inference_mode():
        for prompt in prompts:
            for several in (True, False):
                sparse, dense = sam.prompt_encoder(**prompt)
                masks, scores = sam.mask_decoder(
                    image_embeddings=features, image_pe=places, sparse_prompt_embeddings=sparse,
                    dense_prompt_embeddings=dense, multimask_output=several,
                )  # fmt: skip
                best = int(scores[0].argmax())
                ours, score = quick_decode(sam.mask_decoder, features, places, sparse, dense, several=several)
                assert torch.allclose(ours, masks[0, best], atol=2e-3, rtol=1e-3)
                assert score == pytest.approx(float(scores[0, best]), abs=1e-4)
                part, _ = quick_decode(sam.mask_decoder, features, places, sparse, dense, several=several, used=(9, 16))
                assert torch.allclose(part, ours[:36], atol=1e-4)


def test_embeddings_come_back_from_disk_and_damaged_ones_are_made_again(
    tmp_path: Path, pictures: list[tuple[NDArray[np.uint8], Mask]]
) -> None:
    frame, truth = pictures[1]
    cache = EmbeddingCache(tmp_path)
    asked = request([frame], include=(middle(truth),))
    results: list[Mask] = []
    for damage in (False, False, True):
        context = ClipContext([frame])
        if damage:
            for file in tmp_path.glob("*.npz"):
                file.write_bytes(file.read_bytes()[:200])
        results.append(answer(SamSelector(check_mask_model(CHECKPOINT), load_torch, cache), context, asked))
        assert bool(context.fetched) is (damage or len(results) == 1), "the frame is read only when it has to be"
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])
    assert [file.suffix for file in tmp_path.iterdir()] == [".npz"]


def test_the_oldest_embeddings_make_room(tmp_path: Path) -> None:
    made = Embedding(np.zeros((1, 8, 32, 32), np.float16), (10, 20), (64, 128))
    source = SourceRef(fingerprint="clip", path="", frame_count=9, width=20, height=10)
    keys = [embedding_key("model", source, frame) for frame in range(6)]
    cache = EmbeddingCache(tmp_path, limit=3 * 17000)
    for key in keys:
        cache.put(key, made)
    assert [cache.get(key) is not None for key in keys] == [False, False, False, True, True, True]
    found = cache.get(keys[5])
    assert found is not None and found.original == (10, 20) and found.fitted == (64, 128)
    assert embedding_key("other", source, 0) != keys[0]


def test_reading_a_frame_can_be_stopped(selector: SamSelector, pictures: list[tuple[NDArray[np.uint8], Mask]]) -> None:
    class Stopping(ClipContext):
        def progress(self, done: int, total: int, stage: str = "") -> None:
            super().progress(done, total, stage)
            if (done, total) == (2, 4):
                self.cancel.cancel()
            self.checkpoint()

    context = Stopping([pictures[0][0]])
    with pytest.raises(Cancelled):
        selector.segment(request([pictures[0][0]], include=((64.0, 64.0),)), context)
    assert context.emitted == {} and not list((selector._cache.folder).iterdir())
    whole = ClipContext([pictures[0][0]])
    assert answer(selector, whole, request([pictures[0][0]], include=(middle(pictures[0][1]),))).any()


def test_what_can_t_be_asked_is_one_sentence(
    tmp_path: Path, selector: SamSelector, pictures: list[tuple[NDArray[np.uint8], Mask]]
) -> None:
    frames = [pictures[0][0]]
    for marks, said in (
        ({"text": "a dog"}, "by their name"),
        ({}, "nothing to select from"),
        ({"exclude": ((4.0, 4.0),)}, "nothing to select from"),
        ({"box": Rect(500, 500, 20, 20)}, "outside the picture"),
        ({"box": Rect(5, 5, 1, 20)}, "box is empty"),
    ):
        with pytest.raises(StudioError, match=said) as refused:
            selector.segment(request(frames, **marks), ClipContext(frames))
        assert refused.value.remedy
    copy = tmp_path / "later.pth"
    copy.write_bytes(CHECKPOINT.read_bytes())
    model = check_mask_model(copy)
    copy.write_bytes(b"something else")
    with pytest.raises(ModelError, match="no checkpoint of torch"):
        SamSelector(model, load_torch).segment(request(frames, include=((9.0, 9.0),)), ClipContext(frames))
