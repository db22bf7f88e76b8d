"""Sound at exact sample positions, as float32 stereo."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class AudioReader:
    """Reads one file's best audio stream. Not thread-safe: one reader a thread.

    Position 0 is the time of the first video frame (or of the first sample of an audio-only file), so sound and
    picture of one file share one clock. Outside the sound, and where it can't be decoded, there is silence.
    """

    warnings: list[str]
    """What went wrong, in plain sentences: sound that ends early, damaged packets."""

    def __init__(self, path: Path | str, sample_rate: int = 48000) -> None: ...

    @property
    def duration(self) -> Fraction:
        """Seconds of sound after position 0."""
        ...

    def read(self, start_seconds: Fraction, frames: int) -> NDArray[np.float32]:
        """``frames`` samples from ``start_seconds`` (rounded to the nearest sample): (frames, 2) float32, ±1 nominal."""
        ...

    def close(self) -> None: ...
