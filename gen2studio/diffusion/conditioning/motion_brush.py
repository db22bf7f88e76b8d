"""The motion brush: up to five painted regions that go somewhere, as displacement of the first frame over time.

Units (value 10 at the end of the shot, eased): ``horizontal`` 30 % of the width to the right, ``vertical`` 30 % of the
height upwards, ``proximity`` 1.6 times as large about the region's middle (−10: as much smaller), ``ambient`` stirring
of 2 % of the short side, which starts at rest and never ends.

Ambient motion is curl noise, divergence-free so that it flows instead of pumping (Bridson, Hourihan, Nordenstam:
"Curl-Noise for Procedural Fluid Flow", SIGGRAPH 2007), from a few travelling waves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.conditioning.camera import ease
from gen2studio.diffusion.conditioning.splatting import sampled
from gen2studio.engine.requests import MotionRegionRef
from gen2studio.raster import flow as motion

Matte = NDArray[np.uint8]
Flow = NDArray[np.float32]

MOST_REGIONS = 5
TRAVEL = 0.30
GROWTH = 1.6
STIR = 0.02
_WAVES = 10


@dataclass(frozen=True, slots=True)
class BrushRegion:
    """A painted region at the picture's size and its motion, each −10…10 (``ambient`` 0…10)."""

    matte: Matte
    horizontal: float = 0.0
    vertical: float = 0.0
    proximity: float = 0.0
    ambient: float = 0.0

    @property
    def moves(self) -> bool:
        return bool(self.matte.any()) and any((self.horizontal, self.vertical, self.proximity, self.ambient))


def region_of(ref: MotionRegionRef, matte: Matte) -> BrushRegion:
    """A request's region with its pixels (``RunContext.matte(ref.raster)``)."""
    return BrushRegion(matte, ref.horizontal, ref.vertical, ref.proximity, ref.ambient)


@dataclass(frozen=True, slots=True)
class Stroke:
    """The painted regions at one moment."""

    field: Flow
    """(H, W, 2) px: where each pixel of the picture has gone. 0 outside the regions."""
    lift: NDArray[np.float32]
    """(H, W) 0…1: regions lie over what doesn't move, and nearer ones over farther ones."""


def strokes(
    regions: Sequence[BrushRegion], count: int, size: tuple[int, int], *, seed: int = 0, wanted: Sequence[int] = ()
) -> list[Stroke]:
    """The displacement at every frame of a shot of ``count`` frames, or at the ``wanted`` ones. ``size`` is (width,
    height). Raises GenerationError for more than five regions or wrong sizes."""
    if len(regions) > MOST_REGIONS:
        raise GenerationError(
            f"The motion brush has {len(regions)} regions and knows {MOST_REGIONS}.", "Remove some of them."
        )
    width, height = size
    for region in regions:
        if region.matte.shape != (height, width):
            raise GenerationError(
                f"A motion region is {region.matte.shape[1]}×{region.matte.shape[0]}, the picture {width}×{height}.",
                "Paint the region again.",
            )
    moving = [region for region in regions if region.moves]
    soft = [_soft(region.matte, 1 / 200) for region in moving]
    # Stirring doesn't tear its region off the rest: it fades over a wide edge.
    fading = [_soft(region.matte, 1 / 24) for region in moving]
    shares = ease(count)
    frames = list(wanted) if wanted else list(range(count))
    made: list[Stroke] = []
    for frame in frames:
        field = np.zeros((height, width, 2), np.float32)
        lift = np.zeros((height, width), np.float32)
        for index, (region, alpha, faded) in enumerate(zip(moving, soft, fading, strict=True)):
            moved = _displacement(region, alpha, float(shares[frame]))
            field += alpha[..., None] * moved
            if region.ambient:
                field += faded[..., None] * _stirring(
                    region.ambient, (width, height), frame, count, seed * MOST_REGIONS + index
                )
            lift = np.maximum(lift, alpha * np.float32(0.5 + 0.02 * region.proximity * shares[frame]))
        made.append(Stroke(field, lift))
    return made


def brush_fields(regions: Sequence[BrushRegion], count: int, size: tuple[int, int], *, seed: int = 0) -> list[Flow]:
    """The displacement fields alone: (H, W, 2) float32 px per frame, for a flow control."""
    return [stroke.field for stroke in strokes(regions, count, size, seed=seed)]


def _soft(matte: Matte, share: float) -> NDArray[np.float32]:
    """0…1 with an edge of ``share`` of the short side (sigma): content isn't torn along the pixel staircase."""
    sigma = max(0.7, min(matte.shape) * share)
    return np.asarray(cv2.GaussianBlur(matte.astype(np.float32) / np.float32(255), (0, 0), sigma), np.float32)


def _displacement(region: BrushRegion, alpha: NDArray[np.float32], share: float) -> Flow:
    height, width = alpha.shape
    out = np.zeros((height, width, 2), np.float32)
    out[..., 0] = region.horizontal / 10 * TRAVEL * width * share
    # Up is up for an artist; rows count downwards.
    out[..., 1] = -region.vertical / 10 * TRAVEL * height * share
    if region.proximity:
        total = float(alpha.sum())
        grid = motion.grid(height, width)
        middle = (alpha[..., None] * grid).sum((0, 1)) / max(total, 1e-6)
        growth = GROWTH ** (region.proximity / 10 * share) - 1
        out += np.float32(growth) * (grid - middle.astype(np.float32))
    return out


def _stirring(ambient: float, size: tuple[int, int], frame: int, count: int, seed: int) -> Flow:
    stirred = curl_noise(size, frame / 24, seed) - curl_noise(size, 0.0, seed)
    # From rest to full strength within a fifth of the shot.
    rise = min(1.0, frame / max(1.0, 0.2 * count))
    return np.asarray(np.float32(ambient / 10 * STIR * min(size) * rise) * stirred, np.float32)


def curl_noise(size: tuple[int, int], seconds: float, seed: int) -> Flow:
    """(H, W, 2) float32 of about −1…1: a smooth field without sources or sinks that changes with time."""
    width, height = size
    random = np.random.default_rng(0x5714 + seed)
    short = min(width, height)
    # On a coarse grid: the shortest wave is a quarter of the picture.
    shrink = max(1, short // 96)
    ys, xs = np.mgrid[0 : height + shrink : shrink, 0 : width + shrink : shrink].astype(np.float64) / short
    field = np.zeros((*xs.shape, 2))
    for _ in range(_WAVES):
        angle, length = random.uniform(0, 2 * np.pi), random.uniform(0.25, 0.6)
        wave = 2 * np.pi / length
        kx, ky = wave * np.cos(angle), wave * np.sin(angle)
        speed, phase = random.uniform(1.2, 3.2), random.uniform(0, 2 * np.pi)
        # The stream function is sin(k·x + φ)/|k|; its curl is (∂ψ/∂y, −∂ψ/∂x).
        slope = np.cos(kx * xs + ky * ys + phase + speed * seconds) / wave
        field[..., 0] += slope * ky
        field[..., 1] -= slope * kx
    field /= np.sqrt(_WAVES / 2)
    if shrink == 1:
        return np.ascontiguousarray(field[:height, :width], np.float32)
    grid = motion.grid(height, width) / np.float32(shrink)
    return np.asarray(sampled(field.astype(np.float32), grid, cv2.BORDER_REPLICATE), np.float32)
