"""Finding a lost subject again by what it looked like.

Two ways propose a place. Masked template matching (sum of squared Lab differences over the subject's own pixels) of the
subject as drawn and as last seen, at a few sizes, finds a rigid subject that shows itself whole. A survey of the
picture by the patch memory finds a part of it, or one that has turned: the connected region that looks most like what
was drawn, if it does so clearly more than anything did on the drawn frame that was not the subject. A place is only a
proposal: it is examined like any other frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.segmentation.frames import STRIDE, WorkFrame
from gen2studio.segmentation.refine import Soft, bounds, parts

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


@dataclass(frozen=True)
class Hallmark:
    """How clearly a subject stands out on the frame it was drawn on, in the sums of :func:`_regions`."""

    own: float
    usual: float
    """Mean log-odds over the subject's own region."""
    decoy: float
    """The best region that was not the subject."""

    @staticmethod
    def of(survey: NDArray[np.float32], matte: Soft, taken: Soft | None = None) -> Hallmark:
        """``survey`` is the patch memory's (h/4, w/4) log-odds for the drawn frame; what is ``taken`` by others that
        are followed too is no decoy."""
        step = 2 * STRIDE
        inside = np.asarray(matte[::step, ::step] > 0.5)
        near = np.asarray(cv2.dilate(inside.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
        own = _regions(np.where(near, survey, -3))
        known = near if taken is None else near | (taken[::step, ::step] > 0.5)
        others = _regions(np.where(known, -3, survey))
        usual = own[0][1] / max(1.0, float(own[0][0].sum())) if own else 0.0
        return Hallmark(own[0][1] if own else 0.0, usual, others[0][1] if others else 0.0)


CLEAR = 0.6
"""Log-odds from which a surveyed pixel counts as the subject's."""


def _regions(survey: NDArray[np.float32]) -> list[tuple[NDArray[np.bool_], float]]:
    """Connected regions that look like the subject, and the sum of their log-odds, best first."""
    smooth = np.asarray(cv2.GaussianBlur(np.asarray(survey, np.float32), (0, 0), 1.0), np.float32)
    names, areas, _ = parts(smooth > CLEAR)
    sums = np.bincount(names.ravel(), weights=smooth.ravel(), minlength=len(areas))
    sums[0] = 0
    best = [name for name in np.argsort(-sums)[:6] if areas[name] >= 4]
    return [(names == name, float(sums[name])) for name in best]


def surveyed(
    frame: WorkFrame,
    survey: NDArray[np.float32],
    hallmark: Hallmark,
    last: tuple[float, float, float],
    taken: Soft | None,
) -> Soft | None:
    """(h, w) coverage of the region that looks like the subject, or None where nothing does clearly enough.

    ``last`` is where the subject was seen last (x, y) and its size in pixels: near there less is asked of it than
    elsewhere. ``taken`` (h, w) is what belongs to other subjects.
    """
    step = 2 * STRIDE
    if taken is not None:
        survey = np.where(taken[::step, ::step] > 0.5, -3, survey)
    best: tuple[float, NDArray[np.bool_]] | None = None
    for region, clearness in _regions(np.asarray(survey, np.float32)):
        rows, columns = np.nonzero(region)
        away = float(np.hypot(columns * step - last[0], rows * step - last[1]).min()) / max(last[2], 8.0)
        if clearness < max(0.12 * hallmark.own, (0.6 if away < 1.5 else 1.3) * hallmark.decoy):
            continue
        weight = clearness * float(np.exp(-away / 3))
        if best is None or weight > best[0]:
            best = weight, region
    if best is None:
        return None
    height, width = frame.luma.shape
    return np.asarray(cv2.resize(best[1].astype(np.float32), (width, height)), np.float32)


def beyond(
    frame: WorkFrame, survey: NDArray[np.float32], hallmark: Hallmark, expected: Soft, room: float, taken: Soft | None
) -> Soft | None:
    """(h, w) coverage of parts of a half-hidden subject that show on the far side of what hides it, or None.

    A part has to stand out nearly like the subject itself, to lie within the subject's extent of ``expected``, and all
    of them together to fit into ``room``, the pixels that are hidden: a second subject beside a whole one is left
    alone.
    """
    step = 2 * STRIDE
    if taken is not None:
        survey = np.where(taken[::step, ::step] > 0.5, -3, survey)
    there = np.asarray(expected[::step, ::step] > 0.3)
    survey = np.where(cv2.dilate(there.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0, -3, survey)
    reach = 1.2 * float(np.sqrt(max(1.0, float((expected > 0.5).sum()) + room))) / step
    near = cv2.distanceTransform((~there).astype(np.uint8), cv2.DIST_L2, 3) < reach
    kept: NDArray[np.bool_] | None = None
    for region, clearness in _regions(np.asarray(survey, np.float32)):
        area = float(region.sum()) * step * step
        mean = clearness / max(1.0, float(region.sum()))
        clear = mean > max(0.7, 0.45 * hallmark.usual) and clearness > 0.06 * hallmark.own
        if clear and area < room and (region & near).mean() > 0.5 * region.mean():
            kept = region if kept is None else kept | region
            room -= area
    if kept is None:
        return None
    height, width = frame.luma.shape
    return np.asarray(cv2.resize(kept.astype(np.float32), (width, height)), np.float32)
