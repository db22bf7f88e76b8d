"""The analytic VAE of the mini model: a linear lapped patch transform written into the stock ``AutoencoderKLWan``.

Every 8×8 patch (192 numbers) and its eight neighbours become 16 numbers by one 3×3 convolution over the grid of
patches, and 3×3 latents become a patch by another: principal components of the patches to begin with, then both
convolutions are fitted jointly to the least squared error, so that neighbouring patches share what they show and
block edges mostly go. (Lapped transforms: Malvar and Staelin, "The LOT: transform coding without blocking effects",
IEEE ASSP 1989.)

How a linear map gets through the non-linear layers of the class: residual branches are zero; a channel holding the
constant K = 1000 makes each RMS norm divide by almost exactly K, which its gain undoes; and silu(c) − silu(−c) = c,
so that carrying +c and −c through the last activation returns c.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from gen2studio.diffusion.training.mini_classes import AutoencoderKLWan

PATCH = 8
CHANNELS = 16
CONSTANT = 1000.0


def to_patches(frames: Tensor) -> Tensor:
    """[N, 3, H, W] → [N, 192, H/8, W/8] in the channel order of diffusers' ``patchify``."""
    n, c, h, w = frames.shape
    split = frames.reshape(n, c, h // PATCH, PATCH, w // PATCH, PATCH)
    return split.permute(0, 1, 5, 3, 2, 4).reshape(n, c * PATCH * PATCH, h // PATCH, w // PATCH)


def from_patches(patches: Tensor) -> Tensor:
    """The inverse of :func:`to_patches`."""
    n, _, h, w = patches.shape
    split = patches.reshape(n, 3, PATCH, PATCH, h, w)
    return split.permute(0, 1, 4, 3, 5, 2).reshape(n, 3, h * PATCH, w * PATCH)


class PatchCodec(nn.Module):
    """The two convolutions on their own: what the fit and the trainer use, exactly as fast as it looks.

    ``mean`` and ``std`` [16] normalise latents as the pipeline does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.analysis = nn.Conv2d(3 * PATCH * PATCH, CHANNELS, 3, padding=1)
        self.synthesis = nn.Conv2d(CHANNELS, 3 * PATCH * PATCH, 3, padding=1)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(CHANNELS))
        self.register_buffer("std", torch.ones(CHANNELS))

    def encode(self, frames: Tensor) -> Tensor:
        """[N, 3, H, W] in −1…1 → raw latents [N, 16, H/8, W/8]."""
        return self.analysis(to_patches(frames))

    def decode(self, latents: Tensor) -> Tensor:
        """Raw latents → [N, 3, H, W], not clamped."""
        return from_patches(self.synthesis(latents))

    def encode_clip(self, frames: Tensor) -> Tensor:
        """[B, T, 3, H, W] in −1…1 → normalised latents [B, 16, T, h, w], as the pipeline's transformer sees them."""
        batch, count = frames.shape[:2]
        raw = self.encode(frames.flatten(0, 1)).unflatten(0, (batch, count)).transpose(1, 2)
        return (raw - self.mean.view(1, -1, 1, 1, 1)) / self.std.view(1, -1, 1, 1, 1)


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias


def _solve_synthesis(codec: PatchCodec, frames: Tensor) -> None:
    """The decoder of least squared error for the present encoder: one linear regression."""
    latents = codec.encode(frames)
    features = functional.unfold(latents, 3, padding=1).transpose(1, 2).reshape(-1, CHANNELS * 9)
    features = torch.cat((features, torch.ones(len(features), 1)), 1).double()
    wanted = to_patches(frames).flatten(2).transpose(1, 2).reshape(-1, 3 * PATCH * PATCH).double()
    gram = features.T @ features + 1e-4 * len(features) * torch.eye(features.shape[1], dtype=torch.double) * 1e-3
    solution = torch.linalg.solve(gram, features.T @ wanted)
    codec.synthesis.weight.data = solution[:-1].T.reshape(-1, CHANNELS, 3, 3).float()
    _bias(codec.synthesis).data = solution[-1].float()


def fit_codec(frames: Tensor, steps: int = 600, batch: int = 24, seed: int = 0, log: bool = False) -> PatchCodec:
    """Fit on ``frames`` [N, 3, H, W] in −1…1: principal components, regression, ``steps`` of Adam on both convolutions,
    then a rotation that makes the latents uncorrelated and ordered by strength."""
    codec = PatchCodec()
    with torch.no_grad():
        patches = to_patches(frames).permute(0, 2, 3, 1).reshape(-1, 3 * PATCH * PATCH)
        centre = patches.mean(0)
        _, vectors = torch.linalg.eigh(torch.cov((patches - centre).T.double()))
        basis = vectors[:, -CHANNELS:].flip(1).float().T
        codec.analysis.weight.zero_()
        codec.analysis.weight[:, :, 1, 1] = basis
        _bias(codec.analysis).copy_(-basis @ centre)
        _solve_synthesis(codec, frames[:: max(1, len(frames) // 1000)])
    optimiser = torch.optim.Adam(codec.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * min(1.0, (step + 1) / 30) * max(0.02, 1 - step / steps)
        pick = torch.randint(len(frames), (batch,), generator=generator)
        wanted = frames[pick]
        made = codec.decode(codec.encode(wanted))
        loss = functional.mse_loss(made, wanted)
        # Block edges show more than their squared error says: the error's own gradient is weighed in.
        error = made - wanted
        loss = loss + 0.3 * (error[..., 1:] - error[..., :-1]).square().mean()
        loss = loss + 0.3 * (error[..., 1:, :] - error[..., :-1, :]).square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if log and step % 100 == 0:
            print(step, float(loss), flush=True)  # noqa: T201
    with torch.no_grad():
        _rotate(codec, frames[:: max(1, len(frames) // 1000)])
        raw = codec.encode(frames[:: max(1, len(frames) // 1000)])
        codec.mean.copy_(raw.mean((0, 2, 3)))
        # Weak components keep less than unit variance: the model finds coarse things first and wastes no loss on noise.
        codec.std.copy_(1.25 * raw.std((0, 2, 3)) ** 0.6)
    return codec


def _rotate(codec: PatchCodec, frames: Tensor) -> None:
    raw = codec.encode(frames)
    flat = raw.permute(0, 2, 3, 1).reshape(-1, CHANNELS)
    # Scale latents so that a unit of each is worth as much in the picture before the strongest are looked for.
    _, vectors = torch.linalg.eigh(torch.cov(flat.T.double()))
    turn = vectors.flip(1).float().T
    codec.analysis.weight.data = torch.einsum("ij,jkyx->ikyx", turn, codec.analysis.weight)
    _bias(codec.analysis).data = turn @ _bias(codec.analysis)
    codec.synthesis.weight.data = torch.einsum("kjyx,ij->kiyx", codec.synthesis.weight, turn)


def _silence(block: nn.Module) -> None:
    for name, parameter in block.named_parameters():
        if "gamma" not in name:
            nn.init.zeros_(parameter)


def _gain(norm: nn.Module, channels: int) -> None:
    gamma = norm.gamma
    assert isinstance(gamma, Tensor)
    gamma.data.fill_(CONSTANT / channels**0.5)


@torch.no_grad()
def to_autoencoder(codec: PatchCodec) -> AutoencoderKLWan:
    """The codec as weights of the stock class (float32; 8× in space, 1× in time, 16 channels)."""
    width = 2 * CHANNELS + 8
    vae = AutoencoderKLWan(
        base_dim=width,
        z_dim=CHANNELS,
        dim_mult=[1],
        num_res_blocks=0,
        attn_scales=[],
        temperal_downsample=[False, False, False],
        latents_mean=[float(v) for v in codec.mean],
        latents_std=[float(v) for v in codec.std],
        in_channels=3 * PATCH * PATCH,
        out_channels=3 * PATCH * PATCH,
        patch_size=PATCH,
        scale_factor_temporal=1,
        scale_factor_spatial=PATCH,
    )
    last = 2  # the causal kernel's slice for the present frame
    for part in (vae.encoder, vae.decoder):
        _silence(part)
        _gain(part.norm_out, width)
    identity = torch.eye(CHANNELS)
    parts: Any = vae
    encoder, decoder = parts.encoder, parts.decoder
    encoder.conv_in.weight[:CHANNELS, :, last] = codec.analysis.weight
    encoder.conv_in.weight[CHANNELS : 2 * CHANNELS, :, last] = -codec.analysis.weight
    encoder.conv_in.bias[:CHANNELS] = _bias(codec.analysis)
    encoder.conv_in.bias[CHANNELS : 2 * CHANNELS] = -_bias(codec.analysis)
    encoder.conv_in.bias[2 * CHANNELS] = CONSTANT
    encoder.conv_out.weight[:CHANNELS, :CHANNELS, last, 1, 1] = identity
    encoder.conv_out.weight[:CHANNELS, CHANNELS : 2 * CHANNELS, last, 1, 1] = -identity
    encoder.conv_out.bias[CHANNELS:] = -12.0  # log-variance: as good as none
    for convolution, size in ((parts.quant_conv, 2 * CHANNELS), (parts.post_quant_conv, CHANNELS)):
        convolution.weight.zero_()
        convolution.bias.zero_()
        convolution.weight[:, :, 0, 0, 0] = torch.eye(size)
    decoder.conv_in.weight[:CHANNELS, :, last, 1, 1] = identity
    decoder.conv_in.weight[CHANNELS : 2 * CHANNELS, :, last, 1, 1] = -identity
    decoder.conv_in.bias[2 * CHANNELS] = CONSTANT
    decoder.conv_out.weight[:, :CHANNELS, last] = codec.synthesis.weight
    decoder.conv_out.weight[:, CHANNELS : 2 * CHANNELS, last] = -codec.synthesis.weight
    decoder.conv_out.bias.copy_(_bias(codec.synthesis))
    return vae.eval()


@torch.no_grad()
def from_autoencoder(vae: AutoencoderKLWan) -> PatchCodec:
    """The codec inside a checkpoint written by :func:`to_autoencoder`."""
    codec, parts = PatchCodec(), cast("Any", vae)
    codec.analysis.weight.copy_(parts.encoder.conv_in.weight[:CHANNELS, :, 2])
    _bias(codec.analysis).copy_(parts.encoder.conv_in.bias[:CHANNELS])
    codec.synthesis.weight.copy_(parts.decoder.conv_out.weight[:, :CHANNELS, 2])
    _bias(codec.synthesis).copy_(parts.decoder.conv_out.bias)
    codec.mean.copy_(torch.tensor(parts.config["latents_mean"]))
    codec.std.copy_(torch.tensor(parts.config["latents_std"]))
    return codec.eval()


class ClipCodec(Protocol):
    """Whatever turns clips [B, T, 3, H, W] in −1…1 into normalised latents [B, C, T', h, w]."""

    def encode_clip(self, frames: Tensor) -> Tensor: ...


@torch.no_grad()
def latent_colours(codec: ClipCodec, frames: Tensor, spatial: int = PATCH) -> tuple[list[list[float]], list[float]]:
    """Least-squares latent → RGB: (weight C×3, bias 3) with rgb 0…1 = normalised latent · weight + bias."""
    latents = codec.encode_clip(frames.unsqueeze(1))[:, :, 0].permute(0, 2, 3, 1)
    latents = latents.reshape(-1, latents.shape[-1])
    colours = functional.avg_pool2d(frames * 0.5 + 0.5, spatial).permute(0, 2, 3, 1).reshape(-1, 3)
    features = torch.cat((latents, torch.ones(len(latents), 1)), 1)
    solution = torch.linalg.lstsq(features, colours).solution
    return [[round(float(v), 5) for v in row] for row in solution[:-1]], [round(float(v), 5) for v in solution[-1]]


def natural_frames(count: int, height: int, width: int, seed: int) -> Tensor:
    """[count, 3, H, W] in −1…1 of coloured 1/f noise with soft gradients: the second-order statistics of photographs
    (Field, "Relations between the statistics of natural images and the response properties of cortical cells",
    1987)."""
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :]
    radius = np.maximum(np.hypot(fy, fx), 1.0 / max(height, width))
    frames = np.empty((count, 3, height, width), np.float32)
    mixing = np.array([[1, 0.25, 0.10], [1, 0.0, -0.18], [1, -0.25, 0.10]])
    for index in range(count):
        slope = rng.uniform(0.9, 1.5)
        spectrum = rng.normal(size=(3, height, width)) + 1j * rng.normal(size=(3, height, width))
        layers = np.fft.ifft2(spectrum / radius**slope).real
        layers /= layers.std((1, 2), keepdims=True)
        frames[index] = np.einsum("ck,khw->chw", mixing, layers) * rng.uniform(0.2, 0.55)
        frames[index] += rng.uniform(-0.3, 0.3, (3, 1, 1))
    return torch.from_numpy(np.clip(frames, -1, 1))
