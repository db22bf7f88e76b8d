"""Frames between two diffused ones: moved along the motion of the footage, or of the frames themselves."""

from __future__ import annotations

import numpy as np

from gen2studio.engine.events import Picture
from gen2studio.raster import flow as motion


def between(a: Picture, b: Picture, t: float) -> Picture:
    """The frame at ``t`` (0…1) from ``a`` to ``b`` by their own motion, seen from the middle.

    Flows to both ends are approximated from the two flows between them (Jiang et al., "Super SloMo", CVPR 2018, eq. 4),
    and the nearer end counts more where both are seen.
    """
    if t <= 0:
        return a
    if t >= 1:
        return b
    here, there = motion.grey(a), motion.grey(b)
    ahead, back = motion.dis_flow(here, there), motion.dis_flow(there, here)
    to_a = np.asarray(-(1 - t) * t * ahead + t * t * back, np.float32)
    to_b = np.asarray((1 - t) ** 2 * ahead - t * (1 - t) * back, np.float32)
    # Where the two flows disagree something is covered on one side: trust the end that sees it.
    seen_a = motion.visible(motion.warp(ahead, to_a), motion.warp(back, to_a))
    seen_b = motion.visible(motion.warp(back, to_b), motion.warp(ahead, to_b))
    return _blended(motion.warp(a, to_a), motion.warp(b, to_b), t, seen_a, seen_b)


def along(a: Picture, b: Picture, t: float, source_a: Picture, source_here: Picture, source_b: Picture) -> Picture:
    """The frame at ``t`` from ``a`` to ``b``, moved as the footage moves: flows from ``source_here`` to both ends."""
    if t <= 0:
        return a
    if t >= 1:
        return b
    here, first, last = motion.grey(source_here), motion.grey(source_a), motion.grey(source_b)
    to_a, to_b = motion.dis_flow(here, first), motion.dis_flow(here, last)
    seen_a = motion.visible(to_a, motion.dis_flow(first, here))
    seen_b = motion.visible(to_b, motion.dis_flow(last, here))
    return _blended(motion.warp(a, to_a), motion.warp(b, to_b), t, seen_a, seen_b)


def _blended(
    a: Picture, b: Picture, t: float, seen_a: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    seen_b: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> Picture:  # fmt: skip
    weight_a = (1 - t) * np.where(seen_a, 1.0, 0.05)
    weight_b = t * np.where(seen_b, 1.0, 0.05)
    share = (weight_b / (weight_a + weight_b)).astype(np.float32)[..., None]
    mixed = a.astype(np.float32) * (1 - share) + b.astype(np.float32) * share
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
