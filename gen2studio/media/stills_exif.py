"""Orientation and alpha kind from the TIFF tags inside JPEG, PNG, WebP and TIFF files (EXIF 2.32, TIFF 6.0)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_ORIENTATION, _EXTRA_SAMPLES = 0x0112, 0x0152
_ASSOCIATED = 1


@dataclass(frozen=True, slots=True)
class ImageTags:
    orientation: int = 1
    """EXIF orientation 1…8."""
    premultiplied: bool = False
    """True for TIFF associated alpha."""


def read_tags(data: bytes) -> ImageTags:
    """The tags of an image file given as bytes; the defaults where there are none or they make no sense."""
    try:
        block = _tiff_block(data)
        values = _first_directory(block) if block else {}
    except (struct.error, IndexError, ValueError):
        return ImageTags()
    orientation = values.get(_ORIENTATION, 1)
    return ImageTags(
        orientation=orientation if 1 <= orientation <= 8 else 1,
        premultiplied=values.get(_EXTRA_SAMPLES, 0) == _ASSOCIATED,
    )


def _tiff_block(data: bytes) -> bytes:
    if data[:4] in (b"II*\0", b"MM\0*"):
        return data
    if data[:2] == b"\xff\xd8":
        return _from_jpeg(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _chunk(data, 8, b"eXIf", big=True)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        block = _chunk(data, 12, b"EXIF", big=False)
        return block[6:] if block[:6] == b"Exif\0\0" else block
    return b""


def _from_jpeg(data: bytes) -> bytes:
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], struct.unpack(">H", data[position + 2 : position + 4])[0]
        if marker == 0xDA:
            break
        body = data[position + 4 : position + 2 + length]
        if marker == 0xE1 and body[:6] == b"Exif\0\0":
            return body[6:]
        position += 2 + length
    return b""


def _chunk(data: bytes, position: int, name: bytes, *, big: bool) -> bytes:
    """The body of a PNG (length, name, body, CRC) or RIFF (name, length, body, padding) chunk."""
    while position + 8 <= len(data):
        if big:
            length, kind = struct.unpack(">I4s", data[position : position + 8])
            step = 12 + length
        else:
            kind, length = struct.unpack("<4sI", data[position : position + 8])
            step = 8 + length + (length & 1)
        if kind == name:
            return data[position + 8 : position + 8 + length]
        position += step
    return b""


def _first_directory(block: bytes) -> dict[int, int]:
    """The SHORT values of the first image file directory by tag."""
    order = "<" if block[:2] == b"II" else ">"
    offset = struct.unpack(order + "I", block[4:8])[0]
    count = struct.unpack(order + "H", block[offset : offset + 2])[0]
    values: dict[int, int] = {}
    for number in range(min(count, 512)):
        entry = block[offset + 2 + 12 * number : offset + 14 + 12 * number]
        tag, kind, items = struct.unpack(order + "HHI", entry[:8])
        if kind == 3 and items >= 1:
            values[tag] = struct.unpack(order + "H", entry[8:10])[0]
    return values
