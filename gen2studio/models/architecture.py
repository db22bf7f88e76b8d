"""Do the configs of a checkpoint agree with its weights and with each other? The checks of Wan, and what all share.

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
from gen2studio.models.manifest import MODEL_INDEX, ComponentSize, ModelFacts
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
MOST_LAYERS = 256
"""Of any model, and values of any list in a config."""
_SPOKEN = {"unet": "UNet", "vae": "VAE"}
EXPERTS = ("transformer", "transformer_2")
"""What denoises: one transformer, or one for high noise and one for low."""


def check_wan_vace(configs: Mapping[str, Config], headers: Headers) -> None:
    """Raise ModelError with one sentence when the parts don't make one working model."""
    vae, text = configs["vae"], configs["text_encoder"]
    latent, spatial, _ = _check_vae(vae, headers["vae"])
    width = check_text_encoder(text, headers["text_encoder"])
    for name in EXPERTS:
        if name not in configs:
            continue
        wan = wan_shape(configs[name])
        _check_transformer(wan, headers[name])
        if wan.latent_in != latent or wan.latent_out != latent:
            raise mismatch(f"The transformer works on {wan.latent_in} latent channels and the VAE makes {latent}.")
        _check_words(wan, width)
        wanted = 2 * latent + spatial**2
        if wan.control_channels != wanted:
            raise mismatch(f"The control branch has {wan.control_channels} channels and this VAE needs {wanted}.")
    _check_pair(configs, headers)


def check_wan(configs: Mapping[str, Config], headers: Headers) -> None:
    """As :func:`check_wan_vace` for the text and image pipelines, with whatever experts and image branch they have."""
    vae = configs["vae"]
    latent, _, _ = _check_vae(vae, headers["vae"])
    spatial, temporal = wan_scales(vae)
    width = check_text_encoder(configs["text_encoder"], headers["text_encoder"])
    whole = bool(configs.get(MODEL_INDEX, {}).get("expand_timesteps", False))
    for name in EXPERTS:
        if name not in configs:
            continue
        wan = wan_shape(configs[name])
        if wan.control_layers:
            raise mismatch("The transformer is one of Wan VACE, and the index names another pipeline.")
        _check_transformer(wan, headers[name])
        # A first picture goes in beside the noise, with a mask for each frame of a latent one; or in its place.
        shown = {latent} if whole else {latent, 2 * latent + temporal}
        if wan.latent_in not in shown or wan.latent_out != latent:
            raise mismatch(
                f"The transformer takes {wan.latent_in} and makes {wan.latent_out} latent channels, and the VAE has "
                f"{latent}."
            )
        _check_words(wan, width)
        if wan.image_dim:
            _check_image_encoder(wan, configs, headers)
    if spatial % 8:
        raise odd("vae", "scale_factor_spatial")
    _check_pair(configs, headers)


def _check_words(wan: WanShape, width: int) -> None:
    if wan.text_dim != width:
        raise mismatch(f"The transformer reads texts of width {wan.text_dim} and the text encoder writes {width}.")


def _check_pair(configs: Mapping[str, Config], headers: Headers) -> None:
    """Two experts divide the noise levels at one place, and are built alike."""
    ratio = configs.get(MODEL_INDEX, {}).get("boundary_ratio")
    if ratio is not None and not (isinstance(ratio, (int, float)) and 0 < ratio < 1):
        raise odd("model", "boundary_ratio")
    if "transformer_2" not in headers:
        if ratio is not None:
            raise mismatch("The index says where a second transformer takes over, and there is none.")
        return
    if ratio is None:
        raise mismatch("The model has two transformers and does not say where the second one takes over.")
    if wan_shape(configs["transformer"]) != wan_shape(configs["transformer_2"]):
        raise mismatch("The two transformers are not built alike.")


def _check_image_encoder(wan: WanShape, configs: Mapping[str, Config], headers: Headers) -> None:
    config = configs.get("image_encoder")
    if config is None or "image_processor" not in configs:
        raise ModelError(
            "The transformer reads pictures through an image encoder, and the checkpoint has none.",
            "Download the missing parts: image_encoder and image_processor.",
        )
    width = number(config, "image_encoder", "hidden_size", 768, 1 << 14)
    layers = number(config, "image_encoder", "num_hidden_layers", 12, MOST_LAYERS)
    side = number(config, "image_encoder", "image_size", 224, 1 << 12)
    patch = number(config, "image_encoder", "patch_size", 32, 1 << 10)
    shapes = {name: tensor.shape for header in headers["image_encoder"] for name, tensor in header.tensors.items()}
    table = next((shape for name, shape in shapes.items() if name.endswith("position_embedding.weight")), None)
    tokens = (side // patch) ** 2 + 1
    if table != (tokens, width) or not any(f".layers.{layers - 1}." in name for name in shapes):
        raise mismatch("The image encoder's weights don't match its config.")
    if width != wan.image_dim or wan.image_tokens not in (0, 2 * tokens):
        raise mismatch(f"The transformer reads pictures of width {wan.image_dim} and the encoder writes {width}.")


def wan_shape(config: Config) -> WanShape:
    """The numbers of a transformer config, with diffusers' defaults for missing keys. Raises ModelError."""
    plain = config.get("_class_name") == "WanTransformer3DModel"
    if config.get("qk_norm", "rms_norm_across_heads") != "rms_norm_across_heads":
        raise odd("transformer", "qk_norm")
    patch = numbers(config, "transformer", "patch_size", [1, 2, 2], 16)
    layers = number(config, "transformer", "num_layers", 40, MOST_LAYERS)
    placed = tuple(numbers(config, "transformer", "vace_layers", [*range(0, 40, 5)], MOST_LAYERS, lowest=0))
    if plain:
        placed = ()
    elif not placed or placed[0] != 0 or sorted(set(placed)) != list(placed) or placed[-1] >= layers:
        raise odd("transformer", "vace_layers")
    if len(patch) != 3:
        raise odd("transformer", "patch_size")
    number(config, "transformer", "rope_max_seq_len", 1024, 65536)
    head_dim = number(config, "transformer", "attention_head_dim", 128, 1024)
    if head_dim % 2:
        raise odd("transformer", "attention_head_dim")
    heads = number(config, "transformer", "num_attention_heads", 40, 1024)
    image, added = (config.get(key) if plain else None for key in ("image_dim", "added_kv_proj_dim"))
    if (image is None) != (added is None) or (added is not None and added != heads * head_dim):
        raise odd("transformer", "added_kv_proj_dim")
    if not plain and config.get("image_dim") is not None:
        raise odd("transformer", "image_dim")
    placed_pictures = config.get("pos_embed_seq_len") if image is not None else None
    return WanShape(
        heads=heads,
        head_dim=head_dim,
        layers=layers,
        ffn=number(config, "transformer", "ffn_dim", 13824, 1 << 20),
        latent_in=number(config, "transformer", "in_channels", 16, 4096),
        latent_out=number(config, "transformer", "out_channels", 16, 4096),
        text_dim=number(config, "transformer", "text_dim", 4096, 1 << 16),
        freq_dim=number(config, "transformer", "freq_dim", 256, 1 << 16),
        patch=(patch[0], patch[1], patch[2]),
        cross_norm=bool(config.get("cross_attn_norm", True)),
        control_layers=placed,
        control_channels=0 if plain else number(config, "transformer", "vace_in_channels", 96, 1 << 16),
        image_dim=0 if image is None else number(config, "transformer", "image_dim", 1280, 1 << 14),
        image_tokens=0 if placed_pictures is None else number(config, "transformer", "pos_embed_seq_len", 514, 1 << 14),
    )


def wan_scales(config: Config) -> tuple[int, int]:
    """(spatial, temporal) scale of AutoencoderKLWan as the text and image pipelines take them: from the config, held
    against the stages that make them. Raises ModelError."""
    _, _, temporal = vae_scales(config)
    stages = len(numbers(config, "vae", "dim_mult", [1, 2, 4, 4], 64))
    patch = config.get("patch_size")
    cells = 2 ** (stages - 1) * (1 if patch is None else number(config, "vae", "patch_size", 1, 64))
    named = (
        number(config, "vae", "scale_factor_spatial", 8, 256),
        number(config, "vae", "scale_factor_temporal", 4, 64),
    )
    if named != (cells, temporal):
        raise odd("vae", "scale_factor_spatial")
    return named


def vae_scales(config: Config) -> tuple[int, int, int]:
    """(latent channels, spatial scale, temporal scale) as the stock pipeline derives them. Raises ModelError."""
    steps: Any = config.get("temperal_downsample", [False, True, True])
    if not isinstance(steps, list) or not 0 < len(cast("list[Any]", steps)) <= 6:
        raise odd("vae", "temperal_downsample")
    flags = [bool(step) for step in cast("list[Any]", steps)]
    return number(config, "vae", "z_dim", 16, 1024), 2 ** len(flags), 2 ** sum(flags)


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
    check_types("transformer", headers, where)
    _check_scales(headers)
    shapes = {n: tensor.shape for header in headers for n, tensor in header.tensors.items() if is_weight(n)}
    found, wanted = in_diffusers_names(shapes), expected_shapes(wan)
    wrong = [name for name, shape in wanted.items() if name in found and found[name] != shape]
    missing = [name for name in wanted if name not in found]
    # Published image checkpoints carry a norm that nothing reads.
    strange = [name for name in found if name not in wanted and ".norm_added_q." not in name]
    if not (wrong or missing or strange):
        return
    embedding = "patch_embedding.weight"
    controlled = any(name.startswith("vace_blocks.") for name in found)
    if found.get(embedding) != wanted[embedding] or controlled != bool(wan.control_layers):
        what = "VACE transformer" if wan.control_layers else "transformer without VACE"
        raise ModelError(
            f"“{where.name}” is a {kind_of_file(shapes, shapes)}, and the config describes a {what} of width "
            f"{wan.dim}.",
            "Choose the file and the folder that belong together.",
        )
    if wrong:
        has, says = _times(found[wrong[0]]), _times(wanted[wrong[0]])
        raise mismatch(f"The transformer's “{wrong[0]}” is {has} and its config says {says}.")
    what = f"lack “{missing[0]}”" if missing else f"hold “{strange[0][:80]}”, which its config does not know"
    raise mismatch(f"The transformer's weights {what}.")


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
    check_types("vae", headers, Path("vae"))
    number(config, "vae", "base_dim", 96, 4096)
    if config.get("decoder_base_dim") is not None:
        number(config, "vae", "decoder_base_dim", 96, 4096)
    if config.get("patch_size") is not None:
        number(config, "vae", "patch_size", 1, 64)
    number(config, "vae", "num_res_blocks", 2, 64, lowest=0)
    multipliers = numbers(config, "vae", "dim_mult", [1, 2, 4, 4], 64)
    if not 0 < len(multipliers) <= 8:
        raise odd("vae", "dim_mult")
    colours = number(config, "vae", "in_channels", 3, 1 << 14)
    for statistic in ("latents_mean", "latents_std"):
        values: Any = config.get(statistic, [0.0] * 16)
        if not isinstance(values, list) or len(cast("list[Any]", values)) != latent:
            raise odd("vae", statistic)
    for name, original, axis, size in (
        ("encoder.conv_in.weight", "encoder.conv1.weight", 1, colours),
        ("decoder.conv_in.weight", "decoder.conv1.weight", 1, latent),
        ("quant_conv.weight", "conv1.weight", 0, 2 * latent),
    ):
        shape = next((h.shape(n) for h in headers for n in (name, original) if n in h.tensors), None)
        if shape is None or len(shape) <= axis or shape[axis] != size:
            raise mismatch(f"The VAE's weights don't match its config at “{name}”.")
    return latent, spatial, temporal


def check_text_encoder(config: Config, headers: Sequence[WeightsHeader]) -> int:
    """The width of a T5 or UMT5 encoder whose weights are what its config says. Raises ModelError."""
    check_types("text_encoder", headers, Path("text_encoder"))
    width = number(config, "text_encoder", "d_model", 512, 1 << 16)
    words = number(config, "text_encoder", "vocab_size", 250112, 1 << 24)
    layers = number(config, "text_encoder", "num_layers", 8, MOST_LAYERS)
    _check_scales(headers)
    shapes = {text_encoder_name(n): tensor.shape for header in headers for n, tensor in header.tensors.items()}
    names = frozenset(shapes)
    table = shapes.get("shared.weight") or shapes.get("encoder.embed_tokens.weight")
    if table != (words, width):
        raise mismatch("The text encoder's word table does not match its config.")
    if f"encoder.block.{layers - 1}.layer.0.layer_norm.weight" not in names or any(
        name.startswith(f"encoder.block.{layers}.") for name in names
    ):
        raise mismatch(f"The text encoder does not have the {layers} layers its config says.")
    return width


def check_types(part: str, headers: Sequence[WeightsHeader], where: Path) -> None:
    """Every weight is of a type that can be computed with. Raises ModelError."""
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


def number(config: Config, part: str, key: str, default: int | None, highest: int, *, lowest: int = 1) -> int:
    """A whole number of a config inside its range; without a default it must be there. Raises ModelError."""
    value = config.get(key, default)
    if type(value) is not int or not lowest <= value <= highest:
        raise odd(part, key)
    return value


def numbers(config: Config, part: str, key: str, default: list[int], highest: int, *, lowest: int = 1) -> list[int]:
    """A list of whole numbers of a config, at least one, each inside the range. Raises ModelError."""
    value = config.get(key, default)
    rows: list[Any] = cast("list[Any]", value) if isinstance(value, list) else []
    if not 0 < len(rows) <= MOST_LAYERS or not all(type(row) is int and lowest <= row <= highest for row in rows):
        raise odd(part, key)
    return rows


def odd(part: str, key: str) -> ModelError:
    """Of a config with a value that no such model has."""
    return ModelError(
        f"The config of the {_SPOKEN.get(part) or part.replace('_', ' ')} has a “{key}” that no such model has.",
        "Download the checkpoint again.",
    )


def mismatch(sentence: str) -> ModelError:
    """Of parts that don't belong together."""
    return ModelError(sentence, "The parts don't belong together; download the checkpoint again.")


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(str(side) for side in shape) or "a single number"
