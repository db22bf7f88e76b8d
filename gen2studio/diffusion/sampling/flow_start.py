"""Beginning a flow-matching run at the noised footage, with schedulers whose shift depends on size and steps."""

from __future__ import annotations

from typing import Any

import numpy as np


def levels(strength: float, steps: int) -> Any:
    """Noise levels, before the scheduler's shift, of a run that begins at ``strength``: its share of the steps."""
    count = max(1, round(steps * strength))
    return np.linspace(strength, strength / count, count)


def first_level(scheduler: Any, chosen: Any, shift: float) -> float:
    """Where ``scheduler`` begins with the levels ``chosen`` and the dynamic ``shift``; it is not changed."""
    own = type(scheduler).from_config(scheduler.config)
    own.set_timesteps(sigmas=chosen, mu=shift)
    return float(own.sigmas[0])
