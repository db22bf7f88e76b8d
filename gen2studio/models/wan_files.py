"""Wan in single files, as its makers and ComfyUI distribute it: which file is which, and the configs they imply.

Such files come without configs. What decides the tensors is told from the shapes; what does not (rotary scales, norms,
the statistics of the VAE) is the same in every Wan 2.1 release and stands in diffusers' classes as their default.
Wan: arXiv 2503.20314; VACE: arXiv 2503.07598; UMT5: arXiv 2304.09151.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, cast

from gen2studio.core.errors import ModelError
from gen2studio.models.gguf_header import read_gguf_header
from gen2studio.models.safetensors_header import read_header
from gen2studio.models.wan_layout import expert_of, in_diffusers_names, kind_of_file, text_encoder_name, without_prefix
from gen2studio.models.weights_header import TensorInfo, WeightsHeader, unreadable

TORCH_ARCHIVES = (".pth", ".pt")
SUFFIXES = (".safetensors", ".gguf", *TORCH_ARCHIVES)
PARTS = ("transformer", "vae", "text_encoder", "tokenizer")
"""What can stand alone: three weights files and the tokenizer's folder."""
DENOISERS = ("transformer", "transformer_2")
"""One transformer, or the expert for high noise and the one for low."""
SCHEDULER = {"_class_name": "UniPCMultistepScheduler", "prediction_type": "flow_prediction", "use_flow_sigmas": True,
             "flow_shift": 3.0, "num_train_timesteps": 1000}  # fmt: skip
"""How the released checkpoints are sampled."""
CLASSES = {
    "tokenizer": ("transformers", "T5TokenizerFast"),
    "text_encoder": ("transformers", "UMT5EncoderModel"),
    "scheduler": ("diffusers", "UniPCMultistepScheduler"),
    "vae": ("diffusers", "AutoencoderKLWan"),
    "transformer": ("diffusers", "WanVACETransformer3DModel"),
}
_PLAIN = "WanTransformer3DModel"
_WHOLE = 48
"""Channels of TI2V, which takes a first picture in place of noise."""
_TAKES_OVER = {16: 0.875, 36: 0.9}
"""Channels that a pair of experts takes → the noise level where the second one takes over, as Wan 2.2's makers publish
it for text and for images."""
_ARCHIVED = {
    "FloatStorage": ("F32", 4), "HalfStorage": ("F16", 2), "BFloat16Storage": ("BF16", 2), "DoubleStorage": ("F64", 8),
}  # fmt: skip
_HEAD = 128
"""Channels of an attention head in every released Wan transformer."""
_TOKENIZER_FOLDERS = ("google/umt5-xxl", "tokenizer", "umt5-xxl")


def read_weights(path: Path) -> WeightsHeader:
    """The checked header of a single weights file of any format. Raises ModelError."""
    suffix = path.suffix.lower()
    if suffix == ".gguf":
        return read_gguf_header(path)
    if suffix in TORCH_ARCHIVES:
        return _read_archive(path)
    return read_header(path)


def _read_archive(path: Path) -> WeightsHeader:
    """The tensors of a torch archive. Where they lie in it is torch's business: places are counted on."""
    # Not at the top: archives bring zipfile and pickle, and the window's start lists the models.
    from gen2studio.models.torch_archive import read_archive

    tensors: dict[str, TensorInfo] = {}
    reached = 0
    for name, tensor in read_archive(path).items():
        dtype, width = _ARCHIVED.get(tensor.storage, ("I64", 8))
        tensors[name] = TensorInfo(dtype, tensor.shape, reached, reached := reached + prod(tensor.shape) * width)
    try:
        return WeightsHeader(path, tensors, {}, path.stat().st_size, "torch")
    except OSError as error:
        raise unreadable(path, error) from None


def part_of(header: WeightsHeader) -> str:
    """Which part of a Wan model a file is: transformer, vae, text_encoder; empty = none of them."""
    names = header.tensors
    plain = set(without_prefix(names).values())
    if (
        "vace_patch_embedding.weight" in plain
        or {"patch_embedding.weight", "blocks.0.norm3.weight"} <= plain
        or ({"patch_embedding.weight", "blocks.0.norm2.weight"} <= plain)
    ):
        return "transformer"
    if any(re.match(r"decoder\.(middle|mid_block|conv1|conv_in)\b", name) for name in names):
        return "vae"
    return "text_encoder" if any(_is_text(name) for name in names) else ""


def find_parts(folder: Path) -> dict[str, Path]:
    """The parts of a model that lie in ``folder`` as single files, told by their headers; for shards their first file.

    Raises ModelError when two files could be the same part.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        shard = re.search(r"-(\d{5})-of-\d{5}\.safetensors$", path.name)
        if path.suffix.lower() not in SUFFIXES or not path.is_file() or (shard and int(shard[1]) > 1):
            continue
        part = _part_by_name(path) or part_of(read_weights(path))
        if part == "transformer":
            part = expert_of(path.name) or part
        if part in found:
            raise ModelError(
                f"“{found[part].name}” and “{path.name}” are both a {part.replace('_', ' ')}.",
                "Name the files one by one: gen2studio models add TRANSFORMER --vae FILE --text-encoder FILE.",
            )
        if part:
            found[part] = path
    tokenizer = next((folder / name for name in _TOKENIZER_FOLDERS if _has_words(folder / name)), None)
    if tokenizer is None and _has_words(folder):
        tokenizer = folder
    return {**found, "tokenizer": tokenizer} if tokenizer is not None else found


def _part_by_name(path: Path) -> str:
    """Torch archives of other models may lie beside: only names that Wan's makers gave are looked into."""
    if path.suffix.lower() not in TORCH_ARCHIVES:
        return ""
    if path.name.startswith("models_t5"):
        return "text_encoder"
    return "vae" if re.match(r"wan\W?2\.1.*vae", path.name, re.IGNORECASE) else "none"


def _has_words(folder: Path) -> bool:
    return (folder / "tokenizer.json").is_file()


def all_shards(first: Path) -> tuple[Path, ...]:
    """The files that belong to ``first``: itself, or every shard. Raises ModelError when shards are missing."""
    numbered = re.fullmatch(r"(.*-)00001-of-(\d{5})\.safetensors", first.name)
    if numbered is None:
        return (first,)
    count = int(numbered[2])
    paths = tuple(first.with_name(f"{numbered[1]}{i:05d}-of-{count:05d}.safetensors") for i in range(1, count + 1))
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise ModelError(
            f"{len(missing)} of {count} weight files are missing, such as {missing[0]}.", "Download the missing files."
        )
    return paths


def implied_config(part: str, headers: tuple[WeightsHeader, ...], beside: Path) -> dict[str, Any]:
    """The config that a part's tensors imply; ``beside`` is the folder whose ``config.json`` Wan's makers put there.

    Raises ModelError when the file is not that part.
    """
    shapes = {name: tensor.shape for header in headers for name, tensor in header.tensors.items()}
    try:
        if part in DENOISERS:
            return _transformer(in_diffusers_names(shapes), beside)
        return _vae(shapes) if part == "vae" else _text_encoder({text_encoder_name(n): s for n, s in shapes.items()})
    except (KeyError, IndexError, ValueError, ZeroDivisionError):
        kind = kind_of_file(shapes, shapes)
        raise ModelError(
            f"“{headers[0].path.name}” is a {kind}, not a Wan {part.replace('_', ' ')}.", "Choose the right file."
        ) from None


def _transformer(shapes: Mapping[str, tuple[int, ...]], beside: Path) -> dict[str, Any]:
    given = _given(beside)
    embedding = shapes["patch_embedding.weight"]
    layers = _count(shapes, r"blocks\.(\d+)\.")
    dim, patch = embedding[0], [int(side) for side in embedding[2:]]
    heads = int(given.get("num_heads", dim // _HEAD))
    cell = patch[0] * patch[1] * patch[2]
    made = {
        "_class_name": _PLAIN, "patch_size": patch, "num_attention_heads": heads,
        "attention_head_dim": dim // heads, "in_channels": embedding[1],
        "out_channels": shapes["proj_out.weight"][0] // cell,
        "text_dim": shapes["condition_embedder.text_embedder.linear_1.weight"][1],
        "freq_dim": shapes["condition_embedder.time_embedder.linear_1.weight"][1],
        "ffn_dim": shapes["blocks.0.ffn.net.0.proj.weight"][0], "num_layers": layers,
        "cross_attn_norm": "blocks.0.norm2.weight" in shapes, "qk_norm": "rms_norm_across_heads",
    }  # fmt: skip
    image = "condition_embedder.image_embedder"
    if f"{image}.norm1.weight" in shapes:
        made |= {"image_dim": shapes[f"{image}.norm1.weight"][0], "added_kv_proj_dim": dim}
    if f"{image}.pos_embed" in shapes:
        made["pos_embed_seq_len"] = shapes[f"{image}.pos_embed"][1]
    control = shapes.get("vace_patch_embedding.weight")
    if control is None:
        return made
    spread = layers // _count(shapes, r"vace_blocks\.(\d+)\.")
    placed = given.get("vace_layers", [*range(0, layers, spread)][: layers // spread])
    return made | {"_class_name": CLASSES["transformer"][1], "vace_layers": placed, "vace_in_channels": control[1]}


def pipeline_of(configs: Mapping[str, Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    """(pipeline class, what its index would say) of a set of single files, by the transformers' configs."""
    first = configs["transformer"]
    shown = int(first["in_channels"])
    ratio = _TAKES_OVER.get(shown) if "transformer_2" in configs else None
    if first["_class_name"] != _PLAIN:
        return "WanVACEPipeline", {"boundary_ratio": ratio}
    beside = shown != int(first["out_channels"])
    index = {"boundary_ratio": ratio, "expand_timesteps": shown == _WHOLE}
    return ("WanImageToVideoPipeline" if beside else "WanPipeline"), index


def _given(folder: Path) -> dict[str, Any]:
    """What Wan's own ``config.json`` says, where one lies beside the weights."""
    try:
        path = folder / "config.json"
        found: Any = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size < 1_000_000 else None
    except (OSError, ValueError, RecursionError):
        return {}
    table = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    return table if str(table.get("_class_name", "")).endswith("WanModel") else {}


def _vae(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    original = "decoder.conv1.weight" in shapes
    first, latent = ("encoder.conv1", "decoder.conv1") if original else ("encoder.conv_in", "decoder.conv_in")
    if original and _count(shapes, r"encoder\.downsamples\.(\d+)\.") != 11:
        # Four stages of two residual blocks and three steps down: the only kind whose names diffusers converts.
        raise ValueError
    return {
        "_class_name": CLASSES["vae"][1], "base_dim": shapes[f"{first}.weight"][0],
        "z_dim": shapes[f"{latent}.weight"][1], "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": [],
        "temperal_downsample": [False, True, True], "dropout": 0.0,
    }  # fmt: skip


def _text_encoder(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    block = "encoder.block.0.layer"
    words, width = shapes["shared.weight"]
    buckets, heads = shapes[f"{block}.0.SelfAttention.relative_attention_bias.weight"]
    return {
        "architectures": [CLASSES["text_encoder"][1]], "model_type": "umt5", "vocab_size": words, "d_model": width,
        "d_kv": shapes[f"{block}.0.SelfAttention.q.weight"][0] // heads,
        "d_ff": shapes[f"{block}.1.DenseReluDense.wi_0.weight"][0], "num_heads": heads,
        "num_layers": _count(shapes, r"encoder\.block\.(\d+)\."), "relative_attention_num_buckets": buckets,
        "relative_attention_max_distance": 128, "feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu_new",
        "is_gated_act": True, "dropout_rate": 0.0, "layer_norm_epsilon": 1e-6, "tie_word_embeddings": False,
        "is_encoder_decoder": False, "use_cache": False, "pad_token_id": 0, "eos_token_id": 1,
    }  # fmt: skip


def _count(names: Mapping[str, Any], pattern: str) -> int:
    """How many numbered parts there are: one more than the highest number."""
    return 1 + max(int(found[1]) for name in names if (found := re.match(pattern, name)))


def _is_text(name: str) -> bool:
    return bool(re.search(r"\bencoder\.block\.0\.layer\.0|^blocks\.0\.ffn\.gate\b", name))
