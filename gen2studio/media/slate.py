"""Slates: the small, neutral grey files that stand for shots which a generator fills.

With a real file behind it a shot is a clip like any other: the viewer, the timeline, takes and exports need to know
nothing of it. The same size, rate and length always give the same file.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from gen2studio.core.frozen import frozen_map
from gen2studio.core.geometry import Extent
from gen2studio.core.hashing import canonical_digest
from gen2studio.core.media_info import ColourTags, MediaInfo, MediaKind
from gen2studio.media import codecs
from gen2studio.media.encoder_presets import ExportPreset

SUFFIX = ".mp4"
GREY = 128
"""8-bit sRGB code value of every pixel: in the middle, so that nothing reads it as light or shadow."""

_PRESET = ExportPreset(
    id="slate",
    title="Slate",
    container="mp4",
    suffix=SUFFIX,
    codec="libx264",
    tag="avc1",
    pixel_format="yuv420p",
    options=frozen_map({"preset": "ultrafast", "crf": "30", "g": "24"}),
)


def slate_fingerprint(extent: Extent, rate: Fraction, frames: int) -> str:
    """32 hex digits that stand for the slate's content, whichever encoder version wrote the file."""
    return canonical_digest(("slate", extent, rate, frames))[:32]


def slate_info(extent: Extent, rate: Fraction, frames: int) -> MediaInfo:
    """What probing the slate will find, so that a shot is usable before its file is written."""
    return MediaInfo(
        kind=MediaKind.VIDEO,
        container="mov",
        codec="h264",
        pixel_format="yuv420p",
        width=extent.width,
        height=extent.height,
        coded_width=extent.width,
        coded_height=extent.height,
        rate=rate,
        frame_count=frames,
        exact=True,
        duration=frames / rate,
        colour=ColourTags(primaries=1, transfer=1, matrix=1),
    )


def write_slate(path: Path, extent: Extent, rate: Fraction, frames: int) -> None:
    """Encode a slate of ``frames`` frames: a few kilobytes, whole or not there. Even sides. Raises ExportError."""
    codecs.load()
    from gen2studio.media.encoder import Encoder

    grey = np.full((extent.height, extent.width, 3), GREY, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    # One thread: x264 decides alike on every machine, and a grey picture needs no more.
    with Encoder(path, _PRESET, extent, rate, threads=1) as encoder:
        for _ in range(frames):
            encoder.write(grey)
