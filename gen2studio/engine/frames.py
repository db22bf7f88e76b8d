"""Source frames for the worker: an injected reader behind a small cache, and the reader that decodes files."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent
from gen2studio.engine.events import Picture
from gen2studio.engine.requests import BlobRef, SourceRef
from gen2studio.media import codecs

FrameReader = Callable[[SourceRef, int, Extent], Picture]
"""(source, media frame, size) → (H, W, 3) uint8 sRGB. Raises MediaError."""


class FrameCache:
    """The last frames a worker read, by bytes. Pictures come out read-only. Thread-safe; reads are one at a time."""

    def __init__(self, read: FrameReader, budget_bytes: int = 256 << 20) -> None:
        self._read = read
        self._budget = budget_bytes
        self._held: OrderedDict[tuple[str, int, Extent], Picture] = OrderedDict()
        self._bytes = 0
        self._lock = threading.RLock()

    def frame(self, source: SourceRef, index: int, size: Extent) -> Picture:
        """(size.height, size.width, 3) uint8, read-only. Raises MediaError."""
        key = (source.fingerprint or source.path, index, size)
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
                return found
            picture = self._read(source, index, size)
            picture.setflags(write=False)
            self._held[key] = picture
            self._bytes += picture.nbytes
            while self._bytes > self._budget and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._bytes -= dropped.nbytes
            return picture

    def clear(self) -> None:
        with self._lock:
            self._held.clear()
            self._bytes = 0


class DecodingReader:
    """A FrameReader over media files: keeps a few decoders open. One thread; call :meth:`close` on that thread."""

    def __init__(self, keep_open: int = 3) -> None:
        self._keep = keep_open
        self._open: OrderedDict[str, Any] = OrderedDict()

    def __call__(self, source: SourceRef, index: int, size: Extent) -> Picture:
        picture = self._decoder(source).rgb(index)
        return fitted(picture, size)

    def _decoder(self, source: SourceRef) -> Any:
        found = self._open.get(source.path)
        if found is None:
            codecs.load()
            from gen2studio.media.decoder import open_decoder
            from gen2studio.media.probe import probe
            from gen2studio.media.stills import is_still

            path = Path(source.path)
            if not path.exists():
                raise MediaError(f"The footage {path.name} is not where it was.", "Relink the media, then run again.")
            # An image sequence is named by its first file.
            numbered = source.frame_count > 1 and path.is_file() and is_still(path)
            info = probe(path, as_sequence=True) if numbered else None
            found = self._open[source.path] = open_decoder(path, info)
            while len(self._open) > self._keep:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(source.path)
        return found

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()


def fitted(picture: Picture, size: Extent) -> Picture:
    """``picture`` at ``size``: itself when it has that size, else area-averaged down or Lanczos up."""
    if picture.shape[:2] == (size.height, size.width):
        return picture
    import cv2

    down = picture.shape[0] * picture.shape[1] >= size.pixels
    resized = cv2.resize(
        picture, (size.width, size.height), interpolation=cv2.INTER_AREA if down else cv2.INTER_LANCZOS4
    )
    return np.asarray(resized, np.uint8)


def blob_picture(ref: BlobRef) -> Picture:
    """A style image, key frame or swatch as (H, W, 3) uint8 sRGB, upright, alpha over white. Raises MediaError."""
    import cv2

    path = Path(ref.path)
    if not ref.path or not path.exists():
        raise MediaError(f"The image {path.name or ref.digest[:12]} is missing.", "Add the style or key image again.")
    data = np.fromfile(path, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise MediaError(f"The image {path.name} can't be read.", "Use a PNG, JPEG, TIFF or WebP file.")
    stored = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if stored is not None and stored.ndim == 3 and stored.shape[2] == 4 and stored.shape[:2] == image.shape[:2]:
        top = 65535.0 if stored.dtype == np.uint16 else 255.0
        alpha = (stored[..., 3].astype(np.float32) / top)[..., None]
        image = np.rint(image * alpha + 255.0 * (1.0 - alpha)).astype(np.uint8)
    out = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
    out.setflags(write=False)
    return out
