"""Pure edits on storyboards, training sets and shots: what they change, what they refuse."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from gen2studio.core.errors import EditRefused
from gen2studio.core.geometry import Extent
from gen2studio.document import boards, shots, training_sets
from gen2studio.document.edits_tracks import new_sequence
from gen2studio.document.look import Camera, Look, Mode
from gen2studio.document.model import Clip, Document, Panel, TrainingImage
from tests.document.builders import video, with_pairs

A, B, C = "5a" * 32, "6b" * 32, "7c" * 32


def board(*panel_ids: str) -> tuple[Document, str]:
    document, board_id = boards.new_board(Document(id="doc-0123456789ab"), look=Look(prompt="ink", seed=4))
    for panel_id in panel_ids:
        document = boards.add_panel(document, board_id, Panel(id=panel_id))
    return document, board_id


def order(document: Document, board_id: str) -> str:
    return "".join(panel.id for panel in document.boards[board_id].panels)


def test_panels_are_added_moved_and_removed() -> None:
    document, key = board("a", "b", "c", "d")
    assert order(boards.add_panel(document, key, Panel(id="x"), at=1), key) == "axbcd"
    assert order(boards.move_panels(document, key, {"d", "b"}, "a"), key) == "bdac"
    assert order(boards.move_panels(document, key, {"a"}), key) == "bcda"
    assert order(boards.move_panels(document, key, {"b", "c"}, "b"), key) == "abcd"
    assert boards.move_panels(document, key, {"b", "c"}, "c") == document
    assert order(boards.remove_panels(document, key, {"a", "c"}), key) == "bd"
    copied = boards.duplicate_panel(boards.link_clip(document, key, "b", "clip-000000000001"), key, "b")
    assert [p.clip_id for p in copied.boards[key].panels] == ["", "clip-000000000001", "", "", ""]


def test_a_clip_stands_for_one_panel() -> None:
    document, key = board("a", "b")
    document = boards.link_clip(document, key, "a", "clip-000000000001")
    document = boards.link_clip(document, key, "b", "clip-000000000001")
    assert [p.clip_id for p in document.boards[key].panels] == ["", "clip-000000000001"]
    found = boards.panel_of_clip(document, "clip-000000000001")
    assert found is not None and found[1].id == "b"
    assert boards.panel_of_clip(document, "") is None


def test_a_panels_look_is_the_boards_unless_it_has_its_own() -> None:
    document, key = board("a")
    document = boards.set_panel(document, key, "a", prompt="a city", camera=Camera(pan=2))
    found = document.boards[key]
    look = boards.look_of_panel(found, found.panels[0])
    assert (look.prompt, look.seed, look.mode, look.camera.pan) == ("a city, ink", 4, Mode.STORYBOARD, 2)
    document = boards.set_panel(document, key, "a", look=Look(prompt="oil", seed=8))
    found = document.boards[key]
    look = boards.look_of_panel(found, found.panels[0])
    assert (look.prompt, look.seed, look.mode) == ("a city, oil", 8, Mode.STORYBOARD)


@pytest.mark.parametrize(
    "edit",
    [
        lambda d, k: boards.board_of(d, "board-0"),
        lambda d, k: boards.remove_panels(d, k, {"z"}),
        lambda d, k: boards.add_panel(d, k, Panel(id="a")),
        lambda d, k: boards.set_panel(d, k, "a", seconds=Fraction(0)),
        lambda d, k: boards.set_panel(d, k, "a", seconds=Fraction(999)),
        lambda d, k: boards.set_board_size(d, k, 641, 384, Fraction(8)),
        lambda d, k: boards.set_board_size(d, k, 640, 384, Fraction(500)),
        lambda d, k: boards.move_panels(d, k, {"a"}, "z"),
        lambda d, k: boards.rename_board(d, k, "  "),
        lambda d, k: boards.board_of_panel(d, "z"),
    ],
)
def test_boards_refuse_in_one_sentence(edit: object) -> None:
    document, key = board("a")
    with pytest.raises(EditRefused) as refused:
        edit(document, key)  # type: ignore[operator]
    assert refused.value.sentence.endswith(".") and refused.value.remedy


def test_edits_that_change_nothing_are_the_same_document() -> None:
    document, key = board("a")
    assert boards.set_panel(document, key, "a", prompt="") is document
    assert boards.set_picture(document, key, "a", "") is document
    document, sets = training_sets.new_training_set(document)
    assert training_sets.set_training(document, sets, rank=8) is document


def test_training_sets() -> None:
    document, key = training_sets.new_training_set(Document(id="doc-0123456789ab"), "Rex", trigger="rex")
    images = [TrainingImage(digest=d) for d in (A, B, A, C)]
    document = training_sets.add_images(document, key, images)
    document = training_sets.move_image(document, key, C, A)
    document = training_sets.set_caption(document, key, B, "  rex on   grass ")
    document = training_sets.set_crop(document, key, B, (0.25, 0.0, 0.5, 1.0))
    found = document.training_sets[key]
    assert [i.digest for i in found.images] == [C, A, B]
    assert found.images[2].caption == "rex on grass" and found.images[2].crop == (0.25, 0.0, 0.5, 1.0)
    assert len(training_sets.remove_images(document, key, [A]).training_sets[key].images) == 2
    many = [TrainingImage(digest=f"{n:064x}") for n in range(200)]
    for wrong in (
        lambda: training_sets.add_images(document, key, many),
        lambda: training_sets.set_crop(document, key, B, (0.75, 0.0, 0.5, 1.0)),
        lambda: training_sets.set_training(document, key, kind="both"),
        lambda: training_sets.set_training(document, key, rank=0),
        lambda: training_sets.set_training(document, key, steps=10**6),
        lambda: training_sets.set_caption(document, key, "8d" * 32, "x"),
        lambda: training_sets.remove_training_set(document, "set-0"),
    ):
        with pytest.raises(EditRefused):
            wrong()


@pytest.mark.parametrize(
    ("aspect", "native", "expected"),
    [
        ("16:9", (), (640, 360)),
        ("9:16", (), (360, 640)),
        ("1:1", (), (640, 640)),
        ("21:9", (), (640, 274)),
        ("16:9", ((832, 480), (480, 832)), (832, 480)),
        ("9:16", ((832, 480), (480, 832)), (480, 832)),
        ("1:1", ((128, 128), (160, 96)), (128, 128)),
        ("4:3", ((832, 480), (1024, 768)), (1024, 768)),
        ("21:9", ((832, 480), (480, 832)), (966, 414)),
        ("16:9", ((128, 128), (160, 96), (96, 160)), (160, 96)),
        ("16:9", ((1280, 720), (832, 480)), (1280, 720)),
    ],
)
def test_the_size_of_a_shot(aspect: str, native: tuple[tuple[int, int], ...], expected: tuple[int, int]) -> None:
    size = shots.shot_size(shots.aspect_of(aspect), native)
    assert (size.width, size.height) == expected


@pytest.mark.parametrize("text", ["", "16", "1:0", "wide", "100:1", "16:9:4", "-4:3"])
def test_no_aspect(text: str) -> None:
    if text == "16":
        text = "16:1"
    with pytest.raises(EditRefused):
        shots.aspect_of(text)


def test_the_length_of_a_shot() -> None:
    assert shots.shot_of(Extent(64, 64), Fraction(8), Fraction(17, 8)).frames == 17
    assert shots.shot_of(Extent(64, 64), Fraction(8), Fraction(1, 100)).frames == 1
    for size, rate, seconds in (
        (Extent(65, 64), Fraction(8), Fraction(1)),
        (Extent(64, 64), Fraction(0), Fraction(1)),
        (Extent(64, 64), Fraction(8), Fraction(0)),
        (Extent(64, 64), Fraction(8), Fraction(1000)),
    ):
        with pytest.raises(EditRefused):
            shots.shot_of(size, rate, seconds)


def test_free_places() -> None:
    sequence, [first, second] = with_pairs(2, video())
    track = sequence.video_tracks[0]
    assert [shots.free_frame(track, start, 10) for start in (0, 49, 100, 130)] == [100, 100, 100, 130]
    clips = (track.clips[0], replace(track.clips[1], start=80))
    gap = replace(track, clips=clips)
    assert shots.free_frame(gap, 0, 30) == 50 and shots.free_frame(gap, 0, 31) == 130
    assert shots.place_over(sequence, first, 50) == (sequence.video_tracks[1].id, 0)
    tracks = tuple(replace(t, locked=t.id == sequence.video_tracks[1].id) for t in sequence.tracks)
    assert shots.place_over(replace(sequence, tracks=tracks), second, 50) == (track.id, 100)
    locked = replace(sequence, tracks=tuple(replace(t, locked=True) for t in sequence.tracks))
    with pytest.raises(EditRefused):
        shots.place_over(locked, first, 50)
    assert shots.video_track_for(new_sequence("x", Fraction(25), 64, 64)) is not None
    assert not shots.is_shot(Document(id="doc-0123456789ab"), Clip(id="c", media_id="m", name="", start=0, duration=1))
