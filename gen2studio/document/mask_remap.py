"""Mask objects on other footage: mattes, outlines and refine stacks at another size, on other frames. Pure functions.

A picture is fitted into the timeline by its own shape, so that a point that is on screen in one place on both pictures
is a scale and a shift away (:func:`seen_alike`). Frames belong together that play at one moment of the clip.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace

from gen2studio.core.frozen import frozen_map
from gen2studio.core.geometry import Extent
from gen2studio.core.ids import new_id
from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.mask_refinement import Refinement
from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.core.records import dataclass
from gen2studio.document.model import MaskFrame, MaskObject

_LONGEST = 64.0
"""Pixels that a length of a refine stack may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a pixel (x, y) of one picture lies on another: (x · ``scale`` + ``right``, y · ``scale`` + ``down``)."""

    scale: float = 1.0
    right: float = 0.0
    down: float = 0.0

    @property
    def same(self) -> bool:
        return (self.scale, self.right, self.down) == (1.0, 0.0, 0.0)


def seen_alike(old: Extent, new: Extent, frame: Extent) -> Placement:
    """From pixels of ``old`` to those of ``new`` at the same place of ``frame``, into which both are fitted."""
    if old == new:
        return Placement()
    before = min(frame.width / old.width, frame.height / old.height)
    after = min(frame.width / new.width, frame.height / new.height)
    scale = before / after
    return Placement(scale=scale, right=(new.width - old.width * scale) / 2, down=(new.height - old.height * scale) / 2)


@dataclass(frozen=True, slots=True)
class Frames:
    """Which frame of the old footage plays with each of the new: ``old[n - first]`` with frame n; sorted."""

    first: int
    old: tuple[int, ...]

    def new_of(self, frame: int) -> int:
        """The first new frame that plays with an old one, or where it would be; may lie outside."""
        if not self.old:
            return self.first
        if frame < self.old[0]:
            return self.first - (self.old[0] - frame)
        if frame > self.old[-1]:
            return self.first + len(self.old) - 1 + (frame - self.old[-1])
        return self.first + bisect_left(self.old, frame)

    @property
    def last(self) -> int:
        return self.first + len(self.old) - 1


def remapped(
    mask: MaskObject,
    media_id: str,
    frames: Frames,
    placed: Placement,
    raster: Callable[[MaskRaster], MaskRaster],
) -> tuple[MaskObject, int]:
    """(``mask`` as an object of ``media_id``, how many of its mattes no new frame plays with).

    ``raster`` makes a matte of the new size. Only the first of several frames that show one corrected matte counts as
    corrected; what carried mattes were carried from is not known any more.
    """
    made: dict[MaskRaster, MaskRaster] = {}

    def sized(found: MaskRaster) -> MaskRaster:
        if found not in made:
            made[found] = raster(found)
        return made[found]

    mattes: dict[int, MaskFrame] = {}
    used: set[int] = set()
    for number, old in enumerate(frames.old, frames.first):
        found = mask.frames.get(old)
        if found is not None:
            mattes[number] = replace(
                found, raster=sized(found.raster), anchor=found.anchor and old not in used, basis=""
            )
            used.add(old)
    moved = replace(
        mask,
        id=new_id("mask"),
        media_id=media_id,
        frames=frozen_map(mattes),
        shapes=tuple(_shape(shape, frames, placed) for shape in mask.shapes),
        refinement=_refinement(mask.refinement, frames, placed.scale),
    )
    return moved, len(mask.frames.keys() - used)


def alike(one: MaskObject, other: MaskObject) -> bool:
    """Whether two objects of one media are the same matte under the same name."""
    plain = [replace(m, id="mask", shapes=tuple(replace(s, id="shape") for s in m.shapes)) for m in (one, other)]
    return plain[0] == plain[1]


def _shape(shape: MaskShape, frames: Frames, placed: Placement) -> MaskShape:
    wanted: dict[int, int] = {}
    for old, _ in shape.keys:
        # What is keyed outside of the new footage holds its edge in place.
        wanted.setdefault(min(max(frames.new_of(old), frames.first), max(frames.last, frames.first)), old)
    edges = {frames.first: frames.old[0], frames.last: frames.old[-1]} if frames.old else {}
    keys = tuple(
        (new, tuple(_point(point, placed) for point in shape.points_at(edges.get(new, wanted[new]))))
        for new in sorted(wanted)
    )
    return replace(
        shape,
        id=new_id("shape"),
        keys=keys,
        start=None if shape.start is None else max(0, frames.new_of(shape.start)),
        stop=None if shape.stop is None else max(0, frames.new_of(shape.stop)),
    )


def _point(point: ShapePoint, placed: Placement) -> ShapePoint:
    s = placed.scale
    return ShapePoint(
        point.x * s + placed.right, point.y * s + placed.down, point.in_x * s, point.in_y * s, point.out_x * s,
        point.out_y * s, point.feather * s,
    )  # fmt: skip


def _refinement(stack: Refinement, frames: Frames, scale: float) -> Refinement:
    def length(value: float) -> float:
        return min(max(value * scale, -_LONGEST), _LONGEST)

    def keyed(value: Keyed, change: Callable[[float], float]) -> Keyed:
        keys = {max(0, frames.new_of(frame)): change(number) for frame, number in value.keys}
        return Keyed(change(value.value), tuple(sorted(keys.items())))

    return replace(
        stack,
        despeckle=stack.despeckle * scale * scale,
        fill_holes=stack.fill_holes * scale * scale,
        border_fix=length(stack.border_fix),
        edge=length(stack.edge),
        grow=keyed(stack.grow, length),
        feather=keyed(stack.feather, length),
        decontaminate=keyed(stack.decontaminate, lambda value: value),
    )
