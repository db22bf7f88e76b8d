"""What a subject and its surroundings look like: colour histograms and a memory of local patches.

Both give log-odds of "subject" against "background" for pixels near the edge. Half of each comes from the frame that a
person drew and never changes, so appearance is pulled back to the anchor instead of drifting with the tracked matte.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.segmentation.frames import STRIDE, WorkFrame
from gen2studio.segmentation.refine import Soft

Logit = NDArray[np.float32]

_CELLS = 32

_BLOCK = 128
"""Rows of one matrix product: its result stays in the second-level cache, which makes it four times as fast."""


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
class Samples:
    """Described pixels of a subject and of what surrounds it, (N, F + 2): local features, then place."""

    inside: NDArray[np.float32]
    outside: NDArray[np.float32]
    elsewhere: NDArray[np.float32] | None = None
    """(N, F) features of the rest of the picture, which may come beside the subject later."""


@dataclass(frozen=True)
class Looks:
    """What the memory says of a frame, as log-odds clipped to ±3; zero where it was not asked."""

    odds: Logit
    """(h, w) of the drawn frame and the last frames together."""
    drawn: Logit
    """(h, w) of the drawn frame alone."""


class PatchMemory:
    """Nearest-neighbour memory of local features, from the anchor and the last frames.

    A pixel scores by how much closer its nearest background sample is than its nearest subject sample; features carry
    the place within the subject, so a left leg is not taken for a right one. What was drawn has the last word: the last
    frames may soften its verdict but not turn it round, and what it holds for background is not learned as subject.
    Otherwise a piece of ground that was once dragged along would vouch for itself for ever.
    """

    SAMPLES = 700
    FRESH = 350
    """Samples learned from one frame; of the older ones every second is kept, so a memory halves with each frame."""
    PLACE = 1.5
    SOFTNESS = 0.35
    APART = 0.5
    """Added (as a leg of a right angle) to the distance of what lay elsewhere: a look-alike further away must not
    outweigh the subject itself."""
    SWAY = 2.0
    """How far the last frames may raise a pixel above what the drawn frame says of it."""
    VETO = -1.5
    """Pixels that the drawn frame scores below this are not learned as subject."""

    def __init__(self, frame: WorkFrame, matte: Soft, distance: NDArray[np.float32], origin: ObjectFrame) -> None:
        near = distance[::STRIDE, ::STRIDE] > -40
        seen = frame.features[near] if near.any() else frame.features.reshape(-1, frame.features.shape[-1])
        deviation = seen.std(0)
        # One unit of distance = one standard deviation of all features together; weak features are not blown up.
        self._scale = 1 / (np.maximum(deviation, 0.25 * float(np.median(deviation)) + 1e-3) * np.sqrt(len(deviation)))
        anchor = self._sampled(frame, matte, distance, origin, None, self.SAMPLES)
        rows, columns = spread(distance[::STRIDE, ::STRIDE] <= -32, self.SAMPLES // 2)
        elsewhere = (frame.features[rows, columns] * self._scale).astype(np.float32)
        self._anchor = Samples(anchor.inside, anchor.outside, elsewhere)
        self._recent = Samples(self._anchor.inside[:0], self._anchor.outside[:0])

    def _described(
        self, frame: WorkFrame, rows: NDArray[np.intp], columns: NDArray[np.intp], origin: ObjectFrame
    ) -> NDArray[np.float32]:
        local = frame.features[rows, columns] * self._scale
        place = np.stack([columns * STRIDE - origin.x, rows * STRIDE - origin.y], -1) * (self.PLACE / origin.size)
        return np.concatenate([local, place], -1).astype(np.float32)

    def _sampled(
        self,
        frame: WorkFrame,
        matte: Soft,
        distance: NDArray[np.float32],
        origin: ObjectFrame,
        kept: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None,
        count: int,
    ) -> Samples:
        coarse, far = matte[::STRIDE, ::STRIDE], distance[::STRIDE, ::STRIDE]
        subject, around = (coarse > 0.8) & (far < 32), (coarse < 0.2) & (far > -32)
        if kept is not None:
            subject, around = subject & kept[0][::STRIDE, ::STRIDE], around & kept[1][::STRIDE, ::STRIDE]
        sets: list[NDArray[np.float32]] = []
        for chosen in (subject, around):
            rows, columns = spread(chosen, count)
            sets.append(self._described(frame, rows, columns, origin))
        return Samples(sets[0], sets[1])

    def learn(
        self,
        frame: WorkFrame,
        matte: Soft,
        distance: NDArray[np.float32],
        origin: ObjectFrame,
        drawn: Logit,
        leaving: NDArray[np.bool_],
    ) -> None:
        """Remember a frame whose matte is trusted.

        ``drawn`` is the drawn frame's verdict on its pixels; ``leaving`` are pixels that move like the subject: those
        are not learned as background, whatever the matte says.
        """
        fresh = self._sampled(frame, matte, distance, origin, (drawn > self.VETO, ~leaving), self.FRESH)
        self._recent = Samples(
            np.concatenate([fresh.inside, self._recent.inside[::2]]),
            np.concatenate([fresh.outside, self._recent.outside[::2]]),
        )

    def survey(self, frame: WorkFrame) -> Logit:
        """What the drawn frame says of the whole picture by looks alone: log-odds ±3 at every second feature pixel."""
        coarse = frame.features[::2, ::2]
        size = coarse.shape[-1]
        if not len(self._anchor.inside) or not len(self._anchor.outside):
            return np.full(coarse.shape[:2], -3, np.float32)
        asked = np.ascontiguousarray(coarse.reshape(-1, size) * self._scale, np.float32)
        gap = self._gap(asked, self._anchor, size) / self.SOFTNESS
        return np.clip(gap, -3, 3).reshape(coarse.shape[:2])

    def score(self, frame: WorkFrame, where: NDArray[np.bool_], origin: ObjectFrame, use_place: bool = True) -> Looks:
        """What the memory says of the pixels in ``where`` (h, w). Without ``use_place`` only looks count: a proposed
        place must not vouch for itself."""
        coarse = where[::STRIDE, ::STRIDE]
        rows, columns = np.nonzero(coarse)
        both, drawn = np.zeros(coarse.shape, np.float32), np.zeros(coarse.shape, np.float32)
        if len(rows) and len(self._anchor.inside) and len(self._anchor.outside):
            size = frame.features.shape[-1] + (2 if use_place else 0)
            asked = np.ascontiguousarray(self._described(frame, rows, columns, origin)[:, :size])
            anchored = self._gap(asked, self._anchor, size)
            first = np.clip(anchored / self.SOFTNESS, -3, 3)
            drawn[rows, columns] = first
            if len(self._recent.inside) and len(self._recent.outside):
                anchored = (anchored + self._gap(asked, self._recent, size)) / 2
            both[rows, columns] = np.minimum(np.clip(anchored / self.SOFTNESS, -3, 3), first + self.SWAY)
        height, width = where.shape
        return Looks(*(np.asarray(cv2.resize(m, (width, height)), np.float32) for m in (both, drawn)))

    def likeness(self, frame: WorkFrame, matte: Soft) -> float:
        """Share 0…1 of a matte's pixels that look, in any place, more like the drawn subject than its surroundings."""
        rows, columns = spread(matte[::STRIDE, ::STRIDE] > 0.8, 200)
        if not len(rows) or not len(self._anchor.inside) or not len(self._anchor.outside):
            return 0.0
        size = frame.features.shape[-1]
        asked = np.ascontiguousarray(frame.features[rows, columns] * self._scale, np.float32)
        gap = np.clip(self._gap(asked, self._anchor, size) / self.SOFTNESS, -6, 6)
        return float((1 / (1 + np.exp(-4 * gap))).mean())

    @staticmethod
    def _gap(asked: NDArray[np.float32], known: Samples, size: int) -> NDArray[np.float32]:
        """How much further each asked row is from the background than from the subject."""
        outside = _nearest(asked, known.outside[:, :size])
        if known.elsewhere is not None and len(known.elsewhere):
            count = known.elsewhere.shape[1]
            elsewhere = _nearest(np.ascontiguousarray(asked[:, :count]), known.elsewhere)
            outside = np.minimum(outside, np.hypot(elsewhere, PatchMemory.APART))
        return outside - _nearest(asked, known.inside[:, :size])


def spread(chosen: NDArray[np.bool_], count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of at most ``count`` of the chosen pixels, spread over them, the same way every time."""
    rows, columns = np.nonzero(chosen)
    if len(rows) > count:
        # Golden-ratio steps fall evenly however many are taken.
        picks = np.unique((np.arange(count) * 0.6180339887498949 % 1.0 * len(rows)).astype(np.intp))
        rows, columns = rows[picks], columns[picks]
    return rows, columns


def _nearest(asked: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) Euclidean distance of each row of ``asked`` to the nearest row of ``known``.

    One matrix product whose blocks stay in the cache: |a − k|² is least where a·k − |k|²/2 is largest.
    """
    table = np.concatenate([known, 0.5 * (known * known).sum(-1, keepdims=True)], -1).T
    table = np.ascontiguousarray(table, np.float32)
    rows = np.concatenate([asked, np.full((len(asked), 1), -1, np.float32)], -1)
    largest = np.empty(len(rows), np.float32)
    products = np.empty((_BLOCK, table.shape[1]), np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        product = products[: len(block)]
        np.matmul(block, table, out=product)
        np.max(product, 1, out=largest[start : start + len(block)])
    squared = (asked * asked).sum(-1) - 2 * largest
    return np.sqrt(np.maximum(squared, 0))
