"""Latents to frames, one latent frame at a time: progress, cancelling and little memory; tiles when that is too much.

The untiled path gives the bits of ``vae.decode``. Latents are kept in the job's scratch folder before decoding, so a
run that died while decoding goes on there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gen2studio.core import paths
from gen2studio.diffusion.families.driving import Decoding
from gen2studio.diffusion.sampling.denoise import latent_statistics
from gen2studio.diffusion.sampling.jobs import device_of, stopping
from gen2studio.diffusion.sampling.tiles import decoded_in_tiles, with_smaller_tiles
from gen2studio.engine.events import Picture

Tensor = torch.Tensor
TILES = (256, 128)
"""Tile sizes in pixels to try in turn when memory runs out."""


@torch.no_grad()
def decode(pipe: Any, latents: Tensor, how: Decoding = Decoding()) -> Iterator[Picture]:
    """Frames (H, W, 3) uint8 of normalised latents (1, C, T, h, w), in order, as they are decoded.

    When memory runs out it goes on with smaller tiles from the first frame that is missing. Raises OutOfBudget when
    even the smallest are too big.
    """
    yield from with_smaller_tiles(
        lambda: _whole(pipe.vae, latents, how),
        lambda size: _tiled(pipe.vae, latents, size, how),
        side=max(latents.shape[-2:]) * _scale(pipe.vae),
        how=how,
        sizes=TILES,
    )


def _scale(vae: Any) -> int:
    return int(vae.config.scale_factor_spatial)


def _raw(vae: Any, latents: Tensor) -> Tensor:
    mean, std = latent_statistics(vae, latents)
    # As the pipeline does it: divide by the inverse, so that the bits agree.
    return (latents / (1.0 / std) + mean).to(device=device_of(vae), dtype=vae.dtype)


def _whole(vae: Any, latents: Tensor, how: Decoding) -> Iterator[Picture]:
    """The loop of ``AutoencoderKLWan._decode``, handing every part out as soon as it is there."""
    for index, part in enumerate(_decoded(vae, _raw(vae, latents), how.check)):
        yield from pictures(_pixels(vae, part))
        how.progress(index + 1, latents.shape[2])


def _decoded(vae: Any, raw: Tensor, check: Callable[[], None]) -> Iterator[Tensor]:
    """What the decoder makes of each latent frame. The causal caches are ours: a job that runs in between, at a check,
    neither sees nor clears them."""
    hook = getattr(vae, "_hf_hook", None)
    cache: list[Any] = [None] * vae._cached_conv_counts["decoder"]
    for index in range(raw.shape[2]):
        check()
        if hook is not None and hasattr(hook, "pre_forward"):
            hook.pre_forward(vae)
        latent = vae.post_quant_conv(raw[:, :, index : index + 1])
        yield vae.decoder(latent, feat_cache=cache, feat_idx=[0], first_chunk=index == 0)


def _tiled(vae: Any, latents: Tensor, size: int, how: Decoding) -> Iterator[Picture]:
    """The tiles of ``AutoencoderKLWan.tiled_decode``: a quarter of each overlaps its neighbour and is blended."""
    raw = _raw(vae, latents)
    cell = _scale(vae)
    side = size // cell
    stride = side * 3 // 4
    grain = cell // (vae.config.patch_size or 1)
    blend, kept = (side - stride) * grain, stride * grain
    tops, lefts = range(0, raw.shape[-2], stride), range(0, raw.shape[-1], stride)
    total = len(tops) * len(lefts)
    rows: list[list[Tensor]] = []
    for top in tops:
        row: list[Tensor] = []
        for left in lefts:
            tile = raw[..., top : top + side, left : left + side]
            row.append(torch.cat(list(_decoded(vae, tile, how.check)), 2))
            how.progress(len(rows) * len(lefts) + len(row), total)
        rows.append(row)
    bands: list[Tensor] = []
    for down, row in enumerate(rows):
        for across, tile in enumerate(row):
            if down:
                vae.blend_v(rows[down - 1][across], tile, blend)
            if across:
                vae.blend_h(row[across - 1], tile, blend)
        bands.append(torch.cat([tile[..., :kept, :kept] for tile in row], -1))
    whole = torch.cat(bands, -2)[..., : raw.shape[-2] * grain, : raw.shape[-1] * grain]
    yield from pictures(_pixels(vae, whole))


def _pixels(vae: Any, decoded: Tensor) -> Tensor:
    from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

    return decoded if vae.config.patch_size is None else unpatchify(decoded, patch_size=vae.config.patch_size)


def decoded_singly(
    part: Callable[[Tensor], Tensor], latents: Tensor, decoder: Any, cell: int, how: Decoding
) -> Iterator[Picture]:
    """Frames of latents (1, C, T, h, w) whose decoder looks at one at a time, whole or in tiles.

    ``part`` makes (1, 3, 1, H, W) in −1…1 of a latent frame (1, C, 1, h, w) or a piece of it; ``decoder`` is what it
    runs, between whose blocks a job can stop; ``cell`` is the number of pixels to a latent cell.
    """
    count = latents.shape[2]

    def frames(decoded: Callable[[Tensor], Tensor]) -> Iterator[Picture]:
        for index in range(count):
            with stopping(stages_of(decoder), how.check):
                made = decoded(latents[:, :, index : index + 1])
            yield from pictures(made)
            how.progress(index + 1, count)

    return with_smaller_tiles(
        lambda: frames(part),
        lambda side: frames(lambda one: decoded_in_tiles(part, one, side, cell)),
        side=max(latents.shape[-2:]) * cell,
        how=how,
    )


def stages_of(coder: Any) -> list[Any]:
    """The blocks of an image VAE's encoder or decoder, between which a job can stop."""
    return [coder.mid_block, *getattr(coder, "down_blocks", ()), *getattr(coder, "up_blocks", ())]


def pictures(decoded: Tensor) -> Iterator[Picture]:
    """(H, W, 3) uint8 of a decoded (1, 3, T, H, W) in −1…1."""
    values = ((decoded[0].float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 3, 0).cpu().numpy()
    for frame in values:
        yield np.ascontiguousarray(frame)


# -- latents on disk ---------------------------------------------------------------------------------------------------


def save_latents(path: Path, latents: Tensor) -> None:
    """Keep latents for a later start. Atomic: the file is whole or not there. Raises OSError."""
    from safetensors.torch import save

    paths.write_atomic(path, save({"latents": latents.detach().cpu().contiguous()}))


def load_latents(path: Path, shape: tuple[int, ...]) -> Tensor | None:
    """Latents kept by an earlier start; None when there are none, or others."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        found = load(path.read_bytes())["latents"]
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    return found if tuple(found.shape) == tuple(shape) and bool(torch.isfinite(found).all()) else None
