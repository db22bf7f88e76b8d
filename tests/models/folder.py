"""Checkpoint folders written without any model library: configs, and safetensors files with the right headers.

Weights are holes in the file (sparse), so that a folder with the tensors of a 14B model takes no room.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from gen2studio.models.wan_layout import WanShape, expected_shapes

SIZES = {"F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "I8": 1, "U8": 1}
TINY = {
    "patch_size": [1, 2, 2], "num_attention_heads": 2, "attention_head_dim": 16, "in_channels": 16,
    "out_channels": 16, "text_dim": 32, "freq_dim": 32, "ffn_dim": 64, "num_layers": 3, "vace_layers": [0, 2],
    "vace_in_channels": 96, "cross_attn_norm": True, "qk_norm": "rms_norm_across_heads", "rope_max_seq_len": 128,
}  # fmt: skip
SMALL_WAN = {
    **TINY, "num_attention_heads": 12, "attention_head_dim": 128, "text_dim": 4096, "freq_dim": 256, "ffn_dim": 8960,
    "num_layers": 30, "vace_layers": list(range(0, 30, 2)), "rope_max_seq_len": 1024,
}  # fmt: skip
"""Wan 2.1 VACE 1.3B."""
LARGE_WAN = {
    **SMALL_WAN, "num_attention_heads": 40, "ffn_dim": 13824, "num_layers": 40, "vace_layers": list(range(0, 40, 5)),
}  # fmt: skip
"""Wan 2.1 VACE 14B."""


def write_weights(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    dtype: str = "F32",
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """A safetensors file with these tensors, all zero."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    reached = 0
    for name, shape in shapes.items():
        size = prod(shape) * SIZES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [reached, reached + size]}
        reached += size
    return write_header(path, header, reached)


def write_header(path: Path, header: Any, data_bytes: int, claimed: int | None = None) -> Path:
    """A file with this header (JSON value or bytes), followed by ``data_bytes`` of nothing."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write((len(text) if claimed is None else claimed).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + data_bytes)
    return path


def shape_of(config: Mapping[str, Any]) -> WanShape:
    patch = config["patch_size"]
    return WanShape(
        heads=config["num_attention_heads"], head_dim=config["attention_head_dim"], layers=config["num_layers"],
        ffn=config["ffn_dim"], latent_in=config["in_channels"], latent_out=config["out_channels"],
        text_dim=config["text_dim"], freq_dim=config["freq_dim"], patch=(patch[0], patch[1], patch[2]),
        cross_norm=True, control_layers=tuple(config["vace_layers"]), control_channels=config["vace_in_channels"],
    )  # fmt: skip


def write_json(path: Path, table: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table))
    return path


def write_checkpoint(
    folder: Path, config: Mapping[str, Any] = TINY, *, dtype: str = "F32", shards: int = 1, manifest: Any = None
) -> Path:
    """A whole Wan VACE folder around a transformer ``config``."""
    wan = shape_of(config)
    # With four times the words in one layer the big ones come to about UMT5-XXL's 5.7 billion.
    words = 280_000 if wan.text_dim == 4096 else 256
    diffusers, transformers = "diffusers", "transformers"
    write_json(
        folder / "model_index.json",
        {
            "_class_name": "WanVACEPipeline",
            "_diffusers_version": "0.34.0.dev0",
            "boundary_ratio": None,
            "scheduler": [diffusers, "UniPCMultistepScheduler"],
            "text_encoder": [transformers, "UMT5EncoderModel"],
            "tokenizer": [transformers, "T5TokenizerFast"],
            "transformer": [diffusers, "WanVACETransformer3DModel"],
            "transformer_2": [None, None],
            "vae": [diffusers, "AutoencoderKLWan"],
        },
    )
    write_json(
        folder / "scheduler" / "scheduler_config.json", {"_class_name": "UniPCMultistepScheduler", "flow_shift": 3.0}
    )
    write_json(folder / "tokenizer" / "tokenizer_config.json", {"tokenizer_class": "T5Tokenizer"})
    write_json(folder / "tokenizer" / "tokenizer.json", {})
    write_json(
        folder / "text_encoder" / "config.json",
        {"architectures": ["UMT5EncoderModel"], "d_model": wan.text_dim, "vocab_size": words, "num_layers": 1},
    )
    write_weights(
        folder / "text_encoder" / "model.safetensors",
        {
            "shared.weight": (words, wan.text_dim),
            "encoder.block.0.layer.0.layer_norm.weight": (wan.text_dim,),
            "encoder.block.0.layer.1.DenseReluDense.wo.weight": (wan.text_dim, 4 * words),
        },
        dtype,
    )
    write_json(
        folder / "vae" / "config.json",
        {
            "_class_name": "AutoencoderKLWan", "base_dim": 96, "z_dim": 16, "dim_mult": [1, 2, 4, 4],
            "temperal_downsample": [False, True, True], "latents_mean": [0.0] * 16, "latents_std": [1.0] * 16,
        },
    )  # fmt: skip
    write_weights(
        folder / "vae" / "diffusion_pytorch_model.safetensors",
        {
            "encoder.conv_in.weight": (96, 3, 3, 3, 3),
            "decoder.conv_in.weight": (384, 16, 3, 3, 3),
            "quant_conv.weight": (32, 32, 1, 1, 1),
        },
    )
    part = folder / "transformer"
    write_json(part / "config.json", {"_class_name": "WanVACETransformer3DModel", **config})
    shapes = expected_shapes(wan)
    if shards == 1:
        write_weights(part / "diffusion_pytorch_model.safetensors", shapes, dtype)
    else:
        names, listed = list(shapes), {}
        for number in range(shards):
            name = f"diffusion_pytorch_model-{number + 1:05d}-of-{shards:05d}.safetensors"
            held = names[number::shards]
            write_weights(part / name, {key: shapes[key] for key in held}, dtype)
            listed |= dict.fromkeys(held, name)
        index = {"metadata": {}, "weight_map": listed}
        write_json(part / "diffusion_pytorch_model.safetensors.index.json", index)
    if manifest is not None:
        write_json(folder / "gen2studio.json", manifest)
    return folder


def change_json(path: Path, **changes: Any) -> None:
    """Set keys of a JSON table; a value of ``...`` takes the key out."""
    table = json.loads(path.read_text())
    for key, value in changes.items():
        if value is ...:
            table.pop(key, None)
        else:
            table[key] = value
    path.write_text(json.dumps(table))


ORIGINAL = (
    ("condition_embedder.text_embedder.linear_1", "text_embedding.0"),
    ("condition_embedder.text_embedder.linear_2", "text_embedding.2"),
    ("condition_embedder.time_embedder.linear_1", "time_embedding.0"),
    ("condition_embedder.time_embedder.linear_2", "time_embedding.2"),
    ("condition_embedder.time_proj", "time_projection.1"),
    ("attn1.to_out.0", "self_attn.o"), ("attn2.to_out.0", "cross_attn.o"),
    ("attn1.to_", "self_attn."), ("attn2.to_", "cross_attn."),
    ("attn1.norm_", "self_attn.norm_"), ("attn2.norm_", "cross_attn.norm_"),
    ("ffn.net.0.proj", "ffn.0"), ("ffn.net.2", "ffn.2"), (".norm2.", ".norm3."),
    (".scale_shift_table", ".modulation"), (".proj_in.", ".before_proj."),
)  # fmt: skip
"""diffusers' names → the names in Wan's own files."""


def original_name(name: str) -> str:
    """A tensor's name as the released original Wan files spell it."""
    if name == "scale_shift_table":
        return "head.modulation"
    if name.startswith("proj_out."):
        return name.replace("proj_out.", "head.head.")
    for written, original in ORIGINAL:
        name = name.replace(written, original)
    return name.replace(".proj_out.", ".after_proj.")
