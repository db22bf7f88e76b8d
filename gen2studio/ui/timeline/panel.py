"""The timeline panel: tool strip, track headers, the painted view, scroll bars and zoom."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QScrollBar,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.actions_timeline import ROWS
from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.core.time import parse_timecode, rate_label, timecode
from gen2studio.document import edits
from gen2studio.document.model import Clip
from gen2studio.ui import theme
from gen2studio.ui.timeline.bands import JobSpan, LaneFrames
from gen2studio.ui.timeline.headers import WIDTH, HeaderColumn
from gen2studio.ui.timeline.layout import Hit
from gen2studio.ui.timeline.menus import menu_for, ruler_menu, take_menu
from gen2studio.ui.timeline.ruler import Ruler
from gen2studio.ui.timeline.view import TimelineView
from gen2studio.ui.timeline.viewport import MAX_PPF, MIN_PPF, Viewport

_ROWS = {row.id: row for row in ROWS}
ZOOM_STEP = 1.25
_SLIDER = 1000


class TimecodeField(QLineEdit):
    """The playhead's timecode; type one to go there."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("timeline_timecode")
        self.setAccessibleName("Playhead timecode")
        self.setToolTip("Timecode of the playhead. Type a timecode or a frame number and press Enter to go there.")
        self.setFont(theme.fixed_font(11.0))
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setFixedWidth(WIDTH - 14)
        self._session = session
        session.playhead_changed.connect(self.show_frame)
        self.returnPressed.connect(self._on_entered)
        self.show_frame(session.playhead)

    def show_frame(self, frame: int) -> None:
        sequence = self._session.sequence
        if not self.hasFocus() or not self.isModified():
            self.setText(timecode(frame, sequence.rate) if sequence else "00:00:00:00")

    def _on_entered(self) -> None:
        sequence = self._session.sequence
        if sequence is not None:
            try:
                self._session.set_playhead(parse_timecode(self.text(), sequence.rate))
            except ValueError:
                self._session.tell(f"“{self.text()}” is not a timecode. Type HH:MM:SS:FF or a frame number.", "warning")
        self._restore()

    def _restore(self) -> None:
        self.setModified(False)
        self.clearFocus()
        self.show_frame(self._session.playhead)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._restore()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.setModified(False)
        self.show_frame(self._session.playhead)


class FactsLabel(QLabel):
    """Size, rate and length of the sequence: as many of them as there is room for, never one cut short."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("timeline_facts")
        self.setProperty("role", "faint")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._facts: tuple[str, ...] = ()

    def show_facts(self, *facts: str) -> None:
        """The most important one first; it stands rightmost."""
        self._facts = facts
        whole = " · ".join(reversed(facts))
        self.setAccessibleName(f"Sequence: {whole}" if facts else "No sequence")
        self.setToolTip(whole)
        self._fit()

    def _fit(self) -> None:
        texts = (" · ".join(reversed(self._facts[:count])) for count in range(len(self._facts), -1, -1))
        metrics = self.fontMetrics()
        self.setText(next((t for t in texts if metrics.horizontalAdvance(t) + 4 <= self.width()), ""))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()


class TimelinePanel(QWidget):
    """Shows the active sequence of ``session`` and turns gestures into edits through ``editing``."""

    files_dropped = Signal(list, str, int)
    """(paths, track id or "", sequence frame): files from the desktop; the owner imports and places them."""
    following_changed = Signal(bool)
    """Whether the timeline scrolls with the playhead while playing."""
    clip_activated = Signal(str)
    """A clip was double-clicked: show its look."""

    def __init__(self, session: Session, editing: TimelineEditing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("timeline_panel")
        self.setAccessibleName("Timeline panel")
        self.session, self.editing = session, editing
        self.viewport = Viewport(self)
        self.ruler = Ruler(self.viewport, self)
        self.view = TimelineView(session, editing, self.viewport, self.ruler, self)
        self.headers = HeaderColumn(session, editing, self.viewport, self)
        self.across = QScrollBar(Qt.Orientation.Horizontal, self)
        self.along = QScrollBar(Qt.Orientation.Vertical, self)
        self.timecode = TimecodeField(session, self)
        self._buttons: dict[str, QToolButton] = {}
        self._fit_once = True
        self._build()
        self._connect()
        self.headers.show_layout(self.view.layout_now)
        self._on_ranged()
        self._show_facts()

    # -- building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        strip = QWidget(self)
        strip.setObjectName("timeline_strip")
        row = QHBoxLayout(strip)
        row.setContentsMargins(7, 3, 8, 3)
        row.setSpacing(2)
        row.addWidget(self.timecode)
        row.addSpacing(8)
        for action_id in ("timeline.tool_select", "timeline.tool_razor"):
            row.addWidget(self._tool(action_id, checkable=True))
        row.addWidget(self._line())
        row.addWidget(self._tool("timeline.toggle_snapping", checkable=True))
        row.addWidget(self._tool("timeline.toggle_follow", checkable=True))
        row.addWidget(self._line())
        for action_id in (
            "timeline.razor",
            "timeline.ripple_delete",
            "timeline.link",
            "timeline.unlink",
            "timeline.add_marker",
        ):
            row.addWidget(self._tool(action_id))
        row.addStretch(1)
        self.facts = FactsLabel(strip)
        row.addWidget(self.facts, 4)
        row.addSpacing(10)
        row.addWidget(self._tool("timeline.zoom_out"))
        self.slider = QSlider(Qt.Orientation.Horizontal, strip)
        self.slider.setObjectName("timeline_zoom")
        self.slider.setAccessibleName("Timeline zoom")
        self.slider.setToolTip("Zoom of the timeline (Ctrl+wheel)")
        self.slider.setRange(0, _SLIDER)
        self.slider.setFixedWidth(110)
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        row.addWidget(self.slider)
        row.addWidget(self._tool("timeline.zoom_in"))
        row.addWidget(self._tool("timeline.zoom_fit"))

        for bar, name, tip in (
            (self.across, "Timeline scroll bar", "Scroll through time (Shift+wheel)"),
            (self.along, "Track scroll bar", "Scroll through the tracks"),
        ):
            bar.setAccessibleName(name)
            bar.setToolTip(tip)
            bar.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            bar.setSingleStep(40)
        for bar in (self.across, self.along):
            policy = bar.sizePolicy()
            policy.setRetainSizeWhenHidden(bar is self.across)
            bar.setSizePolicy(policy)
        self.across.setObjectName("timeline_scroll_x")
        self.along.setObjectName("timeline_scroll_y")
        corner = QWidget(self)
        corner.setFixedSize(WIDTH, self.ruler.height())
        corner.setObjectName("timeline_corner")
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(0)
        grid.addWidget(corner, 0, 0)
        grid.addWidget(self.ruler, 0, 1)
        grid.addWidget(self.headers, 1, 0)
        grid.addWidget(self.view, 1, 1)
        grid.addWidget(self.along, 1, 2)
        grid.addWidget(self.across, 2, 1)
        grid.setColumnStretch(1, 1)
        grid.setRowStretch(1, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(strip)
        whole.addLayout(grid, 1)
        self.setFocusProxy(self.view)

    def _tool(self, action_id: str, checkable: bool = False) -> QToolButton:
        spec = _ROWS[action_id]
        button = QToolButton(self)
        button.setObjectName(f"button_{action_id}")
        button.setAccessibleName(spec.text)
        key = f" ({spec.key})" if spec.key else ""
        button.setToolTip(f"{spec.text}{key}\n{spec.tip}")
        button.setIcon(theme.icon(spec.icon))
        button.setIconSize(QSize(16, 16))
        button.setAutoRaise(True)
        button.setCheckable(checkable)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda _checked=False: self._trigger(action_id))
        self._buttons[action_id] = button
        return button

    def _line(self) -> QFrame:
        line = QFrame(self)
        line.setFixedSize(9, 18)
        line.setFrameShape(QFrame.Shape.VLine)
        line.setProperty("role", "bar")
        return line

    def _connect(self) -> None:
        view, session = self.view, self.session
        view.layout_changed.connect(self._on_layout_changed)
        view.menu_wanted.connect(self._on_menu_wanted)
        view.takes_wanted.connect(self._on_takes_wanted)
        view.marker_wanted.connect(self._on_marker_wanted)
        self.ruler.menu_wanted.connect(self._on_ruler_menu_wanted)
        view.clip_activated.connect(self.clip_activated)
        view.files_dropped.connect(self.files_dropped)
        self.viewport.ranged.connect(self._on_ranged)
        self.viewport.scrolled.connect(self._on_scrolled)
        self.across.valueChanged.connect(lambda x: self.viewport.scroll_to(x, self.viewport.scroll_y))
        self.along.valueChanged.connect(lambda y: self.viewport.scroll_to(self.viewport.scroll_x, y))
        self.slider.valueChanged.connect(self._on_slider_moved)
        session.snapping_changed.connect(lambda _on: self._show_states())
        view.tool_changed.connect(lambda _tool: self._show_states())
        session.store.changed.connect(lambda old, new: self._on_document(old.sequence is not new.sequence))
        session.store.replaced.connect(lambda _new: self._on_document(True))
        self._show_states()

    # -- providers ---------------------------------------------------------------------------------------------------

    def set_mask_lane(self, provider: Callable[[str], LaneFrames] | None) -> None:
        """``provider(media_id)`` → [(media frame, painted by hand, confidence 0…1)]; None reads the document."""
        self.view.bands.lane_source = provider
        self.view.refresh_lanes()

    def set_job_states(self, provider: Callable[[str], list[JobSpan]] | None) -> None:
        """``provider(clip_id)`` → [(queued | rendering | rendered | failed, start, stop)], sequence frames."""
        self.view.bands.job_states = provider
        self.view.refresh_bands()

    def set_stale(self, provider: Callable[[Clip], bool] | None) -> None:
        """``provider(clip)``: whether its applied take no longer matches what the artist asks for now."""
        self.view.bands.stale = provider
        self.view.refresh_bands()

    def refresh_bands(self, clip_ids: frozenset[str] | None = None) -> None:
        """Ask the providers of bands again: for some clips, or all."""
        self.view.refresh_bands(clip_ids)

    def refresh_lanes(self, media_id: str = "") -> None:
        """Ask for the mask lanes again: of one media, or all."""
        self.view.refresh_lanes(media_id)

    # -- commands ----------------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[[], object]]:
        """The view's own commands by action id; join them with :meth:`TimelineEditing.handlers`."""
        return {
            "timeline.zoom_in": lambda: self.zoom(ZOOM_STEP),
            "timeline.zoom_out": lambda: self.zoom(1 / ZOOM_STEP),
            "timeline.zoom_fit": self.viewport.fit,
            "timeline.toggle_follow": self.toggle_follow,
            "timeline.tool_select": lambda: self.set_tool("select"),
            "timeline.tool_razor": lambda: self.set_tool("razor"),
        }

    def _trigger(self, action_id: str) -> None:
        {**self.editing.handlers(), **self.handlers()}[action_id]()
        self._show_states()

    def zoom(self, factor: float) -> None:
        """Zoom around the playhead when it is in view, else around the middle."""
        x = self.viewport.x(self.session.playhead)
        self.viewport.zoom_by(factor, x if 0 <= x <= self.viewport.width else self.viewport.width / 2)

    def toggle_follow(self) -> None:
        self.set_following(not self.view.following)

    def set_following(self, on: bool) -> None:
        """Scroll with the playhead while playing, or stay."""
        if on != self.view.following:
            self.view.following = on
            self._show_states()
            self.following_changed.emit(on)

    def set_tool(self, tool: str) -> None:
        """``select`` or ``razor``."""
        self.view.set_tool(tool)
        self._show_states()

    @property
    def following(self) -> bool:
        return self.view.following

    def shutdown(self) -> None:
        """Stop the thumbnail and waveform threads. Call before the application ends."""
        self.view.shutdown()

    # -- keeping up --------------------------------------------------------------------------------------------------

    def _show_states(self) -> None:
        self._buttons["timeline.toggle_snapping"].setChecked(self.session.snapping)
        self._buttons["timeline.toggle_follow"].setChecked(self.view.following)
        self._buttons["timeline.tool_select"].setChecked(self.view.tool == "select")
        self._buttons["timeline.tool_razor"].setChecked(self.view.tool == "razor")

    def _on_document(self, sequence_changed: bool) -> None:
        if sequence_changed:
            self.headers.show_layout(self.view.layout_now)
            self._show_facts()

    def _on_layout_changed(self) -> None:
        self.headers.show_layout(self.view.layout_now)

    def _show_facts(self) -> None:
        sequence = self.session.sequence
        self.timecode.show_frame(self.session.playhead)
        if sequence is None:
            self.facts.show_facts()
            return
        length = timecode(sequence.duration, sequence.rate)
        self.facts.show_facts(length, f"{rate_label(sequence.rate)} fps", f"{sequence.width}×{sequence.height}")

    def _on_ranged(self) -> None:
        view = self.viewport
        for bar, top, page, value in (
            (self.across, view.max_x, view.width, view.scroll_x),
            (self.along, view.max_y, view.height, view.scroll_y),
        ):
            blocked = bar.blockSignals(True)
            bar.setRange(0, top)
            bar.setPageStep(page)
            bar.setValue(value)
            bar.blockSignals(blocked)
        self.along.setVisible(view.max_y > 0)
        self.across.setVisible(view.max_x > 0)
        blocked = self.slider.blockSignals(True)
        self.slider.setValue(_slider_of(view.ppf))
        self.slider.blockSignals(blocked)

    def _on_scrolled(self, dx: int, dy: int) -> None:
        for bar, moved, value in ((self.across, dx, self.viewport.scroll_x), (self.along, dy, self.viewport.scroll_y)):
            if moved and bar.value() != value:
                blocked = bar.blockSignals(True)
                bar.setValue(value)
                bar.blockSignals(blocked)

    def _on_slider_moved(self, value: int) -> None:
        self.zoom(_ppf_of(value) / self.viewport.ppf)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._fit_once and self.view.layout_now.duration and self.view.width() > 200:
            self._fit_once = False
            self.viewport.set_size(self.view.width(), self.view.height())
            self.viewport.fit()

    # -- menus -------------------------------------------------------------------------------------------------------

    def _on_menu_wanted(self, hit: Hit, place: QPoint) -> None:
        document = self.session.document
        menu_for(self, self.editing, document, self.view.layout_now, hit, self._rename_clip).popup(place)

    def _rename_clip(self, clip: Clip) -> None:
        name, good = QInputDialog.getText(self, "Rename Clip", "Name:", text=clip.name)
        if good and name.strip():
            self.editing.rename_clip(clip.id, name.strip())

    def _on_ruler_menu_wanted(self, marker_id: str, frame: int, place: QPoint) -> None:
        sequence = self.session.sequence
        if sequence is not None:
            rename = partial(self._on_marker_wanted, marker_id)
            ruler_menu(self, self.editing, sequence, marker_id, frame, rename).popup(place)

    def _on_takes_wanted(self, clip_id: str, place: QPoint) -> None:
        clip = self.session.find_clip(clip_id)
        if clip is not None:
            take_menu(self, self.editing, self.session.document, clip).popup(place)

    def _on_marker_wanted(self, marker_id: str) -> None:
        sequence = self.session.sequence
        marker = next((m for m in sequence.markers if m.id == marker_id), None) if sequence else None
        if marker is None:
            return
        name, good = QInputDialog.getText(self, "Marker", "Name:", text=marker.name)
        if good:
            self.editing.perform("Name Marker", lambda s: edits.edit_marker(s, marker_id, name=name.strip()))


def _slider_of(ppf: float) -> int:
    """Slider position of a zoom: logarithmic."""
    return round(_SLIDER * math.log(ppf / MIN_PPF) / math.log(MAX_PPF / MIN_PPF))


def _ppf_of(value: int) -> float:
    return MIN_PPF * (MAX_PPF / MIN_PPF) ** (value / _SLIDER)
