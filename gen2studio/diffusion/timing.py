"""Between the footage's clock and the model's: which moments are diffused, in which runs, and what lies between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from gen2studio.diffusion.families.contract import FrameRule
from gen2studio.diffusion.sampling.motion import clock_speed

JOINT_WINDOWS = 4
"""Windows denoised together where a family doesn't say; longer clips go on from the last frames of the run before."""
_EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class ModelClock:
    """Model frame k stands for media time ``start`` + k · ``step`` (in media frames)."""

    start: float
    stop: int
    step: float

    @property
    def count(self) -> int:
        """Model frames that cover [start, stop)."""
        return max(0, math.ceil((self.stop - 1 - self.start) / self.step - _EPSILON)) + 1

    def position(self, media_frame: int) -> float:
        """Where a media frame lies on the model's clock."""
        return (media_frame - self.start) / self.step

    def media(self, index: int) -> int:
        """The media frame nearest to a model frame, inside the range."""
        return min(max(0, round(self.start + index * self.step)), self.stop - 1)

    def nearest(self, media_frame: int) -> int:
        return min(self.count - 1, max(0, round(self.position(media_frame))))


def footage_clock(start: int, stop: int, rate: Fraction, native: Fraction | None) -> ModelClock:
    """For work on footage: whole media frames, at about the model's rate and never more often than the footage."""
    step = 1 if not native else max(1, round(rate / native))
    return ModelClock(start, stop, float(step))


def shot_clock(start: int, stop: int, rate: Fraction, native: Fraction | None, motion: float) -> ModelClock:
    """For shots made from nothing: the model's own time, faster or slower by the motion slider."""
    own = float(rate / native) if native else 1.0
    return ModelClock(start, stop, own / clock_speed(motion))


@dataclass(frozen=True, slots=True)
class Run:
    """One call of the pipeline: model frames [start, stop), the first ``known`` of which an earlier run made."""

    start: int
    stop: int
    known: int = 0

    @property
    def count(self) -> int:
        return self.stop - self.start


def runs_of(count: int, window: int, rule: FrameRule, joint: int = JOINT_WINDOWS, known: int = 0) -> tuple[Run, ...]:
    """Split ``count`` model frames into runs of up to ``joint`` windows that go on from each other.

    ``window`` is the model's native number of frames (0 = any), ``known`` the frames that a run is shown of the one
    before (0 = one more than windows overlap). The last run may be padded; see :func:`padded`.
    """
    overlap = overlap_frames(window, rule)
    most = count if window <= 0 else window + (joint - 1) * (window - overlap)
    if window > 0:
        most = (most - 1) // rule.step * rule.step + 1
    runs: list[Run] = [Run(0, min(count, most))]
    while runs[-1].stop < count:
        shown = min(known or overlap + 1, runs[-1].count - 1)
        start = runs[-1].stop - shown
        runs.append(Run(start, min(count, start + most), shown))
    return tuple(runs)


def padded(run: Run, rule: FrameRule) -> int:
    """The length a run is padded to, by repeating its last frame."""
    return rule.padded(run.count)


def overlap_frames(window: int, rule: FrameRule) -> int:
    """Frames two neighbouring windows share: whole latent groups, about a quarter of a window."""
    if window <= 0:
        return 0
    return max(rule.group, round(window / 4 / rule.group) * rule.group)


def latent_window(window: int, rule: FrameRule) -> tuple[int, int]:
    """(window, overlap) in latent frames for :class:`gen2studio.diffusion.sampling.denoise.Sampling`."""
    if window <= 0:
        return 0, 0
    return rule.latent(rule.padded(window)), overlap_frames(window, rule) // rule.group
