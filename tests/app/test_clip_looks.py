"""Looks from clip to clip, other footage under a look, and what may be dropped on a clip."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gen2studio.app.studio import Studio
from gen2studio.core.curve import Curve, CurveKey
from gen2studio.document import edits, looks, masks
from gen2studio.document.look import Look, PaintedKey, Region
from gen2studio.document.model import Clip
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
    assert now.look.region is Region.ALL and now.takes == ()
    # One second is ten frames of the one and more of the other.
    rate = studio.store.document.media[runner.media_id].info.rate
    assert [key.frame for key in now.look.curve("strength").keys] == [0, round(rate)]
    assert "masks" in told[-1] and "painted key frames" in told[-1]
    studio.store.undo_stack.undo()
    assert clips(studio)[0] == replace(dog, look=masked)


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
