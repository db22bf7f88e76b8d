"""Checkpoints of Qwen-Image-Edit 2509 and 2511 (``QwenImageEditPlusPipeline``): Qwen2.5-VL reads words and pictures."""

from __future__ import annotations

from gen2studio.models.architecture import MOST_LAYERS, component_size, mismatch, number, vae_scales
from gen2studio.models.families.qwen_words import check_words, layers_of, text_rules
from gen2studio.models.families.rules import (
    DIFFUSERS,
    DIFFUSERS_WEIGHTS,
    TRANSFORMERS,
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
from gen2studio.models.manifest import FrameRule, GuidanceRange, ModelFacts, StepRange

SIZES = ((1024, 1024), (1360, 768), (768, 1360), (1152, 896), (896, 1152))
"""About a megapixel, in multiples of 16."""
_PICTURES = 3
"""Pictures in one pass, for the estimate: the one that is drawn, the frame, and a reference."""
_WORDS = 1024
"""Tokens of words and of pictures as they are read, for the estimate."""


def _check(configs: Configs, headers: Headers) -> None:
    words = configs["text_encoder"].get("text_config")
    config: Config = words if isinstance(words, dict) else configs["text_encoder"]
    width, _ = check_words(config, headers["text_encoder"])
    transformer, shapes = configs["transformer"], shapes_of(headers["transformer"])
    channels, _, _ = vae_scales(configs["vae"])
    dim = _dim(transformer)
    reads = number(transformer, "transformer", "joint_attention_dim", 3584, 1 << 16)
    if reads != width:
        raise mismatch(f"The transformer reads texts of width {reads} and the text encoder writes {width}.")
    for name, shape in {"img_in.weight": (dim, 4 * channels), "txt_in.weight": (dim, reads)}.items():
        if shapes.get(name) != shape:
            raise mismatch(f"The transformer's “{name}” is {shapes.get(name)} and {shape} is needed.")
    layers = number(transformer, "transformer", "num_layers", 60, MOST_LAYERS)
    if layers_of(shapes, "transformer_blocks") != layers:
        raise mismatch(
            f"The transformer has {layers_of(shapes, 'transformer_blocks')} blocks and its config says {layers}."
        )
    conv = shapes_of(headers["vae"]).get("decoder.conv_in.weight")
    if conv is None or len(conv) != 5 or conv[1] != channels:
        raise mismatch("The VAE's weights don't match its config at “decoder.conv_in.weight”.")


def _dim(config: Config) -> int:
    heads = number(config, "transformer", "num_attention_heads", 24, 1024)
    return heads * number(config, "transformer", "attention_head_dim", 128, 1024)


def _facts(configs: Configs, headers: Headers, classes: Classes) -> ModelFacts:
    channels, spatial, _ = vae_scales(configs["vae"])
    return ModelFacts(
        dim=_dim(configs["transformer"]),
        patch=(1, 2, 2),
        latent_channels=channels,
        temporal_scale=1,
        spatial_scale=spatial,
        flow_shift=None,
        components=tuple(component_size(name, classes[name], parts) for name, parts in headers.items()),
    )


def _defaults(facts: ModelFacts, configs: Configs) -> FamilyDefaults:
    del configs
    published = facts.dim == 3072
    return FamilyDefaults(
        # 2509 and 2511 have the same shapes: the folder says which it is.
        title="Qwen-Image-Edit" if published else "",
        licence="Apache-2.0" if published else "",
        sizes=SIZES,
        frames=FrameRule(native=1, most=1, multiple=1),
        guidance=GuidanceRange(4.0, 1.0, 10.0, 4.0),
        steps=StepRange(40, 4, 80),
        text_length=1024,
    )


def _work(configs: Configs, clip: ClipShape) -> Work:
    channels, spatial, _ = vae_scales(configs["vae"])
    cells = -(-clip.width // spatial) * -(-clip.height // spatial) // 4
    tokens = _PICTURES * cells + _WORDS
    dim = _dim(configs["transformer"])
    base = number(configs["vae"], "vae", "base_dim", 96, 4096)
    return Work(
        denoiser=TransformerActivations(tokens=tokens, dim=dim, ffn=4 * dim, latent_numbers=12 * tokens * channels),
        vae_channels=base,
        vae_pixels=clip.width * clip.height,
        vae_frames=1,
    )


QWEN_IMAGE_EDIT = CheckpointFamily(
    family="qwen-image-edit",
    pipeline="QwenImageEditPlusPipeline",
    components={
        **text_rules("Qwen2_5_VLForConditionalGeneration"),
        "processor": ComponentRule(TRANSFORMERS, frozenset({"Qwen2VLProcessor"}), "preprocessor_config.json"),
        "scheduler": ComponentRule(DIFFUSERS, frozenset({"FlowMatchEulerDiscreteScheduler"}), "scheduler_config.json"),
        "vae": ComponentRule(DIFFUSERS, frozenset({"AutoencoderKLQwenImage"}), "config.json", DIFFUSERS_WEIGHTS),
        "transformer": ComponentRule(
            DIFFUSERS, frozenset({"QwenImageTransformer2DModel"}), "config.json", DIFFUSERS_WEIGHTS
        ),
    },
    check=_check,
    facts=_facts,
    defaults=_defaults,
    work=_work,
    text_parts=("tokenizer", "processor", "text_encoder"),
)
