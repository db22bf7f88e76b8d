"""The inspector: every fact and parameter of the selected clips, with keys."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QLineEdit, QScrollArea, QStackedLayout, QVBoxLayout, QWidget

from gen2studio.app.clip_inspecting import MIXED, ClipInspecting, CurveState
from gen2studio.core.media_info import MediaInfo
from gen2studio.core.time import seconds_to_frames
from gen2studio.document.composition import BlendMode
from gen2studio.document.model import Clip
from gen2studio.ui import theme
from gen2studio.ui.panels.inspector_rows import CurveRow, FactRows, choose_data, show_tri_state, side_by_side
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.in_view import InView
from gen2studio.ui.widgets.named import chooser, named, text_button
from gen2studio.ui.widgets.number_field import NumberField
from gen2studio.ui.widgets.section import Section
from gen2studio.ui.widgets.timecode_field import TimecodeField

_GROUPS = ("Picture", "Transform", "Crop", "Sound", "Look")
_FOLDED = ("Crop", "Look")


class InspectorPanel(QWidget):
    """Shows a :class:`~gen2studio.app.clip_inspecting.ClipInspecting` and hands it what a person changes."""

    handles_wanted = Signal(bool)
    """The transform section was opened, closed or came into view: whether handles over the picture make sense."""
    curve_chosen = Signal(str)
    """The parameter a person works on: the curve editor shows it."""

    def __init__(self, inspecting: ClipInspecting, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("inspectorPanel")
        self._inspecting = inspecting
        self._view = InView(self, self.refresh)
        self._view.changed.connect(lambda _front: self._tell_handles())
        self._rows: dict[str, CurveRow] = {}
        self._groups: dict[str, tuple[Section, QVBoxLayout]] = {}
        self.empty = EmptyState(
            "sliders-horizontal",
            "No clip to inspect",
            "Select a clip on the timeline, or put the playhead over one.",
            parent=self,
        )
        self._page = QScrollArea(self)
        self._page.setWidgetResizable(True)
        self._page.setFrameShape(QFrame.Shape.NoFrame)
        self._page.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        body = QWidget(self._page)
        column = QVBoxLayout(body)
        column.setContentsMargins(12, 8, 12, 12)
        column.setSpacing(4)
        column.addWidget(self._head(body))
        self.time = Section("inspector.time", "Time", self._time(body), parent=body)
        column.addWidget(self.time)
        for group in _GROUPS:
            column.addWidget(self._group(group, body))
        column.addStretch(1)
        self._page.setWidget(body)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self._page)
        inspecting.changed.connect(self.refresh)
        self.refresh()

    # -- building -----------------------------------------------------------------------------------------------------

    def _head(self, body: QWidget) -> QWidget:
        head = QWidget(body)
        layout = QVBoxLayout(head)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(4)
        self.summary = ElidedLabel(parent=head)
        self.summary.setProperty("role", "muted")
        self.name = named(QLineEdit(head), "inspector.name", "Clip name", "The name of the clip on the timeline")
        self.name.editingFinished.connect(self._on_renamed)
        self.enabled = named(
            QCheckBox("Enabled", head), "inspector.enabled", "Enabled", "Whether the clip is seen and heard"
        )
        self.enabled.clicked.connect(lambda on: self._inspecting.set_enabled(bool(on)))
        line = side_by_side(self.name, self.enabled, parent=head, spacing=8)
        found = line.layout()
        assert found is not None
        found.takeAt(2)
        self.name.setMinimumWidth(60)
        layout.addWidget(line)
        layout.addWidget(self.summary)
        return head

    def _time(self, body: QWidget) -> QWidget:
        rows = FactRows(body)
        ask = self._inspecting
        self.start = TimecodeField("inspector.start", "Start", "Where the clip begins on the timeline", rows)
        self.duration = TimecodeField("inspector.duration", "Duration", "How long the clip is; trims its end", rows)
        self.source_in = TimecodeField("inspector.source_in", "Source in", "Where in its media the clip begins", rows)
        self.source_out = TimecodeField("inspector.source_out", "Source out", "Where in its media the clip ends", rows)
        self.start.edited.connect(ask.set_start)
        self.duration.edited.connect(ask.set_duration)
        self.source_in.edited.connect(lambda frame: ask.set_source_in(Fraction(frame) / self._media_rate()))
        self.source_out.setReadOnly(True)
        self.source_out.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.source_out.setToolTip("Where in its media the clip ends; it follows duration and speed")
        for field in (self.start, self.duration, self.source_in, self.source_out):
            field.setMinimumWidth(80)
        rows.add("Start", self.start)
        rows.add("Duration", self.duration)
        rows.add(
            "Source", side_by_side(self.source_in, self.source_out, parent=rows, stretch=True), "Source in and out"
        )
        self.speed = NumberField(
            "inspector.speed",
            "Speed",
            low=1,
            high=10000,
            step=5,
            decimals=2,
            unit="%",
            tip="Speed of playing",
            parent=rows,
        )
        self.speed.edited.connect(ask.set_speed)
        rows.add("Speed", self.speed)
        self.reverse = named(QCheckBox("Reverse", rows), "inspector.reverse", "Reverse", "Play the clip backwards")
        self.freeze = named(
            QCheckBox("Freeze", rows), "inspector.freeze", "Freeze", "Hold the frame at the playhead for the whole clip"
        )
        self.keep_pitch = named(
            QCheckBox("Keep pitch", rows),
            "inspector.keep_pitch",
            "Keep pitch",
            "Sound at another speed keeps its pitch",
        )
        self.reverse.clicked.connect(lambda on: ask.set_reverse(bool(on)))
        self.freeze.clicked.connect(lambda on: ask.set_freeze(bool(on)))
        self.keep_pitch.clicked.connect(lambda on: ask.set_keep_pitch(bool(on)))
        rows.add_wide(side_by_side(self.reverse, self.freeze, self.keep_pitch, parent=rows, spacing=14))
        self.fade_in, self.fade_out = (
            NumberField(
                f"inspector.{name}", title, low=0, high=1_000_000, step=1, decimals=0, unit="fr",
                tip=f"{title}: frames from nothing", parent=rows,
            )
            for name, title in (("fade_in", "Fade in"), ("fade_out", "Fade out"))
        )  # fmt: skip
        self.fade_in.edited.connect(lambda frames, gesture: ask.set_fade(True, round(frames), gesture))
        self.fade_out.edited.connect(lambda frames, gesture: ask.set_fade(False, round(frames), gesture))
        rows.add("Fades", side_by_side(self.fade_in, self.fade_out, parent=rows, stretch=True), "Fade in and out")
        return rows

    def _group(self, group: str, body: QWidget) -> Section:
        content = QWidget(body)
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        if group == "Picture":
            layout.addWidget(self._blending(content))
        elif group == "Transform":
            layout.addWidget(self._flips(content))
        elif group == "Sound":
            layout.addWidget(self._gain(content))
        section = Section(f"inspector.{group.lower()}", group, content, open_=group not in _FOLDED, parent=body)
        if group == "Transform":
            section.heading.clicked.connect(lambda: self._tell_handles())
        self._groups[group] = (section, layout)
        return section

    def _blending(self, content: QWidget) -> QWidget:
        rows = FactRows(content)
        entries: list[tuple[str, object]] = [(mode.value.replace("_", " ").capitalize(), mode) for mode in BlendMode]
        self.blend = chooser(
            "inspector.blend", "Blend mode", "How the clip is laid over what lies below", entries, rows
        )
        self.blend.activated.connect(lambda row: self._inspecting.set_blend(self.blend.itemData(row)))
        rows.add("Blend mode", self.blend)
        return rows

    def _flips(self, content: QWidget) -> QWidget:
        ask = self._inspecting
        self.flip_horizontal = text_button(
            "inspector.flip_horizontal", "Flip H", "flip-horizontal", "Mirror left and right",
            lambda: ask.set_flip(horizontal=self.flip_horizontal.isChecked()), content,
        )  # fmt: skip
        self.flip_vertical = text_button(
            "inspector.flip_vertical", "Flip V", "flip-horizontal", "Mirror top and bottom",
            lambda: ask.set_flip(vertical=self.flip_vertical.isChecked()), content,
        )  # fmt: skip
        from PySide6.QtGui import QIcon, QTransform

        turned = theme.icon_pixmap("flip-horizontal", 32, "text").transformed(QTransform().rotate(90))
        self.flip_vertical.setIcon(QIcon(turned))
        for button in (self.flip_horizontal, self.flip_vertical):
            button.setCheckable(True)
        reset = text_button(
            "inspector.transform.reset_all", "Reset all", "rotate-ccw", "Put the whole transform back",
            lambda: ask.reset_group("Transform"), content,
        )  # fmt: skip
        return side_by_side(self.flip_horizontal, self.flip_vertical, reset, parent=content)

    def _gain(self, content: QWidget) -> QWidget:
        rows = FactRows(content)
        self.gain = NumberField(
            "inspector.gain", "Gain", low=-96, high=24, step=0.5, decimals=1, unit="dB",
            tip="Loudness of the whole clip; volume comes on top", parent=rows,
        )  # fmt: skip
        self.gain.edited.connect(self._inspecting.set_gain)
        rows.add("Gain", self.gain)
        return rows

    # -- showing ------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the clips as they are now; nothing while the panel is behind another tab."""
        if not self._view.now:
            return
        ask = self._inspecting
        clips = ask.clips()
        self._stack.setCurrentIndex(1 if clips else 0)
        if clips:
            self._show_facts(clips)
            self._show_curves(ask.states())
        self._tell_handles()

    def _show_facts(self, clips: tuple[Clip, ...]) -> None:
        ask, sequence = self._inspecting, self._inspecting.session.sequence
        assert sequence is not None
        first, rate = clips[0], sequence.rate
        self._show_name(clips)
        show_tri_state(self.enabled, ask.fact(lambda c: c.enabled), MIXED)
        self.start.show_frame(min(clip.start for clip in clips), rate)
        self.duration.show_frame(first.duration, rate, mixed=ask.fact(lambda c: c.duration) is MIXED)
        media_rate = self._media_rate()
        mixed = ask.fact(lambda c: (c.media_id, c.source_in)) is MIXED
        self.source_in.show_frame(seconds_to_frames(first.source_in, media_rate), media_rate, mixed=mixed)
        out = seconds_to_frames(ask.source_out(first), media_rate)
        self.source_out.show_frame(out, media_rate, mixed=ask.fact(lambda c: (c.media_id, ask.source_out(c))) is MIXED)
        self._show_number(self.speed, lambda c: float(c.speed * 100), clips)
        show_tri_state(self.reverse, ask.fact(lambda c: c.reverse), MIXED)
        pictures = ask.pictures()
        self.freeze.setVisible(bool(pictures))
        show_tri_state(self.freeze, ask.fact(lambda c: c.freeze, pictures), MIXED)
        show_tri_state(self.keep_pitch, ask.fact(lambda c: c.keep_pitch), MIXED)
        self.keep_pitch.setVisible(bool(ask.sounds()))
        self._show_number(self.fade_in, lambda c: c.fade_in, clips)
        self._show_number(self.fade_out, lambda c: c.fade_out, clips)
        if pictures:
            choose_data(self.blend, ask.fact(lambda c: c.blend, pictures))
            flips = ((self.flip_horizontal, "flip_horizontal"), (self.flip_vertical, "flip_vertical"))
            for button, field in flips:
                button.setChecked(ask.fact(lambda c, field=field: getattr(c.transform, field), pictures) is True)
        if ask.sounds():
            self._show_number(self.gain, lambda c: c.gain_db, ask.sounds())

    def _show_name(self, clips: tuple[Clip, ...]) -> None:
        name = self._inspecting.fact(lambda c: c.name)
        if not (self.name.hasFocus() and self.name.isModified()):
            self.name.setText("" if name is MIXED else name)
            self.name.setModified(False)
        self.name.setPlaceholderText("Several names" if name is MIXED else "")
        chosen = bool(self._inspecting.editing.selected_clips())
        item = self._inspecting.session.document.media.get(clips[0].media_id)
        if len(clips) > 1:
            self.summary.show_text(f"{len(clips)} clips selected")
        else:
            facts = _facts(item.info) if item is not None else "Media is missing"
            self.summary.show_text(facts if chosen else f"Under the playhead · {facts}")
        self.summary.setToolTip(item.path if item is not None and len(clips) == 1 else "")

    def _show_number(self, field: NumberField, read: Any, clips: tuple[Clip, ...]) -> None:
        value = self._inspecting.fact(read, clips)
        if value is MIXED:
            field.set_mixed(read(clips[0]))
        else:
            field.show_value(value)

    def _media_rate(self) -> Fraction:
        clips, sequence = self._inspecting.clips(), self._inspecting.session.sequence
        item = self._inspecting.session.document.media.get(clips[0].media_id) if clips else None
        if item is not None and item.info.rate > 0:
            return item.info.rate
        return sequence.rate if sequence is not None else Fraction(25)

    def _show_curves(self, states: dict[str, CurveState]) -> None:
        shown: dict[str, int] = dict.fromkeys(_GROUPS, 0)
        for name, state in states.items():
            row = self._rows.get(name)
            if row is None:
                row = self._add_row(state)
            row.show_state(state)
            shown[state.kind.group] += state.touched
        for name, row in self._rows.items():
            row.setVisible(name in states)
        present = {state.kind.group for state in states.values()}
        for group, (section, _layout) in self._groups.items():
            section.setVisible(group in present)
            section.set_mark("" if section.is_open or not shown[group] else f"{shown[group]} changed")

    def _add_row(self, state: CurveState) -> CurveRow:
        ask = self._inspecting
        section, layout = self._groups[state.kind.group]
        row = CurveRow(state.kind, section.content)
        row.edited.connect(self._on_edited)
        row.key_toggled.connect(self._on_key_toggled)
        row.key_wanted.connect(ask.go_to_key)
        row.reset_wanted.connect(ask.reset)
        # Opacity stands above the blend mode, gain above the volume, and flips below the transform.
        if state.kind.group in ("Picture", "Transform"):
            layout.insertWidget(layout.count() - 1, row)
        else:
            layout.addWidget(row)
        self._rows[state.kind.name] = row
        return row

    def row(self, name: str) -> CurveRow:
        """The row of a parameter that is shown. Raises KeyError."""
        return self._rows[name]

    # -- what a person does -------------------------------------------------------------------------------------------

    def _on_edited(self, name: str, value: float, gesture: int) -> None:
        self.curve_chosen.emit(name)
        self._inspecting.set_value(name, value, gesture)

    def _on_key_toggled(self, name: str) -> None:
        self.curve_chosen.emit(name)
        self._inspecting.toggle_key(name)

    def _on_renamed(self) -> None:
        if self.name.isModified() and self.name.text().strip():
            self.name.setModified(False)
            self._inspecting.rename(self.name.text())

    def _tell_handles(self) -> None:
        section, _layout = self._groups["Transform"]
        self.handles_wanted.emit(self._view.now and section.is_open and bool(self._inspecting.pictures()))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    def hideEvent(self, event: Any) -> None:
        super().hideEvent(event)
        self.handles_wanted.emit(False)


def _facts(info: MediaInfo) -> str:
    parts: list[str] = []
    if info.has_video and info.width:
        parts.append(f"{info.width}×{info.height}")
    if info.rate:
        parts.append(f"{float(info.rate):.5g} fps")
    if info.codec:
        parts.append(info.codec.upper())
    if info.audio is not None and not info.has_video:
        parts.append(f"{info.audio.sample_rate / 1000:g} kHz")
    return " · ".join(parts)
