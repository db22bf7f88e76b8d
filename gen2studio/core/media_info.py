"""What is known about a media file once it was probed. A value: saved in the project, sent to the engine."""

from __future__ import annotations

import enum
from fractions import Fraction

from gen2studio.core.geometry import Extent
from gen2studio.core.records import dataclass


class MediaKind(enum.Enum):
    VIDEO = "video"
    AUDIO = "audio"
    STILL = "still"
    SEQUENCE = "sequence"
    """Numbered images, one file a frame; ``path`` is the first file."""


@dataclass(frozen=True, slots=True)
class ColourTags:
    """ITU-T H.273 code points as FFmpeg numbers them; 2 = unspecified. ``full_range`` False = video levels."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    full_range: bool = False

    @property
    def is_hdr(self) -> bool:
        return self.transfer in (16, 18)


@dataclass(frozen=True, slots=True)
class AudioInfo:
    sample_rate: int
    channels: int
    codec: str
    duration: Fraction
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """Facts of one file. Sizes are *display* sizes: after rotation and with square pixels."""

    kind: MediaKind
    container: str = ""
    codec: str = ""
    pixel_format: str = ""
    width: int = 0
    height: int = 0
    coded_width: int = 0
    coded_height: int = 0
    rotation: int = 0
    """Degrees the stored picture must be turned clockwise for display: 0, 90, 180, 270."""
    pixel_aspect: Fraction = Fraction(1)
    rate: Fraction = Fraction(0)
    """Frames per second: the average, snapped to a common rate; 0 for stills and audio."""
    variable_rate: bool = False
    frame_count: int = 0
    """Exact when ``exact`` is set, otherwise an estimate until the file was scanned."""
    exact: bool = False
    duration: Fraction = Fraction(0)
    """Seconds from the first to the end of the last frame (or of the sound for audio-only files)."""
    bit_depth: int = 8
    has_alpha: bool = False
    interlaced: bool = False
    colour: ColourTags = ColourTags()
    audio: AudioInfo | None = None

    @property
    def has_video(self) -> bool:
        return self.kind is not MediaKind.AUDIO

    @property
    def extent(self) -> Extent:
        return Extent(max(1, self.width), max(1, self.height))
