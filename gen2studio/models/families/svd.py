"""Checkpoints of Stable Video Diffusion (``StableVideoDiffusionPipeline``): SVD with 14 frames, SVD-XT with 25."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from gen2studio.core.records import dataclass
from gen2studio.models.architecture import check_types, component_size, mismatch, number, numbers, odd
from gen2studio.models.families.rules import (
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
from gen2studio.models.families.tensor_checks import check_some, count_of, shapes_of
from gen2studio.models.manifest import FrameRule, GuidanceRange, ModelFacts, StepRange

LATENTS = 4
_KINDS = frozenset(
    f"{at}BlockSpatioTemporal" for at in ("CrossAttnDown", "Down", "CrossAttnUp", "Up", "UNetMid")
)  # fmt: skip


def native_frames(configs: Configs) -> int:
    """Frames of a clip. Raises ModelError."""
    return number(configs["unet"], "unet", "num_frames", 25, 256, lowest=2)


def spatial_scale(configs: Configs) -> int:
    """Pixels to a latent cell. Raises ModelError."""
    return 2 ** (len(_stages(configs["vae"], "vae", [64])) - 1)


def cells_multiple(configs: Configs) -> int:
    """Widths and heights in latent cells must be multiples of this: the UNet halves them between its stages."""
    return 2 ** (len(_stages(configs["unet"], "unet", [320, 640, 1280, 1280])) - 1)


def _stages(config: Config, part: str, default: list[int]) -> list[int]:
    found = numbers(config, part, "block_out_channels", default, 1 << 14)
    if not 0 < len(found) <= 8:
        raise odd(part, "block_out_channels")
    return found


def _seen(config: Config) -> int:
    """Width of what the image encoder hands to the UNet."""
    return number(config, "unet", "cross_attention_dim", 1024, 1 << 16)


def _check(configs: Configs, headers: Headers) -> None:
    unet, vae, seen = configs["unet"], configs["vae"], configs["image_encoder"]
    for part in ("unet", "vae", "image_encoder"):
        check_types(part, headers[part], Path(part))
    stages = _stages(unet, "unet", [320, 640, 1280, 1280])
    for key in ("down_block_types", "up_block_types"):
        kinds = unet.get(key, [])
        if not isinstance(kinds, (list, tuple)) or not set(map(str, kinds)) <= _KINDS:  # pyright: ignore[reportUnknownArgumentType]
            raise odd("unet", key)
    if number(unet, "unet", "in_channels", 8, 64) != 2 * LATENTS or number(vae, "vae", "latent_channels", 4, 64) != 4:
        raise mismatch("The UNet and the VAE don't work on the four latent channels of Stable Video Diffusion.")
    width = _seen(unet)
    found = shapes_of(headers["unet"])
    conditions = number(unet, "unet", "projection_class_embeddings_input_dim", 768, 1 << 16)
    if conditions != 3 * number(unet, "unet", "addition_time_embed_dim", 256, 1 << 14):
        raise mismatch("The UNet does not take the rate, the motion and the noise of Stable Video Diffusion.")
    check_some(
        "UNet",
        {
            "conv_in.weight": (stages[0], 2 * LATENTS, 3, 3),
            "conv_out.weight": (LATENTS, stages[0], 3, 3),
            "add_embedding.linear_1.weight": (4 * stages[0], conditions),
            "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight": (stages[-1], width),
        },
        found,
    )
    if count_of(found, "down_blocks") != len(stages) or count_of(found, "up_blocks") != len(stages):
        raise mismatch(f"The UNet does not have the {len(stages)} stages its config says.")
    sides = _stages(vae, "vae", [64])
    check_some(
        "VAE",
        {
            "encoder.conv_in.weight": (sides[0], 3, 3, 3),
            "decoder.conv_in.weight": (sides[-1], LATENTS, 3, 3),
            "decoder.time_conv_out.weight": (3, 3, 3, 1, 1),
        },
        shapes_of(headers["vae"]),
    )
    says = number(seen, "image_encoder", "projection_dim", 512, 1 << 16)
    hidden = number(seen, "image_encoder", "hidden_size", 768, 1 << 16)
    number(seen, "image_encoder", "num_hidden_layers", 12, 256)
    check_some("image encoder", {"visual_projection.weight": (says, hidden)}, shapes_of(headers["image_encoder"]))
    if says != width:
        raise mismatch(f"The UNet reads pictures of width {width} and the image encoder writes {says}.")


def _facts(configs: Configs, headers: Headers, classes: Classes) -> ModelFacts:
    return ModelFacts(
        dim=_stages(configs["unet"], "unet", [320, 640, 1280, 1280])[0],
        patch=(1, cells_multiple(configs), cells_multiple(configs)),
        latent_channels=LATENTS,
        temporal_scale=1,
        spatial_scale=spatial_scale(configs),
        flow_shift=None,
        components=tuple(component_size(name, classes[name], parts) for name, parts in headers.items()),
    )


def _defaults(facts: ModelFacts, configs: Configs) -> FamilyDefaults:
    """As StableVideoDiffusionPipeline and the model cards have them."""
    frames = native_frames(configs)
    published = facts.dim == 320
    name = {14: "Stable Video Diffusion", 25: "Stable Video Diffusion XT"}.get(frames, "") if published else ""
    return FamilyDefaults(
        title=name,
        licence="Stability AI Community License" if name else "",
        sizes=((1024, 576), (576, 1024)),
        frames=FrameRule(frames, frames, 1),
        rate=Fraction(7),
        guidance=GuidanceRange(3.0, 1.0, 6.0, 3.0),
        steps=StepRange(25, 10, 50),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnetActivations:
    """A UNet over all frames of a clip, with and without the picture in one batch.

    At the upper stage lie the skips, a block's input, output and norm, and the halves of a gated feed-forward that is
    eight times as wide. Their number is fitted to the live tensors of one pass of the class.
    """

    tokens: int
    channels: int
    planes: int = 20
    """Of them in the numbers that it computes in, as many numbers wide as the upper stage."""
    wide_planes: int = 8
    """And in float32 whatever it computes in."""

    def denoising_bytes(self, size: int) -> int:
        """Implements :class:`gen2studio.models.families.rules.Activations`."""
        return self.tokens * self.channels * (self.planes * size + self.wide_planes * 4)


def _work(configs: Configs, clip: ClipShape) -> Work:
    spatial = spatial_scale(configs)
    cells = (clip.width // spatial) * (clip.height // spatial)
    return Work(
        denoiser=UnetActivations(tokens=2 * clip.frames * cells, channels=_stages(configs["unet"], "unet", [320])[0]),
        vae_channels=_stages(configs["vae"], "vae", [64])[0],
        vae_pixels=clip.width * clip.height,
        # The decoder looks at neighbouring frames: it gets all of them where the memory allows.
        vae_frames=clip.frames,
        vae_planes=10 * clip.frames,
    )


SVD = CheckpointFamily(
    family="svd",
    pipeline="StableVideoDiffusionPipeline",
    components={
        "vae": ComponentRule(DIFFUSERS, frozenset({"AutoencoderKLTemporalDecoder"}), "config.json", DIFFUSERS_WEIGHTS),
        "image_encoder": ComponentRule(
            TRANSFORMERS, frozenset({"CLIPVisionModelWithProjection"}), "config.json", TRANSFORMERS_WEIGHTS
        ),
        "unet": ComponentRule(
            DIFFUSERS, frozenset({"UNetSpatioTemporalConditionModel"}), "config.json", DIFFUSERS_WEIGHTS
        ),
        "scheduler": ComponentRule(DIFFUSERS, frozenset({"EulerDiscreteScheduler"}), "scheduler_config.json"),
        "feature_extractor": ComponentRule(
            TRANSFORMERS, frozenset({"CLIPImageProcessor", "CLIPImageProcessorPil"}), "preprocessor_config.json"
        ),
    },
    check=_check,
    facts=_facts,
    defaults=_defaults,
    work=_work,
    denoisers=("unet",),
    text_parts=(),
)
