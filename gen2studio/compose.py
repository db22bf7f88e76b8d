"""The composition root: the one place that knows which generator, tracker and reader stand behind the contracts.

Everything here is cheap until it is used: generators and mask tools import their libraries when a job first needs them.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.core.errors import StudioError
from gen2studio.core.log import topic
from gen2studio.core.paths import data_dir
from gen2studio.engine.abilities import GeneratorEntry, GeneratorRegistry
from gen2studio.engine.catalog import Catalog, PresetInfo, PromptWord
from gen2studio.engine.generators import Generator
from gen2studio.engine.keyframed import keyframed_entry
from gen2studio.engine.protocol import EventSink
from gen2studio.engine.workspace import Workspace

if TYPE_CHECKING:
    from gen2studio.app.model_rows import ModelServices
    from gen2studio.app.planning_parts import FoundAdapter
    from gen2studio.app.studio import Studio
    from gen2studio.core.cancel import CancelToken
    from gen2studio.diffusion.runtime.residency import Residency
    from gen2studio.engine.job_queue import JobQueue
    from gen2studio.engine.local import LocalEngine
    from gen2studio.engine.mask_engines import MaskEngineEntry, MaskEngines
    from gen2studio.engine.worker import EngineWorker
    from gen2studio.models.adding import Added
    from gen2studio.models.fitting import MachineFacts
    from gen2studio.models.library import ModelLibrary
    from gen2studio.models.mask_models import MaskModelLibrary
    from gen2studio.models.offers import Offer


@functools.cache
def _models() -> ModelLibrary:
    """The installed models: one library, which remembers what it checked."""
    from gen2studio.models.library import ModelLibrary

    return ModelLibrary()


def _model_entries(owner: Callable[[], Residency]) -> list[GeneratorEntry]:
    """What the installed models can do, best first: those an artist added, then the built-in one."""
    from gen2studio.diffusion.entries import generator_entries

    # Only a built-in model comes with its weights.
    return sorted(generator_entries(_models(), owner), key=lambda entry: not entry.abilities.needs_weights)


def models_problem() -> str:
    """Why the installed models can't be listed, in one sentence; empty when they can."""
    try:
        _models().usable()
    except StudioError as error:
        return str(error)
    return ""


def generator_registry() -> GeneratorRegistry:
    """Every generator of this program by id, preferred first. Imports nothing heavy.

    When the list of models can't be read (:func:`models_problem`), those that need no model are there. Weights of
    upscalers are looked for in ``upscalers`` of the data folder.
    """
    from gen2studio.diffusion.operators.entries import operator_entries
    from gen2studio.example.generator import ExampleGenerator

    example = ExampleGenerator()
    owner = functools.cache(_residency)

    def load_example() -> Generator:
        return example

    def entries() -> list[GeneratorEntry]:
        found = [GeneratorEntry(example.abilities, load_example)]
        if not (problem := models_problem()):
            # Whatever draws frames of footage can draw key frames, and the example-based one carries them.
            models = _model_entries(owner)
            found += [keyframed_entry(entry, found[0], *models) for entry in models]
        else:
            topic("models").error("%s", problem)
        return found

    made = GeneratorRegistry(entries(), operator_entries([data_dir() / "upscalers"]), entries)
    _registries.add(made)
    return made


_registries: weakref.WeakSet[GeneratorRegistry] = weakref.WeakSet()
"""Every registry of this program: the window's and the engine's."""


def renew_generators() -> None:
    """A model was installed, moved or deleted: every registry looks again. May be called on any thread."""
    for registry in tuple(_registries):
        registry.renew()


def _residency() -> Residency:
    from gen2studio.diffusion.runtime.residency import Residency
    from gen2studio.models.holding import RUNNING, HoldingChoices

    return Residency(choice=HoldingChoices().rung, way=HoldingChoices(name=RUNNING).rung)


def find_adapter(adapter_id: str) -> FoundAdapter | None:
    """An adapter of the library by its id, as requests name it; None when it is not there or can't be used."""
    from gen2studio.app.planning_parts import FoundAdapter
    from gen2studio.models.adapters import AdapterLibrary

    try:
        found = AdapterLibrary().adapter(adapter_id)
    except StudioError:
        return None
    if found.problem:
        return None
    word = found.trigger if found.vectors else ""
    return FoundAdapter(digest=found.sha256, path=found.path, generator=found.base_model, title=found.name, word=word)


class StudioCatalog:
    """Presets of the example-based generator, and the words that each generator knows.

    A model with a real text encoder knows every word; the built-in one knows those of its little world, and the
    trigger words of adapters that were trained on it.
    """

    def __init__(self) -> None:
        from gen2studio.example.looks import ExampleCatalog

        self._example = ExampleCatalog()

    def presets(self) -> tuple[PresetInfo, ...]:
        return self._example.presets()

    def words(self, prompt: str, generator: str = "example") -> tuple[PromptWord, ...]:
        if generator == "example":
            return self._example.words(prompt)
        from gen2studio.diffusion.vocabulary import FILLERS, understood

        if models_problem() or generator not in {model.id for model in _models().usable() if model.built_in}:
            return tuple(PromptWord(word, True, filler=word.lower() in FILLERS) for word in prompt.split())
        triggers = self._triggers(generator)
        return tuple(
            PromptWord(
                found.word,
                found.known or found.word.lower() in triggers,
                means=found.mapped if found.known and found.mapped != found.word.lower() else "",
                filler=found.mapped in FILLERS,
            )
            for found in understood(prompt)
        )

    @staticmethod
    def _triggers(generator: str) -> frozenset[str]:
        from gen2studio.models.adapters import AdapterLibrary

        known = (a.trigger for a in AdapterLibrary().adapters() if a.base_model == generator)
        return frozenset(word.lower() for trigger in known for word in trigger.split())


def look_catalog() -> Catalog:
    """Presets and prompt words of every generator."""
    return StudioCatalog()


@functools.cache
def _mask_models() -> MaskModelLibrary:
    from gen2studio.models.mask_models import MaskModelLibrary

    return MaskModelLibrary()


def mask_engines() -> MaskEngines:
    """The engines that select subjects and carry mattes, best first. Models added later appear by themselves."""
    from gen2studio.engine.mask_engines import MaskEngines

    return MaskEngines(_mask_engine_entries)


def _mask_engine_entries() -> list[MaskEngineEntry]:
    from gen2studio.segmentation.catalog import mask_engine_entries

    try:
        models = _mask_models().models()
    except StudioError as error:
        topic("models").error("%s", error)
        models = ()
    return mask_engine_entries(models, _load_torch, _has_gpu)


def add_mask_model(path: Path) -> str:
    """Check a mask model and add it to the engines; returns its engine id. Raises ModelError with one sentence."""
    return _mask_models().add(path).id


def model_services() -> ModelServices:
    """What the window of models works with. Reads the catalog; call it on a thread of its own."""
    from gen2studio.app.model_rows import ListedModel, ModelServices
    from gen2studio.models import hub_settings
    from gen2studio.models.adapters import AdapterLibrary
    from gen2studio.models.adding import add_path
    from gen2studio.models.catalog import catalog
    from gen2studio.models.downloads import Downloads
    from gen2studio.models.elsewhere import find_comfyui
    from gen2studio.models.offers import offers
    from gen2studio.models.storage import ModelStore

    settings = hub_settings.HubSettingsFile()
    store = ModelStore(settings, models=_models(), masks=_mask_models())

    def add(path: Path) -> Added:
        return add_path(path, _models(), _mask_models(), AdapterLibrary())

    def found(cancel: CancelToken) -> tuple[Offer, ...]:
        return offers(settings.load(), [(entry.repo, entry.title) for entry in catalog().entries], cancel)

    def listed() -> tuple[ListedModel, ...]:
        diffusion = (
            ListedModel(
                id=model.id, title=model.title, place=model.transformer_file or model.folder, problem=model.problem,
                held="" if model.problem else _held(model.id), built_in=model.built_in,
            )
            for model in _models().models()
        )  # fmt: skip
        masks = (
            ListedModel(id=model.id, title=model.title, place=model.path, problem=model.problem)
            for model in _mask_models().models()
        )
        return (*diffusion, *masks)

    def remove(model_id: str) -> None:
        if any(model.id == model_id for model in _mask_models().models()):
            _mask_models().remove(model_id)
        else:
            _models().remove(model_id)

    return ModelServices(
        catalog=catalog(), downloads=Downloads(store, settings), store=store, settings=settings,
        machine=_machine_facts, held=_held, refusal=store.refusal, listed=listed, add=add, remove=remove,
        renew=renew_generators, token_place=hub_settings.token_place, set_token=hub_settings.set_token, found=found,
        comfyui=find_comfyui,
    )  # fmt: skip


def _machine_facts() -> MachineFacts:
    """The machine as the catalog judges it; measures the processor for a fifth of a second where there is no GPU."""
    from gen2studio.diffusion.runtime.device import quick_machine
    from gen2studio.models.fitting import MachineFacts, matrix_product_gigaflops, measured_gigaflops

    found = quick_machine()
    speed = measured_gigaflops(found.cores, matrix_product_gigaflops) if found.device == "cpu" else 0.0
    return MachineFacts(
        device=found.device, name=found.name, gpu_bytes=found.device_total, memory_bytes=found.memory_free,
        gigaflops=speed,
    )  # fmt: skip


def _held(model_id: str) -> str:
    """How an installed model would be held here, from its headers; why it can't be where it can't."""
    from gen2studio.diffusion.entries import abilities_of

    try:
        return abilities_of(_models().model(model_id)).memory_plan
    except StudioError as error:
        return str(error)


def _load_torch() -> Any:
    from gen2studio.diffusion.runtime.torch_loading import load_torch

    return load_torch()


def _has_gpu() -> bool:
    from gen2studio.diffusion.runtime.device import quick_machine

    return quick_machine().device == "cuda"


def build_worker(queue: JobQueue, sink: EventSink) -> EngineWorker:
    """The worker of this program: what the window's engine thread and headless verbs run. Call it on that thread."""
    from gen2studio.engine.worker import EngineWorker

    return EngineWorker(queue, sink, generator_registry(), masks=mask_engines())


def headless_engine(sink: EventSink, workspace: Workspace | None = None) -> LocalEngine:
    """The engine for a program without a window; it works on the thread that calls it."""
    from gen2studio.engine.local import LocalEngine

    return LocalEngine(build_worker, sink, workspace)


def studio(*, sound: bool = True) -> Studio:
    """Every service of the window's program. Needs a QApplication; starts no thread and imports nothing heavy."""
    from PySide6.QtCore import QTimer

    from gen2studio.app.engine_host import EngineHost
    from gen2studio.app.preferences import Preferences
    from gen2studio.app.studio import Studio

    made = Studio(
        Preferences(), EngineHost(build_worker), generator_registry(), look_catalog(), adapters=find_adapter,
        models=model_services, sound=sound,
    )  # fmt: skip
    made.masks.engine_choice.set_engines(mask_engines(), add_mask_model)
    if problem := models_problem():
        # Once there is somebody who hears it.
        QTimer.singleShot(0, made, lambda: made.session.tell(problem, "error"))
    return made


def warming_command() -> list[str]:
    """The program and arguments that compile the generators' kernels in a child process; empty when that was done."""
    import sys

    from gen2studio.example.warm import is_warm

    return [] if is_warm() else [sys.executable, "-m", "gen2studio.example.warm"]
