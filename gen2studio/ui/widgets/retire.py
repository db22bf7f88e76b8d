"""Taking a widget out of the window for good."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QLayout, QWidget


def retire(widget: QWidget) -> None:
    """Hide ``widget``, take its names and those of everything in it out of the tree, and delete it later.

    A row may be rebuilt by what its own button did, so it can't be deleted on the spot. Until the event loop comes to
    it, whoever looks for a name finds the row that replaced it.
    """
    widget.hide()
    widget.setObjectName("")
    for child in widget.findChildren(QObject):
        child.setObjectName("")
    widget.deleteLater()


def retire_all(layout: QLayout) -> None:
    """Empty ``layout`` and retire the widgets that lay in it."""
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            retire(widget)
