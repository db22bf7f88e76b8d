"""Timecode against SMPTE ST 12-1, by property and by known values."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen2studio.core.time import (
    COMMON_RATES,
    frames_to_seconds,
    is_drop_frame,
    nominal_rate,
    parse_timecode,
    rate_label,
    seconds_to_frames,
    snap_rate,
    timecode,
)

rates = st.sampled_from(COMMON_RATES)
NTSC = Fraction(30000, 1001)


@given(st.integers(0, 30 * 3600 * 60), rates)
def test_every_frame_has_one_timecode_that_leads_back(frame: int, rate: Fraction) -> None:
    assert parse_timecode(timecode(frame, rate), rate) == frame


@given(st.integers(0, 24 * 3600 * 60), rates)
def test_later_frames_read_later(frame: int, rate: Fraction) -> None:
    assert timecode(frame, rate) < timecode(frame + 1, rate)


@given(st.integers(0, 24 * 3600 * 60), st.sampled_from([NTSC, Fraction(60000, 1001)]))
def test_drop_frame_skips_numbers_only_at_minutes_that_are_not_tenths(frame: int, rate: Fraction) -> None:
    text = timecode(frame, rate)
    hours, minutes, rest = text.split(":")
    seconds, frames = rest.split(";")
    if int(minutes) % 10 and seconds == "00":
        assert int(frames) >= nominal_rate(rate) // 15
    assert int(frames) < nominal_rate(rate)
    assert int(hours) >= 0


@given(st.integers(0, 24))
def test_drop_frame_keeps_the_clock(hours: int) -> None:
    """After whole hours the timecode is less than a tenth of a second off real time."""
    shown = parse_timecode(f"{hours:02d}:00:00;00", NTSC)
    assert abs(float(frames_to_seconds(shown, NTSC)) - 3600 * hours) < 0.1


@pytest.mark.parametrize(
    ("frame", "rate", "text"),
    [
        (0, NTSC, "00:00:00;00"),
        (1799, NTSC, "00:00:59;29"),
        (1800, NTSC, "00:01:00;02"),
        (17981, NTSC, "00:09:59;29"),
        (17982, NTSC, "00:10:00;00"),
        (107892, NTSC, "01:00:00;00"),
        (3600, Fraction(60000, 1001), "00:01:00;04"),
        (90, Fraction(24000, 1001), "00:00:03:18"),
        (-26, Fraction(25), "-00:00:01:01"),
    ],
)
def test_known_values(frame: int, rate: Fraction, text: str) -> None:
    assert timecode(frame, rate) == text


@given(st.integers(-(10**7), 10**7), rates)
def test_a_frame_starts_exactly_where_its_seconds_say(frame: int, rate: Fraction) -> None:
    start = frames_to_seconds(frame, rate)
    assert seconds_to_frames(start, rate) == frame
    assert seconds_to_frames(start - Fraction(1, 10**12), rate) == frame - 1


@given(rates, st.floats(-9e-5, 9e-5))
def test_nearly_common_rates_become_exact(rate: Fraction, error: float) -> None:
    assert snap_rate(rate * (1 + Fraction(error))) == rate


@pytest.mark.parametrize(
    ("text", "frame"),
    [("42", 42), ("1.5", 37), ("00:02", 50), ("01:00", 1500), ("00:00:01:05", 30), (" 7 ", 7), ("1;2;3;4", 93079)],
)
def test_what_an_artist_may_type(text: str, frame: int) -> None:
    assert parse_timecode(text, Fraction(25)) == frame


@pytest.mark.parametrize("text", ["", "a", "1:2:3:4:5", "-3", "1:", "1.2.3", "١:٢:٣:x"])
def test_what_is_no_timecode(text: str) -> None:
    with pytest.raises(ValueError, match="timecode"):
        parse_timecode(text, Fraction(25))


def test_rates_as_artists_read_them() -> None:
    assert [rate_label(rate) for rate in COMMON_RATES] == [
        "23.976", "24", "25", "29.97", "30", "48", "50", "59.94", "60",
    ]  # fmt: skip
    assert [rate for rate in COMMON_RATES if is_drop_frame(rate)] == [NTSC, Fraction(60000, 1001)]
