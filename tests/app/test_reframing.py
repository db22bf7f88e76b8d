"""Outpainting in whole pixels: the larger frame, requests for it, and where its takes lie in the timeline."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from gen2studio.app import planning
from gen2studio.app.compositor import SequenceRenderer
from gen2studio.app.reframing import of_rooms, place, place_of_picture, rooms, to_aspect
from gen2studio.app.staleness import Judge, is_stale
from gen2studio.core.geometry import Extent, Rect
from gen2studio.document import edits, looks, takes
from gen2studio.document.look import Look, Mode, Outpaint, Region
from gen2studio.document.media_edits import add_media
from gen2studio.document.model import Clip, Document, MediaItem, Take
from gen2studio.document.sequences import add_sequence
from gen2studio.engine.requests import GenerateRequest, request_digest, request_recipe
from gen2studio.example.generator import ExampleGenerator
from gen2studio.media.decoder_colour import ArrayPicture
from tests.document.builders import video

HD = Extent(1280, 720)
SIDES = Outpaint(left=0.25, right=0.125, top=0.1)


@pytest.mark.parametrize(("aspect", "size"), [(1.0, (1280, 1280)), (9 / 16, (1280, 2276)), (2.0, (1440, 720))])
def test_a_shape_adds_equal_room_on_two_sides(aspect: float, size: tuple[int, int]) -> None:
    found = to_aspect(HD, aspect)
    reached = place(found, HD)
    assert (reached.width, reached.height) == size
    assert (found.left, found.top) == (found.right, found.bottom)
    assert to_aspect(HD, 16 / 9) == Outpaint()


def test_room_is_whole_even_pixels_and_comes_back() -> None:
    pixels = rooms(SIDES, Extent(853, 481))
    assert pixels == (214, 48, 106, 0)
    assert rooms(of_rooms(pixels, Extent(853, 481)), Extent(853, 481)) == pixels
    assert place(SIDES, HD) == Rect(-320, -72, 1280 + 320 + 160, 720 + 72)


def test_a_picture_of_the_clips_own_shape_lies_exactly_over_it() -> None:
    look = Look(outpaint=to_aspect(HD, 1.0))
    assert place_of_picture(look, HD, 640, 640) == place(look.outpaint, HD)
    assert place_of_picture(look, HD, 640, 360) == Rect.of(HD)


def reframed(look: Look) -> tuple[Document, Clip, MediaItem]:
    item = video()
    document = add_media(Document(id="doc-0123456789ab"), item)
    placed = edits.place_media(edits.new_sequence("One", Fraction(25), 640, 640), item, 0)
    clip = placed.sequence.tracks[0].clips[0]
    document = looks.set_look(add_sequence(document, placed.sequence), {clip.id}, look)
    return document, replace(clip, look=look), item


def plan(document: Document, clip: Clip, **options: object) -> GenerateRequest:
    return planning.plan_generate(document, clip, blobs=lambda _digest: Path("/x"), **options)  # type: ignore[arg-type]


JUDGE = Judge()
SQUARE = Look(mode=Mode.STYLIZE, generator="mini", prompt="meadow", outpaint=to_aspect(Extent(640, 360), 1.0))


def test_a_request_has_the_larger_frame_and_the_footage_at_its_own_size() -> None:
    document, clip, item = reframed(SQUARE)
    request = plan(document, clip)
    assert (request.width, request.height, request.outpaint) == (640, 640, (0, 140, 0, 140))
    small = plan(document, clip, max_side=320)
    assert max(small.width, small.height) <= 322 and small.outpaint == (0, 70, 0, 70)
    masked = replace(SQUARE, mode=Mode.MASK, region=Region.FOREGROUND)
    # Nothing inside changes, so there is no mask to ask for.
    assert plan(*reframed(masked)[:2]).region == "all"
    assert item.info.extent == Extent(640, 360)


def take_of(request: GenerateRequest, clip: Clip, look: Look) -> Take:
    return Take(
        id="take-0123456789ab", media_id=clip.media_id, name="Take 1", request_digest=request_digest(request),
        recipe=request_recipe(request), look=look, start=request.start, stop=request.stop,
        done=((request.start, request.stop),), width=request.width, height=request.height,
    )  # fmt: skip


def test_settings_come_back_and_other_room_makes_a_take_stale() -> None:
    document, clip, _ = reframed(SQUARE)
    request = plan(document, clip)
    take = take_of(request, clip, SQUARE)
    assert planning.look_of_recipe(take.recipe).outpaint == SQUARE.outpaint

    def stale(look: Look) -> bool:
        changed = looks.set_look(document, {clip.id}, look)
        return is_stale(changed, replace(clip, look=look), take, JUDGE)

    assert not stale(SQUARE)
    assert stale(replace(SQUARE, outpaint=Outpaint(left=0.1)))
    assert stale(replace(SQUARE, outpaint=Outpaint()))
    # A strength left to the generator is the one that made the take.
    half = replace(SQUARE, controls=replace(SQUARE.controls, strength=0.5))
    made = take_of(plan(*reframed(half)[:2]), clip, SQUARE)
    assert not is_stale(document, clip, made, JUDGE)
    # A generator that draws nothing around footage is not asked to.
    plain = take_of(plan(*reframed(replace(SQUARE, outpaint=Outpaint()))[:2]), clip, Look())
    assert not is_stale(
        document, clip, plain, Judge(abilities=lambda _id: replace(ExampleGenerator().abilities, id="mini"))
    )


class _Pixels:
    """The clip in mid-grey, its take in white."""

    def index_at(self, _item: MediaItem, seconds: Fraction) -> int:
        return int(seconds * 25)

    def source(self, item: MediaItem, _index: int) -> ArrayPicture:
        return ArrayPicture(np.full((item.info.height, item.info.width, 3), 128, np.uint8), item.info.extent)

    def take(self, _take_id: str, _index: int) -> ArrayPicture:
        return ArrayPicture(np.full((640, 640, 3), 255, np.uint8), Extent(640, 640))


def test_a_reframed_take_fills_the_frame_it_was_shaped_for() -> None:
    document, clip, _ = reframed(SQUARE)
    before = SequenceRenderer(document, _Pixels()).picture(0)
    assert before.shape == (640, 640, 3) and not before[:139].any() and (before[140:500] == 128).all()
    take = take_of(plan(document, clip), clip, SQUARE)
    applied = takes.apply_take(takes.add_take(document, take, clip.id), clip.id, take.id)
    assert (SequenceRenderer(applied, _Pixels()).picture(0) == 255).all()
