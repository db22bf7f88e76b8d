"""The installed diffusion models as generator entries: what each can do, told without importing torch."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from gen2studio.core.errors import GenerationError, StudioError
from gen2studio.diffusion.estimators import structure_readers
from gen2studio.diffusion.families import wan
from gen2studio.diffusion.families.animatediff import AnimateDiffAdapter
from gen2studio.diffusion.families.cogvideox import CogVideoXAdapter, CogVideoXImageAdapter
from gen2studio.diffusion.families.contract import FamilyAdapter, FamilyTraits
from gen2studio.diffusion.families.flux2_klein import Flux2KleinAdapter
from gen2studio.diffusion.families.hunyuan import HunyuanAdapter, HunyuanImageAdapter
from gen2studio.diffusion.families.ltx import LtxAdapter
from gen2studio.diffusion.families.qwen_image_edit import QwenImageEditAdapter
from gen2studio.diffusion.families.svd import SvdAdapter
from gen2studio.diffusion.families.wan_vace import WanVaceAdapter
from gen2studio.diffusion.families.z_image import ZImageAdapter
from gen2studio.diffusion.sampling.step_reuse import FEWEST_STEPS
from gen2studio.engine.abilities import GeneratorEntry
from gen2studio.engine.generators import Abilities, Generator, ModeAbility, Trainer, TrainingDefaults, TrainingPreset
from gen2studio.engine.requests import TrainRequest
from gen2studio.models.holding import RUNNING, HoldingChoices

if TYPE_CHECKING:
    from gen2studio.diffusion.runtime.residency import Residency
    from gen2studio.models.library import InstalledModel, ModelLibrary
    from gen2studio.models.manifest import ModelManifest

REVISION = "1"
"""Of the way requests are turned into runs; changing it makes old takes stale."""
_FAMILIES: dict[str, FamilyAdapter] = {
    "wan-vace": WanVaceAdapter(),
    **wan.ADAPTERS,
    "flux2-klein": Flux2KleinAdapter(),
    "qwen-image-edit": QwenImageEditAdapter(),
    "z-image": ZImageAdapter(),
    "ltx": LtxAdapter(),
    "svd": SvdAdapter(),
    "animatediff": AnimateDiffAdapter(),
    "cogvideox": CogVideoXAdapter(),
    "cogvideox-image": CogVideoXImageAdapter(),
    "hunyuan": HunyuanAdapter(),
    "hunyuan-image": HunyuanImageAdapter(),
}

_ALWAYS = frozenset({"prompt", "negative_prompt", "seed", "guidance", "steps", "reuse", "consistency", "adapters"})
_INVENTED = frozenset({"motion", "camera", "motion_brush"})
_STRUCTURE = frozenset({"structure", "structure_source", "control_scale"})
_FOOTAGE = _STRUCTURE | {"styles", "style_weight", "depth_pass", "strength", "region", "grow", "feather"}
_BY_MODE: dict[str, frozenset[str]] = {
    "text": _INVENTED | {"lead"},
    "text_image": _INVENTED | {"styles", "style_weight", "keys", "first_frame", "last_frame", "lead"},
    "image": _INVENTED | {"keys", "first_frame", "last_frame", "styles", "lead"},
    "storyboard": _INVENTED | {"keys", "first_frame", "last_frame", "styles", "layout", "structure", "control_scale"},
    "stylize": _FOOTAGE | {"keys", "outpaint"},
    "mask": _FOOTAGE | {"fill", "outpaint"},
    "render": _FOOTAGE | {"keys"},
    "customize": frozenset[str](),
}
_KEYED = frozenset({"structure", "strength"})
"""What may change over a clip: the control video frame by frame, and how long each latent frame is held on the footage.
The control's scale acts on all frames alike."""
_GUIDED = {
    "guidance": "this checkpoint was distilled to work without guidance",
    "negative_prompt": "without guidance nothing can be kept out; this checkpoint was distilled to work so",
}
"""What only guidance makes possible."""
_WHY_NOT = {
    "preset": "presets are recipes of the example-based generator; here the prompt says the look",
    "pattern": "patterns are drawn by the example-based generator",
    "style_weight": "this model takes a style image whole; say less of it with guidance or a lower strength",
    "stroke_size": "the model paints at its own scale",
    "protect_skin": "the model has no idea of skin; mask the person instead",
    "preserve_luminance": "the model draws light and shade itself; keep them with the grey structure source",
    "motion": "footage brings its own motion",
    "camera": "footage brings its own camera",
    "motion_brush": "footage brings its own motion",
    "strength": "there is no footage to start from",
    "region": "a generated shot has no mask",
    "fill": "only mask edits fill something",
    "keys": "a mask edit keeps the footage's own frames; use Stylization to begin with a painted frame",
    "structure": "there is no footage to follow",
    "depth_pass": "there is no footage that a depth pass could belong to",
    "reuse": "this family computes every step",
    "outpaint": "it keeps footage as it is and draws around it: choose Stylization, on the finished take",
}


def family_of(model: InstalledModel) -> FamilyAdapter:
    """The adapter that drives a model. Raises GenerationError for families that none drives."""
    found = _FAMILIES.get(model.manifest.family)
    if found is None:
        raise GenerationError(
            f"{model.title} is of a family that isn't driven yet ({model.manifest.pipeline}).",
            "Use a Wan VACE checkpoint.",
        )
    # What one of these can do depends on the parts that lie beside it.
    return AnimateDiffAdapter.of(model) if isinstance(found, AnimateDiffAdapter) else found


def controls_of_mode(mode: str) -> frozenset[str]:
    """Every control that a model could honour in a mode."""
    return (_ALWAYS | _BY_MODE[mode]) if mode != "customize" else frozenset[str]()


def generator_entries(library: ModelLibrary, residency: Callable[[], Residency] | None = None) -> list[GeneratorEntry]:
    """One entry per usable model of the library, built-in first. Never imports torch.

    ``residency`` gives the owner of loaded weights that all of them share; None = one for these entries.
    """
    owner = functools.cache(residency or _residency)
    return [_entry(model, owner) for model in library.usable() if model.manifest.family in _FAMILIES]


def _entry(model: InstalledModel, owner: Callable[[], Residency]) -> GeneratorEntry:
    def load() -> Generator:
        from gen2studio.diffusion.generator import DiffusionGenerator

        return DiffusionGenerator(model, owner())

    def load_trainer() -> Trainer:
        from gen2studio.diffusion.training.lora import LoraTrainer
        from gen2studio.models.adapters import AdapterLibrary

        return LoraTrainer(model, AdapterLibrary(), owner())

    def hold(rung: str) -> Abilities:
        HoldingChoices().choose(model.id, rung)
        return abilities_of(model)

    def run_as(way: str) -> Abilities:
        HoldingChoices(name=RUNNING).choose(model.id, way)
        return abilities_of(model)

    def held(request: TrainRequest) -> str:
        from gen2studio.diffusion.runtime.device import quick_machine
        from gen2studio.diffusion.training.abilities import held

        return held(model, quick_machine(), request)

    def presets(clips: bool) -> tuple[TrainingPreset, ...]:
        from gen2studio.diffusion.training.presets import presets_of

        return presets_of(model, clips=clips)

    abilities = abilities_of(model)
    place = str(model.transformer_file or model.folder)
    if not abilities.trainable:
        return GeneratorEntry(abilities, load, None, hold, place, run_as)
    return GeneratorEntry(abilities, load, load_trainer, hold, place, run_as, held, presets)


def _residency() -> Residency:
    from gen2studio.diffusion.runtime.residency import Residency

    return Residency(choice=HoldingChoices().rung, way=HoldingChoices(name=RUNNING).rung)


def revision_of(model: InstalledModel) -> str:
    """Changes when the weights, the manifest's revision or our way of running them change."""
    parts = (REVISION, model.manifest.revision, *(digest for _, digest in sorted(model.digests)))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def abilities_of(model: InstalledModel) -> Abilities:
    """Modes, controls and ranges of a model, from its family and its manifest. Raises GenerationError."""
    family, manifest = family_of(model), model.manifest
    traits = family.traits
    trainable = "customize" in traits.modes
    return Abilities(
        id=model.id,
        title=manifest.title,
        revision=revision_of(model),
        modes=tuple(_ability(mode, traits, manifest, model.built_in) for mode in _BY_MODE if mode in traits.modes),
        any_resolution=False,
        needs_weights=not model.built_in,
        native_sizes=manifest.sizes,
        native_rate=manifest.rate,
        native_frames=manifest.frames.native,
        guidance=(manifest.guidance.default, manifest.guidance.lowest, manifest.guidance.highest),
        steps=(manifest.steps.default, manifest.steps.lowest, manifest.steps.highest),
        trainable=trainable,
        training=_training(model) if trainable else TrainingDefaults(),
        structure_readers=structure_readers(frozenset(source for source, _ in traits.structure_why_not)),
        structure_why_not=traits.structure_why_not,
        memory_plan=_memory_plan(model),
        memory_rungs=_memory_rungs(model),
        memory_rung=HoldingChoices().rung(model.id),
        run_ways=_run_ways(),
        run_way=HoldingChoices(name=RUNNING).rung(model.id),
    )


def _training(model: InstalledModel) -> TrainingDefaults:
    from gen2studio.diffusion.runtime.device import quick_machine
    from gen2studio.diffusion.training.abilities import training_of

    return training_of(model, quick_machine())


def _ability(mode: str, traits: FamilyTraits, manifest: ModelManifest, built_in: bool) -> ModeAbility:
    possible = controls_of_mode(mode)
    controls = possible & traits.controls
    unguided = manifest.guidance.highest <= 1.0
    if unguided:
        controls -= _GUIDED.keys()
    no_reuse = "every one of its few steps decides something" if manifest.steps.highest < FEWEST_STEPS else ""
    if built_in:
        # Measured (bench_diffusion, reuse): 41 dB at 0.7 of the time, as 20 steps in place of 30 are.
        no_reuse = "fewer steps look as good and are as quick on the built-in model"
    if no_reuse:
        controls -= {"reuse"}
    fixed = manifest.steps.lowest == manifest.steps.highest
    if fixed:
        controls -= {"steps"}
    if mode == "customize":
        # It trains; what it makes is used in the other modes.
        return ModeAbility(mode=mode, controls=controls)
    # What the mode has no place for is said of the mode, what the family can't do of the family.
    why = {**_WHY_NOT, **{name: reason for name, reason in traits.why_not if name in possible}}
    if unguided:
        why |= {name: reason for name, reason in _GUIDED.items() if name in possible & traits.controls}
    if no_reuse:
        why |= {"reuse": no_reuse}
    if fixed:
        why["steps"] = f"this checkpoint was distilled for exactly {manifest.steps.default} steps"
    return ModeAbility(
        mode=mode,
        controls=controls,
        why_not=tuple((name, reason) for name, reason in why.items() if name not in controls),
        # What an edit puts inside a mask is new: nothing of the footage should shine through it.
        strength=manifest.strength if mode in ("stylize", "render") else 1.0,
        keyed=controls & _KEYED,
        stills_only=traits.stills_only,
        key_reference=traits.stills_only and "styles" in controls,
    )


def _memory_rungs(model: InstalledModel) -> tuple[tuple[str, str], ...]:
    from gen2studio.diffusion.runtime.device import quick_machine
    from gen2studio.diffusion.runtime.ladder import plans_for

    return tuple((plan.rung, plan.title) for plan in plans_for(model, quick_machine()))


def _run_ways() -> tuple[tuple[str, str], ...]:
    from gen2studio.diffusion.runtime.device import quick_machine
    from gen2studio.diffusion.runtime.ways import ways_here

    return tuple((way.id, way.title) for way in ways_here(quick_machine()))


def _memory_plan(model: InstalledModel) -> str:
    from gen2studio.diffusion.runtime.device import quick_machine
    from gen2studio.diffusion.runtime.ladder import choose_plan

    try:
        return choose_plan(model, quick_machine(), rung=HoldingChoices().rung(model.id)).explain()
    except StudioError as error:
        return str(error)
