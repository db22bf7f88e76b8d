"""The action table: complete, unambiguous, bound."""

from __future__ import annotations

import re

import pytest
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)

from gen2studio.app.action_table import all_actions, clashes
from gen2studio.app.actions import Action
from gen2studio.ui.main_window import MainWindow


def test_ids_are_stable_names() -> None:
    for row in all_actions():
        assert re.fullmatch(r"[a-z]+\.[a-z0-9_]+", row.id), row.id


def test_no_two_commands_share_a_key() -> None:
    assert clashes(all_actions()) == []


def test_a_clash_would_be_found() -> None:
    first = Action(id="a.one", text="", tip="", key="B", scope="canvas")
    second = Action(id="a.two", text="", tip="", key="B", scope="window")
    third = Action(id="a.three", text="", tip="", key="B", scope="timeline")
    assert clashes((first, second)) == [("B", "a.one", "a.two")]
    assert clashes((first, third)) == []


@pytest.mark.parametrize("row", all_actions(), ids=lambda row: row.id)
def test_every_row_says_what_it_does(row: Action) -> None:
    assert row.text
    assert row.tip.endswith((".", "…")) or len(row.tip) > 10
    assert row.menu.split("/")[0] in ("File", "Edit", "Clip", "Mask", "Generate", "View", "Playback", "Help", "")
    assert row.scope in ("window", "timeline", "canvas", "source", "curves", "drawing", "takes")
    for key in row.shortcuts():
        assert not QKeySequence(key).isEmpty(), key


def test_every_command_does_something(window: MainWindow) -> None:
    assert window.binder.unbound() == []


def test_every_control_has_a_name_for_people_and_for_machines(window: MainWindow) -> None:
    kinds = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit)
    lacking: list[str] = []
    for widget in window.findChildren(QWidget):
        if not isinstance(widget, kinds) or _inner(widget):
            continue
        name = widget.objectName()
        if not name or (not widget.accessibleName() and not (isinstance(widget, QAbstractButton) and widget.text())):
            lacking.append(f"{type(widget).__name__} {name or '?'} in {widget.parent().objectName()}: no name")
        elif not widget.toolTip():
            lacking.append(f"{name}: no tool tip")
    assert lacking == []


def _inner(widget: QWidget) -> bool:
    """Parts that Qt makes by itself inside its own widgets."""
    return widget.objectName().startswith(("qt_", "ScrollLeftButton", "ScrollRightButton")) or (
        not widget.objectName() and type(widget).__module__.startswith("PySide6") and _own_parent(widget)
    )


def _own_parent(widget: QWidget) -> bool:
    parent = widget.parent()
    return isinstance(parent, (QAbstractSpinBox, QComboBox, QLineEdit)) or type(parent).__name__ in (
        "QMenuBar", "QToolBar", "QTabBar", "QDockWidget", "QMainWindow", "MainWindow", "QAbstractScrollArea",
        "QScrollArea", "QListView", "QWidget", "QUndoView", "QPlainTextEdit", "QListWidget",
    )  # fmt: skip
