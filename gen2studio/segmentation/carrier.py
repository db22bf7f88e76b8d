"""Carrying one subject from an anchor along one direction, a frame at a time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2studio.raster.flow import warp
from gen2studio.segmentation.appearance import ColourModel, ObjectFrame, PatchMemory
from gen2studio.segmentation.confidence import signs_of
from gen2studio.segmentation.frames import WorkFrame
from gen2studio.segmentation.motion import Link, LongLink, against_camera
from gen2studio.segmentation.redetection import Portrait, proposed
from gen2studio.segmentation.refine import Soft, sharpened, signed_distance, without_strays

COLOUR_WEIGHT = 0.3
PATCH_WEIGHT = 1.5
CAMERA_WEIGHT = 2.0
REACH = 16.0
"""Working pixels from the edge within which evidence counts in full."""

GONE = 0.12
"""A subject left with less than this share of its area five frames ago is lost."""


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
        self.lost = False
        """The subject was not found on the current frame; its matte is empty."""
        self.found_again = False
        """The subject was lost before the current frame and is back on it."""
        distance = signed_distance(matte > 0.5)
        origin = ObjectFrame.of(matte)
        self.empty = origin is None
        """The anchor itself is empty: there is nothing to carry."""
        self._areas: deque[float] = deque([float((matte > 0.5).sum())], maxlen=5)
        self._portraits: list[Portrait] = []
        if origin is not None:
            self._colours = ColourModel(frame, matte, distance)
            self._patches = PatchMemory(frame, matte, distance, origin)
            portrait = Portrait.of(frame, matte)
            # As drawn, and as last seen clearly.
            self._portraits = [portrait, portrait] if portrait is not None else []

    def gather(self, frame: WorkFrame, link: Link, far: LongLink, moving_subject: bool) -> Evidence:
        """Where the subject should be on ``frame`` by motion, corrected by what it looks like."""
        self.found_again = False
        if self.empty:
            return _nowhere(self.matte)
        if self.lost:
            return self._searched(frame, link)
        carried = np.asarray(warp(self.matte, link.back), np.float32)
        drawn = np.asarray(warp(self._anchor_matte, far.refined), np.float32)
        expected = (carried + 0.5 * far.trust * (drawn - carried)).astype(np.float32)
        return self._examined(frame, expected, link, link.trust, moving_subject)

    def _examined(
        self, frame: WorkFrame, expected: Soft, link: Link, trust: NDArray[np.float32], moving_subject: bool
    ) -> Evidence:
        distance = signed_distance(expected > 0.5)
        origin = ObjectFrame.of(expected)
        if origin is None:
            return _nowhere(expected)
        prior = np.clip(distance / (3 + 4 * (1 - trust)), -6, 6)
        nearness = np.exp(-np.square(np.maximum(np.abs(distance) - REACH, 0) / 6))
        looks = COLOUR_WEIGHT * self._colours.log_odds(frame)
        looks = looks + PATCH_WEIGHT * self._patches.score(frame, np.abs(distance) < REACH + 14, origin)
        if moving_subject:
            apart = against_camera(frame, link, expected)
            if apart is not None:
                looks = looks + CAMERA_WEIGHT * apart
        return Evidence((prior + looks * nearness).astype(np.float32), expected, looks.astype(np.float32))

    def _searched(self, frame: WorkFrame, link: Link) -> Evidence:
        """Look for the lost subject; what is found has to look like it and unlike its surroundings."""
        place = proposed(frame, self._portraits)
        if place is None:
            return _nowhere(self.matte)
        distance = signed_distance(place > 0.5)
        inside, outside = distance > 1, (distance < -2) & (distance > -10)
        origin = ObjectFrame.of(place)
        if origin is None or not inside.any() or not outside.any():
            return _nowhere(self.matte)
        looks = self._patches.score(frame, distance > -10, origin, use_place=False)
        looks = looks + COLOUR_WEIGHT * self._colours.log_odds(frame)
        within, around = looks[inside], looks[outside]
        if float((within > 0).mean()) < 0.75 or float((around < 0).mean()) < 0.6:
            return _nowhere(self.matte)
        evidence = self._examined(frame, place, link, np.zeros_like(link.trust), False)
        self.lost = False
        self.found_again = True
        self._areas.clear()
        self._areas.append(float((place > 0.5).sum()))
        return evidence

    def settle(self, frame: WorkFrame, link: Link, evidence: Evidence, odds: Soft) -> None:
        """Turn the weighed ``odds`` (0…1) into this frame's matte and learn from it."""
        if self.empty:
            return
        if self.lost:
            self.matte, self.confidence = np.zeros_like(odds), 0.0
            return
        matte = sharpened(without_strays(frame.guide.filter(odds), evidence.expected))
        distance = signed_distance(matte > 0.5)
        area = float((matte > 0.5).sum())
        signs = signs_of(matte, distance, link.trust, evidence.looks, self._areas[0])
        self.confidence = signs.confidence * (0.5 if self.found_again else 1.0)
        origin = ObjectFrame.of(matte)
        if origin is None or area < max(12.0, GONE * self._areas[0]):
            self.lost, self.found_again = True, False
            self.matte, self.confidence = np.zeros_like(odds), 0.0
            return
        self.matte = matte
        self._areas.append(area)
        if signs.looks > 0.25:
            # Appearance that no longer stands out would teach the background as subject.
            self._colours.learn(frame, matte, distance)
            self._patches.learn(frame, matte, distance, origin)
        if self.confidence > 0.6 and self._portraits:
            self._portraits[1] = Portrait.of(frame, matte) or self._portraits[1]


def _nowhere(like: Soft) -> Evidence:
    nothing = np.zeros_like(like)
    return Evidence(np.full_like(like, -12), nothing, nothing)


def weighed(evidence: list[Evidence]) -> list[Soft]:
    """Odds 0…1 of each of several subjects that exclude each other (softmax with the background at 0)."""
    logits = np.stack([np.zeros_like(evidence[0].logit), *(e.logit for e in evidence)])
    logits -= logits.max(0)
    weights = np.exp(logits)
    total = weights.sum(0)
    return [np.asarray(w / total, np.float32) for w in weights[1:]]
