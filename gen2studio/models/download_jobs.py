"""What is known of one download while the program runs: its state, its speed, its thread."""

from __future__ import annotations

import threading
import time
from collections import deque

from gen2studio.models.download_orders import DownloadOrder
from gen2studio.models.download_values import Download, DownloadState
from gen2studio.models.hub_connection import TransferToken

_SHOWN_EVERY = 0.1
_RATE_SECONDS = 5.0


class DownloadJob:
    """One download. Changed under the queue's lock, or by its own thread."""

    def __init__(self, order: DownloadOrder) -> None:
        self.order = order
        self.state = DownloadState.WAITING
        self.wanted = "run"
        self.again = False
        self.token = TransferToken()
        self.thread: threading.Thread | None = None
        self.done = 0
        self.file = self.note = self.problem = self.remedy = self.kind = self.outcome = ""
        self._steps: deque[tuple[float, int]] = deque()
        self._shown = 0.0

    def failed(self, problem: str, remedy: str, kind: str) -> None:
        """It ended with a problem; without one it is paused."""
        self.state = DownloadState.FAILED if problem else DownloadState.PAUSED
        self.problem, self.remedy, self.kind = problem, remedy, kind
        self.note = self.file = ""

    def fetched(self, count: int) -> None:
        """``count`` bytes came over the network now."""
        now = time.monotonic()
        self._steps.append((now, count))
        while self._steps and now - self._steps[0][0] > _RATE_SECONDS:
            self._steps.popleft()

    def may_show(self) -> bool:
        """Whether the last news are old enough for new ones."""
        now = time.monotonic()
        if now - self._shown < _SHOWN_EVERY:
            return False
        self._shown = now
        return True

    def value(self) -> Download:
        """What listeners get."""
        rate = self._rate() if self.state is DownloadState.RUNNING else 0.0
        left = max(0, self.order.total - self.done)
        finished = self.state is DownloadState.DONE
        return Download(
            id=self.order.id, title=self.order.title, state=self.state, done=self.done, total=self.order.total,
            rate=rate, seconds_left=left / rate if rate > 0 else None, file=self.file, note=self.note,
            problem=self.problem, remedy=self.remedy, kind=self.kind, folder=self.order.folder if finished else None,
            outcome=self.outcome,
        )  # fmt: skip

    def gone(self) -> Download:
        """The last value of a download that is not listed any more."""
        return Download(id=self.order.id, title=self.order.title, state=DownloadState.PAUSED)

    def _rate(self) -> float:
        """Bytes per second over the window; 0 until it means something."""
        if len(self._steps) < 2:
            return 0.0
        passed = time.monotonic() - self._steps[0][0]
        return sum(count for _, count in self._steps) / passed if passed > 0.2 else 0.0
