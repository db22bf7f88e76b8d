"""Measured throughput: the time left in a job, and what one like it will take."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from gen2studio.engine.requests import GenerateRequest

_WINDOW = 24


class Pace:
    """Time left, from the job's own last steps. Time spent paused or on other jobs doesn't count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stopped_at: float | None = None
        self._lost = 0.0
        self._begun = clock()
        self._stage = ""
        self._total = 0
        self._steps: deque[tuple[float, int]] = deque(maxlen=_WINDOW)

    def stop(self) -> None:
        if self._stopped_at is None:
            self._stopped_at = self._clock()

    def go_on(self) -> None:
        if self._stopped_at is not None:
            self._lost += self._clock() - self._stopped_at
            self._stopped_at = None

    @property
    def seconds(self) -> float:
        """Working time so far."""
        now = self._stopped_at if self._stopped_at is not None else self._clock()
        return now - self._begun - self._lost

    def eta(self, done: int, total: int, stage: str = "") -> float | None:
        """Seconds left of this stage after ``done`` of ``total`` steps; None until two steps were seen."""
        if stage != self._stage or total != self._total or (self._steps and done < self._steps[-1][1]):
            self._stage, self._total = stage, total
            self._steps.clear()
        if not self._steps or done > self._steps[-1][1]:
            self._steps.append((self.seconds, done))
        first, last = self._steps[0], self._steps[-1]
        if last[1] == first[1]:
            return None
        return (last[0] - first[0]) / (last[1] - first[1]) * max(0, total - done)


class PaceBook:
    """What requests of each generator and mode cost on this machine: seconds per million output pixels."""

    def __init__(self) -> None:
        self._cost: dict[tuple[str, str, bool], float] = {}

    def learn(self, request: GenerateRequest, frames: int, seconds: float) -> None:
        if frames > 0:
            cost = seconds / (frames * request.width * request.height / 1e6)
            known = self._cost.get(_kind(request))
            self._cost[_kind(request)] = cost if known is None else 0.5 * (known + cost)

    def seconds(self, request: GenerateRequest, frames: int) -> float | None:
        cost = self._cost.get(_kind(request))
        return None if cost is None else cost * frames * request.width * request.height / 1e6


def _kind(request: GenerateRequest) -> tuple[str, str, bool]:
    """Requests of one kind cost alike for each pixel: those with key frames draw only few of theirs."""
    return request.generator, request.mode, request.key_spacing != 0
