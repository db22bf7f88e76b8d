"""The painted part of the timeline.

Tracks are painted into a backing picture that is wider than the view and filled ahead while idle: scrolling only shows
another part of it, zooming paints it anew, an edit paints the rows whose track changed. Selection, playhead and
gestures lie over it and cost only the rectangles they touch.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.document import edits
from gen2studio.document.model import Clip, Document, Sequence, Track, TrackKind
from gen2studio.ui import theme
from gen2studio.ui.timeline import gestures
from gen2studio.ui.timeline.backing import Backing
from gen2studio.ui.timeline.bands import BAND, BandBook
from gen2studio.ui.timeline.clips import EDGE_NAMES, ClipPainter
from gen2studio.ui.timeline.drops import Dropping
from gen2studio.ui.timeline.gestures import Gesture, Phase, Pointer
from gen2studio.ui.timeline.layout import Hit, Layout, Zone, snap_targets
from gen2studio.ui.timeline.overlay import Overlay, OverlayPainter
from gen2studio.ui.timeline.ruler import Ruler
from gen2studio.ui.timeline.thumbs import Thumbnails
from gen2studio.ui.timeline.viewport import Viewport
from gen2studio.ui.timeline.waveforms import Waveforms

_CURSORS = {
    Zone.HEAD: Qt.CursorShape.SizeHorCursor,
    Zone.TAIL: Qt.CursorShape.SizeHorCursor,
    Zone.CUT: Qt.CursorShape.SplitHCursor,
    Zone.BADGE: Qt.CursorShape.PointingHandCursor,
}
ARRIVAL = 40
"""Milliseconds over which arriving thumbnails and waveforms are gathered into one repaint."""
AHEAD, PAUSE = 40, 4
"""Milliseconds after zooming or an edit before the view paints what lies beyond its edges; and between two slices."""


class TimelineView(QWidget):
    """Shows the tracks and runs the gestures. Also a :class:`gestures.Host`."""

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
        self.thumbnails = Thumbnails(self)
        self.waveforms = Waveforms(self)
        self.bands = BandBook(lambda: session.document)
        self.painter = ClipPainter(viewport, self.bands, self.thumbnails, self.waveforms, lambda: session.document)
        self._overlay_painter = OverlayPainter(viewport)
        self._dropping = Dropping(self)
        self._preview: Sequence | None = None
        self._layout = Layout(session.sequence, None, self._has_lane)
        self._backing = Backing(viewport, lambda painter, area, ratio: self._paint_tracks(painter, area, ratio))
        self._ahead = QTimer(self)
        self._ahead.timeout.connect(self._on_idle)
        self.paintings = 0
        """How often the view was painted: measurements make sure that it was."""
        self._playhead = session.playhead
        self._gesture: Gesture | None = None
        self._last_pointer: Pointer | None = None
        self._hover: tuple[int, int] | None = None
        self._masked = self.bands.media_with_masks()
        self._arrived: set[str] = set()
        self._arrivals = QTimer(self, interval=ARRIVAL, singleShot=True)
        self._arrivals.timeout.connect(self._on_arrivals)
        self._autoscroll = QTimer(self, interval=30)
        self._autoscroll.timeout.connect(self._on_autoscroll)
        self._stripes = QTimer(self, interval=120)
        self._stripes.timeout.connect(self._on_stripes)
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
        self.ruler.pressed.connect(self._on_ruler_pressed)
        self.ruler.moved.connect(self._on_ruler_moved)
        self.ruler.released.connect(lambda event: self._feed(self._pointer(event, Phase.RELEASE, self.ruler)))
        self.ruler.double_clicked.connect(self._on_ruler_double_clicked)
        self.ruler.wheel_turned.connect(self.wheelEvent)
        self.ruler.menu_wanted.connect(self.cancel_gesture)

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

    def update_overlay(self) -> None:
        self.update()

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
            self.update(0, 0, EDGE_NAMES + abs(dx), self.height())
        if not self._ahead.isActive():
            self._ahead.start(PAUSE)

    def _on_zoomed(self) -> None:
        self.thumbnails.forget_wishes()
        self._repaint_all()

    def _on_idle(self) -> None:
        """Paint ahead, a slice at a time, so that events and repaints come in between."""
        if not self.isVisible() or not self.paint_ahead():
            self._ahead.stop()
        else:
            self._ahead.setInterval(PAUSE)

    def paint_ahead(self) -> bool:
        """Paint one slice of what lies beyond the view's edges; False when all is there."""
        return self._backing.paint_ahead()

    def _paint_tracks(self, painter: QPainter, area: QRect, ratio: float) -> None:
        self.painter.paint(painter, self._layout, area, ratio)

    def paintEvent(self, event: QPaintEvent) -> None:
        self.paintings += 1
        ratio = self.devicePixelRatioF()
        if self._backing.fit(self.width(), self.height(), ratio):
            self.painter.set_font(self.font(), ratio)
        self._backing.refresh()
        painter = QPainter(self)
        area = event.rect()
        region = event.region()
        for part in [area] if region.rectCount() > 6 else [*region]:  # pyright: ignore[reportGeneralTypeIssues]
            # One blit a rectangle: a blit of the bounding rectangle under a clip of several is far slower.
            self._backing.blit(painter, part)
        if area.left() < EDGE_NAMES:
            self.painter.paint_names_at_edge(painter, self._layout)
        self._overlay_painter.paint_range(painter, self.sequence, area)
        if self._preview is None or not self.overlay.refused:
            self._overlay_painter.paint_selection(painter, self._layout, self.session.selection, area)
        self._overlay_painter.paint_gesture(painter, self._layout, self.overlay)
        self._overlay_painter.paint_playhead(painter, self._playhead)
        self._overlay_painter.paint_hint(painter, self.overlay)
        if not self._layout.duration and not self.overlay.active:
            self._paint_empty(painter)
        if self.hasFocus():
            painter.fillRect(0, self.height() - 1, self.width(), 1, theme.colour("accent"))
        painter.end()

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
            self.update()

    def _on_document_replaced(self, _new: Document) -> None:
        self.cancel_gesture()
        self._preview = None
        self.bands.forget()
        self.bands.forget_lanes()
        self._relayout()
        self._repaint_all()
        self.viewport.fit()

    def _on_playhead_changed(self, frame: int) -> None:
        for f in (self._playhead, frame):
            self.update(self.viewport.x(f) - 1, 0, 4, self.height())
        self._playhead = frame
        self.ruler.show_playhead(frame)
        if self._gesture is None:
            if self.session.shuttle == 0.0:
                self.viewport.reveal(frame)
            elif self.following:
                self.viewport.turn_page(frame)

    def _on_selection_changed(self, _chosen: frozenset[str]) -> None:
        self.update()

    def _on_arrived(self, path: str) -> None:
        self._arrived.add(path)
        if not self._arrivals.isActive():
            self._arrivals.start()

    def _on_arrivals(self) -> None:
        document = self.session.document
        media = {key for key, item in document.media.items() if item.path in self._arrived}
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
        return self._gesture is not None

    def cancel_gesture(self) -> None:
        """Give up the gesture in hand; the document stays as it was."""
        if self._gesture is not None:
            gesture, self._gesture = self._gesture, None
            self._autoscroll.stop()
            gesture.close()

    def _begin(self, gesture: Gesture) -> None:
        self.cancel_gesture()
        self._hover = None
        try:
            next(gesture)
        except StopIteration:
            return
        self._gesture = gesture

    def _feed(self, pointer: Pointer) -> None:
        if self._gesture is None:
            return
        self._last_pointer = pointer
        gesture = self._gesture
        if pointer.phase is Phase.RELEASE:
            self._gesture = None
            self._autoscroll.stop()
        try:
            gesture.send(pointer)
        except StopIteration:
            if self._gesture is gesture:
                self._gesture = None
        if self._gesture is not None:
            outside = pointer.x < 0 or pointer.x > self.width()
            if outside and not self._autoscroll.isActive():
                self._autoscroll.start()
            elif not outside:
                self._autoscroll.stop()

    def _on_autoscroll(self) -> None:
        pointer = self._last_pointer
        if pointer is None or self._gesture is None:
            self._autoscroll.stop()
            return
        beyond = pointer.x if pointer.x < 0 else pointer.x - self.width()
        self.viewport.scroll_to(self.viewport.scroll_x + beyond / 3, self.viewport.scroll_y)
        self._feed(pointer)

    def _pointer(self, event: QMouseEvent, phase: Phase, source: QWidget | None = None) -> Pointer:
        place = event.position()
        shift = 0.0 if source is None else -float(source.height())
        return Pointer(phase, place.x(), place.y() + shift, event.modifiers())

    def hit_at(self, x: float, y: float) -> Hit:
        """What is under widget pixel (``x``, ``y``)."""
        return self._layout.hit(x + self.viewport.scroll_x, y + self.viewport.scroll_y, self.viewport.ppf)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        pointer = self._pointer(event, Phase.PRESS)
        hit = self.hit_at(pointer.x, pointer.y)
        clip = hit.clip
        locked = hit.row >= 0 and self._layout.rows[hit.row].track.locked
        if hit.row >= 0 and not locked:
            self.session.set_track(self._layout.rows[hit.row].track.id)
        if clip is None or locked:
            if locked and clip is not None:
                self.session.tell(f"{self._layout.rows[hit.row].track.name} is locked.", "info")
            self._begin(gestures.rubber_band(self, pointer))
        elif self.tool == "razor":
            self._begin(gestures.razor_click(self, pointer, clip))
        elif hit.zone is Zone.BADGE:
            gestures.choose(self, clip, pointer)
            self.takes_wanted.emit(clip.id, event.globalPosition().toPoint())
        elif hit.zone is Zone.CUT and hit.neighbour is not None:
            self._begin(gestures.roll_cut(self, pointer, clip, hit.neighbour))
        elif hit.zone is Zone.HEAD:
            self._begin(gestures.trim_edge(self, pointer, clip, edits.Edge.HEAD))
        elif hit.zone is Zone.TAIL:
            self._begin(gestures.trim_edge(self, pointer, clip, edits.Edge.TAIL))
        elif pointer.alt:
            inner = gestures.slide_clip if pointer.ctrl else gestures.slip_clip
            self._begin(inner(self, pointer, clip))
        else:
            self._begin(gestures.move_clips(self, pointer, clip))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        pointer = self._pointer(event, Phase.MOVE)
        if self._gesture is not None:
            self._feed(pointer)
            return
        hit = self.hit_at(pointer.x, pointer.y)
        if self.tool == "razor":
            self.setCursor(Qt.CursorShape.CrossCursor)
            self._show_razor(hit, pointer)
            return
        locked = hit.row >= 0 and self._layout.rows[hit.row].track.locked
        shape = Qt.CursorShape.ArrowCursor if locked else _CURSORS.get(hit.zone, Qt.CursorShape.ArrowCursor)
        if locked and hit.clip is not None:
            shape = Qt.CursorShape.ForbiddenCursor
        elif pointer.alt and hit.zone is Zone.BODY:
            shape = Qt.CursorShape.SizeHorCursor
        if self.cursor().shape() is not shape:
            self.setCursor(shape)

    def _show_razor(self, hit: Hit, pointer: Pointer) -> None:
        wanted = None
        if hit.clip is not None or pointer.shift:
            targets = snap_targets(Layout(None), self.session.playhead)
            plain = Pointer(pointer.phase, pointer.x, pointer.y, Qt.KeyboardModifier.NoModifier)
            frame = gestures.razor_frame(self, plain, targets)
            wanted = (-1 if pointer.shift else hit.row, frame)
        if wanted != self.overlay.razor:
            self.overlay.razor = wanted
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._feed(self._pointer(event, Phase.RELEASE))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        hit = self.hit_at(event.position().x(), event.position().y())
        if event.button() is Qt.MouseButton.LeftButton and hit.clip is not None and self.tool == "select":
            self.clip_activated.emit(hit.clip.id)

    def leaveEvent(self, _event: QEvent) -> None:
        if self._gesture is None and self.overlay.razor is not None:
            self.overlay.razor = None
            self.overlay.snap = None
            self.update()

    def set_tool(self, tool: str) -> None:
        """``select`` or ``razor``."""
        self.cancel_gesture()
        self.tool = tool
        self.overlay.clear()
        self.setCursor(Qt.CursorShape.CrossCursor if tool == "razor" else Qt.CursorShape.ArrowCursor)
        self.update()
        self.tool_changed.emit(tool)

    # -- ruler -------------------------------------------------------------------------------------------------------

    def _on_ruler_pressed(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        pointer = self._pointer(event, Phase.PRESS, self.ruler)
        place = event.position()
        edge = self.ruler.range_edge_at(place.x(), place.y())
        marker = self.ruler.marker_at(place.x(), place.y())
        if edge:
            self._begin(gestures.drag_range(self, pointer, edge))
        elif marker is not None:
            self._begin(gestures.drag_marker(self, pointer, marker))
        else:
            self._begin(gestures.scrub(self, pointer))

    def _on_ruler_moved(self, event: QMouseEvent) -> None:
        if self._gesture is not None:
            self._feed(self._pointer(event, Phase.MOVE, self.ruler))
            return
        place = event.position()
        marker = self.ruler.marker_at(place.x(), place.y())
        grab = marker is not None or bool(self.ruler.range_edge_at(place.x(), place.y()))
        self.ruler.setCursor(Qt.CursorShape.SizeHorCursor if grab else Qt.CursorShape.ArrowCursor)
        if marker is not None and (marker.name or marker.note):
            text = "\n".join(t for t in (marker.name, marker.note) if t)
            QToolTip.showText(event.globalPosition().toPoint(), text, self.ruler)

    def _on_ruler_double_clicked(self, event: QMouseEvent) -> None:
        marker = self.ruler.marker_at(event.position().x(), event.position().y())
        if marker is not None:
            self.marker_wanted.emit(marker.id)

    # -- wheel, keys, menu -------------------------------------------------------------------------------------------

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
        ctrl = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        key = event.key()
        if key == Qt.Key.Key_Escape and (self._gesture is not None or self.tool != "select"):
            if self._gesture is not None:
                self.cancel_gesture()
            else:
                self.set_tool("select")
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and (ctrl or shift):
            step = 1 if key == Qt.Key.Key_Down else -1
            self.select_neighbour(step, across=shift and not ctrl)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.session.selection:
            self.clip_activated.emit(next(iter(sorted(self.session.selection))))
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            arrows = event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down)
            strong = event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
            if (event.key() == Qt.Key.Key_Escape and self._gesture is not None) or (arrows and strong):
                event.accept()
                return True
        return super().event(event)

    def select_neighbour(self, step: int, across: bool = False) -> None:
        """Select the next (+1) or previous (−1) clip of the track; ``across``: the clip on the track below or above."""
        rows = self._layout.rows
        sequence = self.session.sequence
        if sequence is None or not rows:
            return
        place = next(
            (
                p
                for c in sorted(self.session.selection)
                if (p := self._layout.find(c)) is not None and (p[0].track.id == self.session.track)
            ),
            None,
        )
        if place is None:
            place = next((p for c in sorted(self.session.selection) if (p := self._layout.find(c)) is not None), None)
        if place is None:
            row = self._layout.row_of_track(self.session.track) or rows[0]
            chosen = row.clips[max(0, row.at(self.session.playhead))] if row.clips else None
        elif across:
            row, clip = place
            chosen = None
            index = row.index + step
            while 0 <= index < len(rows) and chosen is None:
                row = rows[index]
                middle = clip.start + clip.duration // 2
                if row.clips:
                    chosen = min(row.clips, key=lambda c: max(c.start - middle, middle - c.end + 1, 0))
                index += step
        else:
            row, clip = place
            index = row.clips.index(clip) + step
            chosen = row.clips[index] if 0 <= index < len(row.clips) else None
        if chosen is not None:
            self.session.set_selection(frozenset([chosen.id]))
            self.session.set_track(row.track.id)
            self.viewport.reveal(chosen.start)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() is QContextMenuEvent.Reason.Keyboard:
            place = next((p for c in sorted(self.session.selection) if (p := self._layout.find(c)) is not None), None)
            if place is None:
                return
            row, clip = place
            point = QPoint(max(8, self.viewport.x(clip.start) + 8), row.top - self.viewport.scroll_y + row.body // 2)
            self.menu_wanted.emit(Hit(Zone.BODY, row.index, clip), self.mapToGlobal(point))
            return
        hit = self.hit_at(event.pos().x(), event.pos().y())
        if hit.clip is not None and hit.clip.id not in self.session.selection:
            gestures.choose(self, hit.clip, Pointer(Phase.PRESS, 0, 0, Qt.KeyboardModifier.NoModifier))
        self.menu_wanted.emit(hit, event.globalPos())

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
        self.cancel_gesture()
        for timer in (self._arrivals, self._autoscroll, self._stripes, self._ahead):
            timer.stop()
        self.thumbnails.stop()
        self.waveforms.stop()
