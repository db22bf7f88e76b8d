"""Looks from clip to clip, other footage under a look, and what may be dropped on a clip."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gen2studio.app.studio import Studio
from gen2studio.core.curve import Curve, CurveKey
from gen2studio.core.geometry import Extent
from gen2studio.core.ids import new_id
from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_refinement import Refinement
from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.document import edits, looks, mask_shapes, masks, media_edits
from gen2studio.document.look import Look, LookPart, PaintedKey, Region
from gen2studio.document.mask_remap import seen_alike
from gen2studio.document.model import Clip, MaskFrame, MediaItem
from gen2studio.ui.timeline.drops import MEDIA_MIME
from tests.fakes.fake_studio import fake_studio, with_clip
from tests.ui.desk import Desk, open_desk

RUNNER = Path("clips") / "woman_running_512_6s.mp4"
LOOK = Look(prompt="ink", preset="wet", keys=(PaintedKey(frame=3, digest="5a" * 32),)).with_curve(
    "strength", Curve(1.0, (CurveKey(0, 0.0), CurveKey(10, 1.0)))
)


@pytest.fixture
def studio(qtbot: QtBot, media_root: Path) -> Iterator[Studio]:
    made, _host = fake_studio()
    with_clip(made, media_root, qtbot)
    _append(made, media_root / RUNNER, qtbot)
    yield made
    made.shutdown(discard=True)
    made.deleteLater()


def _append(studio: Studio, path: Path, qtbot: QtBot) -> None:
    known = set(studio.store.document.media)
    with qtbot.waitSignal(studio.importer.finished, timeout=15000):
        studio.importer.import_paths([path])
    studio.editing.append_media(set(studio.store.document.media) - known)


def clips(studio: Studio) -> tuple[Clip, ...]:
    sequence = studio.session.sequence
    assert sequence is not None
    return sequence.video_tracks[0].clips


def test_a_look_is_pasted_to_many_clips_in_one_step(studio: Studio) -> None:
    dog, runner = clips(studio)
    studio.store.apply("Look", looks.set_look(studio.store.document, {dog.id}, LOOK))
    own = Look(prompt="runner", keys=(PaintedKey(frame=7, digest="6b" * 32),))
    studio.store.apply("Look", looks.set_look(studio.store.document, {runner.id}, own))
    assert not studio.clip_looks.paste()
    assert studio.clip_looks.copy(dog.id)
    studio.session.set_selection(frozenset(clip.id for clip in clips(studio)))
    steps = studio.store.undo_stack.index()
    assert studio.clip_looks.paste() and studio.store.undo_stack.index() == steps + 1
    pasted = clips(studio)[1].look
    # Painted keys and keys of sliders belong to the footage they were set on.
    assert pasted == replace(LOOK, keys=own.keys, curves=()) and clips(studio)[0].look == LOOK
    studio.store.undo_stack.undo()
    studio.session.set_selection(frozenset({runner.id}))
    assert studio.clip_looks.paste_prompt() and clips(studio)[1].look == replace(own, prompt="ink")


def test_other_footage_goes_under_a_look(studio: Studio) -> None:
    dog, runner = clips(studio)
    document = masks.add_object(studio.store.document, dog.media_id, object_id="mask-00000000000a")
    masked = replace(LOOK, region=Region.FOREGROUND, mask_objects=("mask-00000000000a",))
    studio.store.apply("Look", looks.set_look(document, {dog.id}, masked))
    told: list[str] = []
    studio.session.message.connect(lambda _severity, sentence: told.append(sentence))
    assert studio.clip_looks.replace_source(runner.media_id, dog.id)
    now = clips(studio)[0]
    assert (now.id, now.start, now.duration, now.media_id) == (dog.id, dog.start, dog.duration, runner.media_id)
    assert now.look is not None and (now.look.prompt, now.look.preset, now.look.keys) == ("ink", "wet", ())
    # An object without a matte is a name, and comes along as one.
    assert now.look.region is Region.FOREGROUND and now.takes == ()
    (subject,) = studio.store.document.masks_of(runner.media_id)
    assert now.look.mask_objects == (subject.id,) and subject.id != "mask-00000000000a"
    # One second is ten frames of the one and more of the other.
    rate = studio.store.document.media[runner.media_id].info.rate
    assert [key.frame for key in now.look.curve("strength").keys] == [0, round(rate)]
    assert "Its mask came along." in told[-1] and "painted key frames" in told[-1]
    studio.store.undo_stack.undo()
    assert clips(studio)[0] == replace(dog, look=masked)


def _drawn(studio: Studio, media_id: str) -> str:
    """An object with a painted square on frames 0, 4 and 9, an outline keyed on 0 and 9, and a soft edge."""
    document = masks.add_object(studio.store.document, media_id, name="Dog", object_id="mask-00000000000a")
    extent = document.media[media_id].info.extent
    for frame in (0, 4, 9):
        matte = np.zeros((extent.height, extent.width), np.uint8)
        matte[100:200, 40 + 10 * frame : 140 + 10 * frame] = 255
        painted = MaskFrame(raster=studio.store.tiles.pack(matte), anchor=frame == 4, basis="5c")
        document = masks.set_frames(document, "mask-00000000000a", {frame: painted})
    corners = tuple(ShapePoint(x, y, feather=8.0) for x, y in ((10.0, 10.0), (90.0, 10.0), (90.0, 50.0)))
    later = tuple(replace(point, x=point.x + 90) for point in corners)
    shape = MaskShape(id="shape-00000000000a", kind="polygon", keys=((0, corners), (9, later)))
    document = mask_shapes.add_shape(document, "mask-00000000000a", shape)
    document = masks.set_refinement(document, "mask-00000000000a", Refinement(feather=Keyed(4.0), despeckle=100.0))
    studio.store.apply("Mask", document)
    return "mask-00000000000a"


def _under(studio: Studio, size: tuple[int, int], rate: int, frames: int) -> str:
    """Other footage of this size, rate and length."""
    info = MediaInfo(
        kind=MediaKind.VIDEO, width=size[0], height=size[1], rate=Fraction(rate), frame_count=frames, exact=True,
        duration=Fraction(frames, rate),
    )  # fmt: skip
    other = MediaItem(id=new_id("media"), name="other", path="/none/other.mp4", fingerprint="", info=info)
    studio.store.apply("Import", media_edits.add_media(studio.store.document, other))
    return other.id


def test_masks_come_along_at_the_size_and_on_the_frames_of_other_footage(studio: Studio) -> None:
    dog = clips(studio)[0]
    mask_id = _drawn(studio, dog.media_id)
    look = Look(
        region=Region.BACKGROUND, parts=(LookPart(object_id=mask_id, look=Look(prompt="ink")), LookPart(look=Look()))
    )
    studio.store.apply("Look", looks.set_look(studio.store.document, {dog.id}, look))
    # The dog is 512×512 at 10 frames a second; this is half its size at twice its rate.
    other = _under(studio, (256, 256), 20, 200)
    before = studio.store.document
    told: list[str] = []
    studio.session.message.connect(lambda _severity, sentence: told.append(sentence))
    assert studio.clip_looks.replace_source(other, dog.id)
    assert "Its mask came along, scaled from 512×512 to 256×256." in told[-1]
    (moved,) = studio.store.document.masks_of(other)
    now = clips(studio)[0].look
    assert now is not None and now.region is Region.BACKGROUND and now.mask_objects == ()
    assert [part.object_id for part in now.parts] == [moved.id, ""]
    assert moved.name == "Dog" and moved.anchors == (8,), "one of the two frames that show the corrected one"
    assert sorted(moved.frames) == [0, 1, 8, 9, 18, 19] and {f.basis for f in moved.frames.values()} == {""}
    matte = studio.store.tiles.unpack(moved.frames[9].raster)
    expected = np.zeros((256, 256), np.uint8)
    expected[50:100, 40:90] = 255
    assert np.array_equal(matte, expected)
    assert [frame for frame, _ in moved.shapes[0].keys] == [0, 18]
    point = moved.shapes[0].keys[1][1][0]
    assert (point.x, point.y, point.feather) == (50.0, 5.0, 4.0)
    assert (moved.refinement.feather.value, moved.refinement.despeckle) == (2.0, 25.0)
    studio.store.undo_stack.undo()
    assert studio.store.document == before


def test_mattes_beyond_the_end_of_other_footage_stay_behind_and_are_told(studio: Studio) -> None:
    dog = clips(studio)[0]
    mask_id = _drawn(studio, dog.media_id)
    look = Look(region=Region.FOREGROUND, mask_objects=(mask_id,))
    studio.store.apply("Look", looks.set_look(studio.store.document, {dog.id}, look))
    media = studio.store.document.media
    studio.editing.perform("Trim", lambda s: edits.trim_tail(s, dog.id, 8 - dog.duration, media))
    dog = clips(studio)[0]
    # Wider than the dog: seen at the same place, its square lies in the middle.
    other = _under(studio, (1024, 512), 10, 8)
    told: list[str] = []
    studio.session.message.connect(lambda _severity, sentence: told.append(sentence))
    assert studio.clip_looks.replace_source(other, dog.id), told
    assert "one matte of frames that are not in it stayed behind" in told[-1]
    (moved,) = studio.store.document.masks_of(other)
    assert sorted(moved.frames) == [0, 4]
    # The outline stands on the last frame where it stood: 7/9 of the way.
    assert [frame for frame, _ in moved.shapes[0].keys] == [0, 7]
    placed = seen_alike(Extent(512, 512), Extent(1024, 512), _frame(studio))
    point = moved.shapes[0].keys[1][1][0]
    assert point.x == pytest.approx((10 + 70) * placed.scale + placed.right)
    matte = studio.store.tiles.unpack(moved.frames[0].raster)
    columns = np.flatnonzero(matte.any(axis=0))
    assert columns[0] == pytest.approx(40 * placed.scale + placed.right, abs=1.5)


def _frame(studio: Studio) -> Extent:
    sequence = studio.session.sequence
    assert sequence is not None
    return Extent(sequence.width, sequence.height)


def test_footage_that_has_the_same_masks_already_keeps_them(studio: Studio) -> None:
    dog = clips(studio)[0]
    mask_id = _drawn(studio, dog.media_id)
    look = Look(region=Region.FOREGROUND)
    studio.store.apply("Look", looks.set_look(studio.store.document, {dog.id}, look))
    other = _under(studio, (512, 512), 10, studio.store.document.media[dog.media_id].info.frame_count)
    assert studio.clip_looks.replace_source(other, dog.id)
    (moved,) = studio.store.document.masks_of(other)
    assert {f.raster for f in moved.frames.values()} == {
        f.raster for f in studio.store.document.masks[mask_id].frames.values()
    }, "mattes of the same size are shared"
    assert studio.clip_looks.replace_source(dog.media_id, dog.id) and studio.clip_looks.replace_source(other, dog.id)
    assert [mask.id for mask in studio.store.document.masks_of(other)] == [moved.id]


@pytest.fixture
def desk(qtbot: QtBot, media_root: Path) -> Iterator[Desk]:
    with open_desk(qtbot, media_root) as opened:
        yield opened


@pytest.mark.parametrize("alt", [False, True])
def test_a_drop_with_alt_replaces_the_source(desk: Desk, qtbot: QtBot, media_root: Path, alt: bool) -> None:
    window, studio = desk[0], desk[0].studio
    _append(studio, media_root / RUNNER, qtbot)
    dog, runner = clips(studio)
    studio.editing.perform("Lift", lambda s: edits.lift(s, {runner.id}))
    studio.session.set_snapping(False)
    view = window.timeline.view
    row = view.layout_now.rows[0]
    place = QPoint(window.timeline.viewport.x(dog.start + 12), row.top + row.height // 2)
    data = QMimeData()
    data.setData(MEDIA_MIME, json.dumps([runner.media_id]).encode())
    keys = Qt.KeyboardModifier.AltModifier if alt else Qt.KeyboardModifier.NoModifier
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    QApplication.sendEvent(view, QDragEnterEvent(place, copy, data, left, keys))
    assert (f"Put under the look of {dog.name}" == view.overlay.hint) is alt
    QApplication.sendEvent(view, QDropEvent(QPointF(place), copy, data, left, keys))
    assert (clips(studio)[0].media_id == runner.media_id and clips(studio)[0].duration == dog.duration) is alt
