"""What gestures of canvas and timeline share: the keys held with a pointer, and the runner of one gesture at a time.

A gesture is a generator: before the first ``yield`` is the press, the loop is the move, what follows is the release.
Each ``yield`` hands back the next pointer. Closing it (Esc) runs its ``finally`` and leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Generic, TypeVar

from PySide6.QtCore import Qt

P = TypeVar("P")


class WithModifiers:
    """Names for the keys that are held."""

    __slots__ = ()

    modifiers: Qt.KeyboardModifier

    @property
    def shift(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ShiftModifier)

    @property
    def alt(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.AltModifier)

    @property
    def ctrl(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ControlModifier)


class GestureRunner(Generic[P]):
    """Drives one gesture at a time; ``P`` is what it is told of the pointer."""

    def __init__(self) -> None:
        self._gesture: Generator[None, P, None] | None = None

    @property
    def active(self) -> bool:
        return self._gesture is not None

    def start(self, gesture: Generator[None, P, None]) -> None:
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

    def send(self, pointer: P, *, last: bool = False) -> None:
        """Hand over the next pointer; the gesture may end with it, and is out of hand already with the ``last``."""
        gesture = self._gesture
        if gesture is None:
            return
        if last:
            self._gesture = None
        try:
            gesture.send(pointer)
        except StopIteration:
            self._end(gesture)
        except BaseException:
            self._end(gesture)
            raise

    def _end(self, gesture: Generator[None, P, None]) -> None:
        if self._gesture is gesture:
            self._gesture = None

    def cancel(self) -> bool:
        """Put back what the gesture has done so far. False when there was none."""
        gesture, self._gesture = self._gesture, None
        if gesture is None:
            return False
        gesture.close()
        return True
