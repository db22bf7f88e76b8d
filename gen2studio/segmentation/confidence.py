"""How far a carried matte can be trusted, from signs that need no truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2studio.segmentation.refine import Soft

LOST = 0.1
"""At or below this the subject was not found."""


@dataclass(frozen=True)
class Signs:
    """Each 0…1, 1 = good."""

    motion: float
    """Mean round-trip trust of the flow over the subject and its edge."""
    edge: float
    """Share of the pixels beside the edge that were decided clearly."""
    area: float
    """From the smaller over the larger of the areas now and five frames ago: halving or doubling is suspect."""
    looks: float
    """How well the subject separates from its surroundings by the remembered appearance."""

    @property
    def confidence(self) -> float:
        """0…1. One bad sign is enough to call a frame suspect, so signs multiply; motion alone weighs half, because
        appearance often carries a subject through motion that flow cannot follow."""
        return float(np.clip((0.5 + 0.5 * self.motion) * self.edge * self.area * (0.3 + 0.7 * self.looks), 0, 1))


def signs_of(
    matte: Soft, distance: NDArray[np.float32], trust: NDArray[np.float32], looks: NDArray[np.float32], expected: float
) -> Signs:
    """Read the signs of one frame.

    ``matte`` 0…1 with signed ``distance`` of its edge in pixels, flow ``trust`` 0…1, appearance log-odds ``looks``
    (about ±4) and the ``expected`` area in pixels.
    """
    band = np.abs(distance) < 6
    near = distance > -6
    if not band.any() or not near.any():
        return Signs(0.0, 0.0, 0.0, 0.0)
    area = float((matte > 0.5).sum())
    decided = 1 - float((np.abs(matte[band] - 0.5) < 0.2).mean())
    inside, outside = band & (distance > 1), band & (distance < -1)
    gap = (float(looks[inside].mean()) if inside.any() else 0.0) - (
        float(looks[outside].mean()) if outside.any() else 0.0
    )
    ratio = min(area, expected) / max(area, expected, 1.0)
    return Signs(
        float(trust[near].mean()),
        float(np.clip(decided * 1.25, 0, 1)),
        float(np.clip(1.5 * ratio * ratio, 0, 1)),
        float(np.clip(gap / 4, 0, 1)),
    )
