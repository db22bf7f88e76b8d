"""Long work on the disk, off the window's thread, for callers that need its result before they go on.

Saving or opening a project that is one big file can take seconds. The work runs on a thread of its own; meanwhile the
window keeps painting and takes no input, and events of jobs still arrive.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QEventLoop, QObject, Qt, Signal

T = TypeVar("T")

AT_ONCE_SECONDS = 0.012
"""Work that ends within this needs no event loop: less than one frame at 60 Hz."""


class DiskWork(QObject):
    """Runs one piece of work at a time. Call it on the window's thread."""

    started = Signal(str)
    """What is going on, for the status bar: it takes longer than a moment."""
    ended = Signal()

    _done = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.busy = False

    def run(self, what: str, work: Callable[[], T]) -> T:
        """The result of ``work``, or what it raised. ``work`` must not touch widgets, signals or the document store."""
        results: list[T] = []
        errors: list[BaseException] = []
        finished = threading.Event()

        def job() -> None:
            try:
                results.append(work())
            except BaseException as error:
                errors.append(error)
            finally:
                finished.set()
                self._done.emit()

        loop = QEventLoop(self)
        self._done.connect(loop.quit, Qt.ConnectionType.QueuedConnection)
        thread = threading.Thread(target=job, name="disk-work", daemon=False)
        self.busy = True
        try:
            thread.start()
            if not finished.wait(AT_ONCE_SECONDS):
                self.started.emit(what)
                while not finished.is_set():
                    loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
                self.ended.emit()
            thread.join()
        finally:
            self.busy = False
            self._done.disconnect(loop.quit)
            loop.deleteLater()
        if errors:
            raise errors[0]
        return results[0]
