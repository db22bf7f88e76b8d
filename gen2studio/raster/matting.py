"""Soft edges from the picture: how much of every pixel near a matte's edge is subject, and what colour that part has.

**The edge.** Within a window the matte of hair and of motion blur is an affine function of the picture's colour (Levin,
Lischinski, Weiss, "A Closed-Form Solution to Natural Image Matting", CVPR 2006). With windows as large as the band the
system converges in a few steps and one step is a colour guided filter (He, Sun, Tang, "Fast Matting Using Large Kernel
Matting Laplacian Matrices", CVPR 2010; "Guided Image Filtering", ECCV 2010). It is solved by conjugate gradients on a
small picture in which the band is a few pixels wide, started from the nearest colours on either side; its affine models
then decide every pixel of the full one (He, Sun, "Fast Guided Filter", arXiv 1505.00996).

**The colour.** Germer, Uelwer, Conrad, Harmeling, "Fast Multi-Level Foreground Estimation", ICPR 2020: from one pixel
up to the whole picture, every level starting from the one before.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Rect
from gen2studio.raster.morphology import bounds
from gen2studio.raster.tiles import Mask

Plane = NDArray[np.float32]
"""(h, w) float32."""

_BAND = 5.0
"""Half-width of the band in pixels of the small picture."""
_MOST = 50_000
"""Pixels of the small picture at most."""
_INNER = 0.6
"""The band's part inside the matte: what was painted is sure closer to its edge than what was not."""
_STEPS = 10
_HELD = 10.0
"""How strongly pixels outside the band are held to what they are."""
_HAZE = 0.05
"""Coverage that counts as none, and missing coverage that counts as none missing: affine models never quite reach 0
and 1 where a colour occurs on both sides."""


def follow_edges(matte: Mask, picture: NDArray[np.uint8], width: float, detail: float = 0.5) -> Mask:
    """The matte with its edge decided by the picture within ``width`` pixels (1…64) of where it was.

    ``picture`` is (H, W, 3) uint8 of the matte's size. ``detail`` 0…1 is how small a difference of colour may be to
    count: 0 makes a smooth edge, 1 keeps every hair (and noise). A new (H, W) uint8 array; everything further than
    ``width`` from the edge keeps its level. Raises ValueError where the sizes differ.
    """
    if picture.shape[:2] != matte.shape:
        raise ValueError(f"matte {matte.shape} does not fit picture {picture.shape[:2]}")
    solid = (matte >= 128).view(np.uint8)
    area = _edge_area(solid, math.ceil(2 * width) + 2)
    result = matte.copy()
    if area.empty:
        return result
    window = np.s_[area.y : area.bottom, area.x : area.right]
    part, colours = np.ascontiguousarray(matte[window]), np.ascontiguousarray(picture[window])
    scale = min(1.0, _BAND / width, math.sqrt(_MOST / (area.width * area.height)))
    size = (max(2, round(area.width * scale)), max(2, round(area.height * scale)))
    distance = _signed(np.ascontiguousarray(solid[window]))
    small = cv2.resize(colours, size, interpolation=cv2.INTER_AREA).astype(np.float32) * np.float32(1 / 255)
    near = np.asarray(cv2.resize(distance, size, interpolation=cv2.INTER_AREA), np.float32)
    known = ((near >= _INNER * width) | (near <= -width)).astype(np.float32)
    inside = (near > 0).astype(np.float32)
    radius = max(1, round(width * scale / 3))
    model = AffineModel(np.asarray(small, np.float32), radius, 10.0 ** (-3.0 - 2.0 * min(1.0, max(0.0, detail))))
    first = np.clip(model.filtered(_nearest_colours(small, near, width, max(1, round(width * scale)))), 0, 1)
    solved = np.clip(_solved(model, known, inside, np.asarray(first, np.float32)), 0, 1).astype(np.float32)
    coverage = _applied(model.coefficients(solved), colours)
    # Towards the far side of the band the old level comes back: there is no seam where it ends.
    room = np.minimum((width - np.abs(distance)) / np.float32(0.2 * width + 0.5), 1.0)
    room = np.minimum(room, (_INNER * width - distance) / np.float32(0.2 * width + 0.5))
    mixed = part + (coverage * np.float32(255) - part) * np.clip(room, 0, 1)
    result[window] = np.rint(mixed).astype(np.uint8)
    return result


class AffineModel:
    """Colour guided filter of one picture: within every window coverage is an affine function of the three channels."""

    def __init__(self, picture: NDArray[np.float32], radius: int, epsilon: float) -> None:
        """``picture`` (h, w, 3) float32 0…1; ``radius`` of the window in pixels; ``epsilon`` is the variance of colour
        (on the same scale) that counts as noise."""
        self._radius = radius
        self._planes: list[Plane] = [np.ascontiguousarray(picture[..., i]) for i in range(3)]
        self._means: list[Plane] = [_box(plane, radius) for plane in self._planes]
        (r, g, b), (mr, mg, mb) = self._planes, self._means
        noise = np.float32(epsilon)
        rr = _box(r * r, radius) - mr * mr + noise
        rg = _box(r * g, radius) - mr * mg
        rb = _box(r * b, radius) - mr * mb
        gg = _box(g * g, radius) - mg * mg + noise
        gb = _box(g * b, radius) - mg * mb
        bb = _box(b * b, radius) - mb * mb + noise
        # Inverse of the symmetric 3 × 3 covariance by cofactors.
        irr, irg, irb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
        igg, igb, ibb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
        share = np.float32(1) / np.maximum(rr * irr + rg * irg + rb * irb, np.float32(1e-14))
        self._inverse = [m * share for m in (irr, irg, irb, igg, igb, ibb)]

    def coefficients(self, values: Plane) -> list[Plane]:
        """Factors of the three channels and the offset, averaged over the windows a pixel lies in."""
        (r, g, b), (mr, mg, mb) = self._planes, self._means
        mean = _box(values, self._radius)
        cr = _box(r * values, self._radius) - mr * mean
        cg = _box(g * values, self._radius) - mg * mean
        cb = _box(b * values, self._radius) - mb * mean
        irr, irg, irb, igg, igb, ibb = self._inverse
        x = irr * cr + irg * cg + irb * cb
        y = irg * cr + igg * cg + igb * cb
        z = irb * cr + igb * cg + ibb * cb
        offset = mean - (x * mr + y * mg + z * mb)
        return [_box(plane, self._radius) for plane in (x, y, z, offset)]

    def filtered(self, values: Plane) -> Plane:
        x, y, z, offset = self.coefficients(values)
        r, g, b = self._planes
        return np.asarray(x * r + y * g + z * b + offset, np.float32)


def _box(values: NDArray[np.floating[Any]], radius: int) -> Plane:
    side = 2 * radius + 1
    return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)


def _signed(solid: Mask) -> Plane:
    """(h, w) distance to the edge in pixels, positive inside."""
    within = cv2.distanceTransform(solid, cv2.DIST_L2, 3)
    beyond = cv2.distanceTransform(1 - solid, cv2.DIST_L2, 3)
    return np.asarray(np.where(solid > 0, within - 0.5, 0.5 - beyond), np.float32)


def _edge_area(solid: Mask, margin: int) -> Rect:
    """The rectangle around every edge of a 0/1 matte, grown by ``margin``; empty where there is no edge."""
    edge = cv2.morphologyEx(solid, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    found = bounds(np.asarray(edge, np.uint8))
    return found if found.empty else found.grown(margin).intersected(Rect(0, 0, solid.shape[1], solid.shape[0]))


def _nearest_colours(picture: NDArray[np.float32], distance: Plane, width: float, reach: int) -> Plane:
    """Coverage by where a colour lies between the subject's and the background's own colours nearby, where these
    differ; by distance where they don't."""
    there = np.clip(distance / np.float32(width), -1, 1)
    subject = _spread(picture, np.where(there > 0, there * there + np.float32(1e-4), 0), reach)
    ground = _spread(picture, np.where(there < 0, there * there + np.float32(1e-4), 0), reach)
    way = subject - ground
    length = np.einsum("ijk,ijk->ij", way, way)
    share = np.einsum("ijk,ijk->ij", picture - ground, way) / np.maximum(length, np.float32(1e-6))
    sure = length / (length + np.float32(0.02))
    guess = sure * np.clip(share, 0, 1) + (1 - sure) * (there * np.float32(0.5) + np.float32(0.5))
    return np.where(there >= 1, 1, np.where(there <= -1, 0, guess)).astype(np.float32)


def _spread(picture: NDArray[np.float32], weight: NDArray[Any], reach: int) -> NDArray[np.float32]:
    """The weighted mean colour nearby; further away where nothing is near (normalised convolution at three reaches)."""
    weight = weight.astype(np.float32)
    weighted = picture * weight[..., None]
    total, colours, factor = np.float32(1e-12), np.float32(0), np.float32(1)
    for times in (1, 2, 4):
        total = total + factor * _box(weight, times * reach)
        colours = colours + factor * _box(weighted, times * reach)
        factor = factor * np.float32(1e-3)
    return np.asarray(colours / np.asarray(total)[..., None], np.float32)


def _solved(model: AffineModel, known: Plane, inside: Plane, start: Plane) -> Plane:
    """Coverage x that minimises xᵀ(1 − G)x + held·|x − inside|² over what is known, G = the guided filter."""
    held = known * np.float32(_HELD)
    share = np.float32(1) / (1 + held)
    found = start
    left = held * inside - (found - model.filtered(found) + held * found)
    step = share * left
    way = np.array(step, np.float32)
    energy = float((left * step).sum(dtype=np.float64))
    for _ in range(_STEPS):
        pushed = way - model.filtered(way) + held * way
        curvature = float((way * pushed).sum(dtype=np.float64))
        # In single precision the system is positive only to rounding: further steps would add noise.
        if curvature <= 0 or energy < 1e-6:
            break
        length = np.float32(energy / curvature)
        found = np.asarray(found + length * way, np.float32)
        left = left - length * pushed
        step = share * left
        now = float((left * step).sum(dtype=np.float64))
        if now > 4 * energy:
            break
        way = np.asarray(step + np.float32(now / energy) * way, np.float32)
        energy = now
    return found


def _applied(coefficients: list[Plane], picture: NDArray[np.uint8]) -> Plane:
    """Coverage 0…1 of every pixel of the full picture by the small one's models."""
    size = (picture.shape[1], picture.shape[0])
    share = 1 / (1 - 2 * _HAZE)
    level = (cv2.resize(coefficients[3], size, interpolation=cv2.INTER_LINEAR) - np.float32(_HAZE)) * np.float32(share)
    for index, factor in enumerate(coefficients[:3]):
        large = cv2.resize(factor, size, interpolation=cv2.INTER_LINEAR)
        level += cv2.multiply(large, cv2.extractChannel(picture, index), scale=share / 255, dtype=cv2.CV_32F)
    return np.asarray(np.clip(level, 0, 1), np.float32)


# -- colour ----------------------------------------------------------------------------------------------------------

_SMOOTH = 5e-3
"""How much a colour may differ from its neighbours' where the matte is flat; more where it changes."""
_GRADIENT = 0.1
_ROUNDS = ((32, 10), (0, 2))
"""(longer side up to, iterations): small levels are cheap and carry colour far."""


def foreground(picture: NDArray[np.uint8], matte: Mask) -> NDArray[np.float32]:
    """(H, W, 3) float32 0…255: the colour of the subject alone at every pixel, background taken out.

    Minimises |αF + (1 − α)B − I|² plus the smoothness of F and B, level by level (Germer et al. 2020).
    """
    full = picture.astype(np.float32)
    alpha = matte.astype(np.float32) * np.float32(1 / 255)
    height, width = matte.shape
    levels = math.ceil(math.log2(max(2, height, width)))
    subject = np.full((1, 1, 3), _mean(full, alpha), np.float32)
    ground = np.full((1, 1, 3), _mean(full, 1 - alpha), np.float32)
    for level in range(levels + 1):
        w = max(1, round(width ** (level / levels)))
        h = max(1, round(height ** (level / levels)))
        if (h, w) == (height, width):
            colours, share = full, alpha
        else:
            colours = np.asarray(cv2.resize(full, (w, h), interpolation=cv2.INTER_AREA), np.float32)
            share = np.asarray(cv2.resize(alpha, (w, h), interpolation=cv2.INTER_AREA), np.float32)
        colours, share = colours.reshape(h, w, 3), share.reshape(h, w)
        subject = np.asarray(cv2.resize(subject, (w, h), interpolation=cv2.INTER_NEAREST), np.float32).reshape(h, w, 3)
        ground = np.asarray(cv2.resize(ground, (w, h), interpolation=cv2.INTER_NEAREST), np.float32).reshape(h, w, 3)
        rounds = next(count for side, count in _ROUNDS if not side or max(h, w) <= side)
        subject, ground = _relaxed(colours, share, subject, ground, rounds)
    return subject


def decontaminate(picture: NDArray[np.uint8], matte: Mask, amount: float) -> NDArray[np.uint8]:
    """``picture`` with the colours of soft pixels of the matte (neither 0 nor 255) pulled to the subject's own by
    ``amount`` 0…1. Every other pixel keeps its bytes. A new (H, W, 3) uint8 array."""
    soft = (matte > 0) & (matte < 255)
    result = picture.copy()
    area = bounds(soft.view(np.uint8)).grown(32).intersected(Rect(0, 0, matte.shape[1], matte.shape[0]))
    if area.empty or amount <= 0:
        return result
    window = np.s_[area.y : area.bottom, area.x : area.right]
    own = foreground(picture[window], np.ascontiguousarray(matte[window]))
    here = soft[window]
    block = result[window]
    old = block[here].astype(np.float32)
    block[here] = np.clip(np.rint(old + (own[here] - old) * np.float32(min(1.0, amount))), 0, 255).astype(np.uint8)
    return result


def _mean(colours: NDArray[np.float32], weight: Plane) -> NDArray[np.float64]:
    return (colours * weight[..., None]).sum((0, 1), dtype=np.float64) / max(1e-6, float(weight.sum(dtype=np.float64)))


def _relaxed(
    colours: NDArray[np.float32], alpha: Plane, subject: NDArray[np.float32], ground: NDArray[np.float32], rounds: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Jacobi rounds of one level: every pixel's two colours by a 2 × 2 system with its four neighbours' as they are."""
    padded = np.pad(alpha, 1, mode="edge")
    sides = (np.s_[:-2, 1:-1], np.s_[2:, 1:-1], np.s_[1:-1, :-2], np.s_[1:-1, 2:])
    weights = [np.float32(_SMOOTH) + np.float32(_GRADIENT) * np.abs(padded[side] - alpha) for side in sides]
    smooth = np.asarray(weights[0] + weights[1] + weights[2] + weights[3], np.float32)
    rest = np.asarray(1 - alpha, np.float32)
    a, b, c = alpha * alpha + smooth, alpha * rest, rest * rest + smooth
    share = np.float32(1) / (a * c - b * b)
    for _ in range(rounds):
        sums: list[NDArray[np.float32]] = []
        for own, values in ((alpha, subject), (rest, ground)):
            around = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="edge")
            total = own[..., None] * colours
            for weight, side in zip(weights, sides, strict=True):
                total = total + weight[..., None] * around[side]
            sums.append(np.asarray(total, np.float32))
        first, second = sums
        crossed = (b * share)[..., None]
        subject = np.asarray(np.clip((c * share)[..., None] * first - crossed * second, 0, 255), np.float32)
        ground = np.asarray(np.clip((a * share)[..., None] * second - crossed * first, 0, 255), np.float32)
    return subject, ground
