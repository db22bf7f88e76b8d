"""One effective matte for everybody: viewer, engine and exports agree, and takes go stale exactly when it changes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from gen2studio.app import planning
from gen2studio.app.mattes import MatteSource, effective_matte
from gen2studio.app.staleness import Judge, is_stale
from gen2studio.core.errors import GenerationError
from gen2studio.core.frozen import frozen_map, with_item
from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_refinement import Refinement
from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.document import codec, edits, looks, masks
from gen2studio.document.deltas import Replay, difference
from gen2studio.document.look import Controls, Look, LookPart, Mode, Region
from gen2studio.document.media_edits import add_media
from gen2studio.document.model import Clip, Document, MaskBlend, MaskFrame, MaskObject, MediaItem, Take
from gen2studio.document.sequences import add_sequence
from gen2studio.engine.region import Regions
from gen2studio.engine.requests import request_digest, request_recipe
from gen2studio.media.decoder import open_decoder
from gen2studio.media.probe import probe
from gen2studio.raster.tiles import TileStore

DOG, LEASH = "mask-00000000000a", "mask-00000000000b"
STACK = Refinement(despeckle=30, chatter=1, edge=8, grow=Keyed(0.0, ((4, 0.0), (8, 3.0))), feather=Keyed(1.0))


class Scene:
    """A real clip of a dog with its true mattes on frames 3…9, and a shape over a second object."""

    def __init__(self, media_root: Path) -> None:
        folder = media_root / "davis" / "dog"
        info = probe(folder / "dog.mp4")
        item = MediaItem(
            id="media-00000000000a", name="dog", path=str(folder / "dog.mp4"), fingerprint="dog", info=info
        )
        document = add_media(Document(id="doc-00000000000a"), item)
        span = (Fraction(3) / info.rate, Fraction(10) / info.rate)
        placed = edits.place_media(edits.new_sequence("One", info.rate, info.width, info.height), item, 0, source=span)
        document = add_sequence(document, placed.sequence)
        self.tiles, self.item = TileStore(), item
        self.clip: Clip = placed.sequence.tracks[0].clips[0]
        files = sorted((folder / "masks").glob("*.png"))
        frames = {}
        for frame in range(3, 10):
            read = cv2.imread(str(files[frame]), cv2.IMREAD_GRAYSCALE)
            assert read is not None
            matte = cv2.resize((read > 0).astype(np.uint8) * 255, (info.width, info.height))
            frames[frame] = MaskFrame(raster=self.tiles.pack(matte), anchor=frame == 3)
        document = masks.set_frames(masks.add_object(document, item.id, "Dog", object_id=DOG), DOG, frames)
        document = masks.add_object(document, item.id, "Leash", object_id=LEASH)
        corners = tuple(ShapePoint(float(x), float(y)) for x, y in ((90, 60), (300, 80), (280, 210), (80, 190)))
        shape = MaskShape(id="shape-00000000000a", name="Loop", kind="bspline", start=4, keys=((4, corners),))
        self.document = self.with_mask(document, LEASH, shapes=(shape,))

    @staticmethod
    def with_mask(document: Document, object_id: str, **changes: object) -> Document:
        changed: MaskObject = replace(document.masks[object_id], **changes)  # type: ignore[arg-type]
        return replace(document, masks=with_item(document.masks, object_id, changed))

    def clip_in(self, document: Document) -> Clip:
        assert document.sequence is not None
        return document.sequence.tracks[0].clips[0]

    def request(self, document: Document, look: Look, **options: object):
        return planning.plan_generate(document, self.clip, look, blobs=lambda _: None, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def scene(media_root: Path) -> Scene:
    return Scene(media_root)


def test_engine_and_exports_make_the_same_matte(scene: Scene) -> None:
    document = scene.with_mask(scene.document, DOG, refinement=STACK)
    document = scene.with_mask(document, LEASH, blend=MaskBlend.SUBTRACT)
    look = Look(mode=Mode.MASK, region=Region.FOREGROUND, controls=Controls(feather=0.0))
    request = scene.request(document, look)
    decoder = open_decoder(Path(scene.item.path))
    try:
        regions = Regions(request, scene.tiles.unpack, lambda frame: decoder.rgb(frame))
        source = MatteSource(document, scene.tiles)
        for frame in (6,):
            region = regions.at(frame)
            assert region is not None
            assert np.array_equal(region, source.region((DOG, LEASH), frame))
        alone = effective_matte(document, DOG, 6, tiles=scene.tiles)
        assert np.array_equal(alone, source.matte(DOG, 6))
        painted = scene.tiles.unpack(document.masks[DOG].frames[6].raster)
        assert not np.array_equal(alone, painted) and np.abs(alone.astype(int) - painted).mean() < 12
        source.close()
    finally:
        decoder.close()


def test_a_source_knows_where_an_object_has_anything(scene: Scene) -> None:
    source = MatteSource(scene.document, scene.tiles)
    assert source.frames(DOG) == range(3, 10)
    assert source.frames(LEASH) == range(4, scene.item.info.frame_count)
    assert not source.matte(DOG, 40).any() and source.matte(LEASH, 40).any()
    assert not source.matte(LEASH, 3).any()
    assert source.extent(DOG) == scene.item.info.extent
    soft = scene.with_mask(scene.document, DOG, refinement=replace(STACK, decontaminate=Keyed(1.0)))
    cleaned = MatteSource(soft, scene.tiles)
    matte, clean, plain = cleaned.matte(DOG, 5), cleaned.picture(DOG, 5), source.picture(DOG, 5)
    sure = (matte == 0) | (matte == 255)
    assert np.array_equal(clean[sure], plain[sure]) and not np.array_equal(clean, plain)
    for made in (source, cleaned):
        made.close()


# -- staleness -------------------------------------------------------------------------------------------------------


def take_of(scene: Scene, document: Document, look: Look) -> tuple[Document, Take]:
    document = looks.set_look(document, {scene.clip.id}, look)
    request = scene.request(document, look)
    return document, Take(
        id="take-00000000000a", media_id=scene.item.id, name="1", request_digest=request_digest(request),
        recipe=request_recipe(request), look=look, start=request.start, stop=request.stop, width=request.width,
        height=request.height,
    )  # fmt: skip


def test_takes_go_stale_exactly_when_their_region_changes(scene: Scene) -> None:
    look = Look(mode=Mode.MASK, generator="example", region=Region.FOREGROUND)
    document = scene.with_mask(scene.document, DOG, refinement=STACK)
    document, take = take_of(scene, document, look)

    def stale(object_id: str, **changes: object) -> bool:
        changed = scene.with_mask(document, object_id, **changes)
        return is_stale(changed, scene.clip_in(changed), take, Judge(blobs=lambda _: None))

    stack, loop = STACK, document.masks[LEASH].shapes[0]
    corners = loop.keys[0][1]
    frames = document.masks[DOG].frames
    assert not stale(DOG)
    fresh = {
        "a name": stale(DOG, name="Rex"),
        "its colour on screen": stale(DOG, colour=(1, 2, 3)),
        "edge colour": stale(DOG, refinement=replace(stack, decontaminate=Keyed(0.5))),
        "a key far after the clip": stale(
            DOG, refinement=replace(stack, grow=Keyed(0.0, (*stack.grow.keys, (12, 3.0), (50, 9.0))))
        ),
        "the name of a shape": stale(LEASH, shapes=(replace(loop, name="Other"),)),
        "a hidden shape": stale(LEASH, shapes=(loop, replace(loop, visible=False))),
        "a shape later in the film": stale(LEASH, shapes=(loop, replace(loop, start=30))),
        "a matte elsewhere": stale(DOG, frames=frozen_map({**frames, 40: frames[4]})),
        "a stack that does nothing": stale(LEASH, refinement=Refinement(edge_detail=0.9)),
    }
    assert not any(fresh.values()), fresh
    changed = {
        "a step": stale(DOG, refinement=replace(stack, despeckle=31)),
        "a keyed step": stale(DOG, refinement=replace(stack, grow=Keyed(0.0, ((4, 0.0), (8, 4.0))))),
        "bypass": stale(DOG, refinement=replace(stack, enabled=False)),
        "the blend": stale(LEASH, blend=MaskBlend.SUBTRACT),
        "a point": stale(LEASH, shapes=(replace(loop, keys=((4, (replace(corners[0], x=3.0), *corners[1:])),)),)),
        "how a shape counts": stale(LEASH, shapes=(replace(loop, operation="subtract"),)),
        "a matte": stale(DOG, frames=frozen_map({**frames, 5: frames[4]})),
        "a matte that chatter looks at": stale(DOG, frames=frozen_map({**frames, 10: frames[4]})),
    }
    assert all(changed.values()), changed


def parts(scene: Scene) -> Look:
    dog = LookPart(object_id=DOG, look=Look(preset="oil", generator="example"))
    ground = LookPart(look=Look(mode=Mode.MASK, prompt="snow", generator="mini"))
    return Look(parts=(ground, dog), generator="example", preset="ink")


def test_looks_by_object_are_parts_of_one_request(scene: Scene) -> None:
    request = scene.request(scene.document, parts(scene), revision_of=lambda look: f"of {look.generator}", seed=5)
    ground, dog = request.parts
    assert (ground.region, ground.generator, ground.revision, ground.prompt) == (
        "background",
        "mini",
        "of mini",
        "snow",
    )
    assert (dog.region, dog.generator, dog.preset, dog.seed) == ("foreground", "example", "oil", 5)
    assert [track.object_id for track in dog.masks] == [DOG] and len(ground.masks) == 2
    assert (request.start, request.stop) == (3, 10) == (dog.start, dog.stop)
    carved = scene.with_mask(scene.document, LEASH, blend=MaskBlend.SUBTRACT)
    assert [t.blend for t in scene.request(carved, parts(scene)).parts[1].masks] == ["add", "subtract"]
    empty = Look(parts=(LookPart(object_id="mask-0000000000ff", look=Look()),))
    with pytest.raises(GenerationError, match="No object with a look"):
        scene.request(scene.document, empty)
    off = replace(parts(scene), parts=tuple(replace(p, enabled=False) for p in parts(scene).parts))
    assert not scene.request(scene.document, off).parts


def test_the_order_of_the_list_says_who_is_on_top(scene: Scene) -> None:
    look = Look(parts=tuple(LookPart(object_id=i, look=Look(preset="oil")) for i in (DOG, LEASH)))
    order = [p.masks[0].object_id for p in scene.request(scene.document, look).parts]
    assert order == [LEASH, DOG], "laid down last = on top = first in the list"
    moved = masks.move_object(scene.document, LEASH, 0)
    assert [p.masks[0].object_id for p in scene.request(moved, look).parts] == [DOG, LEASH]


def test_a_take_of_looks_by_object_goes_stale_by_part(scene: Scene) -> None:
    look = parts(scene)
    document, take = take_of(scene, scene.document, look)

    def stale(look: Look, document: Document = document) -> bool:
        changed = looks.set_look(document, {scene.clip.id}, look)
        return is_stale(changed, scene.clip_in(changed), take, Judge(blobs=lambda _: None))

    assert not stale(look)
    assert not stale(replace(look, preset="pencil", prompt="words of the look around them"))
    ground, dog = look.parts
    assert not stale(replace(look, parts=(dog, ground)))
    assert stale(replace(look, parts=(ground, replace(dog, look=replace(dog.look, preset="pencil")))))
    assert stale(replace(look, parts=(ground, replace(dog, enabled=False))))
    assert stale(replace(look, parts=()))
    assert stale(look, scene.with_mask(document, DOG, refinement=STACK))


def test_looks_by_object_are_saved_and_journalled(scene: Scene) -> None:
    before = scene.document
    after = looks.set_look(before, {scene.clip.id}, parts(scene))
    data = codec.encode(after, None)
    assert codec.decode(data, None) == after
    replay = Replay(codec.encode(before, None))
    replay.apply(difference(before, after))
    assert replay.document() == after
    assert {look.preset for look in looks.each_look(after)} >= {"oil", "ink"}
    renamed = looks.map_looks(after, lambda look: replace(look, preset=look.preset.upper()))
    clip = scene.clip_in(renamed)
    assert clip.look is not None and [p.look.preset for p in clip.look.parts] == ["", "OIL"]


def test_objects_are_ordered_copied_and_blended() -> None:
    document = Document(id="doc-00000000000b")
    for name in ("a", "b", "c"):
        mask = MaskObject(id=f"mask-00000000000{name}", media_id="m", name=name)
        document = replace(document, masks=with_item(document.masks, mask.id, mask))
    moved = masks.move_object(document, "mask-00000000000c", 0)
    assert [m.name for m in moved.masks_of("m")] == ["c", "a", "b"]
    assert masks.move_object(document, "mask-00000000000a", 0) is document
    copied = masks.duplicate_object(document, "mask-00000000000a", "mask-00000000000d")
    assert [m.name for m in copied.masks_of("m")] == ["a", "a copy", "b", "c"]
    again = masks.duplicate_object(copied, "mask-00000000000a", "mask-00000000000e")
    assert [m.name for m in again.masks_of("m")][:2] == ["a", "a copy 2"]
    assert masks.set_blend(document, "mask-00000000000a", MaskBlend.INTERSECT).masks["mask-00000000000a"].blend is (
        MaskBlend.INTERSECT
    )
