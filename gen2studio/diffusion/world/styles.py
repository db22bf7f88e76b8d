"""Looks of the world: functions of the finished picture that may read its mask and disparity.

``rgb`` [3, B, T, H, W] in 0…1 at twice the output size; ``x``, ``y`` frame coordinates in output pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as functional
from torch import Tensor

from gen2studio.diffusion.world.fields import fbm, smooth, speckle
from gen2studio.diffusion.world.lighting import colour

LUMA = (0.299, 0.587, 0.114)


def luma(rgb: Tensor) -> Tensor:
    """Rec. 601 luma [B, T, H, W]."""
    return LUMA[0] * rgb[0] + LUMA[1] * rgb[1] + LUMA[2] * rgb[2]


def _each(frames: Tensor, operate: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply a 4-D operation to every frame of [..., H, W]."""
    flat = frames.reshape(-1, 1, *frames.shape[-2:])
    return operate(flat).reshape(*frames.shape[:-2], *frames.shape[-2:])


def blur(frames: Tensor, radius: int) -> Tensor:
    """Two box passes of width 2·radius+1."""
    width = 2 * radius + 1

    def boxes(flat: Tensor) -> Tensor:
        for _ in range(2):
            flat = functional.avg_pool2d(functional.pad(flat, (radius,) * 4, mode="replicate"), width, 1)
        return flat

    return _each(frames, boxes)


def step_edges(field: Tensor, reach: int) -> Tensor:
    """Absolute difference across ``reach`` pixels in x and y, the larger of the two."""
    dx = functional.pad((field[..., reach:] - field[..., :-reach]).abs(), (reach // 2, reach - reach // 2))
    dy = functional.pad((field[..., reach:, :] - field[..., :-reach, :]).abs(), (0, 0, reach // 2, reach - reach // 2))
    return torch.maximum(dx, dy)


def outlines(rgb: Tensor, mask: Tensor, disparity: Tensor, reach: int = 2) -> Tensor:
    """Strength 0…1 of contours: subject silhouette, depth steps, strong tone steps."""
    depth = step_edges(disparity.sqrt(), reach)
    line = torch.maximum(smooth(0.25, 0.6, step_edges(mask, reach)), smooth(0.04, 0.10, depth))
    return torch.maximum(line, smooth(0.16, 0.34, step_edges(luma(rgb), reach)))


def realistic(rgb: Tensor, mask: Tensor, disparity: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """A slight filmic curve."""
    return rgb * (1.06 - 0.06 * rgb)


def watercolor(rgb: Tensor, mask: Tensor, disparity: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Pale washes that pool at the edges, on rough paper with a bare margin."""
    soft = blur(rgb, 2)
    pooled = (blur(soft, 4) - soft).mean(0)
    wash = 0.26 + 0.74 * soft.clamp(0, 1) ** 0.85
    grey = luma(wash).unsqueeze(0)
    wash = grey + 1.3 * (wash - grey)
    tooth = fbm(x / 60.0, y / 60.0)
    paint = wash * (0.93 + 0.14 * tooth - 1.2 * pooled.abs()).unsqueeze(0)
    height, width = rgb.shape[-2] / 2, rgb.shape[-1] / 2
    rim = torch.minimum(torch.minimum(x, width - x), torch.minimum(y, height - y)) + 9.0 * (tooth - 0.5)
    bare = smooth(6.0, 3.0, rim).unsqueeze(0)
    return paint + bare * (colour((0.97, 0.96, 0.93), rgb) - paint)


def anime(rgb: Tensor, mask: Tensor, disparity: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Flat saturated tones and ink outlines."""
    tone = blur(rgb, 2)
    grey = luma(tone).clamp(0.02, 1)
    levels = 4.0
    stepped = (
        torch.floor(grey * levels) + 0.5 + 0.5 * smooth(0.4, 0.6, grey * levels - torch.floor(grey * levels))
    ) / levels
    flat = tone * (stepped / grey).unsqueeze(0)
    flat = luma(flat).unsqueeze(0) + 1.55 * (flat - luma(flat).unsqueeze(0))
    return (flat * 1.04) * (1 - 0.88 * outlines(rgb, mask, disparity, 3)).unsqueeze(0)


def noir(rgb: Tensor, mask: Tensor, disparity: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """High-contrast black and white, exposed so that it never sinks into black."""
    grey = luma(rgb)
    mean = grey.mean((-3, -2, -1), keepdim=True)
    grey = (grey * (0.42 / mean).clamp(0.75, 2.6)).clamp(0, 1)
    grey = smooth(0.02, 0.95, grey)
    height, width = rgb.shape[-2] / 2, rgb.shape[-1] / 2
    away = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) * 2
    grain = 0.05 * (speckle(x / 128.0, y / 128.0) - 0.5)
    return ((grey + grain) * (1.05 - 0.55 * away)).unsqueeze(0).expand(3, *grey.shape)


def neon(rgb: Tensor, mask: Tensor, disparity: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Dark violet with glowing magenta and cyan contours."""
    line = outlines(rgb, mask, disparity, 3)
    glow = (line + 1.1 * blur(line, 3) + 0.8 * blur(line, 9)).unsqueeze(0)
    mix = smooth(0.25, 0.75, y / (rgb.shape[-2] / 2))
    lamp = colour((0.10, 0.85, 1.0), rgb) + mix * (colour((1.0, 0.12, 0.85), rgb) - colour((0.10, 0.85, 1.0), rgb))
    subject = mask.unsqueeze(0)
    grey = luma(rgb).unsqueeze(0)
    base = colour((0.20, 0.06, 0.40), rgb) * (0.25 + 1.2 * grey)
    base = base + subject * (rgb * 0.75 - base)
    return base + glow * (lamp * (1 - subject) + (0.5 * rgb + 0.5) * subject) * 0.8


def paper(rgb: Tensor, mask: Tensor, disparity: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Cut-out sheets: few pastel tones, white torn rims, soft shadows under nearer sheets."""
    flat = blur(rgb, 3)
    flat = (torch.floor(flat.clamp(0, 0.999) * 5) + 0.5) / 5
    flat = 0.24 + 0.72 * flat
    depth = torch.maximum(disparity.sqrt(), mask)
    shifted = torch.roll(depth, shifts=(5, 5), dims=(-2, -1))
    shade = blur(smooth(0.05, 0.14, shifted - depth), 2)
    rim = smooth(0.05, 0.12, step_edges(disparity.sqrt() + mask, 3))
    fibre = 0.94 + 0.12 * fbm(x / 28.0, y / 28.0)
    sheet = flat * fibre.unsqueeze(0)
    sheet = sheet + rim.unsqueeze(0) * 0.85 * (colour((0.98, 0.97, 0.94), rgb) - sheet)
    return sheet * (1 - 0.45 * shade).unsqueeze(0)


def pixel(rgb: Tensor, mask: Tensor, disparity: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Blocks of four pixels in a small palette."""
    shape = rgb.shape
    coarse = functional.avg_pool2d(rgb.reshape(-1, 1, *shape[-2:]), 8, 8)
    coarse = (torch.floor(coarse.clamp(0, 0.999) * 6) + 0.5) / 6
    big = functional.interpolate(coarse, scale_factor=8, mode="nearest").reshape(shape)
    grey = luma(big).unsqueeze(0)
    return grey + 1.25 * (big - grey)


def sketch(rgb: Tensor, mask: Tensor, disparity: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Pencil on cream paper: contours and hatching, with a trace of the subject's colour."""
    line = outlines(rgb, mask, disparity, 3)
    grey = luma(blur(rgb, 3))
    mean = grey.mean((-3, -2, -1), keepdim=True)
    grey = (grey * (0.6 / mean).clamp(0.8, 2.2)).clamp(0, 1)
    hatch = 0.5 + 0.5 * torch.sin((x + y) * 1.25 + 3.0 * fbm(x / 90.0, y / 90.0))
    tone = smooth(0.62, 0.12, grey) * (0.35 + 0.65 * hatch) * 0.62
    tooth = 0.95 + 0.08 * fbm(x / 24.0, y / 24.0)
    page = colour((0.96, 0.94, 0.88), rgb) * tooth.unsqueeze(0)
    tint = (mask * 0.55).unsqueeze(0)
    page = page + tint * (rgb * 0.8 + 0.2 - page)
    return page * (1 - torch.maximum(line * 0.82, tone)).unsqueeze(0)


STYLE_FUNCTIONS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "realistic": realistic,
    "watercolor": watercolor,
    "anime": anime,
    "noir": noir,
    "neon": neon,
    "paper": paper,
    "pixel": pixel,
    "sketch": sketch,
}
