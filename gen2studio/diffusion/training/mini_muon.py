"""Muon in float32 with matrices of one shape orthogonalised together, which is what makes it affordable on a CPU.

Keller Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the step is scaled to match
AdamW's root mean square (Liu et al., "Muon is scalable for LLM training", arXiv 2502.16982), so that both share one
learning rate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalised(matrices: Tensor, rounds: int = 3) -> Tensor:
    """[N, rows, columns] → each matrix with its singular values near one, by the quintic Newton-Schulz iteration."""
    turned = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if turned else matrices
    x = x / (x.flatten(1).norm(dim=1).view(-1, 1, 1) + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(rounds):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if turned else x


class BatchedMuon(torch.optim.Optimizer):
    """Nesterov momentum, then :func:`orthogonalised`, for the two-dimensional weights of hidden layers."""

    def __init__(
        self, parameters: Iterable[Tensor], lr: float = 2e-3, momentum: float = 0.95, weight_decay: float = 0.02
    ) -> None:
        super().__init__(list(parameters), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step over all parameters that have a gradient."""
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[Any]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes[tuple(parameter.shape)].append(parameter)
            for shape, parameters in shapes.items():
                updates: list[Tensor] = []
                for parameter in parameters:
                    state = self.state[parameter]
                    if "momentum" not in state:
                        state["momentum"] = torch.zeros_like(parameter)
                    gradient: Tensor = parameter.grad
                    state["momentum"].lerp_(gradient, 1 - group["momentum"])
                    updates.append(torch.lerp(gradient, state["momentum"], group["momentum"]))
                made = orthogonalised(torch.stack(updates))
                scale = 0.2 * max(shape) ** 0.5
                for parameter, update in zip(parameters, made, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"] * scale)
