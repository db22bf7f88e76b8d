"""What every weights file says about itself before a weight is read: names, shapes, types and places of its tensors.

Safetensors (:mod:`safetensors_header`), GGUF (:mod:`gguf_header`) and torch's own archives (:mod:`torch_archive`) are
read into the same table, so that the checks that follow need not know which it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path

from gen2studio.core.errors import ModelError
from gen2studio.core.records import dataclass

HEADER_LIMIT = 100_000_000
"""Bytes a header may have: the limit of safetensors' own reader."""
MOST_DIMENSIONS = 16


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor as its header describes it. ``begin`` and ``end`` are byte offsets into the data section."""

    dtype: str
    """``F32``, ``BF16``, ``F8_E4M3`` …; for GGUF also its block formats: ``Q8_0``, ``Q4_K`` …"""
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def count(self) -> int:
        """Elements."""
        return prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class WeightsHeader:
    """The header of one file, checked against the file's size."""

    path: Path
    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]
    file_bytes: int
    format: str = "safetensors"
    """safetensors, gguf or torch."""
    data_start: int = 0
    """Where in the file the data section begins (GGUF; the others are read by their libraries)."""

    @property
    def parameters(self) -> int:
        """Elements of all tensors."""
        return sum(tensor.count for tensor in self.tensors.values())

    @property
    def weight_bytes(self) -> int:
        return sum(tensor.size for tensor in self.tensors.values())

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a tensor, or None when the file has no such tensor."""
        found = self.tensors.get(name)
        return found.shape if found is not None else None


def damaged(path: Path, what: str) -> ModelError:
    """The refusal of a file that contradicts itself; ``what`` continues its name."""
    return ModelError(f"“{path.name}” {what}.", "The file is damaged or not what it says; download it again.")


def unreadable(path: Path, error: OSError) -> ModelError:
    """The refusal of a file that can't be opened."""
    if isinstance(error, FileNotFoundError):
        return ModelError(f"The weights “{path.name}” are not there.", f"Put the file back into {path.parent}.")
    if isinstance(error, IsADirectoryError):
        return ModelError(f"“{path.name}” is a folder where a weights file should be.", "Choose the file itself.")
    return ModelError(
        f"The weights “{path.name}” can't be read: {error.strerror or error}.", "Check the drive it is on."
    )
