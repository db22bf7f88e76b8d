"""Writing mattes as grey PNG sequences, 8 or 16 bits, numbered by media frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ExportError
from gen2studio.core.geometry import Extent
from gen2studio.media.encoder_images import ImageSequenceWriter


def write_mattes(
    folder: Path,
    extent: Extent,
    mattes: Iterable[tuple[int, NDArray[np.uint8]]],
    *,
    bits: int = 8,
    cancel: CancelToken | None = None,
    on_progress: Callable[[int], None] | None = None,
    text: dict[str, str] | None = None,
) -> int:
    """Write ``(media frame, (H, W) uint8 matte)`` pairs as ``<folder>/<folder name>_%06d.png`` and return how many.

    White (255, or 65535 at 16 bits) is inside. ``bits`` is 8 or 16. ``on_progress`` gets the number of mattes packed
    so far. The folder appears complete or not at all: a cancel (raises Cancelled) or an error (raises ExportError)
    leaves nothing behind.
    """
    if bits not in (8, 16):
        raise ExportError(f"Mattes are written with 8 or 16 bits, not {bits}.")
    count = 0
    with ImageSequenceWriter(folder, extent, bits=bits, grey=True, text=text) as writer:
        for frame, matte in mattes:
            if cancel is not None:
                cancel.check()
            writer.write(matte, number=frame)
            count += 1
            if on_progress is not None:
                on_progress(count)
    return count
