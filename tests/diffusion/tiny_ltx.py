"""A small random checkpoint of the very classes of LTX-Video, built in seconds: 32-pixel cells, 8k + 1 frames.

``plain``: as the first release. ``timed``: a decoder that knows a time and draws noise, as 0.9.1 and later.
``distilled``: as ``timed``, described as distilled.

    python -m tests.diffusion.tiny_ltx FOLDER [plain|timed|distilled]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from gen2studio.models.families.ltx import RECIPE
from tests.diffusion.tiny import TEXT_LENGTH, name_tokenizer, tokenizer
from tests.diffusion.tiny_t5 import WIDTH, t5_encoder

CHANNELS = 8


def build(folder: Path, kind: str = "plain", *, seed: int = 7) -> Path:
    """Write a checkpoint into ``folder`` and return it."""
    from gen2studio.diffusion.runtime.torch_loading import load_diffusers

    load_diffusers()
    from diffusers import FlowMatchEulerDiscreteScheduler, LTXConditionPipeline

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pipe = LTXConditionPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
            vae=vae(timed=kind != "plain"),
            text_encoder=t5_encoder(),
            tokenizer=tokenizer(),
            transformer=transformer(),
        )
        pipe.save_pretrained(folder, safe_serialization=True)
    name_tokenizer(folder)
    (folder / "gen2studio.json").write_text(json.dumps(manifest(kind), indent=2))
    return folder


def manifest(kind: str) -> dict[str, Any]:
    """What gen2studio.json says about the checkpoint."""
    own: dict[str, Any] = {
        "id": f"tiny-ltx-{kind}",
        "title": f"Tiny LTX {kind} test model",
        "revision": "1",
        "text_length": TEXT_LENGTH,
        "sizes": [[64, 64], [96, 64]],
        "frames": {"native": 17, "max": 17, "multiple": 8},
        "rate": "8",
        "guidance": {"default": 2.0, "min": 1.0, "max": 6.0},
        "steps": {"default": 2, "min": 1, "max": 50},
        "strength": 0.6,
    }
    if kind == "distilled":
        own |= {
            "guidance": {"default": 1.0, "min": 1.0, "max": 1.0},
            "steps": {"default": 8, "min": 8, "max": 8},
            "recipe": RECIPE,
        }
    return own


def vae(*, timed: bool = False) -> Any:
    """AutoencoderKLLTXVideo with its four stages, eight channels wide."""
    from diffusers import AutoencoderKLLTXVideo

    made = AutoencoderKLLTXVideo(
        latent_channels=CHANNELS, block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1), decoder_layers_per_block=(1, 1, 1, 1, 1), timestep_conditioning=timed,
        decoder_inject_noise=(timed, False, False, False, False),
    )  # fmt: skip
    with torch.no_grad():
        # A random decoder draws nearly grey pictures: differences must be seen in 8 bits.
        made.decoder.conv_out.conv.weight *= 2
        made.latents_std.fill_(0.5)
    return made.eval()


def transformer() -> Any:
    from diffusers import LTXVideoTransformer3DModel

    made = LTXVideoTransformer3DModel(
        in_channels=CHANNELS, out_channels=CHANNELS, num_attention_heads=2, attention_head_dim=16,
        cross_attention_dim=32, num_layers=2, caption_channels=WIDTH,
    )  # fmt: skip
    return made.eval()


if __name__ == "__main__":
    build(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "plain")
