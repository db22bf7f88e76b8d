"""Small key-frame pictures for filmstrips and the media pool, cached on disk."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def thumbnail(path: Path | str, seconds: Fraction, height: int) -> NDArray[np.uint8]:
    """(height, W, 4) BGRA premultiplied: the key frame at or before ``seconds`` (0 = first frame). Any thread but the UI's.

    Raises MediaError.
    """
    ...
