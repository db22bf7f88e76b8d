"""Colour grades as lookup tables: what light words of a prompt and the presets do to colour before anything is
painted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from gen2studio.example import colour_map
from gen2studio.example.kernels import F32

Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """One grade; the default changes nothing. Colours are sRGB 0…255."""

    exposure: float = 0.0
    """Stops."""
    contrast: float = 0.0
    """−1…1, around middle grey."""
    saturation: float = 1.0
    vibrance: float = 0.0
    """0…1: extra saturation where there is little."""
    warmth: float = 0.0
    """−1…1: blue to amber."""
    tint: float = 0.0
    """−1…1: green to magenta."""
    lift: float = 0.0
    """0…0.5: how far black is raised."""
    ceiling: float = 1.0
    """What white becomes, 0…1."""
    shadows: Rgb = (0.0, 0.0, 0.0)
    highlights: Rgb = (255.0, 255.0, 255.0)
    split: float = 0.0
    """0…1: how strongly shadows and highlights take those two colours."""
    steps: float = 0.0
    """Number of lightness steps (soft); 0 = none."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Grade:
        """From a look file's table. Raises KeyError on a name that isn't a field."""
        known = {f.name for f in fields(cls)}
        for name in values:
            if name not in known:
                raise KeyError(f"grade has no {name}")
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, (list, tuple)) else float(v) for k, v in values.items()}
        return cls(**given)


NAMED: dict[str, Grade] = {
    "sunset": Grade(
        contrast=0.12, warmth=0.55, saturation=1.25, shadows=(62, 24, 84), highlights=(255, 186, 92), split=0.42
    ),
    "sunrise": Grade(
        exposure=0.1,
        warmth=0.35,
        saturation=1.12,
        shadows=(86, 70, 130),
        highlights=(255, 214, 170),
        split=0.35,
        lift=0.03,
    ),
    "golden": Grade(
        exposure=0.08,
        warmth=0.5,
        saturation=1.15,
        contrast=0.06,
        shadows=(70, 40, 30),
        highlights=(255, 222, 150),
        split=0.28,
    ),
    "dusk": Grade(
        exposure=-0.55, warmth=-0.1, saturation=1.05, shadows=(26, 24, 74), highlights=(222, 150, 170), split=0.45
    ),
    "night": Grade(
        exposure=-1.7,
        contrast=0.15,
        saturation=0.7,
        warmth=-0.45,
        shadows=(4, 10, 34),
        highlights=(120, 156, 220),
        split=0.5,
    ),
    "winter": Grade(
        exposure=0.25,
        saturation=0.6,
        warmth=-0.4,
        lift=0.05,
        shadows=(50, 70, 104),
        highlights=(236, 244, 255),
        split=0.3,
    ),
    "autumn": Grade(
        warmth=0.4,
        saturation=1.18,
        contrast=0.08,
        tint=0.06,
        shadows=(64, 30, 16),
        highlights=(255, 206, 128),
        split=0.3,
    ),
    "summer": Grade(exposure=0.18, saturation=1.3, warmth=0.15, contrast=0.1),
    "spring": Grade(
        exposure=0.22, saturation=1.15, vibrance=0.3, warmth=0.05, lift=0.04, highlights=(255, 240, 246), split=0.1
    ),
    "fog": Grade(
        exposure=0.15,
        contrast=-0.45,
        saturation=0.5,
        lift=0.22,
        shadows=(120, 128, 138),
        highlights=(232, 236, 240),
        split=0.3,
    ),
    "storm": Grade(
        exposure=-0.4,
        contrast=0.22,
        saturation=0.55,
        warmth=-0.25,
        shadows=(16, 26, 36),
        highlights=(196, 210, 218),
        split=0.3,
    ),
    "warm": Grade(warmth=0.4, saturation=1.05),
    "cool": Grade(warmth=-0.4, saturation=1.02),
    "vivid": Grade(saturation=1.4, vibrance=0.5, contrast=0.15),
    "muted": Grade(saturation=0.55, contrast=-0.08),
    "faded": Grade(
        saturation=0.7,
        contrast=-0.15,
        lift=0.1,
        ceiling=0.94,
        warmth=0.15,
        shadows=(60, 60, 80),
        highlights=(252, 240, 214),
        split=0.2,
    ),
    "sepia": Grade(saturation=0.0, shadows=(38, 22, 12), highlights=(250, 232, 200), split=0.95, contrast=0.05),
    "mono": Grade(saturation=0.0, contrast=0.1),
    "dark": Grade(exposure=-0.8, contrast=0.1),
    "bright": Grade(exposure=0.5),
    "soft": Grade(exposure=0.3, contrast=-0.2, saturation=0.85, lift=0.08, highlights=(255, 244, 246), split=0.12),
    "dramatic": Grade(contrast=0.4, saturation=1.1, exposure=-0.1),
    "cinematic": Grade(contrast=0.18, saturation=1.05, shadows=(10, 50, 64), highlights=(255, 208, 160), split=0.35),
}


def table_of(grade: Grade) -> F32:
    """(33, 33, 33, 3) sRGB → sRGB table of a grade."""
    rgb = colour_map.lattice()
    out = rgb * np.float32(2.0 ** (grade.exposure / 2.2))
    out = out / np.maximum(1.0, 0.6 + 0.4 * np.maximum(out.max(-1, keepdims=True), 1.0))
    out = out * np.array([1 + 0.22 * grade.warmth, 1 + 0.04 * grade.warmth, 1 - 0.28 * grade.warmth], np.float32)
    out = out * np.array([1 + 0.06 * grade.tint, 1 - 0.10 * grade.tint, 1 + 0.06 * grade.tint], np.float32)
    out = np.clip(out, 0, 1)
    if grade.contrast:
        out = _contrast(out, grade.contrast)
    grey = (out @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    spread = out.max(-1, keepdims=True) - out.min(-1, keepdims=True)
    gain = grade.saturation * (1 + grade.vibrance * (1 - spread) * np.minimum(1, spread * 6))
    out = np.clip(grey + (out - grey) * gain, 0, 1)
    if grade.split:
        light = grey
        dark, bright = np.array(grade.shadows, np.float32) / 255, np.array(grade.highlights, np.float32) / 255
        toned = dark * (1 - light) + bright * light
        out = out * (1 - grade.split) + toned * grade.split
    out = grade.lift + (grade.ceiling - grade.lift) * np.clip(out, 0, 1)
    if grade.steps > 1:
        lab = colour_map.to_lab(np.asarray(out, np.float32))
        level = lab[..., 0] * grade.steps
        part = level - np.floor(level)
        lab[..., 0] = np.clip((np.floor(level) + _smooth((part - 0.5) * 4 + 0.5)) / grade.steps, 0, 1)
        return colour_map.to_rgb(lab)
    return np.clip(out, 0, 1).astype(np.float32)


def toward(colours: Iterable[tuple[int, int, int]]) -> F32:
    """A table that turns the picture towards one colour, or its shadows and highlights towards the darkest and
    lightest of several."""
    wanted = sorted(colours, key=lambda c: 0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2])
    dark, bright = np.array(wanted[0], np.float32), np.array(wanted[-1], np.float32)
    if len(wanted) == 1:
        dark, bright = bright * 0.25, bright * 0.55 + 255 * 0.45
    low, high = (float(dark[0]), float(dark[1]), float(dark[2])), (float(bright[0]), float(bright[1]), float(bright[2]))
    return table_of(Grade(shadows=low, highlights=high, split=0.62, saturation=0.9, contrast=0.06))


def _contrast(rgb: F32, amount: float) -> F32:
    curve = 3 * rgb * rgb - 2 * rgb * rgb * rgb
    return np.asarray(
        rgb + (curve - rgb) * amount * 1.4 if amount > 0 else rgb + (0.5 - rgb) * -amount * 0.6, np.float32
    )


def _smooth(t: F32) -> F32:
    u = np.clip(t, 0, 1)
    return np.asarray(u * u * (3 - 2 * u), np.float32)
