"""How loud what is heard now is: levels travel from the audio thread to the meters, in time with the device."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from math import exp, log10

from gen2studio.app.audio_mix import Level
from gen2studio.core.records import dataclass

FLOOR_DB = -90.0
"""What meters call nothing."""
_FALL_DB = 20 / 1.7
"""dB a second that a peak falls: 20 dB in 1.7 s, as IEC 60268-10 type I meters return."""
_RMS_SECONDS = 0.3
"""Integration time of the loudness bar, that of a VU meter."""
_HOLD_SECONDS = 1.5
_LONGEST = 4096
"""Blocks waiting at most; a device that stopped must not fill the memory."""


class MeterTap:
    """A queue of levels between two threads. The device's position decides when a level is due."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, int, Mapping[str, Level]]] = deque(maxlen=_LONGEST)
        self._played = 0
        self.wanted = False
        """Whether anybody looks; levels are only measured then."""

    def add(self, position: int, count: int, levels: Mapping[str, Level]) -> None:
        """Levels of ``count`` samples that the device plays from its sample ``position`` on."""
        with self._lock:
            self._waiting.append((position, count, levels))

    def played(self, position: int) -> None:
        """The device stands at its sample ``position``."""
        with self._lock:
            self._played = position

    def clear(self) -> None:
        """The device was closed: what waits will not be heard."""
        with self._lock:
            self._waiting.clear()
            self._played = 0

    def take(self) -> dict[str, Level]:
        """What was played since the last call, by track id: the highest peaks, the mean power. Empty for nothing."""
        peaks: dict[str, tuple[float, float]] = {}
        powers: dict[str, tuple[float, float]] = {}
        total = 0
        with self._lock:
            while self._waiting and self._waiting[0][0] <= self._played:
                _, count, levels = self._waiting.popleft()
                total += count
                for key, level in levels.items():
                    left, right = peaks.get(key, (0.0, 0.0))
                    peaks[key] = (max(left, level.peak[0]), max(right, level.peak[1]))
                    left, right = powers.get(key, (0.0, 0.0))
                    powers[key] = (left + level.power[0] * count, right + level.power[1] * count)
        return {
            key: Level(peak, (powers[key][0] / max(1, total), powers[key][1] / max(1, total)))
            for key, peak in peaks.items()
        }


def decibels(value: float) -> float:
    """An amplitude in dBFS, not below the meters' floor."""
    return max(FLOOR_DB, 20 * log10(value)) if value > 0 else FLOOR_DB


@dataclass(frozen=True, slots=True)
class Reading:
    """What one bar of a meter shows, dBFS."""

    peak: float = FLOOR_DB
    loud: float = FLOOR_DB
    """RMS over 300 ms."""
    hold: float = FLOOR_DB
    """The highest peak of the last moments."""
    clipped: bool = False
    """A sample reached full scale since the light was put out."""


class Ballistics:
    """How a bar moves: peaks at once up and steadily down, loudness smoothed, the highest peak held for a while."""

    def __init__(self) -> None:
        self.reading = Reading()
        self._power = 0.0
        self._held = 0.0

    def step(self, peak: float, power: float, seconds: float) -> Reading:
        """``seconds`` went by in which the highest sample was ``peak`` and the mean square ``power``."""
        old = self.reading
        new_peak = max(decibels(peak), old.peak - _FALL_DB * seconds)
        self._power += (power - self._power) * (1 - exp(-seconds / _RMS_SECONDS))
        self._held += seconds
        hold = old.hold
        if new_peak >= hold:
            hold, self._held = new_peak, 0.0
        elif self._held > _HOLD_SECONDS:
            hold = max(new_peak, hold - _FALL_DB * seconds)
        loud = max(FLOOR_DB, 10 * log10(self._power)) if self._power > 0 else FLOOR_DB
        self.reading = Reading(max(FLOOR_DB, new_peak), loud, max(FLOOR_DB, hold), old.clipped or peak >= 1.0)
        return self.reading

    @property
    def resting(self) -> bool:
        """Whether nothing moves any more."""
        reading = self.reading
        return reading.peak <= FLOOR_DB and reading.loud <= FLOOR_DB and reading.hold <= FLOOR_DB

    def reset(self) -> None:
        """Put out the light and forget the highest peak."""
        reading = self.reading
        self.reading = Reading(reading.peak, reading.loud, reading.peak, False)
