"""Painted mattes with an object's shapes over them, kept in memory and brought up to date where something changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.core.records import dataclass

if TYPE_CHECKING:
    from gen2studio.raster.splines import Part
    from gen2studio.raster.tiles import Mask

MATTES = 48 << 20
"""Bytes of finished mattes kept: 6 of 3840 × 2160, 24 of 1920 × 1080."""
COVERAGES = 24 << 20
"""Bytes of rasterised shapes kept."""

_Outline = tuple[str, tuple[ShapePoint, ...], Extent]


@dataclass(slots=True)
class _Laid:
    painted: Mask
    shapes: tuple[MaskShape, ...]
    parts: list[Part]
    matte: Mask
    frozen: bool
    """Handed out as finished: it must not change any more."""


class ShapeMattes:
    """UI thread only. What it hands out is read-only unless the painted matte under it is being painted on."""

    def __init__(self) -> None:
        self._laid: OrderedDict[tuple[str, int], _Laid] = OrderedDict()
        self._covers: OrderedDict[_Outline, tuple[Rect, Mask]] = OrderedDict()
        self._held = 0

    def get(self, object_id: str, frame: int, painted: Mask, shapes: tuple[MaskShape, ...], live: bool = False) -> Mask:
        """``painted`` (H, W) uint8 with the shapes that count on ``frame``; itself where none does.

        ``live``: a gesture is at work on it. Then the array is writable and the same one until the gesture ends, so
        that only what changed costs; a finished matte is read-only and never changes.
        """
        place = (object_id, frame)
        kept = self._laid.get(place)
        if kept is not None and kept.painted is painted and kept.shapes is shapes:
            self._laid.move_to_end(place)
            return _handed(kept, live)
        parts = self._parts(shapes, frame, Extent(painted.shape[1], painted.shape[0]))
        if not parts:
            self._laid.pop(place, None)
            return painted
        from gen2studio.raster import splines

        if kept is not None and kept.painted is painted:
            _thaw(kept)
            area = _changed(kept.parts, parts, Rect(0, 0, painted.shape[1], painted.shape[0]))
            splines.lay_parts(kept.matte, painted, parts, area)
            kept.shapes, kept.parts = shapes, parts
        else:
            kept = self._laid[place] = _Laid(painted, shapes, parts, splines.laid(painted, parts), False)
        self._laid.move_to_end(place)
        while len(self._laid) > 1 and sum(entry.matte.nbytes for entry in self._laid.values()) > MATTES:
            self._laid.popitem(last=False)
        return _handed(kept, live)

    def refresh(self, object_id: str, frame: int, area: Rect) -> None:
        """``area`` of the painted matte was changed in place."""
        kept = self._laid.get((object_id, frame))
        if kept is not None:
            from gen2studio.raster import splines

            _thaw(kept)
            splines.lay_parts(kept.matte, kept.painted, kept.parts, area)

    def differing(self, old: Sequence[MaskShape], new: Sequence[MaskShape], frame: int, extent: Extent) -> Rect:
        """Pixels that may differ between two lists of shapes over one painted matte."""
        whole = Rect.of(extent)
        return _changed(self._parts(old, frame, extent), self._parts(new, frame, extent), whole)

    def clear(self) -> None:
        self._laid.clear()
        self._covers.clear()
        self._held = 0

    def _parts(self, shapes: Sequence[MaskShape], frame: int, extent: Extent) -> list[Part]:
        return [
            (shape.operation, *self._cover(shape.kind, shape.points_at(frame), extent))
            for shape in shapes
            if shape.lives_at(frame)
        ]

    def _cover(self, kind: str, points: tuple[ShapePoint, ...], extent: Extent) -> tuple[Rect, Mask]:
        key = (kind, points, extent)
        found = self._covers.get(key)
        if found is None:
            from gen2studio.raster import splines

            found = self._covers[key] = splines.coverage(splines.segments(kind, points), extent)
            self._held += found[1].nbytes
            while self._held > COVERAGES and len(self._covers) > 1:
                _, gone = self._covers.popitem(last=False)
                self._held -= gone[1].nbytes
        else:
            self._covers.move_to_end(key)
        return found


def _handed(kept: _Laid, live: bool) -> Mask:
    if live:
        _thaw(kept)
    kept.frozen = not live
    kept.matte.setflags(write=live)
    return kept.matte


def _thaw(kept: _Laid) -> None:
    """A matte that somebody took for finished stays as it is: changes go to a copy."""
    if kept.frozen:
        kept.matte, kept.frozen = kept.matte.copy(), False


def _changed(old: Sequence[Part], new: Sequence[Part], whole: Rect) -> Rect:
    """Where two lists of parts may give another matte."""
    if len(old) != len(new):
        # What is common at the start and at the end changes nothing.
        same = 0
        while same < min(len(old), len(new)) and old[same] == new[same]:
            same += 1
        old, new = old[same:], new[same:]
        if any(part[0] == "intersect" for part in (*old, *new)):
            return whole
        area = Rect(0, 0, 0, 0)
        for _, spot, _ in (*old, *new):
            area = area.united(spot)
        return area
    area = Rect(0, 0, 0, 0)
    for (before, was, cover), (after, now, other) in zip(old, new, strict=True):
        if before == after and cover is other:
            continue
        if "intersect" in (before, after):
            return whole
        area = area.united(was).united(now)
    return area
