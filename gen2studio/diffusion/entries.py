"""The installed diffusion models as generator entries: what each can do, told without importing torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gen2studio.engine.abilities import GeneratorEntry
from gen2studio.engine.generators import Abilities

if TYPE_CHECKING:
    from gen2studio.models.library import InstalledModel, ModelLibrary


def generator_entries(library: ModelLibrary) -> list[GeneratorEntry]:
    """One entry per usable model of the library, built-in first. Never imports torch."""
    return []


def abilities_of(model: InstalledModel) -> Abilities:
    """Modes, controls and ranges of a model, from its family and its manifest."""
    raise LookupError(model)
