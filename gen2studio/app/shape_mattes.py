"""Painted mattes with an object's shapes over them, kept in memory and brought up to date where something changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.core.records import dataclass

if TYPE_CHECKING:
    from gen2studio.raster.splines import Floats, Part
    from gen2studio.raster.tiles import Mask

MATTES = 48 << 20
"""Bytes of finished mattes kept: 6 of 3840 × 2160, 24 of 1920 × 1080."""
COVERAGES = 24 << 20
"""Bytes of rasterised shapes kept."""

_Outline = tuple[str, tuple[ShapePoint, ...], Extent]


@dataclass(slots=True, eq=False)
class _Cover:
    """A rasterised outline."""

    where: Rect
    mask: Mask
    curves: Floats


@dataclass(slots=True, eq=False)
class _Layer:
    """A shape as it counts on one frame."""

    operation: str
    cover: _Cover


@dataclass(slots=True)
class _Laid:
    painted: Mask
    shapes: tuple[MaskShape, ...]
    layers: list[_Layer]
    matte: Mask
    frozen: bool
    """Handed out as finished: it must not change any more."""


class ShapeMattes:
    """UI thread only. What it hands out is read-only unless the painted matte under it is being painted on."""

    def __init__(self) -> None:
        self._laid: OrderedDict[tuple[str, int], _Laid] = OrderedDict()
        self._covers: OrderedDict[_Outline, _Cover] = OrderedDict()
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
        extent = Extent(painted.shape[1], painted.shape[0])
        layers = self._layers(shapes, frame, extent, kept.layers if kept is not None else ())
        if not layers:
            self._laid.pop(place, None)
            return painted
        from gen2studio.raster import splines

        if kept is not None and kept.painted is painted:
            _thaw(kept)
            area = _changed(kept.layers, layers, Rect.of(extent)).intersected(Rect.of(extent))
            splines.lay_parts(kept.matte, painted, _parts(layers), area)
            kept.shapes, kept.layers = shapes, layers
        else:
            kept = self._laid[place] = _Laid(painted, shapes, layers, splines.laid(painted, _parts(layers)), False)
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
            splines.lay_parts(kept.matte, kept.painted, _parts(kept.layers), area)

    @staticmethod
    def differing(old: Sequence[MaskShape], new: Sequence[MaskShape], frame: int, extent: Extent) -> Rect:
        """Pixels that may differ between two lists of shapes over one painted matte. Nothing is rasterised for it."""
        from gen2studio.raster import splines

        was, now = (
            [(s.operation, splines.segments(s.kind, s.points_at(frame))) for s in shapes if s.lives_at(frame)]
            for shapes in (old, new)
        )
        return _differing(was, now, Rect.of(extent)).intersected(Rect.of(extent))

    def clear(self) -> None:
        self._laid.clear()
        self._covers.clear()
        self._held = 0

    def _layers(
        self, shapes: Sequence[MaskShape], frame: int, extent: Extent, before: Sequence[_Layer]
    ) -> list[_Layer]:
        """``before``: what the same frame was made of last; what stayed of an outline is taken from there."""
        alive = [shape for shape in shapes if shape.lives_at(frame)]
        like = before if len(before) == len(alive) else [None] * len(alive)
        return [
            _Layer(s.operation, self._cover(s.kind, s.points_at(frame), extent, old.cover if old is not None else None))
            for s, old in zip(alive, like, strict=True)
        ]

    def _cover(self, kind: str, points: tuple[ShapePoint, ...], extent: Extent, like: _Cover | None) -> _Cover:
        key = (kind, points, extent)
        found = self._covers.get(key)
        if found is not None:
            self._covers.move_to_end(key)
            return found
        from gen2studio.raster import splines

        curves = splines.segments(kind, points)
        where = splines.changed(like.curves, curves) if like is not None else None
        if like is not None and where is not None and 2 * _pixels(where) < _pixels(splines.reach(curves)):
            area, mask = splines.patched(curves, extent, (like.where, like.mask), where)
        else:
            area, mask = splines.coverage(curves, extent)
        found = self._covers[key] = _Cover(area, mask, curves)
        self._held += mask.nbytes
        while self._held > COVERAGES and len(self._covers) > 1:
            _, gone = self._covers.popitem(last=False)
            self._held -= gone.mask.nbytes
        return found


def _pixels(area: Rect) -> int:
    return area.width * area.height


def _parts(layers: Sequence[_Layer]) -> list[Part]:
    return [(layer.operation, layer.cover.where, layer.cover.mask) for layer in layers]


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


def _changed(old: Sequence[_Layer], new: Sequence[_Layer], whole: Rect) -> Rect:
    """Where two lists of layers may give another matte."""
    was, now = ([(layer.operation, layer.cover.curves) for layer in layers] for layers in (old, new))
    return _differing(was, now, whole)


def _differing(old: Sequence[tuple[str, Floats]], new: Sequence[tuple[str, Floats]], whole: Rect) -> Rect:
    """Where two lists of (operation, segments) may give another matte; ``whole`` where an intersection changed."""
    from gen2studio.raster import splines

    area = Rect(0, 0, 0, 0)
    if len(old) == len(new):
        for (before, was), (after, now) in zip(old, new, strict=True):
            moved = splines.changed(was, now)
            if before != after:
                moved = splines.reach(was).united(splines.reach(now))
            if moved.empty:
                continue
            if "intersect" in (before, after):
                return whole
            area = area.united(moved)
        return area
    if any(operation == "intersect" for operation, _ in (*old, *new)):
        return whole
    for _, curves in (*old, *new):
        area = area.united(splines.reach(curves))
    return area
