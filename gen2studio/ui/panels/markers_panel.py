"""The markers panel: every marker of the timeline with colour, name, note and length; edited in place."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QStackedLayout, QVBoxLayout, QWidget

from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.document.model import Marker
from gen2studio.ui import theme
from gen2studio.ui.panels.timed_table import Column, TimedModel, TimedTable, swatch
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.named import action_button, chooser, named, note, text_button

_ACTIONS = ("timeline.add_marker", "timeline.mark_range", "timeline.previous_marker", "timeline.next_marker")
_NAME = 2
"""The column of names."""


class MarkersPanel(QWidget):
    """Lists the active sequence's markers; choosing one goes to it."""

    export_wanted = Signal()

    def __init__(
        self,
        session: Session,
        editing: TimelineEditing,
        actions: dict[str, QAction],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("markersPanel")
        self._session, self._titles = session, editing.titles
        titles = editing.titles
        columns = (
            Column(
                title="", kind="label", width=34, tip="Colour",
                read=lambda m: m.colour, write=lambda i, colour: titles.edit_marker(i, colour=colour),
            ),
            Column(title="At", kind="time", width=96, read=lambda m: m.frame, write=titles.move_marker),
            Column(
                title="Name", kind="text", width=110,
                read=lambda m: m.name, write=lambda i, text: titles.edit_marker(i, name=" ".join(text.split())),
            ),
            Column(
                title="Length", kind="time", width=96, tip="How long the range is; 0 is a point",
                read=lambda m: m.duration, write=lambda i, frames: titles.edit_marker(i, duration=frames),
            ),
            Column(
                title="Note", kind="text", read=lambda m: m.note,
                write=lambda i, text: titles.edit_marker(i, note=text),
            ),
        )  # fmt: skip
        self.model = TimedModel(columns, lambda m: (m.frame, m.frame + max(1, m.duration)), self)
        self.table = TimedTable("markers.table", "Markers", self.model, self)
        self.table.row_chosen.connect(self._go_to)
        self.table.remove_wanted.connect(self._remove)
        tip = "Show markers whose name or note holds this"
        self.search = named(QLineEdit(self), "markers.find", "Find markers", tip)
        self.search.setPlaceholderText("Find")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _text: self._filter())
        entries: list[tuple[str, object]] = [("All colours", "")]
        entries += [(name.capitalize(), name) for name in theme.LABELS]
        self.colour = chooser("markers.colour", "Colour of markers", "Show markers of one colour", entries, self)
        for row, name in enumerate(theme.LABELS, 1):
            self.colour.setItemIcon(row, swatch(theme.label(name)))
        self.colour.currentIndexChanged.connect(lambda _row: self._filter())
        self.count = note(self, name="markers.count")
        self.empty = EmptyState(
            "map-pin", "No markers yet", "Press M to put one at the playhead. It takes a colour, a name and a note.",
            parent=self,
        )  # fmt: skip
        self._lay_out(actions)
        session.store.changed.connect(lambda _old, _new: self.refresh())
        session.store.replaced.connect(lambda _new: self.refresh())
        session.playhead_changed.connect(self._on_playhead)
        self.refresh()

    def _lay_out(self, actions: dict[str, QAction]) -> None:
        bar = QHBoxLayout()
        bar.setSpacing(2)
        for name in _ACTIONS:
            button = action_button(actions[name], self, "markers")
            button.setText("")
            button.setIconSize(theme.icon_size(16))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
            bar.addWidget(button)
        self.remove = text_button(
            "markers.remove",
            "Remove",
            "trash-2",
            "Remove the selected markers (Delete)",
            self._remove,
            self,
            text=False,
        )
        self.export = text_button(
            "markers.export", "Export markers", "upload", "Write the markers shown as text or CSV",
            self.export_wanted.emit, self, text=False,
        )  # fmt: skip
        bar.addWidget(self.remove)
        bar.addStretch(1)
        bar.addWidget(self.export)
        search = QHBoxLayout()
        search.addWidget(self.search, 1)
        search.addWidget(self.colour)
        page = QWidget(self)
        inner = QVBoxLayout(page)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.table, 1)
        inner.addWidget(self.count)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(6)
        layout.addLayout(bar)
        layout.addLayout(search)
        layout.addLayout(self._stack, 1)

    # -- showing ------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the markers as they are now; nothing while the panel is behind another tab."""
        if not self.isVisible():
            return
        sequence = self._session.sequence
        markers = sequence.markers if sequence is not None else ()
        chosen = self.table.chosen()
        rows = [row.id for row in self.model.rows]
        self.model.set_rows(markers, sequence.rate if sequence is not None else self.model.rate)
        if rows != [row.id for row in self.model.rows]:
            self.table.choose(chosen)
        self.model.set_playhead(self._session.playhead)
        self._stack.setCurrentIndex(1 if markers else 0)
        self.export.setEnabled(bool(self.model.rows))
        shown = len(self.model.rows)
        words = "1 marker" if len(markers) == 1 else f"{len(markers)} markers"
        self.count.setText(f"{shown} of {words}" if self.model.hidden else words)

    def shown(self) -> tuple[Marker, ...]:
        """The markers that the filter leaves."""
        return tuple(self.model.rows)

    def _filter(self) -> None:
        text, colour = self.search.text().casefold(), self.colour.currentData()

        def wanted(marker: Marker) -> bool:
            return (not colour or marker.colour == colour) and (
                text in marker.name.casefold() or text in marker.note.casefold()
            )

        self.model.set_filter(wanted if text or colour else None)
        self.refresh()

    def _on_playhead(self, frame: int) -> None:
        if self.isVisible():
            self.model.set_playhead(frame)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    # -- what a person does -------------------------------------------------------------------------------------------

    def _go_to(self, marker_id: str) -> None:
        row = self.model.row_of(marker_id)
        if row >= 0:
            self._session.set_playhead(self.model.rows[row].frame)

    def _remove(self) -> None:
        chosen = self.table.chosen()
        if chosen:
            self._titles.remove_markers(chosen)

    def edit_here(self) -> bool:
        """Start typing the name of the marker at the playhead. False without one."""
        here = self._session.playhead
        row = next((i for i, m in enumerate(self.model.rows) if m.frame <= here < m.frame + max(1, m.duration)), -1)
        if row < 0:
            return False
        self.table.choose([self.model.rows[row].id], _NAME)
        self.table.setFocus()
        self.table.edit(self.model.index(row, _NAME))
        return True
