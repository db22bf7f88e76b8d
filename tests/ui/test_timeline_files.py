"""Timelines of other programs in the real window: dropped, asked about, reported; and consolidating."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from gen2studio.app.project_files import Project
from gen2studio.ui.dialogs.consolidate_dialog import ConsolidateDialog
from gen2studio.ui.dialogs.timeline_files import RateDialog, ReportDialog, read_timeline
from tests.ui.desk import LEFT, Desk, drop, open_desk, part


@pytest.fixture
def desk(qtbot: QtBot, media_root: Path) -> Iterator[Desk]:
    with open_desk(qtbot, media_root) as opened:
        yield opened


def test_a_timeline_dropped_on_the_pool_becomes_one_of_ours_and_says_what_is_missing(
    desk: Desk, qtbot: QtBot, media_root: Path
) -> None:
    window, _ = desk
    studio = window.studio
    before = len(studio.store.document.sequences)
    with qtbot.waitSignal(studio.interchange.finished, timeout=10000):
        assert drop(window.pool, [media_root / "interchange/otio/multitrack.otio"])
    assert len(studio.store.document.sequences) == before + 1
    sequence = studio.session.sequence
    assert sequence is not None
    assert [len(t.clips) for t in sequence.video_tracks] == [3, 1, 1]
    report = part(window, ReportDialog, "timelineReport")
    assert report.isVisible()
    assert "not found" in report.list.item(0).text()
    QTest.mouseClick(part(report, QPushButton, "timelineReport.copy"), LEFT)
    assert "not found" in QApplication.clipboard().text()
    report.close()
    studio.store.undo_stack.undo()
    assert len(studio.store.document.sequences) == before


def test_an_edit_list_is_asked_for_its_rate(desk: Desk, qtbot: QtBot, media_root: Path) -> None:
    window, _ = desk
    read_timeline(window.studio, window, media_root / "interchange/edl/25fps.edl")
    dialog = part(window, RateDialog, "timelineImport.rateDialog")
    dialog.rates.setCurrentIndex(dialog.rates.findText("25 fps"))
    with qtbot.waitSignal(window.studio.interchange.finished, timeout=10000):
        dialog.accept()
    sequence = window.studio.session.sequence
    assert sequence is not None
    assert sequence.rate == 25
    part(window, ReportDialog, "timelineReport").close()


def test_the_timeline_is_written_in_the_chosen_format(desk: Desk, qtbot: QtBot, tmp_path: Path) -> None:
    window, _ = desk
    window.binder.action("file.export_timeline").trigger()
    dialog = part(window, QFileDialog, "timelineExport.fileDialog")
    kind = next(f for f in dialog.nameFilters() if "*.otioz" in f)
    dialog.filterSelected.emit(kind)
    with qtbot.waitSignal(window.studio.interchange.finished, timeout=10000):
        dialog.fileSelected.emit(str(tmp_path / "cut.otioz"))
    dialog.close()
    assert dialog.defaultSuffix() == "otioz"
    assert any(name.startswith("media/") for name in zipfile.ZipFile(tmp_path / "cut.otioz").namelist())
    with qtbot.waitSignal(window.studio.session.message, timeout=10000) as told:
        dialog.fileSelected.emit(str(tmp_path / "cut.xml"))
    assert told.args is not None
    assert "Choose OpenTimelineIO" in told.args[1], "Final Cut counts no 10 frames a second"
    assert not (tmp_path / "cut.xml").exists()


def test_a_broken_timeline_leaves_the_project_as_it_was(desk: Desk, qtbot: QtBot, tmp_path: Path) -> None:
    window, _ = desk
    bad = tmp_path / "bad.otio"
    bad.write_text("{")
    before = window.studio.store.document
    with qtbot.waitSignal(window.studio.session.message, timeout=10000) as told:
        window.studio.import_files([bad])
    assert told.args is not None
    assert told.args[0] == "error"
    assert "bad.otio" in told.args[1]
    assert window.studio.store.document is before


def test_consolidating_writes_a_project_that_opens(desk: Desk, qtbot: QtBot, tmp_path: Path) -> None:
    window, _ = desk
    window.binder.action("file.consolidate").trigger()
    dialog = part(window, ConsolidateDialog, "consolidateDialog")
    field = part(dialog, QLineEdit, "consolidate.path")
    field.clear()
    QTest.mouseClick(dialog.start, LEFT)
    assert "whole path" in dialog.status.text()
    QTest.keyClicks(field, str(tmp_path / "carried"))
    QTest.mouseClick(dialog.start, LEFT)
    qtbot.waitUntil(lambda: "Wrote carried.g2s" in dialog.status.text(), timeout=20000)
    project, document = Project.open(tmp_path / "carried.g2s")
    assert document.sequence is not None
    assert all(Path(i.path).is_file() for i in document.media.values())
    project.close()
    QTest.mouseClick(dialog.start, LEFT)
    assert "there already" in dialog.status.text()
    dialog.close()
