"""A list of widgets as rows below each other: queues."""

from __future__ import annotations

from typing import Generic, TypeVar

from PySide6.QtWidgets import QScrollArea, QStackedLayout, QVBoxLayout, QWidget

from gen2studio.ui.widgets.retire import retire

Row = TypeVar("Row", bound=QWidget)


class RowColumn(QWidget, Generic[Row]):
    """Rows that scroll; ``empty`` in their place while there are none."""

    def __init__(self, empty: QWidget, spacing: int, parent: QWidget) -> None:
        """``spacing`` in pixels between rows."""
        super().__init__(parent)
        self.rows: list[Row] = []
        """From top to bottom; changed by the methods below only."""
        inside = QWidget(self)
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(spacing)
        self._column.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setWidget(inside)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(empty)
        self._stack.addWidget(scroll)

    def insert_row(self, index: int, row: Row) -> None:
        """Put a row in as the one numbered ``index``."""
        self.rows.insert(index, row)
        self._column.insertWidget(index, row)
        self._stack.setCurrentIndex(1)

    def remove_row(self, index: int) -> None:
        """Take a row out and delete it."""
        row = self.rows.pop(index)
        self._column.removeWidget(row)
        retire(row)
        self._stack.setCurrentIndex(1 if self.rows else 0)

    def move_row(self, source: int, target: int) -> None:
        """Take a row from one place to another."""
        row = self.rows.pop(source)
        self.rows.insert(target, row)
        self._column.removeWidget(row)
        self._column.insertWidget(target, row)
