"""Work on files beside the window: an export or an import on a thread of its own, with progress and cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QThread, Signal

from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import sentence_of
from gen2studio.core.log import topic

_log = topic("files")

Tell = Callable[[Any], None]
"""Takes the progress of a job (:class:`gen2studio.app.export.ExportProgress`)."""
Work = Callable[[CancelToken, Tell], object]
"""What a job does; raises Cancelled, or an error of :func:`~gen2studio.core.errors.sentence_of`."""


class _Thread(QThread):
    progressed = Signal(object)
    succeeded = Signal(object)
    failed = Signal(str)
    cancelled = Signal()

    def __init__(self, name: str, work: Callable[[Tell], object]) -> None:
        super().__init__()
        self.setObjectName(name)
        self._work = work

    def run(self) -> None:
        try:
            self.succeeded.emit(self._work(self.progressed.emit))
        except Cancelled:
            self.cancelled.emit()
        except Exception as error:
            _log.exception("%s failed", self.objectName())
            self.failed.emit(sentence_of(error))


class FileJob(QObject):
    """One export or import. Signals arrive on the thread that made the job."""

    progressed = Signal(object)
    """ExportProgress, at most ten times a second."""
    finished = Signal(object)
    """What the work returned."""
    failed = Signal(str)
    """One sentence."""
    cancelled = Signal()

    def __init__(self, name: str, work: Work, parent: QObject | None = None) -> None:
        """``name`` is the thread's, for the log."""
        super().__init__(parent)
        token = self._cancel = CancelToken()
        self._thread = _Thread(name, lambda tell: work(token, tell))
        self._thread.progressed.connect(self.progressed)
        self._thread.succeeded.connect(self.finished)
        self._thread.failed.connect(self.failed)
        self._thread.cancelled.connect(self.cancelled)

    @property
    def running(self) -> bool:
        return self._thread.isRunning()

    def start(self) -> None:
        self._thread.start(QThread.Priority.LowPriority)

    def cancel(self) -> None:
        """Stop at the next frame; ``cancelled`` follows. Nothing is left behind."""
        self._cancel.cancel()

    def wait(self, milliseconds: int = 30_000) -> bool:
        """Block until the thread has ended (after :meth:`cancel`, when the window closes)."""
        return self._thread.wait(milliseconds)
