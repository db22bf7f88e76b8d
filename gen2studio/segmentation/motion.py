"""How a frame moved against its neighbour and against an anchor, with a trust map for each.

Dense flow: Kroeger et al., ECCV 2016 (DIS). Round-trip check: Sundaram, Brox, Keutzer, ECCV 2010. Long-range flow is
composed step by step and refined against the anchor's pixels each time, so it neither drifts nor blurs.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.raster.flow import Flow, compose, dis_flow, grid, round_trip_error, warp
from gen2studio.segmentation.frames import WorkFrame

Trust = NDArray[np.float32]
"""(h, w) 0…1: 1 = both directions agree."""


@dataclass(frozen=True)
class Link:
    """Motion between a frame ``t`` and the neighbour ``q`` it is carried from."""

    back: Flow
    """t → q."""
    ahead: Flow
    """q → t."""
    trust: Trust

    @staticmethod
    def between(frame: WorkFrame, neighbour: WorkFrame) -> Link:
        back = dis_flow(frame.luma, neighbour.luma, "fine")
        ahead = dis_flow(neighbour.luma, frame.luma, "sharp")
        error = cv2.blur(round_trip_error(back, ahead), (5, 5))
        return Link(back, ahead, np.exp(-np.square(error / 2.0)).astype(np.float32))


@dataclass(frozen=True)
class LongLink:
    """Motion between a frame ``t`` and an anchor ``a``."""

    to_anchor: Flow
    from_anchor: Flow
    refined: Flow
    """t → a as measured on this frame alone: what mattes are fetched with, weighted by ``trust``."""
    trust: Trust

    @staticmethod
    def at_anchor(frame: WorkFrame) -> LongLink:
        """The link of an anchor with itself."""
        none = np.zeros((*frame.luma.shape, 2), np.float32)
        return LongLink(none, none, none, np.ones(frame.luma.shape, np.float32))

    def advanced(self, frame: WorkFrame, anchor: WorkFrame, link: Link) -> LongLink:
        """The link of the next frame: composed with ``link``, refined on the pixels, trusted where both ways agree."""
        onto = compose(link.back, self.to_anchor)
        back = compose(self.from_anchor, link.ahead)
        refined = dis_flow(frame.luma, anchor.luma, "sharp", onto)
        returned = dis_flow(anchor.luma, frame.luma, "sharp", back)
        agreement = np.exp(-np.square(round_trip_error(refined, returned) / 1.5))
        gap = frame.lab - np.asarray(warp(anchor.lab, refined), np.float32)
        likeness = np.exp(-(gap * gap).sum(-1) / 25.0**2)
        trust = (agreement * likeness).astype(np.float32)
        weight = trust[..., None]
        reverse = np.exp(-np.square(round_trip_error(returned, refined) / 1.5))[..., None]
        return LongLink(
            onto + weight * (refined - onto),
            (back + reverse * (returned - back)).astype(np.float32),
            refined,
            trust,
        )


def texture(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w) 0…1: 1 where structure in two directions pins the flow (smaller eigenvalue of the structure tensor)."""
    least = cv2.cornerMinEigenVal(luma, 7, ksize=3)
    return np.asarray(1 - np.exp(-np.maximum(least, 0) / 4e-4), np.float32)


RING = 20
"""How far around a subject its surroundings are asked whether they follow the camera, in working pixels."""


@dataclass(frozen=True)
class Parting:
    """How a subject's motion differs from the camera's on one frame."""

    evidence: NDArray[np.float32]
    """(h, w) −1…1: positive where pixels leave the camera's motion with the subject, negative where they follow it."""
    following: float
    """Share 0…1 of everything else that follows the camera within a pixel."""
    around: float
    """The same in the ring around the subject: low beside water, shadows and other subjects."""


def against_camera(
    frame: WorkFrame, link: Link, subject: NDArray[np.float32], distance: NDArray[np.float32]
) -> Parting | None:
    """Evidence from motion against the camera; ``distance`` is the signed distance of the edge of ``subject``.

    A homography is fitted (RANSAC) to the flow outside and an affine map to the flow inside. None when the two motions
    cannot be told apart (the subject moves less than 1.5 × the background's own residual).
    """
    height, width = subject.shape
    points = grid(height, width)
    sampled = np.zeros(subject.shape, bool)
    sampled[::6, ::6] = True
    sure = link.trust > 0.7
    outside = sampled & (subject < 0.1) & sure
    inside = sampled & (subject > 0.9) & sure
    if outside.sum() < 60 or inside.sum() < 12:
        return None
    here, there = points[outside], points[outside] + link.back[outside]
    camera, agreed = cv2.findHomography(here, there, cv2.RANSAC, 1.0, maxIters=300)
    # OpenCV answers None when no model fits; its type stubs do not say so.
    if camera is None or agreed is None:  # pyright: ignore[reportUnnecessaryComparison]
        return None
    body, _ = cv2.estimateAffine2D(
        points[inside], points[inside] + link.back[inside], ransacReprojThreshold=1.5, maxIters=300
    )
    if body is None:  # pyright: ignore[reportUnnecessaryComparison]
        return None
    every = np.ascontiguousarray(points.reshape(-1, 1, 2))
    by_camera = cv2.perspectiveTransform(every, camera).reshape(height, width, 2) - points
    by_body = cv2.transform(every, body).reshape(height, width, 2) - points
    from_camera = np.linalg.norm(link.back - by_camera, axis=-1)
    from_body = np.linalg.norm(link.back - by_body, axis=-1)
    noise = max(0.3, float(np.median(from_camera[outside])))
    usual = float(np.median(from_camera[inside]))
    if usual < 1.5 * noise + 0.5:
        return None
    # Limbs move unlike the body, but not against it: what is further from the body's motion than from the camera's is
    # somebody else.
    limb = np.where(from_body < from_camera, np.minimum(from_body, usual / 2), from_body)
    apart = np.tanh((from_camera - limb) / (2 * noise + 0.5))
    ring = outside & (distance > -RING)
    around = float((from_camera[ring] < 1.0).mean()) if ring.any() else 0.0
    return Parting((apart * texture(frame.luma) * link.trust).astype(np.float32), float(agreed.mean()), around)
