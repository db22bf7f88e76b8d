"""Whether a packet can really be decoded from: H.264 and HEVC (clause 7.3), VP8 (RFC 6386), VP9 alpha layers."""

from __future__ import annotations

_H264_SLICE, _H264_IDR = 1, 5
_INTRA_SLICES = (2, 7)


def is_random_access(unit: memoryview, codec: str, extradata: bytes) -> bool:
    """True for an IDR/IRAP picture, and for an H.264 picture whose first slice is an I slice."""
    for start in _nal_starts(unit, _length_size(codec, extradata)):
        if start >= len(unit):
            return False
        header = unit[start]
        if codec == "hevc":
            kind = header >> 1 & 0x3F
            if kind < 32:
                return 16 <= kind <= 23
            continue
        kind = header & 0x1F
        if kind == _H264_IDR:
            return True
        if kind == _H264_SLICE:
            return _slice_type(bytes(unit[start + 1 : start + 12])) in _INTRA_SLICES
    return False


def alpha_is_key(data: bytes, codec: str) -> bool:
    """Whether a VP8 or VP9 frame is a key frame: RFC 6386 section 9.1; VP9 bitstream specification 6.2."""
    if not data:
        return False
    if codec == "vp8":
        return data[0] & 1 == 0
    profile = (data[0] >> 5 & 1) | (data[0] >> 4 & 1) << 1
    shift = 3 if profile < 3 else 2
    shows_existing = data[0] >> shift & 1
    return not shows_existing and data[0] >> (shift - 1) & 1 == 0


def _length_size(codec: str, extradata: bytes) -> int:
    """Bytes of a NAL length prefix (avcC/hvcC); 0 for Annex B start codes."""
    if codec == "h264" and len(extradata) > 6 and extradata[0] == 1:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) > 22 and extradata[0] == 1:
        return (extradata[21] & 3) + 1
    return 0


def _nal_starts(unit: memoryview, length_size: int):
    position = 0
    if length_size:
        while position + length_size < len(unit):
            length = int.from_bytes(unit[position : position + length_size], "big")
            yield position + length_size
            position += length_size + length
        return
    data = bytes(unit)
    while (found := data.find(b"\x00\x00\x01", position)) >= 0:
        yield found + 3
        position = found + 3


def _slice_type(data: bytes) -> int:
    """``slice_type`` of an H.264 slice header: the second Exp-Golomb number."""
    bits = int.from_bytes(data.replace(b"\x00\x00\x03", b"\x00\x00"), "big")
    length = len(data.replace(b"\x00\x00\x03", b"\x00\x00")) * 8
    position = 0
    value = -1
    for _ in range(2):
        zeros = 0
        while position < length and not bits >> (length - 1 - position) & 1:
            zeros += 1
            position += 1
        if position + zeros + 1 > length:
            return -1
        value = (bits >> (length - position - zeros - 1) & ((1 << zeros + 1) - 1)) - 1
        position += zeros + 1
    return value
