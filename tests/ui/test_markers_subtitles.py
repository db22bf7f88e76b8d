"""The lists of markers and subtitles by hand: edited in place, filtered, shifted, styled, written."""

from __future__ import annotations

import csv
import io
from fractions import Fraction
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QMainWindow, QPlainTextEdit
from pytestqt.qtbot import QtBot

from gen2studio.app import actions_timeline, actions_timeline_edits
from gen2studio.app.marker_sheets import markers_csv, markers_text
from gen2studio.document.model import Marker
from gen2studio.ui.action_binder import ActionBinder
from gen2studio.ui.late_work import LateWork
from gen2studio.ui.panels.markers_panel import MarkersPanel
from gen2studio.ui.panels.subtitles_panel import SubtitlesPanel
from gen2studio.ui.panels.timed_table import TimedTable
from gen2studio.ui.widgets.timecode_field import TimecodeField
from gen2studio.ui.widgets.value_slider import ValueSlider
from tests.ui.clip_bench import LEFT, ClipBench, click, part


class Lists(ClipBench):
    def __init__(self, qtbot: QtBot) -> None:
        super().__init__(qtbot)
        self.window = QMainWindow()
        late = LateWork(self.window)
        rows = (*actions_timeline.ROWS, *actions_timeline_edits.ROWS)
        binder = ActionBinder(rows, self.window, late)
        late.finish()
        for name, handler in self.editing.handlers().items():
            if name in binder.rows:
                binder.bind(name, handler)
        self.actions = binder.for_buttons()

    def markers(self) -> MarkersPanel:
        panel = MarkersPanel(self.session, self.editing, self.actions)
        self.window.setCentralWidget(panel)
        self.show(self.window, 520, 420)
        return panel

    def subtitles(self) -> SubtitlesPanel:
        panel = SubtitlesPanel(self.session, self.editing, self.actions)
        self.window.setCentralWidget(panel)
        self.show(self.window, 420, 640)
        return panel


@pytest.fixture
def lists(qtbot: QtBot) -> Lists:
    return Lists(qtbot)


def edit_cell(qtbot: QtBot, table: TimedTable, row: int, column: int, text: str) -> None:
    """Go to a cell by mouse, open it by keyboard, type, and accept."""
    index = table.timed.index(row, column)
    QTest.mouseClick(table.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, table.visualRect(index).center())
    QTest.keyClick(table, Qt.Key.Key_F2)
    editor = table.findChild(QLineEdit, "table.time") or table.findChild(QPlainTextEdit, "table.text")
    assert editor is not None
    editor.selectAll()
    QTest.keyClicks(editor, text)
    QTest.keyClick(editor, Qt.Key.Key_Return)
    closed(qtbot, table)


def closed(qtbot: QtBot, table: TimedTable) -> None:
    """Qt closes an accepted editor with the next turn of the event loop."""
    qtbot.waitUntil(lambda: table.findChild(QLineEdit) is None and table.findChild(QPlainTextEdit) is None)


def test_markers_are_edited_in_place(lists: Lists, qtbot: QtBot) -> None:
    panel = lists.markers()
    lists.session.set_playhead(10)
    click(panel, "markers.timeline.add_marker")
    lists.editing.titles.add_marker(30, name="End", colour="red")
    edit_cell(qtbot, panel.table, 0, 2, "Laugh")
    edit_cell(qtbot, panel.table, 0, 1, "12")
    edit_cell(qtbot, panel.table, 0, 3, "5")
    edit_cell(qtbot, panel.table, 0, 4, "she turns")
    marker = lists.sequence.markers[0]
    assert (marker.frame, marker.duration, marker.name, marker.note) == (12, 5, "Laugh", "she turns")
    table = panel.table
    QTest.mouseClick(
        table.viewport(), LEFT, Qt.KeyboardModifier.NoModifier, table.visualRect(table.timed.index(1, 3)).center()
    )
    assert lists.session.playhead == 30
    QTest.keyClick(table, Qt.Key.Key_Delete)
    assert [m.name for m in lists.sequence.markers] == ["Laugh"]


def test_a_marker_gets_a_colour_from_its_list(lists: Lists, qtbot: QtBot) -> None:
    panel = lists.markers()
    lists.editing.titles.add_marker(3)
    panel.table.edit(panel.model.index(0, 0))
    combo = panel.table.findChild(QComboBox, "table.label")
    assert combo is not None
    combo.setFocus()
    QTest.keyClick(combo, Qt.Key.Key_Down)
    assert lists.sequence.markers[0].colour == "orange"


def test_markers_are_filtered(lists: Lists) -> None:
    panel = lists.markers()
    for frame, name, colour in ((1, "Door", "red"), (5, "Laugh", "green"), (9, "Doorbell", "green")):
        lists.editing.titles.add_marker(frame, name=name, colour=colour)
    QTest.keyClicks(part(panel, QLineEdit, "markers.find"), "door")
    assert [m.name for m in panel.shown()] == ["Door", "Doorbell"]
    combo = part(panel, QComboBox, "markers.colour")
    combo.setFocus()
    QTest.keyClicks(combo, "Gr")
    assert [m.name for m in panel.shown()] == ["Doorbell"]


def test_sheets_hold_everything_and_no_formula() -> None:
    markers = (
        Marker(id="a", frame=50, name="=SUM(A1)", note='says "no",\ntwice', colour="red"),
        Marker(id="b", frame=75, duration=25, name="Range"),
    )
    rows = list(csv.reader(io.StringIO(markers_csv(markers, Fraction(25)))))
    assert rows[1] == ["00:00:02:00", "00:00:00:00", "50", "0", "red", "'=SUM(A1)", 'says "no",\ntwice']
    assert rows[2][:4] == ["00:00:03:00", "00:00:01:00", "75", "25"]
    assert "00:00:03:00 – 00:00:04:00  [amber]  Range" in markers_text(markers, Fraction(25))


def test_subtitles_are_typed_as_they_are_added(lists: Lists, qtbot: QtBot) -> None:
    panel = lists.subtitles()
    lists.session.set_playhead(5)
    click(panel, "subtitles.subtitle.add")
    editor = part(panel.table, QPlainTextEdit, "table.text")
    QTest.keyClicks(editor, "Hello")
    QTest.keyClick(editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClicks(editor, "there")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    closed(qtbot, panel.table)
    assert [(s.start, s.text) for s in lists.sequence.subtitles] == [(5, "Hello\nthere")]
    edit_cell(qtbot, panel.table, 0, 1, "25")
    assert lists.sequence.subtitles[0].end == 25
    edit_cell(qtbot, panel.table, 0, 0, "+3")
    assert lists.sequence.subtitles[0].start == 8


def test_subtitles_are_split_merged_found_and_removed(lists: Lists) -> None:
    panel = lists.subtitles()
    titles = lists.editing.titles
    titles.add_subtitle("one two", 0, 10)
    titles.add_subtitle("three", 20, 10)
    lists.session.set_playhead(5)
    click(panel, "subtitles.split")
    assert [s.text for s in lists.sequence.subtitles] == ["one", "two", "three"]
    panel.table.choose([s.id for s in lists.sequence.subtitles[1:]])
    click(panel, "subtitles.merge")
    assert [(s.start, s.text) for s in lists.sequence.subtitles] == [(0, "one"), (5, "two\nthree")]
    QTest.keyClicks(part(panel, QLineEdit, "subtitles.find"), "thr")
    assert [s.text for s in panel.model.rows] == ["two\nthree"]
    panel.table.choose([panel.model.rows[0].id])
    QTest.keyClick(panel.table, Qt.Key.Key_Delete)
    assert [s.text for s in lists.sequence.subtitles] == ["one"]


def test_all_subtitles_are_shifted(lists: Lists) -> None:
    panel = lists.subtitles()
    lists.editing.titles.add_subtitle("a", 4, 4)
    lists.editing.titles.add_subtitle("b", 20, 4)
    click(panel, "section.subtitles.shift.heading")
    by = part(panel, TimecodeField, "subtitles.shift.by")
    by.setFocus()
    by.selectAll()
    QTest.keyClicks(by, "3")
    QTest.keyClick(by, Qt.Key.Key_Return)
    click(panel, "subtitles.shift.later")
    assert [s.start for s in lists.sequence.subtitles] == [7, 23]
    click(panel, "subtitles.shift.earlier")
    assert [s.start for s in lists.sequence.subtitles] == [4, 20]
    click(panel, "subtitles.shift.earlier")
    click(panel, "subtitles.shift.earlier")
    assert lists.told


def test_style_is_changed_live(lists: Lists) -> None:
    panel = lists.subtitles()
    lists.editing.titles.add_subtitle("a", 0, 4)
    click(panel, "section.subtitles.style.heading")
    slider = part(panel, ValueSlider, "subtitles.style.size")
    slider.slider.setFocus()
    QTest.keyClick(slider.slider, Qt.Key.Key_End)
    assert lists.sequence.subtitle_style.size == pytest.approx(0.2)
    box = part(panel, QCheckBox, "subtitles.style.shown")
    QTest.mouseClick(box, LEFT, pos=QPoint(8, box.height() // 2))
    assert not lists.sequence.subtitle_style.shown


def test_srt_comes_back_as_it_was(lists: Lists, tmp_path: Path, qtbot: QtBot) -> None:
    lists.subtitles()
    lists.editing.titles.add_subtitle("<i>Hello</i>\nthere", 5, 20)
    before = [(s.start, s.duration, s.text) for s in lists.sequence.subtitles]
    path = tmp_path / "film.srt"
    job = lists.editing.titles.export_subtitles(path)
    assert job is not None
    qtbot.waitUntil(lambda: not job.running)
    job = lists.editing.titles.import_subtitles(path)
    assert job is not None
    qtbot.waitUntil(lambda: not job.running)
    assert [(s.start, s.duration, s.text) for s in lists.sequence.subtitles] == before
