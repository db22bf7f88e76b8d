"""Checkpoints of Wan VACE (``WanVACEPipeline``)."""

from __future__ import annotations

from dataclasses import replace

from gen2studio.models.architecture import EXPERTS, check_wan_vace, vae_scales, wan_facts, wan_shape
from gen2studio.models.families.rules import (
    DIFFUSERS,
    DIFFUSERS_WEIGHTS,
    T5_TOKENIZERS,
    TRANSFORMERS,
    TRANSFORMERS_WEIGHTS,
    CheckpointFamily,
    ClipShape,
    ComponentRule,
    Configs,
    FamilyDefaults,
    TransformerActivations,
    Work,
)
from gen2studio.models.manifest import FrameRule, ModelFacts

_SCHEDULERS = frozenset({"UniPCMultistepScheduler", "FlowMatchEulerDiscreteScheduler"})
WAN_COMPONENTS = {
    "tokenizer": ComponentRule(TRANSFORMERS, T5_TOKENIZERS, "tokenizer_config.json"),
    "text_encoder": ComponentRule(TRANSFORMERS, frozenset({"UMT5EncoderModel"}), "config.json", TRANSFORMERS_WEIGHTS),
    "scheduler": ComponentRule(DIFFUSERS, _SCHEDULERS, "scheduler_config.json"),
    "vae": ComponentRule(DIFFUSERS, frozenset({"AutoencoderKLWan"}), "config.json", DIFFUSERS_WEIGHTS),
}
"""What every checkpoint of Wan has beside its transformer."""
WIDE = ((832, 480), (480, 832))
HD = (*WIDE, (1280, 720), (720, 1280))
_TRANSFORMER = ComponentRule(DIFFUSERS, frozenset({"WanVACETransformer3DModel"}), "config.json", DIFFUSERS_WEIGHTS)
_PUBLISHED = {
    1536: FamilyDefaults(id="wan2.1-vace-1.3b", title="Wan 2.1 VACE 1.3B", licence="Apache-2.0", sizes=WIDE),
    5120: FamilyDefaults(id="wan2.1-vace-14b", title="Wan 2.1 VACE 14B", licence="Apache-2.0", sizes=HD),
}
"""Width of the transformer → the checkpoint that was published with it."""


def _defaults(facts: ModelFacts, configs: Configs) -> FamilyDefaults:
    if facts.dim == 5120 and "transformer_2" in configs:
        return replace(_PUBLISHED[5120], id="wan2.2-vace-fun-a14b", title="Wan 2.2 VACE-Fun A14B")
    # The Wan VAE takes 4k+1 frames whatever its own factor is; others are cut off without a word.
    frames = FrameRule(multiple=max(4, facts.temporal_scale))
    return _PUBLISHED.get(facts.dim) or FamilyDefaults(sizes=WIDE, frames=frames)


def wan_vae_work(vae: Configs, clip: ClipShape, denoiser: TransformerActivations) -> Work:
    """The work of a clip for AutoencoderKLWan beside that of ``denoiser``."""
    config = vae["vae"]
    _, _, temporal = vae_scales(config)
    patch = int(config.get("patch_size") or 1)
    multipliers = config.get("dim_mult") or [1]
    return Work(
        denoiser=denoiser,
        vae_channels=int(config.get("decoder_base_dim") or config.get("base_dim") or 96) * int(multipliers[0]),
        vae_pixels=clip.width * clip.height // patch**2,
        # The encoder takes four frames whatever its temporal factor is.
        vae_frames=max(4, temporal),
    )


def _work(configs: Configs, clip: ClipShape) -> Work:
    wan = wan_shape(configs["transformer"])
    _, spatial, temporal = vae_scales(configs["vae"])
    cells = -(-clip.width // spatial) * -(-clip.height // spatial)
    tokens = ((clip.frames - 1) // temporal + 1) * cells // max(1, wan.patch[0] * wan.patch[1] * wan.patch[2])
    activations = TransformerActivations(
        tokens=tokens,
        dim=wan.dim,
        ffn=wan.ffn,
        # Residual stream, control stream, and one hint for each VACE block kept until its main block is reached.
        streams=2 + len(wan.control_layers),
        latent_numbers=4 * tokens * (2 * wan.latent_in + wan.control_channels),
    )
    return wan_vae_work(configs, clip, activations)


WAN_VACE = CheckpointFamily(
    family="wan-vace",
    pipeline="WanVACEPipeline",
    components={
        **WAN_COMPONENTS,
        "transformer": _TRANSFORMER,
        "transformer_2": replace(_TRANSFORMER, optional=True),
    },
    check=check_wan_vace,
    facts=wan_facts,
    defaults=_defaults,
    work=_work,
    denoisers=EXPERTS,
    single_files="wan",
)
