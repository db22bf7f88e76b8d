"""Colour for exports with mattes: footage at its full depth, and frames for encoders with an exact alpha.

swscale counts 16-bit RGB in 256ths of an 8-bit step (white is 65280), rounds alpha by up to one step and dithers when
it goes from 16 to 8 bits. So colour goes through it in its own units, alpha never does, and 8-bit targets get 8 bits.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent
from gen2studio.media.decoder_colour import Picture, PlanarPicture, _reformat, upright
from gen2studio.media.decoder_hdr import HDR_TRANSFERS
from gen2studio.raster.tiles import Mask

Colour = NDArray[np.float32]
"""(H, W, 3) float32 RGB, display code values 0…1."""
_WHITE = 65280.0
_ACCURATE = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND


def deep_rgb(picture: Picture) -> Colour:
    """A decoded picture's colour, upright, at display size and the depth it was stored with.

    It is what the viewer shows: codes above white and below black are cut off, HDR is tone-mapped to SDR, and a
    picture that has transparency of its own lies over black.
    """
    if not isinstance(picture, PlanarPicture) or picture.has_alpha or picture.frame.color_trc in HDR_TRANSFERS:
        return picture.rgb().astype(np.float32) / np.float32(255)
    extent = picture.extent
    turned = picture.orientation >= 5
    width, height = (extent.height, extent.width) if turned else (extent.width, extent.height)
    planar = _reformat(picture.frame, width, height, "gbrp16le")
    out = np.empty((height, width, 3), np.float32)
    for index, plane in zip((1, 2, 0), planar.planes, strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint16).reshape(-1, plane.line_size // 2)[:height, :width]
        np.multiply(rows, np.float32(1 / _WHITE), out=out[..., index], dtype=np.float32)
    np.minimum(out, np.float32(1), out=out)
    return np.asarray(upright(out, picture.orientation), np.float32)


def over_colour(colour: Colour, matte: Mask, key: tuple[int, int, int]) -> Colour:
    """``colour`` over the plain 8-bit sRGB colour ``key`` by ``matte``, in display code values."""
    plain = np.asarray(key, np.float32) / np.float32(255)
    out = np.asarray(cv2.multiply(colour, cv2.merge([_share(matte)] * 3)), np.float32)
    rest = np.float32(1) - _share(matte)
    for index, value in enumerate(plain):
        out[..., index] += rest * value
    return out


def premultiplied(colour: Colour, matte: Mask) -> Colour:
    """``colour`` times coverage."""
    return np.asarray(cv2.multiply(colour, cv2.merge([_share(matte)] * 3)), np.float32)


def grey(matte: Mask) -> Colour:
    """The matte itself as a picture."""
    return np.asarray(cv2.merge([_share(matte)] * 3), np.float32)


def _share(matte: Mask) -> NDArray[np.float32]:
    """(H, W) coverage 0…1."""
    return np.asarray(matte.astype(np.float32) * np.float32(1 / 255), np.float32)


class FrameMaker:
    """Turns colour and matte into frames of one pixel format, BT.709 video levels. One thread."""

    def __init__(self, pixel_format: str, extent: Extent) -> None:
        """``extent`` is the encoder's: pictures are padded to it by repeating their last row and column."""
        self._format = pixel_format
        self._extent = extent
        self._alpha = pixel_format.startswith("yuva")
        self._deep = "10le" in pixel_format
        self._reformatter = VideoReformatter()

    def frame(self, colour: Colour, matte: Mask | None = None) -> VideoFrame:
        """A new frame; ``matte`` fills its alpha where the format has one (None = opaque)."""
        top, dtype, layout = (_WHITE, np.uint16, "rgb48le") if self._deep else (255.0, np.uint8, "rgb24")
        pixels = np.rint(np.clip(colour, 0, 1) * np.float32(top)).astype(dtype)
        plain = self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(self._padded(pixels)), format=layout),
            format=self._format.replace("yuva", "yuv"),
            src_colorspace=Colorspace.ITU709,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=_ACCURATE,
        )
        if not self._alpha:
            return plain
        frame = VideoFrame(self._extent.width, self._extent.height, self._format)
        for index, source in enumerate(plain.planes):
            _copy(_rows(source, dtype), frame, index, dtype)
        coverage = np.full(colour.shape[:2], 255, np.uint8) if matte is None else matte
        steps = np.rint(np.arange(256) * ((1023 if self._deep else 255) / 255)).astype(dtype)
        _copy(steps[self._padded(coverage)], frame, 3, dtype)
        return frame

    def _padded(self, pixels: NDArray[Any]) -> NDArray[Any]:
        down, across = self._extent.height - pixels.shape[0], self._extent.width - pixels.shape[1]
        if not down and not across:
            return pixels
        return np.pad(pixels, ((0, down), (0, across), *((0, 0),) * (pixels.ndim - 2)), mode="edge")


def _rows(plane: object, dtype: type[np.uint8] | type[np.uint16]) -> NDArray[Any]:
    """(H, W) samples of a plane, a view."""
    width: int = plane.width  # type: ignore[attr-defined]
    height: int = plane.height  # type: ignore[attr-defined]
    line: int = plane.line_size  # type: ignore[attr-defined]
    rows = np.frombuffer(memoryview(plane), dtype)  # type: ignore[arg-type]
    return rows.reshape(-1, line // np.dtype(dtype).itemsize)[:height, :width]


def _copy(samples: NDArray[Any], frame: VideoFrame, index: int, dtype: type[np.uint8] | type[np.uint16]) -> None:
    plane = frame.planes[index]
    wide = np.zeros((plane.height, plane.line_size // np.dtype(dtype).itemsize), dtype)
    wide[:, : samples.shape[1]] = samples
    data = wide.tobytes()
    plane.update(data + bytes(plane.buffer_size - len(data)))
