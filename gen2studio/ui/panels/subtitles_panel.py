"""The subtitles panel: every caption with its times and text, edited in place, and how captions are drawn."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QColor
from PySide6.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.document.composition import Subtitle, SubtitleStyle
from gen2studio.document.model import Sequence
from gen2studio.ui import theme
from gen2studio.ui.panels.inspector_rows import FactRows, side_by_side
from gen2studio.ui.panels.timed_panel import TimedPanel
from gen2studio.ui.panels.timed_table import Column, swatch
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.named import action_button, chooser, named, text_button
from gen2studio.ui.widgets.section import Section
from gen2studio.ui.widgets.timecode_field import TimecodeField
from gen2studio.ui.widgets.value_slider import ValueSlider

_TEXT = 2
_STYLE = (
    ("size", "Size", 1.0, 20.0, 0.5, "Height of the letters against the frame's"),
    ("outline", "Outline", 0.0, 30.0, 1.0, "Width of the dark outline against the size of the letters"),
    ("box", "Box", 0.0, 100.0, 5.0, "How dark the box behind the text is"),
    ("place", "Place", 5.0, 100.0, 1.0, "Where the last line stands: 100 % is the foot of the frame"),
)


class SubtitlesPanel(TimedPanel):
    """Lists the active sequence's captions; choosing one goes to it, the one at the playhead is marked."""

    def __init__(
        self,
        session: Session,
        editing: TimelineEditing,
        actions: dict[str, QAction],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("subtitles", "subtitle", session, "Show subtitles whose text holds this", parent)
        titles = self._titles = editing.titles
        columns = (
            Column(title="In", kind="time", width=96, read=lambda s: s.start, write=self._set_start),
            Column(title="Out", kind="time", width=96, read=lambda s: s.end, write=self._set_end),
            Column(
                title="Text", kind="text", read=lambda s: s.text, write=titles.set_text,
                tip="Enter or a double click edits it; <i>, <b> and <u> are understood",
            ),
        )  # fmt: skip
        empty = EmptyState(
            "message-square", "No subtitles yet", "Add one at the playhead, or import an SRT file.", parent=self
        )
        self._list(columns, lambda s: (s.start, s.end), empty)
        self.table.verticalHeader().setDefaultSectionSize(38)
        self._lay_out(actions)
        titles.subtitle_added.connect(self._on_added)
        self._follow()

    # -- building -----------------------------------------------------------------------------------------------------

    def _lay_out(self, actions: dict[str, QAction]) -> None:
        bar = QHBoxLayout()
        bar.setSpacing(2)
        bar.addWidget(self._button(actions["subtitle.add"]))
        for name, title, icon, tip, do in (
            ("split", "Split", "scissors", "Cut the chosen subtitle, or the one there, at the playhead", self._split),
            ("merge", "Merge", "fold-horizontal", "Make the chosen neighbours one; else the next joins", self._merge),
            ("remove", "Remove", "trash-2", "Remove the chosen subtitles (Delete)", self._remove),
        ):
            bar.addWidget(text_button(f"subtitles.{name}", title, icon, tip, do, self, text=False))
        bar.addStretch(1)
        for name in ("subtitle.import", "subtitle.export"):
            bar.addWidget(self._button(actions[name]))
        search = QHBoxLayout()
        search.addWidget(self.search, 1)
        search.addWidget(self.count)
        self.stack.addWidget(self.table)
        self.shift = Section("subtitles.shift", "Shift", self._shifting, open_=False, parent=self)
        self.style_section = Section("subtitles.style", "Style", self._styling, open_=False, parent=self)
        self.style_section.filled.connect(lambda _content: self.refresh())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(6)
        layout.addLayout(bar)
        layout.addLayout(search)
        layout.addLayout(self.stack, 1)
        for section in (self.shift, self.style_section):
            section.set_shown(True)
            layout.addWidget(section)

    def _button(self, action: QAction) -> QToolButton:
        button = action_button(action, self, "subtitles")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        button.setIconSize(theme.icon_size(16))
        return button

    def _shifting(self) -> QWidget:
        box = QWidget(self)
        self.shift_by = TimecodeField("subtitles.shift.by", "Shift by", "How far the subtitles move", box)
        self.shift_which = chooser(
            "subtitles.shift.which", "Which subtitles", "Which subtitles move",
            [("All", "all"), ("Chosen", "chosen"), ("From the playhead", "after")], box,
        )  # fmt: skip
        earlier = text_button(
            "subtitles.shift.earlier", "Earlier", "arrow-left", "Move them earlier", lambda: self._shift(-1), box
        )
        later = text_button(
            "subtitles.shift.later", "Later", "arrow-right", "Move them later", lambda: self._shift(1), box
        )
        self.shift_by.setFixedWidth(100)
        self.shift_by.edited.connect(self._on_shift_typed)
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(side_by_side(self.shift_which, self.shift_by, parent=box))
        column.addWidget(side_by_side(earlier, later, parent=box))
        self._show_shift()
        return box

    def _styling(self) -> QWidget:
        rows = FactRows(self)
        self.shown = named(
            QCheckBox("Show on the picture", rows), "subtitles.style.shown", "Show subtitles",
            "Draw subtitles in the viewer and in exports",
        )  # fmt: skip
        self.shown.clicked.connect(lambda on: self._titles.set_style(shown=bool(on)))
        rows.add_wide(self.shown)
        self.colour = named(QPushButton("Colour…", rows), "subtitles.style.colour", "Colour of subtitles")
        self.colour.setToolTip("Colour of the letters")
        self.colour.clicked.connect(lambda _checked=False: self._ask_colour())
        rows.add("Colour", side_by_side(self.colour, parent=rows))
        self.sliders: dict[str, ValueSlider] = {}
        for name, title, low, high, step, tip in _STYLE:
            slider = ValueSlider(
                f"subtitles.style.{name}", title, low=low, high=high, default=getattr(SubtitleStyle(), name) * 100,
                step=step, decimals=1, unit="%", tip=tip, compact=True, parent=rows,
            )  # fmt: skip
            slider.value_changed.connect(lambda value, name=name: self._titles.set_style(**{name: value / 100}))
            rows.add_wide(slider)
            self.sliders[name] = slider
        return rows

    # -- showing ------------------------------------------------------------------------------------------------------

    def _rows_of(self, sequence: Sequence) -> tuple[Subtitle, ...]:
        return sequence.subtitles

    def _show_more(self, sequence: Sequence | None) -> None:
        if self.style_section.content is not None:
            self._show_style(sequence.subtitle_style if sequence is not None else SubtitleStyle())

    def _show_style(self, style: SubtitleStyle) -> None:
        self.shown.setChecked(style.shown)
        self.colour.setIcon(swatch(QColor(*style.colour)))
        for name, slider in self.sliders.items():
            value = getattr(style, name) * 100
            if abs(slider.value - value) > 1e-6:
                slider.set_value(value)

    def _show_shift(self) -> None:
        sequence = self._session.sequence
        rate = sequence.rate if sequence is not None else self.model.rate
        self.shift_by.show_frame(max(1, self.shift_by.frame), rate)

    def _filter(self) -> None:
        text = self.search.text().casefold()
        self.model.set_filter((lambda s: text in s.text.casefold()) if text else None)
        self.refresh()

    # -- what a person does -------------------------------------------------------------------------------------------

    def _row(self, subtitle_id: str) -> Subtitle:
        return self.model.rows[self.model.row_of(subtitle_id)]

    def _set_start(self, subtitle_id: str, frame: int) -> None:
        self._titles.trim_subtitle(subtitle_id, head=frame - self._row(subtitle_id).start)

    def _set_end(self, subtitle_id: str, frame: int) -> None:
        self._titles.trim_subtitle(subtitle_id, tail=frame - self._row(subtitle_id).end)

    def _go_to(self, row_id: str) -> None:
        found = self._row(row_id)
        if not found.start <= self._session.playhead < found.end:
            self._session.set_playhead(found.start)

    def _on_added(self, subtitle_id: str) -> None:
        """A new caption is typed at once."""
        if not self.view.now:
            return
        self.search.clear()
        self.refresh()
        self._type_into(self.model.row_of(subtitle_id), _TEXT)

    def _split(self) -> None:
        chosen = [s for s in self.table.chosen() if self._row(s).start < self._session.playhead < self._row(s).end]
        self._titles.split_subtitle(chosen[0] if chosen else "")

    def _merge(self) -> None:
        chosen = self.table.chosen()
        self._titles.merge_subtitles(chosen if len(chosen) > 1 else ())

    def _remove(self) -> None:
        chosen = self.table.chosen()
        if chosen:
            self._titles.remove_subtitles(chosen)

    def _on_shift_typed(self, frames: int) -> None:
        self.shift_by.show_frame(max(1, frames), self.shift_by.rate)

    def _shift(self, way: int) -> None:
        sequence = self._session.sequence
        if sequence is None:
            return
        which, here = self.shift_which.currentData(), self._session.playhead
        ids = {
            "all": [s.id for s in sequence.subtitles],
            "chosen": self.table.chosen(),
            "after": [s.id for s in sequence.subtitles if s.end > here],
        }[which]
        if ids:
            self._titles.move_subtitles(ids, way * self.shift_by.frame)
        else:
            self._session.tell("There are no such subtitles to shift.", "warning")

    def _ask_colour(self) -> None:
        sequence = self._session.sequence
        if sequence is None:
            return
        dialog = QColorDialog(QColor(*sequence.subtitle_style.colour), self)
        dialog.setObjectName("subtitles.colourDialog")
        dialog.setWindowTitle("Colour of subtitles")
        dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
        before = sequence.subtitle_style.colour

        def show(colour: QColor) -> None:
            self._titles.set_style(colour=(colour.red(), colour.green(), colour.blue()))

        dialog.currentColorChanged.connect(show)
        dialog.rejected.connect(lambda: self._titles.set_style(colour=before))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
