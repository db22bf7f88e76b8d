"""Carrying one subject from an anchor along one direction, a frame at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2studio.raster.flow import warp
from gen2studio.segmentation.appearance import ColourModel, ObjectFrame, PatchMemory
from gen2studio.segmentation.confidence import signs_of
from gen2studio.segmentation.frames import WorkFrame
from gen2studio.segmentation.motion import Link, LongLink, against_camera
from gen2studio.segmentation.redetection import Hallmark, Portrait, beyond, proposed, surveyed
from gen2studio.segmentation.refine import Soft, sharpened, signed_distance, without_strays

COLOUR_WEIGHT = 0.3
PATCH_WEIGHT = 1.5
PARTING_WEIGHT = 0.7
KEPT_PARTING = 0.7
REACH = 16.0
"""Working pixels from the edge within which evidence counts in full."""

STRANGE = 0.6
PATIENCE = 3
"""A matte of which the drawn frame disowns more than that share, for so many frames, is somebody else's: it is given
up, and the subject is looked for by what it looked like."""

GONE = 0.12
"""A subject left with less than this share of its area five frames ago is lost."""


@dataclass(frozen=True)
class Evidence:
    """What a frame says about one subject before the subjects are weighed against each other."""

    logit: NDArray[np.float32]
    expected: Soft
    """The matte carried by motion alone."""
    looks: NDArray[np.float32]
    drawn: NDArray[np.float32]
    """What the anchor alone says of each pixel."""


class Carrier:
    """One subject between its anchor and the frame it was carried to."""

    def __init__(self, frame: WorkFrame, matte: Soft, taken: Soft | None = None) -> None:
        """Start at an anchor: ``matte`` is its (h, w) coverage 0…1 at working size; ``taken`` is that of others."""
        self._anchor_matte = matte
        self.matte: Soft = matte
        self.confidence = 1.0
        self._parting = np.zeros_like(matte)
        self._solid: float | None = None
        self._strange = 0
        self.lost = False
        """The subject was not found on the current frame; its matte is empty."""
        self.found_again = False
        """The subject was lost before the current frame and is back on it."""
        distance = signed_distance(matte > 0.5)
        origin = ObjectFrame.of(matte)
        self.empty = origin is None
        """The anchor itself is empty: there is nothing to carry."""
        self._largest = float((matte > 0.5).sum())
        """The subject's size when nothing hid it, in pixels; follows slowly, for subjects that come or go."""
        self._areas: deque[float] = deque([float((matte > 0.5).sum())], maxlen=5)
        self._portraits: list[Portrait] = []
        if origin is not None:
            self._colours = ColourModel(frame, matte, distance)
            self._patches = PatchMemory(frame, matte, distance, origin)
            self._hallmark = Hallmark.of(self._patches.survey(frame), matte, taken)
            self._last = (origin.x, origin.y, origin.size)
            portrait = Portrait.of(frame, matte)
            # As drawn, and as last seen clearly.
            self._portraits = [portrait, portrait] if portrait is not None else []

    def gather(
        self, frame: WorkFrame, link: Link, far: LongLink, moving_subject: bool, taken: Soft | None = None
    ) -> Evidence:
        """Where the subject should be on ``frame`` by motion, corrected by what it looks like.

        A lost subject is not looked for in what is ``taken`` (h, w) by others.
        """
        self.found_again = False
        if self.empty:
            return _nowhere(self.matte)
        if self.lost:
            return self._searched(frame, link, taken)
        carried = np.asarray(warp(self.matte, link.back), np.float32)
        drawn = np.asarray(warp(self._anchor_matte, far.refined), np.float32)
        expected = (carried + 0.5 * far.trust * (drawn - carried)).astype(np.float32)
        room = self._largest - float((expected > 0.5).sum())
        if room > 0.15 * self._largest:
            survey = self._patches.survey(frame)
            hidden = beyond(frame, survey, self._hallmark, expected, room, taken)
            if hidden is not None:
                expected = np.maximum(expected, hidden)
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
        seen = self._patches.score(frame, np.abs(distance) < REACH + 10, origin)
        looks = COLOUR_WEIGHT * self._colours.log_odds(frame) + PATCH_WEIGHT * seen.odds
        looks = looks + self._parted(frame, link, expected, distance, moving_subject)
        return Evidence((prior + looks * nearness).astype(np.float32), expected, looks.astype(np.float32), seen.drawn)

    def _parted(
        self, frame: WorkFrame, link: Link, expected: Soft, distance: NDArray[np.float32], moving_subject: bool
    ) -> NDArray[np.float32]:
        """Log-odds from motion against the camera, gathered along the way: one frame's flow is too little to go by.

        What moves beside a subject may be water or its shadow: unless the artist says that the background is solid,
        positive evidence counts only as far as the ring around the subject follows the camera. That is a property of
        the place, judged beside the anchor, where the matte is right, and followed slowly.
        """
        kept = KEPT_PARTING * np.asarray(warp(self._parting, link.back), np.float32)
        parting = against_camera(frame, link, expected, distance)
        if parting is not None:
            if self._solid is None:
                self._solid = parting.around
            self._solid += 0.05 * (parting.around - self._solid)
            leaving, following = 1.0, 1.0
            if not moving_subject:
                leaving, following = _share(self._solid, 0.7), _share(parting.following, 0.45)
            kept = kept + np.where(parting.evidence > 0, leaving, following) * parting.evidence
        self._parting = kept.astype(np.float32)
        return PARTING_WEIGHT * self._parting

    def _searched(self, frame: WorkFrame, link: Link, taken: Soft | None) -> Evidence:
        """Look for the lost subject; what is found has to look like it and unlike its surroundings."""
        for place, whole in self._proposals(frame, taken):
            distance = signed_distance(place > 0.5)
            inside, outside = distance > 1, (distance < -2) & (distance > -10)
            origin = ObjectFrame.of(place)
            if origin is None or not inside.any() or not outside.any():
                continue
            looks = self._patches.score(frame, distance > -10, origin, use_place=False).odds
            looks = looks + COLOUR_WEIGHT * self._colours.log_odds(frame)
            # Beside a part of the subject there may be the rest of it.
            if float((looks[inside] > 0).mean()) < 0.75 or (whole and float((looks[outside] < 0).mean()) < 0.6):
                continue
            self._parting = np.zeros_like(self._parting)
            evidence = self._examined(frame, place, link, np.zeros_like(link.trust), False)
            self.lost = False
            self.found_again = True
            self._areas.clear()
            self._areas.append(float((place > 0.5).sum()))
            return evidence
        return _nowhere(self.matte)

    def _proposals(self, frame: WorkFrame, taken: Soft | None) -> Iterator[tuple[Soft, bool]]:
        """Places to examine, and whether each shows the whole subject."""
        whole = proposed(frame, self._portraits)
        if whole is not None and (taken is None or float((whole * taken).sum()) < 0.3 * float(whole.sum())):
            yield whole, True
        part = surveyed(frame, self._patches.survey(frame), self._hallmark, self._last, taken)
        if part is not None:
            yield part, False

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
        signs = signs_of(matte, distance, evidence.expected, evidence.looks, evidence.drawn, self._areas[0])
        self.confidence = signs.confidence * (0.5 if self.found_again else 1.0)
        origin = ObjectFrame.of(matte)
        self._strange = self._strange + 1 if signs.disowned > STRANGE else 0
        if origin is None or area < max(12.0, GONE * self._areas[0]) or self._strange >= PATIENCE:
            self._strange = 0
            self.lost, self.found_again = True, False
            self.matte, self.confidence = np.zeros_like(odds), 0.0
            return
        self.matte = matte
        self._areas.append(area)
        self._largest = max(area, 0.97 * self._largest) if self.confidence > 0.4 else self._largest
        self._last = (origin.x, origin.y, max(origin.size, 0.5 * self._last[2]))
        if signs.looks > 0.25:
            # Appearance that no longer stands out would teach the background as subject.
            self._colours.learn(frame, matte, distance)
            self._patches.learn(frame, matte, distance, origin, evidence.drawn, self._parting > 0.5)
        if self.confidence > 0.6 and self._portraits:
            self._portraits[1] = Portrait.of(frame, matte) or self._portraits[1]


def _share(value: float, floor: float) -> float:
    """0 at ``floor``, 1 from 0.2 above it."""
    return float(np.clip((value - floor) / 0.2, 0, 1))


def _nowhere(like: Soft) -> Evidence:
    nothing = np.zeros_like(like)
    return Evidence(np.full_like(like, -12), nothing, nothing, nothing)


def weighed(evidence: list[Evidence], rivals: list[list[int]]) -> list[Soft]:
    """Odds 0…1 of each of several subjects: a softmax over itself, its ``rivals`` (indices) and the background at 0."""
    weights = [np.exp(np.clip(e.logit, -12, 12)) for e in evidence]
    return [
        np.asarray(own / (1 + own + sum(weights[r] for r in others)), np.float32)
        for own, others in zip(weights, rivals, strict=True)
    ]
