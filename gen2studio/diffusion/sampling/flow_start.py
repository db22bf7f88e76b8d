"""Beginning a flow-matching run at the noised footage, with schedulers whose shift depends on size and steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gen2studio.diffusion.sampling.holding import noised, taken_steps

if TYPE_CHECKING:
    from torch import Tensor


def levels(strength: float, steps: int) -> Any:
    """Noise levels, before the scheduler's shift, of a run that begins at ``strength``: its share of the steps."""
    count = taken_steps(steps, strength)
    return np.linspace(strength, strength / count, count)


def begun(scheduler: Any, chosen: Any, shift: float, clean: Tensor, noise: Tensor) -> Tensor:
    """``clean`` noised to where ``scheduler`` begins with the levels ``chosen`` and the dynamic ``shift``.

    ``scheduler`` is not changed.
    """
    own = type(scheduler).from_config(scheduler.config)
    own.set_timesteps(sigmas=chosen, mu=shift)
    return noised(clean.to(noise), noise, float(own.sigmas[0]))
