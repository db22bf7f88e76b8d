"""Reading the header of a safetensors file and nothing else: names, shapes and types of weights without the weights.

A safetensors file is 8 bytes (little-endian length N), N bytes of JSON, then the tensor bytes. Every promise the header
makes is checked against the file before anybody maps it: a header that lies is refused here, with one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any, cast

from gen2studio.models.weights_header import (
    HEADER_LIMIT,
    MOST_DIMENSIONS,
    TensorInfo,
    WeightsHeader,
    damaged,
    unreadable,
)

BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32,
    "U64": 64, "I64": 64, "F64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
"""Type name of the format → bits of one element."""
FLOAT8 = frozenset(name for name in BITS if name.startswith("F8_"))


SafetensorsHeader = WeightsHeader
"""The header of one safetensors file."""


def read_header(path: Path) -> SafetensorsHeader:
    """Read and check the header of ``path``; no tensor byte is touched.

    Raises ModelError: not there, no safetensors file, oversized header, types or shapes that don't exist, tensors that
    overlap, leave holes or lie outside the file, a file that is too short or too long.
    """
    try:
        size = path.stat().st_size
        with open(path, "rb") as handle:
            prefix = handle.read(8)
            length = int.from_bytes(prefix, "little")
            if len(prefix) < 8 or size < 10:
                raise damaged(path, "is too short to be a safetensors file")
            if length > HEADER_LIMIT:
                raise damaged(path, f"claims a header of {length / 1e6:,.0f} MB, more than the format allows")
            if 8 + length > size:
                raise damaged(path, "ends inside its header")
            text = handle.read(length)
    except OSError as error:
        raise unreadable(path, error) from None
    entries = _entries(path, text)
    metadata = _metadata(path, entries.pop("__metadata__", {}))
    tensors = dict(_tensors(path, entries))
    _check_extent(path, tensors, size - 8 - length)
    return SafetensorsHeader(path, tensors, metadata, size)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name appears twice")
    return found


def _entries(path: Path, text: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise damaged(path, "is not a safetensors file: its header can't be read") from None
    if not isinstance(entries, dict):
        raise damaged(path, "is not a safetensors file: its header is no table")
    return cast("dict[str, Any]", entries)


def _metadata(path: Path, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in cast("dict[str, Any]", value).values()):
        raise damaged(path, "has metadata that is no table of texts")
    return cast("dict[str, str]", value)


def _whole(values: Any) -> tuple[int, ...] | None:
    if not isinstance(values, list):
        return None
    numbers = cast("list[Any]", values)
    if not all(type(number) is int and number >= 0 for number in numbers):
        return None
    return tuple(numbers)


def _tensors(path: Path, entries: dict[str, Any]) -> Iterator[tuple[str, TensorInfo]]:
    for name, entry in entries.items():
        row: dict[str, Any] = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
        dtype, shape, span = row.get("dtype"), _whole(row.get("shape")), _whole(row.get("data_offsets"))
        if dtype not in BITS or shape is None or span is None or len(span) != 2 or len(shape) > MOST_DIMENSIONS:
            raise damaged(path, f"describes the tensor “{name[:80]}” in a way that does not exist")
        begin, end = span
        bits = prod(shape) * BITS[str(dtype)]
        if end < begin or bits != (end - begin) * 8:
            raise damaged(path, f"gives the tensor “{name[:80]}” a size that does not match its shape")
        yield name, TensorInfo(str(dtype), shape, begin, end)


def _check_extent(path: Path, tensors: Mapping[str, TensorInfo], data_bytes: int) -> None:
    reached = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != reached:
            kind = "overlaps another" if tensor.begin < reached else "leaves a hole before it"
            raise damaged(path, f"is inconsistent: the tensor “{name[:80]}” {kind}")
        reached = tensor.end
    if reached > data_bytes:
        raise damaged(
            path, f"is cut off: {(reached - data_bytes) / 1e6:,.1f} MB of {reached / 1e6:,.1f} MB are missing"
        )
    if reached < data_bytes:
        raise damaged(path, f"has {data_bytes - reached:,} bytes that belong to no tensor")
