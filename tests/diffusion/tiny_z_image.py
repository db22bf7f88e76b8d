"""A small random checkpoint of the very classes of Z-Image, built in seconds: 8-pixel cells, two thin layers.

``turbo``: as the published one, without guidance. ``base``: with guidance.

    python -m tests.diffusion.tiny_z_image FOLDER [turbo|base]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from tests.diffusion.tiny import TEXT_LENGTH
from tests.diffusion.tiny_qwen import WIDTH, qwen3_words, qwen_tokenizer

HEADS, HEAD = 2, 16


def build(folder: Path, kind: str = "turbo", *, seed: int = 7) -> Path:
    """Write a checkpoint into ``folder`` and return it."""
    from gen2studio.diffusion.runtime.torch_loading import load_diffusers

    load_diffusers()
    from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pipe = ZImagePipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0 if kind == "turbo" else 6.0),
            vae=vae(),
            text_encoder=qwen3_words(),
            tokenizer=qwen_tokenizer(),
            transformer=transformer(),
        )
        pipe.save_pretrained(folder, safe_serialization=True)
    (folder / "gen2studio.json").write_text(json.dumps(manifest(kind), indent=2))
    return folder


def manifest(kind: str) -> dict[str, Any]:
    """What gen2studio.json says about the checkpoint."""
    default, most = (1.0, 1.0) if kind == "turbo" else (2.0, 6.0)
    return {
        "id": f"tiny-z-image-{kind}",
        "title": f"Tiny Z-Image {kind} test model",
        "revision": "1",
        "text_length": 4 * TEXT_LENGTH,
        "sizes": [[64, 64], [96, 64]],
        "guidance": {"default": default, "min": 1.0, "max": most},
        "steps": {"default": 2, "min": 1, "max": 50},
    }


def vae() -> Any:
    """AutoencoderKL as FLUX.1 has it, four stages, eight channels wide."""
    from diffusers import AutoencoderKL

    made = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), latent_channels=4, layers_per_block=1, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False,
    )  # fmt: skip
    with torch.no_grad():
        # A random decoder draws nearly grey pictures: differences must be seen in 8 bits.
        made.decoder.conv_out.weight *= 4
    return made.eval()


def transformer() -> Any:
    from diffusers import ZImageTransformer2DModel

    made = ZImageTransformer2DModel(
        in_channels=4, dim=HEADS * HEAD, n_layers=2, n_refiner_layers=1, n_heads=HEADS, n_kv_heads=HEADS,
        cap_feat_dim=WIDTH, axes_dims=[4, 6, 6], axes_lens=[256, 64, 64],
    )  # fmt: skip
    with torch.no_grad():
        for token in (made.x_pad_token, made.cap_pad_token):
            token.normal_(0, 0.02)
    return made.eval()


if __name__ == "__main__":
    build(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "turbo")
