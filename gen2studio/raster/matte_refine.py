"""What is done to an object's matte after it was drawn or carried, and how objects make one region together.

Everything here is pure: mattes and pictures come from functions ``frame → array or None``, so that viewer, engine and
exports show the same matte to the byte.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.geometry import Extent
from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_refinement import Refinement
from gen2studio.core.mask_shape import MaskShape
from gen2studio.raster import matte_steady, morphology
from gen2studio.raster.tiles import Mask

Rgb = NDArray[np.uint8]
"""(H, W, 3) uint8 sRGB at the size of the mattes."""
Mattes = Callable[[int], "Mask | None"]
"""Media frame → (H, W) uint8 matte; None on frames that have none."""
Pictures = Callable[[int], "Rgb | None"]
"""Media frame → picture; None outside the footage or where it can't be read."""

LIMITS: dict[str, tuple[float, float]] = {
    "despeckle": (0, 100_000), "fill_holes": (0, 100_000), "border_fix": (0, 64), "chatter": (0, 8), "edge": (0, 64),
    "edge_detail": (0, 1), "grow": (-64, 64), "feather": (0, 64), "decontaminate": (0, 1),
}  # fmt: skip
"""The range of every field of :class:`~gen2studio.core.mask_refinement.Refinement`."""
KEYED = ("grow", "feather", "decontaminate")
"""Fields that may change over the clip."""

_KEPT = 24
"""Results of steps that a :class:`StepMemo` remembers: those of the widest chatter window, and of the frame itself."""


# -- one object ------------------------------------------------------------------------------------------------------


def refine_matte(frame: int, mattes: Mattes, pictures: Pictures, refinement: Refinement) -> Mask | None:
    """The matte of ``frame`` after the whole stack, in its order: despeckle, fill holes, border fix, chatter, edge,
    grow, feather. None where there is no matte; the matte itself where the stack leaves it as it is.

    Chatter and edge need pictures; where there is none the matte goes on without that step.
    """
    return MatteRefiner(mattes, pictures, refinement)(frame)


def needs_pictures(refinement: Refinement) -> bool:
    """Whether the stack looks at the footage."""
    return refinement.enabled and (round(refinement.chatter) > 0 or refinement.edge > 0)


def neighbours(refinement: Refinement) -> int:
    """How many frames on each side of a frame its matte depends on."""
    return round(refinement.chatter) if refinement.enabled else 0


class StepMemo:
    """Results of steps of the stack by frame and settings. Good for one object as long as its mattes stay."""

    def __init__(self, most: int = _KEPT) -> None:
        self._most = most
        self._held: OrderedDict[tuple[object, ...], Mask | None] = OrderedDict()

    def get(self, key: tuple[object, ...], make: Callable[[], Mask | None]) -> Mask | None:
        """What is remembered under ``key``, else what ``make`` answers."""
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        found = self._held[key] = make()
        while len(self._held) > self._most:
            self._held.popitem(last=False)
        return found


class MatteRefiner:
    """:func:`refine_matte` for many frames: what neighbouring frames share is made once. One thread at a time.

    ``flows`` may be shared between refiners of one media, since flow depends on the pictures alone; ``memo`` between
    refiners of one object with other settings, so that a slider late in the stack costs only what comes after it.
    """

    def __init__(
        self,
        mattes: Mattes,
        pictures: Pictures,
        refinement: Refinement,
        flows: matte_steady.FlowBook | None = None,
        memo: StepMemo | None = None,
    ) -> None:
        self._mattes = mattes
        self._pictures = pictures
        self._stack = refinement
        self._flows = flows if flows is not None else matte_steady.FlowBook(pictures)
        self._memo = memo if memo is not None else StepMemo()
        self._first = (refinement.despeckle, refinement.fill_holes, refinement.border_fix)
        self._still = (*self._first, round(refinement.chatter))

    def __call__(self, frame: int) -> Mask | None:
        stack = self._stack
        if not stack.changes_matte:
            return self._mattes(frame)
        matte = self._steadied(frame) if round(stack.chatter) > 0 else self._cleaned(frame)
        if matte is not None and stack.edge > 0:
            key = ("edge", frame, *self._still, stack.edge, stack.edge_detail)
            matte = self._memo.get(key, partial(self._edged, frame, matte))
        if matte is None:
            return None
        grown = stack.grow.at(frame)
        if grown:
            matte = morphology.grow(matte, grown)
        sigma = stack.feather.at(frame)
        return morphology.blur(matte, sigma) if sigma > 0 else matte

    def _edged(self, frame: int, matte: Mask) -> Mask:
        picture = self._pictures(frame)
        if picture is None:
            return matte
        from gen2studio.raster import matting

        return matting.follow_edges(matte, picture, self._stack.edge, self._stack.edge_detail)

    def _steadied(self, frame: int) -> Mask | None:
        if self._cleaned(frame) is None:
            return None
        reach = round(self._stack.chatter)
        return self._memo.get(
            ("steady", frame, *self._still),
            lambda: matte_steady.steadied(frame, self._cleaned, self._flows, reach),
        )

    def _cleaned(self, frame: int) -> Mask | None:
        return self._memo.get(("clean", frame, *self._first), partial(self._made_clean, frame))

    def _made_clean(self, frame: int) -> Mask | None:
        found = self._mattes(frame)
        return cleaned(found, self._stack) if found is not None else None


def cleaned(matte: Mask, stack: Refinement) -> Mask:
    """The steps of the stack that look at one matte alone and come first: despeckle, fill holes, border fix."""
    if stack.despeckle > 1:
        matte = morphology.despeckle(matte, math.ceil(stack.despeckle))
    if stack.fill_holes > 1:
        matte = morphology.fill_holes(matte, math.ceil(stack.fill_holes) - 1)
    return morphology.continue_to_border(matte, round(stack.border_fix)) if stack.border_fix >= 1 else matte


def with_shapes(mattes: Mattes, shapes: Sequence[MaskShape], extent: Extent) -> Mattes:
    """What was painted with the outlines over it: None on frames that have neither."""
    if not shapes:
        return mattes

    def drawn(frame: int) -> Mask | None:
        painted = mattes(frame)
        if not any(shape.lives_at(frame) for shape in shapes):
            return painted
        from gen2studio.raster import splines

        return splines.matte_with_shapes(painted, tuple(shapes), frame, extent)

    return drawn


def decontaminated(picture: Rgb, matte: Mask, amount: float) -> Rgb:
    """``picture`` with the colour of soft edge pixels pulled to the subject's own by ``amount`` 0…1.

    A new array, or the picture itself where nothing is asked. See :func:`gen2studio.raster.matting.foreground`.
    """
    if amount <= 0:
        return picture
    from gen2studio.raster import matting

    return matting.decontaminate(picture, matte, amount)


# -- objects together ------------------------------------------------------------------------------------------------


def blended(below: Mask, matte: Mask, how: str) -> Mask:
    """``below`` changed by an object's matte: ``add`` = maximum, ``subtract`` = min(below, 255 − matte), ``intersect``
    = minimum. Raises ValueError for another ``how``."""
    if how == "add":
        return np.maximum(below, matte)
    if how == "subtract":
        return np.minimum(below, 255 - matte)
    if how == "intersect":
        return np.minimum(below, matte)
    raise ValueError(f"no such blend: {how}")


def at_extent(matte: Mask, extent: Extent) -> Mask:
    """``matte`` at ``extent``: itself where it fits, else area-averaged down or linear up."""
    height, width = matte.shape
    if (width, height) == (extent.width, extent.height):
        return matte
    way = cv2.INTER_AREA if height > extent.height else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(matte, (extent.width, extent.height), interpolation=way), np.uint8)


# -- values of the stack ---------------------------------------------------------------------------------------------


def clamped(name: str, value: float) -> float:
    """``value`` within the range of a field of the stack."""
    low, high = LIMITS[name]
    return min(high, max(low, float(value)))


def value_at(stack: Refinement, name: str, frame: int) -> float:
    """A field's number on a media frame, keyed or not."""
    found = getattr(stack, name)
    return found.at(frame) if isinstance(found, Keyed) else float(found)
