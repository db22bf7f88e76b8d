"""From decoded planes to display pictures: right matrix, upright, square pixels, SDR.

Rules
- The stream's tags (ITU-T H.273) decide matrix and range. Without a matrix tag pictures of 720 lines and more, or
  1280 columns and more, are BT.709, smaller ones BT.601: what encoders that omit the tag mean.
- Conversion is done by swscale, which honours range and matrix; the picture is scaled to the display size in the
  same step (area averaging downwards, bicubic upwards and for chroma).
- swscale's quick converters truncate: pictures come out one code value too dark (1080p: mean error 0.96), and
  darker again with every generation. Its accurate ones are used instead, into planar RGB, where they are twice as
  fast as into packed: about 10 ms for 1080p, and luma survives a round trip through 8-bit RGB exactly.
- HDR (PQ, HLG) is tone-mapped to SDR BT.709, see :mod:`gen2studio.media.decoder_hdr`.
- Alpha in video files is straight.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent
from gen2studio.media.decoder_hdr import HDR_TRANSFERS, to_sdr

_KNOWN_MATRICES = frozenset({0, 1, 4, 5, 6, 7, 9, 10})
_RGB, _BT709, _BT601 = 0, 1, 6
_FULL_RANGE = 2
_ACCURATE = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class Picture(Protocol):
    """One frame, ready to be converted at any time on any thread; what the frame cache keeps."""

    @property
    def nbytes(self) -> int:
        """Memory it holds."""
        ...

    @property
    def extent(self) -> Extent:
        """Display size."""
        ...

    def rgb(self, size: Extent | None = None) -> NDArray[np.uint8]:
        """(H, W, 3) over black."""
        ...

    def rgba(self, size: Extent | None = None) -> NDArray[np.uint8]:
        """(H, W, 4) straight alpha."""
        ...

    def bgra(self, size: Extent | None = None) -> NDArray[np.uint8]:
        """(H, W, 4) premultiplied."""
        ...


class _PerThread(threading.local):
    """A few swscale contexts a thread: they are not shared between threads, one a frame would keep 0.4 MB with each
    frame, and one for everything would be made anew (3 ms) each time that pictures of two sizes take turns."""

    kept = 6

    def __init__(self) -> None:
        self._reformatters: OrderedDict[tuple[Any, ...], VideoReformatter] = OrderedDict()

    def reformatter(self, frame: VideoFrame, width: int, height: int, layout: str) -> VideoReformatter:
        key = (frame.format.name, frame.width, frame.height, width, height, layout)
        found = self._reformatters.pop(key, None)
        if found is None:
            while len(self._reformatters) >= self.kept:
                self._reformatters.popitem(last=False)
            found = VideoReformatter()
        self._reformatters[key] = found
        return found


_per_thread = _PerThread()


@dataclass(frozen=True, slots=True, eq=False)
class PlanarPicture:
    """A decoded frame in its own pixel format (4:2:0 8 bit: 1.5 bytes a pixel instead of 4)."""

    frame: VideoFrame
    extent: Extent
    """Display size: upright, square pixels."""
    orientation: int = 1
    """EXIF orientation 1…8."""
    has_alpha: bool = False

    @property
    def nbytes(self) -> int:
        return sum(plane.buffer_size for plane in self.frame.planes)

    def rgb(self, size: Extent | None = None) -> NDArray[np.uint8]:
        if self.has_alpha:
            return np.ascontiguousarray(self.bgra(size)[..., 2::-1])
        return self._pixels("rgb", size)

    def rgba(self, size: Extent | None = None) -> NDArray[np.uint8]:
        return self._pixels("rgba", size)

    def bgra(self, size: Extent | None = None) -> NDArray[np.uint8]:
        pixels = self._pixels("bgra", size)
        return premultiplied(pixels) if self.has_alpha else pixels

    def _pixels(self, order: str, size: Extent | None) -> NDArray[np.uint8]:
        extent = size or self.extent
        turned = self.orientation >= 5
        width, height = (extent.height, extent.width) if turned else (extent.width, extent.height)
        frame = self.frame
        if frame.color_trc in HDR_TRANSFERS:
            frame = to_sdr(frame, Extent(width, height), _reformat)
        planar = _reformat(frame, width, height, "gbrap" if self.has_alpha else "gbrp")
        return upright(_packed(planar, order), self.orientation)


def _packed(planar: VideoFrame, order: str) -> NDArray[np.uint8]:
    """(H, W, len(order)) uint8 with the planes of a ``gbrp`` or ``gbrap`` frame in ``order``; no alpha plane is 255."""
    import cv2

    planes: dict[str, NDArray[np.uint8]] = {}
    for name, plane in zip("gbra", planar.planes, strict=False):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        planes[name] = rows[: planar.height, : planar.width]
    if "a" in order and "a" not in planes:
        planes["a"] = _solid(planar.height, planar.width)
    return np.asarray(cv2.merge([planes[name] for name in order]), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class QuickPicture:
    """A frame for playing: swscale's quick converter, five times faster and up to a code value darker."""

    picture: PlanarPicture

    @property
    def extent(self) -> Extent:
        return self.picture.extent

    @property
    def nbytes(self) -> int:
        return self.picture.nbytes

    def rgb(self, size: Extent | None = None) -> NDArray[np.uint8]:
        return self.picture.rgb(size)

    def rgba(self, size: Extent | None = None) -> NDArray[np.uint8]:
        return self.picture.rgba(size)

    def bgra(self, size: Extent | None = None) -> NDArray[np.uint8]:
        source = self.picture
        frame = source.frame
        if source.has_alpha or source.orientation != 1 or frame.color_trc in HDR_TRANSFERS:
            return source.bgra(size)
        extent = size or source.extent
        shrinks = extent.width * extent.height < frame.width * frame.height
        packed = _per_thread.reformatter(frame, extent.width, extent.height, "bgra").reformat(
            frame,
            width=extent.width,
            height=extent.height,
            format="bgra",
            interpolation=Interpolation.AREA if shrinks else Interpolation.BILINEAR,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        # The frame is new and nobody else's: its memory is taken as it is, because new memory is what costs most here.
        rows = np.frombuffer(memoryview(packed.planes[0]), np.uint8).reshape(-1, packed.planes[0].line_size)
        return np.ascontiguousarray(rows[: extent.height, : extent.width * 4]).reshape(extent.height, extent.width, 4)


@lru_cache(maxsize=4)
def _solid(height: int, width: int) -> NDArray[np.uint8]:
    plane = np.full((height, width), 255, np.uint8)
    plane.setflags(write=False)
    return plane


def _reformat(frame: VideoFrame, width: int, height: int, layout: str) -> VideoFrame:
    """swscale with this thread's context: any format to a full-range ``layout`` of another size."""
    shrinks = (width, height) != (frame.width, frame.height) and width * height < frame.width * frame.height
    return _per_thread.reformatter(frame, width, height, layout).reformat(
        frame,
        width=width,
        height=height,
        format=layout,
        interpolation=_ACCURATE | (Interpolation.AREA if shrinks else Interpolation.BICUBIC),
        dst_color_range=ColorRange.JPEG,
        threads=1,
    )


def settle_tags(frame: VideoFrame) -> None:
    """Give a frame the matrix it means where its stream doesn't say, so that every later conversion agrees."""
    name = frame.format.name
    if name.startswith(("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2")):
        return
    if frame.colorspace not in _KNOWN_MATRICES or frame.colorspace == _RGB:
        frame.colorspace = meant_matrix(frame.width, frame.height)
    if name.startswith("yuvj"):
        frame.color_range = _FULL_RANGE


def meant_matrix(width: int, height: int) -> int:
    """The H.273 matrix of untagged video by its size: BT.709 (1) for HD, BT.601 (6) below."""
    return _BT709 if height >= 720 or width >= 1280 else _BT601


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """A C-contiguous copy or view of (H, W, C) pixels turned and mirrored as EXIF orientation 1…8 asks."""
    if orientation == 1:
        return np.ascontiguousarray(pixels)
    import cv2

    if orientation == 2:
        return cv2.flip(pixels, 1)
    if orientation == 3:
        return cv2.rotate(pixels, cv2.ROTATE_180)
    if orientation == 4:
        return cv2.flip(pixels, 0)
    if orientation == 5:
        return cv2.transpose(pixels)
    if orientation == 6:
        return cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE)
    if orientation == 7:
        return cv2.flip(cv2.transpose(pixels), -1)
    return cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE)


def premultiplied(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 4) with the colour channels multiplied by alpha / 255, rounded to nearest."""
    import cv2

    alpha = pixels[..., 3]
    if int(alpha.min()) == 255:
        return pixels
    spread = cv2.cvtColor(np.ascontiguousarray(alpha), cv2.COLOR_GRAY2BGRA)
    spread[..., 3] = 255
    return np.asarray(cv2.multiply(pixels, spread, scale=1 / 255), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class ArrayPicture:
    """A still: (H, W, 3) RGB or (H, W, 4) straight RGBA uint8, already upright."""

    pixels: NDArray[np.uint8]
    extent: Extent

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes

    @property
    def has_alpha(self) -> bool:
        return self.pixels.shape[2] == 4

    def rgb(self, size: Extent | None = None) -> NDArray[np.uint8]:
        if self.has_alpha:
            return np.ascontiguousarray(self.bgra(size)[..., 2::-1])
        return _scaled(self.pixels, size or self.extent).copy()

    def rgba(self, size: Extent | None = None) -> NDArray[np.uint8]:
        import cv2

        if not self.has_alpha:
            return np.asarray(cv2.cvtColor(_scaled(self.pixels, size or self.extent), cv2.COLOR_RGB2RGBA), np.uint8)
        if size is None or size == self.extent:
            return self.pixels.copy()
        # Averages must weigh colour by coverage: scale premultiplied, then divide the alpha out again.
        return unpremultiplied(_scaled(premultiplied(self.pixels), size))

    def bgra(self, size: Extent | None = None) -> NDArray[np.uint8]:
        import cv2

        if not self.has_alpha:
            return np.asarray(cv2.cvtColor(_scaled(self.pixels, size or self.extent), cv2.COLOR_RGB2BGRA), np.uint8)
        return np.asarray(
            cv2.cvtColor(_scaled(premultiplied(self.pixels), size or self.extent), cv2.COLOR_RGBA2BGRA), np.uint8
        )


def unpremultiplied(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Straight alpha again from premultiplied (H, W, 4); colours where alpha is 0 become black."""
    alpha = pixels[..., 3:].astype(np.float32)
    scale = np.divide(255.0, alpha, out=np.zeros_like(alpha), where=alpha > 0)
    out = pixels.copy()
    out[..., :3] = np.clip(np.rint(pixels[..., :3] * scale), 0, 255)
    return out


def _scaled(pixels: NDArray[np.uint8], size: Extent) -> NDArray[np.uint8]:
    import cv2

    height, width = pixels.shape[:2]
    if (width, height) == (size.width, size.height):
        return pixels
    method = cv2.INTER_AREA if size.pixels < width * height else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, (size.width, size.height), interpolation=method), np.uint8)
