"""Checkpoints of LTX-Video with conditions (``LTXConditionPipeline``): 0.9.5 to 0.9.8, 2B and 13B."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

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
    Config,
    Configs,
    FamilyDefaults,
    Headers,
    TransformerActivations,
    Work,
)
from gen2studio.models.families.tensor_checks import Shapes, check_some, check_tensors, linear, shapes_of
from gen2studio.models.manifest import FrameRule, GuidanceRange, ModelFacts, StepRange

RECIPE = "eight-step distilled"
"""Name of the family's recipe that the distilled checkpoints were made for."""
_MOST_LAYERS = 256
_SIZES = ((768, 512), (512, 768), (1216, 704), (704, 1216))
"""Of the model card; every side a multiple of 32."""
_LICENCE = "LTXV Open Weights License"


@dataclass(frozen=True, slots=True, kw_only=True)
class LtxShape:
    """The numbers of a transformer config that decide its tensors."""

    dim: int
    layers: int
    latents: int
    text: int
    cross: int


def ltx_shape(config: Config) -> LtxShape:
    """With diffusers' defaults for missing keys. Raises ModelError."""
    for key in ("patch_size", "patch_size_t"):
        if config.get(key, 1) != 1:
            raise odd("transformer", key)
    if config.get("qk_norm", "rms_norm_across_heads") not in ("rms_norm_across_heads", "rms_norm"):
        raise odd("transformer", "qk_norm")
    latents = number(config, "transformer", "in_channels", 128, 4096)
    if number(config, "transformer", "out_channels", 128, 4096) != latents:
        raise odd("transformer", "out_channels")
    heads = number(config, "transformer", "num_attention_heads", 32, 1024)
    return LtxShape(
        dim=heads * number(config, "transformer", "attention_head_dim", 64, 1024),
        layers=number(config, "transformer", "num_layers", 28, _MOST_LAYERS),
        latents=latents,
        text=number(config, "transformer", "caption_channels", 4096, 1 << 16),
        cross=number(config, "transformer", "cross_attention_dim", 2048, 1 << 16),
    )


def vae_scales(config: Config) -> tuple[int, int, int]:
    """(latent channels, spatial scale, temporal scale). Raises ModelError."""
    latents = number(config, "vae", "latent_channels", 128, 4096)
    scaling: Any = config.get("spatio_temporal_scaling", [True, True, True, False])
    if not isinstance(scaling, list) or not 0 < len(cast("list[Any]", scaling)) <= 8:
        raise odd("vae", "spatio_temporal_scaling")
    doubled = 2 ** sum(bool(step) for step in cast("list[Any]", scaling))
    spatial = config.get("spatial_compression_ratio") or number(config, "vae", "patch_size", 4, 64) * doubled
    temporal = config.get("temporal_compression_ratio") or number(config, "vae", "patch_size_t", 1, 64) * doubled
    for key, value in (("spatial_compression_ratio", spatial), ("temporal_compression_ratio", temporal)):
        if type(value) is not int or not 1 <= value <= 256:
            raise odd("vae", key)
    return latents, cast("int", spatial), cast("int", temporal)


def _check(configs: Configs, headers: Headers) -> None:
    width = check_text_encoder(configs["text_encoder"], headers["text_encoder"])
    shape = ltx_shape(configs["transformer"])
    check_types("transformer", headers["transformer"], Path("transformer"))
    check_tensors("transformer", _tensors(shape), shapes_of(headers["transformer"]))
    latents, _, _ = vae_scales(configs["vae"])
    check_types("vae", headers["vae"], Path("vae"))
    first = _decoder_blocks(configs["vae"])[-1]
    for key in ("layers_per_block", "decoder_layers_per_block"):
        numbers(configs["vae"], "vae", key, [4, 3, 3, 3, 4], 64)
    check_some(
        "VAE",
        {
            "decoder.conv_in.conv.weight": (first, latents, 3, 3, 3),
            "latents_mean": (latents,),
            "latents_std": (latents,),
        },
        shapes_of(headers["vae"]),
    )
    if shape.latents != latents:
        raise mismatch(f"The transformer works on {shape.latents} latent channels and the VAE makes {latents}.")
    if shape.text != width:
        raise mismatch(f"The transformer reads texts of width {shape.text} and the text encoder writes {width}.")


def _decoder_blocks(config: Config) -> list[int]:
    return numbers(config, "vae", "decoder_block_out_channels", [128, 256, 512, 512], 1 << 14)


def _tensors(shape: LtxShape) -> Shapes:
    """Every tensor of LTXVideoTransformer3DModel."""
    dim = shape.dim
    made: Shapes = {
        "scale_shift_table": (2, dim),
        **linear("proj_in", dim, shape.latents),
        **linear("proj_out", shape.latents, dim),
        **linear("caption_projection.linear_1", dim, shape.text),
        **linear("caption_projection.linear_2", dim, dim),
        **linear("time_embed.emb.timestep_embedder.linear_1", dim, 256),
        **linear("time_embed.emb.timestep_embedder.linear_2", dim, dim),
        **linear("time_embed.linear", 6 * dim, dim),
    }
    for block in range(shape.layers):
        stem = f"transformer_blocks.{block}"
        made[f"{stem}.scale_shift_table"] = (6, dim)
        for attention, read in (("attn1", dim), ("attn2", shape.cross)):
            made |= linear(f"{stem}.{attention}.to_q", dim, dim)
            made |= linear(f"{stem}.{attention}.to_k", dim, read)
            made |= linear(f"{stem}.{attention}.to_v", dim, read)
            made |= linear(f"{stem}.{attention}.to_out.0", dim, dim)
            made[f"{stem}.{attention}.norm_q.weight"] = made[f"{stem}.{attention}.norm_k.weight"] = (dim,)
        made |= linear(f"{stem}.ff.net.0.proj", 4 * dim, dim)
        made |= linear(f"{stem}.ff.net.2", dim, 4 * dim)
    return made


def _facts(configs: Configs, headers: Headers, classes: Classes) -> ModelFacts:
    latents, spatial, temporal = vae_scales(configs["vae"])
    return ModelFacts(
        dim=ltx_shape(configs["transformer"]).dim,
        patch=(1, 1, 1),
        latent_channels=latents,
        temporal_scale=temporal,
        spatial_scale=spatial,
        flow_shift=None,
        components=tuple(component_size(name, classes[name], parts) for name, parts in headers.items()),
    )


def _defaults(facts: ModelFacts, configs: Configs) -> FamilyDefaults:
    """As LTXConditionPipeline and the model card have them."""
    del configs
    known = {2048: "LTX-Video 2B", 4096: "LTX-Video 13B"}.get(facts.dim, "")
    return FamilyDefaults(
        title=known,
        licence=_LICENCE if known else "",
        sizes=_SIZES,
        frames=FrameRule(161, 257, facts.temporal_scale),
        rate=Fraction(25),
        guidance=GuidanceRange(3.0, 1.0, 10.0, 3.0),
        steps=StepRange(40, 8, 60),
        text_length=256,
        flow_shift=1.0,
        strength=0.7,
    )


def _named(name: str, known: FamilyDefaults) -> FamilyDefaults:
    """Distilled checkpoints have the tensors of the others: they are known by what their makers call them."""
    if "distilled" not in name.lower():
        return known
    return replace(
        known,
        title=f"{known.title} distilled" if known.title else "",
        guidance=GuidanceRange(1.0, 1.0, 1.0, 1.0),
        steps=StepRange(8, 8, 8),
        recipe=RECIPE,
    )


def _work(configs: Configs, clip: ClipShape) -> Work:
    shape = ltx_shape(configs["transformer"])
    latents, spatial, temporal = vae_scales(configs["vae"])
    patch = number(configs["vae"], "vae", "patch_size", 4, 64)
    cells = -(-clip.width // spatial) * -(-clip.height // spatial)
    # Prompt and negative prompt go through in one batch.
    tokens = 2 * ((clip.frames - 1) // temporal + 1) * cells
    return Work(
        denoiser=TransformerActivations(
            tokens=tokens,
            dim=shape.dim,
            ffn=4 * shape.dim,
            # The residual stream, and modulations for every token, which has a time of its own where pictures are
            # given: fitted to the live tensors of one pass of the class, in float32 and bfloat16.
            streams=16,
            latent_numbers=4 * tokens * latents,
        ),
        # A stage whose upsampling hands out less than its own width.
        vae_channels=_decoder_blocks(configs["vae"])[0]
        // numbers(configs["vae"], "vae", "upsample_factor", [1, 1, 1, 1], 64)[0],
        vae_pixels=clip.width * clip.height // patch**2,
        # Its decoder looks both ways along time: the clip is decoded in one piece.
        vae_frames=clip.frames,
        vae_planes=4 * clip.frames + 24,
    )


LTX = CheckpointFamily(
    family="ltx",
    pipeline="LTXConditionPipeline",
    components={
        "tokenizer": ComponentRule(TRANSFORMERS, T5_TOKENIZERS, "tokenizer_config.json"),
        "text_encoder": ComponentRule(TRANSFORMERS, frozenset({"T5EncoderModel"}), "config.json", TRANSFORMERS_WEIGHTS),
        "scheduler": ComponentRule(DIFFUSERS, frozenset({"FlowMatchEulerDiscreteScheduler"}), "scheduler_config.json"),
        "vae": ComponentRule(DIFFUSERS, frozenset({"AutoencoderKLLTXVideo"}), "config.json", DIFFUSERS_WEIGHTS),
        "transformer": ComponentRule(
            DIFFUSERS, frozenset({"LTXVideoTransformer3DModel"}), "config.json", DIFFUSERS_WEIGHTS
        ),
    },
    check=_check,
    facts=_facts,
    defaults=_defaults,
    named=_named,
    work=_work,
)
