"""A small Segment Anything model of the original class, trained on the procedural world, and pictures of that world.

``small_sam.pth`` beside this file is written by ``python -m tests.bench.train_small_sam``: 128-pixel pictures, four
blocks, half a million parameters. It knows the subjects of the world in its realistic style (IoU .83 on unseen frames;
.69 over all styles) and nothing else - enough for tests in which a click returns the object.
"""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import torch

from gen2studio.diffusion.world.grammar import draw_spec
from gen2studio.diffusion.world.render import render_specs
from gen2studio.models.sam_layout import SamShape

CHECKPOINT = Path(__file__).with_name("small_sam.pth")
SMALL = SamShape(
    width=96, blocks=4, heads=3, patch=8, image_side=128, window=8, global_blocks=(1, 3), embedding=64, mlp_ratio=2.0,
    mask_channels=16, decoder_mlp=128, score_hidden=64, score_layers=3,
)  # fmt: skip


def world_pictures(count: int, seed: int, side: int = 128, style: str = "") -> tuple[torch.Tensor, torch.Tensor]:
    """``count`` frames of the world with a subject in view: pictures [N, 3, side, side] 0…255 and truths [N, side,
    side] in 0…1, both uint8 and bool. ``style`` is one of the world's; empty = all of them."""
    rng = random.Random(seed)
    pictures: list[torch.Tensor] = []
    truths: list[torch.Tensor] = []
    while len(pictures) < count:
        spec = draw_spec(rng)
        if spec.subject == "none":
            continue
        if style:
            spec = dataclasses.replace(spec, style=style)
        start = rng.randrange(16)
        clip = render_specs([spec], 1, side, side, start=start)
        truth = clip.mask[0, 0] > 0.5
        if truth.float().mean() > 0.004:
            pictures.append((clip.rgb[0, 0] * 255).round().to(torch.uint8))
            truths.append(truth)
    return torch.stack(pictures), torch.stack(truths)


def save(sam: Any, path: Path) -> None:
    """As Meta's checkpoints are stored - a plain state dict - in half precision."""
    torch.save({name: value.half() for name, value in sam.state_dict().items()}, path)
