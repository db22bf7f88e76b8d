"""Checkpoints of FLUX.2 [klein] (``Flux2KleinPipeline``): Qwen3, a double- and single-stream transformer, its VAE."""

from __future__ import annotations

from gen2studio.models.architecture import MOST_LAYERS, component_size, mismatch, number, numbers, odd
from gen2studio.models.families.qwen_words import check_words, layers_of, text_rules
from gen2studio.models.families.rules import (
    DIFFUSERS,
    DIFFUSERS_WEIGHTS,
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
from gen2studio.models.families.tensor_checks import shapes_of
from gen2studio.models.manifest import MODEL_INDEX, FrameRule, GuidanceRange, ModelFacts, StepRange

TEXT_LAYERS = (9, 18, 27)
"""Layers of the text encoder whose states the prompt is made of."""
SIZES = ((1024, 1024), (1360, 768), (768, 1360), (1152, 896), (896, 1152))
"""About a megapixel, in multiples of 16."""
_PICTURES = 3
"""Pictures in one pass, for the estimate: the one that is drawn, the frame, and a reference."""


def vae_scales(config: Config) -> tuple[int, int]:
    """(latent channels of the denoiser, pixels to one of its cells). Raises ModelError."""
    channels = number(config, "vae", "latent_channels", 32, 1024)
    stages = numbers(config, "vae", "block_out_channels", [128, 256, 512, 512], 1 << 14)
    patch = numbers(config, "vae", "patch_size", [2, 2], 8)
    if patch != [2, 2] or len(stages) > 8:
        raise odd("vae", "patch_size")
    return channels * 4, 2 ** len(stages)


def _check(configs: Configs, headers: Headers) -> None:
    width, layers = check_words(configs["text_encoder"], headers["text_encoder"])
    if layers < max(TEXT_LAYERS):
        raise mismatch(f"The text encoder has {layers} layers and this model reads layer {max(TEXT_LAYERS)}.")
    config, shapes = configs["transformer"], shapes_of(headers["transformer"])
    channels, _ = vae_scales(configs["vae"])
    dim = _dim(config)
    reads = number(config, "transformer", "joint_attention_dim", 15360, 1 << 16)
    wanted = {"x_embedder.weight": (dim, channels), "context_embedder.weight": (dim, reads)}
    for name, shape in wanted.items():
        if shapes.get(name) != shape:
            raise mismatch(f"The transformer's “{name}” is {shapes.get(name)} and {shape} is needed.")
    if reads != width * len(TEXT_LAYERS):
        raise mismatch(f"The transformer reads texts of width {reads} and the text encoder writes {width} a layer.")
    for stem, key, usual in (("transformer_blocks", "num_layers", 8), ("single_transformer_blocks",
                             "num_single_layers", 48)):  # fmt: skip
        says = number(config, "transformer", key, usual, MOST_LAYERS)
        if layers_of(shapes, stem) != says:
            raise mismatch(f"The transformer has {layers_of(shapes, stem)} “{stem}” and its config says {says}.")
    _wider(config)
    conv = shapes_of(headers["vae"]).get("decoder.conv_in.weight")
    if conv is None or len(conv) != 4 or conv[1] * 4 != channels:
        raise mismatch("The VAE's weights don't match its config at “decoder.conv_in.weight”.")


def _dim(config: Config) -> int:
    heads = number(config, "transformer", "num_attention_heads", 48, 1024)
    return heads * number(config, "transformer", "attention_head_dim", 128, 1024)


def _wider(config: Config) -> float:
    """How much wider than a token its feed-forward is. Raises ModelError."""
    ratio = config.get("mlp_ratio", 3.0)
    if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not 0 < ratio <= 64:
        raise odd("transformer", "mlp_ratio")
    return ratio


def _facts(configs: Configs, headers: Headers, classes: Classes) -> ModelFacts:
    channels, spatial = vae_scales(configs["vae"])
    return ModelFacts(
        dim=_dim(configs["transformer"]),
        patch=(1, 1, 1),
        latent_channels=channels,
        temporal_scale=1,
        spatial_scale=spatial,
        flow_shift=None,
        components=tuple(component_size(name, classes[name], parts) for name, parts in headers.items()),
    )


def _defaults(facts: ModelFacts, configs: Configs) -> FamilyDefaults:
    distilled = configs.get(MODEL_INDEX, {}).get("is_distilled") is True
    # Of the published ones only the 4B has a text encoder of this width; the 9B is not free for commercial use.
    small = configs["text_encoder"].get("hidden_size") == 2560
    base = "" if distilled else "-base"
    return FamilyDefaults(
        id=f"flux2-klein{base}-4b" if small else "",
        title=f"FLUX.2 klein {'' if distilled else 'base '}4B" if small else "",
        licence="Apache-2.0" if small else "",
        sizes=SIZES,
        frames=FrameRule(native=1, most=1, multiple=1),
        # The distilled one has no guidance at all.
        guidance=GuidanceRange(1.0, 1.0, 1.0, 1.0) if distilled else GuidanceRange(4.0, 1.0, 10.0, 4.0),
        steps=StepRange(4, 1, 12) if distilled else StepRange(50, 8, 80),
    )


def _work(configs: Configs, clip: ClipShape) -> Work:
    config = configs["transformer"]
    channels, spatial = vae_scales(configs["vae"])
    cells = -(-clip.width // spatial) * -(-clip.height // spatial)
    tokens = _PICTURES * cells + 512
    dim = _dim(config)
    ratio = _wider(config)
    stages = numbers(configs["vae"], "vae", "block_out_channels", [128, 256, 512, 512], 1 << 14)
    return Work(
        # Gate and value of the feed-forward at once, and in single blocks beside query, key and value.
        denoiser=TransformerActivations(
            tokens=tokens, dim=dim, ffn=round(2 * ratio * dim) + 3 * dim, latent_numbers=3 * tokens * channels
        ),
        vae_channels=stages[0],
        vae_pixels=clip.width * clip.height,
        vae_frames=1,
    )


FLUX2_KLEIN = CheckpointFamily(
    family="flux2-klein",
    pipeline="Flux2KleinPipeline",
    components={
        **text_rules("Qwen3ForCausalLM"),
        "scheduler": ComponentRule(DIFFUSERS, frozenset({"FlowMatchEulerDiscreteScheduler"}), "scheduler_config.json"),
        "vae": ComponentRule(DIFFUSERS, frozenset({"AutoencoderKLFlux2"}), "config.json", DIFFUSERS_WEIGHTS),
        "transformer": ComponentRule(
            DIFFUSERS, frozenset({"Flux2Transformer2DModel"}), "config.json", DIFFUSERS_WEIGHTS
        ),
    },
    check=_check,
    facts=_facts,
    defaults=_defaults,
    work=_work,
)
