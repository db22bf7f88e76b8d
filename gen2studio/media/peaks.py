"""Waveform peaks: 100 minima and maxima a second and a pyramid above them, cached on disk."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class Peaks:
    """Peaks of one file. Position 0 is the first video frame (or the first sample of an audio-only file)."""

    rate: int
    """Bins a second: 100."""
    duration: Fraction
    """Seconds covered."""

    def window(self, start_s: float, stop_s: float, columns: int) -> NDArray[np.int8]:
        """(columns, 2) int8: minimum and maximum of each column between two times; 0, 0 outside the sound."""
        ...


def peaks_of(path: Path | str) -> Peaks:
    """The peaks of a file's best audio stream, from the disk cache or computed now (slow: never on the UI thread).

    Raises MediaError when the file can't be read; a file without sound gives empty peaks.
    """
    ...
