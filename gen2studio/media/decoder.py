"""Frame-exact pictures of video files, stills and image sequences behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaInfo
from gen2studio.media.clock import FrameClock


class Decoder(Protocol):
    """One open file. Not thread-safe: one thread at a time. Indices outside the file are clamped.

    Pictures are upright, have square pixels and the display size (or ``size``), are deinterlaced, in sRGB-like
    BT.709 display code values, C-contiguous and owned by the caller.
    """

    info: MediaInfo
    clock: FrameClock
    warnings: list[str]
    """Damage met so far, in plain sentences (a picture that had to be replaced by its nearest good neighbour)."""

    def rgb(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        """(H, W, 3) uint8. Transparent files are shown over black."""
        ...

    def rgba(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        """(H, W, 4) uint8, straight alpha (255 where the file has none)."""
        ...

    def bgra(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        """(H, W, 4) uint8, premultiplied alpha: what QImage Format_ARGB32_Premultiplied takes as it is."""
        ...

    def close(self) -> None: ...


def open_decoder(path: Path | str, info: MediaInfo | None = None) -> Decoder:
    """Open a video, a still, a numbered sequence (folder, first file with a SEQUENCE info, or ``name_%06d.png``).

    Raises MediaError: one sentence and what to do.
    """
    ...
