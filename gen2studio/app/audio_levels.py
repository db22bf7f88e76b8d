"""Gain over time: decibels, balance, fades, automation. Every function is one of absolute samples, so blocks join."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from gen2studio.core.curve import Curve
from gen2studio.core.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

SILENCE_DB = -96.0
"""At and below this level there is silence, not −96 dB."""
_GRID = 64
"""Samples between two values of an automation curve; gain is linear in between, so that a jump does not click."""


def amplitude(decibels: float) -> float:
    """The factor of a gain in dB; 0 at −96 dB and below."""
    return 0.0 if decibels <= SILENCE_DB else 10.0 ** (decibels / 20)


def balance(pan: float) -> tuple[float, float]:
    """Factors of (left, right) for a pan of −1…1.

    Stereo is balanced, not folded: the side turned away from falls as a cosine, the other one stays as it is. Nothing
    gets louder, and the centre is exactly 1.
    """
    turn = float(np.cos(min(1.0, abs(pan)) * np.pi / 2))
    return (turn, 1.0) if pan > 0 else (1.0, turn) if pan < 0 else (1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Ramp:
    """Gain that goes from 0 to 1 (``rising``) or 1 to 0 over sequence samples [low, high) and holds outside."""

    low: int
    high: int
    rising: bool
    power: bool
    """Equal power (a sine: what fades in and fades out of two sounds keeps its power), else equal gain (a raised
    cosine: what crosses two like sounds keeps its level)."""

    def over(self, first: int, count: int) -> NDArray[np.float32] | None:
        """Factors of samples [first, first + count), None where all are 1."""
        if (first >= self.high) if self.rising else (first + count <= self.low):
            return None
        part = (np.arange(first, first + count) - self.low + 0.5) / max(1, self.high - self.low)
        wave = np.sin(np.clip(part if self.rising else 1 - part, 0, 1) * (np.pi / 2))
        return (wave if self.power else wave * wave).astype(np.float32)


def automation(curve: Curve, first: int, count: int, begin: Fraction, per_frame: Fraction) -> NDArray[np.float64]:
    """Values of a curve for samples [first, first + count): ``begin`` is the sample of its frame 0.

    The curve is looked up on a fixed grid of the sequence's samples and linear in between.
    """
    low, high = first // _GRID, -(-(first + count) // _GRID)
    grid = np.arange(low, high + 1) * _GRID
    frames = (grid - float(begin)) / float(per_frame)
    values = np.array([curve.at(frame) for frame in frames.tolist()])
    return np.interp(np.arange(first, first + count), grid, values)


def volume(curve: Curve, first: int, count: int, begin: Fraction, per_frame: Fraction) -> NDArray[np.float32] | float:
    """Factors of a volume curve (dB). Amplitude, not decibels, is linear between the points of the grid."""
    if not curve.moving:
        return amplitude(curve.value)
    low, high = first // _GRID, -(-(first + count) // _GRID)
    grid = np.arange(low, high + 1) * _GRID
    frames = (grid - float(begin)) / float(per_frame)
    values = [amplitude(curve.at(frame)) for frame in frames.tolist()]
    return np.interp(np.arange(first, first + count), grid, values).astype(np.float32)


def panning(curve: Curve, first: int, count: int, begin: Fraction, per_frame: Fraction) -> NDArray[np.float32] | None:
    """(count, 2) or (1, 2) factors of a pan curve; None at the centre."""
    if not curve.moving:
        return np.array([balance(curve.value)], np.float32) if curve.value else None
    pan = np.clip(automation(curve, first, count, begin, per_frame), -1, 1)
    turn = np.cos(np.abs(pan) * (np.pi / 2))
    return np.column_stack([np.where(pan > 0, turn, 1), np.where(pan < 0, turn, 1)]).astype(np.float32)
