"""Gives a control what people, screen readers and key maps need: a stable name, a spoken name, a tool tip."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QLabel, QSpinBox, QToolButton, QWidget

from gen2studio.ui import theme
from gen2studio.ui.widgets.wheel_guard import WheelGuard

W = TypeVar("W", bound=QWidget)


def named(widget: W, name: str, title: str, tip: str = "") -> W:
    """Set object name, accessible name and tool tip (the title when there is none) and hand the widget back."""
    widget.setObjectName(name)
    widget.setAccessibleName(title)
    widget.setToolTip(tip or title)
    if isinstance(widget, QDoubleSpinBox | QSpinBox):
        # The style sheet's padding does not reach the text of a spin box.
        widget.lineEdit().setTextMargins(5, 0, 0, 0)
    return widget


def text_button(
    name: str, title: str, icon: str, tip: str, clicked: Callable[[], object], parent: QWidget, *, text: bool = True
) -> QToolButton:
    """A quiet button with an icon, and its title beside it when ``text``."""
    button = named(QToolButton(parent), name, title, tip)
    button.setIcon(theme.icon(icon))
    button.setIconSize(theme.icon_size(16))
    if text:
        # Qt leaves hardly any room between an icon and its words.
        button.setText(f" {title}")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.clicked.connect(lambda _checked=False: clicked())
    return button


def action_button(action: QAction, parent: QWidget | None = None, prefix: str = "button") -> QToolButton:
    """A button that is an action of the table."""
    button = QToolButton() if parent is None else QToolButton(parent)
    button.setObjectName(f"{prefix}.{action.objectName()}")
    button.setAccessibleName(action.text())
    action.setIconText(f" {action.text()}")
    button.setDefaultAction(action)
    return button


def chooser(name: str, title: str, tip: str, entries: list[tuple[str, object]], parent: QWidget) -> QComboBox:
    """A combo box of (text, data) that the wheel only turns once it was clicked into."""
    combo = named(QComboBox(parent), name, title, tip)
    for text, data in entries:
        combo.addItem(text, data)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(8)
    WheelGuard(combo)
    return combo


def note(parent: QWidget, role: str = "faint", name: str = "") -> QLabel:
    """A quiet line of text that wraps."""
    label = QLabel(parent)
    if name:
        label.setObjectName(name)
    label.setProperty("role", role)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def restyle(widget: QWidget, name: str, value: object) -> None:
    """Set a property that the style sheet looks at, and let it look."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        widget.style().unpolish(widget)
        widget.style().polish(widget)
