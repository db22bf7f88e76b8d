"""Do the configs of a Wan checkpoint agree with its weights and with each other?

The config decides what is built in memory, so its numbers are held against the headers of the weight files first: a
config that promises other tensors than the files hold is refused before anything is allocated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, prod
from pathlib import Path
from typing import Any, cast

from gen2studio.core.errors import ModelError
from gen2studio.models.gguf_header import QUANTIZED
from gen2studio.models.manifest import ComponentSize, ModelFacts
from gen2studio.models.safetensors_header import FLOAT8
from gen2studio.models.wan_layout import (
    WanShape,
    expected_shapes,
    in_diffusers_names,
    is_weight,
    kind_of_file,
    text_encoder_name,
)
from gen2studio.models.weights_header import WeightsHeader

Config = Mapping[str, Any]
Headers = Mapping[str, tuple[WeightsHeader, ...]]
_WEIGHTS = frozenset({"F64", "F32", "F16", "BF16"}) | FLOAT8
_MOST_LAYERS = 256


def check_wan_vace(configs: Mapping[str, Config], headers: Headers) -> None:
    """Raise ModelError with one sentence when the parts don't make one working model."""
    vae, text = configs["vae"], configs["text_encoder"]
    latent, spatial, _ = _check_vae(vae, headers["vae"])
    width = _check_text_encoder(text, headers["text_encoder"])
    wan = wan_shape(configs["transformer"])
    _check_transformer(wan, headers["transformer"])
    if wan.latent_in != latent or wan.latent_out != latent:
        raise _mismatch(f"The transformer works on {wan.latent_in} latent channels and the VAE makes {latent}.")
    if wan.text_dim != width:
        raise _mismatch(f"The transformer reads texts of width {wan.text_dim} and the text encoder writes {width}.")
    wanted = 2 * latent + spatial**2
    if wan.control_channels != wanted:
        raise _mismatch(f"The control branch has {wan.control_channels} channels and this VAE needs {wanted}.")


def wan_shape(config: Config) -> WanShape:
    """The numbers of a transformer config, with diffusers' defaults for missing keys. Raises ModelError."""
    if config.get("image_dim") is not None or config.get("added_kv_proj_dim") is not None:
        raise ModelError(
            "The transformer has an image branch (Wan image-to-video), which is not supported.",
            "Use Wan 2.1 VACE: it animates images as well.",
        )
    if config.get("qk_norm", "rms_norm_across_heads") != "rms_norm_across_heads":
        raise _odd("transformer", "qk_norm")
    patch = _numbers(config, "transformer", "patch_size", [1, 2, 2], 16)
    layers = _number(config, "transformer", "num_layers", 40, _MOST_LAYERS)
    placed = tuple(_numbers(config, "transformer", "vace_layers", [*range(0, 40, 5)], _MOST_LAYERS, lowest=0))
    if not placed or placed[0] != 0 or sorted(set(placed)) != list(placed) or placed[-1] >= layers:
        raise _odd("transformer", "vace_layers")
    if len(patch) != 3:
        raise _odd("transformer", "patch_size")
    _number(config, "transformer", "rope_max_seq_len", 1024, 65536)
    head_dim = _number(config, "transformer", "attention_head_dim", 128, 1024)
    if head_dim % 2:
        raise _odd("transformer", "attention_head_dim")
    return WanShape(
        heads=_number(config, "transformer", "num_attention_heads", 40, 1024),
        head_dim=head_dim,
        layers=layers,
        ffn=_number(config, "transformer", "ffn_dim", 13824, 1 << 20),
        latent_in=_number(config, "transformer", "in_channels", 16, 4096),
        latent_out=_number(config, "transformer", "out_channels", 16, 4096),
        text_dim=_number(config, "transformer", "text_dim", 4096, 1 << 16),
        freq_dim=_number(config, "transformer", "freq_dim", 256, 1 << 16),
        patch=(patch[0], patch[1], patch[2]),
        cross_norm=bool(config.get("cross_attn_norm", True)),
        control_layers=placed,
        control_channels=_number(config, "transformer", "vace_in_channels", 96, 1 << 16),
    )


def vae_scales(config: Config) -> tuple[int, int, int]:
    """(latent channels, spatial scale, temporal scale) as the stock pipeline derives them. Raises ModelError."""
    steps: Any = config.get("temperal_downsample", [False, True, True])
    if not isinstance(steps, list) or not 0 < len(cast("list[Any]", steps)) <= 6:
        raise _odd("vae", "temperal_downsample")
    flags = [bool(step) for step in cast("list[Any]", steps)]
    return _number(config, "vae", "z_dim", 16, 1024), 2 ** len(flags), 2 ** sum(flags)


def wan_facts(configs: Mapping[str, Config], headers: Headers, classes: Mapping[str, tuple[str, str]]) -> ModelFacts:
    """What the manifest of a Wan checkpoint takes from the weights themselves."""
    wan = wan_shape(configs["transformer"])
    latent, spatial, temporal = vae_scales(configs["vae"])
    schedule = configs["scheduler"]
    shift = schedule.get("flow_shift", schedule.get("shift"))
    return ModelFacts(
        dim=wan.dim,
        patch=wan.patch,
        latent_channels=latent,
        temporal_scale=temporal,
        spatial_scale=spatial,
        flow_shift=float(shift) if isinstance(shift, (int, float)) and isfinite(shift) and shift > 0 else None,
        components=tuple(component_size(name, classes[name], parts) for name, parts in headers.items()),
    )


def component_size(name: str, of_class: tuple[str, str], headers: Sequence[WeightsHeader]) -> ComponentSize:
    """How big a component is, from its headers alone."""
    by_type: dict[str, int] = {}
    for header in headers:
        for tensor in header.tensors.values():
            by_type[tensor.dtype] = by_type.get(tensor.dtype, 0) + tensor.count
    return ComponentSize(
        name=name,
        library=of_class[0],
        class_name=of_class[1],
        parameters=sum(header.parameters for header in headers),
        file_bytes=sum(header.weight_bytes for header in headers),
        dtypes=tuple(sorted(by_type, key=lambda kind: -by_type[kind])),
    )


def _check_transformer(wan: WanShape, headers: Sequence[WeightsHeader]) -> None:
    where = headers[0].path if headers else Path("transformer")
    _check_types("transformer", headers, where)
    _check_scales(headers)
    shapes = {n: tensor.shape for header in headers for n, tensor in header.tensors.items() if is_weight(n)}
    found, wanted = in_diffusers_names(shapes), expected_shapes(wan)
    wrong = [name for name, shape in wanted.items() if name in found and found[name] != shape]
    missing = [name for name in wanted if name not in found]
    strange = [name for name in found if name not in wanted]
    if not (wrong or missing or strange):
        return
    embedding = "patch_embedding.weight"
    if found.get(embedding) != wanted[embedding] or not any(name.startswith("vace_blocks.") for name in found):
        raise ModelError(
            f"“{where.name}” is a {kind_of_file(shapes, shapes)}, and the config describes a VACE transformer of width "
            f"{wan.dim}.",
            "Choose the file and the folder that belong together.",
        )
    if wrong:
        has, says = _times(found[wrong[0]]), _times(wanted[wrong[0]])
        raise _mismatch(f"The transformer's “{wrong[0]}” is {has} and its config says {says}.")
    what = f"lack “{missing[0]}”" if missing else f"hold “{strange[0][:80]}”, which its config does not know"
    raise _mismatch(f"The transformer's weights {what}.")


def _check_scales(headers: Sequence[WeightsHeader]) -> None:
    """Scaled fp8, a format of ComfyUI's: each weight has one scale, or one for each row."""
    for header in headers:
        for name, tensor in header.tensors.items():
            if not name.endswith(".scale_weight"):
                continue
            weight = header.shape(f"{name.removesuffix('scale_weight')}weight")
            if weight is None or (tensor.count != 1 and tensor.shape not in ((weight[0],), (weight[0], 1))):
                raise ModelError(
                    f"“{header.path.name}” is stored as scaled fp8 with scales that can't be read (“{name[:80]}”).",
                    "Use the bf16 or fp16 file of the same model; Gen2 Studio makes it smaller itself.",
                )


def _check_vae(config: Config, headers: Sequence[WeightsHeader]) -> tuple[int, int, int]:
    latent, spatial, temporal = vae_scales(config)
    _check_types("vae", headers, Path("vae"))
    _number(config, "vae", "base_dim", 96, 4096)
    _number(config, "vae", "num_res_blocks", 2, 64, lowest=0)
    multipliers = _numbers(config, "vae", "dim_mult", [1, 2, 4, 4], 64)
    if not 0 < len(multipliers) <= 8:
        raise _odd("vae", "dim_mult")
    colours = _number(config, "vae", "in_channels", 3, 1 << 14)
    for statistic in ("latents_mean", "latents_std"):
        values: Any = config.get(statistic, [0.0] * 16)
        if not isinstance(values, list) or len(cast("list[Any]", values)) != latent:
            raise _odd("vae", statistic)
    for name, original, axis, size in (
        ("encoder.conv_in.weight", "encoder.conv1.weight", 1, colours),
        ("decoder.conv_in.weight", "decoder.conv1.weight", 1, latent),
        ("quant_conv.weight", "conv1.weight", 0, 2 * latent),
    ):
        shape = next((h.shape(n) for h in headers for n in (name, original) if n in h.tensors), None)
        if shape is None or len(shape) <= axis or shape[axis] != size:
            raise _mismatch(f"The VAE's weights don't match its config at “{name}”.")
    return latent, spatial, temporal


def _check_text_encoder(config: Config, headers: Sequence[WeightsHeader]) -> int:
    _check_types("text_encoder", headers, Path("text_encoder"))
    width = _number(config, "text_encoder", "d_model", 512, 1 << 16)
    words = _number(config, "text_encoder", "vocab_size", 250112, 1 << 24)
    layers = _number(config, "text_encoder", "num_layers", 8, _MOST_LAYERS)
    _check_scales(headers)
    shapes = {text_encoder_name(n): tensor.shape for header in headers for n, tensor in header.tensors.items()}
    names = frozenset(shapes)
    table = shapes.get("shared.weight") or shapes.get("encoder.embed_tokens.weight")
    if table != (words, width):
        raise _mismatch("The text encoder's word table does not match its config.")
    if f"encoder.block.{layers - 1}.layer.0.layer_norm.weight" not in names or any(
        name.startswith(f"encoder.block.{layers}.") for name in names
    ):
        raise _mismatch(f"The text encoder does not have the {layers} layers its config says.")
    return width


def _check_types(part: str, headers: Sequence[WeightsHeader], where: Path) -> None:
    for header in headers:
        for name, tensor in header.tensors.items():
            known = _WEIGHTS | QUANTIZED if header.format == "gguf" else _WEIGHTS
            if not is_weight(name):
                continue
            if tensor.dtype not in known and prod(tensor.shape) > 1 and not name.endswith("position_ids"):
                raise ModelError(
                    f"The {part} stores “{name[:80]}” as {tensor.dtype}, which can't be computed with ({where.name}).",
                    "Use the Q8_0, Q6_K, Q5_K or Q4_K file of the same model."
                    if header.format == "gguf"
                    else "Use the bf16, fp16 or fp32 file of the same model.",
                )


def _number(config: Config, part: str, key: str, default: int, highest: int, *, lowest: int = 1) -> int:
    value = config.get(key, default)
    if type(value) is not int or not lowest <= value <= highest:
        raise _odd(part, key)
    return value


def _numbers(config: Config, part: str, key: str, default: list[int], highest: int, *, lowest: int = 1) -> list[int]:
    value = config.get(key, default)
    rows: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [None]
    if len(rows) > _MOST_LAYERS or not all(type(row) is int and lowest <= row <= highest for row in rows):
        raise _odd(part, key)
    return rows


def _odd(part: str, key: str) -> ModelError:
    return ModelError(
        f"The config of the {part} has a “{key}” that no such model has.", "Download the checkpoint again."
    )


def _mismatch(sentence: str) -> ModelError:
    return ModelError(sentence, "The parts don't belong together; download the checkpoint again.")


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(str(side) for side in shape) or "a single number"
