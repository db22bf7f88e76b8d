"""Keyed sliders of a look as requests carry them: one value for each frame that is asked for, and nothing beyond.

A take then goes stale on exactly the frames whose values change: a key that is moved outside them, or another easing
that gives the same values, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from gen2studio.core.curve import Curve, CurveKey, Ease
from gen2studio.document.look import KEYED, Look
from gen2studio.engine.requests import ControlValues, GenerateRequest, Levels

_DIGITS = 4
"""Values are rounded to so many digits: what is finer is seen by nobody, and would differ between machines."""


def with_levels(request: GenerateRequest, look: Look, frames: Iterable[int] | None = None) -> GenerateRequest:
    """``request`` with the keyed sliders of ``look`` on ``frames`` (None = all of its range). A slider that has one
    value on all of them is an ordinary number."""
    controls, levels = request.controls, list[Levels]()
    wanted = sorted(set(range(request.start, request.stop) if frames is None else frames))
    for name, curve in look.curves:
        values = sampled(name, curve, wanted)
        if len(values) == 1:
            one = values[0][1]
            controls = replace(controls, **{name: round(one) if name == "grow" else one})
        elif values:
            controls = replace(controls, **{name: getattr(ControlValues(), name)})
            levels.append(Levels(name=name, values=values))
    return replace(request, controls=controls, levels=tuple(levels))


def sampled(name: str, curve: Curve, frames: Sequence[int]) -> tuple[tuple[int, float], ...]:
    """[(frame, value), …] where a curve changes over ``frames`` (sorted), in the slider's range."""
    low, high = KEYED[name]
    found: list[tuple[int, float]] = []
    for frame in frames:
        value = round(min(max(curve.at(frame), low), high), _DIGITS) + 0.0
        if name == "grow":
            value = float(round(value))
        if not found or found[-1][1] != value:
            found.append((frame, value))
    return tuple(found)


def curve_of(levels: Levels) -> Curve:
    """The simplest curve with these values: keys where they stop changing in a straight line."""
    entries = levels.values
    points: list[tuple[int, float]] = []
    for index, (frame, value) in enumerate(entries):
        if index and entries[index - 1][0] < frame - 1:
            # The value before was held until here.
            points.append((frame - 1, entries[index - 1][1]))
        points.append((frame, value))
    kept = points[:1]
    for here, after in pairwise(points[1:]):
        before = kept[-1]
        straight = before[1] + (after[1] - before[1]) * (here[0] - before[0]) / (after[0] - before[0])
        if abs(straight - here[1]) > 2 * 10**-_DIGITS:
            kept.append(here)
    kept += points[-1:] if len(points) > 1 else []
    return Curve(kept[0][1], tuple(CurveKey(frame, value, Ease.LINEAR) for frame, value in kept))
