"""Latents to frames, one latent frame at a time: progress, cancelling and little memory; tiles when that is too much.

The untiled path gives the bits of ``vae.decode``. Latents are kept in the job's scratch folder before decoding, so a
run that died while decoding goes on there.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gen2studio.core import paths
from gen2studio.core.errors import OutOfBudget
from gen2studio.diffusion.sampling.denoise import latent_statistics
from gen2studio.engine.events import Picture

Tensor = torch.Tensor
TILES = (0, 256, 128)
"""Tile sizes in pixels to try in turn when memory runs out; 0 = the whole picture."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left, on the CPU or on a GPU."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error).lower() for words in ("out of memory", "not enough memory", "can't allocate memory")
    )


def free_memory() -> None:
    """Give cached memory back before trying again."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@torch.no_grad()
def decode(
    pipe: Any,
    latents: Tensor,
    *,
    check: Callable[[], None] = lambda: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    note: Callable[[str], None] = lambda text: None,
    tile: int = 0,
) -> Iterator[Picture]:
    """Frames (H, W, 3) uint8 of normalised latents (1, C, T, h, w), in order, as they are decoded.

    ``tile`` is the tile size in pixels to begin with (0 = whole pictures). When memory runs out it goes on with smaller
    tiles from the first frame that is missing. ``check`` is called before every latent frame and raises to stop.
    Raises OutOfBudget when even the smallest tiles are too big.
    """
    side = max(latents.shape[-2:]) * _scale(pipe.vae)
    sizes = [size for size in TILES if size and size < side and (not tile or size <= tile)]
    done = 0
    if not tile or tile >= side:
        try:
            for picture in _whole(pipe.vae, latents, check, progress):
                done += 1
                yield picture
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
    for size in sizes:
        free_memory()
        note(f"Memory is short: the pictures are decoded in tiles of {size} pixels.")
        try:
            for number, picture in enumerate(_tiled(pipe.vae, latents, size, check, progress)):
                if number >= done:
                    done += 1
                    yield picture
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
    free_memory()
    raise OutOfBudget(
        "There is not enough memory to decode the pictures.",
        "Close other programs or choose a smaller size, then run again; the render goes on at this point.",
    )


def _scale(vae: Any) -> int:
    return 2 ** len(vae.temperal_downsample)


def _raw(vae: Any, latents: Tensor) -> Tensor:
    mean, std = latent_statistics(vae, latents)
    # As the pipeline does it: divide by the inverse, so that the bits agree.
    return (latents / (1.0 / std) + mean).to(device=_device(vae), dtype=vae.dtype)


def _device(vae: Any) -> Any:
    hook = getattr(vae, "_hf_hook", None)
    return getattr(hook, "execution_device", None) or vae.device


def _whole(
    vae: Any, latents: Tensor, check: Callable[[], None], progress: Callable[[int, int], None]
) -> Iterator[Picture]:
    """The loop of ``AutoencoderKLWan._decode``, handing every part out as soon as it is there."""
    from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

    hook = getattr(vae, "_hf_hook", None)
    if hook is not None and hasattr(hook, "pre_forward"):
        hook.pre_forward(vae)
    count = latents.shape[2]
    raw = vae.post_quant_conv(_raw(vae, latents))
    cache: list[Any] = [None] * vae._cached_conv_counts["decoder"]
    for index in range(count):
        check()
        part = vae.decoder(raw[:, :, index : index + 1], feat_cache=cache, feat_idx=[0], first_chunk=index == 0)
        if vae.config.patch_size is not None:
            part = unpatchify(part, patch_size=vae.config.patch_size)
        yield from pictures(part)
        progress(index + 1, count)


def _tiled(
    vae: Any, latents: Tensor, size: int, check: Callable[[], None], progress: Callable[[int, int], None]
) -> Iterator[Picture]:
    kept = (
        vae.use_tiling, vae.tile_sample_min_height, vae.tile_sample_min_width,
        vae.tile_sample_stride_height, vae.tile_sample_stride_width, vae.spatial_compression_ratio,
    )  # fmt: skip
    stride = size * 3 // 4
    cell = _scale(vae)
    down = -(-latents.shape[-2] // (stride // cell)), -(-latents.shape[-1] // (stride // cell))
    total = down[0] * down[1] * latents.shape[2]
    calls = 0

    def on_call(*_: Any) -> None:
        nonlocal calls
        check()
        calls += 1
        progress(min(calls, total) - 1, total)

    hook = vae.decoder.register_forward_pre_hook(on_call)
    try:
        vae.spatial_compression_ratio = cell
        vae.enable_tiling(size, size, stride, stride)
        decoded = vae.decode(_raw(vae, latents), return_dict=False)[0]
    finally:
        hook.remove()
        (
            vae.use_tiling, vae.tile_sample_min_height, vae.tile_sample_min_width,
            vae.tile_sample_stride_height, vae.tile_sample_stride_width, vae.spatial_compression_ratio,
        ) = kept  # fmt: skip
        vae.clear_cache()
    progress(total, total)
    yield from pictures(decoded)


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
