"""Pictures for everybody: a byte-budgeted cache of compact frames over a few open decoders, off the UI thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaInfo

Deliver = Callable[[str, int, NDArray[np.uint8] | None, str], None]
"""``deliver(path, index, picture_or_None, error_sentence)``, called on a worker thread."""


class FrameServer:
    """Serves BGRA frames (premultiplied, display size or ``size``) to any thread."""

    def __init__(self, budget_bytes: int = 512 << 20, workers: int = 2) -> None: ...

    def describe(self, path: Path | str, info: MediaInfo) -> None:
        """Tell the server what ``path`` is (spares a probe; makes the first file of a numbered run a sequence)."""

    def get(self, path: Path | str, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        """The frame as (H, W, 4) BGRA uint8, decoded now if it isn't cached. Raises MediaError. Any thread."""
        ...

    def request(
        self, channel: str, path: Path | str, index: int, deliver: Deliver, size: Extent | None = None,
        *, key_preview: bool = False,
    ) -> None:  # fmt: skip
        """Ask for a frame; a newer request on ``channel`` replaces this one, even while it is being decoded.

        With ``key_preview`` a frame that isn't cached is preceded by the nearest key frame at or before it
        (delivered under its own index), which comes many times sooner: for dragging the playhead.
        """

    def prefetch(self, path: Path | str, indices: Iterable[int], size: Extent | None = None) -> None:
        """Decode these frames into the cache, in this order, when nothing is asked for. Replaces the earlier wish."""

    def forget(self, path: Path | str) -> None:
        """Drop what is cached and open for ``path`` (the file changed or left the project)."""

    def shutdown(self) -> None:
        """Stop the workers, close the decoders. Nothing is delivered after this returns."""
