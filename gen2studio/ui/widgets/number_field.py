"""A number that is typed, stepped, or changed by dragging across it, as in compositors and editors."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QMouseEvent
from PySide6.QtWidgets import QDoubleSpinBox, QWidget

from gen2studio.ui.widgets.named import named
from gen2studio.ui.widgets.wheel_guard import WheelGuard

_THRESHOLD = 3
"""Pixels that a press may move and is a click still."""
_PIXELS_A_STEP = 3.0


class NumberField(QDoubleSpinBox):
    """``edited`` carries each value a person sets and the number of the gesture it belongs to: the moves of one drag,
    or of one visit by keyboard, share theirs, so that they become one undo step.

    Dragging sideways changes the value, by tenths with Ctrl and tenfold with Shift; a click edits the text. Esc puts a
    drag back. While :meth:`set_mixed` holds, the field shows a dash.
    """

    edited = Signal(float, int)
    _gestures = 0

    def __init__(
        self,
        name: str,
        title: str,
        *,
        low: float,
        high: float,
        step: float = 1.0,
        decimals: int = 1,
        unit: str = "",
        tip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._mixed = False
        self._quiet = False
        self._pressed: QPointF | None = None
        self._dragging = False
        self._at_press = 0.0
        self._was_mixed = False
        self._moved = 0.0
        self._last_x = 0.0
        self._gesture = 0
        self.new_gesture()
        self.setDecimals(decimals)
        self.setRange(low, high)
        self.setSingleStep(step)
        self.setSuffix(f" {unit}" if unit and unit not in "%°" else unit)
        self.setKeyboardTracking(False)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setProperty("plain", True)
        named(self, name, title, f"{tip or title}\nDrag sideways to change it; Shift goes faster, Ctrl finer.")
        self.lineEdit().setTextMargins(5, 0, 4, 0)
        WheelGuard(self)
        self.lineEdit().installEventFilter(self)
        self.lineEdit().setCursor(Qt.CursorShape.SizeHorCursor)
        self.valueChanged.connect(self._on_value_changed)

    @property
    def dragging(self) -> bool:
        return self._dragging

    def new_gesture(self) -> None:
        """What comes next is a step of its own."""
        NumberField._gestures += 1
        self._gesture = NumberField._gestures

    def show_value(self, value: float) -> None:
        """Show ``value`` without a signal; a value that is being typed is left alone."""
        self._mixed = False
        if self.lineEdit().isModified() and self.hasFocus():
            return
        self._quiet = True
        self.setValue(value)
        self._quiet = False
        self._refresh()

    def set_mixed(self, value: float) -> None:
        """Show that there is no one value; stepping starts from ``value``."""
        self._quiet = True
        self.setValue(value)
        self._quiet = False
        self._mixed = True
        self._refresh()

    def _refresh(self) -> None:
        text = self.textFromValue(self.value())
        shown = text if self._mixed else f"{text}{self.suffix()}"
        if self.lineEdit().text() != shown:
            self.lineEdit().setText(shown)
            self.lineEdit().setModified(False)

    def textFromValue(self, value: float) -> str:
        if self._mixed:
            return "–"
        return super().textFromValue(value)

    def valueFromText(self, text: str) -> float:
        return self.value() if text.strip() == "–" else super().valueFromText(text)

    def _on_value_changed(self, value: float) -> None:
        if not self._quiet:
            self._mixed = False
            self.edited.emit(value, self._gesture)

    # -- dragging -----------------------------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.lineEdit() and isinstance(event, QMouseEvent) and self.isEnabled():
            kind = event.type()
            if kind == QEvent.Type.MouseButtonPress and event.button() == Qt.MouseButton.LeftButton:
                if not (self.hasFocus() and self.lineEdit().hasSelectedText()):
                    return self._begin(event)
            elif kind == QEvent.Type.MouseMove and self._pressed is not None:
                return self._move(event)
            elif kind == QEvent.Type.MouseButtonRelease and self._pressed is not None:
                return self._end()
        if watched is self.lineEdit() and event.type() == QEvent.Type.KeyPress and self._cancels(event):
            return True
        return super().eventFilter(watched, event)

    def _begin(self, event: QMouseEvent) -> bool:
        """A press may begin a drag; without one it is a click into the text."""
        self._pressed = event.globalPosition()
        self._last_x = event.globalPosition().x()
        self._at_press = self.value()
        self._was_mixed = self._mixed
        self._moved = self.value()
        return True

    def _move(self, event: QMouseEvent) -> bool:
        assert self._pressed is not None
        x = event.globalPosition().x()
        if not self._dragging:
            if abs(x - self._pressed.x()) < _THRESHOLD:
                return True
            self._dragging = True
            self.new_gesture()
            self.setFocus(Qt.FocusReason.MouseFocusReason)
        pace = 1.0
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            pace = 10.0
        elif event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            pace = 0.1
        self._moved += (x - self._last_x) / _PIXELS_A_STEP * self.singleStep() * pace
        self._moved = min(max(self._moved, self.minimum()), self.maximum())
        self._last_x = x
        self.setValue(round(self._moved, self.decimals()))
        return True

    def _end(self) -> bool:
        dragged, self._dragging, self._pressed = self._dragging, False, None
        if not dragged:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            # The base class' own leaves out the unit, which a dash does not have.
            if self._mixed:
                self.lineEdit().selectAll()
            else:
                self.selectAll()
        self.new_gesture()
        return True

    def _cancels(self, event: QEvent) -> bool:
        if not self._dragging or getattr(event, "key", lambda: 0)() != Qt.Key.Key_Escape:
            return False
        if not math.isclose(self.value(), self._at_press):
            self.setValue(self._at_press)
        self._dragging, self._pressed = False, None
        self.new_gesture()
        return True

    def focusInEvent(self, event: QFocusEvent) -> None:
        if not self._dragging:
            self.new_gesture()
        super().focusInEvent(event)
