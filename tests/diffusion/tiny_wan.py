"""Small random checkpoints of Wan's text and image classes, in the layouts that full-size ones are published in.

``t2v``: 2.1 text to video on the patch VAE that reconstructs. ``t2v_a14b``: 2.2, two experts. ``ti2v``: 2.2 TI2V-5B, a
VAE with cells of 16 pixels and a time for each token. ``i2v``: 2.1 with CLIP's image branch. ``i2v_a14b``: 2.2, two
experts, no image branch. ``flf``: 2.1 with places for two pictures in the image branch.

    python -m tests.diffusion.tiny_wan FOLDER KIND
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from tests.diffusion import tiny

KINDS = ("t2v", "t2v_a14b", "ti2v", "i2v", "i2v_a14b", "flf")
_Z = 16
_LOOKED_AT = 17
"""Tokens that the tiny image encoder makes of a picture."""


def build(folder: Path, kind: str, *, seed: int = 11) -> Path:
    """Write a checkpoint of ``kind`` into ``folder`` and return it."""
    pipe = pipeline(kind, seed=seed)
    pipe.save_pretrained(folder, safe_serialization=True)
    tiny.name_tokenizer(folder)
    (folder / "gen2studio.json").write_text(json.dumps(manifest(kind), indent=2))
    return folder


def manifest(kind: str) -> dict[str, Any]:
    """What gen2studio.json says about a tiny checkpoint."""
    # As small as a picture may be: four cells on a side, the patch VAE's for a picture that shows something.
    size = {"t2v": 64, "ti2v": 64}.get(kind, 32)
    return {
        **tiny.manifest(kind),
        "id": f"tiny-{kind.replace('_', '-')}",
        "title": f"Tiny {kind} test model",
        "sizes": [[size, size]],
    }


def pipeline(kind: str, *, seed: int = 11) -> Any:
    """The pipeline of a tiny checkpoint, in memory."""
    from gen2studio.diffusion.runtime.torch_loading import load_diffusers

    load_diffusers()
    from diffusers import UniPCMultistepScheduler, WanImageToVideoPipeline, WanPipeline

    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    try:
        two = kind.endswith("a14b")
        looks = kind in ("i2v", "flf")
        parts: dict[str, Any] = {
            "tokenizer": tiny.tokenizer(),
            "text_encoder": tiny.text_encoder(),
            "vae": _vae(kind),
            "scheduler": UniPCMultistepScheduler(
                prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, num_train_timesteps=1000
            ),
            "transformer": _transformer(kind),
            "transformer_2": _transformer(kind) if two else None,
            "boundary_ratio": (0.875 if kind == "t2v_a14b" else 0.9) if two else None,
            "expand_timesteps": kind == "ti2v",
        }
        if kind in ("t2v", "t2v_a14b", "ti2v"):
            return WanPipeline(**parts)
        encoder = _image_encoder() if looks else None
        return WanImageToVideoPipeline(
            **parts, image_encoder=encoder, image_processor=_image_processor() if looks else None
        )
    finally:
        torch.random.set_rng_state(state)


def _vae(kind: str) -> Any:
    from diffusers import AutoencoderKLWan

    if kind == "t2v":
        return tiny.patch_vae()
    big = kind == "ti2v"
    channels = 48 if big else _Z
    # The released structure with as few layers as it can have.
    made: dict[str, Any] = {
        "base_dim": 8, "z_dim": channels, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 0,
        "temperal_downsample": [False, True, True], "latents_mean": [0.0] * channels, "latents_std": [0.5] * channels,
    }  # fmt: skip
    if big:
        made |= {"is_residual": True, "in_channels": 12, "out_channels": 12, "patch_size": 2}
        made |= {"scale_factor_spatial": 16, "scale_factor_temporal": 4, "decoder_base_dim": 8}
    return AutoencoderKLWan(**made)


def _transformer(kind: str) -> Any:
    from diffusers import WanTransformer3DModel

    shown = {"t2v": _Z, "t2v_a14b": _Z, "ti2v": 48}.get(kind, 2 * _Z + 4)
    looks = kind in ("i2v", "flf")
    return WanTransformer3DModel(
        patch_size=(1, 1, 1) if kind == "t2v" else (1, 2, 2), num_attention_heads=2, attention_head_dim=16,
        in_channels=shown, out_channels=48 if kind == "ti2v" else _Z, text_dim=32, freq_dim=32, ffn_dim=64,
        num_layers=2, rope_max_seq_len=128, image_dim=32 if looks else None, added_kv_proj_dim=32 if looks else None,
        pos_embed_seq_len=2 * _LOOKED_AT if kind == "flf" else None,
    )  # fmt: skip


def _image_encoder() -> Any:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    config = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8,
        projection_dim=32,
    )  # fmt: skip
    return CLIPVisionModel(config).eval()


def _image_processor() -> Any:
    from transformers import CLIPImageProcessor

    return CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


if __name__ == "__main__":
    build(Path(sys.argv[1]), sys.argv[2])
