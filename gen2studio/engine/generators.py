"""What a generator is: it says what it can do, estimates a request, and runs it against a context."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.cancel import CancelToken
from gen2studio.engine.events import Estimate, Picture
from gen2studio.engine.requests import BlobRef, GenerateRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeAbility:
    """What a generator honours in one mode. The UI shows a control only where ``controls`` names it."""

    mode: str
    controls: frozenset[str]
    """Names from :class:`~gen2studio.engine.requests.ControlValues`, plus ``prompt``, ``negative_prompt``, ``styles``,
    ``preset``, ``keys``, ``pattern``, ``region``, ``seed``."""
    why_not: tuple[tuple[str, str], ...] = ()
    """(control, reason) for controls an artist would look for but that this generator can't honour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    id: str
    title: str
    revision: str
    modes: tuple[ModeAbility, ...]
    any_resolution: bool = True
    needs_weights: bool = False

    def mode(self, mode: str) -> ModeAbility | None:
        return next((m for m in self.modes if m.mode == mode), None)


class RunContext(Protocol):
    """What a running generator may touch. Every call may raise Cancelled."""

    @property
    def cancel(self) -> CancelToken: ...

    @property
    def finished(self) -> frozenset[int]:
        """Media frames already stored by an earlier, interrupted run of the same request."""
        ...

    @property
    def scratch(self) -> Path:
        """A folder that survives a kill: intermediate results that make resuming cheap. Write atomically."""
        ...

    @property
    def threads(self) -> int:
        """How many CPU threads the generator may use."""
        ...

    def source(self, frame: int) -> Picture:
        """The source frame at the request's output size. Read-only."""
        ...

    def mask(self, frame: int) -> NDArray[np.uint8] | None:
        """(H, W) uint8 region to change, after region, grow and feather; None = everywhere."""
        ...

    def blob(self, ref: BlobRef) -> Picture:
        """A style image, key frame or swatch: upright, sRGB, at its own size."""
        ...

    def checkpoint(self) -> None:
        """Poll: raises Cancelled, waits while paused, lets a waiting preview go first."""
        ...

    def progress(self, done: int, total: int, stage: str = "") -> None: ...

    def note(self, text: str, frame: int | None = None) -> None: ...

    def emit(self, frame: int, picture: Picture) -> None:
        """A finished frame (H, W, 3) uint8. The engine composites it over the source outside the mask and stores it."""
        ...


class Generator(Protocol):
    @property
    def abilities(self) -> Abilities: ...

    def estimate(self, request: GenerateRequest) -> Estimate: ...

    def run(self, request: GenerateRequest, context: RunContext) -> None:
        """Emit every frame of ``request.wanted`` that is not in ``context.finished``, in any order."""
        ...
