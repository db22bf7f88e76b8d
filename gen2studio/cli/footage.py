"""What headless verbs read: clips, mattes, style images and painted keys, as the engine's requests name them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import MediaError, UsageError
from gen2studio.core.geometry import Extent
from gen2studio.core.hashing import canonical_digest, file_digest, file_fingerprint
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.media_info import MediaInfo
from gen2studio.engine.requests import BlobRef, SourceRef
from gen2studio.media.clock import FrameClock
from gen2studio.media.decoder import open_decoder
from gen2studio.raster.tiles import TileStore

Mask = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Footage:
    """A clip as a verb works on it."""

    path: Path
    info: MediaInfo
    clock: FrameClock
    source: SourceRef
    name: str = ""
    """What it is called where the file's own name says nothing (a generated shot)."""

    @property
    def title(self) -> str:
        return self.name or self.path.stem

    @property
    def extent(self) -> Extent:
        return Extent(self.source.width, self.source.height)


def open_footage(path: Path) -> Footage:
    """Open a clip, image sequence or still. Raises MediaError."""
    if not path.exists() and "%" not in path.name:
        raise MediaError(f"There is no file “{path}”.", "Check the path.")
    decoder = open_decoder(path)
    try:
        first = decoder.rgb(0)
        info, clock = decoder.info, decoder.clock
    finally:
        decoder.close()
    source = SourceRef(
        fingerprint=_fingerprint(path),
        path=str(_first_file(path).resolve()),
        rate=info.rate or clock.rate or SourceRef.rate,
        frame_count=clock.frame_count,
        width=first.shape[1],
        height=first.shape[0],
    )
    return Footage(path, info, clock, source)


def _first_file(path: Path) -> Path:
    """``path`` itself, or the first file of a pattern like ``frame_%04d.png``: what the engine opens by name."""
    if path.exists():
        return path
    wanted = re.compile(re.sub(r"%0?\d*d", r"\\d+", re.escape(path.name).replace(r"\%", "%")) + r"\Z")
    return min((file for file in path.parent.iterdir() if wanted.match(file.name)), default=path)


def _fingerprint(path: Path) -> str:
    if path.is_file():
        return file_fingerprint(path)
    folder = path if path.is_dir() else path.parent
    files = sorted(f for f in folder.iterdir() if f.is_file())
    return canonical_digest(tuple((f.name, f.stat().st_size) for f in files))[:32]


def frame_range(text: str, footage: Footage) -> tuple[int, int]:
    """``A:B`` → [A, B) inside the clip; either side may be left out. Raises UsageError."""
    count = footage.source.frame_count
    first, colon, last = text.partition(":")
    try:
        start = int(first) if first else 0
        stop = int(last) if last else count
    except ValueError:
        raise UsageError(f"The range “{text}” is not two frame numbers A:B.") from None
    if not colon or not 0 <= start < stop <= count:
        raise UsageError(f"The range “{text}” does not lie inside the clip, which has frames 0 to {count - 1}.")
    return start, stop


def read_matte(path: Path) -> Mask:
    """(H, W) uint8 of a matte picture: its alpha when that is used, else its brightness; 16 bits become 8."""
    import cv2

    data = np.fromfile(path, np.uint8) if path.is_file() else np.zeros(0, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None:
        raise MediaError(f"The mask “{path}” can't be read as a picture.", "Use a PNG with white on the subject.")
    if image.dtype == np.uint16:
        image = np.rint(image / 257.0).astype(np.uint8)
    if image.ndim == 3 and image.shape[2] == 4:
        image = image[..., 3] if image[..., 3].min() < 255 else image[..., :3]
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.ascontiguousarray(image, np.uint8)


def fit_matte(mask: Mask, footage: Footage, name: str) -> Mask:
    """``mask`` at the clip's display size. Raises UsageError when it has another shape altogether."""
    import cv2

    extent = footage.extent
    if mask.shape == (extent.height, extent.width):
        return mask
    if abs(mask.shape[1] / mask.shape[0] / extent.aspect - 1) > 0.02:
        raise UsageError(f"The mask “{name}” is {mask.shape[1]}×{mask.shape[0]} and the clip {extent}.")
    return np.asarray(cv2.resize(mask, (extent.width, extent.height), interpolation=cv2.INTER_AREA), np.uint8)


def anchored(text: str, footage: Footage, tiles: TileStore, default: int | None = None) -> tuple[int, MaskRaster]:
    """``PNG@FRAME`` → (frame, matte). Raises UsageError when no frame is named and there is no ``default``."""
    path, frame = at_frame(text, footage, default)
    mask = fit_matte(read_matte(path), footage, path.name)
    if not mask.any():
        raise UsageError(f"The mask “{path.name}” is empty: nothing in it is white.")
    return frame, tiles.pack(mask)


def at_frame(text: str, footage: Footage, default: int | None = None) -> tuple[Path, int]:
    """Split ``FILE@FRAME``. Raises UsageError."""
    name, mark, number = text.rpartition("@")
    if mark and number.isdigit() and name:
        frame = int(number)
        if frame >= footage.source.frame_count:
            raise UsageError(f"Frame {frame} is outside the clip, which has {footage.source.frame_count} frames.")
        return Path(name), frame
    if default is None:
        raise UsageError(f"“{text}” needs the frame it belongs to: FILE@FRAME.")
    return Path(text), default


def matte_track(path: Path, footage: Footage, start: int, stop: int, tiles: TileStore) -> list[tuple[int, MaskRaster]]:
    """Mattes of frames [start, stop) from a matte video or PNG sequence.

    It must have as many frames as the clip, or as the range. Raises UsageError and MediaError.
    """
    import cv2

    decoder = open_decoder(path)
    try:
        count = decoder.clock.frame_count
        if count == footage.source.frame_count:
            offset = 0
        elif count == stop - start:
            offset = start
        else:
            raise UsageError(
                f"The mask “{path.name}” has {count} frames; the clip has {footage.source.frame_count} and the range "
                f"{stop - start}."
            )
        track: list[tuple[int, MaskRaster]] = []
        for frame in range(start, stop):
            grey = np.asarray(cv2.cvtColor(decoder.rgb(frame - offset), cv2.COLOR_RGB2GRAY), np.uint8)
            track.append((frame, tiles.pack(fit_matte(grey, footage, path.name))))
        return track
    finally:
        decoder.close()


def image_ref(text: str) -> BlobRef:
    """A style image or swatch by path. Raises MediaError."""
    path = Path(text)
    if not path.is_file():
        raise MediaError(f"There is no image “{text}”.", "Check the path.")
    return BlobRef(digest=file_digest(path), path=str(path.resolve()))
