"""A matte finished by hand in the real window: scribbles, propagation, a correction, refine, files, and all undone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from gen2studio.app.mattes import MatteSource
from gen2studio.app.session import MaskView
from gen2studio.document import codec
from gen2studio.raster.tiles import Mask
from gen2studio.ui.dialogs.matte_export_dialog import MatteExportDialog
from gen2studio.ui.main_window import MainWindow
from tests.flows.test_main_job import stroke
from tests.flows.test_mattes import choose, click, finished, opened_import

FRAMES = 5
INSIDE = [(150, 90), (180, 160), (210, 250)]


def effective(window: MainWindow, object_id: str) -> list[Mask]:
    """The mattes an export has: painted, with shapes and refinement."""
    source = MatteSource(window.studio.store.document, window.studio.store.tiles)
    try:
        return [source.matte(object_id, frame).copy() for frame in range(FRAMES)]
    finally:
        source.close()


def saved(window: MainWindow) -> str:
    return codec.dumps(window.studio.store.document, Path("/nowhere.g2s"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_shot_is_finished_and_undone(window: MainWindow, qtbot: QtBot, media_root: Path, tmp_path: Path) -> None:
    studio, session = window.studio, window.studio.session
    masks = studio.masks
    studio.importer.import_and_place([media_root / "clips" / "golden_retriever_512_3.2s.mp4"])
    qtbot.waitUntil(lambda: studio.feed.picture.shows == "source" and bool(masks.media_id), timeout=15000)
    session.set_playhead(FRAMES)
    window.binder.action("timeline.trim_tail").trigger()

    def go(frame: int) -> None:
        session.set_playhead(frame)
        qtbot.waitUntil(lambda: bool(masks.media_id) and masks.frame == frame, timeout=15000)

    def settled() -> None:
        qtbot.waitUntil(lambda: masks.jobs.job is None, timeout=120000)

    go(0)
    window.activateWindow()
    window.raise_dock("masks")
    before, steps = saved(window), studio.store.undo_stack.index()

    # Scribbles in and out: the answer says which engine gave it.
    said: list[str] = []
    session.message.connect(lambda _severity, text: said.append(text))
    for tool, points in (("include", INSIDE), ("exclude", [(420, 60), (480, 260)])):
        session.set_tool(tool)
        stroke(window, [(float(x), float(y)) for x, y in points])
        qtbot.waitUntil(lambda: bool(said) or masks.jobs.job is not None, timeout=5000)
        settled()
    qtbot.waitUntil(lambda: any("Graph cut" in text for text in said), timeout=5000)
    owner = masks.current()
    assert owner is not None and owner.anchors == (0,)
    selected = effective(window, owner.id)[0]
    assert selected[160, 180] == 255 and selected[200, 460] == 0

    # Carried, corrected in the middle, carried again: the correction stays as drawn.
    window.binder.action("mask.propagate_forward").trigger()
    settled()
    go(FRAMES // 2)
    session.set_tool("brush")
    stroke(window, [(150.0, 150.0), (190.0, 190.0)])
    owner = masks.current()
    assert owner is not None and owner.anchors == (0, FRAMES // 2)
    drawn = owner.frames[FRAMES // 2].raster
    window.binder.action("mask.propagate_both").trigger()
    settled()
    owner = masks.current()
    assert owner is not None and set(owner.frames) >= set(range(FRAMES))
    assert owner.frames[FRAMES // 2].raster == drawn and not owner.frames[1].anchor

    # Refined in the panel: the mattes change, what was painted does not.
    plain, painted = effective(window, owner.id), owner.frames
    for name, keys in (("edge", 6), ("feather", 1)):
        slider = window.masks.refine.sliders[name].slider
        slider.setFocus()
        qtbot.waitUntil(slider.hasFocus, timeout=5000)
        for _ in range(keys):
            QTest.keyClick(slider, Qt.Key.Key_Right)
    owner = masks.current()
    assert owner is not None and owner.frames == painted and owner.refinement.changes_matte
    refined = effective(window, owner.id)
    assert all(np.count_nonzero(a != b) > 200 for a, b in zip(plain, refined, strict=True))

    # Every view by its key's action.
    for view in MaskView:
        window.binder.action(f"maskview.{view.value}").trigger()
        assert session.mask_view is view
        window.canvas.grab()

    # Out as ProRes 4444 and EXR, in again: the same to the bit.
    window.binder.action("mask.export").trigger()
    export = window.findChild(MatteExportDialog)
    assert export is not None
    made = [tmp_path / "dog.mov", tmp_path / "dog_exr"]
    for kind, path in zip(("prores4444", "exr"), made, strict=True):
        choose(export, "matte_export.format", kind)
        target = export.findChild(QLineEdit, "matte_export.path")
        assert target is not None
        target.setText(str(path))
        click(export, "matte_export.start")
        qtbot.waitUntil(
            lambda: "ready" in export.status.text() or export.status.property("role") == "error", timeout=60000
        )
        assert f"{FRAMES} frames" in export.status.text(), export.status.text()
    click(export, "matte_export.close")
    for path in made:
        known = set(studio.store.document.masks)
        dialog = opened_import(window, qtbot, path)
        click(dialog, "matte_import.start")
        finished(window, qtbot)
        (again,) = set(studio.store.document.masks) - known
        found = effective(window, again)
        assert all(np.array_equal(a, b) for a, b in zip(found, refined, strict=True)), path

    # Undone to where it began, to the byte; and done again.
    done = saved(window)
    while studio.store.undo_stack.index() > steps:
        window.binder.action("edit.undo").trigger()
    assert saved(window) == before
    while studio.store.undo_stack.canRedo():
        window.binder.action("edit.redo").trigger()
    assert saved(window) == done
