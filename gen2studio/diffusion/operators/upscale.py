"""Upscaling without weights: what neighbouring frames saw between this frame's pixels, by iterative back-projection.

Irani and Peleg, "Improving Resolution by Image Registration", CVGIP 1991: an enlarged frame is corrected until, moved
to where its neighbours stand and reduced, it gives the neighbours as well as itself. Registration is DIS optical flow,
and only what both flows and the pixels confirm takes part, so that a wrong match adds nothing. Where nothing moves or
nothing matches this is single-frame back-projection. Frames share what they know, which also keeps the clip steady.
Colour is enlarged bicubically and back-projected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.engine.events import Estimate
from gen2studio.engine.generators import OperateContext
from gen2studio.engine.requests import OperateRequest
from gen2studio.raster import flow as motion

Picture = NDArray[np.uint8]
F32 = NDArray[np.float32]

FACTORS = (2, 4)
REACH = 2
"""Neighbours on either side that take part."""
_ROUNDS = 5
_STEP = 1.3
_NEIGHBOUR = 0.6
"""Weight of a confirmed neighbour against the frame itself."""
_OVERSHOOT = 0.05
"""How far, 0…1, a pixel may leave the range of the source pixels around it: no halo beyond that."""


class BackProjectionUpscaler:
    """``upscale:built-in``: twice or four times the size. Output frame i is source frame ``start`` + i."""

    title = "Upscaling (multi-frame back-projection)"

    def estimate(self, request: OperateRequest) -> Estimate:
        pixels = request.width * request.height
        count = max(0, request.stop - request.start)
        return Estimate(memory_bytes=(60 + 24 * REACH) * pixels + (96 << 20), disk_bytes=2 * pixels * count)

    def operate(self, request: OperateRequest, context: OperateContext) -> None:
        wanted = pending(request, context)
        count = request.stop - request.start
        sight = Sight(lambda index: context.source(request.start + index), count)
        for frame in wanted:
            context.progress(frame, count, "Upscaling")
            picture = upscaled(sight, frame, request.factor, context.checkpoint)
            context.emit(frame, fitted(picture, (request.width, request.height)))
        context.progress(count, count, "Upscaling")


def pending(request: OperateRequest, context: OperateContext) -> list[int]:
    """The output frames that are still to do. Raises GenerationError for a factor or a range that can't be."""
    if request.factor not in FACTORS:
        raise GenerationError(
            f"Pictures can't be made {request.factor} times as large.", f"Choose {' or '.join(map(str, FACTORS))}."
        )
    if request.stop <= request.start:
        raise GenerationError("The range holds no frames.", "Choose a range of at least one frame.")
    return [frame for frame in range(request.stop - request.start) if frame not in context.finished]


@dataclass(frozen=True, slots=True)
class _Neighbour:
    light: F32
    there: motion.Flow
    """From the frame to the neighbour, px of the source."""
    back: motion.Flow
    trust: F32


class Sight:
    """Luma and motion of the frames around the one being enlarged; what a moving window no longer needs is let go."""

    def __init__(self, source: Callable[[int], Picture], count: int) -> None:
        self._source = source
        self._count = count
        self._light: dict[int, F32] = {}
        self._flows: dict[tuple[int, int], motion.Flow] = {}

    def picture(self, index: int) -> Picture:
        return self._source(index)

    def light(self, index: int) -> F32:
        """(H, W) luma 0…1 of a frame."""
        if index not in self._light:
            self._light[index] = np.ascontiguousarray(_ycc(self._source(index))[..., 0])
        return self._light[index]

    def neighbours(self, index: int) -> list[_Neighbour]:
        around = range(max(0, index - REACH), min(self._count, index + REACH + 1))
        for kept in [k for k in self._light if k not in around]:
            del self._light[kept]
        for pair in [p for p in self._flows if p[0] not in around or p[1] not in around]:
            del self._flows[pair]
        return [self._neighbour(index, other) for other in around if other != index]

    def _neighbour(self, index: int, other: int) -> _Neighbour:
        here, there = self.light(index), self.light(other)
        ahead, back = self._flow(index, other), self._flow(other, index)
        # A third of a pixel is what the finer grid needs to be placed well.
        gap = motion.round_trip_error(ahead, back)
        colour = cv2.blur(np.abs(motion.warp(there, ahead) - here), (3, 3))
        trust = np.exp(-np.square(gap / 0.35) - np.square(colour / 0.04))
        return _Neighbour(there, ahead, back, np.asarray(trust, np.float32))

    def _flow(self, a: int, b: int) -> motion.Flow:
        if (a, b) not in self._flows:
            first, second = (np.rint(self.light(k) * 255).astype(np.uint8) for k in (a, b))
            self._flows[(a, b)] = motion.dis_flow(first, second)
        return self._flows[(a, b)]


def upscaled(sight: Sight, frame: int, factor: int, checkpoint: Callable[[], None] | None = None) -> Picture:
    """(factor·H, factor·W, 3) uint8 of one frame, with what its neighbours saw."""
    planes = _ycc(sight.picture(frame))
    height, width = planes.shape[:2]
    size = (factor * width, factor * height)
    out = np.empty((size[1], size[0], 3), np.float32)
    out[..., 0] = _light(sight, frame, factor, checkpoint)
    for channel in (1, 2):
        colour = np.ascontiguousarray(planes[..., channel])
        large = _enlarged(colour, size)
        out[..., channel] = large + _enlarged(colour - _reduced(large, (width, height)), size)
    rgb = cv2.cvtColor(np.clip(out, 0, 1), cv2.COLOR_YCrCb2RGB)
    return np.clip(np.rint(rgb * 255), 0, 255).astype(np.uint8)


def _light(sight: Sight, frame: int, factor: int, checkpoint: Callable[[], None] | None) -> F32:
    here = sight.light(frame)
    height, width = here.shape
    small, size = (width, height), (factor * width, factor * height)
    seen: list[tuple[F32, motion.Flow, motion.Flow, F32]] = []
    for near in sight.neighbours(frame):
        if float(near.trust.mean()) < 0.02:
            continue
        there, back = (
            np.asarray(cv2.resize(f, size, interpolation=cv2.INTER_LINEAR) * np.float32(factor), np.float32)
            for f in (near.there, near.back)
        )
        trust = np.asarray(cv2.resize(near.trust, size, interpolation=cv2.INTER_LINEAR), np.float32)
        seen.append((near.light, there, back, np.float32(_NEIGHBOUR) * trust))
    total = np.asarray(sum((trust for *_, trust in seen), np.ones((size[1], size[0]), np.float32)), np.float32)
    # The 3×3 source pixels around, with room for what lies between them.
    around = np.ones((3, 3), np.uint8)
    low = _enlarged(np.asarray(cv2.erode(here, around), np.float32), size) - np.float32(_OVERSHOOT)
    high = _enlarged(np.asarray(cv2.dilate(here, around), np.float32), size) + np.float32(_OVERSHOOT)
    made = _enlarged(here, size)
    for _ in range(_ROUNDS if seen else 3):
        if checkpoint is not None:
            checkpoint()
        change = _enlarged(here - _reduced(made, small), size)
        for light, there, back, trust in seen:
            as_seen = _reduced(np.asarray(motion.warp(made, back, cv2.INTER_CUBIC), np.float32), small)
            change += trust * motion.warp(_enlarged(light - as_seen, size), there)
        made = np.asarray(made + np.float32(_STEP if seen else 1.0) * change / total, np.float32)
    made = np.clip(made, low, high)
    # Last word to the frame itself: its own reduction is its source.
    return np.asarray(made + _enlarged(here - _reduced(np.asarray(made, np.float32), small), size), np.float32)


def _enlarged(plane: F32, size: tuple[int, int]) -> F32:
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC), np.float32)


def _reduced(plane: F32, size: tuple[int, int]) -> F32:
    """What a camera with larger pixels would have seen: area averages."""
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def fitted(picture: Picture, size: tuple[int, int]) -> Picture:
    """At exactly ``size`` (width, height): a request may want another size than the factor gives."""
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    shrinking = size[0] < picture.shape[1]
    return np.asarray(
        cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC), np.uint8
    )


def upscale_clip(frames: Sequence[Picture], factor: int) -> list[Picture]:
    """All frames of a short clip at ``factor`` times their size."""
    sight = Sight(lambda index: frames[index], len(frames))
    return [upscaled(sight, index, factor) for index in range(len(frames))]


def _ycc(picture: Picture) -> F32:
    return np.asarray(cv2.cvtColor(picture.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2YCrCb), np.float32)
