"""Exact frame times: which frame is on screen at a time, and when each frame begins."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from gen2studio.core.media_info import MediaInfo


class FrameClock:
    """Presentation times of every frame of one file. Immutable; cheap to keep."""

    frame_count: int
    rate: Fraction
    """Average frames a second, snapped to a common rate; 0 for sound and stills."""
    duration: Fraction
    """Seconds from the first frame to the end of the last."""
    variable_rate: bool

    def index_at(self, seconds: Fraction) -> int:
        """The frame on screen at ``seconds`` (0 = first frame), clamped to the file."""
        ...

    def time_of(self, index: int) -> Fraction:
        """When frame ``index`` begins, in seconds from the first frame."""
        ...


def clock_of(path: Path | str, info: MediaInfo | None = None) -> FrameClock:
    """The clock of a file, from its sidecar or from one demux pass. Raises MediaError."""
    ...
