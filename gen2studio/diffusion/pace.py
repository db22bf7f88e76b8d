"""How fast a model runs on this machine, measured while it works and kept for the next estimate."""

from __future__ import annotations

import contextlib
import json

from gen2studio.core import paths

_SMOOTHING = 0.4


class PaceOfModel:
    """Seconds per forward pass and per decoded frame, each per megapixel-frame of the model's own size.

    Kept in the cache folder under the model's id and weights; a missing or broken file means "not known".
    """

    def __init__(self, model_id: str, digest: str) -> None:
        safe = "".join(c if c.isalnum() else "-" for c in model_id)[:60]
        self._path = paths.cache_dir("pace") / f"{safe}-{digest[:12]}.json"

    def seconds(self, passes: int, width: int, height: int, frames: int) -> float | None:
        """Wall seconds of ``passes`` forward passes over ``frames`` frames and one decoding; None = not known."""
        rates = self._read()
        if rates is None:
            return None
        size = width * height * frames / 1e6
        return passes * size * rates[0] + size * rates[1]

    def learn(self, passes: int, denoising: float, decoding: float, width: int, height: int, frames: int) -> None:
        """Take in what a run took. A full disk is no error: it is only an estimate."""
        size = width * height * frames / 1e6
        if passes <= 0 or size <= 0:
            return
        new = (denoising / passes / size, decoding / size)
        old = self._read()
        mixed = new if old is None else tuple(o + _SMOOTHING * (n - o) for o, n in zip(old, new, strict=True))
        with contextlib.suppress(OSError):
            paths.write_atomic(self._path, json.dumps(list(mixed)).encode())

    def _read(self) -> tuple[float, float] | None:
        try:
            first, second = (float(value) for value in json.loads(self._path.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        return (first, second) if 0 <= first < 1e6 and 0 <= second < 1e6 else None
