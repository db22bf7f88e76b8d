"""Source viewer, trim view, key maps and panels in the real window, by mouse and keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QMenu, QTabBar, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from gen2studio.app.source_monitor import Marks
from gen2studio.app.trimming import AROUND_SECONDS, Side
from gen2studio.ui.dialogs.key_map_dialog import KeyMapDialog
from gen2studio.ui.main_window import MainWindow
from gen2studio.ui.source.bar import SourceBar
from gen2studio.ui.source.panel import SourcePanel
from gen2studio.ui.timeline.layout import Zone
from tests.ui.desk import LEFT, NONE, click, open_desk, part

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support (propagateSizeHints|raise|grabbing)")
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
BUNNY, DOG = "bbb_640x360_10s_audio.mp4", "golden_retriever_512_3.2s.mp4"
"""240 frames at 24 a second with sound; 32 frames at 10 a second."""


@pytest.fixture
def window(qtbot: QtBot, media_root: Path) -> Iterator[MainWindow]:
    """The window with two clips on its timeline, the first with sound."""
    with open_desk(qtbot, None) as (made, _host):
        with qtbot.waitSignal(made.studio.importer.finished, timeout=20_000):
            made.studio.import_files([media_root / "clips" / name for name in (BUNNY, DOG)])
        made.activateWindow()
        yield made


def double_click_pool(window: MainWindow, row: int) -> SourcePanel:
    view = window.pool.view
    place = view.visualRect(window.pool.model.index(row)).center()
    QTest.mouseClick(view.viewport(), LEFT, NONE, place)
    QTest.mouseDClick(view.viewport(), LEFT, NONE, place)
    return part(window, SourcePanel, "sourcePanel")


def lane(window: MainWindow, audio: bool = False) -> list[tuple[str, int, int]]:
    sequence = window.studio.session.sequence
    assert sequence is not None
    track = (sequence.audio_tracks if audio else sequence.video_tracks)[0]
    return [(c.name[:3], c.start, c.end) for c in track.clips]


def focused() -> QWidget:
    found = QApplication.focusWidget()
    assert found is not None
    return found


def test_from_the_pool_to_the_timeline_and_back(window: MainWindow, qtbot: QtBot) -> None:
    studio = window.studio
    source, session = studio.source, studio.session
    panel = double_click_pool(window, 0)
    qtbot.waitUntil(lambda: panel.picture.image is not None, timeout=15_000)
    image = panel.picture.image
    assert image is not None and (image.width(), image.height()) == (640, 360)
    assert panel.isVisible() and not window.viewer.isVisible() and window.viewers.panes["source"].marked
    qtbot.waitUntil(lambda: panel.waves.ready, timeout=15_000)

    # Keys act on the source while it has them: step, second, in, out.
    for key, keys in ((Qt.Key.Key_Right, SHIFT), (Qt.Key.Key_I, NONE), (Qt.Key.Key_Right, SHIFT), (Qt.Key.Key_O, NONE)):
        QTest.keyClick(focused(), key, keys)
    assert source.marks == Marks(start=24, stop=49) and session.playhead == 0
    assert session.sequence is not None and session.sequence.in_point is None
    field = panel.timecode
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, "00:00:03:00")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert source.playhead == 72
    bar = part(panel, SourceBar, "source.bar")
    QTest.mouseClick(bar, LEFT, NONE, QPoint(bar.width() // 2, 18))
    assert abs(source.playhead - 120) <= 1

    # Insert at the timeline's playhead, and only the picture over it.
    QTest.keyClick(panel.picture, Qt.Key.Key_F9, CTRL)
    assert lane(window)[0] == ("bbb", 0, 25) and lane(window, audio=True)[0] == ("bbb", 0, 25)
    click(window, "source.patch.audio")
    click(window, "source.source.overwrite")
    assert lane(window)[1] == ("bbb", 25, 50)
    assert len(lane(window, audio=True)) == 2 and not source.patch.audio

    # Match frame from the timeline; the keys go where the eyes are.
    view = window.timeline.view
    view.setFocus()
    assert studio.transport.viewer == "programme" and window.viewer.isVisible() and not panel.isVisible()
    session.set_playhead(40)
    QTest.keyClick(view, Qt.Key.Key_F)
    assert source.playhead == 24 + 15 and panel.isVisible() and studio.transport.viewer == "source"
    QTest.keyClick(focused(), Qt.Key.Key_F, SHIFT)
    assert session.playhead == 40 and studio.transport.viewer == "programme"
    tabs = part(window, QTabBar, "viewers.tabs")
    QTest.mouseClick(tabs, LEFT, NONE, tabs.tabRect(0).center())
    assert panel.isVisible()
    click(window, "viewers.split")
    assert panel.isVisible() and window.viewer.isVisible() and window.binder.action("source.split").isChecked()
    click(window, "viewer.playback.step_forward")
    assert studio.transport.viewer == "programme" and session.playhead == 41
    assert window.viewers.panes["programme"].marked and not window.viewers.panes["source"].marked

    # Another file, marked and dragged.
    double_click_pool(window, 1)
    assert source.item is not None and source.item.name.startswith("golden") and source.marks == Marks()
    source.set_marks(Marks(start=5, stop=15))
    data = panel.picture.drag().mimeData()
    place = QPoint(window.timeline.view.width() - 6, 30)
    enter = QDragEnterEvent(place, Qt.DropAction.CopyAction, data, LEFT, NONE)
    QApplication.sendEvent(view, enter)
    QApplication.sendEvent(view, QDropEvent(QPointF(place), Qt.DropAction.CopyAction, data, LEFT, NONE))
    last = lane(window)[-1]
    assert last[0] == "gol" and last[2] - last[1] == 24, "one second of ten frames"
    studio.new_project()
    assert source.item is None and studio.transport.viewer == "programme"


def test_a_cut_is_trimmed_by_keys_and_by_the_mouse(window: MainWindow, qtbot: QtBot) -> None:
    studio, view = window.studio, window.timeline.view
    session, trim = studio.session, studio.trim
    assert lane(window) == [("bbb", 0, 240), ("gol", 240, 317)]
    view.setFocus()
    session.set_playhead(230)
    QTest.keyClick(view, Qt.Key.Key_T)
    assert trim.active and window.trim_view is not None and window.trim_view.isVisible()
    shown = window.trim_view
    qtbot.waitUntil(lambda: all(p.image is not None for p in shown._pictures.pictures), timeout=15_000)
    left, right = (p.image for p in shown._pictures.pictures)
    assert left is not None and right is not None and left.shape[:2] == (360, 640) and right.shape[:2] == (512, 512)
    QTest.keyClick(view, Qt.Key.Key_U)
    QTest.keyClick(view, Qt.Key.Key_U)
    assert trim.side is Side.OUTGOING
    QTest.keyClick(view, Qt.Key.Key_Left)
    QTest.keyClick(view, Qt.Key.Key_Comma)
    QTest.keyClick(view, Qt.Key.Key_Left, SHIFT)
    assert lane(window) == [("bbb", 0, 233), ("gol", 233, 310)] and lane(window, audio=True) == [("bbb", 0, 233)]
    areas = shown.areas()
    QTest.mouseClick(shown, LEFT, NONE, areas[1].center().toPoint())
    assert trim.side is Side.INCOMING
    QTest.keyClick(view, Qt.Key.Key_Period)
    assert lane(window) == [("bbb", 0, 233), ("gol", 233, 309)]
    QTest.keyClick(view, Qt.Key.Key_Up)
    assert trim.frame() == 0
    session.set_playhead(120)
    trim.go(1)
    # The canvas' own space bar plays what the keys mean: here the cut in hand, over and over.
    QTest.keyClick(window.canvas, Qt.Key.Key_Space)
    assert studio.player.playing and session.playhead == trim.frame() - round(AROUND_SECONDS * 24)
    QTest.keyClick(window.canvas, Qt.Key.Key_Space)
    assert not studio.player.playing and trim.active
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert not trim.active and not shown.isVisible()
    QTest.keyClick(window.canvas, Qt.Key.Key_Space)
    assert session.shuttle == 1.0
    QTest.keyClick(window.canvas, Qt.Key.Key_Space)
    assert session.shuttle == 0.0
    studio.store.undo_stack.setIndex(studio.store.undo_stack.index() - 2)
    assert lane(window) == [("bbb", 0, 240), ("gol", 240, 317)]

    # While an edge is dragged, the frames on both sides of it are shown.
    place = view.layout_now.find(view.layout_now.rows[0].clips[0].id)
    assert place is not None
    y = place[0].top - view.viewport.scroll_y + place[0].body // 2
    edge = round(view.viewport.x(240))
    x = next(at for at in range(edge - 1, edge - 20, -1) if view.hit_at(at, y).zone is Zone.TAIL)
    QTest.mousePress(view, LEFT, NONE, QPoint(x, y))
    for step in (6, 20, 40):
        QTest.mouseMove(view, QPoint(x - step, y))
    assert shown.isVisible() and shown.shown is not None and shown.shown.caption == "Trim tail"
    assert shown.shown.delta < 0 and [p.moving for p in shown.shown.panes] == [True, False]
    QTest.mouseRelease(view, LEFT, NONE, QPoint(x - 40, y))
    assert not shown.isVisible() and lane(window)[0][2] < 240


def test_a_clip_is_shown_in_the_source_from_its_menu(window: MainWindow) -> None:
    studio, view = window.studio, window.timeline.view
    studio.session.set_playhead(10)
    row = view.layout_now.rows[0]
    place = QPoint(round(view.viewport.x(row.clips[1].start + 30)), row.top + 20)
    QApplication.sendEvent(view, QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, view.mapToGlobal(place)))
    menu = part(window, QMenu, "timeline_clip_menu")
    entry = next(a for a in menu.actions() if a.objectName() == "show_in_source")
    assert entry.text() == "Show in Source\tAlt+F"
    menu.setActiveAction(entry)
    QTest.keyClick(menu, Qt.Key.Key_Return)
    item = studio.source.item
    assert item is not None and item.name.startswith("golden"), "the clip clicked, not the one at the playhead"
    assert studio.source.marks == Marks(start=0, stop=32) and part(window, SourcePanel, "sourcePanel").isVisible()


def test_switches_of_the_timeline_are_as_they_were_left(qtbot: QtBot, media_root: Path) -> None:
    names = (
        "timeline.toggle_magnetic",
        "timeline.toggle_levels",
        "timeline.toggle_captions",
        "timeline.toggle_minimap",
    )
    with open_desk(qtbot, None) as (window, _host):
        first = window.timeline.states()
        for name in names:
            window.binder.action(name).trigger()
        assert window.timeline.states() == {name: not on for name, on in first.items()}
    with open_desk(qtbot, None) as (window, _host):
        assert window.timeline.states() == {name: not on for name, on in first.items()}
        assert all(window.binder.action(name).isChecked() is not first[name] for name in names)
        assert window.studio.store.undo_stack.count() == 0 and not window.timeline.overview.isVisible()
        for name in names:
            window.binder.action(name).trigger()
    with open_desk(qtbot, media_root) as (window, _host):
        assert window.timeline.states() == first
        # A lane that came with the subtitles goes with them, today and after the next start.
        studio = window.studio
        studio.editing.titles.add_subtitle()
        assert window.timeline.captions.isVisibleTo(window.timeline)
        assert studio.preferences.get("caption_lane") == "auto"
        studio.store.undo_stack.undo()
        assert not window.timeline.captions.isVisibleTo(window.timeline)


def test_other_keys_are_in_force_at_once(window: MainWindow, tmp_path: Path) -> None:
    binder, view = window.binder, window.timeline.view
    session = window.studio.session
    binder.action("keys.edit").trigger()
    dialog = part(window, KeyMapDialog, "keyMapDialog")
    assert dialog.isVisible()
    QTest.keyClicks(dialog.search, "razor all")
    items = [i for i in dialog._items.values() if not i.isHidden()]
    assert [i.text(0) for i in items] == ["Razor All Tracks"]
    dialog.tree.setCurrentItem(items[0])
    QTest.mouseClick(dialog.capture, LEFT)
    # A modifier alone is no key yet; what another command has is only taken when asked.
    QTest.keyClick(dialog.capture, Qt.Key.Key_Control, CTRL)
    assert dialog.capture.recording
    QTest.keyClick(dialog.capture, Qt.Key.Key_M)
    assert dialog.warning.isVisible() and "Add Marker" in dialog.words.text()
    assert window.key_maps.keys["timeline.add_marker"] == ("M",)
    QTest.mouseClick(dialog.leave, LEFT)
    assert not dialog.warning.isVisible() and window.key_maps.keys["timeline.add_marker"] == ("M",)
    QTest.mouseClick(dialog.capture, LEFT)
    QTest.keyClick(dialog.capture, Qt.Key.Key_M)
    QTest.mouseClick(dialog.take, LEFT)
    assert window.key_maps.keys["timeline.razor_all"] == ("Ctrl+Shift+B", "M")
    assert window.key_maps.keys["timeline.add_marker"] == () and dialog.chooser.currentText() == "My keys"
    QTest.mouseClick(dialog.capture, LEFT)
    QTest.keyClick(dialog.capture, Qt.Key.Key_Escape)
    assert not dialog.capture.recording and dialog.isVisible()
    dialog.write_sheet(tmp_path / "keys.html")
    assert "Razor All Tracks" in (tmp_path / "keys.html").read_text()
    dialog.close()

    marker = part(window, QToolButton, "button_timeline.add_marker")
    assert "(M)" not in marker.toolTip() and "(M)" not in binder.action("timeline.add_marker").toolTip()
    window.activateWindow()
    view.setFocus()
    session.set_playhead(100)
    QTest.keyClick(view, Qt.Key.Key_M)
    assert lane(window)[:2] == [("bbb", 0, 100), ("bbb", 100, 240)]
    sequence = session.sequence
    assert sequence is not None and sequence.markers == ()

    window.key_maps.choose("premiere")
    assert "(Ctrl+K)" in binder.action("timeline.razor").toolTip()
    session.set_playhead(50)
    QTest.keyClick(view, Qt.Key.Key_K, CTRL)
    assert lane(window)[0] == ("bbb", 0, 50)
    QTest.keyClick(view, Qt.Key.Key_B, CTRL)
    assert lane(window)[0] == ("bbb", 0, 50) and session.playhead == 50
    window.key_maps.choose("gen2")

    # Tool tips that name keys name those in force.
    back, history = window.timeline.tabs.back, window.history.view
    assert "(Ctrl+Shift+Up)" in back.toolTip() and "(Ctrl+Z, Ctrl+Shift+Z)" in history.toolTip()
    keys = window.key_maps.keys | {"timeline.close_nested": ("F2",), "edit.undo": ("F3",), "edit.redo": ()}
    binder.use_keys(keys)
    assert "(F2)" in back.toolTip() and "Ctrl" not in back.toolTip() and history.toolTip().endswith("to it (F3)")


def test_every_panel_is_reached_by_keyboard(window: MainWindow) -> None:
    double_click_pool(window, 0)
    window.viewers.set_split(True)
    reached: list[str] = []
    for _ in range(12):
        window.binder.action("panel.next").trigger()
        holder = focused()
        while holder is not None and holder.objectName() not in (
            "mediaPool", "generatePanel", "timeline_panel", "takesPanel", "sourcePanel", "viewerPanel",
        ):  # fmt: skip
            assert holder is not window, f"{focused().objectName()} is in no panel"
            holder = holder.parentWidget()
        reached.append(holder.objectName())
    turn = reached[: reached.index(reached[0], 1)] if reached[0] in reached[1:] else reached
    assert len(set(turn)) >= 5 and {"sourcePanel", "viewerPanel", "timeline_panel", "mediaPool"} <= set(turn)
    window.binder.action("panel.previous").trigger()
    # Nothing that can be clicked is out of reach of Tab, but for what commands of the table do as well.
    commands = set(window.binder.rows)
    for button in window.findChildren(QToolButton):
        if button.isVisible() and not button.focusPolicy() & Qt.FocusPolicy.TabFocus:
            action = button.defaultAction()
            known = button.property("command") or (action.objectName() if action is not None else "")
            assert known in commands or button.objectName().startswith("qt_"), button.objectName()
    entries = window.palette_dialog.list
    assert {entries.item(i).data(Qt.ItemDataRole.UserRole) for i in range(entries.count())} == commands
    assert not [d for d in window.findChildren(QDialog) if d.isVisible()]


def test_k_held_steps_and_let_go_plays(window: MainWindow, qtbot: QtBot) -> None:
    session, player, view = window.studio.session, window.studio.player, window.timeline.view
    view.setFocus()
    session.set_playhead(20)
    QTest.keyPress(view, Qt.Key.Key_K)
    for _ in range(3):
        QTest.keyPress(view, Qt.Key.Key_L)
    assert session.playhead == 23 and not player.playing
    QTest.keyPress(view, Qt.Key.Key_J)
    assert session.playhead == 22
    QTest.keyRelease(view, Qt.Key.Key_K)
    QTest.keyClick(view, Qt.Key.Key_L)
    assert player.playing
    window.menus["Playback"].popup(QPoint(0, 0))
    window.menus["Playback"].setActiveAction(window.binder.action("playback.stop"))
    QTest.keyClick(window.menus["Playback"], Qt.Key.Key_Return)
    assert not player.playing
    qtbot.waitUntil(lambda: not player._held)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    view.setFocus()
    qtbot.waitUntil(view.hasFocus)
    QTest.keyClick(view, Qt.Key.Key_J)
    assert player.playing, "a command of the menu holds no key"
    player.stop()
