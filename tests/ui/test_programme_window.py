"""The programme view in the real window: its key, its words, its bands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from gen2studio.core.curve import Curve
from gen2studio.ui.main_window import MainWindow
from tests.export.sequences import DOG, clip_of, document_with, item_of, sequence_with


def test_one_key_goes_from_programme_to_clip_and_back(qtbot: QtBot, window: MainWindow, media_root: Path) -> None:
    studio = window.studio
    dog = replace(item_of(media_root / DOG), proxy="never")
    top = replace(clip_of(dog, "clip-top"), opacity=Curve(0.5))
    document = document_with(sequence_with((clip_of(dog, "clip-low"),), (top,)), dog)
    studio.store.replace(document, studio.store.tiles)
    qtbot.waitUntil(lambda: studio.feed.picture.shows == "programme", timeout=15000)
    assert window.canvas.status.text().startswith("Programme")
    window.activateWindow()
    window.canvas.setFocus()
    for shown in ("source", "programme"):
        qtbot.keyClick(window.canvas, Qt.Key.Key_P, Qt.KeyboardModifier.ShiftModifier)
        qtbot.waitUntil(lambda shown=shown: studio.feed.picture.shows == shown, timeout=15000)
        assert window.binder.action("viewer.programme").isChecked() == (shown == "programme")
    words = window.findChild(QLabel, "status.programme")
    assert words is not None
    window.binder.action("render.range").trigger()
    assert words.text().startswith("Rendering")
    qtbot.waitUntil(lambda: not studio.programme.rendering and words.text() == "", timeout=20000)
    qtbot.waitUntil(lambda: window.timeline.ruler._bands == [("rendered", 0, 10)], timeout=15000)
    studio.preferences.set("use_proxies", False)
    assert not window.binder.action("viewer.proxies").isChecked()
