"""Outpainting as the engine keeps its promise: whatever a generator draws, the footage inside is the source's own."""

from __future__ import annotations

from gen2studio.core.errors import GenerationError
from gen2studio.core.geometry import Rect
from gen2studio.engine.requests import GenerateRequest

_LEAST = 8
"""Pixels a side that must be left for the footage."""


def footage_rect(request: GenerateRequest) -> Rect:
    """Where the footage lies in a request's output frame: all of it unless room was added around.

    Raises GenerationError when the room leaves nothing for the footage.
    """
    left, top, right, bottom = request.outpaint
    found = Rect(left, top, request.width - left - right, request.height - top - bottom)
    if min(request.outpaint) < 0 or found.width < _LEAST or found.height < _LEAST:
        raise GenerationError("The borders leave no room for the footage.", "Make the new frame larger.")
    return found
