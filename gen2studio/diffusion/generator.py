"""The diffusion generator: a request becomes prepared conditions, pipeline inputs, latents, frames.

No torch at import: it is loaded on the engine thread when a model first runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gen2studio.engine.events import Estimate
from gen2studio.engine.generators import Abilities, RunContext
from gen2studio.engine.requests import GenerateRequest

if TYPE_CHECKING:
    from gen2studio.diffusion.runtime.residency import Residency
    from gen2studio.models.library import InstalledModel


class DiffusionGenerator:
    """Implements :class:`gen2studio.engine.generators.Generator` for one installed model.

    ``residency`` owns the loaded weights; generators of several models share one.
    """

    def __init__(self, model: InstalledModel, residency: Residency) -> None: ...

    @property
    def abilities(self) -> Abilities: ...

    def estimate(self, request: GenerateRequest) -> Estimate: ...

    def run(self, request: GenerateRequest, context: RunContext) -> None: ...
