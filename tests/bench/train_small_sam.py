"""Training of the small Segment Anything model that the tests use, on the procedural world.

``python -m tests.bench.train_small_sam`` trains it anew (a quarter of an hour on one core) and writes the checkpoint.
The one in the repository had 14 minutes on all styles, 5 and then 14 more on the realistic one
(``--start CHECKPOINT --style realistic --minutes 14 --seed 11``).

The recipe is that of Kirillov et al., ICCV 2023, in small: a random click, several clicks or a box per object; for a
single click the best of the three masks is trained (cross entropy in place of focal loss, plus dice); a second round
gets an error as a click and the first round's logits as mask prompt; the score head learns the real IoU.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional

from gen2studio.diffusion.runtime.torch_loading import load_torch
from gen2studio.segmentation.sam_building import build_sam
from tests.segmentation.small_sam import CHECKPOINT, SMALL, save, world_pictures


def _inner_point(mask: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    pick = rng.integers(len(rows))
    return float(columns[pick]) + 0.5, float(rows[pick]) + 0.5


def _augmented(picture: torch.Tensor, truth: torch.Tensor, rng: np.random.Generator) -> tuple[Any, Any]:
    side = picture.shape[-1]
    if rng.random() < 0.5:
        picture, truth = picture.flip(-1), truth.flip(-1)
    scale = float(rng.uniform(0.65, 1.0))
    crop = max(32, round(side * scale))
    top, left = (int(rng.integers(side - crop + 1)) for _ in range(2))
    part = picture[None, :, top : top + crop, left : left + crop].float()
    shape = truth[None, None, top : top + crop, left : left + crop].float()
    if shape.mean() < 0.01:
        part, shape = picture[None].float(), truth[None, None].float()
    part = functional.interpolate(part, (side, side), mode="bilinear", antialias=True, align_corners=False)
    shape = functional.interpolate(shape, (side, side), mode="bilinear", align_corners=False)
    part = (part * float(rng.uniform(0.8, 1.2)) + float(rng.uniform(-15, 15))).clamp(0, 255)
    return part[0], shape[0, 0] > 0.5


def _losses(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """[B, masks] cross entropy and dice of ``logits`` [B, masks, h, w] against ``truth`` [B, h, w] 0…1."""
    wide = truth[:, None].expand_as(logits)
    entropy = functional.binary_cross_entropy_with_logits(logits, wide, reduction="none").mean((2, 3))
    odds = logits.sigmoid()
    dice = 1 - (2 * (odds * wide).sum((2, 3)) + 1) / (odds.sum((2, 3)) + wide.sum((2, 3)) + 1)
    return 2 * entropy + dice


def _ious(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    found, real = logits > 0, (truth[:, None] > 0.5).expand_as(logits)
    return (found & real).sum((2, 3)) / (found | real).sum((2, 3)).clamp(min=1)


def _ask(sam: Any, embeddings: torch.Tensor, points: Any, boxes: Any, masks: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [B, 4, h, w] and scores [B, 4] of one prompt per picture.

    ``MaskDecoder.predict_masks`` for a batch of pictures: the class itself takes one picture at a time.
    """
    sparse, dense = sam.prompt_encoder(points=points, boxes=boxes, masks=masks)
    decoder = sam.mask_decoder
    own = torch.cat((decoder.iou_token.weight, decoder.mask_tokens.weight))
    tokens = torch.cat((own.expand(len(sparse), -1, -1), sparse), 1)
    places = sam.prompt_encoder.get_dense_pe().expand(len(sparse), -1, -1, -1)
    answered, image = decoder.transformer(embeddings + dense, places, tokens)
    size, channels = embeddings.shape[-1], embeddings.shape[1]
    large = decoder.output_upscaling(image.transpose(1, 2).view(-1, channels, size, size))
    weights = torch.stack([net(answered[:, 1 + i]) for i, net in enumerate(decoder.output_hypernetworks_mlps)], 1)
    logits = torch.einsum("bmc,bchw->bmhw", weights, large)
    return logits, decoder.iou_prediction_head(answered[:, 0])


def _prompts(truths: torch.Tensor, rng: np.random.Generator, kind: str) -> tuple[list[list[Any]], Any]:
    shapes = truths.numpy()
    clicks: list[list[Any]] = [[] for _ in shapes]
    if kind == "box":
        ends: list[list[float]] = []
        for shape in shapes:
            rows, columns = np.nonzero(shape)
            ends.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        return clicks, torch.tensor(ends).float() + torch.from_numpy(rng.normal(0, 2, (len(ends), 4))).float()
    for shape, row in zip(shapes, clicks, strict=True):
        row.append((*_inner_point(shape, rng), 1))
        if kind == "clicks":
            row += [(*_inner_point(shape, rng), 1), (*_inner_point(~shape, rng), 0)]
    return clicks, None


def _loss(sam: Any, embeddings: torch.Tensor, truths: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Loss of one object per picture over a first prompt and a correction."""
    side = embeddings.shape[-1] * 4
    small = functional.interpolate(truths[:, None].float(), (side, side), mode="area")[:, 0]
    factor = truths.shape[-1] / side
    kind = rng.choice(["click", "box", "clicks"], p=[0.6, 0.2, 0.2])
    clicks, boxes = _prompts(truths, rng, kind)
    choices = slice(1, None) if kind == "click" else slice(0, 1)
    total, masks = torch.zeros(()), None
    for _round in range(2):
        points = None
        if clicks[0]:
            table = torch.tensor(clicks)
            points = (table[..., :2].float(), table[..., 2].int())
        logits, scores = (found[:, choices] for found in _ask(sam, embeddings, points, boxes, masks))
        losses = _losses(logits, small)
        total = total + losses.min(1).values.mean() + functional.mse_loss(scores, _ious(logits.detach(), small))
        if rng.random() < 0.4:
            break
        picked = logits.detach()[torch.arange(len(logits)), losses.argmin(1)]
        wrong = ((picked > 0) != (small > 0.5)).numpy()
        for row, errors, shape in zip(clicks, wrong, small, strict=True):
            x, y = _inner_point(errors if errors.any() else (shape > 0.5).numpy(), rng)
            row.append((x * factor, y * factor, int(shape[int(y), int(x)] > 0.5)))
        masks, choices = picked[:, None], slice(0, 1)
    return total


def train(
    sam: Any, minutes: float, seed: int = 1, batch: int = 12, pictures: int = 1800, style: str = ""
) -> list[float]:
    """Train for ``minutes`` of processor time; returns the running loss. One thread."""
    begun = time.process_time()
    seen, truths = world_pictures(pictures, seed, style=style)
    print(f"{pictures} pictures in {time.process_time() - begun:.0f} s", flush=True)
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(sam.parameters(), lr=1.5e-3, weight_decay=0.02)
    sam.train()
    curve: list[float] = []
    limit = minutes * 60
    running = 0.0
    while (spent := time.process_time() - begun) < limit:
        share = min(1.0, spent / limit)
        rate = 1.5e-3 * min(1.0, (len(curve) + 1) / 50) * (0.5 * (1 + float(np.cos(np.pi * share))) + 0.01)
        for group in optimiser.param_groups:
            group["lr"] = rate
        chosen = rng.integers(len(seen), size=batch)
        examples = [_augmented(seen[i], truths[i], rng) for i in chosen]
        embeddings = sam.image_encoder(sam.preprocess(torch.stack([p for p, _ in examples])))
        loss = _loss(sam, embeddings, torch.stack([t for _, t in examples]), rng)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(sam.parameters(), 1.0)
        optimiser.step()
        running = float(loss.detach()) if not curve else 0.95 * running + 0.05 * float(loss.detach())
        curve.append(running)
        if len(curve) % 100 == 0:
            print(f"step {len(curve)} {spent:.0f} s loss {running:.4f}", flush=True)
    sam.eval()
    return curve


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=14.0)
    parser.add_argument("--out", type=Path, default=CHECKPOINT)
    parser.add_argument("--start", type=Path, help="go on from this checkpoint")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pictures", type=int, default=1800)
    parser.add_argument("--style", default="", help="draw only this style of the world")
    wanted = parser.parse_args()
    load_torch()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    sam = build_sam(SMALL)
    print(f"{sum(p.numel() for p in sam.parameters())} parameters")
    if wanted.start is not None:
        sam.load_state_dict(
            {name: value.float() for name, value in torch.load(wanted.start, weights_only=True).items()}
        )
    train(sam, wanted.minutes, wanted.seed, pictures=wanted.pictures, style=wanted.style)
    save(sam, wanted.out)


if __name__ == "__main__":
    main()
