"""Stage B's VAE: the stock ``AutoencoderKLWan`` at 16× in space and 4× in time, learned on crops of the world.

    python -m gen2studio.diffusion.training.mini_vae --run DIR --data DIR --minutes 6 --device cuda [--resume]

What a prototype taught: the default initialisation loses the signal on its way through norms and a deep linear path,
and sampling too early drowns it. So the main path starts with unit variance and a few constant channels, residual
branches start at zero, the variance at e^-6 and sampling only after a tenth of the run. T = 1 and T = 5 are mixed
from the start. Calling encoder or decoder without their feature caches silently skips time, so training goes through
the chunked path of the class (``_encode``; ``_decode`` without its clamp, which would stop gradients).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from gen2studio.diffusion.training.mini_classes import AutoencoderKLWan, WanResidualBlock, unpatchify
from gen2studio.diffusion.training.mini_data import Shard, open_shards
from gen2studio.diffusion.training.mini_model import GEOMETRIES, MiniGeometry

PATCH = 2


@dataclass(frozen=True)
class VaeOptions:
    """A run of the VAE. ``minutes`` are the clock's on a GPU and the processor's on a CPU."""

    minutes: float = 6.0
    batch: int = 128
    crop: int = 64
    lr: float = 1.5e-3
    encoder_dim: int = 16
    decoder_dim: int = 32
    kl: float = 1e-5
    ema: float = 0.999
    device: str = "cuda"
    seed: int = 2
    save_minutes: float = 2.0


def build_vae(geometry: MiniGeometry, encoder_dim: int, decoder_dim: int) -> AutoencoderKLWan:
    """The class at 16× / t4: patches of 2, four levels, time halved twice."""
    vae = AutoencoderKLWan(
        base_dim=encoder_dim,
        decoder_base_dim=decoder_dim,
        z_dim=geometry.latent_channels,
        dim_mult=[1, 2, 4, 4],
        num_res_blocks=1,
        attn_scales=[],
        temperal_downsample=[False, True, True, False],
        latents_mean=[0.0] * geometry.latent_channels,
        latents_std=[1.0] * geometry.latent_channels,
        in_channels=3 * PATCH**2,
        out_channels=3 * PATCH**2,
        patch_size=PATCH,
        scale_factor_temporal=4,
        scale_factor_spatial=16,
    )
    _initialise(vae)
    return vae


@torch.no_grad()
def _initialise(vae: Any) -> None:
    for module in vae.modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d)):
            fan = module.weight[0].numel()
            nn.init.normal_(module.weight, std=1 / math.sqrt(fan))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in vae.modules():
        if isinstance(module, WanResidualBlock):
            nn.init.zeros_(module.conv2.weight)
    for part in (vae.encoder, vae.decoder):
        for attention in part.mid_block.attentions:
            if attention is not None:
                nn.init.zeros_(attention.proj.weight)
        # Constant channels of both signs carry the amplitude through the last norm.
        last = part.conv_in.bias
        assert last is not None
        last[-4:-2] = 1.0
        last[-2:] = -1.0
    channels = vae.config["z_dim"]
    quant = vae.quant_conv
    quant.weight[channels:] *= 0.01
    assert quant.bias is not None
    quant.bias[channels:] = -6.0


def encode_moments(vae: AutoencoderKLWan, clip: Tensor) -> tuple[Tensor, Tensor]:
    """(mean, log-variance) of [B, 3, T, H, W] in −1…1, with gradients."""
    moments: Any = vae._encode(clip)
    mean, logvar = moments.chunk(2, 1)
    return mean, logvar.clamp(-30, 20)


def decode_open(vae: AutoencoderKLWan, latents: Tensor) -> Tensor:
    """The class's chunked decoding without the clamp that would stop gradients."""
    vae.clear_cache()
    inner = vae.post_quant_conv(latents)
    parts: list[Tensor] = []
    for i in range(latents.shape[2]):
        vae._conv_idx = [0]
        first = {"first_chunk": True} if i == 0 else {}
        parts.append(vae.decoder(inner[:, :, i : i + 1], feat_cache=vae._feat_map, feat_idx=vae._conv_idx, **first))
    vae.clear_cache()
    return unpatchify(torch.cat(parts, 2), PATCH)


class LearnedCodec(nn.Module):
    """Stage B's VAE with the interface that the trainer wants of a codec."""

    def __init__(self, geometry: MiniGeometry, encoder_dim: int = 16, decoder_dim: int = 32) -> None:
        super().__init__()
        self.vae = build_vae(geometry, encoder_dim, decoder_dim)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(geometry.latent_channels))
        self.register_buffer("std", torch.ones(geometry.latent_channels))

    def encode_clip(self, frames: Tensor) -> Tensor:
        """[B, T, 3, H, W] in −1…1 (T = 4k+1) → normalised latents [B, C, T', h, w]."""
        mean, _ = encode_moments(self.vae, frames.transpose(1, 2))
        return (mean - self.mean.view(1, -1, 1, 1, 1)) / self.std.view(1, -1, 1, 1, 1)


def draw_crops(shards: list[Shard], batch: int, frames: int, crop: int, rng: random.Random) -> Tensor:
    """[batch, 3, frames, crop, crop] in −1…1. A fifth are what controls look like: depth, or clips with a hole."""
    clips: list[np.ndarray] = []
    for _ in range(batch):
        shard = rng.choice(shards)
        index, start = rng.randrange(len(shard.specs)), rng.randrange(shard.frames - frames + 1)
        height, width = shard.size
        y, x = rng.randrange(height - crop + 1), rng.randrange(width - crop + 1)
        rows, columns = slice(y, y + crop), slice(x, x + crop)
        times = slice(start, start + frames)
        kind = rng.random()
        if kind < 0.08:
            depth = shard.disparity[index, times, rows, columns].astype(np.float32)
            clip = np.repeat(depth[:, None], 3, 1) / 127.5 - 1
        else:
            clip = shard.rgb[index, rng.randrange(2), times, :, rows, columns].astype(np.float32) / 127.5 - 1
            if kind < 0.20:
                hole = shard.mask[index, times, rows, columns] > 127
                clip = clip * (hole if kind < 0.14 else ~hole)[:, None]
        clips.append(clip.transpose(1, 0, 2, 3))
    return torch.from_numpy(np.ascontiguousarray(np.stack(clips), dtype=np.float32))


def reconstruction_loss(made: Tensor, true: Tensor) -> Tensor:
    """L1 + ½ MSE + gradients + coarse L1: sharp edges without adversary or downloaded network."""
    error = made - true
    loss = error.abs().mean() + 0.5 * error.square().mean()
    loss = loss + 0.35 * (error[..., 1:] - error[..., :-1]).abs().mean()
    loss = loss + 0.35 * (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
    for size in (2, 4):
        loss = loss + 0.1 * functional.avg_pool3d(error, (1, size, size)).abs().mean()
    return loss


class VaeTrainer:
    """The VAE, its optimiser and its average."""

    def __init__(self, options: VaeOptions) -> None:
        torch.manual_seed(options.seed)
        self.options = options
        self.device = torch.device(options.device)
        self.codec = LearnedCodec(GEOMETRIES["B"], options.encoder_dim, options.decoder_dim).to(self.device)
        self.optimiser = torch.optim.AdamW(self.codec.parameters(), lr=options.lr, betas=(0.9, 0.98), weight_decay=1e-4)
        self.average = {k: v.detach().clone() for k, v in self.codec.state_dict().items()}
        self.rng = random.Random(options.seed)
        self.steps = 0
        self.spent = 0.0

    def step(self, shards: list[Shard], progress: float) -> float:
        """One update on crops of one or five frames. Returns the reconstruction's PSNR in dB."""
        frames = 5 if self.rng.random() < 0.6 and any(s.frames >= 5 for s in shards) else 1
        pool = [s for s in shards if s.frames >= frames]
        batch = self.options.batch if frames == 5 else 2 * self.options.batch
        clip = draw_crops(pool, batch, frames, self.options.crop, self.rng).to(self.device)
        cosine = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))
        rate = self.options.lr * min(1.0, (self.steps + 1) / 100) * cosine
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            mean, logvar = encode_moments(self.codec.vae, clip)
            latent = mean
            if progress > 0.1:
                latent = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
            made = decode_open(self.codec.vae, latent)
        loss = reconstruction_loss(made.float(), clip)
        if progress > 0.1:
            mean, logvar = mean.float(), logvar.float()
            loss = loss + self.options.kl * 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(self.codec.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.steps += 1
        decay = min(self.options.ema, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for name, value in self.codec.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)
            error = ((made.detach().float().clamp(-1, 1) - clip) / 2).square().mean()
        return float(-10 * torch.log10(error.clamp(min=1e-9)))

    @torch.no_grad()
    def measure_latents(self, shards: list[Shard], batches: int = 8) -> None:
        """Mean and spread of each latent channel of the averaged VAE, for the pipeline's normalisation."""
        self.codec.load_state_dict(self.average)
        frames = 5 if any(s.frames >= 5 for s in shards) else 1
        pool = [s for s in shards if s.frames >= frames]
        seen = [
            encode_moments(self.codec.vae, draw_crops(pool, 16, frames, self.options.crop, self.rng).to(self.device))[0]
            .transpose(0, 1)
            .flatten(1)
            for _ in range(batches)
        ]
        stacked = torch.cat(seen, 1)
        self.codec.mean.copy_(stacked.mean(1))
        self.codec.std.copy_(stacked.std(1).clamp(min=1e-3))
        self.average = {k: v.detach().clone() for k, v in self.codec.state_dict().items()}

    def save(self, folder: Path, spent: float) -> None:
        """Write the resumable state, then swap it in."""
        state: dict[str, Any] = {
            "codec": self.codec.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "steps": self.steps,
            "spent": spent,
        }
        torch.save(state, folder / "vae_state.part")
        (folder / "vae_state.part").replace(folder / "vae_state.pt")

    def load(self, path: Path) -> None:
        """Continue from :meth:`save`."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.codec.load_state_dict(state["codec"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average, self.steps, self.spent = state["average"], state["steps"], state["spent"]
        self.rng = random.Random(self.options.seed * 7919 + self.steps)


def run(options: VaeOptions, folder: Path, data: Path, resume: bool) -> Path:
    """Train to the end of the budget; returns ``vae.pt``, the state of a :class:`LearnedCodec`."""
    folder.mkdir(parents=True, exist_ok=True)
    trainer = VaeTrainer(options)
    if resume and (folder / "vae_state.pt").exists():
        trainer.load(folder / "vae_state.pt")
    shards = list(open_shards(data, {}).values())
    clock = time.process_time if options.device == "cpu" else time.perf_counter
    began, saved = clock(), 0.0
    recent: list[float] = []
    while (used := trainer.spent + clock() - began) < options.minutes * 60:
        recent.append(trainer.step(shards, used / (options.minutes * 60)))
        if trainer.steps % 50 == 0:
            row = {"step": trainer.steps, "minutes": round(used / 60, 2), "psnr": round(float(np.mean(recent)), 2)}
            with (folder / "vae_curve.jsonl").open("a") as log:
                log.write(json.dumps(row) + "\n")
            recent = []
        if used - saved > options.save_minutes * 60:
            trainer.save(folder, used)
            saved = used
    trainer.save(folder, trainer.spent + clock() - began)
    trainer.measure_latents(shards)
    torch.save(trainer.average, folder / "vae.pt")
    return folder / "vae.pt"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train stage B's VAE.")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()
    options = VaeOptions(minutes=given.minutes, batch=given.batch, device=given.device)
    run(options, given.run, given.data, given.resume)


if __name__ == "__main__":
    main()
