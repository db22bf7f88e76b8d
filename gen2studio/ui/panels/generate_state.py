"""What the sections of the generate panel are shown: the look, and what the chosen generator makes of it."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from gen2studio.core.records import dataclass
from gen2studio.document.look import Look, Mode, Region
from gen2studio.document.model import Clip, MediaItem, Shot
from gen2studio.engine.generators import Abilities, ModeAbility

SOURCELESS = (Mode.TEXT_TO_VIDEO, Mode.TEXT_IMAGE_TO_VIDEO, Mode.IMAGE_TO_VIDEO)
"""Modes that fill a shot rather than change footage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelState:
    """One moment of the panel."""

    look: Look
    abilities: Abilities
    """Of the generator that will run."""
    ability: ModeAbility
    clip: Clip | None
    item: MediaItem | None

    def honours(self, *controls: str) -> bool:
        """Whether the generator honours any of ``controls`` in this mode."""
        return any(control in self.ability.controls for control in controls)

    @property
    def sourceless(self) -> bool:
        return self.look.mode in SOURCELESS

    @property
    def on_footage(self) -> bool:
        """The mode changes footage that is there."""
        return not self.sourceless and self.look.mode is not Mode.STORYBOARD

    @property
    def reframed(self) -> bool:
        """Room is added around the footage, which itself stays as it is: nothing acts inside it."""
        return self.look.outpaint.adds and self.honours("outpaint")

    @property
    def masked(self) -> bool:
        """Mattes decide where something changes."""
        if self.reframed:
            return False
        return self.look.region is not Region.ALL or self.look.mode is Mode.MASK

    @property
    def shot(self) -> Shot | None:
        return self.item.shot if self.item is not None else None

    @property
    def rate(self) -> Fraction:
        return (self.item.info.rate if self.item is not None else Fraction(0)) or Fraction(25)


class StateContent(Protocol):
    """Content of a section that follows the panel."""

    def show_state(self, state: PanelState) -> None: ...
