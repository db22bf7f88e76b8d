"""Exact seconds and OpenTimelineIO's rational times, which are two floating-point numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from gen2studio.core.errors import ProjectError

if TYPE_CHECKING:
    from opentimelineio.opentime import RationalTime, TimeRange

_NTSC = tuple(Fraction(base * 1000, 1001) for base in (24, 30, 48, 60, 120))
_FINEST = 1_000_000
LONGEST = 1 << 32
"""Seconds: what lies beyond is no time of a film."""


def exact_rate(rate: float) -> Fraction:
    """A frame rate as a fraction: 23.976 and its kin become n × 1000/1001. Raises ProjectError for none."""
    if not 0.001 <= rate <= 1_000_000:
        raise ProjectError(
            "A time in this timeline has no sound frame rate.", "Write the file again where it was made."
        )
    for candidate in _NTSC:
        if abs(rate - float(candidate)) < 0.006:
            return candidate
    return Fraction(rate).limit_denominator(1001)


def seconds(time: RationalTime) -> Fraction:
    """Exact seconds of a rational time. Raises ProjectError for times that no film has."""
    value = time.value
    if not abs(value) < LONGEST * max(1.0, time.rate):
        raise ProjectError("A time in this timeline is out of range.", "Write the file again where it was made.")
    return Fraction(value).limit_denominator(_FINEST) / exact_rate(time.rate)


def rational(time: Fraction, rate: Fraction) -> RationalTime:
    """``time`` seconds counted in frames of ``rate``."""
    from opentimelineio.opentime import RationalTime

    frames = time * rate
    return RationalTime(int(frames) if frames.denominator == 1 else float(frames), float(rate))


def time_range(start: Fraction, duration: Fraction, rate: Fraction, duration_rate: Fraction | None = None) -> TimeRange:
    """[start, start + duration) in seconds; the duration may be counted in frames of another rate."""
    from opentimelineio.opentime import TimeRange

    return TimeRange(rational(start, rate), rational(duration, duration_rate or rate))
