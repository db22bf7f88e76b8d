"""Noise that depends on nothing but the seed: the same clip on every device, and parts of it that agree with it."""

from __future__ import annotations

import math
from typing import Any

import torch

Tensor = torch.Tensor


def generator(seed: int) -> torch.Generator:
    """A fresh CPU generator: used once, so that what ran before changes nothing."""
    return torch.Generator("cpu").manual_seed(seed % (1 << 63))


def noise(shape: tuple[int, ...], seed: int, device: Any = None) -> Tensor:
    """Unit Gaussian float32 of ``shape``, drawn as diffusers' pipelines draw theirs from a CPU generator."""
    from diffusers.utils.torch_utils import randn_tensor

    return randn_tensor(shape, generator=generator(seed), device=torch.device(device or "cpu"), dtype=torch.float32)


def between(a: Tensor, b: Tensor, amount: float) -> Tensor:
    """Spherical interpolation of two noises of one shape; unit variance all the way. 0 = ``a``, 1 = ``b``."""
    x, y = a.flatten().double(), b.flatten().double()
    cosine = float((x @ y) / (x.norm() * y.norm() + 1e-12))
    angle = math.acos(max(-1.0, min(1.0, cosine)))
    if angle < 1e-4:
        return a
    left, right = math.sin((1 - amount) * angle) / math.sin(angle), math.sin(amount * angle) / math.sin(angle)
    return (left * a.double() + right * b.double()).float()
