"""Farm jobs: windows give the film of one machine, templates are valid, and hostile bundles are refused."""

from __future__ import annotations

import json
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from openjd.model import DocumentType, decode_job_template, document_string_to_object

from gen2studio.core.errors import FarmError
from gen2studio.core.hashing import file_digest
from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.budget import Room
from gen2studio.engine.events import JobState
from gen2studio.engine.farm.bundle import FarmShot, job_folder, read_job, tile_files, verified
from gen2studio.engine.farm.results import SharedTakes, checked, gather, keep, recipe_text
from gen2studio.engine.farm.template import template
from gen2studio.engine.farm.windows import Division, divided
from gen2studio.engine.farm.writing import PlannedShot, write_bundle
from gen2studio.engine.generators import Abilities, ModeAbility
from gen2studio.engine.local import LocalEngine
from gen2studio.engine.requests import (
    BlobRef,
    DepthPassRef,
    GenerateRequest,
    Job,
    KeyRef,
    Lane,
    LeadRef,
    MaskTrackRef,
    PatternRef,
    SourceRef,
)
from gen2studio.engine.take_store import TakeStore
from gen2studio.engine.worker import EngineWorker
from gen2studio.engine.workspace import Workspace
from gen2studio.example.generator import ExampleGenerator
from gen2studio.raster.tiles import TileStore, solid_digest

SIZE, FRAMES = (80, 60), 7
TAKE, CLIP = "take-000000000001", "clip-000000000001"


@pytest.fixture(scope="module")
def footage(media_root: Path) -> SourceRef:
    path = media_root / "clips/hard/odd_dims_161x121_vp9.webm"
    return SourceRef(fingerprint="f", path=str(path), frame_count=30, width=161, height=121)


@pytest.fixture(scope="module")
def picture(media_root: Path) -> BlobRef:
    path = media_root / "style/munch_the_scream.jpg"
    return BlobRef(digest=file_digest(path), path=str(path))


def request(source: SourceRef, **changes: Any) -> GenerateRequest:
    fields: dict[str, Any] = dict(
        mode="stylize", generator="example", revision="1", source=source, start=3, stop=3 + FRAMES,
        width=SIZE[0], height=SIZE[1],
    )  # fmt: skip
    return GenerateRequest(**{**fields, **changes})


def moving_matte(tiles: TileStore) -> tuple[MaskTrackRef, ...]:
    frames = []
    for frame in range(3, 3 + FRAMES):
        matte = np.zeros((121, 161), np.uint8)
        cv2.circle(matte, (50 + 2 * frame, 60), 35, 255, -1)
        frames.append((frame, tiles.pack(matte)))
    return (MaskTrackRef(object_id="mask-000000000001", frames=tuple(frames)),)


def rendered(job: Job, workspace: Workspace) -> JobState:
    def build(queue: Any, sink: Any) -> EngineWorker:
        registry = GeneratorRegistry.of(ExampleGenerator())
        return EngineWorker(queue, sink, registry, threads=1, room=lambda _path: Room(memory=1 << 40, disk=1 << 40))

    with LocalEngine(build, lambda _event: None, workspace) as engine:
        return engine.run(job).state


def pictures(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.png"))}


def test_windows_in_any_order_give_the_film_of_one_machine(
    footage: SourceRef, picture: BlobRef, tmp_path: Path
) -> None:
    tiles = TileStore()
    masked: dict[str, Any] = {"region": "foreground", "masks": moving_matte(tiles)}
    painting = tmp_path / "key.png"
    cv2.imwrite(str(painting), np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8))
    key = KeyRef(frame=6, blob=BlobRef(digest=file_digest(painting), path=str(painting)))
    spots = PatternRef(kind="spots", base=(240, 240, 230), ink=(20, 20, 20))
    looks = {
        "strokes carried between keys": request(footage, styles=(picture,), **masked),
        "a painted key": request(footage, keys=(key,)),
        "spots that walk along": request(footage, mode="mask", pattern=spots, **masked),
    }
    for name, wanted in looks.items():
        alone, shared = TakeStore(tmp_path / name / "alone"), tmp_path / name / "farm"
        whole = Job(id="job-000000000001", lane=Lane.RENDER, request=wanted, label="", take_id=TAKE)
        assert rendered(whole, Workspace(takes=alone, matte=tiles.unpack)) is JobState.FINISHED
        division = divided(wanted, ExampleGenerator().abilities, 3)
        assert division.ahead and division.windows == ((3, 6), (6, 9), (9, 10))
        spans = [(3, 3), *reversed(division.windows)]
        for span in spans:
            takes = SharedTakes(shared, span if span[0] < span[1] else (3, 10))
            part = replace(whole, span=span)
            assert rendered(part, Workspace(takes=takes, matte=tiles.unpack)) is JobState.FINISHED, name
            assert len(takes.frames(TAKE)) == span[1] - span[0]
        assert pictures(shared / "takes" / TAKE) == pictures(alone.path(TAKE)), name


def test_who_makes_frames_together_gets_the_whole_clip(footage: SourceRef) -> None:
    model = Abilities(id="m", title="Model", revision="1", modes=(ModeAbility(mode="stylize", controls=frozenset()),))
    division = divided(request(footage), model, 4)
    assert division.windows == ((3, 10),) and not division.ahead
    assert division.why == "One task: Model makes the frames of a clip together."
    # Small frames are not worth more machines, unless the artist says so.
    example = ExampleGenerator().abilities
    assert len(divided(request(footage, stop=90), example).windows) == 1
    assert len(divided(request(footage, stop=90, width=1920, height=1080), example).windows) == 4
    parts = request(footage, parts=(request(footage),))
    assert len(divided(parts, ExampleGenerator().abilities, 4).windows) == 1


def planned(wanted: GenerateRequest, division: Division | None = None, number: int = 1) -> PlannedShot:
    return PlannedShot(
        take_id=f"take-{number:012x}", clip_id=CLIP, label="A shot", request=wanted,
        division=division or Division(((wanted.start, wanted.stop),), False, ""), gpu=number > 1,
    )  # fmt: skip


def test_templates_are_valid_however_many_tasks(footage: SourceRef, picture: BlobRef, tmp_path: Path) -> None:
    long = request(replace(footage, frame_count=5000), start=0, stop=3000)
    windows = Division(tuple((n, n + 1) for n in range(3000)), True, "")
    shots = [planned(long, windows), planned(request(footage, styles=(picture,)), number=2)]
    job = write_bundle(tmp_path / "b", shots, name="{{Evil}} \n ", project="doc-1")
    made = decode_job_template(
        template=document_string_to_object(
            document=(tmp_path / "b/template.yaml").read_text(), document_type=DocumentType.YAML
        )
    )
    steps = {step.name: step for step in made.steps}
    assert list(steps) == ["Lay down", "Frames", "Frames 2", "Frames 3", "Shots", "Gather"]
    assert steps["Shots"].hostRequirements is not None and steps["Frames"].hostRequirements is None
    assert [d.dependsOn for d in steps["Gather"].dependencies or ()] == list(steps)[:-1]
    assert "{{" not in str(made.name)
    assert template(job)["steps"][4].get("hostRequirements") is None


# -- bundles that come from elsewhere ----------------------------------------------------------------------------------


@pytest.fixture
def bundle(finished: Path, tmp_path: Path) -> Path:
    """A copy of a finished job, to be spoilt."""
    return Path(shutil.copytree(finished, tmp_path / "job.farm"))


@pytest.fixture(scope="module")
def finished(footage: SourceRef, picture: BlobRef, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job with footage, a style, a depth pass of numbered files and mattes, and results for it."""
    tmp_path = tmp_path_factory.mktemp("farm")
    tiles = TileStore()
    solid = tiles.pack(np.full((256, 256), 255, np.uint8))
    masks = (*moving_matte(tiles), MaskTrackRef(object_id="", frames=((0, solid),)))
    depth = tmp_path / "depth"
    depth.mkdir()
    for number in (7, 8, 9):
        cv2.imwrite(str(depth / f"client shot_{number:04d}.png"), np.full((8, 8), number, np.uint8))
    before = LeadRef(
        source=SourceRef(fingerprint="t", path=str(depth), frame_count=3, width=8, height=8), start=7, stop=9
    )
    wanted = request(
        footage, styles=(picture,), masks=masks, region="foreground", lead=before,
        depth_pass=DepthPassRef(fingerprint="d", path=str(depth / "client shot_0007.png")),
    )  # fmt: skip
    target = tmp_path / "job.farm"
    write_bundle(target, [planned(wanted)], name="Job", project="doc-1", tiles=tiles)
    job = read_job(job_folder(target))
    store = TakeStore(target / "results/takes")
    store.begin(TAKE, job.shots[0].digest, recipe_text(job.shots[0]))
    for frame in wanted.wanted:
        store.write(TAKE, frame, np.full((SIZE[1], SIZE[0], 3), frame * 7, np.uint8))
    assert gather(job, target / "results") == FRAMES
    return target


def test_a_bundle_holds_all_a_worker_needs(bundle: Path, tmp_path: Path) -> None:
    folder = job_folder(bundle / "template.yaml")
    job = read_job(folder)
    shot = job.shots[0]
    here = verified(job, shot, folder)
    assert here == shot.request and Path(here.source.path).is_file() and Path(here.styles[0].path).is_file()
    depth = Path(here.depth_pass.path)  # type: ignore[union-attr]
    assert sorted(f.name for f in depth.parent.iterdir()) == [f"frame_{n:06d}.png" for n in (7, 8, 9)]
    assert Path(here.lead.source.path) == depth.parent  # type: ignore[union-attr]
    assert solid_digest() in tile_files(job, folder)
    assert not any("client" in str(path) for path in bundle.rglob("*"))
    found = checked(job, bundle / "results")
    assert [frame for frame, _, _ in found[0].files] == list(range(3, 10))
    store = TakeStore(tmp_path / "takes")
    keep(found, store)
    assert pictures(store.path(TAKE)) == pictures(bundle / "results/takes" / TAKE)
    with pytest.raises(FarmError, match="is there already"):
        write_bundle(bundle, [planned(shot.request)], name="", project="")


def edited(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    file = bundle / "job/job.json"
    plain = json.loads(file.read_text())
    change(plain)
    file.write_text(json.dumps(plain))


def attachment(plain: dict[str, Any], suffix: str) -> dict[str, Any]:
    return next(a for a in plain["attachments"] if a["path"].endswith(suffix))


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(plain: dict[str, Any]) -> None:
        held: Any = plain
        *names, last = path.split(".")
        for name in names:
            held = held[int(name) if name.isdigit() else name]
        held[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("shots.0.request.source.path", "/etc/passwd"),
        _set("shots.0.request.source.path", "attachments/../../../../etc/passwd"),
        _set("shots.0.request.source.path", ["attachments"]),
        _set("attachments.0.path", "../../evil"),
        _set("attachments.0.path", "attachments/tiles/../../../evil"),
        _set("shots.0.take", "../../takes"),
        _set("shots.0.digest", "0" * 64),
        _set("shots.0.request.width", 1 << 30),
        _set("shots.0.request.stop", 1 << 40),
        _set("shots.0.request.prompt", "other words"),
        _set("shots.0.request.type", "Workspace"),
        _set("shots.0.request.source.rate", {"fraction": "1e999999999"}),
        _set("shots.0.request.source.rate", {"fraction": "1/0"}),
        _set("shots.0.windows", [[3, 5]]),
        _set("shots", []),
        _set("version", 9),
        lambda plain: plain["attachments"].append(plain["attachments"][0]),
        lambda plain: attachment(plain, ".jpg").update(sha256="0" * 64),
        lambda plain: plain["shots"][0]["request"]["masks"][0]["frames"][0][1].update(tiles=[["a"]]),
    ],
)
def test_a_hostile_description_is_refused(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    edited(bundle, change)
    with pytest.raises(FarmError):
        read_job(bundle / "job")


def test_files_that_are_not_what_was_sent_are_refused(bundle: Path, tmp_path: Path) -> None:
    folder = bundle / "job"
    job = read_job(folder)
    style = next(folder.glob("attachments/*.jpg"))
    kept = style.read_bytes()

    def refused() -> None:
        with pytest.raises(FarmError, match="missing or not the one that was sent"):
            verified(job, job.shots[0], folder)

    for data in (kept[:-1] + bytes([kept[-1] ^ 1]), kept + b"x", b""):
        style.unlink()
        style.write_bytes(data)
        refused()
    style.unlink()
    refused()
    other = tmp_path / "elsewhere.jpg"
    other.write_bytes(kept)
    style.symlink_to(other)
    refused()
    # Without its entry the file is not believed either.
    edited(bundle, lambda plain: plain["attachments"].remove(attachment(plain, ".jpg")))
    job = read_job(folder)
    with pytest.raises(FarmError, match="not among its files"):
        verified(job, job.shots[0], folder)


def test_frames_that_were_not_sent_are_not_read(bundle: Path) -> None:
    folder = bundle / "job"
    job = read_job(folder)
    depth = Path(verified(job, job.shots[0], folder).depth_pass.path).parent  # type: ignore[union-attr]
    (depth / "frame_000010.png").write_bytes((depth / "frame_000009.png").read_bytes())
    with pytest.raises(FarmError, match=r"frame_000010\.png” lies among its frames and was not sent"):
        verified(job, job.shots[0], folder)


def test_texts_of_a_job_say_nothing_to_the_farm(bundle: Path) -> None:
    """A label is printed by tasks, where lines that begin with “openjd_” are orders."""
    edited(bundle, _set("shots.0.label", "Shot\nopenjd_env: PATH=/evil\x1b[2J"))
    edited(bundle, _set("name", "Film\r\nopenjd_fail: x"))
    job = read_job(bundle / "job")
    assert job.shots[0].label == "Shot openjd_env: PATH=/evil [2J" and job.name == "Film openjd_fail: x"


def test_two_files_with_one_number_are_refused_before_they_leave(footage: SourceRef, tmp_path: Path) -> None:
    depth = tmp_path / "both eyes"
    depth.mkdir()
    for number, name in enumerate(("left_0001.png", "left_0002.png", "right_0001.png")):
        cv2.imwrite(str(depth / name), np.full((8, 8), number, np.uint8))
    wanted = request(footage, depth_pass=DepthPassRef(fingerprint="d", path=str(depth)))
    with pytest.raises(FarmError, match=r"“left_0001\.png” and “right_0001\.png” have the same number"):
        write_bundle(tmp_path / "job.farm", [planned(wanted)], name="Job", project="doc-1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both eyes"]


def test_a_tile_that_would_fill_the_memory_is_refused() -> None:
    bomb = zlib.compress(bytes(8 << 20), 9)
    with pytest.raises(ValueError, match="damaged"):
        TileStore().put_packed("0" * 32, bomb)


def _frame(bundle: Path) -> Path:
    return bundle / "results/takes" / TAKE / "frame_000005.png"


def _png(size: tuple[int, int], channels: int = 3) -> bytes:
    return cv2.imencode(".png", np.zeros((size[1], size[0], channels), np.uint8))[1].tobytes()


def _listed_as(bundle: Path, data: bytes, tmp_path: Path) -> None:
    """Put another file in a frame's place, and into the list as what it is."""
    _frame(bundle).write_bytes(data)
    file = bundle / "results/results.json"
    plain = json.loads(file.read_text())
    entry = next(e for e in plain["shots"][0]["frames"] if e[0] == 5)
    entry[1:] = [file_digest(_frame(bundle)), len(data)]
    file.write_text(json.dumps(plain))


def _with_packed_text(png: bytes) -> bytes:
    """A whole PNG of the right size with a text that is thousand times as long when it is unpacked."""
    body = b"zTXt" + b"Comment\0\0" + zlib.compress(bytes(1 << 20), 9)
    return png[:33] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + png[33:]


def _linked(bundle: Path, tmp_path: Path) -> None:
    shutil.move(_frame(bundle), tmp_path / "x.png")
    _frame(bundle).symlink_to(tmp_path / "x.png")


def _of_another_job(bundle: Path, _tmp: Path) -> None:
    file = bundle / "results/results.json"
    file.write_text(file.read_text().replace('"job":"', '"job":"0'))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda bundle, _tmp: _frame(bundle).unlink(),
        lambda bundle, _tmp: _frame(bundle).write_bytes(_png(SIZE)),
        lambda bundle, tmp: _listed_as(bundle, _png((SIZE[0], SIZE[1] + 1)), tmp),
        lambda bundle, tmp: _listed_as(bundle, _png(SIZE, 4), tmp),
        lambda bundle, tmp: _listed_as(bundle, _png(SIZE)[:-8], tmp),
        lambda bundle, tmp: _listed_as(bundle, b"MZ" + bytes(2 << 20), tmp),
        lambda bundle, tmp: _listed_as(bundle, _png(SIZE) + bytes(3 << 20), tmp),
        lambda bundle, tmp: _listed_as(bundle, _with_packed_text(_png(SIZE)), tmp),
        _linked,
        _of_another_job,
        lambda bundle, _tmp: (bundle / "results/results.json").write_text('{"format": 1}'),
        lambda bundle, _tmp: (bundle / "results/results.json").write_text("[" * 100_000),
    ],
)
def test_hostile_results_are_refused(bundle: Path, tmp_path: Path, spoil: Callable[[Path, Path], object]) -> None:
    job = read_job(bundle / "job")
    spoil(bundle, tmp_path)
    with pytest.raises(FarmError, match="refused"):
        checked(job, bundle / "results")


def test_missing_frames_are_named(bundle: Path) -> None:
    job = read_job(bundle / "job")
    _frame(bundle).write_bytes(_png(SIZE)[:-8])
    with pytest.raises(FarmError, match=r"shot 1 lacks 1 of 7 frames"):
        gather(job, bundle / "results")
    assert isinstance(job.shots[0], FarmShot)
