"""Flat regions of colour: what a mock-up, a sketch or a blocked-out scene says about a shot, and nothing more.

One palette for the clip by k-means in Lab, then every pixel takes the palette colour of the lowest cost, where the
costs are averaged over a neighbourhood first ("cost-volume filtering": Hosni et al., CVPR 2011), so that texture and
noise don't vote alone. A region carried over from the frame before by optical flow has a head start: borders stay
where they are unless the picture says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.raster import flow as motion

Picture = NDArray[np.uint8]
F32 = NDArray[np.float32]
Labels = NDArray[np.int32]

_WORK = 320
"""Regions are found at this many pixels of the long side: they have no finer detail."""
_STAY = 6.0
"""Head start, in squared Lab units averaged, of the colour a place had in the frame before."""


def layout(frames: Sequence[Picture], colours: int = 10, smallest: float = 0.0015) -> list[Picture]:
    """Each frame as flat regions of at most ``colours`` colours shared by the clip. (H, W, 3) uint8 each.

    Regions below ``smallest`` of the picture's area join the neighbour they border on most. Deterministic.
    """
    if not frames:
        return []
    height, width = frames[0].shape[:2]
    scale = min(1.0, _WORK / max(height, width))
    size = (max(4, round(width * scale)), max(4, round(height * scale)))
    small = [np.asarray(cv2.resize(f, size, interpolation=cv2.INTER_AREA), np.uint8) for f in frames]
    labs = [_lab(picture) for picture in small]
    palette = _palette(labs, colours)
    swatches = _rgb(palette)
    made: list[Picture] = []
    labels: Labels | None = None
    before: NDArray[np.uint8] | None = None
    for picture, lab in zip(small, labs, strict=True):
        light = motion.grey(picture)
        carried = None
        if labels is not None and before is not None:
            back = motion.dis_flow(light, before, "fast")
            carried = np.asarray(motion.warp(labels.astype(np.float32), back, cv2.INTER_NEAREST), np.int32)
        labels = _joined(_assigned(lab, palette, carried), max(4, round(smallest * size[0] * size[1])))
        before = light
        made.append(_drawn(labels, swatches, (width, height)))
    return made


def _lab(picture: Picture) -> F32:
    smooth = cv2.bilateralFilter(picture, 7, 30, 5)
    return np.asarray(cv2.cvtColor(smooth.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab), np.float32)


def _rgb(palette: F32) -> Picture:
    unit = cv2.cvtColor(palette[None], cv2.COLOR_Lab2RGB)[0]
    return np.clip(np.rint(unit * 255), 0, 255).astype(np.uint8)


def _palette(labs: Sequence[F32], colours: int) -> F32:
    """(K, 3) Lab colours of the clip: k-means, seeded by maximin so that the same clip has the same palette."""
    step = max(1, len(labs) // 8)
    sample = np.concatenate([lab[::3, ::3].reshape(-1, 3) for lab in labs[::step]])
    sample = sample[:: max(1, len(sample) // 6000)]
    centres = [sample.mean(0)]
    distance = ((sample - centres[0]) ** 2).sum(1)
    while len(centres) < colours:
        # The 99th percentile rather than the farthest pixel: no centre is spent on a speck.
        rank = int(np.argsort(distance, kind="stable")[int(0.99 * (len(distance) - 1))])
        if distance[rank] < 36.0:
            break
        centres.append(sample[rank])
        distance = np.minimum(distance, ((sample - centres[-1]) ** 2).sum(1))
    found = np.stack(centres)
    for _ in range(12):
        nearest = ((sample[:, None] - found[None]) ** 2).sum(-1).argmin(1)
        counts = np.bincount(nearest, minlength=len(found))
        sums = np.stack([np.bincount(nearest, sample[:, c], len(found)) for c in range(3)], 1)
        found = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], found)
    return found.astype(np.float32)


def _assigned(lab: F32, palette: F32, carried: Labels | None) -> Labels:
    reach = max(3, lab.shape[1] // 64 | 1)
    best: F32 | None = None
    labels = np.zeros(lab.shape[:2], np.int32)
    for index, colour in enumerate(palette):
        gap = lab - colour
        # Truncated: a glint counts as "another colour", not as a hundred votes for it.
        cost = np.minimum((gap * gap).sum(-1), 900.0).astype(np.float32)
        if carried is not None:
            cost -= np.float32(_STAY * 8) * (carried == index)
        cost = cv2.blur(cost, (reach, reach))
        if best is None:
            best = cost
            continue
        closer = cost < best
        labels[closer] = index
        best = np.minimum(best, cost)
    return labels


def _joined(labels: Labels, smallest: int) -> Labels:
    """Islands under ``smallest`` pixels take the label that most of their border pixels have."""
    out = labels.copy()
    for value in np.unique(labels):
        count, parts, stats, _ = cv2.connectedComponentsWithStats((labels == value).astype(np.uint8), connectivity=4)
        for part in range(1, count):
            x, y, width, height, area = (int(v) for v in stats[part])
            if area >= smallest:
                continue
            window = np.s_[max(0, y - 1) : y + height + 1, max(0, x - 1) : x + width + 1]
            inside = (parts[window] == part).astype(np.uint8)
            ring = (cv2.dilate(inside, np.ones((3, 3), np.uint8)) > 0) & (inside == 0)
            around = out[window][ring]
            if around.size:
                out[window][inside > 0] = int(np.bincount(around).argmax())
    return out


def _drawn(labels: Labels, swatches: Picture, size: tuple[int, int]) -> Picture:
    """The regions at full size with round, clean borders: the label whose blurred share is largest."""
    if (labels.shape[1], labels.shape[0]) == size:
        return swatches[labels]
    best: F32 | None = None
    out = np.zeros((size[1], size[0]), np.int32)
    for value in np.unique(labels):
        share = cv2.resize((labels == value).astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        share = cv2.GaussianBlur(share, (0, 0), 0.4 * size[0] / labels.shape[1])
        if best is None:
            best = share
            out[:] = value
            continue
        more = share > best
        out[more] = value
        best = np.maximum(best, share)
    return swatches[out]
