"""The composition root: the one place that knows which generator, tracker and reader stand behind the contracts.

Everything here is cheap until it is used: generators and mask tools import their libraries when a job first needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gen2studio.engine.abilities import GeneratorEntry, GeneratorRegistry
from gen2studio.engine.catalog import Catalog
from gen2studio.engine.generators import Generator
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.local import LocalEngine
from gen2studio.engine.mask_tools import MaskSelector, MaskTracker
from gen2studio.engine.protocol import EventSink
from gen2studio.engine.worker import EngineWorker
from gen2studio.engine.workspace import Workspace

if TYPE_CHECKING:
    from gen2studio.app.studio import Studio


def generator_registry() -> GeneratorRegistry:
    """Every generator of this program by id, preferred first."""
    from gen2studio.example.generator import ExampleGenerator

    example = ExampleGenerator()

    def load_example() -> Generator:
        return example

    return GeneratorRegistry([GeneratorEntry(example.abilities, load_example)])


def look_catalog() -> Catalog:
    """Presets and prompt words of the weight-free generator."""
    from gen2studio.example.looks import ExampleCatalog

    return ExampleCatalog()


def _tracker() -> MaskTracker:
    from gen2studio.segmentation.tracker import FlowTracker

    return FlowTracker()


def _selector() -> MaskSelector:
    from gen2studio.segmentation.selector import GraphCutSelector

    return GraphCutSelector()


def build_worker(queue: JobQueue, sink: EventSink) -> EngineWorker:
    """The worker of this program: what the window's engine thread and headless verbs run. Call it on that thread."""
    return EngineWorker(queue, sink, generator_registry(), tracker=_tracker, selector=_selector)


def headless_engine(sink: EventSink, workspace: Workspace | None = None) -> LocalEngine:
    """The engine for a program without a window; it works on the thread that calls it."""
    return LocalEngine(build_worker, sink, workspace)


def studio(*, sound: bool = True) -> Studio:
    """Every service of the window's program. Needs a QApplication; starts no thread and imports nothing heavy."""
    from gen2studio.app.engine_host import EngineHost
    from gen2studio.app.preferences import Preferences
    from gen2studio.app.studio import Studio

    return Studio(Preferences(), EngineHost(build_worker), generator_registry(), look_catalog(), sound=sound)


def warming_command() -> list[str]:
    """The program and arguments that compile the generators' kernels in a child process; empty when that was done."""
    import sys

    from gen2studio.example.warm import is_warm

    return [] if is_warm() else [sys.executable, "-m", "gen2studio.example.warm"]
