"""Checkpoints of Wan beside VACE: ``WanPipeline``, ``WanImageToVideoPipeline`` and FastWan's ``WanDMDPipeline``.

One pipeline class stands for several kinds of checkpoints, told apart by the index (two experts, a time for each token)
and by the transformer's config (image branch). Sizes, rates, steps and guidance are those of the makers' model cards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from gen2studio.models.architecture import EXPERTS, check_wan, wan_facts, wan_scales, wan_shape
from gen2studio.models.families.rules import (
    DIFFUSERS,
    DIFFUSERS_WEIGHTS,
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
from gen2studio.models.families.wan_vace import HD, WAN_COMPONENTS, WIDE, wan_vae_work
from gen2studio.models.manifest import MODEL_INDEX, FrameRule, GuidanceRange, ModelFacts, StepRange

_TRANSFORMER = ComponentRule(DIFFUSERS, frozenset({"WanTransformer3DModel"}), "config.json", DIFFUSERS_WEIGHTS)
_COMPONENTS = {
    **WAN_COMPONENTS,
    "transformer": _TRANSFORMER,
    "transformer_2": replace(_TRANSFORMER, optional=True),
}
_IMAGE_COMPONENTS = {
    **_COMPONENTS,
    "image_encoder": ComponentRule(
        TRANSFORMERS,
        frozenset({"CLIPVisionModel", "CLIPVisionModelWithProjection"}),
        "config.json",
        TRANSFORMERS_WEIGHTS,
        optional=True,
    ),
    "image_processor": ComponentRule(
        TRANSFORMERS,
        frozenset({"CLIPImageProcessor", "CLIPImageProcessorFast"}),
        "preprocessor_config.json",
        optional=True,
    ),
}
STRENGTH = 0.7
"""How far a run on footage begins from it while nobody chose: diffusers' default for Wan, rounded to keep more."""
_FEW = StepRange(default=3, lowest=3, highest=3)
_NO_GUIDANCE = GuidanceRange(1.0, 1.0, 1.0, 1.0)
_SMALL, _MIDDLE, _LARGE = 1536, 3072, 5120
"""Widths of the published transformers: 1.3B, 5B, 14B."""


def _index(configs: Configs) -> Mapping[str, Any]:
    return configs.get(MODEL_INDEX, {})


def _sizes(configs: Configs) -> tuple[tuple[int, int], ...]:
    """Checkpoints for 480 lines are published with a flow shift of 3, those for 720 lines with 5."""
    shift = configs["scheduler"].get("flow_shift")
    return tuple(reversed(HD)) if isinstance(shift, (int, float)) and shift >= 5 else HD


def _plain(facts: ModelFacts, configs: Configs) -> FamilyDefaults:
    frames = FrameRule(multiple=max(4, facts.temporal_scale))
    return FamilyDefaults(
        licence="Apache-2.0" if facts.dim in (_SMALL, _MIDDLE, _LARGE) else "",
        sizes=WIDE if facts.dim != _LARGE else HD,
        frames=frames,
        strength=STRENGTH,
    )


def _text_defaults(facts: ModelFacts, configs: Configs) -> FamilyDefaults:
    known = _plain(facts, configs)
    if facts.dim == _LARGE and "transformer_2" in configs:
        return replace(
            known,
            id="wan2.2-t2v-a14b",
            title="Wan 2.2 T2V A14B",
            guidance=GuidanceRange(4.0, 1.0, 10.0, 4.0),
            steps=StepRange(40, 4, 60),
        )
    if facts.dim == _LARGE:
        return replace(known, id="wan2.1-t2v-14b", title="Wan 2.1 T2V 14B")
    if facts.dim == _SMALL:
        return replace(known, id="wan2.1-t2v-1.3b", title="Wan 2.1 T2V 1.3B")
    return known


def _both_defaults(facts: ModelFacts, configs: Configs) -> FamilyDefaults:
    known = replace(_plain(facts, configs), rate=Fraction(24), frames=FrameRule(121, 121, 4), sizes=_WIDE_HD)
    if facts.dim != _MIDDLE:
        return known
    return replace(known, id="wan2.2-ti2v-5b", title="Wan 2.2 TI2V 5B", steps=StepRange(40, 4, 60))


_WIDE_HD = ((1280, 704), (704, 1280), (832, 480), (480, 832))
"""Multiples of 32, which cells of 16 pixels and patches of two need."""


def _image_defaults(facts: ModelFacts, configs: Configs) -> FamilyDefaults:
    known = replace(_plain(facts, configs), sizes=_sizes(configs))
    if facts.dim != _LARGE:
        return known
    if "transformer_2" in configs:
        return replace(
            known,
            id="wan2.2-i2v-a14b",
            title="Wan 2.2 I2V A14B",
            guidance=GuidanceRange(3.5, 1.0, 10.0, 3.5),
            steps=StepRange(40, 4, 60),
        )
    lines = 480 if known.sizes[0] in WIDE else 720
    return replace(known, id=f"wan2.1-i2v-14b-{lines}p", title=f"Wan 2.1 I2V 14B {lines}p")


def _between_defaults(facts: ModelFacts, configs: Configs) -> FamilyDefaults:
    known = replace(_plain(facts, configs), sizes=_sizes(configs), guidance=GuidanceRange(5.5, 1.0, 10.0, 5.5))
    return replace(known, id="wan2.1-flf2v-14b", title="Wan 2.1 FLF2V 14B") if facts.dim == _LARGE else known


def _distilled(made: FamilyDefaults, name: str) -> FamilyDefaults:
    """FastWan: full weights, distilled to three fixed times without guidance."""
    return replace(
        made,
        id=made.id.replace("wan", "fastwan", 1),
        title=made.title.replace("Wan", "FastWan", 1),
        guidance=_NO_GUIDANCE,
        steps=_FEW,
        recipe=name,
    )


FASTWAN_RECIPE = "FastWan, 3 steps"
"""As the family adapter calls it."""


def _facts(configs: Configs, headers: Headers, classes: Classes) -> ModelFacts:
    spatial, temporal = wan_scales(configs["vae"])
    return replace(wan_facts(configs, headers, classes), spatial_scale=spatial, temporal_scale=temporal)


def _work(configs: Configs, clip: ClipShape) -> Work:
    wan = wan_shape(configs["transformer"])
    spatial, temporal = wan_scales(configs["vae"])
    cells = -(-clip.width // spatial) * -(-clip.height // spatial)
    patches = wan.patch[0] * wan.patch[1] * wan.patch[2]
    tokens = ((clip.frames - 1) // temporal + 1) * cells // max(1, patches)
    activations = TransformerActivations(
        tokens=tokens,
        dim=wan.dim,
        ffn=wan.ffn,
        modulated=bool(_index(configs).get("expand_timesteps")),
        latent_numbers=patches * tokens * (2 * wan.latent_in + wan.latent_out),
    )
    return wan_vae_work(configs, clip, activations)


def _of_text(configs: Configs) -> CheckpointFamily:
    return TEXT_AND_IMAGE if _index(configs).get("expand_timesteps") else TEXT


def _of_image(configs: Configs) -> CheckpointFamily:
    if _index(configs).get("expand_timesteps"):
        return replace(TEXT_AND_IMAGE, pipeline=IMAGE.pipeline, components=IMAGE.components)
    wan = wan_shape(configs["transformer"])
    if wan.image_tokens:
        return BETWEEN
    return IMAGE if wan.image_dim else ENDS


def _of_distilled(configs: Configs) -> CheckpointFamily:
    known = _of_text(configs)
    return replace(
        known,
        # The class exists in FastVideo only; the parts are the usual ones.
        pipeline="WanPipeline",
        defaults=lambda facts, found: _distilled(known.defaults(facts, found), FASTWAN_RECIPE),
    )


TEXT = CheckpointFamily(
    family="wan-t2v",
    pipeline="WanPipeline",
    components=_COMPONENTS,
    check=check_wan,
    facts=_facts,
    defaults=_text_defaults,
    work=_work,
    denoisers=EXPERTS,
    single_files="wan",
    variant=_of_text,
)
TEXT_AND_IMAGE = replace(TEXT, family="wan-ti2v", defaults=_both_defaults)
IMAGE = replace(
    TEXT,
    family="wan-i2v",
    pipeline="WanImageToVideoPipeline",
    components=_IMAGE_COMPONENTS,
    defaults=_image_defaults,
    variant=_of_image,
)
ENDS = replace(IMAGE, family="wan-i2v-ends")
BETWEEN = replace(IMAGE, family="wan-flf", defaults=_between_defaults)
DISTILLED = replace(TEXT, pipeline="WanDMDPipeline", variant=_of_distilled)
