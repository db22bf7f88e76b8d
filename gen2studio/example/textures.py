"""Procedural surfaces: paper, canvas, hatching, noise. All are functions of (size, scale, seed) and nothing else."""

from __future__ import annotations

import cv2
import numpy as np

from gen2studio.example.kernels import F32


def noise(height: int, width: int, scale: float, seed: int, octaves: int = 3) -> F32:
    """(H, W) smooth noise, mean 0.5, deviation about 0.18, features of ``scale`` px and ``octaves`` finer ones."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    weight = 1.0
    for octave in range(octaves):
        cell = max(1.0, scale / 2**octave)
        rows, columns = max(2, int(height / cell) + 3), max(2, int(width / cell) + 3)
        grid = random.standard_normal((rows, columns)).astype(np.float32)
        size = (round((columns - 1) * cell) + 1, round((rows - 1) * cell) + 1)
        layer = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)[:height, :width]
        if layer.shape != (height, width):
            layer = cv2.resize(layer, (width, height), interpolation=cv2.INTER_LINEAR)
        total += weight * layer
        weight *= 0.55
    total -= total.mean()
    return np.asarray(np.clip(0.5 + 0.18 * total / max(float(total.std()), 1e-6), 0, 1), np.float32)


def paper(height: int, width: int, unit: float, seed: int) -> F32:
    """(H, W) cold-pressed paper: relief lit from the upper left, about 1 with deviations of 0.05."""
    bumps = 0.6 * noise(height, width, 3.2 * unit, seed, 2) + 0.4 * noise(height, width, 9 * unit, seed + 1, 2)
    light = bumps - np.roll(bumps, (max(1, round(unit)), max(1, round(unit))), (0, 1))
    return np.asarray(1 + np.clip(light * 0.30, -0.08, 0.08) + 0.07 * (bumps - 0.5), np.float32)


def canvas(height: int, width: int, unit: float, seed: int) -> F32:
    """(H, W) linen weave around 1."""
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    period = max(2.0, 2.6 * unit)
    wobble = noise(height, width, 14 * unit, seed, 2) * 3
    weave = np.sin(xs * (2 * np.pi / period) + wobble) * np.cos(ys * (2 * np.pi / period) + wobble)
    return np.asarray(1 + 0.035 * weave + 0.05 * (noise(height, width, 5 * unit, seed + 3, 2) - 0.5), np.float32)


def hatching(height: int, width: int, unit: float, seed: int, angle: float, period: float) -> F32:
    """(H, W) 0…1 pencil strokes side by side at ``angle`` degrees: a height field whose thresholds give lines of any
    width."""
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    rad = np.deg2rad(angle)
    along, across = xs * np.cos(rad) + ys * np.sin(rad), -xs * np.sin(rad) + ys * np.cos(rad)
    bend = (noise(height, width, 46 * unit, seed, 2) - 0.5) * 9 * unit
    phase = (across + bend) / (period * unit)
    stripe = 0.5 + 0.5 * np.cos(2 * np.pi * phase)
    random = np.random.default_rng(seed + 5)
    table = random.random((64, 97)).astype(np.float32)
    row = np.floor(phase).astype(np.int64) % 97
    column = along / (34 * unit) + table[0, row] * 9
    low = np.floor(column).astype(np.int64)
    part = (column - low).astype(np.float32)
    part = part * part * (3 - 2 * part)
    press = table[low % 64, row] * (1 - part) + table[(low + 1) % 64, row] * part
    grain = noise(height, width, 1.7 * unit, seed + 9, 2)
    return np.asarray(np.clip(0.46 * stripe + 0.28 * press + 0.26 * grain, 0, 1), np.float32)


def vignette(height: int, width: int, amount: float) -> F32:
    """(H, W) 1 in the middle, 1 − amount in the corners."""
    ys = (np.arange(height, dtype=np.float32) - (height - 1) / 2) / (height / 2)
    xs = (np.arange(width, dtype=np.float32) - (width - 1) / 2) / (width / 2)
    radius = np.sqrt(ys[:, None] ** 2 + xs[None, :] ** 2) / np.sqrt(2.0)
    return np.asarray(1 - amount * np.clip(radius, 0, 1) ** 2.2, np.float32)
