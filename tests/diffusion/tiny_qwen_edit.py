"""A small random checkpoint of the very classes of Qwen-Image-Edit 2509, built in seconds.

python -m tests.diffusion.tiny_qwen_edit FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from tests.diffusion.tiny_qwen import qwen2_5_vl, qwen_processor, qwen_tokenizer


def build(folder: Path, *, seed: int = 7) -> Path:
    """Write a checkpoint into ``folder`` and return it."""
    from gen2studio.diffusion.runtime.torch_loading import load_diffusers

    load_diffusers()
    from diffusers import FlowMatchEulerDiscreteScheduler, QwenImageEditPlusPipeline

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = qwen2_5_vl()
        pipe = QwenImageEditPlusPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
            vae=vae(),
            text_encoder=encoder,
            tokenizer=qwen_tokenizer(),
            processor=qwen_processor(),
            transformer=transformer(encoder.config.text_config.hidden_size),
        )
        pipe.save_pretrained(folder, safe_serialization=True)
    # As the published ones are written, by transformers 4.
    qwen_processor().image_processor.save_pretrained(folder / "processor")
    (folder / "gen2studio.json").write_text(json.dumps(manifest(), indent=2))
    return folder


def manifest() -> dict[str, Any]:
    """What gen2studio.json says about the checkpoint."""
    return {
        "id": "tiny-qwen-edit",
        "title": "Tiny Qwen-Image-Edit test model",
        "revision": "1",
        "text_length": 512,
        "sizes": [[64, 64], [96, 64]],
        "guidance": {"default": 2.0, "min": 1.0, "max": 6.0},
        "steps": {"default": 2, "min": 1, "max": 50},
    }


def vae() -> Any:
    """AutoencoderKLQwenImage with its three halvings, eight channels wide."""
    from diffusers import AutoencoderKLQwenImage

    made = AutoencoderKLQwenImage(
        base_dim=8, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1, latents_mean=[0.0] * 4, latents_std=[0.5] * 4
    )
    with torch.no_grad():
        # A random decoder draws nearly grey pictures: differences must be seen in 8 bits.
        made.decoder.conv_out.weight *= 20
    return made.eval()


def transformer(reads: int) -> Any:
    from diffusers import QwenImageTransformer2DModel

    return QwenImageTransformer2DModel(
        in_channels=16, out_channels=4, num_layers=2, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=reads, axes_dims_rope=(4, 6, 6),
    ).eval()  # fmt: skip


if __name__ == "__main__":
    build(Path(sys.argv[1]))
