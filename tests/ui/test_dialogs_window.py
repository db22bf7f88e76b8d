"""Dialogs, the command palette, and what happens around a project: opening, saving, closing, coming back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QDialog,
    QDoubleSpinBox,
    QMessageBox,
    QSpinBox,
    QTreeWidget,
    QWidget,
)
from pytestqt.qtbot import QtBot

from gen2studio.app.preferences import Preferences
from gen2studio.app.recovery import Candidate
from gen2studio.app.session import Compare
from gen2studio.core.geometry import Extent
from gen2studio.engine.requests import GenerateRequest, request_digest, request_recipe
from gen2studio.engine.take_store import TakeStore
from gen2studio.ui.dialogs.export_dialog import ExportDialog
from gen2studio.ui.dialogs.recovery_dialog import RecoveryDialog
from gen2studio.ui.main_window import MainWindow
from tests.fakes.fake_engine import ramp_reader
from tests.fakes.fake_studio import fake_studio
from tests.ui.desk import LEFT, Desk, open_desk, part


@pytest.fixture
def desk(qtbot: QtBot, media_root: Path) -> Iterator[Desk]:
    """A window with one clip on the timeline."""
    with open_desk(qtbot, media_root) as opened:
        yield opened


def answer(text: str) -> list[str]:
    """Press the button of that text in the next message box; the list holds what the box asked."""
    asked: list[str] = []

    def press() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        asked.append(box.text())
        button = next(b for b in box.findChildren(QAbstractButton) if b.text().replace("&", "") == text)
        QTest.mouseClick(button, LEFT)

    QTimer.singleShot(0, press)
    return asked


def opened(window: QWidget, kind: type[QDialog] | str, open_it: Callable[[], object]) -> QDialog:
    open_it()
    found = window.findChild(QDialog, kind) if isinstance(kind, str) else window.findChild(kind)
    assert found is not None
    assert found.isVisible()
    return found


def test_the_palette_finds_runs_and_closes_by_keyboard(desk: Desk) -> None:
    window, _ = desk
    palette = window.palette_dialog
    QTest.keyClick(window, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert palette.isVisible()
    assert palette.list.count() == len(window.binder.rows)
    QTest.keyClicks(palette.search, "side by")
    assert "Side by side" in palette.list.currentItem().text()
    QTest.keyClick(palette.search, Qt.Key.Key_Return)
    assert not palette.isVisible()
    assert window.studio.session.compare is Compare.SIDE_BY_SIDE
    window.binder.action("view.palette").trigger()
    assert palette.search.text() == ""
    QTest.keyClick(palette.search, Qt.Key.Key_Down)
    assert palette.list.currentRow() == 1
    QTest.keyClick(palette.search, Qt.Key.Key_Escape)
    assert not palette.isVisible()
    # A command that can't run now does nothing.
    window.binder.action("view.palette").trigger()
    QTest.keyClicks(palette.search, "revert to saved")
    QTest.keyClick(palette.search, Qt.Key.Key_Return)
    assert not palette.isVisible()


def test_preferences_are_changed_at_once_and_shortcuts_are_searched(desk: Desk) -> None:
    window, _ = desk
    preferences = window.studio.preferences
    dialog = opened(window, "preferencesDialog", window.binder.action("file.preferences").trigger)
    part(dialog, QCheckBox, "preference.live_preview").toggle()
    assert preferences.get("live_preview") is True
    assert window.binder.action("generate.live_preview").isChecked()
    size = part(dialog, QSpinBox, "preference.preview_max_side")
    size.setValue(256)
    assert preferences.get("preview_max_side") == 256
    still = part(dialog, QDoubleSpinBox, "preference.still_seconds")
    still.setValue(1.5)
    assert window.studio.importer.still_seconds == window.studio.editing.still_seconds == 1.5
    dialog.accept()
    shortcuts = opened(window, "shortcutsDialog", window.binder.action("view.shortcuts").trigger)
    tree = part(shortcuts, QTreeWidget, "shortcuts.list")
    assert tree.topLevelItemCount() == len(window.binder.rows)
    QTest.keyClicks(part(shortcuts, QWidget, "shortcuts.search"), "ctrl+return")
    shown = [tree.topLevelItem(i) for i in range(tree.topLevelItemCount())]
    found = [(item.text(0), item.text(2)) for item in shown if item is not None and not item.isHidden()]
    assert found == [("Generate", "everywhere"), ("New panel", "drawing window")]
    shortcuts.reject()
    opened(window, "aboutDialog", window.binder.action("help.about").trigger).reject()


def test_export_asks_before_replacing_and_leaves_nothing_when_cancelled(
    desk: Desk, qtbot: QtBot, tmp_path: Path
) -> None:
    window, _ = desk
    export = window.binder.action("file.export").trigger
    dialog = opened(window, ExportDialog, export)
    assert isinstance(dialog, ExportDialog)
    export()
    assert len(window.findChildren(ExportDialog)) == 1
    dialog.preset.setCurrentIndex(dialog.preset.findData("h264"))
    assert not dialog.marked.isEnabled()

    media = Path(next(iter(window.studio.store.document.media.values())).path)
    dialog.path.setText(str(media))
    QTest.mouseClick(dialog.start, LEFT)
    assert not dialog.running
    assert "not overwritten" in dialog.status.text()
    dialog.path.setText("")
    QTest.mouseClick(dialog.start, LEFT)
    assert dialog.status.text() == "Give the file a name first."
    (tmp_path / "plain").write_text("")
    dialog.path.setText(str(tmp_path / "plain" / "film"))
    QTest.mouseClick(dialog.start, LEFT)
    qtbot.waitUntil(lambda: not dialog.running and dialog.status.property("role") == "error", timeout=20000)

    film = tmp_path / "film.mp4"
    film.write_bytes(b"mine")
    dialog.path.setText(str(film))
    QTest.mouseClick(dialog.start, LEFT)
    assert not dialog.running
    assert dialog.start.text() == "Replace"
    dialog.path.setText(str(tmp_path / "other"))
    assert dialog.start.text() == "Export"
    dialog.path.setText(str(film))
    QTest.mouseClick(dialog.start, LEFT)
    QTest.mouseClick(dialog.start, LEFT)
    assert dialog.running
    assert not dialog.path.isEnabled()
    dialog.reject()
    assert dialog.isVisible()
    # Closing the window asks first.
    asked = answer("Cancel")
    assert not window.close()
    assert asked == ["An export is still running."]
    dialog.stop()
    assert dialog.status.text() == "Cancelled; nothing was written."
    assert film.read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []
    dialog.reject()


def test_settings_come_back_out_of_an_exported_film(desk: Desk, qtbot: QtBot, tmp_path: Path) -> None:
    window, host = desk
    studio = window.studio
    studio.generation.change("Choose look", preset="wet", structure=5.5)
    studio.session.set_playhead(2)
    window.binder.action("timeline.trim_tail").trigger()
    studio.session.set_playhead(0)
    studio.generation.run()
    job = host.fake.begin()
    host.fake.advance(1)

    request = job.request
    assert isinstance(request, GenerateRequest)
    store = TakeStore(studio.project.takes_dir)
    store.begin(job.take_id, request_digest(request), request_recipe(request))
    for frame in (0, 1):
        picture = ramp_reader(request.source, frame, Extent(request.width, request.height))
        store.write(job.take_id, frame, picture)
    host.fake.finish()
    studio.generation.apply_take(job.take_id)
    dialog = opened(window, ExportDialog, window.binder.action("file.export").trigger)
    assert isinstance(dialog, ExportDialog)
    dialog.preset.setCurrentIndex(dialog.preset.findData("h264"))
    dialog.path.setText(str(tmp_path / "film"))
    with qtbot.waitSignal(dialog.exported, timeout=30000):
        QTest.mouseClick(dialog.start, LEFT)
    dialog.reject()
    studio.generation.change("Choose look", preset="oil", structure=0.0)
    studio.reuse_file(tmp_path / "film.mp4")
    assert studio.generation.look.preset == "wet"
    assert studio.generation.look.controls.structure == 5.5


def test_closing_asks_for_unsaved_work(desk: Desk) -> None:
    window, _ = desk
    assert window.isWindowModified()
    asked = answer("Cancel")
    assert not window.close()
    assert window.isVisible()
    assert asked == ["Save the changes to “Untitled”?"]
    answer("Don't Save" if "Don't Save" in _texts() else "Discard")
    assert window.close()
    assert not window.isVisible()


def _texts() -> set[str]:
    """What this platform calls the standard buttons."""
    box = QMessageBox()
    box.setStandardButtons(QMessageBox.StandardButton.Discard)
    texts = {button.text().replace("&", "") for button in box.buttons()}
    box.deleteLater()
    return texts


def test_revert_asks_and_drops_what_was_not_saved(desk: Desk, tmp_path: Path) -> None:
    window, _ = desk
    studio, revert = window.studio, window.binder.action("file.revert")
    assert not revert.isEnabled()
    assert studio.save_as(tmp_path / "film.g2s")
    assert not window.isWindowModified()
    studio.generation.change("Choose look", preset="wet")
    assert revert.isEnabled()
    answer("Cancel")
    revert.trigger()
    assert studio.generation.look.preset == "wet"
    answer("Revert")
    revert.trigger()
    assert studio.generation.look.preset == ""
    assert not revert.isEnabled()
    assert window.close()


def test_the_layout_comes_back(qtbot: QtBot, isolated_home: Path) -> None:
    with open_desk(qtbot, None) as (window, _):
        window.raise_dock("masks")
        part(window, QWidget, "dock.history").hide()
        assert window.close()
    stored = json.loads(next(isolated_home.rglob("preferences.json")).read_text())
    assert stored["window_state"]
    studio, _ = fake_studio()
    again = MainWindow(studio)
    again.show()
    qtbot.waitExposed(again)
    assert not part(again, QWidget, "dock.history").isVisible()
    again.binder.action("view.reset_layout").trigger()
    assert not part(again, QWidget, "dock.history").isHidden()
    assert again.close()
    again.deleteLater()
    studio.deleteLater()
    assert Preferences().get("window_state") != stored["window_state"]


def test_the_recovery_dialog_brings_back_or_forgets(qtbot: QtBot, tmp_path: Path) -> None:
    parent = QWidget()
    found = tuple(
        Candidate(journal=tmp_path / f"{n}.journal", folder=tmp_path, path=None, packed=False, name=f"Film {n}",
                  when=1.7e9, changes=n)
        for n in (1, 2, 3)
    )  # fmt: skip
    dialog = RecoveryDialog(found, parent)
    dialog.show()
    assert "1 change" in dialog.list.item(0).text()
    assert "3 changes" in dialog.list.item(2).text()
    QTest.mouseClick(part(dialog, QAbstractButton, "recovery.drop"), LEFT)
    assert dialog.dropped == [found[0]]
    dialog.list.setCurrentRow(1)
    QTest.mouseClick(part(dialog, QAbstractButton, "recovery.recover"), LEFT)
    assert dialog.chosen == found[2]
    assert not dialog.isVisible()
    parent.deleteLater()
