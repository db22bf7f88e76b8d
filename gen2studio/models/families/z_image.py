"""Checkpoints of Z-Image (``ZImagePipeline``, arXiv 2511.22699): Qwen3, a single-stream transformer, FLUX.1's VAE.

Z-Image and its distilled edition Turbo have the same tensors. They are told apart by the shift of their schedules, 3
for Turbo and 6 for the other, and by what their folders are called.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from gen2studio.core.records import dataclass
from gen2studio.models.architecture import (
    MOST_LAYERS,
    check_types,
    component_size,
    mismatch,
    number,
    numbers,
    odd,
)
from gen2studio.models.families.qwen_words import check_words, text_rules
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
    Work,
)
from gen2studio.models.families.tensor_checks import Shapes, check_some, check_tensors, linear, shapes_of
from gen2studio.models.manifest import FrameRule, GuidanceRange, ModelFacts, StepRange

SIZES = ((1024, 1024), (1360, 768), (768, 1360), (1152, 896), (896, 1152))
"""About a megapixel, in multiples of 16."""
_TIME = 256
"""Width of the embedding of a time, and the most that a block is modulated by."""
_TIME_INSIDE = 1024
_ROW = 32
"""Words and picture are each filled up to a multiple of so many tokens."""
_TURBO_SHIFT = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ZImageShape:
    """The numbers of a transformer's config that decide its tensors."""

    dim: int
    heads: int
    layers: int
    refiners: int
    channels: int
    text: int
    patch: int
    normed: bool
    """Queries and keys are normalised."""
    axes: tuple[int, ...]
    """Numbers of a head that turn with time, row and column."""
    places: tuple[int, ...]
    """The most of each that it can tell apart."""

    @property
    def ffn(self) -> int:
        return int(self.dim / 3 * 8)

    @property
    def time(self) -> int:
        return min(self.dim, _TIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleStreamActivations:
    """What a pass keeps where it is widest: in a block's feed-forward.

    The counts are those of the live tensors of one pass of the class at 512² and 1024², alone and with guidance, in
    float32 and bfloat16, within 1 %.
    """

    tokens: int
    dim: int
    ffn: int
    latent_numbers: int

    def denoising_bytes(self, size: int) -> int:
        """Implements :class:`gen2studio.models.families.rules.Activations`."""
        # Gate, value, the opened gate and their product; the stream, its norm, what the attention made, scale and gate.
        return self.tokens * (4 * self.ffn + 5 * self.dim) * size + 4 * self.latent_numbers


def z_image_shape(config: Config) -> ZImageShape:
    """With diffusers' defaults for missing keys. Raises ModelError."""

    def value(key: str, default: int, highest: int) -> int:
        return number(config, "transformer", key, default, highest)

    if config.get("siglip_feat_dim") is not None:
        raise mismatch(
            "This is Z-Image Omni, which reads pictures; this version of the studio drives Z-Image and Turbo."
        )
    patches = numbers(config, "transformer", "all_patch_size", [2], 64)
    depths = numbers(config, "transformer", "all_f_patch_size", [1], 16)
    # The pipeline runs the class's own patches of 2 × 2 in one frame.
    if patches != [2] or depths != [1]:
        raise odd("transformer", "all_patch_size")
    axes = numbers(config, "transformer", "axes_dims", [32, 48, 48], 1024)
    places = numbers(config, "transformer", "axes_lens", [1024, 512, 512], 1 << 16)
    dim, heads = value("dim", 3840, 1 << 14), value("n_heads", 30, 1024)
    if len(axes) != 3 or len(places) != 3 or dim % heads or sum(axes) != dim // heads or any(axis % 2 for axis in axes):
        raise odd("transformer", "axes_dims")
    return ZImageShape(
        dim=dim,
        heads=heads,
        layers=value("n_layers", 30, MOST_LAYERS),
        refiners=value("n_refiner_layers", 2, MOST_LAYERS),
        channels=value("in_channels", 16, 1024),
        text=value("cap_feat_dim", 2560, 1 << 16),
        patch=patches[0],
        normed=bool(config.get("qk_norm", True)),
        axes=tuple(axes),
        places=tuple(places),
    )


def vae_scales(config: Config) -> tuple[int, int]:
    """(latent channels, pixels to a latent cell). Raises ModelError."""
    channels = number(config, "vae", "latent_channels", 4, 1024)
    for key in ("scaling_factor", "shift_factor"):
        value: Any = config.get(key)
        if not isinstance(value, (int, float)) or not abs(value) < 1e3 or (key == "scaling_factor" and not value):
            raise odd("vae", key)
    stages = _stages(config)
    if len(stages) > 8:
        raise odd("vae", "block_out_channels")
    return channels, 2 ** (len(stages) - 1)


def _stages(config: Config) -> list[int]:
    return numbers(config, "vae", "block_out_channels", [64], 1 << 14)


def _check(configs: Configs, headers: Headers) -> None:
    width, _ = check_words(configs["text_encoder"], headers["text_encoder"])
    for part in ("transformer", "vae"):
        check_types(part, headers[part], Path(part))
    shape = z_image_shape(configs["transformer"])
    check_tensors("transformer", _tensors(shape), shapes_of(headers["transformer"]))
    channels, _ = vae_scales(configs["vae"])
    if shape.channels != channels:
        raise mismatch(f"The transformer works on {shape.channels} latent channels and the VAE makes {channels}.")
    if shape.text != width:
        raise mismatch(f"The transformer reads texts of width {shape.text} and the text encoder writes {width}.")
    stages = _stages(configs["vae"])
    number(configs["vae"], "vae", "layers_per_block", 1, 64)
    check_some(
        "VAE",
        {
            "encoder.conv_in.weight": (stages[0], 3, 3, 3),
            "decoder.conv_in.weight": (stages[-1], channels, 3, 3),
        },
        shapes_of(headers["vae"]),
    )


def _tensors(shape: ZImageShape) -> Shapes:
    """Every tensor of ZImageTransformer2DModel."""
    dim, cells = shape.dim, shape.patch**2 * shape.channels
    embed, final = (f"all_{part}.{shape.patch}-1" for part in ("x_embedder", "final_layer"))
    made: Shapes = {
        **linear(embed, dim, cells),
        **linear(f"{final}.linear", cells, dim),
        **linear(f"{final}.adaLN_modulation.1", dim, shape.time),
        **linear("t_embedder.mlp.0", _TIME_INSIDE, _TIME),
        **linear("t_embedder.mlp.2", shape.time, _TIME_INSIDE),
        "cap_embedder.0.weight": (shape.text,),
        **linear("cap_embedder.1", dim, shape.text),
        "x_pad_token": (1, dim),
        "cap_pad_token": (1, dim),
    }
    stacks = (("noise_refiner", shape.refiners), ("context_refiner", shape.refiners), ("layers", shape.layers))
    for stack, count in stacks:
        for block in range(count):
            stem = f"{stack}.{block}"
            for name in ("to_q", "to_k", "to_v", "to_out.0"):
                made |= linear(f"{stem}.attention.{name}", dim, dim, bias=False)
            if shape.normed:
                for name in ("norm_q", "norm_k"):
                    made[f"{stem}.attention.{name}.weight"] = (dim // shape.heads,)
            for name in ("w1", "w3"):
                made |= linear(f"{stem}.feed_forward.{name}", shape.ffn, dim, bias=False)
            made |= linear(f"{stem}.feed_forward.w2", dim, shape.ffn, bias=False)
            for name in ("attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2"):
                made[f"{stem}.{name}.weight"] = (dim,)
            if stack != "context_refiner":
                # Words are read the same at every time.
                made |= linear(f"{stem}.adaLN_modulation.0", 4 * dim, shape.time)
    return made


def _facts(configs: Configs, headers: Headers, classes: Classes) -> ModelFacts:
    channels, spatial = vae_scales(configs["vae"])
    return ModelFacts(
        dim=z_image_shape(configs["transformer"]).dim,
        patch=(1, 2, 2),
        latent_channels=channels,
        temporal_scale=1,
        spatial_scale=spatial,
        flow_shift=None,
        components=tuple(component_size(name, classes[name], parts) for name, parts in headers.items()),
    )


def _defaults(facts: ModelFacts, configs: Configs) -> FamilyDefaults:
    """As the model cards have them. The studio counts guidance as usual, from 1 = none: that is the cards' 0."""
    published = facts.dim == 3840
    known = FamilyDefaults(
        id="z-image" if published else "",
        title="Z-Image" if published else "",
        licence="Apache-2.0" if published else "",
        sizes=SIZES,
        frames=FrameRule(native=1, most=1, multiple=1),
        guidance=GuidanceRange(5.0, 1.0, 10.0, 5.0),
        steps=StepRange(50, 8, 80),
        text_length=512,
        strength=0.7,
    )
    return _turbo(known) if configs["scheduler"].get("shift") == _TURBO_SHIFT else known


def _turbo(known: FamilyDefaults) -> FamilyDefaults:
    return replace(
        known,
        id="z-image-turbo" if known.id else "",
        title="Z-Image Turbo" if known.title else "",
        # Distilled: eight steps without guidance.
        guidance=GuidanceRange(1.0, 1.0, 1.0, 1.0),
        steps=StepRange(8, 4, 16),
    )


def _named(name: str, known: FamilyDefaults) -> FamilyDefaults:
    return _turbo(known) if "turbo" in name.lower() else known


def _work(configs: Configs, clip: ClipShape) -> Work:
    shape = z_image_shape(configs["transformer"])
    _, spatial = vae_scales(configs["vae"])
    cell = spatial * shape.patch
    # The prompt alone: without guidance, and with it one prompt after the other would be less than both at once.
    passes = 1 if configs["scheduler"].get("shift") == _TURBO_SHIFT else 2
    picture = _filled(-(-clip.width // cell) * -(-clip.height // cell))
    tokens = passes * (picture + _filled(512))
    return Work(
        denoiser=SingleStreamActivations(
            tokens=tokens,
            dim=shape.dim,
            ffn=shape.ffn,
            latent_numbers=4 * tokens * shape.channels * shape.patch**2,
        ),
        vae_channels=_stages(configs["vae"])[0],
        vae_pixels=clip.width * clip.height,
        vae_frames=1,
        # Counted on the live tensors of the class at 256², 512² and 1024².
        vae_planes=6.0,
    )


def _filled(tokens: int) -> int:
    return -(-tokens // _ROW) * _ROW


Z_IMAGE = CheckpointFamily(
    family="z-image",
    pipeline="ZImagePipeline",
    components={
        **text_rules("Qwen3Model"),
        "scheduler": ComponentRule(DIFFUSERS, frozenset({"FlowMatchEulerDiscreteScheduler"}), "scheduler_config.json"),
        "vae": ComponentRule(DIFFUSERS, frozenset({"AutoencoderKL"}), "config.json", DIFFUSERS_WEIGHTS),
        "transformer": ComponentRule(
            DIFFUSERS, frozenset({"ZImageTransformer2DModel"}), "config.json", DIFFUSERS_WEIGHTS
        ),
    },
    check=_check,
    facts=_facts,
    defaults=_defaults,
    named=_named,
    work=_work,
)
