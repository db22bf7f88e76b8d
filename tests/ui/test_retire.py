"""A row that is rebuilt: its name finds the new one at once, and the old one survives its own click."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from gen2studio.ui.widgets.retire import retire_all


class Rows(QWidget):
    """One row with a button that rebuilds all rows."""

    def __init__(self) -> None:
        super().__init__()
        self.column = QVBoxLayout(self)
        self.made: list[QPushButton] = []
        self.after: list[str] = []
        self.build()

    def build(self) -> None:
        retire_all(self.column)
        row = QWidget(self)
        row.setObjectName("row")
        button = QPushButton("Rebuild", row)
        button.setObjectName("row.button")
        button.clicked.connect(self.build)
        button.clicked.connect(lambda: self.after.append(button.text()))
        self.column.addWidget(row)
        self.made.append(button)


def test_a_rebuilt_row_is_found_by_its_name_at_once(qtbot: QtBot) -> None:
    rows = Rows()
    qtbot.addWidget(rows)
    rows.show()
    qtbot.waitExposed(rows)
    QTest.mouseClick(rows.made[0], Qt.MouseButton.LeftButton)
    first, second = rows.made
    assert rows.findChild(QPushButton, "row.button") is second
    assert len(rows.findChildren(QWidget, "row")) == 1
    assert not first.isVisible() and second.text() == "Rebuild"
    # The click ended with its own button alive.
    assert rows.after == ["Rebuild"]
    qtbot.waitUntil(lambda: not isValid(first))
    assert isValid(second) and rows.findChild(QPushButton, "row.button") is second
