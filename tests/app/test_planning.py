"""Requests from the document: the right frames, the right mattes, stale when something it depends on changed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from gen2studio.app import planning
from gen2studio.app.planning_propagation import carried_from
from gen2studio.app.staleness import Judge, is_stale
from gen2studio.core.errors import GenerationError
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.document import edits, looks, masks
from gen2studio.document.look import Controls, Look, Mode, PaintedKey, Pattern, Region, StyleImage
from gen2studio.document.media_edits import add_media
from gen2studio.document.model import Clip, Document, MaskFrame, Take
from gen2studio.document.sequences import add_sequence
from gen2studio.engine.requests import PropagateRequest, request_digest, request_recipe
from gen2studio.example.generator import ExampleGenerator
from gen2studio.media.probe import probe
from tests.document.builders import still, video

MASK = "mask-00000000000a"
MATTE = MaskRaster(640, 360, ((0, 0, "ab" * 16),))
OTHER = MaskRaster(640, 360, ((0, 0, "cd" * 16),))
DIGEST = "5a" * 32
NEWER = replace(ExampleGenerator().abilities, revision="2")


def blobs(digest: str) -> Path | None:
    return Path(f"/blobs/{digest}.png") if digest == DIGEST else None


def shot(rate: Fraction = Fraction(25), source: tuple[int, int] = (2, 6)) -> tuple[Document, Clip]:
    """A document with seconds 2 to 6 of a 25 fps film on a timeline, its subject painted on frame 60."""
    item = video()
    document = add_media(Document(id="doc-0123456789ab"), item)
    span = (Fraction(source[0]), Fraction(source[1]))
    placed = edits.place_media(edits.new_sequence("One", rate, 640, 360), item, 10, source=span)
    document = masks.add_object(add_sequence(document, placed.sequence), item.id, object_id=MASK)
    return masks.set_frame(document, MASK, 60, MATTE), placed.sequence.tracks[0].clips[0]


def test_frames_are_media_frames() -> None:
    document, clip = shot()
    assert planning.media_range(document, clip, Fraction(25)) == (50, 150)
    assert planning.media_frame(document, clip, 10) == 50
    assert planning.media_frame(document, clip, 10**6) == 149
    assert planning.sequence_frame(document, clip, 60) == 20
    document, clip = shot(rate=Fraction(60))
    assert planning.media_range(document, clip, Fraction(60)) == (50, 150)
    for frame in range(50, 150):
        shown = planning.sequence_frame(document, clip, frame)
        assert planning.media_frame(document, clip, shown) == frame


@pytest.mark.parametrize("name", ["numbered_frames_30fps_2.5s.mkv", "hard/vp9_10bit_426x240_3s.webm"])
@pytest.mark.parametrize("trimmed", [0, 7])
def test_a_sequence_at_the_clips_rate_counts_like_the_clip(media_root: Path, name: str, trimmed: int) -> None:
    path = media_root / "clips" / name
    info = probe(path)
    item = replace(video(), path=str(path), info=info)
    document = add_media(Document(id="doc-0123456789ab"), item)
    span = (trimmed / info.rate, info.duration)
    placed = edits.place_media(edits.new_sequence("One", info.rate, 640, 360), item, 5, source=span)
    document, clip = add_sequence(document, placed.sequence), placed.sequence.tracks[0].clips[0]
    assert clip.duration == info.frame_count - trimmed
    for index in range(trimmed, info.frame_count):
        assert planning.media_frame(document, clip, 5 + index - trimmed) == index
        assert planning.sequence_frame(document, clip, index) == 5 + index - trimmed


def test_every_frame_of_a_variable_rate_is_found_where_it_first_shows(media_root: Path) -> None:
    path = media_root / "clips" / "hard" / "derived_vfr_dropped_frames.mkv"
    item = replace(video(), path=str(path), info=probe(path))
    document = add_media(Document(id="doc-0123456789ab"), item)
    placed = edits.place_media(edits.new_sequence("One", Fraction(30), 640, 360), item, 0)
    document, clip = add_sequence(document, placed.sequence), placed.sequence.tracks[0].clips[0]
    for index in range(item.info.frame_count):
        at = planning.sequence_frame(document, clip, index)
        assert planning.media_frame(document, clip, at) == index
        assert at == 0 or planning.media_frame(document, clip, at - 1) < index


def test_stills_are_spread_evenly_inside_the_clip() -> None:
    document, clip = shot()
    request = planning.plan_stills(document, clip, blobs=blobs, max_side=320)
    assert request.wanted == (62, 87, 112, 137)
    assert (request.start, request.stop) == (50, 150)
    assert (request.width, request.height) == (320, 180)
    assert planning.still_frames(7, 9) == (7, 8)


def test_a_request_carries_the_whole_look() -> None:
    document, clip = shot()
    look = Look(
        mode=Mode.MASK,
        preset="ink",
        styles=(StyleImage(digest=DIGEST, weight=0.5),),
        keys=(PaintedKey(frame=70, digest=DIGEST),),
        pattern=Pattern(kind="swatch", swatch=DIGEST),
        prompt="a white dog",
        region=Region.FOREGROUND,
        controls=Controls(structure=1.5, grow=4, strength=0.75),
        seed=9,
    )
    request = planning.plan_generate(document, clip, look, blobs=blobs, revision="3")
    assert (request.mode, request.revision, request.region, request.seed) == ("mask", "3", "foreground", 9)
    assert request.styles[0].path == f"/blobs/{DIGEST}.png"
    assert request.masks[0].frames == ((60, MATTE),)
    assert request.controls.structure == 1.5 and request.controls.grow == 4
    back = planning.look_of_recipe(request_recipe(request))
    assert back == look
    with pytest.raises(GenerationError, match="missing"):
        planning.plan_generate(document, clip, replace(look, styles=(StyleImage(digest="00" * 32),)), blobs=blobs)


def test_a_region_without_mask_is_refused_in_words() -> None:
    document, clip = shot(source=(6, 9))
    with pytest.raises(GenerationError, match="mask"):
        planning.plan_generate(document, clip, Look(region=Region.BACKGROUND), blobs=blobs)
    sound = document.sequence.tracks[1].clips[0]  # type: ignore[union-attr]
    assert sound.media_id == clip.media_id


def take_of(document: Document, clip: Clip) -> Take:
    request = planning.plan_generate(document, clip, blobs=blobs)
    return Take(
        id="take-00000000000a",
        media_id=clip.media_id,
        name="Take 1",
        request_digest=request_digest(request),
        recipe=request_recipe(request),
        look=looks.look_of(document, clip),
        start=request.start,
        stop=request.stop,
        width=request.width,
        height=request.height,
    )


def test_staleness_follows_what_the_take_depends_on() -> None:
    document, clip = shot()
    document = looks.set_default_look(document, Look(region=Region.FOREGROUND, prompt="oil"))
    take = take_of(document, clip)
    assert not is_stale(document, clip, take, Judge(blobs=blobs))
    sequence = document.sequence
    assert sequence is not None
    shorter = edits.trim_tail(sequence, clip.id, -20, document.media).tracks[0].clips[0]
    assert not is_stale(document, shorter, take, Judge(blobs=blobs))
    longer = edits.trim_head(sequence, clip.id, -5, document.media).tracks[0].clips[0]
    assert is_stale(document, longer, take, Judge(blobs=blobs))
    assert is_stale(masks.set_frame(document, MASK, 60, OTHER), clip, take, Judge(blobs=blobs))
    assert not is_stale(masks.set_frame(document, MASK, 10, OTHER), clip, take, Judge(blobs=blobs))
    assert is_stale(looks.set_default_look(document, Look(prompt="ink")), clip, take, Judge(blobs=blobs))
    assert is_stale(document, clip, take, Judge(blobs=blobs, abilities=lambda _id: NEWER))


def test_propagation_knows_the_anchors_around_its_range() -> None:
    document, clip = shot()
    document = masks.set_frames(
        document,
        MASK,
        {
            10: MaskFrame(raster=OTHER, anchor=True),
            61: MaskFrame(raster=OTHER, anchor=False, confidence=0.5),
            90: MaskFrame(raster=OTHER, anchor=True),
        },
    )
    request = planning.plan_propagate(document, clip.media_id, [MASK], from_frame=60, start=50, stop=80)
    assert [frame for frame, _ in request.objects[0].anchors] == [10, 60, 90]
    segment = planning.plan_segment(document, MASK, 60, include=[(3.0, 4.0)])
    assert segment.current == MATTE
    with pytest.raises(GenerationError):
        planning.plan_segment(document, MASK, 9999)


def test_a_correction_unsettles_only_what_lies_beside_it() -> None:
    document, clip = shot()
    document = masks.set_frame(document, MASK, 90, OTHER)

    def plan(of: Document, **options: object) -> PropagateRequest:
        return planning.plan_propagate(of, clip.media_id, [MASK], from_frame=60, start=50, stop=120, **options)

    request = plan(document)
    assert request.objects[0].settled == ()
    made = {
        frame: MaskFrame(
            raster=MATTE, anchor=False, confidence=0.9, basis=carried_from(request, request.objects[0], frame)
        )
        for frame in range(50, 120)
    }
    document = masks.set_frames(document, MASK, made)
    with pytest.raises(GenerationError, match="already carried"):
        plan(document)
    assert plan(document, engine="another").objects[0].settled == ()
    corrected = masks.set_frame(document, MASK, 75, OTHER)
    settled = [frame for frame, _ in plan(corrected).objects[0].settled]
    assert settled == [*range(50, 60), *range(91, 120)]
    # A drawn frame that is drawn again unsettles both its sides.
    redrawn = masks.set_frame(document, MASK, 90, MATTE)
    assert [frame for frame, _ in plan(redrawn).objects[0].settled] == list(range(50, 60))


def test_other_objects_keep_their_pixels_while_one_is_carried() -> None:
    document, clip = shot()
    other, hidden = "mask-00000000000b", "mask-00000000000c"
    for name in (other, hidden):
        document = masks.add_object(document, clip.media_id, object_id=name)
        document = masks.set_frame(document, name, 62, OTHER)
    document = masks.set_visible(document, hidden, False)
    request = planning.plan_propagate(document, clip.media_id, [MASK], from_frame=60, start=50, stop=80)
    assert [(track.object_id, track.frames) for track in request.beside] == [(other, ((62, OTHER),))]


def test_stills_on_the_timeline_are_one_frame() -> None:
    item = still()
    document = add_media(Document(id="doc-0123456789ab"), item)
    placed = edits.place_media(edits.new_sequence("One", Fraction(25), 640, 360), item, 0)
    document = add_sequence(document, placed.sequence)
    request = planning.plan_generate(document, placed.sequence.tracks[0].clips[0], blobs=blobs)
    assert request.wanted == (0,)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"mode": "stylize"}', '{"mode": 3, "generator": "x"}'])
def test_recipes_that_cant_be_read(text: str) -> None:
    with pytest.raises(GenerationError):
        planning.look_of_recipe(text)
