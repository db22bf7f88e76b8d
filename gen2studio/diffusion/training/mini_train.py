"""Train the mini model: flow matching over all of VACE's tasks on clips of the procedural world.

    python -m gen2studio.diffusion.training.mini_train --run DIR --data DIR --minutes 80
    python -m gen2studio.diffusion.training.mini_train --run DIR --data DIR --minutes 80 --resume

Minutes are those of the processor, not of the clock: a machine that is busy elsewhere trains later, not less. The run
folder holds ``state.pt`` (every few minutes, written whole or not at all), ``curve.jsonl`` and ``options.json``.

x_s = (1 − s) x_0 + s ε, target ε − x_0 (Lipman et al., arXiv 2210.02747); s is logit-normal and shifted as the
scheduler shifts it (Esser et al., arXiv 2403.03206).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from gen2studio.diffusion.training.mini_classes import AutoencoderKLWan
from gen2studio.diffusion.training.mini_codec import PatchCodec, from_autoencoder
from gen2studio.diffusion.training.mini_data import Shard, open_shards
from gen2studio.diffusion.training.mini_model import (
    GEOMETRIES,
    MiniGeometry,
    build_text_encoder,
    build_tokenizer,
    build_transformer,
    control_latents,
    embed_prompts,
)
from gen2studio.diffusion.training.mini_muon import BatchedMuon
from gen2studio.diffusion.training.mini_tasks import REFERENCE_SHARE, Example, draw_example
from gen2studio.diffusion.training.mini_vae import LearnedCodec

CURRICULUM: tuple[tuple[float, dict[int, float]], ...] = (
    (0.30, {1: 1.0}),
    (0.60, {1: 0.50, 5: 0.40, 9: 0.10}),
    (0.85, {1: 0.40, 5: 0.35, 9: 0.20, 17: 0.05}),
    (1.01, {1: 0.30, 5: 0.30, 9: 0.20, 17: 0.20}),
)
"""(until this share of the budget, frames → share of the steps): stills teach what things look like for a sixteenth of
the cost, clips how they move, and the last stretch is spent at full length."""
SUBJECT_WEIGHT = 4.0
"""How many times the error on the subject counts: it covers about a twentieth of a frame, and unweighted its shape and
colour are learned long after everything around it."""


def subject_weights(masks: Tensor, spatial: int, temporal: int, leading: int) -> Tensor:
    """Loss weights [B, 1, F, h, w] of subject masks [B, T, H, W] (0…1): the largest value of a latent cell, mapped to
    1…``SUBJECT_WEIGHT``. Frames beyond the first are grouped by ``temporal`` as the VAE groups them; ``leading``
    reference frames of weight 1 go in front."""
    cells = nn.functional.max_pool2d(masks, spatial)
    if temporal > 1:
        batch, frames, height, width = cells.shape
        groups = cells[:, 1:].reshape(batch, (frames - 1) // temporal, temporal, height, width).amax(2)
        cells = torch.cat((cells[:, :1], groups), 1)
    weights = 1 + (SUBJECT_WEIGHT - 1) * cells
    return nn.functional.pad(weights, (0, 0, 0, 0, leading, 0), value=1.0).unsqueeze(1)


@dataclass
class TrainOptions:
    """Everything a run is made with; kept beside its checkpoints."""

    stage: str = "A"
    minutes: float = 80.0
    threads: int = 2
    tokens: int = 1536
    """Video tokens in a step; the batch follows from the clip's size."""
    lr: float = 2e-3
    seed: int = 1
    ema: float = 0.999
    save_minutes: float = 1.0
    device: str = "cpu"


class MiniTrainer:
    """Models, optimisers and the averaged copy that is shipped."""

    def __init__(self, options: TrainOptions, codec: PatchCodec | LearnedCodec) -> None:
        torch.manual_seed(options.seed)
        self.options = options
        self.geometry: MiniGeometry = GEOMETRIES[options.stage]
        self.device = torch.device(options.device)
        self.codec = codec.to(self.device).eval().requires_grad_(False)
        self.tokenizer = build_tokenizer()
        self.transformer: Any = build_transformer(self.geometry)
        self.text_encoder: Any = build_text_encoder(self.geometry, len(self.tokenizer))
        self.modules = nn.ModuleDict({"transformer": self.transformer, "text_encoder": self.text_encoder}).to(
            self.device
        )
        hidden: list[Tensor] = []
        rest: list[Tensor] = []
        for name, parameter in self.transformer.named_parameters():
            inside = name.startswith(("blocks.", "vace_blocks.")) and parameter.ndim == 2
            (hidden if inside else rest).append(parameter)
        rest += [p for p in self.text_encoder.parameters()]
        self.optimisers: list[torch.optim.Optimizer] = [
            BatchedMuon(hidden, lr=options.lr),
            torch.optim.AdamW(rest, lr=options.lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
        ]
        self.average = {k: v.detach().clone() for k, v in self.modules.state_dict().items()}
        self.rng = random.Random(options.seed)
        self.noise = torch.Generator(device=self.device).manual_seed(options.seed)
        self.step_count = 0
        self.samples = 0
        self.spent = 0.0
        """Processor seconds used by earlier processes of this run."""

    def learning_rate(self, progress: float) -> float:
        """Warm-up over 60 steps, constant to 55 % of the budget, then linear to 3 %."""
        warm = min(1.0, (self.step_count + 1) / 60)
        fall = 1.0 if progress < 0.55 else max(0.03, 1 - 0.97 * (progress - 0.55) / 0.45)
        return self.options.lr * warm * fall

    def train_step(self, examples: list[Example], progress: float) -> tuple[float, list[float]]:
        """One update. Returns the mean loss and each example's own."""
        device = self.device
        target = torch.from_numpy(np.stack([e.target for e in examples])).to(device)
        video = torch.from_numpy(np.stack([e.video for e in examples])).to(device)
        mask = torch.from_numpy(np.stack([e.mask for e in examples])).to(device)
        pictures = [e.reference for e in examples]
        reference = None
        if pictures[0] is not None:
            reference = torch.from_numpy(np.stack([p for p in pictures if p is not None])).unsqueeze(1).to(device)
        with torch.no_grad():
            clean = self.codec.encode_clip(target)
            control = control_latents(self.codec, video, mask, reference, self.geometry.spatial, self.geometry.temporal)
            if reference is not None:
                # The pipeline generates the reference frames too and cuts them off: taught to come out as given.
                clean = torch.cat((self.codec.encode_clip(reference), clean), 2)
        self.modules.train()
        batch = len(examples)
        level = torch.sigmoid(torch.randn(batch, generator=self.noise, device=device))
        uniform = torch.rand(batch, generator=self.noise, device=device)
        level = torch.where(torch.rand(batch, generator=self.noise, device=device) < 0.1, uniform, level)
        k = self.geometry.shift
        level = (k * level / (1 + (k - 1) * level)).clamp(1e-4, 1)
        noise = torch.randn(clean.shape, generator=self.noise, device=device)
        wide = level.view(-1, 1, 1, 1, 1)
        noisy = (1 - wide) * clean + wide * noise
        prompts = embed_prompts(
            self.tokenizer, self.text_encoder, [e.caption for e in examples], self.geometry.text_length
        )
        made = self.transformer(
            hidden_states=noisy,
            timestep=level * 1000,
            encoder_hidden_states=prompts,
            control_hidden_states=control,
            return_dict=False,
        )[0]
        subjects = torch.from_numpy(np.stack([e.subject for e in examples])).to(device).float() / 255
        weights = subject_weights(
            subjects, self.geometry.spatial, self.geometry.temporal, leading=0 if reference is None else 1
        )
        each = ((made.float() - (noise - clean)).square() * weights).flatten(1).mean(1)
        loss = each.mean()
        loss.backward()
        nn.utils.clip_grad_norm_(self.modules.parameters(), 1.0)
        rate = self.learning_rate(progress)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step_count += 1
        self.samples += batch
        decay = min(self.options.ema, (1 + self.step_count) / (12 + self.step_count))
        if self.step_count % 2 == 0:
            with torch.no_grad():
                live = self.modules.state_dict()
                for name, value in self.average.items():
                    value.lerp_(live[name], 1 - decay**2)
        return float(loss.detach()), [float(v) for v in each.detach()]

    def start_from(self, checkpoint: Path) -> None:
        """Begin with the weights of a shipped checkpoint folder of the same geometry instead of from nothing.
        Optimisers start fresh. Raises RuntimeError where the shapes differ."""
        for name, module in self.modules.items():
            state: dict[str, Tensor] = {}
            for part in sorted((checkpoint / name).glob("*.safetensors")):
                state.update(load_file(part, device=str(self.device)))
            # The text encoder's embedding is stored once and used under two names.
            left = module.load_state_dict(state, strict=False)
            if left.unexpected_keys or [key for key in left.missing_keys if not key.endswith("embed_tokens.weight")]:
                raise RuntimeError(f"{checkpoint / name} is of another geometry.")
        self.average = {k: v.detach().clone() for k, v in self.modules.state_dict().items()}

    def save(self, folder: Path, spent: float) -> None:
        """Write the whole state, then swap it in."""
        state: dict[str, Any] = {
            "modules": self.modules.state_dict(),
            "average": self.average,
            "optimisers": [o.state_dict() for o in self.optimisers],
            "codec": self.codec.state_dict(),
            "step": self.step_count,
            "samples": self.samples,
            "spent": spent,
            "options": asdict(self.options),
            "noise": self.noise.get_state(),
        }
        part = folder / "state.part"
        torch.save(state, part)
        part.replace(folder / "state.pt")

    def load(self, path: Path) -> None:
        """Continue from :meth:`save`. Raises KeyError or RuntimeError where the file is of another geometry."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.modules.load_state_dict(state["modules"])
        self.average = state["average"]
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.codec.load_state_dict(state["codec"])
        self.step_count, self.samples, self.spent = state["step"], state["samples"], state["spent"]
        self.noise.set_state(state["noise"].cpu())
        self.rng = random.Random(self.options.seed * 7919 + self.step_count)


def draw_batch(
    shards: dict[str, Shard], tokens: int, progress: float, rng: random.Random, geometry: MiniGeometry
) -> list[Example]:
    """Examples of one size and length, all with or all without a reference, as many as the token budget holds."""
    mix = next(shares for until, shares in CURRICULUM if progress < until)
    available = {frames for shard in shards.values() for frames in (1, 5, 9, 17) if shard.frames >= frames}
    lengths = [frames for frames in mix if frames in available]
    frames = rng.choices(lengths, [mix[f] for f in lengths])[0]
    exact = [s for s in shards.values() if s.frames >= frames and (frames > 1 or s.frames == 1 or rng.random() < 0.3)]
    exact = exact or [s for s in shards.values() if s.frames >= frames]
    sizes = sorted({s.size for s in exact})
    size = (128, 128) if (128, 128) in sizes and rng.random() < 0.6 else rng.choice(sizes)
    pool = [s for s in exact if s.size == size]
    reference = rng.random() < REFERENCE_SHARE
    cell = geometry.spatial * geometry.patch[1]
    latent_frames = (frames + geometry.temporal - 1) // geometry.temporal
    each = (size[0] // cell) * (size[1] // cell) * (latent_frames + int(reference))
    batch = max(2, tokens // each)
    examples: list[Example] = []
    for _ in range(batch):
        shard = rng.choice(pool)
        start = rng.randrange(shard.frames - frames + 1)
        examples.append(draw_example(shard, rng.randrange(len(shard.specs)), start, frames, rng, reference=reference))
    return examples


def run(
    options: TrainOptions,
    run_folder: Path,
    data: Path,
    codec: PatchCodec | LearnedCodec,
    resume: bool,
    start_from: Path | None = None,
) -> MiniTrainer:
    """Train until the budget is used, saving on the way."""
    torch.set_num_threads(options.threads)
    run_folder.mkdir(parents=True, exist_ok=True)
    (run_folder / "options.json").write_text(json.dumps(asdict(options), indent=2))
    trainer = MiniTrainer(options, codec)
    if resume and (run_folder / "state.pt").exists():
        trainer.load(run_folder / "state.pt")
    elif start_from is not None:
        trainer.start_from(start_from)
    shards = open_shards(data, {})
    # A GPU works while the processor waits: there the clock counts.
    clock = time.process_time if options.device == "cpu" else time.perf_counter
    began = clock()
    budget = options.minutes * 60 * (options.threads if options.device == "cpu" else 1)
    saved = looked = 0.0
    recent: dict[str, list[float]] = {}
    losses: list[float] = []
    while True:
        used = trainer.spent + clock() - began
        progress = used / budget
        if progress >= 1 or (run_folder / "stop").exists():
            break
        if used - looked > 60:
            shards, looked = open_shards(data, shards), used
        examples = draw_batch(shards, options.tokens, progress, trainer.rng, trainer.geometry)
        loss, each = trainer.train_step(examples, progress)
        losses.append(loss)
        for example, value in zip(examples, each, strict=True):
            recent.setdefault(f"{example.task}/{example.target.shape[0]}", []).append(value)
        if trainer.step_count % 20 == 0:
            row = {
                "step": trainer.step_count,
                "samples": trainer.samples,
                "cpu_minutes": round(used / 60, 2),
                "loss": round(float(np.mean(losses)), 4),
                "lr": round(trainer.learning_rate(progress), 6),
                "tasks": {k: round(float(np.mean(v)), 3) for k, v in sorted(recent.items())},
            }
            with (run_folder / "curve.jsonl").open("a") as log:
                log.write(json.dumps(row) + "\n")
            losses, recent = [], {}
        if used - saved > options.save_minutes * 60 * options.threads:
            trainer.save(run_folder, used)
            saved = used
    trainer.save(run_folder, trainer.spent + clock() - began)
    return trainer


def main() -> None:
    """Command line; the codec is fitted first where the run has none (``mini_release --fit``)."""
    parser = argparse.ArgumentParser(description="Train the mini model on the procedural world.")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--codec", type=Path, help="codec.pt of mini_release fit, or vae.pt of mini_vae")
    parser.add_argument("--stage", choices=("A", "B"), default="A")
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=1536)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--start-from", type=Path, help="a shipped checkpoint to go on from")
    parser.add_argument("--pid-file", type=Path)
    given = parser.parse_args()
    if given.pid_file:
        given.pid_file.write_text(str(os.getpid()))
    if given.codec:
        codec = PatchCodec() if given.stage == "A" else LearnedCodec(GEOMETRIES["B"])
        codec.load_state_dict(torch.load(given.codec, weights_only=True))
    elif given.start_from and given.stage == "A":
        codec = from_autoencoder(AutoencoderKLWan.from_pretrained(given.start_from / "vae", local_files_only=True))
    else:
        parser.error("--codec is needed: the VAE whose latents are learned.")
    options = TrainOptions(
        stage=given.stage, minutes=given.minutes, threads=given.threads, tokens=given.tokens, lr=given.lr,
        device=given.device,
    )  # fmt: skip
    run(options, given.run, given.data, codec, given.resume, given.start_from)


if __name__ == "__main__":
    main()
