"""Pixels of a panel's images: read with bounds, kept by digest, laid together. Any thread."""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gen2studio.core.errors import ProjectError
from gen2studio.document.model import Board, Panel

if TYPE_CHECKING:
    from gen2studio.raster.drawing import Pixels

MOST_PIXELS = 1 << 26
"""No image of a panel that we decode has more."""
_LONG_SIDE = 1280
_KEPT_BYTES = 192 << 20
Find = Callable[[str], Path | None]
"""The file of a project image by its digest."""


def canvas_size(board: Board) -> tuple[int, int]:
    """(width, height) that panels are drawn at: a multiple of the shot's, so that edges stay clean in a small shot."""
    times = max(1, -(-_LONG_SIDE // max(board.width, board.height)))
    return board.width * times, board.height * times


def read_pixels(path: Path) -> Pixels:
    """An image of the project as (H, W, 4) BGRA with straight alpha. Raises ProjectError, MediaError."""
    from gen2studio.media.stills import read_still
    from gen2studio.raster import drawing

    try:
        with path.open("rb") as handle:
            head = handle.read(32)
        if head.startswith(b"\x89PNG"):
            # Ours keep colours under clear pixels; the general reader would multiply them with their alpha.
            width, height = struct.unpack(">II", head[16:24]) if len(head) >= 24 else (0, 0)
            if 0 < width * height <= MOST_PIXELS:
                found = drawing.decoded(path.read_bytes())
                if found is not None:
                    return found
            raise ProjectError("A picture of this panel can't be read.", "Give the panel another one.")
        return np.ascontiguousarray(read_still(path).rgba()[..., [2, 1, 0, 3]])
    except OSError as error:
        raise ProjectError("A picture of this panel is missing.", "Give the panel another one.") from error


class PanelPictures:
    """Decoded images by digest and size, those used last up to a bound. Arrays are read-only and shared."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, int], Pixels] = OrderedDict()
        self._bytes = 0

    def keep(self, digest: str, pixels: Pixels) -> None:
        """Remember what was just stored."""
        pixels.flags.writeable = False
        key = (digest, pixels.shape[1], pixels.shape[0])
        with self._lock:
            if key not in self._kept:
                self._kept[key] = pixels
                self._bytes += pixels.nbytes
            self._kept.move_to_end(key)
            while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes

    def known(self, digest: str, size: tuple[int, int]) -> Pixels | None:
        """The image if it is in memory."""
        with self._lock:
            found = self._kept.get((digest, *size))
            if found is not None:
                self._kept.move_to_end((digest, *size))
            return found

    def get(self, digest: str, size: tuple[int, int]) -> Pixels:
        """The image, scaled to cover ``size``. Raises ProjectError, MediaError."""
        from gen2studio.raster import drawing

        found = self.known(digest, size)
        if found is None:
            path = self._find(digest)
            if path is None:
                raise ProjectError("A picture of this panel is missing.", "Give the panel another one.")
            found = drawing.fitted(read_pixels(path), *size)
            self.keep(digest, found)
        return found

    def shown(self, panel: Panel, size: tuple[int, int]) -> Pixels:
        """A panel's picture on paper, (H, W, 3) BGR; bare paper where it has none. Raises ProjectError, MediaError."""
        from gen2studio.raster import drawing

        ground = drawing.paper(*size)
        return drawing.laid(ground, [drawing.Sheet(self.get(panel.picture, size))]) if panel.picture else ground

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._bytes = 0
