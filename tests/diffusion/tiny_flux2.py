"""A small random checkpoint of the very classes of FLUX.2 [klein], built in seconds: 16-pixel cells, 27 thin layers of
Qwen3.

``distilled``: as the published 4B, four steps without guidance. ``base``: with guidance.

    python -m tests.diffusion.tiny_flux2 FOLDER [distilled|base]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from tests.diffusion.tiny import TEXT_LENGTH
from tests.diffusion.tiny_qwen import qwen3, qwen_tokenizer

HEADS, HEAD = 2, 16


def build(folder: Path, kind: str = "distilled", *, seed: int = 7) -> Path:
    """Write a checkpoint into ``folder`` and return it."""
    from gen2studio.diffusion.runtime.torch_loading import load_diffusers

    load_diffusers()
    from diffusers import FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = qwen3()
        pipe = Flux2KleinPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
            vae=vae(),
            text_encoder=encoder,
            tokenizer=qwen_tokenizer(),
            transformer=transformer(3 * encoder.config.hidden_size),
            is_distilled=kind == "distilled",
        )
        pipe.save_pretrained(folder, safe_serialization=True)
    (folder / "gen2studio.json").write_text(json.dumps(manifest(kind), indent=2))
    return folder


def manifest(kind: str) -> dict[str, Any]:
    """What gen2studio.json says about the checkpoint."""
    default, most = (1.0, 1.0) if kind == "distilled" else (2.0, 6.0)
    return {
        "id": f"tiny-flux2-{kind}",
        "title": f"Tiny FLUX.2 {kind} test model",
        "revision": "1",
        "text_length": 4 * TEXT_LENGTH,
        "sizes": [[64, 64], [96, 64]],
        "guidance": {"default": default, "min": 1.0, "max": most},
        "steps": {"default": 2, "min": 1, "max": 50},
    }


def vae() -> Any:
    """AutoencoderKLFlux2 with its four stages, eight channels wide."""
    from diffusers import AutoencoderKLFlux2

    made = AutoencoderKLFlux2(
        block_out_channels=(8, 8, 8, 8), latent_channels=4, layers_per_block=1, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    with torch.no_grad():
        # A random decoder draws nearly grey pictures: differences must be seen in 8 bits.
        made.decoder.conv_out.weight *= 4
        made.bn.running_mean.normal_(0, 0.1)
        made.bn.running_var.fill_(0.05)
    return made.eval()


def transformer(reads: int) -> Any:
    from diffusers import Flux2Transformer2DModel

    return Flux2Transformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=2, attention_head_dim=HEAD, num_attention_heads=HEADS,
        joint_attention_dim=reads, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=False, timestep_guidance_channels=32,
    ).eval()  # fmt: skip


if __name__ == "__main__":
    build(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "distilled")
