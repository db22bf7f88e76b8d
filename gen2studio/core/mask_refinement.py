"""What is done to an object's matte after it was drawn or carried: kept beside it, never baked into it."""

from __future__ import annotations

from gen2studio.core.keyed import Keyed
from gen2studio.core.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """The refine stack of a mask object, in the order in which it is applied. Lengths are media pixels."""

    enabled: bool = True
    despeckle: float = 0.0
    """Islands of fewer pixels than this go."""
    fill_holes: float = 0.0
    """Holes of fewer pixels than this are filled."""
    border_fix: float = 0.0
    """Within this distance of the picture's border the matte is continued from further inside, 0…64."""
    chatter: float = 0.0
    """Frames on each side over which the edge is steadied, 0…8; whole numbers."""
    edge: float = 0.0
    """Half-width in pixels of the band in which the matte follows the picture's own edges (hair, motion blur), 0…64."""
    edge_detail: float = 0.5
    """0 smooth … 1 every hair."""
    grow: Keyed = Keyed(0.0)
    """Pixels grown (+) or shrunk (−), −64…64."""
    feather: Keyed = Keyed(0.0)
    """Gaussian sigma in pixels, both ways, 0…64."""
    decontaminate: Keyed = Keyed(0.0)
    """0…1: how far the colour of soft edge pixels is pulled to the subject's own, in exports with colour."""

    @property
    def changes_matte(self) -> bool:
        """False where the stack leaves every matte as it is."""
        return self.enabled and any(
            (self.despeckle, self.fill_holes, self.border_fix, self.chatter, self.edge,
             self.grow.value, self.grow.keys, self.feather.value, self.feather.keys)
        )  # fmt: skip
