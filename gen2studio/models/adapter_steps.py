"""The steps of a training that are kept beside its adapter: each a whole adapter, with its loss and its test frame.

More steps are not always better: an adapter can learn its pictures by heart. The artist chooses by eye.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from gen2studio.core.errors import ModelError
from gen2studio.core.records import dataclass
from gen2studio.models.safetensors_header import read_header

_NAME = re.compile(r"^step_(\d{6,})\.safetensors$")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterStep:
    """An adapter as it was after ``step`` steps of its training."""

    step: int
    path: Path
    loss: float | None = None
    """Mean training loss of the last tenth of the steps so far; None = not known."""
    picture: Path | None = None
    """PNG of the test prompt at this step."""


def step_name(step: int) -> str:
    """``step_000150.safetensors``."""
    return f"step_{step:06d}.safetensors"


def steps_in(folder: Path) -> tuple[AdapterStep, ...]:
    """The steps kept in a folder, first to last. Headers are read; files that are no adapters are left out."""
    found: list[AdapterStep] = []
    for path in sorted(folder.glob("step_*.safetensors")) if folder.is_dir() else ():
        named = _NAME.match(path.name)
        try:
            said = read_header(path).metadata if named else None
        except ModelError:
            continue
        if named is None or said is None:
            continue
        # A training keeps its test frames under a name of their own.
        pictures = (path.with_suffix(".png"), path.with_name(f"test_{int(named[1]):06d}.png"))
        picture = next((file for file in pictures if file.is_file()), None)
        found.append(AdapterStep(step=int(named[1]), path=path, loss=_loss(said.get("loss", "")), picture=picture))
    return tuple(found)


def _loss(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
