"""Reading the header of a GGUF file and nothing else, with a bound on everything the file claims.

GGUF (llama.cpp's container; diffusion models are kept in it as well) is the magic ``GGUF``, a version, two counts, key
and value pairs, tensor descriptions, padding to the alignment, then the tensor bytes. All numbers are little-endian.
Every count and length is held against a limit and against what the file has left before anything is allocated for it,
so no library sees a file that lies. Dimensions are written innermost first; shapes here are torch's.
"""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import BinaryIO

from gen2studio.models.weights_header import (
    HEADER_LIMIT,
    MOST_DIMENSIONS,
    TensorInfo,
    WeightsHeader,
    damaged,
    unreadable,
)

BLOCKS = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip
"""Number of a type in the file → (name, elements of one block, bytes of one block)."""
QUANTIZED = frozenset(
    {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"}
)
"""The block formats that diffusers computes with."""

_VERSIONS = (2, 3)
_MOST_TENSORS = 100_000
_MOST_KEYS = 100_000
_MOST_TEXT = 8 << 20
_MOST_NESTING = 3
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
_KEPT_TEXT = 4096
"""Longer values, such as vocabularies, are stepped over."""
_ORIGINAL_SHAPE = "comfy.gguf.orig_shape."
"""Key under which ComfyUI's converter notes the shape of a tensor that it had to flatten."""


def read_gguf_header(path: Path) -> WeightsHeader:
    """Read and check the header of ``path``; no tensor byte is touched. ``metadata`` holds the short values as text.

    Raises ModelError: not there, no GGUF file, an unknown version, counts or lengths beyond what the file can hold,
    types or shapes that don't exist, tensors that overlap or lie outside the file.
    """
    try:
        size = path.stat().st_size
        with open(path, "rb") as handle:
            return _Reader(path, handle, size).header()
    except OSError as error:
        raise unreadable(path, error) from None


class _Reader:
    """Reads forward through the header and never beyond its bounds."""

    def __init__(self, path: Path, handle: BinaryIO, size: int) -> None:
        self._path = path
        self._handle = handle
        self._size = size
        self._at = 0

    def header(self) -> WeightsHeader:
        if self._size < 24 or self._take(4) != b"GGUF":
            raise damaged(self._path, "is not a GGUF file")
        (version,) = struct.unpack("<I", self._take(4))
        if version not in _VERSIONS:
            other = version in (v << 24 for v in _VERSIONS)
            what = "a GGUF file for big-endian machines" if other else f"a GGUF file of version {version}"
            raise damaged(self._path, f"is {what}, which can't be read")
        count, keys = self._number(), self._number()
        if count > _MOST_TENSORS or keys > _MOST_KEYS:
            raise damaged(self._path, f"claims {count:,} tensors and {keys:,} values, more than any model has")
        metadata: dict[str, str] = {}
        shapes: dict[str, tuple[int, ...]] = {}
        for _ in range(keys):
            name = self._text()
            value = self._value(self._word(), 0)
            if isinstance(value, tuple) and name.startswith(_ORIGINAL_SHAPE):
                shapes[name.removeprefix(_ORIGINAL_SHAPE)] = value
            elif isinstance(value, str):
                metadata[name] = value
        described = [self._tensor() for _ in range(count)]
        alignment = self._alignment(metadata)
        start = -(-self._at // alignment) * alignment
        tensors: dict[str, TensorInfo] = {}
        for name, info in described:
            if name in tensors:
                raise damaged(self._path, f"has the tensor “{name[:80]}” twice")
            tensors[name] = self._shaped(name, info, shapes.get(name))
        self._check_extent(tensors, start, alignment)
        return WeightsHeader(self._path, tensors, metadata, self._size, "gguf", start)

    def _take(self, count: int) -> bytes:
        """The next ``count`` bytes of the header."""
        if self._at + count > min(self._size, HEADER_LIMIT):
            ends = "ends inside its header" if self._size <= HEADER_LIMIT else "has a header of more than 100 MB"
            raise damaged(self._path, ends)
        found = self._handle.read(count)
        self._at += len(found)
        if len(found) != count:
            raise damaged(self._path, "ends inside its header")
        return found

    def _skip(self, count: int) -> None:
        if self._at + count > min(self._size, HEADER_LIMIT):
            raise damaged(self._path, "claims more values than it has bytes")
        self._handle.seek(count, 1)
        self._at += count

    def _word(self) -> int:
        return int(struct.unpack("<I", self._take(4))[0])

    def _number(self) -> int:
        return int(struct.unpack("<Q", self._take(8))[0])

    def _text(self) -> str:
        length = self._number()
        if length > _MOST_TEXT:
            raise damaged(self._path, f"claims a name of {length:,} bytes")
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise damaged(self._path, "has a name that is no text") from None

    def _value(self, kind: int, depth: int) -> str | tuple[int, ...] | None:
        """A value as text, a short list of whole numbers, or None for what is not needed."""
        if kind in _SCALARS:
            (found,) = struct.unpack(f"<{_SCALARS[kind]}", self._take(struct.calcsize(f"<{_SCALARS[kind]}")))
            return str(found)
        if kind == _TEXT:
            found = self._text()
            return found if len(found) <= _KEPT_TEXT else None
        if kind != _LIST or depth >= _MOST_NESTING:
            raise damaged(self._path, f"has a value of an unknown kind ({kind})")
        inner, count = self._word(), self._number()
        if count > HEADER_LIMIT:
            raise damaged(self._path, f"claims a list of {count:,} values")
        if inner in _SCALARS:
            form = struct.Struct(f"<{_SCALARS[inner]}")
            if count <= MOST_DIMENSIONS and _SCALARS[inner] in "BbHhIiQq":
                return tuple(int(row[0]) for row in form.iter_unpack(self._take(count * form.size)))
            self._skip(count * form.size)
            return None
        for _ in range(count):
            self._value(inner, depth + 1)
        return None

    def _tensor(self) -> tuple[str, TensorInfo]:
        name = self._text()
        dimensions = self._word()
        if dimensions > MOST_DIMENSIONS:
            raise self._odd(name)
        sides = tuple(self._number() for _ in range(dimensions))
        kind, offset = self._word(), self._number()
        if kind not in BLOCKS or offset > self._size or any(side > 1 << 40 for side in sides):
            raise self._odd(name)
        dtype, block, size = BLOCKS[kind]
        shape = tuple(reversed(sides))
        elements = prod(shape)
        if elements % block or (len(shape) == 2 and shape[-1] % block):
            raise damaged(self._path, f"gives the tensor “{name[:80]}” a size that does not match its type")
        return name, TensorInfo(dtype, shape, offset, offset + elements // block * size)

    def _shaped(self, name: str, info: TensorInfo, shape: tuple[int, ...] | None) -> TensorInfo:
        if shape is None:
            return info
        if any(side < 0 for side in shape) or prod(shape) != info.count:
            raise damaged(self._path, f"gives the tensor “{name[:80]}” a size that does not match its shape")
        return TensorInfo(info.dtype, shape, info.begin, info.end)

    def _alignment(self, metadata: dict[str, str]) -> int:
        text = metadata.get("general.alignment", "32")
        value = int(text) if text.isdigit() and len(text) < 8 else 0
        if not 0 < value <= 1 << 20 or value & (value - 1):
            raise damaged(self._path, f"has an alignment that does not exist ({text[:20]})")
        return value

    def _check_extent(self, tensors: dict[str, TensorInfo], start: int, alignment: int) -> None:
        reached = 0
        for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
            if tensor.begin < reached:
                raise damaged(self._path, f"is inconsistent: the tensor “{name[:80]}” overlaps another")
            if tensor.begin % alignment or tensor.begin - reached >= alignment:
                raise damaged(self._path, f"is inconsistent: the tensor “{name[:80]}” leaves a hole before it")
            reached = tensor.end
        missing = start + reached - self._size
        if missing > 0:
            raise damaged(self._path, f"is cut off: {missing / 1e6:,.1f} MB of {reached / 1e6:,.1f} MB are missing")

    def _odd(self, name: str) -> Exception:
        return damaged(self._path, f"describes the tensor “{name[:80]}” in a way that does not exist")
