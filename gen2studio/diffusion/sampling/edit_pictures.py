"""Pictures for pipelines that edit: as PIL images, within what they accept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gen2studio.engine.events import Picture

_LEAST = 64
"""Pixels a side: below that the pipelines refuse a picture."""
_LONGEST = 8.0
"""Longer side to shorter one at most."""


def as_images(pictures: Sequence[Picture]) -> list[Any]:
    """PIL images of (H, W, 3) uint8 pictures. Small ones are enlarged, and of very long ones the middle is taken."""
    from PIL import Image

    made: list[Any] = []
    for picture in pictures:
        height, width = picture.shape[:2]
        wide, tall = min(width, round(height * _LONGEST)), min(height, round(width * _LONGEST))
        left, top = (width - wide) // 2, (height - tall) // 2
        image = Image.fromarray(picture[top : top + tall, left : left + wide])
        if min(wide, tall) < _LEAST:
            scale = _LEAST / min(wide, tall)
            image = image.resize((max(_LEAST, round(wide * scale)), max(_LEAST, round(tall * scale))))
        made.append(image)
    return made
