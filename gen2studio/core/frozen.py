"""Read-only mappings for frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def frozen_map(source: Mapping[K, V] | None = None) -> Mapping[K, V]:
    """A private, read-only copy of ``source``."""
    return MappingProxyType(dict(source or {}))


def with_item(source: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    """A copy of ``source`` with one entry set."""
    return MappingProxyType({**source, key: value})


def without(source: Mapping[K, V], *keys: K) -> Mapping[K, V]:
    """A copy of ``source`` without ``keys`` (absent ones are ignored)."""
    return MappingProxyType({k: v for k, v in source.items() if k not in keys})
