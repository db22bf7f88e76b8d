"""Outpainting in whole pixels: how large the frame becomes, and where the footage lies in it.

A take of a reframed clip has the larger frame. It is fitted into the timeline by its own shape: a clip that is given
the shape of the timeline fills it, and one that is given room on all sides is seen from further away.
"""

from __future__ import annotations

from gen2studio.core.geometry import Extent, Rect
from gen2studio.document.look import Look, Outpaint

STEP = 2
"""Room is added in so many pixels: whole sides of chroma in every codec."""


def rooms(outpaint: Outpaint, size: Extent) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) pixels around footage of ``size``."""

    def even(part: float, side: int) -> int:
        return round(part * side / STEP) * STEP

    return (
        even(outpaint.left, size.width), even(outpaint.top, size.height),
        even(outpaint.right, size.width), even(outpaint.bottom, size.height),
    )  # fmt: skip


def of_rooms(pixels: tuple[int, int, int, int], size: Extent) -> Outpaint:
    """The reverse of :func:`rooms`."""
    left, top, right, bottom = pixels
    return Outpaint(
        left=left / size.width, top=top / size.height, right=right / size.width, bottom=bottom / size.height
    )


def place(outpaint: Outpaint, size: Extent) -> Rect:
    """The larger frame in pixels of the footage, whose own upper left corner is (0, 0)."""
    left, top, right, bottom = rooms(outpaint, size)
    return Rect(-left, -top, size.width + left + right, size.height + top + bottom)


def place_of_picture(look: Look, size: Extent, width: int, height: int) -> Rect:
    """Where a picture of ``width`` × ``height`` pixels that ``look`` made of footage of ``size`` lies over it: a look
    may have changed since, so the picture's own shape has a say."""
    reached = place(look.outpaint, size)
    same = abs(width * reached.height / max(1, height * reached.width) - 1) < 0.02
    return reached if look.outpaint.adds and same else Rect.of(size)


def to_aspect(size: Extent, aspect: float) -> Outpaint:
    """Equal room on two sides so that footage of ``size`` gets the shape ``aspect`` (width over height)."""
    own = size.width / size.height
    if abs(aspect / own - 1) < 0.005:
        return Outpaint()
    if aspect > own:
        # Whole steps on either side, so that the footage stays in the middle.
        extra = round((size.height * aspect - size.width) / 2 / STEP) * STEP / size.width
        return Outpaint(left=extra, right=extra)
    extra = round((size.width / aspect - size.height) / 2 / STEP) * STEP / size.height
    return Outpaint(top=extra, bottom=extra)
