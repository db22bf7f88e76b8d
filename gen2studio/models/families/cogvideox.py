"""Checkpoints of CogVideoX: words to video (``CogVideoXPipeline``: 2B, 5B, 1.5) and picture to video
(``CogVideoXImageToVideoPipeline``: 5B, 1.5)."""

from __future__ import annotations

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
from gen2studio.models.families.rules import (
    DIFFUSERS,
    DIFFUSERS_WEIGHTS,
    T5_TOKENIZERS,
    TRANSFORMERS,
    TRANSFORMERS_WEIGHTS,
    CheckpointFamily,
    Classes,
    ClipShape,
    ComponentRule,
    Configs,
    FamilyDefaults,
    Headers,
    TransformerActivations,
    Work,
)
from gen2studio.models.families.tensor_checks import Shapes, check_some, check_tensors, linear, shapes_of
from gen2studio.models.manifest import FrameRule, GuidanceRange, ModelFacts, StepRange

_SCHEDULERS = frozenset({"CogVideoXDDIMScheduler", "CogVideoXDPMScheduler"})
_FIRST_PART = 9
"""Frames that the decoder makes of the first latent ones; eight of every two later ones."""
_PLANES, _PLANES_LATER = 140, 190
"""Pictures that live at once in the first part and in the later ones, which keep the ends of the part before as well:
counted on the live tensors of the class (133 and 178), and what convolutions of gigabytes are put together from."""
_OWN_LICENCE = "CogVideoX License"


@dataclass(frozen=True, slots=True, kw_only=True)
class CogShape:
    """The numbers of a checkpoint's configs that decide its tensors and what it can draw."""

    heads: int
    head_dim: int
    layers: int
    inputs: int
    """Channels the transformer reads: the latents', twice those with a picture beside them."""
    latents: int
    text: int
    text_length: int
    time: int
    offset: int
    """Width of the embedding that 1.5's picture-to-video has besides; 0 = none."""
    patch: int
    patch_frames: int
    patch_bias: bool
    deep: bool
    """Patches are cut along time too (1.5)."""
    learned: bool
    """Positions were learned for one size and length."""
    size: tuple[int, int]
    """(width, height) in pixels that it was made for."""
    native_frames: int
    spatial: int
    temporal: int

    @property
    def dim(self) -> int:
        return self.heads * self.head_dim

    @property
    def fixed_size(self) -> bool:
        return self.learned


def cog_shape(configs: Configs) -> CogShape:
    """With diffusers' defaults for missing keys. Raises ModelError."""
    config, vae = configs["transformer"], configs["vae"]

    def value(key: str, default: int, highest: int) -> int:
        return number(config, "transformer", key, default, highest)

    stages = numbers(vae, "vae", "block_out_channels", [128, 256, 256, 512], 1 << 14)
    if not 0 < len(stages) <= 8:
        raise odd("vae", "block_out_channels")
    spatial = 2 ** (len(stages) - 1)
    temporal = value_of_ratio(vae.get("temporal_compression_ratio", 4))
    if config.get("temporal_compression_ratio", 4) != temporal:
        raise mismatch("The transformer and the VAE count frames differently.")
    deep = config.get("patch_size_t") is not None
    return CogShape(
        heads=value("num_attention_heads", 30, 1024),
        head_dim=value("attention_head_dim", 64, 1024),
        layers=value("num_layers", 30, 256),
        inputs=value("in_channels", 16, 4096),
        latents=value("out_channels", 16, 4096),
        text=value("text_embed_dim", 4096, 1 << 16),
        text_length=value("max_text_seq_length", 226, 4096),
        time=value("time_embed_dim", 512, 1 << 16),
        offset=value("ofs_embed_dim", 1, 1 << 16) if config.get("ofs_embed_dim") is not None else 0,
        patch=value("patch_size", 2, 64),
        patch_frames=value("patch_size_t", 1, 16) if deep else 1,
        patch_bias=bool(config.get("patch_bias", True)),
        deep=deep,
        learned=bool(config.get("use_learned_positional_embeddings", False)),
        size=(value("sample_width", 90, 4096) * spatial, value("sample_height", 60, 4096) * spatial),
        native_frames=value("sample_frames", 49, 4096),
        spatial=spatial,
        temporal=temporal,
    )


def value_of_ratio(ratio: object) -> int:
    """A temporal compression: published configs write it as a float. Raises ModelError."""
    if not isinstance(ratio, (int, float)) or ratio not in (1, 2, 4, 8):
        raise odd("vae", "temporal_compression_ratio")
    return int(ratio)


def _check(configs: Configs, headers: Headers, *, picture: bool) -> None:
    width = check_text_encoder(configs["text_encoder"], headers["text_encoder"])
    for part in ("transformer", "vae"):
        check_types(part, headers[part], Path(part))
    shape = cog_shape(configs)
    check_tensors("transformer", _tensors(shape), shapes_of(headers["transformer"]))
    latents = number(configs["vae"], "vae", "latent_channels", 16, 4096)
    first = numbers(configs["vae"], "vae", "block_out_channels", [128, 256, 256, 512], 1 << 14)
    number(configs["vae"], "vae", "layers_per_block", 3, 64)
    check_some(
        "VAE",
        {
            "encoder.conv_in.conv.weight": (first[0], 3, 3, 3, 3),
            "decoder.conv_in.conv.weight": (first[-1], latents, 3, 3, 3),
        },
        shapes_of(headers["vae"]),
    )
    if shape.latents != latents or shape.inputs != latents * (2 if picture else 1):
        raise mismatch(f"The transformer works on {shape.latents} latent channels and the VAE makes {latents}.")
    if shape.text != width:
        raise mismatch(f"The transformer reads texts of width {shape.text} and the text encoder writes {width}.")


def _tensors(shape: CogShape) -> Shapes:
    """Every tensor of CogVideoXTransformer3DModel."""
    dim, patch = shape.dim, shape.patch**2
    made: Shapes = {
        **linear("patch_embed.text_proj", dim, shape.text),
        **linear("time_embedding.linear_1", shape.time, dim),
        **linear("time_embedding.linear_2", shape.time, shape.time),
        **_norm("norm_final", dim),
        **_norm("norm_out.norm", dim),
        **linear("norm_out.linear", 2 * dim, shape.time),
        **linear("proj_out", patch * shape.patch_frames * shape.latents, dim),
    }
    if shape.deep:
        made["patch_embed.proj.weight"] = (dim, shape.inputs * patch * shape.patch_frames)
    else:
        made["patch_embed.proj.weight"] = (dim, shape.inputs, shape.patch, shape.patch)
    if shape.patch_bias or shape.deep:
        made["patch_embed.proj.bias"] = (dim,)
    if shape.offset:
        made |= linear("ofs_embedding.linear_1", shape.offset, shape.offset)
        made |= linear("ofs_embedding.linear_2", shape.offset, shape.offset)
    if shape.learned:
        cells = (shape.size[0] // shape.spatial // shape.patch) * (shape.size[1] // shape.spatial // shape.patch)
        frames = (shape.native_frames - 1) // shape.temporal + 1
        made["patch_embed.pos_embedding"] = (1, shape.text_length + cells * frames, dim)
    for block in range(shape.layers):
        stem = f"transformer_blocks.{block}"
        for norm in ("norm1", "norm2"):
            made |= linear(f"{stem}.{norm}.linear", 6 * dim, shape.time)
            made |= _norm(f"{stem}.{norm}.norm", dim)
        for name in ("to_q", "to_k", "to_v", "to_out.0"):
            made |= linear(f"{stem}.attn1.{name}", dim, dim)
        made |= _norm(f"{stem}.attn1.norm_q", shape.head_dim)
        made |= _norm(f"{stem}.attn1.norm_k", shape.head_dim)
        made |= linear(f"{stem}.ff.net.0.proj", 4 * dim, dim)
        made |= linear(f"{stem}.ff.net.2", dim, 4 * dim)
    return made


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _facts(configs: Configs, headers: Headers, classes: Classes) -> ModelFacts:
    shape = cog_shape(configs)
    return ModelFacts(
        dim=shape.dim,
        patch=(shape.patch_frames, shape.patch, shape.patch),
        latent_channels=shape.latents,
        temporal_scale=shape.temporal,
        spatial_scale=shape.spatial,
        flow_shift=None,
        components=tuple(component_size(name, classes[name], parts) for name, parts in headers.items()),
    )


def _defaults(facts: ModelFacts, configs: Configs) -> FamilyDefaults:
    """As the pipelines and the model cards have them: 49 frames at 8 a second, 1.5 has 81 at 16."""
    shape = cog_shape(configs)
    name = {1920: "CogVideoX 2B", 3072: "CogVideoX 1.5 5B" if shape.deep else "CogVideoX 5B"}.get(facts.dim, "")
    native = 81 if shape.deep else 49
    return FamilyDefaults(
        title=name,
        licence="" if not name else "Apache-2.0" if facts.dim == 1920 else _OWN_LICENCE,
        sizes=((1360, 768), (768, 1360)) if shape.deep else (shape.size,),
        frames=FrameRule(native, native, 8 * shape.patch_frames),
        rate=Fraction(16 if shape.deep else 8),
        guidance=GuidanceRange(6.0, 1.0, 12.0, 6.0),
        steps=StepRange(50, 10, 100),
        text_length=shape.text_length,
        strength=0.8,
    )


def _image_defaults(facts: ModelFacts, configs: Configs) -> FamilyDefaults:
    known = _defaults(facts, configs)
    # All of them have the licence of 5B.
    return replace(
        known,
        title=f"{known.title} image to video" if known.title else "",
        licence=_OWN_LICENCE if known.licence else "",
    )


def _work(configs: Configs, clip: ClipShape) -> Work:
    shape = cog_shape(configs)
    cells = (clip.width // shape.spatial // shape.patch) * (clip.height // shape.spatial // shape.patch)
    frames = -(-((clip.frames - 1) // shape.temporal + 1) // shape.patch_frames)
    # Prompt and negative prompt go through in one batch, words and pictures in one row.
    tokens = 2 * (shape.text_length + frames * cells)
    return Work(
        denoiser=TransformerActivations(
            tokens=tokens,
            dim=shape.dim,
            ffn=4 * shape.dim,
            latent_numbers=2 * tokens * shape.inputs * shape.patch**2 * shape.patch_frames,
        ),
        vae_channels=numbers(configs["vae"], "vae", "block_out_channels", [128], 1 << 14)[0],
        vae_pixels=clip.width * clip.height,
        vae_frames=min(clip.frames, _FIRST_PART),
        vae_planes=_PLANES if clip.frames <= _FIRST_PART else _PLANES_LATER,
    )


def _components() -> dict[str, ComponentRule]:
    return {
        "tokenizer": ComponentRule(TRANSFORMERS, T5_TOKENIZERS, "tokenizer_config.json"),
        "text_encoder": ComponentRule(TRANSFORMERS, frozenset({"T5EncoderModel"}), "config.json", TRANSFORMERS_WEIGHTS),
        "vae": ComponentRule(DIFFUSERS, frozenset({"AutoencoderKLCogVideoX"}), "config.json", DIFFUSERS_WEIGHTS),
        "transformer": ComponentRule(
            DIFFUSERS, frozenset({"CogVideoXTransformer3DModel"}), "config.json", DIFFUSERS_WEIGHTS
        ),
        "scheduler": ComponentRule(DIFFUSERS, _SCHEDULERS, "scheduler_config.json"),
    }


COGVIDEOX = CheckpointFamily(
    family="cogvideox",
    pipeline="CogVideoXPipeline",
    components=_components(),
    check=lambda configs, headers: _check(configs, headers, picture=False),
    facts=_facts,
    defaults=_defaults,
    work=_work,
)
COGVIDEOX_IMAGE = CheckpointFamily(
    family="cogvideox-image",
    pipeline="CogVideoXImageToVideoPipeline",
    components=_components(),
    check=lambda configs, headers: _check(configs, headers, picture=True),
    facts=_facts,
    defaults=_image_defaults,
    work=_work,
)
