"""Checkpoints of HunyuanVideo 1.5 (arXiv 2511.18870): words to video (``HunyuanVideo15Pipeline``) and picture to video
(``HunyuanVideo15ImageToVideoPipeline``), for 480 and for 720 lines.

Qwen2.5-VL reads the prompt, a small ByT5 the words in quotation marks that are to be written in the picture, and of
picture-to-video SigLIP the picture. What the checkpoints differ in stands in their configs: the size they were made
for, the guidance (1 where it was distilled away), and whether they take eight steps (``use_meanflow``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from gen2studio.core.records import dataclass
from gen2studio.models.architecture import (
    check_text_encoder,
    check_types,
    component_size,
    mismatch,
    number,
    numbers,
    odd,
)
from gen2studio.models.families.qwen_words import QWEN_TOKENIZERS, check_words
from gen2studio.models.families.rules import (
    BYTE_TOKENIZERS,
    DIFFUSERS,
    DIFFUSERS_WEIGHTS,
    TRANSFORMERS,
    TRANSFORMERS_WEIGHTS,
    CheckpointFamily,
    Classes,
    ClipShape,
    ComponentRule,
    Config,
    Configs,
    FamilyDefaults,
    Headers,
    Work,
)
from gen2studio.models.families.tensor_checks import Shapes, check_some, check_tensors, linear, shapes_of
from gen2studio.models.manifest import FrameRule, GuidanceRange, ModelFacts, StepRange
from gen2studio.models.weights_header import WeightsHeader

LICENCE = "Tencent-Hunyuan-Community"
_SIZES = {
    640: ((848, 480), (480, 848), (640, 640)),
    960: ((1280, 720), (720, 1280), (960, 960)),
}
"""Side of the square that a checkpoint was made for → sizes of about its area, in multiples of 16."""
_GLYPHS = 256
"""Tokens of what is to be written."""
_WORDS = 1000
"""Tokens of a prompt, as the pipeline cuts it off."""
_SEEN = 729
"""Tokens of a picture, there whether one is shown or not."""
_INSIDE = 2048
_TIME = 256
_DIM = 2048
"""Width of the published transformers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HunyuanShape:
    """The numbers of a transformer's config that decide its tensors."""

    heads: int
    head_dim: int
    layers: int
    refiners: int
    inputs: int
    latents: int
    text: int
    glyphs: int
    image: int
    ratio: float
    patch: int
    patch_frames: int
    few_steps: bool
    target: int
    """Side in pixels of the square that it was made for."""

    @property
    def dim(self) -> int:
        return self.heads * self.head_dim

    @property
    def ffn(self) -> int:
        return int(self.dim * self.ratio)


def hunyuan_shape(config: Config) -> HunyuanShape:
    """With diffusers' defaults for missing keys. Raises ModelError."""

    def value(key: str, default: int, highest: int) -> int:
        return number(config, "transformer", key, default, highest)

    ratio = config.get("mlp_ratio", 4.0)
    if not isinstance(ratio, (int, float)) or not 0 < ratio <= 16:
        raise odd("transformer", "mlp_ratio")
    if config.get("qk_norm", "rms_norm") != "rms_norm":
        raise odd("transformer", "qk_norm")
    head_dim = value("attention_head_dim", 128, 1024)
    axes = numbers(config, "transformer", "rope_axes_dim", [16, 56, 56], 1024)
    if len(axes) != 3 or sum(axes) != head_dim:
        raise odd("transformer", "rope_axes_dim")
    return HunyuanShape(
        heads=value("num_attention_heads", 16, 1024),
        head_dim=head_dim,
        layers=value("num_layers", 54, 256),
        refiners=value("num_refiner_layers", 2, 64),
        inputs=value("in_channels", 65, 4096),
        latents=value("out_channels", 32, 4096),
        text=value("text_embed_dim", 3584, 1 << 16),
        glyphs=value("text_embed_2_dim", 1472, 1 << 16),
        image=value("image_embed_dim", 1152, 1 << 16),
        ratio=float(ratio),
        patch=value("patch_size", 1, 16),
        patch_frames=value("patch_size_t", 1, 16),
        few_steps=config.get("use_meanflow", False) is True,
        target=value("target_size", 640, 1 << 14),
    )


def vae_scales(config: Config) -> tuple[int, int, int]:
    """(latent channels, pixels to a latent cell, frames to a latent frame). Raises ModelError."""
    spatial = number(config, "vae", "spatial_compression_ratio", 16, 64)
    temporal = number(config, "vae", "temporal_compression_ratio", 4, 16)
    scaling = config.get("scaling_factor", 1.03682)
    if not isinstance(scaling, (int, float)) or not 0 < scaling < 1e3:
        raise odd("vae", "scaling_factor")
    return number(config, "vae", "latent_channels", 32, 4096), spatial, temporal


def _stages(config: Config) -> Sequence[int]:
    return numbers(config, "vae", "block_out_channels", [128, 256, 512, 1024, 1024], 1 << 14)


def _check(configs: Configs, headers: Headers, *, picture: bool) -> None:
    words = configs["text_encoder"].get("text_config")
    config: Config = words if isinstance(words, dict) else configs["text_encoder"]
    width, _ = check_words(config, headers["text_encoder"])
    glyphs = check_text_encoder(configs["text_encoder_2"], headers["text_encoder_2"])
    for part in ("transformer", "vae"):
        check_types(part, headers[part], Path(part))
    shape = hunyuan_shape(configs["transformer"])
    check_tensors("transformer", _tensors(shape), shapes_of(headers["transformer"]))
    latents, _, _ = vae_scales(configs["vae"])
    stages = _stages(configs["vae"])
    number(configs["vae"], "vae", "layers_per_block", 2, 64)
    check_some(
        "VAE",
        {
            "encoder.conv_in.conv.weight": (stages[0], 3, 3, 3, 3),
            "decoder.conv_in.conv.weight": (stages[-1], latents, 3, 3, 3),
        },
        shapes_of(headers["vae"]),
    )
    # The latents, those of a given picture, and a mask of where it is.
    if shape.latents != latents or shape.inputs != 2 * latents + 1:
        raise mismatch(f"The transformer takes {shape.inputs} channels, and the VAE makes {latents}.")
    if shape.text != width or shape.glyphs != glyphs:
        raise mismatch(
            f"The transformer reads texts of width {shape.text} and {shape.glyphs}, and the text encoders write "
            f"{width} and {glyphs}."
        )
    if configs["scheduler"].get("use_dynamic_shifting"):
        raise odd("scheduler", "use_dynamic_shifting")
    if shape.few_steps and not picture:
        raise mismatch("The few-step transformer makes videos from pictures, and the index names words to video.")
    if picture:
        _check_eye(configs["image_encoder"], headers["image_encoder"], shape.image)


def _check_eye(config: Config, headers: Sequence[WeightsHeader], reads: int) -> None:
    inside = config.get("vision_config")
    config = inside if isinstance(inside, dict) else config
    width = number(config, "image_encoder", "hidden_size", 768, 1 << 14)
    patch = number(config, "image_encoder", "patch_size", 16, 1 << 10)
    number(config, "image_encoder", "image_size", 224, 1 << 12)
    shapes = shapes_of(headers)
    first = next((shape for name, shape in shapes.items() if name.endswith("patch_embedding.weight")), None)
    if first != (width, 3, patch, patch):
        raise mismatch("The image encoder's weights don't match its config.")
    if width != reads:
        raise mismatch(f"The transformer reads pictures of width {reads} and the image encoder writes {width}.")


def _tensors(shape: HunyuanShape) -> Shapes:
    """Every tensor of HunyuanVideo15Transformer3DModel."""
    dim = shape.dim
    made: Shapes = {
        "x_embedder.proj.weight": (dim, shape.inputs, shape.patch_frames, shape.patch, shape.patch),
        "x_embedder.proj.bias": (dim,),
        **_norm("image_embedder.norm_in", shape.image),
        **linear("image_embedder.linear_1", shape.image, shape.image),
        **linear("image_embedder.linear_2", dim, shape.image),
        **_norm("image_embedder.norm_out", dim),
        **_two("context_embedder.time_text_embed.timestep_embedder", dim, _TIME),
        **_two("context_embedder.time_text_embed.text_embedder", dim, shape.text),
        **linear("context_embedder.proj_in", dim, shape.text),
        **_norm("context_embedder_2.norm", shape.glyphs),
        **linear("context_embedder_2.linear_1", _INSIDE, shape.glyphs),
        **linear("context_embedder_2.linear_2", _INSIDE, _INSIDE),
        **linear("context_embedder_2.linear_3", dim, _INSIDE),
        **_two("time_embed.timestep_embedder", dim, _TIME),
        "cond_type_embed.weight": (3, dim),
        **linear("norm_out.linear", 2 * dim, dim),
        **linear("proj_out", shape.patch_frames * shape.patch**2 * shape.latents, dim),
    }
    if shape.few_steps:
        made |= _two("time_embed.timestep_embedder_r", dim, _TIME)
    for block in range(shape.refiners):
        stem = f"context_embedder.token_refiner.refiner_blocks.{block}"
        for name in ("to_q", "to_k", "to_v", "to_out.0"):
            made |= linear(f"{stem}.attn.{name}", dim, dim)
        made |= {**_norm(f"{stem}.norm1", dim), **_norm(f"{stem}.norm2", dim)}
        made |= linear(f"{stem}.ff.net.0.proj", 4 * dim, dim)
        made |= linear(f"{stem}.ff.net.2", dim, 4 * dim)
        made |= linear(f"{stem}.norm_out.linear", 2 * dim, dim)
    for block in range(shape.layers):
        stem = f"transformer_blocks.{block}"
        for name in ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"):
            made |= linear(f"{stem}.attn.{name}", dim, dim)
        for name in ("norm_q", "norm_k", "norm_added_q", "norm_added_k"):
            made[f"{stem}.attn.{name}.weight"] = (shape.head_dim,)
        for name in ("", "_context"):
            made |= linear(f"{stem}.norm1{name}.linear", 6 * dim, dim)
            made |= linear(f"{stem}.ff{name}.net.0.proj", shape.ffn, dim)
            made |= linear(f"{stem}.ff{name}.net.2", dim, shape.ffn)
    return made


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _two(name: str, outputs: int, inputs: int) -> Shapes:
    return {**linear(f"{name}.linear_1", outputs, inputs), **linear(f"{name}.linear_2", outputs, outputs)}


def _facts(configs: Configs, headers: Headers, classes: Classes) -> ModelFacts:
    shape = hunyuan_shape(configs["transformer"])
    latents, spatial, temporal = vae_scales(configs["vae"])
    return ModelFacts(
        dim=shape.dim,
        patch=(shape.patch_frames, shape.patch, shape.patch),
        latent_channels=latents,
        temporal_scale=temporal,
        spatial_scale=spatial,
        flow_shift=None,
        components=tuple(component_size(name, classes[name], parts) for name, parts in headers.items()),
    )


def _defaults(facts: ModelFacts, configs: Configs, *, picture: bool) -> FamilyDefaults:
    """As the makers' page and the published configs have them: 121 frames at 24 a second, 50 steps, guidance 6."""
    shape = hunyuan_shape(configs["transformer"])
    published = facts.dim == _DIM
    lines = {640: "480p", 960: "720p"}.get(shape.target, "")
    few, unguided = shape.few_steps, guidance_of(configs["guider"]) <= 1.0
    kind = ", few steps" if few else " distilled" if unguided else ""
    return FamilyDefaults(
        title=f"HunyuanVideo 1.5 {lines} {'I2V' if picture else 'T2V'}{kind}" if published and lines else "",
        licence=LICENCE if published else "",
        sizes=_SIZES.get(shape.target, _SIZES[640]),
        frames=FrameRule(121, 121, facts.temporal_scale),
        rate=Fraction(24),
        guidance=GuidanceRange(1.0, 1.0, 1.0, 1.0) if unguided else GuidanceRange(6.0, 1.0, 12.0, 6.0),
        # “8 or 12 steps (recommended)”, four “with slightly reduced quality”.
        steps=StepRange(8, 4, 16) if few else StepRange(50, 10, 80),
        text_length=_WORDS,
        strength=0.7,
    )


def guidance_of(config: Config) -> float:
    """The guidance scale that a checkpoint's guider was published with. Raises ModelError."""
    scale = config.get("guidance_scale", 7.5)
    if not isinstance(scale, (int, float)) or not 0 <= scale <= 100:
        raise odd("guider", "guidance_scale")
    return float(scale)


def _work(configs: Configs, clip: ClipShape) -> Work:
    shape = hunyuan_shape(configs["transformer"])
    latents, spatial, temporal = vae_scales(configs["vae"])
    cells = (clip.width // spatial // shape.patch) * (clip.height // spatial // shape.patch)
    frames = ((clip.frames - 1) // temporal + 1) // shape.patch_frames
    tokens = max(1, frames) * cells
    stages = _stages(configs["vae"])
    return Work(
        denoiser=HunyuanActivations(
            tokens=tokens, words=_WORDS + _GLYPHS + _SEEN, dim=shape.dim, ffn=shape.ffn, latent_numbers=tokens * latents
        ),
        vae_channels=stages[0],
        vae_pixels=clip.width * clip.height,
        vae_frames=max(1, clip.frames),
        # The whole clip at once: counted on the live tensors of the class at 1, 33 and 121 frames.
        vae_planes=6.0 * clip.frames + 1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HunyuanActivations:
    """What a pass keeps where it is widest, with the padding of the words left out of the attention."""

    tokens: int
    words: int
    dim: int
    ffn: int
    latent_numbers: int

    def denoising_bytes(self, size: int) -> int:
        """Implements :class:`gen2studio.models.families.rules.Activations`."""
        rows = self.tokens + self.words
        return rows * (2 * self.ffn + 4 * self.dim) * size + 4 * self.latent_numbers * 6


def _components(*, picture: bool) -> dict[str, ComponentRule]:
    made = {
        "tokenizer": ComponentRule(TRANSFORMERS, QWEN_TOKENIZERS, "tokenizer_config.json"),
        "text_encoder": ComponentRule(
            TRANSFORMERS, frozenset({"Qwen2_5_VLTextModel"}), "config.json", TRANSFORMERS_WEIGHTS
        ),
        "tokenizer_2": ComponentRule(TRANSFORMERS, BYTE_TOKENIZERS, "tokenizer_config.json"),
        "text_encoder_2": ComponentRule(
            TRANSFORMERS, frozenset({"T5EncoderModel"}), "config.json", TRANSFORMERS_WEIGHTS
        ),
        "vae": ComponentRule(DIFFUSERS, frozenset({"AutoencoderKLHunyuanVideo15"}), "config.json", DIFFUSERS_WEIGHTS),
        "transformer": ComponentRule(
            DIFFUSERS, frozenset({"HunyuanVideo15Transformer3DModel"}), "config.json", DIFFUSERS_WEIGHTS
        ),
        "scheduler": ComponentRule(DIFFUSERS, frozenset({"FlowMatchEulerDiscreteScheduler"}), "scheduler_config.json"),
        "guider": ComponentRule(DIFFUSERS, frozenset({"ClassifierFreeGuidance"}), "guider_config.json"),
    }
    if picture:
        made |= {
            "image_encoder": ComponentRule(
                TRANSFORMERS, frozenset({"SiglipVisionModel"}), "config.json", TRANSFORMERS_WEIGHTS
            ),
            "feature_extractor": ComponentRule(
                TRANSFORMERS,
                frozenset({"SiglipImageProcessor", "SiglipImageProcessorFast", "SiglipImageProcessorPil"}),
                "preprocessor_config.json",
            ),
        }
    return made


HUNYUAN = CheckpointFamily(
    family="hunyuan",
    pipeline="HunyuanVideo15Pipeline",
    components=_components(picture=False),
    check=lambda configs, headers: _check(configs, headers, picture=False),
    facts=_facts,
    defaults=lambda facts, configs: _defaults(facts, configs, picture=False),
    work=_work,
    text_parts=("tokenizer", "text_encoder", "tokenizer_2", "text_encoder_2"),
    # A clip is decoded at once, which float32 would have no room for; the makers run all of it in 16 bits.
    precise=frozenset({"image_encoder"}),
)
HUNYUAN_IMAGE = replace(
    HUNYUAN,
    family="hunyuan-image",
    pipeline="HunyuanVideo15ImageToVideoPipeline",
    components=_components(picture=True),
    check=lambda configs, headers: _check(configs, headers, picture=True),
    defaults=lambda facts, configs: _defaults(facts, configs, picture=True),
)
