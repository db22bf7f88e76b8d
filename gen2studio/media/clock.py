"""Exact frame times: which frame is on screen at a time, and when each frame begins.

A frame number is not a time. One demux pass lists the presentation timestamps of every packet that will be shown;
sorted, they are the frames: frame n begins at ``pts[n]`` and lasts until ``pts[n + 1]``. That holds for variable
rates, B-frames, non-zero starts and edit lists (packets an edit list discards are decoded but never shown).
Where packets and frames do not match one to one (field-coded H.264, hidden VP9 reference frames, damaged packets,
missing timestamps) the timestamps are taken from a decode instead. The result is kept in a sidecar.

Containers round timestamps: Matroska and WebM to milliseconds, QuickTime often to 1/600 s. Where every frame of a
constant-rate file stays within half a frame of its slot n / rate, the slots are the truth and the timestamps their
rounding: such a clock is ``steady`` and counts by slots. True variable rates go by their timestamps.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gen2studio.core import paths
from gen2studio.core.hashing import bytes_digest
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.core.records import dataclass
from gen2studio.core.time import COMMON_RATES, snap_rate
from gen2studio.media import codecs

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VERSION = 6


@dataclass(frozen=True, slots=True, eq=False)
class FrameClock:
    """Presentation times of every frame of one file. Immutable; cheap to keep (16 bytes a frame)."""

    pts: NDArray[np.int64]
    """Presentation timestamp of each frame in ``time_base`` units, strictly rising."""
    keys: NDArray[np.int64]
    """Timestamps a decoder can start at, rising; includes key frames that an edit list hides."""
    time_base: Fraction
    end: int
    """Timestamp at which the last frame ends."""
    rate: Fraction
    """Average frames a second, snapped to a common rate; 0 for sound and stills."""
    variable_rate: bool = False
    key_lead: int = 0
    """The most that a key frame's decoding time lies before its presentation time."""
    ordinal: bool = False
    """True for a stream without usable timestamps: ``pts`` then counts frames in decoding order."""
    steady: bool = field(init=False)
    """True when frame n is the one of the slot [n / rate, (n + 1) / rate), whatever its timestamp was rounded to."""
    _round: bool = field(init=False)
    """Whether ticks are fine enough beside the frames to be taken for rounded times."""

    def __post_init__(self) -> None:
        count = len(self.pts)
        drift = _slot_offsets(self.pts, self.time_base, self.rate)
        steady = bool(count and self.rate and not self.variable_rate and np.abs(drift).max() <= 0.5)
        object.__setattr__(self, "steady", steady)
        object.__setattr__(self, "_round", bool(count > 1 and np.diff(self.pts).min() >= 4))

    @property
    def frame_count(self) -> int:
        return len(self.pts)

    @property
    def start(self) -> Fraction:
        """Container time of the first frame in seconds: where position 0 lies for the sound of the same file."""
        return int(self.pts[0]) * self.time_base if len(self.pts) and not self.ordinal else Fraction(0)

    @property
    def duration(self) -> Fraction:
        """Seconds from the first frame to the end of the last."""
        if not len(self.pts):
            return Fraction(0)
        last = (self.end - int(self.pts[-1])) * self.time_base
        if self.steady and last * self.rate < Fraction(3, 2):
            return len(self.pts) / self.rate
        return self.time_of(len(self.pts) - 1) + last

    def index_at(self, seconds: Fraction) -> int:
        """The frame on screen at ``seconds`` (0 = first frame), clamped to the file."""
        if not len(self.pts):
            return 0
        if self.steady:
            return self.clamp((seconds * self.rate).__floor__())
        # The time of a frame at 1/3 s is written as 333 ms: half a tick early is not yet the frame before.
        ticks = (seconds / self.time_base + Fraction(int(self._round), 2)).__floor__() + int(self.pts[0])
        index = int(np.searchsorted(self.pts, min(max(ticks, -(2**62)), 2**62), side="right")) - 1
        return self.clamp(index)

    def time_of(self, index: int) -> Fraction:
        """When frame ``index`` begins, in seconds from the first frame; ``frame_count`` gives the end."""
        if not len(self.pts):
            return Fraction(0)
        if index >= len(self.pts):
            return self.duration
        if self.steady:
            return max(0, index) / self.rate
        return (int(self.pts[max(0, index)]) - int(self.pts[0])) * self.time_base

    def clamp(self, index: int) -> int:
        return max(0, min(index, len(self.pts) - 1))

    def index_of_pts(self, pts: int) -> int | None:
        """The frame that begins exactly at timestamp ``pts``, or None."""
        index = int(np.searchsorted(self.pts, pts))
        return index if index < len(self.pts) and self.pts[index] == pts else None

    def key_before(self, pts: int) -> int:
        """The last key timestamp at or before ``pts``, else the first there is."""
        index = int(np.searchsorted(self.keys, pts, side="right")) - 1
        return int(self.keys[max(0, index)]) if len(self.keys) else int(self.pts[0])

    def key_index_before(self, index: int) -> int:
        """The frame shown by the last key frame at or before frame ``index`` (0 when an edit list hides it)."""
        key = self.key_before(int(self.pts[self.clamp(index)]))
        return self.clamp(int(np.searchsorted(self.pts, key)))

    @property
    def all_intra(self) -> bool:
        return len(self.keys) >= len(self.pts)


def regular_clock(frame_count: int, rate: Fraction) -> FrameClock:
    """A clock of evenly spaced frames: stills (one frame, rate 0 lasts one second) and image sequences."""
    step = 1 / rate if rate else Fraction(1)
    pts = np.arange(frame_count, dtype=np.int64)
    return FrameClock(pts=pts, keys=pts, time_base=step, end=frame_count, rate=rate)


def empty_clock() -> FrameClock:
    """The clock of a file without pictures."""
    none = np.empty(0, np.int64)
    return FrameClock(pts=none, keys=none, time_base=Fraction(1), end=0, rate=Fraction(0))


def measured_clock(
    pts: NDArray[np.int64],
    keys: NDArray[np.int64],
    time_base: Fraction,
    *,
    last_duration: int,
    nominal_rate: Fraction,
    key_lead: int = 0,
    ordinal: bool = False,
) -> FrameClock:
    """A clock from timestamps in any order; rate and regularity are measured, ``nominal_rate`` breaks rounding ties."""
    pts = np.unique(pts)
    steps = np.diff(pts)
    usual = int(np.median(steps)) if len(steps) else max(1, last_duration)
    if last_duration <= 0 or last_duration > 20 * usual:
        last_duration = usual
    if len(steps):
        rate = _constant_rate(pts, time_base, nominal_rate)
        tolerance = max(2, usual // 10)
        variable = bool(np.abs(steps - usual).max() > tolerance)
    else:
        rate = nominal_rate or 1 / (last_duration * time_base)
        variable = False
    return FrameClock(
        pts=pts,
        keys=np.unique(keys),
        time_base=time_base,
        end=int(pts[-1]) + last_duration if len(pts) else 0,
        rate=snap_rate(rate),
        variable_rate=variable,
        key_lead=key_lead,
        ordinal=ordinal,
    )


def _slot_offsets(pts: NDArray[np.int64], time_base: Fraction, rate: Fraction) -> NDArray[np.float64]:
    """How far each frame lies after its slot n / rate, in frames; the first frame is the anchor."""
    if not len(pts) or not rate:
        return np.zeros(len(pts))
    return (pts - pts[0]) * float(time_base * rate) - np.arange(len(pts))


def _constant_rate(pts: NDArray[np.int64], time_base: Fraction, nominal: Fraction) -> Fraction:
    """Frames a second of two timestamps or more: the exact rate whose rounding they are, else their mean."""
    measured = Fraction(len(pts) - 1) / (int(pts[-1] - pts[0]) * time_base)
    common = sorted(COMMON_RATES, key=lambda rate: abs(rate - measured))
    for rate in (nominal, *common):
        # Times rounded to milliseconds miss 30 by 1e-3; rounding moves no frame by more than half a tick.
        if rate and abs(float(rate / measured) - 1) < 0.005:
            spread = float(np.ptp(_slot_offsets(pts, time_base, rate)))
            if spread <= 1.001 * float(time_base * rate):
                return rate
    if nominal and np.abs(_slot_offsets(pts, time_base, nominal)).max() <= 0.5:
        return nominal
    return measured


def clock_of(path: Path | str, info: MediaInfo | None = None, abandon: Callable[[], bool] | None = None) -> FrameClock:
    """The clock of a file: from its sidecar, or from one pass over the file that writes the sidecar. Raises MediaError.

    The pass raises Abandoned once ``abandon()`` is true. The sidecar is keyed by path, size and modification time, so
    an edited file is scanned again.
    """
    codecs.load()
    from gen2studio.media import clock_scan, stills

    path = Path(path)
    run = stills.find_run(path, as_sequence=info is not None and info.kind is MediaKind.SEQUENCE)
    if run is not None:
        rate = info.rate if info is not None and info.rate else stills.SEQUENCE_RATE
        return regular_clock(run.frame_count, rate)
    if stills.is_still(path):
        return regular_clock(1, Fraction(0))
    sidecar = _sidecar(path)
    clock = _load(sidecar)
    if clock is None:
        clock = clock_scan.scan(path, abandon)
        _save(sidecar, clock)
    return clock


def _sidecar(path: Path) -> Path:
    try:
        stat = path.stat()
        key = f"{_VERSION}|{path.absolute().as_posix()}|{stat.st_size}|{stat.st_mtime_ns}"
    except OSError:
        key = f"{_VERSION}|{path.absolute().as_posix()}|missing"
    return paths.cache_dir("index") / f"{bytes_digest(key.encode())}.npz"


def _save(sidecar: Path, clock: FrameClock) -> None:
    buffer = io.BytesIO()
    base, rate = clock.time_base, clock.rate
    facts = [clock.end, base.numerator, base.denominator, rate.numerator, rate.denominator]
    facts += [int(clock.variable_rate), int(clock.ordinal), clock.key_lead]
    np.savez_compressed(buffer, pts=clock.pts, keys=clock.keys, facts=np.array(facts, np.int64))
    try:
        paths.write_atomic(sidecar, buffer.getvalue())
    except OSError:
        # A full or read-only cache costs a second scan next time, nothing else.
        return


def _load(sidecar: Path) -> FrameClock | None:
    try:
        with np.load(sidecar, allow_pickle=False) as data:
            pts, keys = data["pts"].astype(np.int64), data["keys"].astype(np.int64)
            end, base_n, base_d, rate_n, rate_d, variable, ordinal, lead = (int(v) for v in data["facts"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return FrameClock(
        pts=pts,
        keys=keys,
        time_base=Fraction(base_n, base_d),
        end=end,
        rate=Fraction(rate_n, rate_d),
        variable_rate=bool(variable),
        key_lead=lead,
        ordinal=bool(ordinal),
    )
