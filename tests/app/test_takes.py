"""Takes as renders make them, and the live preview."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from gen2studio.app.live_preview import LivePreview
from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.app.takes import TakeKeeper
from gen2studio.app.takes_measuring import Measurement, TakeMeasuring, flicker_and_drift
from gen2studio.core.errors import GenerationError
from gen2studio.core.frozen import frozen_map, with_item
from gen2studio.core.hashing import file_fingerprint
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.document.look import Look
from gen2studio.document.model import Clip, Document, MediaItem, Sequence, Track, TrackKind
from gen2studio.engine.events import JobState
from gen2studio.engine.requests import SourceRef
from gen2studio.engine.take_store import TakeStore
from gen2studio.media.decoder import open_decoder
from tests.fakes.fake_engine import generate_request, invert, render_job
from tests.fakes.fake_host import FakeHost

MEDIA = "media-000000000001"
CLIP = "clip-000000000001"
TAKE = "take-000000000001"


def document() -> Document:
    info = MediaInfo(kind=MediaKind.VIDEO, width=64, height=48, rate=Fraction(25), frame_count=12)
    item = MediaItem(id=MEDIA, name="ramp", path="/ramp.mp4", fingerprint="ramp", info=info)
    clip = Clip(id=CLIP, media_id=MEDIA, name="ramp", start=0, duration=12, look=Look(preset="oil", seed=5))
    track = Track(id="track-000000000001", kind=TrackKind.VIDEO, name="V1", clips=(clip,))
    sequence = Sequence(id="sequence-000000000001", name="S", rate=Fraction(25), width=64, height=48, tracks=(track,))
    return Document(
        id="project-000000000001", media=frozen_map({MEDIA: item}), sequences=frozen_map({sequence.id: sequence}),
        active_sequence=sequence.id,
    )  # fmt: skip


def clip_of(store: DocumentStore) -> Clip:
    assert store.document.sequence is not None
    return store.document.sequence.tracks[0].clips[0]


class Stage:
    def __init__(self, folder: Path, measuring: TakeMeasuring | None = None) -> None:
        self.store = DocumentStore(document())
        self.host = FakeHost()
        self.takes = TakeStore(folder)
        self.keeper = TakeKeeper(self.store, self.host, lambda: self.takes, lambda _recipe: Look(), measuring)


@pytest.fixture
def stage(qapp, tmp_path: Path):
    made = Stage(tmp_path)
    yield made
    made.keeper.shutdown()


def test_a_take_grows_with_its_frames_and_keeps_the_look_it_was_asked_with(stage: Stage, qtbot) -> None:
    stage.host.submit(render_job(1, request=generate_request(seed=9)))
    assert not stage.store.document.takes
    changed = replace(clip_of(stage.store), look=Look(preset="ink"))
    sequence = stage.store.document.sequence
    assert sequence is not None
    track = replace(sequence.tracks[0], clips=(changed,))
    later = with_item(stage.store.document.sequences, sequence.id, replace(sequence, tracks=(track,)))
    stage.store.apply("Change look", replace(stage.store.document, sequences=later))
    stage.host.fake.begin()
    take = stage.store.document.takes[TAKE]
    assert (take.look.preset, take.look.seed, take.name, take.done) == ("oil", 9, "Take 1", ())
    assert clip_of(stage.store).takes == (TAKE,) and take.media_id == MEDIA and take.created.endswith("+00:00")
    grown: list[frozenset[int]] = []
    stage.keeper.take_grew.connect(lambda _take, frames: grown.append(frames))
    stage.host.fake.advance(5)
    assert stage.store.document.takes[TAKE].done == (), "frames are written in batches"
    qtbot.waitUntil(lambda: stage.store.document.takes[TAKE].done == ((0, 5),))
    stage.host.fake.finish()
    assert stage.store.document.takes[TAKE].complete
    assert grown == [frozenset(range(5)), frozenset(range(5, 12))]


def test_undo_never_takes_a_take_from_its_clip(stage: Stage) -> None:
    start = stage.store.document
    stage.store.apply("Rename", replace(start, name="A"))
    stage.host.submit(render_job(1))
    stage.host.fake.run_all()
    assert clip_of(stage.store).takes == (TAKE,)
    stage.store.undo_stack.undo()
    assert stage.store.document.name == "Untitled"
    assert clip_of(stage.store).takes == (TAKE,) and TAKE in stage.store.document.takes
    stage.store.undo_stack.redo()
    assert stage.store.document.name == "A" and clip_of(stage.store).takes == (TAKE,)


def test_a_cancelled_take_keeps_its_frames_and_an_empty_one_disappears(stage: Stage) -> None:
    ends: list[tuple[str, JobState]] = []
    stage.keeper.take_ended.connect(lambda take, state: ends.append((take, state)))
    stage.host.submit(render_job(1))
    stage.host.fake.begin()
    stage.host.fake.advance(4)
    stage.host.cancel(render_job(1).id)
    assert stage.store.document.takes[TAKE].done == ((0, 4),) and not stage.store.document.takes[TAKE].complete
    stage.host.submit(render_job(2))
    stage.host.fake.begin()
    stage.host.fake.fail()
    assert list(stage.store.document.takes) == [TAKE] and clip_of(stage.store).takes == (TAKE,)
    stage.store.apply("Rename", replace(stage.store.document, name="A"))
    stage.store.undo_stack.undo()
    assert list(stage.store.document.takes) == [TAKE]
    assert ends == [(TAKE, JobState.CANCELLED), ("take-000000000002", JobState.FAILED)]


def test_a_take_that_is_resumed_keeps_what_it_had(stage: Stage) -> None:
    stage.host.submit(render_job(1))
    stage.host.fake.begin()
    stage.host.fake.advance(4)
    stage.host.cancel(render_job(1).id)
    stage.takes.begin(TAKE, "d", "{}")
    for frame in range(4):
        stage.takes.write(TAKE, frame, np.zeros((4, 4, 3), np.uint8))
    stage.host.submit(render_job(2, take_id=TAKE))
    assert stage.keeper.job_of(TAKE) == render_job(2).id
    stage.host.fake.run_all()
    assert len(stage.store.document.takes) == 1 and stage.store.document.takes[TAKE].complete


def test_another_project_forgets_running_takes(stage: Stage) -> None:
    stage.host.submit(render_job(1))
    stage.host.fake.begin()
    stage.store.replace(Document(id="project-000000000002"), stage.store.tiles)
    stage.host.fake.finish()
    assert not stage.store.document.takes


def test_a_finished_take_is_measured_off_the_ui_thread(qapp, qtbot, tmp_path: Path, media_root: Path) -> None:
    path = media_root / "clips" / "golden_retriever_512_3.2s.mp4"
    source = SourceRef(fingerprint=file_fingerprint(path), path=str(path), frame_count=32, width=512, height=512)
    request = generate_request(source=source, stop=6, width=256, height=256)
    takes = TakeStore(tmp_path)
    takes.begin(TAKE, "d", "{}")
    decoder = open_decoder(path)
    import cv2

    for frame in range(6):
        small = cv2.resize(decoder.rgb(frame), (256, 256), interpolation=cv2.INTER_AREA)
        takes.write(TAKE, frame, invert(small))
    decoder.close()
    measuring = TakeMeasuring()
    with qtbot.waitSignal(measuring.measured, timeout=20000) as found:
        measuring.measure(Measurement(TAKE, request, takes, tuple(range(6))))
    take_id, flicker, drift = found.args
    assert take_id == TAKE and flicker == pytest.approx(1.0, abs=0.05) and 0 <= drift < 3
    measuring.shutdown()


def test_flicker_and_drift_see_flicker_and_drift() -> None:
    rng = np.random.default_rng(0)
    base = (rng.random((60, 80, 3)) * 60 + 80).astype(np.uint8)
    noisy = [np.clip(base + rng.normal(0, 1, base.shape), 0, 255).astype(np.uint8) for _ in range(10)]
    sources = list(itertools.pairwise(noisy))
    flashing = [p + (i % 2) * np.uint8(30) for i, p in enumerate(noisy)]
    drifting = [p + np.uint8(6 * i) for i, p in enumerate(noisy)]
    same, _ = flicker_and_drift(sources, sources)
    more, steady = flicker_and_drift(sources, list(itertools.pairwise(flashing)))
    _, wandering = flicker_and_drift(sources, list(itertools.pairwise(drifting)))
    assert same == pytest.approx(1.0) and more is not None and more > 8
    assert steady is not None and wandering is not None and steady < 4 < wandering
    assert flicker_and_drift([], []) == (None, None)


class Preview:
    def __init__(self) -> None:
        self.store = DocumentStore(document())
        self.session = Session(self.store)
        self.host = FakeHost()
        self.refuse = False
        self.live = LivePreview(self.session, self.host, self._plan)
        self.shown: list[tuple[str, int]] = []
        self.cleared = 0
        self.live.picture_ready.connect(lambda media, frame, _picture: self.shown.append((media, frame)))
        self.live.cleared.connect(lambda: setattr(self, "cleared", self.cleared + 1))

    def _plan(self, doc: Document, clip: Clip, frame: int):
        if self.refuse:
            raise GenerationError("Nothing to paint with.", "Choose a look.")
        return generate_request(frames=(frame,), seed=clip.look.seed if clip.look else 0)


@pytest.fixture
def preview(qapp):
    made = Preview()
    yield made
    made.live.shutdown()


def test_preview_comes_once_after_the_hand_rests(preview: Preview, qtbot) -> None:
    preview.session.set_playhead(3)
    assert not preview.host.fake.submitted
    preview.live.set_enabled(True)
    for frame in (4, 5, 6):
        preview.session.set_playhead(frame)
    qtbot.waitUntil(lambda: len(preview.host.fake.submitted) == 1)
    preview.host.fake.run_all()
    assert preview.shown == [(MEDIA, 6)] and not preview.live.working
    preview.session.set_playhead(7)
    assert preview.cleared == 1
    preview.session.set_playhead(6)
    qtbot.waitUntil(lambda: len(preview.shown) == 2)
    assert len(preview.host.fake.submitted) == 1, "a picture that still fits is not made again"


def test_no_preview_inside_a_gesture_or_while_playing(preview: Preview, qtbot) -> None:
    preview.live.set_enabled(True)
    preview.live.begin_gesture()
    preview.session.set_playhead(2)
    qtbot.wait(260)
    assert not preview.host.fake.submitted
    preview.live.end_gesture()
    qtbot.waitUntil(lambda: len(preview.host.fake.submitted) == 1)
    preview.session.set_shuttle(1.0)
    preview.session.set_playhead(3)
    qtbot.wait(260)
    assert len(preview.host.fake.submitted) == 1
    preview.session.set_shuttle(0.0)
    qtbot.waitUntil(lambda: len(preview.host.fake.submitted) == 2)
    preview.live.set_enabled(False)
    assert preview.host.jobs() == ()


def test_refusals_are_told_and_takes_arriving_change_nothing(preview: Preview, qtbot) -> None:
    preview.refuse = True
    with qtbot.waitSignal(preview.live.refused) as told:
        preview.live.set_enabled(True)
    assert told.args == ["Nothing to paint with. Choose a look."]
    preview.refuse = False
    preview.live.touch()
    qtbot.waitUntil(lambda: len(preview.host.fake.submitted) == 1)
    preview.host.fake.begin()
    with qtbot.waitSignal(preview.live.refused) as told:
        preview.host.fake.fail()
    assert told.args[0].startswith("The generator ran out of ideas.")
    cleared = preview.cleared
    preview.store.amend(lambda d: replace(d, takes=frozen_map({})))
    assert preview.cleared == cleared
