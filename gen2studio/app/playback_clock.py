"""Sequence time while playing, readable from any thread, and what is to be played. No Qt in here."""

from __future__ import annotations

import threading
import time
from fractions import Fraction

from gen2studio.core.records import dataclass
from gen2studio.document.model import Document

_MAX_INTERPOLATION = 0.05
"""Seconds the clock may run on after the last step of the device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayPlan:
    """What to play: from ``start`` seconds of the sequence at ``speed`` (negative backwards)."""

    document: Document
    start: Fraction
    speed: float
    token: int
    """Tells one playback from the next."""


class PlaybackClock:
    """Sequence time while playing. Any thread may read it.

    Runs on the audio device's samples while one is attached, else on ``perf_counter``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._start = 0.0
        self._speed = 0.0
        self._device_seconds = 0.0
        self._device_at = 0.0
        self._begun_at = 0.0
        self._offset = 0.0
        self._token = 0
        self.on_device = False

    def begin(self, start: Fraction, speed: float, *, on_device: bool, token: int = 0) -> None:
        """Start at ``start`` seconds. On a device, time stands still until the device reports its first samples."""
        with self._lock:
            self._start, self._speed, self.on_device, self._token = float(start), speed, on_device, token
            self._device_seconds, self._device_at = 0.0, 0.0
            self._begun_at = time.perf_counter()

    def set_offset(self, seconds: float) -> None:
        """Sound that is heard ``seconds`` later than the device reports: the picture waits that long."""
        with self._lock:
            self._offset = seconds

    def device_step(self, seconds: float, token: int = 0) -> None:
        """The device has played ``seconds`` of the playback ``token``; steps of an earlier playback are ignored."""
        with self._lock:
            if token == self._token and seconds > self._device_seconds:
                self._device_seconds, self._device_at = seconds, time.perf_counter()

    def detach(self) -> None:
        """The device is gone: run on from here by the system clock."""
        with self._lock:
            if self.on_device:
                self._start += self._elapsed() * self._speed
                self._begun_at = time.perf_counter()
                self.on_device = False

    def _elapsed(self) -> float:
        now = time.perf_counter()
        if not self.on_device:
            return now - self._begun_at
        if self._device_at == 0.0:
            return 0.0
        return max(0.0, self._device_seconds + min(now - self._device_at, _MAX_INTERPOLATION) - self._offset)

    def stalled_for(self) -> float:
        """Seconds since :meth:`begin` during which an attached device has not played a single sample."""
        with self._lock:
            waiting = self.on_device and self._device_at == 0.0
            return time.perf_counter() - self._begun_at if waiting else 0.0

    def seconds(self) -> float:
        """Sequence time in seconds, now."""
        with self._lock:
            return self._start + self._elapsed() * self._speed
