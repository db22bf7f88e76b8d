"""One channel of an OpenEXR picture as it is in the file: distances in metres, not a displayable picture.

Renderers put depth into channels such as ``Z``, ``Depth.V`` or ``ViewLayer.Depth.Z``, which FFmpeg does not show. Read
here: single-part scan-line files, uncompressed or ZIP/ZIPS, half, float or 32-bit integer - what renderers write depth
as. Other compressions (PIZ, DWA, RLE, B44) go through FFmpeg when they hold grey or RGB. Layout: "The OpenEXR File
Layout", openexr.com.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import MediaError

Plane = NDArray[np.float32]

_MAGIC = 20000630
_MAX_SIDE = 32768
_MAX_HEADER = 1 << 20
_KINDS = (np.dtype("<u4"), np.dtype("<f2"), np.dtype("<f4"))
_ROWS = {0: 1, 2: 1, 3: 16}
"""Compression → scan lines of a block: none, ZIPS, ZIP."""
_PREFERRED = ("z", "depth", "v", "y", "r", "g", "b")


class _Elsewhere(Exception):
    """A layout that is left to FFmpeg."""


@dataclass(frozen=True, slots=True)
class _Header:
    channels: tuple[tuple[str, int], ...]
    """(name, pixel type) in file order."""
    compression: int
    data: tuple[int, int, int, int]
    display: tuple[int, int, int, int]
    end: int


def read_exr_plane(path: Path) -> Plane:
    """(H, W) float32 of the depth channel (else the only, grey or red one), at the display window's size.

    Pixels outside the data window are infinite. Raises MediaError.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"“{path.name}” can't be read from the disk.", "Check the drive it is on.") from error
    try:
        return _own(data)
    except _Elsewhere:
        return _with_ffmpeg(path)
    except (struct.error, ValueError, IndexError, KeyError, zlib.error, OverflowError) as error:
        raise MediaError(f"The EXR file “{path.name}” is damaged or cut short.", "Render it again.") from error


def _own(data: bytes) -> Plane:
    header = _header(data)
    name, kind = _chosen(header.channels)
    left, top, right, bottom = header.data
    width, height = right - left + 1, bottom - top + 1
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise ValueError("size")
    sizes = [_KINDS[k].itemsize for _, k in header.channels]
    offset = sum(s * width for (n, _), s in zip(header.channels, sizes, strict=True) if n < name)
    row_bytes = sum(sizes) * width
    rows = _ROWS[header.compression]
    blocks = -(-height // rows)
    table = struct.unpack_from(f"<{blocks}Q", data, header.end)
    out = np.empty((height, width), np.float32)
    for place in table:
        row, packed = struct.unpack_from("<ii", data, place)
        first = row - top
        count = min(rows, height - first)
        if first < 0 or count <= 0 or packed < 0:
            raise ValueError("block")
        block = data[place + 8 : place + 8 + packed]
        if len(block) != packed:
            raise ValueError("cut short")
        raw = _unpacked(block, row_bytes * count) if header.compression and packed < row_bytes * count else block
        lines = np.frombuffer(raw, np.uint8, row_bytes * count).reshape(count, row_bytes)
        values = np.ascontiguousarray(lines[:, offset : offset + width * _KINDS[kind].itemsize]).view(_KINDS[kind])
        out[first : first + count] = values
    return _displayed(out, header)


def _header(data: bytes) -> _Header:
    magic, version = struct.unpack_from("<ii", data, 0)
    if magic != _MAGIC:
        raise ValueError("not an EXR file")
    # Tiles (0x200), deep data (0x800) and several parts (0x1000).
    if version & 0x1A00:
        raise _Elsewhere
    place = 8
    found: dict[str, bytes] = {}
    while data[place] != 0:
        if place > _MAX_HEADER:
            raise ValueError("header")
        name, place = _text(data, place)
        _, place = _text(data, place)
        (size,) = struct.unpack_from("<i", data, place)
        if size < 0 or size > _MAX_HEADER:
            raise ValueError("attribute")
        found[name] = data[place + 4 : place + 4 + size]
        place += 4 + size
    compression = found["compression"][0]
    if compression not in _ROWS:
        raise _Elsewhere
    return _Header(
        _channels(found["channels"]),
        compression,
        struct.unpack("<4i", found["dataWindow"]),
        struct.unpack("<4i", found["displayWindow"]),
        place + 1,
    )


def _channels(data: bytes) -> tuple[tuple[str, int], ...]:
    place = 0
    out: list[tuple[str, int]] = []
    while data[place] != 0:
        name, place = _text(data, place)
        kind, _, across, down = struct.unpack_from("<iB3xii", data, place)
        if across != 1 or down != 1:
            raise _Elsewhere
        if not 0 <= kind < len(_KINDS):
            raise ValueError("channel")
        out.append((name, kind))
        place += 16
    return tuple(out)


def _text(data: bytes, place: int) -> tuple[str, int]:
    end = data.index(0, place, place + 256)
    return data[place:end].decode("latin-1"), end + 1


def _chosen(channels: tuple[tuple[str, int], ...]) -> tuple[str, int]:
    """The depth channel: one that a layer or itself calls depth, else the first of Z, V, Y, R…"""

    def rank(item: tuple[str, int]) -> tuple[int, int]:
        parts = item[0].lower().split(".")
        last = parts[-1]
        return (0 if "depth" in parts else 1, _PREFERRED.index(last) if last in _PREFERRED else len(_PREFERRED))

    if not channels:
        raise ValueError("no channels")
    return min(channels, key=rank)


def _unpacked(block: bytes, size: int) -> bytes:
    """ZIP of OpenEXR: inflated, summed up byte by byte, and the two halves interleaved."""
    raw = zlib.decompressobj().decompress(block, size)
    if len(raw) != size:
        raise ValueError("block size")
    steps = np.frombuffer(raw, np.uint8).astype(np.int64)
    steps[1:] -= 128
    summed = (np.cumsum(steps) & 255).astype(np.uint8)
    out = np.empty(size, np.uint8)
    half = (size + 1) // 2
    out[0::2], out[1::2] = summed[:half], summed[half:]
    return out.tobytes()


def _displayed(plane: Plane, header: _Header) -> Plane:
    if header.data == header.display:
        return plane
    left, top, right, bottom = header.display
    width, height = right - left + 1, bottom - top + 1
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise ValueError("size")
    out = np.full((height, width), np.inf, np.float32)
    dx, dy = header.data[0] - left, header.data[1] - top
    x0, y0 = max(0, dx), max(0, dy)
    x1, y1 = min(width, dx + plane.shape[1]), min(height, dy + plane.shape[0])
    if x0 < x1 and y0 < y1:
        out[y0:y1, x0:x1] = plane[y0 - dy : y1 - dy, x0 - dx : x1 - dx]
    return out


def _with_ffmpeg(path: Path) -> Plane:
    import av
    from av.error import FFmpegError

    try:
        with av.open(f"file:{path.absolute().as_posix()}", format="exr_pipe") as container:
            frame = next(container.decode(video=0), None)
            if frame is None:
                raise ValueError("no picture")
            # Samples as they are: a conversion would apply a transfer curve. Planar colour lies in the order G, B, R.
            kind = np.dtype(np.float16 if "f16" in frame.format.name else np.float32)
            plane = frame.planes[0 if frame.format.name.startswith("gray") else 2]
            values = np.frombuffer(memoryview(plane), kind).reshape(-1, plane.line_size // kind.itemsize)
            return np.array(values[: frame.height, : frame.width], np.float32)
    except (FFmpegError, ValueError, IndexError, StopIteration) as error:
        raise MediaError(
            f"“{path.name}” holds no depth that can be read.",
            "Render it as a 16-bit PNG, or as EXR with ZIP compression and a Z channel.",
        ) from error
