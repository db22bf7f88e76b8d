"""What a subject and its surroundings look like: colour histograms and a memory of local patches.

Both give log-odds of "subject" against "background" for pixels near the edge. Half of each comes from the frame that a
person drew and never changes, so appearance is pulled back to the anchor instead of drifting with the tracked matte.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.segmentation.frames import STRIDE, WorkFrame
from gen2studio.segmentation.refine import Soft, signed_distance

Logit = NDArray[np.float32]

_CELLS = 32


def _histogram(cells: NDArray[np.int32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalised 32×32×32 histogram, smoothed [1 2 1] along each axis."""
    cube = np.bincount(cells, weights=weights, minlength=_CELLS**3).astype(np.float32).reshape(_CELLS, _CELLS, _CELLS)
    for axis in range(3):
        padded = np.pad(cube, [(1, 1) if i == axis else (0, 0) for i in range(3)])
        lower, middle, upper = (np.take(padded, range(o, o + _CELLS), axis) for o in range(3))
        cube = (lower + 2 * middle + upper) / 4
    flat = cube.ravel()
    return flat / max(float(flat.sum()), 1e-6)


class ColourModel:
    """Lab histograms of a subject and of what lies around it."""

    RATE = 0.15
    """How fast the running half follows."""

    def __init__(self, frame: WorkFrame, matte: Soft, distance: NDArray[np.float32]) -> None:
        self._anchor = self._measured(frame, matte, distance)
        self._running = self._anchor

    @staticmethod
    def _measured(
        frame: WorkFrame, matte: Soft, distance: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        near = distance > -40
        cells = frame.colour_index[near]
        certainty = 2 * (matte[near] - 0.5)
        return (
            _histogram(cells, np.maximum(certainty, 0)),
            _histogram(cells, np.maximum(-certainty, 0)),
        )

    def learn(self, frame: WorkFrame, matte: Soft, distance: NDArray[np.float32]) -> None:
        """Let the running half follow a frame whose matte is trusted."""
        inside, outside = self._measured(frame, matte, distance)
        keep = np.float32(1 - self.RATE)
        self._running = (
            keep * self._running[0] + (1 - keep) * inside,
            keep * self._running[1] + (1 - keep) * outside,
        )

    def log_odds(self, frame: WorkFrame) -> Logit:
        """(h, w) log of the two histograms' ratio, clipped to ±3."""
        floor = np.float32(2e-5)
        inside = (self._anchor[0] + self._running[0]) / 2 + floor
        outside = (self._anchor[1] + self._running[1]) / 2 + floor
        return np.clip(np.log(inside / outside), -3, 3)[frame.colour_index]


@dataclass(frozen=True)
class ObjectFrame:
    """Object-centred coordinates: the matte's centroid and the root of its area, in working pixels."""

    x: float
    y: float
    size: float

    @staticmethod
    def of(matte: Soft) -> ObjectFrame | None:
        inside = (matte > 0.5).astype(np.uint8)
        moments = cv2.moments(inside, binaryImage=True)
        if moments["m00"] < 4:
            return None
        return ObjectFrame(
            moments["m10"] / moments["m00"], moments["m01"] / moments["m00"], float(np.sqrt(moments["m00"]))
        )


@dataclass(frozen=True)
class _Samples:
    inside: NDArray[np.float32]
    outside: NDArray[np.float32]


class PatchMemory:
    """Nearest-neighbour memory of local features, from the anchor and the last frames.

    A pixel scores by how much closer its nearest background sample is than its nearest subject sample; features carry
    the place within the subject, so a left leg is not taken for a right one.
    """

    SAMPLES = 700
    PLACE = 1.5
    SOFTNESS = 0.35
    RECENT = 2

    def __init__(self, frame: WorkFrame, matte: Soft, distance: NDArray[np.float32], origin: ObjectFrame) -> None:
        near = distance[::STRIDE, ::STRIDE] > -40
        seen = frame.features[near] if near.any() else frame.features.reshape(-1, frame.features.shape[-1])
        deviation = seen.std(0)
        # One unit of distance = one standard deviation of all features together; weak features are not blown up.
        self._scale = 1 / (np.maximum(deviation, 0.25 * float(np.median(deviation)) + 1e-3) * np.sqrt(len(deviation)))
        self._anchor = self._sampled(frame, matte, distance, origin)
        self._recent: deque[_Samples] = deque(maxlen=self.RECENT)

    def _described(
        self, frame: WorkFrame, rows: NDArray[np.intp], columns: NDArray[np.intp], origin: ObjectFrame
    ) -> NDArray[np.float32]:
        local = frame.features[rows, columns] * self._scale
        place = np.stack([columns * STRIDE - origin.x, rows * STRIDE - origin.y], -1) * (self.PLACE / origin.size)
        return np.concatenate([local, place], -1).astype(np.float32)

    def _sampled(self, frame: WorkFrame, matte: Soft, distance: NDArray[np.float32], origin: ObjectFrame) -> _Samples:
        coarse, far = matte[::STRIDE, ::STRIDE], distance[::STRIDE, ::STRIDE]
        sets = []
        for chosen in ((coarse > 0.8) & (far < 32), (coarse < 0.2) & (far > -32)):
            rows, columns = np.nonzero(chosen)
            if len(rows) > self.SAMPLES:
                # Golden-ratio steps spread the samples over the area, the same way every time.
                picks = np.unique((np.arange(self.SAMPLES) * 0.6180339887498949 % 1.0 * len(rows)).astype(np.intp))
                rows, columns = rows[picks], columns[picks]
            sets.append(self._described(frame, rows, columns, origin))
        return _Samples(sets[0], sets[1])

    def learn(self, frame: WorkFrame, matte: Soft, distance: NDArray[np.float32], origin: ObjectFrame) -> None:
        """Remember a frame whose matte is trusted; the oldest of the recent ones is forgotten."""
        self._recent.append(self._sampled(frame, matte, distance, origin))

    def score(self, frame: WorkFrame, where: NDArray[np.bool_], origin: ObjectFrame, use_place: bool = True) -> Logit:
        """(h, w) log-odds clipped to ±3; zero outside ``where``. Without ``use_place`` only looks count: a proposed
        place must not vouch for itself."""
        coarse = where[::STRIDE, ::STRIDE]
        rows, columns = np.nonzero(coarse)
        result = np.zeros(coarse.shape, np.float32)
        if len(rows):
            size = frame.features.shape[-1] + (2 if use_place else 0)
            asked = np.ascontiguousarray(self._described(frame, rows, columns, origin)[:, :size])
            recent = list(self._recent)
            inside = self._nearness(asked, self._anchor.inside[:, :size], [s.inside[:, :size] for s in recent])
            outside = self._nearness(asked, self._anchor.outside[:, :size], [s.outside[:, :size] for s in recent])
            if inside is not None and outside is not None:
                result[rows, columns] = np.clip((outside - inside) / self.SOFTNESS, -3, 3)
        height, width = where.shape
        return np.asarray(cv2.resize(result, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    @staticmethod
    def _nearness(
        asked: NDArray[np.float32], anchor: NDArray[np.float32], recent: list[NDArray[np.float32]]
    ) -> NDArray[np.float32] | None:
        found = [_nearest(asked, anchor)] if len(anchor) else []
        late = [r for r in recent if len(r)]
        if late:
            found.append(_nearest(asked, np.concatenate(late)))
        return np.mean(found, axis=0) if found else None


def _nearest(asked: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) Euclidean distance of each row of ``asked`` to the nearest row of ``known``."""
    halves = np.empty(len(asked), np.float32)
    norms = 0.5 * (known * known).sum(-1)
    for start in range(0, len(asked), 2048):
        block = asked[start : start + 2048]
        halves[start : start + 2048] = (block @ known.T - norms).max(-1)
    squared = (asked * asked).sum(-1) - 2 * halves
    return np.sqrt(np.maximum(squared, 0))


def anchor_distance(matte: Soft) -> NDArray[np.float32]:
    """Signed distance of a matte's half-way edge."""
    return signed_distance(matte > 0.5)
