"""Generative clips through the real window: a gap becomes a shot, a changed key makes only its own frames again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from gen2studio.app.studio import Studio
from gen2studio.document import edits
from gen2studio.document.look import Mode
from gen2studio.document.model import Clip, Take
from gen2studio.engine.events import JobState
from gen2studio.engine.frames import blob_picture
from gen2studio.engine.requests import BlobRef
from gen2studio.media.decoder import open_decoder
from gen2studio.ui import theme
from gen2studio.ui.dialogs.gap_popover import GapPopover
from gen2studio.ui.main_window import MainWindow
from gen2studio.ui.timeline.bands import Band
from tests.fakes.shot_painter import painting_studio
from tests.ui.desk import LEFT, NONE, click

FRAMES = 30
CONTROL = Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty frames of 96 × 64 at 15 a second, each of another grey, with a square that moves."""
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=15)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "bgr0"
        for number in range(FRAMES):
            picture = np.full((64, 96, 3), 40 + 4 * number, np.uint8)
            picture[20:44, 10 + 2 * number : 26 + 2 * number] = (200, 90, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def painting(qtbot: QtBot, film: Path) -> Iterator[MainWindow]:
    """The window over a generator that paints shots; the film lies on the timeline twice, with twelve empty frames
    between."""
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    theme.apply(application)
    services = painting_studio()
    window = MainWindow(services)
    window.resize(1440, 860)
    window.show()
    qtbot.waitExposed(window)
    window.late.finish()
    with qtbot.waitSignal(services.importer.finished, timeout=15000):
        services.import_files([film])
    [item] = services.store.document.media.values()
    services.editing.append_media([item.id])
    second = clips(services)[1]
    services.editing.perform("Move", lambda s: edits.move(s, [second.id], 12))
    yield window
    window.shutdown()
    window.hide()
    window.deleteLater()
    services.deleteLater()


def clips(studio: Studio) -> tuple[Clip, ...]:
    sequence = studio.session.sequence
    assert sequence is not None
    return sequence.video_tracks[0].clips


def finished(studio: Studio, qtbot: QtBot) -> object:
    done = JobState.FINISHED
    return qtbot.waitSignal(studio.takes.take_ended, timeout=60000, check_params_cb=lambda _take, state: state is done)


def popover(window: MainWindow, qtbot: QtBot) -> GapPopover:
    qtbot.waitUntil(lambda: window.findChild(GapPopover) is not None, timeout=5000)
    found = window.findChild(GapPopover)
    assert found is not None
    return found


def test_a_gap_becomes_a_shot_between_its_neighbours(painting: MainWindow, qtbot: QtBot, film: Path) -> None:
    window, studio = painting, painting.studio
    before = clips(studio)
    assert [(c.start, c.end) for c in before] == [(0, 30), (42, 72)]
    studio.session.set_playhead(35)
    window.timeline.view.setFocus()
    QTest.keyClick(window.timeline.view, Qt.Key.Key_G, CONTROL | ALT)
    sheet = popover(window, qtbot)
    assert sheet.choices[sheet.way].text() == "From one picture to the other"
    assert all(choice.isEnabled() for choice in sheet.choices.values())
    QTest.keyClicks(sheet.prompt, "a boat")
    with finished(studio, qtbot):  # type: ignore[attr-defined]
        QTest.mouseClick(sheet.generate, LEFT)
    shot = clips(studio)[1]
    assert [c.id for c in clips(studio)] == [before[0].id, shot.id, before[1].id]
    assert (shot.start, shot.end) == (30, 42)
    item = studio.store.document.media[shot.media_id]
    assert item.shot is not None and (item.shot.frames, item.shot.rate) == (12, 15)
    assert shot.look is not None and shot.look.mode is Mode.TEXT_IMAGE_TO_VIDEO and shot.look.prompt == "a boat"
    assert [key.frame for key in shot.look.keys] == [0, 11]
    decoder = open_decoder(film)
    for key, frame in zip(shot.look.keys, (29, 0), strict=True):
        path = studio.project.find_blob(key.digest)
        assert path is not None
        assert np.array_equal(blob_picture(BlobRef(digest=key.digest, path=path.as_posix())), decoder.rgb(frame))
    decoder.close()
    # It shows its take, whole, and undo leaves the gap as it was.
    take = studio.store.document.takes[shot.active_take]
    assert take.complete and (take.start, take.stop) == (0, 12)
    studio.store.undo_stack.undo()
    assert clips(studio) == before


def test_the_menu_of_a_gap_extends_the_clip_before(painting: MainWindow, qtbot: QtBot) -> None:
    window, studio = painting, painting.studio
    view = window.timeline.view
    row = view.layout_now.rows[0]
    place = QPoint(window.timeline.viewport.x(36), row.top + row.height // 2 - view.viewport.scroll_y)
    asked = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, view.mapToGlobal(place))
    QApplication.sendEvent(view, asked)
    menu = window.findChild(QMenu, "timeline_gap_menu")
    assert menu is not None
    entry = next(action for action in menu.actions() if action.objectName() == "generate_in_gap")
    QTest.mouseClick(menu, LEFT, NONE, menu.actionGeometry(entry).center())
    sheet = popover(window, qtbot)
    QTest.mouseClick(sheet.choices[next(w for w in sheet.choices if w.value == "extend")], LEFT, pos=QPoint(8, 8))
    assert sheet.way.value == "extend"
    with finished(studio, qtbot):  # type: ignore[attr-defined]
        QTest.keyClick(sheet.prompt, Qt.Key.Key_Return)
    shot = clips(studio)[1]
    item = studio.store.document.media[shot.media_id]
    assert (shot.start, shot.end) == (30, 42) and item.shot is not None and item.shot.lead is not None
    # Five frames of a model at 8 a second are ten of the footage at 15: its last ones.
    assert (item.shot.lead.start, item.shot.lead.stop) == (20, 30)


def test_a_range_over_clips_goes_above_them_in_one_step(painting: MainWindow, qtbot: QtBot) -> None:
    window, studio = painting, painting.studio
    studio.editing.set_in(20)
    studio.editing.set_out(50)
    steps = studio.store.undo_stack.index()
    window.binder.action("gap.fill").trigger()
    sheet = popover(window, qtbot)
    with qtbot.waitSignal(studio.gaps.filled, timeout=10000):
        QTest.mouseClick(sheet.lay, LEFT)
    sequence = studio.session.sequence
    assert sequence is not None and len(sequence.video_tracks) == 2
    [shot] = sequence.video_tracks[1].clips
    assert (shot.start, shot.end, shot.active_take) == (20, 50, "") and shot.look is not None
    assert [key.frame for key in shot.look.keys] == [0, 29]
    assert studio.store.undo_stack.index() == steps + 1
    assert len(clips(studio)) == 2


def test_a_key_that_is_changed_is_generated_alone(window: MainWindow, qtbot: QtBot, film: Path) -> None:
    studio = window.studio
    studio.preferences.set("live_preview", False)
    with qtbot.waitSignal(studio.importer.finished, timeout=15000):
        studio.import_files([film])
    studio.generation.change("Look", prompt="sunset")
    studio.session.set_playhead(10)
    qtbot.wait(50)
    click(window, "control.strength.key")
    studio.session.set_playhead(20)
    field = window.generate.sliders["strength"].field
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, "0.4")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert [(k.frame, k.value) for k in studio.generation.look.curve("strength").keys] == [(10, 1.0), (20, 0.4)]
    with finished(studio, qtbot):  # type: ignore[attr-defined]
        QTest.keyClick(window, Qt.Key.Key_Return, CONTROL)
    QTest.keyClick(window, Qt.Key.Key_Return, CONTROL | SHIFT)
    first = applied(studio)
    assert {band.kind for band in bands(window)} == {"rendered"}
    # A key more, near the end: the panel and the timeline say which frames are no longer true.
    studio.session.set_playhead(26)
    qtbot.wait(50)
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, "1")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert [(b.start, b.stop) for b in bands(window) if b.kind == "stale"] == [(21, 30)]
    renew = window.binder.action("take.renew")
    assert renew.isEnabled()
    with qtbot.waitSignal(studio.clip_takes.renewed, timeout=60000):
        QTest.keyClick(window, Qt.Key.Key_R, CONTROL | ALT)
    second = applied(studio)
    assert second.id != first.id and second.complete
    assert {band.kind for band in bands(window)} == {"rendered"} and not renew.isEnabled()
    # Pinned, it is first in the list; laid above, it has a clip of its own.
    window.takes.choose(first.id)
    QTest.keyClick(window, Qt.Key.Key_B, CONTROL | ALT)
    assert studio.store.document.takes[first.id].pinned and window.takes.model.takes[0].id == first.id
    window.takes.view.setFocus()
    QTest.keyClick(window.takes.view, Qt.Key.Key_4)
    assert studio.store.document.takes[first.id].rating == 4
    QTest.keyClick(window, Qt.Key.Key_T, CONTROL | ALT)
    sequence = studio.session.sequence
    assert sequence is not None
    [above] = sequence.video_tracks[1].clips
    assert above.active_take == first.id and not studio.is_stale(above, studio.store.document.takes[first.id])


def applied(studio: Studio) -> Take:
    [clip] = clips(studio)
    return studio.store.document.takes[clip.active_take]


def bands(window: MainWindow) -> list[Band]:
    view = window.timeline.view
    sequence = window.studio.session.sequence
    assert sequence is not None
    view.refresh_bands()
    shown = view.bands.bands(sequence.video_tracks[0].clips[0], sequence)
    # What is missing of a take lies below what is there.
    return [band for band in shown if band.kind != "missing"]
