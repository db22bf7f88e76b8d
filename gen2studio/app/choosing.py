"""Which generator runs a look when the artist left the choice open, and why: one short sentence that is shown.

No Qt in here: the window and the command line choose alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gen2studio.core.curve import Curve
from gen2studio.core.records import dataclass
from gen2studio.document.look import Camera, Look, Mode, Outpaint
from gen2studio.engine.abilities import MODE_TITLES, GeneratorRegistry
from gen2studio.engine.catalog import PromptWord
from gen2studio.engine.generators import Abilities
from gen2studio.engine.key_choice import AUTOMATIC

Words = Callable[[str, str], Sequence[PromptWord]]
"""(prompt, generator id) → its words (:meth:`gen2studio.engine.catalog.Catalog.words`)."""


_ENGINE_SIDE = frozenset({"feather", "grow"})


@dataclass(frozen=True, slots=True)
class Choice:
    """A generator and why it is the one."""

    abilities: Abilities
    why: str
    pinned: bool = False
    """The artist chose it; otherwise the program did."""


def denoises(abilities: Abilities) -> bool:
    """True for a diffusion model: it has denoising steps."""
    return abilities.steps[2] > 0


def honours(abilities: Abilities, mode: str, control: str) -> bool:
    """Whether a generator honours ``control`` in ``mode``."""
    found = abilities.mode(mode)
    return found is not None and control in found.controls


def follows_keys(abilities: Abilities, mode: str, control: str) -> bool:
    """Whether a generator lets a slider change over the clip. The mask's edge is the engine's own, for all of them."""
    found = abilities.mode(mode)
    return control in _ENGINE_SIDE or (found is not None and control in found.keyed)


def unfollowed_keys(look: Look, abilities: Abilities) -> tuple[str, ...]:
    """The sliders of a look that have keys which its generator can't follow: they keep the first key's value."""
    return tuple(name for name, _ in look.curves if not follows_keys(abilities, look.mode.value, name))


def settled(look: Look, abilities: Abilities) -> Look:
    """``look`` as ``abilities``' generator runs it: named, with the strength it is best used at where the artist chose
    none, without room around the footage where it can't draw that, with the first key's value for sliders that it can't
    change over a clip, and with key frames where it can draw nothing else, or without where they can't be carried."""
    found = abilities.mode(look.mode.value)
    for name in unfollowed_keys(look, abilities):
        look = look.with_curve(name, Curve(look.curve(name).keys[0].value))
    if look.controls.strength < 0:
        strength = found.strength if found is not None else 1.0
        look = replace(look, controls=replace(look.controls, strength=strength))
    if look.outpaint.adds and not honours(abilities, look.mode.value, "outpaint"):
        look = replace(look, outpaint=Outpaint())
    if look.key_spacing and not honours(abilities, look.mode.value, "key_spacing"):
        look = replace(look, key_spacing=0)
    elif not look.key_spacing and found is not None and found.stills_only and found.makes_clips:
        look = replace(look, key_spacing=AUTOMATIC)
    if look.key_carrier and (not look.key_spacing or found is None or look.key_carrier not in found.carriers):
        look = replace(look, key_carrier="")
    return replace(look, generator=abilities.id)


_GIVEN = {
    "styles": "style images", "layout": "a layout", "keys": "pictures at their times", "first_frame": "a first frame",
    "last_frame": "a last frame", "depth_pass": "a depth pass", "camera": "camera moves",
    "motion_brush": "motion strokes",
}  # fmt: skip


def _given(look: Look) -> tuple[str, ...]:
    """The controls without which something that the artist gave would count nowhere."""
    later = [key for key in look.keys if key.frame]
    present = {
        "styles": bool(look.styles),
        "layout": bool(look.layout),
        # One later picture may lie at the end; more do not.
        "keys": len(later) > 1,
        "first_frame": len(later) < len(look.keys),
        "last_frame": len(later) == 1,
        "depth_pass": look.depth_pass is not None,
        "camera": look.camera != Camera(),
        "motion_brush": bool(look.motion_regions),
    }
    return tuple(name for name, there in present.items() if there)


def _lost(look: Look, abilities: Abilities) -> tuple[str, ...]:
    """What of a look a generator would leave aside, as it honours pictures at any time or at the ends only."""
    mode = look.mode.value
    anywhere = honours(abilities, mode, "keys")
    return tuple(
        name
        for name in _given(look)
        if not (honours(abilities, mode, name) or (anywhere and name in ("first_frame", "last_frame")))
    )


def _fitting(look: Look, models: list[Abilities]) -> list[Abilities]:
    """``models`` with those first that make clips, then those that take most of what was given, else as they stand:
    best first. Words alone go to one that makes shots from words."""
    mode, invents = look.mode.value, look.mode in (Mode.TEXT_IMAGE_TO_VIDEO, Mode.STORYBOARD) and not look.keys

    def order(each: Abilities) -> tuple[bool, int, bool]:
        found = each.mode(mode)
        only_stills = found is not None and not found.makes_clips
        return only_stills, len(_lost(look, each)), invents and each.mode(Mode.TEXT_TO_VIDEO.value) is None

    return sorted(models, key=order)


def choose(look: Look, registry: GeneratorRegistry, words: Words, adapter_base: str = "") -> Choice | None:
    """The generator for ``look``; None when none serves its mode.

    ``adapter_base`` is the id of the generator that the look's adapters were trained on, when it has any. The registry
    lists diffusion models best first; of those the first that takes what was given counts as the best. A pinned
    generator wins wherever it serves the mode. Modes without footage need a model. On footage, what is given decides:
    images, presets, painted keys, patterns and words it knows go to the generator that paints from examples at full
    size; words that only a model understands, and what only models honour (adapters, depth passes, key frames to be
    drawn), go to the model.
    """
    mode = look.mode.value
    serving = registry.serving(mode)
    if not serving:
        return None
    pinned = next((a for a in serving if a.id == look.generator), None)
    if pinned is not None:
        return Choice(pinned, "Your choice.", pinned=True)
    listed = [a for a in serving if denoises(a)]
    models = _fitting(look, listed)
    examples = [a for a in serving if not denoises(a)]
    found = _automatic(look, models, examples, words, adapter_base, listed[0] if listed else None)
    if look.generator and (missing := next((a for a in registry.abilities if a.id == look.generator), None)):
        return Choice(found.abilities, f"{missing.title} does not serve {MODE_TITLES[mode]}. {found.why}")
    if look.generator:
        return Choice(found.abilities, f"“{look.generator}” is not installed here. {found.why}")
    return found


def _automatic(
    look: Look,
    models: list[Abilities],
    examples: list[Abilities],
    words: Words,
    adapter_base: str,
    best: Abilities | None,
) -> Choice:
    mode = look.mode.value
    title = MODE_TITLES[mode]
    trained = next((a for a in models if adapter_base and a.id == adapter_base), None)
    if trained is not None:
        return Choice(trained, "The adapter was trained on it.")
    if not examples:
        better = [name for name in _lost(look, best) if name not in _lost(look, models[0])] if best else []
        if better:
            return Choice(models[0], f"It takes {' and '.join(_GIVEN[name] for name in better)}.")
        return Choice(models[0], f"{title} needs a model, and this is the best one installed.")
    example = examples[0]
    if not models:
        return Choice(example, f"It serves {title} without a model.")
    model = models[0]
    if look.adapters:
        return Choice(model, "Adapters need a model.")
    if look.outpaint.adds:
        drawing = next((a for a in models if honours(a, mode, "outpaint")), None)
        if drawing is not None:
            return Choice(drawing, "It draws what lies around the footage.")
    if look.key_spacing:
        drawing = next((a for a in models if honours(a, mode, "key_spacing")), None)
        if drawing is not None:
            return Choice(drawing, "It draws key frames, and the frames between are carried from them.")
    if look.keys:
        return Choice(example, "It carries painted key frames through the clip at full size.")
    if look.styles:
        return Choice(example, "It paints from your style images at full size.")
    if look.preset:
        return Choice(example, "It paints the chosen look at full size.")
    if look.pattern is not None and (look.pattern.kind != "none" or look.mode is Mode.MASK):
        return Choice(example, "It draws colours and patterns on the subject at full size.")
    if look.depth_pass is not None:
        return Choice(model, "It follows the depth pass.")
    if look.prompt.strip():
        if _asks_for_something(words(look.prompt, example.id)):
            return Choice(example, "It knows words of your prompt and paints at full size.")
        knowing = next((a for a in models if _asks_for_something(words(look.prompt, a.id))), None)
        if knowing is not None:
            return Choice(knowing, "It knows the words of your prompt.")
        return Choice(example, "No generator here knows these words; add a style image or a look.")
    return Choice(example, "It paints from a style image, a look or words such as “watercolour”.")


def _asks_for_something(words: Sequence[PromptWord]) -> bool:
    return any(word.known and not word.filler for word in words)
