"""How far a carried matte can be trusted, from signs that need no truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2studio.segmentation.refine import Soft

# A logistic fit of "region overlap of at least 0.7" on 486 carried frames of composed, altered and real clips with
# known mattes; left out clip by clip, it ranks frames below 0.6 under the others with an AUC of 0.91.
_DISOWNED, _AREA, _AGREEMENT, _BIAS = -7.0, 2.4, 7.8, -6.6


@dataclass(frozen=True)
class Signs:
    """What one frame says of its own matte."""

    disowned: float
    """Share 0…1 of the matte that the drawn frame takes for background."""
    area: float
    """0…1 from the smaller over the larger of the areas now and five frames ago: halving or doubling is suspect."""
    agreement: float
    """Overlap 0…1 of the matte with where motion alone had carried it."""
    looks: float
    """0…1: how well the subject separates from its surroundings by the remembered appearance."""

    @property
    def confidence(self) -> float:
        """How likely the matte is to be usable, 0…1."""
        score = _DISOWNED * self.disowned + _AREA * self.area + _AGREEMENT * self.agreement + _BIAS
        return float(1 / (1 + np.exp(-score)))


def signs_of(
    matte: Soft,
    distance: NDArray[np.float32],
    expected: Soft,
    looks: NDArray[np.float32],
    drawn: NDArray[np.float32],
    before: float,
) -> Signs:
    """Read the signs of one frame.

    ``matte`` 0…1 with signed ``distance`` of its edge in pixels, ``expected`` 0…1 from motion alone, appearance
    log-odds ``looks`` of all memory and ``drawn`` of the drawn frame (about ±4 and ±3, zero where nothing was asked),
    and the area in pixels a few frames ``before``.
    """
    inside, carried = matte > 0.5, expected > 0.5
    area, either = float(inside.sum()), float((inside | carried).sum())
    if area == 0:
        return Signs(1.0, 0.0, 0.0, 0.0)
    band = np.abs(distance) < 6
    within, around = band & (distance > 1), band & (distance < -1)
    gap = (float(looks[within].mean()) if within.any() else 0.0) - (
        float(looks[around].mean()) if around.any() else 0.0
    )
    ratio = min(area, before) / max(area, before, 1.0)
    return Signs(
        float((drawn[inside] < -0.3).mean()),
        float(np.clip(1.5 * ratio * ratio, 0, 1)),
        float((inside & carried).sum()) / either,
        float(np.clip(gap / 4, 0, 1)),
    )
