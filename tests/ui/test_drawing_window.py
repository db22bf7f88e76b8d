"""The drawing window and the strip by hand: mouse, pen, keys, over a real board and an engine that waits."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QModelIndex, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QInputDevice, QPointingDevice, QTabletEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot

from gen2studio.app.drawing_tools import Tool
from gen2studio.document.board_values import ArrowKind, LayerBlend, ShotSize
from gen2studio.document.model import Panel
from gen2studio.ui.dialogs.board_export_dialog import BoardExportDialog
from gen2studio.ui.dialogs.board_import_dialog import BoardImportDialog
from gen2studio.ui.drawing.window import DrawingWindow
from gen2studio.ui.main_window import MainWindow
from tests.rules.test_actions import _inner
from tests.ui.desk import LEFT, NONE, open_desk

SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    with open_desk(qtbot, None) as (made, _host):
        boards = made.studio.storyboards
        boards.new_board()
        boards.set_board_size(64, 36, Fraction(10))
        for name in ("one", "two", "three"):
            boards.add_panel(name=name, seconds=Fraction(1))
        made.raise_dock("storyboard")
        made.storyboard.choose(panels(made)[0].id)
        yield made


@pytest.fixture
def editor(window: MainWindow, qtbot: QtBot) -> DrawingWindow:
    window.storyboard.draw()
    made = window.storyboard.editor
    made.resize(1300, 800)
    qtbot.waitExposed(made)
    settle(made, qtbot)
    made.canvas.fit()
    return made


def panels(window: MainWindow) -> tuple[Panel, ...]:
    board = window.studio.storyboards.current
    assert board is not None
    return board.panels


def settle(editor: DrawingWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not editor.drawing.busy and editor.drawing.shown is not None, timeout=10000)


def spot(editor: DrawingWindow, x: float, y: float) -> QPoint:
    return editor.canvas.place(x, y).toPoint()


def drag(editor: DrawingWindow, start: tuple[float, float], *rest: tuple[float, float]) -> None:
    canvas = editor.canvas
    QTest.mousePress(canvas, LEFT, NONE, spot(editor, *start))
    for point in rest:
        QTest.mouseMove(canvas, spot(editor, *point))
    QTest.mouseRelease(canvas, LEFT, NONE, spot(editor, *(rest[-1] if rest else start)))


def colour(editor: DrawingWindow, x: float, y: float) -> tuple[int, int, int]:
    width, height = editor.drawing.size
    found = editor.drawing.colour_at(x * width, y * height)
    assert found is not None
    return found


@functools.cache
def stylus(eraser: bool) -> QPointingDevice:
    """A pen that the window system never saw."""
    kind = QPointingDevice.PointerType.Eraser if eraser else QPointingDevice.PointerType.Pen
    return QPointingDevice(
        "pen", 7, QInputDevice.DeviceType.Stylus, kind,
        QInputDevice.Capability.Position | QInputDevice.Capability.Pressure, 1, 3,
    )  # fmt: skip


def pen(editor: DrawingWindow, pressure: float, *points: tuple[float, float], eraser: bool = False) -> None:
    kinds = [QEvent.Type.TabletPress, *[QEvent.Type.TabletMove] * (len(points) - 1), QEvent.Type.TabletRelease]
    for kind, point in zip(kinds, (*points, points[-1]), strict=True):
        at = QPointF(spot(editor, *point))
        lifted = kind == QEvent.Type.TabletRelease
        event = QTabletEvent(
            kind, stylus(eraser), at, QPointF(editor.canvas.mapToGlobal(at.toPoint())), 0.0 if lifted else pressure,
            0, 0, 0, 0, 0, NONE, LEFT, Qt.MouseButton.NoButton if lifted else LEFT,
        )  # fmt: skip
        QApplication.sendEvent(editor.canvas, event)


def test_mouse_pen_and_eraser_draw(editor: DrawingWindow, window: MainWindow, qtbot: QtBot) -> None:
    stack = window.studio.store.undo_stack
    steps = stack.count()
    editor.drawing.set(colour=(200, 30, 20), width=40.0)
    drag(editor, (0.2, 0.2), (0.8, 0.2))
    settle(editor, qtbot)
    assert colour(editor, 0.5, 0.2) == (200, 30, 20) and stack.count() == steps + 1
    pen(editor, 0.5, (0.2, 0.5), (0.8, 0.5))
    settle(editor, qtbot)
    width = sum(colour(editor, 0.5, 0.5 + n / 720) == (200, 30, 20) for n in range(-30, 30))
    assert 16 <= width <= 24  # half as wide as the mouse's
    pen(editor, 1.0, (0.5, 0.1), (0.5, 0.6), eraser=True)
    settle(editor, qtbot)
    assert colour(editor, 0.5, 0.2) != (200, 30, 20) and stack.undoText() == "Erase"
    # Ctrl+Z is the program's one undo, in this window too.
    QTest.keyClick(editor, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    settle(editor, qtbot)
    assert colour(editor, 0.5, 0.2) == (200, 30, 20) and panels(window)[0].picture


def test_tools_and_panels_by_key(editor: DrawingWindow, window: MainWindow, qtbot: QtBot) -> None:
    canvas = editor.canvas
    canvas.setFocus()
    for key, tool in (
        (Qt.Key.Key_E, Tool.ERASER), (Qt.Key.Key_L, Tool.LINE), (Qt.Key.Key_R, Tool.BOX), (Qt.Key.Key_F, Tool.FRAME),
        (Qt.Key.Key_A, Tool.ARROW), (Qt.Key.Key_B, Tool.PEN), (Qt.Key.Key_B, Tool.PEN),
    ):  # fmt: skip
        QTest.keyClick(canvas, key)
        assert editor.drawing.settings.tool is tool
        assert window.binder.action(f"drawing.{tool.value}").isChecked()
    width = editor.drawing.settings.width
    QTest.keyClick(canvas, Qt.Key.Key_BracketRight)
    assert editor.drawing.settings.width > width
    QTest.keyClick(canvas, Qt.Key.Key_O)
    assert editor.drawing.settings.onion == 0.5
    QTest.keyClick(canvas, Qt.Key.Key_PageDown)
    assert editor.panel_id == panels(window)[1].id == window.storyboard.chosen
    QTest.keyClick(canvas, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert [p.name for p in panels(window)] == ["one", "two", "", "three"] and editor.panel_id == panels(window)[2].id
    # Letters typed into a field are words, not tools.
    editor.details.action.setFocus()
    QTest.keyClicks(editor.details.action, "be fast")
    assert editor.drawing.settings.tool is Tool.PEN and editor.details.action.toPlainText() == "be fast"
    canvas.setFocus()
    qtbot.waitUntil(lambda: panels(window)[2].action == "be fast", timeout=2000)
    zoom = canvas.zoom
    QTest.keyClick(canvas, Qt.Key.Key_Plus)
    assert canvas.zoom > zoom
    QTest.keyClick(canvas, Qt.Key.Key_0)
    assert canvas.zoom == zoom
    QTest.keyClick(canvas, Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier)
    assert not editor.isVisible()


def test_camera_frames_by_hand_feed_the_camera(editor: DrawingWindow, window: MainWindow, qtbot: QtBot) -> None:
    editor.choose_tool(Tool.FRAME)
    # B stands in the middle at 0.6; its corner is dragged inwards, then all of it to the right.
    drag(editor, (0.8, 0.8), (0.75, 0.75), (0.7, 0.7))
    drag(editor, (0.5, 0.5), (0.6, 0.5), (0.65, 0.5))
    panel = panels(window)[0]
    start, end = panel.frames
    assert start.width == 1 and end.width == pytest.approx(0.4, abs=0.02) and end.x == pytest.approx(0.65, abs=0.02)
    assert panel.camera.zoom == pytest.approx(10, abs=0.5) and panel.camera.pan > 3 and panel.camera.tilt == 0
    assert window.studio.store.undo_stack.undoText() == "Camera frames"
    editor.canvas.setFocus()
    QTest.keyClick(editor.canvas, Qt.Key.Key_Right)
    assert panels(window)[0].frames[1].x == pytest.approx(end.x + 0.01)
    QTest.keyClick(editor.canvas, Qt.Key.Key_Up, SHIFT)
    assert panels(window)[0].frames[1].width < end.width
    QTest.keyClick(editor.canvas, Qt.Key.Key_Delete)
    assert panels(window)[0].frames == () and panels(window)[0].camera.zoom == 0


def test_arrows_are_drawn_moved_and_deleted(editor: DrawingWindow, window: MainWindow) -> None:
    editor.choose_tool(Tool.ARROW)
    drag(editor, (0.2, 0.3), (0.5, 0.3), (0.6, 0.3))
    editor.arrow.setCurrentIndex(1)
    editor.arrow.activated.emit(1)
    drag(editor, (0.2, 0.7), (0.4, 0.7), (0.4, 0.8))
    first, second = panels(window)[0].arrows
    assert (first.kind, second.kind) == (ArrowKind.SUBJECT, ArrowKind.CAMERA)
    drag(editor, (0.4, 0.3), (0.4, 0.4), (0.4, 0.5))
    moved = panels(window)[0].arrows[0]
    assert moved.start[1] == pytest.approx(0.5, abs=0.01) and moved.start[0] == pytest.approx(first.start[0], abs=0.01)
    editor.canvas.setFocus()
    QTest.keyClick(editor.canvas, Qt.Key.Key_Delete)
    assert panels(window)[0].arrows == (second,)


def test_layers_by_hand(editor: DrawingWindow, window: MainWindow, qtbot: QtBot) -> None:
    drag(editor, (0.2, 0.2), (0.8, 0.2))
    settle(editor, qtbot)
    QTest.keyClick(editor.canvas, Qt.Key.Key_N, SHIFT)
    settle(editor, qtbot)
    assert [layer.name for layer in panels(window)[0].layers] == ["Drawing", "Layer 1"]
    items = editor.layers.list
    assert [items.item(i).text() for i in range(2)] == ["Layer 1", "Drawing"]  # upper ones first
    items.item(1).setCheckState(Qt.CheckState.Unchecked)
    settle(editor, qtbot)
    assert not panels(window)[0].layers[0].visible
    editor.layers.blend.setCurrentIndex(1)
    editor.layers.blend.activated.emit(1)
    settle(editor, qtbot)
    assert panels(window)[0].layers[1].blend is LayerBlend.MULTIPLY


def test_the_strip_is_timed_by_hand(window: MainWindow, qtbot: QtBot) -> None:
    board = window.storyboard
    board.show_way("board.view_strip")
    strip = board.strip
    strip.set_scale(100)
    edge = QPoint(10 + 100, 60)
    QTest.mouseMove(strip, edge)
    assert strip.cursor().shape() == Qt.CursorShape.SplitHCursor
    QTest.mousePress(strip, LEFT, NONE, edge)
    QTest.mouseMove(strip, edge + QPoint(20, 0))
    QTest.mouseMove(strip, edge + QPoint(53, 0))
    QTest.mouseRelease(strip, LEFT, NONE, edge + QPoint(53, 0))
    assert [p.seconds for p in panels(window)] == [Fraction(3, 2), 1, 1]
    QTest.mouseClick(strip, LEFT, NONE, QPoint(10 + 200, 60))
    assert board.chosen == panels(window)[1].id and window.studio.storyboards.player.second == 1.5
    QTest.keyClick(strip, Qt.Key.Key_Right, ALT)
    assert panels(window)[1].seconds == Fraction(11, 10)
    QTest.keyClick(strip, Qt.Key.Key_End)
    assert board.chosen == panels(window)[2].id
    QTest.mouseClick(strip, LEFT, NONE, QPoint(10 + 50, 8))
    assert window.studio.storyboards.player.second == pytest.approx(0.5)
    window.binder.action("board.play").trigger()
    qtbot.waitUntil(lambda: window.studio.storyboards.player.second > 0.7, timeout=5000)
    window.binder.action("board.tap").trigger()
    window.binder.action("board.play").trigger()
    assert Fraction(6, 10) <= panels(window)[0].seconds < Fraction(3, 2)
    assert not window.studio.storyboards.player.playing


def test_the_form_splits_and_merges(window: MainWindow, qtbot: QtBot) -> None:
    board = window.storyboard
    row = board.details.shot_size.findData(ShotSize.CU)
    board.details.shot_size.setCurrentIndex(row)
    board.details.shot_size.activated.emit(row)
    assert panels(window)[0].shot_size is ShotSize.CU
    window.binder.action("board.split").trigger()
    assert [p.seconds for p in panels(window)] == [Fraction(1, 2), Fraction(1, 2), 1, 1]
    board.view.selectAll()
    window.binder.action("board.merge").trigger()
    assert [p.seconds for p in panels(window)] == [3]


def test_words_typed_on_one_panel_stay_on_it(window: MainWindow) -> None:
    board = window.storyboard
    board.details.prompt.setFocus()
    QTest.keyClicks(board.details.prompt, "the sea")
    window.binder.action("board.new_panel").trigger()
    assert board.details.prompt.toPlainText() == ""
    QTest.keyClicks(board.details.prompt, "a city")
    QTest.keyClick(board.details.prompt, Qt.Key.Key_Return)
    words = [p.prompt for p in panels(window) if p.prompt]
    assert sorted(words) == ["a city", "the sea"]


def test_films_dropped_become_mock_ups(window: MainWindow, media_root: Path, qtbot: QtBot) -> None:
    data = QMimeData()
    film = media_root / "clips" / "golden_retriever_512_3.2s.mp4"
    data.setUrls([QUrl.fromLocalFile(str(film))])
    model = window.storyboard.model
    assert model.canDropMimeData(data, Qt.DropAction.CopyAction, 1, 0, QModelIndex())
    model.dropMimeData(data, Qt.DropAction.CopyAction, 1, 0, QModelIndex())
    dog = panels(window)[1]
    assert dog.mock_up is not None and dog.seconds == Fraction(32, 10) and len(panels(window)) == 4
    model.dropMimeData(data, Qt.DropAction.CopyAction, -1, -1, model.index(0))
    assert panels(window)[0].mock_up is not None and panels(window)[0].seconds == 1
    assert len(window.studio.store.document.media) == 1
    # The monitor shows a frame of it.
    board = window.storyboard
    board.show_way("board.view_strip")
    window.studio.storyboards.player.seek(1.5)
    qtbot.waitUntil(lambda: board.monitor._footage is not None, timeout=10000)


def test_import_shows_what_it_found_first(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    script = tmp_path / "film.fountain"
    script.write_text("INT. ROOM\n\nA man waits.\n\nMAN\nAt last.\n\nHe leaves.\n")
    window.binder.action("board.import").trigger()
    dialog = window.findChild(BoardImportDialog)
    assert dialog is not None and not dialog.start.isEnabled()
    dialog.open_path(str(script))
    qtbot.waitUntil(lambda: dialog.preview.count() == 2 and not dialog.running, timeout=5000)
    assert "At last." in dialog.preview.item(0).text() and "2 panels" in dialog.summary.text()
    QTest.mouseClick(dialog.start, LEFT)
    boards = window.studio.storyboards
    qtbot.waitUntil(lambda: boards.current is not None and boards.current.name == "film", timeout=5000)
    board = boards.current
    assert (
        board is not None
        and board.name == "film"
        and [p.action for p in board.panels] == ["A man waits.", "He leaves."]
    )


def test_export_writes_pages(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    window.binder.action("board.export").trigger()
    dialog = window.findChild(BoardExportDialog)
    assert dialog is not None
    dialog.path.setText(str(tmp_path / "board.pdf"))
    QTest.mouseClick(dialog.start, LEFT)
    qtbot.waitUntil(lambda: not dialog.running and (tmp_path / "board.pdf").is_file(), timeout=10000)
    assert dialog.status.text() == "Wrote board.pdf."
    QTest.mouseClick(dialog.start, LEFT)
    assert dialog.start.text() == "Replace"
    dialog.close()


def test_every_control_of_the_window_has_a_name(editor: DrawingWindow) -> None:
    for section in editor.details.sections.values():
        section.set_open(True)
    kinds = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit)
    lacking: list[str] = []
    for widget in editor.findChildren(QWidget):
        if isinstance(widget, kinds) and not _inner(widget):
            spoken = widget.accessibleName() or (widget.text() if isinstance(widget, QAbstractButton) else "")
            if not (widget.objectName() and widget.toolTip() and spoken):
                lacking.append(f"{type(widget).__name__} {widget.objectName()}")
    assert lacking == []
