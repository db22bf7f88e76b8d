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
        denoising, decoding = self._rates()
        if denoising is None or decoding is None:
            return None
        size = width * height * frames / 1e6
        return passes * size * denoising + size * decoding

    def learn_denoising(self, seconds: float, passes: int, width: int, height: int, frames: int) -> None:
        """Take in what ``passes`` forward passes took."""
        self._learn(0, seconds / max(1, passes), width * height * frames / 1e6)

    def learn_decoding(self, seconds: float, width: int, height: int, frames: int) -> None:
        """Take in what decoding took."""
        self._learn(1, seconds, width * height * frames / 1e6)

    def _learn(self, which: int, seconds: float, size: float) -> None:
        if size <= 0:
            return
        rates = list(self._rates())
        old = rates[which]
        rates[which] = seconds / size if old is None else old + _SMOOTHING * (seconds / size - old)
        # A full disk is no error: it is only an estimate.
        with contextlib.suppress(OSError):
            paths.write_atomic(self._path, json.dumps(rates).encode())

    def _rates(self) -> tuple[float | None, float | None]:
        try:
            first, second = json.loads(self._path.read_text())
        except (OSError, ValueError, TypeError):
            return None, None
        return _rate(first), _rate(second)


def _rate(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and 0 <= value < 1e6 else None
