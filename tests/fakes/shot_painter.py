"""A generator that paints shots from nothing and operators that repeat pixels, behind the real engine on its thread."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from gen2studio.app.engine_host import EngineHost
from gen2studio.app.preferences import Preferences
from gen2studio.app.studio import Studio
from gen2studio.engine.abilities import GeneratorEntry, GeneratorRegistry
from gen2studio.engine.catalog import PresetInfo, PromptWord
from gen2studio.engine.events import Estimate, Picture
from gen2studio.engine.generators import Abilities, ModeAbility, OperateContext, RunContext
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.protocol import EventSink
from gen2studio.engine.requests import GenerateRequest, OperateRequest
from gen2studio.engine.worker import EngineWorker
from tests.fakes.fake_engine import FakeGenerator

PAINTER = Abilities(
    id="painter",
    title="Painter",
    revision="1",
    modes=tuple(
        ModeAbility(mode=mode, controls=frozenset({"prompt", "seed", "keys", "camera", "layout", "lead", "steps"}))
        for mode in ("text", "text_image", "image", "storyboard", "stylize", "render")
    ),
    native_sizes=((64, 64), (96, 64)),
    native_rate=Fraction(8),
    native_frames=9,
    guidance=(5.0, 1.0, 12.0),
    steps=(8, 1, 30),
)


def painted(request: GenerateRequest, frame: int) -> Picture:
    """A bar that moves with the frame over a ground of the seed's colour."""
    picture = np.full((request.height, request.width, 3), (request.seed * 37) % 256, np.uint8)
    picture[:, (frame * 5) % request.width :][:, :4] = (255, 40, frame)
    return picture


class Painter:
    """Emits :func:`painted`, with a step preview of its first frame before; five frames a second for “slowly”."""

    @property
    def abilities(self) -> Abilities:
        return PAINTER

    def estimate(self, request: GenerateRequest) -> Estimate:
        return Estimate(memory_bytes=1 << 20)

    def run(self, request: GenerateRequest, context: RunContext) -> None:
        wanted = [frame for frame in request.wanted if frame not in context.finished]
        context.step_preview(wanted[0], np.full((8, 12, 3), 90, np.uint8), 1, 2)
        for number, frame in enumerate(wanted, 1):
            context.checkpoint()
            if "slowly" in request.prompt and context.cancel.wait(0.2):
                context.cancel.check()
            context.emit(frame, painted(request, frame))
            context.progress(number, len(wanted), "Painting")


class Repeater:
    """Interpolates by showing each frame again, upscales by showing each pixel again."""

    def estimate(self, request: OperateRequest) -> Estimate:
        return Estimate(memory_bytes=1 << 20)

    def operate(self, request: OperateRequest, context: OperateContext) -> None:
        again = request.factor if request.kind == "interpolate" else 1
        for index, frame in enumerate(range(request.start, request.stop)):
            picture = context.source(frame)
            if request.kind == "upscale":
                picture = picture.repeat(request.factor, 0).repeat(request.factor, 1)
            for k in range(again):
                context.emit(index * again + k, picture)


class Vocabulary:
    """No looks; “watercolour” is known to the one, everything but “zzz” to the other."""

    def presets(self) -> tuple[PresetInfo, ...]:
        return ()

    def words(self, prompt: str, generator: str = "example") -> tuple[PromptWord, ...]:
        known = (lambda w: w == "watercolour") if generator == "fake" else (lambda w: w != "zzz")
        return tuple(PromptWord(word, known(word), filler=word == "a") for word in prompt.split())


def registry() -> GeneratorRegistry:
    """One generator for footage without a model (inverts), one that paints shots, and both operators."""
    inverting, painter = FakeGenerator(), Painter()
    return GeneratorRegistry(
        [GeneratorEntry(inverting.abilities, lambda: inverting), GeneratorEntry(PAINTER, lambda: painter)],
        {"interpolate:built-in": Repeater, "upscale:built-in": Repeater},
    )


def build(queue: JobQueue, sink: EventSink) -> EngineWorker:
    return EngineWorker(queue, sink, registry())


def painting_studio() -> Studio:
    """The program's services over the real engine with :class:`Painter` in it; live preview is off."""
    preferences = Preferences()
    preferences.set("live_preview", False)
    return Studio(preferences, EngineHost(build), registry(), Vocabulary(), sound=False)
