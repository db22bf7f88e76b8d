"""What a sequence shows: which clip wins, how it is fitted, gaps, takes, alpha."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from gen2studio.app.compositor import SequenceRenderer, clip_at, fitted
from gen2studio.core.errors import MediaError, ProjectError
from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.document.look import Look
from gen2studio.document.model import Clip, Document, MediaItem, Take
from gen2studio.media.decoder_colour import ArrayPicture
from tests.export.sequences import SEQ, clip_of, document_with, plain, sequence_with


def item(media_id: str, width: int = 64, height: int = 32, *, alpha: bool = False) -> MediaItem:
    info = MediaInfo(
        kind=MediaKind.VIDEO, width=width, height=height, rate=Fraction(25), frame_count=100, has_alpha=alpha
    )
    return MediaItem(id=media_id, name=media_id, path=f"/{media_id}", fingerprint=media_id, info=info)


class Painted:
    """Pictures whose colour tells media and frame: red = media number, green = frame; takes are blue."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.asked: list[tuple[str, int]] = []

    def index_at(self, item: MediaItem, seconds: Fraction) -> int:
        return min(99, max(0, int(seconds * item.info.rate)))

    def source(self, item: MediaItem, index: int) -> ArrayPicture:
        self.asked.append((item.id, index))
        picture = plain((int(item.id[-1]) * 50, index, 0), (item.info.width, item.info.height))
        if not item.info.has_alpha:
            return ArrayPicture(picture, item.info.extent)
        alpha = np.zeros((*picture.shape[:2], 1), np.uint8)
        alpha[:, : picture.shape[1] // 2] = 255
        return ArrayPicture(np.concatenate([picture, alpha], axis=2), item.info.extent)

    def take(self, take_id: str, index: int) -> ArrayPicture:
        return ArrayPicture(plain((0, index, 200), (32, 16)), Extent(32, 16))


def renderer(document: Document, **options: bool) -> SequenceRenderer:
    return SequenceRenderer(document, Painted(document), **options)


def stacked(top: Clip, bottom: Clip, *items: MediaItem, size: tuple[int, int] = (64, 32)) -> Document:
    return document_with(sequence_with((bottom,), (top,), rate=Fraction(25), size=size), *items)


def test_the_topmost_visible_enabled_clip_wins() -> None:
    one, two = item("m1"), item("m2")
    document = stacked(clip_of(two, "c2", start=2, duration=3), clip_of(one, "c1"), one, two)
    assert [int(renderer(document).picture(f)[0, 0, 0]) for f in (1, 2, 4, 5)] == [50, 100, 100, 50]
    sequence = document.sequences[SEQ]
    hidden = replace(sequence, tracks=(sequence.tracks[0], replace(sequence.tracks[1], muted=True)))
    assert renderer(replace(document, sequences={SEQ: hidden})).picture(3)[0, 0, 0] == 50
    off = replace(sequence.tracks[1], clips=(replace(sequence.tracks[1].clips[0], enabled=False),))
    disabled = replace(sequence, tracks=(sequence.tracks[0], off))
    assert renderer(replace(document, sequences={SEQ: disabled})).picture(3)[0, 0, 0] == 50


def test_hidden_pictures_are_not_even_decoded() -> None:
    one, two = item("m1"), item("m2")
    document = stacked(clip_of(two, "c2"), clip_of(one, "c1"), one, two)
    pixels = Painted(document)
    SequenceRenderer(document, pixels).picture(3)
    assert pixels.asked == [("m2", 3)]


def test_gaps_are_black_or_transparent() -> None:
    one = item("m1")
    document = document_with(sequence_with((clip_of(one, start=5),), rate=Fraction(25), size=(64, 32)), one)
    assert renderer(document).picture(0).shape == (32, 64, 3)
    assert not renderer(document).picture(0).any()
    assert renderer(document, alpha=True).picture(0).shape == (32, 64, 4)
    assert not renderer(document, alpha=True).picture(0).any()
    assert (renderer(document, alpha=True).picture(6)[..., 3] == 255).all()


@pytest.mark.parametrize(
    ("media", "frame", "place"),
    [
        ((64, 32), (64, 64), Rect(0, 16, 64, 32)),
        ((32, 64), (64, 64), Rect(16, 0, 32, 64)),
        ((1920, 1080), (1280, 720), Rect(0, 0, 1280, 720)),
        ((100, 1), (10, 10), Rect(0, 4, 10, 1)),
    ],
)
def test_media_is_fitted_whole_and_centred(media: tuple[int, int], frame: tuple[int, int], place: Rect) -> None:
    assert fitted(Extent(*media), Extent(*frame)) == place


def test_the_track_below_is_seen_beside_a_picture_of_another_shape() -> None:
    one, two = item("m1", 64, 64), item("m2", 64, 32)
    document = stacked(clip_of(two, "c2"), clip_of(one, "c1"), one, two, size=(64, 64))
    picture = renderer(document).picture(1)
    assert (picture[:16, :, 0] == 50).all()
    assert (picture[48:, :, 0] == 50).all()
    assert (picture[16:48, :, 0] == 100).all()


def test_alpha_shows_the_track_below() -> None:
    one, two = item("m1"), item("m2", alpha=True)
    document = stacked(clip_of(two, "c2"), clip_of(one, "c1"), one, two)
    picture = renderer(document).picture(1)
    assert (picture[:, :32, 0] == 100).all()
    assert (picture[:, 32:, 0] == 50).all()


def test_the_active_take_is_shown_where_it_has_frames() -> None:
    one = item("m1")
    take = Take(
        id="t", media_id="m1", name="t", request_digest="", recipe="{}", look=Look(), start=0, stop=9, done=((3, 5),)
    )
    clip = replace(clip_of(one), takes=("t",), active_take="t")
    document = document_with(sequence_with((clip,), rate=Fraction(25), size=(64, 32)), one, takes=(take,))
    blue = [int(renderer(document).picture(f)[0, 0, 2]) for f in (2, 3, 4, 5)]
    assert blue == [0, 200, 200, 0]
    assert renderer(document).picture(4).shape == (32, 64, 3)


def test_speed_and_in_point_choose_the_media_frame() -> None:
    one = item("m1")
    clip = replace(clip_of(one, start=10), source_in=Fraction(2), speed=Fraction(2))
    document = document_with(sequence_with((clip,), rate=Fraction(25), size=(64, 32)), one)
    assert [layer.index for f in (10, 11, 14) for layer in renderer(document).layers(f)] == [50, 52, 58]


def test_missing_media_and_sequences_are_named() -> None:
    one = item("m1")
    document = document_with(sequence_with((clip_of(one),)))
    with pytest.raises(MediaError, match="is not in the project"):
        renderer(document).picture(0)
    with pytest.raises(ProjectError):
        SequenceRenderer(replace(document, active_sequence=""), Painted(document))


def test_clip_lookup_agrees_with_a_plain_search() -> None:
    one = item("m1")
    clips = tuple(clip_of(one, f"c{n}", start=n * 10, duration=5 + n % 6) for n in range(20))
    for frame in range(210):
        assert clip_at(clips, frame) == next((c for c in clips if c.start <= frame < c.end), None)
