"""A small stage for diffusion tests: a library with one model, the engine on the calling thread, moving footage."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from gen2studio.core.geometry import Extent
from gen2studio.diffusion.entries import generator_entries
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.budget import Room
from gen2studio.engine.events import Event, FrameReady, JobState, Noted, Picture, StateChanged, StepPreview
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.local import LocalEngine
from gen2studio.engine.protocol import EventSink
from gen2studio.engine.requests import BlobRef, ControlValues, GenerateRequest, Job, Lane, SourceRef
from gen2studio.engine.take_store import TakeStore
from gen2studio.engine.worker import EngineWorker
from gen2studio.engine.workspace import Workspace
from gen2studio.models.library import ModelLibrary
from gen2studio.raster.tiles import TileStore

RATE = Fraction(8)


def footage(source: SourceRef, frame: int, size: Extent) -> Picture:
    """A disc that moves over a gradient; every frame is different and has edges."""
    y, x = np.mgrid[0 : size.height, 0 : size.width].astype(np.float32)
    x, y = x / size.width, y / size.height
    disc = (x - 0.3 - 0.03 * frame) ** 2 + (y - 0.5) ** 2 < 0.04
    picture = np.stack([60 + 120 * x, 80 + 100 * y, np.full_like(x, 150)], -1)
    picture[disc] = (220, 60, 40)
    return picture.astype(np.uint8)


def source_ref(frame_count: int = 12, width: int = 64, height: int = 64) -> SourceRef:
    return SourceRef(
        fingerprint="disc", path="disc.mp4", media_id="media-000000000001", frame_count=frame_count, rate=RATE,
        width=width, height=height,
    )  # fmt: skip


class Stage:
    """One model behind the real engine. ``run`` returns the end; events, frames and notes are kept."""

    def __init__(self, folder: Path, home: Path, on_event: Callable[[Event], None] = lambda event: None) -> None:
        self.library = ModelLibrary(registry_file=home / "models.json", builtin=folder)
        self.residency = Residency()
        self.generators = GeneratorRegistry(generator_entries(self.library, lambda: self.residency))
        self.model = self.library.models()[0]
        self.takes = TakeStore(home / "takes")
        self.tiles = TileStore()
        self.blobs: dict[str, Picture] = {}
        self.events: list[Event] = []
        self._on_event = on_event
        self.engine = LocalEngine(
            self._worker, self._listen, Workspace(takes=self.takes, matte=self.tiles.unpack, blob=self.blob)
        )
        self._jobs = 0

    def _worker(self, queue: JobQueue, sink: EventSink) -> EngineWorker:
        return EngineWorker(
            queue, sink, self.generators, reader=footage, threads=1, room=lambda _: Room(8 << 30, 100 << 30)
        )

    def _listen(self, event: Event) -> None:
        self.events.append(event)
        self._on_event(event)

    def blob(self, ref: BlobRef) -> Picture:
        return self.blobs[ref.digest]

    def image(self, name: str, picture: Picture, weight: float = 1.0) -> BlobRef:
        """Keep a picture in the project and refer to it."""
        self.blobs[name] = picture
        return BlobRef(digest=name, weight=weight)

    def request(self, mode: str, stop: int = 9, **changes: Any) -> GenerateRequest:
        controls = {"steps": 2, "structure": 0.0, **changes.pop("controls", {})}
        values: dict[str, Any] = {
            "mode": mode, "generator": self.model.id, "revision": "1", "source": source_ref(), "start": 0, "stop": stop,
            "width": 64, "height": 64, "prompt": "a red dog in the meadow", "seed": 3,
            "from_nothing": mode in ("text", "text_image", "image", "storyboard"),
            "controls": ControlValues(**controls), **changes,
        }  # fmt: skip
        return GenerateRequest(**values)

    def job(self, request: GenerateRequest, lane: Lane = Lane.RENDER, take: str = "") -> Job:
        self._jobs += 1
        return Job(
            id=f"job-{self._jobs:012d}", lane=lane, request=request, label="Test", owner="clip-000000000001",
            take_id=take or (f"take-{self._jobs:012d}" if lane is Lane.RENDER else ""),
        )  # fmt: skip

    def run(self, request: GenerateRequest, lane: Lane = Lane.RENDER, take: str = "") -> StateChanged:
        self.events.clear()
        return self.engine.run(self.job(request, lane, take))

    def made(self, request: GenerateRequest, lane: Lane = Lane.RENDER) -> list[Picture]:
        """The frames of a run that must finish, in order."""
        end = self.run(request, lane)
        assert end.state is JobState.FINISHED, end.reason
        found = self.frames()
        return [found[frame] for frame in sorted(found)]

    def frames(self) -> dict[int, Picture]:
        return {event.frame: event.picture for event in self.events if isinstance(event, FrameReady)}

    def previews(self) -> list[StepPreview]:
        return [event for event in self.events if isinstance(event, StepPreview)]

    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Noted)]

    def close(self) -> None:
        self.engine.__exit__(None, None, None)
