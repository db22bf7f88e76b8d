"""The painted part of the timeline.

Tracks are painted into a backing picture that is wider than the view and filled ahead while idle: scrolling only shows
another part of it, zooming paints it anew, an edit paints the rows whose track changed. Selection, playhead and
gestures lie over it and cost only the rectangles they touch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.app.trimming import TrimShown
from gen2studio.document.model import Clip, Document, Sequence, Track, TrackKind
from gen2studio.ui import theme
from gen2studio.ui.timeline import handles, tools
from gen2studio.ui.timeline.backing import Backing
from gen2studio.ui.timeline.bands import BAND, BandBook
from gen2studio.ui.timeline.clips import ClipPainter
from gen2studio.ui.timeline.drops import Dropping
from gen2studio.ui.timeline.hands import Hands
from gen2studio.ui.timeline.keyboard import Keyboard
from gen2studio.ui.timeline.labels import EDGE_NAMES
from gen2studio.ui.timeline.layout import Hit, Layout, Row
from gen2studio.ui.timeline.overlay import Overlay, OverlayPainter
from gen2studio.ui.timeline.ruler import Ruler
from gen2studio.ui.timeline.thumbs import Thumbnails
from gen2studio.ui.timeline.viewport import Viewport
from gen2studio.ui.timeline.waveforms import Waveforms

ARRIVAL = 40
"""Milliseconds over which arriving thumbnails and waveforms are gathered into one repaint."""
REST = 80
"""Milliseconds without zooming until what a rough picture leaves out is painted."""
CROWD = 16
"""Clips in view from which the picture is rough while it is zoomed."""
BUDGET = 0.005
"""Seconds of finishing a rough picture at a time."""
AHEAD, PAUSE = 40, 4
"""Milliseconds after zooming or an edit before the view paints what lies beyond its edges; and between two slices."""


class TimelineView(QWidget):
    """Shows the tracks. Also the :class:`pointer.Host` of the gestures that :class:`hands.Hands` runs."""

    menu_wanted = Signal(object, QPoint)
    """(Hit, global position): the context menu of what was hit."""
    takes_wanted = Signal(str, QPoint)
    """(clip id, global position): the take badge was clicked."""
    marker_wanted = Signal(str)
    """Id of a double-clicked marker."""
    clip_activated = Signal(str)
    layout_changed = Signal()
    """Tracks were added, removed, resized or renamed."""
    files_dropped = Signal(list, str, int)
    tool_changed = Signal(str)
    transition_wanted = Signal(str, QPoint)
    """(id of a transition, global position): its options."""
    transition_changed = Signal(str)
    """Id of the chosen transition, or empty."""
    trim_shown = Signal(object)
    """What a drag trims (:class:`gen2studio.app.trimming.TrimShown`); None when it has ended."""
    sequence_shown = Signal(object)
    """What is painted now: the document's sequence, or what a drag would make of it."""

    def __init__(
        self,
        session: Session,
        editing: TimelineEditing,
        viewport: Viewport,
        ruler: Ruler,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("timeline_view")
        self.setAccessibleName("Timeline")
        self.setAccessibleDescription("Clips on tracks. Ctrl+Up and Ctrl+Down select the previous and next clip.")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setMinimumHeight(60)
        self.session, self.editing, self.viewport, self.ruler = session, editing, viewport, ruler
        self.overlay = Overlay()
        self.following = True
        self.tool = "select"
        self.magnetic = False
        self.mix = ""
        """Id of the chosen transition."""
        self.thumbnails = Thumbnails(self)
        self.waveforms = Waveforms(self)
        self.bands = BandBook(lambda: session.document)
        self.painter = ClipPainter(viewport, self.bands, self.thumbnails, self.waveforms, lambda: session.document)
        self._overlay_painter = OverlayPainter(viewport)
        self._preview: Sequence | None = None
        self._trims = False
        self._layout = Layout(session.sequence, None, self._has_lane)
        self._backing = Backing(viewport, lambda painter, area, ratio: self._paint_tracks(painter, area, ratio))
        self._ahead = QTimer(self)
        self._ahead.timeout.connect(self._on_idle)
        self._rest = QTimer(self, interval=REST, singleShot=True)
        self._rest.timeout.connect(self._on_rest)
        self._rough_parts: list[tuple[int, int]] = []
        """(top, foot) of what is still to be finished after zooming, in widget pixels, the topmost last."""
        self.paintings = 0
        """How often the view was painted: measurements make sure that it was."""
        self._playhead = session.playhead
        self._masked = self.bands.media_with_masks()
        self._arrived: set[str] = set()
        self._arrivals = QTimer(self, interval=ARRIVAL, singleShot=True)
        self._arrivals.timeout.connect(self._on_arrivals)
        self._stripes = QTimer(self, interval=120)
        self._stripes.timeout.connect(self._on_stripes)
        self.replace_source: Callable[[str, str], object] | None = None
        """(media id, clip id): puts media that is dropped with Alt under a clip, whose look stays."""
        self._dropping = Dropping(self)
        self.hands = Hands(self)
        self.keys = Keyboard(self)
        self._connect()
        self._relayout()

    def _connect(self) -> None:
        self.session.store.changed.connect(self._on_document_changed)
        self.session.store.replaced.connect(self._on_document_replaced)
        self.session.playhead_changed.connect(self._on_playhead_changed)
        self.session.selection_changed.connect(self._on_selection_changed)
        self.viewport.scrolled.connect(self._on_scrolled)
        self.viewport.zoomed.connect(self._on_zoomed)
        self.thumbnails.arrived.connect(self._on_arrived)
        self.waveforms.arrived.connect(self._on_arrived)

    # -- what is shown -----------------------------------------------------------------------------------------------

    @property
    def layout_now(self) -> Layout:
        return self._layout

    @property
    def sequence(self) -> Sequence | None:
        return self._preview or self.session.sequence

    def _has_lane(self, track: Track) -> bool:
        masked = self.bands.media_with_masks()
        return bool(masked) and track.kind is TrackKind.VIDEO and any(c.media_id in masked for c in track.clips)

    def _relayout(self) -> None:
        before = self._layout
        self._layout = Layout(self.sequence, before, self._has_lane)
        if self._preview is None:
            self.viewport.set_content(self._layout.duration, self._layout.height)
        if not self._layout.same_geometry:
            self._repaint_all()
            self.layout_changed.emit()
        else:
            for index in self._layout.changed:
                self._repaint_row(index)
        self.ruler.show_sequence(self.sequence)
        self.sequence_shown.emit(self.sequence)

    def show_preview(self, sequence: Sequence | None) -> None:
        """Paint ``sequence`` in place of the document's until None is given."""
        if sequence is self.session.sequence:
            sequence = None
        if sequence is not self._preview:
            before = self.sequence
            self._preview = sequence
            if self.sequence is not before:
                self._relayout()
                self.update()

    def tell_trim(self, shown: TrimShown | None) -> None:
        """A drag trims: whoever shows frames beside the cut is told."""
        if shown is not None or self._trims:
            self._trims = shown is not None
            self.trim_shown.emit(shown)

    def show_cut(self, cut: tuple[str, int, str] | None) -> None:
        """Mark the cut that trim mode has in hand; see :attr:`Overlay.cut`."""
        if cut != self.overlay.cut:
            self.overlay.cut = cut
            self.update()

    def show_story(self) -> None:
        """Scroll to where pictures and sound meet, when not all tracks fit: the lowest video track is the story."""
        low = next((row for row in reversed(self._layout.rows) if row.is_video), None)
        if low is not None and self.viewport.max_y:
            self.viewport.scroll_to(self.viewport.scroll_x, low.bottom - self.height() * 0.6)

    def update_overlay(self) -> None:
        self.update()

    def update_row(self, index: int) -> None:
        """What lies over a row changed."""
        if 0 <= index < len(self._layout.rows):
            row = self._layout.rows[index]
            self.update(0, row.top - self.viewport.scroll_y, self.width(), row.height)

    # -- what is chosen ----------------------------------------------------------------------------------------------

    @property
    def levels(self) -> bool:
        """Whether the lines of opacity and volume are shown."""
        return self.painter.shapes.levels

    def show_levels(self, on: bool) -> None:
        if on != self.levels:
            self.painter.shapes.levels = on
            self._repaint_all()

    def choose_mix(self, transition_id: str) -> None:
        """Choose a transition; keys and menus work on it until something else is chosen."""
        if transition_id != self.mix:
            self.mix = transition_id
            if transition_id:
                self.session.set_selection(frozenset())
            self.update()
            self.transition_changed.emit(transition_id)

    def step_take(self, clip: Clip, step: int) -> None:
        """Show the next (+1) or previous (−1) take of a clip, going round through its source."""
        ring = ("", *clip.takes)
        at = ring.index(clip.active_take) if clip.active_take in ring else 0
        self.editing.apply_take(clip.id, ring[(at + step) % len(ring)])

    def refresh_bands(self, clip_ids: frozenset[str] | None = None) -> None:
        """Jobs moved on or takes changed: only clips whose bands are other than before are painted again."""
        sequence = self.session.sequence
        before = self.bands.known()
        self.bands.forget(clip_ids)
        if sequence is None:
            return
        for row in self._layout.rows:
            for clip in row.clips if row.is_video else ():
                if clip_ids is not None and clip.id not in clip_ids:
                    continue
                if before.get(clip.id, ()) != self.bands.bands(clip, sequence):
                    self._repaint_clip(row.index, clip)
        self._animate()

    def refresh_lanes(self, media_id: str = "") -> None:
        """Masks changed."""
        self.bands.forget_lanes(media_id)
        masked = self.bands.media_with_masks()
        if masked != self._masked:
            self._masked = masked
            self._relayout()
        for row in self._layout.rows:
            if row.lane:
                self._repaint_row(row.index)

    def _animate(self) -> None:
        if self.bands.any_rendering != self._stripes.isActive():
            if self.bands.any_rendering:
                self._stripes.start()
            else:
                self._stripes.stop()

    def _on_stripes(self) -> None:
        self.painter.band_painter.phase = (self.painter.band_painter.phase + 2) % 8
        sequence = self.sequence
        if sequence is None or not self.isVisible():
            return
        for row in self._layout.rows:
            if row.is_video:
                i, j = row.visible(self.viewport.frame(0), self.viewport.frame(self.width()))
                for clip in row.clips[i:j]:
                    if any(b.kind == "rendering" for b in self.bands.bands(clip, sequence)):
                        self._repaint_clip(row.index, clip, BAND)

    # -- painting ----------------------------------------------------------------------------------------------------

    def _repaint_all(self) -> None:
        self._backing.forget()
        self._rough_parts.clear()
        self.update()
        self._ahead.start(AHEAD)

    def _repaint_row(self, index: int) -> None:
        row = self._layout.rows[index]
        top = row.top - self.viewport.scroll_y
        self._backing.mark_rows(top, row.height)
        self.update(0, top, self.width(), row.height)
        self._ahead.start(AHEAD)

    def _repaint_clip(self, index: int, clip: Clip, height: int = 0) -> None:
        """Paint a clip again, or only its topmost ``height`` pixels."""
        row = self._layout.rows[index]
        x, stop = self.viewport.x(clip.start), self.viewport.x(clip.end)
        top, scroll = row.top - self.viewport.scroll_y, self.viewport.scroll_x
        height = height or row.height
        self._backing.mark(x + scroll, stop + scroll, top, height)
        self.update(x, top, stop - x, height)
        self._ahead.start(AHEAD)

    def _on_scrolled(self, dx: int, dy: int) -> None:
        kept = self._backing.scrolled(dx, dy)
        if not kept or dy or abs(dx) >= self.width() or self.overlay.active or not self._layout.duration:
            self.update()
        else:
            # What lies over the tracks scrolls with them, except for the names held at the left edge.
            self.scroll(-dx, 0)
            self.update(0, 0, self.painter.labels.reach + abs(dx), self.height())
        if not self._ahead.isActive():
            self._ahead.start(PAUSE)

    def _on_zoomed(self) -> None:
        self.thumbnails.forget_wishes()
        first, last = self.viewport.frame(0), self.viewport.frame(self.width())
        spans = (row.visible(first, last) for row in self._seen_rows())
        self.painter.rough = sum(j - i for i, j in spans) >= CROWD
        self._repaint_all()
        if self.painter.rough:
            self._ahead.stop()
            self._rest.start()

    def _seen_rows(self) -> list[Row]:
        """The rows that are at least partly in view."""
        first, last = self.viewport.scroll_y, self.viewport.scroll_y + self.height()
        return [row for row in self._layout.rows if row.bottom > first and row.top < last]

    def _on_rest(self) -> None:
        self.rest()

    def rest(self) -> None:
        """The zoom has come to rest: finish the picture while idle, a few rows at a time."""
        self._rest.stop()
        if self.painter.rough:
            self.painter.rough = False
            self._backing.begin()
            tops = [row.top - self.viewport.scroll_y for row in self._seen_rows()]
            self._rough_parts = list(zip([0, *tops[1:]], [*tops[1:], self.height()], strict=True))[::-1]
            self._ahead.start(PAUSE)

    @property
    def unfinished(self) -> bool:
        """Whether a rough picture, or a part of one, is shown."""
        return self.painter.rough or bool(self._rough_parts)

    def _finish(self) -> None:
        """Paint some of the rows that are rough; shown at once when all are finished."""
        begun = time.perf_counter()
        while self._rough_parts and time.perf_counter() - begun < BUDGET:
            top, foot = self._rough_parts.pop()
            self._backing.refresh_rows(top, foot - top)
        if not self._rough_parts:
            self.update()

    def _on_idle(self) -> None:
        """Paint ahead, a slice at a time, so that events and repaints come in between."""
        if not self.isVisible() or not self.paint_ahead():
            self._ahead.stop()
        else:
            self._ahead.setInterval(PAUSE)

    def paint_ahead(self) -> bool:
        """Paint one slice of what is rough yet or lies beyond the view's edges; False when all is there."""
        if self.painter.rough:
            return False
        if self._rough_parts:
            self._finish()
            return True
        return self._backing.paint_ahead()

    def _paint_tracks(self, painter: QPainter, area: QRect, ratio: float) -> None:
        lines = self._overlay_painter.marker_lines(self.sequence, area) if self.painter.rough else []
        self.painter.paint(painter, self._layout, area, ratio, lines)

    def paintEvent(self, event: QPaintEvent) -> None:
        self.paintings += 1
        ratio = self.devicePixelRatioF()
        if self._backing.fit(self.width(), self.height(), ratio):
            self.painter.set_font(self.font(), ratio)
        painter = QPainter(self)
        area = event.rect()
        region = event.region()
        rough = self.unfinished
        if rough:
            self._paint_rough(painter, area, ratio)
        else:
            self._backing.refresh()
        parts = [area] if region.rectCount() > 6 else [*region]  # pyright: ignore[reportGeneralTypeIssues]
        for part in () if rough else parts:
            # One blit a rectangle: a blit of the bounding rectangle under a clip of several is far slower.
            self._backing.blit(painter, part)
        if area.left() < EDGE_NAMES:
            self.painter.paint_names_at_edge(painter, self._layout)
        for part in () if rough else parts:
            self._overlay_painter.paint_markers(painter, self.sequence, part)
        self._overlay_painter.paint_range(painter, self.sequence, area)
        self._overlay_painter.paint_hover(painter, self._layout, self.overlay.hover, self.tool)
        if self._preview is None or not self.overlay.refused:
            self._overlay_painter.paint_selection(painter, self._layout, self.session.selection, area)
        self._overlay_painter.paint_mix(painter, self._layout, self.mix)
        self._overlay_painter.paint_gesture(painter, self._layout, self.overlay)
        self._overlay_painter.paint_cut(painter, self._layout, self.overlay)
        self._overlay_painter.paint_playhead(painter, self._playhead)
        self._overlay_painter.paint_hint(painter, self.overlay)
        if not self._layout.duration and not self.overlay.active:
            self._paint_empty(painter)
        if self.hasFocus():
            painter.setPen(theme.colour("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def _paint_rough(self, painter: QPainter, area: QRect, ratio: float) -> None:
        """What will be gone with the next step of a zoom is not kept."""
        zooming, self.painter.rough = self.painter.rough, True
        self._paint_tracks(painter, area, ratio)
        self.painter.rough = zooming

    def _paint_empty(self, painter: QPainter) -> None:
        painter.setPen(theme.colour("text_muted"))
        font = painter.font()
        font.setPointSizeF(font.pointSizeF() + 2)
        painter.setFont(font)
        middle = self.rect()
        painter.drawText(middle.adjusted(0, -14, 0, -14), Qt.AlignmentFlag.AlignCenter, "Drag clips here…")
        font.setPointSizeF(font.pointSizeF() - 2.5)
        painter.setFont(font)
        painter.setPen(theme.colour("text_faint"))
        text = "from the media pool or from your desktop · hold Ctrl to insert between clips"
        painter.drawText(middle.adjusted(0, 26, 0, 26), Qt.AlignmentFlag.AlignCenter, text)

    # -- following the document --------------------------------------------------------------------------------------

    def _on_document_changed(self, old: Document, new: Document) -> None:
        if old.takes is not new.takes or old.media is not new.media:
            self.bands.forget()
            for row in self._layout.rows:
                if row.is_video:
                    self._repaint_row(row.index)
        if old.masks is not new.masks:
            touched = {m.media_id for k, m in new.masks.items() if old.masks.get(k) is not m}
            touched |= {m.media_id for k, m in old.masks.items() if k not in new.masks}
            for media_id in touched:
                self.bands.forget_lanes(media_id)
            self.refresh_lanes(next(iter(touched), ""))
        if old.sequence is not new.sequence:
            empty = not self._layout.duration
            self._relayout()
            if empty and self._layout.duration:
                self.viewport.fit()
                self.show_story()
            self.update()

    def _on_document_replaced(self, _new: Document) -> None:
        self.cancel_gesture()
        self._preview = None
        self.bands.forget()
        self.bands.forget_lanes()
        self._relayout()
        self._repaint_all()
        self.viewport.fit()
        self.show_story()

    def _on_playhead_changed(self, frame: int) -> None:
        for f in (self._playhead, frame):
            self.update(self.viewport.x(f) - 1, 0, 4, self.height())
        self._playhead = frame
        self.ruler.show_playhead(frame)
        if not self.gesturing:
            if self.session.shuttle == 0.0:
                self.viewport.reveal(frame)
            elif self.following:
                self.viewport.turn_page(frame)

    def _on_selection_changed(self, chosen: frozenset[str]) -> None:
        if chosen:
            self.choose_mix("")
        self.update()

    def _on_arrived(self, path: str) -> None:
        self._arrived.add(path)
        if not self._arrivals.isActive():
            self._arrivals.start()

    def _on_arrivals(self) -> None:
        document = self.session.document
        media = {key for key, item in document.media.items() if item.path in self._arrived}
        media |= {found for name in self._arrived if (found := self.thumbnails.media_of(name))}
        # Frames of takes lie in a folder of the take's name.
        shown = (document.takes.get(Path(path).parent.name) for path in self._arrived)
        media |= {take.media_id for take in shown if take is not None}
        self._arrived.clear()
        for row in self._layout.rows:
            i, j = row.visible(self.viewport.frame(0), self.viewport.frame(self.width()))
            if any(c.media_id in media for c in row.clips[i:j]):
                self._repaint_row(row.index)

    # -- gestures ----------------------------------------------------------------------------------------------------

    @property
    def gesturing(self) -> bool:
        return self.hands.gesturing

    def cancel_gesture(self) -> None:
        """Give up the gesture in hand; the document stays as it was."""
        self.hands.cancel()

    def hit_at(self, x: float, y: float) -> Hit:
        """What is under widget pixel (``x``, ``y``)."""
        x, y = x + self.viewport.scroll_x, y + self.viewport.scroll_y
        found = handles.hit(self._layout, x, y, self.viewport.ppf, self.levels)
        return found or self._layout.hit(x, y, self.viewport.ppf)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.hands.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.hands.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.hands.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.hands.double_click(event)

    def leaveEvent(self, _event: QEvent) -> None:
        self.hands.leave()

    def set_tool(self, tool: str) -> None:
        """One of :data:`tools.TOOLS`."""
        self.cancel_gesture()
        self.tool = tool
        self.overlay.clear()
        self.setCursor(tools.cursor(tool))
        self.update()
        self.tool_changed.emit(tool)

    def wheelEvent(self, event: QWheelEvent) -> None:
        delta = event.angleDelta()
        pixels = event.pixelDelta()
        modifiers = event.modifiers()
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            turn = delta.y() or delta.x()
            self.viewport.zoom_by(1.2 ** (turn / 120.0), event.position().x())
        else:
            dx, dy = (pixels.x(), pixels.y()) if not pixels.isNull() else (delta.x() * 0.8, delta.y() * 0.8)
            sideways = bool(modifiers & Qt.KeyboardModifier.ShiftModifier) or self.viewport.max_y == 0
            if sideways and not dx:
                dx, dy = dy, 0
            self.viewport.scroll_to(self.viewport.scroll_x - dx, self.viewport.scroll_y - dy)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.keys.press(event):
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if self.keys.takes(event):
                event.accept()
                return True
        elif event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            self.hands.tell(event)
            return True
        return super().event(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() is QContextMenuEvent.Reason.Keyboard:
            self.keys.open_menu()
        else:
            self.hands.context(event)

    # -- drops -------------------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self._dropping.enter(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self._dropping.move(event)

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self._dropping.leave()

    def dropEvent(self, event: QDropEvent) -> None:
        self._dropping.drop(event)

    # -- frame of the widget -----------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.viewport.set_size(self.width(), self.height())
        super().resizeEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def shutdown(self) -> None:
        """Stop timers and threads."""
        self.hands.stop()
        for timer in (self._arrivals, self._stripes, self._ahead, self._rest):
            timer.stop()
        self.thumbnails.stop()
        self.waveforms.stop()
