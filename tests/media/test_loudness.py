"""Loudness against the test signals of EBU Tech 3341 (minimum requirements, table 1)."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.media.loudness import Loudness, LoudnessMeter, measure

RATE = 48000


def tone(parts: list[tuple[float, float]], hertz: float = 1000.0) -> NDArray[np.float32]:
    """A stereo sine of (dBFS, seconds), one part after the other."""
    levels = np.concatenate([np.full(round(seconds * RATE), 10 ** (level / 20)) for level, seconds in parts])
    wave = (levels * np.sin(2 * np.pi * hertz * np.arange(len(levels)) / RATE)).astype(np.float32)
    return np.column_stack([wave, wave])


def measured(wave: NDArray[np.float32]) -> Loudness:
    return measure(lambda first, count: wave[first : first + count], len(wave), RATE)


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ([(-23.0, 20.0)], -23.0),
        ([(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)], -23.0),
        ([(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)], -23.0),
    ],
)
def test_integrated_loudness_of_tech_3341(parts: list[tuple[float, float]], wanted: float) -> None:
    assert measured(tone(parts)).integrated == pytest.approx(wanted, abs=0.1)


def test_short_term_and_momentary_of_a_steady_tone() -> None:
    found = measured(tone([(-23.0, 5.0)]))
    assert found.short_term == pytest.approx(-23.0, abs=0.1)
    assert found.momentary == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(("part", "degrees"), [(4, 0.0), (4, 45.0), (6, 60.0), (8, 67.5)])
def test_true_peak_of_tech_3341(part: int, degrees: float) -> None:
    # Cases 15 to 18: sines of 0.5 at parts of the sample rate whose samples miss the crests by the phase.
    wave = 0.5 * np.sin(2 * np.pi * np.arange(4800) / part + np.radians(degrees))
    meter = LoudnessMeter(RATE)
    # Faded, so that no edge rings; blocks end anywhere.
    edge = np.minimum(1, np.minimum(np.arange(4800), np.arange(4800)[::-1]) / 960)
    sound = (wave * np.sin(edge * np.pi / 2) ** 2).astype(np.float32)
    for at in range(0, 4800, 37):
        meter.feed(np.column_stack([sound, sound])[at : at + 37])
    assert -6.0 - 0.4 <= meter.result().true_peak <= -6.0 + 0.2


def test_silence_has_no_loudness() -> None:
    found = measured(np.zeros((RATE, 2), np.float32))
    assert found.integrated == -inf
    assert found.true_peak == -inf
