"""The mixer, the scopes and the export queue in the real window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from gen2studio.app.audio_mix import MASTER, Level
from gen2studio.app.export_orders import OrderState
from gen2studio.core.frozen import frozen_map
from gen2studio.document.edits_tracks import add_track
from gen2studio.document.model import TrackKind
from gen2studio.media.probe import probe
from gen2studio.ui.dialogs.export_dialog import ExportDialog
from gen2studio.ui.dialogs.export_queue_dialog import ExportQueueDialog
from gen2studio.ui.main_window import MainWindow
from gen2studio.ui.panels.mixer_panel import Strip, fader_gain, fader_position, gain_text
from tests.export.sequences import BUNNY, SEQ, simple
from tests.ui.desk import LEFT, part


@pytest.fixture
def film(window: MainWindow, media_root: Path) -> MainWindow:
    """The window with a clip and its sound on the timeline, and a second audio track."""
    made = simple(media_root / BUNNY, frames=8)
    sequence = add_track(made.sequences[SEQ], TrackKind.AUDIO, "Music")
    store = window.studio.store
    changed = replace(
        store.document, media=made.media, sequences=frozen_map({SEQ: sequence}), active_sequence=sequence.id
    )
    store.apply("Place a clip", changed)
    return window


def test_faders_have_fine_steps_around_zero() -> None:
    assert [fader_gain(fader_position(db)) for db in (-96.0, -30.0, -6.0, 0.0, 12.0)] == pytest.approx(
        [-96.0, -30.0, -6.0, 0.0, 12.0], abs=0.15
    )
    assert [gain_text(db) for db in (-96.0, -6.5, 0.0, 3.0)] == ["−∞", "−6.5", "0.0", "+3.0"]


def test_the_mixer_edits_tracks_in_undo_steps(film: MainWindow, qtbot: QtBot) -> None:
    dock = film.docks["mixer"]
    assert not dock.isVisible() and dock.widget() is None, "made when it is first seen"
    film.binder.action("view.mixer").trigger()
    qtbot.waitUntil(film.mixer.isVisible)
    store, track = film.studio.store, film.studio.session.sequence.audio_tracks[1]
    stack = store.undo_stack

    def now():
        return store.document.sequences[SEQ].audio_tracks[1]

    strip = part(film.mixer, Strip, f"mixer.strip.{track.id}")
    begun = stack.index()
    # Keys move the fader; one gesture of the mouse is one step of the history.
    strip.fader.setFocus()
    QTest.keyClick(strip.fader, Qt.Key.Key_PageDown)
    assert now().gain_db == pytest.approx(fader_gain(fader_position(0.0) - 50))
    middle = strip.fader.rect().center()
    handle = QPoint(middle.x(), round(strip.fader.height() * (1 - strip.fader.value() / 1000)))
    QTest.mousePress(strip.fader, LEFT, pos=handle)
    for y in range(handle.y(), handle.y() + 40, 8):
        QTest.mouseMove(strip.fader, QPoint(middle.x(), y))
    QTest.mouseRelease(strip.fader, LEFT, pos=QPoint(middle.x(), handle.y() + 40))
    assert stack.index() == begun + 2 and stack.undoText() == "Change track gain"
    QTest.mouseDClick(strip.fader, LEFT, pos=middle)
    assert now().gain_db == 0.0
    strip.pan.setValue(-40)
    assert now().pan == -0.4
    QTest.mouseClick(strip.solo, LEFT)
    QTest.mouseClick(strip.mute, LEFT)
    assert now().solo and now().muted
    stack.undo()
    assert not now().muted and not strip.mute.isChecked()
    QTest.mouseClick(film.mixer.master.limiter, LEFT)
    assert store.document.sequences[SEQ].limiter
    told: list[str] = []  # the solo track is empty: there is nothing to measure
    film.studio.session.message.connect(lambda _severity, sentence: told.append(sentence))
    QTest.mouseClick(film.mixer.master.loudness, LEFT)
    qtbot.waitUntil(lambda: any("loudness" in sentence for sentence in told), timeout=10000)
    assert not film.mixer.master.loudness.isChecked()
    # Meters follow what the device plays, and only while somebody looks.
    tap = film.studio.player.meters
    assert tap.wanted
    tap.add(0, 4800, {track.id: Level((0.5, 1.1), (0.05, 0.3)), MASTER: Level((0.5, 0.5), (0.1, 0.1))})
    tap.played(10)
    qtbot.waitUntil(lambda: strip.bars[1].reading.clipped)
    assert strip.bars[0].reading.hold == pytest.approx(-6.02, abs=0.05) and not strip.bars[0].reading.clipped
    QTest.mouseClick(strip.meter, LEFT)
    assert not strip.bars[1].reading.clipped
    film.binder.action("view.mixer").trigger()
    assert not tap.wanted


def test_scopes_count_what_the_viewer_shows_while_they_are_seen(film: MainWindow, qtbot: QtBot) -> None:
    film.studio.session.set_playhead(1)
    qtbot.waitUntil(lambda: film.studio.feed.picture.image is not None, timeout=10000)
    film.binder.action("view.scopes").trigger()
    panel = film.scopes
    qtbot.waitUntil(lambda: panel.views["waveform"]._image is not None, timeout=5000)
    assert panel.views["histogram"]._counts is None
    QTest.mouseClick(part(panel, QToolButton, "scopes.show_histogram"), LEFT)
    qtbot.waitUntil(lambda: panel.views["histogram"]._counts is not None, timeout=5000)
    before = panel.views["histogram"]._counts.tolist()
    film.studio.session.set_playhead(7)
    qtbot.waitUntil(lambda: panel.views["histogram"]._counts.tolist() != before, timeout=10000)
    film.binder.action("view.scopes").trigger()
    assert not panel._scopes.wanted


def test_several_presets_go_into_the_queue_and_come_out_as_files(
    film: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    film.binder.action("file.export").trigger()
    dialog = film.findChild(ExportDialog)
    assert dialog is not None
    dialog.preset.setCurrentIndex(dialog.preset.findData("h264"))
    dialog.path.setText(str(tmp_path / "film"))
    for action in dialog.also.menu().actions():
        action.setChecked(action.data() in ("gif", "prores_422_hq"))
    assert dialog.also.text() == "Also 2 more"
    # Two kinds of file with one suffix would be one file.
    dialog.also.menu().actions()[1].setChecked(True)
    assert [each.path.name for each in dialog.settings()] == ["film", "film h265", "film", "film"]
    dialog.also.menu().actions()[1].setChecked(False)
    QTest.mouseClick(dialog.start, LEFT)
    assert [order.settings.preset for order in film.studio.exports.orders] == ["h264", "prores_422_hq", "gif"]
    assert film.studio.exports.running == film.studio.exports.orders[0].id
    dialog.stop()
    for order in film.studio.exports.orders:
        film.studio.exports.cancel(order.id)
    qtbot.waitUntil(lambda: not film.studio.exports.busy, timeout=20000)
    film.studio.exports.clear_ended()
    film.studio.exports.hold(True)
    QTest.mouseClick(dialog.later, LEFT)
    queue = film.findChild(ExportQueueDialog)
    assert queue is not None and queue.isVisible()
    assert [order.settings.path.name for order in film.studio.exports.orders] == ["film", "film", "film"]
    last = film.studio.exports.orders[2]
    QTest.mouseClick(part(queue, QToolButton, f"export_queue.raise.{last.id}"), LEFT)
    assert film.studio.exports.orders[1].id == last.id
    QTest.mouseClick(queue.hold, LEFT)
    states = lambda: {order.state for order in film.studio.exports.orders}  # noqa: E731
    qtbot.waitUntil(lambda: states() == {OrderState.DONE}, timeout=60000)
    assert probe(tmp_path / "film.mp4").frame_count == 8
    assert probe(tmp_path / "film.mov").frame_count == 8
    assert (tmp_path / "film.gif").stat().st_size > 5_000
    QTest.mouseClick(queue.clear, LEFT)
    assert queue.empty.isVisibleTo(queue)
    queue.close()
    dialog.reject()
