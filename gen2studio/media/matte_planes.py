"""What one picture can carry a matte in: its brightness, its alpha, or the numbers of its palette.

Samples are taken from the planes as they were stored, not through a colour conversion: luma of video levels is spread
from 16…235 to 0…255 and every depth is rounded once, so that a matte that was written from 8 bits comes back exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from gen2studio.core.errors import MediaError
from gen2studio.media import stills
from gen2studio.media.decoder_colour import upright
from gen2studio.media.stills_exif import read_tags
from gen2studio.raster.tiles import Mask

ID_LIMIT = 32
"""Grey values below this, and nothing else, are numbers of objects rather than brightness."""
_WEIGHTS = (0.2126, 0.7152, 0.0722)
"""BT.709 luma; equal channels give that very value."""
_PACKED: dict[str, tuple[str, str, int]] = {
    "rgb24": ("rgb", "u1", 255), "bgr24": ("bgr", "u1", 255), "rgba": ("rgba", "u1", 255),
    "bgra": ("bgra", "u1", 255), "argb": ("argb", "u1", 255), "abgr": ("abgr", "u1", 255),
    "rgb0": ("rgbx", "u1", 255), "bgr0": ("bgrx", "u1", 255), "0rgb": ("xrgb", "u1", 255), "0bgr": ("xbgr", "u1", 255),
    "gray": ("y", "u1", 255), "ya8": ("ya", "u1", 255),
    "rgb48le": ("rgb", "<u2", 65535), "rgb48be": ("rgb", ">u2", 65535), "bgr48le": ("bgr", "<u2", 65535),
    "rgba64le": ("rgba", "<u2", 65535), "rgba64be": ("rgba", ">u2", 65535), "bgra64le": ("bgra", "<u2", 65535),
    "gray16le": ("y", "<u2", 65535), "gray16be": ("y", ">u2", 65535), "ya16le": ("ya", "<u2", 65535),
    "ya16be": ("ya", ">u2", 65535), "grayf32le": ("y", "<f4", 1), "gray10le": ("y", "<u2", 1023),
    "gray12le": ("y", "<u2", 4095),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class MattePlanes:
    """(H, W) uint8 each, upright. ``ids`` where values may be numbers of objects; ``numbered`` says they must be."""

    luma: Mask
    alpha: Mask | None = None
    ids: Mask | None = None
    numbered: bool = False


def planes_of_frame(frame: VideoFrame, orientation: int = 1) -> MattePlanes:
    """The planes of a decoded frame of any pixel format."""
    name = frame.format.name
    if name == "pal8":
        found = _palette(frame)
    elif name in ("monow", "monob"):
        bits = np.unpackbits(_samples(frame, 0, "u1"), axis=1)[:, : frame.width]
        found = MattePlanes((bits if name == "monob" else 1 - bits) * np.uint8(255))
    elif name in _PACKED:
        found = _packed(frame, *_PACKED[name])
    elif name.startswith("gbr") and not name.endswith(("f16le", "f32le", "be")):
        found = _planar_rgb(frame)
    elif name.startswith(("yuv", "nv", "p0", "gray")) and not name.endswith(("be", "f16le")) and name[3:4] != "y":
        found = _planar_luma(frame)
    else:
        found = _packed(frame.reformat(format="rgba"), "rgba", "u1", 255)
    return _turned(found, orientation) if orientation != 1 else found


def _turned(planes: MattePlanes, orientation: int) -> MattePlanes:
    alpha, ids = planes.alpha, planes.ids
    return MattePlanes(
        upright(planes.luma, orientation),
        None if alpha is None else upright(alpha, orientation),
        None if ids is None else upright(ids, orientation),
        planes.numbered,
    )


def _samples(frame: VideoFrame, plane: int, kind: str) -> NDArray[Any]:
    """(H, whole line) samples of a plane, a view."""
    there = frame.planes[plane]
    rows = np.frombuffer(memoryview(there), np.dtype(kind))
    return rows.reshape(-1, there.line_size // np.dtype(kind).itemsize)[: there.height]


def _eight(values: NDArray[Any], top: float) -> Mask:
    """Samples 0…``top`` to the nearest of 0…255."""
    if values.dtype == np.uint8 and top == 255:
        return np.ascontiguousarray(values)
    scaled = np.nan_to_num(values.astype(np.float32)) * np.float32(255 / top)
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _packed(frame: VideoFrame, order: str, kind: str, top: float) -> MattePlanes:
    wide = _samples(frame, 0, kind)[:, : frame.width * len(order)]
    return from_channels(wide.reshape(frame.height, frame.width, len(order)), order, top)


def from_channels(pixels: NDArray[Any], order: str, top: float) -> MattePlanes:
    """Planes of (H, W, len(order)) samples whose letters are r, g, b, a, y (grey) or x (nothing)."""
    alpha = _eight(pixels[..., order.index("a")], top) if "a" in order else None
    if "y" in order:
        grey = _eight(pixels[..., order.index("y")], top)
        return MattePlanes(grey, alpha, grey if alpha is None and top == 255 else None, _counts(grey, top, alpha))
    luma = sum(
        pixels[..., order.index(name)].astype(np.float32) * np.float32(weight)
        for name, weight in zip("rgb", _WEIGHTS, strict=True)
    )
    return MattePlanes(_eight(np.asarray(luma), top), alpha)


def _counts(grey: Mask, top: float, alpha: Mask | None) -> bool:
    """Whether 8-bit grey values are 0, 1, 2, … of objects: anything brighter would be a matte."""
    return alpha is None and top == 255 and 0 < int(grey.max()) < ID_LIMIT and len(np.unique(grey)) <= ID_LIMIT


def _palette(frame: VideoFrame) -> MattePlanes:
    """A palette of greys is a grey picture, one with alpha has alpha, one of colours numbers its objects."""
    numbers = np.ascontiguousarray(_samples(frame, 0, "u1")[:, : frame.width])
    table = np.frombuffer(memoryview(frame.planes[1]), np.uint8).reshape(-1, 4)[:256]
    bgra = np.zeros((256, 4), np.uint8)
    bgra[: len(table)] = table
    luma = _eight(bgra[:, 2::-1].astype(np.float32) @ np.asarray(_WEIGHTS, np.float32), 255)
    used = np.unique(numbers)
    # All of the palette counts: an image may hold nothing but the one object whose colour happens to be a grey.
    grey = bool((bgra[:, 0] == bgra[:, 1]).all() and (bgra[:, 1] == bgra[:, 2]).all())
    alpha = bgra[:, 3][numbers] if int(bgra[used, 3].min()) < 255 else None
    counts = grey and 0 < int(luma[used].max()) < ID_LIMIT
    return MattePlanes(luma[numbers], alpha, numbers, alpha is None and (counts or not grey))


def _planar_rgb(frame: VideoFrame) -> MattePlanes:
    bits = max(part.bits for part in frame.format.components)
    kind, top = ("u1" if bits <= 8 else "<u2"), float((1 << bits) - 1)
    green, blue, red, *rest = (_samples(frame, i, kind)[:, : frame.width] for i in range(len(frame.planes)))
    order = "rgba" if rest else "rgb"
    return from_channels(np.dstack([red, green, blue, *rest[:1]]), order, top)


def _planar_luma(frame: VideoFrame) -> MattePlanes:
    name = frame.format.name
    bits = frame.format.components[0].bits
    kind = "u1" if bits <= 8 else "<u2"
    # P010 and its kin keep their samples in the upper bits of the word.
    shift = 16 - bits if name.startswith("p0") else 0
    luma = _samples(frame, 0, kind)[:, : frame.width] >> shift
    full = frame.color_range == 2 or name.startswith(("yuvj", "gray"))
    top = float((1 << bits) - 1)
    if full:
        values = _eight(luma, top)
    else:
        unit = 1 << (bits - 8)
        values = _eight(luma.astype(np.float32) - 16 * unit, 219.0 * unit)
    alpha: Mask | None = None
    if name.startswith("yuva"):
        alpha = _eight(_samples(frame, len(frame.planes) - 1, kind)[:, : frame.width], top)
    return MattePlanes(values, alpha)


def planes_of_still(path: Path) -> MattePlanes:
    """The planes of an image file at its full depth, upright. Raises MediaError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MediaError(f"“{path.name}” is not there any more.", "Check the folder.") from None
    except OSError as error:
        raise MediaError(f"“{path.name}” can't be read from the disk.", "Check the drive it is on.") from error
    kind = stills.image_kind(data[:12])
    if not kind or kind == "exr":
        raise MediaError(f"“{path.name}” is not an image.", "Use PNG, JPEG, TIFF, WebP, BMP or EXR.")
    tags = read_tags(data)
    frame = None if kind == "jpeg" else stills.first_frame(path, kind)
    if frame is not None:
        return planes_of_frame(frame, tags.orientation)
    planes = _with_opencv(data) if kind in ("jpeg", "tiff") else None
    if planes is None:
        raise MediaError(
            f"The image “{path.name}” is damaged or cut short.",
            "Copy it again from its source, or save it anew with an image editor.",
        )
    return _turned(planes, tags.orientation) if tags.orientation != 1 else planes


def _with_opencv(data: bytes) -> MattePlanes | None:
    import cv2

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or not pixels.size:
        return None
    top = {"u1": 255.0, "u2": 65535.0}.get(pixels.dtype.str[1:], 1.0)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    return from_channels(pixels, {1: "y", 3: "bgr", 4: "bgra"}[pixels.shape[2]], top)
