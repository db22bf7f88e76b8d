"""An artist animates a clip in the real window: handles in the viewer, keys, curves, a subtitle seen in the picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPlainTextEdit
from pytestqt.qtbot import QtBot

from gen2studio.document.model import Clip
from gen2studio.ui.main_window import MainWindow
from gen2studio.ui.panels.curves_graph import CurvesGraph
from tests.ui.desk import LEFT, click, open_desk, part


@pytest.fixture
def window(qtbot: QtBot, media_root: Path) -> Iterator[MainWindow]:
    with open_desk(qtbot, media_root) as (made, _host):
        yield made


def clip_of(window: MainWindow) -> Clip:
    clip = window.studio.session.target_clip()
    assert clip is not None
    return clip


def drag(window: MainWindow, start: QPoint, by: QPoint) -> None:
    QTest.mousePress(window.canvas, LEFT, Qt.KeyboardModifier.NoModifier, start)
    for step in range(1, 5):
        QTest.mouseMove(window.canvas, start + by * step / 4)
    QTest.mouseRelease(window.canvas, LEFT, Qt.KeyboardModifier.NoModifier, start + by)


def test_a_clip_is_animated_by_hand(window: MainWindow, qtbot: QtBot) -> None:
    session, canvas = window.studio.session, window.canvas
    qtbot.waitUntil(lambda: canvas.picture is not None and canvas.picture.image is not None)
    window.binder.action("view.inspector").trigger()
    qtbot.waitUntil(lambda: canvas.handles is not None and canvas.handles.wanted)
    assert canvas.handles is not None
    session.set_playhead(4)
    qtbot.waitUntil(lambda: not window.inspecting._soon.isActive())
    click(window, "inspector.transform.x.key")
    session.set_playhead(20)
    qtbot.waitUntil(lambda: not window.inspecting._soon.isActive())
    box = canvas.handles.box()
    assert box is not None
    start = canvas.handles.spots(box, canvas.frame_view)["anchor"].toPoint() + QPoint(40, 40)
    steps = window.studio.store.undo_stack.index()
    drag(window, start, QPoint(60, 0))
    assert window.studio.store.undo_stack.index() == steps + 1
    assert [key.frame for key in clip_of(window).transform.x.keys] == [4, 20]
    # The viewer shows the composited frame from now on.
    qtbot.waitUntil(lambda: canvas.picture is not None and canvas.picture.shows == "programme")

    window.binder.action("view.curves").trigger()
    graph = part(window, CurvesGraph, "curves.graph")
    qtbot.waitUntil(graph.isVisible)
    window.curves.curves.set_current("transform.x")
    each = window.curves.curves.curves()["transform.x"]
    QTest.mouseClick(graph, LEFT, pos=graph.view.key_point(each, each.curve.keys[0]).toPoint())
    QTest.keyClick(graph, Qt.Key.Key_3)
    assert clip_of(window).transform.x.keys[0].ease.value == "smooth"

    session.set_playhead(10)
    window.binder.action("view.subtitles").trigger()
    qtbot.waitUntil(window.subtitles.isVisible)
    window.binder.action("subtitle.add").trigger()
    editor = part(window.subtitles.table, QPlainTextEdit, "table.text")
    QTest.keyClicks(editor, "Good dog")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    sequence = session.sequence
    assert sequence is not None
    assert [s.text for s in sequence.subtitles] == ["Good dog"]
