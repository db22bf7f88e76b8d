"""Canonical hashing: equal values give equal digests on every machine and run."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return {"f": value.hex()}
    if isinstance(value, Fraction):
        return {"q": f"{value.numerator}/{value.denominator}"}
    if isinstance(value, bytes):
        return {"b": hashlib.sha256(value).hexdigest()}
    if isinstance(value, PurePath):
        return value.as_posix()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.compare}
        return {"t": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {"m": sorted(([_plain(k), _plain(v)] for k, v in value.items()), key=json.dumps)}
    if isinstance(value, (frozenset, set)):
        return {"s": sorted((_plain(v) for v in value), key=json.dumps)}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    raise TypeError(f"{type(value).__name__} has no canonical form")


def canonical_json(value: Any) -> str:
    """One JSON text per value: sorted keys, exact floats, fractions n/d; without fields that don't compare."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def canonical_digest(value: Any) -> str:
    """SHA-256 hex of :func:`canonical_json`; the cache key, staleness key and recipe id of a request."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def bytes_digest(data: bytes | memoryview) -> str:
    """BLAKE2b-128 hex: content address of mask tiles and small blobs (fast, 32 characters)."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 hex of a whole file, read in 1 MiB blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def file_fingerprint(path: Path) -> str:
    """Cheap identity of a big media file: size and SHA-256 of its first, middle and last 64 KiB.

    Used to relink moved media and to notice replaced files without reading gigabytes.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as handle:
        for offset in sorted({0, max(0, size // 2 - 32768), max(0, size - 65536)}):
            handle.seek(offset)
            digest.update(handle.read(65536))
    return digest.hexdigest()[:32]
