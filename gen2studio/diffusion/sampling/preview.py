"""Rough pictures of latents while they are denoised: a linear map from latent channels to RGB.

The map comes with the model, or is fitted by least squares on the model's own VAE once and kept in the cache: colourful
test pictures go in, their latents and their colours averaged over a latent cell make the equations.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2studio.core import paths
from gen2studio.core.log import topic
from gen2studio.engine.events import Picture

_log = topic("diffusion")
_PICTURES = 6
"""Test pictures of a fit."""
_LARGEST = 512
"""Side in pixels beyond which they don't grow."""
GAP = 0.25
"""Seconds between two previews: an eye follows no more, and drawing them costs."""


@dataclass(frozen=True, slots=True)
class LatentColours:
    """rgb = clamp(latent · weight + bias, 0, 1)."""

    weight: NDArray[np.float32]
    """(C, 3)."""
    bias: NDArray[np.float32]
    """(3,)."""

    def picture(self, frame: Any) -> Picture:
        """(h, w, 3) uint8 of one latent frame (C, h, w) tensor."""
        values = frame.detach().float().cpu().numpy()
        rgb = np.einsum("chw,cd->hwd", values, self.weight) + self.bias
        return (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)


Encode = Callable[[Sequence[Picture]], Any]
"""Pictures to normalised latents (1, C, T, h, w): the ``encode`` of a family's driver."""


def colours_of(pipe: Any, key: str, encode: Encode, given: LatentColours | None = None) -> LatentColours:
    """The map of a model: the one it brings, the cached fit, or a fit made now. ``key`` names model and revision."""
    if given is not None:
        return given
    config = json.dumps(dict(pipe.vae.config), sort_keys=True, default=str)
    name = hashlib.sha256(f"{key}\n{config}".encode()).hexdigest()[:24]
    path = paths.cache_dir("latent-colours") / f"{name}.json"
    found = _read(path)
    if found is None:
        found = fit(encode)
        try:
            table = {"weight": found.weight.tolist(), "bias": found.bias.tolist()}
            paths.write_atomic(path, json.dumps(table).encode())
        except OSError:
            _log.log(logging.WARNING, "the latent colours of %s could not be kept", key, exc_info=True)
    return found


def _read(path: Path) -> LatentColours | None:
    try:
        table = json.loads(path.read_text())
        return LatentColours(np.array(table["weight"], np.float32), np.array(table["bias"], np.float32))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fit(encode: Encode, side: int = 64) -> LatentColours:
    """Least squares of averaged colours on latents, over stills of soft colour fields with edges and noise.

    ``side`` in pixels is doubled until there are twice as many cells as channels: coarse latents need larger pictures.
    """
    import torch

    while side < _LARGEST:
        with torch.no_grad():
            _, channels, _, h, w = encode([np.zeros((side, side, 3), np.uint8)]).shape
        if _PICTURES * h * w >= 2 * channels:
            break
        side *= 2
    pictures = _test_pictures(side, _PICTURES)
    rows, colours = [], []
    with torch.no_grad():
        for picture in pictures:
            latent = encode([picture])[0, :, 0].float().cpu().numpy()
            _, h, w = latent.shape
            cell_h, cell_w = side // h, side // w
            mean = picture.reshape(h, cell_h, w, cell_w, 3).mean((1, 3)) / 255
            rows.append(latent.reshape(latent.shape[0], -1).T)
            colours.append(mean.reshape(-1, 3))
    x = np.concatenate(rows).astype(np.float64)
    y = np.concatenate(colours)
    # A little ridge: a random or degenerate VAE must not give infinite weights.
    ones = np.concatenate([x, np.ones((len(x), 1))], 1)
    ridge = 1e-3 * len(x) * np.eye(ones.shape[1])
    ridge[-1, -1] = 0
    solution = np.linalg.solve(ones.T @ ones + ridge, ones.T @ y)
    return LatentColours(solution[:-1].astype(np.float32), solution[-1].astype(np.float32))


def _test_pictures(side: int, count: int) -> list[Picture]:
    import cv2

    random = np.random.default_rng(20260101)
    made: list[Picture] = []
    for number in range(count):
        coarse = random.random((3 + number, 3 + number, 3)).astype(np.float32)
        field = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
        for _ in range(4):
            x, y, r = (int(v) for v in random.integers(0, side, 3))
            colour = [float(v) for v in random.random(3)]
            cv2.circle(field, (x, y), 4 + r // 4, colour, -1)
        field += random.normal(0, 0.03, field.shape).astype(np.float32)
        made.append((np.clip(field, 0, 1) * 255).astype(np.uint8))
    return made


class PreviewClock:
    """Lets a preview through when the last one is old enough; the first and the last always."""

    def __init__(self, gap: float = GAP, clock: Callable[[], float] = time.monotonic) -> None:
        self._gap = gap
        self._clock = clock
        self._last: float | None = None

    def due(self, last: bool = False) -> bool:
        now = self._clock()
        if last or self._last is None or now - self._last >= self._gap:
            self._last = now
            return True
        return False
