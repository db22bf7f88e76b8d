"""What the panel is shown of stills and runs: values, changed by :class:`gen2studio.app.generation.Generation`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gen2studio.core.records import dataclass
from gen2studio.engine.events import JobState
from gen2studio.engine.requests import Lane

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """One of the four previews; ``picture`` is None while it is being made."""

    frame: int
    """Media frame."""
    picture: NDArray[np.uint8] | None = None
    rough: bool = False
    """A preview from the middle of the denoising: the finished picture follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """What the run or stills of the target clip are doing."""

    job_id: str = ""
    lane: Lane = Lane.RENDER
    state: JobState | None = None
    done: int = 0
    total: int = 0
    stage: str = ""
    eta_seconds: float | None = None

    @property
    def active(self) -> bool:
        return self.state is not None and not self.state.ended


@dataclass(frozen=True, slots=True)
class Arrival:
    """A run whose frames the playhead follows."""

    job_id: str
    origin: int
    """Where the artist left the playhead."""
    playhead: int
    """Where the last frame put it; the artist moved it when it is anywhere else."""
