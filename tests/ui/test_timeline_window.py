"""The timeline in the real window: the keys of the action table, pictures and sound on it, and everything undone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

if TYPE_CHECKING:
    from gen2studio.ui.main_window import MainWindow

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support (propagateSizeHints|raise|grabbing)")
BUNNY, DOG = "bbb_640x360_10s_audio.mp4", "golden_retriever_512_3.2s.mp4"
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def test_a_cut_by_keys_in_the_window_and_back(window: MainWindow, qtbot: QtBot, media_root: Path) -> None:
    studio = window.studio
    session, view, stack = studio.session, window.timeline.view, studio.store.undo_stack
    files = [media_root / "clips" / name for name in (BUNNY, DOG)]
    with qtbot.waitSignal(studio.importer.finished, timeout=20_000):
        studio.import_files(files)
    sequence = session.sequence
    assert sequence is not None and session.track == sequence.video_tracks[0].id
    bunny, dog = sequence.video_tracks[0].clips
    window.activateWindow()
    view.setFocus()

    def key(which: Qt.Key, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(view, which, keys)

    def lane() -> list[tuple[int, int]]:
        now = session.sequence
        assert now is not None
        return [(c.start, c.end) for c in now.video_tracks[0].clips]

    start = lane()
    for which, playhead in ((Qt.Key.Key_End, dog.end), (Qt.Key.Key_Up, dog.start), (Qt.Key.Key_Home, 0)):
        key(which)
        assert session.playhead == playhead
    session.set_playhead(100)
    key(Qt.Key.Key_B, CTRL)
    assert lane() == [(0, 100), (100, bunny.end), *start[1:]]
    session.set_playhead(60)
    key(Qt.Key.Key_Q)
    assert lane()[0] == (0, 40) and session.playhead == 0
    key(Qt.Key.Key_M)
    key(Qt.Key.Key_Right)
    key(Qt.Key.Key_I)
    key(Qt.Key.Key_Down, CTRL)
    key(Qt.Key.Key_D)
    chosen = session.find_clip(next(iter(session.selection)))
    assert chosen is not None and not chosen.enabled
    key(Qt.Key.Key_C, CTRL)
    key(Qt.Key.Key_End)
    key(Qt.Key.Key_V, CTRL)
    assert len(lane()) == 4
    key(Qt.Key.Key_Delete, SHIFT)
    assert len(lane()) == 3
    now = session.sequence
    assert now is not None and [m.frame for m in now.markers] == [0] and now.in_point == 1
    key(Qt.Key.Key_C)
    assert view.tool == "razor"
    key(Qt.Key.Key_A)
    key(Qt.Key.Key_A, CTRL)
    key(Qt.Key.Key_Delete)
    assert lane() == []
    while stack.canUndo():
        key(Qt.Key.Key_Z, CTRL)
        if lane() == start and session.sequence is sequence:
            break
    assert session.sequence == sequence, "undone to what the import made"


def test_playing_turns_the_page(window: MainWindow, qtbot: QtBot, media_root: Path) -> None:
    studio = window.studio
    with qtbot.waitSignal(studio.importer.finished, timeout=20_000):
        studio.import_files([media_root / "clips" / BUNNY])
    viewport = window.timeline.viewport
    viewport.zoom_to(40.0, 0)
    viewport.scroll_to(0, 0)
    studio.player.toggle()
    qtbot.waitUntil(lambda: viewport.scroll_x > 0, timeout=8000)
    studio.player.stop()
    assert 0 <= viewport.x(studio.session.playhead) <= viewport.width
