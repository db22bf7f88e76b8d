"""The curve editor's graph: values over the timeline's frames, keys and handles that can be dragged."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from gen2studio.app.clip_curves import NamedCurve
from gen2studio.app.curve_editing import CurveEditing, KeyName
from gen2studio.app.curve_keys import has_in_handle, has_out_handle
from gen2studio.core.records import dataclass
from gen2studio.ui.panels import curves_paint
from gen2studio.ui.panels.curves_view import LEFT, TOP, GraphView, fitted_range
from gen2studio.ui.widgets.named import named

_REACH = 8.0
"""Pixels around a key or a handle that are the thing itself."""
_SNAP = 7.0
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}


@dataclass(frozen=True, slots=True)
class Spot:
    """What lies under the pointer: ``kind`` is key, out, in (handles), curve or empty."""

    kind: str = ""
    name: str = ""
    frame: int = 0


class CurvesGraph(QWidget):
    """Draws :class:`~gen2studio.app.curve_editing.CurveEditing` and turns pointer and keys into its commands.

    Drag keys and handles, drag over nothing to choose several, double click to add a key; the wheel zooms time, with
    Ctrl values, with Shift it scrolls; the middle button moves the graph. Arrow keys move the chosen keys.
    """

    menu_wanted = Signal(object)
    """Global position of a context menu."""

    def __init__(self, curves: CurveEditing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, "curves.graph", "Curve graph", "")
        self.setToolTip("")
        self.setAccessibleDescription(
            "Drag keys, drag over nothing to choose several, double click to add one. Arrow keys move the chosen keys."
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(160, 90)
        self._curves = curves
        self.view = GraphView()
        self._still: QPixmap | None = None
        self.stamps: dict[tuple[object, ...], QPixmap] = {}
        """Pictures of keys by what they look like."""
        self._fitted: str = ""
        self._hover = Spot()
        self._mode = ""
        self._press = QPointF()
        self._last = QPointF()
        self._spot = Spot()
        self._band = QRectF()
        self._band_from: frozenset[KeyName] = frozenset()
        self.snapped: float | None = None
        """The frame that a drag snapped to."""
        self._nudging = False
        self._nudged = (0, 0)
        curves.changed.connect(self._on_changed)
        # The playhead is drawn over a picture of the rest: it moves with every frame of playback.
        curves.session.playhead_changed.connect(lambda _frame: self.update())

    # -- what is shown ------------------------------------------------------------------------------------------------

    @property
    def hover(self) -> Spot:
        return self._hover

    @property
    def band(self) -> QRectF:
        """The rubber band, empty without one."""
        return self._band

    def listed(self) -> list[NamedCurve]:
        """The curves in the graph, the current one last."""
        curves = self._curves.curves()
        names = sorted(self._curves.shown(), key=lambda name: name == self._curves.current)
        return [curves[name] for name in names]

    def _on_changed(self) -> None:
        clip = self._curves.clip()
        if (clip.id if clip else "") != self._fitted:
            self.fit()
        for each in self.listed():
            if each.name not in self.view.ranges:
                self.view.ranges[each.name] = fitted_range(each)
        self.redraw()

    def fit(self) -> None:
        """Show the whole clip and every value; with several keys chosen, those."""
        clip = self._curves.clip()
        self._fitted = clip.id if clip else ""
        if clip is None:
            return
        start, stop = float(clip.start), float(clip.end)
        frames = [each.to_sequence_frame(key.frame) for each, key in self._curves.chosen_keys()]
        if len(frames) > 1 and max(frames) > min(frames):
            start, stop = min(frames), max(frames)
        self.view.fit(start, stop, self._curves.curves().values())
        self.redraw()

    def zoom(self, factor: float) -> None:
        """Magnify time about the playhead while it is in view, else about the middle."""
        x = self.view.x(self._curves.session.playhead)
        inside = LEFT <= x <= self.width()
        self.view.zoom(factor, x if inside else LEFT + self.view.inner_width / 2)
        self.redraw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        before = self.view.inner_width
        self.view.width, self.view.height = self.width(), self.height()
        self.view.ppf *= self.view.inner_width / before
        super().resizeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        ratio = self.devicePixelRatioF()
        if self._still is None or self._still.size() != self.size() * ratio:
            self._still = QPixmap(self.size() * ratio)
            self._still.setDevicePixelRatio(ratio)
            painter = QPainter(self._still)
            curves_paint.paint(painter, self, self._curves)
            painter.end()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._still)
        if self._curves.clip() is not None:
            curves_paint.paint_playhead(painter, self, self._curves.session.playhead)
        painter.end()

    def redraw(self) -> None:
        """What is drawn beside the playhead changed."""
        self._still = None
        self.update()

    # -- what is under the pointer ------------------------------------------------------------------------------------

    def spot_at(self, point: QPointF) -> Spot:
        """The handle, key or curve under a point; the current curve's before the others'."""
        for each in reversed(self.listed()):
            for index in self._around(each, point.x(), 400):
                key = each.curve.keys[index]
                if (each.name, key.frame) in self._curves.chosen:
                    for out, at in self.handles(each, index):
                        if _near(at, point):
                            return Spot("out" if out else "in", each.name, key.frame)
        for each in reversed(self.listed()):
            keys = [each.curve.keys[index] for index in self._around(each, point.x(), _REACH)]
            near = [key for key in keys if _near(self.view.key_point(each, key), point)]
            if near:
                return Spot("key", each.name, near[-1].frame)
        if point.x() < LEFT or point.y() < TOP:
            return Spot("ruler" if point.y() < TOP and point.x() >= LEFT else "")
        frame = self.view.frame(point.x())
        for each in reversed(self.listed()):
            y = self.view.y(each.kind, each.at(frame))
            if abs(y - point.y()) <= 5:
                return Spot("curve", each.name)
        return Spot()

    def _around(self, each: NamedCurve, x: float, reach: float) -> range:
        """Indices of the keys within ``reach`` pixels of a widget position."""
        return self.view.seen(each, x - reach, x + reach)

    def handles(self, each: NamedCurve, index: int) -> list[tuple[bool, QPointF]]:
        """(is the one to the right, where it lies) of the handles that a key has in use."""
        keys = each.curve.keys
        found: list[tuple[bool, QPointF]] = []
        if has_out_handle(each.curve, index):
            found.append((True, self.view.controls(each, keys[index], keys[index + 1])[0]))
        if has_in_handle(each.curve, index):
            found.append((False, self.view.controls(each, keys[index - 1], keys[index])[1]))
        return found

    # -- pointer ------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._press = self._last = event.position()
        self._nudging = False
        event.accept()
        if event.button() == Qt.MouseButton.MiddleButton:
            self._mode = "pan"
            return
        spot = self._spot = self.spot_at(event.position())
        several = bool(event.modifiers() & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier))
        if event.button() == Qt.MouseButton.RightButton:
            if spot.kind == "key" and (spot.name, spot.frame) not in self._curves.chosen:
                self._curves.choose(frozenset({(spot.name, spot.frame)}))
            return
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if spot.kind == "key":
            self._press_key((spot.name, spot.frame), several)
        elif spot.kind in ("out", "in"):
            self._curves.begin()
            self._mode = "handle"
        elif spot.kind == "ruler":
            self._mode = "scrub"
            self._scrub(event.position())
        else:
            if spot.kind == "curve":
                self._curves.set_current(spot.name)
            self._mode = "band"
            self._band_from = self._curves.chosen if several else frozenset()
            self._curves.choose(self._band_from)

    def _press_key(self, key: KeyName, several: bool) -> None:
        chosen = self._curves.chosen
        if several:
            self._curves.choose(chosen ^ {key})
        elif key not in chosen:
            self._curves.choose(frozenset({key}))
        self._curves.set_current(key[0])
        if key in self._curves.chosen:
            self._curves.begin()
            self._mode = "move"

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point = event.position()
        event.accept()
        if not self._mode:
            spot = self.spot_at(point)
            if spot != self._hover:
                self._hover = spot
                self._show_cursor()
                self.redraw()
            return
        far = (point - self._press).manhattanLength() >= 3
        if self._mode == "pan":
            step = point - self._last
            self.view.pan(step.x(), step.y(), [each.kind for each in self.listed()])
            self.redraw()
        elif self._mode == "scrub":
            self._scrub(point)
        elif self._mode == "band" and (far or not self._band.isNull()):
            self._choose_in(QRectF(self._press, point).normalized())
        elif self._mode == "move" and (far or self.snapped is not None):
            self._move_keys(point, event.modifiers())
        elif self._mode == "handle":
            self._move_handle(point, event.modifiers())
        self._last = point

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._mode == "band" and not self._band.isNull():
            self._band = QRectF()
        self._mode, self.snapped = "", None
        self._hover = self.spot_at(event.position())
        self._show_cursor()
        self.redraw()
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        spot = self.spot_at(event.position())
        if event.button() != Qt.MouseButton.LeftButton or spot.kind in ("key", "out", "in", "ruler"):
            return
        curves = self._curves
        each = curves.curves().get(spot.name or curves.current)
        if each is None or event.position().x() < LEFT:
            return
        value = None if spot.kind == "curve" else self.view.value(each.kind, event.position().y())
        curves.add(each.name, round(self.view.frame(event.position().x())), value)
        event.accept()

    def _scrub(self, point: QPointF) -> None:
        self._curves.session.set_playhead(round(self.view.frame(point.x())))

    def _choose_in(self, band: QRectF) -> None:
        self._band = band
        inside: set[KeyName] = set()
        for each in self.listed():
            inside |= {(each.name, k.frame) for k in each.curve.keys if band.contains(self.view.key_point(each, k))}
        self._curves.choose(frozenset(self._band_from | inside))
        self.redraw()

    def _move_keys(self, point: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        dx, dy = point.x() - self._press.x(), point.y() - self._press.y()
        if modifiers & Qt.KeyboardModifier.ShiftModifier:
            dx, dy = (dx, 0.0) if abs(dx) >= abs(dy) else (0.0, dy)
        frames = self._snapped_step(dx / self.view.ppf)
        self._curves.move(frames, lambda each: self.view.rise(each.kind, dy))

    def _snapped_step(self, frames: float) -> float:
        """``frames`` as whole frames, drawn to the playhead, the clip's ends and keys that stay."""
        self.snapped = None
        step = float(round(frames))
        if not self._curves.snapping:
            return step
        held = [each.to_sequence_frame(key.frame) for each, key in self._curves.base_chosen]
        clip = self._curves.clip()
        targets = {float(self._curves.session.playhead)}
        if clip is not None:
            targets |= {float(clip.start), float(clip.end - 1)}
        chosen = self._curves.chosen
        for each in self.listed():
            targets |= {each.to_sequence_frame(k.frame) for k in each.curve.keys if (each.name, k.frame) not in chosen}
        best = min(
            ((abs(target - (at + frames)), target - at, target) for at in held for target in targets),
            default=None,
        )
        if best is not None and best[0] * self.view.ppf <= _SNAP:
            self.snapped = best[2]
            return best[1]
        return step

    def _move_handle(self, point: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        each = self._curves.curves().get(self._spot.name)
        key = each.curve.key_at(self._spot.frame) if each is not None else None
        if each is None or key is None:
            return
        frame = each.from_sequence_frame(self.view.frame(point.x()))
        value = self.view.value(each.kind, point.y())
        if modifiers & Qt.KeyboardModifier.ShiftModifier:
            value = key.value
        self._curves.set_handle(
            each.name,
            key.frame,
            (frame - key.frame, value - key.value),
            out=self._spot.kind == "out",
            aligned=not modifiers & Qt.KeyboardModifier.AltModifier,
        )

    def wheelEvent(self, event: QWheelEvent) -> None:
        ticks, point = event.angleDelta(), event.position()
        kinds = [each.kind for each in self.listed()]
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.view.zoom_values(2.0 ** (ticks.y() / 360), point.y(), kinds)
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier or ticks.x():
            self.view.pan((ticks.x() or ticks.y()) / 2, 0, ())
        else:
            self.view.zoom(2.0 ** (ticks.y() / 360), point.x())
        self.redraw()
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_wanted.emit(event.globalPos())
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        if self._hover != Spot():
            self._hover = Spot()
            self.redraw()
        super().leaveEvent(event)

    def _show_cursor(self) -> None:
        shapes = {
            "key": Qt.CursorShape.SizeAllCursor,
            "out": Qt.CursorShape.PointingHandCursor,
            "in": Qt.CursorShape.PointingHandCursor,
            "ruler": Qt.CursorShape.SplitHCursor,
        }
        self.setCursor(shapes.get(self._hover.kind, Qt.CursorShape.ArrowCursor))

    # -- keyboard -----------------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._takes(event):
            event.accept()
            return True
        return super().event(event)

    def _takes(self, event: QKeyEvent) -> bool:
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Escape:
            return bool(self._mode) or bool(self._curves.chosen)
        plain = not event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
        return plain and key in _ARROWS and bool(self._curves.chosen)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._takes(event):
            super().keyPressEvent(event)
            return
        if event.key() == Qt.Key.Key_Escape:
            if self._mode in ("move", "handle"):
                self._mode, self.snapped = "", None
                self._curves.move(0.0, lambda _each: 0.0)
            else:
                self._curves.choose(frozenset())
            return
        across, up = _ARROWS[Qt.Key(event.key())]
        far = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        # Each press is a step of its own; a key held down goes on with the same one.
        if not event.isAutoRepeat() or not self._nudging:
            self._curves.begin()
            self._nudged = (0, 0)
            self._nudging = True
        self._nudged = (self._nudged[0] + across * far, self._nudged[1] + up * far)
        frames, rise = self._nudged
        self._curves.move(frames, lambda each: rise * each.kind.step / each.kind.factor)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if not event.isAutoRepeat():
            self._nudging = False
        super().keyReleaseEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.redraw()
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._nudging = False
        self.redraw()
        super().focusOutEvent(event)


def _near(spot: QPointF, point: QPointF) -> bool:
    return abs(spot.x() - point.x()) <= _REACH and abs(spot.y() - point.y()) <= _REACH
