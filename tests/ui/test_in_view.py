"""Panels behind another tab of their dock do nothing, and are up to date when they come to the front."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget
from pytestqt.qtbot import QtBot

from gen2studio.ui.widgets.in_view import InView


class Counter(QWidget):
    """Counts how often it showed something."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = 0
        self.view = InView(self, self.refresh)

    def refresh(self) -> None:
        self.shown += self.view.now


def test_a_panel_rests_behind_another_tab(qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    docks, panels = [], []
    for name in ("one", "two"):
        dock, panel = QDockWidget(name, window), Counter()
        dock.setWidget(panel)
        window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
        docks.append(dock)
        panels.append(panel)
    window.tabifyDockWidget(*docks)
    docks[0].raise_()
    window.show()
    qtbot.waitUntil(lambda: panels[0].view.now and not panels[1].view.now)
    assert panels[1].isVisible(), "which Qt says of it all the same"
    told: list[bool] = []
    panels[1].view.changed.connect(told.append)
    before = [panel.shown for panel in panels]
    for panel in panels:
        panel.refresh()
    assert [panel.shown for panel in panels] == [before[0] + 1, before[1]]
    docks[1].raise_()
    qtbot.waitUntil(lambda: panels[1].view.now and not panels[0].view.now)
    assert panels[1].shown == before[1] + 1 and told == [True]
    docks[1].hide()
    qtbot.waitUntil(lambda: not panels[1].view.now and panels[0].view.now)


def test_a_panel_without_a_dock_is_seen_while_it_is_shown(qtbot: QtBot) -> None:
    panel = Counter()
    qtbot.addWidget(panel)
    assert not panel.view.now
    panel.show()
    assert panel.view.now
