"""Small checkpoints rewritten as the single files that artists have: GGUF, Wan's own layout, ComfyUI's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.models.folder import original_name, write_json

WEIGHTS = "diffusion_pytorch_model.safetensors"


def load(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(path)


def write_gguf(path: Path, weights: Mapping[str, Any], kind: str, *, architecture: str = "wan") -> Path:
    """``weights`` as a GGUF file by the gguf library, its matrices packed as ``kind`` as the common converters do it:
    in Wan's own names, small tensors in float32."""
    import gguf

    path.parent.mkdir(parents=True, exist_ok=True)
    packed = gguf.GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for name, tensor in weights.items():
        numbers = tensor.float().numpy()
        if numbers.ndim == 2 and numbers.shape[1] % 32 == 0 and "embedd" not in name:
            writer.add_tensor(original_name(name), gguf.quants.quantize(numbers, packed), raw_dtype=packed)
        else:
            writer.add_tensor(original_name(name), numbers)
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    return path


def original_vae(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The VAE in Wan's own names: diffusers' converter turned round."""
    from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers

    names: list[str] = [f"conv{i}.{end}" for i in (1, 2) for end in ("weight", "bias")]
    for part, steps, count in (("encoder", "downsamples", 11), ("decoder", "upsamples", 15)):
        ends = [
            *(f"residual.{i}.{end}" for i in (2, 6) for end in ("weight", "bias")), "residual.0.gamma",
            "residual.3.gamma", *(f"{what}.{end}" for what in ("shortcut", "resample.1", "time_conv")
            for end in ("weight", "bias")),
        ]  # fmt: skip
        names += [f"{part}.{steps}.{i}.{end}" for i in range(count) for end in ends]
        names += [f"{part}.middle.{i}.{end}" for i in (0, 2) for end in ends[:6]]
        names += [f"{part}.middle.1.{end}" for end in ("norm.gamma", "to_qkv.weight", "to_qkv.bias", "proj.weight",
                                                       "proj.bias")]  # fmt: skip
        names += [f"{part}.{end}" for end in ("conv1.weight", "conv1.bias", "head.0.gamma", "head.2.weight",
                                              "head.2.bias")]  # fmt: skip
    converted = convert_wan_vae_to_diffusers({name: name for name in names})
    return {converted_from: weights[name] for name, converted_from in converted.items() if name in weights}


_TEXT = (
    ("encoder.final_layer_norm.weight", "norm.weight"), ("shared.", "token_embedding."),
    (".layer.0.SelfAttention.relative_attention_bias.", ".pos_embedding.embedding."),
    (".layer.0.SelfAttention.", ".attn."), (".layer.0.layer_norm.", ".norm1."), (".layer.1.layer_norm.", ".norm2."),
    (".layer.1.DenseReluDense.wi_0.", ".ffn.gate.0."), (".layer.1.DenseReluDense.wi_1.", ".ffn.fc1."),
    (".layer.1.DenseReluDense.wo.", ".ffn.fc2."), ("encoder.block.", "blocks."),
)  # fmt: skip


def original_text(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The text encoder in Wan's own names."""
    found: dict[str, Any] = {}
    for name, tensor in weights.items():
        if name == "encoder.embed_tokens.weight":
            continue
        for theirs, own in _TEXT:
            name = name.replace(theirs, own)
        found[name] = tensor
    return found


def write_original(folder: Path, model: Path) -> Path:
    """A model in the layout of Wan's own release: no index, torch archives for the VAE and the text encoder."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    config = json.loads((model / "transformer" / "config.json").read_text())
    transformer = {original_name(name): tensor for name, tensor in load(model / "transformer" / WEIGHTS).items()}
    save_file(transformer, folder / WEIGHTS)
    write_json(
        folder / "config.json",
        {
            "_class_name": "VaceWanModel",
            "num_heads": config["num_attention_heads"],
            "vace_layers": config["vace_layers"],
        },
    )
    torch.save(original_vae(load(model / "vae" / WEIGHTS)), folder / "Wan2.1_VAE.pth")
    text = original_text(load(model / "text_encoder" / "model.safetensors"))
    torch.save(text, folder / "models_t5_umt5-xxl-enc-bf16.pth")
    shutil.copytree(model / "tokenizer", folder / "google" / "umt5-xxl")
    return folder


def scaled_fp8(weights: Mapping[str, Any], narrow: Callable[[str], bool]) -> dict[str, Any]:
    """``weights`` as ComfyUI's scaled fp8: matrices for which ``narrow(name)`` holds have one scale each."""
    import torch

    found: dict[str, Any] = {"scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn)}
    for name, tensor in weights.items():
        if not narrow(name):
            found[name] = tensor
            continue
        scale = tensor.abs().max() / 448
        found[name] = (tensor / scale).to(torch.float8_e4m3fn)
        found[name.removesuffix("weight") + "scale_weight"] = scale.float()
    return found
