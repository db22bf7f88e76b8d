"""Events: what the engine tells the world. Each carries its job id; pictures are read-only arrays."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gen2studio.core.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

Picture: TypeAlias = "NDArray[np.uint8]"
"""(H, W, 3) uint8 sRGB, R first; not writeable once it is in an event."""


class JobState(enum.Enum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self in (JobState.FINISHED, JobState.CANCELLED, JobState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a job will need, told before it starts."""

    memory_bytes: int = 0
    disk_bytes: int = 0
    seconds: float | None = None
    """Wall seconds on this machine; None = not known yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged(JobEvent):
    state: JobState
    reason: str = ""
    """For FAILED: one sentence and what to do. For CANCELLED: what was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated(JobEvent):
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(JobEvent):
    done: int
    total: int
    stage: str = ""
    eta_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameReady(JobEvent):
    """A finished frame, already composited over the source outside the mask."""

    frame: int
    picture: Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskReady(JobEvent):
    """A matte for one object on one frame. ``mask`` is (H, W) uint8, read-only."""

    object_id: str
    frame: int
    mask: NDArray[np.uint8]
    confidence: float
    engine: str = ""
    """Which algorithm answered, as shown to the artist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionPreviewed(JobEvent):
    """What a click would select. ``mask`` is (h, w) uint8 of any size, to be laid over the whole frame; read-only.
    Latest-only, never stored."""

    object_id: str
    frame: int
    mask: NDArray[np.uint8]
    engine: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(JobEvent):
    """Something the artist should know about a running job: another key frame wanted, words not understood…"""

    text: str
    frame: int | None = None
    data: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPreview(JobEvent):
    """How a running denoising looks now: a rough picture of one frame after a step. Latest-only, never stored."""

    frame: int
    picture: Picture
    step: int
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LossMeasured(JobEvent):
    """Training loss, averaged since the event before."""

    step: int
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFrameReady(JobEvent):
    """What the adapter in training makes of the test prompt after ``step`` steps (0 = the base model)."""

    step: int
    picture: Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterReady(JobEvent):
    """A trained adapter lies in the library."""

    adapter_id: str
    path: str


Event = (
    StateChanged
    | Estimated
    | Progress
    | FrameReady
    | MaskReady
    | SelectionPreviewed
    | Noted
    | StepPreview
    | LossMeasured
    | TestFrameReady
    | AdapterReady
)
