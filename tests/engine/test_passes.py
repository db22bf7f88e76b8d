"""One take from looks by object: order, exact bytes, overlaps, and going on after a cancel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent
from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_refinement import Refinement
from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.budget import Room
from gen2studio.engine.events import Estimated, FrameReady, JobState, Progress, StateChanged
from gen2studio.engine.generators import Abilities, RunContext
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.journal import RenderJournal
from gen2studio.engine.requests import ControlValues, GenerateRequest, Job, Lane, MaskTrackRef
from gen2studio.engine.take_store import TakeStore
from gen2studio.engine.worker import EngineWorker
from gen2studio.engine.workspace import Workspace
from gen2studio.raster.tiles import TileStore
from tests.fakes.fake_engine import EventLog, FakeGenerator, generate_request, ramp_reader, render_job, source_ref

HARD = ControlValues(feather=0.0)


class Painter(FakeGenerator):
    """Fills every frame with one grey."""

    def __init__(self, name: str, grey: int) -> None:
        super().__init__()
        self.name, self.grey = name, grey
        self.stop_before: tuple[JobQueue, str, int] | None = None

    @property
    def abilities(self) -> Abilities:
        return replace(super().abilities, id=self.name)

    def run(self, request: GenerateRequest, context: RunContext) -> None:
        for frame in request.wanted:
            if frame in context.finished:
                continue
            if self.stop_before is not None and self.stop_before[2] == frame:
                self.stop_before[0].cancel(self.stop_before[1])
            context.checkpoint()
            context.progress(frame, len(request.wanted), "Painting")
            self.made.append((self.name, frame))
            context.emit(frame, np.full((request.height, request.width, 3), self.grey, np.uint8))


class Desk:
    def __init__(self, folder: Path) -> None:
        self.log, self.tiles, self.takes = EventLog(), TileStore(), TakeStore(folder / "takes")
        self.journal = RenderJournal(folder / "renders.jsonl")
        self.painters = {name: Painter(name, grey) for name, grey in (("black", 0), ("grey", 90), ("white", 255))}
        self.queue = JobQueue(self.log, Workspace(takes=self.takes, matte=self.tiles.unpack, journal=self.journal))
        self.worker = EngineWorker(
            self.queue, self.log, GeneratorRegistry.of(*self.painters.values()), reader=ramp_reader, threads=1,
            room=lambda _folder: Room(8 << 30, 100 << 30),
        )  # fmt: skip

    def track(self, matte: NDArray[np.uint8], **more: object) -> MaskTrackRef:
        frames = tuple((frame, self.tiles.pack(matte)) for frame in range(3))
        return MaskTrackRef(object_id="m", frames=frames, **more)  # type: ignore[arg-type]

    def part(self, name: str, *tracks: MaskTrackRef, region: str = "foreground", **more: object) -> GenerateRequest:
        return generate_request(3, generator=name, masks=tracks, region=region, controls=HARD, **more)

    def run(self, *jobs: Job) -> None:
        for job in jobs:
            self.queue.submit(job)
        self.worker.run_until_idle()

    def ended(self, job: Job) -> JobState:
        return next(e.state for e in reversed(self.log.of(job.id)) if isinstance(e, StateChanged) and e.state.ended)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.queue.shutdown()
    made.worker.close()
    made.journal.close()


def left(columns: int) -> NDArray[np.uint8]:
    matte = np.zeros((48, 64), np.uint8)
    matte[:, :columns] = 255
    return matte


def right(columns: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(left(columns)[:, ::-1])


def source(frame: int) -> NDArray[np.uint8]:
    return ramp_reader(source_ref(), frame, Extent(64, 48))


def test_every_look_lies_in_its_own_matte_and_the_rest_is_the_sources_own(desk: Desk) -> None:
    parts = (desk.part("black", desk.track(left(30))), desk.part("white", desk.track(right(40))))
    job = render_job(1, request=generate_request(3, generator="black", parts=parts))
    desk.run(job)
    assert desk.ended(job) is JobState.FINISHED
    assert desk.painters["black"].made == [("black", 0), ("black", 1), ("black", 2)]
    for frame in range(3):
        made = desk.takes.read(job.take_id, frame)
        assert (made[:, :24] == 0).all()
        assert (made[:, 24:] == 255).all(), "what is laid down later has the pixels both claim"
    narrow = (desk.part("black", desk.track(left(10))), desk.part("white", desk.track(right(20))))
    other = render_job(2, request=generate_request(3, generator="black", parts=narrow))
    desk.run(other)
    for frame in range(3):
        made = desk.takes.read(other.take_id, frame)
        assert np.array_equal(made[:, 10:44], source(frame)[:, 10:44])
        assert (made[:, :10] == 0).all() and (made[:, 44:] == 255).all()
    events = desk.log.of(other.id)
    assert [e.frame for e in events if isinstance(e, FrameReady)] == [0, 1, 2], "only the finished frames are shown"
    told = [(e.done, e.total, e.stage) for e in events if isinstance(e, Progress)]
    assert told[0] == (0, 6, "Painting (look 1 of 2)") and told[-1][1] == 6 and "look 2 of 2" in told[-1][2]
    assert len([e for e in events if isinstance(e, Estimated)]) == 1
    assert not (desk.takes.path(other.take_id) / "pass-0").exists()


def test_the_background_and_what_subtracts_follow_the_objects(desk: Desk) -> None:
    subject = (desk.track(left(30)), desk.track(left(10), blend="subtract"))
    parts = (desk.part("grey", *subject, region="background"), desk.part("white", *subject))
    job = render_job(1, request=generate_request(3, generator="grey", parts=parts))
    desk.run(job)
    made = desk.takes.read(job.take_id, 1)
    assert (made[:, :10] == 90).all() and (made[:, 10:30] == 255).all() and (made[:, 30:] == 90).all()


def test_a_part_follows_its_refine_stack(desk: Desk) -> None:
    grown = desk.track(left(20), refinement=Refinement(grow=Keyed(4.0)))
    request = desk.part("white", grown, source=source_ref(width=64, height=48))
    job = render_job(1, request=generate_request(3, generator="white", parts=(request,)))
    desk.run(job)
    made = desk.takes.read(job.take_id, 0)
    assert (made[:, :24] == 255).all() and np.array_equal(made[:, 24:], source(0)[:, 24:])


def test_a_stopped_run_goes_on_where_it_was(desk: Desk) -> None:
    parts = (desk.part("black", desk.track(left(30))), desk.part("white", desk.track(right(20))))
    request = generate_request(3, generator="black", parts=parts)
    first = render_job(1, request=request)
    desk.painters["black"].stop_before = (desk.queue, first.id, 2)
    desk.run(first)
    assert desk.ended(first) is JobState.CANCELLED
    desk.painters["black"].stop_before = None
    again = render_job(2, request=request, take_id=first.take_id)
    desk.run(again)
    assert desk.ended(again) is JobState.FINISHED
    assert desk.painters["black"].made == [("black", 0), ("black", 1), ("black", 2)]
    whole = render_job(3, request=request)
    desk.run(whole)
    for frame in range(3):
        assert np.array_equal(desk.takes.read(first.take_id, frame), desk.takes.read(whole.take_id, frame))


def test_stills_and_previews_need_no_project(desk: Desk) -> None:
    parts = tuple(
        replace(part, frames=(1,))
        for part in (desk.part("black", desk.track(left(30))), desk.part("white", desk.track(right(20))))
    )
    request = generate_request(3, generator="black", parts=parts, frames=(1,))
    job = Job(id="job-000000000009", lane=Lane.STILLS, request=request, label="Stills", owner="clip-000000000001")
    desk.run(job)
    pictures = [e.picture for e in desk.log.of(job.id) if isinstance(e, FrameReady)]
    assert len(pictures) == 1
    assert (pictures[0][:, :30] == 0).all() and (pictures[0][:, 44:] == 255).all()
    assert np.array_equal(pictures[0][:, 30:44], source(1)[:, 30:44])
