"""Exact time: frame rates are fractions, positions are integer frames or Fraction seconds, never floats.

Timecode follows SMPTE ST 12-1, with drop-frame counting for 29.97 and 59.94.
"""

from __future__ import annotations

import re
from fractions import Fraction

COMMON_RATES: tuple[Fraction, ...] = (
    Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30),
    Fraction(48), Fraction(50), Fraction(60000, 1001), Fraction(60),
)  # fmt: skip


def snap_rate(rate: Fraction, tolerance: float = 0.001) -> Fraction:
    """The common rate within ``tolerance`` (relative) of ``rate``, or ``rate`` with a small denominator."""
    for common in COMMON_RATES:
        if abs(float(rate / common) - 1) <= tolerance / 10:
            return common
    return rate.limit_denominator(1001)


def frames_to_seconds(frames: int, rate: Fraction) -> Fraction:
    return Fraction(frames) / rate


def seconds_to_frames(seconds: Fraction, rate: Fraction) -> int:
    """The frame that is on screen at ``seconds``: floor, exact for Fractions."""
    return int((seconds * rate).__floor__())


def rate_label(rate: Fraction) -> str:
    """``23.976``, ``25``, ``29.97``: what artists read, without trailing zeros."""
    return f"{float(rate):.3f}".rstrip("0").rstrip(".")


def nominal_rate(rate: Fraction) -> int:
    return max(1, round(rate))


def is_drop_frame(rate: Fraction) -> bool:
    return rate in (Fraction(30000, 1001), Fraction(60000, 1001))


def timecode(frame: int, rate: Fraction) -> str:
    """SMPTE timecode ``HH:MM:SS:FF`` (``;FF`` for drop-frame rates). Negative frames get a minus sign."""
    sign, frame = ("-", -frame) if frame < 0 else ("", frame)
    base = nominal_rate(rate)
    separator = ":"
    if is_drop_frame(rate):
        separator = ";"
        drop = base // 15
        per_ten = base * 600 - 9 * drop
        per_minute = base * 60 - drop
        tens, rest = divmod(frame, per_ten)
        frame += 9 * drop * tens + (drop * ((rest - drop) // per_minute) if rest >= drop else 0)
    seconds, frames = divmod(frame, base)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours:02d}:{minutes:02d}:{seconds:02d}{separator}{frames:02d}"


def parse_timecode(text: str, rate: Fraction) -> int:
    """Frames for ``HH:MM:SS:FF``, ``MM:SS``, ``SS.sss`` or a bare frame count. Raises ValueError."""
    text = text.strip()
    if re.fullmatch(r"\d+", text):
        return int(text)
    if re.fullmatch(r"\d+\.\d+", text):
        return seconds_to_frames(Fraction(text), rate)
    parts = re.split(r"[:;]", text)
    if not 2 <= len(parts) <= 4 or not all(re.fullmatch(r"\d+", p) for p in parts):
        raise ValueError(f"“{text}” is not a timecode")
    numbers = [int(p) for p in parts]
    if len(numbers) < 4:
        numbers = [0] * (3 - len(numbers)) + numbers + [0]
    hours, minutes, seconds, frames = numbers
    base = nominal_rate(rate)
    total = ((hours * 60 + minutes) * 60 + seconds) * base + frames
    if is_drop_frame(rate):
        all_minutes = hours * 60 + minutes
        total -= base // 15 * (all_minutes - all_minutes // 10)
    return total
