"""Levels reach the meters in time with the device, and bars move as meters do."""

from __future__ import annotations

import pytest

from gen2studio.app.audio_meters import FLOOR_DB, Ballistics, MeterTap, decibels
from gen2studio.app.audio_mix import Level


def test_levels_are_due_when_the_device_plays_them() -> None:
    tap = MeterTap()
    tap.add(0, 100, {"a": Level((0.5, 0.1), (0.01, 0.02))})
    tap.add(100, 300, {"a": Level((0.2, 0.4), (0.05, 0.02))})
    tap.add(400, 100, {"a": Level((1.0, 1.0), (0.9, 0.9))})
    tap.played(150)
    assert tap.take()["a"] == Level((0.5, 0.4), (pytest.approx(0.04), pytest.approx(0.02)))
    assert tap.take() == {}
    tap.clear()
    tap.played(1000)
    assert tap.take() == {}, "what a closed device held is not shown"


def test_bars_rise_at_once_fall_steadily_and_hold_their_peak() -> None:
    bar = Ballistics()
    assert bar.step(0.5, 0.125, 0.03).peak == pytest.approx(-6.02, abs=0.01)
    # 20 dB in 1.7 s; the highest is held for a second and a half, then follows.
    for _ in range(34):
        reading = bar.step(0.0, 0.0, 0.05)
    assert reading.peak == pytest.approx(-26.02, abs=0.1)
    assert -12 < reading.hold < -6
    for _ in range(200):
        reading = bar.step(0.0, 0.0, 0.05)
    assert bar.resting and reading.peak == FLOOR_DB
    # A steady sine reads its RMS after a second.
    for _ in range(30):
        reading = bar.step(0.5, 0.125, 0.05)
    assert reading.loud == pytest.approx(-9.03, abs=0.1)
    assert not reading.clipped


def test_the_clip_light_stays_on_until_it_is_put_out() -> None:
    bar = Ballistics()
    assert bar.step(1.0, 0.5, 0.03).clipped
    assert bar.step(0.1, 0.005, 0.03).clipped
    bar.reset()
    assert not bar.step(0.1, 0.005, 0.03).clipped
    assert decibels(0.0) == FLOOR_DB and decibels(1.0) == 0.0
