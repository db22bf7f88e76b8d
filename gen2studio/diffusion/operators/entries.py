"""Which operators there are on this machine, asked without importing torch or OpenCV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from gen2studio.engine.generators import Operator

COMPACT = "realesr-animevideov3"


def operator_entries(folders: Sequence[Path] = ()) -> dict[str, Callable[[], Operator]]:
    """``kind:id`` → what makes the operator, preferred first; for ``GeneratorRegistry(operators=…)``.

    ``folders`` are looked through for ``realesr-animevideov3.pth`` or ``.safetensors``; without the file that operator
    isn't offered.
    """
    entries: dict[str, Callable[[], Operator]] = {
        "interpolate:built-in": _interpolator,
        "upscale:built-in": _upscaler,
    }
    for folder in folders:
        for suffix in (".safetensors", ".pth"):
            weights = folder / f"{COMPACT}{suffix}"
            if weights.is_file():
                entries.setdefault(f"upscale:{COMPACT}", lambda weights=weights: _compact(weights))
    return entries


def _interpolator() -> Operator:
    from gen2studio.diffusion.operators.interpolate import FlowInterpolator

    return FlowInterpolator()


def _upscaler() -> Operator:
    from gen2studio.diffusion.operators.upscale import BackProjectionUpscaler

    return BackProjectionUpscaler()


def _compact(weights: Path) -> Operator:
    from gen2studio.diffusion.operators.compact import CompactUpscaler

    return CompactUpscaler(weights)
