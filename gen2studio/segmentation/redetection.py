"""Finding a lost subject again by what it looked like.

Masked template matching (sum of squared Lab differences over the subject's own pixels) of the subject as drawn and as
last seen, at a few sizes, on the reduced frame. A place is only a proposal: the patch memory has to agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.segmentation.frames import STRIDE, WorkFrame
from gen2studio.segmentation.refine import Soft, bounds

SIZES = (0.8, 1.0, 1.25)

LIKENESS = 14.0
"""Largest root-mean-square Lab difference at which a place is still proposed."""


@dataclass(frozen=True)
class Portrait:
    """The subject's pixels on one frame: (h, w, 3) Lab and (h, w) coverage, at the features' resolution."""

    lab: NDArray[np.float32]
    matte: Soft

    @staticmethod
    def of(frame: WorkFrame, matte: Soft) -> Portrait | None:
        coarse = np.ascontiguousarray(matte[::STRIDE, ::STRIDE])
        box = bounds(coarse, 0.5, 0)
        if box is None or box.width < 4 or box.height < 4:
            return None
        window = np.s_[box.y : box.bottom, box.x : box.right]
        return Portrait(np.ascontiguousarray(frame.features[window][..., :3]), np.ascontiguousarray(coarse[window]))


def proposed(frame: WorkFrame, portraits: list[Portrait]) -> Soft | None:
    """(h, w) coverage where one of ``portraits`` fits ``frame`` best, or None when none fits."""
    scene = np.ascontiguousarray(frame.features[..., :3])
    best: tuple[float, int, int, Soft] | None = None
    for portrait in portraits:
        for size in SIZES:
            width, height = (max(4, round(n * size)) for n in portrait.matte.shape[::-1])
            if width >= scene.shape[1] or height >= scene.shape[0]:
                continue
            lab = cv2.resize(portrait.lab, (width, height), interpolation=cv2.INTER_AREA)
            matte = np.asarray(cv2.resize(portrait.matte, (width, height), interpolation=cv2.INTER_AREA), np.float32)
            solid = (matte > 0.5).astype(np.float32)
            if solid.sum() < 8:
                continue
            sums = cv2.matchTemplate(scene, lab, cv2.TM_SQDIFF, mask=np.dstack([solid] * 3))
            least, _, (x, y), _ = cv2.minMaxLoc(np.asarray(sums, np.float32))
            misfit = float(np.sqrt(max(least, 0) / (3 * solid.sum())))
            if best is None or misfit < best[0]:
                best = (misfit, x, y, matte)
    if best is None or best[0] > LIKENESS:
        return None
    _, x, y, matte = best
    placed = np.zeros(scene.shape[:2], np.float32)
    placed[y : y + matte.shape[0], x : x + matte.shape[1]] = matte
    height, width = frame.luma.shape
    return np.asarray(cv2.resize(placed, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
