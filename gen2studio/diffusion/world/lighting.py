"""Times of day and weather as light: sky gradient, key light, haze."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """Sky colours, the multiplicative light on surfaces, haze colour with density per unit of depth, lamp glow 0…1."""

    top: Colour
    low: Colour
    key: Colour
    haze: Colour
    density: float
    glow: float
    sun: Colour
    sun_height: float
    sun_size: float


LIGHTS: dict[str, Light] = {
    "day": Light((0.20, 0.47, 0.88), (0.74, 0.88, 0.98), (1.0, 0.99, 0.95), (0.76, 0.87, 0.96), 0.020, 0.0,
                 (1.0, 0.98, 0.85), 0.62, 0.09),
    "dawn": Light((0.50, 0.60, 0.86), (1.00, 0.78, 0.78), (0.95, 0.80, 0.84), (0.98, 0.80, 0.82), 0.045, 0.15,
                  (1.0, 0.88, 0.80), 0.22, 0.12),
    "sunset": Light((0.36, 0.18, 0.46), (1.00, 0.53, 0.16), (1.0, 0.66, 0.44), (1.0, 0.55, 0.28), 0.040, 0.35,
                    (1.0, 0.86, 0.45), 0.14, 0.17),
    "night": Light((0.015, 0.025, 0.10), (0.07, 0.12, 0.28), (0.26, 0.34, 0.58), (0.06, 0.10, 0.24), 0.030, 1.0,
                   (0.93, 0.95, 1.0), 0.58, 0.085),
    "fog": Light((0.70, 0.74, 0.77), (0.85, 0.87, 0.88), (0.80, 0.83, 0.85), (0.83, 0.855, 0.87), 0.30, 0.1,
                 (0.92, 0.93, 0.93), 0.5, 0.0),
}  # fmt: skip
"""The light of each time word."""


def colour(value: Colour, like: Tensor) -> Tensor:
    """A colour as [3, 1, 1, 1, 1] beside ``like``."""
    return torch.tensor(value, device=like.device, dtype=torch.float32).view(3, 1, 1, 1, 1)


class Canvas:
    """Colour [3, B, T, H, W] and disparity [B, T, H, W] painted from back to front."""

    def __init__(self, light: Light, rgb: Tensor) -> None:
        self.light = light
        self.rgb = rgb
        self.disparity = torch.zeros_like(rgb[0])

    def paint(self, alpha: Tensor, paint: Tensor, disparity: Tensor | None = None, *, lit: bool = True) -> None:
        """Lay ``paint`` (albedo, or light itself where not ``lit``) over what is there, dimmed by haze at its depth."""
        if lit:
            paint = paint * colour(self.light.key, self.rgb)
        if disparity is not None:
            haze = 1.0 - torch.exp(-self.light.density / disparity.clamp(min=1e-2))
            paint = paint + haze * (colour(self.light.haze, self.rgb) - paint)
            self.disparity = torch.where(alpha > 0.5, disparity.expand_as(self.disparity), self.disparity)
        self.rgb = self.rgb + alpha * (paint - self.rgb)

    def add(self, light: Tensor) -> None:
        """Add emitted light [3, B, T, H, W]."""
        self.rgb = self.rgb + light
