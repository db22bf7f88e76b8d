"""The main job through the real window: open, paint a mask, propagate, preview, run, compare, apply, export."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from gen2studio.app.session import Compare
from gen2studio.engine.take_store import read_png
from gen2studio.media.decoder import open_decoder
from gen2studio.media.metadata import read_recipe
from gen2studio.ui.dialogs.export_dialog import ExportDialog
from gen2studio.ui.main_window import MainWindow

FRAMES = 6
LEFT = Qt.MouseButton.LeftButton


def drop(window: MainWindow, paths: list[Path]) -> None:
    """Drop files from the desktop on the media pool."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(p)) for p in paths])
    none = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(40, 120), Qt.DropAction.CopyAction, data, LEFT, none)
    QApplication.sendEvent(window.pool, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window.pool, QDropEvent(QPointF(40, 120), Qt.DropAction.CopyAction, data, LEFT, none))


def click(window: MainWindow, name: str) -> None:
    button = window.findChild(QPushButton, name) or window.findChild(QToolButton, name)
    assert button is not None, name
    assert button.isEnabled(), name
    QTest.mouseClick(button, LEFT)


def stroke(window: MainWindow, points: list[tuple[float, float]]) -> None:
    """A mouse stroke over media pixels on the canvas."""
    canvas = window.canvas
    places = [canvas.transform.to_view(x, y).toPoint() for x, y in points]
    QTest.mousePress(canvas, LEFT, Qt.KeyboardModifier.NoModifier, places[0])
    for a, b in pairwise(places):
        for step in range(1, 9):
            QTest.mouseMove(canvas, QPoint(a.x() + (b.x() - a.x()) * step // 8, a.y() + (b.y() - a.y()) * step // 8))
    QTest.mouseRelease(canvas, LEFT, Qt.KeyboardModifier.NoModifier, places[-1])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_main_job_on_the_retriever(window: MainWindow, qtbot: QtBot, media_root: Path, tmp_path: Path) -> None:
    studio, session = window.studio, window.studio.session
    source = media_root / "clips" / "golden_retriever_512_3.2s.mp4"

    # An artist drops a clip on the pool: it lands on the timeline and in the viewer.
    drop(window, [source])
    qtbot.waitUntil(lambda: session.sequence is not None and session.sequence.duration > 0, timeout=15000)
    qtbot.waitUntil(lambda: studio.feed.picture.shows == "source", timeout=15000)
    assert session.sequence is not None
    assert session.sequence.duration == 32

    # Shortened to a few frames, so that the whole job takes seconds.
    session.set_playhead(FRAMES)
    window.binder.action("timeline.trim_tail").trigger()
    session.set_playhead(0)
    assert session.sequence.duration == FRAMES
    qtbot.waitUntil(
        lambda: studio.feed.picture.media_frame == 0 and studio.feed.picture.shows == "source", timeout=15000
    )

    # A mask painted by hand, then carried through the clip.
    session.set_tool("brush")
    studio.masks.step_size(2)
    stroke(window, [(90, 130), (200, 150), (260, 160), (320, 210), (330, 260)])
    stroke(window, [(100, 170), (180, 190), (250, 230)])
    media_id = studio.feed.picture.media_id
    objects = studio.store.document.masks_of(media_id)
    assert len(objects) == 1
    assert objects[0].anchors == (0,)
    painted = studio.store.tiles.unpack(objects[0].frames[0].raster)
    assert painted[150, 200] == 255
    assert painted[480, 480] == 0
    window.binder.action("edit.undo").trigger()
    assert studio.store.tiles.unpack(studio.store.document.masks_of(media_id)[0].frames[0].raster).sum() < painted.sum()
    window.binder.action("edit.redo").trigger()
    assert np.array_equal(
        studio.store.tiles.unpack(studio.store.document.masks_of(media_id)[0].frames[0].raster), painted
    )
    window.binder.action("mask.propagate_forward").trigger()
    qtbot.waitUntil(lambda: len(studio.store.document.masks_of(media_id)[0].frames) >= FRAMES, timeout=60000)
    carried = studio.store.document.masks_of(media_id)[0]
    assert not carried.frames[3].anchor
    assert 0 < carried.frames[3].confidence <= 1

    # A look on the subject only; four stills first.
    click(window, "preset.watercolour")
    click(window, "region.foreground")
    assert session.sequence.video_tracks[0].clips[0].look is not None
    click(window, "generate.stillsButton")
    qtbot.waitUntil(lambda: all(s.picture is not None for s in studio.generation.stills), timeout=90000)
    assert len(studio.generation.stills) == 4

    # The run: a take appears and fills.
    click(window, "generate.runButton")
    clip = session.sequence.video_tracks[0].clips[0]

    def take_complete() -> bool:
        now = session.find_clip(clip.id)
        return bool(now and now.takes) and studio.store.document.takes[now.takes[-1]].complete

    qtbot.waitUntil(take_complete, timeout=180000)
    now = session.find_clip(clip.id)
    assert now is not None
    take = studio.store.document.takes[now.takes[-1]]
    assert window.takes.chosen == take.id

    # Compare, then apply: one undo step.
    window.binder.action("compare.wipe").trigger()
    assert session.compare is Compare.WIPE
    qtbot.waitUntil(lambda: studio.feed.picture.reference is not None, timeout=15000)
    window.binder.action("compare.wipe").trigger()
    assert session.compare is Compare.OFF
    window.binder.action("take.apply").trigger()
    qtbot.waitUntil(lambda: studio.feed.picture.shows == "take", timeout=15000)

    # Outside the mask every pixel of the take is the source's own.
    decoder = open_decoder(source)
    try:
        truth = decoder.rgb(3)
    finally:
        decoder.close()
    made = read_png(studio.take_folder(take.id) / "frame_000003.png")
    matte = studio.store.tiles.unpack(carried.frames[3].raster)
    assert np.array_equal(made[matte == 0], truth[matte == 0])
    assert np.abs(made[matte == 255].astype(int) - truth[matte == 255]).mean() > 4

    # Export through the dialog, and open what was written.
    film = tmp_path / "film.mp4"
    window.binder.action("file.export").trigger()
    dialog = window.findChild(ExportDialog)
    assert dialog is not None
    preset = dialog.findChild(QComboBox, "export.preset")
    assert preset is not None
    preset.setCurrentIndex(preset.findData("h264"))
    dialog.path.setText(str(film))
    with qtbot.waitSignal(dialog.exported, timeout=60000):
        QTest.mouseClick(dialog.start, LEFT)
    qtbot.waitUntil(lambda: not dialog.running, timeout=15000)
    dialog.reject()
    written = open_decoder(film)
    try:
        frame = written.rgb(3)
    finally:
        written.close()
    assert frame.shape == truth.shape
    assert np.abs(frame.astype(int) - made).mean() < 6
    record = read_recipe(film)
    assert record is not None
    assert record.takes[0].take_id == take.id
    assert film.with_name(film.name + ".json").exists() or film.with_suffix(".json").exists()
