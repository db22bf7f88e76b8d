"""Noise and distance fields that the world is built of. All tensors broadcast to [B, T, H, W], float32."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as functional
from torch import Tensor


@functools.cache
def _baked(device: str) -> tuple[Tensor, Tensor]:
    """Two tileable 256² textures: fractal value noise stretched to 0…1, and white noise. Padded by one for wrapping."""
    generator = torch.Generator().manual_seed(20)
    size = 256
    total = torch.zeros(1, 1, size, size)
    for octave, cells in enumerate((8, 16, 32, 64, 128)):
        lattice = torch.rand(1, 1, cells, cells, generator=generator)
        wrapped = functional.pad(lattice, (2, 2, 2, 2), mode="circular")
        step = size // cells
        fine = functional.interpolate(wrapped, scale_factor=step, mode="bicubic", align_corners=False)
        total += fine[..., 2 * step : -2 * step, 2 * step : -2 * step] * 0.5**octave
    low, high = total.flatten().quantile(0.01), total.flatten().quantile(0.99)
    total = ((total - low) / (high - low)).clamp(0, 1)
    white = torch.rand(1, 1, size, size, generator=generator)
    pad = (0, 1, 0, 1)
    return (
        functional.pad(total, pad, mode="circular").to(device),
        functional.pad(white, pad, mode="circular").to(device),
    )


def _sample(texture: Tensor, x: Tensor, y: Tensor, mode: str) -> Tensor:
    x, y = torch.broadcast_tensors(x, y)
    shape = x.shape
    # align_corners: -1…1 spans texel 0 … 256 exactly, where texel 256 repeats texel 0.
    grid = torch.stack((torch.remainder(x, 1.0), torch.remainder(y, 1.0)), -1).reshape(1, -1, shape[-1], 2) * 2 - 1
    return functional.grid_sample(texture, grid, mode=mode, align_corners=True).reshape(shape)


def fbm(x: Tensor, y: Tensor) -> Tensor:
    """Fractal noise 0…1, period 1 in x and y (eight lattice cells per period in the lowest octave)."""
    return _sample(_baked(str(x.device))[0], x, y, "bilinear")


def speckle(x: Tensor, y: Tensor) -> Tensor:
    """White noise 0…1 on a 256-cell lattice per unit."""
    return _sample(_baked(str(x.device))[1], x, y, "nearest")


def hash01(x: Tensor, salt: Tensor | float = 0.0) -> Tensor:
    """A number in 0…1 per integer ``x``. The modest multiplier keeps float32 sine exact enough."""
    value = torch.sin(x * 12.9898 + salt * 78.233) * 4375.5453
    return value - torch.floor(value)


def smooth(low: float | Tensor, high: float | Tensor, x: Tensor) -> Tensor:
    """Hermite step from 0 at ``low`` to 1 at ``high``."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def circle(x: Tensor, y: Tensor, cx: Tensor | float, cy: Tensor | float, radius: Tensor | float) -> Tensor:
    """Signed distance to a disc."""
    return torch.sqrt((x - cx) ** 2 + (y - cy) ** 2) - radius


def capsule(
    x: Tensor,
    y: Tensor,
    ax: Tensor | float,
    ay: Tensor | float,
    bx: Tensor | float,
    by: Tensor | float,
    radius: float,
) -> Tensor:
    """Signed distance to a thick segment a-b."""
    dx, dy = bx - ax, by - ay
    px, py = x - ax, y - ay
    length = dx * dx + dy * dy
    t = ((px * dx + py * dy) / length).clamp(0, 1)
    return torch.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2) - radius


def box(x: Tensor, y: Tensor, cx: float, cy: float, hx: float, hy: float, round_: float = 0.0) -> Tensor:
    """Signed distance to a rectangle of half sizes hx, hy with rounded corners."""
    qx, qy = (x - cx).abs() - hx + round_, (y - cy).abs() - hy + round_
    outside = torch.sqrt(qx.clamp(min=0) ** 2 + qy.clamp(min=0) ** 2)
    return outside + torch.maximum(qx, qy).clamp(max=0) - round_
