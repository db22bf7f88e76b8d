"""Carrying one subject from an anchor along one direction, a frame at a time."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.raster.flow import warp
from gen2studio.segmentation.appearance import ColourModel, ObjectFrame, PatchMemory
from gen2studio.segmentation.confidence import signs_of
from gen2studio.segmentation.frames import WorkFrame
from gen2studio.segmentation.motion import Link, LongLink, against_camera
from gen2studio.segmentation.refine import Soft, sharpened, signed_distance, without_strays

COLOUR_WEIGHT = 0.3
PATCH_WEIGHT = 1.5
CAMERA_WEIGHT = 2.0
REACH = 16.0
"""Working pixels from the edge within which evidence counts in full."""


@dataclass(frozen=True)
class Evidence:
    """What a frame says about one subject before the subjects are weighed against each other."""

    logit: NDArray[np.float32]
    expected: Soft
    """The matte carried by motion alone."""
    looks: NDArray[np.float32]


class Carrier:
    """One subject between its anchor and the frame it was carried to."""

    def __init__(self, frame: WorkFrame, matte: Soft) -> None:
        """Start at an anchor: ``matte`` is its (h, w) coverage 0…1 at working size."""
        self._anchor_matte = matte
        self.matte: Soft = matte
        self.confidence = 1.0
        distance = signed_distance(matte > 0.5)
        origin = ObjectFrame.of(matte)
        self.empty = origin is None
        self._area = float((matte > 0.5).sum())
        if origin is not None:
            self._colours = ColourModel(frame, matte, distance)
            self._patches = PatchMemory(frame, matte, distance, origin)

    def gather(self, frame: WorkFrame, link: Link, far: LongLink, moving_subject: bool) -> Evidence:
        """Where the subject should be on ``frame`` by motion, corrected by what it looks like."""
        carried = np.asarray(warp(self.matte, link.back), np.float32)
        drawn = np.asarray(warp(self._anchor_matte, far.refined), np.float32)
        expected = carried + 0.5 * far.trust * (drawn - carried)
        distance = signed_distance(expected > 0.5)
        prior = np.clip(distance / (3 + 4 * (1 - link.trust)), -6, 6)
        origin = ObjectFrame.of(expected)
        if origin is None:
            return Evidence(prior, expected, np.zeros_like(prior))
        nearness = np.exp(-np.square(np.maximum(np.abs(distance) - REACH, 0) / 6))
        looks = COLOUR_WEIGHT * self._colours.log_odds(frame)
        looks = looks + PATCH_WEIGHT * self._patches.score(frame, np.abs(distance) < REACH + 14, origin)
        if moving_subject:
            apart = against_camera(frame, link, expected)
            if apart is not None:
                looks = looks + CAMERA_WEIGHT * apart
        return Evidence((prior + looks * nearness).astype(np.float32), expected, looks)

    def settle(self, frame: WorkFrame, link: Link, evidence: Evidence, odds: Soft) -> None:
        """Turn the weighed ``odds`` (0…1) into this frame's matte and learn from it."""
        matte = frame.guide.filter(odds)
        matte = without_strays(matte, evidence.expected)
        matte = sharpened(matte)
        distance = signed_distance(matte > 0.5)
        signs = signs_of(matte, distance, link.trust, evidence.looks, self._area)
        self.confidence = signs.confidence
        self.matte = matte
        self._area = 0.7 * self._area + 0.3 * float((matte > 0.5).sum())
        origin = ObjectFrame.of(matte)
        if origin is not None:
            self._colours.learn(frame, matte, distance)
            self._patches.learn(frame, matte, distance, origin)


def weighed(evidence: list[Evidence]) -> list[Soft]:
    """Odds 0…1 of each of several subjects that exclude each other (softmax with the background at 0)."""
    logits = np.stack([np.zeros_like(evidence[0].logit), *(e.logit for e in evidence)])
    logits -= logits.max(0)
    weights = np.exp(logits)
    total = weights.sum(0)
    return [np.asarray(w / total, np.float32) for w in weights[1:]]
