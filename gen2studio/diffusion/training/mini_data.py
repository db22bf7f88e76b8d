"""Shards of rendered clips for the mini model: written once, memory-mapped by the trainer.

Each clip is kept as bytes with everything a task may be built of: two looks of the same geometry, disparity, mask and
flow. Controls and masks are drawn afresh every time a clip is used (``mini_tasks``), so nothing about them is stored.

    python -m gen2studio.diffusion.training.mini_data --out DIR --stills 4096 --clips 768 --long 160
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gen2studio.diffusion.world.grammar import ClipSpec, draw_spec
from gen2studio.diffusion.world.render import Clips, render_batch

SHARD = 32
"""Clips in one shard; a shard shares size and length."""
LOOKS = 2
FLOW_SCALE = 4.0
"""Flow is stored as int8 quarter pixels."""
SIZES: tuple[tuple[int, int], ...] = ((128, 128), (96, 160), (160, 96))
"""(height, width) of the shards."""


@dataclass
class Shard:
    """Clips of one size: ``rgb`` [N, 2 looks, T, 3, H, W] uint8, ``disparity`` and ``mask`` [N, T, H, W] uint8,
    ``flow`` [N, T, 2, H, W] int8 quarter pixels (the last frame repeats), ``specs`` [N][2]."""

    rgb: np.ndarray
    disparity: np.ndarray
    mask: np.ndarray
    flow: np.ndarray
    specs: list[list[ClipSpec]]

    @property
    def frames(self) -> int:
        return self.rgb.shape[2]

    @property
    def size(self) -> tuple[int, int]:
        return self.rgb.shape[-2], self.rgb.shape[-1]


def _pairs(rng: random.Random, count: int) -> list[tuple[ClipSpec, ClipSpec]]:
    """``count`` clips in two looks each. Four clips share scene, subject and looks, so that they render as one
    batch."""
    pairs: list[tuple[ClipSpec, ClipSpec]] = []
    while len(pairs) < count:
        first = draw_spec(rng)
        other = first.restyled(draw_spec(rng).style, draw_spec(rng).time)
        for _ in range(4):
            fresh = draw_spec(rng, scene=first.scene, subject=first.subject)
            pairs.append((fresh.restyled(first.style, first.time), fresh.restyled(other.style, other.time)))
    return pairs[:count]


def render_shard(seed: int, frames: int, size: tuple[int, int], device: str = "cpu") -> Shard:
    """One shard from its seed. Clips whose subject is hardly ever in the picture are drawn again."""
    rng = random.Random(seed)
    height, width = size
    rgb, disparity, mask, flow = [], [], [], []
    specs: list[list[ClipSpec]] = []
    while len(specs) < SHARD:
        group = _pairs(rng, 4)
        start = 0 if frames >= 17 else rng.randrange(17 - frames + 1)
        looks: list[Clips] = []
        for look in range(LOOKS):
            made = render_batch([pair[look] for pair in group], frames, height, width, start=start, device=device)
            looks.append(Clips(made.rgb.cpu(), made.disparity.cpu(), made.mask.cpu(), made.flow.cpu()))
        first = looks[0]
        seen = (first.mask > 0.5).float().mean((-1, -2)) > 0.005
        for index, pair in enumerate(group):
            if pair[0].subject != "none" and seen[index].float().mean() < 0.5:
                continue
            specs.append(list(pair))
            rgb.append(torch.stack([look.rgb[index] for look in looks]).mul(255).round().byte().numpy())
            disparity.append(first.disparity[index].clamp(0, 1).mul(255).round().byte().numpy())
            mask.append(first.mask[index].mul(255).round().byte().numpy())
            moved = first.flow[index].mul(FLOW_SCALE).round().clamp(-127, 127).to(torch.int8)
            last = moved[-1:] if frames > 1 else torch.zeros(1, 2, height, width, dtype=torch.int8)
            flow.append(torch.cat((moved, last)).numpy())
    keep = slice(0, SHARD)
    return Shard(
        np.stack(rgb[keep]), np.stack(disparity[keep]), np.stack(mask[keep]), np.stack(flow[keep]), specs[keep]
    )


def write_shard(folder: Path, name: str, shard: Shard) -> None:
    """Write the arrays, then the index file that makes the shard visible."""
    folder.mkdir(parents=True, exist_ok=True)
    for field in ("rgb", "disparity", "mask", "flow"):
        np.save(folder / f"{name}.{field}.npy", getattr(shard, field))
    index = [[dataclasses.asdict(look) for look in looks] for looks in shard.specs]
    (folder / f"{name}.json").write_text(json.dumps(index))


def open_shards(folder: Path, known: dict[str, Shard]) -> dict[str, Shard]:
    """Every finished shard of ``folder``, memory-mapped; ``known`` ones are not opened again."""
    for path in sorted(folder.glob("*.json")):
        if path.stem in known:
            continue
        arrays = {
            f: np.load(folder / f"{path.stem}.{f}.npy", mmap_mode="r") for f in ("rgb", "disparity", "mask", "flow")
        }
        specs = [[ClipSpec(**look) for look in looks] for looks in json.loads(path.read_text())]
        known[path.stem] = Shard(**arrays, specs=specs)
    return known


def plan(stills: int, clips: int, long: int) -> list[tuple[str, int, int, tuple[int, int]]]:
    """(name, seed, frames, size) of every shard, the kinds interleaved so that training can start on the first few.
    Half are square, the rest wide or upright."""
    jobs: list[tuple[float, str, int, int, tuple[int, int]]] = []
    for kind, (count, frames) in enumerate(((stills, 1), (clips, 9), (long, 17))):
        shards = max(1, count // SHARD) if count else 0
        for index in range(shards):
            size = SIZES[0] if index % 2 == 0 else SIZES[1 + (index // 2) % 2]
            # Stills first, then clips, then long ones, overlapping.
            when = (index + 1) / shards + (0.0, 0.35, 0.7)[kind]
            jobs.append((when, f"t{frames:02d}_{index:04d}", 10_000 * (kind + 1) + index, frames, size))
    return [job[1:] for job in sorted(jobs)]


def main() -> None:
    """Render the shards of the plan that are not there yet."""
    parser = argparse.ArgumentParser(description="Render training clips of the procedural world.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stills", type=int, default=4096)
    parser.add_argument("--clips", type=int, default=768)
    parser.add_argument("--long", type=int, default=160)
    parser.add_argument("--part", default="0/1", help="this process renders every n-th shard: k/n")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    part, parts = (int(x) for x in options.part.split("/"))
    for place, (name, seed, frames, size) in enumerate(plan(options.stills, options.clips, options.long)):
        if place % parts == part and not (options.out / f"{name}.json").exists():
            write_shard(options.out, name, render_shard(seed, frames, size, options.device))


if __name__ == "__main__":
    main()
