"""How a training is going, as values: what the panel shows of it."""

from __future__ import annotations

from dataclasses import field

from gen2studio.core.records import dataclass
from gen2studio.engine.events import JobState, Picture


@dataclass(frozen=True, slots=True, eq=False)
class TestFrame:
    """What the adapter made of the test prompt after ``step`` steps; 0 is the base model."""

    __test__ = False

    step: int
    picture: Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """What the latest training of a set is doing."""

    job_id: str = ""
    state: JobState | None = None
    stopping: bool = False
    """Cancelled by the artist, and still on its way to the next checkpoint."""
    done: int = 0
    total: int = 0
    stage: str = ""
    eta_seconds: float | None = None
    reason: str = ""
    """Why it failed, or what was kept."""
    adapter_id: str = ""
    """The adapter it made, once it is in the library."""

    @property
    def active(self) -> bool:
        return self.state is not None and not self.state.ended


@dataclass(slots=True)
class TrainingRecord:
    """A run with its curve and frames."""

    run: TrainingRun
    losses: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    tests: dict[int, TestFrame] = field(default_factory=dict[int, TestFrame])
