"""A progress bar on stderr: one line that is drawn over on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_WIDTH = 28
_LOG_SECONDS = 5.0
_DRAW_SECONDS = 0.05


class ProgressBar:
    """``Painting ████████░░░░ 12/80  0:42 left``. Safe to call from any thread that holds no lock of its own."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._last = 0.0
        self._stage = ""
        self._complete = False
        self._drawn = 0

    def show(self, done: int, total: int, stage: str = "", eta_seconds: float | None = None) -> None:
        """Draw the state, at most some twenty times a second (in logs: every five seconds and at each stage's end)."""
        now = time.monotonic()
        complete = done >= total
        gap = _DRAW_SECONDS if self._live else _LOG_SECONDS
        if stage == self._stage and now - self._last < gap and (not complete or self._complete):
            return
        self._complete = complete
        self._stage, self._last = stage, now
        filled = _WIDTH if complete else int(_WIDTH * done / max(1, total))
        left = f"  {clock_text(eta_seconds)} left" if eta_seconds is not None and not complete else ""
        line = f"{stage or 'Working'} {'█' * filled}{'░' * (_WIDTH - filled)} {done}/{total}{left}"
        if self._live:
            self._stream.write("\r" + line.ljust(self._drawn))
            self._drawn = len(line)
        else:
            self._stream.write(line + "\n")
        self._stream.flush()

    def say(self, sentence: str) -> None:
        """A line of its own, above the bar."""
        self.clear()
        self._stream.write(sentence + "\n")
        self._stream.flush()

    def clear(self) -> None:
        """Take the bar off the terminal."""
        if self._live and self._drawn:
            self._stream.write("\r" + " " * self._drawn + "\r")
            self._stream.flush()
            self._drawn = 0


def clock_text(seconds: float) -> str:
    """``0:07``, ``12:30``, ``1:02:03``."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
