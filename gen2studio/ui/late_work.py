"""Building that the first frame does not need, done right after it: one piece in a turn of the event loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer


class LateWork(QObject):
    """Takes pieces of building and does them in order once :meth:`start` was called, between the window's events."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pieces: deque[Callable[[], object]] = deque()
        self._started = False
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._step)

    @property
    def pending(self) -> bool:
        return bool(self._pieces)

    def add(self, piece: Callable[[], object]) -> None:
        """Do ``piece`` later. What is added after the start is done as well."""
        self._pieces.append(piece)
        if self._started:
            self._timer.start(0)

    def start(self) -> None:
        """Begin with the next turn of the event loop."""
        self._started = True
        if self._pieces:
            self._timer.start(0)

    def finish(self) -> None:
        """Do all that is left at once."""
        while self._pieces:
            self._pieces.popleft()()
        self._timer.stop()

    def _step(self) -> None:
        if self._pieces:
            self._pieces.popleft()()
        if not self._pieces:
            self._timer.stop()
