"""The table of looks by object in the real window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gen2studio.document import masks as edits
from gen2studio.document.look import Mode
from gen2studio.ui.main_window import MainWindow

DOG = "mask-00000000000a"


def test_rows_get_looks_and_one_run_is_planned(window: MainWindow, qtbot, media_root: Path) -> None:
    studio = window.studio
    studio.import_files([media_root / "clips" / "golden_retriever_512_3.2s.mp4"])
    qtbot.waitUntil(lambda: studio.feed.picture.shows == "source", timeout=20_000)
    table = window.masks.looks
    assert not table.choices and not table.run_button.isEnabled()
    media_id = studio.feed.picture.media_id
    matte = np.zeros((512, 512), np.uint8)
    matte[100:300, 100:300] = 255
    document = edits.add_object(studio.store.document, media_id, "Dog", object_id=DOG)
    document = edits.set_frame(document, DOG, 0, studio.store.tiles.pack(matte))
    studio.store.apply("Paint", document)
    assert set(table.choices) == {DOG, ""} and table.choices[DOG].text() == "As filmed"

    def menu(object_id: str, words: str, preset: str = "") -> None:
        row = next(r for r in studio.look_parts.rows() if r.object_id == object_id)
        made = table.menu_of(row)
        action = next(a for a in made.actions() if a.text() == words)
        if preset:
            action = next(a for a in action.menu().actions() if a.text() == preset)  # type: ignore[union-attr]
        action.trigger()
        made.close()

    menu(DOG, "Preset", "Film noir")
    studio.generation.change("Look", preset="ink", mode=Mode.STYLIZE)
    menu("", "Give it the look of the Generate panel")
    studio.look_parts.set_prompt(DOG, "a red dog")
    assert table.choices[DOG].toolTip().startswith("Dog: Film noir · “a red dog”")
    assert studio.look_parts.active and table.run_button.isEnabled()
    clip = studio.generation.target
    assert clip is not None
    request = studio.generation.plan(clip, studio.generation.look)
    assert [(part.region, part.preset) for part in request.parts] == [("background", "ink"), ("foreground", "noir")]
    assert all(part.generator for part in request.parts)
    QTest.mouseClick(table.checks[DOG], Qt.MouseButton.LeftButton)
    assert [p.region for p in studio.generation.plan(clip, studio.generation.look).parts] == ["background"]
    menu(DOG, "Open in the Generate panel")
    assert studio.generation.look.preset == "noir" and len(studio.generation.look.parts) == 2
    menu("", "As filmed")
    assert table.choices[""].text() == "As filmed" and not table.run_button.isEnabled()
    while studio.store.undo_stack.canUndo():
        studio.store.undo_stack.undo()
    assert not studio.generation.look.parts
