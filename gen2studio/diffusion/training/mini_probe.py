"""A small classifier that reads scene, style, time, subject and colour off a frame: the measure of prompt adherence.

It is trained on renders, whose captions are true, and then asked about what the model made. How well it reads renders
it has not seen is printed beside every score, and so is chance: the same answers held against shuffled captions.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from gen2studio.diffusion.training.mini_data import Shard, open_shards, render_shard
from gen2studio.diffusion.vocabulary import COLOURS, SCENES, STYLES, SUBJECTS, TIMES
from gen2studio.diffusion.world.grammar import ClipSpec

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "scene": tuple(SCENES),
    "style": tuple(STYLES),
    "time": tuple(TIMES),
    "subject": (*SUBJECTS, "none"),
    "colour": tuple(COLOURS),
}
COLOURLESS = frozenset({"noir", "sketch", "neon"})
"""Styles in which the subject's colour can't be told: no colour is scored there."""
WHITENED_TIMES = frozenset({"noir", "sketch", "neon"})
"""Styles that hide most of the light; times are not scored there either."""


class Probe(nn.Module):
    """Frames [N, 3, H, W] in 0…1 of any size → logits per attribute."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 96, 128)
        layers: list[nn.Module] = []
        for i in range(4):
            layers += [
                nn.Conv2d(widths[i], widths[i + 1], 3, stride=2, padding=1),
                nn.GroupNorm(8, widths[i + 1]),
                nn.GELU(),
            ]
        self.trunk = nn.Sequential(*layers, nn.Conv2d(128, 128, 3, padding=1), nn.GroupNorm(8, 128), nn.GELU())
        self.heads = nn.ModuleDict({name: nn.Linear(128 * 5, len(words)) for name, words in ATTRIBUTES.items()})

    def forward(self, frames: Tensor) -> dict[str, Tensor]:
        """Logits {attribute: [N, words]}."""
        grid = self.trunk(functional.interpolate(frames, size=(64, 64), mode="area") * 2 - 1)
        pooled = torch.cat(
            (functional.adaptive_avg_pool2d(grid, 2).flatten(1), functional.adaptive_max_pool2d(grid, 1).flatten(1)), 1
        )
        return {name: head(pooled) for name, head in self.heads.items()}


def scored(spec: ClipSpec, attribute: str) -> bool:
    """Whether ``attribute`` can be seen at all in a true clip of ``spec``."""
    if attribute == "colour":
        return spec.subject != "none" and spec.style not in COLOURLESS
    return attribute != "time" or spec.style not in WHITENED_TIMES


def answers(spec: ClipSpec) -> dict[str, int]:
    """The right class of each attribute, −100 where it can't be seen."""
    return {
        name: words.index(getattr(spec, name)) if scored(spec, name) else -100 for name, words in ATTRIBUTES.items()
    }


def _batch(shards: Sequence[Shard], count: int, rng: random.Random) -> tuple[Tensor, dict[str, Tensor]]:
    frames: list[Tensor] = []
    wanted: dict[str, list[int]] = {name: [] for name in ATTRIBUTES}
    for _ in range(count):
        shard = rng.choice(shards)
        index, look, at = rng.randrange(len(shard.specs)), rng.randrange(2), rng.randrange(shard.frames)
        picture = torch.from_numpy(shard.rgb[index, look, at].copy()).float() / 255
        # What the model makes has gone through its VAE: small blurs and noise must not change the answer.
        small = functional.interpolate(picture[None], size=(64, 64), mode="area")
        if rng.random() < 0.5:
            soft = functional.interpolate(small, scale_factor=rng.choice((0.5, 0.65, 0.8)), mode="area")
            small = functional.interpolate(soft, size=(64, 64), mode="bilinear")
        small = small + torch.randn_like(small) * rng.choice((0.0, 0.01, 0.03))
        frames.append(small[0].clamp(0, 1))
        for name, value in answers(shard.specs[index][look]).items():
            wanted[name].append(value)
    return torch.stack(frames), {name: torch.tensor(values) for name, values in wanted.items()}


def train_probe(data: Path | None, steps: int = 500, batch: int = 48, seed: int = 3) -> Probe:
    """Train on the stills in ``data``, or on freshly rendered ones (twelve shards) where there are none."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    shards = [s for s in open_shards(data, {}).values() if s.frames == 1] if data else []
    if not shards:
        shards = [render_shard(900_000 + i, 1, (128, 128)) for i in range(12)]
    probe = Probe()
    optimiser = torch.optim.AdamW(probe.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for _ in range(steps):
        frames, wanted = _batch(shards, batch, rng)
        said = probe(frames)
        loss = sum(
            (functional.cross_entropy(said[name], wanted[name], ignore_index=-100) for name in ATTRIBUTES),
            start=torch.zeros(()),
        )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    return probe.eval()


@torch.no_grad()
def accuracy(
    probe: Probe, clips: Sequence[Tensor], specs: Sequence[ClipSpec], shuffle: random.Random | None = None
) -> dict[str, float]:
    """Share of clips [T, 3, H, W] in 0…1 whose frames together are read as their spec says. With ``shuffle`` the
    specs are dealt out anew a hundred times: what chance would score."""
    read = [{name: logits.mean(0) for name, logits in probe(clip).items()} for clip in clips]
    rounds = 100 if shuffle else 1
    hits = dict.fromkeys(ATTRIBUTES, 0)
    seen = dict.fromkeys(ATTRIBUTES, 0)
    for _ in range(rounds):
        dealt = list(specs)
        if shuffle:
            shuffle.shuffle(dealt)
        for said, spec in zip(read, dealt, strict=True):
            for name, right in answers(spec).items():
                if right >= 0:
                    seen[name] += 1
                    hits[name] += int(int(said[name].argmax()) == right)
    return {name: round(hits[name] / seen[name], 3) if seen[name] else 0.0 for name in ATTRIBUTES}
