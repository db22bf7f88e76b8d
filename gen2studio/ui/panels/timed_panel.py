"""What the panels of markers and of subtitles have in common: a table that follows the timeline, and a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLineEdit, QStackedLayout, QWidget

from gen2studio.app.session import Session
from gen2studio.document import model
from gen2studio.ui.panels.timed_table import Column, TimedModel, TimedTable
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.in_view import InView
from gen2studio.ui.widgets.named import named, note


class TimedPanel(QWidget):
    """Lists what a sequence holds in order of time; choosing a row goes to it.

    A panel calls :meth:`_list`, lays out ``search``, ``count`` and ``stack`` as it likes, and then :meth:`_follow`.
    """

    def __init__(self, room: str, noun: str, session: Session, find_tip: str, parent: QWidget | None = None) -> None:
        """``room`` begins the object names; ``noun`` is one row in words."""
        super().__init__(parent)
        self.setObjectName(f"{room}Panel")
        self._session, self._room, self._noun = session, room, noun
        self.view = InView(self, self.refresh)
        self.search = named(QLineEdit(self), f"{room}.find", f"Find {noun}s", find_tip)
        self.search.setPlaceholderText("Find")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _text: self._filter())
        self.count = note(self, name=f"{room}.count")
        self.stack = QStackedLayout()
        """``empty``, else the table."""

    def _list(self, columns: Sequence[Column], starts: Callable[[Any], tuple[int, int]], empty: EmptyState) -> None:
        """Make the table; ``starts(row)`` = sequence frames [start, stop) of a row."""
        self.model = TimedModel(columns, starts, self)
        self.table = TimedTable(f"{self._room}.table", f"{self._noun}s".capitalize(), self.model, self)
        self.table.row_chosen.connect(self._go_to)
        self.table.remove_wanted.connect(self._remove)
        self.empty = empty
        self.stack.addWidget(empty)

    def _follow(self) -> None:
        """Keep up with the document and the playhead from now on."""
        self._session.store.changed.connect(lambda _old, _new: self.refresh())
        self._session.store.replaced.connect(lambda _new: self.refresh())
        self._session.playhead_changed.connect(self._on_playhead)
        self.refresh()

    # -- for each panel to say ----------------------------------------------------------------------------------------

    def _rows_of(self, sequence: model.Sequence) -> tuple[Any, ...]:
        """What is listed."""
        return ()

    def _show_more(self, sequence: model.Sequence | None) -> None:
        """Show what stands beside the table."""

    def _filter(self) -> None:
        """Show the rows that the search means."""

    def _go_to(self, row_id: str) -> None:
        """A row was chosen."""

    def _remove(self) -> None:
        """Remove the chosen rows."""

    # -- showing ------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the rows as they are now; nothing while the panel is behind another tab."""
        if not self.view.now:
            return
        sequence = self._session.sequence
        rows = self._rows_of(sequence) if sequence is not None else ()
        chosen = self.table.chosen()
        before = [row.id for row in self.model.rows]
        self.model.set_rows(rows, sequence.rate if sequence is not None else self.model.rate)
        if before != [row.id for row in self.model.rows]:
            self.table.choose(chosen)
        self.model.set_playhead(self._session.playhead)
        self.stack.setCurrentIndex(1 if rows else 0)
        total = f"1 {self._noun}" if len(rows) == 1 else f"{len(rows)} {self._noun}s"
        self.count.setText(f"{len(self.model.rows)} of {total}" if self.model.hidden else total if rows else "")
        self._show_more(sequence)

    def _on_playhead(self, frame: int) -> None:
        if self.view.now:
            self.model.set_playhead(frame)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def _type_into(self, row: int, column: int) -> None:
        """Start typing in a cell."""
        self.table.choose([self.model.rows[row].id], column)
        self.table.setFocus()
        self.table.edit(self.model.index(row, column))
