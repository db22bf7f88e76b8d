"""The markers panel: every marker of the timeline with colour, name, note and length; edited in place."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.document.model import Marker, Sequence
from gen2studio.ui import theme
from gen2studio.ui.panels.timed_panel import TimedPanel
from gen2studio.ui.panels.timed_table import Column, swatch
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.named import action_button, chooser, text_button

_ACTIONS = ("timeline.add_marker", "timeline.mark_range", "timeline.previous_marker", "timeline.next_marker")
_NAME = 2
"""The column of names."""


class MarkersPanel(TimedPanel):
    """Lists the active sequence's markers; choosing one goes to it."""

    export_wanted = Signal()

    def __init__(
        self,
        session: Session,
        editing: TimelineEditing,
        actions: dict[str, QAction],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("markers", "marker", session, "Show markers whose name or note holds this", parent)
        titles = self._titles = editing.titles
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
        empty = EmptyState(
            "map-pin", "No markers yet", "Press M to put one at the playhead. It takes a colour, a name and a note.",
            parent=self,
        )  # fmt: skip
        self._list(columns, lambda m: (m.frame, m.frame + max(1, m.duration)), empty)
        entries: list[tuple[str, object]] = [("All colours", "")]
        entries += [(name.capitalize(), name) for name in theme.LABELS]
        self.colour = chooser("markers.colour", "Colour of markers", "Show markers of one colour", entries, self)
        for row, name in enumerate(theme.LABELS, 1):
            self.colour.setItemIcon(row, swatch(theme.label(name)))
        self.colour.currentIndexChanged.connect(lambda _row: self._filter())
        self._lay_out(actions)
        self._follow()

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
        self.stack.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(6)
        layout.addLayout(bar)
        layout.addLayout(search)
        layout.addLayout(self.stack, 1)

    # -- showing ------------------------------------------------------------------------------------------------------

    def _rows_of(self, sequence: Sequence) -> tuple[Marker, ...]:
        return sequence.markers

    def _show_more(self, sequence: Sequence | None) -> None:
        self.export.setEnabled(bool(self.model.rows))

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

    # -- what a person does -------------------------------------------------------------------------------------------

    def _go_to(self, row_id: str) -> None:
        row = self.model.row_of(row_id)
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
        self._type_into(row, _NAME)
        return True
