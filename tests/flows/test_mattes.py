"""Mattes by hand in the real window: drop a sequence on the mask panel, import, export, import that again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QDialog, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from gen2studio.ui.dialogs.matte_export_dialog import MatteExportDialog
from gen2studio.ui.dialogs.matte_import_dialog import MatteImportDialog
from gen2studio.ui.main_window import MainWindow

LEFT = Qt.MouseButton.LeftButton
FRAMES = 6


def drop(target: QWidget, path: Path) -> None:
    """Drop a file from the desktop on a widget."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    none = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(20, 20), Qt.DropAction.CopyAction, data, LEFT, none)
    QApplication.sendEvent(target, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(target, QDropEvent(QPointF(20, 20), Qt.DropAction.CopyAction, data, LEFT, none))


def click(dialog: QDialog, name: str) -> None:
    button = dialog.findChild(QPushButton, name)
    assert button is not None and button.isEnabled(), name
    QTest.mouseClick(button, LEFT)


def choose(dialog: QDialog, name: str, data: object) -> None:
    """Pick an entry of a combo box with the keyboard."""
    combo = dialog.findChild(QComboBox, name)
    assert combo is not None and combo.isEnabled(), name
    QTest.keyClick(combo, Qt.Key.Key_Home)
    for _ in range(combo.count()):
        if combo.currentData() == data:
            return
        QTest.keyClick(combo, Qt.Key.Key_Down)
    raise AssertionError(f"{name} has no {data!r}")


@pytest.fixture
def walk(window: MainWindow, qtbot: QtBot, media_root: Path) -> Path:
    """The grey walk on the timeline and in the viewer; returns a folder with some of its true mattes."""
    studio = window.studio
    studio.importer.import_and_place([media_root / "davis" / "grey3d_walk" / "grey3d_walk.mp4"])
    qtbot.waitUntil(lambda: studio.feed.picture.shows == "source", timeout=15000)
    qtbot.waitUntil(lambda: bool(studio.masks.media_id), timeout=5000)
    return media_root / "davis" / "grey3d_walk" / "masks"


def opened_import(window: MainWindow, qtbot: QtBot, path: Path) -> MatteImportDialog:
    drop(window.masks, path)
    dialog = window.findChild(MatteImportDialog)
    assert dialog is not None and dialog.isVisible()
    qtbot.waitUntil(lambda: not dialog.picture.pixmap().isNull() or bool(dialog.status.text()), timeout=15000)
    return dialog


def mattes(window: MainWindow, name: str) -> dict[int, np.ndarray]:
    studio = window.studio
    (owner,) = (o for o in studio.store.document.masks.values() if o.name == name)
    return {f: studio.store.tiles.unpack(frame.raster) for f, frame in owner.frames.items()}


def finished(window: MainWindow, qtbot: QtBot) -> None:
    """The import dialog is done, and gone."""
    qtbot.waitUntil(lambda: window.findChild(MatteImportDialog) is None, timeout=20000)


def test_drop_import_export_and_import_again(window: MainWindow, qtbot: QtBot, walk: Path, tmp_path: Path) -> None:
    studio = window.studio
    window.raise_dock("masks")
    sequence = tmp_path / "walker"
    sequence.mkdir()
    for number in range(20, 20 + FRAMES):
        read = cv2.imread(str(walk / f"{number:05d}.png"), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(sequence / f"walker_{number:04d}.png"), cv2.GaussianBlur(read, (0, 0), 1.5))
    truth = {n: cv2.imread(str(sequence / f"walker_{n:04d}.png"), cv2.IMREAD_GRAYSCALE) for n in range(20, 20 + FRAMES)}

    # One image of the sequence is dropped: all of it is offered, at the frames its numbers name.
    dialog = opened_import(window, qtbot, sequence / "walker_0022.png")
    assert "6 PNG images" in dialog.facts.text() and dialog.first.value() == 20
    assert "Frames 20 to 25" in dialog.notes.text() and "54 stay as they are" in dialog.notes.text()
    name = dialog.findChild(QLineEdit, "matte_import.name")
    assert name is not None and name.text() == "walker"
    click(dialog, "matte_import.start")
    finished(window, qtbot)
    found = mattes(window, "walker")
    assert sorted(found) == sorted(truth) and all(np.array_equal(found[n], truth[n]) for n in truth)
    assert studio.store.undo_stack.undoText() == "Import 6 mattes of walker"
    owner = studio.masks.current()
    assert owner is not None and owner.name == "walker" and owner.anchors == tuple(truth)

    # Out as ProRes 4444 and as EXR by the Mask menu's dialog, and in again: the same to the bit.
    window.binder.action("mask.export").trigger()
    export = window.findChild(MatteExportDialog)
    assert export is not None and export.isVisible()
    for kind in ("prores4444", "exr"):
        choose(export, "matte_export.format", kind)
        target = export.findChild(QLineEdit, "matte_export.path")
        assert target is not None
        target.setText("")
        QTest.keyClicks(target, str(tmp_path / f"out {kind}"))
        click(export, "matte_export.start")
        qtbot.waitUntil(
            lambda: "ready" in export.status.text() or export.status.property("role") == "error", timeout=20000
        )
        assert "6 frames" in export.status.text(), export.status.text()
    # A second export to the same place asks first.
    click(export, "matte_export.start")
    assert "there already" in export.status.text() and export.start.text() == "Replace"
    click(export, "matte_export.close")
    for path, at in ((tmp_path / "out prores4444.mov", 20), (tmp_path / "out exr", None)):
        before = set(studio.store.document.masks)
        dialog = opened_import(window, qtbot, path)
        if at is not None:
            dialog.first.setValue(at)
        click(dialog, "matte_import.start")
        finished(window, qtbot)
        (made,) = set(studio.store.document.masks) - before
        again = {
            f: studio.store.tiles.unpack(frame.raster) for f, frame in studio.store.document.masks[made].frames.items()
        }
        assert sorted(again) == sorted(truth)
        assert all(np.array_equal(again[n], truth[n]) for n in truth), path

    # Each import is one step.
    for _ in range(3):
        window.binder.action("edit.undo").trigger()
    assert not studio.store.document.masks


def test_a_broken_matte_file_changes_nothing(window: MainWindow, qtbot: QtBot, walk: Path, media_root: Path) -> None:
    before = window.studio.store.document
    dialog = opened_import(window, qtbot, media_root / "broken" / "image_truncated_image.png")
    assert "damaged or cut short" in dialog.status.text()
    assert not dialog.start.isEnabled()
    click(dialog, "matte_import.close")
    assert window.studio.store.document is before


def test_another_shape_waits_for_a_choice(window: MainWindow, qtbot: QtBot, walk: Path, tmp_path: Path) -> None:
    from gen2studio.media.matte_kinds import MatteFit

    square = np.zeros((100, 100), np.uint8)
    square[25:75, 25:75] = 255
    cv2.imwrite(str(tmp_path / "square.png"), square)
    dialog = opened_import(window, qtbot, tmp_path / "square.png")
    qtbot.waitUntil(lambda: "shapes differ" in dialog.status.text(), timeout=5000)
    assert not dialog.start.isEnabled()
    choose(dialog, "matte_import.fit", MatteFit.FIT)
    assert dialog.start.isEnabled() and "fitted into 640×360" in dialog.notes.text()
    click(dialog, "matte_import.start")
    finished(window, qtbot)
    (matte,) = mattes(window, "square").values()
    assert matte[180, 320] == 255 and matte[180, 20] == 0


def test_cancel_during_an_export_leaves_no_file(window: MainWindow, qtbot: QtBot, walk: Path, tmp_path: Path) -> None:
    dialog = opened_import(window, qtbot, walk)
    click(dialog, "matte_import.start")
    finished(window, qtbot)
    window.binder.action("mask.export").trigger()
    export = window.findChild(MatteExportDialog)
    assert export is not None
    choose(export, "matte_export.format", "prores4444")
    target = export.findChild(QLineEdit, "matte_export.path")
    assert target is not None
    target.setText(str(tmp_path / "half"))
    click(export, "matte_export.start")
    assert export.start.text() == "Cancel export" and export.running
    click(export, "matte_export.start")
    qtbot.waitUntil(lambda: not export.running, timeout=20000)
    assert "Cancelled; nothing was written." in export.status.text()
    assert list(tmp_path.iterdir()) == []
    click(export, "matte_export.close")
