"""On which frames two requests ask for different things.

Sliders with keys, mattes and painted key frames belong to frames; everything else (the model, the prompt, the style,
the seed…) belongs to all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import fields, replace
from typing import Any

from gen2studio.engine.requests import ControlValues, GenerateRequest, KeyRef, MaskTrackRef

_CONTROLS = tuple(f.name for f in fields(ControlValues))


def differing_frames(
    old: GenerateRequest, new: GenerateRequest, by_frame: Callable[[GenerateRequest], bool]
) -> frozenset[int]:
    """Media frames of ``new``'s range that ``old``, over the same range, asks something else for.

    ``by_frame`` says of a request whether its generator makes frames one by one; where it does not, a frame that
    differs makes all of them differ. A painted key frame counts as far as the next ones on both sides of it.
    """
    whole = frozenset(range(new.start, new.stop))
    if _bare(old) != _bare(new) or len(old.parts) != len(new.parts):
        return whole
    found: frozenset[int] = frozenset()
    for before, after in zip(old.parts, new.parts, strict=True):
        found |= differing_frames(before, after, by_frame)
    if not new.parts:
        if bool(old.keys) != bool(new.keys):
            # Another way of painting altogether.
            return whole
        found = _of_controls(old, new) | _of_masks(old, new) | _of_keys(old.keys, new.keys, new.start, new.stop)
        if found and not by_frame(new):
            return whole
    return found


def _bare(request: GenerateRequest) -> GenerateRequest:
    """What counts for every frame."""
    return replace(request, frames=None, sampled=None, masks=(), keys=(), controls=ControlValues(), levels=(), parts=())


def _of_controls(old: GenerateRequest, new: GenerateRequest) -> frozenset[int]:
    if (old.controls, old.levels) == (new.controls, new.levels):
        return frozenset()
    frames = range(new.start, new.stop)
    names = [name for name in _CONTROLS if old.varies(name) or new.varies(name)]
    if any(getattr(old.controls, n) != getattr(new.controls, n) for n in _CONTROLS if n not in names):
        return frozenset(frames)
    return frozenset(f for f in frames if any(old.control(n, f) != new.control(n, f) for n in names))


def _of_masks(old: GenerateRequest, new: GenerateRequest) -> frozenset[int]:
    if old.masks == new.masks:
        return frozenset()
    before, after = _Mattes(old.masks), _Mattes(new.masks)
    return frozenset(frame for frame in range(new.start, new.stop) if before.at(frame) != after.at(frame))


class _Mattes:
    """What the region of a frame is made of."""

    def __init__(self, tracks: tuple[MaskTrackRef, ...]) -> None:
        self._tracks = [(track, dict(track.frames)) for track in tracks]
        self._only_add = all(track.blend == "add" for track in tracks)

    def at(self, frame: int) -> Collection[Any]:
        found: list[Any] = []
        for track, rasters in self._tracks:
            stack = track.refinement
            reach = range(frame - round(stack.chatter), frame + round(stack.chatter) + 1)
            painted = tuple(rasters.get(each) for each in reach)
            drawn = tuple(
                (
                    shape.kind,
                    shape.operation,
                    tuple(shape.points_at(each) if shape.lives_at(each) else () for each in reach),
                )
                for shape in track.shapes
                if any(shape.lives_at(each) for each in reach)
            )
            if drawn or track.blend == "intersect" or any(raster is not None for raster in painted):
                levels = tuple((stack.grow.at(each), stack.feather.at(each)) for each in reach)
                plain = replace(stack, grow=type(stack.grow)(), feather=type(stack.feather)())
                found.append((track.blend, painted, drawn, plain, levels))
        return frozenset(found) if self._only_add else tuple(found)


def _of_keys(old: tuple[KeyRef, ...], new: tuple[KeyRef, ...], start: int, stop: int) -> frozenset[int]:
    changed = {key.frame for key in {*old} ^ {*new}}
    if not changed:
        return frozenset()
    standing = sorted({key.frame for key in {*old} & {*new}} - changed)
    found: set[int] = set()
    for frame in changed:
        low = max((k + 1 for k in standing if k < frame), default=start)
        high = min((k for k in standing if k > frame), default=stop)
        found.update(range(max(start, low), min(stop, high)))
    return frozenset(found)
