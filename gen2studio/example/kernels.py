"""Guided PatchMatch kernels (Barnes et al., SIGGRAPH 2009; guides as in Image Analogies, Hertzmann et al. 2001).

Pictures are packed interleaved: (H, W·C) float32, every channel already multiplied by the root of its weight, so that
the
patch distance is one sum of squares over contiguous memory. Targets are padded by the patch radius on every side,
sources
are not: their patch centres stay inside. The nearest-neighbour field (NNF) is (H, W, 2) int32, (x, y) of a source
centre.

Rows are worked in strips of :data:`STRIP`; scan-line propagation never crosses a strip inside one sweep and the
strips are
shifted by half on odd sweeps. Random numbers are an integer hash of (seed, level, sweep, y, x, try): there is no
state, so
the field is bit-identical for any number of threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2studio.example.compiled import Team, compiled

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
STRIP = 16


@compiled
def _hash(a: int, b: int, c: int, d: int) -> int:
    """32-bit integer hash of four numbers (finaliser of MurmurHash3)."""
    h = (a * 0x9E3779B1 + b * 0x85EBCA77 + c * 0xC2B2AE3D + d * 0x27D4EB2F) & 0xFFFFFFFF
    h ^= h >> 16
    h = (h * 0x85EBCA6B) & 0xFFFFFFFF
    h ^= h >> 13
    h = (h * 0xC2B2AE35) & 0xFFFFFFFF
    h ^= h >> 16
    return h


@compiled
def _distance(
    target: F32, source: F32, x: int, y: int, sx: int, sy: int, patch: int, channels: int, bound: float | F32
) -> float:
    """Sum of squares between the target patch at (x, y) and the source patch at centre (sx, sy), given up above
    ``bound``."""
    radius = patch // 2
    span = patch * channels
    t0 = x * channels
    s0 = (sx - radius) * channels
    total = np.float32(0.0)
    for row in range(patch):
        t = target[y + row, t0 : t0 + span]
        s = source[sy - radius + row, s0 : s0 + span]
        part = np.float32(0.0)
        for i in range(span):
            gap = t[i] - s[i]
            part += gap * gap
        total += part
        if total >= bound:
            return total  # pyright: ignore[reportReturnType]
    return total  # pyright: ignore[reportReturnType]


@compiled
def measure(
    target: F32, source: F32, field: I32, cost: F32, penalty: F32, patch: int, channels: int, y0: int, y1: int
) -> None:
    """Write the distance of every match in rows y0…y1 into ``cost`` (H, W), the penalty of its centre included."""
    for y in range(y0, y1):
        for x in range(field.shape[1]):
            sx, sy = field[y, x, 0], field[y, x, 1]
            cost[y, x] = _distance(target, source, x, y, sx, sy, patch, channels, 1e30) + penalty[sy, sx]


@compiled
def sweep(
    target: F32,
    source: F32,
    field: I32,
    cost: F32,
    penalty: F32,
    patch: int,
    channels: int,
    seed: int,
    level: int,
    number: int,
    reach: int,
    first: int,
    last: int,
) -> None:
    """One sweep over strips first…last: propagation (right/down on even numbers, left/up on odd), then random search.

    ``reach`` is the first search radius in pixels, halved down to 1. ``penalty`` (source H, W) is added to a match's
    cost.
    """
    height, width = field.shape[0], field.shape[1]
    radius = patch // 2
    low = radius
    high_x = penalty.shape[1] - radius - 1
    high_y = penalty.shape[0] - radius - 1
    odd = number & 1
    step = -1 if odd else 1
    shift = STRIP // 2 if odd else 0
    for strip in range(first, last):
        top = max(0, strip * STRIP - shift)
        bottom = min(height, (strip + 1) * STRIP - shift)
        for i in range(bottom - top):
            y = bottom - 1 - i if odd else top + i
            for j in range(width):
                x = width - 1 - j if odd else j
                bx, by, best = field[y, x, 0], field[y, x, 1], cost[y, x]
                px = x - step
                if 0 <= px < width:
                    cx = min(max(field[y, px, 0] + step, low), high_x)
                    cy = field[y, px, 1]
                    if cx != bx or cy != by:
                        extra = penalty[cy, cx]
                        d = _distance(target, source, x, y, cx, cy, patch, channels, best - extra) + extra
                        if d < best:
                            bx, by, best = cx, cy, d
                py = y - step
                if top <= py < bottom:
                    cx = field[py, x, 0]
                    cy = min(max(field[py, x, 1] + step, low), high_y)
                    if cx != bx or cy != by:
                        extra = penalty[cy, cx]
                        d = _distance(target, source, x, y, cx, cy, patch, channels, best - extra) + extra
                        if d < best:
                            bx, by, best = cx, cy, d
                span = reach
                attempt = 0
                while span >= 1:
                    noise = _hash(seed * 64 + level, number * 64 + attempt, y, x)
                    width_now = 2 * span + 1
                    cx = min(max(bx + (noise & 0xFFFF) * width_now // 65536 - span, low), high_x)
                    cy = min(max(by + (noise >> 16) * width_now // 65536 - span, low), high_y)
                    if cx != bx or cy != by:
                        extra = penalty[cy, cx]
                        if extra < best:
                            d = _distance(target, source, x, y, cx, cy, patch, channels, best - extra) + extra
                            if d < best:
                                bx, by, best = cx, cy, d
                    span //= 2
                    attempt += 1
                field[y, x, 0], field[y, x, 1], cost[y, x] = bx, by, best


@compiled
def scatter(field: I32, seed: int, patch: int, source_height: int, source_width: int, y0: int, y1: int) -> None:
    """Fill rows y0…y1 with random centres."""
    radius = patch // 2
    for y in range(y0, y1):
        for x in range(field.shape[1]):
            noise = _hash(seed, 977, y, x)
            field[y, x, 0] = radius + (noise & 0xFFFF) * (source_width - 2 * radius) // 65536
            field[y, x, 1] = radius + (noise >> 16) * (source_height - 2 * radius) // 65536


@compiled
def vote(
    picture: F32, field: I32, cost: F32, channels: int, patch: int, sharpness: float, result: F32, y0: int, y1: int
) -> None:
    """Rows y0…y1 of ``result`` (H, W·C): mean of the overlapping patches of ``picture`` (packed like it), weight
    1/(1 + cost·sharpness/p²).

    Every match lays its patch down, row by row: contiguous sums, and for each pixel in the same order however the rows
    are shared out.
    """
    height, width = field.shape[0], field.shape[1]
    radius = patch // 2
    scale = np.float32(sharpness / (patch * patch))
    totals = np.zeros((y1 - y0, width), np.float32)
    result[y0:y1] = 0.0
    for qy in range(max(0, y0 - radius), min(height, y1 + radius)):
        top, bottom = max(y0, qy - radius), min(y1, qy + radius + 1)
        for qx in range(width):
            weight = np.float32(1.0) / (np.float32(1.0) + cost[qy, qx] * scale)
            left, right = max(0, qx - radius), min(width, qx + radius + 1)
            # Centres keep the radius from the border of the picture: what lies round them is inside.
            shift_x, shift_y = (field[qy, qx, 0] - qx) * channels, field[qy, qx, 1] - qy
            for y in range(top, bottom):
                source = picture[y + shift_y, left * channels + shift_x : right * channels + shift_x]
                laid = result[y, left * channels : right * channels]
                for i in range(laid.shape[0]):
                    laid[i] += weight * source[i]
                total = totals[y - y0, left:right]
                for i in range(total.shape[0]):
                    total[i] += weight
    for y in range(y0, y1):
        for x in range(width):
            share = np.float32(1.0) / totals[y - y0, x]
            for c in range(channels):
                result[y, x * channels + c] *= share


@compiled
def gather(picture: F32, field: I32, result: F32, y0: int, y1: int) -> None:
    """Rows y0…y1 of ``result`` (H, W, C): the pixel of ``picture`` at each match's centre."""
    for y in range(y0, y1):
        for x in range(field.shape[1]):
            for c in range(picture.shape[2]):
                result[y, x, c] = picture[field[y, x, 1], field[y, x, 0], c]


@compiled
def count_uses(field: I32, uses: F32) -> None:
    """Add 1 to ``uses`` (source H, W) at every match's centre."""
    for y in range(field.shape[0]):
        for x in range(field.shape[1]):
            uses[field[y, x, 1], field[y, x, 0]] += 1.0


def run_sweeps(
    target: F32,
    source: F32,
    field: I32,
    cost: F32,
    penalty: F32,
    *,
    patch: int,
    channels: int,
    seed: int,
    level: int,
    first: int,
    count: int,
    reach: int,
    team: Team,
) -> None:
    """Measure the field, then sweep it ``count`` times (numbers ``first``…), in place."""
    height = field.shape[0]
    team.over(height, lambda a, b: measure(target, source, field, cost, penalty, patch, channels, a, b))
    for number in range(first, first + count):
        strips = -(-(height + (STRIP // 2 if number & 1 else 0)) // STRIP)

        def work(a: int, b: int, number: int = number) -> None:
            sweep(target, source, field, cost, penalty, patch, channels, seed, level, number, reach, a, b)

        team.over(strips, work)


def warm_up() -> None:
    """Compile or load every kernel of the room, so that the first picture doesn't wait for it (seconds when cold)."""
    from gen2studio.example import patchmatch, pixel_kernels

    patchmatch.warm_up()
    pixel_kernels.warm_up()
