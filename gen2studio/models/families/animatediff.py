"""Checkpoints of AnimateDiff: a folder of Stable Diffusion 1.5 (``StableDiffusionPipeline``) with motion modules.

The folder is the image model as it was published. What makes it a video model lies beside it and is a work of its own:
a motion adapter (without which the folder makes nothing that moves), ControlNets, an IP-Adapter with its image encoder,
and the LoRA that belongs to AnimateLCM. The safety checker that an index names is never opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from gen2studio.core.errors import ModelError
from gen2studio.core.records import dataclass
from gen2studio.models.architecture import component_size, number
from gen2studio.models.families.rules import (
    DIFFUSERS,
    DIFFUSERS_WEIGHTS,
    TENSORS,
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
from gen2studio.models.families.tensor_checks import shapes_of
from gen2studio.models.manifest import FrameRule, GuidanceRange, ModelFacts, StepRange
from gen2studio.models.weights_header import WeightsHeader

ANIMATE_LCM = "AnimateLCM"
LIGHTNING = "AnimateDiff-Lightning"
CONTROL_PREFIX = "controlnet_"
CONTROLS = ("depth", "scribble", "canny", "tile")
"""Kinds of ControlNets that can lie beside the model."""
_RECIPE = "_recipe"
"""Set in a motion adapter's config while it is read; diffusers passes over names that begin so."""
_SCHEDULERS = frozenset(
    [
        *("PNDMScheduler", "DDIMScheduler", "DDPMScheduler", "LMSDiscreteScheduler", "EulerDiscreteScheduler"),
        *("EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "LCMScheduler"),
        *("HeunDiscreteScheduler", "DEISMultistepScheduler"),
    ]
)
_NO_MOTION = (
    "Stable Diffusion 1.5 makes single pictures; a motion adapter that makes clips of it is missing.",
    "Add it with --with-motion FOLDER (such as guoyww/animatediff-motion-adapter-v1-5-3), or put that folder beside "
    "this one.",
)
_MOST = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class UnetActivations:
    """What a UNet with motion modules keeps: the skips of its way down, and the widest layer of its way up.

    The factors are exact for attention without a stored matrix: they were found by following every tensor that the
    classes of Stable Diffusion 1.5 make and let go, at sizes from 256 to 768 pixels, 8 and 16 frames, within 1 %.
    """

    tokens: int
    """Cells of all frames, with and without words together."""
    skips: int
    """Numbers in all skips."""
    widest: int
    """Numbers in the widest layer, the feed-forward of the motion modules at full resolution, and beside it."""
    control: int = 0
    """Numbers of a ControlNet's answer."""

    def denoising_bytes(self, size: int) -> int:
        """Implements :class:`gen2studio.models.families.rules.Activations`."""
        return (self.skips + self.widest + self.control) * size


def vae_scale(config: Config) -> int:
    """Pixels to a latent cell."""
    return 2 ** (len(_widths(config, "vae", (128, 256, 512, 512))) - 1)


def recipe_name(motion: Config) -> str:
    """Which few-step recipe a motion adapter was distilled for; empty = none."""
    return str(motion.get(_RECIPE, ""))


def _settle_motion(path: Path, config: Config, headers: Sequence[WeightsHeader]) -> Config:
    """The config of a motion adapter, told from its weights where it is a single file, with its recipe."""
    settled = dict(config)
    names = {name: tensor.shape for header in headers for name, tensor in header.tensors.items()}
    if not config:
        settled["use_motion_mid_block"] = any(name.startswith("mid_block.") for name in names)
        lengths = [shape[1] for name, shape in names.items() if name.endswith("pos_embed.pe") and len(shape) == 3]
        settled["motion_max_seq_length"] = lengths[0] if lengths else 32
    return {**settled, _RECIPE: _recipe_of(path)}


def _recipe_of(path: Path) -> str:
    """Distilled motion adapters are told apart by the names they were published under: their shapes are the same."""
    for name in (path.name, path.parent.name):
        plain = name.lower().replace("_", "-")
        if "animatelcm" in plain or "animate-lcm" in plain:
            return ANIMATE_LCM
        if "lightning" in plain:
            steps = next((count for count in (1, 2, 4, 8) if f"{count}step" in plain or f"{count}-step" in plain), 0)
            if steps:
                return f"{LIGHTNING} {steps}-step"
    return ""


# -- checks ------------------------------------------------------------------------------------------------------------


def _check(configs: Configs, headers: Headers) -> None:
    for part, files in headers.items():
        _check_types(part, files)
    unet, motion = configs["unet"], configs["motion_adapter"]
    widths = _widths(unet, "unet", (320, 640, 1280, 1280))
    words = number(unet, "unet", "cross_attention_dim", 1280, 1 << 14)
    channels = number(unet, "unet", "in_channels", 4, 64)
    if channels != number(configs["vae"], "vae", "latent_channels", 4, 64):
        raise ModelError(
            f"The UNet takes {channels} channels: it is an inpainting or a depth edition of Stable Diffusion.",
            "Use the plain Stable Diffusion 1.5, or one that was fine-tuned from it; masks work with it too.",
        )
    if words != number(configs["text_encoder"], "text_encoder", "hidden_size", 512, 1 << 14):
        raise _mismatch("The UNet reads texts of another width than the text encoder writes.")
    vae_scale(configs["vae"])
    shapes = shapes_of(headers["unet"])
    _expect(shapes, "unet", "conv_in.weight", (widths[0], channels, 3, 3))
    layers = sorted(name for name in shapes if name.endswith("attn2.to_k.weight"))
    if not layers or any(shapes[name][-1] != words for name in layers):
        raise _mismatch("The UNet's weights don't match its config where it reads words.")
    _check_motion(motion, headers["motion_adapter"], widths, unet)
    for kind in CONTROLS:
        name = f"{CONTROL_PREFIX}{kind}"
        if name in headers:
            _check_control(name, configs[name], headers[name], widths, words)
    if "ip_adapter" in headers:
        _check_style(headers["ip_adapter"], configs.get("image_encoder"), len(layers), words)


def _check_motion(motion: Config, files: Sequence[WeightsHeader], widths: tuple[int, ...], unet: Config) -> None:
    if motion.get("conv_in_channels"):
        raise ModelError(
            "The motion adapter is PIA's, which takes another UNet.",
            "Use a plain AnimateDiff, AnimateLCM or AnimateDiff-Lightning motion adapter.",
        )
    own = _widths(motion, "motion_adapter", (320, 640, 1280, 1280))
    layers, per_block = unet.get("layers_per_block", 2), motion.get("motion_layers_per_block", 2)
    if own != widths or layers != per_block:
        raise _mismatch("The motion adapter was made for another image model: Stable Diffusion XL's doesn't fit 1.5.")
    length = number(motion, "motion_adapter", "motion_max_seq_length", 32, 1024)
    shapes = shapes_of(files)
    first = "down_blocks.0.motion_modules.0."
    _expect(shapes, "motion_adapter", f"{first}proj_in.weight", (widths[0], widths[0]))
    found = shapes.get(f"{first}transformer_blocks.0.pos_embed.pe")
    if found is not None and found != (1, length, widths[0]):
        raise _mismatch(f"The motion adapter's config says {length} frames, and its weights are made for others.")
    if bool(motion.get("use_motion_mid_block", True)) != any(name.startswith("mid_block.") for name in shapes):
        raise _mismatch("The motion adapter's weights don't match its config in the middle block.")


def _check_control(
    part: str, config: Config, files: Sequence[WeightsHeader], widths: tuple[int, ...], words: int
) -> None:
    own = _widths(config, part, (320, 640, 1280, 1280))
    if own != widths or number(config, part, "cross_attention_dim", 1280, 1 << 14) != words:
        raise _mismatch(f"The {_spoken(part)} was made for another image model than this one.")
    shapes = shapes_of(files)
    _expect(shapes, part, "conv_in.weight", (widths[0], 4, 3, 3))
    if "controlnet_cond_embedding.conv_in.weight" not in shapes:
        raise _mismatch(f"The {_spoken(part)} has no input for a control picture.")


def _check_style(files: Sequence[WeightsHeader], encoder: Config | None, layers: int, words: int) -> None:
    shapes = shapes_of(files)
    if any(not name.startswith(("image_proj.", "ip_adapter.")) for name in shapes):
        raise ModelError("The file given as IP-Adapter is something else.", "Use ip-adapter_sd15.safetensors.")
    keys = [name for name in shapes if name.endswith("to_k_ip.weight")]
    plain, plus = shapes.get("image_proj.proj.weight"), shapes.get("image_proj.latents")
    if plain is None and plus is None:
        raise ModelError(
            "This kind of IP-Adapter (for faces) needs a face recogniser, which Gen2 Studio does not have.",
            "Use ip-adapter_sd15.safetensors or ip-adapter-plus_sd15.safetensors.",
        )
    if len(keys) != layers or any(shapes[name][-1] != words for name in keys):
        raise _mismatch("The IP-Adapter was made for another image model than this one.")
    if encoder is None:
        raise ModelError(
            "The IP-Adapter has no image encoder beside it.",
            "Name it with --image-encoder FOLDER (models/image_encoder of h94/IP-Adapter).",
        )
    if plain is not None:
        reads, writes = plain[-1], number(encoder, "image_encoder", "projection_dim", 512, 1 << 14)
    else:
        reads = (shapes.get("image_proj.proj_in.weight") or (0, 0))[-1]
        writes = number(encoder, "image_encoder", "hidden_size", 768, 1 << 14)
    if reads != writes:
        raise _mismatch("The IP-Adapter reads images of another width than the image encoder writes.")


def _check_types(part: str, files: Sequence[WeightsHeader]) -> None:
    for header in files:
        for name, tensor in header.tensors.items():
            if tensor.dtype not in ("F32", "F16", "BF16", "F64") and not name.endswith("position_ids"):
                raise ModelError(
                    f"The {_spoken(part)} stores “{name[:80]}” as {tensor.dtype}, which can't be computed with.",
                    "Use the fp16 or fp32 file of the same model.",
                )


def _expect(shapes: Mapping[str, tuple[int, ...]], part: str, name: str, shape: tuple[int, ...]) -> None:
    if shapes.get(name) != shape:
        raise _mismatch(f"The weights of the {_spoken(part)} don't match its config at “{name}”.")


def _widths(config: Config, part: str, default: tuple[int, ...]) -> tuple[int, ...]:
    value: Any = config.get("block_out_channels", default)
    rows = cast("Sequence[Any]", value) if isinstance(value, (list, tuple)) else ()
    if not 0 < len(rows) <= 8 or not all(type(row) is int and 0 < row <= _MOST for row in rows):
        raise _odd(part, "block_out_channels")
    return tuple(rows)


def _spoken(part: str) -> str:
    if part.startswith(CONTROL_PREFIX):
        return f"ControlNet for {part.removeprefix(CONTROL_PREFIX)}"
    return {"unet": "UNet", "vae": "VAE", "ip_adapter": "IP-Adapter"}.get(part, part.replace("_", " "))


def _odd(part: str, key: str) -> ModelError:
    return ModelError(f"The config of the {_spoken(part)} has a “{key}” that no such model has.", "Download it again.")


def _mismatch(sentence: str) -> ModelError:
    return ModelError(sentence, "Choose parts that belong together.")


# -- facts -------------------------------------------------------------------------------------------------------------


def _facts(configs: Configs, headers: Headers, classes: Classes) -> ModelFacts:
    return ModelFacts(
        dim=_widths(configs["unet"], "unet", (320, 640, 1280, 1280))[0],
        patch=(1, 1, 1),
        latent_channels=number(configs["vae"], "vae", "latent_channels", 4, 64),
        temporal_scale=1,
        spatial_scale=vae_scale(configs["vae"]),
        flow_shift=None,
        components=tuple(component_size(name, classes[name], files) for name, files in headers.items()),
    )


def _defaults(facts: ModelFacts, configs: Configs) -> FamilyDefaults:
    recipe = recipe_name(configs["motion_adapter"])
    steps, guidance = StepRange(20, 4, 60), GuidanceRange(7.5, 1.0, 15.0, 7.5)
    if recipe == ANIMATE_LCM:
        steps, guidance = StepRange(6, 4, 8), GuidanceRange(2.0, 1.0, 2.0, 2.0)
    elif recipe:
        made_for = int(recipe.removesuffix("-step").rpartition(" ")[2])
        steps, guidance = StepRange(made_for, made_for, made_for), GuidanceRange(1.0, 1.0, 2.0, 1.0)
    controlled = any(name.startswith(CONTROL_PREFIX) for name in configs)
    published = facts.dim == 320
    title = recipe or "AnimateDiff"
    return FamilyDefaults(
        id=title.lower().replace(" ", "-") + "-sd15" if published else "",
        title=f"{title} on Stable Diffusion 1.5" if published else "",
        sizes=((512, 512), (768, 512), (512, 768), (768, 448), (448, 768)),
        frames=FrameRule(16, number(configs["motion_adapter"], "motion_adapter", "motion_max_seq_length", 32, 1024), 1),
        rate=Fraction(8),
        guidance=guidance,
        steps=steps,
        text_length=77,
        # With nothing to follow but the footage itself, footage has to stay in sight.
        strength=1.0 if controlled else 0.6,
        recipe=recipe,
    )


def _work(configs: Configs, clip: ClipShape) -> Work:
    vae = configs["vae"]
    cell = vae_scale(vae)
    widths = _widths(configs["unet"], "unet", (320, 640, 1280, 1280))
    layers = configs["unet"].get("layers_per_block", 2)
    per_block = layers if isinstance(layers, int) else 2
    # Guidance runs both texts as one batch.
    cells = 2 * clip.frames * -(-clip.width // cell) * -(-clip.height // cell)
    skips = cells * widths[0]
    for level, width in enumerate(widths):
        here = cells // 4**level
        skips += here * width * per_block + (here // 4 * width if level + 1 < len(widths) else 0)
    controlled = any(name.startswith(CONTROL_PREFIX) for name in configs)
    return Work(
        denoiser=UnetActivations(
            tokens=cells,
            skips=skips,
            # With a ControlNet the peak is on the way down, where less lies beside.
            widest=cells * widths[0] * (18 if controlled else 21),
            control=skips if controlled else 0,
        ),
        vae_channels=_widths(vae, "vae", (128, 256, 512, 512))[0],
        vae_pixels=clip.width * clip.height,
        vae_frames=1,
        vae_planes=7,
    )


_CONTROL_PARTS = tuple(f"{CONTROL_PREFIX}{kind}" for kind in CONTROLS)
ANIMATEDIFF = CheckpointFamily(
    family="animatediff",
    pipeline="StableDiffusionPipeline",
    components={
        "tokenizer": ComponentRule(
            TRANSFORMERS, frozenset({"CLIPTokenizer", "CLIPTokenizerFast"}), "tokenizer_config.json"
        ),
        "text_encoder": ComponentRule(
            TRANSFORMERS, frozenset({"CLIPTextModel"}), "config.json", TRANSFORMERS_WEIGHTS
        ),
        "scheduler": ComponentRule(DIFFUSERS, _SCHEDULERS, "scheduler_config.json"),
        "vae": ComponentRule(DIFFUSERS, frozenset({"AutoencoderKL"}), "config.json", DIFFUSERS_WEIGHTS),
        "unet": ComponentRule(DIFFUSERS, frozenset({"UNet2DConditionModel"}), "config.json", DIFFUSERS_WEIGHTS),
        "motion_adapter": ComponentRule(
            DIFFUSERS, frozenset({"MotionAdapter"}), "config.json", DIFFUSERS_WEIGHTS,
            companion=True, wanted=_NO_MOTION, settle=_settle_motion,
        ),
        **{
            name: ComponentRule(
                DIFFUSERS, frozenset({"ControlNetModel"}), "config.json", DIFFUSERS_WEIGHTS,
                optional=True, companion=True,
            )
            for name in _CONTROL_PARTS
        },
        "ip_adapter": ComponentRule(TENSORS, frozenset({"IPAdapter"}), "", "ip_adapter", optional=True, companion=True),
        "image_encoder": ComponentRule(
            TRANSFORMERS, frozenset({"CLIPVisionModelWithProjection"}), "config.json", TRANSFORMERS_WEIGHTS,
            optional=True, companion=True,
        ),
        "few_step_lora": ComponentRule(
            TENSORS, frozenset({"LoRA"}), "", "few_step_lora", optional=True, companion=True
        ),
    },
    ignored=frozenset({"safety_checker", "feature_extractor", "requires_safety_checker"}),
    check=_check,
    facts=_facts,
    defaults=_defaults,
    work=_work,
    denoisers=("unet", "motion_adapter"),
    precise=frozenset({"vae"}),
    # A job has one ControlNet, and looks at its style image once, before it begins.
    waiting=frozenset({*_CONTROL_PARTS, "image_encoder"}),
)  # fmt: skip
