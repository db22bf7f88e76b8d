"""Selecting with Segment Anything: reading a frame, a click, and the preview under the moving pointer.

``python -m tests.bench.bench_segment [--checkpoint sam_vit_b.pth]``: times of the processor, so that a busy
machine counts less. Without a checkpoint the decoder is that of the published models with random weights, and the
trained small model stands for the rest. The peer is the package itself in the same run: ``SamPredictor.predict``, which
draws three masks at full size, and ``MaskDecoder`` alone. The bar is a preview of at most 50 ms at the 95th percentile.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gen2studio.diffusion.runtime.torch_loading import load_torch
from gen2studio.engine.requests import SegmentRequest, SourceRef
from gen2studio.models.mask_models import check_mask_model
from gen2studio.models.sam_layout import SamShape
from gen2studio.segmentation.embedding_cache import Embedding, EmbeddingCache
from gen2studio.segmentation.sam_building import build_sam, import_package
from gen2studio.segmentation.sam_quick_decoder import quick_decode
from gen2studio.segmentation.sam_selector import SamSelector
from tests.segmentation.clip import ClipContext, iou
from tests.segmentation.small_sam import CHECKPOINT, world_pictures

_PUBLISHED = SamShape(
    width=32, blocks=1, heads=2, patch=16, image_side=1024, window=0, global_blocks=(0,), embedding=256, mlp_ratio=2.0,
    mask_channels=16, decoder_mlp=2048, score_hidden=256, score_layers=3,
)  # fmt: skip
"""The published decoder behind a stub of an encoder."""


def timed(work: Callable[[], object], runs: int) -> tuple[float, float]:
    """(median, 95th percentile) of the processor's milliseconds."""
    work()
    spent: list[float] = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        spent.append((time.process_time() - begun) * 1000)
    return float(np.median(spent)), float(np.percentile(spent, 95))


def row(name: str, figures: tuple[float, float], peer: float | None = None) -> None:
    ratio = f"{peer / figures[0]:8.2f}" if peer is not None else " " * 8
    print(f"{name:52}{figures[0]:10.1f}{figures[1]:10.1f}{ratio}")


def published_decoder(runs: int) -> None:
    torch = load_torch()
    sam = build_sam(_PUBLISHED)
    features = torch.randn(1, 256, 64, 64)
    predictor = import_package().SamPredictor(sam)
    predictor.features, predictor.original_size, predictor.input_size = features, (1080, 1920), (576, 1024)
    predictor.is_image_set = True
    places = sam.prompt_encoder.get_dense_pe()
    flat = places[0].flatten(1).T.contiguous()
    point = (torch.tensor([[[500.0, 300.0]]]), torch.ones(1, 1, dtype=torch.int))

    def whole() -> Any:
        with torch.inference_mode():
            sparse, dense = sam.prompt_encoder(points=point, boxes=None, masks=None)
            return sam.mask_decoder(
                image_embeddings=features, image_pe=places, sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense, multimask_output=True,
            )  # fmt: skip

    def quick() -> Any:
        with torch.inference_mode():
            sparse, dense = sam.prompt_encoder(points=point, boxes=None, masks=None)
            return quick_decode(sam.mask_decoder, features, flat, sparse, dense, several=True, used=(36, 64))

    click = timed(lambda: predictor.predict(np.array([[900.0, 500.0]]), np.array([1])), max(3, runs // 4))
    peer = timed(whole, runs)
    row("published size: SamPredictor.predict at 1080p", click)
    row("published size: MaskDecoder alone", peer, click[0])
    row("published size: preview (quick decoder)", timed(quick, runs), click[0])


def small_model(runs: int, checkpoint: Path) -> None:
    seen, truths = world_pictures(12, 4242, style="realistic")
    frames = list(seen.permute(0, 2, 3, 1).contiguous().numpy())
    source = SourceRef(fingerprint="bench", path="", frame_count=12, width=128, height=128)
    with tempfile.TemporaryDirectory() as folder:
        selector = SamSelector(check_mask_model(checkpoint), load_torch, EmbeddingCache(Path(folder)))
        context = ClipContext(frames)

        def ask(frame: int, purpose: str) -> None:
            context.emitted.clear()
            truth = truths[frame].numpy()
            rows, columns = np.nonzero(truth)
            spot = (float(columns[len(columns) // 2]), float(rows[len(rows) // 2]))
            selector.segment(
                SegmentRequest(source=source, frame=frame, object_id="it", include=(spot,), purpose=purpose), context
            )

        ask(0, "prepare")
        reading = iter(range(1, 12))
        row("this model: reading a frame", timed(lambda: ask(next(reading), "prepare"), 10))
        row("this model: a click", timed(lambda: ask(3, "select"), runs))
        row("this model: preview", timed(lambda: ask(3, "preview"), runs))
        found: list[float] = []
        for frame in range(12):
            ask(frame, "select")
            found.append(iou(context.emitted[("it", frame)][0], truths[frame].numpy().astype(np.uint8) * 255))
        print(f"{'this model: IoU of one click on unseen pictures':52}{np.mean(found):10.3f} mean")
        made = Embedding(np.zeros((1, 256, 64, 64), np.float16), (1080, 1920), (576, 1024))
        cache = EmbeddingCache(Path(folder) / "published")
        row("embedding of the published size: to disk", timed(lambda: cache.put("a" * 64, made), 10))
        row("embedding of the published size: from disk", timed(lambda: cache.get("a" * 64), 10))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    wanted = parser.parse_args()
    load_torch().set_num_threads(wanted.threads)
    print(f"{'CPU ms':52}{'median':>10}{'p95':>10}{'× click':>8}")
    published_decoder(wanted.runs)
    small_model(wanted.runs, wanted.checkpoint)


if __name__ == "__main__":
    main()
