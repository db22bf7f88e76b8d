"""Few-step schedules exactly as checkpoints and adapters were distilled with them.

Two kinds. Step distillation (lightx2v, CausVid) keeps the model's ODE: the times are those of its training, and the
usual solver walks them. Distribution matching (DMD: FastWan, Self-Forcing) predicts the clean clip at every step and
noises it again: the times are a fixed list, and what is noised again must come from the job's own seed, not from
torch's global state, or the same job gives another clip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gen2studio.diffusion.families.contract import StepRecipe
from gen2studio.diffusion.sampling import seeds

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMES = "times"
"""Name among a recipe's options: the fixed noise levels, 1 … 0 without the last 0."""
_AGAIN = 1_000_003
"""Added to a job's seed for what is noised again: never the noise that the job began with."""


def recipe_named(recipes: Sequence[StepRecipe], name: str) -> StepRecipe | None:
    """The recipe of that name; None when there is none or ``name`` is empty."""
    return next((recipe for recipe in recipes if recipe.name == name), None)


def times_of(recipe: StepRecipe | None) -> tuple[float, ...]:
    """The fixed noise levels of a recipe; empty when its scheduler makes them from its own shift."""
    return tuple(dict(recipe.options).get(TIMES, ())) if recipe is not None else ()


def scheduler_for(recipe: StepRecipe, own: Any, seed: int) -> Any:
    """A scheduler of the recipe's class and options, for the times that ``own`` counts in.

    One that draws noise at its steps draws it from ``seed`` on the CPU: the same on every device.
    """
    import diffusers

    options = {name: value for name, value in recipe.options if name != TIMES}
    kind: Any = getattr(diffusers, recipe.scheduler)
    made = kind(num_train_timesteps=own.config.num_train_timesteps, **options)
    if recipe.scheduler == "FlowMatchLCMScheduler":
        drawn = seeds.generator(seed + _AGAIN)
        step = made.step

        def seeded(model_output: Any, timestep: Any, sample: Any, **named: Any) -> Any:
            return step(model_output, timestep, sample, **{**named, "generator": drawn})

        made.step = seeded
    return made
