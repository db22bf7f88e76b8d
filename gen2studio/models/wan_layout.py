"""The shape of Wan transformers: which tensors a config promises, and the two ways their names are written.

Released Wan weights come in diffusers' names (``blocks.0.attn1.to_q.weight``) or in the original ones, which ComfyUI
files keep as well, often behind ``model.diffusion_model.`` (``blocks.0.self_attn.q.weight``). Everything here works on
names and shapes alone. Wan: arXiv 2503.20314; VACE: arXiv 2503.07598.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gen2studio.core.records import dataclass

Shapes = dict[str, tuple[int, ...]]

PREFIXES = ("model.diffusion_model.", "diffusion_model.", "transformer.", "model.")
"""What other programs put in front of every name of a transformer."""

_RENAMED = (
    (r"\bself_attn\b", "attn1"), (r"\bcross_attn\b", "attn2"),
    (r"\.(q|k|v)(?=\.|$)", r".to_\1"), (r"\.o(?=\.|$)", ".to_out.0"),
    (r"\bffn\.0\b", "ffn.net.0.proj"), (r"\bffn\.2\b", "ffn.net.2"),
    (r"\bnorm2\b", "norm\0"), (r"\bnorm3\b", "norm2"), ("norm\0", "norm3"),
    (r"\bhead\.modulation\b", "scale_shift_table"), (r"\bmodulation\b", "scale_shift_table"),
    (r"\bhead\.head\b", "proj_out"), (r"\bbefore_proj\b", "proj_in"), (r"\bafter_proj\b", "proj_out"),
    (r"\btext_embedding\.0\b", "condition_embedder.text_embedder.linear_1"),
    (r"\btext_embedding\.2\b", "condition_embedder.text_embedder.linear_2"),
    (r"\btime_embedding\.0\b", "condition_embedder.time_embedder.linear_1"),
    (r"\btime_embedding\.2\b", "condition_embedder.time_embedder.linear_2"),
    (r"\btime_projection\.1\b", "condition_embedder.time_proj"),
    # After the norms, whose numbers these have too.
    (r"\bk_img\b", "add_k_proj"), (r"\bv_img\b", "add_v_proj"), (r"\bnorm_k_img\b", "norm_added_k"),
    (r"\bimg_emb\.proj\.0\b", "condition_embedder.image_embedder.norm1"),
    (r"\bimg_emb\.proj\.1\b", "condition_embedder.image_embedder.ff.net.0.proj"),
    (r"\bimg_emb\.proj\.3\b", "condition_embedder.image_embedder.ff.net.2"),
    (r"\bimg_emb\.proj\.4\b", "condition_embedder.image_embedder.norm2"),
    (r"\bimg_emb\.emb_pos\b", "condition_embedder.image_embedder.pos_embed"),
)  # fmt: skip
_ORIGINAL = re.compile(r"(^|\.)(self_attn|cross_attn|ffn\.[02]|head\.head|text_embedding\.0)(\.|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class WanShape:
    """The numbers of a transformer config that decide its tensors."""

    heads: int
    head_dim: int
    layers: int
    ffn: int
    latent_in: int
    latent_out: int
    text_dim: int
    freq_dim: int
    patch: tuple[int, int, int]
    cross_norm: bool
    control_layers: tuple[int, ...]
    """Blocks that take a hint of a VACE block, from 0 on; empty without a control branch."""
    control_channels: int
    image_dim: int = 0
    """Width of the image encoder's tokens that an image branch reads; 0 = it has none."""
    image_tokens: int = 0
    """Tokens of two pictures that have places of their own in the image branch; 0 = it has none."""

    @property
    def dim(self) -> int:
        """Channels of a token."""
        return self.heads * self.head_dim


def without_prefix(names: Iterable[str]) -> dict[str, str]:
    """Name in the file → name without the program's prefix."""
    listed = list(names)
    for prefix in PREFIXES:
        if any(name.startswith(prefix) for name in listed):
            return {name: name.removeprefix(prefix) for name in listed}
    return {name: name for name in listed}


def is_original(names: Iterable[str]) -> bool:
    """Whether the names are Wan's own rather than diffusers'."""
    return any(_ORIGINAL.search(name) for name in names)


def diffusers_name(name: str) -> str:
    """An original name (without prefix) in diffusers' spelling."""
    for pattern, written in _RENAMED:
        name = re.sub(pattern, written, name)
    return name


def in_diffusers_names(shapes: Mapping[str, tuple[int, ...]]) -> Shapes:
    """``shapes`` under diffusers' names, whichever of the two spellings and prefixes the file has."""
    plain = without_prefix(shapes)
    original = is_original(plain.values())
    return {(diffusers_name(plain[name]) if original else plain[name]): shape for name, shape in shapes.items()}


def expected_shapes(wan: WanShape) -> Shapes:
    """Every tensor of ``WanTransformer3DModel``, or of ``WanVACETransformer3DModel`` with a control branch."""
    dim, patch = wan.dim, wan.patch
    cell = patch[0] * patch[1] * patch[2]
    found: Shapes = {"scale_shift_table": (1, 2, dim)}
    _convolution(found, "patch_embedding", dim, wan.latent_in, patch)
    embedder = "condition_embedder"
    _linear(found, f"{embedder}.time_embedder.linear_1", wan.freq_dim, dim)
    _linear(found, f"{embedder}.time_embedder.linear_2", dim, dim)
    _linear(found, f"{embedder}.time_proj", dim, 6 * dim)
    _linear(found, f"{embedder}.text_embedder.linear_1", wan.text_dim, dim)
    _linear(found, f"{embedder}.text_embedder.linear_2", dim, dim)
    _linear(found, "proj_out", dim, wan.latent_out * cell)
    for index in range(wan.layers):
        _block(found, f"blocks.{index}", wan)
    if wan.image_dim:
        _image_branch(found, f"{embedder}.image_embedder", wan)
    if wan.control_layers:
        _convolution(found, "vace_patch_embedding", dim, wan.control_channels, patch)
    for index in range(len(wan.control_layers)):
        _block(found, f"vace_blocks.{index}", wan)
        if index == 0:
            _linear(found, "vace_blocks.0.proj_in", dim, dim)
        _linear(found, f"vace_blocks.{index}.proj_out", dim, dim)
    return found


def _image_branch(found: Shapes, name: str, wan: WanShape) -> None:
    for norm, width in (("norm1", wan.image_dim), ("norm2", wan.dim)):
        found[f"{name}.{norm}.weight"] = found[f"{name}.{norm}.bias"] = (width,)
    _linear(found, f"{name}.ff.net.0.proj", wan.image_dim, wan.image_dim)
    _linear(found, f"{name}.ff.net.2", wan.image_dim, wan.dim)
    if wan.image_tokens:
        found[f"{name}.pos_embed"] = (1, wan.image_tokens, wan.image_dim)
    for index in range(wan.layers):
        attention = f"blocks.{index}.attn2"
        for part in ("add_k_proj", "add_v_proj"):
            _linear(found, f"{attention}.{part}", wan.dim, wan.dim)
        found[f"{attention}.norm_added_k.weight"] = (wan.dim,)


def _block(found: Shapes, name: str, wan: WanShape) -> None:
    dim = wan.dim
    found[f"{name}.scale_shift_table"] = (1, 6, dim)
    for attention in ("attn1", "attn2"):
        for part in ("to_q", "to_k", "to_v", "to_out.0"):
            _linear(found, f"{name}.{attention}.{part}", dim, dim)
        found[f"{name}.{attention}.norm_q.weight"] = (dim,)
        found[f"{name}.{attention}.norm_k.weight"] = (dim,)
    if wan.cross_norm:
        found[f"{name}.norm2.weight"] = (dim,)
        found[f"{name}.norm2.bias"] = (dim,)
    _linear(found, f"{name}.ffn.net.0.proj", dim, wan.ffn)
    _linear(found, f"{name}.ffn.net.2", wan.ffn, dim)


def _linear(found: Shapes, name: str, inputs: int, outputs: int) -> None:
    found[f"{name}.weight"] = (outputs, inputs)
    found[f"{name}.bias"] = (outputs,)


def _convolution(found: Shapes, name: str, outputs: int, inputs: int, kernel: tuple[int, int, int]) -> None:
    found[f"{name}.weight"] = (outputs, inputs, *kernel)
    found[f"{name}.bias"] = (outputs,)


def kind_of_file(names: Iterable[str], shapes: Mapping[str, Any]) -> str:
    """What a single weights file is, in words, told from its names and shapes: "Wan 2.1 VACE 1.3B transformer"."""
    plain = set(without_prefix(names).values())
    text = " ".join(plain)
    for mark, words in (
        (r"\.lora_(A|B|down|up)\.|\.lora_(A|B|down|up)$|_lora\.", "LoRA adapter"),
        (r"\bdouble_blocks\.|\bsingle_blocks\.", "FLUX or HunyuanVideo transformer"),
        (r"\bpatchify_proj\b|\badaln_single\b", "LTX-Video transformer"),
        (r"\binput_blocks\.", "Stable Diffusion checkpoint"),
        (r"controlnet_cond_embedding|input_hint_block", "ControlNet"),
        (r"\bmotion_modules\b", "AnimateDiff motion module"),
        (r"\bimage_proj\.", "IP-Adapter"),
        (r"\bdecoder\.middle\.0\.residual|\bdecoder\.mid_block", "VAE"),
        (r"\bencoder\.block\.\d|\bblocks\.\d+\.ffn\.gate", "text encoder"),
    ):
        if re.search(mark, text):
            return words
    embedding = next((shapes[n] for n in shapes if n.endswith("patch_embedding.weight") and "vace" not in n), None)
    if embedding is None or len(embedding) != 5:
        return "file of an unknown architecture"
    size = {1536: "1.3B", 3072: "5B", 5120: "14B"}.get(embedding[0], f"of width {embedding[0]}")
    if any(name.startswith("vace_") for name in plain):
        return f"Wan VACE {size} transformer"
    role = {16: "text-to-video", 36: "image-to-video", 48: "2.2 text-and-image-to-video"}.get(embedding[1], "")
    return " ".join(f"Wan {role} {size} transformer".split())


_TEXT_RENAMED = (
    (r"^token_embedding\.", "shared."),
    (r"^norm\.weight$", "encoder.final_layer_norm.weight"),
    (r"^blocks\.(\d+)\.norm1\.", r"encoder.block.\1.layer.0.layer_norm."),
    (r"^blocks\.(\d+)\.norm2\.", r"encoder.block.\1.layer.1.layer_norm."),
    (r"^blocks\.(\d+)\.attn\.", r"encoder.block.\1.layer.0.SelfAttention."),
    (r"^blocks\.(\d+)\.pos_embedding\.embedding\.", r"encoder.block.\1.layer.0.SelfAttention.relative_attention_bias."),
    (r"^blocks\.(\d+)\.ffn\.gate\.0\.", r"encoder.block.\1.layer.1.DenseReluDense.wi_0."),
    (r"^blocks\.(\d+)\.ffn\.fc1\.", r"encoder.block.\1.layer.1.DenseReluDense.wi_1."),
    (r"^blocks\.(\d+)\.ffn\.fc2\.", r"encoder.block.\1.layer.1.DenseReluDense.wo."),
)


def text_encoder_name(name: str) -> str:
    """A tensor of Wan's own UMT5 file in the spelling of transformers, which ComfyUI's files have already."""
    for pattern, written in _TEXT_RENAMED:
        renamed = re.sub(pattern, written, name)
        if renamed != name:
            return renamed
    return name


SCALED = ("scale_weight", "scale_input", "scaled_fp8")
"""How ComfyUI's scaled fp8 files end the names of what belongs to a weight: its scale, its input's, a mark."""
BESIDE = ("spiece_model",)
"""What else such files carry: the vocabulary of the tokenizer."""


def is_weight(name: str) -> bool:
    """Whether a tensor of a file is a weight itself, and not what other programs keep beside the weights."""
    last = name.rpartition(".")[2]
    return last not in SCALED and name not in BESIDE


def expert_of(file_name: str) -> str:
    """Which of two experts a file is or was made for, by the name its makers gave it: ``transformer`` (high noise),
    ``transformer_2`` (low noise), or empty for both."""
    name = file_name.lower()
    found = re.search(r"(?<![a-z])(high|low)[ _-]?noise(?![a-z])", name)
    if found is None and re.search(r"wan[ _.-]?2[ _.-]?2|a14b", name):
        found = re.search(r"(?<![a-z])(high|low)(?![a-z])", name)
    return "" if found is None else "transformer" if found[1] == "high" else "transformer_2"
