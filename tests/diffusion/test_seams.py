"""Where drawn room meets footage: no step in colour at the border, and the drawing itself farther out."""

from __future__ import annotations

import numpy as np

from gen2studio.core.geometry import Rect
from gen2studio.diffusion.seams import met

INSIDE = Rect(120, 0, 240, 160)


def test_the_difference_at_the_border_fades_outwards() -> None:
    footage = np.full((160, 240, 3), (150, 120, 90), np.uint8)
    drawn = np.full((160, 480, 3), (110, 120, 130), np.uint8)
    made = met(drawn, footage, INSIDE).astype(int)
    assert np.abs(made[:, 117] - footage[0, 0]).max() <= 8
    far = np.abs(made[:, 2] - drawn[0, 0])
    assert far.max() <= 18
    # Monotonous on the way out: no ring around the footage.
    row = made[80, 119::-1, 0]
    assert (np.diff(row) <= 1).all()


def test_the_first_cell_goes_on_as_the_footage_does() -> None:
    footage = np.zeros((160, 240, 3), np.uint8)
    footage[:, ::2] = 255
    drawn = np.full((160, 480, 3), 127, np.uint8)
    plain, faded = met(drawn, footage, INSIDE), met(drawn, footage, INSIDE, 16.0)
    assert plain[80, 112:120, 0].std() < 12 < 60 < faded[80, 114:120, 0].std()
    assert np.array_equal(plain[:, :100], faded[:, :100])
    assert np.array_equal(met(drawn, footage, Rect(120, 0, 240, 160), 1e6).shape, drawn.shape)
