"""The dialog that asks which attributes to paste, worked by keys and clicks."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QPushButton
from pytestqt.qtbot import QtBot

from gen2studio.document.edits_attributes import Attribute
from gen2studio.ui.dialogs.timeline_edit_dialogs import PasteAttributesDialog


def test_what_the_clip_has_is_ticked_and_what_is_ticked_is_pasted(qtbot: QtBot) -> None:
    dialog = PasteAttributesDialog(frozenset({Attribute.OPACITY, Attribute.FADES}))
    qtbot.addWidget(dialog)
    dialog.open()
    assert dialog.chosen == {Attribute.OPACITY, Attribute.FADES}
    paste = dialog.findChild(QPushButton, "pasteAttributes.paste")
    for attribute in (Attribute.OPACITY, Attribute.FADES):
        box = dialog.findChild(QCheckBox, f"pasteAttributes.{attribute.value}")
        qtbot.keyClick(box, Qt.Key.Key_Space)
    assert dialog.chosen == frozenset() and not paste.isEnabled()
    qtbot.keyClick(dialog.findChild(QCheckBox, "pasteAttributes.speed"), Qt.Key.Key_Space)
    assert paste.isEnabled()
    with qtbot.waitSignal(dialog.accepted):
        qtbot.mouseClick(paste, Qt.MouseButton.LeftButton)
    assert dialog.chosen == {Attribute.SPEED}
