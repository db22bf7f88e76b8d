"""The pointer on the canvas, and what its tools are: functions ``tool(stage, press) -> Gesture``.

Gestures are generators, see :mod:`gen2studio.ui.gesturing`. The picture going away closes them as Esc does: they leave
through GeneratorExit, and ``with`` blocks put things back.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent, QPointingDevice, QTabletEvent

from gen2studio.core.records import dataclass
from gen2studio.ui.gesturing import WithModifiers

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
class Pointer(WithModifiers):
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
