"""Forward pass of a fast-style network (Johnson et al. 2016, instance norm) in NumPy: the bench's quality reference.

Reads the raw float32 tensors of ``weights/ml5_wave`` (trained on Hokusai's wave). For measuring only.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


class FastStyleNet:
    """Call with an (H, W, 3) uint8 picture whose sides are multiples of 4; returns the same."""

    def __init__(self, folder: Path) -> None:
        table = json.loads((folder / "manifest.json").read_text())
        self._tensors = {
            name: np.fromfile(folder / entry["filename"], np.float32).reshape(entry["shape"])
            for name, entry in table.items()
        }
        self._next = 0

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self._next = 0
        x = picture.astype(np.float32)
        x = self._conv(x, 1)
        x = self._conv(x, 2)
        x = self._conv(x, 2)
        for _ in range(5):
            x = x + self._conv(self._conv(x, 1), 1, active=False)
        x = self._grow(x)
        x = self._grow(x)
        x = self._conv(x, 1, active=False)
        return np.clip(np.rint(np.tanh(x) * 150 + 127.5), 0, 255).astype(np.uint8)

    def _take(self) -> F32:
        name = f"Variable_{self._next}" if self._next else "Variable"
        self._next += 1
        return self._tensors[name]

    def _normed(self, x: F32, active: bool) -> F32:
        shift, scale = self._take(), self._take()
        mean, deviation = x.mean((0, 1)), np.sqrt(x.var((0, 1)) + 1e-3)
        x = scale * (x - mean) / deviation + shift
        return np.maximum(x, 0) if active else x

    def _conv(self, x: F32, stride: int, active: bool = True) -> F32:
        weights = self._take()
        size = weights.shape[0]
        height, width = x.shape[0] // stride, x.shape[1] // stride
        before = (size - 1) // 2 if stride == 1 else 0
        after = size - 1 - before
        padded = np.pad(x, ((before, after), (before, after), (0, 0)))
        out = np.zeros((height * width, weights.shape[3]), np.float32)
        for ky in range(size):
            for kx in range(size):
                part = padded[ky : ky + height * stride : stride, kx : kx + width * stride : stride]
                out += part.reshape(-1, x.shape[2]) @ weights[ky, kx]
        return self._normed(out.reshape(height, width, -1), active)

    def _grow(self, x: F32) -> F32:
        weights = self._take()
        height, width = x.shape[:2]
        out = np.zeros((2 * height + 1, 2 * width + 1, weights.shape[2]), np.float32)
        flat = x.reshape(-1, x.shape[2])
        for ky in range(3):
            for kx in range(3):
                part = (flat @ weights[ky, kx].T).reshape(height, width, -1)
                out[ky : ky + 2 * height : 2, kx : kx + 2 * width : 2] += part
        return self._normed(out[: 2 * height, : 2 * width], True)
