"""Small random checkpoints of the very classes of CogVideoX, built in seconds: 8-pixel cells, 8k + 1 frames.

``text``: as 2B, without rotary positions, DDIM. ``text15``: as 1.5, patches two latent frames deep, DPM-Solver.
``image``: as 5B image to video, learned positions at one size. ``image15``: as 1.5 image to video.

    python -m tests.diffusion.tiny_cogvideox FOLDER [text|text15|image|image15]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from tests.diffusion.tiny import TEXT_LENGTH, name_tokenizer, tokenizer
from tests.diffusion.tiny_t5 import WIDTH, t5_encoder

CHANNELS = 4
SIDE = 32
"""Pixels."""


def build(folder: Path, kind: str = "text", *, seed: int = 7) -> Path:
    """Write a checkpoint into ``folder`` and return it."""
    from gen2studio.diffusion.runtime.torch_loading import load_diffusers

    library: Any = load_diffusers()
    scheduler = library.CogVideoXDPMScheduler if kind != "text" else library.CogVideoXDDIMScheduler
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pipe = (library.CogVideoXImageToVideoPipeline if kind.startswith("image") else library.CogVideoXPipeline)(
            tokenizer=tokenizer(),
            text_encoder=t5_encoder(),
            vae=vae(),
            transformer=transformer(kind),
            # As published.
            scheduler=scheduler(
                beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction",
                rescale_betas_zero_snr=True, set_alpha_to_one=True, snr_shift_scale=3.0, timestep_spacing="trailing",
                clip_sample=False,
            ),
        )  # fmt: skip
        pipe.save_pretrained(folder, safe_serialization=True)
    name_tokenizer(folder)
    (folder / "gen2studio.json").write_text(json.dumps(manifest(kind), indent=2))
    return folder


def manifest(kind: str) -> dict[str, Any]:
    """What gen2studio.json says about the checkpoint."""
    native = 17 if kind.endswith("15") else 9
    return {
        "id": f"tiny-cogvideox-{kind}",
        "title": f"Tiny CogVideoX {kind} test model",
        "revision": "1",
        "text_length": TEXT_LENGTH,
        "sizes": [[SIDE, SIDE]],
        "frames": {"native": native, "max": native, "multiple": 8},
        "rate": "8",
        "guidance": {"default": 2.0, "min": 1.0, "max": 6.0},
        "steps": {"default": 2, "min": 1, "max": 50},
        "strength": 0.6,
    }


def vae() -> Any:
    from diffusers import AutoencoderKLCogVideoX

    made = AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4, up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8), latent_channels=CHANNELS, layers_per_block=1, norm_num_groups=2,
        temporal_compression_ratio=4, sample_height=4 * SIDE, sample_width=4 * SIDE,
    )  # fmt: skip
    return made.eval()


def transformer(kind: str) -> Any:
    from diffusers import CogVideoXTransformer3DModel

    image, deep = kind.startswith("image"), kind.endswith("15")
    made = CogVideoXTransformer3DModel(
        num_attention_heads=2, attention_head_dim=16, in_channels=CHANNELS * (1 + image), out_channels=CHANNELS,
        time_embed_dim=8, text_embed_dim=WIDTH, num_layers=2, sample_width=SIDE // 8, sample_height=SIDE // 8,
        sample_frames=17 if deep else 9, patch_size=2, patch_size_t=2 if deep else None, temporal_compression_ratio=4,
        max_text_seq_length=TEXT_LENGTH, use_rotary_positional_embeddings=kind != "text",
        use_learned_positional_embeddings=kind == "image", ofs_embed_dim=8 if kind == "image15" else None,
        patch_bias=not deep,
    )  # fmt: skip
    return made.eval()


if __name__ == "__main__":
    build(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "text")
