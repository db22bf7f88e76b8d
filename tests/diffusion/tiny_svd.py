"""A small random checkpoint of the very classes of Stable Video Diffusion, built in seconds: 8-pixel cells.

python -m tests.diffusion.tiny_svd FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

FRAMES = 5
_SEEN = 16
"""Width of what the image encoder says."""


def build(folder: Path, *, seed: int = 7) -> Path:
    """Write a checkpoint into ``folder`` and return it."""
    from gen2studio.diffusion.runtime.torch_loading import load_diffusers

    load_diffusers()
    from diffusers import EulerDiscreteScheduler, StableVideoDiffusionPipeline
    from transformers import CLIPImageProcessor

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pipe = StableVideoDiffusionPipeline(
            vae=vae(),
            image_encoder=image_encoder(),
            unet=unet(),
            # As published.
            scheduler=EulerDiscreteScheduler(
                beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", interpolation_type="linear",
                num_train_timesteps=1000, prediction_type="v_prediction", sigma_max=700.0, sigma_min=0.002,
                steps_offset=1, timestep_spacing="leading", timestep_type="continuous", use_karras_sigmas=True,
            ),
            feature_extractor=CLIPImageProcessor(size={"shortest_edge": 224}, crop_size=224),
        )  # fmt: skip
        pipe.save_pretrained(folder, safe_serialization=True)
    (folder / "gen2studio.json").write_text(json.dumps(manifest(), indent=2))
    return folder


def manifest() -> dict[str, Any]:
    """What gen2studio.json says about the checkpoint."""
    return {
        "id": "tiny-svd",
        "title": "Tiny SVD test model",
        "revision": "1",
        "sizes": [[32, 32]],
        "frames": {"native": FRAMES, "max": FRAMES, "multiple": 1},
        "rate": "8",
        "guidance": {"default": 2.0, "min": 1.0, "max": 6.0},
        "steps": {"default": 2, "min": 1, "max": 50},
    }


def vae() -> Any:
    from diffusers import AutoencoderKLTemporalDecoder

    kinds = ("DownEncoderBlock2D",) * 4
    made = AutoencoderKLTemporalDecoder(
        down_block_types=kinds, block_out_channels=(32, 32, 32, 32), layers_per_block=1, latent_channels=4,
        sample_size=64,
    )  # fmt: skip
    return made.eval()


def unet() -> Any:
    from diffusers import UNetSpatioTemporalConditionModel

    made = UNetSpatioTemporalConditionModel(
        sample_size=8, in_channels=8, out_channels=4, block_out_channels=(32, 32), layers_per_block=1,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        addition_time_embed_dim=8, projection_class_embeddings_input_dim=24, cross_attention_dim=_SEEN,
        num_attention_heads=2, transformer_layers_per_block=1, num_frames=FRAMES,
    )  # fmt: skip
    with torch.no_grad():
        # A random model hardly hears its conditions: rate and motion must be seen in 8 bits.
        made.add_embedding.linear_2.weight *= 200
    return made.eval()


def image_encoder() -> Any:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=32, intermediate_size=37, projection_dim=_SEEN, num_hidden_layers=1, num_attention_heads=2,
        image_size=224, patch_size=56,
    )  # fmt: skip
    return CLIPVisionModelWithProjection(config).eval()


if __name__ == "__main__":
    build(Path(sys.argv[1]))
