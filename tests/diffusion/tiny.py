"""Small random checkpoints of the very class that full-size Wan VACE uses, built in seconds.

``patch``: an 8-pixel patch VAE whose weights are a cosine basis, so that it really reconstructs (temporal factor 1).
``causal``: the standard layout with 4k+1 frames and 8-pixel cells, random weights. ``pair``: the same with two experts,
as VACE-Fun A14B has.

    python -m tests.diffusion.tiny FOLDER [patch|causal|pair]
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import torch

WORDS = (
    "a", "an", "the", "red", "blue", "green", "dog", "boat", "car", "sea", "meadow", "night", "sunset", "in", "of",
    "on", "with", "and", "style", "watercolour", "noir", "walks",
)  # fmt: skip
TEXT_LENGTH = 16
_PATCH = 8
_Z = 16
_GAIN = 300.0
"""Constant channel that keeps the RMS norm from rescaling the others."""


def build(folder: Path, kind: str = "patch", *, seed: int = 7) -> Path:
    """Write a checkpoint of ``kind`` "patch", "causal" or "pair" into ``folder`` and return it."""
    from gen2studio.diffusion.runtime.torch_loading import load_diffusers

    load_diffusers()
    from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler, WanVACEPipeline

    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    try:
        scheduler: Any = FlowMatchEulerDiscreteScheduler(shift=2.0)
        if kind != "patch":
            scheduler = UniPCMultistepScheduler(
                prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, num_train_timesteps=1000
            )
        pipe = WanVACEPipeline(
            tokenizer=tokenizer(),
            text_encoder=text_encoder(),
            vae=patch_vae() if kind == "patch" else causal_vae(),
            scheduler=scheduler,
            transformer=_transformer((1, 1, 1) if kind == "patch" else (1, 2, 2)),
            transformer_2=_transformer((1, 2, 2)) if kind == "pair" else None,
            boundary_ratio=0.875 if kind == "pair" else None,
        )
        pipe.save_pretrained(folder, safe_serialization=True)
    finally:
        torch.random.set_rng_state(state)
    name_tokenizer(folder)
    (folder / "gen2studio.json").write_text(json.dumps(manifest(kind), indent=2))
    return folder


def manifest(kind: str) -> dict[str, Any]:
    """What gen2studio.json says about a tiny checkpoint."""
    return {
        "id": f"tiny-{kind}",
        "title": f"Tiny {kind} test model",
        "revision": "1",
        "licence": "Apache-2.0",
        "note": "Random weights for tests.",
        "text_length": TEXT_LENGTH,
        "sizes": [[64, 64], [96, 64], [64, 96]],
        "frames": {"native": 9, "max": 9, "multiple": 4},
        "rate": "8",
        "guidance": {"default": 2.0, "min": 1.0, "max": 6.0, "mask_edit": 1.5},
        "steps": {"default": 3, "min": 1, "max": 50},
    }


def cosine_basis() -> torch.Tensor:
    """(16, 192) orthonormal rows: ten luminance and three of each chroma component of the 8x8 cosine transform."""
    opponent = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    opponent = opponent / opponent.norm(dim=1, keepdim=True)
    at = torch.arange(_PATCH) + 0.5
    wave = torch.stack([torch.cos(math.pi * k * at / _PATCH) for k in range(4)])
    wave = wave / wave.norm(dim=1, keepdim=True)
    orders = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0)]
    rows: list[torch.Tensor] = []
    for channel, count in ((0, 10), (1, 3), (2, 3)):
        for across, down in orders[:count]:
            # The class orders a patch as (channel, x, y).
            rows.append(torch.einsum("c,x,y->cxy", opponent[channel], wave[across], wave[down]).flatten())
    return torch.stack(rows)


def patch_vae() -> Any:
    """AutoencoderKLWan with analytic weights: RMS norm held by a constant channel, silu(c) - silu(-c) = c."""
    from diffusers import AutoencoderKLWan

    basis = cosine_basis()
    width = 2 * _Z + 8
    orders = [0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 0, 1, 1, 0, 1, 1]
    std = [(4.0 if i == 0 else 1.6) / (1 + order) for i, order in enumerate(orders)]
    vae = AutoencoderKLWan(
        base_dim=width, z_dim=_Z, dim_mult=[1], num_res_blocks=0, temperal_downsample=[False] * 3,
        latents_mean=[0.0] * _Z, latents_std=std, in_channels=192, out_channels=192, patch_size=_PATCH,
        scale_factor_temporal=1, scale_factor_spatial=8,
    )  # fmt: skip
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.zero_()
        eye = torch.eye(_Z)
        for conv, rows in ((vae.encoder.conv_in, basis), (vae.decoder.conv_in, eye)):
            conv.weight[:_Z, :, -1, 1, 1] = rows
            conv.weight[_Z : 2 * _Z, :, -1, 1, 1] = -rows
            conv.bias[2 * _Z] = _GAIN
        for part, columns in ((vae.encoder, eye), (vae.decoder, basis.T)):
            part.norm_out.gamma.fill_(_GAIN / math.sqrt(width))
            part.conv_out.weight[: columns.shape[0], :_Z, -1, 1, 1] = columns
            part.conv_out.weight[: columns.shape[0], _Z : 2 * _Z, -1, 1, 1] = -columns
        vae.encoder.conv_out.bias[_Z:] = -10.0
        vae.quant_conv.weight[:, :, 0, 0, 0] = torch.eye(2 * _Z)
        vae.post_quant_conv.weight[:, :, 0, 0, 0] = eye
    return vae


def causal_vae() -> Any:
    """The standard layout: 4k+1 frames, cells of 8 pixels, random weights."""
    from diffusers import AutoencoderKLWan

    return AutoencoderKLWan(
        base_dim=8, z_dim=_Z, dim_mult=[1, 2, 4, 4], num_res_blocks=1, temperal_downsample=[False, True, True],
        latents_mean=[0.0] * _Z, latents_std=[0.5] * _Z,
    )  # fmt: skip


def _transformer(patch: tuple[int, int, int]) -> Any:
    from diffusers import WanVACETransformer3DModel

    return WanVACETransformer3DModel(
        patch_size=patch, num_attention_heads=2, attention_head_dim=16, in_channels=_Z, out_channels=_Z,
        text_dim=32, freq_dim=32, ffn_dim=64, num_layers=3, vace_layers=[0, 2], vace_in_channels=96,
        rope_max_seq_len=128,
    )  # fmt: skip


def text_encoder() -> Any:
    """UMT5 of one layer that writes texts of width 32."""
    from transformers import UMT5Config, UMT5EncoderModel

    config = UMT5Config(
        vocab_size=len(WORDS) + 3, d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2, dropout_rate=0.0,
        tie_word_embeddings=False,
    )  # fmt: skip
    return UMT5EncoderModel(config).eval()


def tokenizer() -> Any:
    """Knows :data:`WORDS`."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    names = ["<pad>", "</s>", "<unk>", *dict.fromkeys(WORDS)]
    table = {name: i for i, name in enumerate(names)}
    tokens = Tokenizer(models.WordLevel(table, unk_token="<unk>"))
    tokens.normalizer = normalizers.Lowercase()
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    tokens.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", table["</s>"])])
    return PreTrainedTokenizerFast(tokenizer_object=tokens, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def name_tokenizer(folder: Path) -> None:
    """Write the class name that both know: transformers 5 saves a class name that transformers 4 does not know."""
    for path in (folder / "model_index.json", folder / "tokenizer" / "tokenizer_config.json"):
        path.write_text(path.read_text().replace("TokenizersBackend", "PreTrainedTokenizerFast"))


if __name__ == "__main__":
    build(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "patch")
