"""Steps that would change little are not computed: the last prediction is carried on instead.

EasyCache (Zhou et al., "Less is Enough: Training-Free Video Diffusion Acceleration via Runtime-Adaptive Caching", arXiv
2507.02860). While a video settles, what the model adds to its input hardly changes from step to step, and the rate at
which predictions follow inputs is steady. So with the prediction v, the input x and the rate k of the last computed
step, the error of going on with v = x + Δ is about

    ε = k · |x − x'| / |v'|          k = |v' − v''| / |x' − x''|

These are summed since the last computed step; the model runs again when the sum reaches the tolerance. It is decided on
the first prediction of a step and followed by the others, so that guidance compares like with like. Nothing is kept on
the model: a job that runs in between neither sees nor disturbs this.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

FEWEST_STEPS = 8
"""Below, every step decides something: distilled schedules have nothing to reuse."""
_WARM_UP = 0.2
"""Part of the steps, from the first, in which layout is found and the rate is not steady yet."""


@dataclass(slots=True)
class _Carried:
    """What one of the predictions of a step leaves for the next."""

    added: Tensor
    """Δ = v − x of the last computed step."""


class StepReuse:
    """The decisions of one job. ``tolerance`` is the summed relative error that is let pass; 0 computes every step."""

    def __init__(self, tolerance: float, steps: int) -> None:
        self._tolerance = tolerance if steps >= FEWEST_STEPS else 0.0
        self._steps = steps
        self._warm = max(2, math.ceil(_WARM_UP * steps))
        self._step = -1
        self._owner = 0
        self._seen: set[str] = set()
        self._reusing = False
        self._error = 0.0
        self._rate: float | None = None
        self._input: Tensor | None = None
        self._output: Tensor | None = None
        self._carried: dict[str, _Carried] = {}
        self.reused = 0
        """Steps that were not computed so far."""

    def predict(self, owner: object, which: str, x: Tensor, compute: Callable[[], Tensor]) -> Tensor:
        """``compute()``, or what stands for it. ``x`` is the model's input, in any layout; where the prediction has
        fewer channels, the input's first ones are what it belongs to. ``owner`` is the model (of two experts each
        starts afresh), ``which`` the pass of the step."""
        if not self._tolerance:
            return compute()
        leads = id(owner) != self._owner or which in self._seen or not self._seen
        if leads:
            self._begin(owner, x)
        self._seen.add(which)
        kept = self._carried.get(which)
        if self._reusing and kept is not None:
            here = _part_like(x, kept.added)
            found = (here.float() + kept.added).to(x.dtype)
        else:
            found = compute()
            here = _part_like(x, found)
            self._carried[which] = _Carried(found.float() - here.float())
        if leads:
            self._learn(here.float(), found.float())
        return found

    def _begin(self, owner: object, x: Tensor) -> None:
        """A new step: may it be reused?"""
        self._step += 1
        self._seen.clear()
        if id(owner) != self._owner:
            self._owner = id(owner)
            self._rate = self._input = self._output = None
            self._carried.clear()
        self._reusing = False
        if self._step < self._warm or self._step >= self._steps - 1:
            self._error = 0.0
            return
        if self._rate is None or self._input is None or self._output is None:
            return
        change = _size(_part_like(x, self._input).float() - self._input)
        self._error += self._rate * change / max(_size(self._output), 1e-12)
        self._reusing = self._error < self._tolerance
        if self._reusing:
            self.reused += 1
        else:
            self._error = 0.0

    def _learn(self, x: Tensor, v: Tensor) -> None:
        if not self._reusing and self._input is not None and self._output is not None:
            change = _size(x - self._input)
            self._rate = _size(v - self._output) / change if change > 0 else None
        self._input, self._output = x, v


def _part_like(x: Tensor, like: Tensor) -> Tensor:
    """The first entries of ``x`` along every axis: what is given beside the latents lies behind them."""
    return x[tuple(slice(0, count) for count in like.shape)]


def _size(values: Tensor) -> float:
    return float(values.abs().mean())
