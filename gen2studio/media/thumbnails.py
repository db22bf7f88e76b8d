"""Small key-frame pictures for filmstrips and the media pool, cached on disk.

A thumbnail is the key frame at or before the asked time: one intra picture instead of half a group of pictures,
about 27 times cheaper than the exact frame. On disk it is a JPEG (about 3 kB) or, with alpha, a PNG, named by the
file's fingerprint, so renamed and moved media keep their thumbnails and replaced media get new ones.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gen2studio.core import paths
from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent
from gen2studio.core.hashing import file_fingerprint
from gen2studio.core.media_info import MediaInfo
from gen2studio.media.decoder import Decoder, Picture, VideoDecoder, open_decoder

_READERS = 3
_JPEG_QUALITY = 85


class _Readers:
    """The last few decoders, so that a strip of twenty thumbnails opens its file once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._open: OrderedDict[str, tuple[str, Decoder]] = OrderedDict()

    def decoder(self, path: Path, fingerprint: str, info: MediaInfo | None) -> Decoder:
        key = str(path)
        known = self._open.pop(key, None)
        if known is not None and known[0] != fingerprint:
            known[1].close()
            known = None
        if known is None:
            known = (fingerprint, open_decoder(path, info))
        self._open[key] = known
        while len(self._open) > _READERS:
            self._open.popitem(last=False)[1][1].close()
        return known[1]

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1][1].close()


_readers = _Readers()


def thumbnail(path: Path | str, seconds: Fraction, height: int, info: MediaInfo | None = None) -> NDArray[np.uint8]:
    """(height, W, 4) BGRA premultiplied: the key frame at or before ``seconds`` (0 = first frame).

    Any thread but the UI's; calls take turns. Raises MediaError.
    """
    path = Path(path)
    fingerprint = _fingerprint(path)
    with _readers.lock:
        decoder = _readers.decoder(path, fingerprint, info)
        index = decoder.clock.key_index_before(decoder.clock.index_at(seconds))
        extent = decoder.info.extent
        size = Extent(max(1, round(extent.width * height / extent.height)), max(1, height))
        alpha = decoder.info.has_alpha
        file = paths.cache_dir("thumbnails") / f"{fingerprint}_{index}_{size.height}{'.png' if alpha else '.jpg'}"
        kept = _load(file, size)
        if kept is not None:
            return kept
        pixels = _key_picture(decoder, index).bgra(size)
    _save(file, pixels, alpha)
    return pixels


def close_readers() -> None:
    """Close the files that thumbnails keep open (end of the program, or before a file is moved)."""
    with _readers.lock:
        _readers.close()


def _fingerprint(path: Path) -> str:
    try:
        if path.is_dir():
            return file_fingerprint(min(entry for entry in path.iterdir() if entry.is_file()))
        return file_fingerprint(path)
    except (OSError, ValueError) as error:
        raise MediaError(f"“{path.name}” is not there.", "Check the path or relink the media.") from error


def _key_picture(decoder: Decoder, index: int) -> Picture:
    if isinstance(decoder, VideoDecoder) and not decoder.info.interlaced:
        picture = decoder.key_picture(index)
        if picture is not None:
            return picture
    return decoder.picture(index)


def _load(file: Path, size: Extent) -> NDArray[np.uint8] | None:
    import cv2

    try:
        data = np.frombuffer(file.read_bytes(), np.uint8)
    except OSError:
        return None
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if pixels is None or pixels.shape[:2] != (size.height, size.width):
        return None
    if pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2BGRA).astype(np.uint8, copy=False)
    return pixels.astype(np.uint8, copy=False)


def _save(file: Path, pixels: NDArray[np.uint8], alpha: bool) -> None:
    import cv2

    if alpha:
        done, data = cv2.imencode(".png", pixels)
    else:
        done, data = cv2.imencode(".jpg", pixels[..., :3], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        return
    try:
        paths.write_atomic(file, data.tobytes())
    except OSError:
        # A full or read-only cache costs a second decode next time, nothing else.
        return
