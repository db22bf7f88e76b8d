"""Requests for shots and for models: what stands outside the look is named by content, and staleness is right."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from gen2studio.app import planning
from gen2studio.app.planning_parts import FoundAdapter, moved
from gen2studio.app.shots import ShotWish, shot_for, shot_item
from gen2studio.app.staleness import Judge, is_stale
from gen2studio.core.errors import GenerationError
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.document import edits, looks
from gen2studio.document.look import (
    AdapterUse,
    Camera,
    Controls,
    DepthPass,
    Fill,
    Look,
    Mode,
    MotionRegion,
    PaintedKey,
    StructureSource,
)
from gen2studio.document.media_edits import add_media
from gen2studio.document.model import Clip, Document, Lead, Take
from gen2studio.document.sequences import add_sequence
from gen2studio.engine.requests import GenerateRequest, request_digest, request_recipe
from tests.document.builders import video

DIGEST, LAYOUT = "5a" * 32, "6b" * 32
ADAPTER = "adapter-0123456789ab"
PAINT = MaskRaster(160, 90, ((0, 0, "cd" * 16),))
LOOK = Look(
    mode=Mode.IMAGE_TO_VIDEO,
    generator="mini",
    prompt="a boat",
    negative_prompt="fog",
    keys=(PaintedKey(frame=16, digest=DIGEST), PaintedKey(frame=0, digest=DIGEST)),
    controls=Controls(guidance=4.0, steps=12, motion=7.0, control_scale=0.5),
    structure_source=StructureSource.EDGES,
    fill=Fill.FREE,
    camera=Camera(zoom=-2.0, static=True),
    motion_regions=(MotionRegion(raster=PAINT, horizontal=3.0), MotionRegion(raster=PAINT)),
    adapters=(AdapterUse(adapter=ADAPTER, strength=0.5), AdapterUse(adapter="adapter-off000000000", strength=0.0)),
    layout=LAYOUT,
    seed=5,
)


def blobs(digest: str) -> Path | None:
    return Path(f"/blobs/{digest}.png")


def adapters(adapter_id: str) -> FoundAdapter | None:
    return FoundAdapter("7c" * 32, Path("/adapters/rex.safetensors"), "mini") if adapter_id == ADAPTER else None


def shot(look: Look = LOOK) -> tuple[Document, Clip]:
    """A document with a shot of 17 frames at 8 a second on a timeline of 25, its clip cut to half a second."""
    made = shot_for(ShotWish(Fraction(16, 9), Fraction(17, 8), Fraction(8)), None)
    item = shot_item(made, "Shot 1", Path("/nowhere"))
    document = add_media(Document(id="doc-0123456789ab"), item)
    span = (Fraction(1), Fraction(3, 2))
    placed = edits.place_media(edits.new_sequence("One", Fraction(25), 640, 360), item, 10, source=span)
    clip = replace(placed.sequence.tracks[0].clips[0], look=look)
    return looks.set_look(add_sequence(document, placed.sequence), {clip.id}, look), clip


def plan(document: Document, clip: Clip, **options: object) -> GenerateRequest:
    return planning.plan_generate(document, clip, blobs=blobs, adapters=adapters, **options)  # type: ignore[arg-type]


def take_of(request: GenerateRequest, clip: Clip, **changes: object) -> Take:
    values: dict[str, object] = {
        "id": "take-0123456789ab", "media_id": clip.media_id, "name": "Take 1", "look": LOOK, "start": request.start,
        "stop": request.stop, "request_digest": request_digest(request), "recipe": request_recipe(request),
        "width": request.width, "height": request.height, "done": ((request.start, request.stop),),
    }  # fmt: skip
    return Take(**{**values, **changes})  # type: ignore[arg-type]


def test_everything_of_the_look_is_in_the_request() -> None:
    document, clip = shot()
    request = plan(document, clip)
    assert request.from_nothing and (request.start, request.stop) == (0, 17)
    assert (request.width, request.height, request.source.rate) == (640, 360, 8)
    assert [key.frame for key in request.keys] == [0, 16]
    assert (request.camera.zoom, request.camera.static) == (-2.0, True)
    assert (request.controls.guidance, request.controls.steps, request.controls.motion) == (4.0, 12, 7.0)
    assert request.structure_source == "edges" and request.fill == "free" and request.negative_prompt == "fog"
    [region] = request.motion_regions
    assert region.raster == PAINT and region.horizontal == 3.0
    [adapter] = request.adapters
    assert (adapter.digest, adapter.strength, adapter.path) == ("7c" * 32, 0.5, "/adapters/rex.safetensors")
    assert request.layout is not None and request.layout.digest == LAYOUT


def test_a_recipe_gives_the_look_back() -> None:
    document, clip = shot()
    known = {"7c" * 32: ADAPTER}
    back = planning.look_of_recipe(request_recipe(plan(document, clip)), lambda digest: known.get(digest, ""))
    kept = (LOOK.motion_regions[0],)
    # What was left to the generator comes back as it was chosen.
    controls = replace(LOOK.controls, strength=1.0)
    assert back == replace(
        LOOK, keys=LOOK.keys[::-1], motion_regions=kept, adapters=LOOK.adapters[:1], controls=controls
    )
    assert planning.look_of_recipe(request_recipe(plan(document, clip))).adapters == ()


@pytest.mark.parametrize(
    "change",
    [
        {"camera": Camera(pan=1)},
        {"motion_regions": ()},
        {"adapters": (AdapterUse(adapter=ADAPTER, strength=0.6),)},
        {"adapters": (AdapterUse(adapter="adapter-gone00000000"),)},
        {"layout": DIGEST},
        {"fill": Fill.SHAPE},
        {"structure_source": StructureSource.GREY},
        {"controls": Controls(guidance=4.5, steps=12, motion=7.0, control_scale=0.5)},
        {"generator": "other"},
        {"seed": 6},
    ],
)
def test_a_take_is_stale_when_something_was_changed(change: dict[str, object]) -> None:
    document, clip = shot()
    take = take_of(plan(document, clip), clip)

    def stale(look: Look) -> bool:
        changed = looks.set_look(document, {clip.id}, look)
        return is_stale(changed, replace(clip, look=look), take, Judge(blobs=blobs, adapters=adapters))

    assert not stale(LOOK)
    assert stale(replace(LOOK, **change))
    # Which of the installed generators made it is no matter while the choice is left open.
    assert not stale(replace(LOOK, generator=""))


def test_takes_of_the_version_before_are_still_fresh() -> None:
    """A request had fewer fields then: what it did not say is what those fields begin with."""
    item = video()
    document = add_media(Document(id="doc-0123456789ab"), item)
    placed = edits.place_media(edits.new_sequence("One", Fraction(25), 640, 360), item, 0)
    clip = placed.sequence.tracks[0].clips[0]
    look = Look(generator="example", preset="ink")
    document = looks.set_default_look(add_sequence(document, placed.sequence), look)
    recipe = json.loads(request_recipe(planning.plan_generate(document, clip, blobs=blobs)))
    new = ("from_nothing", "structure_source", "depth_pass", "fill", "camera", "motion_regions", "adapters", "layout",
           "lead", "outpaint")  # fmt: skip
    older = {key: value for key, value in recipe.items() if key not in new}
    for name in ("guidance", "steps", "motion", "control_scale"):
        del older["controls"][name]
    request = planning.plan_generate(document, clip, blobs=blobs)
    take = take_of(request, clip, request_digest="0" * 64, recipe=json.dumps(older))
    assert not is_stale(document, clip, take, Judge(blobs=blobs))
    tilted = looks.set_default_look(document, replace(look, camera=Camera(tilt=1)))
    assert is_stale(tilted, clip, take, Judge(blobs=blobs))
    assert is_stale(looks.set_default_look(document, replace(look, preset="oil")), clip, take, Judge(blobs=blobs))


def test_a_look_for_new_shots_asks_nothing_of_footage() -> None:
    item = video()
    document = add_media(Document(id="doc-0123456789ab"), item)
    placed = edits.place_media(edits.new_sequence("One", Fraction(25), 640, 360), item, 0)
    clip = placed.sequence.tracks[0].clips[0]
    document = add_sequence(document, placed.sequence)
    take = take_of(planning.plan_generate(document, clip, blobs=blobs), clip)
    spoken = looks.set_default_look(document, Look(mode=Mode.TEXT_TO_VIDEO, prompt="a boat"))
    assert not is_stale(spoken, clip, take, Judge(blobs=blobs))
    with pytest.raises(GenerationError, match="makes a shot of its own"):
        planning.plan_generate(spoken, clip, blobs=blobs)


def test_a_depth_pass_is_known_by_its_first_file_and_how_many_there_are(tmp_path: Path) -> None:
    for frame in range(3):
        (tmp_path / f"depth_{frame:04d}.png").write_bytes(b"depth %d" % frame)
    look = replace(LOOK, depth_pass=DepthPass(path=str(tmp_path / "depth_0000.png"), near_is_white=False, far=9.5))
    document, clip = shot(look)
    first = plan(document, clip).depth_pass
    assert first is not None and (first.near_is_white, first.near, first.far) == (False, None, 9.5)
    away = tmp_path / "away"
    away.mkdir()
    for file in tmp_path.glob("depth_*.png"):
        (away / file.name).write_bytes(file.read_bytes())
    there = replace(look, depth_pass=replace(look.depth_pass, path=str(away / "depth_0000.png")))  # type: ignore[type-var]
    assert plan(*shot(there)).depth_pass == first
    (away / "depth_0003.png").write_bytes(b"one more")
    longer = plan(*shot(there)).depth_pass
    assert longer is not None and longer.fingerprint != first.fingerprint
    (away / "depth_0000.png").unlink()
    with pytest.raises(GenerationError, match="not where it was"):
        plan(*shot(there))


def test_a_lead_that_is_gone_is_said() -> None:
    document, clip = shot()
    item = document.media[clip.media_id]
    assert item.shot is not None
    lead = Lead(media_id=item.id, take_id="take-0123456789ab", start=12, stop=17)
    follows = replace(item, shot=replace(item.shot, lead=lead))
    document = replace(document, media={item.id: follows})
    with pytest.raises(GenerationError, match="goes on from are gone"):
        plan(document, clip)
    take = take_of(plan(*shot()), clip)
    request = plan(replace(document, takes={take.id: take}), clip, takes=lambda take_id: Path("/takes") / take_id)
    assert request.lead is not None
    assert (request.lead.source.path, request.lead.start, request.lead.stop) == ("/takes/take-0123456789ab", 12, 17)
    assert request.lead.source.frame_count == 17


def test_stills_of_a_trimmed_shot_show_what_the_clip_shows() -> None:
    document, clip = shot()
    request = planning.plan_stills(document, clip, blobs=blobs, adapters=adapters, count=4)
    assert request.frames is not None and set(request.frames) <= set(range(8, 12))
    assert (request.start, request.stop) == (0, 17)


def test_hints_follow_a_project_that_moves() -> None:
    document, clip = shot()
    request = plan(document, clip)
    there = moved(request, Path("/blobs"), Path("/new/blobs"))
    assert there == request and there.keys[0].blob.path == f"/new/blobs/{DIGEST}.png"
    assert there.layout.path == f"/new/blobs/{LAYOUT}.png" and there.adapters[0].path == request.adapters[0].path
