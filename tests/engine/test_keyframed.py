"""Key frames by one generator, carried by another: which frames, who draws what, painted keys, and going on after a
cancel."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gen2studio.core.geometry import Extent
from gen2studio.engine.abilities import GeneratorEntry, GeneratorRegistry
from gen2studio.engine.budget import Room
from gen2studio.engine.differences import differing_frames
from gen2studio.engine.events import Estimate, FrameReady, JobState, Picture, Progress, StateChanged, StepPreview
from gen2studio.engine.generators import Abilities, ModeAbility, RunContext
from gen2studio.engine.job_queue import JobQueue
from gen2studio.engine.journal import RenderJournal
from gen2studio.engine.key_choice import AUTOMATIC, MOST_APART, choose_keys, expected_keys
from gen2studio.engine.keyframed import CONTROL, keyframed_entry, with_key_frames
from gen2studio.engine.requests import BlobRef, GenerateRequest, Job, KeyRef, Lane, SourceRef
from gen2studio.engine.take_store import TakeStore
from gen2studio.engine.worker import EngineWorker
from gen2studio.engine.workspace import Workspace
from gen2studio.example.generator import ExampleGenerator
from gen2studio.raster import cuts
from gen2studio.raster.tiles import TileStore
from tests.fakes.fake_engine import EventLog, FakeGenerator, generate_request, invert, ramp_reader, render_job

GIVEN = np.full((48, 64, 3), (10, 200, 30), np.uint8)


class Drawer(FakeGenerator):
    """Inverts the frames it is asked for and remembers the requests."""

    def __init__(self, **mode: bool) -> None:
        super().__init__()
        self.requests: list[GenerateRequest] = []
        self.shown: list[Picture] = []
        self._mode = ModeAbility(mode="stylize", controls=frozenset({"prompt", "styles"}), **mode)  # type: ignore[arg-type]

    @property
    def abilities(self) -> Abilities:
        text = ModeAbility(mode="text", controls=frozenset({"prompt"}))
        return Abilities(id="drawer", title="Drawer", revision="7", modes=(self._mode, text), steps=(4, 1, 8))

    def estimate(self, request: GenerateRequest) -> Estimate:
        return Estimate(memory_bytes=1000, seconds=10.0 * len(request.wanted))

    def run(self, request: GenerateRequest, context: RunContext) -> None:
        self.requests.append(request)
        self.shown += [context.blob(style) for style in request.styles]
        super().run(request, context)


class Carrier(FakeGenerator):
    """Every frame becomes the nearest key, the earlier one of two."""

    def __init__(self, name: str = "carrier", steps: int = 0) -> None:
        super().__init__()
        self.requests: list[GenerateRequest] = []
        self._own = name, steps

    @property
    def abilities(self) -> Abilities:
        mode = ModeAbility(mode="stylize", controls=frozenset({"keys", "strength"}), strength=0.9)
        name, steps = self._own
        return Abilities(id=name, title=name.title(), revision="3", modes=(mode,), steps=(steps, 1, steps))

    def estimate(self, request: GenerateRequest) -> Estimate:
        return Estimate(memory_bytes=50, seconds=1.0 * len(request.wanted))

    def run(self, request: GenerateRequest, context: RunContext) -> None:
        self.requests.append(request)
        for frame in request.wanted:
            if frame not in context.finished:
                context.checkpoint()
                key = min(request.keys, key=lambda key: (abs(key.frame - frame), key.frame))
                context.emit(frame, context.blob(key.blob))
        context.note("Another key here.", 5)


class Desk:
    def __init__(self, folder: Path, drawer: Drawer | None = None) -> None:
        self.log, self.takes = EventLog(), TakeStore(folder / "takes")
        self.drawer, self.carrier, self.video = drawer or Drawer(), Carrier(), Carrier("video", 8)
        stills = GeneratorEntry(self.drawer.abilities, lambda: self.drawer)
        carrier = GeneratorEntry(self.carrier.abilities, lambda: self.carrier)
        video = GeneratorEntry(self.video.abilities, lambda: self.video)
        self.registry = GeneratorRegistry([carrier, video, keyframed_entry(stills, carrier, video)])
        workspace = Workspace(
            takes=self.takes, matte=TileStore().unpack, blob=lambda ref: GIVEN,
            journal=RenderJournal(folder / "renders.jsonl"),
        )  # fmt: skip
        self.queue = JobQueue(self.log, workspace)
        self.worker = EngineWorker(
            self.queue, self.log, self.registry, reader=ramp_reader, threads=1,
            room=lambda _folder: Room(8 << 30, 100 << 30),
        )  # fmt: skip

    def run(self, job: Job) -> JobState:
        self.queue.submit(job)
        self.worker.run_until_idle()
        return next(e.state for e in reversed(self.log.of(job.id)) if isinstance(e, StateChanged) and e.state.ended)

    def frames(self, job: Job) -> dict[int, Picture]:
        return {e.frame: e.picture for e in self.log.of(job.id) if isinstance(e, FrameReady)}

    def drawn(self) -> list[int]:
        return [frame for _, frame in self.drawer.made]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.worker.close()


def wish(stop: int = 12, spacing: int = 4, **changes: object) -> GenerateRequest:
    return generate_request(stop, generator="drawer", revision="7", key_spacing=spacing, **changes)


def original(frame: int) -> Picture:
    return ramp_reader(generate_request().source, frame, Extent(64, 48))


# -- which frames ------------------------------------------------------------------------------------------------------


def texture(seed: int, shift: int = 0) -> Picture:
    noise = np.random.default_rng(seed).integers(0, 255, (12, 40, 3)).astype(np.uint8)
    large = np.kron(noise, np.ones((8, 8, 1), np.uint8))
    return np.ascontiguousarray(large[:, shift : shift + 128])


def still(_frame: int) -> Picture:
    return texture(1)


def test_every_n_frames_and_the_end_of_a_shot() -> None:
    assert choose_keys(3, 13, 4, still) == (3, 7, 11)
    assert choose_keys(0, 12, 4, still) == (0, 4, 8, 11)
    assert choose_keys(0, 1, 4, still) == (0,)
    assert choose_keys(0, 5, 1, still) == (0, 1, 2, 3, 4)


def test_the_count_starts_anew_at_a_cut() -> None:
    def cut(frame: int) -> Picture:
        return texture(1) if frame < 7 else np.asarray(255 - texture(9) // 8, np.uint8)

    assert choose_keys(0, 14, 5, cut) == (0, 5, 7, 12)


def test_what_is_nearly_a_cut_gets_a_key_of_its_own() -> None:
    """What carries keys sees frames at another size: a shot that it alone found would have no key."""

    def swapped(rows: int) -> Picture:
        picture = np.zeros((144, 256, 3), np.uint8)
        picture[:, :128], picture[:, 128:] = (255, 0, 0), (0, 255, 255)
        picture[:rows] = picture[:rows, ::-1]
        return picture

    def kept(rows: int) -> bool:
        before, after = cuts.signature(swapped(0)), cuts.signature(swapped(rows))
        return 0.18 < cuts.difference(before, after)[0] < 0.2 and not cuts.is_cut(before, after)

    rows = next(rows for rows in range(8, 72) if kept(rows))
    assert 6 in choose_keys(0, 12, 50, lambda frame: swapped(rows if frame >= 6 else 0))
    assert 6 not in choose_keys(0, 12, 50, lambda frame: swapped(rows // 2 if frame >= 6 else 0))


def test_given_keys_count_like_the_others() -> None:
    assert choose_keys(0, 12, 6, still, {4, 40}) == (0, 4, 10)


def test_automatic_keys_come_with_what_comes_into_view() -> None:
    quiet = choose_keys(0, 40, AUTOMATIC, still)
    assert quiet == (0, MOST_APART, 2 * MOST_APART)
    panned = choose_keys(0, 24, AUTOMATIC, lambda frame: texture(1, shift=8 * frame))
    assert len(panned) > len(choose_keys(0, 24, AUTOMATIC, still))
    assert max(b - a for a, b in itertools.pairwise(panned)) < MOST_APART


def test_the_guess_is_near_the_count() -> None:
    assert [expected_keys(count, 4) for count in (0, 1, 12, 13, 100)] == [0, 1, 4, 4, 26]
    assert expected_keys(49, AUTOMATIC) == 5
    assert all(abs(expected_keys(n, 5) - len(choose_keys(0, n, 5, still))) <= 1 for n in range(1, 30, 4))


# -- one take from two -------------------------------------------------------------------------------------------------


def test_keys_are_drawn_once_and_the_rest_is_carried(desk: Desk) -> None:
    request = wish(prompt="a wood", seed=5)
    job = render_job(request=request)
    assert desk.run(job) is JobState.FINISHED
    assert desk.drawn() == [0, 4, 8, 11]
    found = desk.frames(job)
    assert sorted(found) == list(range(12))
    for frame, key in ((0, 0), (2, 0), (3, 4), (6, 4), (10, 11)):
        np.testing.assert_array_equal(found[frame], invert(original(key)))
    asked = desk.carrier.requests[0]
    assert [key.frame for key in asked.keys] == [0, 4, 8, 11]
    assert (asked.generator, asked.revision, asked.prompt, asked.key_spacing) == ("carrier", "3", "", 0)
    assert asked.controls.strength == 0.9 and asked.seed == 5
    # Drawn as key frames, not as quick stills; shown while they wait to be carried.
    assert desk.drawer.requests[0].frames == (0, 4, 8, 11) and desk.drawer.requests[0].key_spacing == 4
    shown = [e.frame for e in desk.log.of(job.id) if isinstance(e, StepPreview)]
    assert shown == [0, 4, 8, 11]
    stages = [e.stage for e in desk.log.of(job.id) if isinstance(e, Progress)]
    assert "Choosing key frames" in stages and "Key frames: inverting" in stages


def test_painted_keys_are_not_drawn(desk: Desk) -> None:
    job = render_job(request=wish(keys=(KeyRef(frame=4, blob=BlobRef(digest="given")),)))
    assert desk.run(job) is JobState.FINISHED
    assert desk.drawn() == [0, 8, 11]
    np.testing.assert_array_equal(desk.frames(job)[5], GIVEN)


def test_without_a_spacing_and_for_stills_the_drawing_generator_works_alone(desk: Desk) -> None:
    assert desk.run(render_job(request=wish(3, 0))) is JobState.FINISHED
    assert desk.drawn() == [0, 1, 2] and not desk.carrier.requests
    few = Job(id="job-few", lane=Lane.STILLS, request=wish(frames=(2, 9)), label="Stills")
    assert desk.run(few) is JobState.FINISHED
    assert desk.drawn()[3:] == [2, 9] and desk.drawer.requests[-1].key_spacing == 0
    assert not desk.carrier.requests


def test_what_only_draws_single_frames_makes_clips_from_key_frames(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Drawer(stills_only=True))
    job = render_job(request=wish(12, 0))
    assert desk.run(job) is JobState.FINISHED
    assert sorted(desk.frames(job)) == list(range(12))
    assert desk.drawn()[0] == 0 and len(desk.drawn()) < 12 and desk.carrier.requests
    desk.worker.close()


def test_a_key_is_shown_the_one_before_where_that_is_taken(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Drawer(key_reference=True))
    style = BlobRef(digest="style")
    job = render_job(request=wish(9, 4, styles=(style,), keys=(KeyRef(frame=4, blob=BlobRef(digest="given")),)))
    assert desk.run(job) is JobState.FINISHED
    assert desk.drawn() == [0, 8]
    # The first key of all is held to the painted one, as the one after it is.
    assert [len(request.styles) for request in desk.drawer.requests] == [2, 2]
    assert all(np.array_equal(picture, GIVEN) for picture in desk.drawer.shown)
    desk.worker.close()
    bare = Desk(tmp_path / "bare", Drawer(key_reference=True))
    assert bare.run(render_job(request=wish(9, 4))) is JobState.FINISHED
    assert [len(request.styles) for request in bare.drawer.requests] == [0, 1, 1]
    np.testing.assert_array_equal(bare.drawer.shown[0], invert(original(0)))
    np.testing.assert_array_equal(bare.drawer.shown[1], invert(original(4)))
    bare.worker.close()


def test_a_cancelled_run_draws_only_the_keys_that_are_missing(desk: Desk) -> None:
    request = wish()
    job = render_job(request=request)
    desk.drawer.before_frame = lambda _request, frame: desk.queue.cancel(job.id) if frame == 8 else None
    assert desk.run(job) is JobState.CANCELLED
    assert desk.drawn() == [0, 4] and not desk.carrier.requests
    desk.drawer.before_frame = None
    again = render_job(request=request)
    again = replace(again, id="job-again", take_id=job.take_id)
    assert desk.run(again) is JobState.FINISHED
    assert desk.drawn() == [0, 4, 8, 11]
    assert sorted(desk.takes.frames(job.take_id)) == list(range(12))


def test_a_damaged_key_is_drawn_again(desk: Desk) -> None:
    request = wish()
    job = render_job(request=request)
    desk.drawer.before_frame = lambda _request, frame: desk.queue.cancel(job.id) if frame == 8 else None
    assert desk.run(job) is JobState.CANCELLED
    desk.drawer.before_frame = None
    (desk.takes.scratch(job.take_id) / "key-frames" / "key_000004.png").write_bytes(b"half")
    assert desk.run(replace(render_job(request=request), id="job-again", take_id=job.take_id)) is JobState.FINISHED
    assert desk.drawn() == [0, 4, 4, 8, 11]


def test_the_estimate_counts_keys_and_carrying(desk: Desk) -> None:
    alone = desk.registry.estimate(wish(spacing=0))
    keyed = desk.registry.estimate(wish())
    assert alone.seconds == 120 and keyed.seconds == 10 * 4 + 12
    assert keyed.memory_bytes == 1050


def test_a_video_model_may_carry_and_hears_the_words(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    job = render_job(request=wish(prompt="a wood", key_carrier="video"))
    assert desk.run(job) is JobState.FINISHED
    assert desk.drawn() == [0, 4, 8, 11] and not desk.carrier.requests
    asked = desk.video.requests[0]
    assert (asked.generator, asked.prompt, asked.key_carrier, asked.controls.steps) == ("video", "a wood", "", 0)
    np.testing.assert_array_equal(desk.frames(job)[6], invert(original(4)))
    other = render_job(2, request=wish(key_carrier="gone"))
    assert desk.run(other) is JobState.FAILED
    end = next(e for e in desk.log.of(other.id) if isinstance(e, StateChanged) and e.state.ended)
    assert "can't carry" in end.reason and "carrier, video" in end.reason
    desk.worker.close()


def test_only_where_painted_keys_can_be_followed() -> None:
    pair = with_key_frames(Drawer().abilities, Carrier().abilities)
    stylize, text = pair.mode("stylize"), pair.mode("text")
    assert stylize is not None and CONTROL in stylize.controls and stylize.carriers == ("carrier",)
    assert text is not None and CONTROL not in text.controls


def test_the_example_based_generator_carries(tmp_path: Path) -> None:
    """The real carrier: what lies between two keys looks like them, and follows the footage."""

    def moving(source: SourceRef, frame: int, size: Extent) -> Picture:
        picture = np.full((size.height, size.width, 3), 90, np.uint8)
        picture[:, ::8] = 110
        picture[20:44, 6 + 3 * frame : 30 + 3 * frame] = (200, 120, 60)
        return picture

    drawer, example = Drawer(), ExampleGenerator()
    stills = GeneratorEntry(drawer.abilities, lambda: drawer)
    carrier = GeneratorEntry(example.abilities, lambda: example)
    log, takes = EventLog(), TakeStore(tmp_path / "takes")
    queue = JobQueue(log, Workspace(takes=takes))
    worker = EngineWorker(
        queue, log, GeneratorRegistry([carrier, keyframed_entry(stills, carrier)]), reader=moving, threads=1,
        room=lambda _folder: Room(8 << 30, 100 << 30),
    )  # fmt: skip
    job = render_job(request=replace(wish(5, 4), width=96, height=64))
    queue.submit(job)
    worker.run_until_idle()
    worker.close()
    made = {e.frame: e.picture for e in log.of(job.id) if isinstance(e, FrameReady)}
    assert sorted(made) == [0, 1, 2, 3, 4] and [f for _, f in drawer.made] == [0, 4]
    wanted = invert(moving(generate_request().source, 2, Extent(96, 64))).astype(float)
    stuck = invert(moving(generate_request().source, 0, Extent(96, 64))).astype(float)
    assert np.abs(made[2] - wanted).mean() < 0.4 * np.abs(made[2] - stuck).mean()


def test_another_spacing_makes_the_whole_take_stale() -> None:
    by_frame = lambda _request: True  # noqa: E731
    assert differing_frames(wish(6), wish(6, AUTOMATIC), by_frame) == frozenset(range(6))
    assert differing_frames(wish(6), wish(6), by_frame) == frozenset()
