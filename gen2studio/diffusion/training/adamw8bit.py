"""AdamW whose memory of the gradients takes a quarter: both moments in 8 bits, block by block.

Dettmers et al., "8-bit Optimizers via Block-wise Quantization", arXiv 2110.02861: each block of numbers is divided by
its largest and rounded to the nearest of 256 values that lie closer together towards zero. One thing is different
here: of the second moment the square root is kept, which is what the step is divided by. Seven decades of it cover
fourteen of the moment itself, so that a small one doesn't become zero beside a large one of its block.

It needs torch alone and steps without compiling anything, on every device.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from gen2studio.engine.optimisers import BLOCK

SMALLEST = 4096
"""Tensors of fewer numbers keep their moments in float32: there is nothing to save."""
_AT_ONCE = 1 << 20
"""Numbers worked on together: what is widened for a step stays small beside what is saved."""
_CODES = ("mean_codes", "root_codes")


@cache
def dynamic_map(*, signed: bool) -> Tensor:
    """[256] float32, ascending: the values of a code, from 0 (or -1) to 1.

    Seven decades, each evenly filled; each has twice as many values as the one below it (section 1.3 of the paper).
    """
    values: list[float] = [0.0, 1.0]
    for decade in range(7):
        count = 2 ** (6 - decade) * (1 if signed else 2)
        edges = torch.linspace(0.1, 1.0, count + 1, dtype=torch.float64)
        found = ((edges[:-1] + edges[1:]) / 2 * 10.0**-decade).tolist()
        values += [*found, *(-value for value in found)] if signed else found
    return torch.tensor(sorted(values), dtype=torch.float32)


@cache
def _middles(*, signed: bool) -> Tensor:
    values = dynamic_map(signed=signed)
    return (values[1:] + values[:-1]) / 2


def narrowed(values: Tensor, *, signed: bool) -> tuple[Tensor, Tensor]:
    """Codes (n, BLOCK) uint8 and scales (n,) of blocks (n, BLOCK) float32. What is not zero doesn't become zero in an
    unsigned map: it is divided by."""
    scales = values.abs().amax(dim=1)
    shares = values / scales.clamp_min(torch.finfo(torch.float32).tiny)[:, None]
    codes = torch.bucketize(shares, _middles(signed=signed).to(values.device), out_int32=True)
    if not signed:
        codes = torch.where(values > 0, codes.clamp_min(1), codes)
    return codes.to(torch.uint8), scales


def widened(codes: Tensor, scales: Tensor, *, signed: bool) -> Tensor:
    """Blocks (n, BLOCK) float32 of what :func:`narrowed` made."""
    return dynamic_map(signed=signed).to(codes.device)[codes.int()] * scales[:, None]


class AdamW8bit(torch.optim.Optimizer):
    """AdamW (Loshchilov & Hutter, arXiv 1711.05101) on float32 parameters, its moments in 8 bits.

    The same state and gradients give the same bits, and its state can be saved and put back without loss.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(list(parameters), {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step over all parameters that have a gradient."""
        for group in self.param_groups:
            alike: dict[tuple[torch.device, int, bool], list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self.state[parameter]
                    if not state:
                        state.update(_fresh(parameter))
                    state["step"] += 1
                    alike[parameter.device, int(state["step"]), "mean" in state].append(parameter)
            for (_, step, whole), parameters in alike.items():
                for batch in [[p] for p in parameters] if whole else _batches(parameters):
                    self._step(batch, group, step, whole=whole)

    def _step(self, batch: list[Tensor], group: Mapping[str, Any], step: int, *, whole: bool) -> None:
        states = [self.state[parameter] for parameter in batch]
        slow, slower = group["betas"]
        if whole:
            gradient, mean, square = _gradient(batch[0]), states[0]["mean"], states[0]["square"]
        else:
            gradient = torch.cat([_blocks(_gradient(parameter)) for parameter in batch])
            mean = widened(*(_joined(states, f"mean_{name}") for name in ("codes", "scales")), signed=True)
            square = widened(*(_joined(states, f"root_{name}") for name in ("codes", "scales")), signed=False).square_()
        mean.lerp_(gradient, 1 - slow)
        square.lerp_(gradient.square(), 1 - slower)
        root = square.sqrt()
        update = mean / (root / (1 - slower**step) ** 0.5 + group["eps"])
        counts = [parameter.numel() if whole else _count(parameter) * BLOCK for parameter in batch]
        parts = update.flatten().split(counts)
        shrink, rate = 1 - group["lr"] * group["weight_decay"], group["lr"] / (1 - slow**step)
        for parameter, part in zip(batch, parts, strict=True):
            parameter.mul_(shrink).sub_(part[: parameter.numel()].view_as(parameter), alpha=rate)
        if not whole:
            self._keep(states, "mean", narrowed(mean, signed=True))
            self._keep(states, "root", narrowed(root, signed=False))

    @staticmethod
    def _keep(states: list[dict[str, Tensor]], name: str, made: tuple[Tensor, Tensor]) -> None:
        counts = [len(state[f"{name}_scales"]) for state in states]
        for kind, values in zip(("codes", "scales"), made, strict=True):
            for state, part in zip(states, values.split(counts), strict=True):
                state[f"{name}_{kind}"].copy_(part)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Put a state back. Torch makes every value a float on its way; whole numbers up to 255 lose nothing by it."""
        super().load_state_dict(dict(state_dict))
        for state in self.state.values():
            for name in _CODES:
                if name in state:
                    state[name] = state[name].to(torch.uint8)


def _count(parameter: Tensor) -> int:
    """Blocks of a parameter."""
    return -(-parameter.numel() // BLOCK)


def _fresh(parameter: Tensor) -> dict[str, Tensor]:
    step = torch.zeros((), dtype=torch.float32)
    if parameter.numel() < SMALLEST:
        whole = torch.zeros_like(parameter, dtype=torch.float32)
        return {"step": step, "mean": whole, "square": whole.clone()}
    count, place = _count(parameter), parameter.device
    # Of a map with a sign the middle code stands for zero.
    zero = int(dynamic_map(signed=True).eq(0).nonzero())
    return {
        "step": step,
        "mean_codes": torch.full((count, BLOCK), zero, dtype=torch.uint8, device=place),
        "mean_scales": torch.zeros(count, device=place),
        "root_codes": torch.zeros((count, BLOCK), dtype=torch.uint8, device=place),
        "root_scales": torch.zeros(count, device=place),
    }


def _batches(parameters: list[Tensor]) -> Iterator[list[Tensor]]:
    """Parameters that are stepped together: thousands of small ones would take longer one by one."""
    batch: list[Tensor] = []
    for parameter in parameters:
        if batch and sum(p.numel() for p in batch) + parameter.numel() > _AT_ONCE:
            yield batch
            batch = []
        batch.append(parameter)
    if batch:
        yield batch


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad.float()


def _blocks(values: Tensor) -> Tensor:
    flat = values.flatten()
    return pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)


def _joined(states: list[dict[str, Tensor]], name: str) -> Tensor:
    return torch.cat([state[name] for state in states])
