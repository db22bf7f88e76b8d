"""Measures of restyled video: steadiness, detail, edges, flicker, colour. No score stands alone.

Warp error alone rewards mush (a plain warped key has the lowest error and the worst picture), so it is read together
with
:func:`detail` and :func:`edge_correlation`. Flow for a measure must differ from the flow a result was made with.
All pictures are (H, W, 3) uint8 sRGB unless said otherwise.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.raster import flow

Picture = NDArray[np.uint8]
F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Motion:
    """Held-out motion of a source clip: flow from every frame to the one before it, and where that is trustworthy."""

    backward: tuple[F32, ...]
    """[i] lies between frame i + 1 and frame i: (H, W, 2) px."""
    seen: tuple[NDArray[np.bool_], ...]
    """(H, W) True where both flows agree, away from the border."""


def held_out_motion(frames: Sequence[Picture]) -> Motion:
    """Motion by Farnebäck's polynomial expansion (SCIA 2003): another family than the DIS flow that results are made
    with."""
    greys = [flow.grey(f) for f in frames]
    backward: list[F32] = []
    seen: list[NDArray[np.bool_]] = []
    for a, b in itertools.pairwise(greys):
        there, back = farneback(b, a), farneback(a, b)
        mask = flow.visible(there, back)
        mask[:8] = mask[-8:] = False
        mask[:, :8] = mask[:, -8:] = False
        backward.append(there)
        seen.append(mask)
    return Motion(tuple(backward), tuple(seen))


def farneback(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> F32:
    """(H, W, 2) float32 Farnebäck flow a → b of (H, W) uint8 pictures."""
    start = np.zeros((*a.shape, 2), np.float32)
    return np.asarray(cv2.calcOpticalFlowFarneback(a, b, start, 0.5, 5, 21, 5, 7, 1.5, 0), np.float32)


def warp_errors(
    frames: Sequence[Picture], motion: Motion, mask: Sequence[NDArray[np.bool_]] | None = None
) -> NDArray[np.float64]:
    """(N − 1,) root mean square over trusted pixels of frame[i + 1] − warp(frame[i]), sRGB 0…1: E_warp of Lai et al.,
    ECCV 2018."""
    errors: list[float] = []
    for i, (back, seen) in enumerate(zip(motion.backward, motion.seen, strict=True)):
        a, b = _unit(frames[i]), _unit(frames[i + 1])
        where = seen if mask is None else seen & mask[i + 1]
        gap = (b - flow.warp(a, back))[where]
        errors.append(float(np.sqrt((gap * gap).mean())) if gap.size else 0.0)
    return np.asarray(errors)


def warp_error(frames: Sequence[Picture], motion: Motion, mask: Sequence[NDArray[np.bool_]] | None = None) -> float:
    """Mean of :func:`warp_errors`."""
    return float(warp_errors(frames, motion, mask).mean())


def detail(picture: Picture) -> float:
    """Strength of fine structure: root mean square of lightness minus its Gaussian blur (sigma 2 px at 288 lines),
    Lab L 0…1."""
    light = _light(picture)
    fine = light - cv2.GaussianBlur(light, (0, 0), 2.0 * picture.shape[0] / 288)
    return float(np.sqrt((fine * fine).mean()))


def edge_correlation(a: Picture, b: Picture) -> float:
    """−1…1: Pearson correlation of the gradient magnitudes of two pictures' lightness, blurred by sigma 1."""
    return correlation(_edges(a), _edges(b))


def correlation(a: NDArray, b: NDArray) -> float:
    """Pearson correlation of two arrays of one shape; 0 where one is constant."""
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / scale if scale > 1e-12 else 0.0


def shading_correlation(result: Picture, source: Picture, where: NDArray[np.bool_]) -> float:
    """Correlation of Lab lightness of ``result`` and ``source`` over the pixels ``where`` (H, W)."""
    return correlation(_light(result)[where], _light(source)[where])


def flicker(frames: Sequence[Picture]) -> float:
    """Mean absolute second difference in time of 8×8-block mean lightness, 0…1: pulsing that no motion explains."""
    if len(frames) < 3:
        return 0.0
    blocks = np.stack(
        [cv2.resize(_light(f), (f.shape[1] // 8, f.shape[0] // 8), interpolation=cv2.INTER_AREA) for f in frames]
    )
    return float(np.abs(blocks[2:] - 2 * blocks[1:-1] + blocks[:-2]).mean())


def colour_drift(frames: Sequence[Picture]) -> float:
    """Largest CIE76 ΔE between the mean Lab colour of the first frame and of any later one."""
    means = np.stack([cv2.cvtColor(_unit(f), cv2.COLOR_RGB2Lab).reshape(-1, 3).mean(0) for f in frames])
    return float(np.sqrt(((means - means[0]) ** 2).sum(1)).max())


def difference(a: Picture, b: Picture) -> float:
    """Mean absolute difference, 0…1."""
    return float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean() / 255)


def _unit(picture: Picture) -> F32:
    return picture.astype(np.float32) * np.float32(1 / 255)


def _light(picture: Picture) -> F32:
    return np.asarray(cv2.cvtColor(_unit(picture), cv2.COLOR_RGB2Lab)[..., 0] / 100, np.float32)


def _edges(picture: Picture) -> F32:
    light = cv2.GaussianBlur(_light(picture), (0, 0), 1.0)
    return np.hypot(cv2.Scharr(light, cv2.CV_32F, 1, 0), cv2.Scharr(light, cv2.CV_32F, 0, 1)).astype(np.float32)
