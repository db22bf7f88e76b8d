"""Pure edits of panels: time, layers, camera frames, footage, sound, stills."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen2studio.core.errors import EditRefused
from gen2studio.document import board_edits as edits
from gen2studio.document import boards
from gen2studio.document.board_camera import camera_of_frames, frame_at, frames_of_camera
from gen2studio.document.board_values import (
    Arrow,
    CameraFrame,
    LayerBlend,
    MockUp,
    PanelLayer,
    PanelStill,
    SeedPolicy,
    SoundCue,
)
from gen2studio.document.look import Camera, Look
from gen2studio.document.media_edits import add_media
from gen2studio.document.model import Board, Document, Panel
from tests.document.builders import video

A, B = "5a" * 32, "6b" * 32
FILM = video()


def board(*panels: Panel) -> tuple[Document, str]:
    document = add_media(Document(id="doc-0123456789ab"), FILM)
    document, key = boards.new_board(document, look=Look(seed=4), width=64, height=32, rate=Fraction(10))
    for panel in panels or (Panel(id="a"), Panel(id="b"), Panel(id="c")):
        document = boards.add_panel(document, key, panel)
    return document, key


def found(document: Document, key: str) -> Board:
    return document.boards[key]


def test_time_is_told_in_whole_frames() -> None:
    document, key = board()
    document = edits.set_times(document, key, {"a": Fraction(1, 3), "c": Fraction(5)}, {"a": Fraction(1, 3)})
    a, b, c = found(document, key).panels
    assert (a.seconds, b.seconds, c.seconds) == (Fraction(3, 10), 2, 5) and a.tapped == Fraction(1, 3)
    assert edits.starts(found(document, key)) == (0, Fraction(3, 10), Fraction(23, 10), Fraction(73, 10))
    assert edits.panel_at(found(document, key), Fraction(23, 10)) == (2, 0)
    assert edits.panel_at(found(document, key), Fraction(99)) == (2, 5)
    document = edits.set_times(document, key, {"a": Fraction(0), "b": Fraction(9999)})
    assert [p.seconds for p in found(document, key).panels] == [Fraction(1, 10), 120, 5]


def test_a_panel_is_split_in_time() -> None:
    frames = (CameraFrame(), CameraFrame(x=0.7, width=0.5))
    panel = Panel(
        id="a", seconds=Fraction(4), dialogue="hello", action="runs", clip_id="clip-000000000001", frames=frames,
        mock_up=MockUp(media_id=FILM.id, start=Fraction(1), stop=Fraction(4)), sound=SoundCue(media_id=FILM.id),
    )  # fmt: skip
    document, key = board(panel, Panel(id="b"))
    document = edits.split_panel(document, key, "a", Fraction(1))
    first, second, last = found(document, key).panels
    assert (first.seconds, second.seconds, last.id) == (1, 3, "b") and first.clip_id and not second.clip_id
    assert (first.dialogue, second.dialogue, second.action) == ("hello", "", "runs") and second.sound is None
    assert first.mock_up == MockUp(media_id=FILM.id, start=Fraction(1), stop=Fraction(2))
    assert second.mock_up == MockUp(media_id=FILM.id, start=Fraction(2), stop=Fraction(4))
    assert first.frames[1] == second.frames[0] == frame_at(frames, 0.25) and second.frames[1] == frames[1]
    assert first.camera.zoom > 0 and first.camera.zoom + second.camera.zoom == pytest.approx(10, abs=0.01)
    merged = edits.merge_panels(document, key, (first.id, second.id))
    whole = found(merged, key).panels[0]
    assert whole.seconds == 4 and whole.frames == frames and whole.dialogue == "hello" and whole.action == "runs"


def test_merging_joins_words_and_time() -> None:
    document, key = board(
        Panel(id="a", action="he runs", picture=A), Panel(id="b", action="he falls", picture=B), Panel(id="c")
    )
    merged = found(edits.merge_panels(document, key, {"a", "b"}), key)
    assert [p.id for p in merged.panels] == ["a", "c"] and merged.panels[0].picture == A
    assert merged.panels[0].action == "he runs\nhe falls" and merged.panels[0].seconds == 4


def test_layers() -> None:
    document, key = board()
    panel = found(document, key).panels[0]
    low, high = edits.new_layer(panel), PanelLayer(id="layer-000000000002", name="Ink", picture=A)
    document = edits.set_layers(document, key, "a", (low, high), B)
    panel = found(document, key).panels[0]
    assert panel.picture == B and low.name == "Layer 1" and edits.new_layer(panel).name == "Layer 2"
    between = PanelLayer(id="layer-000000000003")
    assert [x.id for x in edits.with_layer(panel, between, low.id)] == [low.id, between.id, high.id]
    assert edits.moved_layer(panel, low.id, 5) == (high, low) and edits.moved_layer(panel, low.id, -1) == (low, high)
    assert edits.changed_layer(panel, high.id, blend=LayerBlend.MULTIPLY)[1].blend is LayerBlend.MULTIPLY
    assert edits.without_layer(panel, low.id) == (high,)
    # A picture that is dropped takes the drawing's place.
    assert found(boards.set_picture(document, key, "a", A), key).panels[0].layers == ()


def test_frames_and_axes_follow_each_other() -> None:
    document, key = board()
    frames = (CameraFrame(width=0.8), CameraFrame(x=0.6, width=0.4, angle=-6))
    document = boards.set_panel(document, key, "a", camera=Camera(horizontal=3))
    document = edits.set_frames(document, key, "a", frames)
    camera = found(document, key).panels[0].camera
    assert camera.zoom == 10 and camera.horizontal == 3 and camera.roll == -2 and camera.tilt == 0
    assert camera.pan == pytest.approx(3.56, abs=0.01)  # atan(0.1 / 0.8) = 7.1°, two degrees a unit
    # Another axis by hand keeps the frames, one that they say drops them.
    assert found(edits.set_camera(document, key, "a", replace(camera, vertical=2)), key).panels[0].frames == frames
    assert found(edits.set_camera(document, key, "a", replace(camera, zoom=1)), key).panels[0].frames == ()
    dropped = found(edits.set_frames(document, key, "a", ()), key).panels[0]
    assert dropped.camera == Camera(horizontal=3) and dropped.frames == ()


@given(
    st.builds(
        Camera, pan=st.floats(-10, 10), tilt=st.floats(-10, 10), zoom=st.floats(-10, 10), roll=st.floats(-10, 10)
    ),
    st.sampled_from([16 / 9, 1.0, 9 / 16]),
)
def test_frames_that_show_a_camera_say_it_again(camera: Camera, aspect: float) -> None:
    frames = frames_of_camera(camera, aspect)
    if not frames:
        return
    again = camera_of_frames(frames, aspect)
    for axis in ("pan", "tilt", "zoom", "roll"):
        assert getattr(again, axis) == pytest.approx(getattr(camera, axis), abs=0.002), axis
    for frame in frames:
        assert frame.width > 0.05 and frame.x - frame.width / 2 > -0.01 and frame.x + frame.width / 2 < 1.01
    assert frame_at(frames, 0) == frames[0] and frame_at(frames, 1).x == pytest.approx(frames[1].x)


def test_frames_that_move_unlock_the_camera_and_others_leave_it() -> None:
    held = Camera(static=True, horizontal=2.0)
    still, wide = CameraFrame(x=0.5, y=0.5, width=0.5), CameraFrame(x=0.5, y=0.5, width=1.0)
    assert camera_of_frames((still,), 1.0, held) is held
    assert camera_of_frames((still, still), 1.0, held) == held
    moved = camera_of_frames((still, wide), 1.0, held)
    assert (moved.static, moved.horizontal, moved.zoom, moved.pan) == (False, 2.0, -10.0, 0.0)


def test_stills_and_seeds() -> None:
    document, key = board()
    for number in range(70):
        document = edits.add_still(document, key, "a", PanelStill(picture=f"{number:064x}", seed=number))
        if number == 0:
            document = edits.choose_still(document, key, "a", f"{0:064x}")
    panel = found(document, key).panels[0]
    assert len(panel.stills) == 64 and panel.stills[0].seed == 0 and panel.stills[-1].seed == 69
    assert [s.seed for s in found(edits.clear_stills(document, key, "a"), key).panels[0].stills] == [0]
    b = found(document, key)
    assert boards.seed_of_panel(b, panel) == 0  # the chosen still's
    assert boards.seed_of_panel(b, b.panels[1]) == 4
    b = found(edits.set_seeds(document, key, SeedPolicy.DERIVED), key)
    assert boards.seed_of_panel(b, b.panels[1]) != boards.seed_of_panel(b, b.panels[2])
    copied = found(boards.duplicate_panel(document, key, "a"), key).panels[1]
    assert copied.stills == () and copied.guide == "" and copied.clip_id == ""


@pytest.mark.parametrize(
    "edit",
    [
        lambda d, k: edits.split_panel(d, k, "a", Fraction(2)),
        lambda d, k: edits.split_panel(d, k, "z", Fraction(1)),
        lambda d, k: edits.merge_panels(d, k, {"a", "c"}),
        lambda d, k: edits.merge_panels(d, k, {"a"}),
        lambda d, k: edits.set_frames(d, k, "a", (CameraFrame(),)),
        lambda d, k: edits.set_frames(d, k, "a", (CameraFrame(), CameraFrame(width=0.01))),
        lambda d, k: edits.set_arrows(d, k, "a", (Arrow(),) * 33),
        lambda d, k: edits.set_mock_up(d, k, "a", MockUp(media_id="media-00000000ffff")),
        lambda d, k: edits.set_mock_up(d, k, "a", MockUp(media_id=FILM.id, start=Fraction(3))),
        lambda d, k: edits.set_sound(d, k, "a", SoundCue(media_id=FILM.id, gain_db=99)),
        lambda d, k: edits.choose_still(d, k, "a", A),
        lambda d, k: edits.set_layers(d, k, "a", tuple(PanelLayer(id=f"l{n}") for n in range(33)), A),
        lambda d, k: edits.set_layers(d, k, "a", (PanelLayer(id="l"), PanelLayer(id="l")), A),
        lambda d, k: edits.layer_of(d.boards[k].panels[0], "l"),
        lambda d, k: edits.insert_panels(d, k, [Panel(id="a")]),
    ],
)
def test_edits_refuse_in_one_sentence(edit: Callable[[Document, str], object]) -> None:
    document, key = board()
    with pytest.raises(EditRefused) as refused:
        edit(document, key)
    assert refused.value.sentence.endswith(".") and refused.value.remedy
