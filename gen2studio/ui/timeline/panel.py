"""The timeline panel: tool strip, open timelines, subtitles, track headers, the painted view, overview and zoom."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QInputDialog, QMenu, QScrollBar, QVBoxLayout, QWidget

from gen2studio.app import magnetic
from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.core.time import rate_label, timecode
from gen2studio.document import edits
from gen2studio.document.composition import TransitionKind
from gen2studio.document.model import Clip, Sequence
from gen2studio.ui.timeline.bands import JobSpan, LaneFrames
from gen2studio.ui.timeline.caption_header import CaptionHeader
from gen2studio.ui.timeline.captions import CaptionLane
from gen2studio.ui.timeline.headers import HEIGHTS, WIDTH, HeaderColumn, set_heights
from gen2studio.ui.timeline.layout import Hit
from gen2studio.ui.timeline.menus import menu_for, ruler_menu, take_menu
from gen2studio.ui.timeline.overview import Overview
from gen2studio.ui.timeline.ruler import Ruler
from gen2studio.ui.timeline.sequence_tabs import SequenceTabs
from gen2studio.ui.timeline.shapes import TRANSITION_NAMES
from gen2studio.ui.timeline.strip import SLIDER, ToolStrip
from gen2studio.ui.timeline.tools import TOOLS
from gen2studio.ui.timeline.view import TimelineView
from gen2studio.ui.timeline.viewport import MAX_PPF, MIN_PPF, Viewport

ZOOM_STEP = 1.25
_HEIGHTS = ("small", "medium", "large")

CAPTION_LANES = CAPTIONS_AUTO, CAPTIONS_SHOWN, CAPTIONS_HIDDEN = "auto", "shown", "hidden"
"""When the lane of subtitles is there: while there are some, always, never."""


class TimelinePanel(QWidget):
    """Shows the active sequence of ``session`` and turns gestures into edits through ``editing``."""

    files_dropped = Signal(list, str, int)
    """(paths, track id or "", sequence frame): files from the desktop; the owner imports and places them."""
    following_changed = Signal(bool)
    """Whether the timeline scrolls with the playhead while playing."""
    switched = Signal()
    """A tool or a switch changed; :meth:`states` tells how they are."""
    clip_activated = Signal(str)
    """A clip was double-clicked: show its look."""

    def __init__(self, session: Session, editing: TimelineEditing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("timeline_panel")
        self.setAccessibleName("Timeline panel")
        self.session, self.editing = session, editing
        self.viewport = Viewport(self)
        self.ruler = Ruler(self.viewport, self)
        self.add_to_menu: Callable[[QMenu, Hit], None] | None = None
        """Adds to the menu of what was clicked before it is shown."""
        self.view = TimelineView(session, editing, self.viewport, self.ruler, self)
        self.headers = HeaderColumn(session, editing, self.viewport, self)
        self.captions = CaptionLane(self.view, self.view.hands, editing, self.viewport, self)
        self.overview = Overview(session, self.viewport, self)
        self.tabs = SequenceTabs(session, editing, self)
        self.across = QScrollBar(Qt.Orientation.Horizontal, self)
        self.along = QScrollBar(Qt.Orientation.Vertical, self)
        self.strip = ToolStrip(session, self._trigger, self)
        self.timecode, self.facts, self.slider = self.strip.timecode, self.strip.facts, self.strip.slider
        self._fit_once = True
        self._caption_lane = CAPTIONS_AUTO
        self._build()
        self._connect()
        self.headers.show_layout(self.view.layout_now)
        self.overview.show_layout(self.view.layout_now)
        self._show_captions()
        self._on_ranged()
        self._show_facts()

    # -- building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
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
            policy.setRetainSizeWhenHidden(False)
            bar.setSizePolicy(policy)
        self.across.setObjectName("timeline_scroll_x")
        self.along.setObjectName("timeline_scroll_y")
        corner = QWidget(self)
        corner.setFixedSize(WIDTH, self.ruler.height())
        corner.setObjectName("timeline_corner")
        self.caption_header = CaptionHeader(self.session, self.editing, self.captions, self)
        foot = QWidget(self)
        foot.setObjectName("timeline_foot")
        foot.setFixedWidth(WIDTH)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(0)
        grid.addWidget(corner, 0, 0)
        grid.addWidget(self.ruler, 0, 1)
        grid.addWidget(self.caption_header, 1, 0)
        grid.addWidget(self.captions, 1, 1)
        grid.addWidget(self.headers, 2, 0)
        grid.addWidget(self.view, 2, 1)
        grid.addWidget(self.along, 2, 2)
        grid.addWidget(foot, 3, 0)
        grid.addWidget(self.overview, 3, 1)
        grid.addWidget(self.across, 4, 1)
        grid.setColumnStretch(1, 1)
        grid.setRowStretch(2, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.strip)
        whole.addWidget(self.tabs)
        whole.addLayout(grid, 1)
        self.setFocusProxy(self.view)

    def _connect(self) -> None:
        view, session = self.view, self.session
        view.layout_changed.connect(self._on_layout_changed)
        view.menu_wanted.connect(self._on_menu_wanted)
        view.takes_wanted.connect(self._on_takes_wanted)
        view.marker_wanted.connect(self._on_marker_wanted)
        self.ruler.menu_wanted.connect(self._on_ruler_menu_wanted)
        view.clip_activated.connect(self._on_clip_activated)
        view.transition_wanted.connect(self.show_transition)
        view.sequence_shown.connect(self._on_sequence_shown)
        self.captions.wheel_turned.connect(view.wheelEvent)
        self.captions.chosen_changed.connect(self._on_captions_chosen)
        session.selection_changed.connect(self._on_selection_changed)
        self.strip.transitions.clicked.connect(self._on_transitions_wanted)
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

    def set_stale_runs(self, provider: Callable[[Clip], tuple[tuple[int, int], ...]] | None) -> None:
        """``provider(clip)``: the media frames [start, stop) of its applied take that are stale."""
        self.view.bands.stale_runs = provider
        self.view.refresh_bands()

    def refresh_bands(self, clip_ids: frozenset[str] | None = None) -> None:
        """Ask the providers of bands again: for some clips, or all."""
        self.view.refresh_bands(clip_ids)

    def refresh_lanes(self, media_id: str = "") -> None:
        """Ask for the mask lanes again: of one media, or all."""
        self.view.refresh_lanes(media_id)

    def set_render_bands(self, provider: Callable[[], list[JobSpan]] | None) -> None:
        """``provider()`` → [(rendered | stale | queued | rendering | missing, start, stop)] in sequence frames: which
        spans of the whole picture are rendered ahead. They are drawn along the foot of the ruler."""
        self.ruler.render_bands = provider
        self.refresh_render_bands()

    def refresh_render_bands(self) -> None:
        """Ask the provider of render bands again."""
        self.ruler.refresh_bands()

    # -- commands ----------------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[[], object]]:
        """The view's own commands by action id; join them with :meth:`TimelineEditing.handlers`, behind which they
        stand: deleting works on what is chosen here, and closes up on a magnetic timeline."""
        return {
            "timeline.zoom_in": lambda: self.zoom(ZOOM_STEP),
            "timeline.zoom_out": lambda: self.zoom(1 / ZOOM_STEP),
            "timeline.zoom_fit": self.viewport.fit,
            "timeline.zoom_selection": self.zoom_to_selection,
            "timeline.toggle_follow": self.toggle_follow,
            "timeline.toggle_magnetic": lambda: self.set_magnetic(not self.view.magnetic),
            "timeline.toggle_levels": lambda: self.show_levels(not self.view.levels),
            "timeline.toggle_captions": lambda: self.show_captions(not self.captions.isVisibleTo(self)),
            "timeline.toggle_minimap": lambda: self.show_overview(not self.overview.isVisibleTo(self)),
            "timeline.open_nested": self.open_nested,
            "timeline.close_nested": self.tabs.close_nested,
            "timeline.lift": self.delete,
            **{tool.action: partial(self.set_tool, tool.name) for tool in TOOLS},
            **{f"timeline.tracks_{n}": partial(set_heights, self.editing, HEIGHTS[n.title()]) for n in _HEIGHTS},
        }

    def _trigger(self, action_id: str) -> None:
        {**self.editing.handlers(), **self.handlers()}[action_id]()
        self._show_states()

    def delete(self) -> bool:
        """Delete what is chosen: a transition, subtitles, or clips; those leave a gap unless the timeline is
        magnetic."""
        mix, captions = self.view.mix, self.captions.chosen
        if mix:
            return self.editing.perform("Remove Transition", lambda s: edits.remove_transitions(s, [mix]))
        if captions and not self.session.selection:
            return self.captions.delete()
        sequence, chosen = self.session.sequence, self.session.selection
        if self.view.magnetic and sequence is not None and magnetic.on_main(sequence, chosen):
            return self.editing.perform("Delete and Close Up", lambda s: magnetic.deleted(s, chosen))
        return self.editing.lift()

    def zoom(self, factor: float) -> None:
        """Zoom around the playhead when it is in view, else around the middle."""
        x = self.viewport.x(self.session.playhead)
        self.viewport.zoom_by(factor, x if 0 <= x <= self.viewport.width else self.viewport.width / 2)

    def zoom_to_selection(self) -> None:
        """Fill the view with the selected clips, else with the in/out range."""
        clips = self.editing.selected_clips()
        sequence = self.session.sequence
        if clips:
            self.viewport.show_span(min(c.start for c in clips), max(c.end for c in clips))
        elif sequence is not None and (sequence.in_point is not None or sequence.out_point is not None):
            stop = sequence.duration if sequence.out_point is None else sequence.out_point
            self.viewport.show_span(sequence.in_point or 0, stop)
        else:
            self.session.tell("Select clips or set in and out first.", "info")

    def toggle_follow(self) -> None:
        self.set_following(not self.view.following)

    def set_following(self, on: bool) -> None:
        """Scroll with the playhead while playing, or stay."""
        if on != self.view.following:
            self.view.following = on
            self._show_states()
            self.following_changed.emit(on)

    def set_magnetic(self, on: bool) -> None:
        """Keep the main track without gaps from now on; those that are there are closed."""
        if on != self.view.magnetic:
            self.view.magnetic = on
            if on and self.session.sequence is not None:
                self.editing.perform("Close Gaps", magnetic.packed)
            self._show_states()

    def show_levels(self, on: bool) -> None:
        """Show the lines of opacity and volume."""
        self.view.show_levels(on)
        self._show_states()

    def show_captions(self, on: bool) -> None:
        """Show the lane of subtitles, also when there are none yet; or hide it, also when there are some."""
        if on != self.captions.isVisibleTo(self):
            # What the lane would do by itself needs no keeping: it goes on following the subtitles.
            by_itself = on == self._has_subtitles()
            self._caption_lane = CAPTIONS_AUTO if by_itself else CAPTIONS_SHOWN if on else CAPTIONS_HIDDEN
            self._show_captions()

    @property
    def caption_lane(self) -> str:
        """``auto`` (there while there are subtitles), ``shown`` or ``hidden``."""
        return self._caption_lane

    def restore_switches(self, on: Mapping[str, bool], caption_lane: str) -> None:
        """Set checkable commands as an earlier session left them; nothing in the document changes.

        ``on`` is by command, as :meth:`states` tells it; ``caption_lane`` one of :data:`CAPTION_LANES`.
        """
        # Gaps of a project that is open already stay until its artist edits.
        self.view.magnetic = on.get("timeline.toggle_magnetic", self.view.magnetic)
        self.view.show_levels(on.get("timeline.toggle_levels", self.view.levels))
        self._caption_lane = caption_lane
        self._show_captions()
        self.show_overview(on.get("timeline.toggle_minimap", self.overview.isVisibleTo(self)))

    def show_overview(self, on: bool) -> None:
        """Show the overview in place of the scroll bar."""
        self.overview.setVisible(on)
        self.overview.show_layout(self.view.layout_now)
        self._on_ranged()
        self._show_states()

    def set_tool(self, tool: str) -> None:
        """One of :data:`tools.TOOLS`."""
        self.view.set_tool(tool)
        self._show_states()

    def open_nested(self) -> bool:
        """Open the timeline that the selected clip stands for."""
        media = self.session.document.media
        for clip in self.editing.selected_clips() or self.editing.clips_under_playhead():
            item = media.get(clip.media_id)
            if item is not None and item.nested:
                self.tabs.open(item.nested, nested=True)
                return True
        self.session.tell("The selected clip is no nested timeline.", "info")
        return False

    def _on_clip_activated(self, clip_id: str) -> None:
        clip = self.session.find_clip(clip_id)
        item = self.session.document.media.get(clip.media_id) if clip is not None else None
        if item is not None and item.nested:
            self.tabs.open(item.nested, nested=True)
        else:
            self.clip_activated.emit(clip_id)

    @property
    def following(self) -> bool:
        return self.view.following

    def shutdown(self) -> None:
        """Stop the thumbnail and waveform threads. Call before the application ends."""
        self.overview.stop()
        self.view.shutdown()

    # -- keeping up --------------------------------------------------------------------------------------------------

    def _show_states(self) -> None:
        show = self.strip.show_state
        show("timeline.toggle_snapping", self.session.snapping)
        show("timeline.toggle_follow", self.view.following)
        show("timeline.toggle_magnetic", self.view.magnetic)
        show("timeline.toggle_levels", self.view.levels)
        show("timeline.toggle_captions", self.captions.isVisibleTo(self))
        for tool in TOOLS:
            show(tool.action, self.view.tool == tool.name)
        self.switched.emit()

    def states(self) -> dict[str, bool]:
        """Checkable command → whether it is on, for menus that show it too."""
        return {
            "timeline.toggle_magnetic": self.view.magnetic,
            "timeline.toggle_levels": self.view.levels,
            "timeline.toggle_captions": self.captions.isVisibleTo(self),
            "timeline.toggle_minimap": self.overview.isVisibleTo(self),
        }

    def switches(self) -> dict[str, Callable[[bool], None]]:
        """Checkable command → what sets it."""
        return {
            "timeline.toggle_magnetic": self.set_magnetic,
            "timeline.toggle_levels": self.show_levels,
            "timeline.toggle_captions": self.show_captions,
            "timeline.toggle_minimap": self.show_overview,
        }

    def _on_document(self, sequence_changed: bool) -> None:
        if sequence_changed:
            self.headers.show_layout(self.view.layout_now)
            self.overview.show_layout(self.view.layout_now)
            self._show_captions()
            self._show_facts()

    def _on_sequence_shown(self, sequence: Sequence | None) -> None:
        self.captions.show_sequence(sequence)

    def _has_subtitles(self) -> bool:
        sequence = self.session.sequence
        return sequence is not None and bool(sequence.subtitles)

    def _show_captions(self) -> None:
        """The lane is there while there are subtitles, unless it was switched on or off."""
        sequence = self.session.sequence
        on = self._has_subtitles() if self._caption_lane == CAPTIONS_AUTO else self._caption_lane == CAPTIONS_SHOWN
        if on != self.captions.isVisibleTo(self):
            self.captions.setVisible(on)
            self.caption_header.setVisible(on)
        self.captions.show_sequence(self.view.sequence)
        self.caption_header.show_sequence(sequence)
        self._show_states()

    def _on_captions_chosen(self, ids: frozenset[str]) -> None:
        if ids:
            self.view.choose_mix("")

    def _on_selection_changed(self, chosen: frozenset[str]) -> None:
        if chosen:
            self.captions.choose(frozenset())

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
        self.across.setVisible(view.max_x > 0 and not self.overview.isVisibleTo(self))
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
            self.view.show_story()

    # -- menus -------------------------------------------------------------------------------------------------------

    def _on_menu_wanted(self, hit: Hit, place: QPoint) -> None:
        document = self.session.document
        menu = menu_for(
            self,
            self.editing,
            document,
            self.view.layout_now,
            hit,
            self._rename_clip,
            lambda transition_id: self.show_transition(transition_id, place),
            self.join,
        )
        if self.add_to_menu is not None:
            self.add_to_menu(menu, hit)
        menu.popup(place)

    def show_transition(self, transition_id: str, place: QPoint) -> None:
        """The options of a transition at ``place`` (global)."""
        from gen2studio.ui.timeline.transition_options import TransitionOptions

        TransitionOptions(self.session, self.editing, transition_id, self).open_at(place)

    def _on_transitions_wanted(self) -> None:
        from gen2studio.ui.timeline.transition_list import TransitionList

        button = self.strip.transitions
        TransitionList(self).open_at(button.mapToGlobal(QPoint(0, button.height())))

    def join_nearest_cut(self, kind: TransitionKind) -> bool:
        """Put a transition on the cut nearest to the playhead: on the target track, else of the selected clip."""
        row = self.view.layout_now.row_of_track(self.session.track)
        chosen = self.session.selection
        cuts = [
            (abs(one.end - self.session.playhead), one.id, two.id)
            for line in ([row] if row is not None and not chosen else self.view.layout_now.rows)
            for one, two in zip(line.clips, line.clips[1:], strict=False)
            if one.end == two.start and (not chosen or one.id in chosen or two.id in chosen)
        ]
        if not cuts:
            self.session.tell("There is no cut between two clips that touch. Select a clip beside one.", "info")
            return False
        _, left, right = min(cuts)
        return self.join(left, right, kind)

    def join(self, left: str, right: str, kind: TransitionKind) -> bool:
        """Put a transition of the usual length on a cut."""
        media = self.session.document.media
        name = TRANSITION_NAMES[kind]
        return self.editing.perform(
            f"Add {name}", lambda s: edits.add_transition(s, left, right, media, kind=kind).sequence
        )

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
    return round(SLIDER * math.log(ppf / MIN_PPF) / math.log(MAX_PPF / MIN_PPF))


def _ppf_of(value: int) -> float:
    return MIN_PPF * (MAX_PPF / MIN_PPF) ** (value / SLIDER)
