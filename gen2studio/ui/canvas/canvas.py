"""The viewer: the frame under the playhead, the mattes over it, comparison, and the tools that work on it.

A plain raster widget that repaints only what changed: a brush dab costs the pixels under it, whatever the size of the
footage. Pointer and keys become gestures (see :mod:`gen2studio.ui.canvas.gestures`); what they change goes through
:class:`~gen2studio.app.mask_editing.MaskEditing`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDropEvent,
    QEnterEvent,
    QFocusEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTabletEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from gen2studio.app.mask_editing import MaskEditing
from gen2studio.app.session import Compare, MaskView, Session
from gen2studio.core.errors import StudioError
from gen2studio.core.geometry import Rect
from gen2studio.ui import theme
from gen2studio.ui.canvas import (
    captions,
    compare_painter,
    margins,
    motion_painter,
    overlay,
    pane_painter,
    placard,
    reach,
    shape_painter,
    shot_cards,
    sketch_painter,
)
from gen2studio.ui.canvas.gestures import Phase, Pointer, Tool, pointer_of
from gen2studio.ui.canvas.picture_view import NOTHING, PictureView
from gen2studio.ui.canvas.stage import Stage
from gen2studio.ui.canvas.status_strip import HEIGHT
from gen2studio.ui.canvas.view_transform import ViewTransform
from gen2studio.ui.gesturing import GestureRunner
from gen2studio.ui.tools.registry import HAND, TOOLS, CanvasTool, cursor_shape, gesture_of

if TYPE_CHECKING:
    from gen2studio.app.motion_brush import MotionBrush
    from gen2studio.app.viewer_feed import ViewerPicture
    from gen2studio.ui.canvas.transform_handles import TransformHandles


class Canvas(PictureView):
    """Shows :class:`~gen2studio.app.viewer_feed.ViewerPicture` values; connect ``picture_changed`` to show_picture."""

    files_dropped = Signal(list)
    """Local files dropped from the desktop: list[Path]."""
    gesture_started = Signal()
    gesture_ended = Signal()
    play_wanted = Signal()
    """The space bar was tapped."""

    def __init__(self, session: Session, masks: MaskEditing, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.setObjectName("canvas")
        self.setAccessibleName("Viewer")
        self.setToolTip("")
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(True)
        self.setAttribute(Qt.WidgetAttribute.WA_TabletTracking)
        self._masks = masks
        self.handles: TransformHandles | None = None
        self._stage = Stage(self, masks)
        self._gestures = GestureRunner[Pointer]()
        self._hover: QPointF | None = None
        self._ring_area = QRect()
        self._sketch_area = QRect()
        self._shape_area = QRect()
        self._pane = 0
        self._hint: Qt.CursorShape | None = None
        self._hovered: CanvasTool = self._tool()
        self._pen_down = False
        self._space = False
        self._space_used = False
        self._peek: Compare | None = None
        self._panned: QPointF | None = None
        self._wiping = False
        self._wipe_hot = False
        self._wire()
        self._tell_status()

    def _wire(self) -> None:
        self._masking = True
        session, masks = self._session, self._masks
        session.mask_view_changed.connect(self._on_compare_changed)
        session.mask_backdrop_changed.connect(self._on_view_changed)
        session.mask_opacity_changed.connect(self._on_view_changed)
        session.tool_changed.connect(self._on_tool_changed)
        session.store.replaced.connect(self._on_document_replaced)
        masks.matte_changed.connect(self._on_matte_changed)
        masks.objects_changed.connect(self._on_view_changed)
        masks.brush_changed.connect(self._on_brush_changed)
        masks.shapes.changed.connect(self.update_shapes)

    def set_shots(self, cards: shot_cards.ShotCards, motion: MotionBrush) -> None:
        """Show given frames in place of slates, and let the motion brush paint with the canvas' tools."""
        self._cards = cards
        self._stage.motion = motion
        self._margins = margins.Margins(self._session, cards.generation, self)
        self._margins.changed.connect(self._on_compare_changed)
        cards.changed.connect(lambda: self.show_picture(self._picture) if self._picture is not None else self.update())
        motion.matte_changed.connect(self._on_matte_changed)
        motion.active_changed.connect(self._on_view_changed)

    def set_handles(self, handles: TransformHandles) -> None:
        """Show a box with handles around the clip's picture while the transform tool or the inspector asks for it."""
        self.handles = handles
        handles.inspecting.changed.connect(self._on_handles_changed)

    def want_handles(self, wanted: bool) -> None:
        """Whether the box is there with the timeline's tools in hand too."""
        if self.handles is not None and wanted != self.handles.wanted:
            self.handles.wanted = wanted
            self.update(self.view_area)
            self._update_cursor()

    def _on_handles_changed(self) -> None:
        if self._transforming():
            self.update(self.view_area)

    def _transforming(self) -> bool:
        if self.handles is None or self._two_panes() or self._session.shuttle:
            return False
        return self._session.tool == "transform" or (self.handles.wanted and self._session.tool not in TOOLS)

    @property
    def frame_view(self) -> ViewTransform:
        """Pixels of the sequence's frame ↔ widget positions."""
        sequence, frame = self._session.sequence, self._letterbox()
        zoom = self._transform.zoom * frame.width() / (sequence.width if sequence is not None else frame.width())
        corner = self._transform.to_view(frame.x(), frame.y())
        return ViewTransform(zoom, corner.x(), corner.y())

    # -- the picture -----------------------------------------------------------------------------------------------

    def show_picture(self, picture: ViewerPicture) -> None:
        """Show another frame. A gesture that is still held is cancelled when the frame is another one."""
        old = self._picture
        if old is not None and (old.media_id, old.media_frame) != (picture.media_id, picture.media_frame):
            # A drag that transforms the picture turns the source into the programme.
            if not (self._transforming() and self.gesturing):
                self.cancel_gesture()
            self._lively = self._settle.isActive()
            self._settle.start()
        before = self._letterbox() if self._pair is not None and old is not None else None
        self._picture = picture
        self._pair = None
        seen = self._cards.dressed(picture) if self._cards is not None else picture
        if seen.image is not None:
            self._pair, self._reach = reach.pair_of(seen, self._opaque(picture.media_id))
        shown = picture.shows in ("source", "take", "preview")
        self._masks.set_place(
            picture.media_id if shown else "",
            picture.media_frame if shown else 0,
            picture.extent if shown else NOTHING,
        )
        if self._fitting and (shown or picture.shows == "programme"):
            self._refit()
        elif before is not None and old is not None and (old.shows == "programme") != (picture.shows == "programme"):
            self._keep_view(before)
        self._tell_frame_size()
        self._tell_zoom()
        self._tell_status()
        self._tell_colour()
        self.update()

    # -- painting --------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        for part in pane_painter.parts(event.region().intersected(self.view_area)):
            painter.setClipRect(part)
            self._paint_part(painter, part.intersected(self.view_area))
        painter.end()

    def _paint_part(self, painter: QPainter, part: QRect) -> None:
        picture = self._picture
        if self._pair is None or picture is None:
            painter.fillRect(part, theme.colour("canvas"))
            words = self._cards.sentence(picture) if self._cards is not None else None
            placard.paint_instead(
                painter, QRectF(self.view_area), picture, words, empty_project=not self._session.document.media
            )
            return
        for pane in self._panes():
            area = self._pane_area(pane)
            dirty = part.intersected(area)
            if dirty.isEmpty():
                continue
            painter.save()
            painter.setClipRect(dirty)
            self._paint_pane(painter, dirty, pane, picture)
            painter.restore()
        self._paint_above(painter)

    def set_masking(self, masking: bool) -> None:
        """Whether the artist works on masks: then mattes are laid over results too, otherwise over the source only."""
        if masking != self._masking:
            self._masking = masking
            self.update(self.view_area)

    def _mattes_shown(self, picture: ViewerPicture) -> bool:
        return self._masking or self.gesturing or picture.shows == "source"

    def _paint_pane(self, painter: QPainter, dirty: QRect, pane: int, picture: ViewerPicture) -> None:
        assert self._pair is not None
        session, motion = self._session, self._stage.motion
        owners = motion if motion is not None and motion.active else self._masks
        view = session.mask_view if self._mattes_shown(picture) else MaskView.NONE
        seen = pane_painter.Pane(
            extent=picture.extent,
            reach=self._reach,
            pair=self._pair,
            transform=self._pane_transform(pane),
            letterbox=self._letterbox(),
            mode=self._mode(),
            split=session.compare_split,
            left=pane == 0,
            layers=self._layers(),
            view=view if owners is self._masks else MaskView.OVERLAY,
            opacity=session.mask_opacity,
            backdrop=session.mask_backdrop,
            neighbours=list(self._masks.neighbours()) if view is MaskView.ONION else [],
            quick=self._lively,
        )
        pane_painter.paint_pane(painter, dirty, seen)

    def _layers(self) -> list[overlay.Layer]:
        motion = self._stage.motion
        if motion is not None and motion.active:
            return [(region.colour, matte, "add") for region, matte in motion.layers()]
        return [(owner.colour, matte, owner.blend.value) for owner, matte in self._masks.layers()]

    def _beside_matte(self) -> bool:
        picture, motion = self._picture, self._stage.motion
        if self._session.mask_view is not MaskView.SIDE or self._mode() is not Compare.OFF or self._pair is None:
            return False
        return picture is not None and self._mattes_shown(picture) and not (motion is not None and motion.active)

    def _paint_above(self, painter: QPainter) -> None:
        mode = self._mode()
        if mode is Compare.WIPE:
            hot = self._wipe_hot or self._wiping
            view = QRectF(self.view_area)
            compare_painter.paint_wipe_handle(painter, self._frame(), view, self._session.compare_split, hot)
        elif self._two_panes():
            divider = self._pane_area(1)
            painter.fillRect(QRect(divider.left() - 1, 0, 2, divider.height()), theme.colour("line_strong"))
        if self._margins is not None:
            self._margins.paint(painter, self._picture, self._reach, self._transform)
        motion = self._stage.motion
        if motion is not None and motion.active:
            motion_painter.paint_motion(painter, motion, self._transform, self._frame().width())
        elif self._cards is not None and self._picture is not None:
            self._cards.paint(painter, self._picture, self._frame(), QRectF(self.view_area))
        areas = tuple(QRectF(area) for area in (self.view_area, self._pane_area(0), self._pane_area(1)))
        names = ("Picture", "Matte") if self._beside_matte() else self.compare_names()
        labelled = Compare.SIDE_BY_SIDE if self._two_panes() else mode
        compare_painter.paint_labels(painter, labelled, names, *areas)
        shift = self.pane_transform
        if self.handles is not None and self._transforming():
            self.handles.room = QRectF(self.view_area)
            self.handles.paint(painter, self.frame_view)
        shape_painter.paint_shapes(painter, self._stage.fill_scene(), shift)
        sketch_painter.paint_sketch(painter, self._stage.sketch, shift)
        if self._ring_shown() and self._hover is not None:
            brush = self._masks.brush
            sketch_painter.paint_ring(painter, self._hover, brush.radius * self._transform.zoom, brush.hardness)

    def compare_names(self) -> tuple[str, str]:
        """What is on the left and on the right of a comparison, as the labels say it."""
        return captions.compare_names(self._session, self._picture)

    # -- repainting only what changed ------------------------------------------------------------------------------

    def _on_matte_changed(self, _object_id: str, area: Rect | None) -> None:
        if area is None:
            self.update(self.view_area)
            return
        margin = overlay.MARGIN
        for pane in self._panes():
            spot = self._pane_transform(pane).rect_to_view(area.x, area.y, area.width, area.height)
            self.update(spot.adjusted(-margin, -margin, margin, margin).toAlignedRect().intersected(self.view_area))

    def update_sketch(self) -> None:
        """The gesture's drawing changed."""
        bounds = sketch_painter.bounds(self._stage.sketch, self._pane_transform(self._pane)).toAlignedRect()
        self.update(self._sketch_area.united(bounds).intersected(self.view_area))
        self._sketch_area = bounds

    def update_shapes(self) -> None:
        """What is drawn of the shapes changed."""
        bounds = shape_painter.bounds(self._stage.fill_scene(), self.pane_transform).toAlignedRect()
        self.update(self._shape_area.united(bounds).intersected(self.view_area))
        self._shape_area = bounds

    @property
    def pane_transform(self) -> ViewTransform:
        """Media pixels ↔ widget positions of the pane that the pointer is in."""
        return self._pane_transform(self._pane)

    def _update_ring(self) -> None:
        fresh = QRect()
        if self._hover is not None and self._ring_shown():
            reach = self._masks.brush.radius * self._transform.zoom + 4
            fresh = QRectF(self._hover.x() - reach, self._hover.y() - reach, 2 * reach, 2 * reach).toAlignedRect()
        if fresh != self._ring_area:
            for area in (self._ring_area, fresh):
                if not area.isEmpty():
                    self.update(area.intersected(self.view_area))
            self._ring_area = fresh

    def _ring_shown(self) -> bool:
        return self._tool().ring and not self._space and self._pair is not None and self._stage.sketch.kind != "size"

    def _on_brush_changed(self, _settings: object) -> None:
        self._update_ring()

    def _on_document_replaced(self, _new: object) -> None:
        self.cancel_gesture()
        self._picture = None
        self._pair = None
        self._stage.last_point = None
        self._fitting = True
        self._tell_status()
        self.update()

    # -- status ----------------------------------------------------------------------------------------------------

    def _tell_colour(self) -> None:
        colour = None
        if self._hover is not None:
            point = self._pane_transform(self._pane_at(self._hover)).to_media(self._hover)
            colour = captions.colour_at(self._picture, point)
        self.status.tell_colour(colour)

    # -- tools -----------------------------------------------------------------------------------------------------

    def _tool(self) -> CanvasTool:
        return TOOLS["transform"] if self._transforming() else TOOLS.get(self._session.tool, HAND)

    def _on_tool_changed(self, _tool: str) -> None:
        self.cancel_gesture()
        self._hover_tool(None, self._hovered)
        self._hovered = self._tool()
        self._update_ring()
        self._update_cursor()

    def _hover_tool(self, pointer: Pointer | None, tool: CanvasTool | None = None) -> None:
        """Let the tool show what a press would do, or forget it."""
        tool = tool or self._tool()
        self._hint = tool.hover(self._stage, pointer) if tool.hover is not None else None

    def _on_modifier(self, event: QKeyEvent, down: bool) -> None:
        """Ctrl, Shift or Alt went down or up: what the tool shows under a resting pointer may be another thing."""
        flag = _MODIFIERS.get(event.key())
        if flag is None or self._hover is None or self._gestures.active or self._pair is None:
            return
        modifiers = event.modifiers() | flag if down else event.modifiers() & ~flag
        media = self.pane_transform.to_media(self._hover)
        pointer = Pointer(phase=Phase.HOVER, x=media.x(), y=media.y(), view=self._hover, modifiers=modifiers)
        self._hover_tool(pointer)
        self._update_cursor()

    def _update_cursor(self) -> None:
        shape = cursor_shape(
            self._tool(),
            hint=self._hint,
            wiping=self._wipe_hot or self._wiping,
            panning=self._space,
            held=self._gestures.active,
            chosen=self._session.tool == "hand",
            picture=self._pair is not None,
        )
        if self.cursor().shape() != shape:
            self.setCursor(shape)

    @property
    def gesturing(self) -> bool:
        return self._gestures.active

    def cancel_gesture(self) -> bool:
        """Esc: put back what the gesture in hand has done. False when there was none."""
        self._wiping, self._panned = False, None
        self._hover_tool(None)
        cancelled = self._gestures.cancel()
        if cancelled:
            self._after_gesture()
        return cancelled

    def _pointer(self, phase: Phase, point: QPointF, event: QMouseEvent | QTabletEvent) -> Pointer:
        return pointer_of(phase, event, point, self._pane_transform(self._pane).to_media(point))

    def _press(self, point: QPointF, event: QMouseEvent | QTabletEvent, phase: Phase = Phase.PRESS) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._pane = self._pane_at(point)
        pointer = self._pointer(phase, point, event)
        if self._gestures.active:
            if self._space or event.button() == Qt.MouseButton.MiddleButton:
                # Between two clicks of one gesture the picture may be moved.
                self._panned, self._space_used = point, self._space_used or self._space
            else:
                self._send(pointer)
            return
        if self._pair is None:
            return
        left = event.button() == Qt.MouseButton.LeftButton
        if left and not self._space and self._on_wipe_line(point):
            self._wiping = True
            return
        self._space_used |= self._space
        gesture = gesture_of(self._tool(), event.button(), panning=self._space)
        if gesture is not None:
            self._begin(gesture, pointer)

    def _begin(self, tool: Tool, pointer: Pointer) -> None:
        try:
            self._gestures.start(tool(self._stage, pointer))
        except StudioError as refused:
            self._session.tell(str(refused), "warning")
        if self._gestures.active:
            self.gesture_started.emit()
        self._update_ring()
        self._update_cursor()

    def _send(self, pointer: Pointer) -> None:
        if not self._gestures.active:
            return
        try:
            self._gestures.send(pointer)
        except StudioError as refused:
            self._session.tell(str(refused), "warning")
        if not self._gestures.active:
            self._after_gesture()

    def _after_gesture(self) -> None:
        self.gesture_ended.emit()
        self._update_ring()
        self._update_cursor()
        # Scaled parts may differ from a whole redraw by rounding: draw everything once.
        self.update(self.view_area)

    def _move(self, point: QPointF, event: QMouseEvent | QTabletEvent, down: bool) -> None:
        self._hover = point
        if self._panned is not None:
            self.set_transform(self._transform.panned(point.x() - self._panned.x(), point.y() - self._panned.y()))
            self._panned = point
        elif self._wiping:
            frame = self._frame()
            self._session.set_compare_split((point.x() - frame.left()) / max(1.0, frame.width()))
        elif self._gestures.active:
            self._send(self._pointer(Phase.MOVE if down else Phase.HOVER, point, event))
        else:
            hot = self._on_wipe_line(point)
            if hot != self._wipe_hot:
                self._wipe_hot = hot
                self.update(self.view_area)
            self._pane = self._pane_at(point)
            self._hover_tool(self._pointer(Phase.HOVER, point, event) if self._pair is not None else None)
            self._update_cursor()
        self._update_ring()
        if not self._gestures.active:
            self._tell_colour()

    def _release(self, point: QPointF, event: QMouseEvent | QTabletEvent) -> None:
        if self._panned is not None:
            self._panned = None
        elif self._wiping:
            self._wiping = False
            self._update_cursor()
        else:
            self._send(self._pointer(Phase.RELEASE, point, event))

    def _on_wipe_line(self, point: QPointF) -> bool:
        if self._mode() is not Compare.WIPE:
            return False
        frame = self._frame()
        line = compare_painter.wipe_line(frame, self._session.compare_split)
        return abs(point.x() - line) <= compare_painter.GRIP and frame.top() <= point.y() <= frame.bottom()

    # -- events ----------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if not self._pen_down:
            self._press(event.position(), event)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if not self._pen_down:
            self._move(event.position(), event, bool(event.buttons()))
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._pen_down:
            self._release(event.position(), event)
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._gestures.active:
            self._send(self._pointer(Phase.DOUBLE, event.position(), event))
        else:
            self._press(event.position(), event, Phase.DOUBLE)
        event.accept()

    def tabletEvent(self, event: QTabletEvent) -> None:
        kind = event.type()
        if kind == QEvent.Type.TabletPress:
            self._pen_down = True
            self._press(event.position(), event)
        elif kind == QEvent.Type.TabletMove:
            self._move(event.position(), event, self._pen_down)
        elif kind == QEvent.Type.TabletRelease:
            self._release(event.position(), event)
            self._pen_down = False
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        pixels, ticks = event.pixelDelta(), event.angleDelta()
        if not pixels.isNull() and event.phase() != Qt.ScrollPhase.NoScrollPhase and not event.modifiers():
            self.set_transform(self._transform.panned(pixels.x(), pixels.y()))
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.set_transform(self._transform.panned(ticks.y() or ticks.x(), 0))
        elif ticks.y():
            self._zoom_about(event.position(), 2.0 ** (ticks.y() / 360.0))
        event.accept()

    def _zoom_about(self, point: QPointF, factor: float) -> None:
        pane = self._pane_at(point)
        shift = self._pane_transform(pane).x - self._transform.x
        about = QPointF(point.x() - shift, point.y())
        self.set_transform(self._transform.zoomed(self._transform.zoom * factor, about))
        self._update_ring()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._wants(event):
            event.accept()
            return True
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self._zoom_about(event.position(), 1.0 + event.value())
            return True
        return super().event(event)

    def _wants(self, event: QKeyEvent) -> bool:
        """Keys that are the canvas' own before they are anybody's shortcut."""
        key = event.key()
        if key in (Qt.Key.Key_Space, Qt.Key.Key_QuoteLeft) and not event.modifiers():
            return True
        return (self._gestures.active and key in _GESTURE_KEYS) or self._key_command(event) is not None

    def _key_command(self, event: QKeyEvent) -> Callable[[], object] | None:
        """What a key means to the tool in hand between two gestures."""
        keys = self._tool().keys
        return keys(self._stage, event) if keys is not None and not self._gestures.active else None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key == Qt.Key.Key_Space and not event.modifiers():
            if not event.isAutoRepeat():
                self._space, self._space_used = True, False
                self._update_ring()
                self._update_cursor()
        elif key == Qt.Key.Key_QuoteLeft and not event.isAutoRepeat() and self._peek is None:
            self._peek = self._session.compare
            self._session.set_compare(Compare.TOGGLE)
        elif key == Qt.Key.Key_Escape and (self._gestures.active or self._wiping):
            self.cancel_gesture()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._gestures.active:
            self._send_key(Phase.ACCEPT)
        elif key == Qt.Key.Key_Backspace and self._gestures.active:
            self._send_key(Phase.BACK)
        elif (command := self._key_command(event)) is not None:
            self._masks.attempt(command)
        else:
            self._on_modifier(event, True)
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.isAutoRepeat():
            return
        if event.key() == Qt.Key.Key_Space and self._space:
            self._space = False
            if not self._space_used and not self._gestures.active:
                # A tap of the space bar plays, holding it moves the picture.
                self.play_wanted.emit()
            self._update_ring()
            self._update_cursor()
        elif event.key() == Qt.Key.Key_QuoteLeft and self._peek is not None:
            peek, self._peek = self._peek, None
            self._session.set_compare(peek)
        else:
            self._on_modifier(event, False)
            super().keyReleaseEvent(event)

    def _send_key(self, phase: Phase) -> None:
        point = self._hover or QPointF(self.view_area.center())
        media = self._pane_transform(self._pane).to_media(point)
        self._send(Pointer(phase=phase, x=media.x(), y=media.y(), view=point))

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._space = False
        if self._peek is not None:
            peek, self._peek = self._peek, None
            self._session.set_compare(peek)
        super().focusOutEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._update_cursor()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._hover = None
        self._hover_tool(None)
        self._update_ring()
        self._tell_colour()
        super().leaveEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.status.setGeometry(0, self.height() - HEIGHT, self.width(), HEIGHT)
        if self._fitting:
            self._refit()
        super().resizeEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self.cancel_gesture()
        super().hideEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            # Importing may open a dialog: let the drag finish first.
            QTimer.singleShot(0, self, lambda: self.files_dropped.emit(paths))


_GESTURE_KEYS = (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Backspace)
_MODIFIERS: dict[int, Qt.KeyboardModifier] = {
    Qt.Key.Key_Control: Qt.KeyboardModifier.ControlModifier,
    Qt.Key.Key_Shift: Qt.KeyboardModifier.ShiftModifier,
    Qt.Key.Key_Alt: Qt.KeyboardModifier.AltModifier,
}
