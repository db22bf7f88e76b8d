"""The mixer's facts: gain, balance and solo of tracks, the limiter of the sum."""

from __future__ import annotations

import math
from dataclasses import replace

from gen2studio.core.errors import EditRefused
from gen2studio.document.lookup import track as track_by_id
from gen2studio.document.model import Sequence, Track

LOUDEST_DB, QUIETEST_DB = 12.0, -96.0
"""Range of a track's gain; −96 dB is silence."""


def set_track_gain(sequence: Sequence, track_id: str, gain_db: float) -> Sequence:
    """Loudness of a track in dB, −96 (silent) … +12."""
    if not math.isfinite(gain_db) or not QUIETEST_DB <= gain_db <= LOUDEST_DB:
        raise EditRefused("The gain of a track goes from −96 to +12 dB.", "Enter a value in that range.")
    old = track_by_id(sequence, track_id)
    return _with(sequence, old, replace(old, gain_db=float(gain_db)))


def set_track_pan(sequence: Sequence, track_id: str, pan: float) -> Sequence:
    """Balance of a track, −1 (left) … 1 (right)."""
    if not math.isfinite(pan) or not -1 <= pan <= 1:
        raise EditRefused("Balance goes from −1 (left) to 1 (right).", "Enter a value in that range.")
    old = track_by_id(sequence, track_id)
    return _with(sequence, old, replace(old, pan=float(pan)))


def set_solo(sequence: Sequence, track_id: str, solo: bool) -> Sequence:
    """While any track of a kind is solo, only those of that kind are heard or seen."""
    old = track_by_id(sequence, track_id)
    return _with(sequence, old, replace(old, solo=solo))


def set_limiter(sequence: Sequence, on: bool) -> Sequence:
    """Whether the sum is held below −1 dBTP."""
    return sequence if sequence.limiter == on else replace(sequence, limiter=on)


def _with(sequence: Sequence, old: Track, new: Track) -> Sequence:
    if new == old:
        return sequence
    return replace(sequence, tracks=tuple(new if track is old else track for track in sequence.tracks))
