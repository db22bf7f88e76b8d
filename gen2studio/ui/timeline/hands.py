"""The mouse on the timeline: which gesture a press begins, what hovering shows, and the gesture in hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QContextMenuEvent, QCursor, QHelpEvent, QMouseEvent
from PySide6.QtWidgets import QToolTip, QWidget

from gen2studio.document import edits
from gen2studio.document.model import Clip
from gen2studio.ui.gesturing import GestureRunner
from gen2studio.ui.timeline import clip_facts, gestures_shape, gestures_trim, tools
from gen2studio.ui.timeline.gestures_move import move_clips
from gen2studio.ui.timeline.gestures_ruler import drag_marker, drag_marker_end, drag_range, scrub
from gen2studio.ui.timeline.gestures_select import choose, rubber_band
from gen2studio.ui.timeline.layout import Hit, Layout, Zone, snap_targets
from gen2studio.ui.timeline.overlay import Hover
from gen2studio.ui.timeline.pointer import Gesture, Phase, Pointer

if TYPE_CHECKING:
    from gen2studio.ui.timeline.view import TimelineView

_CURSORS = {
    Zone.HEAD: Qt.CursorShape.SizeHorCursor,
    Zone.TAIL: Qt.CursorShape.SizeHorCursor,
    Zone.CUT: Qt.CursorShape.SplitHCursor,
    Zone.MIX_HEAD: Qt.CursorShape.SizeHorCursor,
    Zone.MIX_TAIL: Qt.CursorShape.SizeHorCursor,
    Zone.LEVEL: Qt.CursorShape.SizeVerCursor,
    Zone.FADE_IN: Qt.CursorShape.SizeHorCursor,
    Zone.FADE_OUT: Qt.CursorShape.SizeHorCursor,
    Zone.KEY: Qt.CursorShape.SizeAllCursor,
    Zone.BADGE: Qt.CursorShape.PointingHandCursor,
    Zone.TAKE_BACK: Qt.CursorShape.PointingHandCursor,
    Zone.TAKE_NEXT: Qt.CursorShape.PointingHandCursor,
    Zone.CUT_HANDLE: Qt.CursorShape.PointingHandCursor,
    Zone.MIX: Qt.CursorShape.PointingHandCursor,
}
_EDGES = {Zone.HEAD: edits.Edge.HEAD, Zone.TAIL: edits.Edge.TAIL}
SCROLL_ROOM = 26
"""Pixels inside the view's edges where a drag scrolls it."""
SCROLL_EVERY = 30
"""Milliseconds."""


class Hands(QObject):
    """Turns mouse events of the view, the ruler and the captions into gestures."""

    def __init__(self, view: TimelineView) -> None:
        super().__init__(view)
        self._view = view
        self._runner = GestureRunner[Pointer]()
        self._last: Pointer | None = None
        self._across = False
        self._autoscroll = QTimer(self, interval=SCROLL_EVERY)
        self._autoscroll.timeout.connect(self._on_autoscroll)
        ruler = view.ruler
        ruler.pressed.connect(self._on_ruler_pressed)
        ruler.moved.connect(self._on_ruler_moved)
        ruler.released.connect(lambda event: self.feed(self.pointer(event, Phase.RELEASE, ruler)))
        ruler.double_clicked.connect(self._on_ruler_double_clicked)
        ruler.wheel_turned.connect(view.wheelEvent)
        ruler.menu_wanted.connect(self.cancel)

    # -- the gesture in hand -----------------------------------------------------------------------------------------

    @property
    def gesturing(self) -> bool:
        return self._runner.active

    def cancel(self) -> None:
        """Give up the gesture in hand; the document stays as it was."""
        if self._runner.active:
            self._autoscroll.stop()
            self._runner.cancel()

    def begin(self, gesture: Gesture, across: bool = False) -> None:
        """Take a gesture in hand. The view follows it over its left and right edge, with ``across`` (drags of clips)
        also over its upper and lower one."""
        self.cancel()
        self._show_hover(None)
        self._across = across
        self._runner.start(gesture)

    def feed(self, pointer: Pointer) -> None:
        """Tell the gesture in hand where the mouse is now."""
        if not self.gesturing:
            return
        self._last = pointer
        released = pointer.phase is Phase.RELEASE
        if released:
            self._autoscroll.stop()
        self._runner.send(pointer, last=released)
        if self.gesturing:
            if self._beyond(pointer) != (0.0, 0.0):
                if not self._autoscroll.isActive():
                    self._autoscroll.start()
            else:
                self._autoscroll.stop()

    def _beyond(self, pointer: Pointer) -> tuple[float, float]:
        """How far the pointer is into the edges of the view, right and downwards."""
        view = self._view
        width, height = view.width(), view.height()
        room = min(SCROLL_ROOM, width // 8)
        x = min(pointer.x - room, 0.0) + max(pointer.x - (width - room), 0.0)
        # At the very start there is nothing to scroll to: the edge belongs to the first clip.
        if x < 0 and view.viewport.scroll_x == 0:
            x = 0.0
        y = 0.0
        if not self._across:
            return x, 0.0
        if pointer.y >= 0 and view.viewport.max_y:
            y = max(pointer.y - (height - 8), 0.0)
        elif view.viewport.scroll_y and pointer.y < 0:
            y = pointer.y
        return x, y

    def _on_autoscroll(self) -> None:
        pointer = self._last
        if pointer is None or not self.gesturing:
            self._autoscroll.stop()
            return
        x, y = self._beyond(pointer)
        viewport = self._view.viewport
        viewport.scroll_to(viewport.scroll_x + x / 2, viewport.scroll_y + y / 3)
        self.feed(Pointer(Phase.MOVE, pointer.x, pointer.y, pointer.modifiers))

    def pointer(self, event: QMouseEvent, phase: Phase, source: QWidget | None = None) -> Pointer:
        """The mouse as gestures know it; above the view (ruler, captions) its y is negative."""
        place = event.position()
        shift = 0.0 if source is None else -float(source.height())
        return Pointer(phase, place.x(), place.y() + shift, event.modifiers())

    def stop(self) -> None:
        self.cancel()
        self._autoscroll.stop()

    # -- presses -----------------------------------------------------------------------------------------------------

    def press(self, event: QMouseEvent) -> None:
        view = self._view
        pointer = self.pointer(event, Phase.PRESS)
        hit = view.hit_at(pointer.x, pointer.y)
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        rows = view.layout_now.rows
        locked = hit.row >= 0 and rows[hit.row].track.locked
        view.choose_mix("")
        if hit.row >= 0 and not locked:
            view.session.set_track(rows[hit.row].track.id)
        clip = hit.clip
        if clip is None or locked:
            if locked and clip is not None:
                view.session.tell(f"{rows[hit.row].track.name} is locked.", "info")
            self.begin(rubber_band(view, pointer), across=True)
            return
        gesture = self._gesture_for(hit, clip, pointer, event)
        if gesture is not None:
            self.begin(gesture, across=True)

    def _gesture_for(self, hit: Hit, clip: Clip, pointer: Pointer, event: QMouseEvent) -> Gesture | None:
        """What a press on a clip begins; None when it did its work already."""
        view = self._view
        made = {
            "razor": gestures_trim.razor_click,
            "ripple": gestures_trim.ripple_tool,
            "roll": gestures_trim.roll_tool,
            "slip": gestures_trim.slip_clip,
            "slide": gestures_trim.slide_clip,
        }.get(view.tool)
        if made is not None:
            return made(view, pointer, clip)
        if hit.zone is Zone.BADGE:
            choose(view, clip, pointer)
            view.takes_wanted.emit(clip.id, event.globalPosition().toPoint())
            return None
        if hit.zone in (Zone.TAKE_BACK, Zone.TAKE_NEXT):
            view.step_take(clip, 1 if hit.zone is Zone.TAKE_NEXT else -1)
            return None
        shape = gestures_shape.gesture_for(view, hit, pointer)
        if shape is not None:
            if hit.mix is not None:
                view.choose_mix(hit.mix.id)
            return shape
        if hit.zone is Zone.CUT and hit.neighbour is not None:
            return gestures_trim.roll_cut(view, pointer, clip, hit.neighbour)
        if hit.zone in _EDGES:
            return gestures_trim.trim_edge(view, pointer, clip, _EDGES[hit.zone])
        if pointer.alt:
            inner = gestures_trim.slide_clip if pointer.ctrl else gestures_trim.slip_clip
            return inner(view, pointer, clip)
        return move_clips(view, pointer, clip)

    def release(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.feed(self.pointer(event, Phase.RELEASE))

    def double_click(self, event: QMouseEvent) -> None:
        view = self._view
        hit = view.hit_at(event.position().x(), event.position().y())
        if event.button() is not Qt.MouseButton.LeftButton or hit.clip is None or view.tool != "select":
            return
        if hit.mix is not None:
            view.transition_wanted.emit(hit.mix.id, event.globalPosition().toPoint())
        elif hit.zone in (Zone.BODY, Zone.HEAD, Zone.TAIL):
            view.clip_activated.emit(hit.clip.id)

    def context(self, event: QContextMenuEvent) -> None:
        """A right click takes a key away, or opens the menu of what was hit."""
        view = self._view
        hit = view.hit_at(event.pos().x(), event.pos().y())
        if hit.zone is Zone.KEY and hit.clip is not None and hit.key is not None:
            gestures_shape.remove_key(view, hit.row, hit.clip, hit.key)
            return
        if hit.mix is not None:
            view.choose_mix(hit.mix.id)
        elif hit.clip is not None and hit.clip.id not in view.session.selection:
            choose(view, hit.clip, Pointer(Phase.PRESS, 0, 0, Qt.KeyboardModifier.NoModifier))
        view.menu_wanted.emit(hit, event.globalPos())

    # -- hovering ----------------------------------------------------------------------------------------------------

    def move(self, event: QMouseEvent) -> None:
        view = self._view
        pointer = self.pointer(event, Phase.MOVE)
        if self.gesturing:
            self.feed(pointer)
            return
        hit = view.hit_at(pointer.x, pointer.y)
        if view.tool == "razor":
            self._show_razor(hit, pointer)
            return
        self._show_hover(hit)
        view_cursor = self._cursor(hit, pointer)
        if view.cursor().shape() is not view_cursor.shape() or not view_cursor.pixmap().isNull():
            view.setCursor(view_cursor)

    def _cursor(self, hit: Hit, pointer: Pointer) -> QCursor:
        view = self._view
        locked = hit.row >= 0 and view.layout_now.rows[hit.row].track.locked
        if locked and hit.clip is not None:
            return QCursor(Qt.CursorShape.ForbiddenCursor)
        if locked or hit.clip is None:
            return QCursor(Qt.CursorShape.ArrowCursor)
        if view.tool != "select":
            return tools.cursor(view.tool)
        if pointer.alt and hit.zone is Zone.BODY:
            return tools.cursor("slide" if pointer.ctrl else "slip")
        if pointer.ctrl and hit.zone in _EDGES:
            return tools.cursor("ripple")
        if pointer.ctrl and hit.zone is Zone.LEVEL:
            return QCursor(Qt.CursorShape.CrossCursor)
        return QCursor(_CURSORS.get(hit.zone, Qt.CursorShape.ArrowCursor))

    def _show_hover(self, hit: Hit | None) -> None:
        """Handles appear on the clip under the pointer."""
        view = self._view
        hover = None
        if hit is not None and hit.clip is not None and not view.layout_now.rows[hit.row].track.locked:
            hover = Hover(hit.row, hit.clip.id, hit.zone, hit.mix.id if hit.mix is not None else "")
        if hover != view.overlay.hover:
            for each in (view.overlay.hover, hover):
                if each is not None:
                    view.update_row(each.row)
            view.overlay.hover = hover

    def _show_razor(self, hit: Hit, pointer: Pointer) -> None:
        view = self._view
        wanted = None
        if hit.clip is not None or pointer.shift:
            targets = snap_targets(Layout(None), view.session.playhead)
            plain = Pointer(pointer.phase, pointer.x, pointer.y, Qt.KeyboardModifier.NoModifier)
            frame = gestures_trim.razor_frame(view, plain, targets)
            wanted = (-1 if pointer.shift else hit.row, frame)
        if wanted != view.overlay.razor:
            view.overlay.razor = wanted
            view.update()

    def leave(self) -> None:
        view = self._view
        if not self.gesturing:
            self._show_hover(None)
            if view.overlay.razor is not None:
                view.overlay.razor = None
                view.overlay.snap = None
                view.update()

    def tell(self, event: QHelpEvent) -> None:
        """What is under the pointer, in a tool tip."""
        view = self._view
        if self.gesturing:
            return
        hit = view.hit_at(event.pos().x(), event.pos().y())
        text = clip_facts.describe(view.session.document, view.sequence, hit)
        if text:
            QToolTip.showText(event.globalPos(), text, view)
        else:
            QToolTip.hideText()

    # -- the ruler ---------------------------------------------------------------------------------------------------

    def _on_ruler_pressed(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        view, ruler = self._view, self._view.ruler
        pointer = self.pointer(event, Phase.PRESS, ruler)
        place = event.position()
        edge = ruler.range_edge_at(place.x(), place.y())
        marker = ruler.marker_at(place.x(), place.y())
        ending = ruler.marker_end_at(place.x(), place.y())
        if edge:
            self.begin(drag_range(view, pointer, edge))
        elif ending is not None:
            self.begin(drag_marker_end(view, pointer, ending))
        elif marker is not None:
            self.begin(drag_marker(view, pointer, marker))
        else:
            self.begin(scrub(view, pointer))

    def _on_ruler_moved(self, event: QMouseEvent) -> None:
        ruler = self._view.ruler
        if self.gesturing:
            self.feed(self.pointer(event, Phase.MOVE, ruler))
            return
        place = event.position()
        marker = ruler.marker_at(place.x(), place.y()) or ruler.marker_end_at(place.x(), place.y())
        grab = marker is not None or bool(ruler.range_edge_at(place.x(), place.y()))
        ruler.setCursor(Qt.CursorShape.SizeHorCursor if grab else Qt.CursorShape.ArrowCursor)
        sequence = self._view.session.sequence
        if marker is not None and sequence is not None:
            text = clip_facts.describe_marker(marker, sequence.rate)
            QToolTip.showText(event.globalPosition().toPoint(), text, ruler)

    def _on_ruler_double_clicked(self, event: QMouseEvent) -> None:
        marker = self._view.ruler.marker_at(event.position().x(), event.position().y())
        if marker is not None:
            self._view.marker_wanted.emit(marker.id)
