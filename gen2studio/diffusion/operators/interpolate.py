"""Frame interpolation without weights: both frames carried to the moment in between, hidden parts from where they show.

Optical flow both ways, splatted to the moment with a z-buffer ordered by how well the two frames agree (as in Niklaus
and Liu, "Softmax Splatting for Video Frame Interpolation", CVPR 2020, with DIS flow and without networks), then a blend
that trusts the nearer frame and only what is visible (Baker et al., IJCV 2011, section 4.3). Across a cut nothing is
blended: the nearer frame is held.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.conditioning.splatting import Scatter, sampled, scatter
from gen2studio.engine.events import Estimate
from gen2studio.engine.generators import OperateContext
from gen2studio.engine.requests import OperateRequest
from gen2studio.raster import cuts
from gen2studio.raster import flow as motion

Picture = NDArray[np.uint8]
F32 = NDArray[np.float32]

FACTORS = (2, 3, 4, 8)
_WORK = 360
"""Lines at which motion is found and splatted."""


class FlowInterpolator:
    """``interpolate:built-in``. Output frame ``factor·i + j`` lies j/factor of the way from source frame i to i + 1.

    There are ``factor`` frames for each source frame, so that the clip's length stays at ``factor`` times the rate; the
    last source frame is held.
    """

    title = "Frame interpolation (optical flow)"

    def estimate(self, request: OperateRequest) -> Estimate:
        pixels = request.width * request.height
        count = max(0, request.stop - request.start) * request.factor
        return Estimate(memory_bytes=40 * pixels + (96 << 20), disk_bytes=2 * pixels * count)

    def operate(self, request: OperateRequest, context: OperateContext) -> None:
        if request.factor not in FACTORS:
            raise GenerationError(
                f"Frames can't be made {request.factor} times as many.", f"Choose {', '.join(map(str, FACTORS))}."
            )
        count = request.stop - request.start
        if count < 2:
            raise GenerationError("There is nothing between fewer than two frames.", "Choose a longer range.")
        total = count * request.factor
        size = (request.width, request.height)
        for index in range(count):
            outputs = range(index * request.factor, (index + 1) * request.factor)
            if all(frame in context.finished for frame in outputs):
                continue
            here = context.source(request.start + index)
            between: Between | None = None
            for part, frame in enumerate(outputs):
                if frame in context.finished:
                    continue
                context.progress(frame, total, "Interpolating frames")
                if part == 0 or index + 1 >= count:
                    made = here
                else:
                    if between is None:
                        between = Between.of(here, context.source(request.start + index + 1))
                    made = between.at(part / request.factor)
                context.emit(frame, _fitted(made, size))
        context.progress(total, total, "Interpolating frames")


@dataclass(frozen=True)
class Between:
    """Two neighbouring frames and the motion between them."""

    first: Picture
    second: Picture
    ahead: motion.Flow | None
    """first → second at working size; None across a cut."""
    back: motion.Flow
    agree_first: F32
    """(h, w) 0…1: how surely a pixel of the first frame is seen in the second one."""
    agree_second: F32
    step: float
    """Full-size pixels of a working pixel."""

    @staticmethod
    def of(first: Picture, second: Picture) -> Between:
        """Find the motion of two (H, W, 3) uint8 frames. Raises GenerationError for different sizes."""
        if first.shape != second.shape:
            raise GenerationError("Two neighbouring frames differ in size.", "Run the take again.")
        height, width = first.shape[:2]
        nothing = np.zeros((1, 1, 2), np.float32)
        if cuts.is_cut(cuts.signature(first), cuts.signature(second)):
            return Between(first, second, None, nothing, nothing[..., 0], nothing[..., 0], 1.0)
        step = max(1.0, min(height, width) / _WORK)
        size = (max(16, round(width / step)), max(16, round(height / step)))
        small = [np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_AREA), np.uint8) for p in (first, second)]
        a, b = (motion.grey(picture) for picture in small)
        ahead, back = motion.dis_flow(a, b), motion.dis_flow(b, a)
        return Between(
            first,
            second,
            ahead,
            back,
            _agreement(small[0], small[1], ahead, back),
            _agreement(small[1], small[0], back, ahead),
            step,
        )

    def at(self, share: float) -> Picture:
        """The moment ``share`` (0…1) of the way. (H, W, 3) uint8."""
        if self.ahead is None:
            return self.first if share < 0.5 else self.second
        there = scatter(np.asarray(share * self.ahead, np.float32), self.agree_first, tear=False)
        here = scatter(np.asarray((1 - share) * self.back, np.float32), self.agree_second, tear=False)
        trust_first, trust_second = _trust(there, self.agree_first), _trust(here, self.agree_second)
        # What only one of the frames shows here comes from that one; where both do, the nearer one counts more.
        weight_first = (1 - share) * trust_first
        weight_second = share * trust_second
        mix = weight_second / np.maximum(weight_first + weight_second, 1e-6)
        height, width = self.first.shape[:2]
        from_first = self._warped(self.first, there.source)
        from_second = self._warped(self.second, here.source)
        if mix.shape != (height, width):
            mix = cv2.resize(mix, (width, height), interpolation=cv2.INTER_LINEAR)
        part = np.asarray(mix, np.float32)[..., None]
        made = from_first + part * (from_second.astype(np.float32) - from_first)
        return np.clip(np.rint(made), 0, 255).astype(np.uint8)

    def _warped(self, picture: Picture, source: F32) -> Picture:
        height, width = picture.shape[:2]
        if source.shape[:2] != (height, width):
            rows, columns = source.shape[:2]
            scale = np.array([width / columns, height / rows], np.float32)
            source = (source + np.float32(0.5)) * scale - np.float32(0.5)
            source = np.asarray(cv2.resize(source, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
        return sampled(picture, source, cv2.BORDER_REPLICATE, cv2.INTER_CUBIC)


def _agreement(a: Picture, b: Picture, ahead: motion.Flow, back: motion.Flow) -> F32:
    """How surely each pixel of ``a`` is seen in ``b``: the flows undo each other and the colours match."""
    round_trip = cv2.blur(motion.round_trip_error(ahead, back), (3, 3))
    gap = np.abs(motion.warp(b, ahead).astype(np.float32) - a).mean(-1)
    colour = cv2.blur(gap, (5, 5))
    return np.exp(-np.square(round_trip / 2.0) - np.square(colour / 24.0)).astype(np.float32)


def _trust(made: Scatter, agreement: F32) -> F32:
    """0.001…1 by target pixel: something arrived there, and it is seen in the other frame as well."""
    arrived = sampled(agreement, made.source, cv2.BORDER_REPLICATE)
    # A frame that alone shows a place is followed even though nothing confirms it: what disagrees weighs a tenth.
    weight = np.where(made.seen, 0.1 + 0.9 * arrived, 0.001).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(weight, (0, 0), 1.0), np.float32)


def _fitted(picture: Picture, size: tuple[int, int]) -> Picture:
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    shrinking = size[0] < width
    return np.asarray(
        cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC), np.uint8
    )
