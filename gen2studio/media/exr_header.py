"""The headers of an OpenEXR file, read by hand and bounded before the OpenEXR library sees the file.

A header is a promise of sizes: a few bytes can claim a picture of 200,000 × 200,000 or thousands of channels. This
reader follows "OpenEXR File Layout" (openexr.com), allocates nothing that depends on what the file claims, and refuses
what no matte needs. It also notices a file that was cut short, by its table of offsets.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gen2studio.core.errors import MediaError

MAX_SIDE = 32_768
"""Pixels a side."""
MAX_PARTS = 256
MAX_CHANNELS = 1_024
"""Of all parts together."""
MAX_BYTES = 1 << 30
"""Decoded size of everything in one file."""
MAX_TEXT = 1 << 20
"""Bytes of an attribute that is read; longer ones are passed over."""
_MAX_ATTRIBUTES = 2_048
_MAX_HEADER = 4 << 20
"""Bytes of all attributes of a part together, those apart that are passed over."""
_MAGIC = 20_000_630
_DEEP, _MULTIPART, _TILED = 0x800, 0x1000, 0x200
_LINES = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}
"""Scan lines a chunk by compression; others are not checked for completeness."""
_PIXEL_BYTES = {0: 4, 1: 2, 2: 4}
_REMEDY = "Write it again with the program it came from."


@dataclass(frozen=True, slots=True)
class ExrChannel:
    name: str
    """With its layer: ``dog.A``."""
    type: str
    """half, float or uint."""
    subsampled: bool = False


@dataclass(frozen=True, slots=True)
class ExrPart:
    """One header. Windows are (x, y, right, bottom), the last two exclusive."""

    name: str
    channels: tuple[ExrChannel, ...]
    data: tuple[int, int, int, int]
    display: tuple[int, int, int, int]
    compression: int = 0
    tiled: bool = False
    text: tuple[tuple[str, str], ...] = ()
    """String attributes."""

    @property
    def decoded_bytes(self) -> int:
        width, height = self.data[2] - self.data[0], self.data[3] - self.data[1]
        return width * height * sum(2 if c.type == "half" else 4 for c in self.channels)


def read_headers(path: Path) -> tuple[ExrPart, ...]:
    """Every part's header. Raises MediaError for what is no EXR, damaged, cut short, deep or absurdly large."""
    try:
        with open(path, "rb") as handle:
            size = handle.seek(0, 2)
            handle.seek(0)
            return _read(handle, size, path.name)
    except OSError as error:
        raise MediaError(f"“{path.name}” can't be read from the disk.", "Check the drive it is on.") from error
    except (struct.error, UnicodeDecodeError, _Cut) as error:
        raise MediaError(f"The header of “{path.name}” is damaged or cut short.", _REMEDY) from error


class _Cut(Exception):
    """The file ends inside its header."""


def _read(handle: BinaryIO, size: int, name: str) -> tuple[ExrPart, ...]:
    magic, version = struct.unpack("<iI", _take(handle, 8))
    if magic != _MAGIC:
        raise MediaError(f"“{name}” is not an OpenEXR file.", "Use the file that was exported.")
    if version & 0xFF != 2:
        raise MediaError(f"“{name}” is of an unknown OpenEXR version.", _REMEDY)
    if version & _DEEP:
        raise MediaError(f"“{name}” holds deep data, which has no matte.", "Flatten it to scan lines.")
    several = bool(version & _MULTIPART)
    parts: list[ExrPart] = []
    while True:
        part = _part(handle, size, name, bool(version & _TILED))
        if part is None:
            break
        parts.append(part)
        channels = sum(len(p.channels) for p in parts)
        if len(parts) > MAX_PARTS or channels > MAX_CHANNELS:
            raise MediaError(
                f"“{name}” claims more than {MAX_PARTS} parts or {MAX_CHANNELS} channels and is not opened.",
                "Write only the layers that are mattes.",
            )
        if not several:
            break
    if not parts:
        raise MediaError(f"“{name}” holds no picture.", _REMEDY)
    decoded = sum(part.decoded_bytes for part in parts)
    if decoded > MAX_BYTES:
        raise MediaError(
            f"“{name}” would fill {decoded / 2**30:.1f} GB of memory and is not opened.",
            "Write only the layers that are mattes, at the size of the clip.",
        )
    _check_whole(handle, parts, size, name)
    return tuple(parts)


def _take(handle: BinaryIO, count: int) -> bytes:
    data = handle.read(count)
    if len(data) < count:
        raise _Cut
    return data


def _string(handle: BinaryIO, most: int = 256) -> str:
    data = bytearray()
    while (byte := _take(handle, 1)) != b"\0":
        data += byte
        if len(data) >= most:
            raise _Cut
    return data.decode("utf-8")


def _part(handle: BinaryIO, size: int, file_name: str, tiled: bool) -> ExrPart | None:
    """The next header, or None at the empty one that ends a list of parts."""
    found: dict[str, bytes] = {}
    text: list[tuple[str, str]] = []
    kept = 0
    for _ in range(_MAX_ATTRIBUTES):
        name = _string(handle)
        if not name:
            break
        kind = _string(handle)
        (length,) = struct.unpack("<i", _take(handle, 4))
        if length < 0 or handle.tell() + length > size:
            raise _Cut
        if length > MAX_TEXT:
            handle.seek(length, 1)
            continue
        kept += length
        if kept > _MAX_HEADER:
            raise MediaError(f"The header of “{file_name}” is longer than that of any picture.", _REMEDY)
        value = _take(handle, length)
        if kind == "string":
            text.append((name, value.decode("utf-8", "replace")))
        found[name] = value
    else:
        raise _Cut
    if not found:
        return None
    if not {"channels", "dataWindow", "displayWindow", "compression"} <= found.keys():
        raise _Cut
    kind = found.get("type", b"").decode("ascii", "replace")
    if kind.startswith("deep"):
        raise MediaError(f"“{file_name}” holds deep data, which has no matte.", "Flatten it to scan lines.")
    return ExrPart(
        name=dict(text).get("name", ""),
        channels=_channels(found["channels"], file_name),
        data=_window(found["dataWindow"], file_name),
        display=_window(found["displayWindow"], file_name),
        compression=found["compression"][0] if found["compression"] else 0,
        tiled=tiled or kind == "tiledimage",
        text=tuple(text),
    )


def _window(value: bytes, file_name: str) -> tuple[int, int, int, int]:
    left, top, right, bottom = struct.unpack("<4i", value)
    width, height = right - left + 1, bottom - top + 1
    if width < 1 or height < 1:
        raise _Cut
    if max(width, height) > MAX_SIDE or max(abs(left), abs(top)) > 1 << 24:
        raise MediaError(
            f"“{file_name}” claims a picture of {width}×{height}, more than {MAX_SIDE:,} pixels a side.", _REMEDY
        )
    return left, top, right + 1, bottom + 1


def _channels(value: bytes, file_name: str) -> tuple[ExrChannel, ...]:
    found: list[ExrChannel] = []
    cursor = 0
    while cursor < len(value) and value[cursor]:
        end = value.find(b"\0", cursor)
        if end < 0 or end - cursor > 255:
            raise _Cut
        kind, _linear, across, down = struct.unpack_from("<iIii", value, end + 1)
        if kind not in _PIXEL_BYTES or across < 1 or down < 1:
            raise _Cut
        name = value[cursor:end].decode("utf-8")
        found.append(ExrChannel(name, ("uint", "half", "float")[kind], across != 1 or down != 1))
        cursor = end + 17
        if len(found) > MAX_CHANNELS:
            raise MediaError(
                f"“{file_name}” claims more than {MAX_CHANNELS} channels and is not opened.",
                "Write only the layers that are mattes.",
            )
    if not found:
        raise _Cut
    return tuple(found)


def _check_whole(handle: BinaryIO, parts: list[ExrPart], size: int, name: str) -> None:
    """Refuse a file whose table of offsets points past its end: a copy that was cut short, or is being written."""
    for part in parts:
        lines = _LINES.get(part.compression)
        if part.tiled or lines is None:
            return
        count = -(-(part.data[3] - part.data[1]) // lines)
        table = struct.unpack(f"<{count}Q", _take(handle, 8 * count))
        if any(offset == 0 or offset + 8 > size for offset in table):
            raise MediaError(
                f"“{name}” is cut short: not every line of it is there.", "Copy it again, or render it anew."
            )
