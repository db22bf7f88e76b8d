"""Gestures as generators: before the first ``yield`` is the press, the loop is the move, what follows the release.

A tool is a function ``tool(stage, press) -> Gesture``. Each ``yield`` hands back the next :class:`Pointer`. Esc (or the
picture going away) closes the generator: it leaves through GeneratorExit, and ``with`` blocks put things back.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent, QPointingDevice, QTabletEvent

from gen2studio.core.records import dataclass

if TYPE_CHECKING:
    from gen2studio.ui.canvas.stage import Stage


class Phase(enum.Enum):
    PRESS = "press"
    MOVE = "move"
    """A button or the pen is down."""
    HOVER = "hover"
    """Moving with nothing down; only gestures of several clicks see it."""
    RELEASE = "release"
    DOUBLE = "double"
    ACCEPT = "accept"
    """Enter."""
    BACK = "back"
    """Backspace."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """Mouse or pen at one moment."""

    phase: Phase
    x: float
    """Media pixels."""
    y: float
    view: QPointF
    """Widget position."""
    pressure: float = 1.0
    button: Qt.MouseButton = Qt.MouseButton.LeftButton
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    eraser: bool = False
    """The other end of the pen."""

    @property
    def moving(self) -> bool:
        return self.phase is Phase.MOVE

    @property
    def shift(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ShiftModifier)

    @property
    def alt(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.AltModifier)

    @property
    def ctrl(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ControlModifier)


def pointer_of(phase: Phase, event: QMouseEvent | QTabletEvent, view: QPointF, media: QPointF) -> Pointer:
    """The pointer of an event at ``view`` on the widget, which is ``media`` on the picture."""
    pen = isinstance(event, QTabletEvent)
    return Pointer(
        phase=phase,
        x=media.x(),
        y=media.y(),
        view=view,
        pressure=event.pressure() if pen else 1.0,
        button=event.button(),
        modifiers=event.modifiers(),
        eraser=pen and event.pointerType() is QPointingDevice.PointerType.Eraser,
    )


Gesture = Generator[None, Pointer, None]
Tool = Callable[["Stage", Pointer], Gesture]


class GestureRunner:
    """Drives one gesture at a time."""

    def __init__(self) -> None:
        self._gesture: Gesture | None = None

    @property
    def active(self) -> bool:
        return self._gesture is not None

    def start(self, gesture: Gesture) -> None:
        """Run the press. A gesture that ends there was a click."""
        self.cancel()
        self._gesture = gesture
        try:
            next(gesture)
        except StopIteration:
            self._gesture = None
        except BaseException:
            self._gesture = None
            raise

    def send(self, pointer: Pointer) -> None:
        """Hand over the next pointer; the gesture may end with it."""
        gesture = self._gesture
        if gesture is None:
            return
        try:
            gesture.send(pointer)
        except StopIteration:
            self._gesture = None
        except BaseException:
            self._gesture = None
            raise

    def cancel(self) -> bool:
        """Put back what the gesture has done so far. False when there was none."""
        gesture, self._gesture = self._gesture, None
        if gesture is None:
            return False
        gesture.close()
        return True
