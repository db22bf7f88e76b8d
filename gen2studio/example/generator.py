"""The example-based generator: weight-free, any resolution. Says what it can do and sends a request to the right
engine."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from gen2studio.core.errors import GenerationError
from gen2studio.engine.events import Estimate
from gen2studio.engine.generators import Abilities, ModeAbility, RunContext
from gen2studio.engine.requests import BlobRef, GenerateRequest, PatternRef
from gen2studio.example import words
from gen2studio.example.looks import preset

REVISION = "1"
MODES = ("stylize", "mask", "render")
_COMMON = frozenset(
    [
        "prompt",
        "styles",
        "preset",
        "keys",
        "region",
        "seed",
        "structure",
        "style_weight",
        "consistency",
        "stroke_size",
        "strength",
        "protect_skin",
        "grow",
        "feather",
    ]
)
_KEYED = frozenset(["structure", "style_weight", "strength", "grow", "feather"])
"""What may change from frame to frame. Strength and style weight count on each frame for itself. Structure does for
presets and for the colours and the base of a painting; strokes are synthesised on key frames with the structure there
and carried between them, and painted key frames are followed as strictly as the structure on the key says. The tiles
of a mosaic keep their size over the clip."""
JOIN = 4
"""Frames on each side of a newly made span that are mixed with what was there: strokes are carried from other keys."""
_NO_NEGATIVE = (
    "negative_prompt",
    "this generator paints from examples; only a diffusion model can steer away from words",
)
_NO_OUTPAINT = (
    "outpaint",
    "this generator paints on what is there; only a diffusion model invents what lies around it",
)


class ExampleGenerator:
    """Implements :class:`gen2studio.engine.generators.Generator`. Holds no state; one instance serves any number of
    runs."""

    @property
    def abilities(self) -> Abilities:
        return Abilities(
            id="example",
            title="Example-based",
            revision=REVISION,
            modes=(
                _ability("stylize", why_not=(_NO_NEGATIVE, _NO_OUTPAINT)),
                _ability("mask", {"pattern", "preserve_luminance"}, (_NO_NEGATIVE, _NO_OUTPAINT)),
                _ability("render", why_not=(_NO_NEGATIVE,)),
            ),
        )

    def estimate(self, request: GenerateRequest) -> Estimate:
        """Peak memory and wall seconds, from measured costs per pixel; takes are PNGs of about 1.6 bytes a pixel."""
        pixels = request.width * request.height
        frames = len(request.wanted)
        work = (
            min(1.0, (600 / min(request.width, request.height)) ** 2)
            if min(request.width, request.height) > 600
            else 1.0
        )
        per_frame = pixels * (0.9e-6 + 1.6e-6 * work)
        key = pixels * work * 11e-6 if styles_of(request) or request.keys else pixels * 1e-6
        keys = frames if request.frames is not None else frames / 8 + 1
        return Estimate(
            memory_bytes=int(250e6 + pixels * 150 + pixels * work * 500),
            disk_bytes=int(frames * pixels * 1.6),
            seconds=frames * per_frame + keys * key + 1.0,
        )

    def run(self, request: GenerateRequest, context: RunContext) -> None:
        """Emit every wanted frame. Raises GenerationError where nothing in the request says what to paint."""
        if request.mode not in MODES:
            raise GenerationError(
                f"The example-based generator has no mode “{request.mode}”.",
                f"Use one of {', '.join(MODES)}, or a model that has it.",
            )
        intent = words.parse(request.prompt)
        if intent.unknown:
            listed = ", ".join(f"“{w}”" for w in intent.unknown)
            context.note(
                f"Not understood and left out: {listed}. A diffusion model with text understanding knows such words."
            )
        wish = _pattern_of(request, intent)
        if request.keys:
            from gen2studio.example.painted import run_painted

            run_painted(request, context)
        elif wish is not None:
            from gen2studio.example.region import run_region

            run_region(request, wish, context)
        else:
            from gen2studio.example.look import run_look

            name = request.preset or intent.preset
            if not (name or styles_of(request) or not intent.empty):
                raise GenerationError(*_nothing_to_paint(request))
            run_look(request, preset(name) if name else None, intent, context)


def _ability(mode: str, more: AbstractSet[str] = frozenset(), why_not: tuple[tuple[str, str], ...] = ()) -> ModeAbility:
    return ModeAbility(mode=mode, controls=_COMMON | more, why_not=why_not, keyed=_KEYED, spans="frames", join=JOIN)


def styles_of(request: GenerateRequest) -> tuple[BlobRef, ...]:
    """The style images that count: one of weight 0 is laid aside."""
    return tuple(ref for ref in request.styles if ref.weight > 0)


def _nothing_to_paint(request: GenerateRequest) -> tuple[str, str]:
    known = "watercolour, oil, ink, neon, sunset, night, autumn, red, stripes or spots"
    way = f"Pick a preset or a style image, use words such as {known}, or choose a model that understands free text."
    if request.prompt.strip():
        return f"The example-based generator knows none of the words in “{request.prompt.strip()}”.", way
    return "There is nothing yet to paint with.", way


def _pattern_of(request: GenerateRequest, intent: words.Intent) -> words.PatternWish | PatternRef | None:
    """The region edit that is asked for: the pattern controls first, then the words."""
    if request.preset or intent.preset or styles_of(request):
        return None
    asked = request.pattern
    if asked is not None and asked.kind != "none":
        return asked
    if intent.pattern is not None:
        return intent.pattern
    if request.mode != "mask":
        return None
    if intent.colours:
        return words.PatternWish(base=intent.colours[0])
    return asked if intent.empty else None
