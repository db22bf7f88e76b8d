"""Which generator serves which mode, and what to tell an artist where none does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from gen2studio.core.errors import GenerationError
from gen2studio.core.records import dataclass
from gen2studio.engine.budget import together, with_frames
from gen2studio.engine.events import Estimate
from gen2studio.engine.generators import Abilities, Generator, Operator, Trainer, TrainingPreset
from gen2studio.engine.requests import GenerateRequest, TrainRequest

MODE_TITLES = {
    "text": "Text to Video",
    "text_image": "Text + Image to Video",
    "image": "Image to Video",
    "stylize": "Stylization",
    "storyboard": "Storyboard",
    "mask": "Mask",
    "render": "Render",
    "customize": "Customization",
}
"""Mode value → the title artists know, in panel order."""

_NEEDS = {
    "text": "a text-to-video generator (Wan 2.1 VACE or Wan 2.2 TI2V)",
    "text_image": "a generator that animates images by text (Wan 2.1 VACE or Wan 2.2 TI2V)",
    "image": "a generator that animates images (Wan 2.1 VACE or Wan 2.2 TI2V)",
    "storyboard": "a generator that animates panels (Wan 2.1 VACE)",
    "customize": "a generator that can be trained (Wan 2.1 VACE or Stable Diffusion 1.5)",
}


@dataclass(frozen=True, slots=True)
class GeneratorEntry:
    """A generator that is loaded when first used: what it can do is known before its libraries are imported."""

    abilities: Abilities
    load: Callable[[], Generator]
    load_trainer: Callable[[], Trainer] | None = None
    """Makes what trains adapters on it; None = it can't be trained."""
    hold: Callable[[str], Abilities] | None = None
    """Remembers how the artist wants the model held (an id of its ``memory_rungs``, or auto) and tells what it can do
    then; None = there is no choice."""
    place: str = ""
    """Where its model lies: an entry of the same id and another place is another model."""
    run_as: Callable[[str], Abilities] | None = None
    """As ``hold``, for an id of its ``run_ways``, or auto."""
    held: Callable[[TrainRequest], str] | None = None
    """How its model is held on this machine while a training runs, or why it can't be, in one sentence."""
    presets: Callable[[bool], tuple[TrainingPreset, ...]] | None = None
    """What cards of each size train on it, of clips or of pictures, least first."""


class GeneratorRegistry:
    """The installed generators by id. Loading is thread-safe and happens once."""

    def __init__(
        self,
        entries: Iterable[GeneratorEntry] = (),
        operators: Mapping[str, Callable[[], Operator]] | None = None,
        source: Callable[[], Iterable[GeneratorEntry]] | None = None,
    ) -> None:
        """``source`` tells the entries again when something was installed or went away."""
        self._entries: dict[str, GeneratorEntry] = {entry.abilities.id: entry for entry in entries}
        self._loaded: dict[str, Generator] = {}
        self._trainers: dict[str, Trainer] = {}
        self._operators: dict[str, Callable[[], Operator]] = dict(operators or {})
        self._source = source
        self._lock = threading.Lock()

    @staticmethod
    def of(*generators: Generator) -> GeneratorRegistry:
        """A registry of generators that are already loaded."""
        return GeneratorRegistry(GeneratorEntry(g.abilities, lambda g=g: g) for g in generators)

    def renew(self) -> None:
        """Look again at what is installed. What was loaded of a model that went or changed is let go; thread-safe."""
        if self._source is None:
            return
        found = {entry.abilities.id: entry for entry in self._source()}
        with self._lock:
            for name, known in self._entries.items():
                now = found.get(name)
                if now is None or (now.place, now.abilities.revision) != (known.place, known.abilities.revision):
                    self._loaded.pop(name, None)
                    self._trainers.pop(name, None)
            self._entries = found

    @property
    def abilities(self) -> tuple[Abilities, ...]:
        return tuple(entry.abilities for entry in self._entries.values())

    def serving(self, mode: str) -> tuple[Abilities, ...]:
        """The abilities of every generator that serves ``mode``, preferred first."""
        return tuple(found for found in self.abilities if found.mode(mode) is not None)

    def why_not(self, mode: str) -> str:
        """The sentence shown for a mode that nobody serves; empty when somebody does."""
        if self.serving(mode):
            return ""
        title = MODE_TITLES.get(mode, mode)
        return f"{title} needs {_NEEDS.get(mode, 'a generator that serves it')}, and none is installed here."

    def estimate(self, request: GenerateRequest) -> Estimate:
        """What a run of ``request`` as a take will need, for showing it before the start. Raises GenerationError.

        Cheap arithmetic; :func:`gen2studio.engine.budget.check` says whether it fits.
        """
        if request.parts:
            return together([self.estimate(part) for part in request.parts])
        made = self.generator(request.generator, request.mode).estimate(request)
        return with_frames(made, request, len(request.wanted))

    def generator(self, generator_id: str, mode: str) -> Generator:
        """Load the generator of a request. Raises GenerationError when it is missing or does not serve ``mode``."""
        entry = self._entries.get(generator_id)
        if entry is None:
            known = ", ".join(self._entries) or "none"
            raise GenerationError(f"The generator “{generator_id}” is not installed.", f"Installed: {known}.")
        if entry.abilities.mode(mode) is None:
            raise GenerationError(
                f"{entry.abilities.title} does not serve {MODE_TITLES.get(mode, mode)}.",
                self.why_not(mode) or "Choose a generator that does.",
            )
        with self._lock:
            if generator_id not in self._loaded:
                self._loaded[generator_id] = entry.load()
            return self._loaded[generator_id]

    def hold(self, generator_id: str, rung: str) -> None:
        """Hold a generator's model as the artist chose, from the next run on. Raises GenerationError."""
        entry = self._entries.get(generator_id)
        if entry is None or entry.hold is None:
            raise GenerationError(f"There is no choice of how “{generator_id}” is held in memory.", "")
        self._entries[generator_id] = replace(entry, abilities=entry.hold(rung))

    def run_as(self, generator_id: str, way: str) -> None:
        """Run a generator's model as the artist chose, from the next run on. Raises GenerationError."""
        entry = self._entries.get(generator_id)
        if entry is None or entry.run_as is None:
            raise GenerationError(f"There is no choice of how “{generator_id}” is run.", "")
        self._entries[generator_id] = replace(entry, abilities=entry.run_as(way))

    def trainer(self, generator_id: str) -> Trainer:
        """What trains adapters on a generator's model. Raises GenerationError."""
        entry = self._entries.get(generator_id)
        if entry is None or entry.load_trainer is None:
            title = entry.abilities.title if entry is not None else f"“{generator_id}”"
            raise GenerationError(f"{title} can't be trained.", "Choose a model that can, such as the built-in one.")
        with self._lock:
            if generator_id not in self._trainers:
                self._trainers[generator_id] = entry.load_trainer()
            return self._trainers[generator_id]

    def training_held(self, request: TrainRequest) -> str:
        """How the model of a training is held on this machine meanwhile, or why it can't be; empty = not known."""
        entry = self._entries.get(request.generator)
        return entry.held(request) if entry is not None and entry.held is not None else ""

    def training_presets(self, generator_id: str, *, clips: bool) -> tuple[TrainingPreset, ...]:
        """What cards of each size train on a model, of clips or of pictures, least first. Cheap arithmetic."""
        entry = self._entries.get(generator_id)
        return entry.presets(clips) if entry is not None and entry.presets is not None else ()

    def operator(self, kind: str, operator_id: str) -> Operator:
        """What interpolates or upscales: the operator ``kind:operator_id``. Raises GenerationError."""
        found = self._operators.get(f"{kind}:{operator_id}")
        if found is None:
            raise GenerationError(f"There is no way to {kind} called “{operator_id}” here.", "Use the built-in one.")
        return found()

    def operators(self, kind: str) -> tuple[str, ...]:
        """Ids of the installed operators of a kind, preferred first."""
        return tuple(key.partition(":")[2] for key in self._operators if key.startswith(f"{kind}:"))
