"""The diffusion generator: a request becomes prepared conditions, pipeline inputs, latents, frames.

No torch at import: it is loaded on the engine thread when a model first runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gen2studio.diffusion.entries import abilities_of, family_of
from gen2studio.diffusion.pace import PaceOfModel
from gen2studio.engine.events import Estimate
from gen2studio.engine.generators import Abilities, RunContext
from gen2studio.engine.requests import GenerateRequest

if TYPE_CHECKING:
    from gen2studio.diffusion.runtime.prompt_cache import PromptCache
    from gen2studio.diffusion.runtime.residency import Residency
    from gen2studio.models.library import InstalledModel


class DiffusionGenerator:
    """Implements :class:`gen2studio.engine.generators.Generator` for one installed model.

    ``residency`` owns the loaded weights; generators of several models share one, and one cache of prompts.
    """

    def __init__(self, model: InstalledModel, residency: Residency, prompts: PromptCache | None = None) -> None:
        from gen2studio.diffusion.runtime.prompt_cache import PromptCache

        self.model = model
        self.family = family_of(model)
        self.residency = residency
        self.prompts = prompts or PromptCache()
        self.pace = PaceOfModel(model.id, model.digest)

    @property
    def abilities(self) -> Abilities:
        return abilities_of(self.model)

    def estimate(self, request: GenerateRequest) -> Estimate:
        """Memory by the plan that fits now; seconds by what the model was measured at here, None before a first run."""
        from gen2studio.diffusion.estimating import estimated

        return estimated(self, request)

    def run(self, request: GenerateRequest, context: RunContext) -> None:
        """Make the request's frames. Raises StudioError (one sentence) and Cancelled; finished frames are kept."""
        from gen2studio.diffusion.production import Production, refuse_unserved

        refuse_unserved(request, self.family)
        Production(self.model, self.family, self.residency, self.prompts, self.pace, request, context).run()
