"""Lines: flow-based difference of Gaussians (Kang, Lee, Chui 2007; Winnemöller, Kyprianidis, Olsen, XDoG 2012)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.example.compiled import Team
from gen2studio.example.filters import gaussian
from gen2studio.example.kernels import F32
from gen2studio.example.kuwahara import tangent_field
from gen2studio.example.pixel_kernels import smear


def smoothstep(low: float, high: float, value: NDArray) -> F32:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def along_flow(values: F32, tangent: F32, length: float, team: Team) -> F32:
    """(H, W) values averaged ``length`` px along the tangent field each way."""
    flat = np.ascontiguousarray(values, np.float32)
    result = np.empty_like(flat)
    steps = max(1, round(length))
    team.over(flat.shape[0], lambda a, b: smear(flat, tangent, steps, result, a, b))
    return result


def line_response(
    light: F32, sigma: float, team: Team, *, tangent: F32 | None = None, length: float | None = None
) -> F32:
    """(H, W) how much a pixel lies on the dark side of an edge or on a thin dark line, about 0…0.2, made coherent
    along edges."""
    gap = gaussian(light, sigma * 1.6) - gaussian(light, sigma)
    field = tangent if tangent is not None else tangent_field(light, max(1.5, 2.2 * sigma))
    return along_flow(np.asarray(gap, np.float32), field, length if length is not None else 3.5 * sigma, team)


def drawn_lines(
    light: F32,
    sigma: float,
    team: Team,
    *,
    threshold: float = 0.012,
    softness: float = 0.014,
    tangent: F32 | None = None,
) -> F32:
    """(H, W) line coverage 0…1. Strokes get thicker where the edge is stronger."""
    return smoothstep(threshold, threshold + softness, line_response(light, sigma, team, tangent=tangent))


def without_specks(lines: F32, area: float) -> F32:
    """``lines`` without connected pieces smaller than ``area`` px: short dashes on grass or gravel look like dirt."""
    found = (lines > 0.25).astype(np.uint8)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    size = statistics[:, cv2.CC_STAT_AREA].astype(np.float32)
    keep = np.clip((size - 0.6 * area) / (0.8 * area), 0, 1)
    keep[0] = 1.0
    return np.asarray(lines * keep[np.asarray(labels, np.int64)], np.float32)


def xdog(
    light: F32, sigma: float, team: Team, *, strength: float = 18.0, level: float = 0.55, hardness: float = 10.0
) -> F32:
    """(H, W) XDoG picture 0 (ink) … 1 (paper): dark areas filled, edges drawn, thin highlights cut out."""
    field = tangent_field(light, max(1.5, 2.2 * sigma))
    near, far = gaussian(light, sigma), gaussian(light, sigma * 1.6)
    sharp = along_flow(np.asarray((1 + strength) * near - strength * far, np.float32), field, 3 * sigma, team)
    out = np.where(sharp >= level, 1.0, 1.0 + np.tanh(hardness * (sharp - level)))
    return np.asarray(np.clip(out, 0, 1), np.float32)
